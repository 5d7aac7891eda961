//! One session: arrays both ways, and what both sides say of them.

use std::io::{self, Write};
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};

use ndbytes::{ArrayView, Code, Error, FrameOptions, Header, Progress, Result};

use super::address::Address;
use super::inbox::Inbox;
use super::inner::{Inner, Place, lock};
#[cfg(target_os = "linux")]
use super::memory::SharedFile;
use super::options::SessionOptions;
use super::outbox::Outbox;
use super::patience::Patience;
use super::record::Record;
use super::slot::Slot;
use super::state::{Peer, Tag};
use super::sum::Summed;
use super::wire::{Ways, Wire};

/// One session over one connection.
///
/// One thread may send while another receives. Dropping it without [`close`](Link::close) is, to the
/// peer, a connection that was cut.
pub struct Link(pub(super) Arc<Inner>);

/// How one array is sent.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SendOptions {
    /// Send a frame, compressed and checked.
    pub frame: Option<FrameOptions>,
    /// Send a frame where that is faster: by what the connection has taken lately, and a sample of the
    /// array.
    pub adaptive: bool,
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

    /// The same, as a frame where that is faster.
    #[must_use]
    pub fn with_adaptive(mut self, adaptive: bool) -> Self {
        self.adaptive = adaptive;
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
        Self(Arc::new(Inner {
            inbox: Slot::new(Inbox::new(wire.read, options.timeout, options.read_ahead)),
            outbox: Mutex::new(Outbox::new(wire.write)),
            state: Mutex::default(),
            told: Condvar::new(),
            control: wire.control,
            #[cfg(target_os = "linux")]
            descriptors: wire.descriptors,
            patience: Patience::of(options),
            options: options.clone(),
            peer,
            accepted,
            sums: address.is_open(),
            ways: wire.ways,
            _place: place,
        }))
    }

    /// A session over any two directions of bytes, such as the pipes of another process: as who
    /// connects, or as who is connected to. How long they wait is theirs.
    ///
    /// # Errors
    /// [`Code::Io`] when the first word cannot be said.
    pub fn over(
        read: Box<dyn io::Read + Send>,
        write: Box<dyn Write + Send>,
        options: &SessionOptions,
        connects: bool,
    ) -> Result<Self> {
        Self::over_when(read, write, Box::new(|| true), options, connects)
    }

    /// As [`Link::over`]; `is_ready` says whether a short word would leave without a wait. What does not is
    /// said later, so that who reads goes on reading.
    ///
    /// # Errors
    /// As [`Link::over`].
    pub fn over_when(
        read: Box<dyn io::Read + Send>,
        write: Box<dyn Write + Send>,
        is_ready: Box<dyn Fn() -> bool + Send + Sync>,
        options: &SessionOptions,
        connects: bool,
    ) -> Result<Self> {
        Self::between(Wire::over(read, write, is_ready), options, connects)
    }

    /// A session over what somebody else opened: pipes, files or sockets, which stay theirs. With one of
    /// them it goes one way: what is sent is then not acknowledged, and what is received has an end all
    /// the same. Whoever can write says hello, so that it needs no agreement on who connects. Nothing is read
    /// that belongs to what follows.
    ///
    /// # Errors
    /// [`Code::Argument`] without any; [`Code::Io`].
    pub fn over_descriptors(
        read: Option<OwnedFd>,
        write: Option<OwnedFd>,
        options: &SessionOptions,
    ) -> Result<Self> {
        if read.is_none() && write.is_none() {
            let message = "a link needs something to read from or to write to";
            return Err(Error::new(Code::Argument, message));
        }
        let connects = write.is_some();
        let wire = Wire::pipe(read, write, Patience::of(options))?;
        // What follows is for others.
        Self::between(wire, &options.clone().with_read_ahead(false), connects)
    }

    fn between(wire: Wire, options: &SessionOptions, connects: bool) -> Result<Self> {
        // Nothing else protects what passes.
        let address = Address::Tcp(String::new());
        let link = Self::new(wire, &address, "a pipe".to_owned(), options, None, !connects);
        if connects {
            link.greet()?;
        }
        Ok(link)
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
        // Who asks for arrays alone says nothing.
        if self.0.ways == Ways::Either {
            outbox.greeting = hello;
            return Ok(());
        }
        self.0.guard(outbox.sink.write_all(&hello).map_err(Error::from))
    }

    /// Who is at the other end: an address as a URL has it, or a process.
    pub fn peer(&self) -> &str {
        &self.0.peer
    }

    /// Whether names and metadata may go with arrays; waits for the first word of a peer that connected.
    ///
    /// # Errors
    /// As [`Link::receive`].
    pub fn takes_names(&self) -> Result<bool> {
        self.0.meet()?;
        Ok(self.0.state().peer != Peer::Plain)
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
        let mut outbox = lock(&self.0.outbox);
        let talks = self.0.may_send(tag, &mut outbox)?;
        let outbox = &mut *outbox;
        let adapts = options.adaptive && options.frame.is_none() && talks;
        let chosen = if adapts { outbox.adapt.choose(array) } else { None };
        let frame = options.frame.as_ref().or(chosen.as_ref());
        let sums = talks && self.0.sums && frame.is_none();
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
        // Which way a link over HTTP goes, its first array says.
        let first = self.0.ways == Ways::Either && number == 1;
        if !options.more || !small || first || outbox.held.len() >= HELD {
            self.0.flush(outbox)?;
        }
        Ok(number)
    }

    /// Connects now where that would wait for the first array, and says that arrays will come: over HTTP.
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn begin(&self) -> Result<()> {
        self.0.control.may_send()?;
        let outbox = &mut *lock(&self.0.outbox);
        outbox.begun = true;
        outbox.held.append(&mut outbox.greeting);
        self.0.flush(outbox)
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
        let sums = self.0.may_send(tag, &mut outbox)? && self.0.sums;
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

    /// Hands shared memory over: the peer gets the array without a copy, in a time that does not depend
    /// on its size.
    ///
    /// # Errors
    /// [`Code::StreamPlain`] where nothing can be handed over: to peers on other machines, and to those
    /// that know arrays alone.
    #[cfg(target_os = "linux")]
    pub fn send_shared(&self, memory: &SharedFile, tag: &Tag) -> Result<u64> {
        self.0.meet()?;
        let mut outbox = lock(&self.0.outbox);
        let talks = self.0.may_send(tag, &mut outbox)?;
        let Some(descriptors) = self.0.descriptors.as_ref().filter(|_| talks) else {
            let message = "memory is shared over unix:// alone, with a peer that has sessions";
            return Err(Error::new(Code::StreamPlain, message));
        };
        outbox.tag(tag)?;
        self.0.flush(&mut outbox)?;
        let mut record = Vec::new();
        Record::Memory(memory.size()).encode(&mut record)?;
        let sent = descriptors.send(&record, memory.file().as_fd());
        self.0.guard(sent.map_err(Error::from))?;
        outbox.count(0, None)?;
        Ok(outbox.arrays)
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
            let deaf = match self.0.ways {
                Ways::Out => Some("nothing comes back over this link, and so no acknowledgement"),
                _ if self.0.state().peer == Peer::Plain => {
                    Some("the peer knows arrays alone, and acknowledges none")
                }
                _ => None,
            };
            if let Some(message) = deaf {
                return Err(Error::new(Code::StreamPlain, message));
            }
            if self.0.state().acked >= outbox.arrays {
                return Ok(());
            }
            // A `hello` that has not left yet comes first.
            self.0.state().take_pending(&mut outbox.held)?;
            Record::Sync(outbox.arrays).encode(&mut outbox.held)?;
            let asked = self.0.flush(&mut outbox);
            // Who has all and is gone need not be asked.
            if self.0.state().acked >= outbox.arrays {
                return Ok(());
            }
            asked?;
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
            state.acknowledge();
            state.due = state.is_session();
        }
        self.0.send_pending();
        Ok(())
    }

    /// Says that nothing more comes, waits until the peer has all that was sent, and ends the
    /// connection. Other calls then fail.
    ///
    /// # Errors
    /// As [`Link::sync`]. Of a peer that knows arrays alone no word is waited for; but over QUIC, whose
    /// close would throw it away, that all has arrived.
    pub fn close(&self) -> Result<()> {
        let closed = self.finish();
        if closed.is_ok() {
            // It may have ended by itself.
            let _ = self.0.control.shut_write();
            self.0.control.close_well();
        }
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
            if self.0.ways == Ways::In {
                return Ok(());
            }
            // Nobody was asked for anything.
            if self.0.ways == Ways::Either && outbox.arrays == 0 && !outbox.begun {
                return Ok(());
            }
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
            if self.0.ways == Ways::Out {
                return said;
            }
            let has_all = has_all || self.0.state().acked >= outbox.arrays;
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
        let answered = match self.0.control.finish() {
            Err(_) if talks && self.0.state().acked >= sent => return Ok(()),
            answered => self.0.guard(answered.map_err(Error::from))?,
        };
        // Whether it was allowed, also where nothing is acknowledged.
        if answered && (!talks || sent == 0) {
            let answer = self.0.inbox.take().peek(1).map(drop);
            self.0.guard(answer.map_err(Error::from))?;
        }
        if talks {
            return self.0.await_end(sent);
        }
        if answered {
            return Ok(());
        }
        let peer_ended = self.0.state().ended;
        let ended = self.0.control.shut_write().map_err(|error| match error.kind() {
            // The reset came before we got here.
            io::ErrorKind::NotConnected => io::ErrorKind::ConnectionReset.into(),
            _ => error,
        });
        if !peer_ended {
            ended?;
        }
        self.0.control.delivered()?;
        if !peer_ended {
            self.0.control.drain(self.0.options.linger)?;
        }
        Ok(())
    }

    /// Ends the session, and tells the peer why: by a code of `docs/spec/errors.md` or one of the
    /// caller's, and a text for people.
    pub fn refuse(&self, code: &str, message: &str) {
        self.0.refuse(code, message);
    }

    /// Ends the connection at once, to the peer as if it were cut. Whoever waits is woken.
    pub fn abort(&self) {
        self.0.end(Code::Argument, "it was closed");
    }
}

/// Bytes of an array that may leave with others.
const SMALL: usize = 1 << 14;
/// From here on what is held leaves.
const HELD: usize = 1 << 16;
