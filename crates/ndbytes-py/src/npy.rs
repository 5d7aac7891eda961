//! `.npy` in memory, by path and over file objects.

use std::path::PathBuf;

use ndbytes::frame_format::FRAME_MAGIC;
use ndbytes::{ArrayFile, AtomicFile, Error, Message, SaveOptions, with_threads};
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
use crate::signals::listen;
use crate::target::fill;
use crate::warn::warn_of_version;

/// dumps(a, /, codec=None, *, chunks=None, threads=None, progress=None)
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
///     'fastest', 'fast', 'brisk', 'quick', 'auto', 'fastread', 'quickread', 'smallread', 'light', 'medium',
///     'small', 'smallestread' or 'smallest', which choose by samples of the chunks; or a pipeline such as 'zstd',
///     'zstd-9-bitshuffle', 'lz4-noshuffle', 'pco-8', 'raw'.
/// chunks : tuple of int, optional
///     The shape of a frame's chunks; one that suits most unless given.
/// threads : int, optional
///     The most threads for a frame; as many as there are processors unless given.
/// progress : callable, optional
///     Called as ``progress(done, total)``, in bytes of the array, some 20 times a second at most
///     and when all is done. What it raises ends the work.
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
#[pyo3(signature = (a, /, codec=None, *, chunks=None, threads=None, progress=None))]
pub(crate) fn dumps<'py>(
    a: &Bound<'py, PyAny>,
    codec: Option<&str>,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = a.py();
    let array = as_array(a)?;
    let view = view(&array)?;
    let progress = listen(progress, view.nbytes())?;
    if let Some(options) = frame_options(py, codec, chunks, threads)? {
        let options = options.with_progress(progress);
        let frame = py.detach(|| ndbytes::encode_frame(&view, &options)).into_py(py)?;
        return new_bytes(py, frame.len(), |bytes| frame.copy_to(bytes));
    }
    let header = view.header().into_py(py)?;
    let head = header.encode().map_err(Error::from).into_py(py)?;
    warn_of_version(py, &head)?;
    new_bytes(py, head.len() + header.nbytes(), |bytes| {
        let (front, data) = bytes.split_at_mut(head.len());
        front.copy_from_slice(&head);
        view.copy_to_with(data, header.order(), None, &progress)
    })
}

/// loads(data, *, copy=False, max_header_size=65536, threads=None, progress=None)
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
/// threads : int, optional
///     The most threads; as many as suit the machine unless given.
/// progress : callable, optional
///     As for `dumps`.
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
#[pyo3(signature = (data, *, copy=false, max_header_size=65536, threads=None, progress=None))]
pub(crate) fn loads<'py>(
    data: &Bound<'py, PyAny>,
    copy: bool,
    max_header_size: usize,
    threads: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let limits = limits(Some(max_header_size), None);
    if let Ok(bytes) = data.cast::<PyBytes>() {
        if bytes.as_bytes().starts_with(FRAME_MAGIC) {
            return loads_frame(py, bytes.as_bytes(), &limits, threads, progress);
        }
        let (header, offset) = ndbytes::parse_npy(bytes.as_bytes(), &limits).into_py(py)?;
        if !copy {
            tell_all(py, progress, &header)?;
            return Ok(over_bytes(bytes, &header, offset)?.into_any());
        }
        let mut array = empty(py, &header)?;
        let (memory, _) = memory_mut(&mut array)?;
        copy_bytes(py, memory, &bytes.as_bytes()[offset..], progress)?;
        return Ok(array.into_any());
    }
    // Other buffers: NumPy holds their export, which keeps a bytearray from moving.
    let frombuffer = frombuffer(py)?;
    let flat = frombuffer.call1((data, "u1"))?.cast_into::<PyUntypedArray>()?;
    let source = view(&flat)?;
    let source = source.as_bytes(ndbytes::Order::C).unwrap_or_default();
    if source.starts_with(FRAME_MAGIC) {
        return loads_frame(py, source, &limits, threads, progress);
    }
    let (header, offset) = ndbytes::parse_npy(source, &limits).into_py(py)?;
    if copy || header.nbytes() == 0 {
        let mut array = empty(py, &header)?;
        let (memory, _) = memory_mut(&mut array)?;
        copy_bytes(py, memory, &source[offset..], progress)?;
        if !copy {
            array.getattr("flags")?.setattr("writeable", false)?;
        }
        return Ok(array.into_any());
    }
    tell_all(py, progress, &header)?;
    let (shape, fortran, dtype, offset) = crate::header::facts(py, &header, offset)?;
    let array = frombuffer.call1((data, dtype, header.count(), offset))?;
    let kwargs = pyo3::types::PyDict::new(py);
    kwargs.set_item("order", if fortran { "F" } else { "C" })?;
    let array = array.call_method("reshape", (shape,), Some(&kwargs))?;
    array.getattr("flags")?.setattr("writeable", false)?;
    Ok(array)
}

/// Copies what is there already.
fn copy_bytes(
    py: Python<'_>,
    memory: &mut [u8],
    source: &[u8],
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let progress = listen(progress, source.len())?;
    let total = source.len() as u64;
    let copy = || {
        for (i, (to, from)) in memory.chunks_mut(COPIED).zip(source.chunks(COPIED)).enumerate() {
            to.copy_from_slice(from);
            progress.tell((i * COPIED + from.len()) as u64, total)?;
        }
        progress.tell(total, total)
    };
    detached(py, source.len(), copy).into_py(py)
}

/// Tells that all is done, where there is nothing to do.
fn tell_all(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    header: &ndbytes::Header,
) -> PyResult<()> {
    let Some(progress) = progress else { return Ok(()) };
    let total = header.nbytes() as u64;
    listen(Some(progress), 0)?.tell(total, total).into_py(py)
}

/// Saves to a path, atomically; with a codec as a frame.
#[pyfunction]
#[pyo3(signature = (path, a, durable, codec=None, chunks=None, threads=None, progress=None))]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn save_path(
    py: Python<'_>,
    path: PathBuf,
    a: &Bound<'_, PyAny>,
    durable: bool,
    codec: Option<&str>,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let progress = listen(progress, view.nbytes())?;
    let options = SaveOptions::default().with_durable(durable);
    if let Some(frame) = frame_options(py, codec, chunks, threads)? {
        let frame = frame.with_progress(progress);
        let save =
            || AtomicFile::write(&path, &options, |file| ndbytes::write_frame(file, &view, &frame));
        return py.detach(save).into_py(py);
    }
    let head = view.header().and_then(|header| Ok(header.encode()?)).into_py(py)?;
    warn_of_version(py, &head)?;
    py.detach(|| ndbytes::save_with(&path, &view, &options, &progress)).into_py(py)
}

/// Writes to a file object.
#[pyfunction]
#[pyo3(signature = (file, a, version=None, progress=None))]
pub(crate) fn save_file(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    a: &Bound<'_, PyAny>,
    version: Option<(u8, u8)>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let mut sink = PyWriter::new(file)?;
    let header = view.header().into_py(py)?;
    let Some(version) = version else {
        let progress = listen(progress, view.nbytes())?;
        warn_of_version(py, &header.encode().map_err(Error::from).into_py(py)?)?;
        return py.detach(|| ndbytes::send_with(&mut sink, &view, &progress)).into_py(py);
    };
    let fortran = header.order() == ndbytes::Order::F;
    let shape = header.shape().to_vec();
    let head = crate::header::encode_header(array.dtype().as_any(), fortran, shape, Some(version))?;
    let head = head.as_bytes();
    py.detach(|| {
        use std::io::Write;
        sink.write_all(head)?;
        view.for_each_chunk(header.order(), &mut |chunk| Ok(sink.write_all(chunk)?))?;
        Ok(sink.flush()?)
    })
    .into_py(py)
}

/// Loads from a path, into `out` if given.
#[pyfunction]
#[pyo3(signature = (
    path, out=None, max_header_size=None, max_bytes=None, threads=None, progress=None
))]
pub(crate) fn load_path<'py>(
    py: Python<'py>,
    path: PathBuf,
    out: Option<Bound<'py, PyUntypedArray>>,
    max_header_size: Option<usize>,
    max_bytes: Option<u64>,
    threads: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let limits = limits(max_header_size, max_bytes);
    let mut file = py.detach(|| ArrayFile::open(&path, &limits)).into_py(py)?;
    let header = file.header().clone();
    let progress = listen(progress, header.nbytes())?;
    fill(py, out, &header, |memory, layout| {
        py.detach(|| with_threads(threads, || file.read_strided_with(memory, layout, &progress)))
    })
}

/// Loads one array from a file object and not a byte more; `prefix` was read before.
#[pyfunction]
#[pyo3(signature = (
    file, prefix, out=None, max_header_size=None, max_bytes=None, threads=None, progress=None
))]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn load_file<'py>(
    py: Python<'py>,
    file: &Bound<'py, PyAny>,
    prefix: Vec<u8>,
    out: Option<Bound<'py, PyUntypedArray>>,
    max_header_size: Option<usize>,
    max_bytes: Option<u64>,
    threads: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut source = PyReader::new(file, prefix)?;
    let limits = limits(max_header_size, max_bytes);
    with_threads(threads, || load_from(py, &mut source, out, &limits, progress))
}

/// Reads one array from any source into memory of NumPy's.
pub(crate) fn load_from<'py>(
    py: Python<'py>,
    source: &mut (impl std::io::Read + Send),
    out: Option<Bound<'py, PyUntypedArray>>,
    limits: &ndbytes::Limits,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let message = py.detach(|| Message::read(source, limits)).into_py(py)?;
    let progress = listen(progress, message.array().nbytes())?;
    fill(py, out, message.array(), |memory, layout| {
        py.detach(|| message.read_into_with(source, memory, layout, &progress))
    })
}

/// Bytes that are copied before somebody is told.
const COPIED: usize = 64 << 20;
