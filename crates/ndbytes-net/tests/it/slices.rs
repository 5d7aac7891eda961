//! Parts of arrays in every form, against the array itself.

use std::path::Path;

use ndbytes::{
    Array, ArrayView, Compression, FrameOptions, Limits, NpzWriter, Order, SaveOptions, Slice,
    dump_frame, dumps, read_frame, save,
};

use crate::client::Served;

/// An array whose items differ.
pub(crate) fn items(descr: &str, shape: &[usize]) -> Vec<u8> {
    let dtype: ndbytes::Dtype = descr.parse().unwrap();
    let n = shape.iter().product::<usize>() * dtype.itemsize();
    match descr {
        "|b1" => (0..n).map(|i| u8::from(i % 3 == 0)).collect(),
        "<U3" => (0..n / 4).flat_map(|i| (i as u32 * 37 % 0x2000).to_le_bytes()).collect(),
        _ => (0..n).map(|i| (i * 31 % 251) as u8 & 0x3f).collect(),
    }
}

/// Puts one array into every kind of file, and returns their targets.
fn put(served: &Served, descr: &str, shape: &[usize], order: Order) -> Vec<String> {
    let bytes = items(descr, shape);
    let view = ArrayView::contiguous(descr.parse().unwrap(), shape, order, &bytes).unwrap();
    served.put("a.npy", &dumps(&view).unwrap());
    let edge: Vec<usize> = shape.iter().map(|&n| n.div_ceil(3).max(1)).collect();
    let options = FrameOptions::default().with_chunk_shape(Some(edge));
    served.put("a.ndb", &dump_frame(&view, &options).unwrap());
    let mut writer = NpzWriter::new(Vec::new());
    writer.add("stored", &view, Compression::Stored).unwrap();
    writer.add("deflated", &view, Compression::Deflate(6)).unwrap();
    writer.add("zstd", &view, Compression::Zstd(3)).unwrap();
    served.put("a.npz", &writer.finish().unwrap());
    let member = |key| format!("/arrays/a.npz?member={key}&slice=");
    vec![
        "/arrays/a.npy?slice=".into(),
        "/arrays/a.ndb?slice=".into(),
        member("stored"),
        member("deflated"),
        member("zstd"),
    ]
}

#[test]
fn slices_are_numpys_in_every_file_and_form() {
    let served = Served::new();
    for descr in
        ["<f8", ">i2", "|b1", "<c16", "<U3", "|S5", "<M8[s]", "[('a', '<i4'), ('b', '|u1')]"]
    {
        for order in [Order::C, Order::F] {
            let shape = [7, 6, 5];
            let targets = put(&served, descr, &shape, order);
            let bytes = items(descr, &shape);
            let dtype: ndbytes::Dtype = descr.parse().unwrap();
            let strides = ndbytes::strides(&shape, dtype.itemsize(), order);
            for text in ["", "2", "1:5,::2", "::-1,%20::-3,1:", "...,-1", "None,3,...,2:2", "6,5,4"]
            {
                let slice = Slice::parse(&text.replace("%20", " ")).unwrap();
                let part = slice.select(&shape, &strides).unwrap();
                let want =
                    ArrayView::new(dtype.clone(), &part.shape, &part.strides, &bytes, part.origin);
                let want = want.unwrap();
                for target in &targets {
                    let npy = served.get(&format!("{target}{text}"));
                    assert_eq!(npy.status, 200, "{target}{text}: {}", npy.text());
                    let got = ndbytes::loads(&npy.body, &Limits::default()).unwrap();
                    same(&got, &want, &format!("{target}{text} {descr} {order:?}"));
                    let raw = served.get(&format!("{target}{text}&format=raw"));
                    assert_eq!(raw.body, want.to_vec(order).unwrap(), "{target}{text}");
                    let kind = [("Accept", "application/x-ndb")];
                    let ndb = served.ask("GET", &format!("{target}{text}"), &kind);
                    assert_eq!(ndb.header("content-type"), "application/x-ndb");
                    let got: Array = read_frame(&mut &ndb.body[..], &Limits::default()).unwrap();
                    same(&got.view(), &want, target);
                }
            }
        }
    }
}

fn same(got: &ArrayView<'_>, want: &ArrayView<'_>, about: &str) {
    assert_eq!((got.dtype(), got.shape()), (want.dtype(), want.shape()), "{about}");
    assert_eq!(got.to_vec(Order::C).unwrap(), want.to_vec(Order::C).unwrap(), "{about}");
}

#[test]
fn facts_are_those_of_the_header() {
    let served = Served::new();
    put(&served, ">f4", &[4, 6], Order::F);
    let npy = served.get("/arrays/a.npy");
    for part in [
        "\"dtype\":\">f4\"",
        "\"shape\":[4,6]",
        "\"order\":\"F\"",
        "\"nbytes\":96",
        "\"data_offset\":128",
    ] {
        assert!(npy.text().contains(part), "{part}: {}", npy.text());
    }
    let ndb = served.get("/arrays/a.ndb");
    assert!(ndb.text().contains("\"grid\":[2,3],\"shape\":[2,2]"), "{}", ndb.text());
    let npz = served.get("/arrays/a.npz");
    assert!(
        npz.text().contains("\"compression\":\"deflate\"") && npz.text().contains("\"count\":3")
    );
    let member = served.get("/arrays/a.npz?member=stored");
    assert!(member.text().contains("\"dtype\":\">f4\""));
    let raw = served.get("/arrays/a.npy?slice=1,::2&format=raw");
    assert_eq!(raw.header("ndbytes-dtype"), ">f4");
    assert_eq!(raw.header("ndbytes-shape"), "3");
    let turned = served.get("/arrays/a.npy?slice=1:,::2&format=raw");
    assert_eq!((turned.header("ndbytes-shape"), turned.header("ndbytes-order")), ("3,3", "F"));
}

#[test]
fn what_is_wrong_is_said() {
    let served = Served::new();
    put(&served, "<f8", &[4, 6], Order::C);
    served.put("a.txt", b"hello");
    let npy = std::fs::read(served.folder.path().join("a.npy")).unwrap();
    served.put("short.npy", &npy[..150]);
    let mut frame = std::fs::read(served.folder.path().join("a.ndb")).unwrap();
    let at = frame.len() - 3;
    frame[at] ^= 1;
    served.put("bad.ndb", &frame);
    let view = ArrayView::contiguous("|b1".parse().unwrap(), &[3], Order::C, &[0, 1, 2]).unwrap();
    served.put("bool.npy", &dumps(&view).unwrap());
    served.put(
        "object.npy",
        b"\x93NUMPY\x01\0\x36\0{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n",
    );
    for (target, status, code) in [
        ("/arrays/a.npy?slice=4", 400, "array.out_of_bounds"),
        ("/arrays/a.npy?slice=0,0,0", 400, "array.out_of_bounds"),
        ("/arrays/a.npy?slice=x", 400, "argument"),
        ("/arrays/a.npy?slice=::0", 400, "argument"),
        ("/arrays/a.npy?slice=0&format=png", 400, "http.query"),
        ("/arrays/a.npy?format=npy", 400, "http.query"),
        ("/arrays/a.npy?member=x&slice=", 400, "http.query"),
        ("/arrays/a.npy?part=1", 400, "http.query"),
        ("/arrays/a.npz?slice=", 400, "http.query"),
        ("/arrays/a.npz?member=none", 404, "zip.missing"),
        ("/arrays/a.txt", 422, "npy.magic"),
        ("/arrays/short.npy", 422, "data.truncated"),
        ("/arrays/bad.ndb", 422, "frame.checksum"),
        ("/arrays/object.npy", 422, "dtype.object"),
        ("/arrays/bool.npy?slice=1:", 422, "data.invalid"),
        ("/arrays/none.npy", 404, "http.not_found"),
        ("/arrays/", 404, "http.not_found"),
    ] {
        served.get(target).fails(status, code);
    }
}

/// A file that is written over while it is sent is not given as one version.
#[test]
fn a_file_that_changes_breaks_off() {
    use std::io::{Read, Write};
    let served = Served::new();
    let path = served.put("a.bin", &vec![7; 64 << 20]);
    let mut stream = served.connect();
    stream.write_all(b"GET /files/a.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 100_000];
    stream.read_exact(&mut first).unwrap();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"x").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < 64 << 20, "{}", rest.len());
}

#[test]
fn a_slice_of_many_pieces_is_whole() {
    let served = Served::new();
    let shape = [3000, 1100];
    let bytes = items("<f4", &shape);
    for order in [Order::C, Order::F] {
        let view = ArrayView::contiguous("<f4".parse().unwrap(), &shape, order, &bytes).unwrap();
        let path = served.folder.path().join("big.npy");
        save(Path::new(&path), &view, &SaveOptions::default()).unwrap();
        served.put("big.ndb", &dump_frame(&view, &FrameOptions::default()).unwrap());
        for (text, start) in [("", 0), ("::-1", 2999)] {
            let want = match start {
                0 => view.to_vec(order).unwrap(),
                _ => {
                    let strides = ndbytes::strides(&shape, 4, order);
                    let origin = 2999 * strides[0].unsigned_abs();
                    let strides = [-strides[0], strides[1]];
                    let turned =
                        ArrayView::new("<f4".parse().unwrap(), &shape, &strides, &bytes, origin);
                    turned.unwrap().to_vec(order).unwrap()
                }
            };
            for name in ["big.npy", "big.ndb"] {
                let got = served.get(&format!("/arrays/{name}?slice={text}&format=raw"));
                assert!(got.body == want, "{name} {text} {order:?} {}", got.body.len());
            }
        }
    }
}
