//! Where a session is: `tcp://`, `tls://`, `quic://`, `unix://`.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

use ndbytes::{Code, Error};

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
}

impl Address {
    /// Host and port, where it has them.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Tcp(host) | Self::Tls(host) | Self::Quic(host) => Some(host),
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
            Self::Unix(path) => Self::Unix(path.clone()),
        }
    }

    /// What the host's name stands for.
    pub(super) fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        Ok(self.host().unwrap_or_default().to_socket_addrs()?.collect())
    }

    /// What comes of the first of these addresses that something comes of; else why nothing came of the
    /// last one.
    pub(super) fn first<T>(
        &self,
        mut attempt: impl FnMut(SocketAddr) -> std::io::Result<T>,
    ) -> std::io::Result<T> {
        let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
        for address in self.resolve()? {
            match attempt(address) {
                Ok(done) => return Ok(done),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether it is of this machine alone.
    pub(super) fn is_near(&self) -> std::io::Result<bool> {
        Ok(self.resolve()?.iter().all(|address| address.ip().is_loopback()))
    }

    /// Whether what passes can be read, or changed, on its way.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Tcp(_))
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
            _ => Err(Error::new(
                Code::Argument,
                format!(
                    "`{}` is no address: they are tcp://HOST:PORT, tls://HOST:PORT, quic://HOST:PORT and unix:///PATH",
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
        }
    }
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
        for text in [
            "",
            "-",
            "localhost:80",
            "tcp://localhost",
            "tcp://:80",
            "tcp://a:99999",
            "unix://",
            "http://a:1",
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().code(), Code::Argument, "{text}");
        }
    }
}
