//! An HTTP server of a folder, which reads it, and writes to it where that is allowed.
//!
//! ```no_run
//! use ndbytes_net::serve::{ServeOptions, Server};
//!
//! let listen = "127.0.0.1:0".parse().expect("an address");
//! let server = Server::bind(ServeOptions::new("arrays", listen))?;
//! println!("{}", server.url());
//! server.run()?; // until SIGINT or SIGTERM
//! # Ok::<(), ndbytes_net::serve::ServeError>(())
//! ```

mod array;
mod body;
mod buffers;
mod clients;
mod connection;
mod content;
mod dav;
mod incoming;
mod listing;
mod metrics;
mod options;
mod pace;
mod page;
mod partial;
mod parting;
mod problem;
mod resumable;
mod root;
mod router;
mod server;
mod slice;
mod source;
mod stream_in;
mod stream_out;
mod upload;
mod watch;
mod zarr;

pub use crate::tokens::Tokens;
pub use options::ServeOptions;
pub use server::{ServeError, Server, Stop};

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use http::StatusCode;
use http::header;
use http::request::Parts;
use http::uri::Authority;
use tokio::sync::Semaphore;

use self::clients::{Client, Refused, Shares, Who};
use self::content::Digests;
use self::metrics::Metrics;
use self::problem::Problem;
use self::resumable::Turns;
use self::root::Root;
use crate::tokens::Scope;

/// What all requests share.
struct Service {
    root: Root,
    tokens: Option<Tokens>,
    /// Whether only this machine can ask, and whoever does so may.
    local: bool,
    digests: Digests,
    metrics: Arc<Metrics>,
    /// Whether files may be written.
    write: bool,
    /// Whether files may be removed.
    delete: bool,
    /// Bytes that one may have.
    max_upload: u64,
    /// Held while a file takes its name.
    publishing: Mutex<()>,
    /// Requests of each client.
    shares: Arc<Shares>,
    /// Uploads that come now.
    turns: Turns,
    /// One for each stream that may come at once: each has a thread.
    streams: Arc<Semaphore>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
struct Peer(IpAddr);

impl Service {
    /// Whose request this is, if it may be answered.
    fn admit(&self, request: &Parts, scope: Scope) -> Result<Who, Problem> {
        let token = self.identify(request, scope)?;
        let client = match (&token, request.extensions.get()) {
            (Some(token), _) => Client::Token(token.clone()),
            (None, Some(&Peer(address))) => Client::at(address),
            (None, None) => return Ok(Who { token, _turn: None }),
        };
        let refused = match self.shares.enter(&client) {
            Ok(turn) => return Ok(Who { token, _turn: turn.map(Arc::new) }),
            Err(refused) => refused,
        };
        self.metrics.limited.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(?client, "a client asks for too much");
        let (detail, wait) = match refused {
            Refused::AtOnce(most) => (format!("more than {most} requests at once"), 1),
            Refused::TooFast(wait) => ("requests come too fast".to_owned(), wait.as_secs() + 1),
        };
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "http.too_many", detail);
        Err(problem.with(header::RETRY_AFTER, &wait.to_string()))
    }

    /// The name of the token that a request has, which allows what is asked for.
    fn identify(&self, request: &Parts, scope: Scope) -> Result<Option<String>, Problem> {
        let Some(tokens) = &self.tokens else { return self.admit_host(request).map(|()| None) };
        let denied = |status, code, detail: &str, challenge: &str| {
            self.metrics.denied.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(code, path = request.uri.path(), "a request is denied");
            let problem = Problem::new(status, code, detail);
            Err(problem.with(header::WWW_AUTHENTICATE, challenge))
        };
        let field = request.headers.get(header::AUTHORIZATION);
        let field = field.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = match field.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
            _ => {
                let detail = "a token is needed: Authorization: Bearer TOKEN";
                let status = StatusCode::UNAUTHORIZED;
                return denied(status, "http.unauthorized", detail, "Bearer realm=\"ndbytes\"");
            }
        };
        match tokens.grant(token) {
            Some(grant) if grant.allows(scope) => Ok(Some(grant.name)),
            Some(grant) => {
                let scope = match scope {
                    Scope::Read => "read",
                    Scope::Write => "write",
                };
                tracing::warn!(token = grant.name, scope, "a token does not allow this");
                let challenge = format!(
                    "Bearer realm=\"ndbytes\", error=\"insufficient_scope\", scope=\"{scope}\""
                );
                let detail = format!("the token does not allow to {scope}");
                denied(StatusCode::FORBIDDEN, "http.forbidden", &detail, &challenge)
            }
            None => {
                let challenge = "Bearer realm=\"ndbytes\", error=\"invalid_token\"";
                let detail = "the token is not known, or has expired";
                denied(StatusCode::UNAUTHORIZED, "http.unauthorized", detail, challenge)
            }
        }
    }

    /// Where no token is needed, a page of some other site must not read files here by a name of its
    /// own that it lets mean this machine.
    fn admit_host(&self, request: &Parts) -> Result<(), Problem> {
        let named = || {
            let field = request.headers.get(header::HOST)?.to_str().ok()?;
            field.parse::<Authority>().ok()
        };
        let host = request.uri.authority().cloned().or_else(named);
        let is_local = |host: &Authority| {
            let name = host.host().trim_start_matches('[').trim_end_matches(']');
            name.eq_ignore_ascii_case("localhost")
                || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        };
        if !self.local || host.as_ref().is_none_or(is_local) {
            return Ok(());
        }
        let detail = "this server has no other name than localhost";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "http.host", detail))
    }
}
