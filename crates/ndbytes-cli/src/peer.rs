//! Who arrays and files are sent to and received from.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use ndbytes::{Error, Limits};
use ndbytes_net::session::{Address, Link, Listener, SessionOptions, Tokens, connect};

use crate::args::Session;
use crate::exit::{Failure, describe};
use crate::printer::note;
use crate::signals::Doomed;

/// An address, or standard input or output.
pub(crate) enum Peer {
    /// `-`.
    Dash,
    /// Somebody else.
    At(Address),
}

impl Peer {
    /// Parses an address or `-`.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Self::Dash);
        }
        text.parse().map(Self::At).map_err(|error: Error| {
            Failure::trouble(format!("{}, and -", error.message().replace(" and ", ", ")))
        })
    }

    /// Whether it is a server of HTTP, which makes a file of every array.
    pub(crate) fn is_http(&self) -> bool {
        matches!(self, Self::At(address) if address.is_http())
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dash => f.write_str("-"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl Session {
    /// How a session goes that these arguments describe.
    pub(crate) fn options(&self) -> Result<SessionOptions, Failure> {
        let tokens = self.tokens.as_deref().map(Tokens::open).transpose();
        let token = self.token.as_deref().map(|path| {
            let text = std::fs::read_to_string(path);
            text.map(|text| text.trim().to_owned()).map_err(|error| Failure::io(error, path))
        });
        Ok(SessionOptions::default()
            .with_timeout(self.timeout.0)
            .with_linger(self.timeout.0)
            .with_limits(Limits::default())
            .with_plain(self.plain)
            .with_token(token.transpose()?)
            .with_tokens(tokens.map_err(Failure::trouble)?)
            .with_certificate(self.cert.clone().zip(self.key.clone()))
            .with_authorities(self.ca.clone())
            .with_insecure(self.insecure))
    }
}

/// Makes a connection.
pub(crate) fn meet(address: &Address, options: &SessionOptions) -> Result<Link, Failure> {
    connect(address, options).map_err(|error| failure(error, address))
}

/// A link that goes one way, over standard input or output, for which any time is waited: whoever is at
/// the other end has begun with this.
pub(crate) fn pipe(
    read: Option<BorrowedFd<'_>>,
    write: Option<BorrowedFd<'_>>,
    options: &SessionOptions,
) -> Result<Link, Error> {
    let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned();
    let (read, write) = (read.map(own).transpose()?, write.map(own).transpose()?);
    Link::over_descriptors(read, write, &options.clone().with_timeout(None))
}

/// Who listens, and the socket that goes away with the process.
pub(crate) struct Waiting {
    listener: Arc<Listener>,
    _doomed: Option<Doomed>,
}

impl Waiting {
    /// Listens, and says on stderr where.
    pub(crate) fn at(address: &Address, options: &SessionOptions) -> Result<Self, Failure> {
        let listener = Listener::bind(address, options).map_err(|error| failure(error, address))?;
        let doomed = match listener.address() {
            Address::Unix(path) => Some(Doomed::new(path)),
            _ => None,
        };
        note(format_args!("listening on {}", listener.address()));
        Ok(Self { listener: Arc::new(listener), _doomed: doomed })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &Address {
        self.listener.address()
    }

    /// Who listens, for another thread to close.
    pub(crate) fn listener(&self) -> Arc<Listener> {
        self.listener.clone()
    }

    /// Waits for a connection, however long; none when the listener is closed.
    pub(crate) fn any(&self) -> Result<Option<Link>, Failure> {
        self.listener.accept(None).map_err(|error| failure(error, self.listener.address()))
    }

    /// Waits for a connection, as long as the timeout.
    pub(crate) fn next(&self, options: &SessionOptions) -> Result<Link, Failure> {
        let found = self.listener.accept(options.timeout);
        let found = found.map_err(|error| failure(error, self.listener.address()))?;
        found.ok_or_else(|| {
            let seconds = options.timeout.unwrap_or_default().as_secs_f64();
            let address = self.listener.address();
            Failure::trouble(format!(
                "{address}: nobody connected for {seconds} s; `--timeout` sets how long to wait"
            ))
        })
    }
}

/// What went wrong with a peer.
pub(crate) fn failure(error: Error, address: &dyn fmt::Display) -> Failure {
    let address = address.to_string();
    // Some say so themselves.
    let named = |text: String| match text.contains(&address) {
        true => text,
        false => format!("{address}: {text}"),
    };
    if error.path().is_some_and(|path| path != Path::new(&address)) {
        return error.into();
    }
    match error.io() {
        Some(io) if io.kind() == io::ErrorKind::TimedOut => {
            Failure::trouble(named(format!("{}; `--timeout` sets how long to wait", describe(io))))
        }
        Some(io) => Failure::trouble(named(describe(io))),
        None => Failure::from(error).about_once(&address),
    }
}
