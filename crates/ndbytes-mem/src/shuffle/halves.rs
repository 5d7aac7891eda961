//! Reading and writing the halves of a register apart.

pub(super) mod sse2 {
    use std::arch::x86_64::*;

    /// 16 bytes at `from`.
    ///
    /// # Safety
    /// They are valid.
    #[inline(always)]
    pub(in super::super) unsafe fn load_pair(from: *const u8, _: usize) -> __m128i {
        // SAFETY: as the caller promises.
        unsafe { _mm_loadu_si128(from.cast()) }
    }

    /// # Safety
    /// 16 bytes are valid at `to`.
    #[inline(always)]
    pub(in super::super) unsafe fn store_pair(to: *mut u8, _: usize, vector: __m128i) {
        // SAFETY: as the caller promises.
        unsafe { _mm_storeu_si128(to.cast(), vector) }
    }

    /// Eight bytes at `from`, and eight `step` after it.
    ///
    /// # Safety
    /// They are valid.
    #[inline(always)]
    pub(in super::super) unsafe fn load_words(from: *const u8, step: usize, _: usize) -> __m128i {
        // SAFETY: as the caller promises.
        unsafe {
            let low = _mm_loadl_epi64(from.cast());
            _mm_unpacklo_epi64(low, _mm_loadl_epi64(from.add(step).cast()))
        }
    }

    /// # Safety
    /// Eight bytes are valid at `to`, and at `step` after it.
    #[inline(always)]
    pub(in super::super) unsafe fn store_words(
        to: *mut u8,
        step: usize,
        vector: __m128i,
        _: usize,
    ) {
        // SAFETY: as the caller promises.
        unsafe {
            _mm_storel_epi64(to.cast(), vector);
            _mm_storel_epi64(to.add(step).cast(), _mm_unpackhi_epi64(vector, vector));
        }
    }

    /// The one half.
    #[inline(always)]
    pub(in super::super) fn half(vector: __m128i, _: usize) -> __m128i {
        vector
    }
}

pub(super) mod avx2 {
    use std::arch::x86_64::*;

    /// 16 bytes at `from` and 16 bytes `step` after it.
    ///
    /// # Safety
    /// They are valid, and AVX2 is there.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn load_pair(from: *const u8, step: usize) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe { _mm256_loadu2_m128i(from.add(step).cast(), from.cast()) }
    }

    /// # Safety
    /// 16 bytes are valid at `to` and `step` after it, and AVX2 is there.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn store_pair(to: *mut u8, step: usize, vector: __m256i) {
        // SAFETY: as the caller promises.
        unsafe { _mm256_storeu2_m128i(to.add(step).cast(), to.cast(), vector) }
    }

    /// The words of `sse2::load_words` at `from`, and those `apart` after it.
    ///
    /// # Safety
    /// They are valid, and AVX2 is there.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn load_words(
        from: *const u8,
        step: usize,
        apart: usize,
    ) -> __m256i {
        // SAFETY: as the caller promises.
        unsafe {
            let low = super::sse2::load_words(from, step, 0);
            _mm256_set_m128i(super::sse2::load_words(from.add(apart), step, 0), low)
        }
    }

    /// # Safety
    /// Eight bytes are valid at `to`, and at `step` after it; AVX2 is there.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) unsafe fn store_words(
        to: *mut u8,
        step: usize,
        vector: __m256i,
        half: usize,
    ) {
        // SAFETY: as the caller promises.
        unsafe { super::sse2::store_words(to, step, self::half(vector, half), 0) }
    }

    /// The lower or the upper half.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(in super::super) fn half(vector: __m256i, half: usize) -> __m128i {
        match half {
            0 => _mm256_castsi256_si128(vector),
            _ => _mm256_extracti128_si256::<1>(vector),
        }
    }
}
