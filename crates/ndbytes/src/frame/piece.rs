//! What frames are made of: header, records and index, each with a checksum at its end.

use ndbytes_format::frame::{CHECKSUM_LEN, Record};

use crate::error::Result;
use crate::frame::chunk::no_memory;

/// A piece that is ready to be written. Items that are stored as they are stay where they lie.
pub(super) struct Piece<'a> {
    front: Vec<u8>,
    items: &'a [u8],
    checksum: [u8; CHECKSUM_LEN],
}

/// The items of a chunk.
#[derive(Clone, Copy)]
pub(super) enum Items<'a, 'b> {
    /// They lie in the array one after another.
    Placed(&'a [u8]),
    /// They were gathered.
    Gathered(&'b [u8]),
}

impl<'a> Piece<'a> {
    /// Bytes and the checksum of all of them.
    pub(super) fn header(front: Vec<u8>) -> Self {
        let checksum = crc32c::crc32c(&front).to_le_bytes();
        Self { front, items: &[], checksum }
    }

    /// A record. `front` is room for the prefix and the start of the payload, and `items` its rest;
    /// `record` makes the prefix of the length.
    pub(super) fn record(
        mut front: Vec<u8>,
        items: &'a [u8],
        record: impl FnOnce(u32) -> Record,
    ) -> Result<Self> {
        let start = crc32c::crc32c(&front[Record::PREFIX_LEN..]);
        let checksum = crc32c::crc32c_append(start, items).to_le_bytes();
        let len = front.len() - Record::PREFIX_LEN + items.len() + CHECKSUM_LEN;
        let len = u32::try_from(len).map_err(|_| no_memory())?;
        front[..Record::PREFIX_LEN].copy_from_slice(&record(len).encode());
        Ok(Self { front, items, checksum })
    }

    /// The bytes in parts, in order.
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        [&self.front, self.items, &self.checksum]
    }

    pub(super) fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}

impl Items<'_, '_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Items::Placed(bytes) | Items::Gathered(bytes) => bytes,
        }
    }
}
