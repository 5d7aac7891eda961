//! The transpositions in registers of 16 (SSE2) and 32 bytes (AVX2).
//!
//! All are built of one step, the perfect shuffle: registers `k` and `k + n / 2` are interleaved
//! into `2k` and `2k + 1`. Over `n` registers of 16 bytes, seen as one block, that rotates the bits
//! of a byte's index to the left by one. Items of `2^s` bytes have the index `(item, byte)`; 16 of
//! them are turned into planes, `(byte, item)`, by 4 steps, and back by `s`.
//!
//! A register of 32 bytes is two such worlds side by side: its upper half holds the 16 items that
//! follow those of the lower half, so that planes are 32 bytes in a row and nothing crosses over.

use std::arch::x86_64::*;

use super::halves;

/// `shuffle` of as many items as fit whole registers; says how many.
pub(super) fn shuffle(dst: &mut [u8], src: &[u8], size: usize) -> usize {
    assert_eq!(dst.len(), src.len());
    if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there; both slices are `src.len() / size` items.
        unsafe { avx2::shuffle(dst, src, size) }
    } else {
        // SAFETY: SSE2 is part of x86-64; both slices are `src.len() / size` items.
        unsafe { sse2::shuffle(dst, src, size) }
    }
}

/// `unshuffle` of as many items as fit whole registers; says how many.
pub(super) fn unshuffle(dst: &mut [u8], src: &[u8], size: usize) -> usize {
    assert_eq!(dst.len(), src.len());
    if is_x86_feature_detected!("avx2") {
        // SAFETY: as in `shuffle`.
        unsafe { avx2::unshuffle(dst, src, size) }
    } else {
        // SAFETY: as in `shuffle`.
        unsafe { sse2::unshuffle(dst, src, size) }
    }
}

/// As [`unshuffle`], of planes that lie apart.
pub(super) fn unshuffle_planes(dst: &mut [u8], planes: &[&[u8]]) -> usize {
    let items = planes[0].len();
    assert!(planes.iter().all(|plane| plane.len() == items) && dst.len() == items * planes.len());
    if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there; the lengths are as they should be.
        unsafe { avx2::unshuffle_planes(dst, planes) }
    } else {
        // SAFETY: SSE2 is part of x86-64; the lengths are as they should be.
        unsafe { sse2::unshuffle_planes(dst, planes) }
    }
}

/// Spreads the bits of a plane, a multiple of 256 bytes, over rows that begin `step` apart.
pub(super) fn to_rows(rows: &mut [u8], step: usize, plane: &[u8]) {
    assert!(plane.len().is_multiple_of(256) && rows.len() >= 7 * step + plane.len() / 8);
    if is_x86_feature_detected!("avx2") {
        // SAFETY: AVX2 is there; eight rows are within `rows`.
        unsafe { avx2::to_rows(rows, step, plane) }
    } else {
        // SAFETY: SSE2 is part of x86-64; eight rows are within `rows`.
        unsafe { sse2::to_rows(rows, step, plane) }
    }
}

/// Undoes [`to_rows`].
pub(super) fn from_rows(plane: &mut [u8], rows: &[u8], step: usize) {
    assert!(plane.len().is_multiple_of(256) && rows.len() >= 7 * step + plane.len() / 8);
    if is_x86_feature_detected!("avx2") {
        // SAFETY: as in `to_rows`.
        unsafe { avx2::from_rows(plane, rows, step) }
    } else {
        // SAFETY: as in `to_rows`.
        unsafe { sse2::from_rows(plane, rows, step) }
    }
}

macro_rules! kernels {
    ($name:ident, $feature:literal, $vector:ident, $halves:literal, $zero:ident, $low:ident,
     $high:ident, $load:ident, $store:ident, $xor:ident, $and:ident, $right:ident, $left:ident,
     $all:ident) => {
        mod $name {
            use super::halves::$name::{load_pair, load_words, store_pair, store_words};
            use super::*;

            /// # Safety
            /// The feature is there. The slices are of one length, a multiple of `size`.
            #[target_feature(enable = $feature)]
            pub(in super::super) unsafe fn shuffle(
                dst: &mut [u8],
                src: &[u8],
                size: usize,
            ) -> usize {
                let items = src.len() / size;
                let (dst, src) = (dst.as_mut_ptr(), src.as_ptr());
                // SAFETY: planes of `items` bytes and items of `size` bytes fill both slices.
                unsafe {
                    match size {
                        2 => whole::<2>(dst, src, items),
                        4 => whole::<4>(dst, src, items),
                        8 => whole::<8>(dst, src, items),
                        3..8 => narrow(dst, src, size, items),
                        9.. => wide(dst, src, size, items),
                        _ => 0,
                    }
                }
            }

            /// # Safety
            /// As [`shuffle`].
            #[target_feature(enable = $feature)]
            pub(in super::super) unsafe fn unshuffle(
                dst: &mut [u8],
                src: &[u8],
                size: usize,
            ) -> usize {
                let items = src.len() / size;
                // SAFETY: planes of `items` bytes and items of `size` bytes fill both slices.
                unsafe { gather(dst.as_mut_ptr(), |k| src.as_ptr().add(k * items), size, items) }
            }

            /// # Safety
            /// The feature is there. The planes are of one length, and `dst` is as long as all.
            #[target_feature(enable = $feature)]
            pub(in super::super) unsafe fn unshuffle_planes(
                dst: &mut [u8],
                planes: &[&[u8]],
            ) -> usize {
                let items = planes[0].len();
                let plane = |k: usize| planes[k].as_ptr();
                // SAFETY: each plane has `items` bytes, `dst` as many for each plane.
                unsafe { gather(dst.as_mut_ptr(), plane, planes.len(), items) }
            }

            /// Puts items together whose byte `k` is in the plane that begins at `plane(k)`.
            ///
            /// # Safety
            /// The feature is there; `items` bytes of each of `size` planes are valid, and
            /// `size * items` at `dst`.
            #[inline]
            #[target_feature(enable = $feature)]
            unsafe fn gather(
                dst: *mut u8,
                plane: impl Fn(usize) -> *const u8,
                size: usize,
                items: usize,
            ) -> usize {
                // SAFETY: as the caller promises.
                unsafe {
                    match size {
                        2 => unwhole::<2, 1>(dst, plane, items),
                        4 => unwhole::<4, 2>(dst, plane, items),
                        8 => unwhole::<8, 3>(dst, plane, items),
                        3..8 => unnarrow(dst, plane, size, items),
                        9.. => unwide(dst, plane, size, items),
                        _ => 0,
                    }
                }
            }

            /// # Safety
            /// The feature is there; `plane` is a multiple of 256 bytes, and eight rows of an
            /// eighth of that, `step` apart, are within `rows`.
            #[target_feature(enable = $feature)]
            pub(in super::super) unsafe fn to_rows(rows: &mut [u8], step: usize, plane: &[u8]) {
                for at in (0..plane.len()).step_by(8 * WIDTH) {
                    // SAFETY: 8 x WIDTH bytes at `at` are within the plane, and WIDTH bytes at
                    // `at / 8` within each row.
                    unsafe {
                        let from = plane.as_ptr().add(at);
                        let mut block = [$zero(); 8];
                        for k in 0..8 {
                            block[k] = load_pair(from.add(16 * k), 128);
                        }
                        for _ in 0..4 {
                            block = perfect(block);
                        }
                        block = turn(block);
                        for k in 0..8 {
                            let row = rows.as_mut_ptr().add(k * step + at / 8);
                            $store(row.cast(), block[k]);
                        }
                    }
                }
            }

            /// # Safety
            /// As [`to_rows`].
            #[target_feature(enable = $feature)]
            pub(in super::super) unsafe fn from_rows(plane: &mut [u8], rows: &[u8], step: usize) {
                for at in (0..plane.len()).step_by(8 * WIDTH) {
                    // SAFETY: as in `to_rows`.
                    unsafe {
                        let mut block = [$zero(); 8];
                        for k in 0..8 {
                            block[k] = $load(rows.as_ptr().add(k * step + at / 8).cast());
                        }
                        block = turn(block);
                        for _ in 0..3 {
                            block = perfect(block);
                        }
                        let to = plane.as_mut_ptr().add(at);
                        for k in 0..8 {
                            store_pair(to.add(16 * k), 128, block[k]);
                        }
                    }
                }
            }

            /// Items of 2, 4 or 8 bytes, which fill registers.
            ///
            /// # Safety
            /// The feature is there; `N * items` bytes are valid at both places.
            #[target_feature(enable = $feature)]
            unsafe fn whole<const N: usize>(dst: *mut u8, src: *const u8, items: usize) -> usize {
                let end = items - items % WIDTH;
                for i in (0..end).step_by(WIDTH) {
                    // SAFETY: items `i..i + WIDTH` are N x WIDTH bytes at `i * N`, and WIDTH bytes
                    // at `i` of each plane.
                    unsafe {
                        let mut block = [$zero(); N];
                        for k in 0..N {
                            block[k] = load_pair(src.add(i * N + 16 * k), 16 * N);
                        }
                        for _ in 0..4 {
                            block = perfect(block);
                        }
                        for k in 0..N {
                            $store(dst.add(k * items + i).cast(), block[k]);
                        }
                    }
                }
                end
            }

            /// Undoes [`whole`]; `2^S` is `N`.
            ///
            /// # Safety
            /// As [`whole`].
            #[target_feature(enable = $feature)]
            unsafe fn unwhole<const N: usize, const S: usize>(
                dst: *mut u8,
                plane: impl Fn(usize) -> *const u8,
                items: usize,
            ) -> usize {
                let end = items - items % WIDTH;
                for i in (0..end).step_by(WIDTH) {
                    // SAFETY: as in `whole`.
                    unsafe {
                        let mut block = [$zero(); N];
                        for k in 0..N {
                            block[k] = $load(plane(k).add(i).cast());
                        }
                        for _ in 0..S {
                            block = perfect(block);
                        }
                        for k in 0..N {
                            store_pair(dst.add(i * N + 16 * k), 16 * N, block[k]);
                        }
                    }
                }
                end
            }

            /// Items of 3 to 7 bytes: eight bytes are fetched from the start of each.
            ///
            /// # Safety
            /// The feature is there; `size * items` bytes are valid at both places.
            #[target_feature(enable = $feature)]
            unsafe fn narrow(dst: *mut u8, src: *const u8, size: usize, items: usize) -> usize {
                let end = whole_reads(items, size, 8);
                for i in (0..end).step_by(WIDTH) {
                    // SAFETY: eight bytes from the start of items `i..i + WIDTH` end before the
                    // last item does; WIDTH bytes at `i` are within each of `size` planes.
                    unsafe {
                        let mut block = [$zero(); 8];
                        for k in 0..8 {
                            let from = src.add((i + 2 * k) * size);
                            block[k] = load_words(from, size, 16 * size);
                        }
                        for _ in 0..4 {
                            block = perfect(block);
                        }
                        for k in 0..size {
                            $store(dst.add(k * items + i).cast(), block[k]);
                        }
                    }
                }
                end
            }

            /// Undoes [`narrow`]. Each item is written with bytes behind it, which the next one
            /// overwrites.
            ///
            /// # Safety
            /// As [`narrow`].
            #[target_feature(enable = $feature)]
            unsafe fn unnarrow(
                dst: *mut u8,
                plane: impl Fn(usize) -> *const u8,
                size: usize,
                items: usize,
            ) -> usize {
                let end = whole_reads(items, size, 8);
                for i in (0..end).step_by(WIDTH) {
                    // SAFETY: as in `narrow`.
                    unsafe {
                        let mut block = [$zero(); 8];
                        for k in 0..size {
                            block[k] = $load(plane(k).add(i).cast());
                        }
                        for _ in 0..3 {
                            block = perfect(block);
                        }
                        for half in 0..$halves {
                            for k in 0..8 {
                                let to = dst.add((i + 16 * half + 2 * k) * size);
                                store_words(to, size, block[k], half);
                            }
                        }
                    }
                }
                end
            }

            /// Items of 9 bytes and more: squares of 16 bytes of 16 items.
            ///
            /// # Safety
            /// The feature is there; `size * items` bytes are valid at both places.
            #[target_feature(enable = $feature)]
            unsafe fn wide(dst: *mut u8, src: *const u8, size: usize, items: usize) -> usize {
                let end = whole_reads(items, size, 16);
                for i in (0..end).step_by(WIDTH) {
                    let mut column = 0;
                    while column < size {
                        // The last square begins earlier, and does some columns again.
                        column = column.min(size.saturating_sub(16));
                        let columns = size.min(16);
                        // SAFETY: 16 bytes at `column` of items `i..i + WIDTH` end before the last
                        // item does; WIDTH bytes at `i` are within each of `size` planes.
                        unsafe {
                            let mut block = [$zero(); 16];
                            for k in 0..16 {
                                block[k] = load_pair(src.add((i + k) * size + column), 16 * size);
                            }
                            for _ in 0..4 {
                                block = perfect(block);
                            }
                            for k in 0..columns {
                                $store(dst.add((column + k) * items + i).cast(), block[k]);
                            }
                        }
                        column += 16;
                    }
                }
                end
            }

            /// Undoes [`wide`]. Items of less than 16 bytes are written as in [`unnarrow`].
            ///
            /// # Safety
            /// As [`wide`].
            #[target_feature(enable = $feature)]
            unsafe fn unwide(
                dst: *mut u8,
                plane: impl Fn(usize) -> *const u8,
                size: usize,
                items: usize,
            ) -> usize {
                let end = whole_reads(items, size, 16);
                for i in (0..end).step_by(WIDTH) {
                    let mut column = 0;
                    while column < size {
                        column = column.min(size.saturating_sub(16));
                        let columns = size.min(16);
                        // SAFETY: as in `wide`.
                        unsafe {
                            let mut block = [$zero(); 16];
                            for k in 0..columns {
                                block[k] = $load(plane(column + k).add(i).cast());
                            }
                            for _ in 0..4 {
                                block = perfect(block);
                            }
                            for half in 0..$halves {
                                for k in 0..16 {
                                    let to = dst.add((i + 16 * half + k) * size + column);
                                    store_half(to, block[k], half);
                                }
                            }
                        }
                        column += 16;
                    }
                }
                end
            }

            /// Writes one half of a register.
            ///
            /// # Safety
            /// The feature is there; 16 bytes are valid at `to`.
            #[inline]
            #[target_feature(enable = $feature)]
            unsafe fn store_half(to: *mut u8, vector: $vector, half: usize) {
                // SAFETY: as the caller promises.
                unsafe { _mm_storeu_si128(to.cast(), super::halves::$name::half(vector, half)) }
            }

            /// The perfect shuffle of `N` registers.
            #[inline]
            #[target_feature(enable = $feature)]
            fn perfect<const N: usize>(block: [$vector; N]) -> [$vector; N] {
                let mut next = block;
                for k in 0..N / 2 {
                    next[2 * k] = $low(block[k], block[k + N / 2]);
                    next[2 * k + 1] = $high(block[k], block[k + N / 2]);
                }
                next
            }

            /// Transposes eight by eight bits, those of the bytes that are at one place in all
            /// registers: as `portable::turn`, squares change places across the diagonal.
            #[inline]
            #[target_feature(enable = $feature)]
            fn turn(mut rows: [$vector; 8]) -> [$vector; 8] {
                macro_rules! swap {
                    ($distance:literal, $mask:literal) => {{
                        let mask = $all($mask);
                        for k in (0..8).filter(|k| k & $distance == 0) {
                            let (x, y) = (rows[k], rows[k + $distance]);
                            let t = $and($xor($right::<$distance>(x), y), mask);
                            rows[k + $distance] = $xor(y, t);
                            rows[k] = $xor(x, $left::<$distance>(t));
                        }
                    }};
                }
                swap!(4, 0x0f0f_0f0f_0f0f_0f0f);
                swap!(2, 0x3333_3333_3333_3333);
                swap!(1, 0x5555_5555_5555_5555);
                rows
            }

            /// How many items can be turned, WIDTH at a time, when `read` bytes are touched from
            /// any place inside of an item that is no more than `size - read` from its start.
            fn whole_reads(items: usize, size: usize, read: usize) -> usize {
                // Items at the end of which less than `read` bytes follow the start.
                let short = read.saturating_sub(size).div_ceil(size);
                let items = items.saturating_sub(short);
                items - items % WIDTH
            }

            /// Bytes of a register.
            const WIDTH: usize = 16 * $halves;
        }
    };
}

kernels!(
    sse2,
    "sse2",
    __m128i,
    1,
    _mm_setzero_si128,
    _mm_unpacklo_epi8,
    _mm_unpackhi_epi8,
    _mm_loadu_si128,
    _mm_storeu_si128,
    _mm_xor_si128,
    _mm_and_si128,
    _mm_srli_epi64,
    _mm_slli_epi64,
    _mm_set1_epi64x
);
kernels!(
    avx2,
    "avx2",
    __m256i,
    2,
    _mm256_setzero_si256,
    _mm256_unpacklo_epi8,
    _mm256_unpackhi_epi8,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_xor_si256,
    _mm256_and_si256,
    _mm256_srli_epi64,
    _mm256_slli_epi64,
    _mm256_set1_epi64x
);

/// Runs each implementation that this machine has, on items and what they should become.
#[cfg(test)]
pub(super) fn check(src: &[u8], want: &[u8], size: usize) {
    type Turn = unsafe fn(&mut [u8], &[u8], usize) -> usize;
    type Gather = unsafe fn(&mut [u8], &[&[u8]]) -> usize;
    let mut turns: Vec<(Turn, Turn, Gather)> =
        vec![(sse2::shuffle, sse2::unshuffle, sse2::unshuffle_planes)];
    if is_x86_feature_detected!("avx2") {
        turns.push((avx2::shuffle, avx2::unshuffle, avx2::unshuffle_planes));
    }
    let items = src.len() / size;
    for (there, back, gather) in turns {
        let mut got = vec![0; src.len()];
        // SAFETY: the features are there; the slices are of one length, whole items.
        let done = unsafe { there(&mut got, src, size) };
        for (got, want) in got.chunks(items.max(1)).zip(want.chunks(items.max(1))) {
            assert!(got[..done] == want[..done] && got[done..].iter().all(|&b| b == 0));
        }
        // SAFETY: as above.
        let done = unsafe { back(&mut got, want, size) };
        assert!(got[..done * size] == src[..done * size], "{items} of {size}");
        assert!(done + 32 + 16_usize.div_ceil(size) > items);
        if items > 0 {
            let planes: Vec<&[u8]> = want.chunks(items).collect();
            got.fill(0);
            // SAFETY: as above; the planes are of one length.
            assert_eq!(unsafe { gather(&mut got, &planes) }, done);
            assert!(got[..done * size] == src[..done * size], "{items} of {size}");
        }
    }
}

/// As [`check`], for the rows of a plane.
#[cfg(test)]
pub(super) fn check_rows(plane: &[u8], want: &[u8]) {
    type To = unsafe fn(&mut [u8], usize, &[u8]);
    type From = unsafe fn(&mut [u8], &[u8], usize);
    let mut turns: Vec<(To, From)> = vec![(sse2::to_rows, sse2::from_rows)];
    if is_x86_feature_detected!("avx2") {
        turns.push((avx2::to_rows, avx2::from_rows));
    }
    for (to, from) in turns {
        let (mut rows, mut back) = (vec![0; plane.len()], vec![0; plane.len()]);
        // SAFETY: the features are there; the plane is a multiple of 256 bytes, as are the rows.
        unsafe {
            to(&mut rows, plane.len() / 8, plane);
            from(&mut back, &rows, plane.len() / 8);
        }
        assert!(rows == want && back == plane);
    }
}
