//! A source that is read ahead of what is used of it.

use std::io::{self, Read};

/// Bytes of a source that were read and not yet used.
pub(super) struct Ahead<R> {
    source: R,
    /// What was read and not used stands from `start` to `end`.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// How many bytes were used.
    at: u64,
    ended: bool,
    /// What the source said while there was still something to do.
    error: Option<io::Error>,
}

/// What is left of a source: bytes that were read ahead, and the rest.
pub(super) struct Rest<R> {
    bytes: Vec<u8>,
    start: usize,
    error: Option<io::Error>,
    source: R,
}

impl<R: Read> Ahead<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, buffer: Vec::new(), start: 0, end: 0, at: 0, ended: false, error: None }
    }

    /// What was read and not yet used.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many bytes were used.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether nothing more can be read.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Uses this many bytes.
    pub(super) fn consume(&mut self, n: usize) {
        self.start += n;
        self.at += n as u64;
    }

    /// Reads until there are this many bytes, or all.
    pub(super) fn fill(&mut self, least: usize) -> io::Result<()> {
        while self.bytes().len() < least && !self.ended {
            self.read_on(true)?;
        }
        Ok(())
    }

    /// Reads some more. Unless it is `needed`, an error is kept until it is; false says so.
    pub(super) fn read_on(&mut self, needed: bool) -> io::Result<bool> {
        if self.error.is_some() && !needed {
            return Ok(false);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.start > self.end / 2 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        // Memory is kept, so that it is zeroed once.
        let more = (self.end - self.start).clamp(LEAST, MOST);
        if self.buffer.len() < self.end + more {
            self.buffer.try_reserve(self.end + more - self.buffer.len())?;
            self.buffer.resize(self.end + more, 0);
        }
        let room = &mut self.buffer[self.end..];
        let result = loop {
            match self.source.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        let n = result.as_ref().map_or(0, |&n| n.min(room.len()));
        self.end += n;
        match result {
            Ok(_) => {
                self.ended = n == 0;
                Ok(true)
            }
            Err(error) if !needed => {
                self.error = Some(error);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// All that was not used.
    pub(super) fn into_rest(mut self) -> Rest<R> {
        self.buffer.truncate(self.end);
        Rest { bytes: self.buffer, start: self.start, error: self.error, source: self.source }
    }
}

impl<R> Rest<R> {
    /// All of a source.
    pub(super) fn all(source: R) -> Self {
        Self { bytes: Vec::new(), start: 0, error: None, source }
    }
}

impl<R: Read> Read for Rest<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.start..];
        if !rest.is_empty() {
            let n = rest.len().min(out.len());
            out[..n].copy_from_slice(&rest[..n]);
            self.start += n;
            return Ok(n);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.source.read(out),
        }
    }
}

/// Bytes that are read at once: as many as there are, at least and at most.
const LEAST: usize = 8 << 10;
const MOST: usize = 256 << 10;
