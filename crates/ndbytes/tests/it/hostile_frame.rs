//! One test for every way that a frame can lie, with every checksum right.

use std::ops::Range;

use ndbytes::frame_format::{ChunkPlace, Family, FrameHeader, Record, encode_index};
use ndbytes::{
    ArrayView, Code, Error, FrameOptions, FrameReader, Limits, Order, Result, Strided, dump_frame,
    read_frame,
};
use ndbytes_testkit::forge::{Forged, record, sealed};

use crate::code;

/// Two chunks of 6000 bytes, in blocks that are split or not as the pipeline does.
fn frame(pipeline: &str) -> Forged {
    let items = (0..3000u32).flat_map(|i| (i / 3 * 77).to_le_bytes()).collect::<Vec<_>>();
    let array = ArrayView::contiguous("<u4".parse().unwrap(), &[3000], Order::C, &items).unwrap();
    let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
    let frame = dump_frame(&array, &options.with_chunk_shape(Some(vec![1500]))).unwrap();
    let forged = Forged::of(&frame).unwrap();
    assert_eq!(forged.bytes(), frame);
    forged
}

fn both(frame: &[u8]) -> [Result<Vec<u8>>; 2] {
    let limits = Limits::default().with_bytes(1 << 30);
    let streamed = read_frame(&mut &*frame, &limits).map(|array| array.bytes().to_vec());
    let placed = FrameReader::new(frame, &limits).and_then(|reader| reader.read());
    [streamed, placed.map(|array| array.bytes().to_vec())]
}

/// From a stream and by position, with one of these codes.
#[track_caller]
fn refused(frame: &[u8], codes: &[Code]) {
    for (read, how) in both(frame).into_iter().zip(["from a stream", "by position"]) {
        let Err(error) = read else { panic!("it was not refused {how}") };
        assert!(codes.contains(&error.code()), "{how}: {error:?}");
    }
}

#[track_caller]
fn reader_refuses(frame: &[u8], expected: Code) -> Error {
    let error = FrameReader::new(frame, &Limits::default()).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), expected, "{error}");
    error
}

fn put(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().unwrap())
}

/// Blosc headers.
const NBYTES: usize = 4;
const BLOCK_SIZE: usize = 8;
const CBYTES: usize = 12;
const TYPESIZE: usize = 3;

#[test]
fn a_blosc_header_that_lies_is_refused() {
    let codes = [
        Code::BloscHeader,
        Code::Mismatch,
        Code::CodecTruncated,
        Code::CodecTrailing,
        Code::CodecUnsupported,
        Code::CodecCorrupt,
        Code::FrameRecord,
    ];
    for pipeline in ["lz4", "zstd-1-noshuffle", "zlib-1-bitshuffle"] {
        let good = frame(pipeline);
        let lie = |change: &dyn Fn(&mut Vec<u8>)| {
            for chunk in [0, 1] {
                let mut bad = good.clone();
                change(&mut bad.payloads[chunk]);
                refused(&bad.bytes(), &codes);
            }
        };
        for at in [NBYTES, BLOCK_SIZE, CBYTES] {
            let is = number(&good.payloads[0], at);
            let near = [is - 1, is + 1, is / 2, is * 2];
            let far = [0, 1, 15, 16, 1 << 16, i32::MAX as u32, 1 << 31, u32::MAX];
            for value in near.into_iter().chain(far).filter(|&value| value != is) {
                // As long as it says, where that is a length to be reached.
                lie(&|payload| put(payload, at, value));
                if at == CBYTES && (17..20_000).contains(&value) {
                    lie(&|payload| {
                        put(payload, at, value);
                        payload.resize(value as usize, 0);
                    });
                }
            }
        }
        lie(&|payload| payload[TYPESIZE] = 0);
        for version in [0, 1, 3, 5, 255] {
            lie(&|payload| payload[0] = version);
        }
        // Other codecs, flags that are not there, stored and not.
        for flags in [0x02, 0x08, 0xe0, 0xa0, 0x60] {
            lie(&|payload| payload[2] ^= flags);
        }
        lie(&|payload| payload.truncate(16));
        lie(&|payload| payload.truncate(15));
        lie(&|payload| payload.push(0));
    }
}

#[test]
fn a_stored_blosc_buffer_that_lies_is_refused() {
    let mut random = ndbytes_testkit::Random::new(1);
    let noise: Vec<u8> = (0..1000).map(|_| random.byte()).collect();
    let header = ndbytes_codec::blosc::stored_header(1000, 4).unwrap();
    let good = Forged::new(Family::Blosc, 1000, 1000, &[&[&header[..], &noise].concat()]);
    assert!(both(&good.bytes()).into_iter().all(|read| read.unwrap() == noise));
    let codes = [Code::Mismatch, Code::BloscHeader, Code::CodecTruncated, Code::CodecTrailing];
    for (nbytes, cbytes) in
        [(999, 1015), (1001, 1017), (500, 516), (1, 17), (0, 16), (1000, 1015), (999, 1016)]
    {
        let mut bad = good.clone();
        put(&mut bad.payloads[0], NBYTES, nbytes);
        put(&mut bad.payloads[0], BLOCK_SIZE, nbytes.max(1));
        put(&mut bad.payloads[0], CBYTES, cbytes);
        refused(&bad.bytes(), &codes);
    }
}

/// The starts of the blocks of a buffer, and where in each the lengths of its streams stand.
fn lengths(payload: &[u8]) -> (usize, Vec<usize>) {
    let blocks = number(payload, NBYTES).div_ceil(number(payload, BLOCK_SIZE)) as usize;
    let mut at = 16 + 4 * blocks;
    let mut all = Vec::new();
    while at < payload.len() {
        all.push(at);
        at += 4 + number(payload, at) as usize;
    }
    (blocks, all)
}

/// A frame of one chunk of 6000 bytes in blocks of 1024.
fn in_blocks(pipeline: &str) -> Forged {
    use ndbytes_codec::blosc::{Encoder, Filter, Options};
    let Ok(ndbytes::Pipeline::Blosc(codec, level, _)) = pipeline.parse() else { panic!() };
    let items: Vec<u8> = (0..1500u32).flat_map(|i| (i / 3 * 77).to_le_bytes()).collect();
    let options = Options {
        codec,
        level,
        filter: Filter::Shuffle,
        typesize: 4,
        block_size: Some(1024),
        min_match: None,
        split: Some(pipeline == "lz4"),
    };
    let mut payload = Vec::new();
    Encoder::new().encode(&items, &options, &mut payload).unwrap();
    Forged::new(Family::Blosc, 6000, 6000, &[&payload])
}

#[test]
fn blocks_that_lie_about_their_streams_are_refused() {
    for pipeline in ["lz4", "zstd-1", "zlib-1"] {
        let good = in_blocks(pipeline);
        assert!(both(&good.bytes()).iter().all(Result::is_ok));
        let (blocks, places) = lengths(&good.payloads[0]);
        assert!(blocks == 6 && places.len() == if pipeline == "lz4" { 21 } else { 6 });
        for at in places {
            let is = number(&good.payloads[0], at);
            for value in [0, 1, is - 1, is + 1, 256, 1024, 1 << 20, i32::MAX as u32, u32::MAX] {
                if value == is {
                    continue;
                }
                let mut bad = good.clone();
                put(&mut bad.payloads[0], at, value);
                refused(&bad.bytes(), &[Code::BloscHeader, Code::CodecCorrupt]);
            }
        }
    }
}

#[test]
fn blocks_that_overlap_or_leave_gaps_are_refused() {
    for pipeline in ["lz4", "zstd-1"] {
        let good = in_blocks(pipeline);
        let starts: Vec<u32> = (0..6).map(|i| number(&good.payloads[0], 16 + 4 * i)).collect();
        let lie = |change: &dyn Fn(&mut [u32])| {
            let mut bad = good.clone();
            let mut starts = starts.clone();
            change(&mut starts);
            starts
                .iter()
                .enumerate()
                .for_each(|(i, &at)| put(&mut bad.payloads[0], 16 + 4 * i, at));
            refused(&bad.bytes(), &[Code::BloscHeader, Code::CodecCorrupt]);
        };
        lie(&|starts| starts.fill(starts[0]));
        lie(&|starts| starts[1] = starts[0]);
        lie(&|starts| starts[5] = starts[4]);
        for i in 0..6 {
            let len = good.payloads[0].len() as u32;
            for at in [0, 15, 16, starts[i] - 1, starts[i] + 1, len - 1, len, len + 1, u32::MAX] {
                lie(&|starts| starts[i] = at);
            }
        }
        // In another order they are other blocks of the same lengths, and no lie: threads of
        // c-blosc write them so.
        let mut turned = good.clone();
        put(&mut turned.payloads[0], 16, starts[1]);
        put(&mut turned.payloads[0], 20, starts[0]);
        let [streamed, placed] = both(&turned.bytes()).map(Result::unwrap);
        let plain = both(&good.bytes()).map(Result::unwrap);
        assert!(streamed == placed && streamed[..1024] == plain[0][1024..2048]);
    }
}

/// A Blosc buffer of one block, which is one stream.
fn one_stream(compressor: u8, nbytes: u32, stream: &[u8]) -> Vec<u8> {
    let mut payload = vec![2, 1, compressor << 5 | 0x10, 1];
    let len = 24 + stream.len() as u32;
    for value in [nbytes, nbytes, len, 20, stream.len() as u32] {
        payload.extend(value.to_le_bytes());
    }
    payload.extend(stream);
    payload
}

const LZ4: u8 = 1;
const SNAPPY: u8 = 2;
const ZSTD: u8 = 4;

#[test]
fn streams_that_claim_too_much_are_refused() {
    let zstd = b"\x28\xb5\x2f\xfd";
    let literals = [&[0xff; 200][..], b"\x00"].concat();
    let traps: Vec<(u8, Vec<u8>)> = vec![
        // Nothing, and nothing but an end.
        (LZ4, vec![]),
        (LZ4, vec![0]),
        (LZ4, vec![0, 0]),
        // Literals that are not there; lengths that go on for ever; a match before the start, of
        // distance 0, and one that reaches beyond.
        (LZ4, [&[0xf0][..], &[0xff; 400]].concat()),
        (LZ4, [&[0xf0][..], &literals].concat()),
        (LZ4, vec![0x1f, b'x', 0, 0, 0xff, 0xff, 0xff, 0]),
        (LZ4, vec![0x1f, b'x', 2, 0, 0xff, 0xff, 0xff, 0]),
        (LZ4, [&[0x1f, b'x', 1, 0][..], &[0xff; 400], &[0]].concat()),
        // A length before the stream that is another; none at all.
        (SNAPPY, vec![]),
        (SNAPPY, vec![0xff; 10]),
        (SNAPPY, vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0]),
        // Frames of 2^62 bytes; of none; with the largest window there is; without any block; of a
        // dictionary; to be skipped.
        (ZSTD, [&zstd[..], &[0xe0], &(1u64 << 62).to_le_bytes(), &[1, 0, 0]].concat()),
        (
            ZSTD,
            [&zstd[..], &[0xe0], &1_000_000u64.to_le_bytes(), &[0x03, 0xd0, 0x07, b'x']].concat(),
        ),
        (ZSTD, [&zstd[..], &[0x20, 0, 1, 0, 0]].concat()),
        (ZSTD, [&zstd[..], &[0x00, 0xff, 1, 0, 0]].concat()),
        (ZSTD, zstd.to_vec()),
        (ZSTD, [&zstd[..], &[0x23], &7u32.to_le_bytes(), &[200, 1, 0, 0]].concat()),
        (ZSTD, [&b"\x50\x2a\x4d\x18"[..], &4u32.to_le_bytes(), &[0; 4]].concat()),
        (ZSTD, vec![]),
        (0, vec![]),
        (0, vec![0x20]),
        (0, [&[0x20, b'x', 0xe0][..], &[0xff; 300], &[0]].concat()),
        (3, vec![]),
        (3, b"\x78\x9c\x03\x00\x00\x00\x00\x01".to_vec()),
    ];
    for (compressor, stream) in traps {
        let payload = one_stream(compressor, 1000, &stream);
        let forged = Forged::new(Family::Blosc, 1000, 1000, &[&payload]);
        refused(&forged.bytes(), &[Code::CodecCorrupt, Code::BloscHeader]);
    }
    // The same ways, honestly: one byte a thousand times.
    for (compressor, stream) in [
        (LZ4, [&[0x1f, b'x', 1, 0][..], &[0xff; 3], &[0xd2], &[0x50], b"xxxxx"].concat()),
        (ZSTD, [&zstd[..], &[0x60], &744u16.to_le_bytes(), &[0x43, 0x1f, 0, b'x']].concat()),
    ] {
        let payload = one_stream(compressor, 1000, &stream);
        let forged = Forged::new(Family::Blosc, 1000, 1000, &[&payload]);
        for read in both(&forged.bytes()) {
            assert!(read.unwrap() == [b'x'; 1000], "{compressor}");
        }
    }
}

#[test]
fn pco_streams_of_other_numbers_are_refused() {
    let good = frame("pco");
    for count in [1499, 1501, 1, 100_000] {
        let mut bad = good.clone();
        bad.chunk_shape = vec![count];
        let text =
            |n: u64| format!("{{'descr': '<u4', 'fortran_order': False, 'shape': ({n},), }}");
        bad.text = text(2 * count).into();
        refused(&bad.bytes(), &[Code::Mismatch]);
    }
    let mut bad = good.clone();
    bad.text = b"{'descr': '<i4', 'fortran_order': False, 'shape': (3000,), }".to_vec();
    refused(&bad.bytes(), &[Code::Mismatch]);
    bad.text = b"{'descr': '>u4', 'fortran_order': False, 'shape': (3000,), }".to_vec();
    refused(&bad.bytes(), &[Code::UnsupportedDtype]);
    // Whatever bit of it lies, what comes is refused, or as many numbers.
    let whole = both(&good.bytes()).map(Result::unwrap);
    for bit in 0..8 * good.payloads[0].len() {
        let mut bad = good.clone();
        bad.payloads[0][bit / 8] ^= 1 << (bit % 8);
        for read in both(&bad.bytes()) {
            let kept = |items: Vec<u8>| items.len() == 12_000 && items[6000..] == whole[0][6000..];
            assert!(read.map_or_else(|error| error.code() != Code::Io, kept), "{bit}");
        }
    }
}

#[test]
fn records_that_do_not_fit_what_they_hold_are_refused() {
    for (family, payload) in [
        (Family::Raw, vec![0; 999]),
        (Family::Raw, vec![0; 1001]),
        (Family::Raw, vec![]),
        (Family::Blosc, vec![]),
        (Family::Blosc, vec![0; 15]),
        (Family::Blosc, vec![0; 6000]),
        (Family::Pco, vec![]),
        (Family::Pco, vec![0; 3]),
        (Family::Pco, vec![0; 6000]),
    ] {
        let forged = Forged::new(family, 1000, 1000, &[&payload]);
        refused(&forged.bytes(), &[Code::FrameRecord]);
    }
}

/// As large as a chunk can be.
const GIB: u64 = 1 << 30;

#[test]
fn little_data_for_much_is_refused_before_there_is_memory_for_it() {
    for (family, least) in [(Family::Raw, GIB), (Family::Blosc, GIB >> 15), (Family::Pco, 256)] {
        let payload = vec![0; 200];
        let tiny = Forged::new(family, 1024 * GIB, GIB, &vec![&payload[..]; 1024]);
        assert!(tiny.bytes().len() < 1 << 20 && (payload.len() as u64) < least);
        let error = reader_refuses(&tiny.bytes(), Code::FrameRecord);
        assert!(error.message().contains("of 1073741824 when it is decoded"), "{error}");
        // The same as its first record, of a frame that a stream may hold.
        let tiny = Forged::new(family, GIB, GIB, &[&payload]).bytes();
        refused(&tiny, &[Code::FrameRecord]);
    }
}

#[test]
fn shapes_and_chunks_at_the_edge_of_numbers_are_refused() {
    let text = |descr: &str, shape: &str| {
        format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}").into_bytes()
    };
    let none = Forged::new(Family::Blosc, 0, 1, &[]);
    for (descr, shape, chunk_shape, expected) in [
        ("'|u1'", "(268435456,)", vec![1], Code::TooManyBytes),
        ("'|u1'", "(9223372036854775807,)", vec![1], Code::TooManyBytes),
        ("'|u1'", "(4294967296, 16)", vec![1, 1], Code::TooManyBytes),
        ("'|u1'", "(9223372036854775807,)", vec![u64::MAX], Code::FrameHeader),
        ("'|u1'", "(9223372036854775807,)", vec![i64::MAX as u64], Code::TooManyBytes),
        ("'|u1'", "(2147483632,)", vec![2147483632], Code::TooManyBytes),
        ("'<u8'", "(9223372036854775807,)", vec![1], Code::SizeOverflow),
        ("'|u1'", "(4294967296, 4294967296)", vec![1, 1], Code::SizeOverflow),
        ("'|u1'", "(3,)", vec![0], Code::FrameHeader),
        ("'|u1'", "(3,)", vec![4], Code::FrameHeader),
        ("'|u1'", "(3,)", vec![], Code::FrameHeader),
        ("'|u1'", "(3,)", vec![1, 1], Code::FrameHeader),
        ("'|u1'", "()", vec![1], Code::FrameHeader),
        ("'|u1'", "(0,)", vec![u64::MAX], Code::FrameHeader),
        ("'|S0'", "(3,)", vec![4], Code::FrameHeader),
        ("'|O'", "(3,)", vec![1], Code::ObjectDtype),
    ] {
        let bad = Forged { text: text(descr, shape), chunk_shape, ..none.clone() };
        reader_refuses(&bad.bytes(), expected);
        refused(&bad.bytes(), &[expected]);
    }
    // Most chunks that there can be: they are missing, which costs nothing to find out.
    let bad = Forged { text: text("'|u1'", "(268435455,)"), chunk_shape: vec![1], ..none.clone() };
    reader_refuses(&bad.bytes(), Code::FrameTruncated);
    refused(&bad.bytes(), &[Code::FrameTruncated, Code::FrameRecord]);
    // Too many dimensions, chunks without them.
    for ndim in [65, 255] {
        let text = text("'|u1'", &format!("({})", "1, ".repeat(ndim)));
        let bad = Forged { text, chunk_shape: vec![1; ndim], ..none.clone() };
        refused(&bad.bytes(), &[Code::TooManyDims]);
    }
    let bad = Forged { text: text("'|u1'", &format!("({})", "1, ".repeat(65))), ..none.clone() };
    refused(&bad.bytes(), &[Code::TooManyDims]);
}

#[test]
fn a_header_of_absurd_length_is_refused_before_it_is_read() {
    let good = frame("raw").bytes();
    for len in [1 << 20 | 1, 1 << 31, u32::MAX] {
        let mut bad = good.clone();
        put(&mut bad, 12, len);
        refused(&bad, &[Code::NpyHeaderTooLarge]);
    }
    let mut bad = good.clone();
    put(&mut bad, 12, 1 << 20);
    refused(&bad, &[Code::FrameTruncated]);
    let long = Forged { text: vec![b' '; 1 << 20], ..frame("raw") };
    refused(&long.bytes(), &[Code::NpyHeaderSyntax]);
    let deep = Forged { text: b"[".repeat(1 << 20), ..frame("raw") };
    refused(&deep.bytes(), &[Code::NpyHeaderSyntax]);
}

#[test]
fn places_of_chunks_at_the_edge_of_numbers_are_refused() {
    let good = frame("lz4");
    let [first, second] = good.own_places()[..] else { panic!() };
    let end = good.bytes().len() as u64;
    let extremes = [0, 1, 7, 8, end, u64::MAX / 2, 1 << 63, u64::MAX - 8, u64::MAX - 3, u64::MAX];
    let mut lies = vec![
        // Two of one place; overlaps; gaps; one chunk that takes all, and one that takes nothing.
        [first, first],
        [second, second],
        [first, ChunkPlace { offset: second.offset - 1, len: second.len + 1 }],
        [ChunkPlace { len: first.len + 1, ..first }, second],
        [ChunkPlace { len: first.len - 1, ..first }, second],
        [first, ChunkPlace { offset: second.offset + 1, len: second.len - 1 }],
        [ChunkPlace { len: first.len + 8 + second.len, ..first }, second],
        [first, ChunkPlace { len: second.len - 1, ..second }],
        [first, ChunkPlace { len: second.len + 1, ..second }],
        [first, ChunkPlace { len: second.len + 44, ..second }],
    ];
    for value in extremes {
        lies.push([ChunkPlace { offset: value, ..first }, second]);
        lies.push([first, ChunkPlace { offset: value, ..second }]);
        lies.push([ChunkPlace { len: value, ..first }, second]);
        lies.push([first, ChunkPlace { len: value, ..second }]);
        lies.push([ChunkPlace { offset: value, len: value }; 2]);
        lies.push([ChunkPlace { offset: value, len: value.wrapping_neg() }, second]);
    }
    for places in lies {
        let bad = Forged { places: Some(places.to_vec()), ..good.clone() };
        refused(&bad.bytes(), &[Code::FrameIndex]);
    }
}

#[test]
fn an_index_of_another_length_is_refused() {
    let good = frame("lz4");
    let places = good.own_places();
    let body =
        [good.header(), good.payloads.iter().flat_map(|p| record(p, Record::Chunk)).collect()];
    let body = body.concat();
    for places in [&places[..1], &[], &[&places[..], &places[1..]].concat()] {
        let bad = [&body[..], &record(&encode_index(places), Record::Index)].concat();
        refused(&bad, &[Code::FrameIndex, Code::FrameRecord]);
    }
    // As long as it should be, and told otherwise.
    for len in [0, 3, 4, 35, 37, u32::MAX] {
        let prefix = Record::Index(len).encode();
        let bad = [&body[..], &prefix, &sealed(encode_index(&places))].concat();
        refused(&bad, &[Code::FrameIndex, Code::FrameRecord]);
    }
    let bad = [&body[..], &record(&encode_index(&places), Record::Chunk)].concat();
    refused(&bad, &[Code::FrameIndex, Code::FrameRecord]);
}

#[test]
fn records_that_contradict_the_index_are_refused() {
    let good = frame("lz4");
    let bytes = good.bytes();
    for place in good.own_places() {
        let at = place.offset as usize - 8;
        for (change, value) in [(4, 4), (4, place.len as u32 - 1), (4, u32::MAX), (0, 0x184d_2a50)]
        {
            let mut bad = bytes.clone();
            put(&mut bad, at + change, value);
            refused(&bad, &[Code::FrameRecord, Code::FrameChecksum, Code::FrameTruncated]);
        }
        let mut bad = bytes.clone();
        let prefix = Record::Index(place.len as u32).encode();
        bad[at..at + 8].copy_from_slice(&prefix);
        refused(&bad, &[Code::FrameRecord]);
    }
}

/// A part of nothing must not take as long as what its shape promises.
#[test]
fn parts_of_a_huge_array_of_nothing_are_there_at_once() {
    let open = |descr: &str, shape: &str, chunk_shape: &[u64]| {
        let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
        Forged {
            family: 1,
            text: text.into(),
            chunk_shape: chunk_shape.to_vec(),
            payloads: vec![],
            places: None,
        }
        .bytes()
    };
    for (frame, start, shape) in [
        (open("'|S0'", "(1152921504606846976,)", &[1]), vec![1], vec![(1 << 60) - 1]),
        (open("'|u1'", "(0, 1099511627776)", &[1, 1]), vec![0, 5], vec![0, 1 << 39]),
        (open("'|S0'", "(3, 1099511627776)", &[1, 1]), vec![1, 5], vec![2, 1 << 39]),
    ] {
        let reader = FrameReader::new(&*frame, &Limits::default()).unwrap();
        let part = reader.read_part(&start, &shape).unwrap();
        assert!(part.shape() == shape && part.bytes().is_empty());
        let itemsize = part.header().dtype().itemsize();
        let strides = ndbytes::strides(&shape, itemsize, Order::C);
        let layout = Strided { origin: 0, strides: &strides };
        let step = vec![1; shape.len()];
        reader.read_slice_into(&start, &step, &shape, &mut [], layout).unwrap();
        assert!(read_frame(&mut &*frame, &Limits::default()).unwrap().bytes().is_empty());
    }
}

#[test]
fn parts_outside_of_the_array_are_refused_before_there_is_memory_for_them() {
    let frame = frame("lz4").bytes();
    let reader = FrameReader::new(&*frame, &Limits::default()).unwrap();
    for (start, n) in
        [(0, 3001), (3001, 0), (3000, 1), (1, usize::MAX), (usize::MAX, 1), (0, 1 << 44)]
    {
        assert_eq!(code(reader.read_part(&[start], &[n])), Code::OutOfBounds, "{start} {n}");
    }
    assert_eq!(code(reader.read_part(&[0, 0], &[1, 1])), Code::Argument);
    assert_eq!(code(reader.read_part(&[], &[])), Code::Argument);
    assert!(reader.read_part(&[3000], &[0]).unwrap().bytes().is_empty());
}

#[test]
fn versions_and_families_of_others_are_refused() {
    let good = frame("raw");
    let header = good.header();
    let covered: Range<usize> = 0..header.len() - 4;
    assert!(FrameHeader::parse(&header[covered.clone()], &Limits::default()).is_ok());
    for (at, values) in [(8, &[0, 2, 255][..]), (9, &[3, 255]), (11, &[1, 128])] {
        for &value in values {
            let mut bad = header[covered.clone()].to_vec();
            bad[at] = value;
            let bad = [&sealed(bad)[..], &good.bytes()[header.len()..]].concat();
            refused(&bad, &[Code::FrameVersion]);
        }
    }
}

#[test]
fn an_item_that_is_none_is_told_by_a_place_in_the_frame() {
    // The last item is no code point.
    let mut items = vec![0; 40_000];
    items[39_996..].copy_from_slice(&0x11_0000u32.to_le_bytes());
    let array = ArrayView::contiguous("<u4".parse().unwrap(), &[10_000], Order::C, &items).unwrap();
    for (pipeline, is_packed) in [("zstd-1", true), ("lz4-1", true), ("raw", false)] {
        let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
        let mut frame = Forged::of(&dump_frame(&array, &options).unwrap()).unwrap();
        let text = String::from_utf8(frame.text).unwrap();
        frame.text = text.replace("'<u4'", "'<U1'").into_bytes();
        let place = frame.own_places()[0];
        let bytes = frame.bytes();
        for read in both(&bytes) {
            let error = read.unwrap_err();
            assert_eq!(error.code(), Code::DataInvalid, "{error}");
            // Of what is stored as it is, the item's; else the chunk's.
            let at = match is_packed {
                true => place.offset,
                false => place.offset + place.len - 8,
            };
            assert_eq!(error.offset(), Some(at), "{pipeline}: {error}");
        }
    }
}
