//! Inflating one block into memory of its size.

use flate2::{Decompress, FlushDecompress, Status};
use ndbytes_format::{Code, FormatError};

/// Inflates blocks, each alone.
pub struct BlockDecoder(Decompress);

impl BlockDecoder {
    /// A decoder; it may be used again and again.
    pub fn new() -> Self {
        Self(Decompress::new(false))
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
        self.0.reset(false);
        let mut status = Status::Ok;
        loop {
            let (taken, given) = (self.0.total_in() as usize, self.0.total_out() as usize);
            let (input, room) = (block.get(taken..), out.get_mut(given..));
            let (Some(input), Some(room)) = (input, room) else { break };
            if status == Status::StreamEnd {
                break;
            }
            status = self
                .0
                .decompress(input, room, FlushDecompress::Sync)
                .map_err(|_| self.error(Code::CodecCorrupt, "the block is damaged"))?;
            if self.0.total_in() as usize == taken && self.0.total_out() as usize == given {
                break;
            }
        }
        let ended = status == Status::StreamEnd;
        let (taken, given) = (self.0.total_in(), self.0.total_out());
        if taken < block.len() as u64 {
            let (code, what) = match ended {
                true => (Code::CodecTrailing, "bytes follow the end of the stream"),
                false => (Code::CodecCorrupt, "more bytes come out than the block has"),
            };
            return Err(self.error(code, what));
        }
        if given < out.len() as u64 || (last && !ended) {
            return Err(self.error(Code::CodecTruncated, "the block ends early"));
        }
        if ended && !last {
            return Err(self.error(Code::CodecCorrupt, "the stream ends inside of itself"));
        }
        Ok(())
    }

    fn error(&self, code: Code, what: &str) -> FormatError {
        FormatError::new(code, what.to_owned()).at(self.0.total_in())
    }
}

impl Default for BlockDecoder {
    fn default() -> Self {
        Self::new()
    }
}
