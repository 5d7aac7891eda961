//! Frames: written, loaded, and opened to be read in parts.

use std::path::PathBuf;
use std::sync::Arc;

use ndbytes::{
    Code, Error, FrameOptions, FrameReader as Reader, Header, JournaledFile, Limits, ReadAt,
    SaveOptions,
};
use ndbytes_net::client::RemoteFile as Remote;
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::array::{as_array, view};
use crate::error::{IntoPy, to_py};
use crate::file::{PyReadAt, PyWriter};
use crate::header::{Facts, facts, limits};
use crate::open::Open;
use crate::remote::{RemoteFile, named, opened};
use crate::signals::listen;
use crate::target::fill;

/// Writes a frame to a file object.
#[pyfunction]
#[pyo3(signature = (file, a, codec, chunks=None, threads=None, progress=None))]
pub(crate) fn save_frame_file(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    a: &Bound<'_, PyAny>,
    codec: &str,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let options = frame_options(py, Some(codec), chunks, threads)?.unwrap_or_default();
    let options = options.with_progress(listen(progress, view.nbytes())?);
    let mut sink = PyWriter::new(file)?;
    py.detach(|| {
        ndbytes::write_frame(&mut sink, &view, &options)?;
        Ok(std::io::Write::flush(&mut sink)?)
    })
    .into_py(py)
}

/// Pipelines that were tried on a sample of so many bytes, and what came of them.
type Trials = (usize, Vec<(String, usize)>);

/// Family, chunk shape, what made it this family, and of each chunk start, shape, pipeline, trials,
/// and whether it is done as the first.
type Explanation<'py> = (
    &'static str,
    Bound<'py, PyTuple>,
    Option<Trials>,
    Vec<(Bound<'py, PyTuple>, Bound<'py, PyTuple>, String, Option<Trials>, bool)>,
);

/// What is chosen for a frame, and why.
#[pyfunction]
#[pyo3(signature = (a, codec, chunks=None))]
pub(crate) fn explain_frame<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    codec: &str,
    chunks: Option<Vec<usize>>,
) -> PyResult<Explanation<'py>> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let options = frame_options(py, Some(codec), chunks, None)?.unwrap_or_default();
    let told = py.detach(|| ndbytes::explain_frame(&view, &options)).into_py(py)?;
    let trials = |trials: Option<ndbytes::Trials>| {
        trials.map(|trials| {
            let sizes = trials.sizes.iter().map(|(pipeline, size)| (pipeline.to_string(), *size));
            (trials.sample, sizes.collect())
        })
    };
    let mut choices = Vec::with_capacity(told.chunks.len());
    for chunk in told.chunks {
        let (start, shape) = (PyTuple::new(py, chunk.start)?, PyTuple::new(py, chunk.shape)?);
        let pipeline = chunk.pipeline.to_string();
        choices.push((start, shape, pipeline, trials(chunk.trials), chunk.as_first));
    }
    let shape = PyTuple::new(py, told.chunk_shape)?;
    Ok((told.family.as_str(), shape, trials(told.families), choices))
}

/// Appends to the frame at a path.
#[pyfunction]
#[pyo3(signature = (path, a, durable, codec=None, threads=None, progress=None))]
pub(crate) fn append_frame(
    py: Python<'_>,
    path: PathBuf,
    a: &Bound<'_, PyAny>,
    durable: bool,
    codec: Option<&str>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let options = frame_options(py, Some(codec.unwrap_or("auto")), None, threads)?;
    let options = options.unwrap_or_default().with_progress(listen(progress, view.nbytes())?);
    let save = SaveOptions::default().with_durable(durable);
    py.detach(|| ndbytes::append_frame(&path, &view, &options, &save)).into_py(py)
}

/// Makes a Zarr array of the frame at a path.
#[pyfunction]
#[pyo3(signature = (path, folder, link, durable, progress=None))]
pub(crate) fn export_zarr(
    py: Python<'_>,
    path: PathBuf,
    folder: PathBuf,
    link: bool,
    durable: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let save = SaveOptions::default().with_durable(durable);
    // How long it takes depends on the file system.
    let progress = listen(progress, usize::MAX)?;
    py.detach(|| ndbytes::export_zarr_with(&path, &folder, link, &save, &progress)).into_py(py)
}

/// The frame that is the one shard of a Zarr array.
#[pyfunction]
pub(crate) fn zarr_shard(py: Python<'_>, folder: PathBuf) -> PyResult<PathBuf> {
    py.detach(|| ndbytes::zarr_shard(&folder)).into_py(py)
}

/// The array of a frame in memory.
pub(crate) fn loads_frame<'py>(
    py: Python<'py>,
    source: &[u8],
    limits: &Limits,
    threads: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let reader = Reader::new(source, limits).into_py(py)?;
    let progress = listen(progress, reader.header().array().nbytes())?;
    let read = fill(py, None, reader.header().array(), |memory, layout| {
        let read = || reader.read_into_with(memory, layout, &progress);
        py.detach(|| ndbytes::with_threads(threads, read))
    });
    Ok(read?.into_any())
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

/// An open frame. Reads by position: threads and forked processes may share it.
#[pyclass(frozen)]
pub(crate) struct FrameReader {
    open: Open<Opened>,
}

enum Opened {
    File(Reader<JournaledFile>),
    Object(Reader<PyReadAt>),
    Remote(Reader<Arc<Remote>>),
}

impl Opened {
    /// The error, with the path where there is one.
    fn named(&self, error: Error) -> Error {
        match self {
            Opened::File(reader) => error.with_path(reader.path()),
            Opened::Object(_) => error,
            Opened::Remote(reader) => named(error, reader.source()),
        }
    }
}

/// Calls the same of either reader.
macro_rules! either {
    ($opened:expr, $reader:ident => $body:expr) => {
        match &*$opened {
            Opened::File($reader) => $body,
            Opened::Object($reader) => $body,
            Opened::Remote($reader) => $body,
        }
    };
}

impl FrameReader {
    fn of(opened: Opened) -> Self {
        Self { open: Open::new(opened, "frame") }
    }

    fn reader(&self, py: Python<'_>) -> PyResult<Arc<Opened>> {
        self.open.get(py)
    }
}

/// Start and shape of a chunk in the array, its bytes in the file, and what was done to it.
type Chunk<'py> = (Bound<'py, PyTuple>, Bound<'py, PyTuple>, u64, u64, String);

#[pymethods]
impl FrameReader {
    /// Opens a path.
    #[staticmethod]
    #[pyo3(signature = (path, max_header_size, max_bytes))]
    fn from_path(
        py: Python<'_>,
        path: PathBuf,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let limits = limits(max_header_size, max_bytes);
        Ok(Self::of(Opened::File(py.detach(|| Reader::open(&path, &limits)).into_py(py)?)))
    }

    /// Opens a file object that can seek.
    #[staticmethod]
    #[pyo3(signature = (file, max_header_size, max_bytes))]
    fn from_file(
        file: &Bound<'_, PyAny>,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let py = file.py();
        let source = PyReadAt::new(file)?;
        let limits = limits(max_header_size, max_bytes);
        Ok(Self::of(Opened::Object(py.detach(|| Reader::new(source, &limits)).into_py(py)?)))
    }

    /// Opens a file on a server.
    #[staticmethod]
    #[pyo3(signature = (file, max_header_size, max_bytes))]
    fn from_remote(
        py: Python<'_>,
        file: &RemoteFile,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let limits = limits(max_header_size, max_bytes);
        let reader = opened(py, file, |file| Reader::new(file, &limits))?;
        Ok(Self::of(Opened::Remote(reader)))
    }

    /// Shape, order, dtype, and 0, as of every header.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Facts<'py>> {
        either!(self.reader(py)?, reader => facts(py, reader.header().array(), 0))
    }

    /// The shape of the chunks, and what they have in common.
    fn chunks<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyTuple>, &'static str)> {
        either!(self.reader(py)?, reader => {
            let header = reader.header();
            Ok((PyTuple::new(py, header.chunk_shape())?, header.family().as_str()))
        })
    }

    /// Bytes of the frame.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(either!(self.reader(py)?, reader => reader.source().size())?)
    }

    /// How many chunks there are.
    fn chunk_count(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(either!(self.reader(py)?, reader => reader.places().len()))
    }

    /// What is known of a chunk without decoding it.
    fn chunk<'py>(&self, py: Python<'py>, number: usize) -> PyResult<Chunk<'py>> {
        either!(self.reader(py)?, reader => {
            let Some(&place) = reader.places().get(number) else {
                return Err(pyo3::exceptions::PyIndexError::new_err("no such chunk"));
            };
            let (start, shape) = reader.chunk_range(number);
            let pipeline = reader.describe(number).into_py(py)?;
            let (start, shape) = (PyTuple::new(py, start)?, PyTuple::new(py, shape)?);
            Ok((start, shape, place.offset, place.len, pipeline))
        })
    }

    /// Every `step`-th item from `start` on, `shape` of them along each axis.
    #[pyo3(signature = (start, step, shape, out=None, progress=None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        start: Vec<usize>,
        step: Vec<usize>,
        shape: Vec<usize>,
        out: Option<Bound<'py, PyUntypedArray>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let opened = self.reader(py)?;
        either!(opened, reader => {
            let array = reader.header().array();
            let whole = start.iter().all(|&at| at == 0) && step.iter().all(|&step| step == 1)
                && shape == array.shape();
            let part = Header::new(array.dtype().clone(), array.order(), shape.clone());
            let part = part.map_err(Error::from).into_py(py)?;
            // A few items of each chunk are much to decode.
            let progress = listen(progress, if whole { part.nbytes() } else { array.nbytes() })?;
            fill(py, out, &part, |memory, layout| {
                let read = py.detach(|| match whole {
                    true => reader.read_into_with(memory, layout, &progress),
                    false => reader
                        .read_slice_into_with(&start, &step, &shape, memory, layout, &progress),
                });
                read.map_err(|error| opened.named(error))
            })
        })
    }

    /// Lets the file go.
    fn close(&self) {
        self.open.close();
    }
}
