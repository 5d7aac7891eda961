//! What both directions of a session share, and how each goes on while the other waits.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ndbytes::{Code, Error, Result};

use super::acks;
use super::end::LINGER;
use super::inbox::Inbox;
#[cfg(target_os = "linux")]
use super::memory::Descriptors;
use super::options::SessionOptions;
use super::outbox::Outbox;
use super::patience::Patience;
use super::record::Record;
use super::slot::Slot;
use super::state::{Peer, State, Tag, denied};
use super::wire::{Control, Ways};
use crate::tokens::Scope;

/// What both directions share.
pub(super) struct Inner {
    pub(super) inbox: Slot<Inbox>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) state: Mutex<State>,
    /// Something was acknowledged, or nothing will be.
    pub(super) told: Condvar,
    pub(super) control: Arc<dyn Control>,
    #[cfg(target_os = "linux")]
    pub(super) descriptors: Option<Arc<Descriptors>>,
    pub(super) patience: Patience,
    pub(super) options: SessionOptions,
    pub(super) peer: String,
    /// Whether the peer connected to us.
    pub(super) accepted: bool,
    /// Whether sums follow our messages: where nothing else protects what passes.
    pub(super) sums: bool,
    pub(super) ways: Ways,
    pub(super) _place: Option<Place>,
}

/// One of the connections that a listener allows.
pub(super) struct Place(pub(super) Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let outbox = self.outbox.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut records = Vec::new();
        // What has come has come.
        if state.failed.is_none()
            && state.take_pending(&mut records).is_ok()
            && !records.is_empty()
            && self.control.is_ready()
            && outbox.sink.write_all(&records).is_ok()
        {
            let _ = self.control.shut_write();
        }
        self.control.close();
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn hello(&self) -> Record {
        let token = self.options.token.clone().filter(|_| !self.accepted);
        Record::Hello { sums: self.sums, files: self.options.files, token }
    }

    /// Waits for the first bytes of a peer that connected: they say what it knows.
    pub(super) fn meet(self: &Arc<Self>) -> Result<()> {
        if !self.accepted || self.state().peer != Peer::Unknown {
            return self.state().check();
        }
        // A peer that asks for arrays and says nothing says nothing for long; one that has a token to
        // show may be far away.
        let start = Instant::now();
        let most = match &self.options.tokens {
            Some(_) => self.patience.timeout.unwrap_or(FOREVER),
            None => FIRST_WORD,
        };
        loop {
            match self.inbox.try_take() {
                Some(mut inbox) => {
                    if self.state().peer != Peer::Unknown {
                        break;
                    }
                    let left = most.saturating_sub(start.elapsed());
                    if inbox.is_empty() && !self.control.wait_to_read(left)? {
                        break;
                    }
                    let met = self.guard(self.meet_with(&mut inbox));
                    drop(inbox);
                    met?;
                    self.send_pending();
                    return Ok(());
                }
                // Who receives finds out.
                None => {
                    let state = self.state();
                    if state.peer != Peer::Unknown || start.elapsed() > most {
                        break;
                    }
                    drop(self.told.wait_timeout(state, POLL));
                }
            }
        }
        self.meet_plain()?;
        self.state().check()
    }

    fn meet_with(self: &Arc<Self>, inbox: &mut Inbox) -> Result<()> {
        match inbox.record()? {
            Some(record) => self.hear(record, &mut Tag::default()).map(drop),
            None => self.meet_plain(),
        }
    }

    /// The first that came is no record, or nothing has come.
    pub(super) fn meet_plain(&self) -> Result<()> {
        let mut state = self.state();
        if state.peer == Peer::Unknown && self.accepted {
            if self.options.tokens.is_some() {
                return Err(denied("the peer shows no token"));
            }
            state.peer = Peer::Plain;
        }
        Ok(())
    }

    /// Whether the peer understands records, after all that could forbid to send.
    pub(super) fn may_send(&self, tag: &Tag, outbox: &mut Outbox) -> Result<bool> {
        let mut state = self.state();
        state.check()?;
        state.allow(Scope::Read)?;
        if self.ways == Ways::In {
            let message = "nothing can be sent over this link: it has nothing to write to";
            return Err(Error::new(Code::Argument, message));
        }
        if outbox.ended {
            return Err(Error::new(Code::Argument, "nothing can be sent after the end"));
        }
        self.control.may_send()?;
        let talks = state.peer != Peer::Plain;
        outbox.held.append(&mut outbox.greeting);
        if !talks && !tag.is_empty() {
            let message = "the peer knows arrays alone: it has no use for a name or metadata";
            return Err(Error::new(Code::StreamPlain, message));
        }
        // What an array looks like depends on what was said before it.
        state.take_pending(&mut outbox.held)?;
        Ok(talks)
    }

    /// Writes what is held and what is pending.
    pub(super) fn flush(self: &Arc<Self>, outbox: &mut Outbox) -> Result<()> {
        // Over HTTP, who receives says nothing.
        if self.ways == Ways::Either && outbox.held.is_empty() {
            return Ok(());
        }
        self.state().take_pending(&mut outbox.held)?;
        if outbox.held.is_empty() {
            return Ok(());
        }
        let written = outbox.sink.write_all(&outbox.held).and_then(|()| outbox.sink.flush());
        outbox.held.clear();
        self.guard(written.map_err(Error::from))
    }

    /// Sends what is pending, and waits for nobody: who reads must go on reading, or two who send to one
    /// another would wait for ever. What fails is told to who sends.
    pub(super) fn send_pending(self: &Arc<Self>) {
        loop {
            if !self.state().has_word() {
                return;
            }
            // Who has it sends it when they are done, unless they have just looked.
            let Ok(mut outbox) = self.outbox.try_lock() else { return self.look_after() };
            if !self.control.is_ready() || outbox.held.len() > SHORT {
                drop(outbox);
                let inner = self.clone();
                let later = move || inner.send_records(&mut lock(&inner.outbox));
                // Without a thread, it leaves with what is sent next.
                let _ = std::thread::Builder::new().name("ndbytes-ack".to_owned()).spawn(later);
                return;
            }
            self.send_records(&mut outbox);
        }
    }

    /// Writes what is pending alone. The peer may be gone: what it sent before can still be read.
    fn send_records(&self, outbox: &mut Outbox) {
        // What is held was there before.
        let mut bytes = std::mem::take(&mut outbox.held);
        if self.state().take_pending(&mut bytes).is_ok() {
            let _ = outbox.sink.write_all(&bytes).and_then(|()| outbox.sink.flush());
        }
    }

    /// Acknowledges what has come, if nobody has meanwhile.
    pub(super) fn send_acks(self: &Arc<Self>) {
        {
            let mut state = self.state();
            state.looked_after = false;
            if state.failed.is_some() {
                return;
            }
            if state.is_session() && state.granted > state.said {
                state.due = true;
            }
        }
        self.send_pending();
    }

    /// Has what has come acknowledged in a moment: with what is sent by then, or by itself.
    pub(super) fn acknowledge_soon(self: &Arc<Self>) {
        let is_due = {
            let state = self.state();
            state.is_session() && state.granted > state.said
        };
        if is_due {
            self.look_after();
        }
    }

    /// Has somebody come back to this in a moment.
    fn look_after(self: &Arc<Self>) {
        if !std::mem::replace(&mut self.state().looked_after, true) {
            acks::look_after(self);
        }
    }

    /// Reads until the peer has so many arrays; keeps those that come.
    pub(super) fn await_acks(self: &Arc<Self>, sent: u64) -> Result<()> {
        self.await_word(self.patience.timeout, true, &|state| state.acked >= sent)
    }

    /// Reads until the peer has all that was sent, and our end; passes over what comes.
    pub(super) fn await_end(self: &Arc<Self>, sent: u64) -> Result<()> {
        self.await_word(self.patience.timeout, false, &|state| state.acked >= sent)?;
        // That it has our end as well changes nothing.
        let _ = self.await_word(Some(LINGER), false, &|state| state.farewell || state.ended);
        Ok(())
    }

    /// Reads until the peer has said something.
    fn await_word(
        self: &Arc<Self>,
        most: Option<Duration>,
        keep: bool,
        said: &dyn Fn(&State) -> bool,
    ) -> Result<()> {
        let mut start = Instant::now();
        loop {
            {
                let state = self.state();
                if said(&state) {
                    return Ok(());
                }
                state.check()?;
            }
            let left = most.map(|most| most.saturating_sub(start.elapsed()));
            if left == Some(Duration::ZERO) {
                return Err(self.patience.silence("acknowledged nothing").into());
            }
            match self.inbox.try_take() {
                Some(mut inbox) => {
                    // Who had it before may have heard it.
                    if said(&self.state()) {
                        return Ok(());
                    }
                    let wait = left.unwrap_or(FOREVER);
                    if inbox.is_empty() && !self.control.wait_to_read(wait)? {
                        continue;
                    }
                    let read = self.read_ack(&mut inbox, keep);
                    drop(inbox);
                    self.guard(read.map_err(|error| self.as_cut(error)))?;
                    self.send_pending();
                    // Something moves. Who only lingers does not wait for more.
                    if most != Some(LINGER) {
                        start = Instant::now();
                    }
                }
                None => {
                    let state = self.state();
                    if !said(&state) {
                        drop(self.told.wait_timeout(state, POLL));
                    }
                    self.patience.interrupted()?;
                }
            }
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes that leave at once where anything does: Linux's pages, of which a pipe takes one or none.
const SHORT: usize = 2048;
/// How long a peer that connected may take for its first bytes before it counts as one that has
/// nothing to say.
const FIRST_WORD: Duration = Duration::from_millis(500);
/// As long as nobody waits.
const FOREVER: Duration = Duration::from_secs(1 << 30);
/// How often those look who wait for others.
const POLL: Duration = Duration::from_millis(20);
