//! Standard compressed streams.

use std::io::Write;

use ndbytes::{ArrayView, Code, Codec, Compressor, Decompressor, Error, Order, content_len};
use numpy::PyUntypedArray;
use pyo3::exceptions::PyMemoryError;
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
    with_view(data, |view| {
        let bytes = view.as_bytes(Order::C).ok_or_else(|| {
            to_py(py, Error::new(Code::Argument, "compressed data must be contiguous"))
        })?;
        let mut source = Decompressor::with_threads(codec, Interruptible::new(bytes), threads);
        let mut out = Vec::new();
        if let Some(len) = likely_len(codec, bytes, max_bytes) {
            let mut came = (0, false);
            let filled = new_bytes(py, len, |out| {
                came = source.fill(out)?;
                Ok(())
            });
            match filled {
                Ok(filled) if came == (len, true) => return Ok(filled),
                Ok(filled) => out.extend_from_slice(&filled.as_bytes()[..came.0]),
                // Without memory for so much, it may be less.
                Err(error) if error.is_instance_of::<PyMemoryError>(py) && came.0 == 0 => {}
                Err(error) => return Err(error),
            }
        }
        let out = py.detach(|| source.into_vec_after(out, max_bytes)).into_py(py)?;
        as_bytes(py, &out)
    })
}

/// A copy as `bytes`; an error without memory for it, where `PyBytes::new` would panic.
pub(crate) fn as_bytes<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    new_bytes(py, bytes.len(), |out| {
        out.copy_from_slice(bytes);
        Ok(())
    })
}

/// How many bytes come out of a stream, if it says so and memory may be set aside for them. Much less than
/// the stream has is said by one of several members.
fn likely_len(codec: Codec, stream: &[u8], max_bytes: u64) -> Option<usize> {
    let len = usize::try_from(content_len(codec, stream).filter(|&len| len <= max_bytes)?).ok()?;
    let least = stream.len() - stream.len() / 8;
    (least..=stream.len().saturating_mul(BELIEVED)).contains(&len).then_some(len)
}

/// How many times as many bytes as it has a stream is believed that come out of it.
const BELIEVED: usize = 16;
