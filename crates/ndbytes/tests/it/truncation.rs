//! A file that ends early is never taken for a whole one.

use std::io::ErrorKind as IoKind;

use ndbytes::{
    Code, Compression, ErrorKind, Limits, NpyFile, NpzReader, NpzWriter, dumps, loads, read_npy,
    recv,
};
use ndbytes_testkit::arrays::{Case, Layout, one_of_each};
use ndbytes_testkit::transport::{HostileReader, ReadRule};

use crate::code;

#[test]
fn truncated_anywhere_is_reported() {
    for case in one_of_each() {
        let bytes = dumps(&case.view()).unwrap();
        for end in 0..bytes.len() {
            let mut cut = HostileReader::new(&bytes[..], ReadRule::Cut(end as u64));
            let read = read_npy(&mut cut, &Limits::default()).unwrap_err();
            let viewed = loads(&bytes[..end], &Limits::default()).unwrap_err();
            let kind = if end == 0 { ErrorKind::EndOfStream } else { ErrorKind::Truncated };
            assert_eq!((read.kind(), viewed.kind()), (kind, kind), "{} {end}", case.name);
            assert!(viewed.offset().is_none_or(|at| at <= end as u64), "{viewed} {end}");
            assert!(read.offset().is_none_or(|at| at <= end as u64), "{read} {end}");
        }
    }
}

#[test]
fn only_nothing_at_all_is_the_end_of_a_stream() {
    for case in one_of_each().into_iter().step_by(9) {
        let bytes = dumps(&case.view()).unwrap();
        assert!(recv(&mut &bytes[..0], &Limits::default()).unwrap().is_none());
        for end in 1..bytes.len() {
            assert!(recv(&mut &bytes[..end], &Limits::default()).is_err(), "{end}");
        }
    }
}

#[test]
fn a_short_file_is_refused_before_memory_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let case = Case::new(&"<i4".parse().unwrap(), &[2, 3], Layout::C);
    let bytes = dumps(&case.view()).unwrap();
    for end in 0..bytes.len() {
        std::fs::write(&path, &bytes[..end]).unwrap();
        let error = NpyFile::open(&path, &Limits::default()).unwrap_err();
        let kind = if end == 0 { ErrorKind::EndOfStream } else { ErrorKind::Truncated };
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.path(), Some(&*path));
    }
}

#[test]
fn a_file_cut_after_it_was_opened_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let case = Case::new(&"<i4".parse().unwrap(), &[2, 3], Layout::C);
    std::fs::write(&path, dumps(&case.view()).unwrap()).unwrap();
    let mut file = NpyFile::open(&path, &Limits::default()).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(140).unwrap();
    assert_eq!(code(file.read(&mut [0; 24])), Code::DataTruncated);
}

#[test]
fn an_archive_cut_anywhere_is_refused() {
    for compression in [Compression::Stored, Compression::Deflate(6)] {
        let mut writer = NpzWriter::new(Vec::new());
        for (i, case) in one_of_each().iter().step_by(11).enumerate() {
            writer.add(&i.to_string(), &case.view(), compression).unwrap();
        }
        let bytes = writer.finish().unwrap();
        for end in 0..bytes.len() {
            assert_eq!(code(NpzReader::new(&bytes[..end], &Limits::default())), Code::ZipEnd);
        }
    }
}

#[test]
fn a_source_that_fails_is_no_truncation() {
    let case = Case::new(&"<U2".parse().unwrap(), &[3], Layout::C);
    let bytes = dumps(&case.view()).unwrap();
    for end in 0..bytes.len() as u64 {
        for kind in [IoKind::ConnectionReset, IoKind::TimedOut, IoKind::Other] {
            let mut source = HostileReader::new(&bytes[..], ReadRule::Fails(end, kind));
            let error = recv(&mut source, &Limits::default()).unwrap_err();
            assert_eq!(error.io().map(std::io::Error::kind), Some(kind));
        }
        let mut stalls = HostileReader::new(&bytes[..], ReadRule::Stalls(end));
        let error = recv(&mut stalls, &Limits::default()).unwrap_err();
        assert_eq!(error.io().map(std::io::Error::kind), Some(IoKind::WouldBlock));
        let mut lies = HostileReader::new(&bytes[..], ReadRule::Lies(end));
        assert_eq!(code(recv(&mut lies, &Limits::default())), Code::Io, "{end}");
    }
}
