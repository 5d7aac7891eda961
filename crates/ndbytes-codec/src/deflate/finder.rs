//! Finding matches: tables of where the same bytes stood last.

use super::symbols::MAX_MATCH;

/// Where in the block the next bytes stood before: the next four, and the next few more.
///
/// Positions are hashed together with their place inside an item, so that what is found lies
/// multiples of the item's size back: in arrays anything else is chance.
pub(super) struct Finder {
    /// The last position of each hash of four bytes.
    short: Box<[u32; SHORT]>,
    /// The last position of each hash of more bytes.
    long: Box<[u32; LONG]>,
    /// How far to shift the eight bytes, so that only those of the long hash are left.
    long_shift: u32,
}

/// Two positions that may begin like the present one. 0 also stands for none.
#[derive(Clone, Copy)]
pub(super) struct Candidates {
    pub(super) short: usize,
    pub(super) long: usize,
}

impl Finder {
    /// A finder whose long hash is of this many bytes, 8 at most.
    pub(super) fn new(long: u32) -> Self {
        Self { short: boxed(), long: boxed(), long_shift: 64 - 8 * long.min(8) }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.short.fill(0);
        self.long.fill(0);
    }

    /// Enters `position`, whose next bytes are `word`, and returns who was there before.
    #[inline(always)]
    pub(super) fn enter(&mut self, position: usize, word: u64, phase: usize) -> Candidates {
        let salt = (phase as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let short = (word << 32 ^ salt).wrapping_mul(0x9E37_79B1_85EB_CA87) >> (64 - SHORT_BITS);
        let long = (word << self.long_shift ^ salt).wrapping_mul(0xCF1B_BCDC_B7A5_6463)
            >> (64 - LONG_BITS);
        let short = &mut self.short[short as usize & (SHORT - 1)];
        let long = &mut self.long[long as usize & (LONG - 1)];
        let found = Candidates { short: *short as usize, long: *long as usize };
        *short = position as u32;
        *long = position as u32;
        found
    }
}

/// The eight bytes at `at`, the first lowest; zero where the data end.
#[inline(always)]
pub(super) fn word_at(data: &[u8], at: usize) -> u64 {
    match data.get(at..at.wrapping_add(8)) {
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

const SHORT_BITS: u32 = 14;
const SHORT: usize = 1 << SHORT_BITS;
const LONG_BITS: u32 = 14;
const LONG: usize = 1 << LONG_BITS;
