//! Files in memory.
//!
//! All of these check the file's length first, so that a short file is an error and never grows,
//! and none of them ever shortens one.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};

/// A part of a file, read-only.
#[derive(Debug)]
pub struct Map(memmap2::Mmap);

/// A part of a file, writable: shared with the file or private to this process.
#[derive(Debug)]
pub struct MapMut(memmap2::MmapMut);

impl Map {
    /// Maps `len` bytes from `offset`, which need not be a multiple of the page size.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] when the file is shorter; what the system says otherwise.
    ///
    /// # Safety
    /// While the map lives, nobody shortens the file (reading beyond its end then kills the
    /// process by SIGBUS) and nobody writes to the mapped part (the bytes are behind a `&[u8]`).
    /// Neither can be checked here: the caller vouches for all who can write to the file.
    pub unsafe fn open(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        check(file, offset, len)?;
        // SAFETY: passed on to the caller.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(file) }?;
        Ok(Self(map))
    }
}

impl MapMut {
    /// Maps `len` bytes from `offset` for writing into the file.
    ///
    /// # Errors
    /// As [`Map::open`].
    ///
    /// # Safety
    /// As [`Map::open`].
    pub unsafe fn open(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        check(file, offset, len)?;
        // SAFETY: passed on to the caller.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map_mut(file) }?;
        Ok(Self(map))
    }

    /// Maps `len` bytes from `offset`; what is written stays in this process.
    ///
    /// # Errors
    /// As [`Map::open`].
    ///
    /// # Safety
    /// As [`Map::open`].
    pub unsafe fn open_private(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        check(file, offset, len)?;
        // SAFETY: passed on to the caller.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map_copy(file) }?;
        Ok(Self(map))
    }

    /// Writes changes to the disk and waits for it.
    ///
    /// # Errors
    /// What the operating system said: a full disk shows here.
    pub fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Deref for MapMut {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for MapMut {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

fn check(file: &File, offset: u64, len: usize) -> io::Result<()> {
    let size = file.metadata()?.len();
    if offset.checked_add(len as u64).is_none_or(|end| end > size) {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file has {size} bytes, the map needs {len} from {offset}"),
        ));
    }
    Ok(())
}
