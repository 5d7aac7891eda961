//! Streams that are made and read on several threads.

use std::io::{self, ErrorKind, Read, Write};

use ndbytes::{ArrayView, Code, Codec, Compressor, Decompressor, Error, Order};
use ndbytes_codec::deflate::BLOCK_SIZE;
use ndbytes_testkit::transport::{HostileReader, HostileWriter, ReadRule, WriteRule};
use ndbytes_testkit::{Random, pieces};
use proptest::prelude::*;

const DEFLATES: [Codec; 3] = [Codec::Deflate, Codec::Gzip, Codec::Zlib];

/// Numbers, text and noise, one after another.
fn sample(len: usize) -> Vec<u8> {
    let mut random = Random::new(7);
    let mut data = Vec::with_capacity(len + 8);
    while data.len() < len {
        match data.len() / 400_000 % 3 {
            0 => data.extend_from_slice(&(1e6 + f64::from(random.number() >> 12)).to_le_bytes()),
            1 => data.extend_from_slice([&b"some "[..], b"words ", b"again\n"][random.below(3)]),
            _ => data.push(random.byte()),
        }
    }
    data.truncate(len);
    data
}

fn packed(codec: Codec, level: u32, threads: usize, data: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(codec, level, Vec::new()).with_threads(Some(threads));
    compressor.write_all(data).unwrap();
    compressor.finish().unwrap()
}

fn unpacked(codec: Codec, threads: usize, stream: &[u8]) -> ndbytes::Result<Vec<u8>> {
    Decompressor::with_threads(codec, stream, Some(threads)).into_vec(u64::MAX)
}

/// By a decoder without threads.
fn alone(codec: Codec, stream: &[u8]) -> ndbytes::Result<Vec<u8>> {
    Ok(ndbytes_codec::decompress(codec, stream, u64::MAX)?)
}

fn code(error: io::Error) -> Code {
    Error::from(error).code()
}

/// Both the same, or refused for the same reason.
#[track_caller]
fn agree(codec: Codec, stream: &[u8]) {
    let want = alone(codec, stream);
    for threads in [2, 3] {
        match (&want, unpacked(codec, threads, stream)) {
            (Ok(want), Ok(got)) => assert!(*want == got),
            (Err(want), Err(got)) => {
                assert_eq!(want.code(), got.code());
                assert!(got.offset().is_none_or(|at| at <= stream.len() as u64));
            }
            (want, got) => {
                panic!("{:?} alone and {:?} together", want.as_ref().err(), got.err())
            }
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let data = sample(3_000_001);
    for &codec in Codec::ALL {
        for level in codec.levels().filter(|level| ![2, 4, 5, 8].contains(level) && *level < 13) {
            let want = packed(codec, level, 1, &data);
            for threads in 2..5 {
                assert!(packed(codec, level, threads, &data) == want, "{codec:?} {level}");
            }
            assert!(alone(codec, &want).unwrap() == data, "{codec:?} {level}");
            assert!(unpacked(codec, 3, &want).unwrap() == data, "{codec:?} {level}");
        }
    }
}

#[test]
fn busy_threads_take_all_that_is_written() {
    let data = sample(40_000_000);
    for threads in [1, 4] {
        let stream = packed(Codec::Zstd, 1, threads, &data);
        assert!(alone(Codec::Zstd, &stream).unwrap() == data);
    }
}

#[test]
fn any_length_comes_back() {
    let block = BLOCK_SIZE;
    let data = sample(4 * block + 9);
    for len in [0, 1, 2, 100, block - 1, block, block + 1, 2 * block, 2 * block + 1, 4 * block + 9]
    {
        for &codec in Codec::ALL {
            let stream = packed(codec, 1, 3, &data[..len]);
            assert!(alone(codec, &stream).unwrap() == data[..len], "{codec:?} {len}");
            for threads in 1..4 {
                let got = unpacked(codec, threads, &stream).unwrap();
                assert!(got == data[..len], "{codec:?} {len}");
            }
        }
    }
}

#[test]
fn how_it_is_written_does_not_matter() {
    let data = sample(2_500_000);
    for &codec in Codec::ALL {
        let want = packed(codec, 1, 2, &data);
        for seed in 0..3 {
            let mut source = HostileReader::new(&*data, ReadRule::Interrupts(seed));
            let sink = HostileWriter::new(WriteRule::Interrupts(seed));
            let mut compressor = Compressor::new(codec, 1, sink).with_threads(Some(2));
            io::copy(&mut source, &mut compressor).unwrap();
            let sink = compressor.finish().unwrap();
            assert!(sink.arrived() == want, "{codec:?}");
        }
    }
}

#[test]
fn arrays_of_any_layout_are_written_in_c_order() {
    let data = sample(8 * 400_000);
    let view = |shape: &[usize], strides: &[isize], origin| {
        ArrayView::new("<f8".parse().unwrap(), shape, strides, &data, origin).unwrap()
    };
    let views = [
        view(&[400_000], &[8], 0),
        view(&[400, 1000], &[8, 3200], 0),
        view(&[200_000], &[-16], data.len() - 8),
        view(&[200_000, 2], &[0, 8], 0),
        view(&[0, 3], &[8, 8], 0),
        view(&[], &[], 64),
    ];
    for view in &views {
        let want = view.to_vec(Order::C).unwrap();
        for &codec in Codec::ALL {
            let stream = ndbytes::compress(view, codec, 1).unwrap();
            assert!(ndbytes::decompress(&*stream, codec, u64::MAX).unwrap() == want);
        }
    }
}

#[test]
fn what_was_flushed_has_left() {
    let data = sample(1_300_000);
    for &codec in Codec::ALL {
        let sink = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut compressor = Compressor::new(codec, 1, Shared(sink.clone())).with_threads(Some(2));
        let mut written = 0;
        for end in [0, 5, 5, 700_000, data.len()] {
            compressor.write_all(&data[written..end]).unwrap();
            written = end;
            compressor.flush().unwrap();
            let stream = sink.lock().unwrap().clone();
            let mut got = Vec::new();
            let error = ndbytes::Decoder::new(codec, &*stream).read_to_end(&mut got).unwrap_err();
            assert_eq!(code(error), Code::CodecTruncated);
            assert!(got == data[..end], "{codec:?} {end}");
        }
        compressor.finish().unwrap();
        let stream = sink.lock().unwrap().clone();
        assert!(unpacked(codec, 2, &stream).unwrap() == data);
    }
}

struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_anywhere_is_reported() {
    let data = sample(1_700_000);
    for &codec in Codec::ALL {
        let len = packed(codec, 1, 2, &data).len() as u64;
        for end in [0, 1, len / 3, len / 2, len - 1] {
            for rule in WriteRule::failing(end) {
                let sink = HostileWriter::new(rule);
                let mut compressor = Compressor::new(codec, 1, sink).with_threads(Some(2));
                let result = compressor.write_all(&data).and_then(|()| compressor.finish());
                assert!(result.is_err(), "{codec:?} {rule:?}");
            }
        }
    }
}

/// A sink that would block now and then.
struct Stalling(Vec<u8>, Random);

impl Write for Stalling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.1.below(2) == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let n = 1 + self.1.below(bytes.len());
        self.0.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stalled_sink_goes_on_where_it_stopped() {
    let data = sample(2_000_000);
    let retry = |mut body: Box<dyn FnMut() -> io::Result<usize> + '_>| loop {
        match body() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => break result.unwrap(),
        }
    };
    for &codec in Codec::ALL {
        let sink = Stalling(Vec::new(), Random::new(3));
        let mut compressor = Compressor::new(codec, 1, sink).with_threads(Some(2));
        let mut written = 0;
        while written < data.len() {
            written += retry(Box::new(|| compressor.write(&data[written..])));
        }
        retry(Box::new(|| compressor.flush().map(|()| 0)));
        let stream = match compressor.finish() {
            Ok(sink) => sink.0,
            // Ending cannot be tried again, as with `Encoder`.
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                continue;
            }
        };
        assert!(alone(codec, &stream).unwrap() == data, "{codec:?}");
    }
}

#[test]
fn a_size_is_said_by_all_threads_and_when_flushed() {
    let data = sample(3_000_000);
    for codec in [Codec::Zstd, Codec::Lz4] {
        for flushes in [false, true] {
            let packed = |threads| {
                let compressor = Compressor::new(codec, 3, Vec::new()).with_threads(Some(threads));
                let mut compressor = compressor.with_size(data.len() as u64);
                compressor.write_all(&data[..10]).unwrap();
                if flushes {
                    compressor.flush().unwrap();
                }
                compressor.write_all(&data[10..]).unwrap();
                compressor.finish().unwrap()
            };
            let stream = packed(1);
            assert!(stream == packed(3), "{codec:?} {flushes}");
            assert_eq!(ndbytes::content_len(codec, &stream), Some(data.len() as u64));
            assert!(alone(codec, &stream).unwrap() == data, "{codec:?} {flushes}");
        }
    }
}

#[test]
fn a_size_that_is_wrong_is_an_error() {
    for (size, written) in [(10, 9), (10, 11), (3_000_000, 2_999_999), (600_000, 600_001)] {
        let data = sample(written);
        for codec in [Codec::Zstd, Codec::Lz4] {
            let compressor = Compressor::new(codec, 3, Vec::new()).with_threads(Some(2));
            let mut compressor = compressor.with_size(size);
            let result = compressor.write_all(&data).and_then(|()| compressor.finish());
            assert!(result.is_err(), "{codec:?} {size} {written}");
        }
    }
}

#[test]
fn streams_of_all_kinds_of_blocks_are_read_as_by_one_decoder() {
    let plans: [&[u8]; 9] = [
        &[],
        &[0xf0; 12],
        &[0xfa; 12],
        &[0xf8; 12],
        &[0xf4; 8],
        &[0xf0, 0xfa, 0xf0, 0xf0, 0xfb, 0xf8, 0xf0, 0xf0, 0xf0, 0x66, 0x66, 0xf0, 0xf0, 0xfa],
        &[0xf0, 0xf0, 0xf7, 0xf0, 0xf0, 0xf0, 0xf7, 0xfa, 0xf7, 0xf0],
        &[0x07; 100],
        &[0xf5, 0xf0, 0xf4, 0xf8, 0xf9, 0xf0, 0xf1, 0xf2, 0xfc, 0xf0, 0xf0, 0xf0, 0xf0, 0xf8],
    ];
    for codec in DEFLATES {
        for plan in plans {
            let (stream, content) = pieces::stream(codec, plan);
            assert!(alone(codec, &stream).unwrap() == content, "{codec:?} {plan:x?}");
            agree(codec, &stream);
        }
    }
}

#[test]
fn cuts_and_damage_are_told_as_by_one_decoder() {
    let plan = [0xf0, 0xfa, 0xf0, 0xf0, 0xf8, 0xf5, 0xf0, 0x67, 0xf0, 0xf0, 0xf0, 0xf4, 0xf0];
    let mut random = Random::new(11);
    for codec in DEFLATES {
        let (stream, _) = pieces::stream(codec, &plan);
        for end in (0..30).chain((0..60).map(|_| random.below(stream.len()))) {
            agree(codec, &stream[..end]);
            agree(codec, &stream[..stream.len() - end % 30]);
        }
        for _ in 0..120 {
            let mut bad = stream.clone();
            let at = random.below(bad.len());
            bad[at] ^= 1 << random.below(8);
            agree(codec, &bad);
        }
        for tail in [&b"x"[..], b"\x1f", b"\x1f\x8b", &[0; 40], b"\0\0\x1f"] {
            agree(codec, &[&*stream, tail].concat());
        }
    }
}

#[test]
fn what_is_before_the_damage_comes_before_it() {
    for codec in DEFLATES {
        let (stream, content) = pieces::stream(codec, &[0xf0; 10]);
        let half = stream.len() / 2;
        for threads in 1..4 {
            let read = |stream: &[u8]| {
                let mut got = Vec::new();
                let source = Decompressor::with_threads(codec, stream, Some(threads));
                let error = { source }.read_to_end(&mut got).unwrap_err();
                assert!(got.len() > content.len() / 3 && content.starts_with(&got));
                code(error)
            };
            assert_eq!(read(&stream[..half]), Code::CodecTruncated);
            // Lengths of a stored block that contradict one another.
            let at = (half..).find(|&at| stream[at..].starts_with(&[0, 0, 0xff, 0xff])).unwrap();
            let mut bad = stream.clone();
            bad[at] = 1;
            assert_eq!(read(&bad), Code::CodecCorrupt);
        }
    }
}

#[test]
fn headers_of_all_forms_are_read_as_by_one_decoder() {
    let (stream, content) = pieces::stream(Codec::Gzip, &[0xf0; 4]);
    let heads: [&[u8]; 4] = [
        b"\x1f\x8b\x08\x0812345\x03name\0",
        b"\x1f\x8b\x08\x1d12345\x03\x03\0abcname\0note\0",
        // A checksum of the header, which is right, and one that is not.
        b"\x1f\x8b\x08\x02\0\0\0\0\0\x03\xa7\x77",
        b"\x1f\x8b\x08\x02\0\0\0\0\0\x03\xa7\x76",
    ];
    for head in heads {
        let changed = [head, &stream[10..]].concat();
        agree(Codec::Gzip, &changed);
        for end in 0..head.len() {
            agree(Codec::Gzip, &changed[..end]);
        }
        agree(Codec::Gzip, &[&*stream, &changed].concat());
    }
    let named = [heads[1], &stream[10..]].concat();
    assert!(unpacked(Codec::Gzip, 2, &named).unwrap() == content);
    // zlib with a small window, and with a dictionary.
    let (stream, _) = pieces::stream(Codec::Zlib, &[0xf0; 4]);
    for head in [[0x48, 0x89], [0x78, 0xbb], [0x78, 0x02], [0x79, 0x01]] {
        agree(Codec::Zlib, &[&head, &stream[2..]].concat());
    }
}

#[test]
fn pieces_that_grow_beyond_their_bounds_come_in_parts() {
    let mut data = vec![0; 30_000_000];
    for (i, byte) in sample(3_000_000).into_iter().enumerate() {
        data[10 * i] = byte & u8::from(i > 1_500_000 && i < 1_600_000);
    }
    for codec in DEFLATES {
        let stream = packed(codec, 6, 2, &data);
        assert!(stream.len() < data.len() / 50);
        for threads in 1..4 {
            assert!(unpacked(codec, threads, &stream).unwrap() == data, "{codec:?} {threads}");
        }
        agree(codec, &stream[..stream.len() - 9]);
    }
}

#[test]
fn many_small_members_are_read_in_a_moment() {
    let one = packed(Codec::Gzip, 6, 1, b"a line\n");
    let stream = one.repeat(50_000);
    assert_eq!(unpacked(Codec::Gzip, 2, &stream).unwrap().len(), 350_000);
}

#[test]
fn a_source_that_fails_is_no_damage() {
    let (stream, content) = pieces::stream(Codec::Zlib, &[0xf0, 0xfa, 0xf0, 0xf0, 0xf0, 0xf0]);
    for end in (0..stream.len() as u64).step_by(997) {
        let reset = ReadRule::Fails(end, ErrorKind::ConnectionReset);
        let source = HostileReader::new(&*stream, reset);
        let mut got = Vec::new();
        let error = Decompressor::with_threads(Codec::Zlib, source, Some(2)).read_to_end(&mut got);
        assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert!(content.starts_with(&got));
    }
}

#[test]
fn a_stalled_source_goes_on_where_it_stopped() {
    for codec in DEFLATES {
        let (stream, content) = pieces::stream(codec, &[0xf0, 0xfa, 0xf0, 0xf0, 0xf0, 0xf0]);
        for end in (0..stream.len() as u64).step_by(1009) {
            let stalls = HostileReader::new(&*stream, ReadRule::Stalls(end));
            let mut decompressor = Decompressor::with_threads(codec, stalls, Some(2));
            let mut out = Vec::new();
            let stalled = decompressor.read_to_end(&mut out).unwrap_err();
            assert_eq!(stalled.kind(), ErrorKind::WouldBlock);
            decompressor.read_to_end(&mut out).unwrap();
            decompressor.expect_end().unwrap();
            assert!(out == content, "{codec:?} {end}");
        }
        for rule in ReadRule::HARMLESS {
            let source = HostileReader::new(&*stream, rule);
            let decompressor = Decompressor::with_threads(codec, source, Some(3));
            assert!(decompressor.into_vec(u64::MAX).unwrap() == content, "{rule:?}");
        }
    }
}

#[test]
fn the_cap_is_exact() {
    let (stream, content) = pieces::stream(Codec::Gzip, &[0xf0; 8]);
    let read = |cap| Decompressor::with_threads(Codec::Gzip, &*stream, Some(2)).into_vec(cap);
    assert!(read(content.len() as u64).unwrap() == content);
    for cap in [0, 1, content.len() as u64 / 2, content.len() as u64 - 1] {
        assert_eq!(read(cap).unwrap_err().code(), Code::CodecTooLarge);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_come_back_from_any_codec(
        lens in prop::collection::vec(0usize..400_000, 0..6),
        level in 0u32..10,
        threads in 1usize..4,
    ) {
        let data = sample(lens.iter().sum());
        for &codec in Codec::ALL {
            let mut compressor = Compressor::new(codec, level, Vec::new()).with_threads(Some(threads));
            let mut rest = &*data;
            for &len in &lens {
                let (now, later) = rest.split_at(len);
                compressor.write_all(now).unwrap();
                rest = later;
            }
            let stream = compressor.finish().unwrap();
            prop_assert!(alone(codec, &stream).unwrap() == data);
            prop_assert!(unpacked(codec, threads, &stream).unwrap() == data);
        }
    }

    #[test]
    fn any_blocks_with_any_damage_are_read_as_by_one_decoder(
        plan in prop::collection::vec(any::<u8>(), 0..20),
        damage in prop::option::of((any::<prop::sample::Index>(), 0u8..8)),
        end in prop::option::of(any::<prop::sample::Index>()),
    ) {
        for codec in DEFLATES {
            let (mut stream, _) = pieces::stream(codec, &plan);
            if let Some((at, bit)) = &damage {
                let at = at.index(stream.len());
                stream[at] ^= 1 << bit;
            }
            if let Some(end) = &end {
                stream.truncate(end.index(stream.len() + 1));
            }
            agree(codec, &stream);
        }
    }
}

#[test]
fn memory_of_any_size_is_filled_and_the_rest_comes_behind_it() {
    let data = sample(1_300_000);
    for &codec in Codec::ALL {
        let stream = packed(codec, 1, 2, &data);
        for threads in [1, 2] {
            let fill = |stream: &[u8], len: usize| {
                let mut source = Decompressor::with_threads(codec, stream, Some(threads));
                let mut out = vec![0; len];
                let (have, is_all) = source.fill(&mut out)?;
                out.truncate(have);
                assert!(is_all || have == len);
                Ok((is_all, if is_all { out } else { source.into_vec_after(out, u64::MAX)? }))
            };
            let fails = |stream: &[u8], len| {
                let result: ndbytes::Result<_> = fill(stream, len);
                result.unwrap_err().code()
            };
            for len in [0, 1, data.len() - 1, data.len(), data.len() + 1] {
                let got: ndbytes::Result<_> = fill(&stream, len);
                let (is_all, out) = got.unwrap();
                assert!(out == data && is_all == (len >= data.len()), "{codec:?} {len}");
                let more = [&stream[..], b"x"].concat();
                assert_eq!(fails(&more, len), Code::CodecTrailing);
                assert_eq!(fails(&stream[..stream.len() - 1], len), Code::CodecTruncated);
            }
        }
    }
}
