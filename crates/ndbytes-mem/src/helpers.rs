//! Threads that help a call, and wait for the next one for a moment: to begin a thread takes as long as
//! to copy half a megabyte.

use std::any::Any;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Calls `help` up to `count` times, on other threads, and `own` on this one; returns when all of
/// these calls have. Those that are not begun by the time `own` returns are not begun any more, and
/// where there are no threads, there are none: what is to be done, `own` has to be able to do alone.
///
/// # Panics
/// Where `help` or `own` panicked.
pub fn with_helpers<R>(count: usize, help: &(dyn Fn() + Sync), own: impl FnOnce() -> R) -> R {
    let calls =
        Arc::new(Calls { open: Mutex::new(Open { count: 0, panic: None }), ended: Condvar::new() });
    // SAFETY: `help` is called by way of an `Errand` of these calls alone. `Sent` is dropped before
    // this function returns or unwinds, since it is a local that is not given away, and that waits
    // until each errand was taken back or its call has ended, after which a helper does not touch
    // the reference again. So it is never used after the lifetime that is taken from it here.
    let help = unsafe { std::mem::transmute::<Help<'_>, Help<'static>>(help) };
    let mut sent = Sent { calls, helpers: Vec::new() };
    for _ in 0..count {
        let errand = Errand { help, calls: Arc::clone(&sent.calls) };
        lock(&sent.calls.open).count += 1;
        match send(errand) {
            Some(helper) => sent.helpers.push(helper),
            None => {
                sent.calls.end(None);
                break;
            }
        }
    }
    let result = own();
    match sent.wait() {
        Some(panic) => resume_unwind(panic),
        None => result,
    }
}

/// Ends the threads that wait to help, and waits until they have: before a process is forked, which
/// copies none of them; before what needs a process of one thread; before this code is unloaded.
pub fn dismiss_helpers() {
    let Some(mut idle) = idle() else { return };
    let helpers = std::mem::take(&mut *idle);
    drop(idle);
    let (own, others): (Vec<_>, Vec<_>) = helpers.into_iter().partition(|helper| helper.is_here());
    let _ = ManuallyDrop::new(others);
    own.iter().for_each(|helper| helper.give(Next::End));
    for helper in own {
        let thread = lock(&helper.thread).take();
        // It ends without a panic, and there is nothing to be done about one.
        let _ = thread.map(JoinHandle::join);
    }
}

type Help<'a> = &'a (dyn Fn() + Sync);

/// One call of `help`.
struct Errand {
    help: Help<'static>,
    calls: Arc<Calls>,
}

/// All calls that one call of [`with_helpers`] waits for.
struct Calls {
    open: Mutex<Open>,
    ended: Condvar,
}

struct Open {
    count: usize,
    panic: Option<Panic>,
}

type Panic = Box<dyn Any + Send>;

impl Calls {
    fn end(&self, panic: Option<Panic>) {
        let mut open = lock(&self.open);
        open.count -= 1;
        match open.panic {
            None => open.panic = panic,
            // To drop it may be another panic.
            Some(_) => _ = ManuallyDrop::new(panic),
        }
        self.ended.notify_all();
    }
}

/// The helpers that were sent on errands.
struct Sent {
    calls: Arc<Calls>,
    helpers: Vec<Arc<Helper>>,
}

impl Sent {
    /// Takes back what is not begun, and waits for the rest; returns what one panicked with.
    fn wait(&mut self) -> Option<Panic> {
        for helper in self.helpers.drain(..) {
            let mut next = lock(&helper.next);
            if matches!(&*next, Next::Errand(errand) if Arc::ptr_eq(&errand.calls, &self.calls)) {
                *next = Next::Nothing;
                drop(next);
                self.calls.end(None);
                if !keep(&helper) {
                    helper.give(Next::End);
                }
            }
        }
        let mut open = lock(&self.calls.open);
        while open.count > 0 {
            open = self.calls.ended.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
        open.panic.take()
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.wait();
    }
}

/// A thread that helps.
struct Helper {
    /// The process that it is of.
    process: u32,
    next: Mutex<Next>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Next {
    Nothing,
    Errand(Errand),
    End,
}

static IDLE: Mutex<Vec<Arc<Helper>>> = Mutex::new(Vec::new());

/// Those that wait. Nobody waits long for the lock: a process may be the copy of another in which a
/// thread held it.
fn idle() -> Option<MutexGuard<'static, Vec<Arc<Helper>>>> {
    for _ in 0..TRIES {
        if let Ok(idle) = IDLE.try_lock() {
            return Some(idle);
        }
        std::hint::spin_loop();
    }
    None
}

/// What tells a process from its copies.
fn process() -> u32 {
    if cfg!(unix) { std::process::id() } else { 0 }
}

/// Sends one that waits, or a new one; none where there are no more threads.
fn send(errand: Errand) -> Option<Arc<Helper>> {
    while let Some(helper) = idle().and_then(|mut idle| idle.pop()) {
        if helper.is_here() {
            helper.give(Next::Errand(errand));
            return Some(helper);
        }
        // A thread of the process of which this is a copy: its handle means nothing here.
        let _ = ManuallyDrop::new(helper);
    }
    let helper = Arc::new(Helper {
        process: process(),
        next: Mutex::new(Next::Errand(errand)),
        changed: Condvar::new(),
        thread: Mutex::new(None),
    });
    let own = Arc::clone(&helper);
    let thread =
        Builder::new().name("ndbytes-helper".to_owned()).spawn(move || own.serve()).ok()?;
    *lock(&helper.thread) = Some(thread);
    Some(helper)
}

/// Has it wait to be sent; says whether there is room for it.
fn keep(helper: &Arc<Helper>) -> bool {
    match idle() {
        Some(mut idle) if idle.len() < MOST => {
            idle.push(Arc::clone(helper));
            true
        }
        _ => false,
    }
}

impl Helper {
    fn is_here(&self) -> bool {
        self.process == process()
    }

    fn give(&self, next: Next) {
        *lock(&self.next) = next;
        self.changed.notify_one();
    }

    /// What the thread does.
    fn serve(self: Arc<Self>) {
        while let Some(Errand { help, calls }) = self.next() {
            let panic = catch_unwind(AssertUnwindSafe(help)).err();
            // Before it is told, so that who hears it finds the thread.
            let stays = keep(&self);
            calls.end(panic);
            if !stays {
                return;
            }
        }
    }

    /// Waits for an errand; none when the thread is to end.
    fn next(self: &Arc<Self>) -> Option<Errand> {
        let mut next = lock(&self.next);
        loop {
            match std::mem::replace(&mut *next, Next::Nothing) {
                Next::Errand(errand) => return Some(errand),
                Next::End => return None,
                Next::Nothing => {}
            }
            let (again, waited) =
                self.changed.wait_timeout(next, KEPT).unwrap_or_else(PoisonError::into_inner);
            next = again;
            if waited.timed_out() && matches!(*next, Next::Nothing) {
                drop(next);
                // Who has it from there is about to give it something.
                if self.leave() {
                    return None;
                }
                next = lock(&self.next);
            }
        }
    }

    /// Waits no longer to be sent; says whether it did.
    fn leave(self: &Arc<Self>) -> bool {
        let Some(mut idle) = idle() else { return false };
        let found = idle.iter().position(|helper| Arc::ptr_eq(helper, self));
        found.map(|i| idle.swap_remove(i)).is_some()
    }
}

/// Locks it, also behind a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a thread waits to help again.
const KEPT: Duration = Duration::from_secs(1);
/// How often the list is asked for; who has it, has it for less.
const TRIES: usize = 100;
/// Threads that wait, at most.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn helpers_work_at_the_same_time_and_again() {
        for _ in 0..100 {
            let all = Barrier::new(4);
            with_helpers(3, &|| _ = all.wait(), || all.wait());
        }
    }

    #[test]
    fn what_is_not_begun_is_given_up_and_the_rest_is_waited_for() {
        let begun = AtomicUsize::new(0);
        let ended = AtomicUsize::new(0);
        for _ in 0..500 {
            let help = || {
                begun.fetch_add(1, Ordering::Relaxed);
                std::thread::yield_now();
                ended.fetch_add(1, Ordering::Relaxed);
            };
            with_helpers(3, &help, || ());
            assert_eq!(begun.load(Ordering::Relaxed), ended.load(Ordering::Relaxed));
        }
    }

    #[test]
    fn many_calls_at_once_and_within_one_another_share_them() {
        let sum = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let both = Barrier::new(2);
                        let help = || {
                            both.wait();
                            let inner = Barrier::new(2);
                            with_helpers(1, &|| _ = inner.wait(), || inner.wait());
                            sum.fetch_add(1, Ordering::Relaxed);
                        };
                        with_helpers(1, &help, || both.wait());
                    }
                });
            }
        });
        assert_eq!(sum.load(Ordering::Relaxed), 400);
    }

    #[test]
    fn a_panic_arrives_and_the_thread_helps_on() {
        let both = Barrier::new(2);
        let helps = || {
            both.wait();
            assert_eq!(1, 2, "helping");
        };
        let caught = catch_unwind(AssertUnwindSafe(|| with_helpers(1, &helps, || both.wait())));
        assert!(caught.unwrap_err().downcast::<String>().unwrap().contains("helping"));
        let ended = AtomicUsize::new(0);
        let slow = || {
            both.wait();
            std::thread::sleep(Duration::from_millis(50));
            ended.fetch_add(1, Ordering::Relaxed);
        };
        let own = || {
            both.wait();
            assert_eq!(1, 2, "own");
        };
        let caught = catch_unwind(AssertUnwindSafe(|| with_helpers(1, &slow, own)));
        assert!(caught.unwrap_err().downcast::<String>().unwrap().contains("own"));
        assert_eq!(ended.load(Ordering::Relaxed), 1, "it was waited for");
        let neither = || assert_eq!(1, 2, "neither");
        let own = || assert_eq!(1, 2, "own");
        let caught = catch_unwind(AssertUnwindSafe(|| with_helpers(3, &neither, own)));
        assert!(caught.unwrap_err().downcast::<String>().unwrap().contains("own"));
        with_helpers(1, &|| _ = both.wait(), || both.wait());
    }

    #[test]
    fn a_thread_that_was_dismissed_or_waited_too_long_ends() {
        assert_eq!(with_helpers(0, &|| unreachable!(), || 7), 7);
        let both = Barrier::new(2);
        let alive = Arc::new(());
        thread_local! {
            static OWN: std::cell::RefCell<Option<Arc<()>>> = const { std::cell::RefCell::new(None) };
        }
        let help = || {
            OWN.set(Some(Arc::clone(&alive)));
            both.wait();
        };
        // Other tests may take what waits, and keep it from ending for a while.
        let ends = |dismissed: bool| {
            for _ in 0..1000 {
                if dismissed {
                    dismiss_helpers();
                }
                if Arc::strong_count(&alive) == 1 {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            false
        };
        for dismissed in [true, false] {
            with_helpers(1, &help, || both.wait());
            assert!(ends(dismissed));
        }
    }
}
