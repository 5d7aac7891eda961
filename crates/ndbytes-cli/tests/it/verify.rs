//! `verify`.

use ndbytes::{Compression, Order};

use crate::Folder;

#[test]
fn good_files_are_ok() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    folder.archive("b.npz", Compression::Stored);
    folder.archive("c.npz", Compression::Deflate(6));
    folder.ok(&["compress", "a.npy", "a.npy.gz"]);
    folder.ok(&["compress", "b.npz", "b.zz"]);
    let args = ["verify", "a.npy", "b.npz", "c.npz", "a.npy.gz", "b.zz"];
    let text = folder.ok(&args);
    assert_eq!(text.lines().filter(|line| line.contains(": OK (")).count(), 5, "{text}");
    let run = folder.run_with(&["verify", "-"], &folder.read("a.npy"));
    assert_eq!(run.text(), "standard input: OK (npy of <i4 (2, 3))\n");
}

#[test]
fn truncated_anywhere_is_bad() {
    let folder = Folder::new();
    folder.count("a", &[3]);
    folder.archive("b", Compression::Deflate(6));
    folder.ok(&["compress", "a", "c", "--codec", "gzip"]);
    for name in ["a", "b", "c"] {
        let bytes = folder.read(name);
        let mut names = Vec::new();
        for end in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            names.push(format!("{name}{end}"));
            folder.write(&names[names.len() - 1], &bytes[..end]);
        }
        let mut args = vec!["verify"];
        args.extend(names.iter().map(String::as_str));
        let run = folder.run(&args);
        assert_eq!(run.status, 1, "{run:?}");
        let text = run.text();
        assert_eq!(text.lines().count(), names.len());
        assert!(text.lines().all(|line| line.contains(": BAD: ")), "{text}");
    }
}

#[test]
fn flipped_bits_of_archives_are_found() {
    let folder = Folder::new();
    for compression in [Compression::Stored, Compression::Deflate(6)] {
        folder.archive("a.npz", compression);
        let bytes = folder.read("a.npz");
        // Somewhere in the data of the first member.
        let at = if compression == Compression::Stored { 64 + 130 } else { 90 };
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        folder.write("a.npz", &bad);
        let run = folder.run(&["verify", "a.npz"]);
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.text().contains("member `a.npy`"));
    }
}

#[test]
fn values_and_trailing_bytes_are_looked_at() {
    let folder = Folder::new();
    folder.save("a.npy", "|u1", &[3], Order::C, &[0, 1, 2]);
    let mut bytes = folder.read("a.npy");
    let at = bytes.windows(3).position(|three| three == b"|u1").unwrap();
    bytes[at..at + 3].copy_from_slice(b"|b1");
    folder.write("bool.npy", &bytes);
    folder.write("long.npy", &[&folder.read("a.npy")[..], b"xy"].concat());
    let run = folder.run(&["verify", "bool.npy", "long.npy"]);
    assert_eq!(run.status, 1);
    let text = run.text();
    assert!(text.contains("bool.npy: BAD: byte 2 is no bool"), "{text}");
    assert!(text.contains("(at byte 130)"), "{text}");
    assert!(text.contains("long.npy: BAD: 2 bytes follow the array"), "{text}");
}

#[test]
fn other_files_are_bad_and_missing_ones_are_trouble() {
    let folder = Folder::new();
    folder.write("a", b"<html>");
    folder.write("b", b"");
    let run = folder.run(&["verify", "a", "b"]);
    assert_eq!(run.status, 1);
    assert!(run.text().contains("HTML"));
    let run = folder.run(&["verify", "a", "missing", "b"]);
    run.fails(2, "missing: no such file");
    assert_eq!(run.text().lines().count(), 2);
}

#[test]
fn json_says_the_same() {
    let folder = Folder::new();
    folder.count("a.npy", &[3]);
    folder.write("b", b"<html>");
    let run = folder.run(&["verify", "--format", "json", "a.npy", "b"]);
    assert_eq!(run.status, 1);
    let lines: Vec<serde_json::Value> =
        run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["ok"], &lines[1]["ok"]), (&true.into(), &false.into()));
}
