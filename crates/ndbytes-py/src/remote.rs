//! Files on HTTP servers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ndbytes::frame_format::FRAME_MAGIC;
use ndbytes::{Code, Error, FrameReader, NpyReader, ReadAt, with_threads};
use ndbytes_net::client::{RemoteFile as Remote, RemoteOptions};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{IntoPy, to_py};
use crate::header::limits;
use crate::signals::listen;
use crate::target::fill;

/// A file on a server, read by position. Threads may share it.
#[pyclass(frozen)]
pub(crate) struct RemoteFile(pub(crate) Arc<Remote>);

#[pymethods]
impl RemoteFile {
    /// Asks for the first bytes of the file at a URL.
    #[new]
    #[pyo3(signature = (url, headers, token, authorities, timeout, retries, whole))]
    #[expect(clippy::too_many_arguments, reason = "as many as the Python class has")]
    fn new(
        py: Python<'_>,
        url: &str,
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
        let file = py.detach(|| Remote::open(url, &options)).into_py(py)?;
        Ok(Self(file.into()))
    }

    /// The first bytes, up to so many.
    fn first<'py>(&self, py: Python<'py>, len: usize) -> PyResult<Bound<'py, PyBytes>> {
        let mut bytes = vec![0; len];
        let got = py.detach(|| self.0.read_at(&mut bytes, 0))?;
        Ok(PyBytes::new(py, &bytes[..got]))
    }

    /// Bytes of the file.
    fn size(&self) -> PyResult<u64> {
        Ok(self.0.size()?)
    }
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
    let (file, limits) = (Arc::clone(&file.0), limits(max_header_size, max_bytes));
    let named = |error| named(error, &file);
    let mut magic = [0; FRAME_MAGIC.len()];
    py.detach(|| file.read_at(&mut magic, 0))?;
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
