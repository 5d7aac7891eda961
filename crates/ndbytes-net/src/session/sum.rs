//! Checksums of what passes, made while it is in the cache.

use std::io::{self, IoSlice, Read, Write};
use std::time::{Duration, Instant};

/// A reader or writer whose bytes are summed up.
pub(super) struct Summed<T> {
    pub(super) inner: T,
    /// The CRC-32C of what has passed; none where nobody asks.
    pub(super) sum: Option<u32>,
    /// Bytes that have passed.
    pub(super) passed: u64,
    /// How long the inner one took to write them.
    pub(super) spent: Duration,
}

impl<T> Summed<T> {
    pub(super) fn new(inner: T, wanted: bool) -> Self {
        Self { inner, sum: wanted.then_some(0), passed: 0, spent: Duration::ZERO }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.passed += bytes.len() as u64;
        if let Some(sum) = &mut self.sum {
            *sum = ndbytes_mem::crc32c_append(*sum, bytes);
        }
    }

    /// Bytes that may pass at once.
    fn most(&self) -> usize {
        if self.sum.is_some() { PIECE } else { usize::MAX }
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.most());
        let n = self.inner.read(&mut buffer[..most])?;
        self.add(&buffer[..n]);
        Ok(n)
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begin = Instant::now();
        let n = self.inner.write(&bytes[..bytes.len().min(self.most())])?;
        self.spent += begin.elapsed();
        self.add(&bytes[..n]);
        Ok(n)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if parts.iter().map(|part| part.len()).sum::<usize>() > self.most() {
            return parts
                .iter()
                .find(|part| !part.is_empty())
                .map_or(Ok(0), |part| self.write(part));
        }
        let begin = Instant::now();
        let n = self.inner.write_vectored(parts)?;
        self.spent += begin.elapsed();
        let mut left = n;
        for part in parts {
            let here = left.min(part.len());
            self.add(&part[..here]);
            left -= here;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes that stay in the cache between the system's copy and the sum.
const PIECE: usize = 1 << 19;
