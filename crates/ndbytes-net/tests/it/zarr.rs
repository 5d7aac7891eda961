//! The Zarr view: keys and what they give. Real readers are in `tests/readers`.

use ndbytes::{ArrayView, Compression, FrameOptions, NpzWriter, Order, dump_frame, dumps};

use crate::client::Served;
use crate::slices::items;

#[test]
fn chunks_are_the_bytes_of_the_array() {
    let served = Served::new();
    let (shape, bytes) = ([600, 700], items("<f8", &[600, 700]));
    for order in [Order::C, Order::F] {
        let view = ArrayView::contiguous("<f8".parse().unwrap(), &shape, order, &bytes).unwrap();
        served.put("sub/a.npy", &dumps(&view).unwrap());
        let facts = served.get("/zarr/sub/a.npy/zarr.json");
        assert_eq!((facts.status, facts.header("content-type")), (200, "application/json"));
        assert_eq!(facts.text().contains("transpose"), order == Order::F);
        assert!(facts.text().contains("\"a_0\""), "{}", facts.text());
        let mut joined = Vec::new();
        for i in 0.. {
            let place = if order == Order::C { format!("{i}/0") } else { format!("0/{i}") };
            let chunk = served.get(&format!("/zarr/sub/a.npy/c/{place}"));
            if chunk.status == 404 {
                break;
            }
            assert_eq!(chunk.status, 200);
            joined.extend(chunk.body);
        }
        assert!(joined.len() >= bytes.len());
        assert!(joined[bytes.len()..].iter().all(|&byte| byte == 0));
        assert!(joined[..bytes.len()] == bytes);
    }
    let part = served.ask("GET", "/zarr/sub/a.npy/c/0/0", &[("Range", "bytes=8-15")]);
    assert_eq!((part.status, &part.body[..]), (206, &bytes[8..16]));
}

#[test]
fn a_frame_is_its_shard() {
    let served = Served::new();
    let bytes = items("<i4", &[50, 40]);
    let view = ArrayView::contiguous("<i4".parse().unwrap(), &[50, 40], Order::C, &bytes).unwrap();
    let frame = dump_frame(&view, &FrameOptions::default()).unwrap();
    served.put("a.ndb", &frame);
    assert!(served.get("/zarr/a.ndb/zarr.json").text().contains("sharding_indexed"));
    assert_eq!(served.get("/zarr/a.ndb/c/0/0").body, frame);
    let index = served.ask("GET", "/zarr/a.ndb/c/0/0", &[("Range", "bytes=-20")]);
    assert_eq!((index.status, &index.body[..]), (206, &frame[frame.len() - 20..]));
    for key in ["c/0/1", "c/0", "c/0/0/0", "c"] {
        served.get(&format!("/zarr/a.ndb/{key}")).fails(404, "http.not_found");
    }
}

#[test]
fn archives_and_folders_are_groups() {
    let served = Served::new();
    let bytes = items("<i4", &[50, 40]);
    let view = ArrayView::contiguous("<i4".parse().unwrap(), &[50, 40], Order::C, &bytes).unwrap();
    let mut writer = NpzWriter::new(Vec::new());
    writer.add("x", &view, Compression::Stored).unwrap();
    writer.add("deep/er/y", &view, Compression::Deflate(6)).unwrap();
    let long = ArrayView::contiguous("<f16".parse().unwrap(), &[1], Order::C, &[0; 16]).unwrap();
    writer.add("unnamed", &long, Compression::Stored).unwrap();
    served.put("sub/a.npz", &writer.finish().unwrap());
    served.put("sub/notes.txt", b"hello");
    let group = served.get("/zarr/sub/a.npz/zarr.json");
    for part in ["\"x\": {", "\"deep\": {", "\"deep/er\": {", "\"deep/er/y\": {", "\"inline\""] {
        assert!(group.text().contains(part), "{part}: {}", group.text());
    }
    assert!(!group.text().contains("unnamed"));
    let folder = served.get("/zarr/zarr.json");
    assert!(folder.text().contains("\"sub/a.npz/deep/er/y\": {"), "{}", folder.text());
    for key in ["sub/a.npz/x/c/0/0", "sub/a.npz/deep/er/y/c/0/0"] {
        assert_eq!(served.get(&format!("/zarr/{key}")).body, bytes);
    }
    assert_eq!(served.get("/zarr/sub/a.npz/deep/zarr.json").status, 200);
    served.get("/zarr/sub/a.npz/unnamed/zarr.json").fails(422, "dtype.unsupported");
    for key in [
        ".zgroup",
        "sub/.zarray",
        "sub/notes.txt/zarr.json",
        "none/zarr.json",
        "sub/a.npz/z/zarr.json",
        "sub",
        "sub/",
        "sub/c/0",
        "sub/a.npz/x/c/1/0",
        "sub/a.npz/x/y/zarr.json",
    ] {
        served.get(&format!("/zarr/{key}")).fails(404, "http.not_found");
    }
}

#[test]
fn a_large_member_has_chunks_that_are_entered_at_its_blocks() {
    let served = Served::new();
    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
    let view =
        ArrayView::contiguous("<u4".parse().unwrap(), &[1000, 1000], Order::C, &bytes).unwrap();
    let mut writer = NpzWriter::new(Vec::new());
    for (name, compression) in [("d", Compression::Deflate(6)), ("z", Compression::Zstd(1))] {
        writer.add(name, &view, compression).unwrap();
    }
    served.put("a.npz", &writer.finish().unwrap());
    // Without an index there is one chunk: each would cost what is before it.
    let facts = |key: &str| {
        let answer = served.get(&format!("/zarr/a.npz/{key}/zarr.json"));
        answer.text().split_whitespace().collect::<String>()
    };
    assert!(facts("z").contains("\"chunk_shape\":[1000,1000]"), "{}", facts("z"));
    assert!(served.get("/zarr/a.npz/z/c/0/0").body == bytes);
    assert!(facts("d").contains("\"chunk_shape\":[250,1000]"), "{}", facts("d"));
    for row in [3, 0, 2, 1] {
        let chunk = served.get(&format!("/zarr/a.npz/d/c/{row}/0")).body;
        let want = &bytes[row * 250 * 4000..bytes.len().min((row + 1) * 250 * 4000)];
        assert!(chunk[..want.len()] == *want, "{row}");
        assert!(chunk[want.len()..].iter().all(|&byte| byte == 0));
        assert_eq!(chunk.len(), 250 * 4000);
    }
}
