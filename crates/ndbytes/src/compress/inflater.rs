//! Inflating several pieces of a stream at a time.
//!
//! An empty stored block, as a flush leaves it, shows as four bytes. What stands between two of
//! them is given to the crew as if it referred to nothing before it. Whether it does is seen in
//! order: what comes of a piece counts where the one before it ended between two blocks and at a
//! whole byte, as its decoder can tell, and where it missed nothing. A single decoder would then
//! have given the same. Elsewhere, a decoder goes on that knows what came before.

use std::collections::VecDeque;
use std::io::{self, Read};

use ndbytes_codec::deflate::{PieceDecoder, Progress, Stop, find_cut};
use ndbytes_codec::{Check, Codec, Decoder, header_len, invalid};

use crate::compress::ahead::{Ahead, Rest};
use crate::crew::{Crew, Worker};

/// Inflates a stream of deflate in any wrapper.
pub(super) struct Inflater<R> {
    codec: Codec,
    input: Ahead<R>,
    place: Place,
    crew: Crew<Piece, Piece>,
    /// Where the pieces end that the crew has, in order.
    ends: VecDeque<u64>,
    /// Up to where no more ends can be seen.
    searched: u64,
    /// Pieces that were of use, and that were not.
    hits: u32,
    misses: u32,
    /// The last bytes that came out of this member.
    window: Vec<u8>,
    check: Check,
    /// Memory of pieces that are done with.
    spare: Vec<Piece>,
}

/// Where in the stream it is.
enum Place {
    Header,
    /// In the blocks, where pieces begin.
    Cut,
    /// In the blocks, elsewhere; on the way to the end of a piece, where that is known.
    Within {
        decoder: Box<PieceDecoder>,
        end: Option<u64>,
    },
    /// Before blocks that are damaged.
    Damage,
    Trailer,
    /// Behind a member of gzip; another may follow.
    Between,
    End,
}

/// A piece on its way through the crew.
struct Piece {
    codec: Codec,
    /// The piece up to `end`, and the byte behind it if there is one.
    bytes: Vec<u8>,
    end: usize,
    decoder: Box<PieceDecoder>,
    /// What came out, from the start on.
    out: Vec<u8>,
    /// How it went; none for damage, and where something was missing.
    progress: Option<Progress>,
    check: Check,
}

impl<R: Read> Inflater<R> {
    pub(super) fn new(codec: Codec, source: R, threads: usize) -> Self {
        Self {
            codec,
            input: Ahead::new(source),
            place: Place::Header,
            crew: Crew::new(threads, || -> Worker<Piece, Piece> { Box::new(inflate) }),
            ends: VecDeque::new(),
            searched: 0,
            hits: 0,
            misses: 0,
            window: Vec::new(),
            check: Check::of(codec, &[]),
            spare: Vec::new(),
        }
    }

    /// Puts what comes next into `out`; returns how many bytes, none at the end. No number says
    /// that a header stands here that [`Inflater::into_decoder`] is for.
    pub(super) fn advance(&mut self, out: &mut Vec<u8>) -> io::Result<Option<usize>> {
        loop {
            let given = match &self.place {
                Place::Header => {
                    let Some(len) = self.header()? else { return Ok(None) };
                    self.input.consume(len);
                    self.window.clear();
                    self.check = Check::of(self.codec, &[]);
                    self.place = Place::Cut;
                    0
                }
                Place::Cut => self.at_cut(out)?,
                Place::Within { .. } => self.within(out)?,
                Place::Damage => return Err(self.damaged()),
                Place::Trailer => {
                    self.trailer()?;
                    0
                }
                Place::Between => {
                    self.input.fill(1)?;
                    let next = self.input.bytes().first();
                    self.place = match next.is_some_and(|&byte| self.codec.may_follow(byte)) {
                        true => Place::Header,
                        false => Place::End,
                    };
                    0
                }
                Place::End => return Ok(Some(0)),
            };
            if given > 0 {
                return Ok(Some(given));
            }
        }
    }

    /// A decoder of all that is left, from the header on that stands here.
    pub(super) fn into_decoder(self) -> Decoder<Rest<R>> {
        let at = self.input.at();
        Decoder::at(self.codec, self.input.into_rest(), at)
    }

    /// How many bytes of the source are done with.
    pub(super) fn consumed(&self) -> u64 {
        self.input.at()
    }

    /// As [`Decoder::expect_end`].
    pub(super) fn expect_end(&mut self) -> io::Result<()> {
        let at = self.input.at();
        loop {
            self.input.fill(1)?;
            let rest = self.input.bytes();
            if rest.is_empty() {
                return Ok(());
            }
            if self.codec != Codec::Gzip || rest.iter().any(|&byte| byte != 0) {
                return Err(invalid(self.codec.trailing().at(at)));
            }
            let len = rest.len();
            self.input.consume(len);
        }
    }

    /// How long the header is; none where it is not of the common form.
    fn header(&mut self) -> io::Result<Option<usize>> {
        for least in [HEADER, NAMES] {
            self.input.fill(least)?;
            let len = header_len(self.codec, self.input.bytes());
            if len.is_some() || self.codec != Codec::Gzip {
                return Ok(len);
            }
        }
        Ok(None)
    }

    fn trailer(&mut self) -> io::Result<()> {
        let trailer = self.check.trailer();
        self.input.fill(trailer.len())?;
        let bytes = self.input.bytes();
        let bytes = &bytes[..bytes.len().min(trailer.len())];
        // A checksum that is whole and another one is no cut, wherever the stream ends.
        if bytes.chunks(4).zip(trailer.chunks(4)).any(|(got, want)| got.len() == 4 && got != want) {
            return Err(self.damaged());
        }
        if bytes.len() < trailer.len() {
            let at = self.input.at() + bytes.len() as u64;
            return Err(invalid(self.codec.truncated().at(at)));
        }
        self.input.consume(trailer.len());
        let repeats = self.codec == Codec::Gzip;
        self.place = if repeats { Place::Between } else { Place::End };
        Ok(())
    }

    /// Goes on by what the crew made of the piece that begins here.
    fn at_cut(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        self.give_pieces()?;
        let end = self.ends.pop_front();
        let piece = if end.is_some() { self.crew.take().transpose()? } else { None };
        let knows_all = self.window.is_empty();
        let progress = piece.as_ref().and_then(|piece| piece.progress).filter(|progress| {
            // One that cannot be told all that came before cannot go on, either.
            matches!(progress.stop, Stop::Cut | Stop::End)
                || knows_all
                || self.window.len() + progress.given >= PieceDecoder::WINDOW
        });
        let (Some(mut piece), Some(progress)) = (piece, progress) else {
            self.misses = self.misses.saturating_add(end.is_some().into());
            let decoder = Box::new(PieceDecoder::after(&self.window));
            self.place = Place::Within { decoder, end };
            return Ok(0);
        };
        match progress.stop {
            Stop::Cut => self.hits = self.hits.saturating_add(1),
            // Many small members would each be taken for the whole of what is left.
            Stop::End => self.misses = self.misses.saturating_add(1),
            Stop::Within | Stop::Full => {}
        }
        std::mem::swap(out, &mut piece.out);
        self.check.join(&piece.check);
        self.remember(&out[..progress.given]);
        let goes_on = matches!(progress.stop, Stop::Within | Stop::Full);
        let decoder = goes_on.then(|| {
            let mut decoder = std::mem::take(&mut piece.decoder);
            if let (false, Ok(window)) = (knows_all, self.window.as_slice().try_into()) {
                decoder.learn(window);
            }
            decoder
        });
        self.spare.push(piece);
        self.stopped(progress, decoder, end);
        Ok(progress.given)
    }

    /// Goes on alone, up to the next end of a piece or as far as there are bytes.
    fn within(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        if self.input.bytes().is_empty() {
            self.input.fill(1)?;
        }
        let Place::Within { mut decoder, mut end } =
            std::mem::replace(&mut self.place, Place::Damage)
        else {
            return Ok(0);
        };
        let (at, bytes) = (self.input.at(), self.input.bytes());
        // A piece that did not end with a cut is left behind, and what the crew made of the next.
        while end.is_some_and(|end| end <= at) {
            end = self.ends.pop_front();
            if end.is_some() {
                self.misses = self.misses.saturating_add(1);
                self.spare.extend(self.crew.take().transpose()?);
            }
        }
        if end.is_none() && self.misses <= self.hits / 4 + TOLERATED {
            end = find_end(bytes, at, at, &mut self.searched);
        }
        let len = end.map_or(usize::MAX, |end| (end - at) as usize);
        let bytes = &bytes[..bytes.len().min(len.saturating_add(1))];
        let room = bytes.len().saturating_mul(4).clamp(CHUNK.0, CHUNK.1).max(out.len());
        out.resize(room, 0);
        let room = room.min(CHUNK.1);
        let result = decoder.decode(bytes, len, &mut out[..room]);
        let given = result.map_or_else(|damage| damage.given, |progress| progress.given);
        if given == 0 && bytes.is_empty() && result.is_ok_and(|p| p.stop == Stop::Within) {
            // More may come yet, after an error of the source.
            self.place = Place::Within { decoder, end };
            return Err(invalid(self.codec.truncated().at(at)));
        }
        self.check.join(&Check::of(self.codec, &out[..given]));
        if let Ok(progress) = result {
            self.remember(&out[..given]);
            self.stopped(progress, Some(decoder), end);
        }
        Ok(given)
    }

    /// Takes note of what came out.
    fn remember(&mut self, out: &[u8]) {
        let kept = PieceDecoder::WINDOW.saturating_sub(out.len()).min(self.window.len());
        self.window.drain(..self.window.len() - kept);
        self.window.extend_from_slice(&out[out.len().saturating_sub(PieceDecoder::WINDOW)..]);
    }

    /// Takes note of where a decoder stopped, on the way to `end`; it is needed where it goes on.
    fn stopped(
        &mut self,
        progress: Progress,
        decoder: Option<Box<PieceDecoder>>,
        end: Option<u64>,
    ) {
        self.input.consume(progress.taken);
        self.place = match (progress.stop, decoder) {
            (Stop::Cut, _) => Place::Cut,
            (Stop::Within | Stop::Full, Some(decoder)) => Place::Within { decoder, end },
            (Stop::Within | Stop::Full, None) => Place::Damage,
            (Stop::End, _) => {
                while self.ends.pop_front().is_some() {
                    // What follows is no part of this stream, whatever came of it.
                    drop(self.crew.take());
                }
                Place::Trailer
            }
        };
    }

    /// Gives the crew the pieces that can be seen, and reads on for more.
    fn give_pieces(&mut self) -> io::Result<()> {
        while self.misses <= self.hits / 4 + TOLERATED
            && !self.crew.is_full()
            && (self.ends.is_empty() || !self.crew.is_ready())
        {
            let (at, bytes) = (self.input.at(), self.input.bytes());
            let start = self.ends.back().copied().unwrap_or(at);
            let seen = at + bytes.len() as u64;
            let end = match find_end(bytes, at, start, &mut self.searched) {
                Some(end) => end,
                None if self.input.has_ended() && start < seen => seen,
                None if self.input.has_ended() => break,
                None if seen - start > FARTHEST => {
                    // There are no ends, or too few to be of use.
                    self.misses = u32::MAX;
                    break;
                }
                None => {
                    if self.input.read_on(self.ends.is_empty())? {
                        continue;
                    }
                    break;
                }
            };
            let from = |place: u64| (place - at) as usize;
            let mut piece = self.spare.pop().unwrap_or_else(|| Piece::new(self.codec));
            piece.bytes.clear();
            piece.bytes.extend_from_slice(&bytes[from(start)..bytes.len().min(from(end) + 1)]);
            piece.end = from(end) - from(start);
            self.ends.push_back(end);
            self.crew.give(piece);
        }
        Ok(())
    }

    #[cold]
    fn damaged(&self) -> io::Error {
        invalid(self.codec.damaged().at(self.input.at()))
    }
}

/// Where a piece from `start` on may end, if that can be seen in `bytes`, which stand at `at`, and
/// a byte behind it.
fn find_end(bytes: &[u8], at: u64, start: u64, searched: &mut u64) -> Option<u64> {
    let from = (start + LEAST).max(*searched) - at;
    let Some(end) = find_cut(bytes, from as usize) else {
        *searched = at + bytes.len() as u64 + 1;
        return None;
    };
    (end < bytes.len()).then_some(at + end as u64)
}

impl Piece {
    fn new(codec: Codec) -> Self {
        Self {
            codec,
            bytes: Vec::new(),
            end: 0,
            decoder: Box::default(),
            out: Vec::new(),
            progress: None,
            check: Check::of(codec, &[]),
        }
    }
}

/// What a thread of the crew does.
fn inflate(mut piece: Piece) -> Piece {
    piece.decoder.restart();
    let (mut taken, mut given) = (0, 0);
    piece.progress = loop {
        let more = (4 * piece.bytes.len()).clamp(CHUNK.0, CHUNK.1);
        let room = piece.out.len().max((given + more).min(MOST));
        piece.out.resize(room, 0);
        let (bytes, end) = (&piece.bytes[taken..], piece.end.wrapping_sub(taken));
        let result = piece.decoder.decode(bytes, end, &mut piece.out[given..]);
        let Ok(progress) = result else { break None };
        taken += progress.taken;
        given += progress.given;
        if progress.stop != Stop::Full || given >= MOST {
            break Some(Progress { stop: progress.stop, taken, given });
        }
    };
    piece.check = Check::of(piece.codec, &piece.out[..given]);
    piece
}

/// Bytes of the common header of gzip, and of one with names.
const HEADER: usize = 10;
const NAMES: usize = 68 << 10;
/// The fewest bytes of a piece; of the most that compressed bytes can stand for, it is 8 MiB.
const LEAST: u64 = 8 << 10;
/// Without a cut in so many bytes, no more are looked for.
const FARTHEST: u64 = 1 << 20;
/// The most that comes out of a piece.
const MOST: usize = 4 << 20;
/// The least and the most bytes that there is room for at once.
const CHUNK: (usize, usize) = (4 << 10, 256 << 10);
/// Pieces that may be given in vain.
const TOLERATED: u32 = 3;
