//! Bytes to bytes: the compressed streams that stock tools read and write.
//!
//! [`Codec`] names them; [`Encoder`] and [`Decoder`] stream, [`decompress`] has a cap. Damage,
//! truncation and bytes left over are told apart.
//!
//! # Features
//! `zstd`, `lz4`, `snappy` and `pco`, all on by default; deflate is always there.
#![forbid(unsafe_code)]

pub mod blosc;
mod decode;
pub mod deflate;
mod encode;
#[cfg(feature = "lz4")]
pub mod lz4;
#[cfg(feature = "pco")]
pub mod pco;
mod wrap;
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;

use std::ops::RangeInclusive;

use ndbytes_format::{Code, FormatError};

pub use decode::{Decoder, content_len, decompress, invalid, too_large};
pub use encode::{Encoder, compress};
pub use wrap::{Check, header, header_len};
pub use zlib::MAX_LEVEL;

/// A compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// RFC 1951, bare: no header, no checksum.
    Deflate,
    /// RFC 1952, as `gzip` writes it; several members may follow one another.
    Gzip,
    /// An LZ4 frame, as `lz4` writes it; several may follow one another.
    #[cfg(feature = "lz4")]
    Lz4,
    /// RFC 1950, as `zlib.compress` writes it.
    Zlib,
    /// RFC 8878, as `zstd` writes it; several frames may follow one another.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Codec {
    /// Every codec that this build has.
    pub const ALL: &'static [Codec] = &[
        Codec::Deflate,
        Codec::Gzip,
        #[cfg(feature = "lz4")]
        Codec::Lz4,
        Codec::Zlib,
        #[cfg(feature = "zstd")]
        Codec::Zstd,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Codec::Deflate => "deflate",
            Codec::Gzip => "gzip",
            #[cfg(feature = "lz4")]
            Codec::Lz4 => "lz4",
            Codec::Zlib => "zlib",
            #[cfg(feature = "zstd")]
            Codec::Zstd => "zstd",
        }
    }

    /// The codec of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|codec| codec.as_str() == name)
    }

    /// Its levels, from fast to small. Those of deflate begin with 0, which stores.
    pub const fn levels(self) -> RangeInclusive<u32> {
        match self {
            Codec::Deflate | Codec::Gzip | Codec::Zlib => 0..=MAX_LEVEL,
            #[cfg(feature = "lz4")]
            Codec::Lz4 => 1..=1,
            // The highest three need much memory, also to decompress.
            #[cfg(feature = "zstd")]
            Codec::Zstd => 1..=19,
        }
    }

    /// The level that its own tool takes when none is given.
    pub const fn default_level(self) -> u32 {
        match self {
            Codec::Deflate | Codec::Gzip | Codec::Zlib => 6,
            #[cfg(feature = "lz4")]
            Codec::Lz4 => 1,
            #[cfg(feature = "zstd")]
            Codec::Zstd => 3,
        }
    }

    /// Refuses a level that the codec does not have.
    ///
    /// # Errors
    /// [`Code::Argument`], with what there is.
    pub fn check_level(self, level: u32) -> Result<(), FormatError> {
        let levels = self.levels();
        if levels.contains(&level) {
            return Ok(());
        }
        let (low, high) = (levels.start(), levels.end());
        let message = if low == high {
            format!("{} has one level, {low}, not {level}", self.as_str())
        } else {
            format!("the level of {} must be {low} to {high}, not {level}", self.as_str())
        };
        Err(FormatError::new(Code::Argument, message))
    }

    /// What is wrong with a stream that no encoder writes.
    #[cold]
    pub fn damaged(self) -> FormatError {
        FormatError::new(Code::CodecCorrupt, format!("the {} stream is damaged", self.as_str()))
    }

    /// What is wrong with a stream whose end is missing.
    #[cold]
    pub fn truncated(self) -> FormatError {
        FormatError::new(Code::CodecTruncated, format!("the {} stream ends early", self.as_str()))
    }

    /// What is wrong where a stream should be all that there is.
    #[cold]
    pub fn trailing(self) -> FormatError {
        let message = format!("bytes follow the end of the {} stream", self.as_str());
        FormatError::new(Code::CodecTrailing, message)
    }

    /// Whether streams of this kind may follow one another, and this byte can begin the next.
    pub fn may_follow(self, byte: u8) -> bool {
        match self {
            Codec::Deflate | Codec::Zlib => false,
            Codec::Gzip => byte == 0x1f,
            // The magic of a frame, or of one that is to be skipped.
            #[cfg(feature = "lz4")]
            Codec::Lz4 => byte == 0x04 || byte & 0xf0 == 0x50,
            #[cfg(feature = "zstd")]
            Codec::Zstd => byte == 0x28 || byte & 0xf0 == 0x50,
        }
    }

    /// Whether streams of this kind may follow one another.
    fn repeats(self) -> bool {
        !matches!(self, Codec::Deflate | Codec::Zlib)
    }
}
