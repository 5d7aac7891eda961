//! Reading frames from wherever their bytes come: no input of its own.

use std::fmt;

use ndbytes_format::Code;
use ndbytes_format::frame::{ChunkPlace, FrameHeader, Record, encode_index};
use ndbytes_mem::Strided;

use crate::error::{Error, Result};
use crate::frame::chunk::{ChunkDecoder, check_len, checked};
use crate::frame::stream::truncated;
use crate::frame::target::Target;
use crate::kept::Lent;

/// Puts the chunks of a frame where they belong, as its records come: it reads nothing itself.
///
/// By turns it takes the 8 bytes before a record, and the record.
///
/// ```
/// use ndbytes::{
///     ArrayView, FrameDecoder, FrameOptions, Limits, Order, Strided, dump_frame, read_frame_header,
/// };
///
/// let items: Vec<u8> = (0..100).collect();
/// let array = ArrayView::contiguous("|u1".parse()?, &[100], Order::C, &items)?;
/// let frame = dump_frame(&array, &FrameOptions::default())?;
///
/// let (header, mut at) = read_frame_header(&mut &frame[..], &Limits::default())?;
/// let mut decoder = FrameDecoder::new(header, at);
/// let mut out = vec![0; 100];
/// while !decoder.is_whole() {
///     let len = decoder.expect(&frame[at..at + 8])?;
///     let layout = Strided { origin: 0, strides: &[1] };
///     decoder.decode(&frame[at + 8..at + 8 + len], &mut out, layout)?;
///     at += 8 + len;
/// }
/// assert!(at == frame.len() && out == items);
/// # Ok::<(), ndbytes::Error>(())
/// ```
#[derive(Debug)]
pub struct FrameDecoder {
    header: FrameHeader,
    records: Records,
}

impl FrameDecoder {
    /// A decoder of what follows a header of `len` bytes.
    pub fn new(header: FrameHeader, len: usize) -> Self {
        Self { header, records: Records::new(len) }
    }

    /// The header.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }

    /// Whether all of the frame has come.
    pub fn is_whole(&self) -> bool {
        self.records.are_whole()
    }

    /// How many bytes the next record has, as the 8 bytes before it say; where the source has ended
    /// there may be fewer of these.
    ///
    /// # Errors
    /// [`Code::FrameTruncated`]; [`Code::FrameRecord`] for what cannot come here;
    /// [`Code::Argument`] when a record was expected that has not come, or nothing is to come.
    pub fn expect(&mut self, prefix: &[u8]) -> Result<usize> {
        self.records.expect(&self.header, prefix)
    }

    /// Takes the record, and puts the items of a chunk into strided memory; where the source has
    /// ended there may be fewer bytes than were expected.
    ///
    /// # Errors
    /// As [`read_frame_into`](crate::read_frame_into); [`Code::Argument`] when no record was
    /// expected.
    pub fn decode(&mut self, record: &[u8], out: &mut [u8], layout: Strided<'_>) -> Result<()> {
        let mut target = Target::new(&self.header, out, layout)?;
        self.records.put(&self.header, record, &mut target)
    }
}

/// The records of a frame, as they come.
pub(super) struct Records {
    /// Where the next byte is in the frame.
    at: u64,
    /// The record that is to come.
    expected: Option<Record>,
    /// Where the chunks were.
    places: Vec<ChunkPlace>,
    whole: bool,
    decoder: Lent<ChunkDecoder>,
    items: Vec<u8>,
}

impl Records {
    pub(super) fn new(header_len: usize) -> Self {
        Self {
            at: header_len as u64,
            expected: None,
            places: Vec::new(),
            whole: false,
            decoder: ChunkDecoder::lend(),
            items: Vec::new(),
        }
    }

    /// Whether all have come.
    pub(super) fn are_whole(&self) -> bool {
        self.whole
    }

    /// As [`FrameDecoder::expect`].
    pub(super) fn expect(&mut self, header: &FrameHeader, prefix: &[u8]) -> Result<usize> {
        if self.whole || self.expected.is_some() {
            return Err(Error::new(Code::Argument, "no record begins here"));
        }
        let Some((&prefix, [])) = prefix.split_first_chunk() else {
            let (expected, have) = (Record::PREFIX_LEN, prefix.len());
            return Err(truncated("a record's prefix", expected, have).at(self.at + have as u64));
        };
        let record = Record::parse(prefix).map_err(|error| Error::from(error).shifted(self.at))?;
        let (chunk, count) = (self.places.len(), header.chunk_count());
        let fault = |message: String, at| Err(Error::new(Code::FrameRecord, message).at(at));
        let behind = self.at + Record::PREFIX_LEN as u64;
        let len = match record {
            Record::Index(_) if chunk < count => {
                let message = format!("the index, where chunk {chunk} of {count} was expected");
                return fault(message, self.at);
            }
            Record::Chunk(_) if chunk == count => {
                return fault("a chunk where the index was expected".into(), self.at);
            }
            Record::Chunk(len) => {
                check_len(header, len.into()).map_err(|error| error.at(behind))?;
                len as usize
            }
            Record::Index(len) if len as usize != header.index_len() => {
                let message = format!("an index of {len} bytes, not {}", header.index_len());
                return fault(message, behind);
            }
            Record::Index(len) => len as usize,
        };
        (self.at, self.expected) = (behind, Some(record));
        Ok(len)
    }

    /// As [`FrameDecoder::decode`].
    pub(super) fn put(
        &mut self,
        header: &FrameHeader,
        record: &[u8],
        target: &mut Target<'_>,
    ) -> Result<()> {
        let at = self.at;
        let (what, len) = match self.expected {
            Some(Record::Chunk(len)) => ("a chunk", len),
            Some(Record::Index(len)) => ("its index", len),
            None => return Err(Error::new(Code::Argument, "no record was expected")),
        };
        if record.len() != len as usize {
            let have = record.len();
            return Err(truncated(what, len as usize, have).at(at + have as u64));
        }
        let chunk = self.places.len();
        if chunk < header.chunk_count() {
            target.decode(&mut self.decoder, chunk, record, at, &mut self.items)?;
            self.places.push(ChunkPlace { offset: at, len: len.into() });
        } else {
            let index = checked(record, "the index").map_err(|error| error.shifted(at))?;
            if index != encode_index(&self.places) {
                let message = "the index does not say where the chunks are";
                return Err(Error::new(Code::FrameIndex, message).at(at));
            }
            self.whole = true;
        }
        (self.at, self.expected) = (at + u64::from(len), None);
        Ok(())
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("at", &self.at).finish_non_exhaustive()
    }
}
