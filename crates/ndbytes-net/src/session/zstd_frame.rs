//! One Zstandard frame of a stream, and not a byte more: RFC 8878, section 3.1.1.

use std::io::{self, Read};

use ndbytes::{Code, Error};

/// The first bytes of a Zstandard frame.
pub(super) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Gives the bytes of one frame, which it finds the end of by the lengths of its blocks.
pub(super) struct ZstdFrame<R> {
    source: R,
    /// What has been looked at and was not given on yet.
    held: Vec<u8>,
    given: usize,
    /// Bytes of the block that are to come.
    left: usize,
    checksum: bool,
    next: Next,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Header,
    Block,
    End,
}

impl<R: Read> ZstdFrame<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, held: Vec::new(), given: 0, left: 0, checksum: false, next: Next::Header }
    }

    /// Looks at what says how much comes next.
    fn advance(&mut self) -> io::Result<()> {
        self.held.clear();
        self.given = 0;
        match self.next {
            Next::End => {}
            Next::Header => {
                self.take(5)?;
                let descriptor = self.held[4];
                let single = descriptor & 0x20 != 0;
                self.checksum = descriptor & 0x04 != 0;
                let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
                let size = match descriptor >> 6 {
                    0 => usize::from(single),
                    size => 1 << size,
                };
                self.take(usize::from(!single) + dictionary + size)?;
                self.next = Next::Block;
            }
            Next::Block => {
                self.take(3)?;
                let block = u32::from_le_bytes([self.held[0], self.held[1], self.held[2], 0]);
                let size = (block >> 3) as usize;
                self.left = match block >> 1 & 3 {
                    0 | 2 => size,
                    1 => 1,
                    _ => {
                        let fault = Error::new(Code::CodecCorrupt, "a Zstandard block of no type");
                        return Err(fault.into());
                    }
                };
                if block & 1 == 1 {
                    self.left += if self.checksum { 4 } else { 0 };
                    self.next = Next::End;
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, len: usize) -> io::Result<()> {
        let start = self.held.len();
        self.held.resize(start + len, 0);
        self.source.read_exact(&mut self.held[start..]).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::new(Code::CodecTruncated, "the stream was cut within a Zstandard frame")
                    .into()
            }
            _ => error,
        })
    }
}

impl<R: Read> Read for ZstdFrame<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.given == self.held.len() && self.left == 0 {
            if self.next == Next::End {
                return Ok(0);
            }
            self.advance()?;
        }
        if self.given < self.held.len() {
            let n = buffer.len().min(self.held.len() - self.given);
            buffer[..n].copy_from_slice(&self.held[self.given..self.given + n]);
            self.given += n;
            return Ok(n);
        }
        let most = buffer.len().min(self.left);
        let n = self.source.read(&mut buffer[..most])?;
        self.left -= n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_frame_stays() {
        let data: Vec<u8> = (0..300_000_u32).map(|i| (i / 7 % 251) as u8).collect();
        for data in [&data[..], &data[..1], &[0; 200_000], b""] {
            let mut stream = Vec::new();
            let mut source = data;
            ndbytes_codec::compress(ndbytes::Codec::Zstd, 3, &mut source, &mut stream).unwrap();
            let len = stream.len();
            stream.extend(b"more");
            let mut source = &stream[..];
            let mut frame = Vec::new();
            ZstdFrame::new(&mut source).read_to_end(&mut frame).unwrap();
            assert_eq!(frame, stream[..len]);
            assert_eq!(source, b"more");
        }
    }
}
