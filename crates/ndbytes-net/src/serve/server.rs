//! Listening, and stopping.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Service;
use super::clients::{Client, Shares};
use super::connection::{Shared, serve};
use super::content::Digests;
use super::metrics::Metrics;
use super::options::{LONGEST, ServeOptions};
use super::parting::Refusals;
use super::resumable::Turns;
use super::root::Root;
use super::stream_in::MOST_STREAMS;
use crate::tls;

/// A server that listens, and answers when it is run.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    stop: Arc<watch::Sender<bool>>,
}

/// Tells a server to stop.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

/// Why a server does not run.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServeError {
    /// What was asked for would let strangers in, or is wrong in itself.
    Refused(String),
    /// The operating system said no: of what, and how.
    Io(String, io::Error),
}

impl Server {
    /// Opens the folder and begins to listen.
    ///
    /// # Errors
    /// [`ServeError::Refused`] beyond loopback without TLS and tokens, unless
    /// [`insecure`](ServeOptions::insecure) is set, and for certificates that are none;
    /// [`ServeError::Io`].
    pub fn bind(mut options: ServeOptions) -> Result<Self, ServeError> {
        for timeout in [
            &mut options.header_timeout,
            &mut options.idle_timeout,
            &mut options.write_timeout,
            &mut options.grace,
        ] {
            *timeout = LONGEST.min(*timeout);
        }
        let local = options.listen.ip().is_loopback();
        if !local && !options.insecure && (options.tls.is_none() || options.tokens.is_none()) {
            let message = format!(
                "{} can be reached from other machines: that takes a certificate and tokens, or \
                 `--insecure` to let anybody in",
                options.listen
            );
            return Err(ServeError::Refused(message));
        }
        let failed = |what: String| move |error| ServeError::Io(what, error);
        let root = Root::open(&options.root).map_err(failed(options.root.display().to_string()))?;
        let config = options.tls.as_ref();
        let config = config.map(|(cert, key)| tls::server(cert, key, &["h2", "http/1.1"]));
        let config = config.transpose().map_err(|error| ServeError::Refused(error.to_string()))?;
        let tls = config.map(|config| TlsAcceptor::from(Arc::new(config)));
        let listener = TcpListener::bind(options.listen)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(failed(options.listen.to_string()))?;
        let service = Service {
            root,
            tokens: options.tokens.clone(),
            local,
            digests: Digests::default(),
            metrics: Arc::new(Metrics::default()),
            write: options.write,
            delete: options.delete,
            max_upload: options.max_upload,
            publishing: Mutex::default(),
            shares: Shares::new(options.max_requests_per_client, options.max_rate_per_client),
            turns: Turns::default(),
            streams: Arc::new(Semaphore::new(MOST_STREAMS)),
        };
        let (stop, told) = watch::channel(false);
        let requests = Arc::new(Semaphore::new(options.max_requests));
        let shared = Shared { service: Arc::new(service), options, tls, requests, stop: told };
        Ok(Self { listener, shared: Arc::new(shared), stop: Arc::new(stop) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The URL of its root.
    pub fn url(&self) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        match self.local_addr() {
            Ok(address) => format!("{scheme}://{address}/"),
            Err(_) => format!("{scheme}://{}/", self.shared.options.listen),
        }
    }

    /// What tells it to stop.
    pub fn stop(&self) -> Stop {
        Stop(self.stop.clone())
    }

    /// Answers requests until SIGINT, SIGTERM or [`Stop::stop`]: then those that have begun are
    /// answered to their end, for as long as [`grace`](ServeOptions::grace) allows, or until there is
    /// another signal.
    ///
    /// # Errors
    /// [`ServeError::Io`] when there are no threads or signals to be had.
    pub fn run(self) -> Result<(), ServeError> {
        raise_file_limit();
        let failed = |error| ServeError::Io("the server".to_owned(), error);
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("ndbytes-serve")
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .map_err(failed)?;
        let result = runtime.block_on(self.accept()).map_err(failed);
        // A thread that reads a disk that does not answer is not waited for.
        runtime.shutdown_timeout(Duration::from_millis(100));
        result
    }

    async fn accept(self) -> io::Result<()> {
        let Self { listener, shared, stop } = self;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut told = shared.stop.clone();
        let places = Arc::new(Semaphore::new(shared.options.max_connections));
        let own = shared.options.max_connections_per_address;
        let addresses = Shares::new(own.or(Some(MOST_PER_ADDRESS)), None);
        let mut connections = JoinSet::new();
        let refusals = Refusals::new();
        loop {
            tokio::select! {
                           accepted = listener.accept() => match accepted {
                               Ok((stream, peer)) => {
                                   let counted = own.is_some() || !peer.ip().to_canonical().is_loopback();
                                   let turn = match counted {
                                       true => addresses.enter(&Client::at(peer.ip())),
                                       false => Ok(None),
                                   };
                                   match (turn, places.clone().try_acquire_owned()) {
                                       (Ok(turn), Ok(place)) => {
                                           let shared = shared.clone();
                                           connections.spawn(async move {
                                               serve(shared, stream, peer).await;
                                               drop((turn, place));
                                           });
                                       }
                                       (turn, _) => {
                                           let (metrics, tls) = (&shared.service.metrics, shared.tls.as_ref());
            refusals.add(&mut connections, metrics, tls, stream, peer, turn.is_err());
                                       }
                                   }
                               }
                               Err(error) => {
                                   // Mostly that there are no descriptors left; some will be closed.
                                   tracing::warn!(%error, "a connection cannot be taken");
                                   sleep(Duration::from_millis(50)).await;
                               }
                           },
                           Some(_) = connections.join_next() => {}
                           _ = interrupt.recv() => break,
                           _ = terminate.recv() => break,
                           _ = told.wait_for(|stop| *stop) => break,
                       }
        }
        drop(listener);
        let open = shared.service.metrics.connections();
        tracing::info!(connections = open, "the server stops");
        let _ = stop.send(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        tokio::select! {
            drained = timeout(shared.options.grace, drained) => {
                if drained.is_err() {
                    tracing::warn!(connections = shared.service.metrics.connections(), "answers are cut off");
                }
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Ok(())
    }
}

impl Stop {
    /// Tells it.
    pub fn stop(&self) {
        let _ = self.0.send(true);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.url())
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(message) => f.write_str(message),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Io(_, error) => Some(error),
        }
    }
}

/// As many open files as the system lets this process have.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Connections of an address that is not this machine.
const MOST_PER_ADDRESS: usize = 256;
/// Threads that wait for disks.
const BLOCKING_THREADS: usize = 64;
