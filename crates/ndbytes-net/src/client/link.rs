//! Requests to one server for one file.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ndbytes::{Code, Error};
use ureq::config::Config;
use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, SendBody};

use super::interrupt::Interrupt;
use super::wait::{Patience, Trouble};
use super::{RemoteOptions, wire};
use crate::answer::{ContentRange, refusal};

/// The address of a file, and the connections to its server.
#[derive(Debug)]
pub(super) struct Link {
    config: Config,
    agents: Mutex<Vec<(u32, Agent)>>,
    url: String,
    headers: Vec<(String, String)>,
    retries: u32,
    interrupt: Interrupt,
}

/// What tells one state of a file from another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    tag: Option<String>,
    modified: Option<String>,
}

/// What came of asking for some bytes.
pub(super) enum Given {
    /// These, in a file of so many.
    Part { size: Option<u64>, body: Response<Body> },
    /// All that there are.
    Whole(Response<Body>),
    /// None: the file has no more than so many.
    Beyond { size: u64 },
}

impl Link {
    pub(super) fn new(url: &str, options: &RemoteOptions) -> Result<Self, Error> {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("ndbytes/", env!("CARGO_PKG_VERSION")))
            // What is compressed again has no places.
            .accept_encoding("identity")
            .timeout_resolve(Some(options.timeout))
            .timeout_connect(Some(options.timeout))
            .timeout_send_request(Some(options.timeout))
            .timeout_recv_response(Some(options.timeout))
            .timeout_per_read(Some(options.timeout))
            .timeout_per_write(Some(options.timeout));
        let config = match is_encrypted(url) {
            true => config.tls_config(tls(options)?),
            false => config,
        };
        let mut headers = options.headers.clone();
        if let Some(token) = &options.token {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let (config, agents) = (config.build(), Mutex::default());
        let (url, retries) = (url.to_owned(), options.retries);
        let interrupt = Interrupt::new(options.on_signal.clone());
        Ok(Self { config, agents, url, headers, retries, interrupt })
    }

    /// The connections of this process. Those that it was forked with are another's, who would get
    /// what it asks for; they are left as they are.
    fn agent(&self) -> Agent {
        let own = std::process::id();
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, agent)) = agents.iter().find(|(process, _)| *process == own) {
            return agent.clone();
        }
        let agent = wire::agent(self.config.clone(), &self.interrupt);
        agents.push((own, agent.clone()));
        agent
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What signals do to the work.
    pub(super) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    pub(super) fn patience(&self) -> Patience {
        Patience::new(self.retries, self.interrupt.clone())
    }

    /// Asks for `len` bytes from `at` on, of the file of this identity if there is one yet.
    pub(super) fn get(
        &self,
        at: u64,
        len: u64,
        identity: Option<&Identity>,
    ) -> Result<Given, Trouble> {
        let last = at.saturating_add(len.max(1) - 1);
        let range = format!("bytes={at}-{last}");
        let mut request = self.agent().get(&self.url).header("range", range);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(identity) = identity {
            request = match (identity.strong_tag(), &identity.modified) {
                (Some(tag), _) => request.header("if-match", tag),
                (None, Some(modified)) => request.header("if-unmodified-since", modified),
                (None, None) => request,
            };
        }
        let answer = request.call().map_err(|error| self.failed(error))?;
        let status = answer.status();
        let encoding = text(answer.headers(), "content-encoding");
        if status.is_success() && encoding.is_some_and(|encoding| encoding != "identity") {
            return Err(self.wrong("the server compresses what it sends, so that parts of the file have no places: ask it for the file as it is"));
        }
        if let Some(identity) = identity
            && matches!(status, StatusCode::OK | StatusCode::PARTIAL_CONTENT)
            && !identity.is_same(&Identity::of(answer.headers()))
        {
            return Err(self.changed());
        }
        let range = text(answer.headers(), "content-range").and_then(ContentRange::parse);
        match (status, range) {
            (StatusCode::OK, _) => Ok(Given::Whole(answer)),
            (StatusCode::PARTIAL_CONTENT, Some(ContentRange::Part { first, last: end, size }))
                if first == at && end <= last =>
            {
                Ok(Given::Part { size, body: answer })
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(ContentRange::Unsatisfied { size }))
                if size <= at =>
            {
                Ok(Given::Beyond { size })
            }
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, _) => {
                let range = text(answer.headers(), "content-range").unwrap_or("none");
                let range = range.escape_debug();
                Err(self.wrong(&format!("asked for bytes {at} to {last}, the server answers {status} with the range `{range}`")))
            }
            (StatusCode::PRECONDITION_FAILED, _) if identity.is_some() => Err(self.changed()),
            _ => Err(self.refused(answer)),
        }
    }

    /// Sends a file of so many bytes; what was there is replaced.
    pub(super) fn put(&self, len: u64, body: &mut dyn Read) -> Result<(), Trouble> {
        let mut request = self.agent().put(&self.url).header("content-length", len.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if len > LARGE {
            // What is refused need not be sent.
            request = request.header("expect", "100-continue");
        }
        let answer = request.send(SendBody::from_reader(body)).map_err(|e| self.failed(e))?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            _ => Err(self.refused(answer)),
        }
    }

    /// An answer that is no success.
    fn refused(&self, mut answer: Response<Body>) -> Trouble {
        let status = answer.status();
        let later = text(answer.headers(), "retry-after").and_then(|text| text.trim().parse().ok());
        let len = text(answer.headers(), "content-length").and_then(|text| text.parse().ok());
        // Not until the connection ends: a server that expects more keeps it open.
        let len = len.unwrap_or(SAID).min(SAID);
        let mut said = Vec::new();
        // Whatever else is wrong, the status was understood.
        let _ = answer.body_mut().as_reader().take(len).read_to_end(&mut said);
        let reason = status.canonical_reason().unwrap_or_default();
        let error = refusal(&self.url, status.as_u16(), reason, &said);
        match status {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                Trouble::Passing(error, later.map(Duration::from_secs))
            }
            _ => Trouble::Lasting(error),
        }
    }

    /// No answer.
    fn failed(&self, error: ureq::Error) -> Trouble {
        let named = |kind, error: &dyn std::fmt::Display| {
            io::Error::new(kind, format!("{}: {error}", self.url)).into()
        };
        match error {
            // What is wrong with a certificate stays wrong.
            ureq::Error::Io(error) if error.get_ref().is_some_and(|e| e.is::<rustls::Error>()) => {
                Trouble::Lasting(named(io::ErrorKind::InvalidData, &error))
            }
            ureq::Error::Io(error) => Trouble::Passing(named(error.kind(), &error), None),
            ureq::Error::Timeout(_) => {
                Trouble::Passing(named(io::ErrorKind::TimedOut, &error), None)
            }
            ureq::Error::ConnectionFailed => {
                Trouble::Passing(named(io::ErrorKind::ConnectionRefused, &error), None)
            }
            ureq::Error::HostNotFound => {
                Trouble::Passing(named(io::ErrorKind::HostUnreachable, &error), None)
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Trouble::Lasting(Error::new(
                Code::Argument,
                format!("{}: not a URL that can be fetched: {error}", self.url),
            )),
            error => Trouble::Lasting(named(io::ErrorKind::InvalidData, &error)),
        }
    }

    /// A body that broke off.
    pub(super) fn broken(&self, error: &io::Error) -> Trouble {
        let error = io::Error::new(error.kind(), format!("{}: {error}", self.url));
        Trouble::Passing(error.into(), None)
    }

    fn wrong(&self, what: &str) -> Trouble {
        Trouble::Lasting(Error::new(Code::HttpRange, format!("{}: {what}", self.url)))
    }

    #[cold]
    pub(super) fn changed(&self) -> Trouble {
        let message =
            format!("{}: the file became another one while it was read; open it again", self.url);
        Trouble::Lasting(Error::new(Code::HttpChanged, message))
    }
}

impl Identity {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let owned = |name| text(headers, name).map(str::to_owned);
        Self { tag: owned("etag"), modified: owned("last-modified") }
    }

    /// A tag by which bytes are the same, not only what they mean.
    fn strong_tag(&self) -> Option<&str> {
        self.tag.as_deref().filter(|tag| !tag.starts_with("W/"))
    }

    fn opaque_tag(&self) -> Option<&str> {
        self.tag.as_deref().map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
    }

    /// Whether both can be of one state: nothing that both have differs. A tag may become strong: Apache's are
    /// weak while a file is less than a second old (RFC 9110, section 8.8.3.2, has how these compare).
    fn is_same(&self, other: &Self) -> bool {
        let agree = |one: Option<&str>, other: Option<&str>| {
            one.is_none() || other.is_none() || one == other
        };
        agree(self.opaque_tag(), other.opaque_tag())
            && agree(self.modified.as_deref(), other.modified.as_deref())
    }
}

pub(super) fn is_encrypted(url: &str) -> bool {
    url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What certificates are checked against: these authorities, or the system's.
fn tls(options: &RemoteOptions) -> Result<TlsConfig, Error> {
    let found = crate::tls::authorities(options.authorities.as_deref())?;
    let roots: Vec<_> = found.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(provider)
        .build())
}

/// Bytes of a file that the server is asked about beforehand.
const LARGE: u64 = 1 << 20;
/// Bytes of an error's body that are looked at.
const SAID: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(tag: &str, modified: &str) -> Identity {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Identity { tag: given(tag), modified: given(modified) }
    }

    #[test]
    fn a_file_whose_tag_becomes_strong_is_the_same() {
        let young = identity("W/\"5a-1\"", "Mon, 30 Nov 2026 09:00:00 GMT");
        assert!(young.is_same(&identity("\"5a-1\"", "Mon, 30 Nov 2026 09:00:00 GMT")));
        assert!(young.is_same(&identity("\"5a-1\"", "")) && young.is_same(&identity("", "")));
        assert!(!young.is_same(&identity("\"5a-2\"", "Mon, 30 Nov 2026 09:00:00 GMT")));
        assert!(!young.is_same(&identity("\"5a-1\"", "Mon, 30 Nov 2026 09:00:01 GMT")));
        assert_eq!(young.strong_tag(), None);
    }
}
