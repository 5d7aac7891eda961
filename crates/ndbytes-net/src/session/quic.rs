//! A stream of QUIC, RFC 9000: one for each connection, both ways, over UDP.
//!
//! Tasks of a runtime of their own keep a connection alive and take what comes, whatever the threads
//! do that read and write.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use ndbytes::{Code, Error, Result};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Connection, ConnectionError, EndpointConfig, Incoming, MtuDiscoveryConfig,
    RecvStream, SendStream, ServerConfig, StoppedError, TokioRuntime, TransportConfig, VarInt,
};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::address::Address;
use super::inner::lock;
use super::listener::{ANY, PROTOCOL, named};
use super::options::SessionOptions;
use super::patience::{Patience, SLICE};
use super::wire::{Control, Wire};
use crate::tls;

/// Who listens for connections.
pub(super) struct Endpoint {
    endpoint: quinn::Endpoint,
    coming: Mutex<Receiver<(Connection, SendStream, RecvStream)>>,
    options: SessionOptions,
    /// Who takes connections.
    taker: AbortHandle,
}

/// What came, and was not read yet.
#[derive(Default)]
struct Pump {
    state: Mutex<Arrived>,
    told: Condvar,
    room: Notify,
}

#[derive(Default)]
struct Arrived {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    /// Why nothing more comes: the end, or what went wrong.
    end: Option<Option<(io::ErrorKind, String)>>,
}

struct Reader {
    pump: Arc<Pump>,
    patience: Patience,
}

struct Writer {
    stream: Arc<Mutex<SendStream>>,
    /// Whether what was written last was taken as a whole.
    room: Arc<AtomicBool>,
    handle: Handle,
    patience: Patience,
}

struct Plug {
    connection: Connection,
    /// Until nobody needs it, the connection lasts.
    _endpoint: Option<quinn::Endpoint>,
    stream: Arc<Mutex<SendStream>>,
    room: Arc<AtomicBool>,
    pump: Arc<Pump>,
    handle: Handle,
    patience: Patience,
}

/// A connection to who listens there, and its stream.
pub(super) fn connect(address: &Address, options: &SessionOptions) -> Result<Wire> {
    let named = |error| named(address, error);
    let config = tls::client(options.authorities.as_deref(), &[PROTOCOL])?;
    let crypto = QuicClientConfig::try_from(config)
        .map_err(|error| Error::new(Code::Argument, error.to_string()))?;
    let mut client = ClientConfig::new(Arc::new(crypto));
    client.transport_config(transport());
    let handle = runtime().map_err(named)?;
    let connected = address.first(&Patience::of(options), |to| {
        connect_to(to, address.host_name(), &client, &handle, options)
    });
    connected.map_err(named)
}

fn connect_to(
    to: SocketAddr,
    name: &str,
    client: &ClientConfig,
    handle: &Handle,
    options: &SessionOptions,
) -> io::Result<Wire> {
    let from = match to.ip() {
        IpAddr::V4(_) => ANY,
        IpAddr::V6(_) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0),
    };
    let endpoint = endpoint(from, None, handle)?;
    let patience = Patience::of(options);
    let connecting = {
        let _inside = handle.enter();
        endpoint
            .connect_with(client.clone(), to, name)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?
    };
    let connection = wait(handle, &patience, "did not answer", connecting)?.map_err(lost)?;
    let (send, recv) =
        wait(handle, &patience, "allows no stream", connection.open_bi())?.map_err(lost)?;
    Ok(wire(connection, Some(endpoint), send, recv, handle, patience))
}

impl Endpoint {
    pub(super) fn bind(
        address: &Address,
        config: rustls::ServerConfig,
        options: &SessionOptions,
    ) -> Result<Self> {
        let named = |error| named(address, error);
        let crypto = QuicServerConfig::try_from(config)
            .map_err(|error| Error::new(Code::Argument, error.to_string()))?;
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        server.transport_config(transport());
        let handle = runtime().map_err(named)?;
        let bound =
            address.first(&Patience::of(options), |at| endpoint(at, Some(server.clone()), &handle));
        let endpoint = bound.map_err(named)?;
        let (found, coming) = sync_channel(options.max_connections.clamp(1, BACKLOG));
        let most = options.timeout.unwrap_or(HANDSHAKE).min(HANDSHAKE);
        let taker = handle.spawn(take(endpoint.clone(), found, most)).abort_handle();
        Ok(Self { endpoint, coming: Mutex::new(coming), options: options.clone(), taker })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The next stream, if there is one within that time.
    pub(super) fn accept(
        &self,
        most: Duration,
        patience: &Patience,
    ) -> io::Result<Option<(Wire, String)>> {
        let found = lock(&self.coming).recv_timeout(most);
        match found {
            Ok((connection, send, recv)) => {
                let peer = format!("quic://{}", connection.remote_address());
                let patience = Patience::of(&self.options);
                let wire = wire(connection, None, send, recv, &runtime()?, patience);
                Ok(Some((wire, peer)))
            }
            Err(RecvTimeoutError::Timeout) => patience.interrupted().map(|()| None),
            Err(RecvTimeoutError::Disconnected) => {
                Err(io::Error::new(io::ErrorKind::NotConnected, "it listens no longer"))
            }
        }
    }

    /// Takes no more connections; those that there are go on.
    pub(super) fn close(&self) {
        self.endpoint.set_server_config(None);
        self.taker.abort();
    }
}

/// Takes connections, each when its hands are shaken and its stream is there.
async fn take(
    endpoint: quinn::Endpoint,
    found: SyncSender<(Connection, SendStream, RecvStream)>,
    most: Duration,
) {
    let shaking = Arc::new(Semaphore::new(BACKLOG));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(permit) = shaking.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let found = found.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let peer = incoming.remote_address();
            let stream = match timeout(most, shake_hands(incoming)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => return tracing::warn!(%peer, %error, "a handshake fails"),
                Err(_) => return tracing::warn!(%peer, "a handshake takes too long"),
            };
            // Nobody accepts so many.
            if let Err(refused) = found.try_send(stream) {
                let (connection, ..) = match refused {
                    TrySendError::Full(stream) => stream,
                    TrySendError::Disconnected((connection, ..)) => {
                        return connection.close(EARLY, b"nobody listens any more");
                    }
                };
                tracing::warn!(%peer, "too many connections: one is refused");
                connection.close(EARLY, b"there are too many connections");
            }
        });
    }
}

async fn shake_hands(
    incoming: Incoming,
) -> std::result::Result<(Connection, SendStream, RecvStream), ConnectionError> {
    let connection = incoming.await?;
    let (send, recv) = connection.accept_bi().await?;
    Ok((connection, send, recv))
}

fn wire(
    connection: Connection,
    endpoint: Option<quinn::Endpoint>,
    send: SendStream,
    recv: RecvStream,
    handle: &Handle,
    patience: Patience,
) -> Wire {
    let (stream, pump) = (Arc::new(Mutex::new(send)), Arc::<Pump>::default());
    handle.spawn(fill(recv, pump.clone()));
    let (handle, room) = (handle.clone(), Arc::new(AtomicBool::new(true)));
    let reader = Reader { pump: pump.clone(), patience: patience.clone() };
    let writer = Writer {
        stream: stream.clone(),
        room: room.clone(),
        handle: handle.clone(),
        patience: patience.clone(),
    };
    let plug = Plug { connection, _endpoint: endpoint, stream, room, pump, handle, patience };
    Wire::new(Box::new(reader), Box::new(writer), Arc::new(plug))
}

/// Takes what comes, as long as there is room: the peer waits for those who read.
async fn fill(mut stream: RecvStream, pump: Arc<Pump>) {
    loop {
        while lock(&pump.state).bytes >= AHEAD {
            pump.room.notified().await;
        }
        let read = stream.read_chunk(CHUNK, true).await;
        let mut state = lock(&pump.state);
        match read {
            Ok(Some(chunk)) => {
                state.bytes += chunk.bytes.len();
                state.chunks.push_back(chunk.bytes);
            }
            Ok(None) => state.end = Some(None),
            Err(quinn::ReadError::ConnectionLost(error)) => {
                let error = lost(error);
                state.end = Some(Some((error.kind(), error.to_string())));
            }
            Err(error) => {
                state.end = Some(Some((io::ErrorKind::ConnectionReset, error.to_string())));
            }
        }
        pump.told.notify_all();
        if state.end.is_some() {
            return;
        }
    }
}

impl Pump {
    /// Waits until something has come; whether it has.
    fn wait(&self, most: Option<Duration>, patience: &Patience) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            let state = lock(&self.state);
            if !state.chunks.is_empty() || state.end.is_some() {
                return Ok(true);
            }
            let left = most.map_or(SLICE, |most| most.saturating_sub(start.elapsed()).min(SLICE));
            if left.is_zero() {
                return Ok(false);
            }
            let waited = self.told.wait_timeout(state, left);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            patience.interrupted()?;
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if !self.pump.wait(self.patience.timeout, &self.patience)? {
            return Err(self.patience.silence("sent nothing"));
        }
        let mut state = lock(&self.pump.state);
        let was_full = state.bytes >= AHEAD;
        let mut done = 0;
        while done < buffer.len()
            && let Some(chunk) = state.chunks.front_mut()
        {
            let n = chunk.len().min(buffer.len() - done);
            chunk.copy_to_slice(&mut buffer[done..done + n]);
            if chunk.is_empty() {
                state.chunks.pop_front();
            }
            done += n;
        }
        state.bytes -= done;
        if was_full && state.bytes < AHEAD {
            self.pump.room.notify_one();
        }
        match (&state.end, done) {
            (Some(Some((kind, message))), 0) => Err(io::Error::new(*kind, message.clone())),
            _ => Ok(done),
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = lock(&self.stream);
        let written = wait(&self.handle, &self.patience, "took nothing", stream.write(bytes))?;
        let whole = written.as_ref().is_ok_and(|written| *written == bytes.len());
        self.room.store(whole, Ordering::Relaxed);
        written.map_err(|error| match error {
            quinn::WriteError::ConnectionLost(error) => lost(error),
            error => io::Error::new(io::ErrorKind::BrokenPipe, error.to_string()),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Control for Plug {
    fn shut_write(&self) -> io::Result<()> {
        let mut stream = lock(&self.stream);
        // It may have been done, or the connection be gone.
        let _ = stream.finish();
        let stopped = stream.stopped();
        drop(stream);
        // Closing would throw away what is still on its way.
        let _ = self.handle.block_on(async { timeout(ON_ITS_WAY, stopped).await });
        Ok(())
    }

    fn delivered(&self) -> io::Result<()> {
        let mut stopped = std::pin::pin!(lock(&self.stream).stopped());
        // To who is gone the same is sent again, and who takes nothing says that it is there.
        let moved = || {
            let stats = self.connection.stats();
            (stats.frame_tx.stream, stats.frame_rx.acks)
        };
        let (mut before, mut since) = (moved(), Instant::now());
        loop {
            match self.handle.block_on(async { timeout(SLICE, stopped.as_mut()).await }) {
                Ok(Ok(None)) => return Ok(()),
                Ok(Err(StoppedError::ConnectionLost(ConnectionError::ApplicationClosed(
                    closed,
                )))) if closed.error_code == WELL => {
                    return Ok(());
                }
                Ok(Ok(Some(_))) => {
                    let message = "QUIC: the peer reads no more, and not all has arrived";
                    return Err(io::Error::new(io::ErrorKind::ConnectionReset, message));
                }
                Ok(Err(StoppedError::ConnectionLost(error))) => return Err(lost(error)),
                Ok(Err(error)) => return Err(io::Error::other(error)),
                Err(_) => self.patience.interrupted()?,
            }
            let now = moved();
            if now.0 != before.0 && now.1 != before.1 {
                (before, since) = (now, Instant::now());
            } else if self.patience.timeout.is_some_and(|most| since.elapsed() >= most) {
                return Err(self.patience.silence("took nothing"));
            }
        }
    }

    fn close(&self) {
        self.close_because("");
    }

    fn close_because(&self, why: &str) {
        self.connection.close(EARLY, why.as_bytes());
        self.pump.told.notify_all();
    }

    fn close_well(&self) {
        self.connection.close(WELL, b"");
        self.pump.told.notify_all();
    }

    fn is_ready(&self) -> bool {
        self.room.load(Ordering::Relaxed)
    }

    fn drain(&self, _most: Option<Duration>) -> io::Result<()> {
        // What is closed takes back nothing that has arrived.
        Ok(())
    }

    fn wait_to_read(&self, most: Duration) -> io::Result<bool> {
        self.pump.wait(Some(most), &self.patience)
    }
}

/// Waits for it, and hears signals meanwhile.
fn wait<T>(
    handle: &Handle,
    patience: &Patience,
    what: &str,
    body: impl Future<Output = T>,
) -> io::Result<T> {
    let start = Instant::now();
    let mut body = std::pin::pin!(body);
    loop {
        let left = patience.left(start);
        match handle.block_on(async { timeout(left, body.as_mut()).await }) {
            Ok(done) => return Ok(done),
            Err(_) if left.is_zero() => return Err(patience.silence(what)),
            Err(_) => patience.interrupted()?,
        }
    }
}

/// Why a connection is no more.
fn lost(error: ConnectionError) -> io::Error {
    use ConnectionError::*;
    let kind = match &error {
        TimedOut => io::ErrorKind::TimedOut,
        ConnectionClosed(_) | TransportError(_) | VersionMismatch => {
            io::ErrorKind::ConnectionRefused
        }
        ApplicationClosed(_) | Reset | LocallyClosed => io::ErrorKind::ConnectionReset,
        CidsExhausted => io::ErrorKind::Other,
    };
    let kind = match &error {
        TransportError(error) if error.reason.contains("certificate") => {
            io::ErrorKind::PermissionDenied
        }
        _ => kind,
    };
    io::Error::new(kind, format!("QUIC: {error}"))
}

fn endpoint(
    at: SocketAddr,
    server: Option<ServerConfig>,
    handle: &Handle,
) -> io::Result<quinn::Endpoint> {
    let socket = std::net::UdpSocket::bind(at)?;
    let mut config = EndpointConfig::default();
    config.max_udp_payload_size(MAX_DATAGRAM).map_err(io::Error::other)?;
    let _inside = handle.enter();
    quinn::Endpoint::new(config, server, socket, Arc::new(TokioRuntime))
}

fn transport() -> Arc<TransportConfig> {
    let mut mtu = MtuDiscoveryConfig::default();
    mtu.upper_bound(MAX_DATAGRAM);
    let mut config = TransportConfig::default();
    config
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .keep_alive_interval(Some(KEEP_ALIVE))
        .mtu_discovery_config(Some(mtu));
    Arc::new(config)
}

/// The runtime of this process; that which it was forked with has no threads here.
fn runtime() -> io::Result<Handle> {
    static RUNTIMES: Mutex<Vec<(u32, &'static Runtime)>> = Mutex::new(Vec::new());
    let own = std::process::id();
    let mut runtimes = lock(&RUNTIMES);
    if let Some((_, runtime)) = runtimes.iter().find(|(process, _)| *process == own) {
        return Ok(runtime.handle().clone());
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("ndbytes-quic")
        .enable_all()
        .build()?;
    // As long as the process: to end it would wait for its tasks.
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    runtimes.push((own, runtime));
    Ok(runtime.handle().clone())
}

/// Why a connection is closed: all has been said and read, or not.
const WELL: VarInt = VarInt::from_u32(0);
const EARLY: VarInt = VarInt::from_u32(1);
/// Bytes that may be on their way, or wait to be read.
const WINDOW: u32 = 16 << 20;
/// Bytes that wait to be read, beside those that QUIC itself keeps.
const AHEAD: usize = 4 << 20;
/// Bytes that are taken at once.
const CHUNK: usize = 1 << 20;
/// Largest datagram that is tried: ten of them, which leave by one call of the system, are no more than
/// UDP takes.
const MAX_DATAGRAM: u16 = 6_400;
/// Handshakes, and streams that nobody has accepted yet, at once.
const BACKLOG: usize = 256;
/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How often a peer is told that we are there.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long what was written may be on its way when all is done.
const ON_ITS_WAY: Duration = Duration::from_secs(2);
