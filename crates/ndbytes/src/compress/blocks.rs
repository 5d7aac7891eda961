//! Streams of blocks that are compressed alone, on several threads.

use std::io::{self, Write};

use ndbytes_codec::deflate::MixedEncoder;
use ndbytes_codec::{Check, Codec, deflate, header, lz4};

use crate::crew::{Crew, Worker};

/// Cuts what is written into blocks, and joins what the crew makes of them.
pub(super) struct Blocks<W> {
    sink: W,
    format: Format,
    crew: Crew<Block, io::Result<Block>>,
    /// What is written next: the window before it, and its bytes so far.
    block: Block,
    /// What has not gone to the sink yet, and how much of it has.
    pending: Vec<u8>,
    sent: usize,
    spare: Vec<Block>,
}

/// The kind of stream, and what ends it.
enum Format {
    Deflate(Check),
    Lz4(lz4::Checksum),
}

/// A block on its way through the crew. Its memory is used again.
#[derive(Default)]
struct Block {
    /// What is before the block, as far as it may be referred to, and the block.
    bytes: Vec<u8>,
    start: usize,
    period: usize,
    last: bool,
    packed: Vec<u8>,
    check: Option<Check>,
}

impl<W: Write> Blocks<W> {
    /// A stream of deflate in any wrapper.
    pub(super) fn deflate(
        codec: Codec,
        level: u32,
        period: usize,
        threads: usize,
        sink: W,
    ) -> Self {
        let crew = Crew::new(threads, move || -> Worker<_, _> {
            let mut encoder = MixedEncoder::new(level);
            Box::new(move |mut block: Block| {
                let (before, bytes) = block.bytes.split_at(block.start);
                block.check = Some(Check::of(codec, bytes));
                encoder.encode(before, bytes, block.period, block.last, &mut block.packed);
                Ok(block)
            })
        });
        let format = Format::Deflate(Check::of(codec, &[]));
        Self::new(format, crew, header(codec, level), period, sink)
    }

    /// A frame of LZ4, of so many bytes where that is known.
    pub(super) fn lz4(threads: usize, size: Option<u64>, sink: W) -> Self {
        let crew = Crew::new(threads, || -> Worker<_, _> {
            let mut encoder = lz4::BlockEncoder::new();
            Box::new(move |mut block: Block| {
                encoder.encode(&block.bytes, &mut block.packed)?;
                Ok(block)
            })
        });
        Self::new(Format::Lz4(lz4::Checksum::new()), crew, &lz4::header(size), 0, sink)
    }

    fn new(
        format: Format,
        crew: Crew<Block, io::Result<Block>>,
        header: &[u8],
        period: usize,
        sink: W,
    ) -> Self {
        let block = Block { period, ..Block::default() };
        let pending = header.to_vec();
        Self { sink, format, crew, block, pending, sent: 0, spare: Vec::new() }
    }

    /// Ends the stream and gives the sink back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        // The last block of deflate says so, even where it is empty; LZ4 has no empty ones.
        if matches!(self.format, Format::Deflate(_)) || !self.block.is_empty() {
            self.give(true)?;
        }
        while self.take()? {}
        let trailer = match &self.format {
            Format::Deflate(check) => check.trailer(),
            Format::Lz4(checksum) => checksum.trailer().to_vec(),
        };
        self.pending.extend(trailer);
        self.send()?;
        Ok(self.sink)
    }

    fn size(&self) -> usize {
        match self.format {
            Format::Deflate(_) => deflate::BLOCK_SIZE,
            Format::Lz4(_) => lz4::BLOCK_SIZE,
        }
    }

    /// Gives the block to the crew and begins another.
    fn give(&mut self, last: bool) -> io::Result<()> {
        let mut next = self.spare.pop().unwrap_or_default();
        next.clear();
        next.period = self.block.period;
        if matches!(self.format, Format::Deflate(_)) && !last {
            let bytes = &self.block.bytes;
            let window = &bytes[bytes.len().saturating_sub(MixedEncoder::WINDOW)..];
            next.bytes.try_reserve(window.len())?;
            next.bytes.extend_from_slice(window);
            next.start = next.bytes.len();
        }
        self.block.last = last;
        self.crew.give(std::mem::replace(&mut self.block, next));
        Ok(())
    }

    /// Sends what comes of the next block; says whether there was one.
    fn take(&mut self) -> io::Result<bool> {
        self.send()?;
        let Some(result) = self.crew.take() else { return Ok(false) };
        let mut block = result??;
        match &mut self.format {
            Format::Deflate(check) => block.check.iter().for_each(|next| check.join(next)),
            Format::Lz4(checksum) => checksum.update(&block.bytes),
        }
        std::mem::swap(&mut self.pending, &mut block.packed);
        self.spare.push(block);
        self.send()?;
        Ok(true)
    }

    /// Sends what is pending. After an error it goes on where it was.
    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.pending.len() {
            match self.sink.write(&self.pending[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) if n > self.pending.len() - self.sent => {
                    let message = "the sink claims more bytes than it was given";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.pending.clear();
        self.sent = 0;
        Ok(())
    }
}

impl<W: Write> Write for Blocks<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // A full block is given when there is more: only then it is not the last one.
        if self.block.len() == self.size() {
            self.send()?;
            while self.crew.is_full() || self.crew.is_ready() {
                self.take()?;
            }
            self.give(false)?;
        }
        let n = bytes.len().min(self.size() - self.block.len());
        self.block.bytes.try_reserve(n)?;
        self.block.bytes.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.give(false)?;
        }
        while self.take()? {}
        self.sink.flush()
    }
}

impl Block {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.packed.clear();
        self.check = None;
    }
}
