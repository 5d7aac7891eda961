//! Byte and bit transposition of items: what Blosc calls shuffle and bitshuffle.
//!
//! Numbers that lie near one another share their high bytes. Put together, those compress; left
//! between noisy low bytes, they do not. The layout is that of c-blosc 1 and of the HDF5 filters
//! `shuffle` and `blosc`.

#[cfg(target_arch = "x86_64")]
mod halves;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

/// Puts byte `b` of item `i` at `dst[b * items + i]`. What is left behind the last whole item is
/// copied.
///
/// # Panics
/// When the lengths differ, or `size` is 0.
pub fn shuffle(dst: &mut [u8], src: &[u8], size: usize) {
    let items = items(dst, src, size);
    let whole = items * size;
    if size == 1 {
        return dst.copy_from_slice(src);
    }
    dst[whole..].copy_from_slice(&src[whole..]);
    shuffle_items(&mut dst[..whole], &src[..whole], size);
}

/// Undoes [`shuffle`].
///
/// # Panics
/// When the lengths differ, or `size` is 0.
pub fn unshuffle(dst: &mut [u8], src: &[u8], size: usize) {
    let items = items(dst, src, size);
    let whole = items * size;
    if size == 1 {
        return dst.copy_from_slice(src);
    }
    dst[whole..].copy_from_slice(&src[whole..]);
    unshuffle_items(&mut dst[..whole], &src[..whole], size);
}

/// Puts bit `k` of byte `b` of item `i` at bit `i % 8` of `dst[(b * 8 + k) * items / 8 + i / 8]`.
/// What is left behind the last whole item is copied.
///
/// As in c-blosc 1, everything is copied when the number of whole items is no multiple of 8.
///
/// # Panics
/// When the lengths differ, or `size` is 0.
pub fn bitshuffle(dst: &mut [u8], src: &[u8], size: usize) {
    let items = items(dst, src, size);
    if !items.is_multiple_of(8) {
        return dst.copy_from_slice(src);
    }
    let whole = items * size;
    dst[whole..].copy_from_slice(&src[whole..]);
    let (dst, src) = (&mut dst[..whole], &src[..whole]);
    let row = items / 8;
    let mut planes = [0; PLANES];
    let mut done = 0;
    // Bytes are turned first, into memory of the first-level cache, then bits.
    while let Some(group) = group(items - done, size) {
        let block = &src[done * size..][..group * size];
        // Items of one byte are a plane.
        let planes = if size == 1 {
            block
        } else {
            let planes = &mut planes[..block.len()];
            shuffle_items(planes, block, size);
            planes
        };
        for (byte, plane) in planes.chunks_exact(group).enumerate() {
            to_rows(&mut dst[byte * items + done / 8..], row, plane);
        }
        done += group;
    }
    portable::bitshuffle(dst, src, size, done);
}

/// Undoes [`bitshuffle`].
///
/// # Panics
/// When the lengths differ, or `size` is 0.
pub fn bitunshuffle(dst: &mut [u8], src: &[u8], size: usize) {
    let items = items(dst, src, size);
    if !items.is_multiple_of(8) {
        return dst.copy_from_slice(src);
    }
    let whole = items * size;
    dst[whole..].copy_from_slice(&src[whole..]);
    bitunshuffle_items(&mut dst[..whole], |byte| &src[byte * items..][..items], size);
}

/// As [`unshuffle`], of planes that lie apart: plane `b` holds byte `b` of each item.
///
/// # Panics
/// When the planes are not of one length, or `dst` is not as long as all of them.
pub fn unshuffle_planes(dst: &mut [u8], planes: &[&[u8]]) {
    check_planes(dst, planes);
    #[cfg(target_arch = "x86_64")]
    let done = if planes.is_empty() { 0 } else { x86::unshuffle_planes(dst, planes) };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    portable::unshuffle(dst, |byte| planes[byte], planes.len(), done);
}

/// As [`bitunshuffle`], of planes that lie apart: plane `b` holds the rows of byte `b`'s bits.
///
/// # Panics
/// As [`unshuffle_planes`], and when the length of a plane is no multiple of 8.
pub fn bitunshuffle_planes(dst: &mut [u8], planes: &[&[u8]]) {
    check_planes(dst, planes);
    assert!(planes.iter().all(|plane| plane.len().is_multiple_of(8)), "items are no eights");
    bitunshuffle_items(dst, |byte| planes[byte], planes.len());
}

fn check_planes(dst: &[u8], planes: &[&[u8]]) {
    let items = planes.first().map_or(0, |plane| plane.len());
    let alike = planes.iter().all(|plane| plane.len() == items);
    assert!(alike && dst.len() == items * planes.len(), "the lengths differ");
}

/// [`bitunshuffle`] of whole items, a multiple of 8.
fn bitunshuffle_items<'a>(dst: &mut [u8], rows: impl Fn(usize) -> &'a [u8], size: usize) {
    let items = dst.len().checked_div(size).unwrap_or(0);
    let mut planes = [0; PLANES];
    let mut done = 0;
    while let Some(group) = group(items - done, size) {
        let block = &mut dst[done * size..][..group * size];
        let turn = |planes: &mut [u8]| {
            for (byte, plane) in planes.chunks_exact_mut(group).enumerate() {
                from_rows(plane, &rows(byte)[done / 8..], items / 8);
            }
        };
        if size == 1 {
            turn(block);
        } else {
            let planes = &mut planes[..block.len()];
            turn(planes);
            unshuffle_items(block, planes, size);
        }
        done += group;
    }
    portable::bitunshuffle(dst, rows, size, done);
}

fn items(dst: &[u8], src: &[u8], size: usize) -> usize {
    assert_eq!(dst.len(), src.len(), "the lengths differ");
    assert_ne!(size, 0, "an item has no bytes");
    src.len() / size
}

/// How many of the items left are turned at a time: rows of whole cache lines, if planes fit.
fn group(left: usize, size: usize) -> Option<usize> {
    [512, 256].into_iter().find(|&group| group <= left && group * size <= PLANES)
}

/// [`shuffle`] of whole items.
fn shuffle_items(dst: &mut [u8], src: &[u8], size: usize) {
    #[cfg(target_arch = "x86_64")]
    let done = x86::shuffle(dst, src, size);
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    portable::shuffle(dst, src, size, done);
}

/// [`unshuffle`] of whole items.
fn unshuffle_items(dst: &mut [u8], src: &[u8], size: usize) {
    #[cfg(target_arch = "x86_64")]
    let done = x86::unshuffle(dst, src, size);
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    let items = src.len() / size;
    portable::unshuffle(dst, |byte| &src[byte * items..][..items], size, done);
}

/// Spreads the bits of a plane over eight rows, of which row `k` begins at `k * step`. The plane
/// is a multiple of 256 bytes.
fn to_rows(rows: &mut [u8], step: usize, plane: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    x86::to_rows(rows, step, plane);
    #[cfg(not(target_arch = "x86_64"))]
    portable::to_rows(rows, step, plane);
}

/// Undoes [`to_rows`].
fn from_rows(plane: &mut [u8], rows: &[u8], step: usize) {
    #[cfg(target_arch = "x86_64")]
    x86::from_rows(plane, rows, step);
    #[cfg(not(target_arch = "x86_64"))]
    portable::from_rows(plane, rows, step);
}

/// Bytes of planes in the first-level cache.
const PLANES: usize = 1 << 13;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(len: usize) -> Vec<u8> {
        let mut state = len as u64 + 1;
        let step = |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        (0..len).map(step).collect()
    }

    fn want_shuffle(src: &[u8], size: usize) -> Vec<u8> {
        let items = src.len() / size;
        let mut dst = src.to_vec();
        for i in 0..items {
            for b in 0..size {
                dst[b * items + i] = src[i * size + b];
            }
        }
        dst
    }

    fn want_bitshuffle(src: &[u8], size: usize) -> Vec<u8> {
        let items = src.len() / size;
        let mut dst = src.to_vec();
        if items.is_multiple_of(8) {
            dst[..items * size].fill(0);
            for i in 0..items {
                for bit in 0..size * 8 {
                    let set = src[i * size + bit / 8] >> (bit % 8) & 1;
                    dst[bit * (items / 8) + i / 8] |= set << (i % 8);
                }
            }
        }
        dst
    }

    fn check(len: usize, size: usize) {
        let src = sample(len);
        let (mut there, mut back) = (vec![0xaa; len], vec![0x55; len]);
        shuffle(&mut there, &src, size);
        assert!(there == want_shuffle(&src, size), "shuffle {len} of {size}");
        unshuffle(&mut back, &there, size);
        assert!(back == src, "unshuffle {len} of {size}");
        bitshuffle(&mut there, &src, size);
        assert!(there == want_bitshuffle(&src, size), "bitshuffle {len} of {size}");
        back.fill(0x55);
        bitunshuffle(&mut back, &there, size);
        assert!(back == src, "bitunshuffle {len} of {size}");
        let items = len / size;
        if items == 0 || !len.is_multiple_of(size) {
            return;
        }
        let (bytes, bits) = (want_shuffle(&src, size), there);
        let planes: Vec<&[u8]> = bytes.chunks(items).collect();
        back.fill(0x55);
        unshuffle_planes(&mut back, &planes);
        assert!(back == src, "unshuffle_planes {len} of {size}");
        if items.is_multiple_of(8) {
            let planes: Vec<&[u8]> = bits.chunks(items).collect();
            back.fill(0x55);
            bitunshuffle_planes(&mut back, &planes);
            assert!(back == src, "bitunshuffle_planes {len} of {size}");
        }
    }

    #[test]
    fn every_size_and_short_length_is_the_obvious_one() {
        for size in 1..=64 {
            for len in (0..300).chain([size * 256, size * 512 + 1, size * 2048 + size * 8 + 3]) {
                check(len, size);
            }
        }
    }

    #[test]
    fn longer_ones_too() {
        for (i, size) in [1, 2, 3, 4, 7, 8, 12, 16, 24, 100, 255, 256, 1000].into_iter().enumerate()
        {
            for len in [4096, 5000, 12_345, 65_536, 100_001, 262_144 + 8 * i] {
                check(len, size);
                check(len / size / 8 * 8 * size + size / 2, size);
            }
        }
    }

    /// Every implementation that this machine can run, also those it would not choose.
    #[test]
    fn every_implementation_is_the_obvious_one() {
        for size in [2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 40, 64] {
            for items in [0, 1, 15, 16, 31, 32, 33, 64, 100, 257] {
                let src = sample(items * size);
                let want = want_shuffle(&src, size);
                let mut got = vec![0; src.len()];
                portable::shuffle(&mut got, &src, size, 0);
                assert!(got == want);
                let plane = |byte: usize| &want[byte * items..][..items];
                portable::unshuffle(&mut got, plane, size, 0);
                assert!(got == src);
                #[cfg(target_arch = "x86_64")]
                x86::check(&src, &want, size);
            }
        }
        let plane = sample(1024);
        let want = want_bitshuffle(&plane, 1);
        let (mut rows, mut back) = (vec![0; 1024], vec![0; 1024]);
        portable::to_rows(&mut rows, 128, &plane);
        assert!(rows == want);
        portable::from_rows(&mut back, &rows, 128);
        assert!(back == plane);
        #[cfg(target_arch = "x86_64")]
        x86::check_rows(&plane, &want);
    }
}
