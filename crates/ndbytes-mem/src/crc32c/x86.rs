//! Checksums by multiplication of polynomials in registers of 256 and 512 bits.
//!
//! "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (V. Gopal and others,
//! Intel, 2009): what has been read is kept as a few polynomials that leave the same remainder, each
//! of which is multiplied by a power of x to stand where the next bytes are, and added to them.

use std::arch::x86_64::*;

/// Sums up the front of the bytes. Returns the checksum, and how many bytes are in it.
pub(super) fn fold(sum: u32, bytes: &[u8]) -> (u32, usize) {
    // SAFETY: the slice is valid for its length; without COPY, there need be no other side.
    unsafe { fold_widest::<false>(sum, bytes.as_ptr(), std::ptr::null_mut(), bytes.len()) }
}

/// Copies the front of the bytes, and sums it up. Returns the checksum, and how many bytes that are.
pub(super) fn copy_fold(dst: &mut [u8], src: &[u8], sum: u32) -> (u32, usize) {
    let len = src.len().min(dst.len());
    // SAFETY: both slices are valid for `len` bytes, and as `dst` is borrowed mutably and `src`
    // shared, they are disjoint.
    unsafe { fold_widest::<true>(sum, src.as_ptr(), dst.as_mut_ptr(), len) }
}

/// By the widest registers that there are.
///
/// # Safety
/// `src` is valid for reading `len` bytes, and with COPY `dst` for writing as many, which are disjoint.
unsafe fn fold_widest<const COPY: bool>(
    sum: u32,
    src: *const u8,
    dst: *mut u8,
    len: usize,
) -> (u32, usize) {
    let done = len / STEP * STEP;
    if done < LEAST {
        (sum, 0)
    } else if has_512() {
        // SAFETY: the features were detected, the pointers are the caller's, and `done`, no more
        // than `len`, is a multiple of STEP that is not 0.
        (unsafe { fold_512::<COPY>(sum, src, dst, done) }, done)
    } else if has_256() {
        // SAFETY: as above.
        (unsafe { fold_256::<COPY>(sum, src, dst, done) }, done)
    } else {
        (sum, 0)
    }
}

fn has_512() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("vpclmulqdq") && has_128()
}

fn has_256() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("vpclmulqdq") && has_128()
}

fn has_128() -> bool {
    is_x86_feature_detected!("pclmulqdq")
}

/// Four registers of 512 bits.
///
/// # Safety
/// - the processor has the features
/// - `src` is valid for reading `len` bytes, and with COPY `dst` for writing as many, which are disjoint
/// - `len` is a multiple of STEP, and not 0
#[target_feature(enable = "avx512f,vpclmulqdq,pclmulqdq")]
unsafe fn fold_512<const COPY: bool>(sum: u32, src: *const u8, dst: *mut u8, len: usize) -> u32 {
    let next = |at: usize| {
        // SAFETY: each of the calls below is for 64 bytes from a place on that is at most
        // `len - 64`, since `len` is a multiple of STEP.
        unsafe {
            let bytes = _mm512_loadu_si512(src.add(at).cast());
            if COPY {
                _mm512_storeu_si512(dst.add(at).cast(), bytes);
            }
            bytes
        }
    };
    let [low, high] = const { shift(8 * STEP as u32) };
    let far = _mm512_set4_epi64(high, low, high, low);
    let step = |sum, by, bytes| {
        let low = _mm512_clmulepi64_epi128::<0x00>(sum, by);
        let high = _mm512_clmulepi64_epi128::<0x11>(sum, by);
        // The sum of three polynomials.
        _mm512_ternarylogic_epi64::<0x96>(low, high, bytes)
    };
    let mut sums = [next(0), next(64), next(128), next(192)];
    let first = _mm512_zextsi128_si512(_mm_cvtsi32_si128((!sum).cast_signed()));
    sums[0] = _mm512_xor_si512(sums[0], first);
    for at in (STEP..len).step_by(STEP) {
        sums[0] = step(sums[0], far, next(at));
        sums[1] = step(sums[1], far, next(at + 64));
        sums[2] = step(sums[2], far, next(at + 128));
        sums[3] = step(sums[3], far, next(at + 192));
    }
    let [low, high] = const { shift(512) };
    let near = _mm512_set4_epi64(high, low, high, low);
    let [first, rest @ ..] = sums;
    let all = rest.into_iter().fold(first, |sum, next| step(sum, near, next));
    finish([
        _mm512_extracti32x4_epi32::<0>(all),
        _mm512_extracti32x4_epi32::<1>(all),
        _mm512_extracti32x4_epi32::<2>(all),
        _mm512_extracti32x4_epi32::<3>(all),
    ])
}

/// Eight registers of 256 bits.
///
/// # Safety
/// As [`fold_512`].
#[target_feature(enable = "avx2,vpclmulqdq,pclmulqdq")]
unsafe fn fold_256<const COPY: bool>(sum: u32, src: *const u8, dst: *mut u8, len: usize) -> u32 {
    let next = |at: usize| {
        // SAFETY: each of the calls below is for 32 bytes from a place on that is at most
        // `len - 32`, since `len` is a multiple of STEP.
        unsafe {
            let bytes = _mm256_loadu_si256(src.add(at).cast());
            if COPY {
                _mm256_storeu_si256(dst.add(at).cast(), bytes);
            }
            bytes
        }
    };
    let [low, high] = const { shift(8 * STEP as u32) };
    let far = _mm256_set_epi64x(high, low, high, low);
    let step = |sum, by, bytes| {
        let low = _mm256_clmulepi64_epi128::<0x00>(sum, by);
        let high = _mm256_clmulepi64_epi128::<0x11>(sum, by);
        _mm256_xor_si256(_mm256_xor_si256(low, high), bytes)
    };
    let mut sums: [__m256i; 8] = std::array::from_fn(|i| next(32 * i));
    let first = _mm256_zextsi128_si256(_mm_cvtsi32_si128((!sum).cast_signed()));
    sums[0] = _mm256_xor_si256(sums[0], first);
    for at in (STEP..len).step_by(STEP) {
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = step(*sum, far, next(at + 32 * i));
        }
    }
    let [low, high] = const { shift(256) };
    let near = _mm256_set_epi64x(high, low, high, low);
    let [first, rest @ ..] = sums;
    let all = rest.into_iter().fold(first, |sum, next| step(sum, near, next));
    finish([_mm256_castsi256_si128(all), _mm256_extracti128_si256::<1>(all)])
}

/// The checksum of what polynomials that follow one another leave.
#[target_feature(enable = "pclmulqdq")]
fn finish<const N: usize>(sums: [__m128i; N]) -> u32 {
    let [low, high] = const { shift(128) };
    let by = _mm_set_epi64x(high, low);
    let mut all = sums[0];
    for &next in &sums[1..] {
        let low = _mm_clmulepi64_si128::<0x00>(all, by);
        let high = _mm_clmulepi64_si128::<0x11>(all, by);
        all = _mm_xor_si128(_mm_xor_si128(low, high), next);
    }
    let mut bytes = [0; 16];
    // SAFETY: 16 bytes are written to as many.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), all) };
    // What is left of the register is in the first of them already.
    ::crc32c::crc32c_append(!0, &bytes)
}

/// What the low and the high half of 128 bits are multiplied by, to stand so many bits before the
/// end.
///
/// Bits are reflected: bit `i` of a half is x^(63 - i). Bit `k` of the product of two halves is
/// x^(126 - k), but stands for x^(127 - k) among 128 bits, so that one power less is wanted; the low half
/// is x^64 times what it seems.
const fn shift(bits: u32) -> [i64; 2] {
    [reflected(power(bits + 63)), reflected(power(bits - 1))]
}

const fn reflected(remainder: u32) -> i64 {
    ((remainder as u64) << 32).cast_signed()
}

/// What is left of x^n, reflected: bit 31 is 1.
const fn power(n: u32) -> u32 {
    let mut power = 1 << 31;
    let mut i = 0;
    while i < n {
        let over = if power & 1 == 1 { POLYNOMIAL } else { 0 };
        power = (power >> 1) ^ over;
        i += 1;
    }
    power
}

/// Castagnoli's, reflected.
const POLYNOMIAL: u32 = 0x82F6_3B78;
/// Bytes that are taken at a time.
const STEP: usize = 256;
/// Fewer are not worth it.
const LEAST: usize = 2 * STEP;

#[cfg(test)]
mod tests {
    use super::*;

    /// The wider of the two hides the other.
    #[test]
    fn registers_of_both_widths_give_the_same() {
        let bytes: Vec<u8> = (0..40 * STEP as u32).map(|i| ((i * i) >> 7) as u8).collect();
        for len in (STEP..=bytes.len()).step_by(STEP) {
            let wanted = ::crc32c::crc32c_append(9, &bytes[..len]);
            let (src, mut dst) = (bytes.as_ptr(), vec![0; len]);
            let none = std::ptr::null_mut();
            if has_256() {
                // SAFETY: the features were detected; there are `len` bytes on both sides.
                let sum = unsafe { fold_256::<true>(9, src, dst.as_mut_ptr(), len) };
                assert_eq!(sum, wanted);
                assert!(dst == bytes[..len]);
                // SAFETY: as above; no other side is used.
                assert_eq!(unsafe { fold_256::<false>(9, src, none, len) }, wanted);
            }
            dst.fill(0);
            if has_512() {
                // SAFETY: the features were detected; there are `len` bytes on both sides.
                let sum = unsafe { fold_512::<true>(9, src, dst.as_mut_ptr(), len) };
                assert_eq!(sum, wanted);
                assert!(dst == bytes[..len]);
                // SAFETY: as above; no other side is used.
                assert_eq!(unsafe { fold_512::<false>(9, src, none, len) }, wanted);
            }
        }
    }
}
