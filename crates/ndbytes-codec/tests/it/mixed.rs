//! Blocks of any bytes, and streams that are cut between them.

use ndbytes_codec::deflate::{
    BlockDecoder, BlockEncoder, Damage, MixedEncoder, PieceDecoder, Stop, find_cut,
};
use ndbytes_codec::{Codec, compress, decompress};
use ndbytes_testkit::Random;
use proptest::prelude::*;

fn noise(len: usize) -> Vec<u8> {
    let mut random = Random::new(len as u64);
    (0..len).map(|_| random.byte()).collect()
}

/// Words, in lines, in more than one script.
fn text(len: usize) -> Vec<u8> {
    let words =
        ["the", "bytes", "of", "an", "array", "häufig", "масив", "配列", "1.25", "\t", "\n"];
    let mut random = Random::new(len as u64);
    let mut out = Vec::new();
    while out.len() < len {
        out.extend_from_slice(words[random.below(words.len())].as_bytes());
        out.push(b' ');
    }
    out.truncate(len);
    out
}

fn numbers(count: u64) -> Vec<u8> {
    let mut random = Random::new(count);
    (0..count).flat_map(|i| (i * 1000 + random.below(300) as u64).to_le_bytes()).collect()
}

/// Encodes in blocks of `size`; returns the stream and where its blocks end.
fn encode(
    encoder: &mut MixedEncoder,
    period: usize,
    size: usize,
    data: &[u8],
) -> (Vec<u8>, Vec<usize>) {
    let (mut stream, mut ends) = (Vec::new(), Vec::new());
    let count = data.len().div_ceil(size).max(1);
    for i in 0..count {
        let (start, end) = (i * size, data.len().min((i + 1) * size));
        let before = &data[start.saturating_sub(MixedEncoder::WINDOW)..start];
        encoder.encode(before, &data[start..end], period, i + 1 == count, &mut stream);
        ends.push(stream.len());
    }
    (stream, ends)
}

#[test]
fn any_data_comes_back_at_any_level() {
    let some = [numbers(20_000), text(90_000), noise(70_000), text(30_000)].concat();
    let inputs =
        [vec![], vec![7], vec![b'a'; 3], vec![0; 200_000], noise(100_000), text(150_000), some];
    for level in 0..=10 {
        let mut encoder = MixedEncoder::new(level);
        for data in &inputs {
            for (period, size) in [(0, 40_000), (8, 64 << 10), (3, 1 << 20)] {
                let (stream, _) = encode(&mut encoder, period, size, data);
                let back = decompress(Codec::Deflate, &*stream, u64::MAX).unwrap();
                assert!(back == *data, "level {level}, period {period}, blocks of {size}");
                let again = encode(&mut MixedEncoder::new(level), period, size, data).0;
                assert!(again == stream, "level {level}: what came before makes a difference");
            }
        }
    }
}

#[test]
fn text_is_as_small_as_zlib_makes_it() {
    let data = text(1_000_000);
    for level in 1..=9 {
        let stream = encode(&mut MixedEncoder::new(level), 0, 128 << 10, &data).0;
        let mut zlib = Vec::new();
        compress(Codec::Deflate, level, &mut &*data, &mut zlib).unwrap();
        assert!(stream.len() <= zlib.len() + zlib.len() / 500, "level {level}");
    }
}

#[test]
fn numbers_are_as_small_as_our_encoder_or_zlib_makes_them() {
    let data = numbers(60_000);
    for level in 1..=9 {
        let (stream, ends) = encode(&mut MixedEncoder::new(level), 0, 256 << 10, &data);
        let mut ours = Vec::new();
        let mut encoder = BlockEncoder::new(level, 8);
        data.chunks(256 << 10).for_each(|block| encoder.encode(block, false, &mut ours));
        assert!(stream.len() <= ours.len() + 100, "level {level}");
        // And each block inflates alone.
        let mut start = 0;
        for (block, &end) in data.chunks(256 << 10).zip(&ends) {
            let mut back = vec![0; block.len()];
            let last = end == stream.len();
            BlockDecoder::new().decode(&stream[start..end], last, &mut back).unwrap();
            assert!(back == block);
            start = end;
        }
    }
}

#[test]
fn noise_costs_next_to_nothing() {
    let data = noise(1 << 20);
    for level in 0..=9 {
        assert!(
            encode(&mut MixedEncoder::new(level), 0, 512 << 10, &data).0.len() < data.len() + 200
        );
    }
}

/// Decodes a piece by this decoder: what came out, why it stopped, and bytes done with.
fn decode(
    decoder: &mut PieceDecoder,
    bytes: &[u8],
    end: usize,
    most: usize,
) -> Result<(Vec<u8>, Stop, usize), Damage> {
    let mut out = vec![0; most];
    let progress = decoder.decode(bytes, end, &mut out)?;
    out.truncate(progress.given);
    Ok((out, progress.stop, progress.taken))
}

/// Stored blocks whose content looks like the end of one.
fn full_of_marks() -> Vec<u8> {
    let mut data = noise(60_000);
    for at in (5..59_000).step_by(8_011) {
        data[at..at + 4].copy_from_slice(&[0, 0, 0xff, 0xff]);
    }
    data
}

#[test]
fn the_end_of_a_block_is_a_cut_and_nothing_else_is() {
    let data = [numbers(3_000), text(30_000), full_of_marks(), noise(9_000), text(9_000)].concat();
    for level in [1, 6, 9] {
        let (stream, ends) = encode(&mut MixedEncoder::new(level), 0, 9_000, &data);
        let (mut at, mut seen, mut cuts) = (0, 0, 0);
        while let Some(end) = find_cut(&stream, at + 1) {
            at = end;
            seen += 1;
            let bytes = &stream[..stream.len().min(end + 1)];
            let (out, stop, taken) = decode(&mut PieceDecoder::new(), bytes, end, 1 << 20).unwrap();
            assert!(data.starts_with(&out));
            if ends.contains(&end) {
                assert_eq!((stop, taken), (Stop::Cut, end), "level {level}");
                cuts += 1;
            } else {
                assert_eq!((stop, taken), (Stop::Within, end + 1), "level {level}");
            }
        }
        assert_eq!(cuts, ends.len() - 1);
        assert!(seen > cuts + 4, "{seen}");
    }
}

#[test]
fn pieces_are_the_whole_where_nothing_is_missing() {
    let data = [numbers(9_000), text(90_000)].concat();
    let (stream, ends) = encode(&mut MixedEncoder::new(6), 0, 24_000, &data);
    let (mut start, mut got, mut missing) = (0, Vec::new(), 0);
    let mut alone = PieceDecoder::new();
    for &end in &ends {
        let piece = &stream[start..stream.len().min(end + 1)];
        alone.restart();
        let out = decode(&mut alone, piece, end - start, 1 << 20).or_else(|_| {
            // Text refers to what came before it.
            missing += 1;
            decode(&mut PieceDecoder::after(&got), piece, end - start, 1 << 20)
        });
        got.extend(out.unwrap().0);
        start = end;
    }
    assert!(got == data && missing >= 3, "{missing}");
}

#[test]
fn a_decoder_that_learns_what_came_before_goes_on() {
    let data = [numbers(9_000), noise(3_000), text(90_000)].concat();
    let mut encoder = MixedEncoder::new(6);
    let mut stream = Vec::new();
    encoder.encode(&[], &data[..72_000], 8, false, &mut stream);
    let start = stream.len();
    encoder.encode(&data[..72_000], &data[72_000..75_000], 1, false, &mut stream);
    encoder.encode(&data[..75_000], &data[75_000..], 1, true, &mut stream);
    // It begins behind the numbers, and stops in the noise.
    let mut decoder = PieceDecoder::new();
    let (out, stop, taken) =
        decode(&mut decoder, &stream[start..start + 2_000], usize::MAX, 1 << 20).unwrap();
    assert_eq!((stop, taken), (Stop::Within, 2_000));
    let got = [&data[..72_000], &out].concat();
    decoder.learn(got[got.len() - PieceDecoder::WINDOW..].try_into().unwrap());
    let rest = decode(&mut decoder, &stream[start + 2_000..], usize::MAX, 1 << 20).unwrap().0;
    assert!([got, rest].concat() == data);
}

#[test]
fn no_more_comes_out_than_there_is_room_for() {
    let data = [vec![0; 500_000], text(50_000), noise(10_000)].concat();
    let (stream, _) = encode(&mut MixedEncoder::new(6), 0, 1 << 20, &data);
    for most in [1, 7, 4_096, 100_000] {
        let mut decoder = PieceDecoder::new();
        let (mut at, mut got) = (0, Vec::new());
        loop {
            let (out, stop, taken) = decode(&mut decoder, &stream[at..], usize::MAX, most).unwrap();
            assert!(out.len() == most || stop != Stop::Full);
            got.extend(out);
            at += taken;
            match stop {
                Stop::Full | Stop::Within => {}
                Stop::End => break,
                Stop::Cut => panic!("there is none"),
            }
        }
        assert!(got == data && at == stream.len());
    }
}

proptest! {
    #[test]
    fn cuts_are_found_where_they_are(
        bytes in prop::collection::vec(prop::sample::select(vec![0u8, 0, 0xff, 0xff, 1]), 0..200),
        from in 0usize..210,
    ) {
        let naive = (from.max(4)..=bytes.len()).find(|&end| bytes[..end].ends_with(&[0, 0, 0xff, 0xff]));
        prop_assert_eq!(find_cut(&bytes, from), naive);
    }
}
