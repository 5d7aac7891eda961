//! Finding matches: chains of positions whose next bytes hash alike.

use super::symbols::{MAX_MATCH, WINDOW};

/// Where in the block the same bytes stood before.
///
/// Positions are hashed together with their place inside an item, so that a chain holds distances
/// that are multiples of the item's size: in arrays others are chance.
pub(super) struct Finder {
    /// The last position of each hash of four bytes, plus one.
    heads: Box<[u32; HEADS]>,
    /// The position before this one with the same hash, plus one; by position modulo the window.
    chain: Box<[u32; WINDOW]>,
    /// The last position of each hash of three bytes, plus one.
    threes: Box<[u32; THREES]>,
}

impl Finder {
    pub(super) fn new() -> Self {
        Self { heads: boxed(), chain: boxed(), threes: boxed() }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.heads.fill(0);
        self.threes.fill(0);
    }

    /// Enters `position`, whose next bytes are `word`, and returns who came before it: those with
    /// the same four bytes, perhaps, and with the same three; each plus one, 0 for none.
    #[inline(always)]
    pub(super) fn enter(&mut self, position: usize, word: u64, phase: u32) -> (u32, u32) {
        let place = u32::wrapping_mul(phase, 0x9E37_79B1);
        let four = (word as u32).wrapping_mul(0x9E37_79B1).wrapping_add(place) >> (32 - HEAD_BITS);
        let three =
            ((word as u32) << 8).wrapping_mul(0x9E37_79B1).wrapping_add(place) >> (32 - THREE_BITS);
        let next = position as u32 + 1;
        let head = &mut self.heads[four as usize & (HEADS - 1)];
        let before = *head;
        *head = next;
        self.chain[position & (WINDOW - 1)] = before;
        let third = &mut self.threes[three as usize & (THREES - 1)];
        let close = *third;
        *third = next;
        (before, close)
    }

    /// The one before `position` in its chain, plus one.
    #[inline(always)]
    pub(super) fn before(&self, position: usize) -> u32 {
        self.chain[position & (WINDOW - 1)]
    }
}

/// The eight bytes at `at`, the first lowest; zero where the data end.
#[inline(always)]
pub(super) fn word_at(data: &[u8], at: usize) -> u64 {
    match data.get(at..at + 8) {
        Some(bytes) => {
            let mut word = [0; 8];
            word.copy_from_slice(bytes);
            u64::from_le_bytes(word)
        }
        None => 0,
    }
}

/// How many bytes at `at` and at `from`, which is before it, are the same: 258 at most.
#[inline(always)]
pub(super) fn match_length(data: &[u8], at: usize, from: usize) -> usize {
    let most = (data.len() - at).min(MAX_MATCH);
    let mut length = 0;
    while length + 8 <= most {
        let differ = word_at(data, at + length) ^ word_at(data, from + length);
        if differ != 0 {
            return length + (differ.trailing_zeros() >> 3) as usize;
        }
        length += 8;
    }
    while length < most && data[at + length] == data[from + length] {
        length += 1;
    }
    length
}

fn boxed<const N: usize>() -> Box<[u32; N]> {
    match vec![0; N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => Box::new([0; N]),
    }
}

const HEAD_BITS: u32 = 15;
const HEADS: usize = 1 << HEAD_BITS;
const THREE_BITS: u32 = 14;
const THREES: usize = 1 << THREE_BITS;
