//! Planes that lie across: the source runs along one axis, the destination along the other.
//!
//! They are cut into blocks, whose rows are fetched into a buffer, turned there in registers, and
//! written row by row. Each cache line of either side is touched once, in runs as long as pays, so
//! that strides that are powers of two, which map to few sets of the cache, do no harm.
//!
//! Where a large destination's rows all begin alike within their lines, whole lines are written past
//! the cache; then blocks follow one another along the source, one line wide there. Elsewhere they
//! follow the destination, so that fresh pages are filled while their zeros are still in the cache.

use std::ops::Range;

/// A block of a plane, before and after it is turned.
pub(crate) struct Block {
    from: Vec<[u8; SQUARE]>,
    to: Vec<[u8; SQUARE]>,
}

/// What a block covers of a plane, in items.
#[derive(Clone, Copy)]
struct Extent {
    /// Rows of the destination.
    height: usize,
    /// Columns of the destination, which are the rows of the source.
    width: usize,
}

impl Block {
    /// A block for planes whose shorter side has this many bytes.
    pub(crate) fn new(side: usize) -> Self {
        let edge = side.next_multiple_of(SQUARE).min(EDGE);
        let room = vec![[0; SQUARE]; edge * EDGE / SQUARE];
        Self { from: room.clone(), to: room }
    }

    /// Copies a plane of `rows` by `columns` items of `SIZE` bytes (1, 2, 4 or 8), where item
    /// `(i, j)` is at `dst + i * dst_step + j * SIZE` and at `src + i * SIZE + j * src_step`.
    ///
    /// # Safety
    /// All those places are valid, writable and readable, and no place of `dst` overlaps one of
    /// `src`.
    pub(crate) unsafe fn plane<const SIZE: usize>(
        &mut self,
        dst: *mut u8,
        dst_step: isize,
        src: *const u8,
        src_step: isize,
        rows: usize,
        columns: usize,
    ) {
        let square = SQUARE / SIZE;
        // Columns before the destination's first line.
        let lead = (dst as usize).next_multiple_of(LINE) - dst as usize;
        let aligned = dst_step % LINE as isize == 0 && lead.is_multiple_of(SIZE);
        let stream = cfg!(target_arch = "x86_64")
            && aligned
            && rows.saturating_mul(columns * SIZE) >= STREAM_FROM;
        let first = if stream { (lead / SIZE).min(columns) } else { 0 };
        let (below, right) = (rows - rows % square, columns - (columns - first) % square);
        let most = match stream {
            true => Extent { height: LINE / SIZE, width: EDGE / SIZE },
            false => Extent { height: EDGE / SIZE, width: EDGE / SIZE },
        };
        let mut copy = |i: usize, j: usize| {
            let part =
                Extent { height: most.height.min(below - i), width: most.width.min(right - j) };
            // SAFETY: the items from (i, j) on are within the plane, as many as `part` has. Where
            // `stream` is set they begin at a line, since row 0 does at column `first`, steps are
            // whole lines, and so are blocks but for the last.
            unsafe {
                let to = dst.offset(i as isize * dst_step + (j * SIZE) as isize);
                let from = src.offset((i * SIZE) as isize + j as isize * src_step);
                self.fetch::<SIZE>(from, src_step, part, stream);
                self.turn::<SIZE>(part);
                self.store::<SIZE>(to, dst_step, part, stream);
            }
        };
        let (down, across) = ((0..below).step_by(most.height), (first..right).step_by(most.width));
        if stream {
            across.for_each(|j| down.clone().for_each(|i| copy(i, j)));
            stores_are_done();
        } else {
            down.for_each(|i| across.clone().for_each(|j| copy(i, j)));
        }
        // SAFETY: what is left of the plane: rows below, then columns to the left and right.
        unsafe {
            rest::<SIZE>(dst, dst_step, src, src_step, below..rows, 0..columns);
            rest::<SIZE>(dst, dst_step, src, src_step, 0..below, 0..first);
            rest::<SIZE>(dst, dst_step, src, src_step, 0..below, right..columns);
        }
    }

    /// Fetches rows of the source, one after another, and with `ahead` asks for what follows them.
    ///
    /// # Safety
    /// `part.height * SIZE` bytes at `src + j * src_step` are readable for every `j` below
    /// `part.width`.
    unsafe fn fetch<const SIZE: usize>(
        &mut self,
        src: *const u8,
        src_step: isize,
        part: Extent,
        ahead: bool,
    ) {
        let run = part.height * SIZE;
        for (j, row) in self.from.chunks_exact_mut(run / SQUARE).take(part.width).enumerate() {
            // SAFETY: by the caller's contract; the row has `run` bytes.
            unsafe {
                let src = src.offset(j as isize * src_step);
                if ahead {
                    prefetch(src.wrapping_add(run));
                }
                match run {
                    LINE => copy_run::<LINE>(row.as_mut_ptr().cast(), src),
                    EDGE => copy_run::<EDGE>(row.as_mut_ptr().cast(), src),
                    _ => std::ptr::copy_nonoverlapping(src, row.as_mut_ptr().cast(), run),
                }
            }
        }
    }

    /// Writes rows of the destination.
    ///
    /// # Safety
    /// `part.width * SIZE` bytes at `dst + i * dst_step` are writable for every `i` below
    /// `part.height`; with `stream` they begin at a multiple of 16.
    unsafe fn store<const SIZE: usize>(
        &self,
        dst: *mut u8,
        dst_step: isize,
        part: Extent,
        stream: bool,
    ) {
        let run = part.width * SIZE;
        for (i, row) in self.to.chunks_exact(run / SQUARE).take(part.height).enumerate() {
            // SAFETY: by the caller's contract; the row has `run` bytes.
            unsafe {
                let dst = dst.offset(i as isize * dst_step);
                match run {
                    _ if stream => write_past_cache(dst, row),
                    EDGE => copy_run::<EDGE>(dst, row.as_ptr().cast()),
                    _ => std::ptr::copy_nonoverlapping(row.as_ptr().cast(), dst, run),
                }
            }
        }
    }

    /// Transposes the items, square by square.
    fn turn<const SIZE: usize>(&mut self, part: Extent) {
        let square = SQUARE / SIZE;
        let (from, to) = (part.height / square, part.width / square);
        let mut rows = [[0; SQUARE]; SQUARE];
        for j in 0..to {
            for i in 0..from {
                for (k, row) in rows[..square].iter_mut().enumerate() {
                    *row = self.from[(j * square + k) * from + i];
                }
                turn::<SIZE>(&mut rows);
                for (k, row) in rows[..square].iter().enumerate() {
                    self.to[(i * square + k) * to + j] = *row;
                }
            }
        }
    }
}

/// Copies bytes whose number the compiler knows.
///
/// # Safety
/// Both sides are valid for `N` bytes and disjoint.
#[inline(always)]
unsafe fn copy_run<const N: usize>(dst: *mut u8, src: *const u8) {
    // SAFETY: by the caller's contract; arrays of bytes have no alignment.
    unsafe { dst.cast::<[u8; N]>().write(src.cast::<[u8; N]>().read()) }
}

/// Asks for a line that will be needed soon, if there is one.
fn prefetch(line: *const u8) {
    // SAFETY: a prefetch of any address does nothing that can be seen; SSE is part of x86-64.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(line.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// Writes a row without reading it into the cache first, where the machine can.
///
/// # Safety
/// `dst` is valid for as many bytes and a multiple of 16.
unsafe fn write_past_cache(dst: *mut u8, row: &[[u8; SQUARE]]) {
    for (k, part) in row.iter().enumerate() {
        // SAFETY: by the caller's contract; SSE2 is part of x86-64.
        unsafe {
            let dst = dst.cast::<[u8; SQUARE]>().add(k);
            #[cfg(target_arch = "x86_64")]
            std::arch::x86_64::_mm_stream_si128(dst.cast(), std::mem::transmute_copy(part));
            #[cfg(not(target_arch = "x86_64"))]
            dst.write(*part);
        }
    }
}

/// Orders streamed rows before everything that follows, such as telling another thread.
fn stores_are_done() {
    // SAFETY: SSE is part of x86-64.
    #[cfg(target_arch = "x86_64")]
    #[allow(unused_unsafe, reason = "safe in newer toolchains")]
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Copies the items of a part of the plane one by one.
///
/// # Safety
/// As [`Block::plane`], for this part.
unsafe fn rest<const SIZE: usize>(
    dst: *mut u8,
    dst_step: isize,
    src: *const u8,
    src_step: isize,
    rows: Range<usize>,
    columns: Range<usize>,
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

/// Transposes the square of items in the first `16 / SIZE` rows.
fn turn<const SIZE: usize>(rows: &mut [[u8; SQUARE]; SQUARE]) {
    #[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))]
    simd::turn::<SIZE>(rows);
    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "aarch64", target_endian = "little")
    )))]
    turn_portable::<SIZE>(rows);
}

/// The obvious way, for machines without a kernel of their own; also the oracle of those.
#[cfg_attr(
    any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")),
    allow(dead_code, reason = "the oracle of the tests")
)]
fn turn_portable<const SIZE: usize>(rows: &mut [[u8; SQUARE]; SQUARE]) {
    let from = *rows;
    for i in 0..SQUARE / SIZE {
        for j in 0..SQUARE / SIZE {
            rows[i][j * SIZE..(j + 1) * SIZE].copy_from_slice(&from[j][i * SIZE..(i + 1) * SIZE]);
        }
    }
}

#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little")))]
mod simd {
    //! Perfect shuffles: each round takes registers `k` and `k + n / 2` apart into `2k` and
    //! `2k + 1`, which rotates the bits of an item's index `(row, column)` by one; after `log2(n)`
    //! rounds row and column have changed places.
    //!
    //! SSE2 and NEON belong to their architectures, so nothing has to be detected. Wider registers
    //! gain nothing here: most of the time goes into memory.

    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::{
        __m128i as Register, _mm_unpackhi_epi8 as high8, _mm_unpackhi_epi16 as high16,
        _mm_unpackhi_epi32 as high32, _mm_unpackhi_epi64 as high64, _mm_unpacklo_epi8 as low8,
        _mm_unpacklo_epi16 as low16, _mm_unpacklo_epi32 as low32, _mm_unpacklo_epi64 as low64,
    };

    #[cfg(target_arch = "aarch64")]
    use neon::{Register, high8, high16, high32, high64, low8, low16, low32, low64};

    use super::SQUARE;

    pub(super) fn turn<const SIZE: usize>(rows: &mut [[u8; SQUARE]; SQUARE]) {
        // SAFETY: a register is 16 bytes of any value.
        let mut registers: [Register; SQUARE] = unsafe { std::mem::transmute(*rows) };
        match SIZE {
            1 => bytes(&mut registers),
            2 => words(&mut registers),
            4 => doubles(&mut registers),
            _ => quads(&mut registers),
        }
        // SAFETY: as above.
        *rows =
            unsafe { std::mem::transmute::<[Register; SQUARE], [[u8; SQUARE]; SQUARE]>(registers) };
    }

    macro_rules! shuffles {
        ($name:ident, $n:literal, $rounds:literal, $low:ident, $high:ident) => {
            #[inline(always)]
            fn $name(rows: &mut [Register; SQUARE]) {
                for _ in 0..$rounds {
                    let before = *rows;
                    for k in 0..$n / 2 {
                        // SAFETY: the instructions belong to the architecture.
                        #[allow(unused_unsafe, reason = "safe in newer toolchains")]
                        unsafe {
                            rows[2 * k] = $low(before[k], before[k + $n / 2]);
                            rows[2 * k + 1] = $high(before[k], before[k + $n / 2]);
                        }
                    }
                }
            }
        };
    }

    shuffles!(bytes, 16, 4, low8, high8);
    shuffles!(words, 8, 3, low16, high16);
    shuffles!(doubles, 4, 2, low32, high32);
    shuffles!(quads, 2, 1, low64, high64);

    #[cfg(target_arch = "aarch64")]
    mod neon {
        use std::arch::aarch64::*;

        pub(super) type Register = uint8x16_t;

        macro_rules! zips {
            ($low:ident, $high:ident, $lane:ty, $zip1:ident, $zip2:ident) => {
                /// # Safety
                /// NEON is there.
                #[inline(always)]
                pub(super) unsafe fn $low(a: Register, b: Register) -> Register {
                    // SAFETY: by the caller's contract; registers of one size hold any bytes.
                    unsafe {
                        std::mem::transmute::<$lane, Register>($zip1(
                            std::mem::transmute::<Register, $lane>(a),
                            std::mem::transmute::<Register, $lane>(b),
                        ))
                    }
                }

                /// # Safety
                /// NEON is there.
                #[inline(always)]
                pub(super) unsafe fn $high(a: Register, b: Register) -> Register {
                    // SAFETY: by the caller's contract; registers of one size hold any bytes.
                    unsafe {
                        std::mem::transmute::<$lane, Register>($zip2(
                            std::mem::transmute::<Register, $lane>(a),
                            std::mem::transmute::<Register, $lane>(b),
                        ))
                    }
                }
            };
        }

        zips!(low8, high8, uint8x16_t, vzip1q_u8, vzip2q_u8);
        zips!(low16, high16, uint16x8_t, vzip1q_u16, vzip2q_u16);
        zips!(low32, high32, uint32x4_t, vzip1q_u32, vzip2q_u32);
        zips!(low64, high64, uint64x2_t, vzip1q_u64, vzip2q_u64);
    }
}

/// Bytes of a register, and of the side of a square that is turned in registers.
const SQUARE: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes of a block's longer side: two blocks (128 KiB at most) fit the second-level cache.
const EDGE: usize = 256;
/// Planes that do not fit the second-level cache are written past it.
const STREAM_FROM: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn turns<const SIZE: usize>() {
        let mut got = [[0; SQUARE]; SQUARE];
        got.iter_mut().flatten().enumerate().for_each(|(i, b)| *b = (i * 31 + i / 16) as u8);
        let mut want = got;
        turn::<SIZE>(&mut got);
        turn_portable::<SIZE>(&mut want);
        assert_eq!(got[..SQUARE / SIZE], want[..SQUARE / SIZE]);
    }

    #[test]
    fn kernels_equal_the_obvious_way() {
        turns::<1>();
        turns::<2>();
        turns::<4>();
        turns::<8>();
    }
}
