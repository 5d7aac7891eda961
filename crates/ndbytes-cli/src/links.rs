//! Several links at once, and how they end: each finishes what it is at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ndbytes::Code;
use ndbytes_net::session::Link;

/// Those that are open.
#[derive(Default)]
pub(crate) struct Links {
    closing: AtomicBool,
    open: Mutex<Vec<Weak<Kept>>>,
}

/// One of them.
pub(crate) struct Kept {
    link: Link,
    /// Whether something comes that is to be stored, and acknowledged.
    busy: AtomicBool,
}

impl Links {
    /// One more.
    pub(crate) fn add(&self, link: Link) -> Arc<Kept> {
        let kept = Arc::new(Kept { link, busy: AtomicBool::new(false) });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
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
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        for kept in open.iter().filter_map(Weak::upgrade) {
            if !kept.busy.load(Ordering::SeqCst) {
                kept.leave();
            }
        }
    }

    /// Whether [`Links::close`] was called.
    pub(crate) fn are_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
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

    /// Tells the peer that nothing is wrong, and that it ends here.
    pub(crate) fn leave(&self) {
        self.link
            .refuse(Code::StreamClosing.as_str(), "it takes nothing more; send the rest later");
    }
}
