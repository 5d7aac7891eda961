//! Planes that lie across: the source runs along one axis, the destination along the other.
//!
//! A tile is 64 bytes wide on both sides, a cache line. Its lines are fetched into a buffer, turned
//! there in registers, and written line by line: each line of either side is touched once, so that
//! strides that are powers of two, which map to few sets of the cache, do no harm.

/// A plane of `rows` by `columns` items of `SIZE` bytes (1, 2, 4 or 8), where item `(i, j)` is at
/// `dst + i * dst_step + j * SIZE` and at `src + i * SIZE + j * src_step`.
///
/// # Safety
/// All those places are valid, writable and readable, and no place of `dst` overlaps one of `src`.
pub(crate) unsafe fn plane<const SIZE: usize>(
    dst: *mut u8,
    dst_step: isize,
    src: *const u8,
    src_step: isize,
    rows: usize,
    columns: usize,
) {
    let edge = LINE / SIZE;
    // Columns before the destination's first line: when its rows all begin alike, whole lines can
    // be written past the cache, without being read first.
    let lead = (dst as usize).next_multiple_of(LINE) - dst as usize;
    let aligned = dst_step % LINE as isize == 0 && lead.is_multiple_of(SIZE);
    let stream = aligned && rows * columns * SIZE >= STREAM_FROM;
    let first = if stream { (lead / SIZE).min(columns) } else { 0 };
    let whole_rows = rows - rows % edge;
    let end = columns - (columns - first) % edge;
    for j in (first..end).step_by(edge) {
        for i in (0..whole_rows).step_by(edge) {
            // SAFETY: items (i..i + edge, j..j + edge) are within the plane. Where `stream` is
            // set, row i begins at a line, since row 0 does at column `first` and steps are whole
            // lines.
            unsafe {
                let to = dst.offset(i as isize * dst_step + (j * SIZE) as isize);
                let from = src.offset((i * SIZE) as isize + j as isize * src_step);
                tile::<SIZE>(to, dst_step, from, src_step, stream);
            }
        }
    }
    if stream {
        stores_are_done();
    }
    // SAFETY: what is left of the plane: rows below, then columns to the left and right.
    unsafe {
        rest::<SIZE>(dst, dst_step, src, src_step, whole_rows..rows, 0..columns);
        rest::<SIZE>(dst, dst_step, src, src_step, 0..whole_rows, 0..first);
        rest::<SIZE>(dst, dst_step, src, src_step, 0..whole_rows, end..columns);
    }
}

/// Copies the items of a part of the plane one by one.
///
/// # Safety
/// As [`plane`], for this part.
unsafe fn rest<const SIZE: usize>(
    dst: *mut u8,
    dst_step: isize,
    src: *const u8,
    src_step: isize,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
) {
    for j in columns {
        for i in rows.clone() {
            // SAFETY: item (i, j) is within the plane; arrays of bytes have no alignment.
            unsafe {
                let to = dst.offset(i as isize * dst_step + (j * SIZE) as isize);
                let from = src.offset((i * SIZE) as isize + j as isize * src_step);
                to.cast::<[u8; SIZE]>().write(from.cast::<[u8; SIZE]>().read());
            }
        }
    }
}

/// A tile's bytes.
#[repr(align(64))]
struct Lines([[u8; LINE]; LINE]);

/// Turns one whole tile.
///
/// # Safety
/// As [`plane`], for `64 / SIZE` rows and columns; with `stream`, each row begins at a multiple
/// of 64.
unsafe fn tile<const SIZE: usize>(
    dst: *mut u8,
    dst_step: isize,
    src: *const u8,
    src_step: isize,
    stream: bool,
) {
    let edge = LINE / SIZE;
    let mut from = Lines([[0; LINE]; LINE]);
    let mut to = Lines([[0; LINE]; LINE]);
    for (j, line) in from.0[..edge].iter_mut().enumerate() {
        // SAFETY: 64 bytes of column j are items (0..edge, j).
        *line = unsafe { src.offset(j as isize * src_step).cast::<[u8; LINE]>().read() };
    }
    turn::<SIZE>(&from.0, &mut to.0);
    for (i, line) in to.0[..edge].iter().enumerate() {
        // SAFETY: 64 bytes of row i are items (i, 0..edge); aligned where `stream` is set.
        unsafe {
            let row = dst.offset(i as isize * dst_step).cast::<[u8; LINE]>();
            if stream { write_past_cache(row, line) } else { row.write(*line) }
        }
    }
}

/// Writes a whole line without reading it into the cache first, where the machine can.
///
/// # Safety
/// `row` is valid for 64 bytes and a multiple of 64.
unsafe fn write_past_cache(row: *mut [u8; LINE], line: &[u8; LINE]) {
    // SAFETY: as the caller promises.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        sse2::stream(row, line);
    }
    // SAFETY: as the caller promises.
    #[cfg(not(target_arch = "x86_64"))]
    unsafe {
        row.write(*line);
    }
}

/// Orders streamed lines before everything that follows, such as telling another thread.
fn stores_are_done() {
    #[cfg(target_arch = "x86_64")]
    sse2::fence();
}

/// Transposes the `64 / SIZE` square of items at the start of each line.
fn turn<const SIZE: usize>(from: &[[u8; LINE]; LINE], to: &mut [[u8; LINE]; LINE]) {
    #[cfg(target_arch = "x86_64")]
    sse2::turn::<SIZE>(from, to);
    #[cfg(not(target_arch = "x86_64"))]
    turn_scalar::<SIZE>(from, to);
}

/// The obvious way, for machines without a kernel of their own; also the oracle of those.
#[cfg_attr(target_arch = "x86_64", allow(dead_code, reason = "the oracle of the tests"))]
fn turn_scalar<const SIZE: usize>(from: &[[u8; LINE]; LINE], to: &mut [[u8; LINE]; LINE]) {
    for i in 0..LINE / SIZE {
        for j in 0..LINE / SIZE {
            let item = &from[j][i * SIZE..(i + 1) * SIZE];
            to[i][j * SIZE..(j + 1) * SIZE].copy_from_slice(item);
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    //! Squares of 16 bytes, turned by perfect shuffles: each round takes registers `k` and
    //! `k + n / 2` apart into `2k` and `2k + 1`, which rotates the bits of an item's index
    //! `(row, column)` by one; after `log2(n)` rounds row and column have changed places.

    use std::arch::x86_64::*;

    use super::LINE;

    pub(super) fn turn<const SIZE: usize>(from: &[[u8; LINE]; LINE], to: &mut [[u8; LINE]; LINE]) {
        let n = 16 / SIZE;
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: SSE2 is part of x86-64. Lines `j * n..` and `i * n..` (at most 64) hold
                // 16 bytes at column `i * 16` and `j * 16`.
                unsafe {
                    let mut rows = [_mm_setzero_si128(); 16];
                    for (k, row) in rows[..n].iter_mut().enumerate() {
                        *row = _mm_loadu_si128(from[j * n + k][i * 16..].as_ptr().cast());
                    }
                    let rows = match SIZE {
                        1 => bytes(rows),
                        2 => words(rows),
                        4 => doubles(rows),
                        _ => quads(rows),
                    };
                    for (k, row) in rows[..n].iter().enumerate() {
                        _mm_storeu_si128(to[i * n + k][j * 16..].as_mut_ptr().cast(), *row);
                    }
                }
            }
        }
    }

    /// # Safety
    /// `row` is valid for 64 bytes and a multiple of 16.
    pub(super) unsafe fn stream(row: *mut [u8; LINE], line: &[u8; LINE]) {
        for k in 0..4 {
            // SAFETY: SSE2 is part of x86-64; 16 bytes at `16 k` are within both.
            unsafe {
                let part = _mm_loadu_si128(line[16 * k..].as_ptr().cast());
                _mm_stream_si128(row.cast::<__m128i>().add(k), part);
            }
        }
    }

    pub(super) fn fence() {
        // SAFETY: SSE is part of x86-64.
        unsafe { _mm_sfence() };
    }

    macro_rules! shuffles {
        ($name:ident, $n:literal, $rounds:literal, $low:ident, $high:ident) => {
            #[inline(always)]
            fn $name(mut rows: [__m128i; 16]) -> [__m128i; 16] {
                for _ in 0..$rounds {
                    let mut next = rows;
                    for k in 0..$n / 2 {
                        // SAFETY: SSE2 is part of x86-64.
                        unsafe {
                            next[2 * k] = $low(rows[k], rows[k + $n / 2]);
                            next[2 * k + 1] = $high(rows[k], rows[k + $n / 2]);
                        }
                    }
                    rows = next;
                }
                rows
            }
        };
    }

    shuffles!(bytes, 16, 4, _mm_unpacklo_epi8, _mm_unpackhi_epi8);
    shuffles!(words, 8, 3, _mm_unpacklo_epi16, _mm_unpackhi_epi16);
    shuffles!(doubles, 4, 2, _mm_unpacklo_epi32, _mm_unpackhi_epi32);
    shuffles!(quads, 2, 1, _mm_unpacklo_epi64, _mm_unpackhi_epi64);
}

/// Planes that do not fit the second-level cache are written past it.
const STREAM_FROM: usize = 1 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn turns<const SIZE: usize>() {
        let mut from = [[0; LINE]; LINE];
        from.iter_mut().flatten().enumerate().for_each(|(i, b)| *b = (i * 31 + i / 64) as u8);
        let (mut got, mut want) = ([[0; LINE]; LINE], [[0; LINE]; LINE]);
        turn::<SIZE>(&from, &mut got);
        turn_scalar::<SIZE>(&from, &mut want);
        assert_eq!(got[..LINE / SIZE], want[..LINE / SIZE]);
    }

    #[test]
    fn kernels_equal_the_obvious_way() {
        turns::<1>();
        turns::<2>();
        turns::<4>();
        turns::<8>();
    }
}
