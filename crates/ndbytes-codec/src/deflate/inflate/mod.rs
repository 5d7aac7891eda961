//! Inflating into memory that takes all that comes out.

mod begin;
mod inflater;
mod item;
mod lanes;
mod stream;
mod stretch;
mod tables;

use ndbytes_format::{Code, FormatError};

pub use inflater::{Halt, Inflater};
pub use stream::BlockStart;
use stream::{Fault, Pause, Place, Stream};
pub use stretch::{Stretch, StretchDecoder};

/// Inflates blocks, each alone.
pub struct BlockDecoder([Stream; 2]);

impl BlockDecoder {
    /// A decoder; it may be used again and again.
    pub fn new() -> Self {
        Self([Stream::new(), Stream::new()])
    }

    /// Inflates what [`super::BlockEncoder`] made of one block into `out`, which it fills.
    ///
    /// `last` says that the stream must end with the block; otherwise it must not.
    ///
    /// # Errors
    /// [`Code::CodecCorrupt`] for damage, and for more or fewer bytes than `out` takes;
    /// [`Code::CodecTruncated`] when the block ends early, [`Code::CodecTrailing`] when bytes are
    /// left over. Offsets count compressed bytes of the block.
    pub fn decode(&mut self, block: &[u8], last: bool, out: &mut [u8]) -> Result<(), FormatError> {
        let stream = &mut self.0[0];
        stream.restart();
        let mut place = Place::new(block, out, 0);
        let pause = stream.run(&mut place).map_err(|fault| error(fault, place.at))?;
        check(stream, &place, pause, last)
    }

    /// As [`BlockDecoder::decode`], two blocks at the same time, of which the second may be the
    /// last one. That takes little longer than one of them.
    ///
    /// # Errors
    /// As [`BlockDecoder::decode`]; says of which block.
    pub fn decode_two(
        &mut self,
        blocks: [&[u8]; 2],
        last: bool,
        outs: [&mut [u8]; 2],
    ) -> Result<(), (usize, FormatError)> {
        let mut i = 0;
        let mut places = outs.map(|out| {
            i += 1;
            Place::new(blocks[i - 1], out, 0)
        });
        self.0.iter_mut().for_each(Stream::restart);
        let pauses = Stream::run_both(&mut self.0, &mut places)
            .map_err(|(i, fault)| (i, error(fault, places[i].at)))?;
        for i in 0..2 {
            check(&self.0[i], &places[i], pauses[i], last && i == 1).map_err(|error| (i, error))?;
        }
        Ok(())
    }
}

/// Whether a block ended where it should.
fn check(
    stream: &Stream,
    place: &Place<'_, u8>,
    pause: Pause,
    last: bool,
) -> Result<(), FormatError> {
    let wrong = |code, what| Err(fault(code, what, place.at));
    match pause {
        Pause::Room => wrong(Code::CodecCorrupt, "more bytes come out than the block has"),
        Pause::Ended if place.at < place.input.len() => {
            wrong(Code::CodecTrailing, "bytes follow the end of the stream")
        }
        Pause::Ended if !last => wrong(Code::CodecCorrupt, "the stream ends inside of itself"),
        Pause::Input if last || !stream.is_between(place) => {
            wrong(Code::CodecTruncated, "the block ends early")
        }
        _ if place.have < place.out.len() => wrong(Code::CodecTruncated, "the block ends early"),
        _ => Ok(()),
    }
}

fn error(fault_of: Fault, at: usize) -> FormatError {
    match fault_of {
        Fault::Damaged(what) => fault(Code::CodecCorrupt, what, at),
        Fault::EndsEarly => fault(Code::CodecTruncated, "the block ends early", at),
    }
}

fn fault(code: Code, what: &str, at: usize) -> FormatError {
    FormatError::new(code, what.to_owned()).at(at as u64)
}

impl Default for BlockDecoder {
    fn default() -> Self {
        Self::new()
    }
}
