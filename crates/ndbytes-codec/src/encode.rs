//! Compressing.

use std::io::{self, Read, Write};

use flate2::{Compression, GzBuilder, write};

use crate::Codec;

/// The highest level; 0 stores, 1 is fast, 9 is small. NumPy's `savez_compressed` uses 6.
pub const MAX_LEVEL: u32 = 9;

/// Compresses what is written to it and passes it on.
///
/// [`Encoder::finish`] ends the stream and reports the sink's errors.
pub struct Encoder<W: Write>(Inner<W>);

enum Inner<W: Write> {
    Deflate(write::DeflateEncoder<Steady<W>>),
    Gzip(write::GzEncoder<Steady<W>>),
    Zlib(write::ZlibEncoder<Steady<W>>),
}

impl<W: Write> Encoder<W> {
    /// An encoder at this level; over [`MAX_LEVEL`] counts as that.
    ///
    /// The bytes depend on the input and the level alone: a gzip header has no time and no name.
    pub fn new(codec: Codec, level: u32, sink: W) -> Self {
        let level = Compression::new(level.min(MAX_LEVEL));
        let sink = Steady(sink);
        Self(match codec {
            Codec::Deflate => Inner::Deflate(write::DeflateEncoder::new(sink, level)),
            // 255: unknown system, so that the bytes are alike everywhere.
            Codec::Gzip => Inner::Gzip(GzBuilder::new().operating_system(255).write(sink, level)),
            Codec::Zlib => Inner::Zlib(write::ZlibEncoder::new(sink, level)),
        })
    }

    /// Ends the stream and gives the sink back.
    ///
    /// # Errors
    /// What the sink said.
    pub fn finish(self) -> io::Result<W> {
        let Steady(sink) = match self.0 {
            Inner::Deflate(encoder) => encoder.finish(),
            Inner::Gzip(encoder) => encoder.finish(),
            Inner::Zlib(encoder) => encoder.finish(),
        }?;
        Ok(sink)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Deflate(encoder) => encoder.write(bytes),
            Inner::Gzip(encoder) => encoder.write(bytes),
            Inner::Zlib(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Inner::Deflate(encoder) => encoder.flush(),
            Inner::Gzip(encoder) => encoder.flush(),
            Inner::Zlib(encoder) => encoder.flush(),
        }
    }
}

/// A sink that is not interrupted. flate2 reports interruptions, even when it ends a stream, which
/// cannot be tried again.
struct Steady<W>(W);

impl<W: Write> Write for Steady<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Ok(n) if n > bytes.len() => {
                    let message = "the sink claims more bytes than it was given";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Compresses all of `source` into `sink` and returns how many bytes were read.
///
/// # Errors
/// What the source or the sink said.
pub fn compress(
    codec: Codec,
    level: u32,
    source: &mut impl Read,
    sink: impl Write,
) -> io::Result<u64> {
    let mut encoder = Encoder::new(codec, level, sink);
    let mut buffer = vec![0; 1 << 18];
    let mut total = 0;
    loop {
        let n = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        encoder.write_all(&buffer[..n])?;
        total += n as u64;
    }
    encoder.finish()?;
    Ok(total)
}
