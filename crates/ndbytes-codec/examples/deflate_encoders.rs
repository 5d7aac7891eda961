//! Compares the encoders that blocks of deflate could be given to, on files.
//!
//! `cargo run --release -p ndbytes-codec --example deflate_encoders -- LEVELS MIB FILE[:ITEM]...`, as
//! in `... -- 1,6,9 2 bench/corpus/data/walk_f8.npy:8 /etc/services`. Of each file the first MIB are
//! taken, the head of an `.npy` left out; ITEM is the size of its items, 1 unless given. One line
//! for each level: ratio and MB/s of a thread, in seconds of the processor (Linux), for our
//! encoder, zlib-rs without and with the 32 KiB before a block, and what `compress` does with
//! items known and guessed.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use flate2::{Compress, Compression, FlushCompress, Status};
use ndbytes_codec::deflate::{BLOCK_SIZE, BlockEncoder, MixedEncoder};
use ndbytes_codec::{Codec, decompress};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [levels, mib, files @ ..] = &arguments[..] else {
        return Err("levels, MiB and files are wanted".into());
    };
    let mut out = std::io::stdout();
    writeln!(out, "file level: ours | zlib-rs | with window | mixed, items known | guessed")?;
    for file in files {
        let (path, item) = file.rsplit_once(':').unwrap_or((file, "1"));
        let mut data = std::fs::read(path)?;
        if let [0x93, b'N', b'U', b'M', b'P', b'Y', 1, 0, low, high, ..] = data[..] {
            data.drain(..10 + usize::from(u16::from_le_bytes([low, high])));
        }
        data.truncate(mib.parse::<usize>()? << 20);
        for level in levels.split(',') {
            let (level, item) = (level.parse()?, item.parse()?);
            let ways: [&dyn Fn() -> Vec<u8>; 5] = [
                &|| ours(&data, level, item),
                &|| zlib(&data, level, false),
                &|| zlib(&data, level, true),
                &|| mixed(&data, level, item),
                &|| mixed(&data, level, 0),
            ];
            write!(out, "{path} {level}:")?;
            for way in ways {
                let (mut seconds, mut stream) = (f64::INFINITY, Vec::new());
                for _ in 0..2 {
                    let clock = Clock::new();
                    stream = way();
                    seconds = clock.seconds().min(seconds);
                }
                if decompress(Codec::Deflate, &*stream, u64::MAX)? != data {
                    return Err(format!("{path} does not come back").into());
                }
                let len = data.len() as f64;
                write!(out, " {:.3} {:.0} |", len / stream.len() as f64, len / seconds / 1e6)?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

fn ours(data: &[u8], level: u32, item: usize) -> Vec<u8> {
    let mut encoder = BlockEncoder::new(level, item);
    blocks(data, |_, block, last, out| encoder.encode(block, last, out))
}

fn mixed(data: &[u8], level: u32, item: usize) -> Vec<u8> {
    let mut encoder = MixedEncoder::new(level);
    blocks(data, |before, block, last, out| encoder.encode(before, block, item, last, out))
}

fn zlib(data: &[u8], level: u32, window: bool) -> Vec<u8> {
    let mut encoder = Compress::new(Compression::new(level), false);
    blocks(data, |before, block, last, out| {
        encoder.reset();
        if window && !before.is_empty() {
            let _ = encoder.set_dictionary(before);
        }
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        loop {
            out.reserve(block.len() / 2 + 1024);
            let rest = &block[encoder.total_in() as usize..];
            match encoder.compress_vec(rest, out, flush) {
                Ok(Status::StreamEnd) | Err(_) => break,
                Ok(_) if !last && out.len() < out.capacity() => break,
                Ok(_) => {}
            }
        }
    })
}

fn blocks(data: &[u8], mut encode: impl FnMut(&[u8], &[u8], bool, &mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut start = 0;
    for block in data.chunks(BLOCK_SIZE) {
        let before = &data[start.max(MixedEncoder::WINDOW) - MixedEncoder::WINDOW..start];
        start += block.len();
        encode(before, block, start == data.len(), &mut out);
    }
    out
}

/// Time: of the processor where the system tells it, else of the wall.
struct Clock(Instant, Option<f64>);

impl Clock {
    fn new() -> Self {
        Self(Instant::now(), Self::processor())
    }

    fn seconds(&self) -> f64 {
        match (self.1, Self::processor()) {
            (Some(begin), Some(end)) => end - begin,
            _ => self.0.elapsed().as_secs_f64(),
        }
    }

    fn processor() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
    }
}
