//! Work on several threads whose results are wanted in order.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use ndbytes_mem::with_helpers;

use crate::error::Result;

/// Calls `work` with 0, 1, ... up to `count` on up to `threads` threads, this one among them, and
/// `sink` on this one with what came of each, in order. Few results wait at any time. `state` makes
/// what a thread keeps from one call to the next.
///
/// # Errors
/// The first that `work` or `sink` gave; then no more work is begun.
pub(crate) fn in_order<S, T: Send>(
    count: usize,
    threads: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) -> Result<T> + Sync,
    mut sink: impl FnMut(usize, T) -> Result<()>,
) -> Result<()> {
    let threads = threads.min(count);
    if threads <= 1 {
        let mut own = state();
        return (0..count).try_for_each(|i| sink(i, work(&mut own, i)?));
    }
    let line = Line {
        count,
        ahead: 2 * threads,
        waiting: Mutex::new(Waiting { begun: 0, taken: 0, done: VecDeque::new() }),
        changed: Condvar::new(),
    };
    let help = || {
        let mut own = state();
        while let Some(i) = line.begin() {
            let mut pending = Pending { line: &line, i, result: None };
            pending.result = Some(work(&mut own, i));
        }
    };
    with_helpers(threads - 1, &help, || {
        // However this ends, the others must not wait for ever.
        let _stop = Stop(&line);
        let mut own = state();
        for i in 0..count {
            let result = loop {
                match line.take(i) {
                    Next::Done(result) => break result,
                    Next::Begin(j) => line.end(j, work(&mut own, j)),
                }
            };
            sink(i, result?)?;
        }
        Ok(())
    })
}

/// What is begun, done and taken.
struct Line<T> {
    count: usize,
    ahead: usize,
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

struct Waiting<T> {
    begun: usize,
    taken: usize,
    /// Results from number `taken` on; none where the work is not done.
    done: VecDeque<Option<Result<T>>>,
}

enum Next<T> {
    Done(Result<T>),
    Begin(usize),
}

struct Stop<'a, T>(&'a Line<T>);

/// Work that is ended even where it panics, so that nobody waits for it in vain.
struct Pending<'a, T> {
    line: &'a Line<T>,
    i: usize,
    result: Option<Result<T>>,
}

impl<T> Line<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next number to work on, if there is room for what comes of it.
    fn next(&self, waiting: &mut Waiting<T>) -> Option<usize> {
        let free = waiting.begun < self.count && waiting.begun < waiting.taken + self.ahead;
        free.then(|| {
            waiting.begun += 1;
            waiting.done.push_back(None);
            waiting.begun - 1
        })
    }

    /// Waits for a number to work on; none when there is nothing left.
    fn begin(&self) -> Option<usize> {
        let mut waiting = self.lock();
        loop {
            if waiting.begun >= self.count {
                return None;
            }
            if let Some(i) = self.next(&mut waiting) {
                return Some(i);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn end(&self, i: usize, result: Result<T>) {
        let mut waiting = self.lock();
        let place = i - waiting.taken;
        if let Some(slot) = waiting.done.get_mut(place) {
            *slot = Some(result);
        }
        self.changed.notify_all();
    }

    /// The result of number `i`, which is the next to be taken, or something to do until it is
    /// there.
    fn take(&self, i: usize) -> Next<T> {
        let mut waiting = self.lock();
        loop {
            if let Some(result) = waiting.done.front_mut().and_then(Option::take) {
                waiting.done.pop_front();
                waiting.taken = i + 1;
                self.changed.notify_all();
                return Next::Done(result);
            }
            if let Some(j) = self.next(&mut waiting) {
                return Next::Begin(j);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for Stop<'_, T> {
    fn drop(&mut self) {
        self.0.lock().begun = usize::MAX;
        self.0.changed.notify_all();
    }
}

impl<T> Drop for Pending<'_, T> {
    fn drop(&mut self) {
        let result = self.result.take();
        let panicked = || Err(std::io::Error::other("a thread panicked").into());
        self.line.end(self.i, result.unwrap_or_else(panicked));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{Code, Error};

    #[test]
    fn results_come_in_order_from_any_number_of_threads() {
        for threads in 1..5 {
            for count in [0, 1, 2, 7, 100] {
                let mut got = Vec::new();
                in_order(
                    count,
                    threads,
                    || (),
                    |(), i| Ok(i * i),
                    |i, square| {
                        got.push((i, square));
                        Ok(())
                    },
                )
                .unwrap();
                assert_eq!(got, (0..count).map(|i| (i, i * i)).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn threads_work_at_the_same_time() {
        let both = Barrier::new(2);
        // Whoever is alone here waits for ever.
        let meet = |(): &mut (), _| {
            both.wait();
            Ok(())
        };
        in_order(2, 2, || (), meet, |_, ()| Ok(())).unwrap();
    }

    #[test]
    fn a_panic_is_no_hang() {
        let done = std::panic::catch_unwind(|| {
            let here = std::thread::current().id();
            in_order(
                8,
                2,
                || (),
                |(), _| {
                    assert_eq!(std::thread::current().id(), here, "elsewhere");
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    Ok(())
                },
                |_, ()| Ok(()),
            )
        });
        assert!(done.is_err());
    }

    #[test]
    fn an_error_ends_the_work() {
        let begun = AtomicUsize::new(0);
        let fail = |at: usize, i: usize| match i == at {
            true => Err(Error::new(Code::Argument, "no")),
            false => Ok(()),
        };
        let worked = in_order(
            10_000,
            3,
            || (),
            |(), i| {
                begun.fetch_add(1, Ordering::Relaxed);
                fail(20, i)
            },
            |_, ()| Ok(()),
        );
        assert_eq!(worked.unwrap_err().code(), Code::Argument);
        assert!(begun.load(Ordering::Relaxed) < 100);
        let sunk = in_order(10_000, 3, || (), |(), i| Ok(i), |_, i| fail(30, i));
        assert_eq!(sunk.unwrap_err().code(), Code::Argument);
    }
}
