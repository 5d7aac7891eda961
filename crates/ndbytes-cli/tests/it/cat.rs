//! `cat`.

use ndbytes::{Compression, Order};

use crate::{Folder, floats, integers};

#[test]
fn rows_stand_on_lines() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 2, 3]);
    assert_eq!(folder.ok(&["cat", "a.npy"]), "0 1 2\n3 4 5\n\n6 7 8\n9 10 11\n");
    assert_eq!(folder.ok(&["cat", "a.npy", "--format", "csv"]), "0,1,2\n3,4,5\n6,7,8\n9,10,11\n");
    let json: serde_json::Value =
        serde_json::from_str(&folder.ok(&["cat", "a.npy", "--format", "json"])).unwrap();
    assert_eq!(json["data"], serde_json::json!([[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]));
    assert_eq!(json["dtype"], "<i4");
    let raw = folder.run(&["cat", "a.npy", "--format", "raw"]);
    assert_eq!(raw.out, integers(12));
}

#[test]
fn orders_and_byte_orders_make_no_difference() {
    let folder = Folder::new();
    folder.count("c.npy", &[3, 4]);
    for order in ["C", "F"] {
        for bytes in ["little", "big"] {
            let name = format!("{order}{bytes}.npy");
            folder.ok(&["convert", "c.npy", &name, "--out-order", order, "--byte-order", bytes]);
            for slice in ["...", "::-1, ::2", "1", ":, -1", "2:0:-1, 1:3", "None, 1:2"] {
                let args = ["--slice", slice, "--format", "json"];
                let data = |name: &str| -> serde_json::Value {
                    let text = folder.ok(&[&["cat", name][..], &args].concat());
                    serde_json::from_str::<serde_json::Value>(&text).unwrap()["data"].clone()
                };
                assert_eq!(data("c.npy"), data(&name), "{name} {slice}");
            }
        }
    }
}

#[test]
fn slices_pick_what_numpy_picks() {
    let folder = Folder::new();
    folder.count("a.npy", &[5, 4]);
    for (slice, want) in [
        ("-1", "16 17 18 19\n"),
        ("1, 2", "6\n"),
        ("::2, ::-3", "3 0\n11 8\n19 16\n"),
        ("..., 0", "0 4 8 12 16\n"),
        ("[3:, 1:3]", "13 14\n17 18\n"),
        ("9:", ""),
    ] {
        assert_eq!(folder.ok(&["cat", "a.npy", "--slice", slice]), want, "{slice}");
    }
    assert_eq!(folder.ok(&["cat", "a.npy", "--head", "1"]), "0 1 2 3\n");
    assert_eq!(folder.ok(&["cat", "a.npy", "--slice", "::-1", "--head", "1"]), "16 17 18 19\n");
    folder.run(&["cat", "a.npy", "--slice", "5"]).fails(1, "out of bounds for axis 0 with size 5");
    folder.run(&["cat", "a.npy", "--slice", "a:b"]).fails(2, "--slice: `a` is no index");
}

#[test]
fn only_the_rows_that_are_asked_for_are_read() {
    let folder = Folder::new();
    // 8 TiB of zeros that take no room: to read all of it would never end.
    let header =
        ndbytes::Header::new("<f8".parse().unwrap(), Order::C, vec![1 << 20, 1 << 20]).unwrap();
    folder.write("a.npy", &header.encode().unwrap());
    let file = std::fs::OpenOptions::new().write(true).open(folder.path("a.npy")).unwrap();
    if file.set_len(128 + (1 << 43)).is_err() {
        // This file system has no files as long as that.
        return;
    }
    assert_eq!(folder.ok(&["cat", "a.npy", "--slice", "-1, :3"]), "0.0 0.0 0.0\n");
    assert_eq!(folder.ok(&["cat", "a.npy", "--slice", "::-400000, 7"]), "0.0 0.0 0.0\n");
    assert_eq!(folder.ok(&["cat", "a.npy", "--slice", ":, :2", "--head", "1"]), "0.0 0.0\n");
}

#[test]
fn long_arrays_stop_at_a_thousand_items() {
    let folder = Folder::new();
    folder.count("a.npy", &[5000]);
    let run = folder.run(&["cat", "a.npy"]);
    assert!(run.err.contains("1000 of 5000 items"), "{run:?}");
    assert_eq!(run.text().split_whitespace().count(), 1000);
    let all = folder.ok(&["cat", "--all", "a.npy"]);
    assert_eq!(all.split_whitespace().count(), 5000);
    folder.count("b.npy", &[3, 2000]);
    assert_eq!(folder.ok(&["cat", "b.npy"]).split_whitespace().last(), Some("999"));
}

#[test]
fn structs_are_tuples_and_table_columns() {
    let folder = Folder::new();
    let mut item = vec![1];
    item.extend(2.5f64.to_le_bytes());
    item.extend(b"a,b\0");
    let dtype = "[('n', '|i1'), ('x', '<f8'), ('s', '|S4')]";
    folder.save("a.npy", dtype, &[1], Order::C, &item);
    assert_eq!(folder.ok(&["cat", "a.npy"]), "(1, 2.5, b'a,b')\n");
    assert_eq!(folder.ok(&["cat", "a.npy", "--format", "csv"]), "n,x,s\n1,2.5,\"a,b\"\n");
}

#[test]
fn json_stays_json_with_nan() {
    let folder = Folder::new();
    folder.save("a.npy", "<f8", &[3], Order::C, &floats(&[f64::NAN, f64::INFINITY, 0.1]));
    let text = folder.ok(&["cat", "a.npy", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["data"], serde_json::json!(["NaN", "Infinity", 0.1]));
    assert_eq!(folder.ok(&["cat", "a.npy"]), "nan inf 0.1\n");
}

#[test]
fn arrays_without_items_or_axes_are_printed() {
    let folder = Folder::new();
    folder.count("empty.npy", &[2, 0]);
    folder.count("one.npy", &[]);
    assert_eq!(folder.ok(&["cat", "empty.npy"]), "");
    assert!(folder.ok(&["cat", "empty.npy", "--format", "json"]).contains("\"data\": [[], []]"));
    assert_eq!(folder.ok(&["cat", "one.npy"]), "0\n");
    assert!(folder.ok(&["cat", "one.npy", "--format", "json"]).contains("\"data\": 0}"));
    folder.save("s0.npy", "|S0", &[2], Order::C, b"");
    assert_eq!(folder.ok(&["cat", "s0.npy"]), "b'' b''\n");
}

#[test]
fn members_are_chosen_by_key() {
    let folder = Folder::new();
    for (name, compression) in [("s.npz", Compression::Stored), ("d.npz", Compression::Deflate(6))]
    {
        folder.archive(name, compression);
        assert_eq!(folder.ok(&["cat", name, "--member", "b"]), "0 1 2 3\n");
        assert_eq!(folder.ok(&["cat", name, "--member", "a", "--slice", "1, ::-1"]), "5 4 3\n");
        folder.run(&["cat", name]).fails(2, "--member");
        folder.run(&["cat", name, "--member", "c"]).fails(1, "no array `c`");
    }
}

#[test]
fn damage_is_not_printed() {
    let folder = Folder::new();
    folder.archive("a.npz", Compression::Stored);
    let mut bytes = folder.read("a.npz");
    let at = bytes.windows(24).position(|data| data == integers(6)).unwrap();
    bytes[at] ^= 1;
    folder.write("a.npz", &bytes);
    folder.run(&["cat", "a.npz", "--member", "a"]).fails(1, "CRC-32");
    folder.save("b.npy", "|u1", &[2], Order::C, &[1, 2]);
    let text = String::from_utf8_lossy(&folder.read("b.npy")).into_owned();
    assert!(text.contains("'|u1'"));
    let bytes: Vec<u8> = folder.read("b.npy");
    let at = bytes.windows(3).position(|three| three == b"|u1").unwrap();
    let mut bools = bytes.clone();
    bools[at..at + 3].copy_from_slice(b"|b1");
    folder.write("b.npy", &bools);
    folder.run(&["cat", "b.npy"]).fails(1, "is no bool");
    folder.write("b.npy", &bytes[..bytes.len() - 1]);
    folder.run(&["cat", "b.npy"]).fails(1, "1 of 2 bytes");
    folder.run_with(&["cat", "-"], &bytes[..bytes.len() - 1]).fails(1, "1 of 2 bytes");
}

#[test]
fn pipes_are_read() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 2]);
    folder.archive("a.npz", Compression::Deflate(1));
    let run = folder.run_with(&["cat", "-", "--slice", "1"], &folder.read("a.npy"));
    assert_eq!(run.text(), "2 3\n");
    let run = folder.run_with(&["cat", "-", "--member", "b"], &folder.read("a.npz"));
    assert_eq!(run.text(), "0 1 2 3\n");
}
