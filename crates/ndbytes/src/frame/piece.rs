//! What frames are made of: header, records and index, each with a checksum at its end.

use ndbytes_format::frame::{CHECKSUM_LEN, Record};

use crate::error::Result;
use crate::frame::chunk::no_memory;
use crate::kept::Kept;

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

impl Drop for Piece<'_> {
    fn drop(&mut self) {
        if self.front.capacity() >= ROOM {
            ROOMS.give(std::mem::take(&mut self.front));
        }
    }
}

/// Room for a record that begins with `nbytes` zeros.
pub(super) fn room(nbytes: usize) -> Vec<u8> {
    let mut room = ROOMS.take();
    room.clear();
    room.resize(nbytes, 0);
    room
}

static ROOMS: Kept<Vec<u8>> = Kept::new();
/// Less room than that is had as soon as it is kept.
const ROOM: usize = 1 << 16;

impl Items<'_, '_> {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Items::Placed(bytes) | Items::Gathered(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndbytes_format::Order;

    use super::*;
    use crate::{ArrayView, FrameOptions, dump_frame};

    #[test]
    fn room_that_one_frame_had_is_had_by_the_next() {
        let items: Vec<u8> = (0..300_000u64).map(|i| ((i * i) >> 7) as u8).collect();
        let view = ArrayView::contiguous("|u1".parse().unwrap(), &[300_000], Order::C, &items);
        for _ in 0..40 {
            dump_frame(view.as_ref().unwrap(), &FrameOptions::default()).unwrap();
        }
        // Other tests may have taken some.
        let kept: Vec<_> = (0..16).map(|_| ROOMS.take().capacity()).collect();
        assert!(kept.iter().any(|&room| room >= ROOM), "{kept:?}");
        assert!(kept.iter().all(|&room| room == 0 || room >= ROOM), "{kept:?}");
    }
}
