//! The bytes of one member.

use std::io::{self, Read};

use ndbytes_codec::Decoder;
use ndbytes_format::zip::{Entry, Method};
use ndbytes_format::{Code, FormatError};

use crate::error::{Error, Result};
use crate::npz::blocks::Blocks;
use crate::npz::elements::MemberElements;
use crate::npz::foreign::Foreign;
use crate::progress::Meter;
use crate::read_at::{ReadAt, Section, read_part_at, share_out};

/// The bytes of one member, uncompressed. [`Member::finish`] checks length and CRC.
pub struct Member<'a, R> {
    source: &'a R,
    entry: &'a Entry,
    /// Its first byte in the source.
    start: u64,
    data: Data<'a, R>,
    crc: crc32fast::Hasher,
    left: u64,
}

pub(super) enum Data<'a, R> {
    Stored(Section<'a, R>),
    /// Deflate and Zstandard.
    Packed(Box<Decoder<Section<'a, R>>>),
    /// All of it was read, and nothing follows.
    Nothing,
}

impl<'a, R: ReadAt> Member<'a, R> {
    pub(super) fn new(source: &'a R, entry: &'a Entry, start: u64, data: Data<'a, R>) -> Self {
        let (crc, left) = (crc32fast::Hasher::new(), entry.uncompressed);
        Self { source, entry, start, data, crc, left }
    }

    /// Whether several threads can read it, with nothing to do for it that one would not.
    pub(super) fn splits(&self) -> bool {
        self.entry.method == Method::Stored || self.blocks().is_some()
    }

    /// Whether others can enter its stream ahead of one.
    pub(super) fn is_entered(&self) -> bool {
        self.entry.method == Method::Deflate
    }

    pub(super) fn source(&self) -> &'a R {
        self.source
    }

    pub(super) fn name(&self) -> &'a str {
        &self.entry.name
    }

    /// Bytes not read yet.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Where the blocks of its stream are, if it can be entered there.
    pub(super) fn blocks(&self) -> Option<Blocks<'a, R>> {
        let index = self.entry.blocks.as_ref()?;
        let read = self.entry.uncompressed - self.left;
        Blocks::new(self.source, index, self.start, usize::try_from(read).ok()?)
    }

    #[cold]
    fn ends_early(&self) -> io::Error {
        let message =
            format!("the member ends {} bytes before the size in the directory", self.left);
        io::Error::new(io::ErrorKind::UnexpectedEof, FormatError::new(Code::DataTruncated, message))
    }

    /// Checks that all bytes were read and that their CRC is right.
    ///
    /// # Errors
    /// [`Code::DataTrailing`], [`Code::ZipCrc`].
    pub fn finish(&mut self) -> Result<()> {
        if self.left > 0 {
            return Err(Error::new(
                Code::DataTrailing,
                format!("{} bytes were not read", self.left),
            ));
        }
        if let Data::Packed(decoder) = &mut self.data {
            // The stream must end where its size says.
            if decoder.read(&mut [0])? != 0 {
                return Err(longer());
            }
            decoder.expect_end()?;
        }
        wrong_crc(&self.crc, self.entry)
    }

    /// What the directory says of it, its first byte in the source, and the sum of what was read.
    pub(super) fn facts(&self) -> (&'a Entry, u64, crc32fast::Hasher) {
        (self.entry, self.start, self.crc.clone())
    }
}

impl<R: ReadAt + Clone + Sync> Member<'_, R> {
    /// The elements of its array by position, when its header was read
    /// ([`NpzReader::array_member`](super::NpzReader::array_member)) and no more.
    ///
    /// # Errors
    /// [`Code::Io`] on systems where it has more bytes than can be counted.
    pub fn elements(&self) -> Result<MemberElements<R>> {
        MemberElements::new(self, self.source.clone())
    }
}

impl<R: ReadAt + Sync> Member<'_, R> {
    /// Reads all that is left, which must fill `out`.
    pub(super) fn read_rest(&mut self, out: &mut [u8], meter: &Meter) -> Result<()> {
        if out.len() as u64 != self.left {
            return Ok(self.read_exact(out)?);
        }
        match &self.data {
            Data::Stored(section) => {
                let place = section.position();
                self.read_stored(place, out, meter)
            }
            Data::Packed(_) if self.entry.method == Method::Deflate => match self.blocks() {
                Some(blocks) => {
                    self.crc.combine(&blocks.read(0, out, meter)?);
                    (self.data, self.left) = (Data::Nothing, 0);
                    Ok(())
                }
                None => self.inflate(out, meter),
            },
            _ => out.chunks_mut(PIECE).try_for_each(|piece| {
                self.read_exact(piece)?;
                meter.add(piece.len())
            }),
        }
    }

    fn read_stored(
        &mut self,
        (source, start): (&R, u64),
        out: &mut [u8],
        meter: &Meter,
    ) -> Result<()> {
        let fill = |part: &mut [u8], at: usize| {
            let (mut crc, mut have) = (crc32fast::Hasher::new(), 0);
            // Pieces, so that bytes are still in the cache when they are used the second time.
            for piece in part.chunks_mut(PIECE) {
                meter.go_on()?;
                let got = read_part_at(source, piece, start + (at + have) as u64)?;
                crc.update(&piece[..got]);
                have += got;
                if got < piece.len() {
                    break;
                }
                meter.add(got)?;
            }
            Ok::<_, Error>((crc, have))
        };
        for (len, filled) in share_out(out, meter, &fill) {
            let (crc, have) = filled?;
            self.crc.combine(&crc);
            self.left -= have as u64;
            if have < len {
                return Err(self.ends_early().into());
            }
        }
        Ok(())
    }

    /// Inflates it again from its start, now that there is room for all of it.
    fn inflate(&mut self, out: &mut [u8], meter: &Meter) -> Result<()> {
        let read = usize::try_from(self.entry.uncompressed - self.left).unwrap_or(usize::MAX);
        let stream = Foreign { source: self.source, start: self.start, entry: self.entry };
        let (have, crc, inflated) = stream.inflate(read, std::mem::take(&mut self.crc), out, meter);
        self.crc = crc;
        self.left -= have as u64;
        inflated?;
        if self.left > 0 {
            return Err(self.ends_early().into());
        }
        self.data = Data::Nothing;
        Ok(())
    }
}

impl<R: ReadAt> Read for Member<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.left.min(buffer.len().min(PIECE) as u64) as usize;
        if len == 0 {
            return Ok(0);
        }
        let buffer = &mut buffer[..len];
        let n = match &mut self.data {
            Data::Stored(section) => section.read(buffer)?,
            Data::Packed(decoder) => decoder.read(buffer)?,
            Data::Nothing => 0,
        };
        if n == 0 {
            return Err(self.ends_early());
        }
        self.crc.update(&buffer[..n]);
        self.left -= n as u64;
        Ok(n)
    }
}

/// Says so where a sum is not that of the directory.
pub(super) fn wrong_crc(crc: &crc32fast::Hasher, entry: &Entry) -> Result<()> {
    let (crc, expected) = (crc.clone().finalize(), entry.crc32);
    if crc == expected {
        return Ok(());
    }
    let message =
        format!("CRC-32 is {crc:08x}, the directory says {expected:08x}: the bytes are damaged");
    Err(Error::new(Code::ZipCrc, message))
}

#[cold]
pub(super) fn longer() -> Error {
    Error::new(Code::ZipRecord, "the member is longer than the directory says")
}

/// Small enough that the CRC finds the bytes in the cache.
pub(super) const PIECE: usize = 1 << 18;
