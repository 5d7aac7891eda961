//! The header of a Blosc 1 buffer, and how it cuts bytes into blocks and streams.
//!
//! A buffer is this header, a table with the start of each block (`u32`, counted from the start of
//! the buffer), and the blocks. A block is one stream, or one for each byte of an item when it is
//! split; before each stream stands its length (`u32`). A stream as long as what it stands for is
//! not compressed. A stored buffer is the header and the bytes. All integers are little-endian.

use std::ops::Range;

use crate::error::{Code, FormatError, Result};

/// What the 16 bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the streams are compressed with.
    pub compressor: Compressor,
    /// What was done to the blocks before.
    pub filter: Filter,
    /// Whether blocks are split into as many streams as an item has bytes.
    pub split: bool,
    /// Whether the bytes follow the header as they are.
    pub stored: bool,
    /// Bytes of an item.
    pub typesize: u8,
    /// Bytes that come out.
    pub nbytes: u32,
    /// Bytes of each block but the last.
    pub block_size: u32,
    /// Bytes of the buffer, with the header.
    pub cbytes: u32,
}

/// What a stream can be compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compressor {
    /// Blosc's own, a relative of FastLZ.
    Blosclz,
    /// LZ4 blocks, of `lz4` and `lz4hc`.
    Lz4,
    /// Snappy, raw format.
    Snappy,
    /// A zlib stream.
    Zlib,
    /// A Zstandard frame.
    Zstd,
}

/// What can be done to a block before it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Nothing.
    None,
    /// The bytes of items are transposed.
    Shuffle,
    /// The bits of items are transposed.
    Bitshuffle,
}

impl Header {
    /// Reads the header at the start of a buffer, and checks that it agrees with itself.
    ///
    /// # Errors
    /// [`Code::CodecTruncated`] for less than 16 bytes, [`Code::CodecUnsupported`] for a version
    /// or compressor other than those of c-blosc 1, [`Code::BloscHeader`] for sizes that cannot be.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let Some(&[version, compressor_version, flags, typesize, ref sizes @ ..]) =
            bytes.first_chunk::<HEADER_LEN>()
        else {
            let message = format!("expected a Blosc header of 16 bytes, got {}", bytes.len());
            return Err(FormatError::new(Code::CodecTruncated, message).at(bytes.len() as u64));
        };
        let size = |at: usize| {
            u32::from_le_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]])
        };
        if version != VERSION {
            let what = if version > VERSION { "; 3 and later are Blosc2" } else { "" };
            return Err(unsupported(format!("Blosc format {version}{what}"), 0));
        }
        if flags & RESERVED != 0 {
            return Err(unsupported(format!("Blosc flags {flags:#04x}"), 2));
        }
        let stored = flags & STORED != 0;
        let compressor = match flags >> 5 {
            0 => Compressor::Blosclz,
            1 => Compressor::Lz4,
            2 => Compressor::Snappy,
            3 => Compressor::Zlib,
            4 => Compressor::Zstd,
            code => return Err(unsupported(format!("Blosc compressor {code}"), 2)),
        };
        if compressor_version != COMPRESSOR_VERSION && !stored {
            return Err(unsupported(format!("version {compressor_version} of the streams"), 1));
        }
        // One byte per item leaves nothing to shuffle.
        let filter = if flags & SHUFFLE != 0 && typesize > 1 {
            Filter::Shuffle
        } else if flags & BITSHUFFLE != 0 {
            Filter::Bitshuffle
        } else {
            Filter::None
        };
        let header = Self {
            compressor,
            filter,
            split: flags & NOT_SPLIT == 0,
            stored,
            typesize,
            nbytes: size(0),
            block_size: size(4),
            cbytes: size(8),
        };
        header.check()?;
        Ok(header)
    }

    /// The 16 bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut flags = match self.compressor {
            Compressor::Blosclz => 0,
            Compressor::Lz4 => 1 << 5,
            Compressor::Snappy => 2 << 5,
            Compressor::Zlib => 3 << 5,
            Compressor::Zstd => 4 << 5,
        };
        flags |= match self.filter {
            Filter::None => 0,
            Filter::Shuffle => SHUFFLE,
            Filter::Bitshuffle => BITSHUFFLE,
        };
        flags |= if self.split { 0 } else { NOT_SPLIT };
        flags |= if self.stored { STORED } else { 0 };
        let mut bytes = [0; HEADER_LEN];
        bytes[..4].copy_from_slice(&[VERSION, COMPRESSOR_VERSION, flags, self.typesize]);
        bytes[4..8].copy_from_slice(&self.nbytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.block_size.to_le_bytes());
        bytes[12..].copy_from_slice(&self.cbytes.to_le_bytes());
        bytes
    }

    /// How many blocks there are.
    pub fn block_count(&self) -> usize {
        self.nbytes.div_ceil(self.block_size.max(1)) as usize
    }

    /// Which of the bytes that come out are in this block.
    pub fn block(&self, index: usize) -> Range<usize> {
        let (size, nbytes) = (self.block_size as usize, self.nbytes as usize);
        let start = index.saturating_mul(size).min(nbytes);
        start..start.saturating_add(size).min(nbytes)
    }

    /// How many streams a block of that many bytes is cut into: one, or one per byte of an item.
    /// A block that is shorter than the others is never cut, nor are long items or short blocks.
    pub fn stream_count(&self, block_len: usize) -> usize {
        let typesize = usize::from(self.typesize);
        let cut = self.split
            && typesize <= MAX_SPLIT_TYPESIZE
            && block_len == self.block_size as usize
            && block_len / typesize >= MIN_SPLIT_ITEMS;
        if cut { typesize } else { 1 }
    }

    /// Where the blocks begin: after the header and, unless stored, the table of starts.
    pub fn data_start(&self) -> usize {
        HEADER_LEN + if self.stored { 0 } else { 4 * self.block_count() }
    }

    fn check(&self) -> Result<()> {
        let fault = |message: String, at| Err(FormatError::new(Code::BloscHeader, message).at(at));
        if self.typesize == 0 {
            return fault("items of 0 bytes".into(), 3);
        }
        if self.nbytes > MAX_NBYTES {
            return fault(format!("{} bytes are more than Blosc allows", self.nbytes), 4);
        }
        let (cbytes, nbytes) = (self.cbytes as usize, self.nbytes as usize);
        if cbytes < HEADER_LEN || cbytes > MAX_NBYTES as usize + HEADER_LEN {
            return fault(format!("a buffer of {cbytes} bytes cannot be"), 12);
        }
        if nbytes == 0 {
            return match cbytes {
                HEADER_LEN => Ok(()),
                _ => fault(format!("{cbytes} bytes for none"), 12),
            };
        }
        if self.block_size == 0 || self.block_size > self.nbytes {
            return fault(format!("blocks of {} of {nbytes} bytes", self.block_size), 8);
        }
        if self.stored && cbytes != nbytes + HEADER_LEN {
            return fault(format!("{nbytes} bytes cannot be stored in {cbytes}"), 12);
        }
        // Each block has a start and the length of a stream.
        if !self.stored && cbytes - HEADER_LEN < 8 * self.block_count() {
            return fault(format!("{} blocks do not fit {cbytes} bytes", self.block_count()), 8);
        }
        let block_size = self.block_size as usize;
        let streams = self.stream_count(block_size);
        if !self.stored && !block_size.is_multiple_of(streams) {
            return fault(format!("blocks of {block_size} bytes cannot be split in {streams}"), 8);
        }
        Ok(())
    }
}

#[cold]
fn unsupported(what: String, at: u64) -> FormatError {
    FormatError::new(Code::CodecUnsupported, format!("{what} is not handled")).at(at)
}

/// Bytes of the header.
pub const HEADER_LEN: usize = 16;
/// The most bytes that one buffer may hold: lengths are 32 bits with a sign.
pub const MAX_NBYTES: u32 = i32::MAX as u32 - HEADER_LEN as u32;
/// Items of more bytes are never split into streams.
pub const MAX_SPLIT_TYPESIZE: usize = 16;
/// Blocks of fewer items are never split into streams.
pub const MIN_SPLIT_ITEMS: usize = 128;
/// The format of c-blosc 1.
const VERSION: u8 = 2;
/// Of each compressor there is one version.
const COMPRESSOR_VERSION: u8 = 1;
const SHUFFLE: u8 = 0x01;
const STORED: u8 = 0x02;
const BITSHUFFLE: u8 = 0x04;
const RESERVED: u8 = 0x08;
const NOT_SPLIT: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        compressor: Compressor::Zstd,
        filter: Filter::Shuffle,
        split: true,
        stored: false,
        typesize: 4,
        nbytes: 10_000,
        block_size: 4096,
        cbytes: 5000,
    };

    #[test]
    fn comes_back() {
        let bytes = HEADER.encode();
        assert_eq!(bytes[..4], [2, 1, 0x81, 4]);
        assert_eq!(Header::parse(&bytes), Ok(HEADER));
        for end in 0..HEADER_LEN {
            assert_eq!(Header::parse(&bytes[..end]).unwrap_err().code(), Code::CodecTruncated);
        }
    }

    #[test]
    fn blocks_and_streams() {
        assert_eq!(HEADER.block_count(), 3);
        assert_eq!(HEADER.block(2), 8192..10_000);
        assert_eq!(HEADER.stream_count(4096), 4);
        assert_eq!(HEADER.stream_count(1808), 1);
        assert_eq!(HEADER.data_start(), 28);
        assert_eq!(Header { split: false, ..HEADER }.stream_count(4096), 1);
        let short = Header { block_size: 4 * 127, ..HEADER };
        assert_eq!(short.stream_count(4 * 127), 1);
    }

    #[test]
    fn lies_are_refused() {
        for lie in [
            Header { typesize: 0, ..HEADER },
            Header { nbytes: u32::MAX, ..HEADER },
            Header { nbytes: MAX_NBYTES + 1, ..HEADER },
            Header { block_size: 0, ..HEADER },
            Header { block_size: 10_001, ..HEADER },
            Header { block_size: 1, ..HEADER },
            Header { block_size: 4097, ..HEADER },
            Header { cbytes: 15, ..HEADER },
            Header { cbytes: u32::MAX, ..HEADER },
            Header { cbytes: 39, ..HEADER },
            Header { stored: true, ..HEADER },
            Header { nbytes: 0, ..HEADER },
        ] {
            let error = Header::parse(&lie.encode()).unwrap_err();
            assert_eq!(error.code(), Code::BloscHeader, "{lie:?}");
        }
        for (at, value) in [(0, 1), (0, 5), (1, 2), (2, 0x89), (2, 0xa1), (2, 0xe1)] {
            let mut bytes = HEADER.encode();
            bytes[at] = value;
            assert_eq!(Header::parse(&bytes).unwrap_err().code(), Code::CodecUnsupported);
        }
    }
}
