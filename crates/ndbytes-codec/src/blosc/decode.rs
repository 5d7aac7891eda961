//! Reading buffers.

use std::ops::Range;

use ndbytes_format::blosc::{HEADER_LEN, MAX_SPLIT_TYPESIZE};
use ndbytes_format::cursor::Cursor;
use ndbytes_format::{Code, FormatError};
use ndbytes_mem::{bitunshuffle, bitunshuffle_planes, unshuffle, unshuffle_planes};

use super::unpack::Unpacker;
use super::{Filter, Header};

/// Decodes buffers one after another, without new memory once it has seen the largest block.
#[derive(Default)]
pub struct Decoder {
    unpacker: Unpacker,
    filtered: Vec<u8>,
    block: Vec<u8>,
    starts: Vec<u32>,
}

impl Decoder {
    /// A decoder without memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory that the decoder holds.
    pub fn nbytes(&self) -> usize {
        let own = self.filtered.capacity() + self.block.capacity() + 4 * self.starts.capacity();
        own + self.unpacker.nbytes()
    }

    /// Decodes a buffer that fills `src` into `dst`, which it must fill, too.
    ///
    /// No memory is taken beyond the size of a block, which is at most that of `dst`, and a sixteenth
    /// of it. Of a damaged buffer some blocks may have been written to `dst`.
    ///
    /// # Errors
    /// [`Code::Mismatch`] when another number of bytes would come out; as [`Header::parse`];
    /// [`Code::CodecTruncated`] and [`Code::CodecTrailing`] when `src` is shorter or longer than
    /// the header says; [`Code::BloscHeader`] when blocks overlap or leave gaps;
    /// [`Code::CodecCorrupt`] for damaged streams. Damage that a stream's own format does not
    /// notice gives wrong bytes: Blosc has no checksums.
    pub fn decode(&mut self, src: &[u8], dst: &mut [u8]) -> Result<(), FormatError> {
        let header = whole(src)?;
        if header.nbytes as usize != dst.len() {
            let message = format!("the buffer holds {} bytes, not {}", header.nbytes, dst.len());
            return Err(FormatError::new(Code::Mismatch, message).at(4));
        }
        self.range(src, &header, 0, dst)
    }

    /// As [`decode`](Self::decode), to new memory for at most `max_bytes`.
    ///
    /// # Errors
    /// As there; [`Code::CodecTooLarge`] when more would come out.
    pub fn decode_to_vec(&mut self, src: &[u8], max_bytes: usize) -> Result<Vec<u8>, FormatError> {
        let header = whole(src)?;
        check_size(&header, max_bytes)?;
        let mut dst = Vec::new();
        dst.try_reserve_exact(header.nbytes as usize).map_err(|_| no_memory(&header))?;
        dst.resize(header.nbytes as usize, 0);
        self.range(src, &header, 0, &mut dst)?;
        Ok(dst)
    }

    /// Decodes `dst.len()` bytes from `start` on, and no block without any of them. Buffers of
    /// more than `max_bytes` are refused, since one block may be all.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), for the blocks that are looked at; [`Code::CodecTooLarge`];
    /// [`Code::OutOfBounds`] when the buffer does not hold the range.
    pub fn decode_range(
        &mut self,
        src: &[u8],
        max_bytes: usize,
        start: usize,
        dst: &mut [u8],
    ) -> Result<(), FormatError> {
        let header = whole(src)?;
        check_size(&header, max_bytes)?;
        let inside = start.checked_add(dst.len()).is_some_and(|end| end <= header.nbytes as usize);
        if !inside {
            let message = format!(
                "{} bytes from {start} on are not within the buffer's {}",
                dst.len(),
                header.nbytes
            );
            return Err(FormatError::new(Code::OutOfBounds, message));
        }
        self.range(src, &header, start, dst)
    }

    fn range(
        &mut self,
        src: &[u8],
        header: &Header,
        start: usize,
        dst: &mut [u8],
    ) -> Result<(), FormatError> {
        if header.stored {
            let from = HEADER_LEN + start;
            dst.copy_from_slice(&src[from..from + dst.len()]);
            return Ok(());
        }
        if dst.is_empty() {
            return Ok(());
        }
        let table = &src[HEADER_LEN..header.data_start()];
        self.sort(table);
        let end = start + dst.len();
        let block_size = header.block_size as usize;
        let (first, last) = (start / block_size, (end - 1) / block_size);
        // The streams of the block before, if all of it is in `dst`.
        let mut before: Option<Range<usize>> = None;
        for (index, entry) in table.as_chunks().0.iter().enumerate().take(last + 1).skip(first) {
            let streams = self.extent(u32::from_le_bytes(*entry), src, header)?;
            let block = header.block(index);
            let wanted = block.start.max(start)..block.end.min(end);
            let at = wanted.start - start;
            if wanted == block {
                let like = before.replace(streams.clone());
                let is_like = like.is_some_and(|like| src[like] == src[streams.clone()]);
                // All blocks but the last are of this size.
                if is_like && block.len() == block_size {
                    dst.copy_within(at - block_size..at, at);
                } else {
                    self.block(src, streams, header, &mut dst[at..at + block.len()])?;
                }
                continue;
            }
            let to = &mut dst[at..wanted.end - start];
            let mut whole = std::mem::take(&mut self.block);
            grow(&mut whole, block.len(), header)?;
            let result = self.block(src, streams, header, &mut whole[..block.len()]);
            to.copy_from_slice(&whole[wanted.start - block.start..wanted.end - block.start]);
            self.block = whole;
            result?;
        }
        Ok(())
    }

    /// Sorts the starts of the blocks, which c-blosc's threads write in any order.
    fn sort(&mut self, table: &[u8]) {
        self.starts.clear();
        self.starts.extend(table.as_chunks().0.iter().map(|entry| u32::from_le_bytes(*entry)));
        if !self.starts.is_sorted() {
            self.starts.sort_unstable();
        }
    }

    /// Where the block with that start is: blocks follow the table and one another, and fill the
    /// buffer.
    fn extent(&self, start: u32, src: &[u8], header: &Header) -> Result<Range<usize>, FormatError> {
        let next = self.starts.partition_point(|&other| other <= start);
        let end = self.starts.get(next).map_or(src.len(), |&next| next as usize);
        let start = start as usize;
        let once = next == 1 || self.starts.get(next.wrapping_sub(2)) != self.starts.get(next - 1);
        let first = self.starts.first().map(|&first| first as usize);
        if first != Some(header.data_start()) || !once || start > end || end > src.len() {
            let message = "the blocks of the Blosc buffer do not lie one after another";
            return Err(FormatError::new(Code::BloscHeader, message).at(HEADER_LEN as u64));
        }
        Ok(start..end)
    }

    /// Decodes one block.
    fn block(
        &mut self,
        src: &[u8],
        streams: Range<usize>,
        header: &Header,
        dst: &mut [u8],
    ) -> Result<(), FormatError> {
        if header.filter == Filter::None {
            return self.streams(src, streams, header, dst);
        }
        let count = header.stream_count(dst.len());
        let mut filtered = std::mem::take(&mut self.filtered);
        grow(&mut filtered, dst.len(), header)?;
        let eights = (dst.len() / count).is_multiple_of(8);
        if count > 1 && (header.filter == Filter::Shuffle || eights) {
            let result = self.planes(src, streams, header, &mut filtered[..dst.len()], dst);
            self.filtered = filtered;
            return result;
        }
        let result = self.streams(src, streams, header, &mut filtered[..dst.len()]);
        if result.is_ok() {
            let typesize = usize::from(header.typesize);
            match header.filter {
                Filter::Bitshuffle => bitunshuffle(dst, &filtered[..dst.len()], typesize),
                _ => unshuffle(dst, &filtered[..dst.len()], typesize),
            }
        }
        self.filtered = filtered;
        result
    }

    /// Decodes one block whose streams are planes. Those that are not compressed are taken from
    /// where they are, and those that are like the one before are that one.
    fn planes(
        &mut self,
        src: &[u8],
        place: Range<usize>,
        header: &Header,
        filtered: &mut [u8],
        dst: &mut [u8],
    ) -> Result<(), FormatError> {
        let count = header.stream_count(dst.len());
        let stream_len = dst.len() / count;
        let mut planes: [&[u8]; MAX_SPLIT_TYPESIZE] = [&[]; MAX_SPLIT_TYPESIZE];
        let mut streams = Streams::new(src, place);
        let mut before: (&[u8], &[u8]) = (&[], &[]);
        for (plane, out) in planes.iter_mut().zip(filtered.chunks_exact_mut(stream_len)) {
            let (stream, at) = streams.next()?;
            *plane = if stream.len() == stream_len {
                stream
            } else if stream == before.0 && !stream.is_empty() {
                before.1
            } else {
                let unpacked = self.unpacker.unpack(header.compressor, stream, out);
                unpacked.map_err(|error| error.at(at))?;
                out
            };
            before = (stream, *plane);
        }
        streams.end()?;
        match header.filter {
            Filter::Bitshuffle => bitunshuffle_planes(dst, &planes[..count]),
            _ => unshuffle_planes(dst, &planes[..count]),
        }
        Ok(())
    }

    /// Decompresses the streams of one block, which must fill their place.
    fn streams(
        &mut self,
        src: &[u8],
        place: Range<usize>,
        header: &Header,
        out: &mut [u8],
    ) -> Result<(), FormatError> {
        let mut streams = Streams::new(src, place);
        let stream_len = out.len() / header.stream_count(out.len());
        for out in out.chunks_mut(stream_len) {
            let (stream, at) = streams.next()?;
            if stream.len() == out.len() {
                out.copy_from_slice(stream);
            } else {
                let unpacked = self.unpacker.unpack(header.compressor, stream, out);
                unpacked.map_err(|error| error.at(at))?;
            }
        }
        streams.end()
    }
}

/// The streams of one block, each with its length before it.
struct Streams<'a> {
    cursor: Cursor<'a>,
    start: u64,
}

impl<'a> Streams<'a> {
    fn new(src: &'a [u8], place: Range<usize>) -> Self {
        let start = place.start as u64;
        Self { cursor: Cursor::new(&src[place], Code::BloscHeader), start }
    }

    /// The next stream, and where it begins.
    fn next(&mut self) -> Result<(&'a [u8], u64), FormatError> {
        let shifted = |error: FormatError| error.shifted(self.start);
        let len = self.cursor.u32().map_err(shifted)?;
        let at = self.start + self.cursor.position() as u64;
        Ok((self.cursor.take(len as usize).map_err(shifted)?, at))
    }

    /// Checks that there is nothing more.
    fn end(&self) -> Result<(), FormatError> {
        if self.cursor.rest().is_empty() {
            return Ok(());
        }
        let message = "bytes follow the streams of a block of the Blosc buffer";
        let at = self.start + self.cursor.position() as u64;
        Err(FormatError::new(Code::BloscHeader, message).at(at))
    }
}

/// The header of a buffer that is as long as it says.
fn whole(src: &[u8]) -> Result<Header, FormatError> {
    let header = Header::parse(src)?;
    let (expected, got) = (header.cbytes as usize, src.len());
    let code = match got.cmp(&expected) {
        std::cmp::Ordering::Equal => return Ok(header),
        std::cmp::Ordering::Less => Code::CodecTruncated,
        std::cmp::Ordering::Greater => Code::CodecTrailing,
    };
    let message = format!("expected a Blosc buffer of {expected} bytes, got {got}");
    Err(FormatError::new(code, message).at(expected.min(got) as u64))
}

fn check_size(header: &Header, max_bytes: usize) -> Result<(), FormatError> {
    if header.nbytes as usize <= max_bytes {
        return Ok(());
    }
    let message = format!(
        "the buffer holds {} bytes, more than {max_bytes}; raise `max_bytes` if you trust the \
         source",
        header.nbytes
    );
    Err(FormatError::new(Code::CodecTooLarge, message).at(4))
}

/// Makes sure that `vec` has that length at least.
fn grow(vec: &mut Vec<u8>, len: usize, header: &Header) -> Result<(), FormatError> {
    if vec.len() < len {
        vec.try_reserve(len - vec.len()).map_err(|_| no_memory(header))?;
        vec.resize(len, 0);
    }
    Ok(())
}

#[cold]
fn no_memory(header: &Header) -> FormatError {
    let message = format!("there is no memory for {} bytes", header.nbytes);
    FormatError::new(Code::CodecTooLarge, message)
}
