//! Python's file objects as readers, writers and sources by position.

use std::io::{self, Read, Write};
use std::sync::Mutex;

use ndbytes::{ReadAt, Sink};
use pyo3::exceptions::{PyBlockingIOError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use pyo3::types::{PyBytes, PyTuple};
use pyo3::{ffi, intern};

/// A Python object with `write`.
pub(crate) struct PyWriter {
    object: Py<PyAny>,
    /// Whether it is known to keep no reference to what it was given.
    trusted: bool,
    raw: bool,
    seekable: bool,
    flush: bool,
}

/// A Python object with `readinto` or `read`.
pub(crate) struct PyReader {
    object: Py<PyAny>,
    trusted: bool,
    /// Bytes that were read before to find out what this is.
    prefix: Vec<u8>,
}

/// A Python object with `seek` and `read`: reads by position, one at a time.
pub(crate) struct PyReadAt {
    reader: Mutex<PyReader>,
    size: u64,
}

impl PyWriter {
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        if !object.hasattr(intern!(py, "write"))? {
            let message =
                format!("expected a path or an object with `write`, got {}", object.get_type());
            return Err(PyTypeError::new_err(message));
        }
        Ok(Self {
            object: object.clone().unbind(),
            trusted: is_trusted(object)?,
            raw: is_instance(object, "RawIOBase")?,
            seekable: can_go_back(object)?,
            flush: is_instance(object, "BufferedWriter")?
                || is_instance(object, "BufferedRWPair")?
                || is_instance(object, "BufferedRandom")?,
        })
    }

    /// Where the object stands, for those that can seek; 0 otherwise.
    pub(crate) fn position(&self, py: Python<'_>) -> PyResult<u64> {
        match self.seekable {
            true => self.object.bind(py).call_method0(intern!(py, "tell"))?.extract(),
            false => Ok(0),
        }
    }

    fn seek(&self, position: u64) -> io::Result<()> {
        Python::attach(|py| {
            self.object.bind(py).call_method1(intern!(py, "seek"), (position,)).map(drop)
        })?;
        Ok(())
    }

    fn write_py(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<usize> {
        let object = self.object.bind(py);
        let name = intern!(py, "write");
        // Objects of unknown code may keep what they are given, so they get bytes of their own.
        let written = match self.trusted {
            true => lend(py, Lent::Shared(bytes), |view| object.call_method1(name, (view,)))?,
            false => object.call_method1(name, (PyBytes::new(py, bytes),))?,
        };
        if written.is_none() {
            if self.raw {
                return Err(PyBlockingIOError::new_err(
                    "the file would block: it must not be in non-blocking mode",
                ));
            }
            return Ok(bytes.len());
        }
        match written.extract::<usize>() {
            Ok(n) if n <= bytes.len() => Ok(n),
            _ => {
                let message = format!("write returned {written} for {} bytes", bytes.len());
                Err(PyValueError::new_err(message))
            }
        }
    }
}

impl Write for PyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        Ok(Python::attach(|py| self.write_py(py, piece))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.flush {
            return Ok(());
        }
        // So that a full disk is reported now, and not when somebody closes the file.
        Python::attach(|py| self.object.bind(py).call_method0(intern!(py, "flush")).map(drop))?;
        Ok(())
    }
}

impl Sink for PyWriter {
    fn can_rewrite(&self) -> bool {
        self.seekable
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        // Not to the end: an older file may be longer than what was written over it.
        let back = Python::attach(|py| self.position(py))?;
        self.seek(at)?;
        self.write_all(bytes)?;
        self.seek(back)
    }
}

impl PyReader {
    pub(crate) fn new(object: &Bound<'_, PyAny>, prefix: Vec<u8>) -> PyResult<Self> {
        let py = object.py();
        if !object.hasattr(intern!(py, "read"))? {
            let message =
                format!("expected a path or an object with `read`, got {}", object.get_type());
            return Err(PyTypeError::new_err(message));
        }
        Ok(Self { object: object.clone().unbind(), trusted: is_trusted(object)?, prefix })
    }

    fn read_py(&self, py: Python<'_>, buffer: &mut [u8]) -> PyResult<usize> {
        let object = self.object.bind(py);
        let would_block = || {
            PyBlockingIOError::new_err("the file would block: it must not be in non-blocking mode")
        };
        if self.trusted {
            let len = buffer.len();
            let read = lend(py, Lent::Unique(buffer), |view| {
                object.call_method1(intern!(py, "readinto"), (view,))
            })?;
            if read.is_none() {
                return Err(would_block());
            }
            return Ok(read.extract::<usize>()?.min(len));
        }
        let read = object.call_method1(intern!(py, "read"), (buffer.len(),))?;
        if read.is_none() {
            return Err(would_block());
        }
        let Ok(bytes) = read.cast::<PyBytes>() else {
            // bytearray and memoryview will do; text will not.
            let bytes = py.get_type::<PyBytes>().call1((&read,)).map_err(|_| {
                let message = format!(
                    "read() returned {}, not bytes: open the file in binary mode",
                    read.get_type()
                );
                PyTypeError::new_err(message)
            })?;
            return copy_in(bytes.cast::<PyBytes>()?, buffer);
        };
        copy_in(bytes, buffer)
    }
}

fn copy_in(bytes: &Bound<'_, PyBytes>, buffer: &mut [u8]) -> PyResult<usize> {
    let bytes = bytes.as_bytes();
    if bytes.len() > buffer.len() {
        let message = format!("read({}) returned {} bytes", buffer.len(), bytes.len());
        return Err(PyValueError::new_err(message));
    }
    buffer[..bytes.len()].copy_from_slice(bytes);
    Ok(bytes.len())
}

impl Read for PyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if !self.prefix.is_empty() {
            let n = self.prefix.len().min(buffer.len());
            buffer[..n].copy_from_slice(&self.prefix[..n]);
            self.prefix.drain(..n);
            return Ok(n);
        }
        let len = buffer.len().min(PIECE);
        Ok(Python::attach(|py| self.read_py(py, &mut buffer[..len]))?)
    }
}

impl PyReadAt {
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let reader = PyReader::new(object, Vec::new())?;
        object.call_method1(intern!(py, "seek"), (0, 2))?;
        let size = object.call_method0(intern!(py, "tell"))?.extract()?;
        Ok(Self { reader: Mutex::new(reader), size })
    }
}

impl ReadAt for PyReadAt {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        // The lock is waited for without the interpreter, which its holder needs.
        Python::attach(|py| {
            let mut reader =
                self.reader.lock_py_attached(py).unwrap_or_else(std::sync::PoisonError::into_inner);
            reader.object.bind(py).call_method1(intern!(py, "seek"), (offset,))?;
            reader.read(buffer)
        })
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    /// To seek in it may mean to begin anew: what is compressed, or comes from afar, does.
    fn is_random(&self) -> bool {
        false
    }
}

/// Memory lent to Python for one call.
enum Lent<'a> {
    Shared(&'a [u8]),
    Unique(&'a mut [u8]),
}

/// Calls `body` with a memoryview of the memory, which is released before this returns.
fn lend<'py>(
    py: Python<'py>,
    memory: Lent<'_>,
    body: impl FnOnce(&Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let (pointer, len, flags) = match memory {
        Lent::Shared(bytes) => (bytes.as_ptr().cast_mut(), bytes.len(), ffi::PyBUF_READ),
        Lent::Unique(bytes) => (bytes.as_mut_ptr(), bytes.len(), ffi::PyBUF_WRITE),
    };
    // SAFETY: the memory is valid for `len` bytes while `memory` is borrowed, that is until this
    // function returns, and the view is released before. It is lent only to types of the standard
    // library (`is_trusted`) whose own C code uses it during the call and keeps nothing.
    let view: Bound<'py, PyAny> = unsafe {
        let view = ffi::PyMemoryView_FromMemory(pointer.cast(), len as ffi::Py_ssize_t, flags);
        Bound::from_owned_ptr_or_err(py, view)?
    };
    let result = body(&view);
    if let Err(error) = view.call_method0(intern!(py, "release")) {
        // The memory is about to go away under somebody: there is no safe way on.
        error.print(py);
        std::process::abort();
    }
    result
}

/// Whether the object is exactly of a standard type that uses a buffer during the call alone.
fn is_trusted(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static TYPES: PyOnceLock<Py<PyTuple>> = PyOnceLock::new();
    let py = object.py();
    let types = TYPES.get_or_try_init(py, || {
        let io = py.import("io")?;
        let mut types = Vec::new();
        for name in ["BytesIO", "FileIO", "BufferedReader", "BufferedWriter", "BufferedRandom"] {
            types.push(io.getattr(name)?);
        }
        PyResult::Ok(PyTuple::new(py, types)?.unbind())
    })?;
    let plain = |object: &Bound<'_, PyAny>| -> PyResult<bool> {
        let exact = object.get_type();
        if !types.bind(py).iter().any(|known| known.is(&exact)) {
            return Ok(false);
        }
        // Instances may have methods of their own put in place.
        match object.getattr(intern!(py, "__dict__")) {
            Ok(own) => Ok(!own.contains("readinto")? && !own.contains("write")?),
            Err(_) => Ok(true),
        }
    };
    if !plain(object)? {
        return Ok(false);
    }
    // A buffer around something unknown hands large pieces straight on.
    match object.getattr(intern!(py, "raw")) {
        Ok(raw) => plain(&raw),
        Err(_) => Ok(true),
    }
}

/// Whether what was written to the object can be written over.
fn can_go_back(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = object.py();
    let seekable = match object.call_method0(intern!(py, "seekable")) {
        Ok(seekable) => seekable.is_truthy()?,
        Err(_) => false,
    };
    if !seekable || !object.hasattr(intern!(py, "tell"))? {
        return Ok(false);
    }
    // A gzip file that is being written says that it can seek, and refuses to go back.
    if object.is_instance(&py.import(intern!(py, "gzip"))?.getattr(intern!(py, "GzipFile"))?)? {
        return Ok(false);
    }
    // In append mode every write goes to the end, wherever the file stands.
    let fd = object.call_method0(intern!(py, "fileno")).and_then(|fd| fd.extract::<i32>());
    Ok(!fd.is_ok_and(crate::fd::appends))
}

fn is_instance(object: &Bound<'_, PyAny>, class: &str) -> PyResult<bool> {
    object.is_instance(&object.py().import(intern!(object.py(), "io"))?.getattr(class)?)
}

/// The most bytes that one call to Python moves, so that signals are seen between them.
const PIECE: usize = 16 << 20;
