//! Compressing one stream of a block.

use flate2::{Compress, Compression, FlushCompress, Status};
#[cfg(any(feature = "lz4", feature = "zstd"))]
use ndbytes_format::Code;
use ndbytes_format::FormatError;

#[cfg(feature = "zstd")]
use super::Filter;
use super::constant::{Constants, only_byte};
use super::{Codec, Options};

/// A context for each codec, made when it is first needed.
#[derive(Default)]
pub(super) struct Packer {
    zlib: Option<(u32, Compress)>,
    #[cfg(feature = "zstd")]
    zstd: Option<Zstd>,
    constants: Constants<(Codec, Parameters)>,
}

/// A context, and what it is set to.
#[cfg(feature = "zstd")]
struct Zstd {
    context: zstd_safe::CCtx<'static>,
    set: Parameters,
}

/// Level, least match, and the logarithm of how many places the search remembers.
type Parameters = [u32; 3];

impl Packer {
    /// Makes the context for this codec and level.
    pub(super) fn prepare(&mut self, options: &Options) -> Result<(), FormatError> {
        let level = options.level;
        match options.codec {
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
                if self.zlib.as_ref().is_none_or(|&(of, _)| of != level) {
                    self.zlib = Some((level, zlib_context(level)));
                }
            }
            #[cfg(feature = "zstd")]
            Codec::Zstd => {
                crate::Codec::Zstd.check_level(level)?;
                let zstd = match &mut self.zstd {
                    Some(zstd) => zstd,
                    none => none.insert(Zstd::new()?),
                };
                zstd.set(options)?;
            }
        }
        Ok(())
    }

    /// Bytes of memory that the contexts hold, or about as many.
    pub(super) fn nbytes(&self) -> usize {
        let zlib = if self.zlib.is_some() { ZLIB_NBYTES } else { 0 };
        #[cfg(not(feature = "zstd"))]
        let zstd = 0;
        #[cfg(feature = "zstd")]
        let zstd = self.zstd.as_ref().map_or(0, |zstd| zstd.context.sizeof());
        zlib + zstd + self.constants.nbytes()
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
        let Some(byte) = only_byte(stream) else {
            return self.search(codec, level, stream, out);
        };
        let way = (codec, self.parameters(codec, level));
        let known = self
            .constants
            .find(|one| one.way == way && one.len == stream.len() && one.byte == byte);
        if let Some(known) = known {
            let len = known.packed.len();
            out[..len].copy_from_slice(&known.packed);
            return Ok(Some(len));
        }
        let len = self.search(codec, level, stream, out)?;
        if let Some(len) = len {
            self.constants.add(way, stream.len(), byte, &out[..len]);
        }
        Ok(len)
    }

    /// Whatever of how a codec searches may differ from one buffer to the next.
    fn parameters(&self, codec: Codec, level: u32) -> Parameters {
        match codec {
            #[cfg(feature = "zstd")]
            Codec::Zstd => self.zstd.as_ref().map_or([level, 0, 0], |zstd| zstd.set),
            _ => [level, 0, 0],
        }
    }

    fn search(
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
                1 => lzzzz::lz4::compress(stream, out, 1).ok(),
                _ if is_noise(stream, out) => None,
                level => lzzzz::lz4_hc::compress(stream, out, level as i32).ok(),
            },
            Codec::Zlib => {
                let (_, context) = self.zlib.get_or_insert_with(|| (level, zlib_context(level)));
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
                let context = &mut self.zstd.as_mut().ok_or_else(broken)?.context;
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

/// Whether LZ4's fast search finds nothing, as it tells sooner than the thorough one. What it finds
/// something in a part of needs no other look.
#[cfg(feature = "lz4")]
fn is_noise(stream: &[u8], out: &mut [u8]) -> bool {
    let part = &stream[stream.len() / 2..][..stream.len() / 8];
    [part, stream]
        .iter()
        .all(|bytes| lzzzz::lz4::compress(bytes, out, 1).is_ok_and(|len| len + 1 >= bytes.len()))
}

fn zlib_context(level: u32) -> Compress {
    Compress::new(Compression::new(level), true)
}

#[cfg(feature = "zstd")]
impl Zstd {
    fn new() -> Result<Self, FormatError> {
        let context = zstd_safe::CCtx::try_create().ok_or_else(broken)?;
        Ok(Self { context, set: [0; 3] })
    }

    /// Has the context search as the options say; its memory stays.
    fn set(&mut self, options: &Options) -> Result<(), FormatError> {
        use zstd_safe::CParameter::{CompressionLevel, HashLog, MinMatch};

        if let Some(other) = options.min_match.filter(|len| !(3..=7).contains(len)) {
            let message = format!("zstd looks for matches of 3 to 7 bytes or more, not {other}");
            return Err(FormatError::new(Code::Argument, message));
        }
        // 0 is what the level says.
        let min_match = options.min_match.unwrap_or(0);
        let set = [options.level, min_match, hash_log(options)];
        if self.set != set {
            let [level, min_match, hash_log] = set;
            let parameters =
                [CompressionLevel(level as i32), MinMatch(min_match), HashLog(hash_log)];
            for parameter in parameters {
                self.context.set_parameter(parameter).map_err(|_| broken())?;
            }
            self.set = set;
        }
        Ok(())
    }
}

/// Level 1 has a half or a fourth of these places where streams are longer than 16 KiB. More take no
/// longer and find more, but where bits are turned: there they take longer, and find next to nothing.
#[cfg(feature = "zstd")]
fn hash_log(options: &Options) -> u32 {
    let searches_more = options.level == 1 && options.filter != Filter::Bitshuffle;
    // 0 is what the level says.
    if searches_more { 15 } else { 0 }
}

/// 0 and 1 are the fast search, 0 in large steps; 2 is between; from 3 on, LZ4 HC.
#[cfg(feature = "lz4")]
pub(super) const LZ4_LEVELS: std::ops::RangeInclusive<u32> = 0..=12;
/// About what zlib takes: a window, and tables of where bytes were.
const ZLIB_NBYTES: usize = 1 << 18;
/// How much sooner level 0 gives a place up.
#[cfg(feature = "lz4")]
const ACCELERATION: i32 = 4;

#[cfg(feature = "zstd")]
#[cold]
fn broken() -> FormatError {
    FormatError::new(Code::TooManyBytes, "there is no memory to compress with")
}
