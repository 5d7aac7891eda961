//! Prefix codes of limited length, by Huffman's method and a repair of Kraft's sum.

/// A code: for each symbol its bits, reversed as deflate sends them, and their count.
#[derive(Clone)]
pub(super) struct Code<const N: usize> {
    pub(super) lengths: [u8; N],
    /// `bits << 8 | length`.
    pub(super) words: [u32; N],
}

impl<const N: usize> Code<N> {
    /// The code for these counts, no word longer than `limit`.
    ///
    /// One or two symbols get words of one bit; a code of a single symbol is given a second one,
    /// as some decoders want codes complete.
    pub(super) fn of(counts: &[u32; N], limit: usize) -> Self {
        let mut lengths = [0; N];
        assign_lengths(counts, limit, &mut lengths);
        Self::from_lengths(lengths)
    }

    /// The canonical code of these lengths: RFC 1951, section 3.2.2.
    pub(super) fn from_lengths(lengths: [u8; N]) -> Self {
        let mut numbers = [0u32; 16];
        for &length in &lengths {
            numbers[usize::from(length & 15)] += 1;
        }
        numbers[0] = 0;
        let mut next = [0u32; 16];
        for length in 1..16 {
            next[length] = (next[length - 1] + numbers[length - 1]) << 1;
        }
        let mut words = [0; N];
        for (word, &length) in words.iter_mut().zip(&lengths) {
            if length > 0 {
                let code = &mut next[usize::from(length & 15)];
                let bits = code.reverse_bits() >> (32 - u32::from(length));
                *word = bits << 8 | u32::from(length);
                *code += 1;
            }
        }
        Self { lengths, words }
    }
}

fn assign_lengths<const N: usize>(counts: &[u32; N], limit: usize, lengths: &mut [u8; N]) {
    // The counts, least first, each with its symbol in the low bits.
    let mut sorted = [0u64; N];
    let mut used = 0;
    for (symbol, &count) in counts.iter().enumerate() {
        if count > 0 {
            sorted[used] = u64::from(count) << 16 | symbol as u64;
            used += 1;
        }
    }
    if used < 2 {
        let only = (sorted[0] & 0xffff) as usize;
        lengths[only] = 1;
        lengths[usize::from(only == 0)] = 1;
        return;
    }
    let sorted = &mut sorted[..used];
    sorted.sort_unstable();

    // The two-queue method: `leaf` walks the leaves, `node` the inner nodes, which come in order.
    let mut weights = [0u64; N];
    let mut parents = [0u16; N];
    let mut leaf_parents = [0u16; N];
    let (mut leaf, mut node) = (0, 0);
    for made in 0..used - 1 {
        for _ in 0..2 {
            if leaf < used && (node >= made || sorted[leaf] >> 16 <= weights[node]) {
                weights[made] += sorted[leaf] >> 16;
                leaf_parents[leaf] = made as u16;
                leaf += 1;
            } else {
                weights[made] += weights[node];
                parents[node] = made as u16;
                node += 1;
            }
        }
    }
    let mut depths = [0u16; N];
    for node in (0..used - 2).rev() {
        depths[node] = depths[usize::from(parents[node])] + 1;
    }
    let mut numbers = [0u32; 16];
    for parent in &leaf_parents[..used] {
        numbers[usize::from(depths[usize::from(*parent)] + 1).min(limit)] += 1;
    }
    restore_kraft(&mut numbers, limit);

    // The rarest symbols get the longest words.
    let mut symbols = sorted.iter();
    for length in (1..=limit).rev() {
        for entry in symbols.by_ref().take(numbers[length] as usize) {
            lengths[(entry & 0xffff) as usize] = length as u8;
        }
    }
}

/// Makes the numbers of words of each length a complete code again, after words that were too long
/// were cut to `limit`: each step takes back one unit of `2^-limit`.
fn restore_kraft(numbers: &mut [u32; 16], limit: usize) {
    let full = 1u32 << limit;
    let mut sum: u32 = (1..=limit).map(|length| numbers[length] << (limit - length)).sum();
    while sum > full {
        // A word just above the limit moves down, and one of `limit` moves beside it.
        let Some(length) = (1..limit).rev().find(|&length| numbers[length] > 0) else { return };
        numbers[limit] -= 1;
        numbers[length] -= 1;
        numbers[length + 1] += 2;
        sum -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kraft(lengths: &[u8]) -> u32 {
        lengths.iter().filter(|&&l| l > 0).map(|&l| 1 << (15 - l)).sum()
    }

    #[test]
    fn codes_are_complete_and_limited() {
        let fibonacci = |n: usize| {
            let mut pair = (1u32, 1u32);
            for _ in 0..n % 40 {
                pair = (pair.1, pair.0 + pair.1);
            }
            pair.0
        };
        for limit in [9, 12, 15] {
            for used in [2, 3, 19, 40, 200, 286] {
                let mut counts = [0; 286];
                for (symbol, count) in counts.iter_mut().take(used).enumerate() {
                    *count = fibonacci(symbol);
                }
                let code = Code::of(&counts, limit);
                assert!(code.lengths.iter().all(|&l| usize::from(l) <= limit));
                assert!(code.lengths.iter().zip(&counts).all(|(&l, &c)| (l > 0) == (c > 0)));
                assert_eq!(kraft(&code.lengths), 1 << 15, "limit {limit}, {used} symbols");
            }
        }
    }

    #[test]
    fn single_symbols_get_a_bit() {
        for only in [0, 7] {
            let mut counts = [0; 30];
            counts[only] = 5;
            assert_eq!(Code::of(&counts, 15).lengths[only], 1);
            assert_eq!(kraft(&Code::of(&counts, 15).lengths), 1 << 15);
        }
        assert_eq!(kraft(&Code::of(&[0; 30], 15).lengths), 1 << 15);
    }

    #[test]
    fn lengths_are_those_of_huffman() {
        assert_eq!(Code::of(&[1, 1, 2, 4, 0], 15).lengths, [3, 3, 2, 1, 0]);
        assert_eq!(Code::of(&[5, 5, 5, 5], 15).lengths, [2; 4]);
    }
}
