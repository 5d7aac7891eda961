//! Acknowledgements that nobody has asked for: a moment later, so that they leave with an answer where
//! there is one, and one is enough for many arrays.

use std::sync::{Arc, Condvar, Mutex, Weak};
use std::time::Duration;

use super::inner::{Inner, lock};

/// The sessions of one process that have something to acknowledge.
#[derive(Default)]
struct Due {
    links: Mutex<Vec<Weak<Inner>>>,
    some: Condvar,
}

/// Has what has come over a session acknowledged in a moment.
pub(super) fn look_after(link: &Arc<Inner>) {
    // Of a process that was forked, its threads were not.
    static DUE: Mutex<Option<(u32, Arc<Due>)>> = Mutex::new(None);
    let own = std::process::id();
    let due = {
        let mut known = lock(&DUE);
        match &*known {
            Some((process, due)) if *process == own => due.clone(),
            _ => {
                let due = Arc::<Due>::default();
                let worker = due.clone();
                let thread = std::thread::Builder::new().name("ndbytes-acks".to_owned());
                if thread.spawn(move || worker.work()).is_err() {
                    // It is acknowledged when the peer asks, or with what is sent.
                    return;
                }
                known.insert((own, due)).1.clone()
            }
        }
    };
    let mut links = lock(&due.links);
    links.push(Arc::downgrade(link));
    if links.len() == 1 {
        due.some.notify_one();
    }
}

impl Due {
    fn work(&self) {
        loop {
            let mut links = lock(&self.links);
            while links.is_empty() {
                links = self.some.wait(links).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
            drop(links);
            std::thread::sleep(MOMENT);
            let links = std::mem::take(&mut *lock(&self.links));
            for link in links.iter().filter_map(Weak::upgrade) {
                link.send_acks();
            }
        }
    }
}

/// How long an acknowledgement waits for company.
const MOMENT: Duration = Duration::from_millis(5);
