//! What stands around deflate: the headers and checksums of zlib and gzip.

use zlib_rs::adler32::{adler32, adler32_combine};
use zlib_rs::crc32::{crc32, crc32_combine};

use crate::Codec;

/// The bytes before a stream of deflate made at this level: RFC 1950 section 2.2, RFC 1952 section
/// 2.3. A gzip header has no time and no name, and an unknown system, so that it is the same
/// everywhere.
pub const fn header(codec: Codec, level: u32) -> &'static [u8] {
    match (codec, level) {
        (Codec::Zlib, 0 | 1) => b"\x78\x01",
        (Codec::Zlib, 2..=5) => b"\x78\x5e",
        (Codec::Zlib, 6) => b"\x78\x9c",
        (Codec::Zlib, _) => b"\x78\xda",
        (Codec::Gzip, 0 | 1) => b"\x1f\x8b\x08\0\0\0\0\0\x04\xff",
        (Codec::Gzip, 2..=8) => b"\x1f\x8b\x08\0\0\0\0\0\0\xff",
        (Codec::Gzip, _) => b"\x1f\x8b\x08\0\0\0\0\0\x02\xff",
        _ => b"",
    }
}

/// How long the header is that these bytes begin with: one of the common form, which needs nothing
/// that deflate itself does not. None for any other, for less than a whole one, and for damage.
pub fn header_len(codec: Codec, bytes: &[u8]) -> Option<usize> {
    match codec {
        Codec::Zlib => {
            let &[method, flags, ..] = bytes else { return None };
            // Deflate with a whole window, no dictionary.
            let sum = u16::from_be_bytes([method, flags]);
            (method == 0x78 && flags & 0x20 == 0 && sum.is_multiple_of(31)).then_some(2)
        }
        Codec::Gzip => {
            let &[0x1f, 0x8b, 8, flags, ..] = bytes else { return None };
            let mut at = 10;
            if flags & !(TEXT | EXTRA | NAME | COMMENT) != 0 {
                return None;
            }
            if flags & EXTRA != 0 {
                let len = bytes.get(at..at + 2)?;
                at += 2 + usize::from(u16::from_le_bytes([len[0], len[1]]));
            }
            for flag in [NAME, COMMENT] {
                if flags & flag != 0 {
                    at += 1 + bytes.get(at..)?.iter().position(|&byte| byte == 0)?;
                }
            }
            (at <= bytes.len()).then_some(at)
        }
        _ => Some(0),
    }
}

/// Checksum and length of what went into a stream of zlib or gzip; nothing for bare deflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    codec: Codec,
    sum: u32,
    len: u64,
}

impl Check {
    /// That of these bytes.
    pub fn of(codec: Codec, bytes: &[u8]) -> Self {
        let sum = match codec {
            Codec::Zlib => adler32(1, bytes),
            Codec::Gzip => crc32(0, bytes),
            _ => 0,
        };
        Self { codec, sum, len: bytes.len() as u64 }
    }

    /// That of these bytes and those of `next` behind them.
    pub fn join(&mut self, next: &Self) {
        self.sum = match self.codec {
            Codec::Zlib => adler32_combine(self.sum, next.sum, next.len),
            Codec::Gzip => crc32_combine(self.sum, next.sum, next.len),
            _ => 0,
        };
        self.len += next.len;
    }

    /// How many bytes it is of.
    pub fn total(&self) -> u64 {
        self.len
    }

    /// What ends the stream.
    pub fn trailer(&self) -> Vec<u8> {
        match self.codec {
            Codec::Zlib => self.sum.to_be_bytes().to_vec(),
            // The length counts modulo 2^32.
            Codec::Gzip => [self.sum.to_le_bytes(), (self.len as u32).to_le_bytes()].concat(),
            _ => Vec::new(),
        }
    }
}

const TEXT: u8 = 1;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const CODECS: [Codec; 3] = [Codec::Deflate, Codec::Gzip, Codec::Zlib];

    #[test]
    fn checks_of_parts_are_that_of_the_whole() {
        let data: Vec<u8> = (0..100_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        for codec in CODECS {
            let whole = Check::of(codec, &data);
            for cut in [0, 1, 63, 64, 4095, 65_521, 99_999, 100_000] {
                let mut joined = Check::of(codec, &data[..cut]);
                joined.join(&Check::of(codec, &data[cut..]));
                assert_eq!(joined, whole, "{codec:?} {cut}");
            }
        }
    }

    #[test]
    fn our_headers_are_known() {
        for codec in CODECS {
            for level in 0..=10 {
                let bytes = header(codec, level);
                assert_eq!(header_len(codec, bytes), Some(bytes.len()));
                for end in 0..bytes.len() {
                    assert_eq!(header_len(codec, &bytes[..end]), None);
                }
            }
        }
    }

    #[test]
    fn fields_of_gzip_are_passed_over() {
        let bytes = b"\x1f\x8b\x08\x1d1234\0\x03\x02\0ab name\0 note\0rest";
        assert_eq!(header_len(Codec::Gzip, bytes), Some(bytes.len() - 4));
        for end in 0..bytes.len() - 4 {
            assert_eq!(header_len(Codec::Gzip, &bytes[..end]), None);
        }
        // A checksum of the header, and flags to come.
        for flag in [2, 0x20, 0x40, 0x80] {
            assert_eq!(header_len(Codec::Gzip, &[0x1f, 0x8b, 8, flag, 0, 0, 0, 0, 0, 3, 0]), None);
        }
    }
}
