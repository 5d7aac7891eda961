//! What frames are made of: header, records and index, each with a checksum at its end.

use ndbytes_format::frame::{CHECKSUM_LEN, Record};
use ndbytes_mem::{copy_crc32c, crc32c, crc32c_append};

use crate::error::Result;
use crate::frame::chunk::no_memory;
use crate::kept::Kept;

/// A piece to be written or copied. Items that are stored as they are stay where they lie.
pub(super) struct Piece<'a> {
    front: Vec<u8>,
    items: &'a [u8],
    checksum: [u8; CHECKSUM_LEN],
    /// Whether the checksum is that of the front alone: the items are summed up as they are copied.
    is_due: bool,
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
        let checksum = crc32c(&front).to_le_bytes();
        Self { front, items: &[], checksum, is_due: false }
    }

    /// A record. `front` is room for the prefix and the start of the payload, and `items` its rest,
    /// which is not summed up yet; `record` makes the prefix of the length.
    pub(super) fn record(
        mut front: Vec<u8>,
        items: &'a [u8],
        record: impl FnOnce(u32) -> Record,
    ) -> Result<Self> {
        let checksum = crc32c(&front[Record::PREFIX_LEN..]).to_le_bytes();
        let len = front.len() - Record::PREFIX_LEN + items.len() + CHECKSUM_LEN;
        let len = u32::try_from(len).map_err(|_| no_memory())?;
        front[..Record::PREFIX_LEN].copy_from_slice(&record(len).encode());
        Ok(Self { front, items, checksum, is_due: !items.is_empty() })
    }

    /// The same with its checksum.
    pub(super) fn summed(mut self) -> Self {
        if std::mem::take(&mut self.is_due) {
            let front = u32::from_le_bytes(self.checksum);
            self.checksum = crc32c_append(front, self.items).to_le_bytes();
        }
        self
    }

    /// Whether it is to be copied whole, since only then its checksum is made.
    pub(super) fn is_due(&self) -> bool {
        self.is_due
    }

    /// The bytes in parts, in order.
    ///
    /// # Panics
    /// When the checksum is due.
    pub(super) fn parts(&self) -> [&[u8]; 3] {
        assert!(!self.is_due, "the items are not summed up");
        [&self.front, self.items, &self.checksum]
    }

    pub(super) fn len(&self) -> usize {
        self.front.len() + self.items.len() + CHECKSUM_LEN
    }

    /// Copies the bytes from `skip` on, as many as there is room for, and returns their number.
    ///
    /// # Panics
    /// When the checksum is due, and this is not all of the piece.
    pub(super) fn copy_part(&self, mut skip: usize, out: &mut [u8]) -> usize {
        if self.is_due {
            assert!(skip == 0 && out.len() >= self.len(), "a part of what is not summed up");
            let (front, rest) = out.split_at_mut(self.front.len());
            let (items, rest) = rest.split_at_mut(self.items.len());
            front.copy_from_slice(&self.front);
            let sum = copy_crc32c(items, self.items, u32::from_le_bytes(self.checksum));
            rest[..CHECKSUM_LEN].copy_from_slice(&sum.to_le_bytes());
            return self.len();
        }
        let room = out.len();
        let mut out = out;
        for part in self.parts() {
            let bytes = &part[skip.min(part.len())..];
            skip -= part.len() - bytes.len();
            let (to, rest) = out.split_at_mut(bytes.len().min(out.len()));
            to.copy_from_slice(&bytes[..to.len()]);
            out = rest;
        }
        room - out.len()
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
