//! Owned bytes, aligned for any dtype and any vector unit.

use std::io;
use std::ops::{Deref, DerefMut};

/// Owned bytes, zero at first, that begin at a multiple of 64.
///
/// Large ones are mapped anonymously with huge pages advised: their memory is taken page by page
/// as bytes arrive, so a length that a stranger announced costs nothing until it is filled.
pub struct Buffer {
    store: Store,
    len: usize,
}

enum Store {
    Lines(Vec<Line>),
    Pages(memmap2::MmapMut),
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; ALIGN]);

impl Buffer {
    /// A buffer of `len` zeros.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`] when there is no room; this never aborts.
    pub fn zeroed(len: usize) -> io::Result<Self> {
        if len >= PAGES_FROM {
            let pages = memmap2::MmapMut::map_anon(len).map_err(|_| out_of_memory(len))?;
            #[cfg(target_os = "linux")]
            // Advice only: without huge pages everything works, with more page faults.
            let _ = pages.advise(memmap2::Advice::HugePage);
            return Ok(Self { store: Store::Pages(pages), len });
        }
        let mut lines = Vec::new();
        let count = len.div_ceil(ALIGN);
        lines.try_reserve_exact(count).map_err(|_| out_of_memory(len))?;
        lines.resize(count, Line([0; ALIGN]));
        Ok(Self { store: Store::Lines(lines), len })
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.store {
            // SAFETY: `Line` is `repr(C)` of exactly 64 initialised bytes without padding, and
            // the vector holds `len.div_ceil(64)` of them, so `len` bytes from its start are
            // initialised, in one allocation, and borrowed as long as `self` is.
            Store::Lines(lines) => unsafe {
                std::slice::from_raw_parts(lines.as_ptr().cast::<u8>(), self.len)
            },
            Store::Pages(pages) => pages,
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match &mut self.store {
            // SAFETY: as in `deref`, and `&mut self` makes this the only borrow.
            Store::Lines(lines) => unsafe {
                std::slice::from_raw_parts_mut(lines.as_mut_ptr().cast::<u8>(), self.len)
            },
            Store::Pages(pages) => pages,
        }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} bytes)", self.len)
    }
}

#[cold]
fn out_of_memory(len: usize) -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, format!("no memory for {len} bytes"))
}

const ALIGN: usize = 64;
const PAGES_FROM: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_zero_and_exact() {
        for len in [0, 1, 63, 64, 65, 4096, PAGES_FROM - 1, PAGES_FROM, PAGES_FROM + 1] {
            let mut buffer = Buffer::zeroed(len).unwrap();
            assert_eq!(buffer.len(), len);
            assert!((buffer.as_ptr() as usize).is_multiple_of(ALIGN));
            assert!(buffer.iter().all(|&b| b == 0));
            buffer.fill(7);
            assert!(buffer.iter().all(|&b| b == 7));
        }
    }

    #[test]
    fn too_much_is_an_error() {
        assert_eq!(Buffer::zeroed(1 << 60).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        assert_eq!(
            Buffer::zeroed(isize::MAX as usize).unwrap_err().kind(),
            io::ErrorKind::OutOfMemory
        );
    }
}
