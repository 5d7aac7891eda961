//! How a server is set up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::tokens::Tokens;

/// What is served, to whom, and how much of it at once.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The folder.
    pub root: PathBuf,
    /// Where to listen; port 0 for any that is free.
    pub listen: SocketAddr,
    /// Who may ask; whoever can reach it unless given.
    pub tokens: Option<Tokens>,
    /// PEM files of the certificate chain and its key; not encrypted unless given.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether other machines may be let in without tokens or without TLS.
    pub insecure: bool,
    /// Whether files may be written, by PUT, and folders be made.
    pub write: bool,
    /// Whether files and empty folders may be removed.
    pub delete: bool,
    /// Most bytes of a file that is written.
    pub max_upload: u64,
    /// Most connections at once.
    pub max_connections: usize,
    /// Most connections of one address at once. Unless given, there may be 256 of each that is not
    /// loopback.
    pub max_connections_per_address: Option<usize>,
    /// Most requests at once; others wait.
    pub max_requests: usize,
    /// Most requests at once of one client: of a token, or of an address where there are no tokens.
    /// Any number unless given; others are refused.
    pub max_requests_per_client: Option<usize>,
    /// Most requests per second of one client, in the long run. Any number unless given.
    pub max_rate_per_client: Option<f64>,
    /// How long a request's header may take, from the connection on or from its first byte; and a
    /// TLS handshake.
    pub header_timeout: Duration,
    /// How long a connection may have no request.
    pub idle_timeout: Duration,
    /// How long a client may take nothing of its answer, or send nothing of a file.
    pub write_timeout: Duration,
    /// How long requests may go on after the server was told to stop.
    pub grace: Duration,
}

/// As long as anybody waits: what is added to a time must give one.
pub(super) const LONGEST: Duration = Duration::from_secs(1 << 30);

impl ServeOptions {
    /// The defaults.
    pub fn new(root: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            root: root.into(),
            listen,
            tokens: None,
            tls: None,
            insecure: false,
            write: false,
            delete: false,
            max_upload: 64 << 30,
            max_connections: 1024,
            max_connections_per_address: None,
            max_requests: 256,
            max_requests_per_client: None,
            max_rate_per_client: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}
