//! `diff`.

use ndbytes::{Compression, Order};

use crate::{Folder, floats, integers};

#[test]
fn layouts_make_no_difference() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    folder.ok(&["convert", "a.npy", "b.npy", "--out-order", "F", "--byte-order", "big"]);
    folder.ok(&["convert", "a.npy", "c.npz"]);
    assert_eq!(folder.ok(&["diff", "a.npy", "b.npy"]), "");
    assert_eq!(folder.ok(&["diff", "a.npy", "c.npz"]), "");
    let run = folder.run_with(&["diff", "-", "b.npy"], &folder.read("a.npy"));
    assert_eq!(run.status, 0, "{run:?}");
}

#[test]
fn differences_are_listed_and_counted() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    let mut bytes = integers(6);
    bytes[4] = 9;
    bytes[20] = 8;
    folder.save("b.npy", "<i4", &[2, 3], Order::C, &bytes);
    let run = folder.run(&["diff", "a.npy", "b.npy"]);
    assert_eq!(run.status, 1);
    assert_eq!(run.text(), "(0, 1): 1 and 9\n(1, 2): 5 and 8\n2 of 6 elements differ\n");
    let run = folder.run(&["diff", "a.npy", "b.npy", "--first", "1"]);
    assert_eq!(run.text(), "(0, 1): 1 and 9\n2 of 6 elements differ\n");
    folder.count("c.npy", &[3, 2]);
    let run = folder.run(&["diff", "a.npy", "c.npy"]);
    assert_eq!((run.status, run.text().as_str()), (1, "shape: (2, 3) and (3, 2)\n"));
    folder.save("d.npy", "<u4", &[2, 3], Order::C, &bytes);
    let run = folder.run(&["diff", "a.npy", "d.npy"]);
    assert_eq!((run.status, run.text().as_str()), (1, "dtype: <i4 and <u4\n"));
}

#[test]
fn tolerances_are_numpys() {
    let folder = Folder::new();
    folder.save("a.npy", "<f8", &[3], Order::C, &floats(&[1.0, f64::NAN, 100.0]));
    folder.save("b.npy", "<f8", &[3], Order::C, &floats(&[1.0, f64::NAN, 100.5]));
    let run = folder.run(&["diff", "a.npy", "b.npy"]);
    assert_eq!(run.status, 1);
    assert!(run.text().contains("1 of 3"));
    folder.ok(&["diff", "a.npy", "b.npy", "--rtol", "1e-2"]);
    folder.ok(&["diff", "a.npy", "b.npy", "--atol", "0.5"]);
    assert_eq!(folder.run(&["diff", "a.npy", "b.npy", "--atol", "0.4"]).status, 1);
    folder.save("i.npy", "|i1", &[1], Order::C, &[5]);
    folder.save("f.npy", ">f8", &[1], Order::C, &5.01f64.to_be_bytes());
    folder.ok(&["diff", "i.npy", "f.npy", "--atol", "0.1"]);
    assert_eq!(folder.run(&["diff", "i.npy", "f.npy"]).status, 1);
    folder.run(&["diff", "i.npy", "f.npy", "--atol=-1"]).fails(2, "--atol");
}

#[test]
fn zeros_of_either_sign_differ_only_without_tolerance() {
    let folder = Folder::new();
    folder.save("a.npy", "<f8", &[1], Order::C, &floats(&[0.0]));
    folder.save("b.npy", "<f8", &[1], Order::C, &floats(&[-0.0]));
    assert_eq!(folder.run(&["diff", "a.npy", "b.npy"]).status, 1);
    folder.ok(&["diff", "a.npy", "b.npy", "--atol", "0"]);
}

#[test]
fn gaps_of_structs_make_no_difference() {
    let folder = Folder::new();
    let dtype = "[('a', '|u1'), ('', '|V1'), ('b', '<i2')]";
    folder.save("a.npy", dtype, &[1], Order::C, &[1, 0, 2, 0]);
    let mut bytes = folder.read("a.npy");
    bytes[129..130].fill(9);
    folder.write("b.npy", &bytes);
    let at = bytes.len() - 3;
    bytes[at] = 7;
    folder.write("b.npy", &bytes);
    folder.ok(&["diff", "a.npy", "b.npy"]);
}

#[test]
fn archives_are_compared_by_keys() {
    let folder = Folder::new();
    folder.archive("a.npz", Compression::Stored);
    folder.archive("b.npz", Compression::Deflate(6));
    folder.ok(&["diff", "a.npz", "b.npz"]);
    folder.count("b.npy", &[4]);
    folder.ok(&["convert", "b.npy", "c.npz", "--member", "c"]);
    let run = folder.run(&["diff", "a.npz", "c.npz"]);
    assert_eq!(run.status, 1);
    assert_eq!(run.text(), "a: only in a.npz\nb: only in a.npz\nc: only in c.npz\n");
    folder.ok(&["diff", "a.npz", "b.npz", "--member", "b"]);
}

#[test]
fn what_cannot_be_read_is_trouble_not_difference() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    folder.write("html.npy", b"<html>");
    folder.write("cut.npy", &folder.read("a.npy")[..140]);
    for other in ["html.npy", "cut.npy", "missing.npy"] {
        folder.run(&["diff", "a.npy", other]).fails(2, other);
    }
}
