//! Where in the middle of a stream a block begins.

use super::stream::Stream;

/// The first bit with which a block may begin that has codes of its own and is not the last. Other
/// blocks are passed over; what only looks like one is seldom: the lengths of all words of its three
/// codes fit. The block's header must be in `bytes` whole.
pub(super) fn find_block(stream: &mut Stream, bytes: &[u8]) -> Option<u64> {
    let end = 8 * bytes.len().saturating_sub(LOOK) as u64;
    (0..end).find(|&bit| {
        let at = (bit / 8) as usize;
        let Some(&word) = bytes[at..].first_chunk() else { return false };
        let Some(&more) = bytes[at + 8..].first_chunk() else { return false };
        let words =
            u128::from(u64::from_le_bytes(word)) | u128::from(u64::from_le_bytes(more)) << 64;
        looks_like(words >> (bit % 8)) && stream.begins(bytes, bit)
    })
}

/// Whether these bits can be the start of a block's header: its kind and counts, and lengths of the
/// words that lengths are written in, which must use up all that there is of words (RFC 1951, section
/// 3.2.7).
fn looks_like(bits: u128) -> bool {
    let low = bits as u32;
    // Not the last one; its kind is 2. At most 286 words for literals and lengths, and 30 for distances.
    if low & 7 != 0b100 || low >> 3 & 31 > 29 || low >> 8 & 31 > 29 {
        return false;
    }
    let given = (low >> 13 & 15) + 4;
    let lengths = (bits >> 17) as u64 & ((1 << (3 * given)) - 1);
    let mut used = 0;
    let mut rest = lengths;
    while rest != 0 {
        used += u32::from(SHARES[(rest & 63) as usize]);
        rest >>= 6;
    }
    used == 128
}

/// What two words of these lengths take of 128 words of seven bits.
const SHARES: [u8; 64] = {
    let mut shares = [0; 64];
    let mut lengths = 0;
    while lengths < 64 {
        let (one, two) = (lengths & 7, lengths >> 3);
        let of_one = if one > 0 { 128 >> one } else { 0 };
        let of_two = if two > 0 { 128 >> two } else { 0 };
        shares[lengths] = of_one + of_two;
        lengths += 1;
    }
    shares
};

/// Bytes that are looked at from where a block may begin.
const LOOK: usize = 16;
