//! Who waits for peers, and who goes to them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ndbytes::{Code, Error, Result};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen as listen_on, socket};
use rustls::ServerConfig;

use super::address::Address;
use super::farewell::{Farewells, HURRY};
use super::inner::Place;
use super::link::Link;
use super::options::SessionOptions;
use super::patience::Patience;
use super::quic;
use super::wire::{Wire, wait};
use crate::tls;

/// The name of this protocol in TLS and QUIC (ALPN).
pub const PROTOCOL: &str = "ndbytes/1";

/// Connects to who listens there.
///
/// # Errors
/// [`Code::Io`]; [`Code::Argument`] for what makes no sense, and for a token that anybody on the way
/// could read, unless [`SessionOptions::insecure`].
pub fn connect(address: &Address, options: &SessionOptions) -> Result<Link> {
    let about = |error: io::Error| named(address, error);
    let shows = options.token.is_some() && address.is_open() && !options.insecure;
    let patience = Patience::of(options);
    if shows && !address.is_near(&patience).map_err(about)? {
        let message = format!(
            "{address} is not encrypted, and a token could be read on the way: connect by tls://, quic:// or https://"
        );
        return Err(Error::new(Code::Argument, message));
    }
    let token = options.token.as_deref().filter(|_| address.is_http());
    if token.is_some_and(|token| token.bytes().any(|byte| !byte.is_ascii_graphic())) {
        return Err(Error::new(Code::Argument, "a token is of visible ASCII characters"));
    }
    let wire = match address {
        Address::Http { .. } | Address::Https { .. } => {
            let (to, how) = (address.clone(), options.clone());
            let connect = Box::new(move || wire(&to, &how));
            Wire::http(address, token, options.timeout, connect)
        }
        _ => wire(address, options)?,
    };
    // Over HTTP it has a field of its own.
    let token = options.token.clone().filter(|_| !address.is_http());
    let options = options.clone().with_token(token);
    let link = Link::new(wire, address, address.to_string(), &options, None, false);
    link.greet()?;
    Ok(link)
}

/// A connection to who listens there.
fn wire(address: &Address, options: &SessionOptions) -> Result<Wire> {
    let about = |error: io::Error| named(address, error);
    Ok(match address {
        Address::Tcp(_) | Address::Http { .. } => {
            let stream = connect_tcp(address, options).map_err(about)?;
            Wire::tcp(stream, options).map_err(about)?
        }
        Address::Tls(_) | Address::Https { .. } => {
            let protocol = if address.is_http() { "http/1.1" } else { PROTOCOL };
            let config = tls::client(options.authorities.as_deref(), &[protocol])?;
            let stream = connect_tcp(address, options).map_err(about)?;
            Wire::tls_client(stream, config, address.host_name(), options).map_err(about)?
        }
        Address::Quic(_) => quic::connect(address, options)?,
        Address::Unix(path) => {
            let (to, timeout) = (path.clone(), options.timeout);
            let connect = move || connect_unix(&to, timeout);
            let stream = Patience::of(options).in_time(ACCEPTS, connect).map_err(about)?;
            Wire::unix(stream, options).map_err(about)?
        }
    })
}

/// Listens until it is dropped.
pub struct Listener {
    kind: Kind,
    address: Address,
    options: SessionOptions,
    open: Arc<AtomicUsize>,
    farewells: Farewells,
    closed: AtomicBool,
}

enum Kind {
    Tcp(TcpListener, Option<Arc<ServerConfig>>),
    Unix(UnixListener, PathBuf),
    Quic(Box<quic::Endpoint>),
}

impl Listener {
    /// Listens at an address, whose port may be 0 for any that is free.
    ///
    /// # Errors
    /// [`Code::Argument`] beyond loopback without tokens or without encryption, unless
    /// [`SessionOptions::insecure`]; for TLS and QUIC without a certificate; [`Code::Io`].
    pub fn bind(address: &Address, options: &SessionOptions) -> Result<Self> {
        let about = |error: io::Error| named(address, error);
        if address.is_http() {
            let message = format!("{address}: who listens there is `ndbytes serve DIR --write`");
            return Err(Error::new(Code::Argument, message));
        }
        if address.host().is_some() && !options.insecure {
            let near = address.is_near(&Patience::of(options)).map_err(about)?;
            if !near && (address.is_open() || options.tokens.is_none()) {
                let message = format!(
                    "{address} can be reached from other machines: that takes tls:// or quic:// and tokens, or to be told to let anybody in (insecure)"
                );
                return Err(Error::new(Code::Argument, message));
            }
        }
        let config = match address {
            Address::Tls(_) | Address::Quic(_) => {
                let Some((cert, key)) = &options.certificate else {
                    let message = format!("{address}: to listen takes a certificate and its key");
                    return Err(Error::new(Code::Argument, message));
                };
                Some(tls::server(cert, key, &[PROTOCOL])?)
            }
            _ => None,
        };
        let (kind, address) = match (address, config) {
            (Address::Quic(_), Some(config)) => {
                let endpoint = quic::Endpoint::bind(address, config, options)?;
                let address = address.at(endpoint.local_addr().map_err(about)?);
                (Kind::Quic(Box::new(endpoint)), address)
            }
            (Address::Unix(path), _) => {
                (Kind::Unix(bind_unix(path).map_err(about)?, path.clone()), address.clone())
            }
            (_, config) => {
                let addresses = address.resolve(&Patience::of(options)).map_err(about)?;
                let listener = TcpListener::bind(&addresses[..]).map_err(about)?;
                listener.set_nonblocking(true).map_err(about)?;
                let address = address.at(listener.local_addr().map_err(about)?);
                (Kind::Tcp(listener, config.map(Arc::new)), address)
            }
        };
        Ok(Self {
            kind,
            address,
            options: options.clone(),
            open: Arc::default(),
            farewells: Farewells::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Waits for the next peer, that long, or until [`close`](Listener::close); none then. What the peer
    /// has to say first, a handshake or a token, is waited for by what is done with it.
    ///
    /// # Errors
    /// [`Code::Io`], and what a signal had to say.
    pub fn accept(&self, patience: Option<Duration>) -> Result<Option<Link>> {
        let start = Instant::now();
        while !self.closed.load(Ordering::Acquire) {
            let left = patience.map(|patience| patience.saturating_sub(start.elapsed()));
            let (wire, peer, place) =
                match self.next(left).map_err(|error| named(&self.address, error))? {
                    Some(found) => found,
                    None if left == Some(Duration::ZERO) => return Ok(None),
                    None => continue,
                };
            let (address, options) = (&self.address, &self.options);
            if place.is_none() {
                tracing::warn!(peer, "too many connections: one is refused");
                self.farewells.tell(wire, options.max_connections, address);
                continue;
            }
            return Ok(Some(Link::new(wire, address, peer, options, place, true)));
        }
        Ok(None)
    }

    /// A place for one more, if there is one.
    fn place(&self) -> Option<Place> {
        let place = Place(self.open.clone());
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        (before < self.options.max_connections).then_some(place)
    }

    fn next(&self, left: Option<Duration>) -> io::Result<Option<(Wire, String, Option<Place>)>> {
        let patience = Patience::of(&self.options);
        // Whether it was closed is looked at as often.
        let slice = left.map_or(SLICE, |left| left.min(SLICE));
        let options = &self.options;
        let found = match &self.kind {
            Kind::Tcp(listener, config) => {
                if !wait(&patience, listener.as_fd(), Some(slice))? {
                    return Ok(None);
                }
                listener.accept().and_then(|(stream, peer)| {
                    let place = self.place();
                    let (wire, scheme) = match config {
                        None => (Wire::tcp(stream, options)?, "tcp"),
                        Some(config) => {
                            let hurried = options.timeout.unwrap_or(HURRY).min(HURRY);
                            let timeout = place.as_ref().map_or(Some(hurried), |_| options.timeout);
                            let options = &options.clone().with_timeout(timeout);
                            (Wire::tls_server(stream, config.clone(), options)?, "tls")
                        }
                    };
                    Ok((wire, format!("{scheme}://{peer}"), place))
                })
            }
            Kind::Unix(listener, path) => {
                if !wait(&patience, listener.as_fd(), Some(slice))? {
                    return Ok(None);
                }
                listener.accept().and_then(|(stream, _)| {
                    let peer = format!("unix://{}", path.display());
                    Ok((Wire::unix(stream, options)?, peer, self.place()))
                })
            }
            Kind::Quic(endpoint) => {
                let found = endpoint.accept(slice, &patience)?;
                return Ok(found.map(|(wire, peer)| (wire, peer, self.place())));
            }
        };
        match found {
            Ok(found) => Ok(Some(found)),
            // A peer that went away before it was looked at is no reason to end.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::Interrupted
                        | io::ErrorKind::ConnectionAborted
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::InvalidInput
                        | io::ErrorKind::NotConnected
                ) =>
            {
                Ok(None)
            }
            // There is no room now: those who are here may go.
            Err(error) if error.raw_os_error().is_some_and(is_no_room) => {
                std::thread::sleep(slice);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Listens no longer; who waits in `accept` returns. Sessions go on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        match &self.kind {
            Kind::Unix(listener, path) => {
                // Another may have taken the name away.
                let _ = std::fs::remove_file(path);
                // Who has connected and was not looked at would wait for as long as others hold this.
                while listener.accept().is_ok() {}
            }
            Kind::Quic(endpoint) => endpoint.close(),
            Kind::Tcp(listener, _) => {
                // Who connects is refused from now on, also while others hold this.
                let _ = rustix::net::shutdown(listener, rustix::net::Shutdown::Both);
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if !self.closed.load(Ordering::Acquire) {
            self.close();
        }
    }
}

/// A socket that nobody else's programs may connect to.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let fd: OwnedFd = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::ioctl_fioclex(&fd)?;
    rustix::fs::fchmod(&fd, Mode::RUSR | Mode::WUSR)?;
    bind(&fd, &SocketAddrUnix::new(path)?)?;
    listen_on(&fd, BACKLOG)?;
    let listener = UnixListener::from(fd);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn connect_tcp(address: &Address, options: &SessionOptions) -> io::Result<TcpStream> {
    let patience = Patience::of(options);
    address.first(&patience, |address| {
        let timeout = options.timeout;
        // Signals are heard meanwhile.
        patience.in_time(ACCEPTS, move || match timeout {
            Some(timeout) => TcpStream::connect_timeout(&address, timeout),
            None => TcpStream::connect(address),
        })
    })
}

/// Linux waits for room at the listener's for as long as may be waited to write.
#[cfg(target_os = "linux")]
fn connect_unix(path: &Path, timeout: Option<Duration>) -> io::Result<UnixStream> {
    use rustix::net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with, sockopt,
    };
    let address = SocketAddrUnix::new(path)?;
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, timeout)?;
    match rustix::net::connect(&socket, &address) {
        Ok(()) => Ok(UnixStream::from(socket)),
        Err(rustix::io::Errno::AGAIN) => {
            let message = "the peer has no room for another connection";
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn connect_unix(path: &Path, _timeout: Option<Duration>) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}

/// What a peer has not done to whom we cannot connect.
const ACCEPTS: &str = "did not answer";

/// Whether the system lacks descriptors or memory.
fn is_no_room(errno: i32) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|known| known.raw_os_error() == errno)
}

/// The error with the address.
pub(super) fn named(address: &Address, error: io::Error) -> Error {
    match error.raw_os_error() {
        // The number is what callers look at.
        Some(_) => Error::from(error).with_path(Path::new(&address.to_string())),
        // Ours, or what a signal had to say.
        None if error.get_ref().is_some_and(|inner| inner.is::<Error>()) => error.into(),
        None if error.kind() == io::ErrorKind::Other => error.into(),
        None => io::Error::new(error.kind(), format!("{address}: {error}")).into(),
    }
}

/// Any free port of this machine.
pub(super) const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// How long who accepts may take to notice that nothing is listened for any more.
const SLICE: Duration = Duration::from_millis(100);
/// Peers that wait to be accepted.
const BACKLOG: i32 = 1024;
