//! `.npy` in memory, by path and over file objects.

use std::fs::File;
use std::path::{Path, PathBuf};

use ndbytes::frame_format::FRAME_MAGIC;
use ndbytes::{
    AtomicFile, Code, Error, FrameOptions, FrameReader, Header, Message, NpyFile, ReadAt,
    SaveOptions, Strided,
};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, check_out, empty, frombuffer, memory_mut, over_bytes, view};
use crate::error::{IntoPy, to_py};
use crate::file::{PyReader, PyWriter};
use crate::header::limits;
use crate::memory::{detached, new_bytes};
use crate::signals::Interruptible;
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
///     'fast', 'auto', 'small' or 'smallest', which choose chunk by chunk; or a pipeline such as 'zstd',
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

/// Writes a frame to a file object.
#[pyfunction]
#[pyo3(signature = (file, a, codec, chunks=None, threads=None))]
pub(crate) fn save_frame_file(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    a: &Bound<'_, PyAny>,
    codec: &str,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let options = frame_options(py, Some(codec), chunks, threads)?.unwrap_or_default();
    let mut sink = PyWriter::new(file)?;
    py.detach(|| {
        ndbytes::write_frame(&mut sink, &view, &options)?;
        Ok(std::io::Write::flush(&mut sink)?)
    })
    .into_py(py)
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
    if let Some(reader) = py.detach(|| open_frame(&path, &limits)).into_py(py)? {
        return read_frame(py, &reader, out);
    }
    let mut file = py.detach(|| NpyFile::open(&path, &limits)).into_py(py)?;
    let mut target = Target::new(py, out, file.header())?;
    let strides = target.array.strides().to_vec();
    let (memory, origin) = memory_mut(&mut target.array)?;
    py.detach(|| file.read_strided(memory, Strided { origin, strides: &strides })).into_py(py)?;
    target.finish()
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
    let mut target = Target::new(py, out, message.array())?;
    let strides = target.array.strides().to_vec();
    let (memory, origin) = memory_mut(&mut target.array)?;
    let layout = Strided { origin, strides: &strides };
    py.detach(|| message.read_into(source, memory, layout)).into_py(py)?;
    target.finish()
}

fn loads_frame<'py>(
    py: Python<'py>,
    source: &[u8],
    limits: &ndbytes::Limits,
) -> PyResult<Bound<'py, PyAny>> {
    let reader = FrameReader::new(source, limits).into_py(py)?;
    Ok(read_frame(py, &reader, None)?.into_any())
}

/// The frame in a file; none where it is none.
fn open_frame(path: &Path, limits: &ndbytes::Limits) -> Result<Option<FrameReader<File>>, Error> {
    let open = || {
        let file = File::open(path)?;
        let mut first = [0; FRAME_MAGIC.len()];
        let is_frame = file.metadata()?.is_file()
            && ndbytes::read_full_at(&file, &mut first, 0)? == first.len()
            && first == *FRAME_MAGIC;
        if is_frame { FrameReader::new(file, limits).map(Some) } else { Ok(None) }
    };
    open().map_err(|error: Error| error.with_path(path))
}

fn read_frame<'py>(
    py: Python<'py>,
    reader: &FrameReader<impl ReadAt + Sync + Send>,
    out: Option<Bound<'py, PyUntypedArray>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut target = Target::new(py, out, reader.header().array())?;
    let strides = target.array.strides().to_vec();
    let (memory, origin) = memory_mut(&mut target.array)?;
    let layout = Strided { origin, strides: &strides };
    py.detach(|| reader.read_into(memory, layout)).into_py(py)?;
    target.finish()
}

/// How to write a frame, if a codec is named.
pub(crate) fn frame_options(
    py: Python<'_>,
    codec: Option<&str>,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
) -> PyResult<Option<FrameOptions>> {
    let Some(codec) = codec else {
        if chunks.is_some() || threads.is_some() {
            let message = "chunks and threads are those of a frame: name a codec, such as 'auto'";
            return Err(to_py(py, Error::new(Code::Argument, message)));
        }
        return Ok(None);
    };
    let pipeline = codec.parse().into_py(py)?;
    let options = FrameOptions::default().with_pipeline(pipeline);
    Ok(Some(options.with_chunk_shape(chunks).with_threads(threads)))
}

/// Where the elements go.
pub(crate) struct Target<'py> {
    /// What is filled.
    pub(crate) array: Bound<'py, PyUntypedArray>,
    /// What it is then copied to, field by field: what lies between the fields is not ours.
    out: Option<Bound<'py, PyUntypedArray>>,
}

impl<'py> Target<'py> {
    pub(crate) fn new(
        py: Python<'py>,
        out: Option<Bound<'py, PyUntypedArray>>,
        header: &Header,
    ) -> PyResult<Self> {
        let Some(out) = out else {
            return Ok(Self { array: empty(py, header)?, out: None });
        };
        check_out(&out, header)?;
        if header.count() > 0 && !ndbytes::padding_spans(header.dtype()).is_empty() {
            return Ok(Self { array: empty(py, header)?, out: Some(out) });
        }
        Ok(Self { array: out, out: None })
    }

    /// The array that the caller gets.
    pub(crate) fn finish(self) -> PyResult<Bound<'py, PyUntypedArray>> {
        let Some(out) = self.out else {
            return Ok(self.array);
        };
        out.set_item(out.py().Ellipsis(), self.array)?;
        Ok(out)
    }
}
