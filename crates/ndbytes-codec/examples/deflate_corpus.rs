//! Times the block encoder for `bench/corpus/deflate.py`.
//!
//! Each line of standard input is `LEVEL THREADS PERIOD FILE`; each line of output the bytes that
//! came out, the nanoseconds, and those of the processor in all threads (Linux), CRC-32 of the input included, as in a member of a `.npz`. A file
//! is inflated and compared before its first time is told.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Read, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use ndbytes_codec::deflate::{BLOCK_SIZE, BlockEncoder};

fn main() -> Result<(), Box<dyn Error>> {
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let fields: Vec<&str> = line.splitn(4, ' ').collect();
        let [level, threads, period, path] = fields[..] else {
            return Err("four fields are wanted".into());
        };
        let (level, threads, period) = (level.parse()?, threads.parse()?, period.parse()?);
        if !files.contains_key(path) {
            files.clear();
            files.insert(path.to_owned(), std::fs::read(path)?);
        }
        let data = &files[path];
        let start = Instant::now();
        let (stream, cpu) = compress(data, level, threads, period);
        let elapsed = start.elapsed();
        let mut back = Vec::with_capacity(data.len());
        flate2::read::DeflateDecoder::new(&*stream).read_to_end(&mut back)?;
        if back != *data {
            return Err(format!("{path} does not come back").into());
        }
        writeln!(std::io::stdout(), "{} {} {cpu}", stream.len(), elapsed.as_nanos())?;
    }
    Ok(())
}

fn compress(data: &[u8], level: u32, threads: usize, period: usize) -> (Vec<u8>, u64) {
    let blocks: Vec<&[u8]> = data.chunks(BLOCK_SIZE).collect();
    let next = AtomicUsize::new(0);
    let cpu = AtomicU64::new(0);
    let work = || {
        let before = thread_time();
        let mut encoder = BlockEncoder::new(level, period);
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = blocks.get(index) else { break };
            let mut out = Vec::with_capacity(block.len() / 2);
            encoder.encode(block, index + 1 == blocks.len(), &mut out);
            done.push((index, out, crc32fast::hash(block)));
        }
        cpu.fetch_add(thread_time() - before, Ordering::Relaxed);
        done
    };
    let mut parts: Vec<(usize, Vec<u8>, u32)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = work();
        parts.extend(others.into_iter().filter_map(|other| other.join().ok()).flatten());
        parts
    });
    parts.sort_unstable_by_key(|&(index, ..)| index);
    let before = thread_time();
    let stream = parts.iter().map(|(_, out, _)| out.as_slice()).collect::<Vec<_>>().concat();
    (stream, cpu.into_inner() + thread_time() - before)
}

/// The nanoseconds that this thread has had of a processor; 0 where the system does not tell.
fn thread_time() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|field| field.parse().ok()).unwrap_or(0)
}
