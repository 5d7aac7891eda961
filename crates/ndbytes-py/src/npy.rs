//! `.npy` in memory, by path and over file objects.

use std::path::PathBuf;

use ndbytes::frame_format::FRAME_MAGIC;
use ndbytes::{ArrayFile, AtomicFile, Error, Message, SaveOptions};
use numpy::PyUntypedArray;
use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, empty, frombuffer, memory_mut, over_bytes, view};
use crate::error::IntoPy;
use crate::file::{PyReader, PyWriter};
use crate::frame::{frame_options, loads_frame};
use crate::header::limits;
use crate::memory::{detached, new_bytes};
use crate::signals::Interruptible;
use crate::target::fill;
use crate::warn::warn_of_version;

/// dumps(a, /, codec=None, *, chunks=None, threads=None)
/// --
///
/// The array as bytes: without a codec those of an `.npy` file, identical to those of
/// `numpy.save`, with one those of a compressed, checked frame.
///
/// Parameters
/// ----------
/// a : array_like
///     Any array but of objects; any layout.
/// codec : str, optional
///     'fast', 'quick', 'auto', 'small' or 'smallest', which choose chunk by chunk; or a pipeline such as 'zstd',
///     'zstd-9-bitshuffle', 'lz4-noshuffle', 'pco-8', 'raw'.
/// chunks : tuple of int, optional
///     The shape of a frame's chunks; one that suits most unless given.
/// threads : int, optional
///     The most threads for a frame; as many as there are processors unless given.
///
/// Returns
/// -------
/// bytes
///
/// Raises
/// ------
/// UnsupportedError
///     For object arrays, `StringDType`, masked arrays, overlapping fields.
#[pyfunction]
#[pyo3(signature = (a, /, codec=None, *, chunks=None, threads=None))]
pub(crate) fn dumps<'py>(
    a: &Bound<'py, PyAny>,
    codec: Option<&str>,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = a.py();
    let array = as_array(a)?;
    let view = view(&array)?;
    if let Some(options) = frame_options(py, codec, chunks, threads)? {
        let frame = py.detach(|| ndbytes::encode_frame(&view, &options)).into_py(py)?;
        return new_bytes(py, frame.len(), |bytes| {
            frame.copy_to(bytes);
            Ok(())
        });
    }
    let header = view.header().into_py(py)?;
    let head = header.encode().map_err(Error::from).into_py(py)?;
    warn_of_version(py, &head)?;
    new_bytes(py, head.len() + header.nbytes(), |bytes| {
        let (front, data) = bytes.split_at_mut(head.len());
        front.copy_from_slice(&head);
        view.copy_to(data, 0, header.order())
    })
}

/// loads(data, *, copy=False, max_header_size=65536)
/// --
///
/// The array in the bytes of an `.npy` file or a frame.
///
/// Parameters
/// ----------
/// data : bytes-like
///     Exactly one `.npy` file or frame.
/// copy : bool
///     False: a read-only array over `data` itself, if that is an `.npy` file. True, and always
///     from a frame: a writable, aligned array of its own.
/// max_header_size : int
///     Longest header that is parsed, in bytes.
///
/// Returns
/// -------
/// numpy.ndarray
///
/// Raises
/// ------
/// FormatError
///     When the bytes are no `.npy` file; says what they look like.
/// TruncatedError, MismatchError
///     When bytes are missing or left over.
#[pyfunction]
#[pyo3(signature = (data, *, copy=false, max_header_size=65536))]
pub(crate) fn loads<'py>(
    data: &Bound<'py, PyAny>,
    copy: bool,
    max_header_size: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let limits = limits(Some(max_header_size), None);
    if let Ok(bytes) = data.cast::<PyBytes>() {
        if bytes.as_bytes().starts_with(FRAME_MAGIC) {
            return loads_frame(py, bytes.as_bytes(), &limits);
        }
        let (header, offset) = ndbytes::parse_npy(bytes.as_bytes(), &limits).into_py(py)?;
        if !copy {
            return Ok(over_bytes(bytes, &header, offset)?.into_any());
        }
        let mut array = empty(py, &header)?;
        let (memory, _) = memory_mut(&mut array)?;
        let source = &bytes.as_bytes()[offset..];
        detached(py, source.len(), || memory.copy_from_slice(source));
        return Ok(array.into_any());
    }
    // Other buffers: NumPy holds their export, which keeps a bytearray from moving.
    let frombuffer = frombuffer(py)?;
    let flat = frombuffer.call1((data, "u1"))?.cast_into::<PyUntypedArray>()?;
    let source = view(&flat)?;
    let source = source.as_bytes(ndbytes::Order::C).unwrap_or_default();
    if source.starts_with(FRAME_MAGIC) {
        return loads_frame(py, source, &limits);
    }
    let (header, offset) = ndbytes::parse_npy(source, &limits).into_py(py)?;
    if copy || header.nbytes() == 0 {
        let mut array = empty(py, &header)?;
        let (memory, _) = memory_mut(&mut array)?;
        let source = &source[offset..];
        detached(py, source.len(), || memory.copy_from_slice(source));
        if !copy {
            array.getattr("flags")?.setattr("writeable", false)?;
        }
        return Ok(array.into_any());
    }
    let (shape, fortran, dtype, offset) = crate::header::facts(py, &header, offset)?;
    let array = frombuffer.call1((data, dtype, header.count(), offset))?;
    let kwargs = pyo3::types::PyDict::new(py);
    kwargs.set_item("order", if fortran { "F" } else { "C" })?;
    let array = array.call_method("reshape", (shape,), Some(&kwargs))?;
    array.getattr("flags")?.setattr("writeable", false)?;
    Ok(array)
}

/// Saves to a path, atomically; with a codec as a frame.
#[pyfunction]
#[pyo3(signature = (path, a, durable, codec=None, chunks=None, threads=None))]
pub(crate) fn save_path(
    py: Python<'_>,
    path: PathBuf,
    a: &Bound<'_, PyAny>,
    durable: bool,
    codec: Option<&str>,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    if let Some(frame) = frame_options(py, codec, chunks, threads)? {
        let options = SaveOptions::default().with_durable(durable);
        let save = || {
            AtomicFile::write(&path, &options, |file| {
                ndbytes::write_frame(&mut Interruptible::new(file), &view, &frame)
            })
        };
        return py.detach(save).into_py(py);
    }
    let header = view.header().into_py(py)?;
    let head = header.encode().map_err(Error::from).into_py(py)?;
    warn_of_version(py, &head)?;
    let options = SaveOptions::default().with_durable(durable);
    // As `ndbytes::save`, with an ear for signals.
    let save = || {
        AtomicFile::write(&path, &options, |file| {
            file.reserve((head.len() + header.nbytes()) as u64)?;
            ndbytes::write_npy(&mut Interruptible::new(file), &view)
        })
    };
    py.detach(save).into_py(py)
}

/// Writes to a file object.
#[pyfunction]
#[pyo3(signature = (file, a, version=None))]
pub(crate) fn save_file(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    a: &Bound<'_, PyAny>,
    version: Option<(u8, u8)>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let mut sink = PyWriter::new(file)?;
    let header = view.header().into_py(py)?;
    let head = match version {
        Some(version) => {
            let shape = header.shape().to_vec();
            let fortran = header.order() == ndbytes::Order::F;
            crate::header::encode_header(array.dtype().as_any(), fortran, shape, Some(version))?
                .as_bytes()
                .to_vec()
        }
        None => header.encode().map_err(Error::from).into_py(py)?,
    };
    if version.is_none() {
        warn_of_version(py, &head)?;
    }
    py.detach(|| {
        use std::io::Write;
        sink.write_all(&head)?;
        view.for_each_chunk(header.order(), &mut |chunk| Ok(sink.write_all(chunk)?))?;
        Ok(sink.flush()?)
    })
    .into_py(py)
}

/// Loads from a path, into `out` if given.
#[pyfunction]
#[pyo3(signature = (path, out=None, max_header_size=None, max_bytes=None))]
pub(crate) fn load_path<'py>(
    py: Python<'py>,
    path: PathBuf,
    out: Option<Bound<'py, PyUntypedArray>>,
    max_header_size: Option<usize>,
    max_bytes: Option<u64>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let limits = limits(max_header_size, max_bytes);
    let mut file = py.detach(|| ArrayFile::open(&path, &limits)).into_py(py)?;
    let header = file.header().clone();
    fill(py, out, &header, |memory, layout| py.detach(|| file.read_strided(memory, layout)))
}

/// Loads one array from a file object and not a byte more; `prefix` was read before.
#[pyfunction]
#[pyo3(signature = (file, prefix, out=None, max_header_size=None, max_bytes=None))]
pub(crate) fn load_file<'py>(
    py: Python<'py>,
    file: &Bound<'py, PyAny>,
    prefix: Vec<u8>,
    out: Option<Bound<'py, PyUntypedArray>>,
    max_header_size: Option<usize>,
    max_bytes: Option<u64>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut source = PyReader::new(file, prefix)?;
    load_from(py, &mut source, out, &limits(max_header_size, max_bytes))
}

/// Reads one array from any source into memory of NumPy's.
pub(crate) fn load_from<'py>(
    py: Python<'py>,
    source: &mut (impl std::io::Read + Send),
    out: Option<Bound<'py, PyUntypedArray>>,
    limits: &ndbytes::Limits,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let message = py.detach(|| Message::read(source, limits)).into_py(py)?;
    fill(py, out, message.array(), |memory, layout| {
        py.detach(|| message.read_into(source, memory, layout))
    })
}
