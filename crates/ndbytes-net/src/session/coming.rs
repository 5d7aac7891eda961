//! Files that are on their way into this process, and whether they still come: one whose sender is
//! gone, which some transports notice late, makes room for who sends it again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use ndbytes::Code;

use super::inner::Inner;

/// Device and inode of what there is of a file.
pub(super) type Key = (u64, u64);

struct Arrival {
    link: Weak<Inner>,
    /// When something of it came last.
    last: Instant,
}

/// A file that comes, until this goes.
pub(super) struct Coming(Key);

impl Coming {
    pub(super) fn begin(key: Key, link: &Arc<Inner>) -> Self {
        let arrival = Arrival { link: Arc::downgrade(link), last: Instant::now() };
        arrivals().insert(key, arrival);
        Self(key)
    }

    /// Something of it came.
    pub(super) fn moves(&self) {
        if let Some(arrival) = arrivals().get_mut(&self.0) {
            arrival.last = Instant::now();
        }
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        arrivals().remove(&self.0);
    }
}

/// Ends the session that a file comes by, if nothing of it came for a while.
pub(super) fn displace(key: Key) {
    let stalled = arrivals()
        .get(&key)
        .filter(|arrival| arrival.last.elapsed() > STALLED)
        .and_then(|arrival| arrival.link.upgrade());
    if let Some(link) = stalled {
        link.end(Code::StreamCut, "nothing more of the file came, and another sends it");
    }
}

fn arrivals() -> MutexGuard<'static, BTreeMap<Key, Arrival>> {
    ARRIVALS.lock().unwrap_or_else(PoisonError::into_inner)
}

static ARRIVALS: Mutex<BTreeMap<Key, Arrival>> = Mutex::new(BTreeMap::new());
/// Longer than a line of this world is silent while somebody sends.
const STALLED: Duration = Duration::from_secs(2);
