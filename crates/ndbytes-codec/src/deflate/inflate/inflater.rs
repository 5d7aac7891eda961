//! A stream from a source into memory of the size of all that comes out.

use std::io::{self, Read};

use ndbytes_format::{Code, FormatError};

use super::stream::{Pause, Place, Stream};
use super::{error, fault};
use crate::decode::invalid;

/// Inflates what it reads from a source, without a window: what came out before is still there.
pub struct Inflater<R> {
    source: R,
    stream: Stream,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes of the source before the buffer.
    before: u64,
}

impl<R: Read> Inflater<R> {
    /// An inflater of a bare stream.
    pub fn new(source: R) -> Self {
        Self {
            source,
            stream: Stream::new(),
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
            before: 0,
        }
    }

    /// Inflates into `out` from `have` on, until it is full or the stream ends; says how much there
    /// is then. Before `have` must stand what came out before, the last 32 KiB of it at least.
    ///
    /// # Errors
    /// A [`FormatError`] in an [`io::Error`]: [`Code::CodecCorrupt`] for damage,
    /// [`Code::CodecTruncated`] where the source ends too early; what the source said.
    pub fn fill(&mut self, out: &mut [u8], have: usize) -> io::Result<usize> {
        let mut have = have;
        while have < out.len() {
            let input = &self.buffer[self.start..self.end];
            let mut place = Place { input, at: 0, out, have };
            let pause = self.stream.run(&mut place);
            let at = place.at;
            have = place.have;
            self.start += at;
            match pause.map_err(|fault| self.wrong(error(fault, 0)))? {
                Pause::Ended | Pause::Room => break,
                Pause::Input => self.refill()?,
            }
        }
        Ok(have)
    }

    /// Whether the stream ends here, and the source with it; not if more comes out.
    ///
    /// # Errors
    /// As [`Inflater::fill`]; [`Code::CodecTrailing`] when bytes follow the stream.
    pub fn ends(&mut self) -> io::Result<bool> {
        loop {
            let input = &self.buffer[self.start..self.end];
            let mut place = Place { input, at: 0, out: &mut [], have: 0 };
            let pause = self.stream.run(&mut place);
            self.start += place.at;
            match pause.map_err(|fault| self.wrong(error(fault, 0)))? {
                Pause::Room => return Ok(false),
                Pause::Input => self.refill()?,
                Pause::Ended => break,
            }
        }
        if self.start == self.end && self.read()? == 0 {
            return Ok(true);
        }
        let what = "bytes follow the end of the deflate stream";
        Err(self.wrong(fault(Code::CodecTrailing, what, 0)))
    }

    /// More of the source behind what the stream has left, which is little.
    fn refill(&mut self) -> io::Result<()> {
        if self.read()? == 0 {
            let what = "the deflate stream ends early";
            return Err(self.wrong(fault(Code::CodecTruncated, what, 0)));
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.before += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(n) => {
                    let n = n.min(self.buffer.len() - self.end);
                    self.end += n;
                    return Ok(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn wrong(&self, error: FormatError) -> io::Error {
        let at = self.before + self.start as u64;
        invalid(error.at(at))
    }
}

/// Much more than the header of a block, which must fit.
const BUFFER: usize = 1 << 17;
