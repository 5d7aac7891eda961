//! Blocks of a file that were fetched: small reads that are near to one another are one request.

use std::sync::{Arc, Mutex, PoisonError};

/// The blocks that were asked for last.
#[derive(Debug)]
pub(super) struct Blocks {
    /// Number and bytes of each, the newest last.
    held: Mutex<Vec<(u64, Arc<[u8]>)>>,
}

impl Blocks {
    /// Those of a file whose first bytes are known.
    pub(super) fn new(first: Vec<u8>) -> Self {
        Self { held: Mutex::new(vec![(0, first.into())]) }
    }

    pub(super) fn get(&self, number: u64) -> Option<Arc<[u8]>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.iter().rposition(|(held, _)| *held == number)?;
        let found = held.remove(at);
        let bytes = Arc::clone(&found.1);
        held.push(found);
        Some(bytes)
    }

    pub(super) fn put(&self, number: u64, bytes: Vec<u8>) -> Arc<[u8]> {
        let bytes: Arc<[u8]> = bytes.into();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(held, _)| *held != number);
        if held.len() >= MOST {
            held.remove(0);
        }
        held.push((number, Arc::clone(&bytes)));
        bytes
    }
}

/// Bytes of a block: what a request costs is what these take at 100 MB a second and 3 ms.
pub(super) const BLOCK: usize = 256 << 10;
/// Blocks that are kept.
const MOST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes() {
        let blocks = Blocks::new(vec![9]);
        for number in 1..MOST as u64 {
            blocks.put(number, vec![number as u8]);
        }
        assert_eq!(blocks.get(0).as_deref(), Some(&[9][..]));
        blocks.put(100, vec![100]);
        assert!(blocks.get(1).is_none());
        assert_eq!(blocks.get(0).as_deref(), Some(&[9][..]));
        assert_eq!(blocks.get(100).as_deref(), Some(&[100][..]));
    }
}
