//! Compressing one stream of a block.

use flate2::{Compress, Compression, FlushCompress, Status};
use ndbytes_format::{Code, FormatError};

use super::Codec;

/// A context for each codec, made when it is first needed.
#[derive(Default)]
pub(super) struct Packer {
    level: u32,
    zlib: Option<Compress>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd_safe::CCtx<'static>>,
}

impl Packer {
    /// Makes the context for this codec and level.
    pub(super) fn prepare(&mut self, codec: Codec, level: u32) -> Result<(), FormatError> {
        match codec {
            Codec::Raw => return Ok(()),
            // Its contexts belong to the thread.
            #[cfg(feature = "lz4")]
            Codec::Lz4 if LZ4_LEVELS.contains(&level) => return Ok(()),
            #[cfg(feature = "lz4")]
            Codec::Lz4 => {
                let message = format!("the level of lz4 must be 0 to 12, not {level}");
                return Err(FormatError::new(Code::Argument, message));
            }
            Codec::Zlib => {
                crate::Codec::Zlib.check_level(level)?;
                if self.zlib.is_none() || self.level != level {
                    self.zlib = Some(zlib_context(level));
                }
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd => {
                crate::Codec::Zstd.check_level(level)?;
                if self.zstd.is_none() || self.level != level {
                    self.zstd = Some(zstd_context(level)?);
                }
            }
        }
        if self.level != level {
            // The other codec's context is of the old level.
            match codec {
                #[cfg(feature = "zstd")]
                Codec::Zlib => self.zstd = None,
                _ => self.zlib = None,
            }
            self.level = level;
        }
        Ok(())
    }

    /// How much room [`pack`](Self::pack) needs.
    pub(super) fn room(&self, codec: Codec, len: usize) -> usize {
        match codec {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => lzzzz::lz4::max_compressed_size(len),
            _ => len,
        }
    }

    /// Compresses a stream into `out`: its length, or none when it does not become smaller.
    pub(super) fn pack(
        &mut self,
        codec: Codec,
        level: u32,
        stream: &[u8],
        out: &mut [u8],
    ) -> Result<Option<usize>, FormatError> {
        // Of one length, it would count as not compressed.
        let most = stream.len().saturating_sub(1);
        let len = match codec {
            Codec::Raw => None,
            #[cfg(feature = "lz4")]
            Codec::Lz4 => match level {
                0 => lzzzz::lz4::compress(stream, out, ACCELERATION).ok(),
                1 | 2 => lzzzz::lz4::compress(stream, out, 1).ok(),
                level => lzzzz::lz4_hc::compress(stream, out, level as i32).ok(),
            },
            Codec::Zlib => {
                let context = self.zlib.get_or_insert_with(|| zlib_context(level));
                let status = context.compress(stream, &mut out[..most], FlushCompress::Finish);
                let len = context.total_out() as usize;
                if matches!(status, Ok(Status::StreamEnd)) {
                    context.reset();
                    Some(len)
                } else {
                    // zlib-rs 0.6 writes damaged streams with a context whose last one was broken
                    // off, also after it was reset.
                    self.zlib = None;
                    None
                }
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd => {
                let context = self.zstd.as_mut().ok_or_else(broken)?;
                let len = context.compress2(&mut out[..most], stream);
                if len.is_err() {
                    context.reset(zstd_safe::ResetDirective::SessionOnly).map_err(|_| broken())?;
                }
                len.ok()
            }
        };
        Ok(len.filter(|&len| len <= most))
    }
}

fn zlib_context(level: u32) -> Compress {
    Compress::new(Compression::new(level), true)
}

#[cfg(feature = "zstd")]
fn zstd_context(level: u32) -> Result<zstd_safe::CCtx<'static>, FormatError> {
    let mut context = zstd_safe::CCtx::try_create().ok_or_else(broken)?;
    let level = zstd_safe::CParameter::CompressionLevel(level as i32);
    context.set_parameter(level).map_err(|_| broken())?;
    Ok(context)
}

/// 0 to 2 are the fast search, 0 in large steps; from 3 on, LZ4 HC.
#[cfg(feature = "lz4")]
pub(super) const LZ4_LEVELS: std::ops::RangeInclusive<u32> = 0..=12;
/// How much sooner level 0 gives a place up.
#[cfg(feature = "lz4")]
const ACCELERATION: i32 = 4;

#[cold]
fn broken() -> FormatError {
    FormatError::new(Code::TooManyBytes, "there is no memory to compress with")
}
