//! How fast Blosc buffers are written and read, in memory.
//!
//! `cargo run --release --example blosc_speed` prints a table for a random walk of float64.
//! `bench/blosc_codec.py` runs it with `--serve` and a file, to take turns with C-Blosc2: each line
//! `CODEC LEVEL FILTER TYPESIZE THREADS` is answered by the size and the seconds to encode and to
//! decode. Of one thread those are seconds of the processor where the system tells them, which
//! others that run do not lengthen.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a table for a terminal")]

use std::io::BufRead;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use ndbytes_codec::blosc::{Codec, Decoder, Encoder, Filter, Options};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, serve, path] = &arguments[..]
        && serve == "--serve"
    {
        let data = std::fs::read(path).unwrap();
        let mut out = vec![0; data.len()];
        for line in std::io::stdin().lock().lines() {
            let line = line.unwrap();
            let words: Vec<_> = line.split_whitespace().collect();
            let (options, threads) = options(&words);
            let (size, encode, decode) = round(&data, &mut out, &options, threads);
            println!("{size} {encode} {decode}");
        }
        return;
    }
    let data = random_walk();
    let mut out = vec![0; data.len()];
    println!("codec level filter      threads   ratio  encode MB/s  decode MB/s");
    for (codec, level) in [("lz4", "1"), ("zstd", "1"), ("zstd", "3"), ("zlib", "1"), ("raw", "1")]
    {
        for filter in ["none", "shuffle", "bitshuffle"] {
            for threads in ["1", "2"] {
                let (options, count) = options(&[codec, level, filter, "8", threads]);
                let mut best = (0, f64::INFINITY, f64::INFINITY);
                for _ in 0..5 {
                    let (size, encode, decode) = round(&data, &mut out, &options, count);
                    best = (size, best.1.min(encode), best.2.min(decode));
                }
                let speed = |seconds| data.len() as f64 / seconds / 1e6;
                println!(
                    "{codec:5} {level:>5} {filter:11} {threads:>7} {:7.3} {:12.0} {:12.0}",
                    data.len() as f64 / best.0 as f64,
                    speed(best.1),
                    speed(best.2)
                );
            }
        }
    }
}

fn options(words: &[&str]) -> (Options, usize) {
    let codec = match words[0] {
        "raw" => Codec::Raw,
        "lz4" => Codec::Lz4,
        "zlib" => Codec::Zlib,
        _ => Codec::Zstd,
    };
    let filter = match words[2] {
        "none" => Filter::None,
        "shuffle" => Filter::Shuffle,
        _ => Filter::Bitshuffle,
    };
    let split = std::env::var("SPLIT").ok().map(|split| split == "1");
    let block_size = std::env::var("BLOCK").ok().map(|size| size.parse().unwrap());
    let level = words[1].parse().unwrap();
    let typesize = words[3].parse().unwrap();
    (
        Options { codec, level, filter, typesize, block_size, split, ..Options::default() },
        words[4].parse().unwrap(),
    )
}

/// Encodes and decodes once, chunk by chunk; the size and the seconds of both.
fn round(data: &[u8], out: &mut [u8], options: &Options, threads: usize) -> (usize, f64, f64) {
    let clock = Clock::new(threads);
    let chunks: Vec<&[u8]> = data.chunks(CHUNK).collect();
    let next = AtomicUsize::new(0);
    let encoded = std::thread::scope(|scope| {
        let work = || {
            let mut encoder = Encoder::new();
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(chunk) = chunks.get(index) else { return done };
                let mut buffer = Vec::new();
                encoder.encode(chunk, options, &mut buffer).unwrap();
                done.push((index, buffer));
            }
        };
        let handles: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        handles.into_iter().for_each(|handle| all.extend(handle.join().unwrap()));
        all.sort_unstable_by_key(|(index, _)| *index);
        all
    });
    let encode = clock.seconds();
    out.fill(0);
    let clock = Clock::new(threads);
    let outs = std::sync::Mutex::new(encoded.iter().zip(out.chunks_mut(CHUNK)));
    std::thread::scope(|scope| {
        let work = || {
            let mut decoder = Decoder::new();
            loop {
                let Some(((_, buffer), out)) = outs.lock().unwrap().next() else { return };
                decoder.decode(buffer, out).unwrap();
            }
        };
        (1..threads).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    let decode = clock.seconds();
    assert!(out == data);
    (encoded.iter().map(|(_, buffer)| buffer.len()).sum(), encode, decode)
}

/// Time: of the processor for one thread, else of the wall.
struct Clock {
    wall: Instant,
    processor: Option<f64>,
}

impl Clock {
    fn new(threads: usize) -> Self {
        let processor = if threads == 1 { processor_seconds() } else { None };
        Self { wall: Instant::now(), processor }
    }

    fn seconds(&self) -> f64 {
        match (self.processor, processor_seconds()) {
            (Some(begin), Some(end)) => end - begin,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

/// Seconds that this thread has run on Linux.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// 64 MiB of float64 whose steps are normal, by the sum of twelve uniform numbers.
fn random_walk() -> Vec<u8> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut value = 0.0;
    let walk = (0..1 << 23).flat_map(|_| {
        value += (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
        f64::to_le_bytes(value)
    });
    walk.collect()
}

const CHUNK: usize = 1 << 22;
