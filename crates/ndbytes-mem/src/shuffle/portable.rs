//! The transpositions without vector instructions: what others are checked against, and what
//! takes the items that those leave over.

/// `shuffle` of the items from `from` on.
pub(super) fn shuffle(dst: &mut [u8], src: &[u8], size: usize, from: usize) {
    let items = src.len() / size;
    for start in (from..items).step_by(LINE) {
        let end = items.min(start + LINE);
        for byte in 0..size {
            let plane = &mut dst[byte * items + start..byte * items + end];
            for (out, item) in plane.iter_mut().zip(src[start * size..].chunks_exact(size)) {
                *out = item[byte];
            }
        }
    }
}

/// `unshuffle` of the items from `from` on, whose byte `b` is in `planes(b)`.
pub(super) fn unshuffle<'a>(
    dst: &mut [u8],
    planes: impl Fn(usize) -> &'a [u8],
    size: usize,
    from: usize,
) {
    let items = dst.len().checked_div(size).unwrap_or(0);
    for start in (from..items).step_by(LINE) {
        let end = items.min(start + LINE);
        for byte in 0..size {
            let plane = &planes(byte)[start..end];
            for (item, &value) in dst[start * size..].chunks_exact_mut(size).zip(plane) {
                item[byte] = value;
            }
        }
    }
}

/// `bitshuffle` of the items from `from` on; their number and `from` are multiples of 8.
pub(super) fn bitshuffle(dst: &mut [u8], src: &[u8], size: usize, from: usize) {
    let items = src.len() / size;
    let row = items / 8;
    for i in (from..items).step_by(8) {
        for byte in 0..size {
            let eight = std::array::from_fn(|m| src[(i + m) * size + byte]);
            for (k, value) in turn(eight).into_iter().enumerate() {
                dst[(byte * 8 + k) * row + i / 8] = value;
            }
        }
    }
}

/// `bitunshuffle` of the items from `from` on; their number and `from` are multiples of 8. The
/// rows of the bits of byte `b` are in `rows(b)`.
pub(super) fn bitunshuffle<'a>(
    dst: &mut [u8],
    rows: impl Fn(usize) -> &'a [u8],
    size: usize,
    from: usize,
) {
    let items = dst.len().checked_div(size).unwrap_or(0);
    let row = items / 8;
    for i in (from..items).step_by(8) {
        for byte in 0..size {
            let rows = rows(byte);
            let eight = std::array::from_fn(|k| rows[k * row + i / 8]);
            for (m, value) in turn(eight).into_iter().enumerate() {
                dst[(i + m) * size + byte] = value;
            }
        }
    }
}

/// Spreads the bits of a plane over rows that begin `step` apart.
#[cfg_attr(target_arch = "x86_64", allow(dead_code, reason = "the oracle of the tests"))]
pub(super) fn to_rows(rows: &mut [u8], step: usize, plane: &[u8]) {
    for (j, eight) in plane.as_chunks().0.iter().enumerate() {
        for (k, value) in turn(*eight).into_iter().enumerate() {
            rows[k * step + j] = value;
        }
    }
}

/// Undoes [`to_rows`].
#[cfg_attr(target_arch = "x86_64", allow(dead_code, reason = "the oracle of the tests"))]
pub(super) fn from_rows(plane: &mut [u8], rows: &[u8], step: usize) {
    for (j, eight) in plane.as_chunks_mut().0.iter_mut().enumerate() {
        *eight = turn(std::array::from_fn(|k| rows[k * step + j]));
    }
}

/// Transposes eight by eight bits: bit `k` of byte `m` becomes bit `m` of byte `k`. Squares of
/// 1, 2 and 4 bits change places across the diagonal (Hacker's Delight, 7-3).
fn turn(bytes: [u8; 8]) -> [u8; 8] {
    let mut x = u64::from_le_bytes(bytes);
    for (distance, mask) in SWAPS {
        let t = (x ^ (x >> distance)) & mask;
        x ^= t ^ (t << distance);
    }
    x.to_le_bytes()
}

/// How far bits move and which ones, in each of the three steps of [`turn`].
const SWAPS: [(i32, u64); 3] =
    [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)];
/// Bytes of a cache line.
const LINE: usize = 64;
