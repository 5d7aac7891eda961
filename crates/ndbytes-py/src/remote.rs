//! Files on HTTP servers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ndbytes::{Code, Error, ReadAt};
use ndbytes_net::client::{RemoteFile as Remote, RemoteOptions, is_url};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::error::{IntoPy, to_py};
use crate::signals::on_signal;

/// A file on a server: read by position, opened when it is first read. Threads may share it.
#[pyclass(frozen)]
pub(crate) struct RemoteFile {
    pub(crate) url: String,
    pub(crate) options: RemoteOptions,
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
            .with_whole(whole.unwrap_or(u64::MAX))
            .with_on_signal(Some(on_signal()));
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

/// What `open` makes of a file, whose errors name it.
pub(crate) fn opened<T: Send>(
    py: Python<'_>,
    file: &RemoteFile,
    open: impl FnOnce(Arc<Remote>) -> ndbytes::Result<T> + Send,
) -> PyResult<T> {
    let file = file.file(py)?;
    py.detach(|| open(Arc::clone(&file))).map_err(|error| named(error, &file)).into_py(py)
}

/// The error with the file's URL, where it does not say it already.
pub(crate) fn named(error: Error, file: &Remote) -> Error {
    match error.code() {
        Code::HttpStatus | Code::HttpRange | Code::HttpChanged | Code::Io => error,
        _ => error.with_path(Path::new(file.url())),
    }
}
