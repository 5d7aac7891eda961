//! Decompressing.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};
use ndbytes_format::{Code, FormatError};

use crate::Codec;

/// Decompresses what it reads from a source.
///
/// It ends only where the stream says so: a source that ends earlier is an error that holds a
/// [`FormatError`] with [`Code::CodecTruncated`], damage one with [`Code::CodecCorrupt`]. Offsets
/// count compressed bytes.
pub struct Decoder<R> {
    source: R,
    codec: Codec,
    inflate: Decompress,
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
    /// A gzip member has ended; another may follow.
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
            inflate: new_inflate(codec),
            buffer: vec![0; 1 << 16].into(),
            start: 0,
            end: 0,
            consumed: 0,
            state: State::Inside,
        }
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
                let message = format!("bytes follow the end of the {} stream", self.codec.as_str());
                return Err(invalid(FormatError::new(Code::CodecTrailing, message).at(at)));
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
                if input.first() != Some(&0x1f) {
                    self.state = State::Done;
                    continue;
                }
                self.inflate = new_inflate(self.codec);
                self.state = State::Inside;
            }
            let ended = input.is_empty();
            let (before_in, before_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status =
                self.inflate.decompress(input, out, FlushDecompress::None).map_err(|_| {
                    let message = format!("the {} stream is damaged", self.codec.as_str());
                    invalid(FormatError::new(Code::CodecCorrupt, message).at(self.consumed))
                })?;
            let taken = (self.inflate.total_in() - before_in) as usize;
            let given = (self.inflate.total_out() - before_out) as usize;
            self.start += taken;
            self.consumed += taken as u64;
            if status == Status::StreamEnd {
                self.state = if self.codec == Codec::Gzip { State::Between } else { State::Done };
            } else if ended && given == 0 {
                let message = format!("the {} stream ends early", self.codec.as_str());
                return Err(invalid(
                    FormatError::new(Code::CodecTruncated, message).at(self.consumed),
                ));
            }
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
            let message = format!(
                "more than {max_bytes} bytes come out; raise `max_bytes` if you trust the source"
            );
            return Err(invalid(
                FormatError::new(Code::CodecTooLarge, message).at(decoder.consumed),
            ));
        }
        out.try_reserve(n)?;
        out.extend_from_slice(&buffer[..n]);
    }
    decoder.expect_end()?;
    Ok(out)
}

fn new_inflate(codec: Codec) -> Decompress {
    match codec {
        Codec::Deflate => Decompress::new(false),
        Codec::Gzip => Decompress::new_gzip(15),
        Codec::Zlib => Decompress::new(true),
    }
}

fn invalid(error: FormatError) -> io::Error {
    let kind = match error.code() {
        Code::CodecTruncated => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

#[cfg(test)]
mod tests {
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
    fn gzip_members_are_joined() {
        let mut bytes = packed(Codec::Gzip, b"one ");
        bytes.extend(packed(Codec::Gzip, b"two"));
        assert_eq!(decompress(Codec::Gzip, &*bytes, u64::MAX).unwrap(), b"one two");
        bytes.pop();
        assert_eq!(
            code(&decompress(Codec::Gzip, &*bytes, u64::MAX).unwrap_err()),
            Code::CodecTruncated
        );
    }

    #[test]
    fn a_flipped_bit_is_reported_by_those_with_a_checksum() {
        let data = b"hello hello hello, this is a stream";
        for codec in [Codec::Gzip, Codec::Zlib] {
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
