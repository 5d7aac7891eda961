//! Decompressing.

use std::io::{self, Read};

use ndbytes_format::{Code, FormatError};

use crate::Codec;
use crate::zlib::Inflate;

/// Decompresses what it reads from a source.
///
/// It ends only where the stream says so: a source that ends earlier is an error that holds a
/// [`FormatError`] with [`Code::CodecTruncated`], damage one with [`Code::CodecCorrupt`]. Offsets
/// count compressed bytes. A Zstandard frame that needs more than 128 MiB of memory is refused with
/// [`Code::CodecTooLarge`], one that needs a dictionary with [`Code::CodecUnsupported`].
pub struct Decoder<R> {
    source: R,
    codec: Codec,
    engine: Engine,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    consumed: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Inside of a stream.
    Inside,
    /// A gzip member or a frame has ended; another may follow.
    Between,
    /// The stream has ended.
    Done,
}

impl<R: Read> Decoder<R> {
    /// A decoder of this stream.
    pub fn new(codec: Codec, source: R) -> Self {
        Self {
            source,
            codec,
            engine: Engine::new(codec),
            buffer: vec![0; 1 << 16].into(),
            start: 0,
            end: 0,
            consumed: 0,
            state: State::Inside,
        }
    }

    /// As [`Decoder::new`], after so many bytes, which offsets count as well.
    pub fn at(codec: Codec, source: R, consumed: u64) -> Self {
        Self { consumed, ..Self::new(codec, source) }
    }

    /// How many bytes of the source are done with.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Checks that nothing follows the stream, which has been read to its end. Zeros may follow
    /// gzip, as `gunzip` allows for tapes.
    ///
    /// # Errors
    /// [`Code::CodecTrailing`], in an [`io::Error`].
    pub fn expect_end(&mut self) -> io::Result<()> {
        let at = self.consumed;
        loop {
            self.refill()?;
            let rest = &self.buffer[self.start..self.end];
            if rest.is_empty() {
                return Ok(());
            }
            if self.codec != Codec::Gzip || rest.iter().any(|&b| b != 0) {
                return Err(invalid(self.codec.trailing().at(at)));
            }
            self.consumed += rest.len() as u64;
            self.start = self.end;
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        while self.start == self.end {
            match self.source.read(&mut self.buffer) {
                Ok(n) => {
                    (self.start, self.end) = (0, n.min(self.buffer.len()));
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if self.state == State::Done {
                return Ok(0);
            }
            self.refill()?;
            let input = &self.buffer[self.start..self.end];
            if self.state == State::Between {
                if !input.first().is_some_and(|&byte| self.codec.may_follow(byte)) {
                    self.state = State::Done;
                    continue;
                }
                self.engine.restart(self.codec);
                self.state = State::Inside;
            }
            let exhausted = input.is_empty();
            let step = self.engine.step(input, out);
            let step = step.map_err(|error| invalid(error.at(self.consumed)))?;
            self.start += step.taken;
            self.consumed += step.taken as u64;
            if step.ended {
                self.state = if self.codec.repeats() { State::Between } else { State::Done };
            } else if exhausted && step.given == 0 {
                return Err(invalid(self.codec.truncated().at(self.consumed)));
            }
            let given = step.given;
            if given > 0 {
                return Ok(given);
            }
        }
    }
}

/// Decompresses all of `source`, which must hold one stream and nothing more.
///
/// Memory grows with what comes out, and never beyond `max_bytes`.
///
/// # Errors
/// As [`Decoder`]; [`Code::CodecTooLarge`] when more than `max_bytes` would come out.
pub fn decompress(codec: Codec, source: impl Read, max_bytes: u64) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::new(codec, source);
    let mut out = Vec::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = decoder.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        if (out.len() + n) as u64 > max_bytes {
            return Err(invalid(too_large(max_bytes).at(decoder.consumed)));
        }
        out.try_reserve(n)?;
        out.extend_from_slice(&buffer[..n]);
    }
    decoder.expect_end()?;
    Ok(out)
}

/// What a stream says of how many bytes come out of it, if it says so. That may be wrong, and where several
/// frames or members follow one another it is what one of them says.
pub fn content_len(codec: Codec, stream: &[u8]) -> Option<u64> {
    match codec {
        // RFC 1952: the last four bytes of a member.
        Codec::Gzip if stream.starts_with(b"\x1f\x8b") => {
            stream.last_chunk().map(|&len| u32::from_le_bytes(len).into())
        }
        #[cfg(feature = "lz4")]
        Codec::Lz4 => crate::lz4::content_len(stream),
        #[cfg(feature = "zstd")]
        Codec::Zstd => crate::zstd::content_len(stream),
        Codec::Deflate | Codec::Gzip | Codec::Zlib => None,
    }
}

/// What is wrong with a stream that more than `max_bytes` come out of.
#[cold]
pub fn too_large(max_bytes: u64) -> FormatError {
    let message =
        format!("more than {max_bytes} bytes come out; raise `max_bytes` if you trust the source");
    FormatError::new(Code::CodecTooLarge, message)
}

/// What one call to an engine did.
pub(crate) struct Step {
    /// Bytes of the input that are done with.
    pub(crate) taken: usize,
    /// Bytes that came out.
    pub(crate) given: usize,
    /// Whether the stream has ended.
    pub(crate) ended: bool,
}

enum Engine {
    Inflate(Inflate),
    #[cfg(feature = "lz4")]
    Lz4(Box<crate::lz4::Unpack>),
    #[cfg(feature = "zstd")]
    Zstd(crate::zstd::Unpack),
}

impl Engine {
    fn new(codec: Codec) -> Self {
        match codec {
            #[cfg(feature = "lz4")]
            Codec::Lz4 => Self::Lz4(Box::default()),
            #[cfg(feature = "zstd")]
            Codec::Zstd => Self::Zstd(crate::zstd::Unpack::new()),
            Codec::Deflate | Codec::Gzip | Codec::Zlib => Self::Inflate(Inflate::new(codec)),
        }
    }

    /// Begins another stream. Those for frames do so by themselves.
    fn restart(&mut self, codec: Codec) {
        #[allow(irrefutable_let_patterns, reason = "a build may have no other")]
        if let Self::Inflate(inflate) = self {
            *inflate = Inflate::new(codec);
        }
    }

    fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, FormatError> {
        match self {
            Self::Inflate(engine) => engine.step(input, out),
            #[cfg(feature = "lz4")]
            Self::Lz4(engine) => engine.step(input, out),
            #[cfg(feature = "zstd")]
            Self::Zstd(engine) => engine.step(input, out),
        }
    }
}

/// A fault on its way through [`Read`].
pub fn invalid(error: FormatError) -> io::Error {
    let kind = match error.code() {
        Code::CodecTruncated => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::compress;

    fn packed(codec: Codec, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(codec, 6, &mut &*data, &mut out).unwrap();
        out
    }

    fn code(error: &io::Error) -> Code {
        error.get_ref().unwrap().downcast_ref::<FormatError>().unwrap().code()
    }

    fn sample() -> Vec<u8> {
        (0..200_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect()
    }

    #[test]
    fn comes_back() {
        for &codec in Codec::ALL {
            for data in [&b""[..], b"x", &sample()] {
                assert_eq!(decompress(codec, &*packed(codec, data), u64::MAX).unwrap(), data);
            }
        }
    }

    #[test]
    fn streams_say_how_much_comes_out() {
        let data = sample();
        for &codec in Codec::ALL {
            let mut out = Vec::new();
            let mut encoder = crate::Encoder::new(codec, 1, &mut out).with_size(data.len() as u64);
            encoder.write_all(&data).unwrap();
            encoder.finish().unwrap();
            let says = content_len(codec, &out);
            assert!(says.is_none_or(|len| len == data.len() as u64), "{codec:?}");
            let knows = ["gzip", "lz4", "zstd"].contains(&codec.as_str());
            assert!(says.is_some() || !knows, "{codec:?}");
            assert_eq!(content_len(codec, b""), None);
        }
        // As those write it who know it beforehand.
        #[cfg(feature = "lz4")]
        {
            let lz4 = b"\x04\x22\x4d\x18\x68\x40\x05\x01\0\0\0\0\0\0";
            assert_eq!(content_len(Codec::Lz4, lz4), Some(261));
            assert_eq!(content_len(Codec::Lz4, &lz4[..13]), None);
        }
    }

    #[test]
    fn a_size_that_is_said_wrongly_is_an_error() {
        let data = sample();
        for &codec in Codec::ALL {
            if !["lz4", "zstd"].contains(&codec.as_str()) {
                continue;
            }
            for size in [0, data.len() as u64 - 1, data.len() as u64 + 1] {
                let mut encoder = crate::Encoder::new(codec, 1, Vec::new()).with_size(size);
                let written = encoder.write_all(&data);
                assert!(written.and_then(|()| encoder.finish()).is_err(), "{codec:?} {size}");
            }
        }
    }

    #[test]
    fn truncated_anywhere_is_reported() {
        for &codec in Codec::ALL {
            let bytes = packed(codec, b"hello hello hello, this is a stream");
            for end in 0..bytes.len() {
                let error = decompress(codec, &bytes[..end], u64::MAX).unwrap_err();
                assert_eq!(code(&error), Code::CodecTruncated, "{codec:?} {end}");
            }
        }
    }

    #[test]
    fn bytes_left_over_are_reported() {
        for &codec in Codec::ALL {
            let mut bytes = packed(codec, b"hello");
            bytes.push(7);
            assert_eq!(
                code(&decompress(codec, &*bytes, u64::MAX).unwrap_err()),
                Code::CodecTrailing
            );
        }
        let mut bytes = packed(Codec::Gzip, b"hello");
        bytes.extend([0; 9]);
        assert_eq!(decompress(Codec::Gzip, &*bytes, u64::MAX).unwrap(), b"hello");
    }

    #[test]
    fn members_and_frames_are_joined() {
        for &codec in Codec::ALL.iter().filter(|codec| codec.repeats()) {
            let mut bytes = packed(codec, b"one ");
            bytes.extend(packed(codec, b""));
            let cut = bytes.len();
            bytes.extend(packed(codec, b"two"));
            assert_eq!(decompress(codec, &*bytes, u64::MAX).unwrap(), b"one two");
            for end in cut + 1..bytes.len() {
                let error = decompress(codec, &bytes[..end], u64::MAX).unwrap_err();
                assert_eq!(code(&error), Code::CodecTruncated, "{codec:?} {end}");
            }
        }
    }

    #[test]
    #[cfg(all(feature = "lz4", feature = "zstd"))]
    fn skippable_frames_are_skipped() {
        for codec in [Codec::Lz4, Codec::Zstd] {
            let skip = b"\x5d\x2a\x4d\x18\x03\0\0\0abc";
            let bytes = [&skip[..], &packed(codec, b"one"), skip, &packed(codec, b" two")].concat();
            assert_eq!(decompress(codec, &*bytes, u64::MAX).unwrap(), b"one two");
            for end in 1..skip.len() {
                let error = decompress(codec, &skip[..end], u64::MAX).unwrap_err();
                assert_eq!(code(&error), Code::CodecTruncated, "{codec:?} {end}");
            }
        }
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn memory_for_zstd_is_limited() {
        // A frame that claims a window of 256 MiB, and holds one raw block of one byte.
        let bytes = b"\x28\xb5\x2f\xfd\x00\x90\x09\x00\x00x";
        let error = decompress(Codec::Zstd, &bytes[..], u64::MAX).unwrap_err();
        assert_eq!(code(&error), Code::CodecTooLarge);
        let bytes = b"\x28\xb5\x2f\xfd\x00\x88\x09\x00\x00x";
        assert_eq!(decompress(Codec::Zstd, &bytes[..], u64::MAX).unwrap(), b"x");
        // And one that names a dictionary.
        let bytes = b"\x28\xb5\x2f\xfd\x01\x00\x05\x09\x00\x00x";
        let error = decompress(Codec::Zstd, &bytes[..], u64::MAX).unwrap_err();
        assert_eq!(code(&error), Code::CodecUnsupported);
    }

    #[test]
    fn a_flipped_bit_is_reported_by_those_with_a_checksum() {
        let data = b"hello hello hello, this is a stream";
        for &codec in Codec::ALL.iter().filter(|&&codec| codec != Codec::Deflate) {
            let bytes = packed(codec, data);
            // Not the gzip header, whose fields (time, system) carry no data.
            let start = if codec == Codec::Gzip { 10 } else { 0 };
            for bit in start * 8..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                // Bits that only fill deflate's last byte hold nothing.
                let same = |out: Vec<u8>| out == data;
                assert!(decompress(codec, &*bad, 1 << 20).map_or(true, same), "{codec:?} {bit}");
            }
        }
    }

    #[test]
    fn bombs_stop_at_the_cap() {
        let bytes = packed(Codec::Zlib, &vec![0; 10 << 20]);
        let error = decompress(Codec::Zlib, &*bytes, 1 << 20).unwrap_err();
        assert_eq!(code(&error), Code::CodecTooLarge);
    }
}
