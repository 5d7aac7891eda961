//! The journal of an append to a frame or an archive: the bytes of the file that it writes over, so
//! that they can be put back. `docs/spec/journal.md` is normative.

use crate::cursor::Cursor;
use crate::error::{Code, FormatError, Result};

/// Which bytes of a file a journal holds: its header, and all from `tail_at` on.
///
/// After the prelude come these bytes, the header first, and a CRC-32C of all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Bytes of the file before the append.
    pub file_len: u64,
    /// Where the first byte is that the append writes over, after the header.
    pub tail_at: u64,
    /// Bytes of its header; none of an archive.
    pub header_len: u32,
}

impl Journal {
    /// Bytes of the prelude.
    pub const PRELUDE_LEN: usize = 28;

    /// The prelude's bytes.
    pub fn encode(&self) -> [u8; Self::PRELUDE_LEN] {
        let mut bytes = [0; Self::PRELUDE_LEN];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.file_len.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.tail_at.to_le_bytes());
        bytes[24..].copy_from_slice(&self.header_len.to_le_bytes());
        bytes
    }

    /// Parses the prelude of a journal of `len` bytes in all.
    ///
    /// # Errors
    /// [`Code::Journal`] when it is none, or its numbers contradict one another.
    pub fn parse(prelude: &[u8], len: u64) -> Result<Self> {
        let mut cursor = Cursor::new(prelude, Code::Journal);
        let bad = |message: &str| Err(FormatError::new(Code::Journal, message).at(0));
        if cursor.take(MAGIC.len())? != MAGIC {
            return bad("not the journal of an append");
        }
        let journal =
            Self { file_len: cursor.u64()?, tail_at: cursor.u64()?, header_len: cursor.u32()? };
        // No file is longer than positions in it can be.
        let ordered = u64::from(journal.header_len) <= journal.tail_at
            && journal.tail_at <= journal.file_len
            && i64::try_from(journal.file_len).is_ok();
        if !ordered || journal.held().checked_add(Self::AROUND) != Some(len) {
            return bad("a journal that was cut, or whose lengths contradict one another");
        }
        Ok(journal)
    }

    /// Where a byte of the file is in the journal, and how many follow it there.
    pub fn find(&self, at: u64) -> Option<(u64, u64)> {
        let (prelude, header_len) = (Self::PRELUDE_LEN as u64, u64::from(self.header_len));
        if at < header_len {
            Some((prelude + at, header_len - at))
        } else if at >= self.tail_at && at < self.file_len {
            Some((prelude + header_len + (at - self.tail_at), self.file_len - at))
        } else {
            None
        }
    }

    /// Bytes of the file that it holds.
    fn held(&self) -> u64 {
        u64::from(self.header_len).saturating_add(self.file_len - self.tail_at)
    }

    /// Bytes that are not of the file: the prelude and the checksum.
    const AROUND: u64 = Self::PRELUDE_LEN as u64 + crate::frame::CHECKSUM_LEN as u64;
}

const MAGIC: &[u8; 8] = b"\x89NDJ\r\n\x1a\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_parsed_and_found() {
        let journal = Journal { file_len: 1000, tail_at: 900, header_len: 100 };
        let bytes = journal.encode();
        assert_eq!(Journal::parse(&bytes, 232), Ok(journal));
        let found = [(0, Some((28, 100))), (99, Some((127, 1))), (100, None), (899, None)];
        let beyond = [(900, Some((128, 100))), (999, Some((227, 1))), (1000, None)];
        for (at, place) in found.into_iter().chain(beyond) {
            assert_eq!(journal.find(at), place, "{at}");
        }
    }

    #[test]
    fn lengths_that_contradict_one_another_are_refused() {
        let journal = |file_len, tail_at, header_len| {
            Journal { file_len, tail_at, header_len }.encode().to_vec()
        };
        for (bytes, len) in [
            (journal(1000, 900, 100), 231),
            (journal(1000, 1001, 100), 131),
            (journal(1000, 99, 100), 1033),
            (journal(u64::MAX, 0, 0), 31),
            (journal(u64::MAX, u64::MAX - 10, 100), 142),
            (journal(1 << 63, 1 << 63, 100), 132),
            (journal(1000, 900, 100)[..27].to_vec(), 232),
            (vec![0; 28], 32),
        ] {
            assert_eq!(Journal::parse(&bytes, len).unwrap_err().code(), Code::Journal);
        }
    }
}
