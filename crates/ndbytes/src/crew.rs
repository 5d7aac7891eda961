//! Threads that stay, and work on what they are given; what comes of it is taken in order.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Up to so many threads, the caller's among them, which works where it would wait.
///
/// A thread is begun when there is work for it: who gives one thing and takes it has none. Dropped,
/// it waits for what is being worked on and forgets the rest.
pub(crate) struct Crew<I, T> {
    threads: usize,
    hire: Arc<dyn Fn() -> Worker<I, T> + Send + Sync>,
    own: Option<Worker<I, T>>,
    line: Arc<Line<I, T>>,
    helpers: Vec<JoinHandle<()>>,
}

/// What a thread does; it may keep things from one call to the next.
pub(crate) type Worker<I, T> = Box<dyn FnMut(I) -> T + Send>;

struct Line<I, T> {
    waiting: Mutex<Waiting<I, T>>,
    changed: Condvar,
}

struct Waiting<I, T> {
    /// What nobody works on yet, with its number.
    todo: VecDeque<(u64, I)>,
    /// Results from number `taken` on.
    done: VecDeque<Slot<T>>,
    taken: u64,
    closed: bool,
}

enum Slot<T> {
    Open,
    Done(T),
    Panicked,
}

impl<I: Send + 'static, T: Send + 'static> Crew<I, T> {
    /// A crew whose workers are made by `hire`, each on its thread.
    pub(crate) fn new(
        threads: usize,
        hire: impl Fn() -> Worker<I, T> + Send + Sync + 'static,
    ) -> Self {
        let waiting =
            Waiting { todo: VecDeque::new(), done: VecDeque::new(), taken: 0, closed: false };
        Self {
            threads,
            hire: Arc::new(hire),
            own: None,
            line: Arc::new(Line { waiting: Mutex::new(waiting), changed: Condvar::new() }),
            helpers: Vec::new(),
        }
    }

    /// Whether as much was given as should be, until something is taken.
    pub(crate) fn is_full(&self) -> bool {
        let most = if self.threads > 1 { 2 * self.threads } else { 1 };
        self.line.lock().done.len() >= most
    }

    /// Whether the next result is there.
    pub(crate) fn is_ready(&self) -> bool {
        !matches!(self.line.lock().done.front(), None | Some(Slot::Open))
    }

    /// Gives something to work on.
    pub(crate) fn give(&mut self, input: I) {
        let mut waiting = self.line.lock();
        let number = waiting.taken + waiting.done.len() as u64;
        waiting.todo.push_back((number, input));
        waiting.done.push_back(Slot::Open);
        let more = waiting.todo.len() > 1 && self.helpers.len() + 1 < self.threads;
        drop(waiting);
        self.line.changed.notify_one();
        if more {
            let (line, hire) = (Arc::clone(&self.line), Arc::clone(&self.hire));
            // Without another thread, this one does all of the work.
            let helper = std::thread::Builder::new().spawn(move || {
                let mut worker = None;
                while let Some((number, input)) = line.begin() {
                    line.work(number, input, worker.get_or_insert_with(|| hire()));
                }
            });
            self.helpers.extend(helper);
        }
    }

    /// The next result, waited and worked for; none when all that was given has been taken.
    ///
    /// # Errors
    /// Where a thread panicked over it.
    pub(crate) fn take(&mut self) -> Option<io::Result<T>> {
        let mut waiting = self.line.lock();
        loop {
            if matches!(waiting.done.front()?, Slot::Done(_) | Slot::Panicked) {
                let slot = waiting.done.pop_front();
                waiting.taken += 1;
                return Some(match slot {
                    Some(Slot::Done(result)) => Ok(result),
                    _ => Err(io::Error::other("a thread panicked")),
                });
            }
            waiting = match waiting.todo.pop_front() {
                Some((number, input)) => {
                    drop(waiting);
                    let own = self.own.get_or_insert_with(|| (self.hire)());
                    self.line.work(number, input, own);
                    self.line.lock()
                }
                None => self.line.wait(waiting),
            };
        }
    }
}

impl<I, T> Drop for Crew<I, T> {
    fn drop(&mut self) {
        let mut waiting = self.line.lock();
        waiting.closed = true;
        waiting.todo.clear();
        drop(waiting);
        self.line.changed.notify_all();
        for helper in self.helpers.drain(..) {
            // What it panicked over was told to whom took it.
            let _ = helper.join();
        }
    }
}

impl<I, T> Line<I, T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<I, T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, waiting: MutexGuard<'a, Waiting<I, T>>) -> MutexGuard<'a, Waiting<I, T>> {
        self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to work on; none when there will be nothing more.
    fn begin(&self) -> Option<(u64, I)> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            if let Some(next) = waiting.todo.pop_front() {
                return Some(next);
            }
            waiting = self.wait(waiting);
        }
    }

    fn work(&self, number: u64, input: I, worker: &mut Worker<I, T>) {
        let mut slot = Unfinished { line: self, number, result: Slot::Panicked };
        slot.result = Slot::Done(worker(input));
    }
}

/// A place for a result, filled even where the work panics, so that nobody waits for it in vain.
struct Unfinished<'a, I, T> {
    line: &'a Line<I, T>,
    number: u64,
    result: Slot<T>,
}

impl<I, T> Drop for Unfinished<'_, I, T> {
    fn drop(&mut self) {
        let mut waiting = self.line.lock();
        let place = self.number.wrapping_sub(waiting.taken) as usize;
        if let Some(slot) = waiting.done.get_mut(place) {
            *slot = std::mem::replace(&mut self.result, Slot::Panicked);
        }
        drop(waiting);
        self.line.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_from_any_number_of_threads() {
        for threads in 0..5 {
            let mut crew = Crew::new(threads, || Box::new(|i: u64| i * i));
            let mut got = Vec::new();
            for i in 0..100 {
                while crew.is_full() || (crew.is_ready() && i % 3 == 0) {
                    got.push(crew.take().unwrap().unwrap());
                }
                crew.give(i);
            }
            got.extend(std::iter::from_fn(|| crew.take()).map(Result::unwrap));
            assert_eq!(got, (0..100).map(|i| i * i).collect::<Vec<_>>());
            assert!(crew.take().is_none() && !crew.is_ready());
        }
    }

    #[test]
    fn a_thread_is_begun_for_the_second_of_two() {
        let hired = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&hired);
        let mut crew = Crew::new(4, move || {
            count.fetch_add(1, Ordering::Relaxed);
            Box::new(|i: u32| i)
        });
        for i in 0..3 {
            crew.give(i);
            assert_eq!(crew.take().unwrap().unwrap(), i);
        }
        assert_eq!((crew.helpers.len(), hired.load(Ordering::Relaxed)), (0, 1));
        crew.give(1);
        crew.give(2);
        assert_eq!(crew.helpers.len(), 1);
    }

    #[test]
    fn threads_work_at_the_same_time() {
        let both = Arc::new(Barrier::new(2));
        let mut crew = Crew::new(2, move || {
            let both = Arc::clone(&both);
            // Whoever is alone here waits for ever.
            Box::new(move |()| both.wait().is_leader())
        });
        crew.give(());
        crew.give(());
        assert!(crew.take().unwrap().is_ok() && crew.take().unwrap().is_ok());
    }

    #[test]
    fn a_panic_elsewhere_is_an_error_here() {
        let here = std::thread::current().id();
        let both = Arc::new(Barrier::new(2));
        let mut crew = Crew::new(2, move || {
            let both = Arc::clone(&both);
            Box::new(move |()| {
                // So that each of the two has one of them.
                both.wait();
                assert_eq!(std::thread::current().id(), here, "elsewhere");
            })
        });
        crew.give(());
        crew.give(());
        let results = [crew.take().unwrap(), crew.take().unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
    }

    #[test]
    fn what_nobody_wants_is_not_waited_for() {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let mut crew = Crew::new(2, move || {
            let count = Arc::clone(&count);
            Box::new(move |()| {
                count.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(20));
            })
        });
        for _ in 0..1000 {
            crew.give(());
        }
        drop(crew);
        assert!(begun.load(Ordering::Relaxed) < 10);
    }
}
