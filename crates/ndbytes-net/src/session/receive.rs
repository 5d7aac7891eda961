//! What comes, unit by unit.

use std::io::Read;
use std::sync::Arc;

use ndbytes::{Array, Code, Codec, Decoder, Error, Header, Message, Progress, Result, Strided};

use super::end::DENIED;
use super::file_in::IncomingFile;
use super::inbox::Inbox;
use super::inner::Inner;
use super::link::Link;
#[cfg(target_os = "linux")]
use super::memory::SharedFile;
use super::record::{PIECE_MAGIC, Record};
use super::slot::Taken;
use super::state::{Peer, State, Tag, denied};
use super::sum::Summed;
use super::wire::Ways;
use super::zstd_frame::{ZSTD_MAGIC, ZstdFrame};
use crate::tokens::Scope;

/// An array that comes: its header is here, its elements may not be yet. Dropping it before they
/// were read ends the session.
pub struct Incoming<'a> {
    link: &'a Arc<Inner>,
    header: Header,
    tag: Tag,
    rest: Option<Rest<'a>>,
}

enum Rest<'a> {
    /// Its elements are next.
    Coming { inbox: Taken<'a, Inbox>, message: Message, sum: Option<u32>, begin: u64 },
    /// It came while something else was waited for.
    Here(Array),
    /// It is in memory that is shared.
    #[cfg(target_os = "linux")]
    Shared(SharedFile),
}

/// What comes next.
pub enum Next<'a> {
    /// An array.
    Array(Box<Incoming<'a>>),
    /// A file.
    File(Box<IncomingFile<'a>>),
}

/// What a record was.
pub(super) enum Heard {
    /// Something that is done with.
    Said,
    /// The end of the peer's direction.
    End,
    /// A file is to come.
    File(String, u64),
    /// An array is in shared memory of so many bytes.
    Memory(u64),
}

/// What came of a unit.
enum Unit {
    /// The header of an array, the sum of its bytes, and where it began.
    Array(Message, Option<u32>, u64),
    /// A whole one, and how many bytes it took.
    Whole(Array, u64),
    /// A file is to come.
    File(String, u64),
    /// An array that is in shared memory.
    #[cfg(target_os = "linux")]
    Shared(SharedFile),
    /// Something was said.
    Said,
    /// Nothing more comes.
    End,
}

impl Link {
    /// Waits for the next array; none when the peer has ended its direction.
    ///
    /// # Errors
    /// [`Code::StreamCut`] when a session ends without its end, [`Code::StreamPeer`] when the peer says
    /// that something went wrong, and what is wrong with what comes. After any of these nothing goes
    /// on.
    pub fn receive(&self) -> Result<Option<Incoming<'_>>> {
        match self.next_unit()? {
            Some(Next::Array(incoming)) => Ok(Some(*incoming)),
            Some(Next::File(_)) => self.0.guard(Err(unexpected("a file"))),
            None => Ok(None),
        }
    }

    /// Waits for the next array, or, where they are stored
    /// ([`SessionOptions::files`](super::SessionOptions::files)), the next file; none when the peer has
    /// ended its direction.
    ///
    /// # Errors
    /// As [`Link::receive`].
    pub fn next_unit(&self) -> Result<Option<Next<'_>>> {
        if self.0.ways == Ways::Out {
            let message = "nothing comes back over this link: it has nothing to read from";
            return Err(Error::new(Code::Argument, message));
        }
        let mut inbox = self.0.inbox.take();
        {
            let mut state = self.0.state();
            if let Some((tag, array)) = state.waiting.pop_front() {
                state.kept -= array.bytes().len() + tag.len() + ENTRY;
                let (header, rest) = (array.header().clone(), Some(Rest::Here(array)));
                return Ok(Some(Next::Array(Box::new(Incoming {
                    link: &self.0,
                    header,
                    tag,
                    rest,
                }))));
            }
            if state.dropped {
                return Err(Error::new(Code::Argument, "the link was closed while arrays came"));
            }
            if state.ended {
                return Ok(None);
            }
            state.check()?;
        }
        let mut tag = Tag::default();
        loop {
            let unit =
                self.0.guard(self.0.unit(&mut inbox, &mut tag).map_err(|e| self.0.as_cut(e)))?;
            // What is said is checked by itself, and may be why it ends.
            if !matches!(unit, Unit::End | Unit::Said) {
                self.0.state().check()?;
            }
            let (header, rest) = match unit {
                Unit::End => {
                    self.0.send_pending();
                    return Ok(None);
                }
                Unit::Said => {
                    self.0.send_pending();
                    continue;
                }
                Unit::File(name, size) => {
                    self.0.send_pending();
                    let file = IncomingFile { link: &self.0, inbox, name, size };
                    return Ok(Some(Next::File(Box::new(file))));
                }
                Unit::Whole(array, bytes) => {
                    self.0.arrived(bytes, None)?;
                    (array.header().clone(), Rest::Here(array))
                }
                #[cfg(target_os = "linux")]
                Unit::Shared(memory) => {
                    self.0.arrived(0, None)?;
                    (memory.header().clone(), Rest::Shared(memory))
                }
                Unit::Array(message, sum, begin) => {
                    (message.array().clone(), Rest::Coming { inbox, message, sum, begin })
                }
            };
            let incoming = Incoming { link: &self.0, header, tag, rest: Some(rest) };
            return Ok(Some(Next::Array(Box::new(incoming))));
        }
    }
}

impl Incoming<'_> {
    /// Dtype, order and shape.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Takes the memory that it is in, where it is shared; there is then nothing to read.
    #[cfg(target_os = "linux")]
    pub fn take_shared(&mut self) -> Option<SharedFile> {
        match self.rest.take() {
            Some(Rest::Shared(memory)) => Some(memory),
            rest => {
                self.rest = rest;
                None
            }
        }
    }

    /// Whether it comes as a frame.
    pub fn is_frame(&self) -> bool {
        matches!(&self.rest, Some(Rest::Coming { message: Message::Frame(..), .. }))
    }

    /// Its name and metadata.
    pub fn tag(&self) -> &Tag {
        &self.tag
    }

    /// Reads the elements into strided memory.
    ///
    /// # Errors
    /// As [`Message::read_into`]; [`Code::StreamChecksum`].
    pub fn read_into(
        mut self,
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        match self.rest.take() {
            Some(Rest::Coming { mut inbox, message, sum, begin }) => {
                let read = self.link.fill(&mut inbox, &message, sum, out, layout, progress);
                let (sum, end) = self.link.guard(read.map_err(|error| self.link.as_cut(error)))?;
                // Before anybody else hears how many there should be.
                self.link.arrived(end - begin, sum)
            }
            Some(Rest::Here(array)) => {
                ndbytes::read_scattered(&mut array.bytes(), array.header(), out, layout)
            }
            #[cfg(target_os = "linux")]
            Some(Rest::Shared(memory)) => {
                ndbytes::read_scattered(&mut memory.elements(), memory.header(), out, layout)
            }
            None => Err(Error::new(Code::Argument, "its memory was taken")),
        }
    }

    /// Reads the elements piece by piece, as they are and in the order of the header: one of `.npy` of any
    /// size takes little memory. Whatever `write` says, the peer is told, and the session has ended.
    ///
    /// # Errors
    /// As [`Incoming::read_into`], and what `write` says.
    pub fn read_pieces(mut self, write: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if !matches!(&self.rest, Some(Rest::Coming { message: Message::Npy(..), .. })) {
            let link = self.link;
            let array = self.read(&Progress::default())?;
            return link.guard(write(array.bytes()));
        }
        let Some(Rest::Coming { mut inbox, sum, begin, .. }) = self.rest.take() else {
            return Err(Error::new(Code::Argument, "its memory was taken"));
        };
        let nbytes = self.header.nbytes();
        let read = self.link.elements(&mut inbox, sum, |source| {
            let mut piece = vec![0; PIECE.min(nbytes)];
            let mut done = 0;
            while done < nbytes {
                let piece = &mut piece[..PIECE.min(nbytes - done)];
                source.read_exact(piece).map_err(|error| match error.kind() {
                    std::io::ErrorKind::UnexpectedEof => cut("within an array"),
                    _ => error.into(),
                })?;
                write(piece)?;
                done += piece.len();
            }
            Ok(())
        });
        let (sum, end) = self.link.guard(read.map_err(|error| self.link.as_cut(error)))?;
        self.link.arrived(end - begin, sum)
    }

    /// Reads the elements into new memory.
    ///
    /// # Errors
    /// As [`Incoming::read_into`].
    pub fn read(mut self, progress: &Progress) -> Result<Array> {
        if let Some(Rest::Here(_)) = &self.rest
            && let Some(Rest::Here(array)) = self.rest.take()
        {
            return Ok(array);
        }
        let header = self.header.clone();
        let strides = header.strides();
        let mut array = Array::zeroed(header)?;
        let layout = Strided { origin: 0, strides: &strides };
        self.read_into(array.bytes_mut(), layout, progress)?;
        Ok(array)
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        if let Some(Rest::Coming { .. }) = self.rest.take() {
            self.link.end(Code::Argument, "an array that came was not read");
        }
    }
}

impl Inner {
    /// Reads what comes next.
    fn unit(self: &Arc<Self>, inbox: &mut Inbox, tag: &mut Tag) -> Result<Unit> {
        let first = inbox.peek(4)?;
        if first.is_empty() {
            return self.end_of_stream(tag).map(|()| Unit::End);
        }
        inbox.begin();
        let unit = self.begun(inbox, tag);
        if !matches!(unit, Ok(Unit::Array(..))) {
            inbox.pause();
        }
        unit
    }

    /// Reads what has begun to come.
    fn begun(self: &Arc<Self>, inbox: &mut Inbox, tag: &mut Tag) -> Result<Unit> {
        let first = inbox.peek(4)?;
        let zstd = first == ZSTD_MAGIC;
        if first == PIECE_MAGIC {
            return Err(unexpected("a piece of a file"));
        }
        if first.len() < 4 && (ZSTD_MAGIC.starts_with(first) || PIECE_MAGIC.starts_with(first)) {
            return Err(cut("within its first word"));
        }
        if let Some(record) = inbox.record()? {
            return Ok(match self.hear(record, tag)? {
                Heard::End => Unit::End,
                Heard::Said => Unit::Said,
                Heard::File(name, size) => Unit::File(name, size),
                Heard::Memory(size) => self.memory(size)?,
            });
        }
        self.meet_plain()?;
        let mut sums = false;
        {
            let state = self.state();
            state.allow(Scope::Write)?;
            if let Peer::Session { sums: wanted, .. } = state.peer {
                sums = wanted;
            }
        }
        let (begin, limits) = (inbox.taken(), &self.options.limits);
        if zstd {
            let mut decoder = Decoder::new(Codec::Zstd, ZstdFrame::new(&mut *inbox));
            let limits = &limits.with_bytes(limits.bytes.min(self.options.whole));
            let array = Message::read(&mut decoder, limits)?.read_array(&mut decoder)?;
            if decoder.read(&mut [0])? > 0 {
                let message = "more than an array in one Zstandard frame";
                return Err(Error::new(Code::DataTrailing, message));
            }
            return Ok(Unit::Whole(array, inbox.taken() - begin));
        }
        let mut source = Summed::new(&mut *inbox, sums);
        let message = Message::read(&mut source, limits)?;
        let sum = source.sum.filter(|_| matches!(message, Message::Npy(..)));
        Ok(Unit::Array(message, sum, begin))
    }

    /// The array in the memory whose descriptor came with its record.
    #[cfg(target_os = "linux")]
    fn memory(&self, size: u64) -> Result<Unit> {
        let file = self.descriptors.as_ref().and_then(|descriptors| descriptors.next());
        let Some(file) = file else { return Err(unexpected("`memory` without a descriptor")) };
        let memory = SharedFile::open(file.into(), &self.options.limits)?;
        match memory.size() == size {
            true => Ok(Unit::Shared(memory)),
            false => Err(unexpected("`memory` of another size than was said")),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn memory(&self, _size: u64) -> Result<Unit> {
        Err(unexpected("`memory`, which this system does not share,"))
    }

    /// Reads the elements of an array, and what must follow them: their sum, and where they ended.
    fn fill(
        &self,
        inbox: &mut Inbox,
        message: &Message,
        sum: Option<u32>,
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<(Option<u32>, u64)> {
        self.elements(inbox, sum, |source| message.read_into_with(source, out, layout, progress))
    }

    /// The same, by somebody who reads exactly the elements.
    fn elements(
        &self,
        inbox: &mut Inbox,
        sum: Option<u32>,
        read: impl FnOnce(&mut Summed<&mut Inbox>) -> Result<()>,
    ) -> Result<(Option<u32>, u64)> {
        let mut source = Summed::new(&mut *inbox, false);
        source.sum = sum;
        read(&mut source)?;
        let sum = source.sum;
        let end = inbox.taken();
        let Some(computed) = sum else {
            inbox.pause();
            return Ok((None, end));
        };
        let record = inbox.record()?;
        inbox.pause();
        match record {
            Some(Record::Sum(stored)) if stored == computed => Ok((sum, end)),
            Some(Record::Sum(stored)) => Err(Error::new(
                Code::StreamChecksum,
                format!(
                    "the array's checksum is {computed:08x}, {stored:08x} was sent: bytes have changed on the way"
                ),
            )),
            Some(other) => Err(unexpected(&format!("`{}` in the place of `sum`", other.kind()))),
            None if inbox.peek(1)?.is_empty() => Err(cut("before the checksum of an array")),
            None => Err(unexpected("something in the place of `sum`")),
        }
    }

    /// Whether the peer has yet to show a token.
    fn lacks_token(&self, state: &State) -> bool {
        self.accepted && self.options.tokens.is_some() && state.grant.is_none()
    }

    fn too_much(&self) -> Error {
        let most = self.options.limits.bytes;
        let message = format!(
            "arrays of more than {most} bytes came while acknowledgements were waited for: receive them before"
        );
        Error::new(Code::TooManyBytes, message)
    }

    /// A connection that is reset under a session was cut, as one that ends.
    pub(super) fn as_cut(&self, error: Error) -> Error {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionReset};
        let kind = error.io().map(std::io::Error::kind);
        if matches!(kind, Some(ConnectionAborted | ConnectionReset))
            && (self.ways == Ways::Either || self.state().is_session())
        {
            return cut(&format!("by a reset: {}", error.message()));
        }
        error
    }

    /// An array has come whole.
    fn arrived(self: &Arc<Self>, bytes: u64, sum: Option<u32>) -> Result<()> {
        {
            let mut state = self.state();
            // The peer may have been told that nothing more is taken.
            state.check()?;
            state.count(bytes, sum, self.options.ack);
        }
        self.send_pending();
        self.acknowledge_soon();
        Ok(())
    }

    /// What a record changes.
    pub(super) fn hear(&self, record: Record, tag: &mut Tag) -> Result<Heard> {
        let mut state = self.state();
        if self.lacks_token(&state) && !matches!(record, Record::Hello { .. }) {
            return Err(denied("the peer shows no token"));
        }
        if !tag.is_empty()
            && !matches!(record, Record::Error { .. } | Record::Ack(_) | Record::Memory(_))
        {
            return Err(unexpected(&format!("`{}` between an array and its name", record.kind())));
        }
        let needs_hello = matches!(
            record,
            Record::Array { .. } | Record::Sync(_) | Record::Ack(_) | Record::End { .. }
        );
        if needs_hello && !state.is_session() {
            let what = format!(
                "`{}`, before any `hello`: this may be the middle of a session,",
                record.kind()
            );
            return Err(unexpected(&what));
        }
        match record {
            Record::Hello { sums, files, token } => {
                if state.is_session() {
                    return Err(unexpected("a second `hello`"));
                }
                if let Some(tokens) = self.options.tokens.as_ref().filter(|_| self.accepted) {
                    let grant = token.as_deref().and_then(|token| tokens.grant(token));
                    let Some(grant) = grant else {
                        tracing::warn!(peer = self.peer, "a peer is denied");
                        return Err(denied(match token {
                            None => "the peer shows no token",
                            Some(_) => "the token is not known, or has expired",
                        }));
                    };
                    state.grant = Some(grant);
                }
                state.peer = Peer::Session { sums, files };
                if self.accepted {
                    self.hello().encode(&mut state.pending)?;
                }
                self.told.notify_all();
            }
            Record::Array { name, meta } => *tag = Tag { name, meta },
            Record::Memory(size) if state.is_session() => {
                state.allow(Scope::Write)?;
                return Ok(Heard::Memory(size));
            }
            Record::Sync(arrays) => state.want(arrays)?,
            Record::Ack(arrays) => {
                state.acked = state.acked.max(arrays);
                state.farewell = true;
                self.told.notify_all();
            }
            Record::End { arrays, bytes, sums } => {
                if !state.dropped && (bytes, sums) != (state.bytes, state.sums) {
                    let message = format!(
                        "the peer has sent {arrays} arrays of {bytes} bytes, sums {sums:08x}; {} of {} came, sums {:08x}",
                        state.received, state.bytes, state.sums
                    );
                    return Err(Error::new(Code::StreamChecksum, message));
                }
                state.want(arrays)?;
                state.ended = true;
                self.told.notify_all();
                return Ok(Heard::End);
            }
            Record::Error { code, message } => return Err(told(&self.peer, &code, &message)),
            Record::File { name, size } if self.options.files && state.is_session() => {
                state.allow(Scope::Write)?;
                return Ok(Heard::File(name, size));
            }
            Record::Other(_) => {}
            other => return Err(unexpected(&format!("`{}`", other.kind()))),
        }
        Ok(Heard::Said)
    }

    /// The stream has ended: whether it may.
    fn end_of_stream(&self, tag: &Tag) -> Result<()> {
        let mut state = self.state();
        // It is we who have ended it.
        state.check()?;
        if self.lacks_token(&state) {
            return Err(denied("the peer shows no token"));
        }
        if !tag.is_empty() {
            return Err(cut("between an array and its name"));
        }
        if state.ended {
            return Err(cut("before all was acknowledged that was sent"));
        }
        match state.peer {
            Peer::Session { .. } => {
                return Err(cut(&format!("after {} arrays, without its end", state.received)));
            }
            Peer::Unknown if !self.accepted && state.received == 0 => {
                return Err(cut("before it said anything"));
            }
            _ => state.ended = true,
        }
        Ok(())
    }

    /// Reads a unit while acknowledgements are waited for.
    pub(super) fn read_ack(self: &Arc<Self>, inbox: &mut Inbox, keep: bool) -> Result<()> {
        let mut tag = Tag::default();
        let most = usize::try_from(self.options.limits.bytes).unwrap_or(usize::MAX);
        loop {
            let (array, bytes, sum) = match self.unit(inbox, &mut tag)? {
                Unit::Said if tag.is_empty() => return Ok(()),
                Unit::Said => continue,
                Unit::End => return Ok(()),
                Unit::File(..) => return Err(unexpected("a file")),
                #[cfg(target_os = "linux")]
                Unit::Shared(memory) => {
                    let array = Incoming {
                        link: self,
                        header: memory.header().clone(),
                        tag: Tag::default(),
                        rest: Some(Rest::Shared(memory)),
                    };
                    (array.read(&Progress::default())?, 0, None)
                }
                Unit::Whole(array, bytes) => (array, bytes, None),
                Unit::Array(message, sum, begin) => {
                    let header = message.array().clone();
                    if self.state().kept + header.nbytes() > most {
                        return Err(self.too_much());
                    }
                    let strides = header.strides();
                    let mut array = Array::zeroed(header)?;
                    let layout = Strided { origin: 0, strides: &strides };
                    let progress = Progress::default();
                    let (sum, end) =
                        self.fill(inbox, &message, sum, array.bytes_mut(), layout, &progress)?;
                    (array, end - begin, sum)
                }
            };
            if keep {
                let size = array.bytes().len() + tag.len() + ENTRY;
                {
                    let mut state = self.state();
                    state.check()?;
                    if state.kept + size > most {
                        return Err(self.too_much());
                    }
                    state.kept += size;
                    state.count(bytes, sum, self.options.ack);
                    state.waiting.push_back((tag, array));
                }
                self.send_pending();
                self.acknowledge_soon();
            } else {
                self.state().dropped = true;
            }
            return Ok(());
        }
    }
}

/// The peer is gone.
pub(super) fn cut(when: &str) -> Error {
    Error::new(Code::StreamCut, format!("the stream was cut {when}"))
}

pub(super) fn unexpected(what: &str) -> Error {
    Error::new(Code::StreamRecord, format!("{what} came where it has no meaning"))
}

/// What the peer says.
fn told(peer: &str, code: &str, message: &str) -> Error {
    let message: String = message.chars().filter(|c| !c.is_control()).take(1000).collect();
    if code == DENIED {
        return denied(&format!("{peer} refuses: {message}"));
    }
    if code == Code::StreamClosing.as_str() {
        return Error::new(Code::StreamClosing, format!("{peer} ends the session: {message}"));
    }
    Error::new(Code::StreamPeer, format!("{peer} reports {}: {message}", code.escape_debug()))
}

/// What an array that is kept takes beside its elements and its tag.
const ENTRY: usize = 1024;
/// Bytes of an array that are passed on at once.
const PIECE: usize = 1 << 18;
