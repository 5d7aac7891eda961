//! Symbols far from the ends of input and memory, where nothing can be missing.

use super::item::Item;
use super::tables::{
    DISTANCE_BITS, Entry, LITERAL, LITLEN_BITS, SECOND, SPECIAL, Tables, all_bits, word_bits,
};

/// Where a stream stands within the symbols of a block.
///
/// `bits` holds at least `count` bits of the input; what is above them are bits of the bytes from
/// `at` on, so that taking those again changes nothing.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    pub(super) bits: u64,
    pub(super) count: u32,
    /// The next byte of the input.
    pub(super) at: usize,
    /// Bytes that have come out.
    pub(super) have: usize,
}

/// What a lane works on.
pub(super) struct Ground<'a, T> {
    pub(super) input: &'a [u8],
    pub(super) out: &'a mut [T],
    pub(super) tables: &'a Tables,
}

impl Lane {
    /// Whether it is far enough from both ends for some symbols.
    #[inline(always)]
    pub(super) fn has_room<T>(&self, input: &[u8], out: &[T]) -> bool {
        self.at + INPUT <= input.len() && self.have + OUTPUT <= out.len()
    }

    /// Makes it 56 bits or more.
    #[inline(always)]
    fn refill(&mut self, input: &[u8]) {
        if let Some(bytes) = input.get(self.at..).and_then(<[u8]>::first_chunk) {
            self.bits |= u64::from_le_bytes(*bytes) << self.count;
            self.at += (63 - self.count as usize) >> 3;
            self.count |= 56;
        }
    }

    #[inline(always)]
    fn entry(&self, tables: &Tables) -> Entry {
        tables.litlen[self.bits as usize & ((1 << LITLEN_BITS) - 1)]
    }

    #[inline(always)]
    fn drop_bits(&mut self, n: u32) {
        self.bits >>= n;
        self.count -= n;
    }

    #[inline(always)]
    fn put<T: Item>(&mut self, entry: Entry, out: &mut [T]) {
        if let Some(place) = out.get_mut(self.have) {
            *place = T::from((entry >> 16) as u8);
        }
        self.have += 1;
        self.drop_bits(all_bits(entry));
    }

    /// Takes whatever this entry begins; not if it ends the block or is no symbol. 56 bits must be
    /// there, of which a match takes 48 at most.
    #[inline(always)]
    fn symbol<T: Item>(&mut self, mut entry: Entry, ground: &mut Ground<'_, T>) -> bool {
        if entry & SECOND != 0 {
            entry = second(&ground.tables.litlen, entry, self.bits >> LITLEN_BITS);
        }
        if entry & (LITERAL | SPECIAL) == 0 {
            return self.repeat(entry, ground);
        }
        if entry & LITERAL != 0 {
            self.put(entry, ground.out);
        }
        entry & LITERAL != 0
    }

    #[inline(always)]
    fn repeat<T: Item>(&mut self, entry: Entry, ground: &mut Ground<'_, T>) -> bool {
        let mut next = *self;
        let length = next.value(entry);
        let distances = &ground.tables.distance;
        let mut entry = distances[next.bits as usize & ((1 << DISTANCE_BITS) - 1)];
        if entry & SPECIAL != 0 {
            if entry & SECOND != 0 {
                entry = second(distances, entry, next.bits >> DISTANCE_BITS);
            }
            if entry & SPECIAL != 0 {
                return false;
            }
        }
        let distance = next.value(entry);
        if distance > next.have {
            return false;
        }
        repeat(ground.out, next.have, distance, length);
        next.have += length;
        *self = next;
        true
    }

    #[inline(always)]
    fn value(&mut self, entry: Entry) -> usize {
        let all = all_bits(entry);
        let more = (self.bits & ((1 << all) - 1)) >> word_bits(entry);
        self.drop_bits(all);
        (entry >> 16) as usize + more as usize
    }
}

/// Takes symbols until an end is near, or one comes that wants a closer look; says which.
pub(super) fn one<T: Item>(lane: &mut Lane, ground: &mut Ground<'_, T>) -> bool {
    let mut a = *lane;
    let special = 'symbols: loop {
        if !a.has_room(ground.input, ground.out) {
            break false;
        }
        a.refill(ground.input);
        let mut entry = a.entry(ground.tables);
        for i in 0..LITERALS {
            if entry & LITERAL == 0 {
                // Where nothing was taken, there is enough.
                if i > 0 {
                    a.refill(ground.input);
                }
                if !a.symbol(entry, ground) {
                    break 'symbols true;
                }
                continue 'symbols;
            }
            a.put(entry, ground.out);
            entry = a.entry(ground.tables);
        }
    };
    *lane = a;
    special
}

/// As [`one`] with two lanes in turns: neither waits for the other, so that a processor takes a
/// symbol of both in the time of one. Says for each whether it wants a closer look.
pub(super) fn two(lanes: [&mut Lane; 2], grounds: [&mut Ground<'_, u8>; 2]) -> [bool; 2] {
    let [lane_a, lane_b] = lanes;
    let [ground_a, ground_b] = grounds;
    let (mut a, mut b) = (*lane_a, *lane_b);
    let special = 'symbols: loop {
        let room = a.has_room(ground_a.input, ground_a.out);
        if !room || !b.has_room(ground_b.input, ground_b.out) {
            break [false, false];
        }
        a.refill(ground_a.input);
        b.refill(ground_b.input);
        for i in 0..LITERALS {
            let (entry_a, entry_b) = (a.entry(ground_a.tables), b.entry(ground_b.tables));
            if entry_a & entry_b & LITERAL == 0 {
                if i > 0 {
                    a.refill(ground_a.input);
                    b.refill(ground_b.input);
                }
                if !a.symbol(entry_a, ground_a) {
                    break 'symbols [true, false];
                }
                if !b.symbol(entry_b, ground_b) {
                    break 'symbols [false, true];
                }
                continue 'symbols;
            }
            a.put(entry_a, ground_a.out);
            b.put(entry_b, ground_b.out);
        }
    };
    (*lane_a, *lane_b) = (a, b);
    special
}

#[inline(always)]
fn second(table: &[Entry], entry: Entry, bits: u64) -> Entry {
    let mask = (1usize << (entry >> 8 & 15)) - 1;
    table.get((entry >> 16) as usize + (bits as usize & mask)).copied().unwrap_or(SPECIAL)
}

/// Writes again what is `distance` before, `length` bytes of it, and perhaps more: there is room for
/// [`MATCH`].
#[inline(always)]
fn repeat<T: Item>(out: &mut [T], at: usize, distance: usize, length: usize) {
    let Some(out) = out.get_mut(at - distance..at + MATCH) else { return };
    if distance >= WIDE {
        pieces::<T, WIDE>(out, distance, length);
    } else if distance >= 16 {
        pieces::<T, 16>(out, distance, length);
    } else if distance == 8 && length > WIDE {
        // The same everywhere: no piece waits for the one before it.
        let mut wide = [T::default(); WIDE];
        wide.chunks_exact_mut(8).for_each(|eight| eight.copy_from_slice(&out[..8]));
        for i in (0..length).step_by(WIDE) {
            put(out, distance + i, wide);
        }
    } else if distance >= 8 {
        pieces::<T, 8>(out, distance, length);
    } else if distance == 1 {
        let byte = out[0];
        out[1..=length].fill(byte);
    } else {
        for i in 0..8 {
            out[distance + i] = out[i];
        }
        // Whole repetitions: a piece is then the same everywhere.
        let piece: [T; 8] = *out[distance..].first_chunk().unwrap_or(&[T::default(); 8]);
        let step = 8 - 8 % distance;
        for i in (step..length).step_by(step) {
            put(out, distance + i, piece);
        }
    }
}

/// Copies what is no closer than a piece, from the start of `out`.
#[inline(always)]
fn pieces<T: Item, const N: usize>(out: &mut [T], distance: usize, length: usize) {
    let mut copy = |i: usize| {
        if let Some(&piece) = out[i..].first_chunk::<N>() {
            put(out, distance + i, piece);
        }
    };
    // Most matches are short: so much is copied without asking how long it is.
    copy(0);
    if N < WIDE {
        copy(N);
    }
    for i in (if N < WIDE { 2 * N } else { N }..length).step_by(N) {
        copy(i);
    }
}

#[inline(always)]
fn put<T: Item, const N: usize>(out: &mut [T], at: usize, piece: [T; N]) {
    if let Some(place) = out[at..].first_chunk_mut() {
        *place = piece;
    }
}

/// Literals that 56 bits hold at least, where their words are in the first table.
const LITERALS: u32 = 5;
/// Bytes of the input that an iteration looks at, at most.
const INPUT: usize = 24;
/// Bytes that an iteration writes at most.
const OUTPUT: usize = LITERALS as usize + MATCH;
/// Bytes that a match writes at most.
const MATCH: usize = 258 + WIDE;
/// Bytes that are copied at a time from as far away or farther, and of long matches that repeat an item.
const WIDE: usize = 32;
