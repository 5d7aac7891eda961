//! Several links at once, and how they end: each finishes what it is at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use ndbytes::Code;
use ndbytes_net::session::Link;

/// Those that are open.
#[derive(Default)]
pub(crate) struct Links {
    closing: AtomicBool,
    open: Mutex<Vec<Weak<Kept>>>,
    /// Who tells the peers.
    leaving: Mutex<Vec<JoinHandle<()>>>,
}

/// One of them.
pub(crate) struct Kept {
    link: Link,
    /// Whether something comes that is to be stored, and acknowledged.
    busy: AtomicBool,
    /// Whether it was ended here.
    left: AtomicBool,
}

impl Links {
    /// One more.
    pub(crate) fn add(&self, link: Link) -> Arc<Kept> {
        let kept =
            Arc::new(Kept { link, busy: AtomicBool::new(false), left: AtomicBool::new(false) });
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
        let idle = open.iter().filter_map(Weak::upgrade);
        let idle = idle.filter(|kept| !kept.busy.load(Ordering::SeqCst));
        // A peer may take its time to hear it.
        for kept in idle {
            let leave = move || kept.leave();
            // Without a thread, it is ended when the process is.
            if let Ok(thread) = thread::Builder::new().name("ndbytes-leave".to_owned()).spawn(leave)
            {
                lock(&self.leaving).push(thread);
            }
        }
    }

    /// Waits until all have been told that they end.
    pub(crate) fn wait(&self) {
        let leaving = std::mem::take(&mut *lock(&self.leaving));
        for thread in leaving {
            // What it has to say about a panic it has said.
            let _ = thread.join();
        }
    }

    /// Whether [`Links::close`] was called.
    pub(crate) fn are_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Kept {
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Something comes.
    pub(crate) fn begin(&self) {
        self.busy.store(true, Ordering::SeqCst);
    }

    /// It has been stored, and the peer told so.
    pub(crate) fn end(&self) {
        self.busy.store(false, Ordering::SeqCst);
    }

    /// Whether [`Kept::leave`] was called.
    pub(crate) fn was_left(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    /// Tells the peer that nothing is wrong, and that it ends here.
    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::SeqCst);
        self.link
            .refuse(Code::StreamClosing.as_str(), "it takes nothing more; send the rest later");
    }
}
