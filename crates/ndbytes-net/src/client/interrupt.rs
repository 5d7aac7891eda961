//! Waiting for a server no longer than a signal lets it: signals are heard several times a second.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use ndbytes::{Error, Result};

use crate::signals::{OnSignal, SLICE, hear};

/// What signals do, if anything.
#[derive(Clone)]
pub(super) struct Interrupt(pub(super) Option<OnSignal>);

impl Interrupt {
    /// Hears signals. The error is known by [`Ended::of`].
    pub(super) fn hear(&self) -> io::Result<()> {
        hear(self.0.as_ref()).map_err(|error| io::Error::other(Ended(error)))
    }

    /// Sleeps.
    pub(super) fn sleep(&self, pause: Duration) -> Result<()> {
        let end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
            hear(self.0.as_ref())?;
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Interrupt").field(&self.0.is_some()).finish()
    }
}

/// What a signal did, on its way through a client that tries again after errors of the system.
#[derive(Debug)]
pub(super) struct Ended(io::Error);

impl Ended {
    /// What the signal did, if that is the error.
    pub(super) fn of(error: io::Error) -> std::result::Result<Error, io::Error> {
        error.downcast::<Self>().map(|Self(error)| error.into())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Ended {}
