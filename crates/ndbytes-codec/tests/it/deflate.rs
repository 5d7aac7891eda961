//! Blocks of deflate: what stock inflaters make of them.

use std::io::Read;

use flate2::read::{DeflateDecoder, DeflateEncoder};
use ndbytes_codec::deflate::{
    BlockDecoder, BlockEncoder, BlockStart, Halt, Inflater, Stretch, StretchDecoder, period,
};
use ndbytes_format::Code;
use proptest::prelude::*;

/// Encodes `data` in blocks, and checks that each block inflates alone and all of them together.
fn check(level: u32, period: usize, size: usize, data: &[u8]) -> usize {
    let mut encoder = BlockEncoder::new(level, period);
    let mut decoder = BlockDecoder::new();
    let mut blocks: Vec<&[u8]> = data.chunks(size).collect();
    if blocks.is_empty() {
        blocks.push(&[]);
    }
    let mut stream = Vec::new();
    let mut before: Option<(usize, &[u8])> = None;
    for (index, block) in blocks.iter().enumerate() {
        let (start, last) = (stream.len(), index + 1 == blocks.len());
        encoder.encode(block, last, &mut stream);
        if let Some((from, one)) = before {
            let mut back = [vec![0; one.len()], vec![0; block.len()]];
            let [a, b] = &mut back;
            let both = [&stream[from..start], &stream[start..]];
            decoder.decode_two(both, last, [a, b]).unwrap();
            assert!(back[0] == one && back[1] == *block, "level {level}, blocks to {index}");
        }
        before = Some((start, block));
        let mut back = vec![0; block.len()];
        decoder.decode(&stream[start..], last, &mut back).unwrap();
        assert!(back == *block, "level {level}, period {period}, block {index}");
    }
    let mut inflate = DeflateDecoder::new(&*stream);
    let mut back = Vec::new();
    inflate.read_to_end(&mut back).unwrap();
    assert!(back == data);
    assert_eq!(inflate.total_in(), stream.len() as u64);
    inflates(&stream, data);
    stream.len()
}

/// A source that gives few bytes at a time, not always as many.
struct Short<'a>(&'a [u8], usize);

impl Read for Short<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 * 7 % 65_521 + 1;
        let n = buffer.len().min(self.1);
        self.0.read(&mut buffer[..n])
    }
}

/// Checks that a stream inflates to `data`, in pieces of any length, from a source of any.
fn inflates(stream: &[u8], data: &[u8]) {
    for piece in [1, 3, 1000, 100_000, usize::MAX] {
        if data.len() / piece > 2000 {
            continue;
        }
        let mut inflater = Inflater::new(Short(stream, piece.min(50_000)));
        let mut back = vec![0; data.len()];
        let mut have = 0;
        while have < data.len() {
            let end = data.len().min(have.saturating_add(piece));
            let got = inflater.fill(&mut back[..end], have).unwrap();
            assert_eq!(got, end);
            have = got;
        }
        assert!(inflater.ends().unwrap());
        assert!(back == data, "in pieces of {piece}");
        if let Some(short) = data.len().checked_sub(1) {
            let mut inflater = Inflater::new(stream);
            assert_eq!(inflater.fill(&mut back[..short], 0).unwrap(), short);
            assert!(!inflater.ends().unwrap());
        }
    }
    let mut room = vec![0; data.len() + 1];
    assert_eq!(Inflater::new(stream).fill(&mut room, 0).unwrap(), data.len());
    for end in (0..stream.len()).rev().step_by(1 + stream.len() / 100) {
        let mut inflater = Inflater::new(&stream[..end]);
        let read = inflater.fill(&mut room, 0).and_then(|_| inflater.ends());
        assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::UnexpectedEof, "{end}");
    }
    let longer = [stream, b"x"].concat();
    let mut inflater = Inflater::new(&longer[..]);
    inflater.fill(&mut room, 0).unwrap();
    assert!(inflater.ends().unwrap_err().to_string().contains("follow"));
}

/// As [`inflates`], what zlib makes of the data: all kinds of blocks, matches across them.
fn inflates_others(data: &[u8], levels: &[u32]) {
    for &level in levels {
        let mut stream = Vec::new();
        let mut deflate = DeflateEncoder::new(data, flate2::Compression::new(level));
        deflate.read_to_end(&mut stream).unwrap();
        inflates(&stream, data);
    }
}

fn random(count: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(next).collect()
}

#[test]
fn matches_of_any_length_from_anywhere_near_come_back() {
    let noise = random(600_000);
    let (mut at, mut data) = (0, Vec::new());
    for distance in 1..=70 {
        for length in (3..=258).step_by(1 + distance % 5) {
            // What comes before cannot be found, and what follows ends the match.
            let before = &noise[at..at + distance];
            data.extend_from_slice(before);
            data.extend(before.iter().cycle().take(length));
            data.push(!before[length % distance]);
            at = (at + distance) % 500_000;
        }
    }
    inflates_others(&data, &[6, 9]);
}

#[test]
fn hard_inputs_come_back() {
    let noise = random(300_000);
    let mut inputs: Vec<Vec<u8>> = vec![vec![], vec![7], vec![0; 1 << 20], noise.clone()];
    // Matches at the far edge of the window and one beyond it, and of every length.
    for distance in [32_767usize, 32_768, 32_769, 65_535, 65_536] {
        let mut far = noise[..distance].to_vec();
        far.extend_from_within(..40_000.min(distance));
        inputs.push(far);
    }
    let mut lengths = noise[..400].to_vec();
    for length in 1..300 {
        lengths.extend_from_within(..length);
        lengths.push(length as u8);
    }
    inputs.push(lengths);
    for run in [1, 2, 3, 4, 257, 258, 259, 260, 516, 517] {
        inputs.push(noise[..500].iter().flat_map(|&b| vec![b; run]).collect());
    }
    // Kinds of data that change inside of a block, and more than one segment of each.
    let mut mixed = noise[..100_000].to_vec();
    mixed.extend(vec![0; 100_000]);
    mixed.extend((0..40_000u32).flat_map(|i| (i / 3).to_le_bytes()));
    mixed.extend_from_slice(&noise[..50_000]);
    inputs.push(mixed);
    for size in 0..40 {
        inputs.push(vec![1; size]);
        inputs.push(noise[..size].to_vec());
    }
    for data in &inputs {
        inflates_others(data, &[0, 1, 6, 9]);
        for level in 0..=9 {
            for period in [0, 1, 3, 8, 64, 65] {
                if data.len() < 100_000 || [1, 6, 9].contains(&level) {
                    check(level, period, 128 << 10, data);
                }
            }
        }
    }
}

#[test]
fn noise_costs_next_to_nothing() {
    let noise = random(1 << 20);
    for level in 1..=9 {
        assert!(check(level, 1, 512 << 10, &noise) < noise.len() + 200);
    }
}

#[test]
fn what_repeats_is_found() {
    assert!(check(6, 1, 1 << 20, &vec![0; 1 << 20]) < 1200);
    let timestamps: Vec<u8> = (0..100_000u64).flat_map(|i| (i * 1000).to_le_bytes()).collect();
    assert!(check(6, 8, 512 << 10, &timestamps) < timestamps.len() / 2);
    let ramp: Vec<u8> = (0..100_000u32).flat_map(|i| (i / 50).to_le_bytes()).collect();
    assert!(check(6, 4, 512 << 10, &ramp) < ramp.len() / 30);
}

#[test]
fn bytes_do_not_depend_on_what_came_before() {
    let data: Vec<u8> = (0..60_000u32).flat_map(|i| (i / 7 * 3).to_le_bytes()).collect();
    let mut fresh = Vec::new();
    BlockEncoder::new(6, 4).encode(&data, true, &mut fresh);
    let mut used = BlockEncoder::new(6, 4);
    used.encode(&random(100_000), false, &mut Vec::new());
    let mut again = Vec::new();
    used.encode(&data, true, &mut again);
    assert!(fresh == again);
}

#[test]
fn short_last_axes_are_records() {
    assert_eq!(period(1, 3), 3);
    assert_eq!(period(4, 3), 12);
    assert_eq!(period(8, 1000), 8);
    assert_eq!(period(8, 0), 8);
    assert_eq!(period(usize::MAX, 3), usize::MAX);
}

#[test]
fn wrong_blocks_are_told_apart() {
    let data = b"a block of bytes, a block of bytes";
    let mut stream = Vec::new();
    let mut encoder = BlockEncoder::new(6, 1);
    encoder.encode(data, false, &mut stream);
    let inner = stream.clone();
    stream.clear();
    encoder.encode(data, true, &mut stream);
    let mut decoder = BlockDecoder::new();
    let mut code = |block: &[u8], last: bool, size: usize| {
        decoder.decode(block, last, &mut vec![0; size]).map_err(|error| error.code())
    };
    assert_eq!(code(&inner, false, data.len()), Ok(()));
    assert_eq!(code(&inner, true, data.len()), Err(Code::CodecTruncated));
    assert_eq!(code(&stream, true, data.len()), Ok(()));
    assert_eq!(code(&stream, false, data.len()), Err(Code::CodecCorrupt));
    assert_eq!(code(&stream, true, data.len() + 1), Err(Code::CodecTruncated));
    assert_eq!(code(&stream, true, data.len() - 1), Err(Code::CodecCorrupt));
    assert_eq!(code(&[], true, 0), Err(Code::CodecTruncated));
    let mut longer = stream.clone();
    longer.push(0);
    assert_eq!(code(&longer, true, data.len()), Err(Code::CodecTrailing));
    for end in 0..stream.len() {
        assert!(code(&stream[..end], true, data.len()).is_err(), "{end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn anything_comes_back(
        seed in proptest::collection::vec(any::<u8>(), 1..200),
        picks in proptest::collection::vec((0usize..200, 1usize..700), 0..200),
        level in 0u32..10,
        period in 0usize..66,
        size in 1usize..70_000,
    ) {
        // Pieces of the seed and of what was made so far: near, far and overlapping matches.
        let mut data = seed.clone();
        for (start, length) in picks {
            if length % 3 == 0 {
                data.extend(std::iter::repeat_n(seed[start % seed.len()], length));
            } else {
                let from = (start * 7919) % data.len();
                let until = (from + length).min(data.len());
                data.extend_from_within(from..until);
            }
        }
        let size = size.max(data.len() / 50);
        check(level, period, size, &data);
        inflates_others(&data, &[level]);
    }
}

/// The bits at which the blocks of a stream begin, and how much comes before each.
fn blocks(stream: &[u8], len: usize) -> Vec<BlockStart> {
    let (mut inflater, mut all) = (Inflater::new(stream), Vec::new());
    let mut out = vec![0; len + 1];
    let mut each = |block| {
        all.push(block);
        false
    };
    let (have, halt) = inflater.fill_until(&mut out, 0, &mut each).unwrap();
    assert_eq!((have, halt), (len, Halt::Ended));
    all
}

/// Enters a stream at a byte, and checks what comes out against all of it.
fn enters(stream: &[u8], data: &[u8], blocks: &[BlockStart], byte: usize, most: usize) -> usize {
    let (mut found, mut asked) = (None, 0);
    let stops = |_| {
        asked += 1;
        asked > most
    };
    let source = Short(&stream[byte..], byte);
    let mut decoder = StretchDecoder::new();
    let mut stretch = Stretch::default();
    if !decoder.decode(source, &mut stretch, |bit| found = Some(bit), stops).unwrap() {
        return 0;
    }
    let at = |bit: u64| {
        let is_it = |block: &&BlockStart| block.bit == bit + 8 * byte as u64;
        blocks.iter().find(is_it).map(|block| block.have).unwrap()
    };
    assert_eq!(found, Some(stretch.begin()));
    let (from, to) = (at(stretch.begin()), at(stretch.end()));
    assert_eq!(stretch.len(), to - from, "from {byte}");
    // Of less, nothing is said.
    let Some(window) = data[..from].last_chunk() else { return 0 };
    let mut out = vec![0; stretch.len()];
    stretch.put(window, &mut out);
    assert!(out == data[from..to], "from {byte}");
    assert!(*data[..to].last_chunk().unwrap() == *stretch.window(window), "from {byte}");
    // And on from there.
    let end = 8 * byte as u64 + stretch.end();
    let mut inflater = Inflater::entering(&stream[(end / 8) as usize..], end).unwrap();
    let mut out = data.to_vec();
    out[to..].fill(0);
    assert_eq!(inflater.fill(&mut out, to).unwrap(), data.len());
    assert!(inflater.ends().unwrap() && out == data);
    stretch.len()
}

#[test]
fn streams_are_entered_in_their_middle() {
    let mut state = 1u64;
    let mut random = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33
    };
    let steps = |n: u64, random: &mut dyn FnMut() -> u64| -> Vec<u8> {
        let mut at = 0u64;
        (0..n).flat_map(|_| (at += random() % 50, at.to_le_bytes()).1).collect()
    };
    let mut data = steps(150_000, &mut random);
    // Repeated far away, so that marks stay for long; nearly noise; and what is stored.
    data.extend_from_within(..30_000);
    data.extend_from_within(..400_000);
    data.extend((0..300_000).map(|_| (random() % 200) as u8));
    data.extend((0..100_000).map(|_| random() as u8));
    data.extend(std::iter::repeat_n(7, 400_000));
    data.extend(steps(50_000, &mut random));
    for level in [3, 6, 9] {
        let mut stream = Vec::new();
        DeflateEncoder::new(&*data, flate2::Compression::new(level))
            .read_to_end(&mut stream)
            .unwrap();
        let blocks = blocks(&stream, data.len());
        assert!(blocks.len() > 10);
        let mut all = 0;
        for byte in (0..stream.len()).step_by(stream.len() / 23) {
            for most in [1, 5, usize::MAX] {
                all += enters(&stream, &data, &blocks, byte, most);
            }
        }
        assert!(all > 10 * data.len(), "level {level}: {all} of {}", data.len());
        // Damage ends a stretch, and harms nothing.
        for byte in (0..stream.len()).step_by(stream.len() / 7) {
            let mut damaged = stream.clone();
            damaged[(byte + 20_000).min(stream.len() - 1)] ^= 0x55;
            let source = &damaged[byte..];
            let mut stretch = Stretch::default();
            if StretchDecoder::new().decode(source, &mut stretch, |_| {}, |_| false).unwrap() {
                let mut out = vec![0; stretch.len()];
                stretch.put(&[0; Stretch::WINDOW], &mut out);
            }
        }
    }
}

#[test]
fn a_source_that_fails_is_told_of() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("no"))
        }
    }
    let stops = |_| false;
    let got = StretchDecoder::new().decode(Failing, &mut Stretch::default(), |_| {}, stops);
    assert_eq!(got.err().unwrap().to_string(), "no");
}
