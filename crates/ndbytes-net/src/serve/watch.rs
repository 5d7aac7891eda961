//! Whether a connection gets on: a client that is slow on purpose must not keep it.

use std::collections::HashMap;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep_until;

use super::options::ServeOptions;

/// What a connection is doing.
#[derive(Debug)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Requests that are not answered in full.
    requests: u64,
    /// When that last changed.
    since: Instant,
    /// Whether there ever was one.
    used: bool,
    /// When the first byte came that is of no request yet. HTTP/2 has other things to say between
    /// requests, and counts as idle.
    reading: Option<Instant>,
    http2: bool,
    /// Since when nothing could be written.
    blocked: Option<Instant>,
    /// Since when nothing was taken of an answer that is not at its end, by the request's number: of
    /// a client of HTTP/2 that opens no window, nothing is blocked.
    untaken: HashMap<u64, Instant>,
    /// The number of the last request.
    last: u64,
}

/// A stream that says how it gets on.
pub(super) struct Watched<S> {
    /// Who closes the connection may have a last word.
    stream: Arc<Mutex<S>>,
    progress: Arc<Progress>,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            requests: 0,
            since: Instant::now(),
            used: false,
            reading: None,
            http2: false,
            blocked: None,
            untaken: HashMap::new(),
            last: 0,
        })))
    }

    /// A request begins: its number.
    pub(super) fn begin(&self, http2: bool) -> u64 {
        let mut state = self.lock();
        state.last += 1;
        state.http2 = http2;
        state.requests += 1;
        state.used = true;
        state.reading = None;
        state.last
    }

    /// A piece of the answer was given, and there are more.
    pub(super) fn gave(&self, number: u64) {
        self.lock().untaken.insert(number, Instant::now());
    }

    /// The next piece is asked for.
    pub(super) fn asked(&self, number: u64) {
        self.lock().untaken.remove(&number);
    }

    pub(super) fn end(&self, number: u64) {
        let mut state = self.lock();
        state.untaken.remove(&number);
        state.requests = state.requests.saturating_sub(1);
        state.since = Instant::now();
    }

    /// Returns when the connection has taken longer for something than it may.
    pub(super) async fn overdue(&self, options: &ServeOptions) {
        loop {
            let now = Instant::now();
            let deadline = {
                let state = self.lock();
                let untaken = state.untaken.values().copied().min();
                let blocked = [state.blocked, untaken].into_iter().flatten().min();
                let blocked = blocked.map(|since| since + options.write_timeout);
                let is_idle = state.requests == 0 && blocked.is_none();
                let idle = is_idle.then(|| match (state.used, state.reading) {
                    (false, _) => state.since + options.header_timeout,
                    (true, Some(since)) => since.max(state.since) + options.header_timeout,
                    // The end of an answer may wait for a window.
                    (true, None) if state.http2 => {
                        state.since + options.idle_timeout.max(options.write_timeout)
                    }
                    (true, None) => state.since + options.idle_timeout,
                });
                [blocked, idle].into_iter().flatten().min()
            };
            if deadline.is_some_and(|deadline| deadline <= now) {
                return;
            }
            // Something else may be due before this is: look again at least so often.
            let often = options.header_timeout.min(options.write_timeout).min(options.idle_timeout);
            let next = now.checked_add(often);
            match deadline.into_iter().chain(next).min() {
                Some(next) => sleep_until(next.into()).await,
                None => pending().await,
            }
        }
    }

    /// Whether a request of HTTP/1 has begun to come, and not ended.
    pub(super) fn is_within_request(&self) -> bool {
        let state = self.lock();
        state.requests == 0 && state.reading.is_some() && state.blocked.is_none()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }
}

/// Whether what comes first is of HTTP/2, as far as it goes.
fn is_preface(came: &[u8]) -> bool {
    let common = came.len().min(PREFACE.len());
    common > 0 && came[..common] == PREFACE[..common]
}

/// What no method of HTTP/1 begins with.
const PREFACE: &[u8] = b"PRI ";

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Watched<S> {
    pub(super) fn new(stream: Arc<Mutex<S>>, progress: Arc<Progress>) -> Self {
        Self { stream, progress }
    }

    fn wrote<T>(&self, poll: Poll<T>) -> Poll<T> {
        let mut state = self.progress.lock();
        match poll {
            // What was held back may have been the end of an answer: from now on it is idle.
            Poll::Ready(_) if state.blocked.take().is_some() => state.since = Instant::now(),
            Poll::Ready(_) => {}
            Poll::Pending => {
                state.blocked.get_or_insert_with(Instant::now);
            }
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut *lock(&self.stream)).poll_read(context, buffer))?;
        let came = &buffer.filled()[before..];
        let mut state = self.progress.lock();
        if state.reading.is_none() && !state.used && is_preface(came) {
            state.http2 = true;
        }
        if !state.http2 && state.requests == 0 {
            state.reading.get_or_insert_with(Instant::now);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut *lock(&self.stream)).poll_write(context, bytes);
        self.wrote(poll)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut *lock(&self.stream)).poll_write_vectored(context, parts);
        self.wrote(poll)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.stream).is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut *lock(&self.stream)).poll_flush(context);
        self.wrote(poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.stream)).poll_shutdown(context)
    }
}
