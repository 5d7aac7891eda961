//! Files on HTTP servers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndbytes::frame_format::FRAME_MAGIC;
use ndbytes::{Code, Error, FrameReader, NpyReader, ReadAt, with_threads};
use ndbytes_net::client::{RemoteFile as Remote, RemoteOptions, is_url, put};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, view};
use crate::error::{IntoPy, to_py};
use crate::frame::frame_options;
use crate::header::limits;
use crate::signals::listen;
use crate::target::fill;
use crate::warn::warn_of_version;

/// A file on a server: read by position, opened when it is first read. Threads may share it.
#[pyclass(frozen)]
pub(crate) struct RemoteFile {
    url: String,
    options: RemoteOptions,
    file: OnceLock<Arc<Remote>>,
}

impl RemoteFile {
    /// The file, opened.
    pub(crate) fn file(&self, py: Python<'_>) -> PyResult<Arc<Remote>> {
        if let Some(file) = self.file.get() {
            return Ok(Arc::clone(file));
        }
        let file = py.detach(|| Remote::open(&self.url, &self.options)).into_py(py)?;
        // Of two threads that opened it, one keeps what the other found as well.
        Ok(Arc::clone(self.file.get_or_init(|| file.into())))
    }
}

#[pymethods]
impl RemoteFile {
    /// A file at a URL.
    #[new]
    #[pyo3(signature = (url, headers, token, authorities, timeout, retries, whole))]
    #[expect(clippy::too_many_arguments, reason = "as many as the Python class has")]
    fn new(
        py: Python<'_>,
        url: String,
        headers: Vec<(String, String)>,
        token: Option<String>,
        authorities: Option<PathBuf>,
        timeout: f64,
        retries: u32,
        whole: Option<u64>,
    ) -> PyResult<Self> {
        let Some(timeout) = Duration::try_from_secs_f64(timeout).ok().filter(|t| !t.is_zero())
        else {
            let message = format!("timeout must be some seconds, not {timeout}");
            return Err(to_py(py, Error::new(Code::Argument, message)));
        };
        let mut options = RemoteOptions::default()
            .with_token(token)
            .with_authorities(authorities)
            .with_timeout(timeout)
            .with_retries(retries)
            .with_whole(whole.unwrap_or(u64::MAX));
        for (name, value) in &headers {
            options = options.with_header(name, value);
        }
        if !is_url(&url) {
            let message = format!("`{}` is no http:// or https:// URL", url.escape_debug());
            return Err(to_py(py, Error::new(Code::Argument, message)));
        }
        Ok(Self { url, options, file: OnceLock::new() })
    }

    /// The first bytes, up to so many.
    fn first<'py>(&self, py: Python<'py>, len: usize) -> PyResult<Bound<'py, PyBytes>> {
        let (file, mut bytes) = (self.file(py)?, vec![0; len]);
        let got = py.detach(|| file.read_at(&mut bytes, 0)).map_err(Error::from).into_py(py)?;
        Ok(PyBytes::new(py, &bytes[..got]))
    }

    /// Bytes of the file.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.file(py)?.size()?)
    }
}

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

/// The error with the file's URL, where it does not say it already.
pub(crate) fn named(error: Error, file: &Remote) -> Error {
    match error.code() {
        Code::HttpStatus | Code::HttpRange | Code::HttpChanged | Code::Io => error,
        _ => error.with_path(Path::new(file.url())),
    }
}
