//! Blosc buffers by themselves: for the tests against other implementations.

use ndbytes::{Code, Error, Order};
use ndbytes_codec::blosc::{Codec, Decoder, Encoder, Filter, Options};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::compress::{as_bytes, with_view};
use crate::error::to_py;

/// Encodes bytes, or the elements of a contiguous array.
#[pyfunction]
#[pyo3(signature = (data, codec, level, filter, typesize, block_size, split))]
pub(crate) fn blosc_encode<'py>(
    data: &Bound<'py, PyAny>,
    codec: &str,
    level: u32,
    filter: &str,
    typesize: usize,
    block_size: Option<usize>,
    split: Option<bool>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let unknown = |what| to_py(py, Error::new(Code::Argument, format!("no such {what}")));
    let codec = match codec {
        "raw" => Codec::Raw,
        "lz4" => Codec::Lz4,
        "zlib" => Codec::Zlib,
        "zstd" => Codec::Zstd,
        _ => return Err(unknown("codec")),
    };
    let filter = match filter {
        "none" => Filter::None,
        "shuffle" => Filter::Shuffle,
        "bitshuffle" => Filter::Bitshuffle,
        _ => return Err(unknown("filter")),
    };
    let options =
        Options { codec, level, filter, typesize, block_size, split, ..Options::default() };
    let mut out = Vec::new();
    contiguous(data, |bytes| {
        py.detach(|| Encoder::new().encode(bytes, &options, &mut out))
            .map_err(|fault| to_py(py, fault.into()))
    })?;
    as_bytes(py, &out)
}

/// Decodes a buffer, or `count` bytes of it from `start` on.
#[pyfunction]
#[pyo3(signature = (data, max_bytes, start, count))]
pub(crate) fn blosc_decode<'py>(
    data: &Bound<'py, PyAny>,
    max_bytes: usize,
    start: Option<usize>,
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let mut decoder = Decoder::new();
    let out = contiguous(data, |bytes| {
        let decode = || match start {
            None => decoder.decode_to_vec(bytes, max_bytes),
            Some(start) => {
                let mut out = vec![0; count];
                decoder.decode_range(bytes, max_bytes, start, &mut out).map(|()| out)
            }
        };
        py.detach(decode).map_err(|fault| to_py(py, fault.into()))
    })?;
    as_bytes(py, &out)
}

fn contiguous<T>(data: &Bound<'_, PyAny>, body: impl FnOnce(&[u8]) -> PyResult<T>) -> PyResult<T> {
    let py = data.py();
    with_view(data, |view| {
        let bytes = view
            .as_bytes(Order::C)
            .ok_or_else(|| to_py(py, Error::new(Code::Argument, "the data must be contiguous")))?;
        body(bytes)
    })
}
