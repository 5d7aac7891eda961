//! Folders of Zarr arrays that mean harm.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ndbytes::{
    ArrayView, Code, FrameOptions, Limits, Order, SaveOptions, dump_frame, export_zarr, load,
    zarr_shard,
};
use serde_json::{Value, json};

use crate::code;

/// A frame, and the Zarr array of it.
fn exported(folder: &Path) -> (PathBuf, PathBuf) {
    let items: Vec<u8> = (0..35u16).flat_map(u16::to_le_bytes).collect();
    let array = ArrayView::contiguous("<u2".parse().unwrap(), &[7, 5], Order::F, &items).unwrap();
    let options = FrameOptions::default().with_chunk_shape(Some(vec![7, 2]));
    let options = options.with_pipeline("zstd".parse().unwrap());
    let (frame, zarr) = (folder.join("a.ndb"), folder.join("a.zarr"));
    fs::write(&frame, dump_frame(&array, &options).unwrap()).unwrap();
    export_zarr(&frame, &zarr, false, &SaveOptions::default()).unwrap();
    assert_eq!(load(&zarr, &Limits::default()).unwrap().bytes(), items);
    (frame, zarr)
}

fn metadata(zarr: &Path) -> Value {
    serde_json::from_slice(&fs::read(zarr.join("zarr.json")).unwrap()).unwrap()
}

#[track_caller]
fn refused(zarr: &Path, codes: &[Code]) {
    let begin = Instant::now();
    let error = zarr_shard(zarr).unwrap_err();
    assert!(codes.contains(&error.code()), "{error:?}");
    assert!(error.message().len() < 1000, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn metadata_that_says_something_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, zarr) = exported(folder.path());
    let good = metadata(&zarr);
    let path = zarr.join("zarr.json");
    for (pointer, value) in [
        ("/zarr_format", json!(2)),
        ("/node_type", json!("group")),
        ("/shape", json!([5, 7])),
        ("/shape", json!([7, 6])),
        ("/shape", json!([7, -5])),
        ("/shape", json!([7, 5.0])),
        ("/shape", json!([7, "5"])),
        ("/shape", json!([u64::MAX, u64::MAX])),
        ("/data_type", json!("int16")),
        ("/data_type", json!("x".repeat(100_000))),
        ("/chunk_grid/configuration/chunk_shape", json!([7, 2])),
        ("/chunk_grid/name", json!("rectilinear")),
        ("/codecs", json!([])),
        ("/codecs/0/name", json!("bytes")),
        ("/codecs/0/configuration/chunk_shape", json!([7, 1])),
        ("/codecs/0/configuration/codecs", json!([])),
        ("/codecs/0/configuration/codecs/0/configuration/order", json!([0, 1])),
        ("/codecs/0/configuration/codecs/0/name", json!("crc32c")),
        ("/codecs/0/configuration/codecs/1/configuration/endian", json!("big")),
        ("/codecs/0/configuration/codecs/2/name", json!("gzip")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        fs::write(&path, bad.to_string()).unwrap();
        refused(&zarr, &[Code::ZarrMetadata]);
    }
    for (pointer, value) in [
        ("/shape", json!([])),
        ("/shape", json!([35])),
        ("/shape", json!(35)),
        ("/shape", json!({})),
        ("/shape", json!(vec![1; 65])),
        ("/shape", json!(vec![1; 300_000])),
        ("/shape", Value::Null),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        fs::write(&path, bad.to_string()).unwrap();
        refused(&zarr, &[Code::ZarrUnsupported]);
    }
    let mut bad = good.clone();
    bad["storage_transformers"] = json!([{ "name": "rot13" }]);
    fs::write(&path, bad.to_string()).unwrap();
    refused(&zarr, &[Code::ZarrMetadata]);
    let mut bad = good.clone();
    bad["codecs"].as_array_mut().unwrap().push(json!({ "name": "gzip" }));
    fs::write(&path, bad.to_string()).unwrap();
    refused(&zarr, &[Code::ZarrMetadata]);
    // What others may write into it.
    let mut other = good.clone();
    other["attributes"] = json!({ "of": "somebody", "more": vec![1; 1000] });
    other["storage_transformers"] = json!([]);
    other["codecs"][0]["configuration"]["codecs"][2]["configuration"]["clevel"] = json!(9);
    fs::write(&path, other.to_string()).unwrap();
    assert_eq!(zarr_shard(&zarr).unwrap(), zarr.join("c/0/0"));
}

#[test]
fn text_that_is_no_metadata_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, zarr) = exported(folder.path());
    let good = fs::read(zarr.join("zarr.json")).unwrap();
    let many = format!("[{}0]", "0,".repeat(400_000));
    let deep = "[".repeat(1_000_000);
    let big = [&good[..], &b" ".repeat(1 << 20)].concat();
    let numbers = br#"{"zarr_format": 1e999, "node_type": "array"}"#;
    let twice = br#"{"zarr_format": 3, "node_type": "array", "shape": 3, "zarr_format": 2}"#;
    for text in [
        &b""[..],
        b"\xff\xfe",
        b"nul",
        b"{}{}",
        many.as_bytes(),
        deep.as_bytes(),
        &big,
        numbers,
        twice,
    ] {
        fs::write(zarr.join("zarr.json"), text).unwrap();
        refused(&zarr, &[Code::ZarrMetadata]);
    }
    for end in 0..good.len() - 1 {
        fs::write(zarr.join("zarr.json"), &good[..end]).unwrap();
        refused(&zarr, &[Code::ZarrMetadata]);
    }
}

/// Replaces a file by something else.
fn replace(path: &Path, by: impl FnOnce(&Path)) {
    fs::remove_file(path).unwrap();
    by(path);
}

fn pipe(path: &Path) {
    let (mode, kind) = (rustix::fs::Mode::RWXU, rustix::fs::FileType::Fifo);
    rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0).unwrap();
}

#[test]
fn nothing_outside_of_the_folder_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let (secret, other) = exported(&outside);
    let (_, zarr) = exported(folder.path());
    let shard = zarr.join("c/0/0");
    let relative = Path::new("../../../outside/a.ndb");
    for to in [&*secret, relative, &*other.join("c/0/0")] {
        replace(&shard, |path| symlink(to, path).unwrap());
        refused(&zarr, &[Code::ZarrUnsupported]);
        assert_eq!(code(load(&zarr, &Limits::default())), Code::ZarrUnsupported);
        let copy = export_zarr(&zarr, &folder.path().join("b"), true, &SaveOptions::default());
        assert_eq!(code(copy), Code::ZarrUnsupported);
    }
    // A folder on the way.
    fs::remove_dir_all(zarr.join("c")).unwrap();
    symlink(other.join("c"), zarr.join("c")).unwrap();
    refused(&zarr, &[Code::ZarrUnsupported]);
    // Within the folder a link is a name like any other; one to itself or to nothing is none.
    fs::remove_file(zarr.join("c")).unwrap();
    fs::create_dir_all(zarr.join("c/0")).unwrap();
    fs::copy(&secret, zarr.join("own.ndb")).unwrap();
    symlink("../../own.ndb", &shard).unwrap();
    zarr_shard(&zarr).unwrap();
    for to in ["0", "nothing"] {
        replace(&shard, |path| symlink(to, path).unwrap());
        refused(&zarr, &[Code::ZarrUnsupported]);
    }
    replace(&zarr.join("zarr.json"), |path| symlink(other.join("zarr.json"), path).unwrap());
    refused(&zarr, &[Code::ZarrMetadata]);
    // A link to the folder itself is its user's.
    let link = folder.path().join("link.zarr");
    symlink(&other, &link).unwrap();
    zarr_shard(&link).unwrap();
}

#[test]
fn what_is_no_file_holds_nobody_up() {
    for name in ["c/0/0", "zarr.json"] {
        for other in [pipe, |path: &Path| fs::create_dir(path).unwrap()] {
            let folder = tempfile::tempdir().unwrap();
            let (_, zarr) = exported(folder.path());
            replace(&zarr.join(name), other);
            refused(&zarr, &[Code::ZarrUnsupported, Code::ZarrMetadata]);
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (_, zarr) = exported(folder.path());
    fs::write(zarr.join("c/0/0"), b"\x89NDB\r\n\x1a\n").unwrap();
    refused(&zarr, &[Code::FrameTruncated]);
    fs::write(zarr.join("c/0/0"), b"").unwrap();
    refused(&zarr, &[Code::EndOfStream, Code::FrameTruncated, Code::ZarrUnsupported]);
}
