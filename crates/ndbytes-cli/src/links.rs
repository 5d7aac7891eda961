//! Several links at once, and how they end: each finishes what it is at.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ndbytes::Code;
use ndbytes_net::session::Link;

/// Those that are open.
#[derive(Default)]
pub(crate) struct Links {
    closing: AtomicBool,
    open: Mutex<Vec<Weak<Kept>>>,
    /// Who tells the peers; none before all are told.
    leaving: Mutex<Option<Vec<JoinHandle<()>>>>,
    told: Condvar,
}

/// One of them.
pub(crate) struct Kept {
    link: Link,
    /// One of the three below; who makes it [`LEFT`] tells the peer.
    state: AtomicU8,
    /// Whether the peer was told.
    told: AtomicBool,
}

/// Nothing comes.
const IDLE: u8 = 0;
/// Something comes that is to be stored, and acknowledged.
const BUSY: u8 = 1;
/// It was ended here.
const LEFT: u8 = 2;

impl Links {
    /// One more.
    pub(crate) fn add(&self, link: Link) -> Arc<Kept> {
        let state = AtomicU8::new(IDLE);
        let kept = Arc::new(Kept { link, state, told: AtomicBool::new(false) });
        let mut open = lock(&self.open);
        open.retain(|kept| kept.strong_count() > 0);
        open.push(Arc::downgrade(&kept));
        drop(open);
        // Whoever closes has looked before, or will find it.
        if self.are_closing() {
            kept.leave();
        }
        kept
    }

    /// From now on nothing new is begun. Who waits for something is ended here, and who is at something
    /// ends itself.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let open = std::mem::take(&mut *lock(&self.open));
        let mut leaving = Vec::new();
        for kept in open.iter().filter_map(Weak::upgrade).filter(|kept| kept.may_leave()) {
            // A peer may take its time to hear it.
            let own = kept.clone();
            let tell = thread::Builder::new().name("ndbytes-leave".to_owned());
            match tell.spawn(move || own.tell()) {
                Ok(thread) => leaving.push(thread),
                Err(_) => kept.tell(),
            }
        }
        *lock(&self.leaving) = Some(leaving);
        self.told.notify_all();
    }

    /// Waits until all have been told that they end, which somebody else begins to do.
    pub(crate) fn wait(&self) {
        let none = |leaving: &mut Option<_>| leaving.is_none();
        let leaving = self.told.wait_timeout_while(lock(&self.leaving), MOST, none);
        let leaving = leaving.unwrap_or_else(PoisonError::into_inner).0.take();
        for thread in leaving.into_iter().flatten() {
            // What there is to say about a panic it has said.
            let _ = thread.join();
        }
    }

    /// Whether [`Links::close`] was called.
    fn are_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

impl Kept {
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Something comes: whether it may. Where it may not, the peer has been told.
    pub(crate) fn begin(&self) -> bool {
        if self.moves(IDLE, BUSY) {
            return true;
        }
        let start = Instant::now();
        while !self.told.load(Ordering::SeqCst) && start.elapsed() < MOST {
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// It has been stored, and the peer told so: whether more may come.
    pub(crate) fn end(&self, links: &Links) -> bool {
        self.state.store(IDLE, Ordering::SeqCst);
        if !links.are_closing() {
            return true;
        }
        self.leave();
        false
    }

    /// Whether it was ended here.
    pub(crate) fn was_left(&self) -> bool {
        self.state.load(Ordering::SeqCst) == LEFT
    }

    /// Tells the peer that it ends here, unless somebody else does.
    fn leave(&self) {
        if self.may_leave() {
            self.tell();
        }
    }

    /// Whether it is for the caller to [`tell`](Kept::tell) the peer.
    fn may_leave(&self) -> bool {
        self.moves(IDLE, LEFT)
    }

    fn tell(&self) {
        self.link
            .refuse(Code::StreamClosing.as_str(), "it takes nothing more; send the rest later");
        self.told.store(true, Ordering::SeqCst);
    }

    fn moves(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long those are waited for who tell a peer; they take a second.
const MOST: Duration = Duration::from_secs(5);
