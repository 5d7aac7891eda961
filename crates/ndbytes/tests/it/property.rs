//! What holds of any array, any cut and any pieces.

use ndbytes::{
    ArrayView, Compression, ErrorKind, FrameOptions, Header, Limits, NpzReader, NpzWriter, Order,
    Strided, dump_frame, dumps, loads, read_npy, recv_into, tobytes, write_npy,
};
use ndbytes_testkit::transport::{HostileReader, HostileWriter, ReadRule, WriteRule};
use ndbytes_testkit::{oracle, strategy, targets};
use proptest::prelude::*;

use crate::assert_same;

fn order() -> impl Strategy<Value = Order> {
    any::<bool>().prop_map(|fortran| if fortran { Order::F } else { Order::C })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn tobytes_equals_the_oracle(case in strategy::case(), order in order()) {
        prop_assert_eq!(tobytes(&case.view(), order).unwrap(), oracle::tobytes(&case, order));
    }

    #[test]
    fn any_part_is_that_part_of_the_whole(
        case in strategy::case(),
        order in order(),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        let whole = oracle::tobytes(&case, order);
        let size = case.dtype.itemsize();
        prop_assume!(size > 0);
        let count = whole.len() / size;
        let (from, to) = (cut.0.index(count + 1), cut.1.index(count + 1));
        let (from, to) = (from.min(to), from.max(to));
        let mut part = vec![0xee; (to - from) * size];
        case.view().copy_to(&mut part, from, order).unwrap();
        prop_assert_eq!(&part, &whole[from * size..to * size]);
    }

    #[test]
    fn any_array_comes_back(case in strategy::case(), seed in any::<u64>()) {
        let view = case.view();
        let bytes = dumps(&view).unwrap();
        assert_same(&loads(&bytes, &Limits::default()).unwrap(), &view, &case.name);
        let mut sink = HostileWriter::new(WriteRule::Interrupts(seed));
        write_npy(&mut sink, &view).unwrap();
        prop_assert!(sink.arrived() == bytes);
        let mut source = HostileReader::new(sink.arrived(), ReadRule::Interrupts(seed));
        let array = read_npy(&mut source, &Limits::default()).unwrap();
        assert_same(&array.view(), &view, &case.name);
    }

    #[test]
    fn any_array_is_received_into_any_memory(case in strategy::case(), target in order(), spread in 1usize..3) {
        let view = case.view();
        let bytes = dumps(&view).unwrap();
        let header = Header::new(case.dtype.clone(), Order::C, case.shape.clone()).unwrap();
        let size = case.dtype.itemsize();
        let mut strides = ndbytes::strides(&case.shape, size, target);
        strides.iter_mut().for_each(|stride| *stride *= spread as isize);
        let len = header.nbytes() * spread;
        let mut out = vec![0; len.max(size)];
        let layout = Strided { origin: 0, strides: &strides };
        let limits = Limits::default();
        prop_assert!(recv_into(&mut &bytes[..], &header, &mut out, layout, &limits).unwrap());
        let got = ndbytes::ArrayView::new(case.dtype.clone(), &case.shape, &strides, &out, 0);
        assert_same(&got.unwrap(), &view, &case.name);
    }

    #[test]
    fn any_cut_is_truncated(case in strategy::case(), cut in any::<prop::sample::Index>()) {
        let bytes = dumps(&case.view()).unwrap();
        let end = 1 + cut.index(bytes.len() - 1);
        let error = loads(&bytes[..end], &Limits::default()).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::Truncated);
    }

    #[test]
    fn any_arrays_come_back_from_an_archive(
        cases in prop::collection::vec(("[a-zé/.]{1,8}", strategy::case()), 0..4),
        level in 0u32..10,
    ) {
        let mut writer = NpzWriter::new(Vec::new());
        let mut added = Vec::new();
        for (i, (key, case)) in cases.iter().enumerate() {
            let key = format!("{key}{i}");
            let compression =
                if i % 2 == 0 { Compression::Stored } else { Compression::Deflate(level) };
            writer.add(&key, &case.view(), compression).unwrap();
            added.push((key, case));
        }
        let bytes = writer.finish().unwrap();
        let reader = NpzReader::new(&bytes[..], &Limits::default()).unwrap();
        prop_assert!(reader.keys().eq(added.iter().map(|(key, _)| key.as_str())));
        for (key, case) in added {
            assert_same(&reader.read(&key).unwrap().view(), &case.view(), &case.name);
        }
    }

    #[test]
    fn damage_is_refused_or_harmless(
        case in strategy::case(),
        damage in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
    ) {
        let mut npy = dumps(&case.view()).unwrap();
        let mut writer = NpzWriter::new(Vec::new());
        writer.add("a", &case.view(), Compression::Deflate(1)).unwrap();
        let mut npz = writer.finish().unwrap();
        for (place, byte) in damage {
            let at = place.index(npy.len());
            npy[at] = byte;
            let at = place.index(npz.len());
            npz[at] = byte;
        }
        targets::npy_read(&npy);
        targets::recv(&npy);
        targets::npz_read(&npz);
    }

    #[test]
    fn a_damaged_frame_is_refused_or_harmless(
        case in strategy::case(),
        pipeline in prop::sample::select(&["raw", "lz4", "zstd-1-bitshuffle", "small"][..]),
        damage in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..4),
    ) {
        let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
        let mut frame = dump_frame(&case.view(), &options).unwrap();
        for (place, byte) in damage {
            let at = place.index(frame.len());
            frame[at] = byte;
        }
        targets::frame_read(&frame);
    }

    #[test]
    fn a_slice_of_a_frame_is_that_of_the_whole(
        case in strategy::case(),
        pipeline in prop::sample::select(&["raw", "lz4", "zstd-1-bitshuffle"][..]),
        choice in prop::array::uniform32(any::<u8>()),
        edge in 1usize..5,
    ) {
        let chunks = vec![edge; case.shape.len()];
        let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
        let frame = dump_frame(&case.view(), &options.with_chunk_shape(Some(chunks))).unwrap();
        targets::frame_part(&[&choice[..], &frame].concat());
    }

    #[test]
    fn a_reader_and_who_appends_see_the_same_frame(
        counts in (1usize..40, 0usize..9),
        chunk in 1usize..40,
        pipeline in prop::sample::select(&["raw", "lz4", "zstd", "pco"][..]),
        tail in any::<u16>(),
        damage in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 0..3),
    ) {
        let options = FrameOptions::default().with_pipeline(pipeline.parse().unwrap());
        let frame = |count: usize| {
            let items: Vec<u8> = (0..count).flat_map(|i| (i as u32 / 3).to_le_bytes()).collect();
            let view = ArrayView::contiguous("<u4".parse().unwrap(), &[count], Order::C, &items);
            let options = options.clone().with_chunk_shape(Some(vec![chunk]));
            dump_frame(&view.unwrap(), &options).unwrap()
        };
        let (before, mut after) = (frame(counts.0), frame(counts.0 + counts.1));
        for (place, byte) in damage {
            let at = place.index(after.len());
            after[at] = byte;
        }
        let cut = (after.len() as u16).to_le_bytes();
        targets::frame_journal(&[&cut[..], &tail.to_le_bytes(), &after, &before].concat());
    }

    #[test]
    fn no_bytes_break_anything(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        targets::npy_read(&bytes);
        targets::npz_read(&bytes);
        targets::frame_read(&bytes);
        targets::frame_part(&bytes);
        targets::frame_journal(&bytes);
        targets::inflate(&bytes);
        targets::deflate_decode(&bytes);
        targets::recv(&bytes);
        targets::roundtrip(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn streams_of_others_are_entered_anywhere(plan in prop::collection::vec(any::<u8>(), 5..26)) {
        targets::deflate_enter(&plan);
        targets::npz_foreign(&plan);
    }
}

/// A last block that is empty and stored ends where a piece does.
#[test]
fn a_stream_that_ends_at_a_cut_is_whole() {
    let plan = [199, 208, 0, 250, 80, 245, 96, 208, 176, 118, 167, 106];
    targets::inflate(&[&[134, 0, 0, 0, 0, 0], &plan[..]].concat());
}
