//! A file is sent: from where the other side has it, by its contents.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndbytes::{Code, Error, Progress, Result, write_all_vectored};

use super::digest::Digest;
use super::inbox::Inbox;
use super::inner::{Inner, lock};
use super::link::Link;
use super::outbox::Outbox;
use super::receive::{Heard, cut, unexpected};
use super::record::{MAX_PIECE, Record, piece_ends};
use super::state::{Peer, Tag};
use super::wire::Ways;

/// What became of a file that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileSent {
    /// Its bytes.
    pub size: u64,
    /// From where on they were sent: what was there before was the same.
    pub begin: u64,
}

impl Link {
    /// Whether the peer stores files; waits for its first word.
    ///
    /// # Errors
    /// As [`Link::receive`].
    pub fn stores_files(&self) -> Result<bool> {
        if self.0.ways != Ways::Both {
            return Ok(false);
        }
        // One that connected may have nothing to say.
        self.0.meet()?;
        let mut inbox = self.0.inbox.take();
        loop {
            match self.0.state().peer {
                Peer::Session { files, .. } => return Ok(files),
                Peer::Plain => return Ok(false),
                Peer::Unknown => {}
            }
            self.0.guard(self.0.word(&mut inbox))?;
        }
    }

    /// Sends a file, which the peer stores under this name: whole, or not at all. What it has of it
    /// from an attempt before is compared by its SHA-256, and not sent again.
    ///
    /// Returns when it is stored, and synchronized with the disk. No other thread may receive meanwhile.
    ///
    /// # Errors
    /// [`Code::StreamPlain`] for a peer that does not store files, [`Code::StreamPeer`] when it refuses
    /// this one, [`Code::Io`].
    pub fn send_file(&self, path: &Path, name: &str, progress: &Progress) -> Result<FileSent> {
        if !self.stores_files()? {
            let message = "the peer does not store files";
            return Err(Error::new(Code::StreamPlain, message));
        }
        let about = |error: std::io::Error| Error::from(error).with_path(path);
        let mut file = File::open(path).map_err(about)?;
        let size = file.metadata().map_err(about)?.len();
        let mut outbox = lock(&self.0.outbox);
        let mut inbox = self.0.inbox.take();
        let sent = self.0.send_file(&mut outbox, &mut inbox, &mut file, name, size, progress);
        self.0.guard(sent.map_err(|error| match error.code() {
            Code::DataTruncated => error.with_path(path),
            _ => self.0.as_cut(error),
        }))
    }
}

impl Inner {
    fn send_file(
        self: &Arc<Self>,
        outbox: &mut Outbox,
        inbox: &mut Inbox,
        file: &mut File,
        name: &str,
        size: u64,
        progress: &Progress,
    ) -> Result<FileSent> {
        self.say(outbox, &Record::File { name: name.to_owned(), size })?;
        let (have, theirs) = match self.answer(inbox, size)? {
            Record::Have { size: have, sha256 } if have <= size => (have, sha256),
            other => return Err(unexpected(&format!("`{}`", other.kind()))),
        };
        let busy = &mut || self.say(outbox, &Record::Other("busy".to_owned()));
        let (ours, _) = Digest::of(file, have, busy)?;
        let (mut digest, begin) = match ours.value() == theirs {
            true => (ours, have),
            false => (Digest::new(), 0),
        };
        file.seek(std::io::SeekFrom::Start(begin))?;
        self.say(outbox, &Record::From(begin))?;
        let (mut at, mut buffer) = (begin, vec![0; MAX_PIECE]);
        progress.tell(at, size)?;
        while at < size {
            let most = (size - at).min(MAX_PIECE as u64) as usize;
            let n = file.read(&mut buffer[..most])?;
            if n == 0 {
                let message =
                    format!("the file has become shorter: it had {size} bytes, and has {at}");
                return Err(Error::new(Code::DataTruncated, message).at(at));
            }
            let piece = &buffer[..n];
            digest.update(piece);
            let (front, sum) = piece_ends(at, piece);
            write_all_vectored(&mut *outbox.sink, &[&front, piece, &sum])?;
            at += n as u64;
            progress.tell(at, size)?;
        }
        self.say(outbox, &Record::Done(digest.value()))?;
        match self.answer(inbox, size)? {
            Record::Stored => Ok(FileSent { size, begin }),
            other => Err(unexpected(&format!("`{}`", other.kind()))),
        }
    }

    /// Says something at once.
    pub(super) fn say(self: &Arc<Self>, outbox: &mut Outbox, record: &Record) -> Result<()> {
        // A `hello` that has not left yet comes first.
        self.state().take_pending(&mut outbox.held)?;
        record.encode(&mut outbox.held)?;
        self.flush(outbox)
    }

    /// Waits for a record that says something of a file of so many bytes. A peer may be busy with it, but not
    /// for ever.
    pub(super) fn answer(&self, inbox: &mut Inbox, size: u64) -> Result<Record> {
        // It may wait for another session first, as long as it has patience.
        let most = self.patience.timeout.map(|timeout| {
            timeout.saturating_mul(2).saturating_add(Duration::from_secs(size / HASHED))
        });
        let begin = Instant::now();
        loop {
            if let Some(record) = self.note(inbox)? {
                return Ok(record);
            }
            if most.is_some_and(|most| begin.elapsed() > most) {
                let seconds = begin.elapsed().as_secs_f64();
                let message = format!("the peer says for {seconds:.1} s that it is busy");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message).into());
            }
        }
    }

    /// Reads a record: one that says something of a file, or none where it was about something else.
    pub(super) fn note(&self, inbox: &mut Inbox) -> Result<Option<Record>> {
        match inbox.record()? {
            Some(
                record @ (Record::Have { .. } | Record::From(_) | Record::Done(_) | Record::Stored),
            ) => Ok(Some(record)),
            Some(record) => match self.hear(record, &mut Tag::default())? {
                Heard::Said => Ok(None),
                Heard::End | Heard::File(..) | Heard::Memory(_) => {
                    Err(cut("while a file was sent"))
                }
            },
            None if inbox.peek(1)?.is_empty() => Err(cut("while a file was sent")),
            None => Err(unexpected("an array within a file")),
        }
    }

    /// Waits for the peer to say something.
    fn word(&self, inbox: &mut Inbox) -> Result<()> {
        match inbox.record()? {
            Some(record) => match self.hear(record, &mut Tag::default())? {
                Heard::Said => Ok(()),
                Heard::End | Heard::File(..) | Heard::Memory(_) => {
                    Err(unexpected("something before `hello`"))
                }
            },
            None if inbox.peek(1)?.is_empty() => Err(cut("before it said anything")),
            None => {
                self.meet_plain()?;
                let mut state = self.state();
                if state.peer == Peer::Unknown {
                    state.peer = Peer::Plain;
                }
                Ok(())
            }
        }
    }
}

/// Bytes a second that a peer computes a digest of, at least.
const HASHED: u64 = 1 << 20;
