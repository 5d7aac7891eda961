//! Memory for the pieces of a body, used again once a piece has been sent: the pages of fresh memory
//! cost as much as what is read into them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers of one body.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that goes back.
struct Lent {
    bytes: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// A piece of this length, filled.
    pub(super) fn filled(
        &self,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<Bytes> {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // A large one is not held for little.
        let free = free.filter(|bytes| bytes.capacity() / 2 <= len);
        let mut bytes = free.unwrap_or_default();
        bytes.resize(len, 0);
        LENT.fetch_add(bytes.capacity(), Ordering::Relaxed);
        let mut lent = Lent { bytes, home: self.clone() };
        fill(&mut lent.bytes)?;
        Ok(Bytes::from_owner(lent))
    }
}

/// Whether so much of files waits to be sent, of all bodies, that each must make do with little.
pub(super) fn are_scarce() -> bool {
    LENT.load(Ordering::Relaxed) > MANY
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        LENT.fetch_sub(bytes.capacity(), Ordering::Relaxed);
        let mut free = self.home.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(bytes);
        }
    }
}

/// Bytes of pieces that are made or sent.
static LENT: AtomicUsize = AtomicUsize::new(0);

/// One is made while another is sent.
const KEPT: usize = 3;
const MANY: usize = 128 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_makes_room_for_what_comes() {
        let buffers = Buffers::default();
        let filled = |value, len| {
            let fill = |bytes: &mut [u8]| {
                bytes.fill(value);
                Ok(())
            };
            buffers.filled(len, fill).unwrap()
        };
        let (one, two) = (filled(1, 1000), filled(2, 1000));
        let at = one.as_ptr();
        drop(one);
        let three = filled(3, 500);
        assert_eq!(three.as_ptr(), at);
        assert!(two.iter().all(|&byte| byte == 2) && three.iter().all(|&byte| byte == 3));
        let failed = buffers.filled(10, |_| Err(io::ErrorKind::Other.into()));
        assert!(failed.is_err());
    }
}
