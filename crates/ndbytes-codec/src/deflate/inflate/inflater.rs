//! A stream from a source into memory of the size of all that comes out.

use std::io::{self, Read};

use ndbytes_format::{Code, FormatError};

use super::stream::{Pause, Place, Stream};
use super::{error, fault};
use crate::decode::invalid;

/// Inflates what a source gives, without a window: what came out before is still there.
pub struct Inflater<F> {
    feed: F,
    stream: Stream,
    /// The bytes from `start` on are still to be inflated.
    buffer: Vec<u8>,
    start: usize,
    /// Where in the buffer its bytes of the stream begin, and how many came before those.
    first: usize,
    before: u64,
}

/// Gives a stream piece by piece, in memory that changes hands.
pub trait Feed {
    /// Takes memory of which the bytes from `start` on are still needed. Gives memory back with these
    /// and the next piece, which is empty at the end, and where in it they begin.
    ///
    /// # Errors
    /// What the source said.
    fn next(&mut self, bytes: Vec<u8>, start: usize) -> io::Result<(Vec<u8>, usize)>;
}

/// A reader, which is read when there is nothing left.
pub struct Reading<R>(R);

impl<R: Read> Feed for Reading<R> {
    fn next(&mut self, mut bytes: Vec<u8>, start: usize) -> io::Result<(Vec<u8>, usize)> {
        bytes.drain(..start);
        let have = bytes.len();
        bytes.resize(have.max(BUFFER / 2) + BUFFER / 2, 0);
        let n = loop {
            match self.0.read(&mut bytes[have..]) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        bytes.truncate(have + n);
        Ok((bytes, 0))
    }
}

impl<R: Read> Inflater<Reading<R>> {
    /// An inflater of a bare stream.
    pub fn new(source: R) -> Self {
        Self::fed(Reading(source))
    }
}

impl<F: Feed> Inflater<F> {
    /// An inflater of a bare stream that comes in pieces.
    pub fn fed(feed: F) -> Self {
        Self { feed, stream: Stream::new(), buffer: Vec::new(), start: 0, first: 0, before: 0 }
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
            let input = &self.buffer[self.start..];
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
            let input = &self.buffer[self.start..];
            let mut place = Place { input, at: 0, out: &mut [], have: 0 };
            let pause = self.stream.run(&mut place);
            self.start += place.at;
            match pause.map_err(|fault| self.wrong(error(fault, 0)))? {
                Pause::Room => return Ok(false),
                Pause::Input => self.refill()?,
                Pause::Ended => break,
            }
        }
        if self.start == self.buffer.len() && self.read()? == 0 {
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
        let have = self.buffer.len() - self.start;
        let (buffer, from) = (std::mem::take(&mut self.buffer), self.start);
        self.before += (self.start - self.first) as u64;
        (self.start, self.first) = (0, 0);
        let (bytes, start) = self.feed.next(buffer, from)?;
        (self.buffer, self.start, self.first) = (bytes, start, start);
        Ok(self.buffer.len() - start - have)
    }

    fn wrong(&self, error: FormatError) -> io::Error {
        let at = self.before + (self.start - self.first) as u64;
        invalid(error.at(at))
    }
}

/// Much more than the header of a block, which must fit.
const BUFFER: usize = 1 << 17;
