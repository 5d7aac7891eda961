//! Telling noise from data, for less than a codec takes to fail at it.

/// Whether in each place of the items every byte is as frequent as any other: the codes of Huffman and
/// of ANS gain nothing then, whichever filter has taken the items apart. What repeats is for others
/// to find.
///
/// Pearson's test of an even spread, by the sum of squares: of noise it gives 255 for each place, and
/// 23 more or less; of bytes that a code makes smaller by one part in 50, more than 400 from 4096
/// items on, and so it does of fewer, where it is not asked.
pub(super) fn is_even(items: &[u8], typesize: usize) -> bool {
    let count = items.len() / typesize.max(1);
    if count < LEAST {
        return false;
    }
    // From all over the sample, which is made of pieces.
    let stride = (count / MOST).max(1);
    let count = count.div_ceil(stride) as u64;
    // The last place first: there, numbers have their signs and exponents.
    (0..typesize).rev().all(|place| {
        let mut counts = [0u32; 256];
        for &byte in items[place..].iter().step_by(stride * typesize) {
            counts[usize::from(byte)] += 1;
        }
        let squares: u64 = counts.iter().map(|&n| u64::from(n) * u64::from(n)).sum();
        256 * squares <= count * (count + EVEN)
    })
}

/// Items that are looked at, at most; of fewer than a part of them nothing can be said.
const MOST: usize = 4096;
const LEAST: usize = 2048;
/// Above this a spread is not even.
const EVEN: u64 = 350;

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as u8
        };
        (0..count).map(|_| random()).collect()
    }

    #[test]
    fn noise_is_even_and_data_is_not() {
        let noise = noise(32 << 10);
        for typesize in [1, 2, 4, 8, 12] {
            assert!(is_even(&noise, typesize), "{typesize}");
        }
        assert!(!is_even(&noise[..1000], 1), "too few");
        // Seven bits of eight.
        let some: Vec<u8> = noise.iter().map(|byte| byte & 0xFE).collect();
        assert!(!is_even(&some, 1));
        // One of sixteen is another.
        let some: Vec<u8> =
            noise.iter().enumerate().map(|(i, &byte)| if i % 16 < 1 { 0 } else { byte }).collect();
        assert!(!is_even(&some, 1));
        // The noise of floating-point numbers, whose exponents differ little.
        let floats: Vec<u8> = noise
            .chunks_exact(4)
            .flat_map(|b| {
                (1.0 + f64::from(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))).to_le_bytes()
            })
            .collect();
        assert!(!is_even(&floats, 8));
        // Noise in small numbers.
        let small: Vec<u8> = noise.iter().flat_map(|&byte| u32::from(byte).to_le_bytes()).collect();
        assert!(!is_even(&small, 4));
    }
}
