//! Something that one has at a time, and may take along from thread to thread.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};

use super::inner::lock;

/// Where it is while nobody has it.
pub(super) struct Slot<T: Default> {
    here: Mutex<Option<T>>,
    back: Condvar,
}

/// What was taken; it goes back when this is dropped.
pub(super) struct Taken<'a, T: Default> {
    slot: &'a Slot<T>,
    value: T,
}

impl<T: Default> Slot<T> {
    pub(super) fn new(value: T) -> Self {
        Self { here: Mutex::new(Some(value)), back: Condvar::new() }
    }

    /// Waits until nobody else has it.
    pub(super) fn take(&self) -> Taken<'_, T> {
        let mut here = lock(&self.here);
        loop {
            if let Some(value) = here.take() {
                return Taken { slot: self, value };
            }
            here = self.back.wait(here).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes it unless somebody else has it.
    pub(super) fn try_take(&self) -> Option<Taken<'_, T>> {
        lock(&self.here).take().map(|value| Taken { slot: self, value })
    }
}

impl<T: Default> Drop for Taken<'_, T> {
    fn drop(&mut self) {
        *lock(&self.slot.here) = Some(std::mem::take(&mut self.value));
        self.slot.back.notify_one();
    }
}

impl<T: Default> Deref for Taken<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Default> DerefMut for Taken<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}
