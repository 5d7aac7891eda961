//! An open file that must stay as it is while it is read.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ndbytes::ReadAt;
use ring::digest::{SHA256, digest};

/// A regular file. Once it has changed, reading it fails: bytes of two versions are never mixed.
#[derive(Clone, Debug)]
pub(super) struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: File,
    stamp: Stamp,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Source {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let stamp = Stamp::of(&file)?;
        Ok(Self(Arc::new(Inner { file, stamp })))
    }

    /// What it was when it was opened.
    pub(super) fn stamp(&self) -> Stamp {
        self.0.stamp
    }

    /// Its bytes when it was opened.
    pub(super) fn len(&self) -> u64 {
        self.0.stamp.size
    }
}

impl ReadAt for Source {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = self.0.file.read_at(buffer, offset)?;
        if Stamp::of(&self.0.file)? != self.0.stamp {
            return Err(io::Error::other(CHANGED));
        }
        Ok(read)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.len())
    }
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        Ok(Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            size: stat.st_size as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        })
    }

    /// Another text for each version of each file, which says nothing of the file system.
    pub(super) fn tag(&self) -> String {
        let Self { device, inode, size, modified, changed } = self;
        let text = format!("{device} {inode} {size} {modified:?} {changed:?}");
        let digest = digest(&SHA256, text.as_bytes());
        digest.as_ref().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The time of the last change of its bytes.
    pub(super) fn modified(&self) -> SystemTime {
        let (seconds, nanoseconds) = self.modified;
        let since = Duration::new(seconds.max(0) as u64, nanoseconds.clamp(0, 999_999_999) as u32);
        UNIX_EPOCH + since
    }
}

/// What is said when a file changes.
pub(super) const CHANGED: &str = "the file changed while it was read";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn versions_are_not_mixed() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        let source = Source::new(file.try_clone().unwrap()).unwrap();
        let mut buffer = [0; 2];
        assert_eq!(source.read_at(&mut buffer, 1).unwrap(), 2);
        file.write_all(b"d").unwrap();
        assert!(source.read_at(&mut buffer, 1).is_err());
        let other = Source::new(file).unwrap();
        assert_ne!(other.stamp().tag(), source.stamp().tag());
        assert_eq!(other.len(), 4);
    }
}
