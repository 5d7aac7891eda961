//! Standard compressed streams.

use std::io::Write;

use ndbytes::{ArrayView, Code, Codec, Compressor, Decompressor, Error, Order};
use numpy::PyUntypedArray;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, frombuffer, view};
use crate::error::{IntoPy, to_py};
use crate::memory::new_bytes;
use crate::signals::Interruptible;

fn codec_of(py: Python<'_>, name: &str) -> PyResult<Codec> {
    Codec::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Codec::ALL.iter().map(|codec| codec.as_str()).collect();
        to_py(
            py,
            Error::new(Code::Argument, format!("there is no codec `{name}`; there are {names:?}")),
        )
    })
}

/// The bytes of an array or of any bytes-like object.
pub(crate) fn with_view<T>(
    data: &Bound<'_, PyAny>,
    body: impl FnOnce(&ArrayView<'_>) -> PyResult<T>,
) -> PyResult<T> {
    let py = data.py();
    let array = match data.is_instance_of::<PyUntypedArray>() {
        true => as_array(data)?,
        false => frombuffer(py)?.call1((data, "u1"))?.cast_into()?,
    };
    body(&view(&array)?)
}

/// Compresses an array's elements (C order) or bytes.
#[pyfunction]
#[pyo3(signature = (data, codec, level, threads=None))]
pub(crate) fn compress<'py>(
    data: &Bound<'py, PyAny>,
    codec: &str,
    level: Option<u32>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let codec = codec_of(py, codec)?;
    let level = level.unwrap_or(codec.default_level());
    codec.check_level(level).map_err(|error| to_py(py, error.into()))?;
    let bytes = with_view(data, |view| {
        let pack = || {
            let sink = Interruptible::new(Vec::new());
            let compressor = Compressor::new(codec, level, sink).with_threads(threads);
            let mut compressor = compressor.with_array(view);
            view.for_each_chunk(Order::C, &mut |chunk| Ok(compressor.write_all(chunk)?))?;
            Ok(compressor.finish()?.into_inner())
        };
        py.detach(pack).into_py(py)
    })?;
    as_bytes(py, &bytes)
}

/// Decompresses one stream that fills `data`.
#[pyfunction]
#[pyo3(signature = (data, codec, max_bytes, threads=None))]
pub(crate) fn decompress<'py>(
    data: &Bound<'py, PyAny>,
    codec: &str,
    max_bytes: Option<u64>,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let codec = codec_of(py, codec)?;
    let max_bytes = max_bytes.unwrap_or(u64::MAX);
    let bytes = with_view(data, |view| {
        let source = view.as_bytes(Order::C).ok_or_else(|| {
            to_py(py, Error::new(Code::Argument, "compressed data must be contiguous"))
        })?;
        let source = Interruptible::new(source);
        py.detach(|| Decompressor::with_threads(codec, source, threads).into_vec(max_bytes))
            .into_py(py)
    })?;
    as_bytes(py, &bytes)
}

/// A copy as `bytes`; an error without memory for it, where `PyBytes::new` would panic.
pub(crate) fn as_bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    new_bytes(py, bytes.len(), |out| {
        out.copy_from_slice(bytes);
        Ok(())
    })
}
