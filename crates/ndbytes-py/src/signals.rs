//! Ctrl-C, and the caller's `progress`, during long work without the interpreter.

use std::io::{self, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ndbytes::{Progress, Sink};
use ndbytes_net::session::OnSignal;
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;

use crate::memory::RELEASE_FROM;

/// Lets Python's signal handlers run now and then during work on so many bytes, and calls the
/// caller's `progress`, if there is one, as often and when all is done. What either of them raises
/// ends the work and comes out of it. Work that is over in a moment is left alone.
#[inline(always)]
pub(crate) fn listen(callback: Option<&Bound<'_, PyAny>>, nbytes: usize) -> PyResult<Progress> {
    match callback {
        None if nbytes < RELEASE_FROM => Ok(Progress::default()),
        callback => listener(callback),
    }
}

#[cold]
fn listener(callback: Option<&Bound<'_, PyAny>>) -> PyResult<Progress> {
    if let Some(callback) = callback
        && !callback.is_callable()
    {
        let message = format!("progress must be callable, not {}", callback.get_type());
        return Err(PyTypeError::new_err(message));
    }
    let listener = Mutex::new(Listener {
        callback: callback.map(|callback| callback.clone().unbind()),
        knows_all: false,
        clock: Clock::new(),
    });
    // One thread alone is told: the lock is free.
    let hear = move |done, total| {
        listener.lock().unwrap_or_else(PoisonError::into_inner).hear(done, total)
    };
    Ok(Progress::new(hear))
}

/// What a wait for somebody else does with signals: in the main thread, Python's handlers run.
pub(crate) fn on_signal() -> OnSignal {
    Arc::new(|| {
        // An interpreter that ends hears none.
        let heard = Python::try_attach(|py| py.check_signals()).transpose();
        // Of no kind, so that nobody tries again.
        heard.map(drop).map_err(io::Error::other)
    })
}

/// A reader or writer that lets Python's signal handlers run now and then; what they raise ends
/// the work as an error.
pub(crate) struct Interruptible<T> {
    inner: T,
    clock: Clock,
}

/// Who is told during long work.
struct Listener {
    callback: Option<Py<PyAny>>,
    /// Whether it was called when all was done.
    knows_all: bool,
    clock: Clock,
}

/// When the interpreter is asked for.
struct Clock {
    asked: Instant,
    /// Handlers run on the main thread alone: elsewhere there is nothing to ask for.
    deaf: bool,
}

impl Listener {
    fn hear(&mut self, done: u64, total: u64) -> ndbytes::Result<()> {
        let callback = self.callback.as_ref().filter(|_| !self.knows_all);
        let last = callback.is_some() && done >= total;
        self.clock.ask(last, callback.is_some(), |py| match callback {
            Some(callback) => callback.call1(py, (done, total)).map(drop),
            None => Ok(()),
        })?;
        self.knows_all |= last;
        Ok(())
    }
}

impl Clock {
    fn new() -> Self {
        Self { asked: Instant::now(), deaf: false }
    }

    /// Runs signal handlers and `body`, if it is time or `now`.
    fn ask(
        &mut self,
        now: bool,
        needed: bool,
        body: impl FnOnce(Python<'_>) -> PyResult<()>,
    ) -> io::Result<()> {
        if !now && ((self.deaf && !needed) || self.asked.elapsed() < PERIOD) {
            return Ok(());
        }
        let answer = Python::attach(|py| {
            self.deaf = !is_main_thread(py)?;
            py.check_signals()?;
            body(py)
        });
        self.asked = Instant::now();
        // Of no kind, so that nobody tries again.
        answer.map_err(io::Error::other)
    }
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import(intern!(py, "threading"))?;
    let main = threading.call_method0(intern!(py, "main_thread"))?.getattr(intern!(py, "ident"))?;
    main.eq(threading.call_method0(intern!(py, "get_ident"))?)
}

impl<T> Interruptible<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, clock: Clock::new() }
    }

    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    fn check(&mut self) -> io::Result<()> {
        self.clock.ask(false, false, |_| Ok(()))
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

/// How long a signal may wait, beside one piece of work, and how often a caller is called.
const PERIOD: Duration = Duration::from_millis(50);
/// The most bytes of one call of the system.
const PIECE: usize = 16 << 20;
