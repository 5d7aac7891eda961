//! The bodies of the fuzz targets for frames: read from streams and by position, in parts, through
//! a journal, as the shard of a Zarr array.

use std::fs;
use std::path::Path;

use ndbytes::frame_format::{CHECKSUM_LEN, FramePrelude, Record};
use ndbytes::journal_format::Journal;
use ndbytes::{
    Array, ErrorKind, FrameOptions, FrameReader, Header, Limits, Order, SaveOptions, Strided,
    append_frame,
};

use crate::forge::sealed;
use crate::oracle;
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

fn limits() -> Limits {
    Limits::default().with_bytes(MAX_BYTES)
}

fn read_frame_both(data: &[u8]) {
    let mut source = data;
    let streamed = ndbytes::read_frame(&mut source, &limits());
    if let Err(error) = &streamed {
        check(error, data.len());
        assert_eq!(error.kind() == ErrorKind::EndOfStream, data.is_empty(), "{error}");
    }
    let reader = match FrameReader::new(data, &limits()) {
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

/// A slice of a frame is that of the whole, in whatever order it is put. The first 32 bytes choose
/// it: a start, a step and a count for each axis, by turns, and an order.
pub fn frame_part(data: &[u8]) {
    let Some((choice, frame)) = data.split_first_chunk::<32>() else { return };
    let frame = resealed(frame);
    let Ok(reader) = FrameReader::new(&frame[..], &limits()) else { return };
    let header = reader.header().array().clone();
    let (mut start, mut step, mut count) = (Vec::new(), Vec::new(), Vec::new());
    for (axis, &n) in header.shape().iter().enumerate() {
        let pick = |i: usize| usize::from(choice[(3 * axis + i) % 31]);
        start.push(pick(0) % (n + 1));
        step.push(1 + pick(1) % 20);
        let most = (n - start[axis]).div_ceil(step[axis]);
        count.push(most.min(if pick(2) > 200 { most } else { pick(2) }));
    }
    let order = if choice[31] & 1 == 0 { Order::C } else { Order::F };
    let Ok(part) = Header::new(header.dtype().clone(), order, count.clone()) else { return };
    let mut out = vec![0; part.nbytes()];
    let strides = part.strides();
    let layout = Strided { origin: 0, strides: &strides };
    let read = reader.read_slice_into(&start, &step, &count, &mut out, layout);
    // Without all of it there is nothing to compare with: chunks beside the slice may be damaged.
    let Ok(whole) = reader.read() else { return };
    read.expect("all of it was read");
    let size = header.dtype().itemsize();
    if size == 0 {
        return;
    }
    let item = |bytes: &[u8], strides: &[isize], index: &[usize]| {
        let at: isize = index.iter().zip(strides).map(|(&i, &stride)| i as isize * stride).sum();
        bytes[at as usize..at as usize + size].to_vec()
    };
    for flat in 0..count.iter().product() {
        let index = oracle::index(flat, &count, Order::C);
        let place: Vec<usize> = (0..count.len()).map(|i| start[i] + index[i] * step[i]).collect();
        let wanted = item(whole.bytes(), &header.strides(), &place);
        assert_eq!(item(&out, &strides, &index), wanted, "{start:?} {step:?} {count:?}");
    }
}

/// Whatever a journal says, a reader and who appends see the same frame, or neither sees one. The
/// first four bytes cut the rest into a frame and a journal, or a frame and what it was before.
pub fn frame_journal(data: &[u8]) {
    let Some((choice, rest)) = data.split_first_chunk::<4>() else { return };
    let [cut, tail] =
        [[0, 1], [2, 3]].map(|[a, b]| usize::from(choice[a]) | usize::from(choice[b]) << 8);
    let (frame, other) = rest.split_at(cut % (rest.len() + 1));
    beside(frame, other);
    beside(&resealed(frame), &sealed(other[..other.len().saturating_sub(4)].to_vec()));
    let before = resealed(other);
    let Ok((_, header_len)) = ndbytes::read_frame_header(&mut &before[..], &limits()) else {
        return;
    };
    let tail_at = header_len + tail % (before.len() - header_len + 1);
    let journal = Journal {
        file_len: before.len() as u64,
        tail_at: tail_at as u64,
        header_len: header_len as u32,
    };
    let held = [&journal.encode(), &before[..header_len], &before[tail_at..]].concat();
    // Of the file, what the append leaves alone.
    let mut now = resealed(frame);
    let stays = tail_at.min(now.len());
    now[header_len.min(stays)..stays].copy_from_slice(&before[header_len.min(stays)..stays]);
    for now in [&now, &before[..before.len() - tail % 9], &before] {
        beside(now, &sealed(held.clone()));
    }
}

/// Reads a frame with a journal beside it, appends nothing, and reads it again.
fn beside(frame: &[u8], journal: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    fs::write(&path, frame).expect("a file");
    fs::write(folder.path().join("a.journal"), journal).expect("a file");
    let before = read(&path);
    let Ok((array, axis)) = before.as_ref().map(|array| (array, array.header().growing_axis()))
    else {
        // What is refused is left as it is, and a journal is for whoever knows better.
        if append(&path, &nothing()).is_err_and(|error| error.kind() == ErrorKind::Malformed) {
            assert!(fs::read(&path).expect("the file") == frame || read(&path).is_err());
        }
        return;
    };
    let mut shape = array.shape().to_vec();
    if let Some(axis) = axis {
        shape[axis] = 0;
    }
    let header = Header::new(array.dtype().clone(), array.order(), shape).expect("smaller");
    // Some frames cannot grow; they are what they were all the same.
    let _ = append(&path, &Array::zeroed(header).expect("nothing"));
    let after = read(&path).expect("what was read before");
    same(&after.view(), &array.view());
}

fn nothing() -> Array {
    let header = Header::new("|u1".parse().expect("a dtype"), Order::C, vec![0]).expect("a header");
    Array::zeroed(header).expect("nothing")
}

fn read(path: &Path) -> ndbytes::Result<Array> {
    FrameReader::open(path, &limits())?.read()
}

fn append(path: &Path, array: &Array) -> ndbytes::Result<()> {
    append_frame(path, &array.view(), &FrameOptions::default(), &SaveOptions::default())
}

/// The metadata of a Zarr array is that of the frame beside it, or refused.
#[cfg(feature = "zarr")]
pub fn zarr_read(data: &[u8]) {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let items: Vec<u8> = (0..70).collect();
        let array = ndbytes::ArrayView::contiguous(
            "<u2".parse().expect("a dtype"),
            &[7, 5],
            Order::F,
            &items,
        );
        let options = FrameOptions::default().with_chunk_shape(Some(vec![7, 2]));
        let frame = ndbytes::dump_frame(&array.expect("an array"), &options).expect("a frame");
        fs::create_dir_all(folder.path().join("c/0")).expect("a folder");
        fs::write(folder.path().join("c/0/0"), frame).expect("a file");
        folder
    });
    fs::write(folder.path().join("zarr.json"), data).expect("a file");
    let begin = Instant::now();
    match ndbytes::zarr_shard(folder.path()) {
        Ok(shard) => assert_eq!(shard, folder.path().join("c/0/0")),
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Malformed | ErrorKind::Unsupported),
                "{error}"
            );
            assert!(error.message().len() < 2000, "{error}");
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
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
