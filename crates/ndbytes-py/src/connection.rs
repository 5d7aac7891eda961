//! Arrays both ways over one connection, many and small ones too: what arrives is read ahead, and
//! what leaves may be held together.

use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ndbytes::{Header, Limits};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;

use crate::array::{as_array, view};
use crate::error::IntoPy;
use crate::fd::Fd;
use crate::file::{PyReader, PyWriter};
use crate::header::limits;
use crate::npy::load_from;
use crate::signals::listen;
use crate::stream::{SMALL, duration};
use crate::target::fill;

/// The native half of `ndbytes.Connection`; the socket is its caller's, who closes it.
///
/// Each direction has a lock, so that one thread may send while another receives.
#[pyclass(frozen, module = "ndbytes._native")]
pub(crate) struct Wire {
    inbox: Mutex<Inbox>,
    outbox: Mutex<Outbox>,
    limits: Limits,
}

/// What has arrived and was not asked for yet.
struct Inbox {
    source: Source,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

/// What is to leave with what comes next.
struct Outbox {
    sink: Sink,
    held: Vec<u8>,
}

enum Source {
    Fd(Fd),
    Object(PyReader),
}

enum Sink {
    Fd(Fd),
    Object(PyWriter),
}

#[pymethods]
impl Wire {
    /// Over an object with `read` and `write`, or, without one, over the descriptor that each call
    /// names: a number that was kept could be another file's by then.
    #[new]
    #[pyo3(signature = (object, timeout, max_bytes, max_header_size))]
    fn new(
        object: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
        max_bytes: Option<u64>,
        max_header_size: Option<usize>,
    ) -> PyResult<Self> {
        let timeout = duration(timeout)?;
        let (source, sink) = match object {
            Some(object) => (
                Source::Object(PyReader::new(object, Vec::new())?),
                Sink::Object(PyWriter::new(object)?),
            ),
            None => (Source::Fd(Fd::new(-1, timeout, true)), Sink::Fd(Fd::new(-1, timeout, true))),
        };
        let bytes = vec![0; READ_AHEAD].into_boxed_slice();
        Ok(Self {
            inbox: Mutex::new(Inbox { source, bytes, start: 0, end: 0 }),
            outbox: Mutex::new(Outbox { sink, held: Vec::new() }),
            limits: limits(max_header_size, max_bytes),
        })
    }

    /// Sends an array, after those that were held back; with `more` it may be held back itself.
    fn send(&self, py: Python<'_>, fd: i32, a: &Bound<'_, PyAny>, more: bool) -> PyResult<()> {
        let array = as_array(a)?;
        let view = view(&array)?;
        let mut outbox = lock(py, &self.outbox);
        let outbox = &mut *outbox;
        outbox.sink.reopen(fd);
        if view.nbytes() > SMALL {
            // Nothing leaves on behalf of an array that cannot.
            view.header().and_then(|header| Ok(header.encode()?)).into_py(py)?;
            outbox.flush(py)?;
            let progress = listen(None, view.nbytes())?;
            let send = || ndbytes::send_with(outbox.sink.writer(), &view, &progress);
            return py.detach(send).into_py(py);
        }
        ndbytes::write_npy(&mut outbox.held, &view).into_py(py)?;
        if more && outbox.held.len() < HELD { Ok(()) } else { outbox.flush(py) }
    }

    /// Sends what was held back.
    fn flush(&self, py: Python<'_>, fd: i32) -> PyResult<()> {
        let mut outbox = lock(py, &self.outbox);
        outbox.sink.reopen(fd);
        outbox.flush(py)
    }

    /// Receives an array, into `out` if given.
    #[pyo3(signature = (fd, out))]
    fn recv<'py>(
        &self,
        py: Python<'py>,
        fd: i32,
        out: Option<Bound<'py, PyUntypedArray>>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let mut inbox = lock(py, &self.inbox);
        let inbox = &mut *inbox;
        inbox.source.reopen(fd);
        let Some((header, len)) = inbox.peek_header(&self.limits).into_py(py)? else {
            // This way waits, and says what is wrong.
            return load_from(py, inbox, out, &self.limits, None);
        };
        inbox.start += len;
        let progress = listen(None, header.nbytes())?;
        fill(py, out, &header, |memory, layout| {
            let held = header.nbytes() <= inbox.end - inbox.start;
            let mut read =
                || ndbytes::read_scattered_with(inbox, &header, memory, layout, &progress);
            let read = if held { read() } else { py.detach(read) };
            read.map_err(|error| error.shifted(len as u64))
        })
    }
}

impl Inbox {
    /// The next header, if it has arrived; waits for nothing.
    fn peek_header(&mut self, limits: &Limits) -> ndbytes::Result<Option<(Header, usize)>> {
        let peek = |inbox: &Self| {
            // What is wrong with it is for the other way to say.
            ndbytes::peek_header(&inbox.bytes[inbox.start..inbox.end], limits).unwrap_or(None)
        };
        if let Some(found) = peek(self) {
            return Ok(Some(found));
        }
        let Source::Fd(fd) = &self.source else { return Ok(None) };
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        self.end += fd.try_read(&mut self.bytes[self.end..])?.unwrap_or(0);
        Ok(peek(self))
    }
}

impl Read for Inbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if buffer.len() >= self.bytes.len() {
                return self.source.reader().read(buffer);
            }
            (self.start, self.end) = (0, 0);
            self.end = self.source.reader().read(&mut self.bytes)?.min(self.bytes.len());
        }
        let n = buffer.len().min(self.end - self.start);
        buffer[..n].copy_from_slice(&self.bytes[self.start..self.start + n]);
        self.start += n;
        Ok(n)
    }
}

impl Outbox {
    /// Sends what is held. What an error leaves behind can be sent later.
    fn flush(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut sent = 0;
        // Nothing to send is nothing that could fail.
        if let Sink::Fd(fd) = &self.sink
            && !self.held.is_empty()
        {
            sent = fd.try_write(&self.held).map_err(ndbytes::Error::from).into_py(py)?;
        }
        let (held, sink) = (&self.held, &mut self.sink);
        let done = match sent == held.len() {
            true => Ok(()),
            false => py.detach(|| {
                while sent < held.len() {
                    match sink.writer().write(&held[sent..]) {
                        Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                        Ok(n) => sent += n,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            }),
        };
        self.held.drain(..sent);
        done.map_err(ndbytes::Error::from).into_py(py)
    }
}

impl Source {
    fn reopen(&mut self, number: i32) {
        if let Source::Fd(fd) = self {
            fd.reopen(number);
        }
    }

    fn reader(&mut self) -> &mut (dyn Read + Send) {
        match self {
            Source::Fd(fd) => fd,
            Source::Object(object) => object,
        }
    }
}

impl Sink {
    fn reopen(&mut self, number: i32) {
        if let Sink::Fd(fd) = self {
            fd.reopen(number);
        }
    }

    fn writer(&mut self) -> &mut (dyn Write + Send) {
        match self {
            Sink::Fd(fd) => fd,
            Sink::Object(object) => object,
        }
    }
}

/// Waits without the interpreter, which the lock's holder may need.
fn lock<'a, T>(py: Python<'_>, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
    mutex.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that are read ahead at most.
const READ_AHEAD: usize = 1 << 16;
/// From here on what is held leaves.
const HELD: usize = 1 << 16;
