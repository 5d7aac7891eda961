//! Elements alone.

use std::io::Write;
use std::path::PathBuf;

use ndbytes::{AtomicFile, ByteOrder, Code, Error, Header, Order, SaveOptions};
use numpy::PyUntypedArray;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, dtype_argument, empty, memory_mut, view};
use crate::error::{IntoPy, to_py};
use crate::fd::Fd;
use crate::file::{PyReader, PyWriter};
use crate::memory::new_bytes;
use crate::signals::{Interruptible, listen};

fn order_of(order: Option<&str>, array: &ndbytes::ArrayView<'_>) -> PyResult<Order> {
    match order.unwrap_or("C") {
        "C" | "c" => Ok(Order::C),
        "F" | "f" => Ok(Order::F),
        // F where it is F-contiguous and not C, as NumPy's "any" and "keep" decide for bytes.
        "A" | "a" | "K" | "k" => Ok(array.storage_order()),
        other => Err(PyValueError::new_err(format!(
            "order must be one of 'C', 'F', 'A', or 'K' (got '{other}')"
        ))),
    }
}

/// tobytes(a, order='C', *, byteorder=None)
/// --
///
/// The elements' bytes, as `ndarray.tobytes`.
///
/// Parameters
/// ----------
/// a : array_like
///     Any array but of objects; any layout.
/// order : {'C', 'F', 'A'}
///     'A' is 'F' where the array is F-contiguous and not C-contiguous.
/// byteorder : {'big', 'little', 'native'}, optional
///     The byte order of the numbers, also '>', '<' and '='; the array's own unless given.
///
/// Returns
/// -------
/// bytes
///
/// Raises
/// ------
/// UnsupportedError
///     For object arrays; and for overlapping fields with `byteorder`.
#[pyfunction]
#[pyo3(signature = (a, order=None, *, byteorder=None))]
pub(crate) fn tobytes<'py>(
    a: &Bound<'py, PyAny>,
    order: Option<&str>,
    byteorder: Option<&str>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = a.py();
    let array = as_array(a)?;
    let view = view(&array)?;
    let order = order_of(order, &view)?;
    let byte_order = byteorder.map(byte_order_of).transpose()?;
    let progress = listen(None, view.nbytes())?;
    new_bytes(py, view.nbytes(), |bytes| view.copy_to_with(bytes, order, byte_order, &progress))
}

fn byte_order_of(name: &str) -> PyResult<ByteOrder> {
    match name {
        "big" | ">" => Ok(ByteOrder::Big),
        "little" | "<" => Ok(ByteOrder::Little),
        "native" | "=" => Ok(ByteOrder::NATIVE),
        other => Err(PyValueError::new_err(format!(
            "byteorder must be one of 'big', 'little', 'native', '>', '<', or '=' (got '{other}')"
        ))),
    }
}

/// Writes elements to a path, atomically.
#[pyfunction]
#[pyo3(signature = (path, a, order, durable))]
pub(crate) fn tofile_path(
    py: Python<'_>,
    path: PathBuf,
    a: &Bound<'_, PyAny>,
    order: &str,
    durable: bool,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let order = order_of(Some(order), &view)?;
    let options = SaveOptions::default().with_durable(durable);
    // As `ndbytes::tofile`, with an ear for signals.
    let save = || {
        AtomicFile::write(&path, &options, |file| {
            file.reserve(view.nbytes() as u64)?;
            let mut sink = Interruptible::new(file);
            view.for_each_chunk(order, &mut |chunk| Ok(sink.write_all(chunk)?))
        })
    };
    py.detach(save).into_py(py)
}

/// Writes elements to a file object.
#[pyfunction]
#[pyo3(signature = (file, a, order))]
pub(crate) fn tofile_file(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    a: &Bound<'_, PyAny>,
    order: &str,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let order = order_of(Some(order), &view)?;
    let mut sink = PyWriter::new(file)?;
    py.detach(|| {
        view.for_each_chunk(order, &mut |chunk| Ok(sink.write_all(chunk)?))?;
        Ok(sink.flush()?)
    })
    .into_py(py)
}

/// Reads `shape` elements from position `offset` of an open descriptor that can seek.
#[pyfunction]
#[pyo3(signature = (fd, dtype, shape, order, offset))]
pub(crate) fn fromfile_fd<'py>(
    fd: i32,
    dtype: &Bound<'py, PyAny>,
    shape: Vec<usize>,
    order: &str,
    offset: u64,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = dtype.py();
    let header = header_of(dtype, shape, order)?;
    let mut array = empty(py, &header)?;
    let (memory, _) = memory_mut(&mut array)?;
    let file = Fd::new(fd, None, false);
    let progress = listen(None, memory.len())?;
    let read = || ndbytes::read_full_at_with(&file, memory, offset, &progress);
    let got = py.detach(read).into_py(py)?;
    finish(py, &header, memory, got, offset)?;
    Ok(array)
}

/// Reads `shape` elements from a file object, from where it stands.
#[pyfunction]
#[pyo3(signature = (file, dtype, shape, order))]
pub(crate) fn fromfile_file<'py>(
    file: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
    shape: Vec<usize>,
    order: &str,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = dtype.py();
    let header = header_of(dtype, shape, order)?;
    let mut array = empty(py, &header)?;
    let (memory, _) = memory_mut(&mut array)?;
    let mut source = PyReader::new(file, Vec::new())?;
    py.detach(|| ndbytes::read_exact(&mut source, &header, memory)).into_py(py)?;
    Ok(array)
}

/// Checks an array's values: bools are 0 or 1, characters are code points.
#[pyfunction]
pub(crate) fn validate(a: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = a.py();
    let array = as_array(a)?;
    let view = view(&array)?;
    let order = view.storage_order();
    let mut done = 0;
    let dtype = view.dtype();
    py.detach(|| {
        view.for_each_chunk(order, &mut |chunk| {
            ndbytes::validate(dtype, chunk).map_err(|error| error.shifted(done))?;
            done += chunk.len() as u64;
            Ok(())
        })
    })
    .into_py(py)
}

fn header_of(dtype: &Bound<'_, PyAny>, shape: Vec<usize>, order: &str) -> PyResult<Header> {
    let order = if matches!(order, "F" | "f") { Order::F } else { Order::C };
    Header::new(dtype_argument(dtype)?, order, shape).map_err(Error::from).into_py(dtype.py())
}

fn finish(py: Python<'_>, header: &Header, memory: &[u8], got: usize, offset: u64) -> PyResult<()> {
    if got < memory.len() {
        let message = format!("expected {} bytes from byte {offset}, got {got}", memory.len());
        return Err(to_py(py, Error::new(Code::DataTruncated, message).at(offset + got as u64)));
    }
    py.detach(|| ndbytes::validate(header.dtype(), memory))
        .map_err(|error| to_py(py, error.shifted(offset)))
}
