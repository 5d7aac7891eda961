//! A stretch of a stream that is entered in its middle, where the 32 KiB before it are not known yet.
//!
//! The idea is of pugz and rapidgzip: what refers to bytes that are not known comes out as where these
//! are, and is replaced once they are there. When nothing refers to them any more, bytes come out as
//! ever. Kerbiriou and Chikhi, "Parallel decompression of gzip-compressed files and random access to
//! DNA sequences", 2019; Knespel and Brunst, "Rapidgzip", 2023.

use std::io::{self, Cursor, Read};

use super::begin::find_block;
use super::inflater::{Halt, Inflater};
use super::item::Item;
use super::stream::{BlockStart, Stream};
use crate::deflate::symbols::WINDOW;

/// What came out of whole blocks.
#[derive(Default)]
pub struct Stretch {
    /// The first bit of the first block, and of the one after the last, from where the source began.
    begin: u64,
    end: u64,
    /// A window of marks, and bytes and marks that came out: a mark is 256 more than a place in the
    /// window that is not known.
    marked: Vec<u16>,
    /// A window, and the bytes that came out after those, to which no mark is near.
    plain: Vec<u8>,
}

impl Stretch {
    /// How far back a stream may refer.
    pub const WINDOW: usize = WINDOW;
    /// Bytes that come out at most while some are not known yet.
    pub const ROOM: usize = 1 << 21;

    /// The first bit of its first block, from where the source began.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// Where the block after its last one begins.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that came out.
    #[allow(clippy::len_without_is_empty, reason = "nobody is given one without any")]
    pub fn len(&self) -> usize {
        self.items().len() + self.bytes().len()
    }

    fn items(&self) -> &[u16] {
        self.marked.get(WINDOW..).unwrap_or_default()
    }

    fn bytes(&self) -> &[u8] {
        self.plain.get(WINDOW..).unwrap_or_default()
    }

    /// Puts the bytes into `out`, which has as many, now that the window before them is known.
    pub fn put(&self, window: &[u8; WINDOW], out: &mut [u8]) {
        self.put_from(0, window, out);
    }

    /// The window after them.
    pub fn window(&self, before: &[u8; WINDOW]) -> Box<[u8; WINDOW]> {
        let mut after = Box::new(*before);
        let len = self.len();
        if len < WINDOW {
            after.copy_within(len.., 0);
        }
        let new = len.min(WINDOW);
        self.put_from(len - new, before, &mut after[WINDOW - new..]);
        after
    }

    fn put_from(&self, skip: usize, window: &[u8; WINDOW], out: &mut [u8]) {
        let (items, bytes) = (self.items(), self.bytes());
        let bytes = &bytes[skip.saturating_sub(items.len())..];
        let items = items.get(skip..).unwrap_or_default();
        let (first, rest) = out.split_at_mut(items.len());
        // What each item stands for.
        let mut known = [0; 256 + WINDOW];
        (0..=255).for_each(|byte: u8| known[usize::from(byte)] = byte);
        known[256..].copy_from_slice(window);
        for (to, &item) in first.iter_mut().zip(items) {
            *to = known.get(usize::from(item)).copied().unwrap_or_default();
        }
        rest.copy_from_slice(bytes);
    }
}

/// Enters streams, with memory that it keeps.
pub struct StretchDecoder {
    stream: Stream,
    head: Vec<u8>,
}

impl StretchDecoder {
    /// A decoder without memory yet.
    pub fn new() -> Self {
        Self { stream: Stream::new(), head: Vec::new() }
    }

    /// Looks for a block in what a source gives, tells of its first bit, and inflates from there until
    /// it is told to stop, which it is asked before each block; or up to the stream's last block, to
    /// where more is kept in memory than should be, or to damage. Says whether a block is whole in
    /// `stretch`, whose memory is used again.
    ///
    /// # Errors
    /// What the source said.
    pub fn decode(
        &mut self,
        mut source: impl Read,
        stretch: &mut Stretch,
        found: impl FnOnce(u64),
        mut stops: impl FnMut(u64) -> bool,
    ) -> io::Result<bool> {
        self.head.clear();
        self.head.reserve(HEAD);
        source.by_ref().take(HEAD as u64).read_to_end(&mut self.head)?;
        let Some(begin) = find_block(&mut self.stream, &self.head) else {
            return Ok(false);
        };
        found(begin);
        let head = &self.head[(begin / 8) as usize..];
        let mut inflater = Inflater::entering(Cursor::new(head).chain(source), begin)?;
        let Stretch { marked, plain, .. } = &mut *stretch;
        marked.clear();
        marked.extend((0..WINDOW as u16).map(|place| 256 + place));
        plain.clear();
        // Where the last whole block ended: the bit, and how much there was.
        let mut end = begin;
        let mut asked = |block: BlockStart| {
            end = block.bit;
            block.last || stops(end)
        };
        let is_ready = |items: &[u16]| items.iter().all(|&item| item < 256);
        let (mut of_marked, mut of_plain) = (WINDOW, 0);
        let mut ended =
            grow(&mut inflater, marked, MOST_MARKED, &mut of_marked, &mut asked, is_ready);
        if matches!(ended, Grown::Ready) {
            let window = &marked[marked.len() - WINDOW..];
            plain.extend(window.iter().map(|&item| item as u8));
            ended = grow(&mut inflater, plain, MOST_PLAIN, &mut of_plain, &mut asked, |_| false);
            if of_plain > 0 {
                of_marked = marked.len();
            }
        }
        if let Grown::Failed(error) = ended
            && error.get_ref().is_none_or(|inner| !inner.is::<ndbytes_format::FormatError>())
        {
            return Err(error);
        }
        marked.truncate(of_marked);
        plain.truncate(of_plain);
        (stretch.begin, stretch.end) = (begin, end);
        Ok(end > begin)
    }
}

impl Default for StretchDecoder {
    fn default() -> Self {
        Self::new()
    }
}

/// Why no more was inflated.
enum Grown {
    /// The items are what was waited for.
    Ready,
    Stopped,
    Failed(io::Error),
}

/// Inflates behind the items that are there, step by step, until there are `most`, or they are ready,
/// or a block is longer than is worth it. `whole` becomes how many there are up to the last block that is
/// whole.
fn grow<T: Item, R: Read>(
    inflater: &mut Inflater<R>,
    items: &mut Vec<T>,
    most: usize,
    whole: &mut usize,
    asked: &mut dyn FnMut(BlockStart) -> bool,
    is_ready: impl Fn(&[T]) -> bool,
) -> Grown {
    while items.len() < most && items.len() - *whole <= LONG {
        let before = items.len();
        items.resize(before + STEP, T::default());
        let mut asked = |block: BlockStart| {
            *whole = block.have;
            asked(block)
        };
        match inflater.run(items, before, Some(&mut asked)) {
            Ok((_, Halt::Full)) if is_ready(&items[before + STEP - WINDOW..]) => {
                return Grown::Ready;
            }
            Ok((_, Halt::Full)) => {}
            Ok((_, Halt::Ended | Halt::Block)) => return Grown::Stopped,
            Err(error) => return Grown::Failed(error),
        }
    }
    Grown::Stopped
}

/// Bytes that are searched for a block, of which zlib makes some 30 KB of what is nearly noise.
const HEAD: usize = 1 << 17;
/// Items that come out at a time, before it is asked whether they are ready.
const STEP: usize = 1 << 16;
/// A block that is longer is not waited for: zlib's are a tenth of that, where they are not mostly matches.
const LONG: usize = 1 << 20;
/// Items and bytes that are kept at most.
const MOST_MARKED: usize = Stretch::ROOM;
const MOST_PLAIN: usize = 1 << 23;
