//! How a session ends that cannot go on: the peer is told why, if it can be.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ndbytes::{Code, Error, Result};

use super::inner::Inner;
use super::record::Record;
use super::state::Peer;
use super::wire::Ways;

impl Inner {
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
        // What the system denies us is no refusal of ours.
        let is_ours = error.io().is_some_and(|io| io.raw_os_error().is_none());
        let is_denied = kind == Some(io::ErrorKind::PermissionDenied) && is_ours;
        let (first, listens) = self.fail(code, &message, is_denied);
        // What the connection said, the peer knows, or nobody can tell it.
        let tell = match kind {
            Some(
                io::ErrorKind::BrokenPipe
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::NotConnected
                | io::ErrorKind::UnexpectedEof,
            ) => false,
            Some(_) => true,
            None => !matches!(code, Code::StreamPeer | Code::StreamCut | Code::StreamClosing),
        };
        if first && listens && tell {
            let code = if is_denied { DENIED } else { code.as_str() }.to_owned();
            self.tell(Record::Error { code, message });
        }
        self.control.close();
        self.told.notify_all();
        Err(error)
    }

    /// Ends the session and tells the peer this, if it listens.
    pub(super) fn refuse(self: &Arc<Self>, code: &str, message: &str) {
        let (first, listens) = self.fail(Code::StreamPeer, message, false);
        if first && listens {
            self.tell(Record::Error { code: code.to_owned(), message: message.to_owned() });
        }
        self.control.close();
        self.told.notify_all();
    }

    /// Nothing goes on because of this: whether that is so for the first time, and whether the peer knows
    /// records.
    fn fail(&self, code: Code, message: &str, to_strangers: bool) -> (bool, bool) {
        let mut state = self.state();
        let first = state.failed.is_none();
        state.failed.get_or_insert_with(|| (code, message.to_owned()));
        let listens = match state.peer {
            Peer::Plain => false,
            Peer::Session { .. } => true,
            Peer::Unknown => !self.accepted || to_strangers,
        };
        (first, listens)
    }

    /// What the peer said before it closed the connection, which then cannot be written to: also what it
    /// has acknowledged.
    fn reason(self: &Arc<Self>, error: Error) -> Error {
        let is_gone = matches!(
            error.io().map(io::Error::kind),
            Some(
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
            )
        );
        // A proxy that has answered may take nothing more, and stay.
        let is_stuck = self.ways == Ways::Either
            && error.io().is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
            && self.control.wait_to_read(Duration::ZERO).unwrap_or(false);
        if !is_gone && !is_stuck {
            return error;
        }
        let Some(mut inbox) = self.inbox.try_take() else { return error };
        while !inbox.is_empty() || self.control.wait_to_read(LINGER).unwrap_or(false) {
            match self.read_ack(&mut inbox, true) {
                Ok(()) => {}
                Err(said)
                    if matches!(
                        said.code(),
                        Code::StreamPeer | Code::StreamClosing | Code::HttpStatus
                    ) =>
                {
                    return said;
                }
                Err(said) => match said.io().map(io::Error::kind) {
                    Some(io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound) => return said,
                    _ => break,
                },
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
                // system take back what was said. Who still reads lacks it then, and is told that
                // nothing goes on.
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

/// What a peer is told that may not do what it wants.
pub(super) const DENIED: &str = "stream.denied";
/// How long a peer may take to read why a connection ends.
pub(super) const LINGER: Duration = Duration::from_millis(500);
