//! Archives as others write them, whose streams say nowhere where they could be entered.

use ndbytes::{
    Array, ArrayView, Code, Error, Limits, NpzReader, Order, Progress, dumps, with_threads,
};
use ndbytes_testkit::foreign::{archive, content, deflate};

/// The only array of an archive, read on so many threads.
fn read(bytes: &Vec<u8>, threads: usize) -> Result<Array, Error> {
    with_threads(Some(threads), || NpzReader::new(bytes, &Limits::default())?.read("a"))
}

fn npy(plan: &[u8]) -> Vec<u8> {
    let items = content(plan);
    let view = ArrayView::contiguous("|u1".parse().unwrap(), &[items.len()], Order::C, &items);
    dumps(&view.unwrap()).unwrap()
}

/// Noise, numbers, what repeats from far and near.
const PLAN: &[u8] = &[
    0x52, 0xf7, 0xf7, 0xfa, 0xf6, 0xf3, 0xf1, 0xfb, 0xf9, 0x8e, 0xf2, 0xfc, 0xf5, 0xf8, 0xfd, 0xf3,
    0xf7, 0xf6, 0xf2, 0xf5, 0x0e, 0xf9, 0xf8, 0xf4, 0xf3, 0xfa, 0xf7, 0xf2,
];

#[test]
fn a_stream_is_the_same_on_any_number_of_threads() {
    let npy = npy(PLAN);
    for level in [2, 6, 9] {
        let bytes = archive("a.npy", &npy, &deflate(&npy, level));
        for threads in [1, 2, 3, 5, 8] {
            let array = read(&bytes, threads).unwrap();
            assert!(npy.ends_with(array.bytes()), "level {level}, {threads} threads");
            assert_eq!(array.bytes().len(), array.shape()[0]);
        }
    }
}

#[test]
fn what_is_damaged_is_refused_on_any_number_of_threads() {
    let npy = npy(PLAN);
    let stream = deflate(&npy, 6);
    let mut refused = 0;
    for at in (0..stream.len()).step_by(stream.len() / 40) {
        let mut damaged = stream.clone();
        damaged[at] ^= 1 << (at % 8);
        let bytes = archive("a.npy", &npy, &damaged);
        let codes =
            [1, 2, 4].map(|threads| read(&bytes, threads).map(|_| ()).map_err(|e| e.code()));
        // A sum that is wrong in any case may hide what is wrong where.
        assert!(codes.iter().all(|code| *code == codes[0]), "byte {at}: {codes:?}");
        refused += usize::from(codes[0].is_err());
    }
    assert!(refused > 35, "{refused}");
    for len in (0..stream.len()).step_by(stream.len() / 20) {
        let bytes = archive("a.npy", &npy, &stream[..len]);
        let codes = [1, 2, 4].map(|threads| read(&bytes, threads).unwrap_err().code());
        assert_eq!(codes, [codes[0]; 3], "{len} bytes");
    }
    let longer = archive("a.npy", &npy, &[&stream[..], b"more"].concat());
    assert!([1, 2, 4].iter().all(|&n| read(&longer, n).is_err()));
    // More comes out than the directory says, also by what another thread inflates.
    for extra in [1, 1000, 60_000, 600_000] {
        let more = [&npy[..], &content(&[0xf7; 8])[..extra]].concat();
        let short = archive("a.npy", &npy, &deflate(&more, 6));
        let codes = [1, 2, 3, 4].map(|threads| read(&short, threads).unwrap_err().code());
        assert_eq!(codes, [Code::ZipRecord; 4], "{extra} bytes more");
    }
}

#[test]
fn who_asks_for_progress_can_end_it() {
    let npy = npy(PLAN);
    let bytes = archive("a.npy", &npy, &deflate(&npy, 6));
    let reader = NpzReader::new(&bytes, &Limits::default()).unwrap();
    let (header, member) = reader.array_member(0).unwrap();
    let mut out = vec![0; header.nbytes()];
    let ends = Progress::new(|done, _| match done {
        0..1_000_000 => Ok(()),
        _ => Err(Error::new(Code::Argument, "enough")),
    });
    let read =
        with_threads(Some(4), || NpzReader::read_data_with(&header, member, &mut out, &ends));
    assert_eq!(read.unwrap_err().code(), Code::Argument);
}
