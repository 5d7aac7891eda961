//! Frames that were damaged: whatever bit was turned, wherever they were cut, it is reported, or
//! what is read is what was written. No bit of a frame is without meaning.

use std::ops::Range;

use ndbytes::frame_format::{ChunkPlace, Family, Record};
use ndbytes::{
    ArrayView, Code, FrameOptions, FrameReader, Limits, Order, Result, Strided, dump_frame,
    read_frame, read_frame_header, read_frame_into,
};
use ndbytes_testkit::Random;
use ndbytes_testkit::forge::Forged;

fn frame(dtype: &str, shape: &[usize], order: Order, chunk: &[usize], pipeline: &str) -> Vec<u8> {
    let count: usize = shape.iter().product();
    let dtype: ndbytes::Dtype = dtype.parse().unwrap();
    let item = |i: usize| (i as u64 / 3 * 257).to_le_bytes()[..dtype.itemsize()].to_vec();
    let bytes: Vec<u8> = (0..count).flat_map(item).collect();
    let array = ArrayView::contiguous(dtype.clone(), shape, order, &bytes).unwrap();
    let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
    dump_frame(&array, &options.with_chunk_shape(Some(chunk.to_vec()))).unwrap()
}

/// Small frames of every family, codec and filter, those that only others write among them.
fn small() -> Vec<(String, Vec<u8>)> {
    let mut frames = Vec::new();
    for pipeline in [
        "raw",
        "lz4",
        "lz4-9-bitshuffle",
        "lz4-noshuffle",
        "zlib",
        "zlib-1-bitshuffle",
        "zlib-noshuffle",
        "zstd",
        "zstd-9-bitshuffle",
        "zstd-noshuffle",
        "pco",
        "pco-1",
    ] {
        let line = frame("<u2", &[260], Order::C, &[130], pipeline);
        frames.push((format!("{pipeline} of a line"), line));
        let grid = frame("<u4", &[9, 8], Order::F, &[5, 6], pipeline);
        frames.push((format!("{pipeline} of a grid"), grid));
    }
    frames.push(("of nothing".to_owned(), frame("<f8", &[0, 3], Order::C, &[1, 2], "zstd")));
    frames.push(("of a point".to_owned(), frame("<f8", &[], Order::C, &[], "lz4")));
    for (name, buffer) in [
        ("blosclz", &include_bytes!("../../../../fuzz/seeds/blosc_decode/blosclz_1")[..]),
        ("blosclz, more", include_bytes!("../../../../fuzz/seeds/blosc_decode/blosclz_4")),
    ] {
        let nbytes = u64::from(u32::from_le_bytes(*buffer[4..].first_chunk().unwrap()));
        frames
            .push((name.to_owned(), Forged::new(Family::Blosc, nbytes, nbytes, &[buffer]).bytes()));
    }
    frames
}

/// A frame of 3 MiB in chunks of 128 KiB: noise that is stored, and steps by every codec.
fn large() -> Vec<u8> {
    const CODECS: [&str; 8] = [
        "lz4",
        "lz4-9-bitshuffle",
        "lz4-noshuffle",
        "zlib-1",
        "zlib-1-bitshuffle",
        "zstd-1",
        "zstd-3-bitshuffle",
        "zstd-noshuffle",
    ];
    let mut random = Random::new(7);
    let noise = (0..16 * CHUNK).map(|_| random.number()).collect::<Vec<_>>();
    let steps = (0..CODECS.len() * CHUNK).map(|i| i as u32 / 5 + random.number() % 4);
    let steps: Vec<u32> = steps.collect();
    let bytes: Vec<u8> = noise.iter().chain(&steps).flat_map(|n| n.to_le_bytes()).collect();
    let array = ArrayView::contiguous("<u4".parse().unwrap(), &[24 * CHUNK], Order::C, &bytes);
    let array = array.unwrap();
    let of = |pipeline: &str| {
        let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
        let frame = dump_frame(&array, &options.with_chunk_shape(Some(vec![CHUNK]))).unwrap();
        Forged::of(&frame).unwrap()
    };
    let mut mixed = of("fast");
    for (i, codec) in CODECS.iter().enumerate() {
        mixed.payloads[16 + i] = of(codec).payloads[16 + i].clone();
    }
    mixed.bytes()
}

/// Items of a chunk of the large frame.
const CHUNK: usize = 32 << 10;

/// A frame as it was, and what it holds.
struct Whole {
    frame: Vec<u8>,
    chunks: Vec<Vec<u8>>,
    places: Vec<ChunkPlace>,
}

impl Whole {
    fn new(frame: Vec<u8>) -> Self {
        let reader = FrameReader::new(&*frame, &Limits::default()).unwrap();
        let items = reader.read().unwrap().bytes().to_vec();
        assert!(streamed(&frame).unwrap() == items);
        let places = reader.places().to_vec();
        let chunks = (0..places.len()).map(|i| chunk(&reader, i).unwrap()).collect();
        Self { chunks, places, frame }
    }

    /// The bytes of a chunk's record.
    fn record(&self, i: usize) -> Range<u64> {
        let place = self.places[i];
        place.offset - Record::PREFIX_LEN as u64..place.offset + place.len
    }

    /// Makes sure that the stream is refused, and by position whatever the bit is a part of.
    fn assert_reported(&self, bad: &[u8], bit: usize, name: &str) {
        let byte = bit as u64 / 8;
        let of = |i: usize| self.record(i).contains(&byte);
        let hit = (0..self.places.len()).find(|&i| of(i));
        assert!(streamed(bad).is_err(), "{name}: bit {bit} of {}, stream", 8 * bad.len());
        match (FrameReader::new(bad, &Limits::default()), hit) {
            (Err(_), None) => {}
            (Ok(reader), Some(hit)) => {
                assert!(chunk(&reader, hit).is_err(), "{name}: bit {bit}, a part");
                for other in (0..self.places.len()).filter(|&i| i != hit) {
                    let read = chunk(&reader, other).unwrap();
                    assert!(read == self.chunks[other], "{name}: bit {bit}, another part");
                }
                assert!(reader.read().is_err(), "{name}: bit {bit}");
            }
            (opened, _) => panic!("{name}: bit {bit}: {:?}, {hit:?}", opened.map(|_| ())),
        }
    }
}

fn streamed(frame: &[u8]) -> Result<Vec<u8>> {
    read_frame(&mut &*frame, &Limits::default()).map(|array| array.bytes().to_vec())
}

fn chunk(reader: &FrameReader<&[u8]>, i: usize) -> Result<Vec<u8>> {
    let (start, shape) = reader.chunk_range(i);
    reader.read_part(&start, &shape).map(|part| part.bytes().to_vec())
}

fn flip(bytes: &mut [u8], bit: usize) {
    bytes[bit / 8] ^= 1 << (bit % 8);
}

#[test]
fn any_bit_of_a_small_frame_that_is_turned_is_reported() {
    for (name, frame) in small() {
        let whole = Whole::new(frame);
        let mut bad = whole.frame.clone();
        for bit in 0..8 * bad.len() {
            flip(&mut bad, bit);
            whole.assert_reported(&bad, bit, &name);
            flip(&mut bad, bit);
        }
    }
}

/// Ten thousand bits: half of them anywhere, half of them where chunks are compressed.
fn sampled(whole: &Whole, seed: u64) -> Vec<usize> {
    let compressed = whole.record(16).start as usize * 8;
    let end = whole.frame.len() * 8;
    let mut random = Random::new(seed);
    let from = |i: usize| if i.is_multiple_of(2) { 0 } else { compressed };
    (0..10_000).map(|i| from(i) + random.below(end - from(i))).collect()
}

#[test]
fn a_bit_of_a_large_frame_that_is_turned_is_reported_by_position() {
    let whole = Whole::new(large());
    let mut bad = whole.frame.clone();
    for (i, bit) in sampled(&whole, 1).into_iter().enumerate() {
        flip(&mut bad, bit);
        let byte = bit as u64 / 8;
        let hit = (0..whole.places.len()).find(|&i| whole.record(i).contains(&byte));
        let opened = FrameReader::new(&*bad, &Limits::default());
        match (opened, hit) {
            (Err(_), None) => {}
            (Ok(reader), Some(hit)) => {
                assert!(chunk(&reader, hit).is_err(), "bit {bit}");
                assert!(i % 100 > 0 || reader.read().is_err(), "bit {bit}, all of it");
            }
            (opened, _) => panic!("bit {bit}: {:?}, {hit:?}", opened.map(|_| ())),
        }
        flip(&mut bad, bit);
    }
}

#[test]
fn a_bit_of_a_large_frame_that_is_turned_is_reported_on_a_stream() {
    let whole = Whole::new(large());
    let mut bad = whole.frame.clone();
    let mut out = vec![0; 4 * 24 * CHUNK];
    for bit in sampled(&whole, 2) {
        flip(&mut bad, bit);
        let mut source = &*bad;
        let read = read_frame_header(&mut source, &Limits::default()).and_then(|(header, len)| {
            let layout = Strided { origin: 0, strides: &[4] };
            read_frame_into(&mut source, &header, len, &mut out, layout)
        });
        assert!(read.is_err(), "bit {bit}");
        flip(&mut bad, bit);
    }
}

#[test]
fn a_bit_of_a_large_frame_of_another_family_that_is_turned_is_reported() {
    for pipeline in ["raw", "pco-2"] {
        let whole = Whole::new(frame("<u4", &[700, 300], Order::F, &[700, 30], pipeline));
        let mut bad = whole.frame.clone();
        let mut random = Random::new(4);
        for _ in 0..300 {
            let bit = random.below(8 * bad.len());
            flip(&mut bad, bit);
            whole.assert_reported(&bad, bit, pipeline);
            flip(&mut bad, bit);
        }
    }
}

/// A frame that ends early is no end of a stream, and no other array.
fn assert_cut_is_reported(frame: &[u8], end: usize, name: &str) {
    let cut = &frame[..end];
    let placed = FrameReader::new(cut, &Limits::default()).and_then(|reader| reader.read());
    let placed = placed.map(|array| array.bytes().to_vec());
    let errors = [streamed(cut).unwrap_err(), placed.unwrap_err()];
    for error in &errors {
        assert_ne!(error.code(), Code::EndOfStream, "{name}: {end}");
        assert!(error.offset().is_none_or(|at| at <= end as u64), "{name}: {end}: {error}");
    }
    assert_eq!(errors[0].code(), Code::FrameTruncated, "{name}: {end}: {}", errors[0]);
}

#[test]
fn a_small_frame_cut_at_any_byte_is_truncated() {
    for (name, frame) in small() {
        for end in 1..frame.len() {
            assert_cut_is_reported(&frame, end, &name);
        }
        assert_eq!(crate::code(streamed(&[])), Code::EndOfStream);
        let none = FrameReader::new(&frame[..0], &Limits::default());
        assert_eq!(crate::code(none), Code::EndOfStream);
        // One byte more is none of the frame's: a stream leaves it, a file has no room for it.
        let more = [&*frame, b"x"].concat();
        let mut source = &*more;
        read_frame(&mut source, &Limits::default()).unwrap();
        assert_eq!(source, b"x");
        assert!(FrameReader::new(&*more, &Limits::default()).is_err(), "{name}");
    }
}

#[test]
fn a_large_frame_that_is_cut_is_truncated() {
    let frame = large();
    let mut random = Random::new(3);
    for _ in 0..1000 {
        assert_cut_is_reported(&frame, 1 + random.below(frame.len() - 1), "large");
    }
}
