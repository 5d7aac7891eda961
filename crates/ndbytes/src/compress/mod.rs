//! Bytes and arrays to standard compressed streams and back.

mod ahead;
mod blocks;
mod compressor;
mod decompressor;
mod inflater;

use std::io::{Read, Write};

use ndbytes_codec::Codec;
use ndbytes_format::Order;

use crate::array::ArrayView;
use crate::error::Result;

pub use compressor::Compressor;
pub use decompressor::Decompressor;

/// Compresses the elements of an array of any layout, in C order, to a standard stream.
///
/// # Errors
/// [`Code::Io`](crate::Code::Io) without memory for the result.
pub fn compress(array: &ArrayView<'_>, codec: Codec, level: u32) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    compress_to(&mut out, array, codec, level)?;
    Ok(out)
}

/// As [`compress`], into a sink.
///
/// # Errors
/// What the sink said.
pub fn compress_to(
    sink: &mut (impl Write + ?Sized),
    array: &ArrayView<'_>,
    codec: Codec,
    level: u32,
) -> Result<()> {
    let mut compressor = Compressor::new(codec, level, sink).with_array(array);
    array.for_each_chunk(Order::C, &mut |chunk| Ok(compressor.write_all(chunk)?))?;
    compressor.finish()?;
    Ok(())
}

/// Decompresses one stream that fills `source`, to at most `max_bytes`.
///
/// # Errors
/// Damage, truncation, bytes left over and too many bytes are told apart by their codes.
pub fn decompress(source: impl Read, codec: Codec, max_bytes: u64) -> Result<Vec<u8>> {
    Decompressor::new(codec, source).into_vec(max_bytes)
}
