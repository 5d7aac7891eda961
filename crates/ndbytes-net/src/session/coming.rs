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
    /// When its peer was last heard of.
    heard: Arc<Heard>,
}

/// When something came last.
#[derive(Debug)]
pub(super) struct Heard(Mutex<Instant>);

/// A file that comes, until this goes.
pub(super) struct Coming(Key);

impl Coming {
    pub(super) fn begin(key: Key, link: &Arc<Inner>, heard: &Arc<Heard>) -> Self {
        heard.now();
        let arrival = Arrival { link: Arc::downgrade(link), heard: heard.clone() };
        arrivals().insert(key, arrival);
        Self(key)
    }
}

impl Heard {
    pub(super) fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn ago(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

impl Default for Heard {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        arrivals().remove(&self.0);
    }
}

/// Ends the session that a file comes by, if nothing came for a while.
pub(super) fn displace(key: Key) {
    let stalled = arrivals()
        .get(&key)
        .filter(|arrival| arrival.heard.ago() > STALLED)
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
