//! Inflating a stream in pieces, of which some can be told to need nothing that precedes them.

use ndbytes_format::FormatError;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::symbols::WINDOW;
use crate::Codec;

/// Inflates bare deflate, piece by piece, and tells where the stream could be cut.
pub struct PieceDecoder {
    inflate: Inflate,
    /// Whether it stands between two blocks of deflate.
    between: bool,
}

/// Where a [`PieceDecoder`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// To the end of the piece, between two blocks of deflate and at a whole byte: what follows
    /// can be inflated by another decoder, if it refers to nothing before it.
    Cut,
    /// To the end of the piece, somewhere in the stream.
    Within,
    /// To the most bytes that may come out.
    Full,
    /// To the end of the stream.
    End,
}

impl PieceDecoder {
    /// A decoder at the start of a stream, or behind a [`Stop::Cut`].
    pub fn new() -> Self {
        Self { inflate: Inflate::new(false, 15), between: true }
    }

    /// A decoder behind a [`Stop::Cut`] that knows what came out before it:
    /// [`PieceDecoder::WINDOW`] bytes, or all that there are.
    pub fn after(window: &[u8]) -> Self {
        let mut decoder = Self::new();
        if !window.is_empty() {
            // Of a fresh decoder of bare deflate it cannot fail.
            let window = &window[window.len().saturating_sub(WINDOW)..];
            let set = decoder.inflate.set_dictionary(window);
            debug_assert!(set.is_ok());
        }
        decoder
    }

    /// Tells a decoder that began at a [`Stop::Cut`], knowing nothing, what came out of the stream
    /// up to where it is now.
    pub fn learn(&mut self, window: &[u8; WINDOW]) {
        let set = self.inflate.set_dictionary(window);
        debug_assert!(set.is_ok());
    }

    /// How far back a stream may refer.
    pub const WINDOW: usize = WINDOW;

    /// Goes on with the piece `bytes[..end]`; returns where it stopped and how many bytes are done
    /// with. What is behind the piece is to be looked at; there must be some for [`Stop::Cut`], and
    /// it may be taken where the piece ends elsewhere.
    ///
    /// What comes out is appended to `out`, which grows to `most` bytes.
    ///
    /// # Errors
    /// [`Code::CodecCorrupt`](ndbytes_format::Code::CodecCorrupt) for damage, and for a reference
    /// to what the decoder does not know.
    pub fn decode(
        &mut self,
        bytes: &[u8],
        end: usize,
        out: &mut Vec<u8>,
        most: usize,
    ) -> Result<(Stop, usize), FormatError> {
        let mut taken = 0;
        loop {
            let given = out.len();
            let rest = bytes.get(taken..).unwrap_or(&[]);
            let room =
                rest.len().saturating_mul(4).clamp(STEP.0, STEP.1).min(most.saturating_sub(given));
            if room == 0 {
                return Ok((Stop::Full, taken));
            }
            out.resize(given + room, 0);
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(rest, &mut out[given..], InflateFlush::Block);
            let step = (self.inflate.total_in() - before_in) as usize;
            let got = (self.inflate.total_out() - before_out) as usize;
            out.truncate(given + got);
            taken += step;
            if status.map_err(|_| Codec::Deflate.damaged())? == Status::StreamEnd {
                return Ok((Stop::End, taken));
            }
            if got == room {
                self.between = false;
            } else if taken == bytes.len() {
                self.between &= step == 0;
                return Ok((Stop::Within, taken));
            } else {
                // With input and room left, nothing but the end of a block stops it. Of blocks
                // that nothing comes from, a fixed one takes 10 bits and a dynamic one 90 at
                // least; one of four or five bytes is stored, and ends with a whole byte.
                let stored = self.between && got == 0 && matches!(step, 4 | 5);
                if stored && taken == end {
                    return Ok((Stop::Cut, taken));
                }
                if self.between && step == 0 {
                    return Err(Codec::Deflate.damaged());
                }
                self.between = true;
            }
        }
    }
}

impl Default for PieceDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Where the first empty stored block, as a flush leaves it, ends in `bytes`, at `from` or later.
pub fn find_cut(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(MARK.len());
    loop {
        let four = bytes.get(at..at + MARK.len())?;
        // The last of the four says how far the mark is at least.
        match four[3] {
            0xff if four == MARK => return Some(at + MARK.len()),
            0xff => at += 1,
            0 => at += 2,
            _ => at += 4,
        }
    }
}

/// The least and the most bytes that one call may bring.
const STEP: (usize, usize) = (4 << 10, 256 << 10);
/// The lengths of a stored block that is empty.
const MARK: [u8; 4] = [0, 0, 0xff, 0xff];
