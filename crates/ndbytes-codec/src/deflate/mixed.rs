//! Blocks of any bytes, each compressed by the encoder that suits it.

use flate2::{Compress, Compression, FlushCompress, Status};

use super::symbols::WINDOW;
use super::{BLOCK_SIZE, BlockEncoder};

/// Compresses the blocks of a stream: numbers by [`BlockEncoder`], text by zlib.
///
/// The bytes depend on the block, the window before it, level and period alone.
pub struct MixedEncoder {
    level: u32,
    numbers: Option<BlockEncoder>,
    text: Option<Compress>,
    trial: Vec<u8>,
}

impl MixedEncoder {
    /// An encoder at this level: 0 stores, 1 is fast, 9 is small; more counts as 9.
    pub fn new(level: u32) -> Self {
        Self { level: level.min(9), numbers: None, text: None, trial: Vec::new() }
    }

    /// Appends `block`, compressed, to `out`: whole bytes, as [`BlockEncoder::encode`] does.
    ///
    /// `before` is what precedes the block in the stream: [`MixedEncoder::WINDOW`] bytes, or all
    /// that there are. A [`period`](super::period) of 0 is guessed.
    pub fn encode(
        &mut self,
        before: &[u8],
        block: &[u8],
        period: usize,
        last: bool,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        let period = if period == 0 { guess_period(block) } else { period };
        let done = if self.level > 0 && is_text(block) {
            self.deflate(before, block, last, out)
        } else {
            // What is no text seldom repeats what is before the block; without it, the block
            // inflates alone.
            self.level > BY_NUMBERS
                && self.is_smaller_by_zlib(block, period)
                && self.deflate(&[], block, last, out)
        };
        if !done {
            out.truncate(start);
            self.numbers(period).encode(block, last, out);
        }
    }

    /// How far back a block may refer.
    pub const WINDOW: usize = WINDOW;

    fn numbers(&mut self, period: usize) -> &mut BlockEncoder {
        let level = self.level;
        let encoder = self.numbers.get_or_insert_with(|| BlockEncoder::new(level, period));
        encoder.set_period(period);
        encoder
    }

    /// Whether zlib makes a sample of the block smaller than our encoder does.
    fn is_smaller_by_zlib(&mut self, block: &[u8], period: usize) -> bool {
        let start = block.len().saturating_sub(SAMPLE) / 2;
        let start = start - start % period;
        let sample = &block[start..block.len().min(start + SAMPLE)];
        let mut trial = std::mem::take(&mut self.trial);
        trial.clear();
        self.numbers(period).encode(sample, true, &mut trial);
        let ours = trial.len();
        trial.clear();
        let done = self.deflate(&[], sample, true, &mut trial);
        let theirs = trial.len();
        self.trial = trial;
        done && theirs < ours
    }

    /// As zlib has it; says whether it could.
    fn deflate(&mut self, before: &[u8], block: &[u8], last: bool, out: &mut Vec<u8>) -> bool {
        // Level 1 of zlib-rs has fixed codes alone: it loses to level 1 of zlib, and noise grows.
        let level = Compression::new(self.level.max(2));
        let mut encoder = self.text.take().unwrap_or_else(|| Compress::new(level, false));
        encoder.reset();
        let window = &before[before.len().saturating_sub(WINDOW)..];
        if !window.is_empty() && encoder.set_dictionary(window).is_err() {
            return false;
        }
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        loop {
            out.reserve(block.len() / 2 + ROOM);
            let rest = block.get(encoder.total_in() as usize..).unwrap_or(&[]);
            match encoder.compress_vec(rest, out, flush) {
                Ok(Status::StreamEnd) => break,
                // Room that is left over says that all has come out.
                Ok(_) if out.len() < out.capacity() && !last => break,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
        self.text = Some(encoder);
        true
    }
}

/// Whether this is text: UTF-8 without control characters, in a sample.
fn is_text(block: &[u8]) -> bool {
    let pieces = block.len().div_ceil(TEXT_PIECE).min(TEXT_PIECES);
    !block.is_empty()
        && (0..pieces).all(|i| {
            let start = (block.len() / pieces) * i;
            let piece = &block[start..block.len().min(start + TEXT_PIECE)];
            // A character may be cut at either end.
            let begin = piece.iter().take(3).take_while(|&&b| b & 0xc0 == 0x80).count();
            let piece = &piece[begin..];
            let controls = piece.iter().any(|&b| b < 0x20 && !matches!(b, b'\t'..=b'\r' | 0x1b));
            !controls
                && std::str::from_utf8(piece).map_or_else(|e| e.error_len().is_none(), |_| true)
        })
}

/// The distance, of those that sizes of items have, at which the most bytes of a sample repeat.
fn guess_period(block: &[u8]) -> usize {
    let piece = (block.len() / PERIOD_PIECES).min(PERIOD_PIECE);
    let mut best = (0, 1);
    for period in PERIODS {
        let same: usize = (0..PERIOD_PIECES)
            .map(|i| {
                let start = (block.len() - piece) / PERIOD_PIECES * i;
                let piece = &block[start..start + piece];
                let later = piece.get(period..).unwrap_or(&[]);
                piece.iter().zip(later).filter(|(a, b)| a == b).count()
            })
            .sum();
        // A multiple of the period repeats about as much.
        if same > best.0 + best.0 / 16 {
            best = (same, period);
        }
    }
    best.1
}

/// The highest level at which numbers are given to our encoder without a trial.
const BY_NUMBERS: u32 = 6;
/// Bytes that are tried.
const SAMPLE: usize = BLOCK_SIZE / 8;
/// Bytes that zlib has room for beyond half of the block.
const ROOM: usize = 1024;
const TEXT_PIECE: usize = 512;
const TEXT_PIECES: usize = 16;
const PERIOD_PIECE: usize = 2048;
const PERIOD_PIECES: usize = 4;
const PERIODS: [usize; 8] = [1, 2, 3, 4, 6, 8, 12, 16];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_known_wherever_it_is_cut() {
        let text = "Zeile, строка, 行, línea\n".repeat(4000);
        for start in 0..30 {
            for end in (text.len() - 30..text.len()).chain([start + 1, start + 600]) {
                assert!(is_text(&text.as_bytes()[start..end]), "{start} {end}");
            }
        }
        assert!(is_text(b"\x1b[1mbold\x1b[0m\r\n\x0c"));
    }

    #[test]
    fn numbers_are_no_text() {
        let bytes = |numbers: &[f64]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let floats: Vec<u8> = bytes(&[1.5, 1e300, -2.25, 0.1].repeat(100));
        let latin: Vec<u8> = (0..1000).map(|i| 0x80 | i as u8).collect();
        for data in [&floats, &vec![0; 100], &vec![0xff; 100], &latin, &vec![]] {
            assert!(!is_text(data));
        }
    }

    #[test]
    fn periods_are_guessed() {
        let halves: Vec<u8> = (0..9000u16).flat_map(u16::to_le_bytes).collect();
        let words: Vec<u8> = (0..9000u32).flat_map(|i| (i * 77).to_le_bytes()).collect();
        let longs: Vec<u8> = (0..9000u64).flat_map(|i| (i * 7_654_321).to_le_bytes()).collect();
        let pixels: Vec<u8> = (0..9000u32).flat_map(|i| [(i / 9) as u8, 200, 7]).collect();
        for (data, period) in [(halves, 2), (words, 4), (longs, 8), (pixels, 3)] {
            assert_eq!(guess_period(&data), period);
            // Sizes at which there is little or nothing to see.
            for len in 0..70 {
                assert!(PERIODS.contains(&guess_period(&data[..len])));
            }
        }
    }
}
