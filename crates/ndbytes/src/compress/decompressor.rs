//! Decompressing on several threads, where the stream allows it.

use std::io::{self, BufRead, Read};

use ndbytes_codec::{Codec, Decoder, too_large};

use crate::compress::ahead::Rest;
use crate::compress::compressor::count;
use crate::compress::inflater::Inflater;
use crate::error::Result;

/// Decompresses what it reads from a source: as [`Decoder`], on several threads where the stream
/// allows it.
///
/// That is where blocks of deflate are flushed and refer to nothing before them, as those of
/// numbers that [`Compressor`](crate::Compressor) writes, and those of `pigz -i`. Nothing is taken
/// for granted: what does not prove to be so is inflated in one go. Some of the source is read
/// ahead.
pub struct Decompressor<R: Read> {
    inner: Inner<R>,
    /// What came out last, up to `end`, and how much of it was given on.
    chunk: Vec<u8>,
    end: usize,
    served: usize,
}

enum Inner<R: Read> {
    Inflater(Box<Inflater<R>>),
    Decoder(Box<Decoder<Rest<R>>>),
    Gone,
}

impl<R: Read> Decompressor<R> {
    /// A decompressor of this stream, with all threads of the machine.
    pub fn new(codec: Codec, source: R) -> Self {
        Self::with_threads(codec, source, None)
    }

    /// A decompressor of this stream with up to so many threads, the caller's among them; as many
    /// as the machine has unless given.
    pub fn with_threads(codec: Codec, source: R, threads: Option<usize>) -> Self {
        let inner = match (codec, count(threads)) {
            (Codec::Deflate | Codec::Gzip | Codec::Zlib, threads @ 2..) => {
                Inner::Inflater(Box::new(Inflater::new(codec, source, threads)))
            }
            _ => Inner::Decoder(Box::new(Decoder::new(codec, Rest::all(source)))),
        };
        Self { inner, chunk: Vec::new(), end: 0, served: 0 }
    }

    /// All that comes out of the stream, which must fill its source: at most `max_bytes`.
    ///
    /// Memory grows with what comes out.
    ///
    /// # Errors
    /// As [`Decoder`]; [`Code::CodecTrailing`](crate::Code::CodecTrailing) where bytes follow,
    /// [`Code::CodecTooLarge`](crate::Code::CodecTooLarge) when more than `max_bytes` would come
    /// out.
    pub fn into_vec(self, max_bytes: u64) -> Result<Vec<u8>> {
        self.into_vec_after(Vec::new(), max_bytes)
    }

    /// As [`Decompressor::into_vec`], behind what has come out already, which counts.
    ///
    /// # Errors
    /// As [`Decompressor::into_vec`].
    pub fn into_vec_after(mut self, mut out: Vec<u8>, max_bytes: u64) -> Result<Vec<u8>> {
        loop {
            let n = self.fill_buf()?.len();
            if n == 0 {
                break;
            }
            if (out.len() + n) as u64 > max_bytes {
                return Err(too_large(max_bytes).at(self.consumed()).into());
            }
            out.try_reserve(n).map_err(io::Error::from)?;
            out.extend_from_slice(self.fill_buf()?);
            self.consume(n);
        }
        self.expect_end()?;
        Ok(out)
    }

    /// Fills `out` with what comes out of the stream, which must fill its source; says how much came, and
    /// whether that is all.
    ///
    /// # Errors
    /// As [`Decoder`]; [`Code::CodecTrailing`](crate::Code::CodecTrailing) where bytes follow.
    pub fn fill(&mut self, out: &mut [u8]) -> Result<(usize, bool)> {
        let mut have = 0;
        while have < out.len() {
            // An error says where the step began that found it.
            let end = out.len().min(have + CHUNK.1);
            match self.read(&mut out[have..end])? {
                0 => break,
                n => have += n,
            }
        }
        let is_all = self.fill_buf()?.is_empty();
        if is_all {
            self.expect_end()?;
        }
        Ok((have, is_all))
    }

    /// How many bytes of the source are done with.
    fn consumed(&self) -> u64 {
        match &self.inner {
            Inner::Inflater(inflater) => inflater.consumed(),
            Inner::Decoder(decoder) => decoder.consumed(),
            Inner::Gone => 0,
        }
    }

    /// Checks that nothing follows the stream, which has been read to its end. Zeros may follow
    /// gzip, as `gunzip` allows for tapes.
    ///
    /// # Errors
    /// [`Code::CodecTrailing`](crate::Code::CodecTrailing), in an [`io::Error`].
    pub fn expect_end(&mut self) -> io::Result<()> {
        match &mut self.inner {
            Inner::Inflater(inflater) => inflater.expect_end(),
            Inner::Decoder(decoder) => decoder.expect_end(),
            Inner::Gone => Err(gone()),
        }
    }
}

impl<R: Read> BufRead for Decompressor<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.served == self.end {
            let last = std::mem::take(&mut self.end);
            self.served = 0;
            match &mut self.inner {
                Inner::Inflater(inflater) => {
                    if let Some(end) = inflater.advance(&mut self.chunk)? {
                        self.end = end;
                        break;
                    }
                    // The rest is for those who know more than the common form.
                    if let Inner::Inflater(inflater) =
                        std::mem::replace(&mut self.inner, Inner::Gone)
                    {
                        self.inner = Inner::Decoder(Box::new(inflater.into_decoder()));
                    }
                }
                Inner::Decoder(decoder) => {
                    let len = (4 * last).clamp(CHUNK.0, CHUNK.1).max(self.chunk.len());
                    self.chunk.resize(len, 0);
                    self.end = decoder.read(&mut self.chunk)?;
                    if self.end == 0 {
                        break;
                    }
                }
                Inner::Gone => return Err(gone()),
            }
        }
        Ok(&self.chunk[self.served..self.end])
    }

    fn consume(&mut self, n: usize) {
        self.served = (self.served + n).min(self.end);
    }
}

impl<R: Read> Read for Decompressor<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.served == self.end
            && let Inner::Decoder(decoder) = &mut self.inner
        {
            return decoder.read(out);
        }
        let chunk = self.fill_buf()?;
        let n = chunk.len().min(out.len());
        out[..n].copy_from_slice(&chunk[..n]);
        self.consume(n);
        Ok(n)
    }
}

#[cold]
fn gone() -> io::Error {
    io::Error::other("the stream failed before")
}

/// The least and the most bytes that are asked for at once of what is not inflated here.
const CHUNK: (usize, usize) = (16 << 10, 256 << 10);
