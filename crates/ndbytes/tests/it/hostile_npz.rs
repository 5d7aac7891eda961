//! One test for every way that an `.npz` can lie.

use ndbytes::zip::{Directory, Entry, Method};
use ndbytes::{
    Array, ArrayView, Code, Codec, Compression, Error, ErrorKind, Limits, NpzReader, NpzWriter,
    Order, Result, compress, dumps,
};
use ndbytes_testkit::transport::{HostileWriter, WriteRule};

use crate::code;

fn view(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("|u1".parse().unwrap(), &[bytes.len()], Order::C, bytes).unwrap()
}

fn npy() -> Vec<u8> {
    dumps(&view(&[1, 2, 3, 4])).unwrap()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    compress(&view(bytes), Codec::Deflate, 9).unwrap()
}

/// A member whose directory entry tells the truth.
fn member(name: &str, method: Method, stored: &[u8], plain: &[u8]) -> (Entry, Vec<u8>) {
    let entry = Entry {
        name: name.into(),
        method,
        encrypted: false,
        crc32: crc32(plain),
        compressed: stored.len() as u64,
        uncompressed: plain.len() as u64,
        header_offset: 0,
        descriptor: false,
        blocks: None,
    };
    (entry, stored.to_vec())
}

fn stored() -> (Entry, Vec<u8>) {
    member("a.npy", Method::Stored, &npy(), &npy())
}

/// Slow and obvious (APPNOTE 4.4.7).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 }
        })
    })
}

/// An archive of these members, whose directory entries `lie` may change.
fn archive(members: Vec<(Entry, Vec<u8>)>, lie: impl Fn(&mut [Entry])) -> Vec<u8> {
    forged(members, lie, |_| {})
}

/// As `archive`, and the end record is `end`'s.
fn forged(
    members: Vec<(Entry, Vec<u8>)>,
    lie: impl Fn(&mut [Entry]),
    end: impl Fn(&mut Directory),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut entries = Vec::new();
    for (mut entry, data) in members {
        entry.header_offset = bytes.len() as u64;
        bytes.extend(entry.encode_local(1).unwrap());
        bytes.extend(data);
        entries.push(entry);
    }
    lie(&mut entries);
    let offset = bytes.len() as u64;
    for entry in &entries {
        entry.encode_central(&mut bytes).unwrap();
    }
    let len = bytes.len() as u64 - offset;
    let mut directory = Directory { offset, len, entries: entries.len() as u64 };
    end(&mut directory);
    directory.encode_end(&mut bytes);
    bytes
}

fn read(bytes: &[u8]) -> Result<Array> {
    NpzReader::new(bytes, &Limits::default().with_bytes(1 << 24))?.read("a")
}

#[track_caller]
fn refused(bytes: &[u8]) -> Error {
    match read(bytes) {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error,
    }
}

#[test]
fn the_truth_is_read() {
    let bytes = archive(vec![stored()], |_| {});
    assert_eq!(read(&bytes).unwrap().bytes(), [1, 2, 3, 4]);
    let deflate = member("a.npy", Method::Deflate, &deflated(&npy()), &npy());
    assert_eq!(read(&archive(vec![deflate], |_| {})).unwrap().bytes(), [1, 2, 3, 4]);
}

#[test]
fn a_forged_directory_is_refused() {
    for lie in [
        |directory: &mut Directory| directory.offset += 1,
        |directory: &mut Directory| directory.offset = 1 << 62,
        |directory: &mut Directory| directory.len = 1 << 40,
        |directory: &mut Directory| directory.len -= 1,
        |directory: &mut Directory| directory.len += 1,
        |directory: &mut Directory| directory.entries += 1,
        |directory: &mut Directory| directory.entries = 0,
        |directory: &mut Directory| directory.entries = 1 << 60,
        |directory: &mut Directory| directory.offset -= 7,
    ] {
        let error = refused(&forged(vec![stored()], |_| {}, lie));
        assert!(matches!(error.code(), Code::ZipEnd | Code::ZipRecord), "{error}");
    }
}

#[test]
fn members_outside_of_the_archive_are_refused() {
    for offset in [1, 100, 1 << 20, u64::MAX - 1, u64::MAX] {
        let bytes = archive(vec![stored()], |entries| entries[0].header_offset = offset);
        assert_eq!(refused(&bytes).code(), Code::ZipRecord, "{offset}");
    }
    for size in [1 << 20, u64::MAX - 1, u64::MAX] {
        let bytes = archive(vec![stored()], |entries| {
            (entries[0].compressed, entries[0].uncompressed) = (size, size);
        });
        assert_eq!(refused(&bytes).code(), Code::ZipRecord, "{size}");
    }
}

#[test]
fn a_member_whose_size_is_not_that_of_its_array_is_refused() {
    let len = npy().len() as u64;
    let sized = |compressed, uncompressed| {
        refused(&archive(vec![stored()], |entries| {
            (entries[0].compressed, entries[0].uncompressed) = (compressed, uncompressed);
        }))
        .code()
    };
    assert_eq!(sized(len - 1, len - 1), Code::DataTruncated);
    assert_eq!(sized(len, len - 1), Code::ZipRecord);
    assert_eq!(sized(100, 100), Code::NpyHeaderTruncated);
    assert_eq!(sized(0, 0), Code::EndOfStream);
    let mut trailing = npy();
    trailing.extend_from_slice(b"more");
    let bytes = archive(vec![member("a.npy", Method::Stored, &trailing, &trailing)], |_| {});
    assert_eq!(refused(&bytes).code(), Code::DataTrailing);
}

#[test]
fn a_deflate_stream_of_another_length_is_refused() {
    let (packed, len) = (deflated(&npy()), npy().len() as u64);
    let mut longer = npy();
    longer.push(0);
    for (stored, want) in [
        (deflated(&longer), ErrorKind::Malformed),
        (deflated(&npy()[..npy().len() - 1]), ErrorKind::Truncated),
        (packed[..packed.len() - 1].to_vec(), ErrorKind::Truncated),
        ([&packed[..], b"x"].concat(), ErrorKind::Mismatch),
    ] {
        let bytes = archive(vec![member("a.npy", Method::Deflate, &stored, &npy())], |entries| {
            entries[0].uncompressed = len;
        });
        assert_eq!(refused(&bytes).kind(), want, "{}", refused(&bytes));
    }
}

#[test]
fn a_bomb_gives_no_more_than_its_array() {
    // 64 MiB of zeros behind the array, in some 64 KiB: none of them are inflated.
    let zeros = vec![0; 1 << 26];
    let bomb = deflated(&[&npy()[..], &zeros].concat());
    assert!(bomb.len() < 1 << 18);
    let plain = npy();
    let bytes = archive(vec![member("a.npy", Method::Deflate, &bomb, &plain)], |_| {});
    assert_eq!(refused(&bytes).code(), Code::ZipRecord);
    // One that says how large it is meets the limit.
    let header = ndbytes::Header::new("|u1".parse().unwrap(), Order::C, vec![1 << 26]).unwrap();
    let big = [&header.encode().unwrap()[..], &zeros].concat();
    let bytes = archive(vec![member("a.npy", Method::Deflate, &deflated(&big), &big)], |_| {});
    assert_eq!(refused(&bytes).code(), Code::TooManyBytes);
}

#[test]
fn members_that_overlap_are_refused() {
    let two = || vec![stored(), member("b.npy", Method::Stored, &npy(), &npy())];
    let bytes = archive(two(), |entries| entries[1].header_offset = 0);
    assert_eq!(refused(&bytes).code(), Code::ZipRecord);
    let bytes = archive(two(), |entries| entries[0].compressed += 60);
    assert_eq!(refused(&bytes).code(), Code::ZipRecord);
}

#[test]
fn encrypted_members_are_refused() {
    // `Entry` writes no such flag: it is set in the directory's bytes.
    let mut bytes = archive(vec![stored()], |_| {});
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[central + 8] |= 1;
    assert_eq!(refused(&bytes).code(), Code::ZipUnsupported);
}

#[test]
fn other_methods_are_refused_by_name() {
    for (number, name) in [(12, "bzip2"), (14, "lzma"), (95, "method 95"), (99, "method 99")] {
        let other = member("a.npy", Method::Other(number), b"BZh", &npy());
        let error = refused(&archive(vec![other], |_| {}));
        assert_eq!(error.code(), Code::ZipUnsupported);
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn a_wrong_crc_is_refused() {
    for method in [Method::Stored, Method::Deflate] {
        let packed = if method == Method::Stored { npy() } else { deflated(&npy()) };
        let bytes = archive(vec![member("a.npy", method, &packed, &npy())], |entries| {
            entries[0].crc32 ^= 1;
        });
        assert_eq!(refused(&bytes).code(), Code::ZipCrc);
    }
}

#[test]
fn a_member_that_is_no_array_is_named() {
    let text = b"{\"readme\": true}";
    let error = refused(&archive(vec![member("a", Method::Stored, text, text)], |_| {}));
    assert_eq!(error.code(), Code::NpyMagic);
    assert!(error.message().contains("`a`") && error.message().contains("JSON"), "{error}");
}

#[test]
fn too_many_members_are_refused() {
    let names = ["a.npy", "b.npy", "c.npy"];
    let members = names.map(|name| member(name, Method::Stored, &npy(), &npy())).to_vec();
    let mut limits = Limits::default();
    limits.members = 2;
    let bytes = archive(members, |_| {});
    assert_eq!(code(NpzReader::new(&bytes[..], &limits)), Code::TooManyMembers);
    limits.members = 3;
    assert!(NpzReader::new(&bytes[..], &limits).is_ok());
}

#[test]
fn of_members_of_one_name_the_last_counts() {
    let other = dumps(&view(&[9])).unwrap();
    let bytes = archive(vec![stored(), member("a.npy", Method::Stored, &other, &other)], |_| {});
    assert_eq!(read(&bytes).unwrap().bytes(), [9]);
}

/// A sink under a rule, for archives.
struct Sink(HostileWriter);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl ndbytes::Sink for Sink {}

fn write_two(rule: WriteRule, compression: Compression) -> Result<Vec<u8>> {
    let mut writer = NpzWriter::new(Sink(HostileWriter::new(rule)));
    writer.add("a", &view(&[1, 2, 3, 4]), compression)?;
    writer.add("b", &view(&[0; 100]), compression)?;
    Ok(writer.finish()?.0.arrived().to_vec())
}

#[test]
fn a_sink_that_fails_anywhere_is_reported() {
    for compression in [Compression::Stored, Compression::Deflate(6)] {
        let whole = write_two(WriteRule::Whole, compression).unwrap();
        for rule in WriteRule::HARMLESS {
            assert!(write_two(rule, compression).unwrap() == whole, "{rule:?}");
        }
        for end in 0..whole.len() as u64 {
            for rule in WriteRule::failing(end) {
                assert_eq!(code(write_two(rule, compression)), Code::Io, "{rule:?}");
            }
        }
    }
}

#[test]
fn an_archive_with_half_an_array_cannot_be_finished() {
    for compression in [Compression::Stored, Compression::Deflate(6)] {
        let mut writer = NpzWriter::new(Sink(HostileWriter::new(WriteRule::Stalls(100))));
        assert_eq!(code(writer.add("a", &view(&[0; 100]), compression)), Code::Io);
        assert_eq!(code(writer.add("b", &view(&[0; 100]), compression)), Code::Argument);
        assert_eq!(code(writer.finish()), Code::Argument);
    }
}

#[test]
fn a_refused_array_leaves_the_archive_whole() {
    let overlapping =
        "{'names': ['a', 'b'], 'formats': ['<i4', '<i4'], 'offsets': [0, 2], 'itemsize': 8}";
    let bad = ArrayView::contiguous(overlapping.parse().unwrap(), &[1], Order::C, &[0; 8]).unwrap();
    let mut writer = NpzWriter::new(Vec::new());
    assert_eq!(code(writer.add("bad", &bad, Compression::Stored)), Code::UnsupportedDtype);
    let long = "k".repeat(70_000);
    for compression in [Compression::Stored, Compression::Deflate(6)] {
        assert_eq!(code(writer.add(&long, &view(&[1]), compression)), Code::ZipName);
    }
    writer.add("a", &view(&[1]), Compression::Stored).unwrap();
    assert_eq!(read(&writer.finish().unwrap()).unwrap().bytes(), [1]);
}
