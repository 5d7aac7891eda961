//! Writing frames to wherever their bytes go: no output of its own.

use std::fmt;

use ndbytes_format::Code;
use ndbytes_format::frame::FrameHeader;

use crate::array::ArrayView;
use crate::error::{Error, Result};
use crate::frame::chunk::threads_for_items;
use crate::frame::family::{Plan, plan};
use crate::frame::piece::Piece;
use crate::frame::write::{Chunks, FrameOptions};
use crate::progress::Meter;

/// Makes a frame in pieces of a few chunks, each when it is asked for: it writes nothing itself, and
/// holds no more than a piece.
///
/// The pieces one after another are what [`write_frame`](crate::write_frame) writes.
///
/// ```
/// use ndbytes::{ArrayView, FrameEncoder, FrameOptions, Order, dump_frame};
///
/// let items: Vec<u8> = (0..100).collect();
/// let array = ArrayView::contiguous("|u1".parse()?, &[100], Order::C, &items)?;
/// let mut encoder = FrameEncoder::new(&array, &FrameOptions::default())?;
/// let (mut frame, mut piece) = (Vec::new(), Vec::new());
/// while encoder.encode(&array, &mut piece)? {
///     frame.append(&mut piece);
/// }
/// assert!(frame == dump_frame(&array, &FrameOptions::default())?);
/// # Ok::<(), ndbytes::Error>(())
/// ```
pub struct FrameEncoder {
    header: FrameHeader,
    chunks: Chunks,
    threads: Option<usize>,
    ended: bool,
}

impl FrameEncoder {
    /// An encoder of this array, which is looked at to choose what is done to all of its chunks.
    ///
    /// # Errors
    /// As [`write_frame`](crate::write_frame).
    pub fn new(array: &ArrayView<'_>, options: &FrameOptions) -> Result<Self> {
        let Plan { header, pipeline, .. } = plan(array, options)?;
        let chunks = Chunks::new(pipeline, Vec::new(), 0);
        Ok(Self { header, chunks, threads: options.threads, ended: false })
    }

    /// Appends the next piece to `out`, and says whether there was one.
    ///
    /// # Errors
    /// [`Code::Mismatch`] for another array than the one that was begun with; [`Code::Io`] without
    /// memory.
    pub fn encode(&mut self, array: &ArrayView<'_>, out: &mut Vec<u8>) -> Result<bool> {
        if array.header()? != *self.header.array() {
            return Err(Error::new(
                Code::Mismatch,
                "the array has changed since its frame was begun",
            ));
        }
        if self.ended {
            return Ok(false);
        }
        let mut put = |piece: Piece<'_>| {
            out.try_reserve(piece.len()).map_err(std::io::Error::from)?;
            piece.parts().iter().for_each(|part| out.extend_from_slice(part));
            Ok(())
        };
        let chunks = &mut self.chunks;
        if chunks.at == 0 {
            let head = Piece::header(self.header.encode()?);
            chunks.at = head.len() as u64;
            put(head)?;
        }
        let (made, count) = (chunks.places.len(), self.header.chunk_count());
        let threads = self
            .threads
            .unwrap_or_else(|| threads_for_items(&self.header, self.header.array().nbytes()));
        let few = (PIECE / self.header.chunk_nbytes().max(1)).max(threads).max(1);
        let end = made.saturating_add(few).min(count);
        let meter = Meter::unheard();
        chunks.encode(&self.header, array, Some(threads), end, &meter, &mut put)?;
        if end == count {
            put(chunks.index()?)?;
            self.ended = true;
        }
        Ok(true)
    }
}

impl fmt::Debug for FrameEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameEncoder").field("header", &self.header).finish_non_exhaustive()
    }
}

/// Bytes of items in a piece, at least, unless all are fewer.
const PIECE: usize = 1 << 20;
