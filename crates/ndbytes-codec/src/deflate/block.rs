//! Writing one block of deflate: stored, fixed or dynamic, whichever is least. RFC 1951, sections
//! 3.2.4 to 3.2.7.

use super::bits::BitWriter;
use super::cost::Counts;
use super::huffman::Code;
use super::symbols::{
    DISTANCE_BASES, DISTANCE_EXTRA, DISTANCES, END, LENGTH_BASES, LENGTH_EXTRA, LITLENS, MAX_MATCH,
    MIN_MATCH, Step, distance_slot, length_slot,
};

/// Writes `data`, which `steps` describe and `counts` count, as one block or, stored, as several: also
/// where that takes up to `spare` bits more.
pub(super) fn write(
    writer: &mut BitWriter<'_>,
    data: &[u8],
    steps: &[Step],
    counts: &mut Counts,
    spare: u64,
    last: bool,
) {
    counts.litlen[END] = 1;
    let extra = counts.extra_bits();
    let litlen = Code::of(&counts.litlen, LITLEN_LIMIT);
    let distance = Code::of(&counts.distance, 15);
    let header = Header::of(&litlen, &distance);
    let dynamic = header.bits + size(counts, &litlen.lengths, &distance.lengths);
    let fixed = size(counts, &FIXED_LITLEN, &[5; DISTANCES]);
    let stored = data.len() as u64 * 8 + (data.len().div_ceil(STORED_MAX) as u64) * 40;
    if stored <= dynamic.min(fixed) + extra + 3 + spare {
        return write_stored(writer, data, last);
    }
    writer.reserve(((dynamic.min(fixed) + extra) / 8) as usize + 64);
    if fixed <= dynamic {
        writer.add(u64::from(last) | 1 << 1, 3);
        let mut lengths = [8; LITLENS];
        lengths.copy_from_slice(&FIXED_LITLEN);
        // The two symbols that are never used count for the code.
        let mut all = [8; LITLENS + 2];
        all[..LITLENS].copy_from_slice(&lengths);
        let code = Code::from_lengths(all);
        let mut words = [0; LITLENS];
        words.copy_from_slice(&code.words[..LITLENS]);
        write_steps(writer, data, steps, &words, &Code::from_lengths([5; DISTANCES]).words);
    } else {
        writer.add(u64::from(last) | 2 << 1, 3);
        header.write(writer);
        write_steps(writer, data, steps, &litlen.words, &distance.words);
    }
}

/// Writes `data` as it is.
pub(super) fn write_stored(writer: &mut BitWriter<'_>, data: &[u8], last: bool) {
    let mut pieces = data.chunks(STORED_MAX).peekable();
    while let Some(piece) = pieces.next() {
        stored_header(writer, piece.len(), last && pieces.peek().is_none());
        writer.bytes(piece);
    }
}

/// Writes a stored block of nothing: what comes next begins with a whole byte.
pub(super) fn write_empty(writer: &mut BitWriter<'_>, last: bool) {
    stored_header(writer, 0, last);
}

fn stored_header(writer: &mut BitWriter<'_>, length: usize, last: bool) {
    writer.reserve(16);
    writer.add(u64::from(last), 3);
    writer.align();
    let length = length as u64 & 0xffff;
    writer.add(length | (length ^ 0xffff) << 16, 32);
    writer.flush();
}

fn size(counts: &Counts, litlen: &[u8; LITLENS], distance: &[u8; DISTANCES]) -> u64 {
    let of = |counts: &[u32], lengths: &[u8]| -> u64 {
        counts.iter().zip(lengths).map(|(&n, &length)| u64::from(n) * u64::from(length)).sum()
    };
    of(&counts.litlen, litlen) + of(&counts.distance, distance)
}

fn write_steps(
    writer: &mut BitWriter<'_>,
    data: &[u8],
    steps: &[Step],
    litlen: &[u32; LITLENS],
    distances: &[u32; DISTANCES],
) {
    // Symbol and extra bits of every length in one word.
    let mut lengths = [0u32; 256];
    for (index, word) in lengths.iter_mut().enumerate() {
        let slot = length_slot(index + MIN_MATCH);
        let symbol = litlen[257 + slot];
        let extra = (index + MIN_MATCH) as u32 - u32::from(LENGTH_BASES[slot]);
        *word = (symbol & !0xff) | extra << ((symbol & 0xff) + 8);
        *word += (symbol & 0xff) + u32::from(LENGTH_EXTRA[slot]);
    }
    let mut rest = data;
    for step in steps {
        let (literals, after) = rest.split_at((step.literals as usize).min(rest.len()));
        write_literals(writer, literals, litlen);
        let length = usize::from(step.length);
        if length > 0 {
            debug_assert!((MIN_MATCH..=MAX_MATCH).contains(&length));
            let word = lengths[(length - MIN_MATCH) & 255];
            writer.add(u64::from(word >> 8), word & 0xff);
            let slot = distance_slot(usize::from(step.distance));
            let word = distances[slot % DISTANCES];
            let extra = step.distance - DISTANCE_BASES[slot % DISTANCES];
            let bits = u64::from(word >> 8) | u64::from(extra) << (word & 0xff);
            writer.add(bits, (word & 0xff) + u32::from(DISTANCE_EXTRA[slot % DISTANCES]));
            writer.flush();
        }
        rest = after.get(length..).unwrap_or(&[]);
    }
    debug_assert!(rest.is_empty());
    let word = litlen[END];
    writer.add(u64::from(word >> 8), word & 0xff);
    writer.flush();
}

fn write_literals(writer: &mut BitWriter<'_>, literals: &[u8], litlen: &[u32; LITLENS]) {
    // Put together by twos, so that a symbol does not wait for all those before it.
    let two = |first: u8, second: u8| {
        let (first, second) = (litlen[usize::from(first)], litlen[usize::from(second)]);
        let bits = u64::from(first >> 8) | u64::from(second >> 8) << (first & 0xff);
        (bits, (first & 0xff) + (second & 0xff))
    };
    let (fours, rest) = literals.as_chunks();
    for &[first, second, third, fourth] in fours {
        let ((low, count), (high, more)) = (two(first, second), two(third, fourth));
        writer.add(low | high << count, count + more);
        writer.flush();
    }
    for &byte in rest {
        let word = litlen[usize::from(byte)];
        writer.add(u64::from(word >> 8), word & 0xff);
    }
    writer.flush();
}

/// The two codes, as a dynamic block begins with.
struct Header {
    litlens: usize,
    distances: usize,
    /// Symbol, extra bits, their count.
    symbols: Vec<(u8, u8, u8)>,
    code: Code<19>,
    /// How many lengths of the code are sent.
    sent: usize,
    bits: u64,
}

impl Header {
    fn of(litlen: &Code<LITLENS>, distance: &Code<DISTANCES>) -> Self {
        let used = |lengths: &[u8], least: usize| {
            lengths.iter().rposition(|&length| length > 0).map_or(least, |at| (at + 1).max(least))
        };
        let litlens = used(&litlen.lengths, 257);
        let distances = used(&distance.lengths, 1);
        let mut all = litlen.lengths[..litlens].to_vec();
        all.extend_from_slice(&distance.lengths[..distances]);
        let symbols = run_lengths(&all);
        let mut counts = [0; 19];
        for &(symbol, _, _) in &symbols {
            counts[usize::from(symbol)] += 1;
        }
        let code = Code::of(&counts, 7);
        let in_order = |at: &usize| code.lengths[usize::from(LENGTH_ORDER[*at])] > 0;
        let sent = (0..19).rev().find(in_order).map_or(4, |at| (at + 1).max(4));
        let body: u64 = symbols
            .iter()
            .map(|&(symbol, _, extra)| {
                u64::from(code.lengths[usize::from(symbol)]) + u64::from(extra)
            })
            .sum();
        let bits = 14 + 3 * sent as u64 + body;
        Self { litlens, distances, symbols, code, sent, bits }
    }

    fn write(&self, writer: &mut BitWriter<'_>) {
        writer.add(self.litlens as u64 - 257, 5);
        writer.add(self.distances as u64 - 1, 5);
        writer.add(self.sent as u64 - 4, 4);
        for &symbol in &LENGTH_ORDER[..self.sent] {
            writer.add(u64::from(self.code.lengths[usize::from(symbol)]), 3);
            writer.flush();
        }
        for &(symbol, extra, count) in &self.symbols {
            let word = self.code.words[usize::from(symbol)];
            writer.add(u64::from(word >> 8), word & 0xff);
            writer.add(u64::from(extra), u32::from(count));
            writer.flush();
        }
    }
}

/// The lengths with their runs told as such: section 3.2.7.
fn run_lengths(lengths: &[u8]) -> Vec<(u8, u8, u8)> {
    let mut symbols = Vec::with_capacity(lengths.len());
    for run in lengths.chunk_by(|a, b| a == b) {
        let (value, mut left) = (run[0], run.len());
        if value == 0 {
            while left >= 11 {
                let taken = left.min(138);
                symbols.push((18, (taken - 11) as u8, 7));
                left -= taken;
            }
            if left >= 3 {
                symbols.push((17, (left - 3) as u8, 3));
                left = 0;
            }
        } else {
            symbols.push((value, 0, 0));
            left -= 1;
            while left >= 3 {
                // Not six of seven or eight, which would leave one or two by themselves.
                let taken = if (7..9).contains(&left) { left - 3 } else { left.min(6) };
                symbols.push((16, (taken - 3) as u8, 2));
                left -= taken;
            }
        }
        symbols.extend(std::iter::repeat_n((value, 0, 0), left));
    }
    symbols
}

/// Four literals, of this length at most, fit between two flushes.
const LITLEN_LIMIT: usize = 14;
/// The most that a stored block holds.
const STORED_MAX: usize = 65_535;
const LENGTH_ORDER: [u8; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const FIXED_LITLEN: [u8; LITLENS] = {
    let mut lengths = [8; LITLENS];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    lengths
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back() {
        let mut state = 1u32;
        for case in 0..500 {
            let mut lengths = Vec::new();
            while lengths.len() < 300 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let value = (state >> 28) as u8 * u8::from(state & 3 != 0);
                lengths.extend(vec![value; (state >> 16) as usize % (1 + case)]);
                lengths.push(value);
            }
            let mut back = Vec::new();
            for (symbol, extra, _) in run_lengths(&lengths) {
                let extra = usize::from(extra);
                let (value, count) = match symbol {
                    16 => (back[back.len() - 1], extra + 3),
                    17 => (0, extra + 3),
                    18 => (0, extra + 11),
                    value => (value, 1),
                };
                back.extend(vec![value; count]);
            }
            assert_eq!(back, lengths);
        }
    }
}
