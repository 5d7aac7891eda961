//! A stream over TLS, whose directions threads may use side by side.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

use super::inner::lock;
use super::options::SessionOptions;
use super::patience::Patience;
use super::wire::{Control, Half, Plug, Wire, prepare, wait};

/// What both directions share. Nobody waits for the peer while they hold the connection.
struct Tls {
    connection: Mutex<Connection>,
    /// Held while what was encrypted is sent: its order counts.
    sending: Mutex<Half<TcpStream>>,
    raw: Mutex<Raw>,
    /// Whether the handshake is done.
    ready: Mutex<bool>,
    plug: Plug<TcpStream>,
}

struct Reader(Arc<Tls>);

/// What has come and was not decrypted yet.
struct Raw {
    socket: Half<TcpStream>,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

struct Writer(Arc<Tls>, Vec<u8>);

impl Wire {
    /// A stream over TLS to a server of this name; the handshake comes with the first bytes.
    pub(super) fn tls_client(
        stream: TcpStream,
        config: ClientConfig,
        name: &str,
        options: &SessionOptions,
    ) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(broken)?;
        Self::tls(stream, connection.into(), options)
    }

    /// A stream over TLS from a client; the handshake comes with the first bytes.
    pub(super) fn tls_server(
        stream: TcpStream,
        config: Arc<ServerConfig>,
        options: &SessionOptions,
    ) -> io::Result<Self> {
        let connection = ServerConnection::new(config).map_err(broken)?;
        Self::tls(stream, connection.into(), options)
    }

    fn tls(
        stream: TcpStream,
        mut connection: Connection,
        options: &SessionOptions,
    ) -> io::Result<Self> {
        prepare(&stream, options)?;
        connection.set_buffer_limit(None);
        let (socket, patience) = (Arc::new(stream), Patience::of(options));
        let bytes = vec![0; BUFFER].into_boxed_slice();
        let half = || Half::new(&socket, &patience);
        let tls = Arc::new(Tls {
            connection: Mutex::new(connection),
            sending: Mutex::new(half()),
            raw: Mutex::new(Raw { socket: half(), bytes, start: 0, end: 0 }),
            ready: Mutex::new(false),
            plug: Plug(socket.clone(), patience.clone()),
        });
        let (reader, writer) = (Reader(tls.clone()), Writer(tls.clone(), Vec::new()));
        Ok(Self::new(Box::new(reader), Box::new(writer), tls))
    }
}

impl Tls {
    /// Shakes hands, once; within the timeout as a whole, however slowly the peer goes about it.
    fn shake_hands(&self) -> io::Result<()> {
        let mut ready = lock(&self.ready);
        if *ready {
            return Ok(());
        }
        let (start, Plug(socket, patience)) = (Instant::now(), &self.plug);
        let mut connection = lock(&self.connection);
        while connection.is_handshaking() {
            let left = patience.timeout.map(|most| most.saturating_sub(start.elapsed()));
            if left == Some(Duration::ZERO) {
                return Err(patience.silence("did not get on with its TLS handshake"));
            }
            if connection.wants_write() {
                connection.write_tls(&mut *lock(&self.sending))?;
            } else {
                if !wait(patience, socket.as_fd(), left)? {
                    continue;
                }
                let mut socket = Half::new(socket, patience);
                if connection.read_tls(&mut socket)? == 0 {
                    let message = "the peer closed the connection in the TLS handshake";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, message));
                }
                if let Err(error) = connection.process_new_packets() {
                    // Tells the peer what is wrong, if it listens.
                    let _ = connection.write_tls(&mut *lock(&self.sending));
                    return Err(broken(error));
                }
            }
        }
        // The last flight, and tickets.
        while connection.wants_write() {
            connection.write_tls(&mut *lock(&self.sending))?;
        }
        *ready = true;
        Ok(())
    }

    /// Has the connection write, and sends what comes of it.
    fn send<T>(
        &self,
        buffer: &mut Vec<u8>,
        body: impl FnOnce(&mut Connection) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut socket = lock(&self.sending);
        let mut connection = lock(&self.connection);
        let done = body(&mut connection)?;
        buffer.clear();
        while connection.wants_write() {
            connection.write_tls(buffer)?;
        }
        drop(connection);
        socket.write_all(buffer)?;
        Ok(done)
    }
}

impl Raw {
    /// Decrypts some of what is here, after waiting for it if there is none; false at the end.
    fn feed(&mut self, tls: &Tls) -> io::Result<bool> {
        if self.start == self.end {
            self.end = self.socket.read(&mut self.bytes)?;
            self.start = 0;
            if self.end == 0 {
                let mut connection = lock(&tls.connection);
                connection.read_tls(&mut io::empty())?;
                connection.process_new_packets().map_err(broken)?;
                return Ok(false);
            }
        }
        let mut connection = lock(&tls.connection);
        self.start += connection.read_tls(&mut &self.bytes[self.start..self.end])?;
        if let Err(error) = connection.process_new_packets() {
            drop(connection);
            // Tells the peer what is wrong, if it listens.
            let _ = tls.send(&mut Vec::new(), |_| Ok(()));
            return Err(broken(error));
        }
        Ok(true)
    }
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.shake_hands()?;
        loop {
            match lock(&self.0.connection).reader().read(out) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // TCP's end without TLS's, which anybody on the way can bring about.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let message = "the connection was cut: it ended without TLS's end";
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, message));
                }
                result => return result,
            }
            lock(&self.0.raw).feed(&self.0)?;
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.shake_hands()?;
        let bytes = &bytes[..bytes.len().min(PIECE)];
        self.0.send(&mut self.1, |connection| connection.writer().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Control for Tls {
    fn shut_write(&self) -> io::Result<()> {
        self.shake_hands()?;
        self.send(&mut Vec::new(), |connection| {
            connection.send_close_notify();
            Ok(())
        })?;
        self.plug.shut_write()
    }

    fn close(&self) {
        self.plug.close();
    }

    fn is_ready(&self) -> bool {
        self.plug.is_ready()
    }

    fn drain(&self, most: Option<Duration>) -> io::Result<()> {
        self.plug.drain(most)
    }

    fn wait_to_read(&self, patience: Duration) -> io::Result<bool> {
        let start = Instant::now();
        let wait = || self.plug.wait_to_read(patience.saturating_sub(start.elapsed()));
        if !*lock(&self.ready) {
            if !wait()? {
                return Ok(false);
            }
            self.shake_hands()?;
        }
        // What comes may be TLS's own.
        let mut raw = lock(&self.raw);
        loop {
            let state = lock(&self.connection).process_new_packets().map_err(broken)?;
            if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                return Ok(true);
            }
            if raw.start == raw.end && !wait()? {
                return Ok(false);
            }
            if !raw.feed(self)? {
                return Ok(true);
            }
        }
    }
}

/// What is wrong with TLS stays wrong.
fn broken(error: rustls::Error) -> io::Error {
    let kind = match error {
        rustls::Error::InvalidCertificate(_) => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, format!("TLS: {error}"))
}

/// Bytes of the socket that are read at once.
const BUFFER: usize = 1 << 18;
/// Bytes that are encrypted at once: several records.
const PIECE: usize = 1 << 17;
