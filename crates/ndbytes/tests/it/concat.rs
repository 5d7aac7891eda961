//! Arrays one after another, without anything between them.

use std::io::{Read, Seek, Write};

use ndbytes::{Code, Limits, dumps, loads, read_npy, recv, send};
use ndbytes_testkit::arrays::table;
use ndbytes_testkit::transport::{HostileReader, ReadRule};

use crate::{assert_same, code};

#[test]
fn the_whole_table_in_one_stream_comes_back_in_order() {
    let table = table();
    let mut stream = Vec::new();
    for case in &table {
        send(&mut stream, &case.view()).unwrap();
    }
    for rule in ReadRule::HARMLESS {
        let mut source = HostileReader::new(&stream[..], rule);
        for case in &table {
            let array = recv(&mut source, &Limits::default()).unwrap().unwrap();
            assert_same(&array.view(), &case.view(), &case.name);
        }
        assert!(recv(&mut source, &Limits::default()).unwrap().is_none());
        assert_eq!(source.position(), stream.len() as u64);
    }
}

#[test]
fn not_a_byte_after_the_array_is_consumed() {
    for case in table() {
        let mut bytes = dumps(&case.view()).unwrap();
        bytes.extend_from_slice(b"after");
        let mut source = &bytes[..];
        read_npy(&mut source, &Limits::default()).unwrap();
        assert_eq!(source, b"after", "{}", case.name);
        assert_eq!(code(loads(&bytes, &Limits::default())), Code::DataTrailing);
    }
}

#[test]
fn a_file_stands_after_the_array() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before").unwrap();
    let table = table();
    for case in table.iter().step_by(20) {
        send(&mut file, &case.view()).unwrap();
        file.write_all(b"between").unwrap();
    }
    file.rewind().unwrap();
    let mut word = [0; 6];
    file.read_exact(&mut word).unwrap();
    for case in table.iter().step_by(20) {
        let array = read_npy(&mut file, &Limits::default()).unwrap();
        assert_same(&array.view(), &case.view(), &case.name);
        let mut word = [0; 7];
        file.read_exact(&mut word).unwrap();
        assert_eq!(&word, b"between", "{}", case.name);
    }
}

#[test]
fn what_follows_that_is_no_array_is_named() {
    let mut bytes = dumps(&table()[0].view()).unwrap();
    bytes.extend_from_slice(b"{\"status\": \"done\"}");
    let mut source = &bytes[..];
    recv(&mut source, &Limits::default()).unwrap().unwrap();
    let error = recv(&mut source, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), Code::NpyMagic);
    assert!(error.message().contains("JSON"), "{error}");
}
