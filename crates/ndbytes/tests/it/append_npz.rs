//! Appending to archives: nothing is lost, wherever it is cut off.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use ndbytes::{
    ArrayView, Code, Compression, Limits, NpzAppender, NpzReader, NpzWriter, Order, ReadAt,
    SaveOptions,
};

use crate::code;

type Members<'a> = [(&'a str, &'a [u8], Compression)];

fn of_bytes(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("|u1".parse().unwrap(), &[bytes.len()], Order::C, bytes).unwrap()
}

fn archive(members: &Members<'_>) -> Vec<u8> {
    let mut writer = NpzWriter::new(Vec::new());
    for (key, bytes, compression) in members {
        writer.add(key, &of_bytes(bytes), *compression).unwrap();
    }
    writer.finish().unwrap()
}

fn append(path: &Path, members: &Members<'_>) -> ndbytes::Result<()> {
    let mut appender = NpzAppender::open(path, &SaveOptions::default())?;
    for (key, bytes, compression) in members {
        appender.add(key, &of_bytes(bytes), *compression)?;
    }
    appender.finish()
}

fn journal(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap().to_owned();
    name.push(".journal");
    path.with_file_name(name)
}

/// Keys and bytes, in the order of the directory.
fn contents(path: &Path) -> Vec<(String, Vec<u8>)> {
    let reader = NpzReader::open(path, &Limits::default()).unwrap();
    all(&reader)
}

fn all<R: ReadAt + Sync>(reader: &NpzReader<R>) -> Vec<(String, Vec<u8>)> {
    reader.keys().map(|key| (key.to_owned(), reader.read(key).unwrap().bytes().to_vec())).collect()
}

fn pairs(members: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    members.iter().map(|(key, bytes)| ((*key).to_owned(), bytes.to_vec())).collect()
}

const S: Compression = Compression::Stored;
const D: Compression = Compression::Deflate(6);
const FIRST: &Members<'static> = &[("a", b"first", S), ("b", b"second second second", D)];
const SECOND: &Members<'static> =
    &[("b", b"other", S), ("c", b"third third third third", D), ("d", b"4", Compression::Zstd(1))];

/// The journal by `docs/spec/journal.md`.
fn journal_of(old: &[u8], tail_at: usize) -> Vec<u8> {
    let mut bytes = b"\x89NDJ\r\n\x1a\n".to_vec();
    bytes.extend((old.len() as u64).to_le_bytes());
    bytes.extend((tail_at as u64).to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend(&old[tail_at..]);
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}

fn directory_at(archive: &[u8]) -> usize {
    let end = &archive[archive.len() - 22..];
    assert!(end.starts_with(b"PK\x05\x06"));
    u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize
}

/// The archive before and after the second members came, and where they begin.
fn before_and_after(path: &Path) -> (Vec<u8>, Vec<u8>, usize) {
    let old = archive(FIRST);
    fs::write(path, &old).unwrap();
    append(path, SECOND).unwrap();
    let tail_at = directory_at(&old);
    (old, fs::read(path).unwrap(), tail_at)
}

fn before() -> Vec<(String, Vec<u8>)> {
    pairs(&[("a", b"first"), ("b", b"second second second")])
}

fn after() -> Vec<(String, Vec<u8>)> {
    pairs(&[("a", b"first"), ("b", b"other"), ("c", b"third third third third"), ("d", b"4")])
}

#[test]
fn arrays_are_added_or_replaced_and_the_others_stay_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    append(&path, &FIRST[..1]).unwrap();
    let once = archive(&FIRST[..1]);
    assert!(fs::read(&path).unwrap() == once, "not the bytes of an archive made at once");
    let (old, new, tail_at) = before_and_after(&path);
    assert_eq!(contents(&path), after());
    assert!(new[..tail_at] == old[..tail_at]);
    assert!(!journal(&path).exists());
    let reader = NpzReader::open(&path, &Limits::default()).unwrap();
    for member in [0, 1] {
        assert_eq!(reader.data_offset(member).unwrap() % 64, 0);
    }
    // The same again gives the same bytes; nothing at all changes nothing.
    let again = folder.path().join("b.npz");
    assert!(before_and_after(&again).1 == new);
    append(&again, &[]).unwrap();
    assert!(fs::read(&again).unwrap() == new);
}

#[test]
fn an_append_that_was_cut_off_anywhere_is_as_if_it_had_not_begun_or_had_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let (old, new, tail_at) = before_and_after(&path);
    let kept = journal_of(&old, tail_at);
    // The file is cut, then the tail grows.
    let mut states: Vec<Vec<u8>> = (tail_at..=new.len()).map(|end| new[..end].to_vec()).collect();
    // After a power failure any part of it may be missing, or what was put back may be half there.
    for at in (tail_at..new.len()).step_by(7) {
        let mut state = new.clone();
        state[at..].iter_mut().take(64).for_each(|byte| *byte = 0);
        states.push(state);
    }
    for len in 1..=old.len() - tail_at {
        let mut state = new.clone();
        state[tail_at..tail_at + len].copy_from_slice(&old[tail_at..tail_at + len]);
        states.push(state);
    }
    states.extend([old.clone(), new.clone()]);
    for (i, state) in states.iter().enumerate() {
        fs::write(&path, state).unwrap();
        fs::write(journal(&path), &kept).unwrap();
        let now = contents(&path);
        if *state == new {
            assert_eq!(now, after(), "state {i}");
        } else if now != before() {
            // Zeros that are nothing but alignment.
            assert_eq!(now, after(), "state {i}");
            assert!(state.len() == new.len(), "state {i}");
        }
        assert!(fs::read(&path).unwrap() == *state, "a reader has written: state {i}");
        if i % 5 > 0 && i + 100 < states.len() {
            continue;
        }
        append(&path, &[("e", b"5", S)]).unwrap();
        assert!(!journal(&path).exists());
        let mut wanted = now;
        wanted.push(("e".into(), b"5".to_vec()));
        assert_eq!(contents(&path), wanted, "state {i}, appended");
    }
}

#[test]
fn the_journal_is_there_while_members_are_written_and_readers_see_what_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let old = archive(FIRST);
    fs::write(&path, &old).unwrap();
    let open = NpzReader::open(&path, &Limits::default()).unwrap();
    let plain = NpzReader::new(File::open(&path).unwrap(), &Limits::default()).unwrap();
    let mut appender = NpzAppender::open(&path, &SaveOptions::default()).unwrap();
    assert!(!journal(&path).exists());
    for (key, bytes, compression) in SECOND {
        appender.add(key, &of_bytes(bytes), *compression).unwrap();
        assert!(fs::read(journal(&path)).unwrap() == journal_of(&old, directory_at(&old)));
        let now = NpzReader::open(&path, &Limits::default()).unwrap();
        assert!(now.source().is_cut_off());
        assert_eq!(all(&now), before());
        assert_eq!((all(&open), all(&plain)), (before(), before()));
    }
    let busy = NpzAppender::open(&path, &SaveOptions::default()).unwrap_err();
    assert_eq!(busy.io().map(std::io::Error::kind), Some(ErrorKind::WouldBlock), "{busy}");
    appender.finish().unwrap();
    assert_eq!(contents(&path), after());
    assert_eq!((all(&open), all(&plain)), (before(), before()));
}

#[test]
fn what_is_not_finished_or_fails_leaves_the_archive_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let old = archive(FIRST);
    fs::write(&path, &old).unwrap();
    let is_old = || {
        assert!(fs::read(&path).unwrap() == old);
        assert!(!journal(&path).exists());
    };
    let mut appender = NpzAppender::open(&path, &SaveOptions::default()).unwrap();
    appender.add("b", &of_bytes(&[7; 100_000]), S).unwrap();
    assert!(fs::read(&path).unwrap() != old);
    drop(appender);
    is_old();
    assert_eq!(code(append(&path, &[("x", b"1", S), ("x", b"2", S)])), Code::ZipName);
    is_old();
    assert_eq!(code(append(&path, &[("x", b"1", S), ("\0", b"2", S)])), Code::ZipName);
    is_old();
    // Of a file that was not there nothing is left.
    let none = folder.path().join("none.npz");
    assert_eq!(code(append(&none, &[("x", b"1", S), ("x", b"2", S)])), Code::ZipName);
    assert!(!none.exists());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(code(append(folder.path(), FIRST)), Code::Argument);
}

#[test]
fn archives_that_are_not_what_they_say_are_refused_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let old = archive(FIRST);
    let at = directory_at(&old);
    let end = old.len() - 22;
    let flipped = |at: usize| {
        let mut bytes = old.clone();
        bytes[at] ^= 1;
        bytes
    };
    for (bytes, expected) in [
        (b"PK".to_vec(), Code::ZipEnd),
        (Vec::new(), Code::ZipEnd),
        (b"\x93NUMPY".to_vec(), Code::ZipEnd),
        (old[..old.len() - 1].to_vec(), Code::ZipEnd),
        // Bytes in front of which the offsets know nothing.
        ([b"#!/bin/sh\n", &old[..]].concat(), Code::ZipRecord),
        // Between the directory and its end.
        ([&old[..end], b"PK\x05\x05\0\0", &old[end..]].concat(), Code::ZipUnsupported),
        // The name and the CRC of a local header.
        (flipped(30), Code::ZipRecord),
        (flipped(14), Code::ZipRecord),
        (flipped(0), Code::ZipRecord),
        (flipped(at), Code::ZipRecord),
    ] {
        fs::write(&path, &bytes).unwrap();
        assert_eq!(code(append(&path, SECOND)), expected);
        assert!(fs::read(&path).unwrap() == bytes);
        assert!(!journal(&path).exists());
    }
}

#[test]
fn a_comment_and_bytes_in_front_that_the_offsets_know_of_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = NpzWriter::at(b"#!/bin/sh\n".to_vec(), 10);
    writer.add("a", &of_bytes(b"first"), S).unwrap();
    let mut bytes = writer.finish().unwrap();
    let comment = bytes.len() - 2;
    bytes[comment] = 3;
    bytes.extend(b"abc");
    fs::write(&path, &bytes).unwrap();
    append(&path, SECOND).unwrap();
    let grown = fs::read(&path).unwrap();
    assert!(grown.starts_with(b"#!/bin/sh\nPK") && grown.ends_with(b"\x03\0abc"));
    assert_eq!(contents(&path), after());
}

#[test]
fn a_journal_of_another_archive_or_a_forged_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let (old, new, tail_at) = before_and_after(&path);
    let kept = journal_of(&old, tail_at);
    // A whole archive needs no journal.
    let other = archive(&[("z", &[9; 1000], S)]);
    fs::write(&path, &other).unwrap();
    fs::write(journal(&path), &kept).unwrap();
    assert_eq!(contents(&path), pairs(&[("z", &[9; 1000])]));
    append(&path, &[]).unwrap();
    assert!(!journal(&path).exists() && fs::read(&path).unwrap() == other);
    // A damaged one gets none of another.
    let refused = |file: &[u8], kept: &[u8], what: &str| {
        fs::write(&path, file).unwrap();
        fs::write(journal(&path), kept).unwrap();
        assert!(NpzReader::open(&path, &Limits::default()).is_err(), "{what}");
        let error = append(&path, SECOND).unwrap_err();
        assert_ne!(error.code(), Code::Io, "{what}: {error}");
        assert!(fs::read(&path).unwrap() == file, "{what}");
    };
    refused(&other[..other.len() - 10], &kept, "of another");
    let torn = &new[..new.len() - 1];
    for at in 0..kept.len() {
        let mut bad = kept.clone();
        bad[at] ^= 1;
        refused(torn, &bad, &format!("bit at {at}"));
    }
    // Its checksum is right, and what it says is wrong.
    for at in 0..kept.len() - 4 {
        let mut bad = kept[..kept.len() - 4].to_vec();
        bad[at] ^= 1;
        bad.extend(crc32c::crc32c(&bad).to_le_bytes());
        fs::write(&path, torn).unwrap();
        fs::write(journal(&path), &bad).unwrap();
        match NpzReader::open(&path, &Limits::default()) {
            Err(error) => assert_ne!(error.code(), Code::Io, "{at}: {error}"),
            // Dates, versions and attributes are as good as others.
            Ok(reader) => assert_eq!(reader.entries().len(), 2, "{at}"),
        }
    }
    refused(torn, &journal_of(&old, 0), "from the start on");
    refused(torn, &journal_of(&old, tail_at - 1), "from before the directory on");
    refused(torn, &[], "empty");
}

#[cfg(unix)]
#[test]
fn links_lead_to_the_archive_and_its_journal_stands_beside_it() {
    use std::os::unix::fs::symlink;
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (folder.path().join("a.npz"), folder.path().join("sub/link.npz"));
    fs::create_dir(folder.path().join("sub")).unwrap();
    symlink("../a.npz", &link).unwrap();
    fs::write(&path, archive(FIRST)).unwrap();
    let mut appender = NpzAppender::open(&link, &SaveOptions::default()).unwrap();
    appender.add("c", &of_bytes(b"3"), S).unwrap();
    assert!(journal(&path).exists());
    assert_eq!(contents(&link), before());
    appender.finish().unwrap();
    assert_eq!(contents(&link).len(), 3);
    // What is in the place of a journal is not followed.
    symlink(folder.path().join("victim"), journal(&path)).unwrap();
    assert_eq!(contents(&path).len(), 3);
    assert_eq!(code(append(&path, FIRST)), Code::Journal);
    assert!(!folder.path().join("victim").exists());
}

#[test]
fn an_archive_beyond_4_gib_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    // Where nothing stands there is a hole.
    let start = (1 << 32) + 10u64;
    let mut writer = NpzWriter::at(Vec::new(), start);
    writer.add("a", &of_bytes(b"first"), S).unwrap();
    let bytes = writer.finish().unwrap();
    let mut file = OpenOptions::new().create_new(true).write(true).open(&path).unwrap();
    file.set_len(start).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(start)).unwrap();
    file.write_all(&bytes).unwrap();
    for round in 0..2 {
        append(&path, SECOND).unwrap();
        assert_eq!(contents(&path), after(), "{round}");
    }
    append(&path, &[("a", b"small", S)]).unwrap();
    assert_eq!(contents(&path).last().unwrap().1, b"small");
}
