//! One session: arrays both ways, and what both sides say of them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ndbytes::{ArrayView, Code, Error, FrameOptions, Header, Progress, Result, write_frame};

use super::acks;
use super::address::Address;
use super::inbox::Inbox;
use super::options::SessionOptions;
use super::record::Record;
use super::slot::Slot;
use super::state::{Peer, State, Tag, denied};
use super::sum::Summed;
use super::wire::{Control, Patience, Wire};
use crate::tokens::Scope;

/// One session over one connection.
///
/// One thread may send while another receives. Dropping it without [`close`](Link::close) is, to the
/// peer, a connection that was cut.
pub struct Link(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) inbox: Slot<Inbox>,
    pub(super) outbox: Mutex<Outbox>,
    pub(super) state: Mutex<State>,
    /// Something was acknowledged, or nothing will be.
    pub(super) told: Condvar,
    pub(super) control: Arc<dyn Control>,
    pub(super) patience: Patience,
    pub(super) options: SessionOptions,
    pub(super) peer: String,
    /// Whether the peer connected to us.
    accepted: bool,
    /// Whether sums follow our messages: where nothing else protects what passes.
    sums: bool,
    _place: Option<Place>,
}

pub(super) struct Outbox {
    pub(super) sink: Box<dyn Write + Send>,
    /// What leaves with what comes next.
    pub(super) held: Vec<u8>,
    arrays: u64,
    bytes: u64,
    sums: u32,
    ended: bool,
}

/// One of the connections that a listener allows.
pub(super) struct Place(pub(super) Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// How one array is sent.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendOptions {
    /// Send a frame, compressed and checked.
    pub frame: Option<FrameOptions>,
    /// A small array may be held back until more is together.
    pub more: bool,
    /// Who is told how far it is.
    pub progress: Progress,
}

impl SendOptions {
    /// The same as a frame.
    #[must_use]
    pub fn with_frame(mut self, frame: Option<FrameOptions>) -> Self {
        self.frame = frame;
        self
    }

    /// The same, held back or not.
    #[must_use]
    pub fn with_more(mut self, more: bool) -> Self {
        self.more = more;
        self
    }

    /// The same, and tells how far it is.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }
}

impl Link {
    pub(super) fn new(
        wire: Wire,
        address: &Address,
        peer: String,
        options: &SessionOptions,
        place: Option<Place>,
        accepted: bool,
    ) -> Self {
        let outbox = Outbox {
            sink: wire.write,
            held: Vec::new(),
            arrays: 0,
            bytes: 0,
            sums: 0,
            ended: false,
        };
        Self(Arc::new(Inner {
            inbox: Slot::new(Inbox::new(wire.read)),
            outbox: Mutex::new(outbox),
            state: Mutex::default(),
            told: Condvar::new(),
            control: wire.control,
            patience: Patience::of(options),
            options: options.clone(),
            peer,
            accepted,
            sums: address.is_open(),
            _place: place,
        }))
    }

    /// Says hello, as who connects does at once: the peer need not be waited for.
    pub(super) fn greet(&self) -> Result<()> {
        if self.0.options.plain {
            self.0.state().peer = Peer::Plain;
            return Ok(());
        }
        let mut hello = Vec::new();
        self.0.hello().encode(&mut hello)?;
        let mut outbox = lock(&self.0.outbox);
        self.0.guard(outbox.sink.write_all(&hello).map_err(Error::from))
    }

    /// Who is at the other end: an address as a URL has it, or a process.
    pub fn peer(&self) -> &str {
        &self.0.peer
    }

    /// Sends an array; how many were sent with it, which is its number.
    ///
    /// It is on its way when this returns, and has arrived when [`sync`](Link::sync) or
    /// [`close`](Link::close) return.
    ///
    /// # Errors
    /// [`Code::StreamPlain`] for a tag to a peer that knows arrays alone; what is wrong with the array;
    /// [`Code::Io`] when the connection fails.
    pub fn send(&self, array: &ArrayView<'_>, tag: &Tag, options: &SendOptions) -> Result<u64> {
        self.0.meet()?;
        // Nothing leaves on behalf of an array that cannot.
        array.header()?.encode()?;
        let frame = options.frame.as_ref();
        let mut outbox = lock(&self.0.outbox);
        let sums = self.0.may_send(tag, &outbox)? && self.0.sums && frame.is_none();
        let outbox = &mut *outbox;
        outbox.tag(tag)?;
        let small = array.nbytes() <= SMALL && frame.is_none();
        let (passed, sum) = if small {
            let mut sink = Summed::new(&mut outbox.held, sums);
            ndbytes::write_npy(&mut sink, array)?;
            (sink.passed, sink.sum)
        } else {
            let sent = outbox.send_large(array, frame, sums, &options.progress);
            self.0.guard(sent)?
        };
        outbox.count(passed, sum)?;
        let number = outbox.arrays;
        if !options.more || outbox.held.len() >= HELD {
            self.0.flush(outbox)?;
        }
        Ok(number)
    }

    /// Sends what was held back.
    ///
    /// # Errors
    /// [`Code::Io`] when the connection fails.
    pub fn flush(&self) -> Result<()> {
        self.0.flush(&mut lock(&self.0.outbox))
    }

    /// Sends an array whose elements `write` gives, in the order of the header, and exactly so many
    /// bytes: for what does not fit into memory.
    ///
    /// # Errors
    /// As [`Link::send`]; [`Code::DataLength`] when it gave more or fewer, and whatever it says. After
    /// these the session has ended.
    pub fn send_pieces(
        &self,
        header: &Header,
        tag: &Tag,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        self.0.meet()?;
        let head = header.encode()?;
        let mut outbox = lock(&self.0.outbox);
        let sums = self.0.may_send(tag, &outbox)? && self.0.sums;
        let outbox = &mut *outbox;
        outbox.tag(tag)?;
        self.0.flush(outbox)?;
        let mut sink = Summed::new(&mut *outbox.sink, sums);
        let total = (head.len() + header.nbytes()) as u64;
        let written = sink.write_all(&head).map_err(Error::from).and_then(|()| write(&mut sink));
        let (passed, sum) = (sink.passed, sink.sum);
        let written = written.and_then(|()| match passed == total {
            true => Ok(()),
            false => Err(Error::new(
                Code::DataLength,
                format!("an array of {total} bytes with its header was sent as {passed}"),
            )),
        });
        self.0.guard(written)?;
        outbox.count(passed, sum)?;
        self.0.flush(outbox)
    }

    /// Waits until the peer has all that was sent. Arrays that come meanwhile are kept.
    ///
    /// # Errors
    /// [`Code::StreamPlain`] for a peer that knows arrays alone, [`Code::StreamCut`] when it is gone
    /// before, [`Code::StreamPeer`] when it says that something went wrong.
    pub fn sync(&self) -> Result<()> {
        self.0.meet()?;
        let sent = {
            let mut outbox = lock(&self.0.outbox);
            if self.0.state().peer == Peer::Plain {
                let message = "the peer knows arrays alone, and acknowledges none";
                return Err(Error::new(Code::StreamPlain, message));
            }
            if self.0.state().acked >= outbox.arrays {
                return Ok(());
            }
            Record::Sync(outbox.arrays).encode(&mut outbox.held)?;
            self.0.flush(&mut outbox)?;
            outbox.arrays
        };
        self.0.await_acks(sent)
    }

    /// Says that what has come is done with: where [`SessionOptions::ack`] is off.
    ///
    /// # Errors
    /// [`Code::Io`] when the connection fails.
    pub fn ack(&self) -> Result<()> {
        {
            let mut state = self.0.state();
            state.granted = state.received - state.waiting.len() as u64;
            state.wanted = Some(state.granted);
            state.acknowledge()?;
        }
        self.0.send_pending();
        Ok(())
    }

    /// Says that nothing more comes, waits until the peer has all that was sent, and ends the
    /// connection. Other calls then fail.
    ///
    /// # Errors
    /// As [`Link::sync`]; a peer that knows arrays alone is not waited for.
    pub fn close(&self) -> Result<()> {
        let closed = self.finish();
        // It may have ended by itself.
        let _ = self.0.control.shut_write();
        self.0.end(Code::Argument, "it was closed");
        closed
    }

    fn finish(&self) -> Result<()> {
        let (sent, talks) = {
            let mut outbox = lock(&self.0.outbox);
            if outbox.ended {
                return Ok(());
            }
            outbox.ended = true;
            let (talks, ended, has_all) = {
                let state = self.0.state();
                let has_all = state.acked >= outbox.arrays;
                if !has_all {
                    state.check()?;
                }
                let talks = match state.peer {
                    Peer::Plain => false,
                    Peer::Session { .. } => true,
                    Peer::Unknown => !self.0.accepted,
                };
                (talks, state.ended, has_all)
            };
            if talks {
                // After the end, nobody listens.
                self.0.state().take_pending(&mut outbox.held)?;
                let Outbox { arrays, bytes, sums, .. } = *outbox;
                Record::End { arrays, bytes, sums }.encode(&mut outbox.held)?;
            }
            let said = self.0.flush(&mut outbox);
            if talks && has_all {
                // Who is gone need not be told.
                if said.is_err() || ended {
                    return Ok(());
                }
            } else {
                said?;
            }
            (outbox.arrays, talks)
        };
        if talks {
            return self.0.await_end(sent);
        }
        if !self.0.state().ended {
            let ended = self.0.control.shut_write().map_err(|error| match error.kind() {
                // The reset came before we got here.
                io::ErrorKind::NotConnected => io::ErrorKind::ConnectionReset.into(),
                _ => error,
            });
            ended.and_then(|()| self.0.control.drain(self.0.options.linger))?;
        }
        Ok(())
    }

    /// Ends the connection at once, to the peer as if it were cut. Whoever waits is woken.
    pub fn abort(&self) {
        self.0.end(Code::Argument, "it was closed");
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

    pub(super) fn is_accepted(&self) -> bool {
        self.accepted
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
        // A peer that asks for arrays and says nothing says nothing for long.
        let start = Instant::now();
        loop {
            match self.inbox.try_take() {
                Some(mut inbox) => {
                    if self.state().peer != Peer::Unknown {
                        break;
                    }
                    let left = FIRST_WORD.saturating_sub(start.elapsed());
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
                    if state.peer != Peer::Unknown || start.elapsed() > FIRST_WORD {
                        break;
                    }
                    drop(self.told.wait_timeout(state, POLL));
                }
            }
        }
        let tokens = self.options.tokens.is_some();
        let mut state = self.state();
        if state.peer == Peer::Unknown {
            if tokens {
                return Err(denied("the peer shows no token"));
            }
            state.peer = Peer::Plain;
        }
        state.check()
    }

    fn meet_with(self: &Arc<Self>, inbox: &mut Inbox) -> Result<()> {
        match inbox.record()? {
            Some(record) => self.hear(record, &mut Tag::default()).map(drop),
            None => self.meet_plain(),
        }
    }

    /// The first that came is no record.
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
    fn may_send(&self, tag: &Tag, outbox: &Outbox) -> Result<bool> {
        let state = self.state();
        state.check()?;
        state.allow(Scope::Read)?;
        if outbox.ended {
            return Err(Error::new(Code::Argument, "nothing can be sent after the end"));
        }
        let talks = state.peer != Peer::Plain;
        if !talks && !tag.is_empty() {
            let message = "the peer knows arrays alone: it has no use for a name or metadata";
            return Err(Error::new(Code::StreamPlain, message));
        }
        Ok(talks)
    }

    /// Writes what is held and what is pending.
    pub(super) fn flush(self: &Arc<Self>, outbox: &mut Outbox) -> Result<()> {
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
            if self.state().pending.is_empty() {
                return;
            }
            // Who has it sends it when they are done, unless they have just looked.
            let Ok(mut outbox) = self.outbox.try_lock() else { return self.look_after() };
            if !self.control.is_ready() {
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
        let mut records = Vec::new();
        if self.state().take_pending(&mut records).is_ok() {
            let _ = outbox.sink.write_all(&records).and_then(|()| outbox.sink.flush());
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
                state.wanted = Some(state.granted);
                if state.acknowledge().is_err() {
                    return;
                }
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
    fn await_acks(self: &Arc<Self>, sent: u64) -> Result<()> {
        self.await_word(self.patience.timeout, true, &|state| state.acked >= sent)
    }

    /// Reads until the peer has all that was sent, and our end; passes over what comes.
    fn await_end(self: &Arc<Self>, sent: u64) -> Result<()> {
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
        let start = Instant::now();
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
                    self.guard(read)?;
                    self.send_pending();
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

    /// Nothing goes on after this.
    pub(super) fn end(&self, code: Code, message: &str) {
        self.state().failed.get_or_insert_with(|| (code, message.to_owned()));
        self.control.close();
        self.told.notify_all();
    }

    /// After an error, nothing that comes can be told from what should have come: the peer is told,
    /// and the connection ended.
    pub(super) fn guard<T>(self: &Arc<Self>, done: Result<T>) -> Result<T> {
        let error = match done {
            Ok(done) => return Ok(done),
            Err(error) => self.reason(error),
        };
        let (code, message) = (error.code(), error.message().to_owned());
        let kind = error.io().map(io::Error::kind);
        let is_denied = kind == Some(io::ErrorKind::PermissionDenied);
        let (first, listens) = {
            let mut state = self.state();
            let first = state.failed.is_none();
            state.failed.get_or_insert((code, message.clone()));
            let listens = match state.peer {
                Peer::Plain => false,
                Peer::Session { .. } => true,
                Peer::Unknown => !self.accepted || is_denied,
            };
            (first, listens)
        };
        // What the connection said, the peer knows, or nobody can tell it.
        let tell = match kind {
            Some(kind) => is_denied || kind == io::ErrorKind::TimedOut,
            None => code != Code::StreamPeer && code != Code::StreamCut,
        };
        if first && listens && tell {
            let code = if is_denied { DENIED } else { code.as_str() }.to_owned();
            self.tell(Record::Error { code, message });
        }
        self.control.close();
        self.told.notify_all();
        Err(error)
    }

    /// What the peer said before it closed the connection, which then cannot be written to.
    fn reason(&self, error: Error) -> Error {
        let is_gone = matches!(
            error.io().map(io::Error::kind),
            Some(
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
            )
        );
        let Some(mut inbox) = self.inbox.try_take() else { return error };
        while is_gone && self.control.wait_to_read(LINGER).unwrap_or(false) {
            match inbox.record() {
                Ok(Some(record @ Record::Error { .. })) => {
                    return self.hear(record, &mut Tag::default()).err().unwrap_or(error);
                }
                Ok(Some(_)) => {}
                _ => break,
            }
        }
        error
    }

    /// Tells the peer why the session ends, for as long as that is worth.
    fn tell(self: &Arc<Self>, record: Record) {
        let mut bytes = Vec::new();
        if record.encode(&mut bytes).is_err() {
            return;
        }
        let (done, told) = sync_channel(1);
        let inner = self.clone();
        let tell = move || {
            if let Ok(mut outbox) = inner.outbox.try_lock()
                && outbox.sink.write_all(&bytes).is_ok()
            {
                let _ = inner.control.shut_write();
                drop(outbox);
                // What it had sent and nobody read would, when the connection is closed, make the
                // system take back what was said.
                let _ = inner.control.drain(Some(LINGER));
            }
            let _ = done.send(());
        };
        if std::thread::Builder::new().name("ndbytes-end".to_owned()).spawn(tell).is_ok() {
            // Whether it was told changes nothing.
            let _ = told.recv_timeout(2 * LINGER);
        }
    }
}

impl Outbox {
    /// Holds what belongs to the array that comes next.
    fn tag(&mut self, tag: &Tag) -> Result<()> {
        if tag.is_empty() {
            return Ok(());
        }
        let mark = self.held.len();
        let record = Record::Array { name: tag.name.clone(), meta: tag.meta.clone() };
        record.encode(&mut self.held).inspect_err(|_| self.held.truncate(mark))
    }

    /// Counts an array that was sent or is held, and holds its sum.
    fn count(&mut self, bytes: u64, sum: Option<u32>) -> Result<()> {
        self.arrays += 1;
        self.bytes += bytes;
        if let Some(sum) = sum {
            Record::Sum(sum).encode(&mut self.held)?;
            self.sums = crc32c::crc32c_append(self.sums, &sum.to_le_bytes());
        }
        Ok(())
    }

    /// Sends a large array after what is held; bytes that passed, and their sum.
    fn send_large(
        &mut self,
        array: &ArrayView<'_>,
        frame: Option<&FrameOptions>,
        sums: bool,
        progress: &Progress,
    ) -> Result<(u64, Option<u32>)> {
        self.sink.write_all(&self.held)?;
        self.held.clear();
        let mut sink = Summed::new(&mut *self.sink, sums);
        match frame {
            Some(options) => {
                write_frame(&mut sink, array, &options.clone().with_progress(progress.clone()))?;
            }
            None => ndbytes::send_with(&mut sink, array, progress)?,
        }
        Ok((sink.passed, sink.sum))
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a peer is told that may not do what it wants.
pub(super) const DENIED: &str = "stream.denied";
/// Bytes of an array that may leave with others.
const SMALL: usize = 1 << 14;
/// From here on what is held leaves.
const HELD: usize = 1 << 16;
/// How long a peer that connected may take for its first bytes before it counts as one that has
/// nothing to say.
const FIRST_WORD: Duration = Duration::from_millis(500);
/// As long as nobody waits.
const FOREVER: Duration = Duration::from_secs(1 << 30);
/// How often those look who wait for others.
const POLL: Duration = Duration::from_millis(20);
/// How long a peer may take to read why a connection ends.
const LINGER: Duration = Duration::from_millis(500);
