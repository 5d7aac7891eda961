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
mod parse;
mod symbols;

use bits::BitWriter;
use cost::{BIT, Counts};
use parse::{Parser, Segment};
use symbols::Step;

/// Compresses blocks, each alone.
///
/// It knows the size of the items: in arrays of numbers, what repeats does so at multiples of it.
/// The bytes depend on block, level and item size alone, not on what was encoded before.
pub struct BlockEncoder {
    level: u32,
    parser: Parser,
    steps: Vec<Step>,
}

impl BlockEncoder {
    /// An encoder at this level (0 stores, 1 is fast, 9 is small; more counts as 9), for items of
    /// this many bytes; 0 or 1 when nothing is known of them.
    pub fn new(level: u32, itemsize: usize) -> Self {
        Self {
            level,
            parser: Parser::new(Effort::of(level), itemsize),
            steps: Vec::new(),
        }
    }

    /// Appends `block`, compressed, to `out`: whole bytes.
    ///
    /// The `last` one ends the stream; those before it end with an empty stored block, as zlib's
    /// `Z_FULL_FLUSH` does.
    pub fn encode(&mut self, block: &[u8], last: bool, out: &mut Vec<u8>) {
        let mut writer = BitWriter::new(out);
        writer.reserve(64);
        if self.level == 0 || block.is_empty() {
            block::write_stored(&mut writer, block, last);
            if block.is_empty() && last {
                block::write_empty(&mut writer, true);
            }
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
                block::write(writer, &data[start..segment.end], steps, &mut counts, last && end);
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
    /// Every how many bytes inside of a match are entered.
    inside: usize,
    /// A match of this length is taken at once.
    nice: usize,
    /// Whether the next byte is tried as well.
    lazy: bool,
}

impl Effort {
    fn of(level: u32) -> Self {
        let (nice, lazy, hurry, inside) = match level {
            0 | 1 => (16, false, 7, 4),
            2 => (16, false, 7, 2),
            3 => (16, false, 3, 1),
            4 => (32, true, 3, 2),
            5 => (32, true, 1, 1),
            _ => (64, true, 0, 1),
        };
        Self { nice, lazy, hurry, inside }
    }
}

/// What a deflate block's header costs, about.
const HEADER: u64 = 70 * 8 * BIT as u64;
