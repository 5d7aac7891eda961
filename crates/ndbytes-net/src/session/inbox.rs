//! What arrives: small things are read ahead, large ones go straight where they belong.

use std::io::{self, Read};

use ndbytes::Result;

use super::receive::cut;
use super::record::{FRONT_LEN, RECORD_MAGIC, Record};

/// A source that is read ahead.
pub(super) struct Inbox {
    source: Box<dyn Read + Send>,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that were taken out.
    taken: u64,
}

impl Default for Inbox {
    /// One that nothing comes into.
    fn default() -> Self {
        let (source, bytes) = (Box::new(io::empty()), Box::default());
        Self { source, bytes, start: 0, end: 0, taken: 0 }
    }
}

impl Inbox {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        let bytes = vec![0; READ_AHEAD].into_boxed_slice();
        Self { source, bytes, start: 0, end: 0, taken: 0 }
    }

    /// Bytes that were taken out.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether something lies here.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The next bytes, which stay here: fewer only where the stream ends.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.end - self.start < len {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.end - self.start);
            }
            let n = self.source.read(&mut self.bytes[self.end..])?;
            if n == 0 {
                break;
            }
            self.end += n;
        }
        Ok(&self.bytes[self.start..self.end.min(self.start + len)])
    }

    /// The record that comes next, if that is what comes.
    pub(super) fn record(&mut self) -> Result<Option<Record>> {
        let Some(front) = self.front(&RECORD_MAGIC)? else { return Ok(None) };
        let body = self.exactly(Record::body_len(&front)?)?;
        Record::parse(&body).map(Some)
    }

    /// Takes what a unit of this magic begins with, if that is what comes.
    pub(super) fn front(&mut self, magic: &[u8; 4]) -> Result<Option<[u8; FRONT_LEN]>> {
        let front = self.peek(FRONT_LEN)?;
        let same = front.len().min(magic.len());
        if front.is_empty() || front[..same] != magic[..same] {
            return Ok(None);
        }
        let Some(front) = front.first_chunk().copied() else { return Err(cut("within a record")) };
        self.exactly(FRONT_LEN)?;
        Ok(Some(front))
    }

    /// Takes so many bytes.
    pub(super) fn exactly(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read_exact(&mut bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut("within a record"),
            _ => error.into(),
        })?;
        Ok(bytes)
    }
}

impl Read for Inbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.start == self.end {
            if buffer.len() >= self.bytes.len() {
                let n = self.source.read(buffer)?;
                self.taken += n as u64;
                return Ok(n);
            }
            (self.start, self.end) = (0, 0);
            self.end = self.source.read(&mut self.bytes)?;
        }
        let n = buffer.len().min(self.end - self.start);
        buffer[..n].copy_from_slice(&self.bytes[self.start..self.start + n]);
        self.start += n;
        self.taken += n as u64;
        Ok(n)
    }
}

/// Bytes that are read ahead at most.
const READ_AHEAD: usize = 1 << 17;
