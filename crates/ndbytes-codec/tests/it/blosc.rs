//! Blosc buffers: round trips, golden files of c-blosc, lies and damage.

use ndbytes_codec::blosc::{Codec, Compressor, Decoder, Encoder, Filter, Header, Options, header};
use ndbytes_format::Code;
use ndbytes_testkit::Random;
use proptest::prelude::*;

const CODECS: [Codec; 4] = [Codec::Raw, Codec::Lz4, Codec::Zlib, Codec::Zstd];
const FILTERS: [Filter; 3] = [Filter::None, Filter::Shuffle, Filter::Bitshuffle];

/// Numbers that go up slowly, and some noise.
fn sample(len: usize) -> Vec<u8> {
    let mut random = Random::new(3);
    let mut value = 0_u64;
    let mut data = Vec::new();
    while data.len() < len {
        value += random.below(9) as u64;
        data.extend_from_slice(&value.to_le_bytes());
    }
    data.truncate(len);
    data[len / 3..len / 2].iter_mut().for_each(|byte| *byte = random.byte());
    data
}

fn encoded(data: &[u8], options: &Options) -> Vec<u8> {
    let mut out = b"before".to_vec();
    Encoder::new().encode(data, options, &mut out).unwrap();
    assert!(out.starts_with(b"before") && out.len() <= 6 + 16 + data.len());
    out.split_off(6)
}

fn options(codec: Codec, filter: Filter, typesize: usize, block: usize) -> Options {
    Options { codec, filter, typesize, block_size: Some(block), ..Options::default() }
}

#[test]
fn every_way_to_encode_comes_back() {
    let mut decoder = Decoder::new();
    for codec in CODECS {
        for filter in FILTERS {
            for typesize in [1, 2, 3, 4, 7, 8, 16, 17, 255, 256, 5000] {
                for len in [0, 1, 127, 128, 129, 2000, 10_007, 16_320] {
                    for split in [None, Some(false), Some(true)] {
                        let data = sample(len);
                        let options = Options { split, ..options(codec, filter, typesize, 2000) };
                        let buffer = encoded(&data, &options);
                        let facts = header(&buffer).unwrap();
                        assert_eq!(
                            (facts.nbytes as usize, facts.cbytes as usize),
                            (len, buffer.len())
                        );
                        let mut again = vec![0xaa; len];
                        decoder.decode(&buffer, &mut again).unwrap();
                        assert!(again == data, "{options:?} {len}");
                        assert!(decoder.decode_to_vec(&buffer, len).unwrap() == data);
                    }
                }
            }
        }
    }
}

#[test]
fn buffers_of_c_blosc_are_read() {
    let folder = ndbytes_testkit::golden::testdata().join("golden/blosc1");
    let data = std::fs::read(folder.join("data.bin")).unwrap();
    let mut rest = &std::fs::read(folder.join("buffers.bin")).unwrap()[..];
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let facts = header(rest).unwrap();
        let (buffer, after) = rest.split_at(facts.cbytes as usize);
        let want = &data[..facts.nbytes as usize];
        assert!(decoder.decode_to_vec(buffer, data.len()).unwrap() == want, "{facts:?}");
        seen.push((facts.compressor, facts.filter, facts.split, facts.stored));
        rest = after;
    }
    let compressors = [Compressor::Blosclz, Compressor::Lz4, Compressor::Zlib, Compressor::Zstd];
    for compressor in compressors {
        for filter in FILTERS {
            assert!(seen.iter().any(|kind| kind.0 == compressor && kind.1 == filter && !kind.3));
        }
    }
    assert!(seen.iter().any(|kind| kind.2) && seen.iter().any(|kind| kind.3));
}

#[test]
fn snappy_is_read() {
    let data = sample(3000);
    let mut buffer = snappy_header(3000).encode().to_vec();
    let mut blocks = Vec::new();
    for block in data.chunks(1000) {
        buffer.extend_from_slice(&(28 + blocks.len() as u32).to_le_bytes());
        let stream = snap::raw::Encoder::new().compress_vec(block).unwrap();
        blocks.extend_from_slice(&(stream.len() as u32).to_le_bytes());
        blocks.extend_from_slice(&stream);
    }
    buffer.extend_from_slice(&blocks);
    let cbytes = buffer.len() as u32;
    buffer[12..16].copy_from_slice(&cbytes.to_le_bytes());
    assert_eq!(Decoder::new().decode_to_vec(&buffer, 3000).unwrap(), data);
}

fn snappy_header(nbytes: u32) -> Header {
    Header {
        compressor: Compressor::Snappy,
        filter: Filter::None,
        split: false,
        stored: false,
        typesize: 1,
        nbytes,
        block_size: 1000,
        cbytes: 16,
    }
}

#[test]
fn a_range_is_what_the_whole_has_there() {
    let data = sample(10_008);
    let mut decoder = Decoder::new();
    let mut random = Random::new(1);
    for codec in CODECS {
        for filter in FILTERS {
            let buffer = encoded(&data, &options(codec, filter, 8, 1000));
            for _ in 0..200 {
                let start = random.below(data.len() + 1);
                let mut part = vec![0; random.below(data.len() - start + 1)];
                decoder.decode_range(&buffer, data.len(), start, &mut part).unwrap();
                assert!(part == data[start..start + part.len()]);
            }
            let mut one = [0];
            for start in [data.len(), usize::MAX] {
                let error = decoder.decode_range(&buffer, data.len(), start, &mut one);
                assert_eq!(error.unwrap_err().code(), Code::OutOfBounds);
            }
            let error = decoder.decode_range(&buffer, data.len() - 1, 0, &mut one).unwrap_err();
            assert_eq!(error.code(), Code::CodecTooLarge);
        }
    }
}

#[test]
fn truncated_anywhere_is_reported() {
    let data = sample(3000);
    let mut decoder = Decoder::new();
    let mut out = vec![0; data.len()];
    for codec in CODECS {
        let mut buffer = encoded(&data, &options(codec, Filter::Shuffle, 8, 1000));
        for end in 0..buffer.len() {
            let error = decoder.decode(&buffer[..end], &mut out).unwrap_err();
            assert_eq!(error.code(), Code::CodecTruncated, "{codec:?} {end}");
        }
        buffer.push(0);
        assert_eq!(decoder.decode(&buffer, &mut out).unwrap_err().code(), Code::CodecTrailing);
        buffer.pop();
        let error = decoder.decode(&buffer, &mut out[1..]).unwrap_err();
        assert_eq!(error.code(), Code::Mismatch);
    }
}

#[test]
fn cut_with_a_header_that_agrees_is_reported() {
    let data = sample(3000);
    let mut out = vec![0; data.len()];
    for codec in [Codec::Lz4, Codec::Zlib, Codec::Zstd] {
        let buffer = encoded(&data, &options(codec, Filter::Shuffle, 8, 1000));
        for end in 16..buffer.len() {
            let mut cut = buffer[..end].to_vec();
            cut[12..16].copy_from_slice(&(end as u32).to_le_bytes());
            let error = Decoder::new().decode(&cut, &mut out).unwrap_err();
            assert_eq!(error.code(), Code::BloscHeader, "{codec:?} {end}");
            assert!(error.offset().unwrap() <= end as u64);
        }
    }
}

#[test]
fn blocks_that_overlap_or_leave_gaps_are_refused() {
    let data = sample(3000);
    let buffer = encoded(&data, &options(Codec::Zstd, Filter::Shuffle, 8, 1000));
    let start = |index: usize| u32::from_le_bytes(*buffer[16 + 4 * index..].first_chunk().unwrap());
    for (index, lie) in [
        (0, 0),
        (0, 16),
        (0, start(1)),
        (1, start(0)),
        (1, start(2)),
        (1, start(1) + 1),
        (1, start(1) - 1),
        (2, start(0)),
        (2, start(2) - 1),
        (2, buffer.len() as u32),
        (2, u32::MAX),
        (2, 1 << 31),
    ] {
        let mut bad = buffer.clone();
        bad[16 + 4 * index..][..4].copy_from_slice(&lie.to_le_bytes());
        let error = Decoder::new().decode_to_vec(&bad, 3000).unwrap_err();
        assert_eq!(error.code(), Code::BloscHeader, "{index} {lie}");
    }
    // In another order, as threads may have written them, they are read.
    let mut turned = buffer[..28].to_vec();
    let bounds = [start(0), start(1), start(2), buffer.len() as u32];
    for index in [2, 0, 1] {
        let at = turned.len() as u32;
        turned[16 + 4 * index..][..4].copy_from_slice(&at.to_le_bytes());
        turned.extend_from_slice(&buffer[bounds[index] as usize..bounds[index + 1] as usize]);
    }
    assert!(Decoder::new().decode_to_vec(&turned, 3000).unwrap() == data);
}

#[test]
fn flipped_bits_neither_panic_nor_take_memory() {
    let data = sample(9000);
    let mut random = Random::new(9);
    let mut decoder = Decoder::new();
    let buffers: Vec<_> = CODECS
        .iter()
        .flat_map(|&codec| FILTERS.map(|filter| encoded(&data, &options(codec, filter, 8, 2000))))
        .collect();
    for round in 0..10_000 {
        let mut bad = buffers[round % buffers.len()].clone();
        let end = if round % 3 == 0 { 60 } else { bad.len() };
        for _ in 0..=round % 4 {
            bad[random.below(end)] ^= 1 << random.below(8);
        }
        // A larger size is refused, so that all that comes out is no larger.
        if let Ok(out) = decoder.decode_to_vec(&bad, data.len()) {
            assert!(out.len() <= data.len());
        }
    }
}

#[test]
fn what_cannot_be_encoded_leaves_the_output_alone() {
    let mut out = vec![1, 2, 3];
    for (codec, level, typesize) in [(Codec::Zstd, 0, 1), (Codec::Zlib, 10, 1), (Codec::Raw, 1, 0)]
    {
        let options = Options { codec, level, typesize, ..Options::default() };
        let error = Encoder::new().encode(&[0; 1000], &options, &mut out).unwrap_err();
        assert_eq!((error.code(), &out[..]), (Code::Argument, &[1, 2, 3][..]));
    }
    for min_match in [0, 2, 8, u32::MAX] {
        let zstd = options(Codec::Zstd, Filter::Shuffle, 4, 1000);
        let options = Options { min_match: Some(min_match), ..zstd };
        let error = Encoder::new().encode(&[0; 1000], &options, &mut out).unwrap_err();
        assert_eq!((error.code(), &out[..]), (Code::Argument, &[1, 2, 3][..]));
    }
}

#[test]
fn shorter_matches_are_found_where_they_are_asked_for() {
    // Words of five bytes that come again, each before noise.
    let mut random = Random::new(3);
    let words: Vec<[u8; 5]> = (0..500).map(|_| [0; 5].map(|_| random.below(256) as u8)).collect();
    let data: Vec<u8> = (0..20_000)
        .flat_map(|_| {
            let noise = [0; 3].map(|_| random.below(256) as u8);
            [&words[random.below(words.len())][..], &noise].concat()
        })
        .collect();
    let mut encoder = Encoder::new();
    let mut len = |min_match| {
        let mut out = Vec::new();
        let zstd = Options { codec: Codec::Zstd, level: 7, min_match, ..Options::default() };
        encoder.encode(&data, &zstd, &mut out).unwrap();
        assert!(Decoder::new().decode_to_vec(&out, data.len()).unwrap() == data);
        out.len()
    };
    let (as_the_level, long, short) = (len(None), len(Some(7)), len(Some(4)));
    assert!(short < long, "{short} {long}");
    assert_eq!((len(None), len(Some(7))), (as_the_level, long));
}

/// Floats of noise, whose exponents and signs alone can be compressed.
fn noisy_floats(count: usize) -> Vec<u8> {
    let mut random = Random::new(1);
    let mut float = || (1.0 + random.below(1 << 24) as f32 / 16_777_216.0).to_le_bytes();
    (0..count).flat_map(|_| float()).collect()
}

/// Fractions of 255, which repeat after eight bits, and so do their planes.
fn fractions(count: usize) -> Vec<u8> {
    let mut random = Random::new(2);
    (0..count).flat_map(|_| (random.below(256) as f32 / 255.0).to_le_bytes()).collect()
}

/// LZ4 behind turned bits of items of four bytes.
fn turned(block_size: Option<usize>) -> Options {
    Options { block_size, ..options(Codec::Lz4, Filter::Bitshuffle, 4, 0) }
}

#[test]
fn planes_of_bits_are_split_where_that_loses_nothing() {
    let split = |data: &[u8], level| {
        let options = Options { level, ..turned(None) };
        let buffer = encoded(data, &options);
        assert!(Decoder::new().decode_to_vec(&buffer, data.len()).unwrap() == data);
        header(&buffer).unwrap().split
    };
    let noise = noisy_floats(200_000);
    let fractions = fractions(200_000);
    assert!(!split(&noise, 1));
    for level in [2, 5, 9] {
        assert!(split(&noise, level), "{level}");
        assert!(!split(&fractions, level), "{level}");
    }
}

#[test]
fn blocks_that_are_alike_are_encoded_and_decoded_once() {
    let (one, other) = (&noisy_floats(8000)[..4096], &fractions(8000)[..4096]);
    let data = [one, one, other, one, other, other, other, &other[..104]].concat();
    let (mut decoder, mut compared) = (Decoder::new(), 0);
    for codec in CODECS {
        for (filter, split) in FILTERS.into_iter().flat_map(|f| [(f, false), (f, true)]) {
            let options = Options { split: Some(split), ..options(codec, filter, 8, 4096) };
            let buffer = encoded(&data, &options);
            assert!(decoder.decode_to_vec(&buffer, data.len()).unwrap() == data, "{options:?}");
            for (start, end) in [(1, data.len()), (4096, 8192), (4095, 12_288), (20_480, 28_000)] {
                let mut part = vec![0; end - start];
                decoder.decode_range(&buffer, data.len(), start, &mut part).unwrap();
                assert!(part == data[start..end], "{options:?} {start} {end}");
            }
            // They are what they would be by themselves, unless that is stored.
            let [one, other] = [one, other].map(|block| encoded(block, &options));
            if [&one, &other].iter().any(|buffer| header(buffer).unwrap().stored) {
                continue;
            }
            let streams = [&one, &one, &other, &one, &other, &other, &other];
            let streams = streams.map(|buffer| &buffer[16 + 4..]).concat();
            assert!(buffer[16 + 4 * 8..].starts_with(&streams), "{options:?}");
            compared += 1;
        }
    }
    assert!(compared >= 12, "{compared}");
}

/// Two hundred numbers from `least` on: where some have a sign, seven planes are alike.
fn small_numbers(count: usize, least: i64) -> Vec<u8> {
    let mut random = Random::new(5);
    (0..count).flat_map(|_| (random.below(200) as i64 + least).to_le_bytes()).collect()
}

/// The streams of a buffer of one block.
fn streams(buffer: &[u8]) -> Vec<&[u8]> {
    assert_eq!(header(buffer).unwrap().nbytes, header(buffer).unwrap().block_size);
    let (mut rest, mut found) = (&buffer[20..], Vec::new());
    while let Some((len, after)) = rest.split_first_chunk() {
        let (stream, after) = after.split_at(u32::from_le_bytes(*len) as usize);
        found.push(stream);
        rest = after;
    }
    found
}

#[test]
fn planes_that_are_alike_are_what_each_would_be_alone() {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let numbers = [0, -100, -1000, 1 << 40].map(|least| small_numbers(20_000, least));
    for (codec, level) in CODECS[1..].iter().flat_map(|&codec| [1, 5, 9].map(|at| (codec, at))) {
        for data in numbers.iter().chain(&numbers[..2]) {
            let options = Options { level, ..options(codec, Filter::Shuffle, 8, data.len()) };
            let mut buffer = Vec::new();
            encoder.encode(data, &options, &mut buffer).unwrap();
            assert!(buffer == encoded(data, &options), "{options:?}");
            for (index, stream) in streams(&buffer).into_iter().enumerate() {
                let plane: Vec<u8> = data.iter().skip(index).step_by(8).copied().collect();
                let options = Options { filter: Filter::None, typesize: 1, ..options };
                let alone = encoded(&plane, &options);
                let is_same = if header(&alone).unwrap().stored {
                    stream == plane
                } else {
                    streams(&alone) == [stream]
                };
                assert!(is_same, "{options:?} {index}");
            }
            assert!(decoder.decode_to_vec(&buffer, data.len()).unwrap() == *data, "{options:?}");
        }
    }
}

#[test]
fn what_is_known_of_a_plane_hides_no_damage() {
    let mut refused = 0;
    for codec in &CODECS[1..] {
        let mut known = Decoder::new();
        for data in [(1 << 10, -100), (1 << 14, 0)].map(|(n, least)| small_numbers(n, least)) {
            let mut buffer = encoded(&data, &options(*codec, Filter::Shuffle, 8, data.len()));
            let mut out = vec![0; data.len()];
            known.decode(&buffer, &mut out).unwrap();
            let first = 20 + 4 + streams(&buffer)[0].len();
            // The plane that is noise takes most of the bytes, and is known of no other.
            for bit in (0..8 * 24).chain(8 * first..8 * buffer.len()) {
                buffer[bit / 8] ^= 1 << (bit % 8);
                let fresh = Decoder::new().decode_to_vec(&buffer, data.len());
                let again = known.decode_to_vec(&buffer, data.len());
                refused += usize::from(fresh.is_err());
                match (fresh, again) {
                    (Ok(fresh), Ok(again)) => assert!(fresh == again, "{codec:?} {bit}"),
                    (Err(fresh), Err(again)) => assert_eq!(fresh.to_string(), again.to_string()),
                    (fresh, again) => {
                        panic!("{codec:?} {bit}: {:?} {:?}", fresh.err(), again.err())
                    }
                }
                buffer[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn a_block_is_not_taken_for_a_longer_one_before_it() {
    let data = [&fractions(8000)[..4096]; 2].concat();
    for filter in FILTERS {
        let mut buffer = encoded(&data, &options(Codec::Zstd, filter, 4, 4096));
        assert!(!header(&buffer).unwrap().stored);
        for nbytes in [4097_u32, 5000, 8191] {
            buffer[4..8].copy_from_slice(&nbytes.to_le_bytes());
            let mut out = vec![0; nbytes as usize];
            let error = Decoder::new().decode(&buffer, &mut out).unwrap_err();
            assert_eq!(error.code(), Code::CodecCorrupt, "{filter:?} {nbytes}");
        }
    }
}

#[test]
fn blocks_of_our_own_size_come_back_whatever_items_are() {
    let data = [noisy_floats(100_000), fractions(60_000)].concat();
    let mut encoder = Encoder::new();
    for (typesize, filter) in
        [1, 2, 3, 8, 12, 16, 17, 255].into_iter().flat_map(|n| FILTERS.map(|f| (n, f)))
    {
        for (codec, level) in [(Codec::Lz4, 1), (Codec::Lz4, 2), (Codec::Lz4, 3), (Codec::Zstd, 1)]
        {
            for len in [data.len(), data.len() / typesize * typesize, 300_007] {
                let options = Options { codec, level, filter, typesize, ..Options::default() };
                let mut buffer = Vec::new();
                encoder.encode(&data[..len], &options, &mut buffer).unwrap();
                let again = Decoder::new().decode_to_vec(&buffer, len).unwrap();
                assert!(again == data[..len], "{options:?} {len}");
            }
        }
    }
}

#[test]
fn planes_that_repeat_within_items_are_found_by_lz4() {
    let fractions = fractions(200_000);
    let len = |block_size| encoded(&fractions, &turned(block_size)).len();
    let (ours, far) = (len(None), len(Some(1 << 19)));
    assert!(ours < far * 3 / 4, "{ours} {far}");
}

#[test]
fn levels_can_change_between_buffers() {
    let data = sample(20_000);
    let mut encoder = Encoder::new();
    let mut encode = |codec, level| {
        let mut out = Vec::new();
        let options = Options { level, ..options(codec, Filter::Shuffle, 8, 8000) };
        encoder.encode(&data, &options, &mut out).unwrap();
        out
    };
    for (codec, high) in [(Codec::Zstd, 19), (Codec::Zlib, 9)] {
        let (fast, small, again) = (encode(codec, 1), encode(codec, high), encode(codec, 1));
        assert!(fast == again && small.len() < fast.len(), "{codec:?}");
        let other = if codec == Codec::Zstd { Codec::Zlib } else { Codec::Zstd };
        encode(other, 9);
        assert!(encode(codec, high) == small && encode(codec, 1) == fast);
    }
}

#[test]
fn filters_can_change_between_buffers() {
    // Zstandard remembers more places behind one than behind the other.
    let data = sample(100_000);
    let mut encoder = Encoder::new();
    for filter in [Filter::Shuffle, Filter::Bitshuffle, Filter::None].repeat(2) {
        let options = Options { level: 1, block_size: None, ..options(Codec::Zstd, filter, 8, 0) };
        let mut out = Vec::new();
        encoder.encode(&data, &options, &mut out).unwrap();
        assert!(out == encoded(&data, &options), "{filter:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_come_back(
        data in prop::collection::vec(any::<u8>(), 0..3000),
        repeats in 1_usize..4,
        codec in prop::sample::select(&CODECS[..]),
        filter in prop::sample::select(&FILTERS[..]),
        typesize in 1_usize..40,
        block in prop::option::of(1_usize..5000),
        split in any::<Option<bool>>(),
        level in 1_u32..5,
        min_match in prop::option::of(3_u32..8),
    ) {
        let data = data.repeat(repeats);
        let options = Options {
            split,
            level,
            min_match,
            block_size: block,
            ..options(codec, filter, typesize, 0)
        };
        let buffer = encoded(&data, &options);
        prop_assert!(Decoder::new().decode_to_vec(&buffer, data.len()).unwrap() == data);
    }

    #[test]
    fn any_bytes_are_read_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 16..400)) {
        bytes[0] = 2;
        bytes[1] = 1;
        bytes[2] &= 0x97;
        bytes[3] &= 15;
        bytes[6] = 0;
        bytes[7] = 0;
        bytes[10..12].fill(0);
        let len = bytes.len() as u32;
        bytes[12..16].copy_from_slice(&len.to_le_bytes());
        let _ = Decoder::new().decode_to_vec(&bytes, 1 << 16);
    }
}

#[test]
fn streams_after_one_that_was_broken_off_are_whole() {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 40
    };
    // Planes of noise, which do not become smaller, before others that do.
    let numbers: Vec<u8> = (0..100_000u64)
        .flat_map(|i| (next() | ((i / 3) << 24) | (next() % 5) << 56).to_le_bytes())
        .collect();
    let mut encoder = Encoder::new();
    for codec in [Codec::Zlib, Codec::Zstd, Codec::Lz4] {
        for level in 1..=9 {
            for block_size in [1 << 15, 1 << 18, 1 << 20] {
                let options = Options {
                    codec,
                    level,
                    filter: Filter::Shuffle,
                    typesize: 8,
                    block_size: Some(block_size),
                    split: Some(true),
                    ..Options::default()
                };
                let mut buffer = Vec::new();
                encoder.encode(&numbers, &options, &mut buffer).unwrap();
                assert!(buffer.len() < numbers.len() * 3 / 4);
                let mut again = vec![0; numbers.len()];
                Decoder::new().decode(&buffer, &mut again).unwrap();
                assert!(again == numbers, "{codec:?} {level} {block_size}");
            }
        }
    }
}
