//! What things cost in bits, in fixed point: floating point would not give the same bytes on
//! every machine.

use super::symbols::{
    DISTANCE_EXTRA, DISTANCES, LENGTH_EXTRA, LITLENS, MAX_MATCH, MIN_MATCH, distance_slot,
    length_slot,
};

/// Units in a bit.
pub(super) const BIT: u32 = 1 << FRACTION;

/// How often each symbol occurs.
#[derive(Clone)]
pub(super) struct Counts {
    pub(super) litlen: [u32; LITLENS],
    pub(super) distance: [u32; DISTANCES],
}

impl Counts {
    pub(super) const EMPTY: Self = Self { litlen: [0; LITLENS], distance: [0; DISTANCES] };

    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.litlen.iter_mut().zip(&other.litlen) {
            *mine += theirs;
        }
        for (mine, theirs) in self.distance.iter_mut().zip(&other.distance) {
            *mine += theirs;
        }
    }

    /// Adds a run of literals.
    pub(super) fn add_literals(&mut self, bytes: &[u8]) {
        // Four tables, so that a count does not wait for the one before it.
        let mut tables = [[0u32; 256]; 4];
        let mut words = bytes.chunks_exact(4);
        for word in &mut words {
            for (table, &byte) in tables.iter_mut().zip(word) {
                table[usize::from(byte)] += 1;
            }
        }
        for &byte in words.remainder() {
            self.litlen[usize::from(byte)] += 1;
        }
        for table in &tables {
            for (mine, more) in self.litlen.iter_mut().zip(table) {
                *mine += more;
            }
        }
    }

    /// Adds a run of literals that is likely short.
    #[inline(always)]
    pub(super) fn add_literals_few(&mut self, bytes: &[u8]) {
        if bytes.len() < 256 {
            for &byte in bytes {
                self.litlen[usize::from(byte)] += 1;
            }
        } else {
            self.add_literals(bytes);
        }
    }

    /// The entropy of the symbols and their extra bits.
    pub(super) fn bits(&self) -> u64 {
        self.entropy() + self.extra_bits() * u64::from(BIT)
    }

    /// The bits that follow symbols.
    pub(super) fn extra_bits(&self) -> u64 {
        let of = |counts: &[u32], bits: &[u8]| -> u64 {
            counts.iter().zip(bits).map(|(&n, &bits)| u64::from(n) * u64::from(bits)).sum()
        };
        of(&self.litlen[257..], &LENGTH_EXTRA) + of(&self.distance, &DISTANCE_EXTRA)
    }

    /// The entropy of the symbols, without their extra bits.
    pub(super) fn entropy(&self) -> u64 {
        entropy(&self.litlen) + entropy(&self.distance)
    }
}

/// As Shannon has it, but for symbols that occur more than every other time: a prefix code spends
/// a whole bit on them.
fn entropy(counts: &[u32]) -> u64 {
    let (mut sum, mut logs) = (0, 0);
    for &n in counts.chunks(FEW).filter(|few| !are_zero(few)).flatten() {
        sum += n;
        logs += u64::from(n) * u64::from(log2(n));
    }
    let total = log2(sum);
    // There is one such symbol at most.
    let most = counts.iter().copied().max().unwrap_or(0);
    let missing = BIT.saturating_sub(total - log2(most));
    u64::from(sum) * u64::from(total) - logs + u64::from(most) * u64::from(missing)
}

/// Whether none of these symbols occurs, as most do not where most is alike.
#[inline(always)]
fn are_zero(few: &[u32]) -> bool {
    few.iter().fold(0, |all, n| all | n) == 0
}

/// Prices of symbols, with their extra bits.
#[derive(Clone)]
pub(super) struct Prices {
    pub(super) literals: [u32; 256],
    pub(super) lengths: [u32; MAX_MATCH + 1],
    pub(super) distances: [u32; DISTANCES],
}

impl Prices {
    pub(super) const fn new() -> Self {
        Self { literals: [0; 256], lengths: [0; MAX_MATCH + 1], distances: [0; DISTANCES] }
    }

    /// Prices by what occurred. What did not has a price as well, since it may yet occur.
    pub(super) fn set(&mut self, counts: &Counts) {
        let total = log2(counts.litlen.iter().sum::<u32>() + LITLENS as u32);
        let literal = |count| (total - log2(count + 1)).clamp(BIT, LITERAL_CAP);
        let rarest = literal(0);
        for (prices, few) in self.literals.chunks_mut(FEW).zip(counts.litlen.chunks(FEW)) {
            if are_zero(few) {
                prices.fill(rarest);
                continue;
            }
            for (price, &count) in prices.iter_mut().zip(few) {
                *price = literal(count);
            }
        }
        let mut slots = [0; LENGTH_EXTRA.len()];
        for (slot, price) in slots.iter_mut().enumerate() {
            let symbol = (total - log2(counts.litlen[257 + slot] + 1)).clamp(BIT, LENGTH_CAP);
            *price = symbol + u32::from(LENGTH_EXTRA[slot]) * BIT;
        }
        for length in MIN_MATCH..=MAX_MATCH {
            self.lengths[length] = slots[length_slot(length)];
        }
        let total = log2(counts.distance.iter().sum::<u32>() + DISTANCES as u32);
        let kinds = counts.distance.iter().zip(&DISTANCE_EXTRA);
        for (price, (&count, &extra)) in self.distances.iter_mut().zip(kinds) {
            let symbol = (total - log2(count + 1)).clamp(BIT, DISTANCE_CAP);
            *price = symbol + u32::from(extra) * BIT;
        }
    }

    /// Prices of matches before any was seen.
    pub(super) fn guess_matches(counts: &mut Counts, period: usize) {
        let literals: u32 = counts.litlen[..256].iter().sum();
        for (slot, count) in counts.litlen[257..].iter_mut().enumerate() {
            *count = literals / (32 << (slot / 4).min(4));
        }
        counts.distance = [8; DISTANCES];
        counts.distance[distance_slot(period) % DISTANCES] = 256;
    }
}

/// The logarithm of `n`, in units; 0 for 0.
#[inline(always)]
pub(super) fn log2(n: u32) -> u32 {
    SMALL_LOGS.get(n as usize).map_or_else(|| computed_log2(n), |&log| log.into())
}

/// Those of numbers that counts mostly are.
static SMALL_LOGS: [u16; 512] = {
    let mut table = [0; 512];
    let mut n = 0;
    while n < 512 {
        table[n] = computed_log2(n as u32) as u16;
        n += 1;
    }
    table
};

const fn computed_log2(n: u32) -> u32 {
    if n == 0 {
        return 0;
    }
    let whole = 31 - n.leading_zeros();
    let mantissa = if whole >= 8 { n >> (whole - 8) } else { n << (8 - whole) };
    (whole << FRACTION) + LOG2[(mantissa & 255) as usize] as u32
}

const FRACTION: u32 = 8;
/// Symbols that are looked at together.
const FEW: usize = 64;
const LITERAL_CAP: u32 = 12 * BIT;
/// A price for rare things that keeps them from never being tried.
const LENGTH_CAP: u32 = 10 * BIT;
const DISTANCE_CAP: u32 = 7 * BIT;

/// `256 * log2(1 + i / 256)`, digit by digit: squaring doubles a logarithm.
const LOG2: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut value = (256 + i as u64) << 22;
        let mut bit = 0;
        let mut fraction = 0;
        while bit < FRACTION {
            value = (value >> 15) * (value >> 15);
            fraction <<= 1;
            if value >= 2 << 30 {
                value >>= 1;
                fraction |= 1;
            }
            bit += 1;
        }
        table[i] = fraction;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close() {
        for n in (1..5000).chain([1 << 20, (1 << 20) + 12345, u32::MAX]) {
            let exact = f64::from(n).log2() * f64::from(BIT);
            assert!((f64::from(log2(n)) - exact).abs() < 3.0, "{n}");
        }
    }

    #[test]
    fn entropy_is_the_sum_of_what_each_symbol_costs() {
        let mut state = 1u32;
        let mut random = |bits| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> (32 - bits)
        };
        for round in 0..3000 {
            let mut counts = vec![0u32; 1 + random(9) as usize];
            for n in &mut counts {
                *n = random(1 + round % 12);
            }
            // Of some, one symbol is half of all, or about that, or nearly all.
            let rest = counts.iter().sum::<u32>() - counts[0];
            match round % 5 {
                0 => counts[0] = rest,
                1 => counts[0] = rest + random(2),
                2 => counts[0] = rest << random(3),
                _ => {}
            }
            let total = log2(counts.iter().sum());
            let bits = |&n: &u32| u64::from(n) * u64::from((total - log2(n)).max(BIT));
            assert_eq!(entropy(&counts), counts.iter().map(bits).sum(), "{counts:?}");
        }
    }

    #[test]
    fn entropy_is_that_of_shannon_in_whole_bits() {
        let mut counts = Counts::EMPTY;
        assert_eq!(counts.entropy(), 0);
        counts.litlen[..256].fill(4);
        assert_eq!(counts.entropy(), 1024 * 8 * u64::from(BIT));
        counts.litlen[..256].fill(0);
        counts.litlen[0] = 100;
        assert_eq!(counts.entropy(), 100 * u64::from(BIT));
        let mut counted = Counts::EMPTY;
        counted.add_literals(b"abracadabra");
        assert_eq!(counted.litlen[usize::from(b'a')], 5);
        assert_eq!(counted.litlen.iter().sum::<u32>(), 11);
    }
}
