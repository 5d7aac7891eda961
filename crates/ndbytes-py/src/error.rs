//! Errors as Python exceptions of the package's own classes.

use ndbytes::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// Shorthand: a façade result as a Python result.
pub(crate) trait IntoPy<T> {
    fn into_py(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> IntoPy<T> for Result<T, Error> {
    fn into_py(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_py(py, error))
    }
}

/// The Python exception for an error; one that Python raised in a callback is raised again.
#[cold]
pub(crate) fn to_py(py: Python<'_>, error: Error) -> PyErr {
    let (code, kind, offset) = (error.code().as_str(), kind_name(error.kind()), error.offset());
    let path = error.path().map(|path| path.as_os_str().to_owned());
    let message = error.message().to_owned();
    let (mut errno, mut class) = (None, None);
    if let Ok(io) = error.into_io() {
        if io.get_ref().is_some_and(|inner| inner.is::<PyErr>()) {
            return PyErr::from(io);
        }
        if io.kind() == std::io::ErrorKind::OutOfMemory {
            return pyo3::exceptions::PyMemoryError::new_err(message);
        }
        errno = io.raw_os_error();
        class = class_name(io.kind());
    }
    let make = || -> PyResult<PyErr> {
        static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let make = MAKE.get_or_try_init(py, || {
            py.import("ndbytes._errors")?.getattr("from_native").map(Bound::unbind)
        })?;
        let value = make.bind(py).call1((code, kind, message, offset, path, errno, class))?;
        Ok(PyErr::from_value(value))
    };
    make().unwrap_or_else(|error| error)
}

/// The class that Python has for an error without a number.
fn class_name(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind::*;
    match kind {
        NotFound => Some("FileNotFoundError"),
        PermissionDenied => Some("PermissionError"),
        TimedOut => Some("TimeoutError"),
        ConnectionRefused | ConnectionReset | ConnectionAborted | BrokenPipe | HostUnreachable => {
            Some("ConnectionError")
        }
        _ => None,
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::EndOfStream => "end_of_stream",
        ErrorKind::Io => "io",
        ErrorKind::LimitExceeded => "limit",
        ErrorKind::Malformed => "malformed",
        ErrorKind::Mismatch => "mismatch",
        ErrorKind::Misuse => "misuse",
        ErrorKind::Truncated => "truncated",
        _ => "unsupported",
    }
}
