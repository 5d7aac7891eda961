//! One connection: TLS, HTTP of either version, and an end when it does not get on.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{Method, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::body::Body;
use super::clients::Who;
use super::metrics::Flight;
use super::options::ServeOptions;
use super::problem::{Astray, Problem};
use super::watch::{Progress, Watched};
use super::{Peer, Service, parting, resumable, router, stream_in, upload};

/// What all connections share.
pub(super) struct Shared {
    pub(super) service: Arc<Service>,
    pub(super) options: ServeOptions,
    pub(super) tls: Option<TlsAcceptor>,
    /// One for each request that may be answered at once.
    pub(super) requests: Arc<Semaphore>,
    /// True when the server is to stop.
    pub(super) stop: watch::Receiver<bool>,
}

/// Answers what comes over a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream, peer: SocketAddr) {
    let _open = shared.service.metrics.open();
    // Answers are written as a whole; nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let ended = match &shared.tls {
        None => drive(&shared, stream, peer).await,
        Some(tls) => match timeout(shared.options.header_timeout, tls.accept(stream)).await {
            Ok(Ok(stream)) => drive(&shared, stream, peer).await,
            Ok(Err(error)) => return tracing::warn!(%peer, %error, "a handshake fails"),
            Err(_) => {
                shared.service.metrics.timed_out.fetch_add(1, Ordering::Relaxed);
                return tracing::warn!(%peer, "a handshake takes too long");
            }
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ends");
    }
}

type Ended = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn drive<S>(shared: &Arc<Shared>, stream: S, peer: SocketAddr) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let progress = Progress::new();
    let bare = Arc::new(Mutex::new(stream));
    let stream = TokioIo::new(Watched::new(bare.clone(), progress.clone()));
    let mut builder = Builder::new(TokioExecutor::new());
    // What takes too long, `Progress` ends.
    builder.http1().header_read_timeout(None).max_buf_size(MAX_HEADER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER as u32)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(SEND_BUFFER);
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(shared.clone(), progress.clone(), request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut connection = pin!(builder.serve_connection(stream, service));
    let mut overdue = pin!(progress.overdue(&shared.options));
    let mut stop = shared.stop.clone();
    let mut told = pin!(async move { stop.wait_for(|stop| *stop).await.is_ok() });
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = overdue.as_mut() => {
                shared.service.metrics.timed_out.fetch_add(1, Ordering::Relaxed);
                if progress.is_within_request() {
                    tracing::warn!(%peer, "a request takes too long to come");
                    parting::say(&bare, &parting::too_slow()).await;
                }
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            _ = told.as_mut(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn answer(
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> impl Future<Output = Response<Body>> {
    let service = shared.service.clone();
    let begin = Instant::now();
    // Counted at once, not when it is polled.
    let mut flight =
        Flight::new(service.metrics.clone(), progress, request.version() == Version::HTTP_2);
    async move {
        let (mut request, body) = request.into_parts();
        request.extensions.insert(Peer(peer.ip()));
        let (method, uri) = (request.method.clone(), request.uri.clone());
        let mut response = match timeout(PATIENCE, shared.requests.clone().acquire_owned()).await {
            Ok(Ok(permit)) if service.write && method == Method::PUT => {
                flight.hold(permit);
                let patience = shared.options.write_timeout;
                upload::answer(service.clone(), request, body, patience).await
            }
            Ok(Ok(permit)) if service.write && resumable::is_ours(uri.path()) => {
                flight.hold(permit);
                let patience = shared.options.write_timeout;
                resumable::answer(service.clone(), request, body, patience).await
            }
            Ok(Ok(permit))
                if service.write && method == Method::POST && stream_in::is_ours(uri.path()) =>
            {
                let patience = shared.options.write_timeout;
                let answer = stream_in::answer(service.clone(), request, body, patience).await;
                // Streams have places of their own for as long as they take.
                drop(permit);
                answer
            }
            Ok(Ok(permit)) => {
                drop(body);
                flight.hold(permit);
                let service = service.clone();
                let answered = spawn_blocking(move || router::answer(&service, &request)).await;
                answered.unwrap_or_else(|error| Problem::fault(&error).into_response())
            }
            _ => {
                let detail = "too many requests are being answered: try again";
                let status = StatusCode::SERVICE_UNAVAILABLE;
                let problem = Problem::new(status, "http.busy", detail);
                problem.with(header::RETRY_AFTER, "1").into_response()
            }
        };
        let status = response.status().as_u16();
        service.metrics.answered(status);
        let ms = begin.elapsed().as_millis() as u64;
        let bytes = response.body().len();
        let who = response.extensions_mut().remove::<Who>();
        let token = who.as_ref().and_then(|who| who.token.as_deref());
        let (path, query) = (uri.path(), uri.query());
        if response.extensions_mut().remove::<Astray>().is_some() {
            tracing::warn!(%peer, token, path, "a path that leads out, or nowhere, is refused");
        }
        tracing::info!(%peer, token, %method, path, query, status, bytes, ms);
        if let Some(who) = who {
            flight.of(who);
        }
        // From now on it can be taken.
        flight.gave(0);
        response.map(|body| body.with_flight(flight))
    }
}

/// How long a request waits for others.
const PATIENCE: Duration = Duration::from_secs(5);
const MAX_HEADER: usize = 32 << 10;
const MAX_STREAMS: u32 = 64;
/// What an upload over HTTP/2 may be ahead of the disk.
const WINDOW: u32 = 1 << 20;
const SEND_BUFFER: usize = 1 << 20;
