//! Elements of a member by position, in any order, with no more inflated than holds them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndbytes::{
    ArrayView, Code, Compression, Limits, MemberElements, NpzReader, NpzWriter, Order, ReadAt,
};

/// Bytes that count what is read of them.
#[derive(Clone, Default)]
struct Counted {
    bytes: Arc<Vec<u8>>,
    read: Arc<AtomicUsize>,
}

impl ReadAt for Counted {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let n = self.bytes.read_at(buffer, offset)?;
        self.read.fetch_add(n, Ordering::Relaxed);
        Ok(n)
    }

    fn size(&self) -> std::io::Result<u64> {
        self.bytes.size()
    }
}

/// Five blocks and a half.
const LEN: usize = (11 << 20) / 8;

fn elements() -> Vec<u8> {
    (0..LEN as u32).flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()).collect()
}

fn archive(compression: Compression) -> Vec<u8> {
    let bytes = elements();
    let view = ArrayView::contiguous("<u4".parse().unwrap(), &[LEN], Order::C, &bytes).unwrap();
    let mut writer = NpzWriter::new(Vec::new());
    writer.add("before", &view, Compression::Stored).unwrap();
    writer.add("a", &view, compression).unwrap();
    writer.finish().unwrap()
}

fn open(bytes: Vec<u8>) -> (MemberElements<Counted>, Counted) {
    let source = Counted { bytes: Arc::new(bytes), ..Counted::default() };
    let reader = NpzReader::new(source.clone(), &Limits::default()).unwrap();
    let (_, member) = reader.array_member(reader.find("a").unwrap()).unwrap();
    (member.elements().unwrap(), source)
}

/// The same archive for readers that know of no index: its extra field has another number.
fn without_index(mut bytes: Vec<u8>) -> Vec<u8> {
    let reader = NpzReader::new(&bytes, &Limits::default()).unwrap();
    let blocks = reader.entries()[1].blocks.clone().unwrap();
    let sizes: Vec<u8> = blocks.compressed.iter().flat_map(|len| len.to_le_bytes()).collect();
    drop(reader);
    let at = bytes.windows(sizes.len()).rposition(|window| window == sizes).unwrap();
    // A block that is longer than any can be: the index does not count.
    bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes
}

#[test]
fn parts_are_those_of_the_array_in_any_order() {
    let want = elements();
    let deflated = archive(Compression::Deflate(6));
    for (bytes, indexed, stored) in [
        (archive(Compression::Stored), true, true),
        (deflated.clone(), true, false),
        (without_index(deflated), false, false),
        (archive(Compression::Zstd(1)), false, false),
    ] {
        let (mut elements, _) = open(bytes);
        assert_eq!((elements.is_indexed(), elements.stored_at().is_some()), (indexed, stored));
        let mut out = vec![0; 600_000];
        for from in [0, 4_000_000, 4_100_000, 100, 3_000_001, 5_000_000, 4_999_999] {
            for len in [0, 1, 5, out.len()] {
                let out = &mut out[..len];
                let fits = from + len <= want.len();
                let read = elements.read_exact_at(out, from as u64);
                assert_eq!(read.is_ok(), fits, "{from} {len}");
                assert!(!fits || out == &want[from..from + len], "{from} {len}");
            }
        }
        for from in [want.len() as u64, u64::MAX - 3] {
            elements.read_exact_at(&mut out[..1], from).unwrap_err();
        }
    }
}

#[test]
fn an_index_saves_what_is_before() {
    let (mut elements, source) = open(archive(Compression::Deflate(6)));
    let all = source.bytes.len();
    let before = source.read.load(Ordering::Relaxed);
    elements.read_exact_at(&mut [0; 8], 5_000_000).unwrap();
    let read = source.read.load(Ordering::Relaxed) - before;
    assert!(read > 0 && read < all / 20, "{read} of {all}");
    // What is next to it is there already, and is not read twice.
    let before = source.read.load(Ordering::Relaxed);
    elements.read_exact_at(&mut [0; 8], 5_000_008).unwrap();
    assert_eq!(source.read.load(Ordering::Relaxed), before);
}

#[test]
fn damage_is_noticed_by_who_reads_it_all() {
    let deflated = archive(Compression::Deflate(6));
    for bytes in [deflated.clone(), without_index(deflated), archive(Compression::Zstd(1))] {
        let reader = NpzReader::new(&bytes, &Limits::default()).unwrap();
        let (crc, name) = (reader.entries()[1].crc32.to_le_bytes(), b"a.npy");
        drop(reader);
        // The sum in the central directory, 30 bytes before the name.
        let at = bytes.windows(name.len()).rposition(|window| window == name).unwrap() - 30;
        let mut damaged = bytes.clone();
        assert_eq!(damaged[at..at + 4], crc);
        damaged[at] ^= 1;
        for (bytes, good) in [(bytes, true), (damaged, false)] {
            let (mut elements, _) = open(bytes);
            // Twice, and with a look at something else between.
            for _ in 0..2 {
                elements.read_exact_at(&mut [0; 9], 4_000_000).unwrap();
                let mut out = vec![0; 1_000_000];
                let mut read = Ok(());
                for from in (0..4 * LEN).step_by(out.len()) {
                    let len = out.len().min(4 * LEN - from);
                    read = elements.read_exact_at(&mut out[..len], from as u64);
                    assert!(read.is_ok() || from + len == 4 * LEN);
                }
                match good {
                    true => read.unwrap(),
                    false => assert_eq!(read.unwrap_err().code(), Code::ZipCrc),
                }
            }
        }
    }
}
