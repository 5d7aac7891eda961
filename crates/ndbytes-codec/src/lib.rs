//! Bytes to bytes: the compressed streams that stock tools read and write.
//!
//! [`Codec`] names them; [`Encoder`] and [`Decoder`] stream, [`decompress`] has a cap. Damage,
//! truncation and bytes left over are told apart.
#![forbid(unsafe_code)]

mod decode;
pub mod deflate;
mod encode;

pub use decode::{Decoder, decompress};
pub use encode::{Encoder, MAX_LEVEL, compress};

/// A compressed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// RFC 1951, bare: no header, no checksum.
    Deflate,
    /// RFC 1952, as `gzip` writes it; several members may follow one another.
    Gzip,
    /// RFC 1950, as `zlib.compress` writes it.
    Zlib,
}

impl Codec {
    /// Every codec.
    pub const ALL: &'static [Codec] = &[Codec::Deflate, Codec::Gzip, Codec::Zlib];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Codec::Deflate => "deflate",
            Codec::Gzip => "gzip",
            Codec::Zlib => "zlib",
        }
    }

    /// The codec of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|codec| codec.as_str() == name)
    }
}
