//! Compressing on several threads.

use std::io::{self, Write};

use ndbytes_codec::deflate::period;
use ndbytes_codec::{Codec, Encoder};

use crate::array::ArrayView;
use crate::compress::blocks::Blocks;

/// Compresses what is written to it and passes it on: as [`Encoder`], on several threads.
///
/// The bytes that come out depend on what is written and flushed, and on what is known of it
/// beforehand; not on the number of threads, nor on how it is cut up for writing. Memory is
/// bounded: some blocks for each thread. Threads are begun where there is more than one block.
///
/// [`Compressor::finish`] ends the stream and reports the sink's errors. Dropped before, it waits
/// for the blocks that are being worked on, and forgets the rest.
pub struct Compressor<W: Write> {
    codec: Codec,
    level: u32,
    threads: usize,
    period: usize,
    size: Option<u64>,
    written: u64,
    state: State<W>,
}

enum State<W: Write> {
    /// All of this was written, and it may be all that there is.
    Held {
        sink: W,
        bytes: Vec<u8>,
    },
    Blocks(Box<Blocks<W>>),
    /// The bytes from `at` on are to be written before anything else.
    Stream {
        encoder: Box<Encoder<W>>,
        bytes: Vec<u8>,
        at: usize,
    },
    /// Between two of the others, and where that failed.
    Gone,
}

impl<W: Write> Compressor<W> {
    /// A compressor at this level, with all threads of the machine; a level that [`Codec::levels`] lacks counts
    /// as the nearest.
    pub fn new(codec: Codec, level: u32, sink: W) -> Self {
        let levels = codec.levels();
        let level = level.clamp(*levels.start(), *levels.end());
        let state = State::Held { sink, bytes: Vec::new() };
        Self { codec, level, threads: count(None), period: 0, size: None, written: 0, state }
    }

    /// Up to so many threads, the caller's among them; as many as the machine has unless given. To
    /// be called before anything is written, as all that begins with `with`.
    pub fn with_threads(mut self, threads: Option<usize>) -> Self {
        self.threads = count(threads);
        self
    }

    /// Says that the elements of this array will be written, in C order: how many bytes, and at
    /// what distance they are likely to repeat, which is guessed otherwise.
    pub fn with_array(mut self, array: &ArrayView<'_>) -> Self {
        let last_axis = array.shape().last().copied().unwrap_or(1);
        self.period = period(array.dtype().itemsize(), last_axis);
        self.with_size(array.nbytes() as u64)
    }

    /// Says how many bytes will be written; more or less of them become an error. Frames of zstd
    /// and LZ4 say so at their beginning, and readers know how much memory to take.
    pub fn with_size(mut self, size: u64) -> Self {
        self.size = Some(size);
        self
    }

    /// Ends the stream and gives the sink back.
    ///
    /// # Errors
    /// What the sink said.
    pub fn finish(mut self) -> io::Result<W> {
        if self.size.is_some_and(|size| size != self.written) {
            return Err(wrong_size());
        }
        if let State::Held { bytes, .. } = &self.state {
            self.size = Some(bytes.len() as u64);
            self.begin();
        }
        self.send_held()?;
        match self.state {
            State::Blocks(blocks) => blocks.finish(),
            State::Stream { encoder, .. } => encoder.finish(),
            State::Held { .. } | State::Gone => Err(gone()),
        }
    }

    /// Begins the stream, with what is known by now.
    fn begin(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Gone);
        let State::Held { sink, bytes } = state else {
            self.state = state;
            return;
        };
        let Self { codec, level, threads, period, .. } = *self;
        self.state = match codec {
            Codec::Deflate | Codec::Gzip | Codec::Zlib => {
                State::Blocks(Box::new(Blocks::deflate(codec, level, period, threads, sink)))
            }
            Codec::Lz4 => State::Blocks(Box::new(Blocks::lz4(threads, self.size, sink))),
            // One frame: there are readers that take the first of several for all.
            _ => {
                let mut encoder = Encoder::new(codec, level, sink);
                if let Some(size) = self.size {
                    encoder = encoder.with_size(size);
                }
                if self.size.is_none_or(|size| size > SMALL as u64) {
                    encoder = encoder.with_workers(threads as u32);
                }
                State::Stream { encoder: Box::new(encoder), bytes, at: 0 }
            }
        };
    }

    /// Writes what was held back.
    fn send_held(&mut self) -> io::Result<()> {
        if let State::Stream { encoder, bytes, at } = &mut self.state {
            while *at < bytes.len() {
                match encoder.write(&bytes[*at..]) {
                    Ok(n) => *at += n,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            (*bytes, *at) = (Vec::new(), 0);
        }
        Ok(())
    }

    /// Takes some bytes.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let State::Held { bytes: held, .. } = &mut self.state {
            // Only zstd has threads of its own, for which its bytes are others than without.
            let may_be_small = self.size.is_none() && self.codec == Codec::Zstd;
            if may_be_small && held.len() + bytes.len() <= SMALL {
                held.try_reserve(bytes.len())?;
                held.extend_from_slice(bytes);
                return Ok(bytes.len());
            }
            self.begin();
        }
        self.send_held()?;
        match &mut self.state {
            State::Blocks(blocks) => blocks.write(bytes),
            State::Stream { encoder, .. } => encoder.write(bytes),
            State::Held { .. } | State::Gone => Err(gone()),
        }
    }
}

impl<W: Write> Write for Compressor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.size.map_or(u64::MAX, |size| size.saturating_sub(self.written));
        if bytes.len() as u64 > left {
            return Err(wrong_size());
        }
        let n = self.take(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.begin();
        self.send_held()?;
        match &mut self.state {
            State::Blocks(blocks) => blocks.flush(),
            State::Stream { encoder, .. } => encoder.flush(),
            State::Held { .. } | State::Gone => Err(gone()),
        }
    }
}

/// How many threads are meant.
pub(super) fn count(threads: Option<usize>) -> usize {
    threads.map_or_else(crate::array::threads, |threads| threads.clamp(1, MOST_THREADS))
}

#[cold]
fn wrong_size() -> io::Error {
    let message = "more or less is written than was said beforehand";
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cold]
fn gone() -> io::Error {
    io::Error::other("the stream failed before")
}

/// What is in memory at a time grows with the threads.
const MOST_THREADS: usize = 64;
/// What zstd compresses on the caller's thread, where it knows that it is no more.
const SMALL: usize = 512 << 10;
