//! Inflating a stream in pieces, of which some can be told to need nothing that precedes them.

use zlib_rs::{Inflate, InflateFlush, Status};

use super::symbols::WINDOW;

/// Inflates bare deflate, piece by piece, and tells where the stream could be cut.
pub struct PieceDecoder {
    inflate: Inflate,
    /// Whether it stands between two blocks of deflate.
    between: bool,
}

/// Where a [`PieceDecoder`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Why it stopped.
    pub stop: Stop,
    /// Bytes that are done with.
    pub taken: usize,
    /// Bytes that came out.
    pub given: usize,
}

/// Why a [`PieceDecoder`] stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The piece ends, between two blocks of deflate and at a whole byte: what follows can be
    /// inflated by another decoder, if it refers to nothing before it.
    Cut,
    /// The piece ends somewhere in the stream.
    Within,
    /// There is no more room.
    Full,
    /// The stream ends.
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

    /// Begins again, as [`PieceDecoder::new`] does.
    pub fn restart(&mut self) {
        self.inflate.reset(false);
        self.between = true;
    }

    /// Tells a decoder that began at a [`Stop::Cut`], knowing nothing, what came out of the stream
    /// up to where it is now.
    pub fn learn(&mut self, window: &[u8; WINDOW]) {
        let set = self.inflate.set_dictionary(window);
        debug_assert!(set.is_ok());
    }

    /// How far back a stream may refer.
    pub const WINDOW: usize = WINDOW;

    /// Goes on with the piece `bytes[..end]`, into `out`. What is behind the piece is to be looked
    /// at; there must be some for [`Stop::Cut`], and it may be taken where the piece ends elsewhere.
    ///
    /// # Errors
    /// What came out before the damage, or before a reference to what the decoder does not know.
    pub fn decode(&mut self, bytes: &[u8], end: usize, out: &mut [u8]) -> Result<Progress, Damage> {
        let (mut taken, mut given) = (0, 0);
        loop {
            let rest = bytes.get(taken..).unwrap_or(&[]);
            let room = &mut out[given..];
            if room.is_empty() {
                return Ok(Progress { stop: Stop::Full, taken, given });
            }
            let left = room.len();
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(rest, room, InflateFlush::Block);
            let step = (self.inflate.total_in() - before_in) as usize;
            let got = (self.inflate.total_out() - before_out) as usize;
            taken += step;
            given += got;
            if status.map_err(|_| Damage { given })? == Status::StreamEnd {
                return Ok(Progress { stop: Stop::End, taken, given });
            }
            if got == left {
                self.between = false;
            } else if taken == bytes.len() {
                self.between &= step == 0;
                return Ok(Progress { stop: Stop::Within, taken, given });
            } else {
                // With input and room left, nothing but the end of a block stops it. Of blocks
                // that nothing comes from, a fixed one takes 10 bits and a dynamic one 90 at
                // least; one of four or five bytes is stored, and ends with a whole byte.
                let stored = self.between && got == 0 && matches!(step, 4 | 5);
                if stored && taken == end {
                    // The last block stops it as any other does; one look further tells.
                    let further =
                        self.inflate.decompress(&[], &mut out[given..], InflateFlush::Block);
                    let stop = match further {
                        Ok(Status::StreamEnd) => Stop::End,
                        _ => Stop::Cut,
                    };
                    return Ok(Progress { stop, taken, given });
                }
                if self.between && step == 0 {
                    return Err(Damage { given });
                }
                self.between = true;
            }
        }
    }
}

/// A stream is damaged, or refers to what a decoder does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that came out before it.
    pub given: usize,
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

/// The lengths of a stored block that is empty.
const MARK: [u8; 4] = [0, 0, 0xff, 0xff];
