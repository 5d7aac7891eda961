//! CRC-32C (Castagnoli), as iSCSI, ext4 and the shards of Zarr have it, and copies that are summed
//! up on their way.

#[cfg(target_arch = "x86_64")]
mod x86;

/// The checksum of these bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_append(0, bytes)
}

/// The checksum of the bytes that gave `sum`, and of these behind them.
pub fn crc32c_append(sum: u32, bytes: &[u8]) -> u32 {
    #[cfg(target_arch = "x86_64")]
    let (sum, done) = x86::fold(sum, bytes);
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    ::crc32c::crc32c_append(sum, &bytes[done..])
}

/// Copies the bytes, and returns the checksum of those that gave `sum` and of these behind them: as
/// fast as a copy alone, where the processor multiplies polynomials in wide registers.
///
/// # Panics
/// When the lengths differ.
pub fn copy_crc32c(dst: &mut [u8], src: &[u8], sum: u32) -> u32 {
    assert_eq!(dst.len(), src.len(), "the lengths differ");
    #[cfg(target_arch = "x86_64")]
    let (sum, done) = x86::copy_fold(dst, src, sum);
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    let mut sum = sum;
    for (dst, src) in dst[done..].chunks_mut(PIECE).zip(src[done..].chunks(PIECE)) {
        dst.copy_from_slice(src);
        // What was copied, should the source be a map that somebody writes to.
        sum = ::crc32c::crc32c_append(sum, dst);
    }
    sum
}

/// Bytes that the first-level cache holds twice.
const PIECE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(len: usize) -> Vec<u8> {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        (0..len).map(|_| random()).collect()
    }

    /// RFC 3720, B.4.
    #[test]
    fn equals_what_the_standard_says() {
        assert_eq!(crc32c(&[]), 0);
        assert_eq!(crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c(&[0xFF; 32]), 0x62A8_AB43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46DD_794E);
        assert_eq!(crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn every_length_is_summed_up_and_copied() {
        let bytes = bytes(1500);
        for len in (0..bytes.len()).step_by(if cfg!(miri) { 97 } else { 1 }) {
            for start in [0, 1, 31] {
                let src = &bytes[start.min(len)..len];
                let sum = ::crc32c::crc32c_append(7, src);
                assert_eq!(crc32c_append(7, src), sum, "{start}..{len}");
                let mut dst = vec![0; src.len()];
                assert_eq!(copy_crc32c(&mut dst, src, 7), sum, "{start}..{len}");
                assert!(dst == src, "{start}..{len}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 256 }))]

        #[test]
        fn any_cut_gives_the_same(len in 0usize..10_000, cut in 0usize..10_000, sum: u32) {
            let bytes = bytes(len);
            let (front, back) = bytes.split_at(cut.min(len));
            let whole = ::crc32c::crc32c_append(sum, &bytes);
            prop_assert_eq!(crc32c_append(crc32c_append(sum, front), back), whole);
            let mut dst = vec![0; len];
            let (to_front, to_back) = dst.split_at_mut(front.len());
            let sum = copy_crc32c(to_front, front, sum);
            prop_assert_eq!(copy_crc32c(to_back, back, sum), whole);
            prop_assert_eq!(dst, bytes);
        }
    }

    #[test]
    #[should_panic(expected = "the lengths differ")]
    fn lengths_that_differ_are_caught() {
        copy_crc32c(&mut [0; 3], &[0; 4], 0);
    }
}
