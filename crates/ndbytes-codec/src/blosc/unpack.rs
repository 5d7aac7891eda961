//! Decompressing one stream of a block.

use flate2::{Decompress, FlushDecompress, Status};
use ndbytes_format::{Code, FormatError};

use super::constant::{Constants, only_byte};
use super::{Compressor, blosclz};

/// A context for each compressor, made when it is first needed.
#[derive(Default)]
pub(super) struct Unpacker {
    zlib: Option<Decompress>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd_safe::DCtx<'static>>,
    constants: Constants<Compressor>,
}

impl Unpacker {
    /// Bytes of memory that the contexts hold, or about as many.
    pub(super) fn nbytes(&self) -> usize {
        let zlib = if self.zlib.is_some() { ZLIB_NBYTES } else { 0 };
        #[cfg(not(feature = "zstd"))]
        let zstd = 0;
        #[cfg(feature = "zstd")]
        let zstd = self.zstd.as_ref().map_or(0, |context| context.sizeof());
        zlib + zstd + self.constants.nbytes()
    }

    /// Decompresses a stream that fills `out` exactly.
    pub(super) fn unpack(
        &mut self,
        compressor: Compressor,
        stream: &[u8],
        out: &mut [u8],
    ) -> Result<(), FormatError> {
        // More than that is no byte over and over, or a short one, which is decoded as soon.
        if stream.len() > out.len() / 128 {
            return self.decode(compressor, stream, out);
        }
        let len = out.len();
        let known = self
            .constants
            .find(|one| one.way == compressor && one.len == len && one.packed == stream);
        if let Some(known) = known {
            out.fill(known.byte);
            return Ok(());
        }
        self.decode(compressor, stream, out)?;
        if let Some(byte) = only_byte(out) {
            self.constants.add(compressor, len, byte, stream);
        }
        Ok(())
    }

    fn decode(
        &mut self,
        compressor: Compressor,
        stream: &[u8],
        out: &mut [u8],
    ) -> Result<(), FormatError> {
        let len = match compressor {
            Compressor::Blosclz => blosclz::decompress(stream, out),
            Compressor::Zlib => {
                let context = self.zlib.get_or_insert_with(|| Decompress::new(true));
                context.reset(true);
                let status = context.decompress(stream, out, FlushDecompress::Finish);
                let whole = context.total_in() as usize == stream.len();
                let ended = whole && matches!(status, Ok(Status::StreamEnd));
                ended.then_some(context.total_out() as usize)
            }
            #[cfg(feature = "lz4")]
            Compressor::Lz4 => lzzzz::lz4::decompress(stream, out).ok(),
            #[cfg(feature = "snappy")]
            Compressor::Snappy => snap::raw::Decoder::new().decompress(stream, out).ok(),
            #[cfg(feature = "zstd")]
            Compressor::Zstd => {
                if self.zstd.is_none() {
                    self.zstd = zstd_safe::DCtx::try_create();
                }
                let context = self.zstd.as_mut().ok_or_else(no_memory)?;
                let len = context.decompress(out, stream);
                if len.is_err() {
                    let reset = context.reset(zstd_safe::ResetDirective::SessionOnly);
                    reset.map_err(|_| no_memory())?;
                }
                len.ok()
            }
            #[allow(unreachable_patterns, reason = "what this build lacks")]
            other => {
                let message = format!("Blosc buffers of {other:?} are not handled by this build");
                return Err(FormatError::new(Code::CodecUnsupported, message));
            }
        };
        if len == Some(out.len()) {
            return Ok(());
        }
        let message = format!("a {compressor:?} stream of the Blosc buffer is damaged");
        Err(FormatError::new(Code::CodecCorrupt, message))
    }
}

/// About what zlib takes: a window and tables.
const ZLIB_NBYTES: usize = 1 << 16;

#[cfg(feature = "zstd")]
#[cold]
fn no_memory() -> FormatError {
    FormatError::new(Code::CodecTooLarge, "there is no memory to decompress zstd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_known_fills_no_other_length() {
        let mut packed = Vec::with_capacity(1000);
        let mut context = flate2::Compress::new(flate2::Compression::new(6), true);
        context.compress_vec(&[7; 90_000], &mut packed, flate2::FlushCompress::Finish).unwrap();
        let mut unpacker = Unpacker::default();
        let mut out = vec![0; 100_000];
        for len in [90_000, 100_000, 90_000, 89_999] {
            let done = unpacker.unpack(Compressor::Zlib, &packed, &mut out[..len]);
            assert_eq!(done.is_ok(), len == 90_000, "{len}");
            assert!(len != 90_000 || out[..len].iter().all(|&byte| byte == 7));
        }
    }
}
