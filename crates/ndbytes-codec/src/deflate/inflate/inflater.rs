//! A stream from a source into memory of the size of all that comes out.

use std::io::{self, Read};

use ndbytes_format::{Code, FormatError};

use super::item::Item;
use super::stream::{BlockStart, Pause, Place, Stream};
use super::{error, fault};
use crate::decode::invalid;

/// Inflates what a source gives, without a window: what came out before is still there.
pub struct Inflater<R> {
    source: R,
    stream: Stream,
    /// The bytes from `start` on are still to be inflated.
    buffer: Vec<u8>,
    start: usize,
    /// Bytes of the source that are not in the buffer any more.
    before: u64,
}

/// Why [`Inflater::fill_until`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// There is no more room.
    Full,
    /// The stream has ended.
    Ended,
    /// A block is to begin, at which it was asked to stop.
    Block,
}

impl<R: Read> Inflater<R> {
    /// An inflater of a bare stream.
    pub fn new(source: R) -> Self {
        Self { source, stream: Stream::new(), buffer: Vec::new(), start: 0, before: 0 }
    }

    /// An inflater of a stream of which the source has what begins with the byte of this bit, at which a
    /// block begins. Offsets count from where the stream begins.
    ///
    /// # Errors
    /// As [`Inflater::fill`].
    pub fn entering(source: R, bit: u64) -> io::Result<Self> {
        let mut inflater = Self { before: bit / 8, ..Self::new(source) };
        if !bit.is_multiple_of(8) {
            inflater.refill()?;
            let mut place = Place::new(&inflater.buffer, &mut [], 0);
            let skipped = inflater.stream.skip((bit % 8) as u32, &mut place);
            inflater.start = place.at;
            skipped.map_err(|fault| inflater.wrong(error(fault, 0)))?;
        }
        Ok(inflater)
    }

    /// Inflates into `out` from `have` on, until it is full or the stream ends; says how much there
    /// is then. Before `have` must stand what came out before, the last 32 KiB of it at least.
    ///
    /// # Errors
    /// A [`FormatError`] in an [`io::Error`]: [`Code::CodecCorrupt`] for damage,
    /// [`Code::CodecTruncated`] where the source ends too early; what the source said.
    pub fn fill(&mut self, out: &mut [u8], have: usize) -> io::Result<usize> {
        self.run(out, have, None).map(|(have, _)| have)
    }

    /// As [`Inflater::fill`], and asks before each block whether to stop there.
    ///
    /// # Errors
    /// As [`Inflater::fill`].
    pub fn fill_until(
        &mut self,
        out: &mut [u8],
        have: usize,
        stops: &mut dyn FnMut(BlockStart) -> bool,
    ) -> io::Result<(usize, Halt)> {
        self.run(out, have, Some(stops))
    }

    pub(super) fn run<T: Item>(
        &mut self,
        out: &mut [T],
        mut have: usize,
        mut stops: Option<&mut dyn FnMut(BlockStart) -> bool>,
    ) -> io::Result<(usize, Halt)> {
        while have < out.len() {
            let base = 8 * (self.before + self.start as u64);
            let mut asked = stops.as_deref_mut().map(|stops| {
                move |start: BlockStart| {
                    stops(BlockStart { bit: base.wrapping_add(start.bit), ..start })
                }
            });
            let mut place = Place::new(&self.buffer[self.start..], out, have);
            place.stops = asked.as_mut().map(|asked| asked as &mut dyn FnMut(_) -> _);
            let pause = self.stream.run(&mut place);
            have = place.have;
            self.start += place.at;
            match pause.map_err(|fault| self.wrong(error(fault, 0)))? {
                Pause::Ended => return Ok((have, Halt::Ended)),
                Pause::Block => return Ok((have, Halt::Block)),
                Pause::Room => break,
                Pause::Input => self.refill()?,
            }
        }
        Ok((have, Halt::Full))
    }

    /// Whether the stream ends here, and the source with it; not if more comes out.
    ///
    /// # Errors
    /// As [`Inflater::fill`]; [`Code::CodecTrailing`] when bytes follow the stream.
    pub fn ends(&mut self) -> io::Result<bool> {
        loop {
            let mut place = Place::<u8>::new(&self.buffer[self.start..], &mut [], 0);
            let pause = self.stream.run(&mut place);
            self.start += place.at;
            match pause.map_err(|fault| self.wrong(error(fault, 0)))? {
                Pause::Room => return Ok(false),
                Pause::Input => self.refill()?,
                Pause::Ended | Pause::Block => break,
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
        self.before += self.start as u64;
        self.buffer.drain(..self.start);
        self.start = 0;
        let have = self.buffer.len();
        self.buffer.resize(have.max(BUFFER / 2) + BUFFER / 2, 0);
        let n = loop {
            match self.source.read(&mut self.buffer[have..]) {
                Ok(n) => break n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        self.buffer.truncate(have + n);
        Ok(n)
    }

    fn wrong(&self, error: FormatError) -> io::Error {
        invalid(error.at(self.before + self.start as u64))
    }
}

/// Much more than the header of a block, which must fit.
const BUFFER: usize = 1 << 17;
