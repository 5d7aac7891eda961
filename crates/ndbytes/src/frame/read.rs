//! Reading frames by position: all of them on several threads, or parts of them.

use std::io;
use std::sync::{Mutex, PoisonError};

use ndbytes_codec::blosc::{self, Filter};
use ndbytes_format::frame::{ChunkPlace, Family, FrameHeader, Record, parse_index};
use ndbytes_format::{Code, Limits, is_contiguous};
use ndbytes_mem::{Strided, fill_parts};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::chunk::{ChunkDecoder, check_len, checked, threads_for_items};
use crate::frame::grid;
use crate::frame::stream::{read_frame_header, truncated};
use crate::frame::target::Target;
use crate::parallel::in_order;
use crate::progress::{Meter, Progress};
use crate::read_at::{ReadAt, Section, read_part_at};

/// A frame whose header and index have been read; chunks are read when they are needed.
#[derive(Debug)]
pub struct FrameReader<R> {
    source: R,
    header: FrameHeader,
    header_len: usize,
    places: Vec<ChunkPlace>,
}

impl<R: ReadAt + Sync> FrameReader<R> {
    /// Reads header and index of a frame that fills the source.
    ///
    /// # Errors
    /// As [`read_frame_header`]; [`Code::FrameTruncated`], [`Code::FrameChecksum`] or
    /// [`Code::FrameIndex`] where the end of the source is not that of the frame;
    /// [`Code::FrameRecord`] for chunks that are too short or too long for what they are to hold.
    pub fn new(source: R, limits: &Limits) -> Result<Self> {
        let size = source.size()?;
        let (header, len) = read_frame_header(&mut Section::new(&source, 0, size), limits)?;
        let tail = Record::PREFIX_LEN + header.index_len();
        let start = size.checked_sub(tail as u64).filter(|&start| start >= len as u64);
        let Some(start) = start else {
            let have = size.saturating_sub(len as u64) as usize;
            return Err(truncated("its chunks or index", tail, have).at(size));
        };
        let mut bytes = Vec::new();
        crate::npy::fill_growing(&mut Section::new(&source, start, tail as u64), &mut bytes, tail)?;
        let Some((prefix, index)) =
            bytes.split_first_chunk().filter(|(_, index)| index.len() == header.index_len())
        else {
            return Err(truncated("its index", tail, bytes.len()).at(start + bytes.len() as u64));
        };
        let at = start + Record::PREFIX_LEN as u64;
        if Record::parse(*prefix).ok() != Some(Record::Index(index.len() as u32)) {
            let message =
                "there is no index at the end: the frame was cut, or something follows it";
            return Err(Error::new(Code::FrameIndex, message).at(start));
        }
        let index = checked(index, "the index").map_err(|error| error.shifted(at))?;
        let places =
            parse_index(index, len as u64, start).map_err(|error| Error::from(error).at(at))?;
        for place in &places {
            check_len(&header, place.len).map_err(|error| error.at(place.offset))?;
        }
        Ok(Self { source, header, header_len: len, places })
    }

    /// The header.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Bytes of the header in the source.
    pub(super) fn header_len(&self) -> usize {
        self.header_len
    }

    /// What it reads.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// What it read.
    pub fn into_source(self) -> R {
        self.source
    }

    /// Where the chunks are, in the order of their numbers.
    pub fn places(&self) -> &[ChunkPlace] {
        &self.places
    }

    /// Where a chunk lies in the array, without what an edge cuts off: start and shape. It must be
    /// one of [`FrameReader::places`].
    pub fn chunk_range(&self, chunk: usize) -> (Vec<usize>, Vec<usize>) {
        let grid::Place { start, shape } = grid::place(&self.header, chunk);
        (start, shape)
    }

    /// What was done to a chunk, as its own bytes tell: a codec and a filter.
    ///
    /// # Errors
    /// What the source said; what is wrong with a Blosc buffer's header.
    pub fn describe(&self, chunk: usize) -> Result<String> {
        if self.header.family() != Family::Blosc {
            return Ok(self.header.family().as_str().to_owned());
        }
        let place = self.places[chunk];
        let mut front = [0; 16];
        let have = read_part_at(&self.source, &mut front, place.offset)?;
        let facts = blosc::header(&front[..have])
            .map_err(|error| Error::from(error).shifted(place.offset))?;
        if facts.stored {
            return Ok("stored".to_owned());
        }
        let codec = format!("{:?}", facts.compressor).to_lowercase();
        Ok(match facts.filter {
            Filter::None => codec,
            Filter::Shuffle => format!("{codec}, shuffle"),
            Filter::Bitshuffle => format!("{codec}, bitshuffle"),
        })
    }

    /// Reads the array.
    ///
    /// # Errors
    /// As [`FrameReader::read_into`].
    pub fn read(&self) -> Result<Array> {
        let mut array = Array::zeroed(self.header.array().clone())?;
        let strides = self.header.array().strides();
        self.read_into(array.bytes_mut(), Strided { origin: 0, strides: &strides })?;
        Ok(array)
    }

    /// Reads the array into strided memory.
    ///
    /// # Errors
    /// [`Code::FrameTruncated`], [`Code::FrameChecksum`], [`Code::FrameRecord`], what the codecs
    /// say, [`Code::DataInvalid`]; [`Code::OutOfBounds`] when the layout reaches outside of `out`.
    pub fn read_into(&self, out: &mut [u8], layout: Strided<'_>) -> Result<()> {
        self.read_into_with(out, layout, &Progress::default())
    }

    /// As [`FrameReader::read_into`], and tells how far it is.
    ///
    /// # Errors
    /// As [`FrameReader::read_into`], and what [`Progress`] said.
    pub fn read_into_with(
        &self,
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let meter = Meter::new(progress, self.header.array().nbytes() as u64);
        let read = self.read_measured(out, layout, &meter);
        meter.end(read)
    }

    fn read_measured(&self, out: &mut [u8], layout: Strided<'_>, meter: &Meter) -> Result<()> {
        let header = &self.header;
        let (array, itemsize) = (header.array(), header.array().dtype().itemsize());
        let straight = is_contiguous(array.shape(), layout.strides, itemsize, array.order())
            && grid::is_linear(header);
        let mut target = Target::new(header, out, layout)?;
        if header.chunk_count() == 0 {
            return Ok(());
        }
        if !straight {
            return in_order(
                header.chunk_count(),
                threads_for_items(header, array.nbytes()),
                || (ChunkDecoder::lend(), Vec::new()),
                |(decoder, record), chunk| self.chunk(decoder, record, chunk),
                |chunk, items| {
                    target.place(chunk, &items);
                    meter.add_by(|| grid::nbytes(header, chunk))
                },
            );
        }
        let out = &mut target.out[layout.origin..layout.origin + array.nbytes()];
        let size = header.chunk_nbytes();
        let kept = Mutex::new(Vec::new());
        let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        let workers = threads_for_items(header, array.nbytes()).min(header.chunk_count());
        let filled = fill_parts(out, size, workers, &|part, at| {
            let new = || (ChunkDecoder::lend(), Vec::new());
            let (mut decoder, mut record) = lock().pop().unwrap_or_else(new);
            let read = part.chunks_mut(size).enumerate().try_for_each(|(i, part)| {
                meter.go_on()?;
                self.chunk_into(&mut decoder, &mut record, at / size + i, part)?;
                meter.add(part.len())
            });
            lock().push((decoder, record));
            read
        });
        filled.into_iter().try_for_each(|(_, read)| read)
    }

    /// Reads a chunk's items.
    pub(super) fn chunk(
        &self,
        decoder: &mut ChunkDecoder,
        record: &mut Vec<u8>,
        chunk: usize,
    ) -> Result<Vec<u8>> {
        let mut items = crate::array::zeroed_vec(self.header.chunk_nbytes())?;
        self.chunk_into(decoder, record, chunk, &mut items)?;
        Ok(items)
    }

    /// Reads a chunk's items to where they belong; of the last there may be fewer.
    fn chunk_into(
        &self,
        decoder: &mut ChunkDecoder,
        record: &mut Vec<u8>,
        chunk: usize,
        out: &mut [u8],
    ) -> Result<()> {
        let (payload, at) = (self.record(chunk, record)?, self.places[chunk].offset);
        if out.len() == self.header.chunk_nbytes() {
            return decoder.items(&self.header, payload, at, out);
        }
        let mut items = crate::array::zeroed_vec(self.header.chunk_nbytes())?;
        decoder.items(&self.header, payload, at, &mut items)?;
        out.copy_from_slice(&items[..out.len()]);
        Ok(())
    }

    /// Reads a chunk's record, and returns payload and checksum.
    pub(super) fn record<'r>(&'r self, chunk: usize, record: &'r mut Vec<u8>) -> Result<&'r [u8]> {
        let place = self.places[chunk];
        let prefix_at = place.offset - Record::PREFIX_LEN as u64;
        let len = Record::PREFIX_LEN + place.len as usize;
        let held = match self.source.in_memory() {
            Some(bytes) => {
                let rest = bytes.get(prefix_at as usize..).unwrap_or_default();
                &rest[..len.min(rest.len())]
            }
            None => {
                record.try_reserve(len.saturating_sub(record.len())).map_err(io::Error::from)?;
                record.resize(len, 0);
                let have = read_part_at(&self.source, record, prefix_at)?;
                &record[..have]
            }
        };
        let Some((prefix, payload)) = held.split_first_chunk().filter(|_| held.len() == len) else {
            let have = held.len();
            return Err(truncated("a chunk", len, have).at(prefix_at + have as u64));
        };
        self.check_prefix(chunk, *prefix)?;
        Ok(payload)
    }

    /// Makes sure that the bytes before a chunk say what the index does.
    pub(super) fn check_prefix(
        &self,
        chunk: usize,
        prefix: [u8; Record::PREFIX_LEN],
    ) -> Result<()> {
        let place = self.places[chunk];
        if Record::parse(prefix).ok() == Some(Record::Chunk(place.len as u32)) {
            return Ok(());
        }
        let message = format!("the index has chunk {chunk} here, which does not begin so");
        Err(Error::new(Code::FrameRecord, message).at(place.offset - prefix.len() as u64))
    }
}
