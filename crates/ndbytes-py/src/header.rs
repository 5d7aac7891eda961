//! Headers alone, for `ndbytes.format` and the asyncio twins.

use ndbytes::{Code, Error, Header, Limits, Order, Prelude, Version};
use numpy::{PyArrayDescr, PyUntypedArray};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::array::{as_array, check_out, dtype_argument, view};
use crate::dtype::to_numpy;
use crate::error::IntoPy;
use crate::file::PyReader;
use crate::warn::{warn_of_python2, warn_of_version};

/// Shape, `fortran_order`, dtype and header length, as Python sees them.
pub(crate) type Facts<'py> = (Bound<'py, PyTuple>, bool, Bound<'py, PyArrayDescr>, usize);

pub(crate) fn facts<'py>(py: Python<'py>, header: &Header, len: usize) -> PyResult<Facts<'py>> {
    warn_of_python2(py, header)?;
    let shape = PyTuple::new(py, header.shape())?;
    Ok((shape, header.order() == Order::F, to_numpy(py, header.dtype())?, len))
}

/// Limits from Python's arguments; `None` is none.
pub(crate) fn limits(max_header_size: Option<usize>, max_bytes: Option<u64>) -> Limits {
    let limits = Limits::default().with_header(max_header_size.unwrap_or(u32::MAX as usize));
    match max_bytes {
        Some(max_bytes) => limits.with_bytes(max_bytes),
        None => limits,
    }
}

fn version_of(py: Python<'_>, version: (u8, u8)) -> PyResult<Version> {
    [Version::V1, Version::V2, Version::V3]
        .into_iter()
        .find(|known| known.numbers() == version)
        .ok_or_else(|| {
            let message =
                format!("we only support format version (1,0), (2,0), and (3,0), not {version:?}");
            Error::new(Code::NpyVersion, message)
        })
        .into_py(py)
}

/// The header of an array of these facts; the oldest version that holds it unless one is given.
#[pyfunction]
#[pyo3(signature = (dtype, fortran_order, shape, version=None))]
pub(crate) fn encode_header<'py>(
    dtype: &Bound<'py, PyAny>,
    fortran_order: bool,
    shape: Vec<usize>,
    version: Option<(u8, u8)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = dtype.py();
    let order = if fortran_order { Order::F } else { Order::C };
    let header =
        Header::new(dtype_argument(dtype)?, order, shape).map_err(Error::from).into_py(py)?;
    let bytes = match version {
        Some(version) => header.encode_version(version_of(py, version)?),
        None => header.encode(),
    };
    let bytes = bytes.map_err(Error::from).into_py(py)?;
    if version.is_none() {
        warn_of_version(py, &bytes)?;
    }
    Ok(PyBytes::new(py, &bytes))
}

/// The header of an array, as `dumps` begins.
#[pyfunction]
pub(crate) fn npy_header<'py>(a: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = a.py();
    let array = as_array(a)?;
    let header = view(&array)?.header().into_py(py)?;
    let bytes = header.encode().map_err(Error::from).into_py(py)?;
    warn_of_version(py, &bytes)?;
    Ok(PyBytes::new(py, &bytes))
}

/// Parses a whole header at the front of `data`, and checks that `out`, if given, can take the
/// array.
#[pyfunction]
#[pyo3(signature = (data, max_header_size=None, max_bytes=None, out=None))]
pub(crate) fn parse_header<'py>(
    data: &Bound<'py, PyBytes>,
    max_header_size: Option<usize>,
    max_bytes: Option<u64>,
    out: Option<&Bound<'py, PyUntypedArray>>,
) -> PyResult<Facts<'py>> {
    let py = data.py();
    let mut source = data.as_bytes();
    let (header, len) =
        ndbytes::read_header(&mut source, &limits(max_header_size, max_bytes)).into_py(py)?;
    if let Some(out) = out {
        check_out(out, &header)?;
    }
    facts(py, &header, len)
}

/// How many bytes the whole header has, from its first 12 bytes (or fewer, for version 1).
#[pyfunction]
#[pyo3(signature = (data, max_header_size=None))]
pub(crate) fn parse_prelude(
    data: &Bound<'_, PyBytes>,
    max_header_size: Option<usize>,
) -> PyResult<usize> {
    let prelude = Prelude::parse(data.as_bytes(), &limits(max_header_size, None));
    prelude.map(|prelude| prelude.data_offset()).map_err(Error::from).into_py(data.py())
}

/// Reads a header from a file object that stands at it, and not a byte more; `prefix` was read
/// before.
#[pyfunction]
#[pyo3(signature = (file, prefix, max_header_size=None))]
pub(crate) fn read_header<'py>(
    file: &Bound<'py, PyAny>,
    prefix: Vec<u8>,
    max_header_size: Option<usize>,
) -> PyResult<Facts<'py>> {
    let py = file.py();
    let mut source = PyReader::new(file, prefix)?;
    let (header, len) =
        ndbytes::read_header(&mut source, &limits(max_header_size, None)).into_py(py)?;
    facts(py, &header, len)
}
