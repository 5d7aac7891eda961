//! What both directions of a session know of one another.

use std::collections::VecDeque;

use ndbytes::{Array, Code, Error, Result};

use super::record::Record;
use crate::tokens::{Grant, Scope};

/// What is known of the peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Peer {
    /// It has said nothing yet.
    #[default]
    Unknown,
    /// It sends arrays and says nothing.
    Plain,
    /// It has said hello.
    Session {
        /// Whether its messages are followed by sums.
        sums: bool,
        /// Whether it stores files.
        files: bool,
    },
}

/// What belongs to an array beside its elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tag {
    /// Its name.
    pub name: Option<String>,
    /// A JSON object.
    pub meta: Option<String>,
}

impl Tag {
    /// A name and metadata, which are a JSON object.
    pub fn new(name: Option<String>, meta: Option<String>) -> Self {
        Self { name, meta }
    }

    /// Bytes that it takes.
    pub(super) fn len(&self) -> usize {
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        bytes(&self.name) + bytes(&self.meta)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.name.is_none() && self.meta.is_none()
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) peer: Peer,
    /// What the peer's token allows, where tokens are asked for.
    pub(super) grant: Option<Grant>,
    /// Arrays that have come whole.
    pub(super) received: u64,
    /// Bytes of their messages.
    pub(super) bytes: u64,
    /// The sum of their sums.
    pub(super) sums: u32,
    /// Arrays of these that may be acknowledged.
    pub(super) granted: u64,
    /// Arrays of these that were acknowledged.
    pub(super) said: u64,
    /// Whether somebody looks after what is not acknowledged yet.
    pub(super) looked_after: bool,
    /// How many the peer wants to know of.
    pub(super) wanted: Option<u64>,
    /// Whether an acknowledgement is to leave with what leaves.
    pub(super) due: bool,
    /// Arrays of ours that the peer has.
    pub(super) acked: u64,
    /// Whether something was acknowledged after we ended our direction.
    pub(super) farewell: bool,
    /// Whether arrays were passed over: nothing more is acknowledged.
    pub(super) dropped: bool,
    /// Records that are to leave.
    pub(super) pending: Vec<u8>,
    /// Whether the peer has ended its direction.
    pub(super) ended: bool,
    /// Why nothing goes on.
    pub(super) failed: Option<(Code, String)>,
    /// Arrays that came while something else was waited for.
    pub(super) waiting: VecDeque<(Tag, Array)>,
    /// Bytes of these.
    pub(super) kept: usize,
}

impl State {
    pub(super) fn is_session(&self) -> bool {
        matches!(self.peer, Peer::Session { .. })
    }

    /// Whether it goes on.
    pub(super) fn check(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some((code, message)) => {
                Err(Error::new(*code, format!("the session has ended before: {message}")))
            }
        }
    }

    /// Whether the peer may do this.
    pub(super) fn allow(&self, scope: Scope) -> Result<()> {
        match &self.grant {
            Some(grant) if !grant.allows(scope) => {
                let scope = match scope {
                    Scope::Read => "read",
                    Scope::Write => "write",
                };
                Err(denied(&format!("the token does not allow to {scope}")))
            }
            _ => Ok(()),
        }
    }

    /// An array has come whole.
    pub(super) fn count(&mut self, bytes: u64, sum: Option<u32>, grant: bool) {
        self.received += 1;
        self.bytes += bytes;
        if let Some(sum) = sum {
            self.sums = ndbytes_mem::crc32c_append(self.sums, &sum.to_le_bytes());
        }
        if grant {
            self.granted = self.received;
        }
        self.acknowledge();
    }

    /// Says what the peer wants to know, if it is so.
    pub(super) fn acknowledge(&mut self) {
        if self.wanted.is_some_and(|wanted| self.granted >= wanted) {
            self.wanted = None;
            self.due = true;
        }
    }

    /// Whether something is to leave by itself.
    pub(super) fn has_word(&self) -> bool {
        // To who knows no records, nothing is acknowledged, whatever it says.
        (self.due && self.is_session()) || !self.pending.is_empty()
    }

    /// What is to leave with what leaves.
    pub(super) fn take_pending(&mut self, held: &mut Vec<u8>) -> Result<()> {
        held.append(&mut self.pending);
        // One for all that have come, however long nothing could leave.
        if self.is_session() && (self.due || self.granted > self.said) {
            self.due = false;
            self.said = self.granted;
            Record::Ack(self.granted).encode(held)?;
        }
        Ok(())
    }

    /// The peer wants to know when so many have arrived; they have all been sent.
    pub(super) fn want(&mut self, arrays: u64) -> Result<()> {
        if self.dropped {
            return Ok(());
        }
        if arrays != self.received {
            let message = format!("the peer has sent {arrays} arrays, {} came", self.received);
            return Err(Error::new(Code::StreamCut, message));
        }
        self.wanted = Some(arrays);
        self.acknowledge();
        Ok(())
    }
}

/// Who may not do what they want.
pub(super) fn denied(what: &str) -> Error {
    std::io::Error::new(std::io::ErrorKind::PermissionDenied, what.to_owned()).into()
}
