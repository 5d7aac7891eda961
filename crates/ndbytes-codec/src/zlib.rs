//! Deflate, bare and in the wrappers of zlib and gzip.

use std::io::{self, Write};

use flate2::{Compression, Decompress, FlushDecompress, GzBuilder, Status, write};
use ndbytes_format::FormatError;

use crate::Codec;
use crate::decode::Step;
use crate::encode::Steady;

/// The highest level of deflate; 0 stores, 1 is fast, 9 is small. NumPy's `savez_compressed` uses 6.
pub const MAX_LEVEL: u32 = 9;

/// Decompresses one stream.
pub(crate) struct Inflate {
    codec: Codec,
    inflate: Decompress,
}

impl Inflate {
    /// A decoder of this kind of deflate.
    pub(crate) fn new(codec: Codec) -> Self {
        let inflate = match codec {
            Codec::Zlib => Decompress::new(true),
            Codec::Gzip => Decompress::new_gzip(15),
            _ => Decompress::new(false),
        };
        Self { codec, inflate }
    }

    /// Goes on from `input` to `out`.
    pub(crate) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, FormatError> {
        let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(input, out, FlushDecompress::None)
            .map_err(|_| self.codec.damaged())?;
        Ok(Step {
            taken: (self.inflate.total_in() - before_in) as usize,
            given: (self.inflate.total_out() - before_out) as usize,
            ended: status == Status::StreamEnd,
        })
    }
}

/// Compresses to a stream.
pub(crate) enum Deflate<W: Write> {
    Bare(write::DeflateEncoder<Steady<W>>),
    Gzip(write::GzEncoder<Steady<W>>),
    Zlib(write::ZlibEncoder<Steady<W>>),
}

impl<W: Write> Deflate<W> {
    /// An encoder of this kind of deflate. A gzip header has no time and no name.
    pub(crate) fn new(codec: Codec, level: u32, sink: Steady<W>) -> Self {
        let level = Compression::new(level);
        match codec {
            // 255: unknown system, so that the bytes are alike everywhere.
            Codec::Gzip => Self::Gzip(GzBuilder::new().operating_system(255).write(sink, level)),
            Codec::Zlib => Self::Zlib(write::ZlibEncoder::new(sink, level)),
            _ => Self::Bare(write::DeflateEncoder::new(sink, level)),
        }
    }

    /// Ends the stream.
    pub(crate) fn finish(self) -> io::Result<Steady<W>> {
        match self {
            Self::Bare(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zlib(encoder) => encoder.finish(),
        }
    }
}

impl<W: Write> Write for Deflate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Bare(encoder) => encoder.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zlib(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Bare(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zlib(encoder) => encoder.flush(),
        }
    }
}
