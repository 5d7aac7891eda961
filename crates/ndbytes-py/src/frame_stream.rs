//! Frames that asyncio sends and receives: their bytes, without input and output.

use std::sync::{Mutex, PoisonError};

use ndbytes::frame_format::FramePrelude;
use ndbytes::{Error, FrameDecoder as Decoder, FrameEncoder as Encoder};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, view};
use crate::error::IntoPy;
use crate::frame::frame_options;
use crate::header::limits;
use crate::memory::new_bytes;
use crate::target::{Kept, Target};

/// Makes a frame in pieces.
#[pyclass]
pub(crate) struct FrameEncoder {
    array: Py<PyUntypedArray>,
    // Never locked but by who borrows this mutably.
    encoder: Mutex<Encoder>,
}

#[pymethods]
impl FrameEncoder {
    #[new]
    fn new(py: Python<'_>, a: &Bound<'_, PyAny>, codec: &str) -> PyResult<Self> {
        let array = as_array(a)?;
        let view = view(&array)?;
        let options = frame_options(py, Some(codec), None, None)?.unwrap_or_default();
        let encoder = py.detach(|| Encoder::new(&view, &options)).into_py(py)?.into();
        Ok(Self { array: array.clone().unbind(), encoder })
    }

    /// The next piece; no bytes when there is none.
    fn encode<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let array = self.array.bind(py).clone();
        let view = view(&array)?;
        let encoder = self.encoder.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut piece = Vec::new();
        py.detach(|| encoder.encode(&view, &mut piece)).into_py(py)?;
        new_bytes(py, piece.len(), |bytes| {
            bytes.copy_from_slice(&piece);
            Ok(())
        })
    }
}

/// Reads a frame that comes in pieces.
#[pyclass]
pub(crate) struct FrameDecoder {
    target: Kept,
    // Never locked but by who borrows this mutably.
    decoder: Mutex<Decoder>,
}

#[pymethods]
impl FrameDecoder {
    /// How many bytes the header has, from its first 16; there may be fewer where the source ended.
    #[staticmethod]
    fn header_len(py: Python<'_>, head: &[u8], max_header_size: Option<usize>) -> PyResult<usize> {
        let prelude = FramePrelude::parse(head, &limits(max_header_size, None));
        prelude.map(|prelude| prelude.header_len()).map_err(Error::from).into_py(py)
    }

    /// Begins with the header; there may be fewer bytes of it where the source ended.
    #[new]
    fn new(
        py: Python<'_>,
        head: &[u8],
        out: Option<Bound<'_, PyUntypedArray>>,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let limits = limits(max_header_size, max_bytes);
        let (header, len) = ndbytes::read_frame_header(&mut &*head, &limits).into_py(py)?;
        let target = Target::new(py, out, header.array())?.keep();
        Ok(Self { target, decoder: Decoder::new(header, len).into() })
    }

    /// Bytes of the items of a chunk.
    #[getter]
    fn chunk_nbytes(&mut self) -> usize {
        self.decoder().header().chunk_nbytes()
    }

    /// How many bytes a record has, from the 8 before it; there may be fewer where the source ended.
    fn expect(&mut self, py: Python<'_>, prefix: &[u8]) -> PyResult<usize> {
        self.decoder().expect(prefix).into_py(py)
    }

    /// Takes a record, of which there may be less where the source ended; says whether it was the
    /// last.
    fn decode(&mut self, py: Python<'_>, record: &[u8]) -> PyResult<bool> {
        let decoder = self.decoder.get_mut().unwrap_or_else(PoisonError::into_inner);
        let header = decoder.header().array().clone();
        self.target.fill(py, &header, |memory, layout| {
            py.detach(|| decoder.decode(record, memory, layout))
        })?;
        Ok(decoder.is_whole())
    }

    /// The array.
    fn array<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyUntypedArray>> {
        self.target.finish(py)
    }
}

impl FrameDecoder {
    fn decoder(&mut self) -> &mut Decoder {
        self.decoder.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
