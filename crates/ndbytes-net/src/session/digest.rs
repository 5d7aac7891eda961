//! Digests of files while they are read and written.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use ndbytes::Result;
use ring::digest::{Context, SHA256};

/// The SHA-256 of what a file begins with, which may go on.
#[derive(Clone)]
pub(super) struct Digest(Context);

impl Digest {
    pub(super) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest so far.
    pub(super) fn value(&self) -> [u8; 32] {
        let mut value = [0; 32];
        value.copy_from_slice(self.0.clone().finish().as_ref());
        value
    }

    /// The digest of the next `len` bytes of a file, and whether there are so many. Says now and then
    /// that it is at it.
    pub(super) fn of(
        file: &mut File,
        len: u64,
        busy: &mut dyn FnMut() -> Result<()>,
    ) -> Result<(Self, bool)> {
        let (mut digest, mut left) = (Self::new(), len);
        let mut buffer = vec![0; PIECE];
        let mut said = Instant::now();
        while left > 0 {
            let most = left.min(PIECE as u64) as usize;
            let n = match file.read(&mut buffer[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            if n == 0 {
                return Ok((digest, false));
            }
            digest.update(&buffer[..n]);
            left -= n as u64;
            if said.elapsed() >= OFTEN {
                busy()?;
                said = Instant::now();
            }
        }
        Ok((digest, true))
    }
}

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;
/// How often the other side hears that something is done.
const OFTEN: Duration = Duration::from_secs(3);
