//! `convert`.

use ndbytes::{Compression, Limits, Order};

use crate::{Folder, integers};

#[test]
fn raw_npy_and_npz_hold_the_same() {
    let folder = Folder::new();
    folder.write("a.raw", &integers(6));
    folder.ok(&["convert", "a.raw", "a.npy", "--dtype", "<i4", "--shape", "2,3"]);
    folder.count("want.npy", &[2, 3]);
    assert_eq!(folder.read("a.npy"), folder.read("want.npy"));
    folder.ok(&["convert", "a.npy", "a.npz", "--level", "6", "--member", "x"]);
    folder.ok(&["convert", "a.npz", "b.npz"]);
    folder.ok(&["convert", "b.npz", "b.npy", "--member", "x"]);
    assert_eq!(folder.read("b.npy"), folder.read("want.npy"));
    folder.ok(&["convert", "b.npy", "b.bin"]);
    assert_eq!(folder.read("b.bin"), integers(6));
}

#[test]
fn archives_are_converted_whole() {
    let folder = Folder::new();
    folder.archive("a.npz", Compression::Stored);
    folder.ok(&["convert", "a.npz", "b.npz", "--level", "9", "--byte-order", "big"]);
    let load = |name: &str, key: &str| {
        let bytes = folder.read(name);
        ndbytes::NpzReader::new(&bytes[..], &Limits::default()).unwrap().read(key).unwrap()
    };
    assert_eq!(load("b.npz", "a").dtype().to_string(), ">i4");
    assert_eq!(load("b.npz", "a").bytes()[4..8], [0, 0, 0, 1]);
    assert_eq!(load("b.npz", "b").bytes(), load("a.npz", "b").bytes());
    folder.ok(&["diff", "a.npz", "b.npz"]);
}

#[test]
fn arrays_are_appended_to_an_archive() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    folder.count("b.npy", &[7]);
    let append = |input: &str, key: &str| {
        folder.ok(&["convert", input, "c.npz", "--append", "--member", key]);
    };
    append("a.npy", "x");
    append("b.npy", "y");
    append("b.npy", "x");
    folder.archive("d.npz", Compression::Stored);
    folder.ok(&["convert", "d.npz", "c.npz", "--append", "--level", "1"]);
    let bytes = folder.read("c.npz");
    let archive = ndbytes::NpzReader::new(&bytes[..], &Limits::default()).unwrap();
    assert_eq!(archive.keys().collect::<Vec<_>>(), ["y", "x", "a", "b"]);
    assert_eq!(archive.read("x").unwrap().shape(), [7]);
    folder.ok(&["verify", "c.npz"]);
}

#[test]
fn what_an_append_has_left_is_read_as_it_was_before() {
    let folder = Folder::new();
    folder.count("a.npy", &[7]);
    folder.ok(&["convert", "a.npy", "c.npz", "--member", "x"]);
    let options = ndbytes::SaveOptions::default();
    let mut left = ndbytes::NpzAppender::open(&folder.path("c.npz"), &options).unwrap();
    let array = ndbytes::load(&folder.path("a.npy"), &Limits::default()).unwrap();
    left.add("y", &array.view(), Compression::Stored).unwrap();
    for command in ["info", "verify"] {
        folder.ok(&[command, "c.npz"]);
    }
    folder.ok(&["convert", "c.npz", "b.npy"]);
    assert_eq!(folder.read("b.npy"), folder.read("a.npy"));
}

#[test]
fn orders_and_byte_orders_are_converted() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    folder.ok(&["convert", "a.npy", "f.npy", "--out-order", "F"]);
    let f = ndbytes::load(&folder.path("f.npy"), &Limits::default()).unwrap();
    assert_eq!((f.order(), f.bytes()[4]), (Order::F, 3));
    // Raw is in C order, whatever the input is, unless told.
    folder.ok(&["convert", "f.npy", "c.raw"]);
    assert_eq!(folder.read("c.raw"), integers(6));
    folder.ok(&["convert", "f.npy", "f.raw", "--out-order", "keep"]);
    assert_eq!(folder.read("f.raw"), f.bytes());
    let args = ["--dtype", "<i4", "--shape", "(2, 3)", "--order", "F"];
    folder.ok(&[&["convert", "f.raw", "again.npy"][..], &args].concat());
    assert_eq!(folder.read("again.npy"), folder.read("f.npy"));
    folder.ok(&["convert", "f.npy", "big.npy", "--byte-order", "big", "--out-order", "C"]);
    let big = ndbytes::load(&folder.path("big.npy"), &Limits::default()).unwrap();
    assert_eq!((big.dtype().to_string().as_str(), big.bytes()[7]), (">i4", 1));
    folder.ok(&["convert", "big.npy", "little.npy", "--byte-order", "little"]);
    assert_eq!(folder.read("little.npy"), folder.read("a.npy"));
}

#[test]
fn raw_bytes_must_fit_exactly() {
    let folder = Folder::new();
    folder.write("a.raw", &[0; 26]);
    folder.run(&["convert", "a.raw", "a.npy"]).fails(2, "--dtype");
    folder.run(&["convert", "a.raw", "a.npy", "--dtype", "<i4"]).fails(1, "no whole number");
    let args = ["convert", "a.raw", "a.npy", "--dtype", "<i4", "--shape", "6"];
    folder.run(&args).fails(1, "exactly 24 bytes, there are 26");
    folder.ok(&["convert", "a.raw", "a.npy", "--dtype", "<i4", "--offset", "2"]);
    folder
        .run(&["convert", "a.raw", "b.npy", "--dtype", "<i4", "--offset", "99"])
        .fails(1, "beyond");
    assert_eq!(folder.names(), ["a.npy", "a.raw"]);
}

#[test]
fn what_must_be_there_is_checked() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    let run = |more: &[&str]| folder.run(&[&["convert", "a.npy", "b.npy"][..], more].concat());
    run(&["--dtype", "<f4"]).fails(1, "the dtype is `<i4`, not `<f4`");
    run(&["--shape", "3,2"]).fails(1, "the shape is (2, 3), not (3, 2)");
    run(&["--order", "F"]).fails(1, "the order is C, not F");
    run(&["--offset", "1"]).fails(2, "raw");
    run(&["--level", "1"]).fails(2, "--level");
    run(&["--append"]).fails(2, "--append");
    run(&["--from", "npz"]).fails(1, "not an .npz file");
    assert_eq!(folder.names(), ["a.npy"]);
    assert_eq!(run(&["--dtype", "int32", "--shape", "2,3", "--order", "C"]).status, 0);
}

#[test]
fn other_files_are_not_taken_for_raw_bytes() {
    let folder = Folder::new();
    folder.write("a.npy", b"<!DOCTYPE html>!");
    folder.run(&["convert", "a.npy", "b.npy", "--dtype", "<f8"]).fails(1, "HTML");
    folder.ok(&["convert", "a.npy", "b.npy", "--dtype", "<f8", "--from", "raw"]);
    folder.run(&["convert", "b.npy", "c.txt"]).fails(2, "--to");
}

#[test]
fn a_failed_conversion_keeps_the_old_file() {
    let folder = Folder::new();
    folder.count("a.npy", &[1000]);
    let bytes = folder.read("a.npy");
    folder.write("cut.npy", &bytes[..bytes.len() - 1]);
    folder.write("long.npy", &[&bytes[..], b"x"].concat());
    folder.write("out.npy", b"old");
    folder.run(&["convert", "cut.npy", "out.npy"]).fails(1, "of 4000 bytes");
    folder.run(&["convert", "long.npy", "out.npy"]).fails(1, "1 bytes follow the array");
    let cut = &bytes[..bytes.len() - 1];
    folder.run_with(&["convert", "-", "out.npy"], cut).fails(1, "of 4000 bytes");
    assert_eq!(folder.read("out.npy"), b"old");
    assert_eq!(folder.names().len(), 4);
}

#[test]
fn pipes_at_both_ends() {
    let folder = Folder::new();
    folder.count("a.npy", &[7]);
    let run = folder.run_with(&["convert", "-", "-", "--to", "npz"], &folder.read("a.npy"));
    assert_eq!(run.status, 0, "{run:?}");
    let again = folder.run_with(&["convert", "-", "-"], &run.out);
    assert_eq!(again.out, folder.read("a.npy"));
    let raw = ["convert", "-", "-", "--from", "raw", "--dtype", "<i4"];
    assert_eq!(folder.run_with(&raw, &integers(7)).out, folder.read("a.npy"));
}

#[test]
fn gaps_of_structs_are_written_as_zeros() {
    let folder = Folder::new();
    let dtype = "[('a', '|u1'), ('', '|V3'), ('b', '>i4')]";
    folder.write("a.raw", &[1, 9, 9, 9, 0, 0, 0, 2]);
    folder.ok(&["convert", "a.raw", "a.npy", "--dtype", dtype, "--byte-order", "little"]);
    let a = ndbytes::load(&folder.path("a.npy"), &Limits::default()).unwrap();
    assert_eq!(a.bytes(), [1, 0, 0, 0, 2, 0, 0, 0]);
}

#[test]
fn frames_become_zarr_arrays_and_come_back() {
    let folder = Folder::new();
    folder.count("a.npy", &[30, 4]);
    folder.ok(&["convert", "a.npy", "a.ndb", "--codec", "lz4"]);
    folder.ok(&["convert", "a.ndb", "copy.zarr"]);
    folder.ok(&["convert", "a.ndb", "link.zarr", "--link"]);
    folder.ok(&["convert", "a.npy", "own.zarr", "--codec", "zstd", "--out-order", "F"]);
    let frame = std::fs::read(folder.path("a.ndb")).unwrap();
    for name in ["copy.zarr", "link.zarr"] {
        assert!(std::fs::read(folder.path(name).join("c/0/0")).unwrap() == frame);
    }
    for name in ["copy.zarr", "link.zarr", "own.zarr"] {
        folder.ok(&["convert", name, "back.npy", "--out-order", "C"]);
        folder.ok(&["diff", "a.npy", "back.npy"]);
        folder.ok(&["diff", "a.npy", name]);
        folder.ok(&["verify", name]);
        assert!(folder.ok(&["info", name]).contains("(30, 4)"));
    }
    folder.ok(&["convert", "copy.zarr", "again.zarr"]);
    // Nothing is replaced, and nothing is left behind.
    let taken = folder.run(&["convert", "a.ndb", "copy.zarr"]);
    assert_eq!(taken.status, 2, "{taken:?}");
    let refused = folder.run(&["convert", "a.npy", "b.zarr", "--link"]);
    assert_eq!(refused.status, 2, "{refused:?}");
    assert_eq!(folder.run(&["convert", "a.npy", "b.npy", "--link"]).status, 2);
    folder.save("long.npy", "<f16", &[3], Order::C, &[0; 48]);
    let unknown = folder.run(&["convert", "long.npy", "b.zarr"]);
    assert_eq!(unknown.status, 1, "{unknown:?}");
    let mut names: Vec<_> = std::fs::read_dir(folder.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "a.ndb",
        "a.npy",
        "again.zarr",
        "back.npy",
        "copy.zarr",
        "link.zarr",
        "long.npy",
        "own.zarr",
    ];
    assert_eq!(names, expected);
}
