//! The elements of a member's array by position, for those who read parts of it.

use std::borrow::Cow;
use std::io::{self, Read};

use ndbytes_codec::{Codec, Decoder};
use ndbytes_format::zip::{Entry, Method};
use ndbytes_format::{BlockIndex, Code, FormatError};

use crate::error::{Error, Result};
use crate::npz::blocks::{Blocks, cut};
use crate::npz::member::{Member, longer, wrong_crc};
use crate::progress::Meter;
use crate::read_at::{ReadAt, read_full_at};

/// The elements of a member's array, by their positions in its data. It has what it needs of the
/// archive, whose reader may be gone.
///
/// Of a stored member, bytes are read as they are; of a deflated one that has an index of its blocks,
/// the blocks that hold them; of others all up to the last of them, and going back begins anew. The
/// CRC-32 is that of the whole member: it is checked when all of it was read in order.
pub struct MemberElements<R> {
    source: R,
    entry: Entry,
    /// The member's first byte in the source.
    start: u64,
    /// Its bytes before the elements, and their sum.
    head: usize,
    head_crc: crc32fast::Hasher,
    state: State<R>,
}

enum State<R> {
    Stored,
    Blocks(Held),
    Stream(Stream<R>),
}

/// Blocks that were inflated last.
struct Held {
    places: Vec<u64>,
    bytes: Vec<u8>,
    /// The number of the first.
    first: usize,
    /// The sum of everything before the block of this number.
    sum: (crc32fast::Hasher, usize),
}

/// A stream from its start.
struct Stream<R> {
    decoder: Decoder<Part<R>>,
    crc: crc32fast::Hasher,
    /// The next byte, counted from the member's first.
    at: u64,
}

/// Bytes of a source as a reader that owns it.
struct Part<R> {
    source: R,
    at: u64,
    end: u64,
}

impl<R: ReadAt + Clone + Sync> MemberElements<R> {
    /// Those of a member whose header was read; `source` is the archive's.
    pub(super) fn new<S: ReadAt>(member: &Member<'_, S>, source: R) -> Result<Self> {
        let (entry, start, head_crc) = member.facts();
        let head = usize::try_from(entry.uncompressed - member.left());
        let head = head.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        let state = match (entry.method, member.blocks()) {
            (Method::Stored, _) => State::Stored,
            (Method::Deflate, Some(blocks)) if blocks.size() <= most_of_block(entry) => {
                State::Blocks(Held {
                    places: blocks.into_places(),
                    bytes: Vec::new(),
                    first: 0,
                    sum: (head_crc.clone(), 0),
                })
            }
            _ => State::Stream(Stream::new(&source, entry, start)),
        };
        let entry = entry.clone();
        Ok(Self { source, entry, start, head, head_crc, state })
    }

    /// Where the elements begin in the source, if they are there as they are.
    pub fn stored_at(&self) -> Option<u64> {
        matches!(self.state, State::Stored).then(|| self.start + self.head as u64)
    }

    /// Whether parts are read without what is before them.
    pub fn is_indexed(&self) -> bool {
        !matches!(self.state, State::Stream(_))
    }

    /// The archive.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// Reads as many bytes as `out` has, from byte `from` of the elements on.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`], [`Code::DataTruncated`], [`Code::ZipCrc`], and what is wrong with what is
    /// inflated. After an error it can be asked for other bytes.
    pub fn read_exact_at(&mut self, out: &mut [u8], from: u64) -> Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let len = self.entry.uncompressed - self.head as u64;
        if from.checked_add(out.len() as u64).is_none_or(|end| end > len) {
            return Err(Error::new(Code::OutOfBounds, "the member ends before that"));
        }
        match &mut self.state {
            State::Stored => {
                let at = self.start + self.head as u64 + from;
                match read_full_at(&self.source, out, at)? {
                    n if n < out.len() => Err(cut()),
                    _ => Ok(()),
                }
            }
            State::Blocks(_) => {
                let from = usize::try_from(from).map_err(|_| cut())?;
                self.read_blocks(out, from)
            }
            State::Stream(stream) => {
                let from = from + self.head as u64;
                if from < stream.at {
                    *stream = Stream::new(&self.source, &self.entry, self.start);
                }
                let read = stream.read(out, from, &self.entry);
                if read.is_err() {
                    *stream = Stream::new(&self.source, &self.entry, self.start);
                }
                read
            }
        }
    }

    fn read_blocks(&mut self, out: &mut [u8], from: usize) -> Result<()> {
        let (State::Blocks(held), Some(index)) = (&mut self.state, &self.entry.blocks) else {
            return Err(cut());
        };
        let places = Cow::Borrowed(&held.places[..]);
        let blocks = Blocks::with_places(&self.source, index, places, self.head);
        let size = blocks.size();
        let len = usize::try_from(self.entry.uncompressed).map_err(|_| cut())? - self.head;
        let (begin, end) = (from / size, (from + out.len()).div_ceil(size));
        let held_end = held.first + held.bytes.len().div_ceil(size);
        if begin < held.first || end > held_end {
            // What is there already is not inflated once more.
            match (held.first..held_end).contains(&begin) {
                true => drop(held.bytes.drain(..(begin - held.first) * size)),
                false => held.bytes.clear(),
            }
            held.first = begin;
            let old = held.bytes.len();
            let next = begin + old.div_ceil(size);
            let room = (end * size).min(len) - begin * size;
            held.bytes.try_reserve_exact(room - old).map_err(io::Error::from)?;
            held.bytes.resize(room, 0);
            let read = blocks.read(next, &mut held.bytes[old..], &Meter::unheard());
            if next == 0 {
                held.sum = (self.head_crc.clone(), 0);
            }
            let (sum, summed) = &mut held.sum;
            let checked = read.and_then(|crc| {
                if next != *summed {
                    return Ok(());
                }
                let mut more = sum.clone();
                more.combine(&crc);
                if end == held.places.len() {
                    wrong_crc(&more, &self.entry)?;
                }
                (*sum, *summed) = (more, end);
                Ok(())
            });
            if let Err(error) = checked {
                held.bytes.clear();
                return Err(error);
            }
        }
        let from = from - held.first * size;
        out.copy_from_slice(&held.bytes[from..from + out.len()]);
        Ok(())
    }
}

impl<R: ReadAt + Clone> Stream<R> {
    fn new(source: &R, entry: &Entry, start: u64) -> Self {
        let end = start.saturating_add(entry.compressed);
        let part = Part { source: source.clone(), at: start, end };
        let codec = if entry.method == Method::Zstd { Codec::Zstd } else { Codec::Deflate };
        Self { decoder: Decoder::new(codec, part), crc: crc32fast::Hasher::new(), at: 0 }
    }

    /// Reads the bytes of the member from `from` on, which is not before those that were read.
    fn read(&mut self, out: &mut [u8], from: u64, entry: &Entry) -> Result<()> {
        let mut skipped = vec![0; SKIP.min(usize::try_from(from - self.at).unwrap_or(SKIP))];
        while self.at < from {
            let len = (from - self.at).min(skipped.len() as u64) as usize;
            self.take(&mut skipped[..len])?;
        }
        self.take(out)?;
        if self.at == entry.uncompressed {
            if self.decoder.read(&mut [0])? != 0 {
                return Err(longer());
            }
            self.decoder.expect_end()?;
            wrong_crc(&self.crc, entry)?;
        }
        Ok(())
    }

    fn take(&mut self, out: &mut [u8]) -> Result<()> {
        self.decoder.read_exact(out).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof
                if error.get_ref().is_none_or(|e| !e.is::<FormatError>()) =>
            {
                Error::new(Code::DataTruncated, "the member ends before its size in the directory")
            }
            _ => error.into(),
        })?;
        self.crc.update(out);
        self.at += out.len() as u64;
        Ok(())
    }
}

impl<R: ReadAt> Read for Part<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (self.end - self.at).min(buffer.len() as u64) as usize;
        let n = self.source.read_at(&mut buffer[..len], self.at)?.min(len);
        self.at += n as u64;
        Ok(n)
    }
}

/// The largest blocks whose index is believed: those that are as small as the index lets them be. A
/// few bytes may else stand for blocks of gigabytes, which are inflated whole.
fn most_of_block(entry: &Entry) -> usize {
    let fair = entry.uncompressed / BlockIndex::MOST as u64 * 2;
    usize::try_from(fair).unwrap_or(usize::MAX).clamp(BLOCK_FAIR, BLOCK_MOST)
}

const BLOCK_FAIR: usize = 4 << 20;
const BLOCK_MOST: usize = 256 << 20;
/// Bytes that are passed over at a time.
const SKIP: usize = 1 << 16;
