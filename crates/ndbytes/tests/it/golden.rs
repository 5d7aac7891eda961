//! Files that NumPy wrote, and that stay readable for ever.

use ndbytes::{Array, Dtype, Header, Limits, NpzReader, Order, Version, dumps, loads, read_npy};
use ndbytes_testkit::golden::{self, Golden};

fn check(golden: &Golden, header: &Header, data: &[u8]) {
    let name = golden.name();
    assert_eq!(header.order().to_string(), golden.order, "{name}");
    assert_eq!(header.shape(), golden.shape, "{name}");
    assert_eq!(crc32fast::hash(data), golden.data_crc, "{name}");
    if golden.descr != "-" {
        let dtype: Dtype = golden.descr.parse().unwrap();
        assert_eq!(*header.dtype(), dtype, "{name}");
    }
}

#[test]
fn every_npy_says_what_the_manifest_says_and_is_written_again_byte_for_byte() {
    let mut seen = 0;
    for golden in golden::load("v1") {
        let bytes = golden.read();
        if !golden.name().ends_with(".npy") || golden.name().starts_with("several") {
            continue;
        }
        let mut source = &bytes[..];
        let array = read_npy(&mut source, &Limits::default()).unwrap();
        assert!(source.is_empty());
        check(&golden, array.header(), array.bytes());
        let view = loads(&bytes, &Limits::default()).unwrap();
        assert_eq!(view.to_vec(array.order()).unwrap(), array.bytes(), "{}", golden.name());
        match golden.name() {
            // Void to us: only the header's order of no meaning differs.
            name if name.starts_with("ml_") => {}
            name if name.starts_with("version_") => {
                let version =
                    [Version::V1, Version::V2, Version::V3][usize::from(golden.version) - 1];
                let head = array.header().encode_version(version).unwrap();
                assert_eq!([&head[..], array.bytes()].concat(), bytes, "{name}");
            }
            name => assert!(dumps(&view).unwrap() == bytes, "{name}"),
        }
        seen += 1;
    }
    assert!(seen > 65, "{seen}");
}

#[test]
fn several_arrays_in_one_file_are_read_one_by_one() {
    let golden = golden::load("v1").into_iter().find(|g| g.name().starts_with("several")).unwrap();
    let bytes = golden.read();
    let mut source = &bytes[..];
    let arrays: Vec<Array> =
        std::iter::from_fn(|| ndbytes::recv(&mut source, &Limits::default()).unwrap()).collect();
    check(&golden, arrays[0].header(), arrays[0].bytes());
    let dtypes: Vec<String> = arrays.iter().map(|array| array.dtype().to_string()).collect();
    assert_eq!(dtypes, ["<f8", "|b1", "<U2"]);
}

#[test]
fn every_archive_has_the_members_of_the_manifest() {
    let mut seen = 0;
    for golden in golden::load("v1").iter().filter(|golden| golden.name().ends_with(".npz")) {
        let bytes = golden.read();
        let reader = NpzReader::new(&bytes[..], &Limits::default()).unwrap();
        match &golden.member {
            None => assert!(reader.entries().is_empty()),
            Some(key) => {
                let array = reader.read(key).unwrap();
                check(golden, array.header(), array.bytes());
            }
        }
        seen += 1;
    }
    assert_eq!(seen, 19);
}

#[test]
fn extended_types_are_written_so_that_numpy_reads_them_as_it_wrote_them() {
    let goldens = golden::load("v1");
    let mut seen = 0;
    for golden in goldens.iter().filter(|golden| golden.name().starts_with("ml_")) {
        let name = golden.name();
        let dtype: Dtype = name.trim_start_matches("ml_").trim_end_matches(".npy").parse().unwrap();
        let bytes = golden.read();
        let data = &bytes[golden.data_offset..];
        let view =
            ndbytes::ArrayView::contiguous(dtype.clone(), &golden.shape, Order::C, data).unwrap();
        let ours = dumps(&view).unwrap();
        assert_eq!(*loads(&ours, &Limits::default()).unwrap().dtype(), dtype);
        // The same dictionary, up to the comment that names the type.
        let end = bytes.iter().position(|&b| b == b'}').unwrap();
        assert_eq!(ours[10..=end], bytes[10..=end], "{name}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}
