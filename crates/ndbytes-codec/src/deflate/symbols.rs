//! The symbols of deflate: RFC 1951, section 3.2.5.

/// The shortest match that can be said.
pub(super) const MIN_MATCH: usize = 3;
/// The longest.
pub(super) const MAX_MATCH: usize = 258;
/// How far back a match may begin.
pub(super) const WINDOW: usize = 1 << 15;
/// Literals, the end of the block, lengths.
pub(super) const LITLENS: usize = 286;
/// Distances.
pub(super) const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub(super) const END: usize = 256;

/// What a run of literals is followed by: `length` bytes again, from `distance` bytes before; or
/// nothing, where the length is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) literals: u32,
    pub(super) length: u16,
    pub(super) distance: u16,
}

/// The symbol of a length, less 257.
#[inline(always)]
pub(super) fn length_slot(length: usize) -> usize {
    usize::from(LENGTH_SLOTS[(length - MIN_MATCH) & 255])
}

/// The symbol of a distance.
#[inline(always)]
pub(super) fn distance_slot(distance: usize) -> usize {
    let below = (distance - 1) as u32;
    if below < 4 {
        return below as usize;
    }
    let log = 31 - below.leading_zeros();
    (2 * log + (below >> (log - 1) & 1)) as usize
}

/// The least length of each slot.
pub(super) const LENGTH_BASES: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
/// The bits that follow the symbol of a length.
pub(super) const LENGTH_EXTRA: [u8; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
/// The least distance of each slot.
pub(super) const DISTANCE_BASES: [u16; DISTANCES] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
/// The bits that follow the symbol of a distance.
pub(super) const DISTANCE_EXTRA: [u8; DISTANCES] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];

const LENGTH_SLOTS: [u8; 256] = {
    let mut table = [0; 256];
    let mut slot = 0;
    while slot < 29 {
        let mut length = LENGTH_BASES[slot] as usize;
        let end = if slot < 28 { LENGTH_BASES[slot + 1] as usize } else { 259 };
        while length < end {
            table[length - MIN_MATCH] = slot as u8;
            length += 1;
        }
        slot += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_hold_what_their_bases_say() {
        for length in MIN_MATCH..=MAX_MATCH {
            let slot = length_slot(length);
            let extra = length - usize::from(LENGTH_BASES[slot]);
            assert!(extra < 1 << LENGTH_EXTRA[slot], "{length}");
        }
        assert_eq!(length_slot(MAX_MATCH), 28);
        for distance in 1..=WINDOW {
            let slot = distance_slot(distance);
            let extra = distance - usize::from(DISTANCE_BASES[slot]);
            assert!(extra < 1 << DISTANCE_EXTRA[slot], "{distance}");
        }
    }
}
