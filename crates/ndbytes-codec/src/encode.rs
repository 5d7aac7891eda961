//! Compressing.

use std::io::{self, Read, Write};

use crate::Codec;
use crate::zlib::Deflate;

/// Compresses what is written to it and passes it on.
///
/// [`Encoder::finish`] ends the stream and reports the sink's errors.
pub struct Encoder<W: Write>(Inner<W>);

enum Inner<W: Write> {
    Deflate(Deflate<W>),
    #[cfg(feature = "lz4")]
    Lz4(Packed<crate::lz4::Pack, W>),
    #[cfg(feature = "zstd")]
    Zstd(Packed<crate::zstd::Pack, W>),
}

impl<W: Write> Encoder<W> {
    /// An encoder at this level; one that [`Codec::levels`] lacks counts as the nearest.
    ///
    /// The bytes depend on the input and the level alone.
    pub fn new(codec: Codec, level: u32, sink: W) -> Self {
        let levels = codec.levels();
        let level = level.clamp(*levels.start(), *levels.end());
        let sink = Steady(sink);
        Self(match codec {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => Inner::Lz4(Packed::new(crate::lz4::Pack::new(), sink)),
            #[cfg(feature = "zstd")]
            Codec::Zstd => Inner::Zstd(Packed::new(crate::zstd::Pack::new(level), sink)),
            Codec::Deflate | Codec::Gzip | Codec::Zlib => {
                Inner::Deflate(Deflate::new(codec, level, sink))
            }
        })
    }

    /// Has so many threads of the codec's own do the work, where it has some, which is zstd. To be
    /// called before anything is written. The bytes are others than without this, but do not depend
    /// on how many threads there are.
    #[cfg_attr(not(feature = "zstd"), allow(unused_mut, unused_variables))]
    pub fn with_workers(mut self, workers: u32) -> Self {
        #[cfg(feature = "zstd")]
        if let Inner::Zstd(encoder) = &mut self.0 {
            encoder.packer.set_workers(workers);
        }
        self
    }

    /// Says how many bytes will be written. Those codecs whose streams may say so, which are LZ4 and
    /// zstd, do, and more or less of them become an error. To be called before anything is written.
    #[cfg_attr(not(any(feature = "lz4", feature = "zstd")), allow(unused_mut, unused_variables))]
    pub fn with_size(mut self, size: u64) -> Self {
        match &mut self.0 {
            Inner::Deflate(_) => {}
            #[cfg(feature = "lz4")]
            Inner::Lz4(encoder) => encoder.packer.set_size(size),
            #[cfg(feature = "zstd")]
            Inner::Zstd(encoder) => encoder.packer.set_size(size),
        }
        self
    }

    /// Ends the stream and gives the sink back.
    ///
    /// # Errors
    /// What the sink said.
    pub fn finish(self) -> io::Result<W> {
        let Steady(sink) = match self.0 {
            Inner::Deflate(encoder) => encoder.finish(),
            #[cfg(feature = "lz4")]
            Inner::Lz4(encoder) => encoder.finish(),
            #[cfg(feature = "zstd")]
            Inner::Zstd(encoder) => encoder.finish(),
        }?;
        Ok(sink)
    }

    fn inner(&mut self) -> &mut dyn Write {
        match &mut self.0 {
            Inner::Deflate(encoder) => encoder,
            #[cfg(feature = "lz4")]
            Inner::Lz4(encoder) => encoder,
            #[cfg(feature = "zstd")]
            Inner::Zstd(encoder) => encoder,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner().flush()
    }
}

/// A compressor in memory, which [`Packed`] connects to a sink.
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub(crate) trait Packer {
    /// Takes some of `input`, and puts what comes out into `out`, which is empty.
    fn pack(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize>;

    /// Puts what it holds back into `out`, which is empty, and ends the stream if it is to;
    /// says whether that is all.
    fn drain(&mut self, end: bool, out: &mut Vec<u8>) -> io::Result<bool>;
}

/// A compressor and its sink. What the sink did not take yet is kept, so that writing can go on
/// after an error such as "would block".
#[cfg(any(feature = "lz4", feature = "zstd"))]
struct Packed<P, W> {
    packer: P,
    sink: Steady<W>,
    pending: Vec<u8>,
    sent: usize,
}

#[cfg(any(feature = "lz4", feature = "zstd"))]
impl<P: Packer, W: Write> Packed<P, W> {
    fn new(packer: P, sink: Steady<W>) -> Self {
        Self { packer, sink, pending: Vec::new(), sent: 0 }
    }

    fn send(&mut self) -> io::Result<()> {
        while self.sent < self.pending.len() {
            match self.sink.write(&self.pending[self.sent..])? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                n => self.sent += n,
            }
        }
        self.pending.clear();
        self.sent = 0;
        Ok(())
    }

    fn drain(&mut self, end: bool) -> io::Result<()> {
        loop {
            self.send()?;
            let done = self.packer.drain(end, &mut self.pending)?;
            if done {
                return self.send();
            }
        }
    }

    fn finish(mut self) -> io::Result<Steady<W>> {
        self.drain(true)?;
        Ok(self.sink)
    }
}

#[cfg(any(feature = "lz4", feature = "zstd"))]
impl<P: Packer, W: Write> Write for Packed<P, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.send()?;
            // Threads that are busy may give something before they take anything.
            let taken = self.packer.pack(bytes, &mut self.pending)?;
            if taken > 0 || bytes.is_empty() {
                return Ok(taken);
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.drain(false)?;
        self.sink.flush()
    }
}

/// A sink that is not interrupted. flate2 reports interruptions, even when it ends a stream, which
/// cannot be tried again.
pub(crate) struct Steady<W>(W);

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
