//! How long something is waited for, and what a signal does meanwhile.

use std::io;
use std::time::{Duration, Instant};

use super::options::SessionOptions;
pub(super) use crate::signals::SLICE;
use crate::signals::{OnSignal, aside, hear};

/// What waits, and for how long.
#[derive(Clone)]
pub(super) struct Patience {
    pub(super) timeout: Option<Duration>,
    pub(super) on_signal: Option<OnSignal>,
}

impl Patience {
    pub(super) fn of(options: &SessionOptions) -> Self {
        Self { timeout: options.timeout, on_signal: options.on_signal.clone() }
    }

    /// What a signal does: none that says nothing ends the wait.
    pub(super) fn interrupted(&self) -> io::Result<()> {
        hear(self.on_signal.as_ref())
    }

    /// How long to wait before signals are heard again; nothing when it took too long.
    pub(super) fn left(&self, start: Instant) -> Duration {
        self.timeout.map_or(SLICE, |most| most.saturating_sub(start.elapsed()).min(SLICE))
    }

    pub(super) fn silence(&self, what: &str) -> io::Error {
        let seconds = self.timeout.unwrap_or_default().as_secs_f64();
        io::Error::new(io::ErrorKind::TimedOut, format!("the peer {what} for {seconds} s"))
    }

    /// What comes of a call that has no end of its own, on a thread that is left to it when it takes too
    /// long: names are looked up like that, and a peer may have no room for who connects.
    pub(super) fn in_time<T: Send + 'static>(
        &self,
        what: &str,
        call: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let start = Instant::now();
        aside(call, || {
            let left = self.left(start);
            if left.is_zero() {
                return Err(self.silence(what));
            }
            self.interrupted()?;
            Ok(left)
        })?
    }

    /// Calls until it is not interrupted, and tells of silence.
    pub(super) fn patiently<T>(
        &self,
        what: &str,
        mut call: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match call() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.interrupted()?,
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    return Err(self.silence(what));
                }
                result => return result,
            }
        }
    }
}
