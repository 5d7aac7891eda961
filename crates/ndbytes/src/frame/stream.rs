//! Reading frames from streams: exactly one, from its first byte to its last.

use std::io::Read;

use ndbytes_format::frame::{ChunkPlace, FrameHeader, FramePrelude, Record, encode_index};
use ndbytes_format::{Code, Limits};
use ndbytes_mem::Strided;

use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::chunk::{ChunkDecoder, checked, most};
use crate::frame::grid;
use crate::frame::target::Target;
use crate::npy::{fill, fill_growing};
use crate::progress::{Meter, Progress};

/// Reads a frame's header, and returns it with its length in bytes.
///
/// # Errors
/// [`Code::EndOfStream`] when the source ends before the first byte; a code for each way that a
/// header can lie; [`Code::FrameChecksum`]; [`Code::TooManyBytes`].
pub fn read_frame_header(
    source: &mut (impl Read + ?Sized),
    limits: &Limits,
) -> Result<(FrameHeader, usize)> {
    let mut head = [0; FramePrelude::LEN];
    let have = fill(source, &mut head)?;
    let prelude = FramePrelude::parse(&head[..have], limits)?;
    let mut bytes = head.to_vec();
    let len = prelude.header_len();
    fill_growing(source, &mut bytes, len)?;
    if bytes.len() < len {
        return Err(truncated("its header", len, bytes.len()).at(bytes.len() as u64));
    }
    let header = FrameHeader::parse(checked(&bytes, "the header")?, limits)?;
    if header.array().nbytes() as u64 > limits.bytes {
        let message = format!(
            "the header announces {} bytes, more than the limit of {}; raise `max_bytes` if you trust the source",
            header.array().nbytes(),
            limits.bytes
        );
        return Err(Error::new(Code::TooManyBytes, message));
    }
    Ok((header, len))
}

/// Reads what follows the header of a frame, `len` bytes long, into strided memory, and not a byte
/// more.
///
/// # Errors
/// [`Code::FrameTruncated`], [`Code::FrameChecksum`], [`Code::FrameRecord`], [`Code::FrameIndex`],
/// what the codecs say, [`Code::DataInvalid`]; [`Code::OutOfBounds`] when the layout reaches
/// outside of `out`. Of a damaged frame some chunks may have been written to `out`.
pub fn read_frame_into(
    source: &mut (impl Read + ?Sized),
    header: &FrameHeader,
    len: usize,
    out: &mut [u8],
    layout: Strided<'_>,
) -> Result<()> {
    read_frame_into_with(source, header, len, out, layout, &Progress::default())
}

/// As [`read_frame_into`], and tells how far it is.
///
/// # Errors
/// As [`read_frame_into`], and what [`Progress`] said.
pub fn read_frame_into_with(
    source: &mut (impl Read + ?Sized),
    header: &FrameHeader,
    len: usize,
    out: &mut [u8],
    layout: Strided<'_>,
    progress: &Progress,
) -> Result<()> {
    let meter = Meter::new(progress, header.array().nbytes() as u64);
    let read = read_chunks(source, header, len, Target::new(header, out, layout)?, &meter);
    meter.end(read)
}

fn read_chunks(
    source: &mut (impl Read + ?Sized),
    header: &FrameHeader,
    len: usize,
    mut target: Target<'_>,
    meter: &Meter,
) -> Result<()> {
    let mut decoder = ChunkDecoder::default();
    let (mut items, mut record) = (Vec::new(), Vec::new());
    let mut places = Vec::new();
    let mut at = len as u64;
    for chunk in 0..header.chunk_count() {
        let Record::Chunk(len) = next(source, at)? else {
            let message =
                format!("the index, where chunk {chunk} of {} was expected", header.chunk_count());
            return Err(Error::new(Code::FrameRecord, message).at(at));
        };
        at += Record::PREFIX_LEN as u64;
        if u64::from(len) > most(header) {
            let message =
                format!("a chunk of {len} bytes, of {} when it is decoded", header.chunk_nbytes());
            return Err(Error::new(Code::FrameRecord, message).at(at));
        }
        record.clear();
        let have = fill_growing(source, &mut record, len as usize)?;
        if have < len as usize {
            return Err(truncated("a chunk", len as usize, have).at(at + have as u64));
        }
        target.decode(&mut decoder, chunk, &record, at, &mut items)?;
        places.push(ChunkPlace { offset: at, len: u64::from(len) });
        at += u64::from(len);
        meter.add_by(|| grid::nbytes(header, chunk))?;
    }
    let Record::Index(len) = next(source, at)? else {
        return Err(Error::new(Code::FrameRecord, "a chunk where the index was expected").at(at));
    };
    at += Record::PREFIX_LEN as u64;
    if len as usize != header.index_len() {
        let message = format!("an index of {len} bytes, not {}", header.index_len());
        return Err(Error::new(Code::FrameRecord, message).at(at));
    }
    record.clear();
    let have = fill_growing(source, &mut record, len as usize)?;
    if have < len as usize {
        return Err(truncated("its index", len as usize, have).at(at + have as u64));
    }
    if checked(&record, "the index").map_err(|error| error.shifted(at))? != encode_index(&places) {
        let message = "the index does not say where the chunks are";
        return Err(Error::new(Code::FrameIndex, message).at(at));
    }
    Ok(())
}

/// Reads a frame and not a byte more.
///
/// # Errors
/// As [`read_frame_header`] and [`read_frame_into`].
pub fn read_frame(source: &mut (impl Read + ?Sized), limits: &Limits) -> Result<Array> {
    let (header, len) = read_frame_header(source, limits)?;
    let mut array = Array::zeroed(header.array().clone())?;
    let strides = header.array().strides();
    let layout = Strided { origin: 0, strides: &strides };
    read_frame_into(source, &header, len, array.bytes_mut(), layout)?;
    Ok(array)
}

fn next(source: &mut (impl Read + ?Sized), at: u64) -> Result<Record> {
    let mut prefix = [0; Record::PREFIX_LEN];
    let have = fill(source, &mut prefix)?;
    if have < prefix.len() {
        return Err(truncated("a record's prefix", prefix.len(), have).at(at + have as u64));
    }
    Record::parse(prefix).map_err(|error| Error::from(error).shifted(at))
}

#[cold]
pub(super) fn truncated(what: &str, expected: usize, got: usize) -> Error {
    let message = format!("the frame ends inside {what}: expected {expected} bytes, got {got}");
    Error::new(Code::FrameTruncated, message)
}
