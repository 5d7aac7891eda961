//! Blosc 1 buffers: bytes cut into blocks, each shuffled and compressed by itself.
//!
//! What is written here is read by c-blosc, C-Blosc2, numcodecs and the `blosc` codecs of Zarr and
//! HDF5; whatever c-blosc 1 writes is read here. An [`Encoder`] and a [`Decoder`] keep their memory
//! and contexts between buffers: one of each for a thread.
//!
//! ```
//! use ndbytes_codec::blosc::{Codec, Decoder, Encoder, Filter, Options, header};
//!
//! let numbers: Vec<u8> = (0..100_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
//! let options = Options { codec: Codec::Lz4, filter: Filter::Shuffle, typesize: 4, ..Options::default() };
//! let mut buffer = Vec::new();
//! Encoder::new().encode(&numbers, &options, &mut buffer)?;
//! assert_eq!(header(&buffer)?.nbytes as usize, numbers.len());
//!
//! let mut again = vec![0; numbers.len()];
//! let mut decoder = Decoder::new();
//! decoder.decode(&buffer, &mut again)?;
//! assert_eq!(again, numbers);
//! let mut part = [0; 8];
//! decoder.decode_range(&buffer, numbers.len(), 4000, &mut part)?;
//! assert_eq!(part, numbers[4000..4008]);
//! # Ok::<(), ndbytes_format::FormatError>(())
//! ```

mod blosclz;
mod constant;
mod decode;
mod encode;
mod pack;
mod unpack;

use ndbytes_format::FormatError;
pub use ndbytes_format::blosc::{Compressor, Filter, Header};

pub use decode::Decoder;
pub use encode::{Encoder, stored_header};

/// How to encode a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What streams are compressed with.
    pub codec: Codec,
    /// The codec's own level: LZ4 0 to 12, zstd 1 to 19, zlib 1 to 9.
    pub level: u32,
    /// What is done to a block before. Bits are not turned when there is a part of an item: not
    /// every reader gets that part back.
    pub filter: Filter,
    /// Bytes of an item, which the filter takes apart. Over 255 counts as 1, as in c-blosc.
    pub typesize: usize,
    /// Bytes of a block, rounded down to whole items; unless given, [`BLOCK_SIZE`] or, where a
    /// codec gains by it, up to 4 MiB.
    pub block_size: Option<usize>,
    /// Whether each byte of an item, or the eight planes of its bits, is a stream by itself, where
    /// the format allows it; unless given, where the codec gains by it.
    pub split: Option<bool>,
    /// The bytes of the shortest match that zstd looks for, 3 to 7; unless given, what the level says.
    /// Planes of numbers often become smaller, and sooner, when it is longer or shorter.
    pub min_match: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            codec: Codec::Raw,
            level: 1,
            filter: Filter::None,
            typesize: 1,
            block_size: None,
            split: None,
            min_match: None,
        }
    }
}

impl Options {
    /// Whether the codec looks at each place for as long as LZ4 does in its levels after the first.
    fn searches_long(&self) -> bool {
        match self.codec {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => self.level >= 2,
            _ => false,
        }
    }
}

/// What streams can be compressed with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// Nothing: the buffer is a header and the bytes, unfiltered.
    Raw,
    /// LZ4: levels 0 and 1 are its fast search, 2 is between, 3 to 12 are LZ4 HC.
    #[cfg(feature = "lz4")]
    Lz4,
    /// zlib.
    Zlib,
    /// Zstandard.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Codec {
    /// Whether its streams begin without a table of codes, and may as well be short.
    fn is_without_tables(self) -> bool {
        match self {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => true,
            Codec::Raw => true,
            _ => false,
        }
    }

    /// Its compressor in the header. Readers do not look at that of stored buffers.
    fn compressor(self) -> Compressor {
        match self {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => Compressor::Lz4,
            Codec::Zlib => Compressor::Zlib,
            #[cfg(feature = "zstd")]
            Codec::Zstd => Compressor::Zstd,
            Codec::Raw => Compressor::Lz4,
        }
    }
}

/// What a buffer's header says.
///
/// # Errors
/// As [`Header::parse`].
pub fn header(src: &[u8]) -> Result<Header, FormatError> {
    Header::parse(src)
}

/// Bytes of a block unless told otherwise: with its shuffled twin it fits the second-level cache.
pub const BLOCK_SIZE: usize = 1 << 18;
