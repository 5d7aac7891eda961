//! Bytes and arrays to standard compressed streams and back.

use std::io::{Read, Write};

use ndbytes_codec::{Codec, Encoder};
use ndbytes_format::Order;

use crate::array::ArrayView;
use crate::error::Result;

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
    let mut encoder = Encoder::new(codec, level, sink);
    array.for_each_chunk(Order::C, &mut |chunk| Ok(encoder.write_all(chunk)?))?;
    encoder.finish()?;
    Ok(())
}

/// Decompresses one stream that fills `source`, to at most `max_bytes`.
///
/// # Errors
/// Damage, truncation, bytes left over and too many bytes are told apart by their codes.
pub fn decompress(source: impl Read, codec: Codec, max_bytes: u64) -> Result<Vec<u8>> {
    Ok(ndbytes_codec::decompress(codec, source, max_bytes)?)
}
