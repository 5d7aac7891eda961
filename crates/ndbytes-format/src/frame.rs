//! The `.ndb` frame's own bytes: header, records, index. `docs/spec/frame.md` is normative.
//!
//! A frame is a header, a record for each chunk, and a record with the index, which is that of a
//! Zarr v3 shard. Checksums are CRC-32C; who reads and writes the bytes computes them.

use crate::cursor::Cursor;
use crate::error::{Code, FormatError, Result};
use crate::header::Header;
use crate::limits::Limits;
use crate::prelude::Version;

/// The first bytes of every frame.
pub const FRAME_MAGIC: &[u8; 8] = b"\x89NDB\r\n\x1a\n";

/// How the chunks of a frame are stored; one for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Items as they are.
    Raw,
    /// Blosc 1 buffers.
    Blosc,
    /// pco's standalone format, for numbers.
    Pco,
}

/// What a frame's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    array: Header,
    family: Family,
    chunk_shape: Vec<usize>,
}

/// The fixed-size front of a header, from which its length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePrelude {
    family: Family,
    ndim: usize,
    text_len: usize,
}

/// What follows in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A chunk of this many bytes, with its checksum.
    Chunk(u32),
    /// The index, of this many bytes, with its checksum; nothing comes after it.
    Index(u32),
}

/// Where a chunk is in a frame, without its record's prefix and with its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkPlace {
    /// Bytes from the start of the frame.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
}

impl Family {
    const fn number(self) -> u8 {
        match self {
            Family::Raw => 0,
            Family::Blosc => 1,
            Family::Pco => 2,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Family::Raw => "raw",
            Family::Blosc => "blosc",
            Family::Pco => "pco",
        }
    }
}

impl FramePrelude {
    /// Its length in bytes.
    pub const LEN: usize = 16;

    /// Parses the first 16 bytes of a frame and checks the lengths against the limits.
    ///
    /// # Errors
    /// [`Code::EndOfStream`] without any bytes, [`Code::FrameTruncated`] with fewer than 16,
    /// [`Code::FrameMagic`], [`Code::FrameVersion`], [`Code::FrameHeader`],
    /// [`Code::NpyHeaderTooLarge`], [`Code::TooManyDims`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self> {
        if bytes.is_empty() {
            return Err(FormatError::new(
                Code::EndOfStream,
                "no data left: the input is empty here",
            ));
        }
        let seen = bytes.len().min(FRAME_MAGIC.len());
        if bytes[..seen] != FRAME_MAGIC[..seen] {
            let message = format!(
                "not a frame: it looks like {}",
                crate::sniff::looks_like(bytes).describe()
            );
            return Err(FormatError::new(Code::FrameMagic, message).at(0));
        }
        let mut cursor = Cursor::new(bytes, Code::FrameTruncated);
        cursor.take(FRAME_MAGIC.len())?;
        let [version, family, ndim, reserved] = cursor.u32()?.to_le_bytes();
        let text_len = cursor.u32()? as usize;
        let bad = |code, at, message| Err(FormatError::new(code, message).at(at));
        if version != VERSION {
            let message = format!("frame version {version} is not known; {VERSION} is");
            return bad(Code::FrameVersion, 8, message);
        }
        let Some(family) =
            [Family::Raw, Family::Blosc, Family::Pco].into_iter().find(|f| f.number() == family)
        else {
            return bad(Code::FrameVersion, 9, format!("family {family} of chunks is not known"));
        };
        if reserved != 0 {
            return bad(Code::FrameVersion, 11, format!("byte 11 must be 0, not {reserved}"));
        }
        let ndim = usize::from(ndim);
        if ndim > limits.ndim {
            let message = format!("{ndim} dimensions, more than the limit of {}", limits.ndim);
            return bad(Code::TooManyDims, 10, message);
        }
        if text_len > limits.header {
            let message = format!(
                "Header info length ({text_len}) is large: more than the limit of {}; raise `max_header_size` if you trust this file",
                limits.header
            );
            return bad(Code::NpyHeaderTooLarge, 12, message);
        }
        Ok(Self { family, ndim, text_len })
    }

    /// Bytes of the header before its checksum.
    pub fn checked_len(&self) -> usize {
        Self::LEN + self.text_len + 8 * self.ndim
    }

    /// Bytes of the whole header.
    pub fn header_len(&self) -> usize {
        self.checked_len() + CHECKSUM_LEN
    }
}

impl FrameHeader {
    /// A header of these facts.
    ///
    /// # Errors
    /// [`Code::FrameHeader`] when the chunk shape has another number of dimensions than the array,
    /// a zero, or an edge longer than the array's; [`Code::TooManyBytes`] when a chunk has 2 GiB or
    /// more, or there are more than 2^32 chunks.
    pub fn new(array: Header, family: Family, chunk_shape: Vec<usize>) -> Result<Self> {
        let shape = array.shape();
        let fits = chunk_shape.len() == shape.len()
            && chunk_shape.iter().zip(shape).all(|(&edge, &n)| edge >= 1 && edge <= n.max(1));
        if !fits {
            let message =
                format!("chunks of shape {chunk_shape:?} do not cut an array of shape {shape:?}");
            return Err(FormatError::new(Code::FrameHeader, message));
        }
        let bytes = crate::shape::nbytes(&chunk_shape, array.dtype().itemsize())?;
        if bytes > MAX_CHUNK_BYTES {
            let message = format!("a chunk of {bytes} bytes, more than {MAX_CHUNK_BYTES}");
            return Err(FormatError::new(Code::TooManyBytes, message));
        }
        let header = Self { array, family, chunk_shape };
        let chunks = header.grid().iter().try_fold(1usize, |count, &n| count.checked_mul(n));
        if chunks.is_none_or(|chunks| chunks > MAX_CHUNKS) {
            let message = format!("more than {MAX_CHUNKS} chunks: take larger ones");
            return Err(FormatError::new(Code::TooManyBytes, message));
        }
        Ok(header)
    }

    /// The array: dtype, order, shape.
    pub fn array(&self) -> &Header {
        &self.array
    }

    /// How chunks are stored.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The shape of every chunk; those at the array's edges are filled up with zeros.
    pub fn chunk_shape(&self) -> &[usize] {
        &self.chunk_shape
    }

    /// Bytes of the items of a chunk.
    pub fn chunk_nbytes(&self) -> usize {
        // Checked in `new`.
        self.chunk_shape.iter().product::<usize>() * self.array.dtype().itemsize()
    }

    /// How many chunks there are along each axis; nowhere any when the array has no bytes.
    pub fn grid(&self) -> Vec<usize> {
        let none = self.array.nbytes() == 0;
        let count = |(&n, &edge): (&usize, &usize)| if none { 0 } else { n.div_ceil(edge) };
        self.array.shape().iter().zip(&self.chunk_shape).map(count).collect()
    }

    /// How many chunks there are.
    pub fn chunk_count(&self) -> usize {
        // The grid of an array without dimensions is one chunk, if it has bytes.
        if self.array.nbytes() == 0 { 0 } else { self.grid().iter().product() }
    }

    /// Bytes of the index, with its checksum.
    pub fn index_len(&self) -> usize {
        self.chunk_count() * PLACE_LEN + CHECKSUM_LEN
    }

    /// The header's bytes, but for the checksum over them.
    ///
    /// # Errors
    /// As [`Header::encode`]; [`Code::NpyHeaderOverflow`].
    pub fn encode(&self) -> Result<Vec<u8>> {
        let text = self.array.text()?;
        let overflow = || {
            let message = format!("a header of {} bytes fits no frame", text.len());
            FormatError::new(Code::NpyHeaderOverflow, message)
        };
        let text_len = u32::try_from(text.len()).map_err(|_| overflow())?;
        let ndim = u8::try_from(self.chunk_shape.len()).map_err(|_| overflow())?;
        let mut bytes = FRAME_MAGIC.to_vec();
        bytes.extend([VERSION, self.family.number(), ndim, 0]);
        bytes.extend(text_len.to_le_bytes());
        bytes.extend(text.as_bytes());
        for &edge in &self.chunk_shape {
            bytes.extend((edge as u64).to_le_bytes());
        }
        Ok(bytes)
    }

    /// Parses a header whose checksum was found to be right; the checksum itself may follow.
    ///
    /// # Errors
    /// As [`FramePrelude::parse`], [`Header::parse_text`] and [`FrameHeader::new`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let prelude = FramePrelude::parse(bytes, limits)?;
        let mut cursor = Cursor::new(bytes, Code::FrameTruncated);
        cursor.take(FramePrelude::LEN)?;
        let text = cursor.take(prelude.text_len)?;
        // Offsets of errors count from a prelude of 12 bytes.
        let array = Header::parse_text(Version::V3, text, limits).map_err(|e| e.shifted(4))?;
        let mut chunk_shape = Vec::with_capacity(prelude.ndim);
        for _ in 0..prelude.ndim {
            let edge = usize::try_from(cursor.u64()?).unwrap_or(usize::MAX);
            chunk_shape.push(edge);
        }
        Self::new(array, prelude.family, chunk_shape)
    }
}

impl Record {
    /// Bytes before the record's own.
    pub const PREFIX_LEN: usize = 8;

    /// The prefix. To tools for zstd a record is a frame to be skipped.
    pub fn encode(self) -> [u8; 8] {
        let (tag, len) = match self {
            Record::Chunk(len) => (CHUNK_TAG, len),
            Record::Index(len) => (INDEX_TAG, len),
        };
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&tag.to_le_bytes());
        bytes[4..].copy_from_slice(&len.to_le_bytes());
        bytes
    }

    /// Parses a prefix.
    ///
    /// # Errors
    /// [`Code::FrameRecord`] for an unknown tag or a record without room for its checksum.
    pub fn parse(bytes: [u8; 8]) -> Result<Self> {
        let [a, b, c, d, rest @ ..] = bytes;
        let len = u32::from_le_bytes(rest);
        let record = match u32::from_le_bytes([a, b, c, d]) {
            CHUNK_TAG => Record::Chunk(len),
            INDEX_TAG => Record::Index(len),
            tag => {
                let message = format!("`{tag:#010x}` is the tag of no record");
                return Err(FormatError::new(Code::FrameRecord, message).at(0));
            }
        };
        if (len as usize) < CHECKSUM_LEN {
            let message = format!("a record of {len} bytes has no room for a checksum");
            return Err(FormatError::new(Code::FrameRecord, message).at(4));
        }
        Ok(record)
    }
}

/// The index's bytes, but for the checksum over them.
pub fn encode_index(places: &[ChunkPlace]) -> Vec<u8> {
    places.iter().flat_map(|p| [p.offset.to_le_bytes(), p.len.to_le_bytes()]).flatten().collect()
}

/// Parses an index without its checksum, which was found to be right. `start` is where the first
/// record begins, `end` where that of the index does: records must fill all that lies between.
///
/// # Errors
/// [`Code::FrameIndex`] for places that overlap, leave gaps or lie outside.
pub fn parse_index(bytes: &[u8], start: u64, end: u64) -> Result<Vec<ChunkPlace>> {
    let bad = |message: String| Err(FormatError::new(Code::FrameIndex, message));
    let (entries, rest) = bytes.as_chunks::<PLACE_LEN>();
    if !rest.is_empty() {
        return bad(format!("an index of {} bytes is no list of places", bytes.len()));
    }
    let places: Vec<ChunkPlace> = entries
        .iter()
        .map(|entry| {
            let (mut offset, mut len) = ([0; 8], [0; 8]);
            offset.copy_from_slice(&entry[..8]);
            len.copy_from_slice(&entry[8..]);
            ChunkPlace { offset: u64::from_le_bytes(offset), len: u64::from_le_bytes(len) }
        })
        .collect();
    let mut sorted: Vec<&ChunkPlace> = places.iter().collect();
    sorted.sort_by_key(|place| place.offset);
    let mut at = start;
    for place in sorted {
        if place.len < CHECKSUM_LEN as u64 || Some(place.offset) != at.checked_add(8) {
            return bad(format!(
                "a chunk of {} bytes at {} where one was expected at {}: chunks overlap or leave a gap",
                place.len,
                place.offset,
                at.saturating_add(8)
            ));
        }
        at = place.offset.saturating_add(place.len);
    }
    if at != end {
        return bad(format!("the chunks end at {at}, the index begins at {end}"));
    }
    Ok(places)
}

/// Bytes of a checksum.
pub const CHECKSUM_LEN: usize = 4;
const VERSION: u8 = 1;
const PLACE_LEN: usize = 16;
const CHUNK_TAG: u32 = 0x184d_2a5d;
const INDEX_TAG: u32 = 0x184d_2a5e;
/// Blosc counts in 31 bits, and adds up to 16 bytes.
const MAX_CHUNK_BYTES: usize = (1 << 31) - 1 - 16;
/// The index's length has 32 bits.
const MAX_CHUNKS: usize = (u32::MAX as usize - CHECKSUM_LEN) / PLACE_LEN;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Order;

    fn header(shape: &[usize], chunk: &[usize]) -> Result<FrameHeader> {
        let array = Header::new("<f8".parse().unwrap(), Order::C, shape.to_vec()).unwrap();
        FrameHeader::new(array, Family::Blosc, chunk.to_vec())
    }

    #[test]
    fn what_is_encoded_is_parsed() {
        let header = header(&[10, 7], &[4, 7]).unwrap();
        let bytes = header.encode().unwrap();
        let prelude = FramePrelude::parse(&bytes, &Limits::default()).unwrap();
        assert_eq!(prelude.checked_len(), bytes.len());
        assert_eq!(FrameHeader::parse(&bytes, &Limits::default()).unwrap(), header);
        assert_eq!((header.grid(), header.chunk_count()), (vec![3, 1], 3));
        assert_eq!(header.index_len(), 52);
    }

    #[test]
    fn a_header_cut_anywhere_is_truncated() {
        let bytes = header(&[3], &[2]).unwrap().encode().unwrap();
        for end in 1..bytes.len() {
            let error = FrameHeader::parse(&bytes[..end], &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Truncated, "{end}: {error}");
        }
    }

    #[test]
    fn chunks_that_do_not_cut_the_array_are_refused() {
        for (shape, chunk) in
            [(&[10][..], &[0][..]), (&[10], &[11]), (&[10], &[5, 1]), (&[0], &[2]), (&[], &[1])]
        {
            assert_eq!(header(shape, chunk).unwrap_err().code(), Code::FrameHeader);
        }
        assert_eq!(header(&[1 << 30], &[1 << 30]).unwrap_err().code(), Code::TooManyBytes);
        assert_eq!(header(&[1 << 40], &[1]).unwrap_err().code(), Code::TooManyBytes);
        assert_eq!(header(&[0, 5], &[1, 5]).unwrap().chunk_count(), 0);
        assert_eq!(header(&[], &[]).unwrap().chunk_count(), 1);
    }

    #[test]
    fn an_index_accounts_for_every_byte() {
        let place = |offset, len| ChunkPlace { offset, len };
        let parse = |places: &[ChunkPlace], end| parse_index(&encode_index(places), 100, end);
        let good = [place(128, 30), place(108, 12)];
        assert_eq!(parse(&good, 158).unwrap(), good);
        assert_eq!(parse(&[], 100).unwrap(), []);
        for (places, end) in [
            (&good[..], 157),
            (&good[..], 159),
            (&[place(109, 12)], 121),
            (&[place(108, 3)], 111),
            (&[place(108, 12), place(108, 12)], 120),
            (&[place(108, 12), place(127, 12)], 139),
            (&[place(108, u64::MAX)], 1000),
            (&[place(u64::MAX, 8)], 1000),
        ] {
            assert_eq!(parse(places, end).unwrap_err().code(), Code::FrameIndex, "{places:?}");
        }
    }

    #[test]
    fn records_are_told_apart() {
        for record in [Record::Chunk(4), Record::Index(u32::MAX)] {
            assert_eq!(Record::parse(record.encode()).unwrap(), record);
        }
        assert_eq!(Record::parse([0; 8]).unwrap_err().code(), Code::FrameRecord);
        assert!(Record::parse(Record::Chunk(3).encode()).is_err());
    }
}
