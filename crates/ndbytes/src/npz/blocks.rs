//! Deflated members that can be entered at their blocks.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use ndbytes_codec::deflate::BlockDecoder;
use ndbytes_format::{BlockIndex, Code};
use ndbytes_mem::fill_parts;

use crate::array::threads;
use crate::error::{Error, Result};
use crate::progress::Meter;
use crate::read_at::{ReadAt, read_part_at};

/// The blocks of a member whose first bytes, the header of the array, are known.
pub(super) struct Blocks<'a, R> {
    source: &'a R,
    index: &'a BlockIndex,
    /// Where each block begins in the source.
    places: Cow<'a, [u64]>,
    /// Bytes of the first block that precede the data.
    head: usize,
}

/// What a thread needs to inflate blocks.
#[derive(Default)]
struct BlockReader {
    decoder: BlockDecoder,
    packed: [Vec<u8>; 2],
    /// The first block, with what precedes its data.
    first: Vec<u8>,
}

impl<'a, R: ReadAt> Blocks<'a, R> {
    /// The blocks of a member that begins at `start`, of which `head` bytes precede the data. None
    /// where the first block has not as much data as the others.
    pub(super) fn new(
        source: &'a R,
        index: &'a BlockIndex,
        start: u64,
        head: usize,
    ) -> Option<Self> {
        let places = index
            .compressed
            .iter()
            .scan(start, |at, &len| Some(std::mem::replace(at, at.saturating_add(len.into()))));
        // Deflate makes nothing longer by more, so that no memory is taken on the index' word.
        let most = index.first.saturating_add(index.first / 8).saturating_add(64);
        let fits = index.first as usize == head.checked_add(index.size as usize)?
            && index.compressed.iter().all(|&len| len <= most);
        fits.then(|| Self::with_places(source, index, places.collect(), head))
    }

    /// The blocks of which it is known where they begin.
    pub(super) fn with_places(
        source: &'a R,
        index: &'a BlockIndex,
        places: Cow<'a, [u64]>,
        head: usize,
    ) -> Self {
        Self { source, index, places, head }
    }

    /// Where each block begins in the source.
    pub(super) fn into_places(self) -> Vec<u64> {
        self.places.into_owned()
    }

    /// Bytes of the data in a block; the last may have fewer.
    pub(super) fn size(&self) -> usize {
        self.index.size as usize
    }

    fn count(&self) -> usize {
        self.places.len()
    }

    /// Inflates the data of block `number` and, if there is more room than that, of the next.
    fn inflate(&self, reader: &mut BlockReader, number: usize, out: &mut [u8]) -> Result<()> {
        let BlockReader { decoder, packed, first } = reader;
        let (one, two) = out.split_at_mut(self.size().min(out.len()));
        let [packed_one, packed_two] = packed;
        self.fetch(number, packed_one)?;
        let place = match number {
            0 => {
                first.resize(self.head + one.len(), 0);
                &mut first[..]
            }
            _ => &mut *one,
        };
        if two.is_empty() {
            let last = number + 1 == self.count();
            decoder.decode(packed_one, last, place).map_err(|error| self.at(number, error))?;
        } else {
            self.fetch(number + 1, packed_two)?;
            let last = number + 2 == self.count();
            decoder
                .decode_two([packed_one, packed_two], last, [place, two])
                .map_err(|(i, error)| self.at(number + i, error))?;
        }
        if number == 0 {
            one.copy_from_slice(&first[self.head..]);
        }
        Ok(())
    }

    fn at(&self, number: usize, error: ndbytes_format::FormatError) -> Error {
        Error::from(error).shifted(self.places[number])
    }

    fn fetch(&self, number: usize, packed: &mut Vec<u8>) -> Result<()> {
        packed.resize(self.index.compressed[number] as usize, 0);
        if read_part_at(self.source, packed, self.places[number])? < packed.len() {
            return Err(cut());
        }
        Ok(())
    }
}

impl<R: ReadAt + Sync> Blocks<'_, R> {
    /// Inflates the data of the blocks from number `from` on, as much as there is room for, on
    /// several threads; gives its CRC.
    pub(super) fn read(
        &self,
        from: usize,
        out: &mut [u8],
        meter: &Meter,
    ) -> Result<crc32fast::Hasher> {
        let size = self.size();
        // Two at a time, where that leaves some for every thread.
        let pair = if out.len().div_ceil(size) >= 2 * threads() { 2 } else { 1 };
        let kept = Mutex::new(Vec::new());
        let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fill = |part: &mut [u8], at: usize| {
            let mut reader: BlockReader = lock().pop().unwrap_or_default();
            let mut crc = crc32fast::Hasher::new();
            for (i, some) in part.chunks_mut(pair * size).enumerate() {
                meter.go_on()?;
                self.inflate(&mut reader, from + at / size + pair * i, some)?;
                crc.update(some);
                meter.add(some.len())?;
            }
            lock().push(reader);
            Ok::<_, Error>(crc)
        };
        let mut crc = crc32fast::Hasher::new();
        for (_, filled) in fill_parts(out, pair * size, threads(), &fill) {
            crc.combine(&filled?);
        }
        Ok(crc)
    }
}

#[cold]
pub(super) fn cut() -> Error {
    Error::new(Code::DataTruncated, "the archive ends inside a member")
}
