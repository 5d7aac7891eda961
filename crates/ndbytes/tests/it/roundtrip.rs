//! Every array of the table through every medium.

use ndbytes::{
    Code, Compression, Limits, NpzReader, NpzWriter, Order, SaveOptions, dumps, frombuffer, load,
    loads, read_npy, recv, save, send, tobytes, write_npy,
};
use ndbytes_testkit::arrays::{one_of_each, table};
use ndbytes_testkit::oracle;
use ndbytes_testkit::transport::{HostileReader, HostileWriter, ReadRule, WriteRule};

use crate::{assert_same, code};

#[test]
fn tobytes_equals_the_oracle_in_both_orders() {
    for case in table() {
        let view = case.view();
        for order in [Order::C, Order::F] {
            let want = oracle::tobytes(&case, order);
            assert_eq!(tobytes(&view, order).unwrap(), want, "{} {order}", case.name);
            let again = frombuffer(&want, case.dtype.clone(), &case.shape, order).unwrap();
            assert_same(&again, &view, &case.name);
        }
    }
}

#[test]
fn what_is_dumped_is_loaded() {
    for case in table() {
        let view = case.view();
        let bytes = dumps(&view).unwrap();
        let again = loads(&bytes, &Limits::default()).unwrap();
        assert_same(&again, &view, &case.name);
        assert_eq!(again.storage_order(), view.storage_order(), "{}", case.name);
        assert_eq!(dumps(&again).unwrap(), bytes, "{}", case.name);
        let mut written = Vec::new();
        write_npy(&mut written, &view).unwrap();
        assert_eq!(written, bytes, "{}", case.name);
    }
}

#[test]
fn harmless_readers_change_nothing() {
    for case in table() {
        let view = case.view();
        let bytes = dumps(&view).unwrap();
        for rule in ReadRule::HARMLESS {
            let mut source = HostileReader::new(&bytes[..], rule);
            let array = read_npy(&mut source, &Limits::default()).unwrap();
            assert_same(&array.view(), &view, &case.name);
            assert_eq!(source.position(), bytes.len() as u64, "{} {rule:?}", case.name);
            assert!(recv(&mut source, &Limits::default()).unwrap().is_none());
        }
    }
}

#[test]
fn harmless_writers_lose_nothing() {
    for case in table() {
        let view = case.view();
        let bytes = dumps(&view).unwrap();
        for rule in WriteRule::HARMLESS {
            let mut sink = HostileWriter::new(rule);
            send(&mut sink, &view).unwrap();
            assert!(sink.arrived() == bytes, "{} {rule:?}", case.name);
        }
    }
}

#[test]
fn a_writer_that_fails_anywhere_is_reported() {
    for case in one_of_each() {
        let view = case.view();
        let len = dumps(&view).unwrap().len() as u64;
        for end in 0..len {
            for rule in WriteRule::failing(end) {
                let mut sink = HostileWriter::new(rule);
                assert_eq!(code(send(&mut sink, &view)), Code::Io, "{} {rule:?}", case.name);
                assert!(sink.arrived().len() as u64 <= end, "{} {rule:?}", case.name);
            }
        }
    }
}

#[test]
fn npz_gives_back_what_was_added() {
    let table = table();
    for compression in [Compression::Stored, Compression::Deflate(1), Compression::Deflate(9)] {
        let mut writer = NpzWriter::new(Vec::new());
        for (i, case) in table.iter().enumerate() {
            writer.add(&format!("{i}/é"), &case.view(), compression).unwrap();
        }
        let bytes = writer.finish().unwrap();
        let reader = NpzReader::new(&bytes[..], &Limits::default()).unwrap();
        assert_eq!(reader.entries().len(), table.len());
        for (i, case) in table.iter().enumerate() {
            let array = reader.read(&format!("{i}/é")).unwrap();
            assert_same(&array.view(), &case.view(), &case.name);
            if compression == Compression::Stored {
                // Where it stands in the archive it can be mapped.
                let start = reader.data_offset(i).unwrap() as usize;
                let len = reader.entries()[i].uncompressed as usize;
                assert_eq!(start % 64, 0);
                let view = loads(&bytes[start..start + len], &Limits::default()).unwrap();
                assert_same(&view, &case.view(), &case.name);
            }
        }
    }
}

#[test]
fn saved_files_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    for case in table().into_iter().step_by(3) {
        let view = case.view();
        save(&path, &view, &SaveOptions::default()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), dumps(&view).unwrap());
        assert_same(&load(&path, &Limits::default()).unwrap().view(), &view, &case.name);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn raw_files_are_read_with_dtype_shape_and_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.raw");
    for case in table().into_iter().step_by(7) {
        let view = case.view();
        for order in [Order::C, Order::F] {
            ndbytes::tofile(&path, &view, order, &SaveOptions::default()).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), oracle::tobytes(&case, order));
            let array =
                ndbytes::fromfile(&path, case.dtype.clone(), Some(&case.shape), order).unwrap();
            assert_same(&array.view(), &view, &case.name);
        }
    }
}

#[test]
fn compressed_bytes_are_those_of_the_elements() {
    for case in table().into_iter().step_by(5) {
        for &codec in ndbytes::Codec::ALL {
            let bytes = ndbytes::compress(&case.view(), codec, 6).unwrap();
            let out = ndbytes::decompress(&bytes[..], codec, u64::MAX).unwrap();
            assert_eq!(out, oracle::tobytes(&case, Order::C), "{}", case.name);
        }
    }
}
