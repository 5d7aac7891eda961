//! Where arrays are sent to and received from.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::exit::{Failure, describe};
use crate::printer::note;

/// `tcp://HOST:PORT`, `unix:///PATH` or `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// Standard input or output.
    Dash,
    /// Host and port.
    Tcp(String),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// A connection. What is silent for too long is an error.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    timeout: Option<Duration>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Address {
    /// Parses an address.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if text == "-" {
            return Ok(Self::Dash);
        }
        if let Some(host) = text.strip_prefix("tcp://") {
            let port = host.trim_end_matches('/').rsplit_once(':').map(|(_, port)| port);
            if port.is_some_and(|port| port.parse::<u16>().is_ok()) {
                return Ok(Self::Tcp(host.trim_end_matches('/').to_owned()));
            }
        }
        if let Some(path) = text.strip_prefix("unix://")
            && !path.is_empty()
        {
            return Ok(Self::Unix(path.into()));
        }
        Err(Failure::trouble(format!(
            "`{text}` is no address: they are tcp://HOST:PORT, unix:///PATH and -"
        )))
    }

    /// Makes a connection.
    pub(crate) fn connect(&self, timeout: Option<Duration>) -> Result<Connection, Failure> {
        let connect = || {
            let stream = match self {
                Self::Dash => return Err(io::ErrorKind::Unsupported.into()),
                Self::Tcp(host) => Stream::Tcp(connect_tcp(host, timeout)?),
                #[cfg(unix)]
                Self::Unix(path) => Stream::Unix(UnixStream::connect(path)?),
                #[cfg(not(unix))]
                Self::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
            };
            Connection::new(stream, timeout)
        };
        connect().map_err(|error| self.failure(&error))
    }

    /// Waits for one connection, and says on stderr where.
    pub(crate) fn listen(&self, timeout: Option<Duration>) -> Result<Connection, Failure> {
        let listen = || {
            let stream = match self {
                Self::Dash => return Err(io::ErrorKind::Unsupported.into()),
                Self::Tcp(host) => {
                    let listener = TcpListener::bind(host)?;
                    note(format_args!("listening on tcp://{}", listener.local_addr()?));
                    listener.set_nonblocking(true)?;
                    let stream = wait(timeout, &|| listener.accept())?.0;
                    stream.set_nonblocking(false)?;
                    Stream::Tcp(stream)
                }
                #[cfg(unix)]
                Self::Unix(path) => {
                    let listener = UnixListener::bind(path)?;
                    let _socket = Socket { _doomed: crate::signals::Doomed::new(path), path };
                    note(format_args!("{}", Listening(self)));
                    listener.set_nonblocking(true)?;
                    let stream = wait(timeout, &|| listener.accept())?.0;
                    stream.set_nonblocking(false)?;
                    Stream::Unix(stream)
                }
                #[cfg(not(unix))]
                Self::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
            };
            Connection::new(stream, timeout)
        };
        listen().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::trouble(format!("{self}: {}", describe(error)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dash => f.write_str("-"),
            Self::Tcp(host) => write!(f, "tcp://{host}"),
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
        }
    }
}

impl Connection {
    fn new(stream: Stream, timeout: Option<Duration>) -> io::Result<Self> {
        match &stream {
            Stream::Tcp(tcp) => {
                tcp.set_nodelay(true)?;
                tcp.set_read_timeout(timeout)?;
                tcp.set_write_timeout(timeout)?;
            }
            #[cfg(unix)]
            Stream::Unix(unix) => {
                unix.set_read_timeout(timeout)?;
                unix.set_write_timeout(timeout)?;
            }
        }
        Ok(Self { stream, timeout })
    }

    /// Says that nothing more comes, and waits until the peer has closed its side: it has then
    /// read what was sent, or reset the connection, which is an error here. A peer that keeps
    /// silent but open has not objected.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let shut = match &self.stream {
            Stream::Tcp(tcp) => tcp.shutdown(std::net::Shutdown::Write),
            #[cfg(unix)]
            Stream::Unix(unix) => unix.shutdown(std::net::Shutdown::Write),
        };
        shut.map_err(|error| match error.kind() {
            // The reset came before we got here.
            io::ErrorKind::NotConnected => io::ErrorKind::ConnectionReset.into(),
            _ => error,
        })?;
        match self.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(()),
            result => result.map(drop),
        }
    }

    /// An error of silence says so.
    fn told(&self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => silence(self.timeout),
            _ => error,
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.read(buffer),
        };
        result.map_err(|error| self.told(error))
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write(bytes),
        };
        result.map_err(|error| self.told(error))
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let result = match &mut self.stream {
            Stream::Tcp(stream) => stream.write_vectored(parts),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write_vectored(parts),
        };
        result.map_err(|error| self.told(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Says where a Unix socket listens.
#[cfg(unix)]
struct Listening<'a>(&'a Address);

#[cfg(unix)]
impl fmt::Display for Listening<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listening on {}", self.0)
    }
}

/// A socket in the file system, which is removed when it is no longer listened to.
#[cfg(unix)]
struct Socket<'a> {
    _doomed: crate::signals::Doomed,
    path: &'a std::path::Path,
}

#[cfg(unix)]
impl Drop for Socket<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path);
    }
}

fn connect_tcp(host: &str, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let Some(timeout) = timeout else { return TcpStream::connect(host) };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no such host");
    for address in host.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Calls `accept` until it has something or the time is over.
fn wait<T>(timeout: Option<Duration>, accept: &dyn Fn() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match accept() {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            result => return result,
        }
        if timeout.is_some_and(|timeout| start.elapsed() >= timeout) {
            return Err(silence(timeout));
        }
        std::thread::sleep(POLL);
    }
}

fn silence(timeout: Option<Duration>) -> io::Error {
    let seconds = timeout.unwrap_or_default().as_secs_f64();
    let message = format!("nothing happened for {seconds} s; `--timeout` sets how long to wait");
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// How often it is looked whether somebody has connected.
const POLL: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls() {
        for (text, want) in [
            ("-", Address::Dash),
            ("tcp://localhost:80", Address::Tcp("localhost:80".into())),
            ("tcp://[::1]:0/", Address::Tcp("[::1]:0".into())),
            ("unix:///tmp/a", Address::Unix("/tmp/a".into())),
            ("unix://a", Address::Unix("a".into())),
        ] {
            assert_eq!(Address::parse(text).unwrap(), want);
        }
        for text in ["", "localhost:80", "tcp://localhost", "tcp://a:99999", "unix://", "a.npy"] {
            let failure = Address::parse(text).unwrap_err();
            assert_eq!(failure.status(), crate::ExitStatus::Trouble, "{text}");
        }
    }
}
