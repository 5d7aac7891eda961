//! `compress` and `decompress`.

use ndbytes::{Codec, Order};

use crate::{Folder, integers};

#[test]
fn every_codec_comes_back() {
    let folder = Folder::new();
    folder.write("a", &integers(100_000));
    for codec in Codec::ALL {
        let codec = codec.as_str();
        let run = folder.run(&["compress", "a", "packed", "--codec", codec]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.err.contains("400000 bytes -> "), "{run:?}");
        assert!(codec == "lz4" || run.err.contains("times smaller"), "{run:?}");
        folder.ok(&["decompress", "packed", "again", "--codec", codec]);
        assert_eq!(folder.read("again"), folder.read("a"));
        if codec != "deflate" {
            let piped = folder.run_with(&["decompress", "-", "-"], &folder.read("packed"));
            assert_eq!(piped.out, folder.read("a"));
        }
    }
}

#[test]
fn the_suffix_names_the_codec() {
    let folder = Folder::new();
    folder.write("a", b"hello");
    folder.ok(&["compress", "a", "a.gz"]);
    assert!(folder.read("a.gz").starts_with(b"\x1f\x8b"));
    folder.ok(&["compress", "a", "a.zz"]);
    folder.ok(&["decompress", "a.zz", "b"]);
    folder.ok(&["compress", "a", "a.zst", "--level", "19"]);
    assert!(folder.read("a.zst").starts_with(b"\x28\xb5\x2f\xfd"));
    folder.ok(&["compress", "a", "a.lz4", "--level", "1"]);
    assert!(folder.read("a.lz4").starts_with(b"\x04\x22\x4d\x18"));
    for name in ["a.zst", "a.lz4"] {
        folder.ok(&["verify", name]);
        folder.ok(&["decompress", name, "b"]);
        assert_eq!(folder.read("b"), b"hello");
    }
    for (name, level) in [("a.zst", "20"), ("a.zst", "0"), ("a.lz4", "9"), ("a.gz", "10")] {
        folder.run(&["compress", "a", name, "--level", level]).fails(2, level);
    }
    folder.run(&["compress", "a", "a.xy"]).fails(2, "--codec");
    folder.run(&["compress", "a", "a.gz", "--codec", "lzw"]).fails(2, "zlib");
}

#[test]
fn elements_alone_are_compressed_in_c_order() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    folder.ok(&["convert", "a.npy", "f.npy", "--out-order", "F"]);
    for name in ["a.npy", "f.npy"] {
        folder.ok(&["compress", "--data", "--codec", "zlib", name, "packed"]);
        let bytes = ndbytes::decompress(&folder.read("packed")[..], Codec::Zlib, 1 << 20).unwrap();
        assert_eq!(bytes, integers(6));
    }
    folder.write("b", b"hello");
    folder.run(&["compress", "--data", "--codec", "zlib", "b", "packed"]).fails(1, ".npy");
}

#[test]
fn the_stream_is_the_same_for_any_number_of_threads() {
    let folder = Folder::new();
    folder.write("a", &integers(500_000));
    for codec in Codec::ALL {
        let codec = codec.as_str();
        let packed = |threads| {
            let args = ["compress", "-", "-", "--codec", codec, "--threads", threads];
            folder.run_with(&args, &folder.read("a")).out
        };
        folder.write("packed", &packed("1"));
        assert!(packed("3") == folder.read("packed"), "{codec}");
        for threads in ["1", "2", "3"] {
            let args = ["decompress", "packed", "-", "--codec", codec, "--threads", threads];
            assert!(folder.run(&args).out == folder.read("a"), "{codec}");
        }
    }
    for wrong in ["0", "x", "-1"] {
        let args = ["compress", "a", "b", "--codec", "zlib", "--threads", wrong];
        folder.run(&args).fails(2, "threads");
    }
}

#[test]
fn damage_is_told_and_leaves_no_file() {
    let folder = Folder::new();
    let values: Vec<u8> = (0..50_000u32).map(|i| ((i * i) >> 7) as u8).collect();
    folder.save("a", "|u1", &[50_000], Order::C, &values);
    folder.ok(&["compress", "a", "a.gz"]);
    let bytes = folder.read("a.gz");
    let mut flipped = bytes.clone();
    let middle = bytes.len() / 2;
    flipped[middle] ^= 4;
    for (bad, message) in [
        (&bytes[..bytes.len() - 1], "ends early"),
        (&flipped, "damaged"),
        (&[&bytes[..], b"x"].concat(), "bytes follow"),
        (b"hello", "text"),
        (b"", "empty"),
    ] {
        folder.write("bad.gz", bad);
        folder.run(&["decompress", "bad.gz", "out"]).fails(1, message);
    }
    folder.run(&["decompress", "a.gz", "out", "--max-bytes", "50127"]).fails(1, "--max-bytes");
    folder.ok(&["decompress", "a.gz", "out", "--max-bytes", "50128"]);
    assert_eq!(folder.names(), ["a", "a.gz", "bad.gz", "out"]);
}
