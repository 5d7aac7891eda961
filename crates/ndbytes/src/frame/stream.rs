//! Reading frames from streams: exactly one, from its first byte to its last.

use std::io::Read;

use ndbytes_format::frame::{FrameHeader, FramePrelude, Record};
use ndbytes_format::{Code, Limits};
use ndbytes_mem::Strided;

use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::chunk::checked;
use crate::frame::decoder::Records;
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
    let mut records = Records::new(len);
    let mut record = Vec::new();
    let mut chunk = 0;
    while !records.are_whole() {
        let mut prefix = [0; Record::PREFIX_LEN];
        let have = fill(source, &mut prefix)?;
        let len = records.expect(header, &prefix[..have])?;
        record.clear();
        fill_growing(source, &mut record, len)?;
        records.put(header, &record, &mut target)?;
        // The last record is the index.
        if chunk < header.chunk_count() {
            meter.add_by(|| grid::nbytes(header, chunk))?;
        }
        chunk += 1;
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

#[cold]
pub(super) fn truncated(what: &str, expected: usize, got: usize) -> Error {
    let message = format!("the frame ends inside {what}: expected {expected} bytes, got {got}");
    Error::new(Code::FrameTruncated, message)
}
