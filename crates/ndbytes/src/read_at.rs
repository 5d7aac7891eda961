//! Reading by position: no shared offset, so that threads and forks may share a source.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use ndbytes_mem::fill_parts;

use crate::error::{Error, Result};
use crate::progress::{Meter, Progress};

/// A source that is read by position.
pub trait ReadAt {
    /// Reads up to `buffer.len()` bytes from `offset`; 0 at the end.
    ///
    /// # Errors
    /// What the source said.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// How many bytes there are.
    ///
    /// # Errors
    /// What the source said.
    fn size(&self) -> io::Result<u64>;

    /// Whether to read here and there costs no more than to read on, so that several threads may.
    fn is_random(&self) -> bool {
        true
    }

    /// All of its bytes, of a source that is memory: they need not be read to be looked at.
    fn in_memory(&self) -> Option<&[u8]> {
        None
    }
}

/// A part of a source, as a reader.
#[derive(Debug)]
pub struct Section<'a, R: ?Sized> {
    source: &'a R,
    at: u64,
    end: u64,
}

impl<'a, R: ReadAt + ?Sized> Section<'a, R> {
    /// `len` bytes from `start`.
    pub fn new(source: &'a R, start: u64, len: u64) -> Self {
        Self { source, at: start, end: start.saturating_add(len) }
    }

    /// The source, and where the next byte is in it.
    pub(crate) fn position(&self) -> (&'a R, u64) {
        (self.source, self.at)
    }
}

impl<R: ReadAt + ?Sized> Read for Section<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = (self.end - self.at).min(buffer.len() as u64) as usize;
        let n = self.source.read_at(&mut buffer[..len], self.at)?.min(len);
        self.at += n as u64;
        Ok(n)
    }
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest =
            usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or_default();
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl ReadAt for Vec<u8> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.as_slice().read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn in_memory(&self) -> Option<&[u8]> {
        Some(self)
    }
}

impl<R: ReadAt + ?Sized> ReadAt for &R {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn is_random(&self) -> bool {
        (**self).is_random()
    }

    fn in_memory(&self) -> Option<&[u8]> {
        (**self).in_memory()
    }
}

impl<R: ReadAt + ?Sized> ReadAt for Arc<R> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (**self).read_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        (**self).size()
    }

    fn is_random(&self) -> bool {
        (**self).is_random()
    }

    fn in_memory(&self) -> Option<&[u8]> {
        (**self).in_memory()
    }
}

/// Reads until `buffer` is full or the source ends, and returns how much there was from the start
/// without a gap. Large reads are shared by threads, which also share the faults of fresh memory.
///
/// # Errors
/// What the source said.
pub fn read_full_at(
    source: &(impl ReadAt + Sync + ?Sized),
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    Ok(read_measured_at(source, buffer, offset, &Meter::unheard())?)
}

/// As [`read_full_at`], and tells how far it is.
///
/// # Errors
/// As [`read_full_at`], and what [`Progress`] said.
pub fn read_full_at_with(
    source: &(impl ReadAt + Sync + ?Sized),
    buffer: &mut [u8],
    offset: u64,
    progress: &Progress,
) -> Result<usize> {
    let meter = Meter::new(progress, buffer.len() as u64);
    let read = read_measured_at(source, buffer, offset, &meter);
    meter.end(read)
}

/// As [`read_full_at`], measured.
pub(crate) fn read_measured_at(
    source: &(impl ReadAt + Sync + ?Sized),
    buffer: &mut [u8],
    offset: u64,
    meter: &Meter,
) -> Result<usize> {
    let piece = meter.piece(buffer.len()).max(1);
    let read = |part: &mut [u8], at: usize| {
        let mut have = 0;
        for piece in part.chunks_mut(piece) {
            meter.go_on()?;
            let got = read_part_at(source, piece, offset + (at + have) as u64)?;
            have += got;
            if got < piece.len() {
                break;
            }
            meter.add(got)?;
        }
        Ok::<_, Error>(have)
    };
    let mut total = 0;
    for (len, got) in share_out(buffer, meter, &read) {
        let got = got?;
        total += got;
        if got < len {
            break;
        }
    }
    Ok(total)
}

/// Calls `fill` with parts of the buffer and where they begin, on as many threads as pay; see
/// [`fill_parts`].
pub(crate) fn share_out<T: Send>(
    buffer: &mut [u8],
    meter: &Meter,
    fill: &(impl Fn(&mut [u8], usize) -> T + Sync),
) -> Vec<(usize, T)> {
    let len = buffer.len();
    let threads = crate::array::threads().min(len / BYTES_PER_THREAD).max(1);
    // Whole huge pages, so that two threads do not fault the same one.
    let mut share = len.div_ceil(threads).next_multiple_of(2 << 20);
    if meter.is_heard() {
        // Who tells must not wait long for the others.
        share = share.min(2 * meter.piece(len).max(1));
    }
    fill_parts(buffer, share, threads, fill)
}

/// As [`read_full_at`], on this thread.
pub(crate) fn read_part_at(
    source: &(impl ReadAt + ?Sized),
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut have = 0;
    while have < buffer.len() {
        match source.read_at(&mut buffer[have..], offset + have as u64) {
            Ok(0) => break,
            Ok(n) if n > buffer.len() - have => {
                let message = "the source claims more bytes than there was room for";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

/// Below this a thread costs more than it brings.
const BYTES_PER_THREAD: usize = 4 << 20;
