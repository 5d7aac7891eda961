//! `info`.

use ndbytes::{Compression, Order};

use crate::{Folder, integers};

#[test]
fn headers_are_shown_in_full() {
    let folder = Folder::new();
    folder.save("a.npy", "<i4", &[2, 3], Order::F, &integers(6));
    let text = folder.ok(&["info", "a.npy"]);
    for line in
        ["npy 1.0", "dtype        <i4", "shape        (2, 3)", "order        F", "data offset  128"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn json_is_one_object_a_file() {
    let folder = Folder::new();
    folder.count("a.npy", &[5]);
    folder.archive("b.npz", Compression::Stored);
    folder.archive("c.npz", Compression::Deflate(6));
    let text = folder.ok(&["info", "--format", "json", "a.npy", "b.npz", "c.npz"]);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["shape"], serde_json::json!([5]));
    assert_eq!(lines[0]["data_offset"], 128);
    assert_eq!(lines[0]["version"], "1.0");
    let stored = &lines[1]["members"][0];
    assert_eq!((&stored["key"], &stored["method"]), (&"a".into(), &"stored".into()));
    assert_eq!(stored["mappable"], true);
    assert_eq!(stored["data_offset"].as_u64().unwrap() % 64, 0);
    let packed = &lines[2]["members"][1];
    assert_eq!((&packed["method"], &packed["mappable"]), (&"deflate".into(), &false.into()));
    assert_eq!(packed["member_bytes"], 132);
    assert_eq!(packed["crc32"], lines[1]["members"][1]["crc32"]);
}

#[test]
fn types_that_numpy_lacks_are_named() {
    let folder = Folder::new();
    folder.save("a.npy", "bfloat16", &[2], Order::C, &[0; 4]);
    folder.save("b.npy", "<f16", &[1], Order::C, &[0; 16]);
    assert!(folder.ok(&["info", "a.npy"]).contains("bfloat16"));
    assert!(folder.ok(&["info", "b.npy"]).contains("long double of the platform"));
}

#[test]
fn other_files_are_named_and_refused() {
    let folder = Folder::new();
    for (bytes, what) in [
        (&b""[..], "empty"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"\x80\x05\x95\x00\x00", "pickle"),
        (b"{\"a\": 1}", "JSON"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0", "gzip"),
        (b"\x93NUMPY\x01", "EOF"),
    ] {
        folder.write("x", bytes);
        folder.run(&["info", "x"]).fails(1, what);
        folder.run_with(&["info", "-"], bytes).fails(1, what);
    }
    folder.run(&["info", "missing.npy"]).fails(2, "missing.npy: no such file");
    folder.run(&["info", "."]).fails(2, "folder");
}

#[test]
fn one_bad_file_does_not_hide_the_others() {
    let folder = Folder::new();
    folder.count("a.npy", &[5]);
    folder.write("bad.npy", b"<html>");
    let run = folder.run(&["info", "bad.npy", "a.npy"]);
    run.fails(1, "bad.npy");
    assert!(run.text().contains("(5,)"));
}

#[test]
fn data_is_not_read() {
    let folder = Folder::new();
    folder.count("a.npy", &[1000]);
    let bytes = folder.read("a.npy");
    // The header alone, from a pipe whose length is not known.
    assert_eq!(folder.run_with(&["info", "-"], &bytes[..128]).status, 0);
    // Of a file the length is known.
    folder.write("cut.npy", &bytes[..500]);
    let run = folder.run(&["info", "cut.npy"]);
    run.fails(1, "ends 3628 bytes before its data does");
    assert!(run.text().contains("(1000,)"));
    folder.write("long.npy", &[&bytes[..], b"xyz"].concat());
    assert!(folder.ok(&["info", "long.npy"]).contains("3 bytes after the array"));
}
