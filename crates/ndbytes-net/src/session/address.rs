//! Where a session is: `tcp://`, `tls://`, `quic://`, `unix://`, `http://`, `https://`.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use ndbytes::{Code, Error};

use super::patience::Patience;

/// An address of arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Address {
    /// `tcp://HOST:PORT`: not encrypted.
    Tcp(String),
    /// `tls://HOST:PORT`: TLS 1.2 or 1.3 over TCP.
    Tls(String),
    /// `quic://HOST:PORT`: a stream of QUIC, over UDP; always encrypted.
    Quic(String),
    /// `unix://PATH`: a socket in the file system.
    Unix(PathBuf),
    /// `http://HOST[:PORT]/PATH`: bodies of HTTP; not encrypted.
    Http {
        /// Host and port.
        host: String,
        /// Path and query.
        target: String,
    },
    /// `https://HOST[:PORT]/PATH`: the same over TLS.
    Https {
        /// Host and port.
        host: String,
        /// Path and query.
        target: String,
    },
}

impl Address {
    /// Host and port, where it has them.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp(host) | Self::Tls(host) | Self::Quic(host) => Some(host),
            Self::Http { host, .. } | Self::Https { host, .. } => Some(host),
            Self::Unix(_) => None,
        }
    }

    /// Host without port and brackets.
    pub(super) fn host_name(&self) -> &str {
        let host = self.host().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        name.trim_start_matches('[').trim_end_matches(']')
    }

    /// The same with another host and port: where it listens.
    pub(super) fn at(&self, address: SocketAddr) -> Self {
        let host = address.to_string();
        match self {
            Self::Tcp(_) => Self::Tcp(host),
            Self::Tls(_) => Self::Tls(host),
            Self::Quic(_) => Self::Quic(host),
            other => other.clone(),
        }
    }

    /// Path and query, where it has them.
    pub(super) fn target(&self) -> &str {
        match self {
            Self::Http { target, .. } | Self::Https { target, .. } => target,
            _ => "",
        }
    }

    /// Whether it is of HTTP: then there is nothing to listen for.
    pub fn is_http(&self) -> bool {
        matches!(self, Self::Http { .. } | Self::Https { .. })
    }

    /// What the host's name stands for.
    pub(super) fn resolve(&self, patience: &Patience) -> std::io::Result<Vec<SocketAddr>> {
        let host = self.host().unwrap_or_default().to_owned();
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        patience
            .in_time("has a name that was looked up", move || Ok(host.to_socket_addrs()?.collect()))
    }

    /// What comes of the first of these addresses that something comes of; else why nothing came of the
    /// last one.
    pub(super) fn first<T>(
        &self,
        patience: &Patience,
        mut attempt: impl FnMut(SocketAddr) -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        for address in self.resolve(patience)? {
            match attempt(address) {
                Ok(done) => return Ok(done),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether it is of this machine alone.
    pub(super) fn is_near(&self, patience: &Patience) -> std::io::Result<bool> {
        Ok(self.resolve(patience)?.iter().all(|address| address.ip().is_loopback()))
    }

    /// Whether what passes can be read, or changed, on its way.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Http { .. })
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let host = rest.trim_end_matches('/');
        let port = host.rsplit_once(':').filter(|(name, _)| !name.is_empty());
        let is_host = port.is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        match scheme {
            "tcp" if is_host => Ok(Self::Tcp(host.to_owned())),
            "tls" if is_host => Ok(Self::Tls(host.to_owned())),
            "quic" if is_host => Ok(Self::Quic(host.to_owned())),
            "unix" if !rest.is_empty() => Ok(Self::Unix(rest.into())),
            "http" => parse_http(text, rest, 80).map(|(host, target)| Self::Http { host, target }),
            "https" => {
                parse_http(text, rest, 443).map(|(host, target)| Self::Https { host, target })
            }
            _ => Err(Error::new(
                Code::Argument,
                format!(
                    "`{}` is no address: they are tcp://HOST:PORT, tls://HOST:PORT, quic://HOST:PORT, unix:///PATH, http://HOST/PATH and https://HOST/PATH",
                    text.escape_debug()
                ),
            )),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Tls(host) => write!(f, "tls://{host}"),
            Self::Quic(host) => write!(f, "quic://{host}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Http { host, target } => write!(f, "http://{host}{target}"),
            Self::Https { host, target } => write!(f, "https://{host}{target}"),
        }
    }
}

/// Host with port, and path with query, of a URL without its scheme.
fn parse_http(text: &str, rest: &str, port: u16) -> Result<(String, String), Error> {
    let wrong = |what: &str| {
        let message = format!("`{}` is no URL of a stream: {what}", text.escape_debug());
        Err(Error::new(Code::Argument, message))
    };
    let begin = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(begin);
    let is_text = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    if host.is_empty() || !rest.bytes().all(is_text) {
        return wrong("it has a host, and what is not ASCII is percent-encoded");
    }
    if host.contains('@') {
        return wrong("who asks is said by a token, not by a name in the URL");
    }
    let slash = if target.starts_with('/') { "" } else { "/" };
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    let host = match after.rsplit_once(':') {
        None => format!("{host}:{port}"),
        Some((_, port)) if port.parse::<u16>().is_ok() => host.to_owned(),
        Some(_) => return wrong("its port is a number"),
    };
    Ok((host, format!("{slash}{target}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls() {
        for text in
            ["tcp://localhost:80", "tls://[::1]:0", "quic://a.b:443", "unix:///tmp/a", "unix://a"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("tls://[::1]:7".parse::<Address>().unwrap().host_name(), "::1");
        for (text, shown) in [
            ("http://a/b/c.npz?x=y", "http://a:80/b/c.npz?x=y"),
            ("https://a.b:8443", "https://a.b:8443/"),
            ("http://[::1]/", "http://[::1]:80/"),
            ("http://a?x", "http://a:80/?x"),
        ] {
            let address = text.parse::<Address>().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse::<Address>().unwrap(), address);
        }
        for text in [
            "",
            "-",
            "localhost:80",
            "tcp://localhost",
            "tcp://:80",
            "tcp://a:99999",
            "unix://",
            "http://",
            "http:///a",
            "http://a:b/",
            "http://a b/",
            "http://a/\r\nX: y",
            "http://a/#b",
            "http://\u{e4}/",
            "http://user@a/",
            "ftp://a:1",
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().code(), Code::Argument, "{text}");
        }
    }
}
