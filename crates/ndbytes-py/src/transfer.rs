//! Whole arrays from servers and to them.

use std::sync::Arc;

use ndbytes::frame_format::FRAME_MAGIC;
use ndbytes::{Error, FrameReader, NpyReader, ReadAt, with_threads};
use ndbytes_net::client::put;
use numpy::PyUntypedArray;
use pyo3::prelude::*;

use crate::array::{as_array, view};
use crate::error::IntoPy;
use crate::frame::frame_options;
use crate::header::limits;
use crate::remote::{RemoteFile, named};
use crate::signals::listen;
use crate::target::fill;
use crate::warn::warn_of_version;

/// Saves an array as the file: as `.npy`, with a codec as a frame.
#[pyfunction]
#[pyo3(signature = (file, a, codec=None, chunks=None, threads=None, progress=None))]
pub(crate) fn save_remote(
    py: Python<'_>,
    file: &RemoteFile,
    a: &Bound<'_, PyAny>,
    codec: Option<&str>,
    chunks: Option<Vec<usize>>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    // How long it takes depends on the network.
    let progress = listen(progress, usize::MAX)?;
    let put = |parts: &[&[u8]]| put(&file.url, parts, &file.options, &progress);
    if let Some(options) = frame_options(py, codec, chunks, threads)? {
        return py.detach(|| put(&[&ndbytes::dump_frame(&view, &options)?])).into_py(py);
    }
    let header = view.header().into_py(py)?;
    let head = header.encode().map_err(Error::from).into_py(py)?;
    warn_of_version(py, &head)?;
    let send = || match view.as_bytes(header.order()) {
        Some(bytes) => put(&[&head, bytes]),
        None => put(&[&head, &view.to_vec(header.order())?]),
    };
    py.detach(send).into_py(py)
}

/// Loads a file of one array, into `out` if given.
#[pyfunction]
#[pyo3(signature = (
    file, out=None, max_header_size=None, max_bytes=None, threads=None, progress=None
))]
pub(crate) fn load_remote<'py>(
    py: Python<'py>,
    file: &RemoteFile,
    out: Option<Bound<'py, PyUntypedArray>>,
    max_header_size: Option<usize>,
    max_bytes: Option<u64>,
    threads: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let (file, limits) = (file.file(py)?, limits(max_header_size, max_bytes));
    let named = |error| named(error, &file);
    let mut magic = [0; FRAME_MAGIC.len()];
    py.detach(|| file.read_at(&mut magic, 0)).map_err(Error::from).into_py(py)?;
    if magic == *FRAME_MAGIC {
        let reader = py.detach(|| FrameReader::new(Arc::clone(&file), &limits));
        let reader = reader.map_err(named).into_py(py)?;
        let header = reader.header().array();
        // How long it takes depends on the network.
        let progress = listen(progress, usize::MAX)?;
        return fill(py, out, header, |memory, layout| {
            let read = || reader.read_into_with(memory, layout, &progress);
            py.detach(|| with_threads(threads, read)).map_err(named)
        });
    }
    let reader = py.detach(|| NpyReader::new(Arc::clone(&file), &limits));
    let reader = reader.map_err(named).into_py(py)?;
    let progress = listen(progress, usize::MAX)?;
    fill(py, out, reader.header(), |memory, layout| {
        let read = || reader.read_into_with(memory, layout, &progress);
        py.detach(|| with_threads(threads, read)).map_err(named)
    })
}
