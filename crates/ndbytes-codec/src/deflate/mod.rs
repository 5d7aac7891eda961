//! Deflate for arrays: blocks that are compressed alone and joined to one stream.
//!
//! [`BlockEncoder`] writes RFC 1951. Each block ends with a whole byte and refers to nothing
//! before itself, so that blocks can be made and read in parallel, and their bytes, one behind
//! another, are one stream for everybody else.

mod bits;
mod block;
mod cost;
mod finder;
mod huffman;
mod inflate;
mod mixed;
mod parse;
mod piece;
mod symbols;

pub use inflate::{BlockDecoder, BlockStart, Halt, Inflater, Stretch, StretchDecoder};
pub use mixed::MixedEncoder;
pub use piece::{Damage, PieceDecoder, Progress, Stop, find_cut};

use bits::BitWriter;
use cost::{BIT, Counts};
use parse::{Parser, Segment};
use symbols::Step;

/// Compresses blocks, each alone.
///
/// In arrays of numbers, what repeats does so at multiples of a period: the size of the items, or
/// of a few that belong together. The bytes depend on block, level and period alone, not on what
/// was encoded before, nor on the machine.
pub struct BlockEncoder {
    level: u32,
    parser: Parser,
    steps: Vec<Step>,
}

/// A good size for blocks: smaller ones lose what repeats between them, larger ones are too few
/// to share among threads.
pub const BLOCK_SIZE: usize = 512 << 10;

/// The period of an array with items of this size, whose last axis (the one that lies together in
/// memory) is this long: a short last axis, such as the colours of a pixel, is one record.
pub const fn period(itemsize: usize, last_axis: usize) -> usize {
    match itemsize.checked_mul(last_axis) {
        Some(record) if record > 0 && record <= 16 => record,
        _ => itemsize,
    }
}

impl BlockEncoder {
    /// An encoder at this level (0 stores, 1 is fast, 9 is small; more counts as 9), for this
    /// [`period`]; 0 or 1 when nothing is known.
    pub fn new(level: u32, period: usize) -> Self {
        Self { level, parser: Parser::new(Effort::of(level), period), steps: Vec::new() }
    }

    /// Sets the [`period`] of the blocks to come.
    pub fn set_period(&mut self, period: usize) {
        self.parser.set_period(period);
    }

    /// Appends `block`, compressed, to `out`: whole bytes.
    ///
    /// The `last` one ends the stream; those before it end with an empty stored block, as zlib's
    /// `Z_FULL_FLUSH` does.
    pub fn encode(&mut self, block: &[u8], last: bool, out: &mut Vec<u8>) {
        let mut writer = BitWriter::new(out);
        writer.reserve(64);
        if block.is_empty() {
            block::write_empty(&mut writer, last);
            return writer.finish();
        }
        if self.level == 0 {
            block::write_stored(&mut writer, block, last);
            return writer.finish();
        }
        self.steps.clear();
        let segments = self.parser.parse(block, &mut self.steps);
        self.write(&mut writer, block, &segments, last);
        if last {
            writer.align();
        } else {
            block::write_empty(&mut writer, false);
        }
        writer.finish();
    }

    /// Joins segments that are alike, and writes a deflate block for each that remains.
    fn write(&self, writer: &mut BitWriter<'_>, data: &[u8], segments: &[Segment], last: bool) {
        let (mut start, mut first) = (0, 0);
        let mut counts = Counts::EMPTY;
        let mut alone = 0;
        for (index, segment) in segments.iter().enumerate() {
            counts.add(&segment.counts);
            let end = index + 1 == segments.len();
            let split = segments.get(index + 1).is_none_or(|next| {
                let mut joined = counts.clone();
                joined.add(&next.counts);
                if alone == 0 {
                    alone = counts.entropy();
                }
                let together = joined.entropy();
                let apart = alone + next.counts.entropy() + HEADER;
                alone = together;
                together > apart
            });
            if split {
                let steps = &self.steps[first..segment.steps];
                let part = &data[start..segment.end];
                let spare = if self.level > 6 { 0 } else { part.len() as u64 * 8 / WORTH };
                block::write(writer, part, steps, &mut counts, spare, last && end);
                (start, first) = (segment.end, segment.steps);
                counts = Counts::EMPTY;
                alone = 0;
            }
        }
    }
}

/// How hard to look for matches.
#[derive(Clone, Copy)]
struct Effort {
    /// Bytes that are passed over at most when nothing was found for long.
    hurry: u32,
    /// A match of this length is taken at once.
    nice: usize,
    /// Whether the next byte is tried as well.
    lazy: bool,
    /// Whether everything is tried on every segment.
    thorough: bool,
}

impl Effort {
    fn of(level: u32) -> Self {
        let (nice, lazy, hurry) = match level {
            0 | 1 => (16, false, 7),
            2 => (16, false, 3),
            3 => (32, false, 1),
            4 => (32, true, 3),
            5 => (32, true, 2),
            6 => (64, true, 1),
            _ => (256, true, 0),
        };
        Self { nice, lazy, hurry, thorough: level > 6 }
    }
}

/// Up to level 6, what would save less than one part in so many is stored: it is read ten times as
/// fast.
const WORTH: u64 = 12;
/// What a deflate block's header costs, about.
const HEADER: u64 = 70 * 8 * BIT as u64;
