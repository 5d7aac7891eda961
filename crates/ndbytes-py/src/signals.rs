//! Ctrl-C during long work without the interpreter.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

use ndbytes::Sink;
use pyo3::prelude::*;

/// A reader or writer that lets Python's signal handlers run now and then; what they raise ends
/// the work as an error.
pub(crate) struct Interruptible<T> {
    inner: T,
    checked: Instant,
}

impl<T> Interruptible<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, checked: Instant::now() }
    }

    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    fn check(&mut self) -> io::Result<()> {
        if self.checked.elapsed() >= PERIOD {
            Python::attach(|py| py.check_signals())?;
            self.checked = Instant::now();
        }
        Ok(())
    }
}

impl<T: Write> Write for Interruptible<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(&bytes[..bytes.len().min(PIECE)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if parts.iter().map(|part| part.len()).sum::<usize>() <= PIECE {
            self.check()?;
            return self.inner.write_vectored(parts);
        }
        parts.iter().find(|part| !part.is_empty()).map_or(Ok(0), |part| self.write(part))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Interruptible<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let len = buffer.len().min(PIECE);
        self.inner.read(&mut buffer[..len])
    }
}

impl<T: Sink> Sink for Interruptible<T> {
    fn can_rewrite(&self) -> bool {
        self.inner.can_rewrite()
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.inner.rewrite(at, bytes)
    }
}

/// How long a signal may wait, beside one call of the system.
const PERIOD: Duration = Duration::from_millis(50);
/// The most bytes of one call of the system.
const PIECE: usize = 64 << 20;
