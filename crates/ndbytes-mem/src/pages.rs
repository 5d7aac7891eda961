//! Large memory straight from the operating system.
//!
//! Page faults are what fresh memory costs; huge pages divide their number by 512.

use std::ptr::NonNull;

/// Asks for huge pages under memory that has not been touched yet. Advice only: where there are
/// none, nothing changes.
pub fn advise_huge(memory: &mut [u8]) {
    #[cfg(target_os = "linux")]
    {
        let page = rustix::param::page_size();
        let start = (memory.as_ptr() as usize).next_multiple_of(page);
        let end = (memory.as_ptr() as usize + memory.len()) & !(page - 1);
        if end > start {
            // SAFETY: the whole pages within the slice are mapped, since the slice is valid, and
            // this advice changes neither contents nor protection.
            let _ = unsafe {
                rustix::mm::madvise(start as *mut _, end - start, rustix::mm::Advice::LinuxHugepage)
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

/// Memory of `len` zeros that begins at a page, with huge pages advised; none where there is no
/// room. It is given back by [`free`].
#[cfg(unix)]
pub fn allocate(len: usize) -> Option<NonNull<u8>> {
    let total = len.checked_add(head())?;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing else.
    let start = unsafe {
        rustix::mm::mmap_anonymous(
            std::ptr::null_mut(),
            total,
            rustix::mm::ProtFlags::READ | rustix::mm::ProtFlags::WRITE,
            rustix::mm::MapFlags::PRIVATE,
        )
    }
    .ok()?;
    // SAFETY: the mapping has `total` bytes, is ours alone, zero-filled and thus initialised, and
    // its first page, which is never given away, is large and aligned enough for a `usize`.
    unsafe {
        advise_huge(std::slice::from_raw_parts_mut(start.cast(), total));
        start.cast::<usize>().write(total);
        NonNull::new(start.cast::<u8>().add(head()))
    }
}

/// Gives memory back.
///
/// # Safety
/// `memory` came from [`allocate`] or [`reallocate`], and nobody uses it any more.
#[cfg(unix)]
pub unsafe fn free(memory: NonNull<u8>) {
    // SAFETY: by the caller's contract a page that holds the mapping's length precedes the memory,
    // and the mapping is unused.
    unsafe {
        let start = memory.as_ptr().sub(head());
        let total = start.cast::<usize>().read();
        // It cannot fail for a mapping that is there.
        let _ = rustix::mm::munmap(start.cast(), total);
    }
}

/// Makes memory longer or shorter, perhaps at another address; none where there is no room, and
/// then the old memory stays. New bytes are zero.
///
/// # Safety
/// `memory` came from [`allocate`] or [`reallocate`]; after success its old address is not used.
#[cfg(unix)]
pub unsafe fn reallocate(memory: NonNull<u8>, len: usize) -> Option<NonNull<u8>> {
    let total = len.checked_add(head())?;
    let fresh = allocate(len)?;
    // SAFETY: by the caller's contract the old mapping is preceded by its length; both mappings
    // hold what is copied, and they are distinct.
    unsafe {
        let old = memory.as_ptr().sub(head()).cast::<usize>().read();
        std::ptr::copy_nonoverlapping(memory.as_ptr(), fresh.as_ptr(), old.min(total) - head());
        free(memory);
    }
    Some(fresh)
}

/// Bytes before the memory, which hold the mapping's length: a page, so that the memory begins at
/// one too.
#[cfg(unix)]
fn head() -> usize {
    rustix::param::page_size()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn pages_come_zeroed_and_keep_their_bytes() {
        for len in [0, 1, 4096, 5 << 20] {
            let memory = allocate(len).unwrap();
            // SAFETY: `len` bytes were allocated, and they are given back below.
            let bytes = unsafe { std::slice::from_raw_parts_mut(memory.as_ptr(), len) };
            assert!(bytes.iter().all(|&b| b == 0));
            bytes.fill(7);
            // SAFETY: the memory is from `allocate`, and `bytes` is not used after this.
            let longer = unsafe { reallocate(memory, len + 100) }.unwrap();
            // SAFETY: as above, with the new length.
            let bytes = unsafe { std::slice::from_raw_parts(longer.as_ptr(), len + 100) };
            assert!(bytes[..len].iter().all(|&b| b == 7) && bytes[len..].iter().all(|&b| b == 0));
            // SAFETY: the memory is from `reallocate` and not used after this.
            unsafe { free(longer) };
        }
        assert!(allocate(1 << 60).is_none());
        assert!(allocate(usize::MAX).is_none());
    }

    #[test]
    fn advice_needs_no_alignment() {
        let mut bytes = vec![1; 10_000];
        advise_huge(&mut bytes[3..]);
        advise_huge(&mut []);
        assert!(bytes.iter().all(|&b| b == 1));
    }
}
