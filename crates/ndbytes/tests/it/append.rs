//! Appending to frames: nothing is lost, wherever it is cut off.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use ndbytes::{
    Array, ArrayView, Code, FrameOptions, FrameReader, Limits, Order, SaveOptions, append_frame,
    dump_frame, read_frame,
};
use ndbytes_testkit::arrays::{Case, Layout};
use proptest::prelude::*;

use crate::{assert_same, code};

fn options(pipeline: &str) -> FrameOptions {
    FrameOptions::default().with_pipeline(pipeline.parse().unwrap())
}

fn append(path: &Path, array: &ArrayView<'_>) -> ndbytes::Result<()> {
    append_frame(path, array, &FrameOptions::default(), &SaveOptions::default())
}

/// What the file holds, by position and as a stream, which must agree.
fn read(path: &Path) -> Array {
    let placed = FrameReader::open(path, &Limits::default()).unwrap().read().unwrap();
    if !journal(path).exists() {
        let bytes = fs::read(path).unwrap();
        let streamed = read_frame(&mut &bytes[..], &Limits::default()).unwrap();
        assert_same(&streamed.view(), &placed.view(), "stream");
    }
    placed
}

fn journal(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap().to_owned();
    name.push(".journal");
    path.with_file_name(name)
}

/// Rows `from..to` of an array along an axis.
fn rows<'a>(
    array: &ArrayView<'a>,
    axis: usize,
    from: usize,
    to: usize,
    all: &'a [u8],
) -> ArrayView<'a> {
    let mut shape = array.shape().to_vec();
    shape[axis] = to - from;
    let origin = from as isize * array.strides()[axis];
    let origin = if shape.contains(&0) { 0 } else { origin as usize };
    ArrayView::new(array.dtype().clone(), &shape, array.strides(), all, origin).unwrap()
}

fn numbers(count: u16) -> Vec<u8> {
    (0..count).flat_map(|i| (i / 3).to_le_bytes()).collect()
}

fn of_numbers(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("<u2".parse().unwrap(), &[bytes.len() / 2], Order::C, bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn what_was_appended_follows_what_was_there(
        shape in prop::collection::vec(1usize..12, 1..4),
        chunk in prop::collection::vec(1usize..6, 3),
        cuts in prop::collection::vec(0usize..12, 1..4),
        fortran in any::<bool>(),
        pipeline in prop::sample::select(vec!["auto", "raw", "lz4", "zstd-3-bitshuffle", "pco"]),
        dtype in prop::sample::select(vec!["<f8", "|u1", "<i4"]),
    ) {
        let layout = if fortran { Layout::F } else { Layout::C };
        let case = Case::new(&dtype.parse().unwrap(), &shape, layout);
        let view = case.view();
        let axis = match view.storage_order() { Order::C => 0, Order::F => shape.len() - 1 };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (shape[axis] + 1)).collect();
        cuts.sort_unstable();
        cuts.push(shape[axis]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndb");
        let mut chunk = chunk[..shape.len()].to_vec();
        if axis > 0 {
            chunk[..axis].copy_from_slice(&shape[..axis]);
        }
        let first = rows(&view, axis, 0, cuts[0], &case.bytes);
        if first.storage_order() != view.storage_order() {
            // Too thin to tell one order from the other.
            return Ok(());
        }
        let wanted = options(pipeline).with_chunk_shape(Some(chunk));
        fs::write(&path, dump_frame(&first, &wanted).unwrap()).unwrap();
        for pair in cuts.windows(2) {
            append(&path, &rows(&view, axis, pair[0], pair[1], &case.bytes)).unwrap();
            assert_same(&read(&path).view(), &rows(&view, axis, 0, pair[1], &case.bytes), "grown");
        }
        prop_assert!(!journal(&path).exists());
    }
}

#[test]
fn chunks_grow_while_a_frame_is_short_and_stay_when_they_are_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let all: Vec<u8> = (0..1_000_000u64).flat_map(|i| (i * i).to_le_bytes()).collect();
    let fast = &options("fast");
    let view = ArrayView::contiguous("<u8".parse().unwrap(), &[1_000_000], Order::C, &all).unwrap();
    fs::write(&path, dump_frame(&rows(&view, 0, 0, 10, &all), fast).unwrap()).unwrap();
    for from in (10..1_000_000).step_by(99_999) {
        let more = rows(&view, 0, from, (from + 99_999).min(1_000_000), &all);
        append_frame(&path, &more, fast, &SaveOptions::default()).unwrap();
    }
    assert_same(&read(&path).view(), &view, "grown");
    let reader = FrameReader::open(&path, &Limits::default()).unwrap();
    assert_eq!(reader.header().chunk_shape(), [(2 << 20) / 8]);
    assert_eq!(reader.places().len(), 4);
    let once = dump_frame(&view, &fast.clone().with_chunk_shape(Some(vec![(2 << 20) / 8])));
    assert!(fs::read(&path).unwrap() == once.unwrap(), "not the bytes of a frame made at once");
}

/// The journal by `docs/spec/journal.md`.
fn journal_of(old: &[u8], header_len: usize, tail_at: usize) -> Vec<u8> {
    let mut bytes = b"\x89NDJ\r\n\x1a\n".to_vec();
    bytes.extend((old.len() as u64).to_le_bytes());
    bytes.extend((tail_at as u64).to_le_bytes());
    bytes.extend((header_len as u32).to_le_bytes());
    bytes.extend(&old[..header_len]);
    bytes.extend(&old[tail_at..]);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

/// A frame of 60 numbers in chunks of so many, the same with 7 more, and where they begin to differ
/// after the header.
fn before_and_after(path: &Path, pipeline: &str, chunk: usize) -> (Vec<u8>, Vec<u8>, usize) {
    let all = numbers(67);
    let first = of_numbers(&all[..120]);
    let options = options(pipeline).with_chunk_shape(Some(vec![chunk]));
    let old = dump_frame(&first, &options).unwrap();
    fs::write(path, &old).unwrap();
    let reader = FrameReader::open(path, &Limits::default()).unwrap();
    let full = if chunk < 60 { 60 / chunk } else { 0 };
    let tail_at = match full {
        0 => reader.places()[0].offset - 8,
        full => reader.places()[full - 1].offset + reader.places()[full - 1].len,
    };
    append(path, &of_numbers(&all[120..])).unwrap();
    (old, fs::read(path).unwrap(), tail_at as usize)
}

#[test]
fn an_append_that_was_cut_off_anywhere_is_as_if_it_had_not_begun_or_had_ended() {
    // Chunks that stay as long as they are; one that grows, so that the old header fits the new
    // index; one of which there become two; full ones alone.
    for chunk in [25, 60, 40, 20] {
        cut_off_anywhere("zstd", chunk);
    }
    for (pipeline, chunk) in [("lz4", 60), ("raw", 60), ("raw", 25), ("pco", 60)] {
        cut_off_anywhere(pipeline, chunk);
    }
}

fn cut_off_anywhere(pipeline: &str, chunk: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let (old, new, tail_at) = before_and_after(&path, pipeline, chunk);
    let header_len = read_header_len(&old);
    let kept = journal_of(&old, header_len, tail_at);
    let all = numbers(70);
    // The file is cut, then the tail grows, then the header is written.
    let mut states: Vec<Vec<u8>> = (tail_at..=new.len()).map(|end| new[..end].to_vec()).collect();
    for state in &mut states {
        state[..header_len].copy_from_slice(&old[..header_len]);
    }
    let torn: Vec<Vec<u8>> = (0..header_len)
        .map(|at| [&new[..at], &old[at..header_len], &new[header_len..]].concat())
        .collect();
    for (i, state) in [&old, &new].into_iter().chain(&states).chain(&torn).enumerate() {
        fs::write(&path, state).unwrap();
        fs::write(journal(&path), &kept).unwrap();
        let count = if *state == new { 67 } else { 60 };
        let name = format!("{pipeline} in {chunk}, state {i}");
        assert_same(&read(&path).view(), &of_numbers(&all[..2 * count]), &name);
        append(&path, &of_numbers(&all[2 * count..])).unwrap();
        assert!(!journal(&path).exists());
        assert_same(&read(&path).view(), &of_numbers(&all), &name);
    }
}

fn read_header_len(frame: &[u8]) -> usize {
    ndbytes::read_frame_header(&mut &frame[..], &Limits::default()).unwrap().1
}

#[test]
fn a_journal_of_another_frame_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let (old, new, tail_at) = before_and_after(&path, "zstd", 25);
    let header_len = read_header_len(&old);
    let kept = journal_of(&old, header_len, tail_at);
    // A whole frame needs no journal.
    let other = dump_frame(&of_numbers(&numbers(500)), &options("lz4")).unwrap();
    fs::write(&path, &other).unwrap();
    fs::write(journal(&path), &kept).unwrap();
    assert_same(&read(&path).view(), &of_numbers(&numbers(500)), "other");
    append(&path, &of_numbers(&[])).unwrap();
    assert!(!journal(&path).exists() && fs::read(&path).unwrap() == other);
    // A damaged one gets none of another.
    let damaged = &other[..other.len() - 10];
    fs::write(&path, damaged).unwrap();
    fs::write(journal(&path), &kept).unwrap();
    assert!(FrameReader::open(&path, &Limits::default()).is_err());
    assert!(append(&path, &of_numbers(&numbers(3))).is_err());
    assert!(fs::read(&path).unwrap() == damaged);
    // Nor does it get a damaged journal.
    for at in 0..kept.len() {
        let mut bad = kept.clone();
        bad[at] ^= 1;
        fs::write(&path, &new[..new.len() - 1]).unwrap();
        fs::write(journal(&path), &bad).unwrap();
        assert!(FrameReader::open(&path, &Limits::default()).is_err(), "{at}");
        assert_eq!(code(append(&path, &of_numbers(&[1, 2]))), Code::Journal, "{at}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_the_frame_is_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let case = Case::new(&"<f4".parse().unwrap(), &[6, 5], Layout::C);
    let frame = dump_frame(&case.view(), &options("zstd")).unwrap();
    fs::write(&path, &frame).unwrap();
    let of = |dtype: &str, shape: &[usize]| Case::new(&dtype.parse().unwrap(), shape, Layout::C);
    for (other, expected) in [
        (of("<f8", &[1, 5]), Code::Mismatch),
        (of(">f4", &[1, 5]), Code::Mismatch),
        (of("<f4", &[1, 4]), Code::Mismatch),
        (of("<f4", &[5]), Code::Mismatch),
        (of("<f4", &[1, 5, 1]), Code::Mismatch),
    ] {
        assert_eq!(code(append(&path, &other.view())), expected, "{}", other.name);
    }
    let one = of("<f4", &[1, 5]);
    for pipeline in ["raw", "pco"] {
        let refused = append_frame(&path, &one.view(), &options(pipeline), &SaveOptions::default());
        assert_eq!(code(refused), Code::Argument);
    }
    let reader = OpenOptions::new().read(true).open(&path).unwrap();
    reader.lock().unwrap();
    let busy = append(&path, &one.view()).unwrap_err();
    assert_eq!(busy.io().map(std::io::Error::kind), Some(std::io::ErrorKind::WouldBlock));
    reader.unlock().unwrap();
    assert!(fs::read(&path).unwrap() == frame);
    append_frame(&path, &one.view(), &options("lz4-9"), &SaveOptions::default()).unwrap();

    let point = Case::new(&"<f4".parse().unwrap(), &[], Layout::C);
    fs::write(&path, dump_frame(&point.view(), &options("zstd")).unwrap()).unwrap();
    assert_eq!(code(append(&path, &point.view())), Code::Argument);
}

#[cfg(unix)]
#[test]
fn what_stands_in_the_place_of_a_journal_is_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let victim = folder.path().join("victim");
    let frame = dump_frame(&of_numbers(&numbers(60)), &options("zstd")).unwrap();
    fs::write(&path, &frame).unwrap();
    let more = numbers(3);
    let refused = || {
        assert_same(&read_as_is(&path).view(), &of_numbers(&numbers(60)), "read");
        let error = append(&path, &of_numbers(&more)).unwrap_err();
        assert_eq!(error.code(), Code::Journal, "{error}");
        assert_eq!(error.path(), Some(&*journal(&path)));
        assert!(fs::read(&path).unwrap() == frame);
    };
    // Where there is nothing yet, something would be made.
    symlink(&victim, journal(&path)).unwrap();
    refused();
    assert!(!victim.exists());
    fs::write(&victim, journal_of(&frame, read_header_len(&frame), read_header_len(&frame)))
        .unwrap();
    refused();
    fs::remove_file(journal(&path)).unwrap();
    fs::create_dir(journal(&path)).unwrap();
    refused();
    fs::remove_dir(journal(&path)).unwrap();
    let (mode, pipe) = (rustix::fs::Mode::RWXU, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, journal(&path), pipe, mode, 0).unwrap();
    refused();
    fs::remove_file(journal(&path)).unwrap();
    append(&path, &of_numbers(&more)).unwrap();
}

/// What the file holds, whatever stands beside it.
fn read_as_is(path: &Path) -> Array {
    FrameReader::open(path, &Limits::default()).unwrap().read().unwrap()
}

#[test]
fn forged_journals_are_refused_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let (old, new, tail_at) = before_and_after(&path, "zstd", 25);
    let header_len = read_header_len(&old);
    let torn = &new[..new.len() - 1];
    let forged = |file_len: u64, tail_at: u64, header_len: u32, held: &[u8]| {
        let mut bytes = b"\x89NDJ\r\n\x1a\n".to_vec();
        bytes.extend(file_len.to_le_bytes());
        bytes.extend(tail_at.to_le_bytes());
        bytes.extend(header_len.to_le_bytes());
        bytes.extend(held);
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    };
    let (len, at, head) = (old.len() as u64, tail_at as u64, header_len as u32);
    let held = [&old[..header_len], &old[tail_at..]].concat();
    let tail = held.len() as u64 - u64::from(head);
    let most = u64::MAX;
    let mut lies = vec![
        forged(most, most - tail, head, &held),
        forged(1 << 63, (1 << 63) - tail, head, &held),
        forged((1 << 63) - 1, (1 << 63) - 1 - tail, head, &held),
        forged(1 << 40, (1 << 40) - tail, head, &held),
        forged(len + 1, at + 1, head, &held),
        forged(len - 1, at - 1, head, &held),
        forged(len, at, head - 1, &held[1..]),
        forged(len, at, head + 1, &[&held[..], b"x"].concat()),
        forged(len, at, u32::MAX, &held),
        forged(len, 0, 0, &[]),
        forged(0, 0, 0, &[]),
        forged(len, len, head, &held[..header_len]),
        forged(tail, 0, 0, &old[tail_at..]),
        vec![],
        b"\x89NDJ\r\n\x1a\n".to_vec(),
    ];
    // Its own bytes, of which some are not what they were.
    for at in [0, 8, 20, header_len - 1, header_len + 9, held.len() - 30, held.len() - 1] {
        let mut bad = held.clone();
        bad[at] ^= 0x10;
        lies.push(forged(len, tail_at as u64, head, &bad));
    }
    for (i, lie) in lies.into_iter().enumerate() {
        fs::write(&path, torn).unwrap();
        fs::write(journal(&path), &lie).unwrap();
        match FrameReader::open(&path, &Limits::default()) {
            Err(error) => assert_ne!(error.code(), Code::Io, "{i}: {error}"),
            // Of the tail's chunks it is their checksums that tell.
            Ok(reader) => {
                let error = reader.read().unwrap_err();
                assert_eq!(error.code(), Code::FrameChecksum, "{i}: {error}");
                continue;
            }
        }
        let error = append(&path, &of_numbers(&numbers(3))).unwrap_err();
        assert_ne!(error.code(), Code::Io, "{i}: {error}");
        assert!(fs::read(&path).unwrap() == torn, "{i}");
    }
    assert!(journal_of(&old, header_len, tail_at) == forged(len, at, head, &held));
}
