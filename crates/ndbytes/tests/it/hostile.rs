//! One test for every way that an `.npy` can lie.

use ndbytes::{Array, Code, Error, Limits, Result, Strided, loads, read_npy, recv_into};

use crate::code;

/// An `.npy` of this version and header text, as long as it says or not.
fn npy(version: [u8; 2], len: u32, text: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend_from_slice(&version);
    match version[0] {
        1 => bytes.extend_from_slice(&(len as u16).to_le_bytes()),
        _ => bytes.extend_from_slice(&len.to_le_bytes()),
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn with_text(text: &str, data: &[u8]) -> Vec<u8> {
    npy([1, 0], text.len() as u32, text, data)
}

fn with_shape(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    with_text(&format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n"), data)
}

/// Reads it in every way, which must agree.
#[track_caller]
fn refused(bytes: &[u8]) -> Error {
    let limits = Limits::default().with_bytes(1 << 30);
    let read: Result<Array> = read_npy(&mut &bytes[..], &limits);
    let (Err(read), Err(viewed)) = (read, loads(bytes, &limits)) else {
        panic!("it was not refused")
    };
    // A view takes no memory: the limit on bytes is none of its business.
    if read.code() != Code::TooManyBytes {
        assert_eq!(read.code(), viewed.code(), "{read} and {viewed}");
    }
    read
}

#[test]
fn a_wrong_magic_is_refused_and_named() {
    for (bytes, word) in [
        (&b"\x93NUMPX\x01\x00"[..], "known here"),
        (b"NUMPY\x93\x01\x00", "known here"),
        (b"\x80\x05\x95\x00\x00", "pickle"),
        (b"PK\x03\x04", "ZIP"),
        (b"<html>", "HTML"),
        (b"x\x93NUMPY", "known here"),
    ] {
        let error = refused(bytes);
        assert_eq!((error.code(), error.offset()), (Code::NpyMagic, Some(0)));
        assert!(error.message().contains(word), "{error}");
    }
}

#[test]
fn unknown_versions_are_refused() {
    for version in [[0, 0], [1, 1], [2, 1], [3, 1], [4, 0], [255, 255]] {
        assert_eq!(refused(&npy(version, 0, "", b"")).code(), Code::NpyVersion, "{version:?}");
    }
}

#[test]
fn a_header_longer_than_the_limit_is_refused_before_it_is_read() {
    for len in [1 << 20 | 1, 1 << 31, u32::MAX] {
        assert_eq!(refused(&npy([2, 0], len, "", b"")).code(), Code::NpyHeaderTooLarge);
    }
}

#[test]
fn a_header_longer_than_the_file_is_truncated() {
    assert_eq!(refused(&npy([1, 0], 100, "{}", b"")).code(), Code::NpyHeaderTruncated);
    assert_eq!(refused(&npy([2, 0], 1 << 20, "{}", b"")).code(), Code::NpyHeaderTruncated);
}

#[test]
fn text_that_is_no_literal_is_refused() {
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for text in [
        "",
        "{",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2+2,)}",
        "{'descr': '<f8', 'fortran_order': false, 'shape': (1,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} {}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,)}\0\0",
        "__import__('os').system('true')",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999999999999999999999,)}",
        &deep,
    ] {
        assert_eq!(refused(&with_text(text, b"")).code(), Code::NpyHeaderSyntax, "{text}");
    }
}

#[test]
fn missing_and_extra_keys_are_refused() {
    for text in [
        "{}",
        "()",
        "'text'",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'extra': 1}",
        "{'descr': '<f8', 'fortran_order': False, 1: (1,)}",
    ] {
        assert_eq!(refused(&with_text(text, b"")).code(), Code::NpyHeaderKeys, "{text}");
    }
}

#[test]
fn shapes_that_are_none_are_refused() {
    for shape in [
        "(-1,)",
        "(1, -9223372036854775808)",
        "[1]",
        "1",
        "(1.5,)",
        "('1',)",
        "None",
        "(True,)",
        "((1,),)",
        "(18446744073709551616,)",
    ] {
        let error = refused(&with_shape("'<f8'", shape, b""));
        assert!(matches!(error.code(), Code::NpyShape | Code::NpyHeaderSyntax), "{shape} {error}");
    }
}

#[test]
fn orders_that_are_none_are_refused() {
    for order in ["0", "1", "None", "'C'", "()"] {
        let text = format!("{{'descr': '<f8', 'fortran_order': {order}, 'shape': ()}}");
        assert_eq!(refused(&with_text(&text, &[0; 8])).code(), Code::NpyOrder, "{order}");
    }
}

#[test]
fn sizes_that_overflow_are_refused() {
    for (descr, shape) in [
        ("'<f8'", "(9223372036854775807,)"),
        ("'<f8'", "(4294967296, 4294967296)"),
        // The product is 0 modulo 2^64: NumPy multiplies without a check.
        ("'<f8'", "(4294967296, 4294967296, 4294967296)"),
        ("'<f8'", "(2305843009213693952, 8)"),
        ("'<f8'", "(0, 9223372036854775807)"),
        ("'|V1000000'", "(1000000000000000,)"),
        ("[('a', '|V4611686018427387904')]", "(2,)"),
    ] {
        assert_eq!(refused(&with_shape(descr, shape, b"")).code(), Code::SizeOverflow, "{shape}");
    }
}

#[test]
fn too_many_dimensions_are_refused() {
    let shape = format!("({})", "1, ".repeat(65));
    assert_eq!(refused(&with_shape("'<f8'", &shape, &[0; 8])).code(), Code::TooManyDims);
    let shape = format!("({})", "1, ".repeat(64));
    assert!(loads(&with_shape("'<f8'", &shape, &[0; 8]), &Limits::default()).is_ok());
}

#[test]
fn announced_exabytes_are_refused_before_anything_is_taken() {
    let bytes = with_shape("'|u1'", "(1152921504606846976,)", &[0; 100]);
    assert_eq!(refused(&bytes).code(), Code::TooManyBytes);
    // Without a limit the system says no at once; nothing is filled first.
    let error = read_npy(&mut &bytes[..], &Limits::default()).unwrap_err();
    assert_eq!(error.io().map(std::io::Error::kind), Some(std::io::ErrorKind::OutOfMemory));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.npy");
    std::fs::write(&path, &bytes).unwrap();
    // A file has a size, which settles it without any limit.
    assert_eq!(code(ndbytes::load(&path, &Limits::default())), Code::DataTruncated);
}

#[test]
fn a_huge_dtype_of_no_elements_costs_nothing() {
    let gaps = "[('a', [('b', '|u1'), ('', '|V1')], (1000000000000,))]";
    let bytes = with_shape(gaps, "(0,)", b"");
    let view = loads(&bytes, &Limits::default()).unwrap();
    assert_eq!(ndbytes::dumps(&view).unwrap().len() % 64, 0);
    assert_eq!(read_npy(&mut &bytes[..], &Limits::default()).unwrap().bytes(), b"");
}

#[test]
fn a_huge_count_of_nothing_costs_nothing() {
    for descr in ["'|S0'", "'<U0'", "'|V0'", "[]"] {
        let bytes = with_shape(descr, "(1152921504606846976, 4)", b"");
        let view = loads(&bytes, &Limits::default()).unwrap();
        assert!(ndbytes::tobytes(&view, ndbytes::Order::F).unwrap().is_empty());
        read_npy(&mut &bytes[..], &Limits::default()).unwrap();
    }
}

#[test]
fn objects_are_refused_and_never_unpickled() {
    for descr in ["'|O'", "'O'", "'|O8'", "[('a', '<i4'), ('b', '|O')]", "[('a', '|O', (2,))]"] {
        let bytes = with_shape(descr, "(1,)", b"\x80\x04cos\nsystem\n");
        assert_eq!(refused(&bytes).code(), Code::ObjectDtype, "{descr}");
    }
}

#[test]
fn dtypes_that_are_none_are_refused() {
    for descr in [
        "None",
        "'<f3'",
        "'<i16'",
        "'<x4'",
        "''",
        "1",
        "('<f8', (2,))",
        "[('a',)]",
        "[('a', '<f8'), ('a', '<f8')]",
        "[('a', '<f8', (-1,))]",
        "'<M8[parsec]'",
        "{'names': ['a'], 'formats': ['<f8'], 'offsets': [0], 'itemsize': 8}",
    ] {
        assert_eq!(refused(&with_shape(descr, "(1,)", &[0; 8])).code(), Code::NpyDescr, "{descr}");
    }
}

#[test]
fn a_comment_may_name_the_dtype_and_not_change_it() {
    let text = |comment: &str| {
        format!("{{'descr': '|V2', 'fortran_order': False, 'shape': (1,)}} # ndbytes: {comment}\n")
    };
    assert_eq!(refused(&with_text(&text("'<i2'"), &[0; 2])).code(), Code::NpyDescr);
    let bytes = with_text(&text("'bfloat16'"), &[0; 2]);
    assert_eq!(loads(&bytes, &Limits::default()).unwrap().dtype().to_string(), "bfloat16");
}

#[test]
fn bytes_that_are_no_value_are_refused_where_they_are() {
    let bools = with_shape("'|b1'", "(4,)", &[0, 1, 2, 1]);
    let error = refused(&bools);
    assert_eq!((error.code(), error.offset()), (Code::DataInvalid, Some(bools.len() as u64 - 2)));
    for (descr, data) in [
        ("'<U1'", [0, 0, 0x11, 0]),
        ("'>U1'", [0, 0x11, 0, 0]),
        ("'<U1'", [0xff; 4]),
        ("[('a', '|V3'), ('b', '|b1')]", [9, 9, 9, 9]),
        ("[('a', '|b1', (2, 2))]", [0, 1, 1, 255]),
    ] {
        assert_eq!(refused(&with_shape(descr, "(1,)", &data)).code(), Code::DataInvalid, "{descr}");
    }
}

#[test]
fn another_array_than_expected_is_refused_before_its_data() {
    let expected = ndbytes::Header::new("<i4".parse().unwrap(), ndbytes::Order::C, vec![2, 3]);
    let expected = expected.unwrap();
    let (mut out, strides) = ([7; 24], [12, 4]);
    let layout = Strided { origin: 0, strides: &strides };
    for (descr, shape) in
        [("'<i4'", "(3, 2)"), ("'<u4'", "(2, 3)"), ("'>i4'", "(2, 3)"), ("'<i4'", "(6,)")]
    {
        let bytes = with_shape(descr, shape, &[1; 24]);
        let mut source = &bytes[..];
        let result = recv_into(&mut source, &expected, &mut out, layout, &Limits::default());
        assert_eq!(code(result), Code::Mismatch, "{descr} {shape}");
        assert_eq!(source, [1; 24]);
        assert_eq!(out, [7; 24]);
    }
}
