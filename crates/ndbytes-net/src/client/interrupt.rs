//! Waiting for a server no longer than a signal lets it: signals are heard several times a second.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ndbytes::{Error, Result};

use crate::signals::{OnSignal, SLICE, hear};

/// What signals do to one piece of work, and what one did.
#[derive(Clone)]
pub(super) struct Interrupt(Arc<Shared>);

struct Shared {
    on_signal: Option<OnSignal>,
    is_deaf: AtomicBool,
    /// Kept here, since whatever is between us and who waits may take it for an error like another.
    ended: Mutex<Option<io::Error>>,
}

impl Interrupt {
    pub(super) fn new(on_signal: Option<OnSignal>) -> Self {
        Self(Arc::new(Shared {
            on_signal,
            is_deaf: AtomicBool::new(false),
            ended: Mutex::default(),
        }))
    }

    /// Hears signals. What one did is had by [`end`](Self::end); until then, nothing goes on.
    pub(super) fn hear(&self) -> io::Result<()> {
        if self.0.is_deaf.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_none() {
            *ended = hear(self.0.on_signal.as_ref()).err();
        }
        match *ended {
            Some(_) => Err(io::Error::other("a signal ended the work")),
            None => Ok(()),
        }
    }

    /// Hears no more: others hear from now on.
    pub(super) fn leave(&self) {
        self.0.is_deaf.store(true, Ordering::Relaxed);
    }

    /// What came of a part of the work, unless a signal ended it.
    pub(super) fn end<T>(&self, result: T) -> Result<T> {
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        ended.map_or(Ok(result), |error| Err(Error::from(error)))
    }

    /// Sleeps.
    pub(super) fn sleep(&self, pause: Duration) -> Result<()> {
        let end = Instant::now() + pause;
        let slept = loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Ok(());
            }
            std::thread::sleep(left.min(SLICE));
            if let Err(error) = self.hear() {
                break Err(error);
            }
        };
        self.end(slept)?.map_err(Error::from)
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0.on_signal.is_some()).finish()
    }
}
