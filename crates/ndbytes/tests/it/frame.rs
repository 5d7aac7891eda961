//! Frames: what comes back, and what is refused.

use ndbytes::{
    ArrayView, Code, FrameDecoder, FrameEncoder, FrameOptions, FrameReader, Limits, Order,
    Pipeline, Preset, Strided, dump_frame, explain_frame, read_frame, read_frame_header,
    read_frame_into, strides,
};
use ndbytes_testkit::Random;
use ndbytes_testkit::arrays::{self, Case, Layout};
use ndbytes_testkit::forge::sealed;
use proptest::prelude::*;

use crate::{assert_same, code};

const PIPELINES: [&str; 11] = [
    "auto",
    "fast",
    "small",
    "raw",
    "lz4",
    "lz4-noshuffle",
    "zstd-1-bitshuffle",
    "zstd-9-noshuffle",
    "zlib",
    "pco",
    "pco-2",
];

fn options(pipeline: &str) -> FrameOptions {
    FrameOptions::default().with_pipeline(pipeline.parse().unwrap())
}

/// Through every way of reading.
fn check(view: &ArrayView<'_>, options: &FrameOptions, name: &str) {
    let frame = match dump_frame(view, options) {
        Ok(frame) => frame,
        Err(error) => {
            let refused = matches!(options.pipeline, Pipeline::Pco(_));
            assert!(refused && error.code() == Code::UnsupportedDtype, "{name}: {error}");
            return;
        }
    };
    let limits = Limits::default();
    assert!(in_pieces(view, options) == frame, "{name}");
    let mut source = &frame[..];
    let streamed = read_frame(&mut source, &limits).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(source.is_empty(), "{name}");
    assert_same(&streamed.view(), view, name);
    assert_eq!(streamed.order(), view.storage_order(), "{name}");
    let reader = FrameReader::new(&frame[..], &limits).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert_same(&reader.read().unwrap().view(), view, name);
    // Into memory of the other order.
    let header = reader.header().array().clone();
    let other = match header.order() {
        Order::C => Order::F,
        Order::F => Order::C,
    };
    let steps = strides(header.shape(), header.dtype().itemsize(), other);
    let mut out = vec![0; header.nbytes()];
    reader.read_into(&mut out, Strided { origin: 0, strides: &steps }).unwrap();
    let again = ArrayView::contiguous(header.dtype().clone(), header.shape(), other, &out).unwrap();
    assert_same(&again, view, name);
}

/// The frame as it is made in pieces.
fn in_pieces(view: &ArrayView<'_>, options: &FrameOptions) -> Vec<u8> {
    let mut encoder = FrameEncoder::new(view, options).unwrap();
    let mut frame = Vec::new();
    while encoder.encode(view, &mut frame).unwrap() {}
    assert!(!encoder.encode(view, &mut frame).unwrap());
    frame
}

#[test]
fn a_large_frame_is_made_and_read_in_pieces() {
    let case = Case::new(&"<i4".parse().unwrap(), &[900, 1001], Layout::F);
    for chunk in [[900, 1], [900, 300], [7, 9]] {
        let options = options("zstd-1").with_chunk_shape(Some(chunk.to_vec()));
        let mut encoder = FrameEncoder::new(&case.view(), &options).unwrap();
        let mut pieces = Vec::new();
        loop {
            let mut piece = Vec::new();
            if !encoder.encode(&case.view(), &mut piece).unwrap() {
                break;
            }
            pieces.push(piece);
        }
        assert!((2..9).contains(&pieces.len()), "{}", pieces.len());
        let frame = pieces.concat();
        assert!(frame == dump_frame(&case.view(), &options).unwrap());

        let (header, mut at) = read_frame_header(&mut &frame[..], &Limits::default()).unwrap();
        let mut decoder = FrameDecoder::new(header, at);
        let mut out = vec![0; case.view().nbytes()];
        let layout = Strided { origin: 0, strides: &[4004, 4] };
        assert_eq!(code(decoder.decode(&[], &mut out, layout)), Code::Argument);
        while !decoder.is_whole() {
            let len = decoder.expect(&frame[at..at + 8]).unwrap();
            assert_eq!(code(decoder.expect(&frame[at..at + 8])), Code::Argument);
            let record = &frame[at + 8..at + 8 + len];
            let short = decoder.decode(&record[1..], &mut out, layout).unwrap_err();
            assert_eq!(short.code(), Code::FrameTruncated);
            assert_eq!(short.offset(), Some((at + 8 + len - 1) as u64));
            decoder.decode(record, &mut out, layout).unwrap();
            at += 8 + len;
        }
        assert_eq!(at, frame.len());
        assert_eq!(code(decoder.expect(&[0; 8])), Code::Argument);
        let again = ArrayView::contiguous("<i4".parse().unwrap(), &[900, 1001], Order::C, &out);
        assert_same(&again.unwrap(), &case.view(), "pieces");
    }
    let mut encoder = FrameEncoder::new(&case.view(), &options("zstd-1")).unwrap();
    let other = Case::new(&"<i4".parse().unwrap(), &[900, 1000], Layout::F);
    assert_eq!(code(encoder.encode(&other.view(), &mut Vec::new())), Code::Mismatch);
}

#[test]
fn every_dtype_and_layout_comes_back() {
    for case in arrays::table() {
        for pipeline in PIPELINES {
            check(&case.view(), &options(pipeline), &format!("{} {pipeline}", case.name));
        }
    }
}

#[test]
fn every_layout_is_cut_in_every_way() {
    for layout in [Layout::C, Layout::F, Layout::Strided, Layout::Transposed] {
        for dtype in ["<f8", "|u1", ">i4", "[('a', '|u1'), ('', '|V3'), ('b', '<f4')]"] {
            let case = Case::new(&dtype.parse().unwrap(), &[7, 5, 6], layout);
            for chunk in [[7, 5, 6], [1, 1, 1], [2, 5, 6], [7, 5, 4], [3, 2, 4], [100, 5, 1]] {
                for threads in [1, 3] {
                    let options = options("auto")
                        .with_chunk_shape(Some(chunk.to_vec()))
                        .with_threads(Some(threads));
                    check(&case.view(), &options, &format!("{} {chunk:?}", case.name));
                }
            }
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    // Chunks that are like the first, and such as are not; the edge cuts the last one off.
    let mut random = Random::new(1);
    let mut random = || random.number() >> 8;
    let rows: Vec<u32> = (0..590_000)
        .map(|i: u32| match i / 50_000 {
            0..=3 | 7 | 8 => i / 7 + random() % 5,
            4 => random(),
            5 => 0,
            6 => (random() % 1000) * 65_793,
            9 => random() % 3,
            _ => i / 3 + random() % 200,
        })
        .collect();
    let bytes: Vec<u8> = rows.iter().flat_map(|n| n.to_le_bytes()).collect();
    let view = |dtype: &str, shape: &[usize]| {
        ArrayView::contiguous(dtype.parse().unwrap(), shape, Order::C, &bytes).unwrap()
    };
    let whole = view("<u4", &[59_000, 10]);
    let mut followed = 0;
    for &preset in Preset::ALL {
        let chunked = options(preset.as_str()).with_chunk_shape(Some(vec![5000, 10]));
        let one = dump_frame(&whole, &chunked.clone().with_threads(Some(1))).unwrap();
        for threads in [2, 3, 5, 8] {
            let many = dump_frame(&whole, &chunked.clone().with_threads(Some(threads))).unwrap();
            assert!(many == one, "{} on {threads} threads", preset.as_str());
        }
        let mut encoder =
            FrameEncoder::new(&whole, &chunked.clone().with_threads(Some(2))).unwrap();
        let mut pieces = Vec::new();
        while encoder.encode(&whole, &mut pieces).unwrap() {}
        assert!(pieces == one, "{} in pieces", preset.as_str());
        // What is told is what is done.
        let told = explain_frame(&whole, &chunked).unwrap();
        let reader = FrameReader::new(&one[..], &Limits::default()).unwrap();
        for (i, chunk) in told.chunks.iter().enumerate() {
            let done = reader.describe(i).unwrap();
            let named = chunk.pipeline.to_string();
            let codec = named.split('-').next().unwrap().replace("raw", "stored");
            assert!(done.starts_with(&codec), "{} {i}: {done}, {named}", preset.as_str());
            assert!(!chunk.as_first || i >= 2);
            followed += usize::from(chunk.as_first);
        }
        assert!(read_frame(&mut &one[..], &Limits::default()).unwrap().bytes() == bytes);
    }
    assert!(followed > 15, "{followed}");
}

#[test]
fn pco_has_two_chunks_where_two_threads_pay() {
    let mut random = Random::new(1);
    let cents: Vec<u8> =
        (0..1 << 16).flat_map(|_| (random.below(1 << 16) as f64 / 100.0).to_le_bytes()).collect();
    for (nbytes, names, count) in [
        (1 << 13, &["small", "pco-4"][..], 1),
        ((1 << 18) - 8, &["small", "smallest", "pco-4"], 1),
        (1 << 18, &["smallest"], 1),
        (1 << 18, &["auto", "small", "pco-4"], 2),
        (1 << 19, &["auto", "small", "pco-4"], 2),
    ] {
        let bytes = &cents[..nbytes];
        let dtype = "<f8".parse().unwrap();
        let view = ArrayView::contiguous(dtype, &[nbytes / 8], Order::C, bytes).unwrap();
        for name in names {
            let dump = |threads| dump_frame(&view, &options(name).with_threads(threads)).unwrap();
            let frame = dump(None);
            let reader = FrameReader::new(&frame[..], &Limits::default()).unwrap();
            let family = reader.header().family().as_str();
            assert_eq!((family, reader.places().len()), ("pco", count), "{name} {nbytes}");
            assert!(reader.read().unwrap().bytes() == bytes);
            for threads in [0, 1, 2, 3] {
                assert!(dump(Some(threads)) == frame, "{name} {nbytes} {threads}");
            }
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_what_was_made_before() {
    let case = Case::new(&"<f8".parse().unwrap(), &[300, 211], Layout::C);
    let names = Preset::ALL.iter().map(|preset| preset.as_str());
    let names: Vec<_> = names.chain(["zlib-1", "zlib-9", "zstd-19-noshuffle", "lz4-9"]).collect();
    let dump = |name: &str| dump_frame(&case.view(), &options(name)).unwrap();
    let once: Vec<_> = names.iter().map(|name| dump(name)).collect();
    // Each after another than the first time.
    for (name, before) in names.iter().zip(&once).rev() {
        assert!(dump(name) == *before, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_part_is_that_part_of_the_whole(
        shape in prop::collection::vec(1usize..9, 1..4),
        chunk in prop::collection::vec(1usize..9, 3),
        cut in prop::collection::vec((0usize..9, 0usize..9), 3),
        fortran in any::<bool>(),
    ) {
        let layout = if fortran { Layout::F } else { Layout::C };
        let case = Case::new(&"<i2".parse().unwrap(), &shape, layout);
        let options = options("raw").with_chunk_shape(Some(chunk[..shape.len()].to_vec()));
        let frame = dump_frame(&case.view(), &options).unwrap();
        let reader = FrameReader::new(&frame[..], &Limits::default()).unwrap();
        let (mut start, mut count) = (Vec::new(), Vec::new());
        for (&(low, n), &all) in cut.iter().zip(&shape) {
            start.push(low % (all + 1));
            count.push(n % (all + 1 - start.last().unwrap()));
        }
        let part = reader.read_part(&start, &count).unwrap();
        let view = case.view();
        let shift: isize = start.iter().zip(view.strides()).map(|(&i, &s)| i as isize * s).sum();
        let origin = case.origin.wrapping_add_signed(shift);
        let want = match count.contains(&0) {
            true => ArrayView::new(view.dtype().clone(), &count, view.strides(), &[], 0).unwrap(),
            false => ArrayView::new(
                view.dtype().clone(), &count, view.strides(), &case.bytes, origin,
            ).unwrap(),
        };
        assert_same(&part.view(), &want, "part");
    }
}

/// A small frame of several chunks.
fn sample(pipeline: &str) -> Vec<u8> {
    let bytes: Vec<u8> = (0..60u16).flat_map(|i| (i / 3).to_le_bytes()).collect();
    let view = ArrayView::contiguous("<u2".parse().unwrap(), &[60], Order::C, &bytes).unwrap();
    dump_frame(&view, &options(pipeline).with_chunk_shape(Some(vec![25]))).unwrap()
}

fn read_both(frame: &[u8]) -> [ndbytes::Result<Vec<u8>>; 2] {
    let limits = Limits::default().with_bytes(1 << 20);
    let streamed = read_frame(&mut &frame[..], &limits).map(|array| array.bytes().to_vec());
    let placed = FrameReader::new(frame, &limits)
        .and_then(|reader| reader.read())
        .map(|array| array.bytes().to_vec());
    [streamed, placed]
}

#[test]
fn frames_follow_one_another_on_a_stream() {
    let frames = [sample("raw"), sample("lz4"), sample("pco")].concat();
    let mut source = &frames[..];
    for _ in 0..3 {
        read_frame(&mut source, &Limits::default()).unwrap();
    }
    assert_eq!(code(read_frame(&mut source, &Limits::default())), Code::EndOfStream);
    // By position, a frame fills its source.
    assert!(FrameReader::new(&frames[..], &Limits::default()).is_err());
}

#[test]
fn announcements_are_capped_before_anything_is_taken() {
    let frame = sample("zstd");
    let limits = Limits::default().with_bytes(119);
    assert_eq!(code(read_frame(&mut &frame[..], &limits)), Code::TooManyBytes);
    assert_eq!(code(FrameReader::new(&frame[..], &limits)), Code::TooManyBytes);
    let array =
        ndbytes::Header::new("<f8".parse().unwrap(), Order::C, vec![1 << 50, 1 << 8]).unwrap();
    let header = ndbytes::frame_format::FrameHeader::new(
        array,
        ndbytes::frame_format::Family::Raw,
        vec![1 << 20, 1 << 7],
    );
    assert_eq!(code(header.map_err(Into::into)), Code::TooManyBytes);
    // A chunk's record that announces 4 GiB for a chunk of 50 bytes.
    let (header, len) = read_frame_header(&mut &frame[..], &Limits::default()).unwrap();
    let mut lie = frame[..len].to_vec();
    lie.extend(ndbytes::frame_format::Record::Chunk(u32::MAX).encode());
    assert_eq!(code(read_frame(&mut &lie[..], &Limits::default())), Code::FrameRecord);
    let mut out = [0; 10];
    let layout = Strided { origin: 0, strides: &[2] };
    let into = read_frame_into(&mut &frame[len..], &header, len, &mut out, layout);
    assert_eq!(code(into), Code::OutOfBounds);
}

#[test]
fn forged_indexes_are_refused() {
    let frame = sample("raw");
    let reader = FrameReader::new(&frame[..], &Limits::default()).unwrap();
    let mut places = reader.places().to_vec();
    let index_at = frame.len() - reader.header().index_len();
    let forged = |places: &[ndbytes::frame_format::ChunkPlace]| {
        [&frame[..index_at], &sealed(ndbytes::frame_format::encode_index(places))].concat()
    };
    assert!(read_both(&forged(&places)).iter().all(Result::is_ok));
    // Two names for one chunk.
    let twice = [places[0], places[0], places[2]];
    for read in read_both(&forged(&twice)) {
        assert_eq!(code(read), Code::FrameIndex);
    }
    // Chunks in another order are fine by position, where the index counts.
    places.swap(0, 1);
    let [streamed, placed] = read_both(&forged(&places));
    assert_eq!(code(streamed), Code::FrameIndex);
    assert!(placed.is_ok());
    for shift in [1, 8, 1 << 40] {
        let mut places = reader.places().to_vec();
        places[1].offset += shift;
        for read in read_both(&forged(&places)) {
            assert_eq!(code(read), Code::FrameIndex);
        }
    }
}
