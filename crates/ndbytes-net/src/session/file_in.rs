//! A file comes: what there is of it from before is kept, and it takes its name when it is whole.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndbytes::{Code, Error, Progress, Result};
use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RenameFlags, flock, open, openat, renameat_with, statat,
    unlinkat,
};
use rustix::io::Errno;

use super::coming::{self, Coming, Key};
use super::digest::Digest;
use super::inbox::Inbox;
use super::inner::{Inner, lock};
use super::receive::unexpected;
use super::record::{PIECE_MAGIC, Record, parse_piece, piece_len};
use super::slot::Taken;

/// A file that a peer wants to send, and waits for leave to: it is stored, or the session ended.
pub struct IncomingFile<'a> {
    pub(super) link: &'a Arc<Inner>,
    pub(super) inbox: Taken<'a, Inbox>,
    pub(super) name: String,
    pub(super) size: u64,
}

/// What became of a file that came.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileStored {
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub size: u64,
    /// From where on they came: what was there before was the same.
    pub begin: u64,
}

impl IncomingFile<'_> {
    /// What it is to be called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Stores the file in a folder, under its name: whole, or not at all. What has come when the
    /// connection is cut is kept, in a hidden file, for another attempt to go on with.
    ///
    /// # Errors
    /// [`Code::Argument`] for a name that is none, or a file that is there already and another one,
    /// unless `overwrite`; [`Code::StreamChecksum`], [`Code::StreamCut`], [`Code::TooManyBytes`] beyond
    /// the session's limit, [`Code::Io`]. The peer is told, and the session has ended.
    pub fn store(
        mut self,
        folder: &Path,
        overwrite: bool,
        progress: &Progress,
    ) -> Result<FileStored> {
        let stored = self.take(folder, overwrite, progress);
        self.link.guard(stored.map_err(|error| self.link.as_cut(error)))
    }

    fn take(&mut self, folder: &Path, overwrite: bool, progress: &Progress) -> Result<FileStored> {
        let (name, size) = (self.name.clone(), self.size);
        check_name(&name)?;
        if size > self.link.options.limits.bytes {
            let most = self.link.options.limits.bytes;
            let message =
                format!("the file `{name}` has {size} bytes, more than the {most} allowed");
            return Err(Error::new(Code::TooManyBytes, message));
        }
        let path = folder.join(&name);
        let about = |error: io::Error| Error::from(error).with_path(&path);
        let place = Place::open(folder, &name).map_err(about)?;
        // One that is there and as long may be the same.
        let found = self.patiently(&place, || match place.existing()? {
            Some((file, len)) if len == size => Ok(Some((file, true))),
            Some(_) if !overwrite => Ok(None),
            _ => Ok(Some((place.part()?, false))),
        });
        let refused = || {
            let message = format!("there is a file `{name}` already, and it is another one");
            Err(Error::new(Code::Argument, message))
        };
        let Some((mut have, whole)) = found.map_err(about)? else { return refused() };
        let len = have.metadata().map_err(about)?.len();
        // What is longer is of another file.
        let len = if len > size { 0 } else { len };
        let link = self.link;
        let busy = &mut || link.say(&mut lock(&link.outbox), &Record::Other("busy".to_owned()));
        let (digest, _) = Digest::of(&mut have, len, busy)?;
        let found = rustix::fs::fstat(&have).map_err(|error| about(error.into()))?;
        // From now on it is the peer who is waited for.
        let _coming = Coming::begin((found.st_dev, found.st_ino), link, self.inbox.heard());
        let sha256 = digest.value();
        self.say(&Record::Have { size: len, sha256 })?;
        let begin = match self.link.answer(&mut self.inbox, size)? {
            Record::From(at) if at == 0 || at == len => at,
            other => return Err(unexpected(&format!("`{}`", other.kind()))),
        };
        if whole && begin == size {
            let done = self.link.answer(&mut self.inbox, size)?;
            if done != Record::Done(sha256) {
                return Err(unexpected(&format!("`{}`", done.kind())));
            }
            // Nobody knows who wrote it, and whether it was to last.
            have.sync_all().map_err(about)?;
            place.synchronize().map_err(about)?;
        } else {
            if whole && !overwrite {
                return refused();
            }
            let (mut part, digest) = match (whole, begin) {
                (true, _) => {
                    let part = self.patiently(&place, || place.part());
                    (part.map_err(about)?, Digest::new())
                }
                (false, 0) => (have, Digest::new()),
                (false, _) => (have, digest),
            };
            part.set_len(begin).map_err(about)?;
            part.seek(SeekFrom::Start(begin)).map_err(about)?;
            self.inbox.begin();
            self.fill(&mut part, digest, begin, progress, &about)?;
            self.inbox.pause();
            part.sync_all().map_err(about)?;
            match place.publish(overwrite) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return refused(),
                published => published.map_err(about)?,
            }
        }
        self.say(&Record::Stored)?;
        Ok(FileStored { path, size, begin })
    }

    /// Looks for the file, and waits while it comes by another connection.
    fn patiently<T>(
        &self,
        place: &Place<'_>,
        mut find: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let begin = Instant::now();
        let most = self.link.options.timeout.unwrap_or(PATIENCE);
        let mut told = begin;
        loop {
            match find() {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && begin.elapsed() < most => {}
                found => return found,
            }
            if let Ok(key) = place.key() {
                coming::displace(key);
            }
            // The peer waits for an answer meanwhile.
            if told.elapsed() > BUSY {
                self.say(&Record::Other("busy".to_owned())).map_err(io::Error::other)?;
                told = Instant::now();
            }
            std::thread::sleep(AGAIN);
        }
    }

    /// Takes pieces until the file is whole, and compares what the peer says of it.
    fn fill(
        &mut self,
        part: &mut File,
        mut digest: Digest,
        mut at: u64,
        progress: &Progress,
        about: &dyn Fn(io::Error) -> Error,
    ) -> Result<()> {
        progress.tell(at, self.size)?;
        let sha256 = loop {
            let Some(front) = self.inbox.front(&PIECE_MAGIC)? else {
                match self.link.note(&mut self.inbox)? {
                    Some(Record::Done(sha256)) => break sha256,
                    Some(other) => return Err(unexpected(&format!("`{}`", other.kind()))),
                    None => continue,
                }
            };
            let body = self.inbox.exactly(piece_len(&front)?)?;
            let (place, bytes) = parse_piece(&body)?;
            if place != at || bytes.is_empty() || bytes.len() as u64 > self.size - at {
                let message = format!(
                    "{} bytes for {place} of a file that has {at} of {}",
                    bytes.len(),
                    self.size
                );
                return Err(unexpected(&message));
            }
            digest.update(bytes);
            part.write_all(bytes).map_err(about)?;
            at += bytes.len() as u64;
            progress.tell(at, self.size)?;
        };
        if at < self.size || sha256 != digest.value() {
            // Nothing can go on from here.
            let _ = part.set_len(0);
            let message = format!("the file `{}` came as another one than was sent", self.name);
            return Err(Error::new(Code::StreamChecksum, message));
        }
        Ok(())
    }

    fn say(&self, record: &Record) -> Result<()> {
        self.link.say(&mut lock(&self.link.outbox), record)
    }
}

/// Where a file is to be: its folder, its name, and the name it has until it is whole.
struct Place<'a> {
    folder: OwnedFd,
    name: &'a str,
    part: String,
}

impl<'a> Place<'a> {
    fn open(folder: &Path, name: &'a str) -> io::Result<Self> {
        let folder = open(folder, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { folder, name, part: format!(".{name}.part") })
    }

    /// The file that has the name, and its length.
    fn existing(&self) -> io::Result<Option<(File, u64)>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = match openat(&self.folder, self.name, flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let found = file.metadata()?;
        match found.is_file() {
            true => Ok(Some((file, found.len()))),
            false => Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is no file")),
        }
    }

    /// What there is from before, for nobody else as long as it is open.
    fn part(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let file: File = openat(&self.folder, &*self.part, flags, mode)?.into();
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "its part is no file"));
        }
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let message = "the file is on its way by another connection";
                return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
            }
            Err(error) => return Err(error.into()),
        }
        // Who had it before may have given it its name meanwhile.
        let held = rustix::fs::fstat(&file)?;
        match self.key() {
            Ok(key) if key == (held.st_dev, held.st_ino) => Ok(file),
            _ => Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the file has just come by another connection",
            )),
        }
    }

    /// What there is of it now.
    fn key(&self) -> io::Result<Key> {
        let found = statat(&self.folder, &*self.part, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok((found.st_dev, found.st_ino))
    }

    /// Gives the part its name.
    fn publish(&self, overwrite: bool) -> io::Result<()> {
        let flags = if overwrite { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match renameat_with(&self.folder, &*self.part, &self.folder, self.name, flags) {
            Ok(()) => {}
            // File systems that cannot refuse: a second name can.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(
                    &self.folder,
                    &*self.part,
                    &self.folder,
                    self.name,
                    AtFlags::empty(),
                )?;
                unlinkat(&self.folder, &*self.part, AtFlags::empty())?;
            }
            Err(error) => return Err(error.into()),
        }
        self.synchronize()
    }

    fn synchronize(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.folder)?)
    }
}

/// Whether a file may be called so that somebody else names: in the folder, and not hidden.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let bad = name.is_empty()
        || name.len() > MAX_NAME
        || name.starts_with('.')
        || name.chars().any(|c| c == '/' || c.is_control());
    if bad {
        let message = format!("`{}` is no name that a file may have here", name.escape_debug());
        return Err(Error::new(Code::Argument, message));
    }
    Ok(())
}

/// Bytes of a name; file systems know 255, and some are ours.
const MAX_NAME: usize = 240;
/// How long a file that comes by another connection is waited for, where there is no other limit.
const PATIENCE: Duration = Duration::from_secs(60);
/// Shorter than a peer waits.
const BUSY: Duration = Duration::from_millis(500);
const AGAIN: Duration = Duration::from_millis(20);
