//! What one call needed and the next can use: memory that is mapped already, and codecs' contexts.
//!
//! To map memory anew costs as much as to compress it quickly, and calls for small arrays would do
//! little else.

use std::ops::{Deref, DerefMut};
use std::sync::Mutex;

/// A few things of one kind that nobody uses.
pub(crate) struct Kept<T>(Mutex<Vec<T>>);

/// What can be kept.
pub(crate) trait Keep: Default {
    /// Bytes of memory that it holds.
    fn nbytes(&self) -> usize;
}

/// A thing in use, which goes back.
pub(crate) struct Lent<T: Keep + 'static> {
    thing: T,
    from: &'static Kept<T>,
}

impl<T: Keep> Kept<T> {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// One that is kept, or a new one, until it is dropped.
    pub(crate) fn lend(&'static self) -> Lent<T> {
        Lent { thing: self.take(), from: self }
    }

    /// One that is kept, or a new one. Nobody waits for it: a process may be the copy of another
    /// in which a thread held the lock.
    pub(crate) fn take(&self) -> T {
        let kept = self.0.try_lock().ok().and_then(|mut kept| kept.pop());
        kept.unwrap_or_default()
    }

    /// Takes it back where there is room for it.
    pub(crate) fn give(&self, thing: T) {
        if let Ok(mut kept) = self.0.try_lock() {
            let held: usize = kept.iter().map(Keep::nbytes).sum();
            if kept.len() < MOST && held + thing.nbytes() <= MOST_NBYTES {
                kept.push(thing);
            }
        }
    }
}

/// Room for bytes; what they were does not matter.
impl Keep for Vec<u8> {
    fn nbytes(&self) -> usize {
        self.capacity()
    }
}

impl<T: Keep> Deref for Lent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T: Keep> DerefMut for Lent<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.thing
    }
}

impl<T: Keep> Drop for Lent<T> {
    fn drop(&mut self) {
        // Of what a panic left, nothing is known.
        if !std::thread::panicking() {
            self.from.give(std::mem::take(&mut self.thing));
        }
    }
}

/// Things of one kind that are kept, at most, and bytes of all of them.
const MOST: usize = 16;
const MOST_NBYTES: usize = 9 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_is_lent_again() {
        static KEPT: Kept<Vec<u8>> = Kept::new();
        KEPT.lend().extend([1, 2]);
        let mut again = KEPT.lend();
        assert_eq!(*again, [1, 2]);
        assert!(KEPT.lend().is_empty(), "one at a time");
        again.reserve_exact(MOST_NBYTES + 1);
        drop(again);
        assert!(KEPT.lend().capacity() <= MOST_NBYTES);
        drop((0..2 * MOST).map(|_| KEPT.lend()).collect::<Vec<_>>());
        assert_eq!(KEPT.0.lock().unwrap().len(), MOST);
        let large = || Vec::with_capacity(MOST_NBYTES / 4);
        KEPT.0.lock().unwrap().clear();
        (0..MOST).for_each(|_| KEPT.give(large()));
        assert_eq!(KEPT.0.lock().unwrap().len(), 4);
    }

    #[test]
    fn nobody_waits_and_nothing_is_kept_of_a_panic() {
        static KEPT: Kept<Vec<u8>> = Kept::new();
        let held = KEPT.0.lock().unwrap();
        assert!(KEPT.lend().is_empty());
        drop(held);
        let panicked = std::thread::spawn(|| {
            let mut lent = KEPT.lend();
            lent.push(1);
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(KEPT.lend().is_empty());
    }
}
