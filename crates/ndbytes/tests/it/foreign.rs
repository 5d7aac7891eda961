//! Archives as others write them, whose streams say nowhere where they could be entered.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndbytes::{
    Array, ArrayView, Code, Error, Limits, NpzReader, Order, Progress, ReadAt, dumps, with_threads,
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
        let told = [1, 2, 4].map(|threads| {
            read(&bytes, threads).map(|_| ()).map_err(|error| (error.code(), error.offset()))
        });
        assert!(told.iter().all(|one| *one == told[0]), "byte {at}: {told:?}");
        refused += usize::from(told[0].is_err());
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

/// A source that counts what is read of it by others than the first thread, fails from some byte on, and
/// gives few bytes at a time.
struct Source<'a> {
    bytes: &'a [u8],
    fails_from: u64,
    random: bool,
    by_others: AtomicUsize,
    first: std::thread::ThreadId,
}

impl<'a> Source<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let first = std::thread::current().id();
        Self { bytes, fails_from: u64::MAX, random: true, by_others: AtomicUsize::new(0), first }
    }

    fn read(&self, threads: usize) -> Result<Array, Error> {
        with_threads(Some(threads), || NpzReader::new(self, &Limits::default())?.read("a"))
    }
}

impl ReadAt for Source<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset + buffer.len() as u64 > self.fails_from && offset < self.bytes.len() as u64 - 500
        {
            return Err(io::Error::other("no more"));
        }
        let len = buffer.len().min(7001);
        let n = self.bytes.read_at(&mut buffer[..len], offset)?;
        if std::thread::current().id() != self.first {
            self.by_others.fetch_add(n, Ordering::Relaxed);
        }
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        self.bytes.size()
    }

    fn is_random(&self) -> bool {
        self.random
    }
}

#[test]
fn several_threads_read_where_that_costs_nothing() {
    let npy = npy(PLAN);
    let bytes = archive("a.npy", &npy, &deflate(&npy, 6));
    let mut source = Source::new(&bytes);
    assert!(npy.ends_with(source.read(1).unwrap().bytes()));
    assert_eq!(source.by_others.load(Ordering::Relaxed), 0);
    assert!(npy.ends_with(source.read(2).unwrap().bytes()));
    let by_others = source.by_others.swap(0, Ordering::Relaxed);
    assert!(by_others > bytes.len() / 8, "{by_others} of {}", bytes.len());
    source.random = false;
    assert!(npy.ends_with(source.read(4).unwrap().bytes()));
    assert_eq!(source.by_others.load(Ordering::Relaxed), 0);
    // What cannot be read is said by the thread that comes to it.
    for fails_from in [100_000, bytes.len() as u64 / 2, bytes.len() as u64 - 2000] {
        let mut source = Source::new(&bytes);
        source.fails_from = fails_from;
        let told = [1, 2, 4].map(|threads| source.read(threads).unwrap_err().to_string());
        assert!(told.iter().all(|one| one.contains("no more")), "{told:?}");
    }
}

#[test]
fn a_stream_without_blocks_to_enter_at_is_read_all_the_same() {
    let npy = npy(PLAN);
    // Blocks that have no codes of their own: the quickest search of zlib-rs writes nothing else.
    let stream = deflate(&npy, 1);
    let bytes = archive("a.npy", &npy, &stream);
    for threads in [1, 2, 4] {
        assert!(npy.ends_with(read(&bytes, threads).unwrap().bytes()));
    }
}
