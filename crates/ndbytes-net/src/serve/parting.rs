//! What is said over a connection that is closed before a request is answered: there are too many, or no
//! request comes.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::metrics::Metrics;
use super::problem::Problem;
use super::watch::lock;

/// Those for whom there is no room.
pub(super) struct Refusals {
    /// One for each that is told at the moment.
    places: Arc<Semaphore>,
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(MOST)) }
    }

    /// Says why, without keeping others waiting.
    pub(super) fn add(
        &self,
        tasks: &mut JoinSet<()>,
        metrics: &Metrics,
        tls: Option<&TlsAcceptor>,
        stream: TcpStream,
        peer: SocketAddr,
        of_address: bool,
    ) {
        metrics.refused.fetch_add(1, Ordering::Relaxed);
        if of_address {
            metrics.limited.fetch_add(1, Ordering::Relaxed);
        }
        tracing::warn!(%peer, of_address, "a connection is refused: there are too many");
        let detail = match of_address {
            true => "there are too many connections of this address: try again",
            false => "there are too many connections: try again",
        };
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "http.busy", detail);
        let text = problem.with(header::RETRY_AFTER, "1").to_text();
        // Who does not shake hands, or does not listen, must not keep others from being told.
        let Ok(place) = self.places.clone().try_acquire_owned() else { return };
        let tls = tls.cloned();
        tasks.spawn(async move {
            let _place = place;
            let Some(tls) = tls else { return say(&Mutex::new(stream), &text).await };
            let shaken = timeout(HURRY, tls.accept(stream)).await;
            let Ok(Ok(stream)) = shaken else { return };
            // HTTP/2 knows no answer without a question.
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                say(&Mutex::new(stream), &text).await;
            }
        });
    }
}

/// What is said to who began a request and did not end it.
pub(super) fn too_slow() -> Vec<u8> {
    let detail = "no whole request came for too long";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "http.timeout", detail).to_text()
}

/// Says it, for as long as that is worth, and ends the stream.
pub(super) async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &Mutex<S>, text: &[u8]) {
    let write = async {
        let mut rest = text;
        while !rest.is_empty() {
            let write = poll_fn(|context| Pin::new(&mut *lock(stream)).poll_write(context, rest));
            match write.await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => rest = &rest[n..],
            }
        }
        poll_fn(|context| Pin::new(&mut *lock(stream)).poll_flush(context)).await?;
        poll_fn(|context| Pin::new(&mut *lock(stream)).poll_shutdown(context)).await?;
        // What is sent meanwhile would, unread, have the system take back what was said.
        let mut waste = [0; 1 << 12];
        loop {
            let mut waste = ReadBuf::new(&mut waste);
            poll_fn(|context| Pin::new(&mut *lock(stream)).poll_read(context, &mut waste)).await?;
            if waste.filled().is_empty() {
                return io::Result::Ok(());
            }
        }
    };
    // Whether it was heard changes nothing.
    let _ = timeout(HURRY, write).await;
}

/// How many are told at once that there are too many.
const MOST: usize = 64;
/// How long they may take, and how long who is told something.
const HURRY: Duration = Duration::from_secs(2);
