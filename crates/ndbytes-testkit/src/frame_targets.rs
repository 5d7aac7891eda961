//! The bodies of the fuzz targets for frames.

use ndbytes::frame_format::{CHECKSUM_LEN, FramePrelude, Record};
use ndbytes::journal_format::Journal;
use ndbytes::{Code, FrameReader, Limits};

use crate::targets::{MAX_BYTES, check, same};

/// A frame from a stream and by position are the same array, or refused, also where every checksum
/// is right; parts are parts of the whole. A journal holds what it says.
pub fn frame_read(data: &[u8]) {
    if let Ok(journal) = Journal::parse(data, data.len() as u64) {
        assert_eq!(journal.encode(), data[..Journal::PRELUDE_LEN]);
        for at in [0, u64::from(journal.header_len), journal.tail_at, journal.file_len] {
            if let Some((at, n)) = journal.find(at) {
                assert!(at + n + CHECKSUM_LEN as u64 <= data.len() as u64);
            }
        }
    }
    read_frame_both(data);
    read_frame_both(&resealed(data));
}

fn read_frame_both(data: &[u8]) {
    let limits = Limits::default().with_bytes(MAX_BYTES);
    let mut source = data;
    let streamed = ndbytes::read_frame(&mut source, &limits);
    if let Err(error) = &streamed {
        check(error, data.len());
        assert_eq!(error.code() == Code::EndOfStream, data.is_empty(), "{error}");
    }
    let reader = match FrameReader::new(data, &limits) {
        Ok(reader) => reader,
        Err(error) => return check(&error, data.len()),
    };
    for chunk in 0..reader.places().len().min(100) {
        let _ = reader.describe(chunk);
    }
    let placed = match reader.read() {
        Ok(array) => array,
        Err(error) => return check(&error, data.len()),
    };
    if let Ok(streamed) = &streamed {
        assert!(source.is_empty());
        same(&streamed.view(), &placed.view());
    }
    let shape = placed.shape();
    let start: Vec<usize> = shape.iter().map(|n| n / 2).collect();
    let rest: Vec<usize> = shape.iter().zip(&start).map(|(n, start)| n - start).collect();
    let part = reader.read_part(&start, &rest).expect("all of it was read");
    assert_eq!(part.shape(), rest);
}

/// The same bytes with every checksum put right that can be found.
fn resealed(data: &[u8]) -> Vec<u8> {
    let mut bytes = data.to_vec();
    let Ok(prelude) = FramePrelude::parse(data, &Limits::default()) else { return bytes };
    let seal = |bytes: &mut Vec<u8>, start: usize, end: usize| {
        if let Some(covered) = bytes.get(start..end.saturating_sub(CHECKSUM_LEN)) {
            let checksum = crc32c::crc32c(covered).to_le_bytes();
            bytes[end - CHECKSUM_LEN..end].copy_from_slice(&checksum);
        }
    };
    let mut at = prelude.header_len();
    if at > bytes.len() {
        return bytes;
    }
    seal(&mut bytes, 0, at);
    while let Some(prefix) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let Ok(Record::Chunk(len) | Record::Index(len)) = Record::parse(*prefix) else { break };
        let end = at + Record::PREFIX_LEN + len as usize;
        if end > bytes.len() {
            break;
        }
        seal(&mut bytes, at + Record::PREFIX_LEN, end);
        at = end;
    }
    bytes
}
