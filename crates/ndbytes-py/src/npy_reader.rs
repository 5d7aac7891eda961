//! `.npy` of which parts are read.

use std::sync::Arc;

use ndbytes::{Header, NpyReader as Reader, ReadAt};
use numpy::PyUntypedArray;
use pyo3::prelude::*;

use crate::error::IntoPy;
use crate::file::PyReadAt;
use crate::header::{Facts, facts, limits};
use crate::open::Open;
use crate::remote::{RemoteFile, opened};
use crate::signals::listen;
use crate::source::Source;
use crate::target::fill;

/// An open `.npy` file. Reads by position: threads may share it.
#[pyclass(frozen)]
pub(crate) struct NpyReader {
    open: Open<Reader<Source>>,
}

impl NpyReader {
    fn of(reader: Reader<Source>) -> Self {
        Self { open: Open::new(reader, "file") }
    }

    fn reader(&self, py: Python<'_>) -> PyResult<Arc<Reader<Source>>> {
        self.open.get(py)
    }
}

#[pymethods]
impl NpyReader {
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
        Ok(Self::of(opened(py, file, |file| Reader::new(Source::Remote(file), &limits))?))
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
        let source = Source::Object(PyReadAt::new(file)?);
        let limits = limits(max_header_size, max_bytes);
        Ok(Self::of(py.detach(|| Reader::new(source, &limits)).into_py(py)?))
    }

    /// Shape, order, dtype, and the length of the header.
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Facts<'py>> {
        let reader = self.reader(py)?;
        facts(py, reader.header(), reader.data_offset() as usize)
    }

    /// Bytes of the file.
    fn size(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.reader(py)?.source().size()?)
    }

    /// The whole array, into `out` if given.
    #[pyo3(signature = (out=None, progress=None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        out: Option<Bound<'py, PyUntypedArray>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let reader = self.reader(py)?;
        let progress = listen(progress, usize::MAX)?;
        fill(py, out, reader.header(), |memory, layout| {
            py.detach(|| reader.read_into_with(memory, layout, &progress))
        })
    }

    /// Every `step`-th item from `start` on, `shape` of them along each axis.
    fn read_slice<'py>(
        &self,
        py: Python<'py>,
        start: Vec<usize>,
        step: Vec<usize>,
        shape: Vec<usize>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let reader = self.reader(py)?;
        let part = py.detach(|| reader.read_slice(&start, &step, &shape)).into_py(py)?;
        let header: &Header = part.header();
        fill(py, None, header, |memory, _| {
            memory.copy_from_slice(part.bytes());
            Ok(())
        })
    }

    /// Lets the file go.
    fn close(&self) {
        self.open.close();
    }
}
