//! Lookup tables for prefix codes: so many bits of input give a symbol and the length of its word.

use crate::deflate::symbols::{
    DISTANCE_BASES, DISTANCE_EXTRA, DISTANCES, END, LENGTH_BASES, LENGTH_EXTRA,
};

/// What a lookup gives: the word's length in bits 8 to 11, and in bits 0 to 7 how many it is with those
/// that follow; for lengths and distances the base in bits 16 to 30; for a literal bit 31 and the byte
/// from bit 16 on. A word longer than the table's bits leads to a second table: [`SECOND`], the
/// bits of that in bits 8 to 11, and where it begins from bit 16 on.
pub(super) type Entry = u32;

/// Bits of the word.
#[inline(always)]
pub(super) const fn word_bits(entry: Entry) -> u32 {
    entry >> 8 & 15
}

/// Bits of the word and of what follows it.
#[inline(always)]
pub(super) const fn all_bits(entry: Entry) -> u32 {
    entry & 63
}

/// The entry is a literal.
pub(super) const LITERAL: Entry = 1 << 31;
/// The entry is no length: one of those below, or no word at all.
pub(super) const SPECIAL: Entry = 1 << 15;
/// The entry leads to a second table.
pub(super) const SECOND: Entry = 1 << 14;
/// The entry ends the block.
pub(super) const END_OF_BLOCK: Entry = 1 << 13;

/// Bits of the first table for literals and lengths.
pub(super) const LITLEN_BITS: u32 = 11;
/// Bits of the first table for distances.
pub(super) const DISTANCE_BITS: u32 = 8;
/// Bits of the only table for lengths of words.
pub(super) const PRECODE_BITS: u32 = 7;

/// The tables of a block.
pub(super) struct Tables {
    // The most that codes of 288 and 32 symbols and 15 bits take, by zlib's `enough`.
    pub(super) litlen: [Entry; 2342],
    pub(super) distance: [Entry; 402],
    precode: [Entry; 1 << PRECODE_BITS],
    /// What the tables are of.
    lengths: [u8; 320],
    is_fixed: bool,
}

impl Tables {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            litlen: [SPECIAL; 2342],
            distance: [SPECIAL; 402],
            precode: [SPECIAL; 1 << PRECODE_BITS],
            lengths: [0; 320],
            is_fixed: false,
        })
    }

    /// The tables of the fixed code: RFC 1951, section 3.2.6.
    pub(super) fn fix(&mut self) {
        if self.is_fixed {
            return;
        }
        let mut lengths = [8; 320];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        lengths[288..].fill(5);
        let (litlen, distance) = lengths.split_at(288);
        build(&mut self.litlen, LITLEN_BITS, litlen, litlen_entry);
        build(&mut self.distance, DISTANCE_BITS, distance, distance_entry);
        self.is_fixed = true;
    }

    /// The table of the code that the lengths of words are written in; whether there is such a
    /// code.
    pub(super) fn set_precode(&mut self, lengths: &[u8; 19]) -> bool {
        build(&mut self.precode, PRECODE_BITS, lengths, |symbol| (symbol as u32) << 16)
            == Shape::Complete
    }

    pub(super) fn precode(&self, bits: u64) -> Entry {
        self.precode[bits as usize & ((1 << PRECODE_BITS) - 1)]
    }

    /// Room for the lengths of the words, of both codes.
    pub(super) fn lengths_mut(&mut self) -> &mut [u8; 320] {
        &mut self.lengths
    }

    /// The tables of the lengths that were put into [`Tables::lengths_mut`], literals and lengths
    /// first; whether there are such codes. As in zlib, a code may be incomplete only where it has
    /// one word of one bit, or none.
    pub(super) fn set_dynamic(&mut self, litlens: usize, distances: usize) -> bool {
        self.is_fixed = false;
        let (litlen, rest) = self.lengths.split_at(litlens);
        litlen.get(END).is_some_and(|&length| length > 0)
            && build(&mut self.litlen, LITLEN_BITS, litlen, litlen_entry) != Shape::Wrong
            && build(&mut self.distance, DISTANCE_BITS, &rest[..distances], distance_entry)
                != Shape::Wrong
    }
}

/// Whether words are missing from a code.
#[derive(PartialEq)]
enum Shape {
    Complete,
    Single,
    Wrong,
}

fn litlen_entry(symbol: usize) -> Entry {
    match symbol {
        0..END => LITERAL | (symbol as u32) << 16,
        END => SPECIAL | END_OF_BLOCK,
        _ => coded(&LENGTH_BASES, &LENGTH_EXTRA, symbol - END - 1),
    }
}

fn distance_entry(symbol: usize) -> Entry {
    coded::<DISTANCES>(&DISTANCE_BASES, &DISTANCE_EXTRA, symbol)
}

fn coded<const N: usize>(bases: &[u16; N], extra: &[u8; N], slot: usize) -> Entry {
    match (bases.get(slot), extra.get(slot)) {
        (Some(&base), Some(&extra)) => u32::from(base) << 16 | u32::from(extra),
        // The fixed codes have words that stand for nothing.
        _ => SPECIAL,
    }
}

/// Fills the table, and the second ones behind it, for words of these lengths.
fn build<const N: usize>(
    table: &mut [Entry; N],
    bits: u32,
    lengths: &[u8],
    entry: impl Fn(usize) -> Entry,
) -> Shape {
    let mut counts = [0u16; 16];
    for &length in lengths {
        counts[usize::from(length & 15)] += 1;
    }
    counts[0] = 0;
    let mut left = 1i32;
    let mut starts = [0u16; 17];
    for length in 1..16 {
        left = 2 * left - i32::from(counts[length]);
        if left < 0 {
            return Shape::Wrong;
        }
        starts[length + 1] = starts[length] + counts[length];
    }
    let longest = (1..16).rev().find(|&length| counts[length] > 0).unwrap_or(0);
    if left > 0 && longest > 1 {
        return Shape::Wrong;
    }
    let size = 1usize << bits;
    if left > 0 {
        table[..size].fill(SPECIAL | 1 | 1 << 8);
    }
    let mut sorted = [0u16; 320];
    for (symbol, &length) in lengths.iter().enumerate() {
        if length > 0 {
            let place = &mut starts[usize::from(length & 15)];
            sorted[usize::from(*place)] = symbol as u16;
            *place += 1;
        }
    }
    let (mut code, mut next, mut end) = (0u32, 0usize, size);
    let mut second = (usize::MAX, 0usize, 0u32);
    for length in 1..=longest {
        for left in (1..=counts[length]).rev() {
            let symbol = usize::from(sorted[next]);
            next += 1;
            let word = (code.reverse_bits() >> (32 - length as u32)) as usize;
            code += 1;
            let found = entry(symbol) + (length as u32 | (length as u32) << 8);
            if length as u32 <= bits {
                for at in (word..size).step_by(1 << length) {
                    table[at] = found;
                }
                continue;
            }
            let prefix = word & (size - 1);
            if second.0 != prefix {
                let more = second_bits(&counts, length, left, bits, longest);
                second = (prefix, end, more);
                table[prefix] = SPECIAL | SECOND | more << 8 | (end as u32) << 16;
                end += 1 << more;
            }
            let (_, start, more) = second;
            let Some(places) = table.get_mut(start..start + (1 << more)) else {
                return Shape::Wrong;
            };
            for at in (word >> bits..1 << more).step_by(1 << (length as u32 - bits)) {
                places[at] = found;
            }
        }
        code <<= 1;
    }
    if left == 0 { Shape::Complete } else { Shape::Single }
}

/// Bits of the second table that begins with a word of this length, of which `left` are left.
fn second_bits(counts: &[u16; 16], length: usize, left: u16, bits: u32, longest: usize) -> u32 {
    let mut more = length as u32 - bits;
    let mut room = (1i32 << more) - i32::from(left);
    let mut length = length;
    while room > 0 && length < longest {
        length += 1;
        more += 1;
        room = 2 * room - i32::from(counts[length]);
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_finds_its_symbol() {
        let mut tables = Tables::new();
        // Words of every length: 1, 2, 3 ... 14, 15, 15.
        let mut lengths = [0; 286];
        for (i, symbol) in [65, 256, 0, 7, 257, 285, 9, 99, 255, 280, 33, 34, 35, 36, 37, 38]
            .into_iter()
            .enumerate()
        {
            lengths[symbol] = (i as u8 + 1).min(15);
        }
        tables.lengths_mut()[..286].copy_from_slice(&lengths);
        tables.lengths_mut()[286..].fill(0);
        tables.lengths_mut()[286] = 1;
        assert!(tables.set_dynamic(286, 1));
        let code = crate::deflate::huffman::Code::from_lengths(lengths);
        for (symbol, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            for noise in [0, u64::MAX << length] {
                let bits = u64::from(code.words[symbol] >> 8) | noise;
                let first = tables.litlen[bits as usize & ((1 << LITLEN_BITS) - 1)];
                let found = match first & SECOND {
                    0 => first,
                    _ => {
                        let mask = (1usize << (first >> 8 & 15)) - 1;
                        let at = (bits >> LITLEN_BITS) as usize & mask;
                        tables.litlen[(first >> 16) as usize + at]
                    }
                };
                let length = u32::from(length);
                assert_eq!(found, litlen_entry(symbol) + (length | length << 8), "{symbol}");
            }
        }
    }

    #[test]
    fn codes_that_cannot_be_are_refused() {
        let mut tables = Tables::new();
        let mut set = |words: &[(usize, u8)], distances: &[u8]| {
            tables.lengths_mut().fill(0);
            for &(symbol, length) in words {
                tables.lengths_mut()[symbol] = length;
            }
            tables.lengths_mut()[286..286 + distances.len()].copy_from_slice(distances);
            tables.set_dynamic(286, distances.len())
        };
        assert!(set(&[(0, 1), (256, 1)], &[0]));
        assert!(set(&[(256, 1)], &[1]));
        assert!(!set(&[(0, 1), (1, 1)], &[0]), "no end of the block");
        assert!(!set(&[(0, 1), (1, 1), (256, 1)], &[0]), "too many words");
        assert!(!set(&[(0, 2), (256, 2)], &[0]), "too few words");
        assert!(!set(&[(0, 1), (256, 1)], &[2, 2]), "too few distances");
        assert!(!set(&[(0, 1), (256, 1)], &[1, 1, 1]), "too many distances");
    }
}
