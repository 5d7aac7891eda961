//! What arrives: small things are read ahead, large ones go straight where they belong.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndbytes::Result;

use super::coming::Heard;
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
    /// How long the source may say nothing.
    patience: Option<Duration>,
    /// Whether more may be taken from the source than was asked for.
    ahead: bool,
    /// What has come of a unit.
    pace: Option<Pace>,
    heard: Arc<Heard>,
}

/// How fast something comes.
#[derive(Default)]
struct Pace {
    bytes: u64,
    waited: Duration,
}

impl Default for Inbox {
    /// One that nothing comes into.
    fn default() -> Self {
        Self::over(Box::new(io::empty()), Box::default(), None, true)
    }
}

impl Inbox {
    /// Of a source that is silent for so long at most, and may be read `ahead`.
    pub(super) fn new(
        source: Box<dyn Read + Send>,
        patience: Option<Duration>,
        ahead: bool,
    ) -> Self {
        Self::over(source, vec![0; FIRST].into_boxed_slice(), patience, ahead)
    }

    fn over(
        source: Box<dyn Read + Send>,
        bytes: Box<[u8]>,
        patience: Option<Duration>,
        ahead: bool,
    ) -> Self {
        Self {
            source,
            bytes,
            start: 0,
            end: 0,
            taken: 0,
            patience,
            ahead,
            pace: None,
            heard: Arc::default(),
        }
    }

    /// When something came last.
    pub(super) fn heard(&self) -> &Arc<Heard> {
        &self.heard
    }

    /// From now on something comes that has begun: a byte now and then does not count as getting on.
    pub(super) fn begin(&mut self) {
        self.pace = Some(Pace::default());
    }

    /// From now on it may take any time until something more comes.
    pub(super) fn pause(&mut self) {
        self.pace = None;
    }

    /// Reads ahead, so many bytes at least if they come, or into the memory of who waits.
    fn pull(&mut self, buffer: Option<&mut [u8]>, least: usize) -> io::Result<usize> {
        let begin = self.pace.as_ref().map(|_| Instant::now());
        let n = match buffer {
            Some(buffer) => self.source.read(buffer)?,
            None => {
                let most = if self.ahead { self.bytes.len() } else { self.end + least };
                let n = self.source.read(&mut self.bytes[self.end..most])?;
                // There is more: a connection that is idle needs no such room.
                if self.end + n == self.bytes.len() && self.bytes.len() < READ_AHEAD {
                    let mut bytes = vec![0; READ_AHEAD].into_boxed_slice();
                    bytes[..self.end + n].copy_from_slice(&self.bytes[..self.end + n]);
                    self.bytes = bytes;
                }
                n
            }
        };
        self.heard.now();
        if let (Some(pace), Some(begin), Some(patience)) = (&mut self.pace, begin, self.patience) {
            pace.bytes += n as u64;
            pace.waited += begin.elapsed();
            let most = patience.saturating_add(Duration::from_secs(pace.bytes / SLOWEST));
            if n > 0 && pace.waited > most {
                let (bytes, seconds) = (pace.bytes, pace.waited.as_secs_f64());
                let message = format!("the peer sent {bytes} bytes in {seconds:.1} s, and not all");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
        }
        Ok(n)
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
            let n = self.pull(None, len - (self.end - self.start))?;
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
        // By itself, or as a part of what has begun already.
        let alone = self.pace.is_none();
        if alone {
            self.begin();
        }
        let body = Record::body_len(&front).and_then(|len| self.exactly(len));
        if alone {
            self.pause();
        }
        Record::parse(&body?).map(Some)
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
            if !self.ahead || buffer.len() >= self.bytes.len() {
                let n = self.pull(Some(buffer), 0)?;
                self.taken += n as u64;
                return Ok(n);
            }
            (self.start, self.end) = (0, 0);
            self.end = self.pull(None, 0)?;
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
/// Bytes that are read ahead at first.
const FIRST: usize = 1 << 12;
/// Bytes a second that something must come with on the whole, once it has begun.
const SLOWEST: u64 = 1024;
