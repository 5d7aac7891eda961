//! Writing a file whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ndbytes_format::Code;

use crate::error::{Error, Result};
use crate::temporary::{Temporary, Unnamed, folder_of, unnamed};

/// How files are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaveOptions {
    /// Wait until file and folder are on the disk, so that a power failure cannot undo it.
    pub durable: bool,
}

/// A new file that takes its name only when it is complete.
///
/// It is written beside its target, on Linux without a name where the file system has such files,
/// otherwise under a temporary one; [`AtomicFile::commit`] gives it its own. What is not committed is
/// removed; of a file without a name nothing is left even by a process that is killed. A target that
/// is no regular file (a pipe, `/dev/stdout`) is written in place.
#[derive(Debug)]
pub struct AtomicFile {
    file: Option<File>,
    target: PathBuf,
    /// None where the target is written in place.
    temporary: Option<Temporary>,
    options: SaveOptions,
    reserved: u64,
}

impl SaveOptions {
    /// The same options with this durability.
    #[must_use]
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }
}

impl AtomicFile {
    /// Begins to write `path`. Symbolic links are followed: what they point to is replaced.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn create(path: &Path, options: &SaveOptions) -> Result<Self> {
        Self::create_at(path, options, unnamed).map_err(|error| error.with_path(path))
    }

    fn create_at(path: &Path, options: &SaveOptions, unnamed: Unnamed) -> Result<Self> {
        let old = match fs::metadata(path) {
            Ok(meta) => Some(meta),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let in_place = |file| Self {
            file: Some(file),
            target: path.to_owned(),
            temporary: None,
            options: *options,
            reserved: 0,
        };
        if let Some(meta) = &old
            && !meta.is_file()
        {
            // A folder gives the right error here, a device or pipe is written to.
            return Ok(in_place(OpenOptions::new().write(true).open(path)?));
        }
        let Some(target) = resolve(path)? else {
            // An open file of some process, under a name that is not its own. Our standard output
            // is shared with all that it writes otherwise: so is the place in the file.
            let file = match is_stdout(path) {
                true => stdout()?,
                false => OpenOptions::new().append(true).open(path)?,
            };
            return Ok(in_place(file));
        };
        if old.is_some() {
            // What may not be written is not replaced either, although the folder allows it.
            OpenOptions::new().write(true).open(&target)?;
        }
        if target.file_name().is_none() {
            return Err(Error::new(Code::Argument, "the path names no file"));
        }
        let (file, temporary) = Temporary::create(&target, old.as_ref(), unnamed)?;
        Ok(Self {
            file: Some(file),
            target,
            temporary: Some(temporary),
            options: *options,
            reserved: 0,
        })
    }

    /// Writes `path` by `body` and commits it if that went well.
    ///
    /// # Errors
    /// What `body` or the operating system said.
    pub fn write(
        path: &Path,
        options: &SaveOptions,
        body: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let mut file = Self::create(path, options)?;
        body(&mut file).and_then(|()| file.commit()).map_err(|error| error.with_path(path))
    }

    /// Whether the target is a regular file, which is replaced as a whole.
    pub fn is_regular(&self) -> bool {
        self.temporary.is_some()
    }

    /// The temporary file: what a program that a signal ends should remove. There is none where
    /// the target is written in place, or the file has no name yet.
    pub fn temporary(&self) -> Option<&Path> {
        match &self.temporary {
            Some(Temporary::Named(path)) => Some(path),
            Some(Temporary::Unnamed { .. }) | None => None,
        }
    }

    /// Takes the room for a file of this length now: a full disk is noticed before anything is
    /// written, and the file system has no allocation to make up for when the file is renamed.
    /// It may be too long: what is not written to is given back. Small files, other targets and
    /// file systems that cannot do it are left alone.
    ///
    /// # Errors
    /// What the operating system said of the room.
    pub fn reserve(&mut self, len: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if len >= RESERVE_FROM && self.is_regular() {
            use rustix::io::Errno;
            let flags = rustix::fs::FallocateFlags::KEEP_SIZE;
            self.reserved = len;
            return match rustix::fs::fallocate(self.file()?, flags, 0, len) {
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) | Ok(()) => {
                    Ok(())
                }
                Err(error) => Err(error.into()),
            };
        }
        let _ = len;
        Ok(())
    }

    /// Has the system write to the disk what was written until now, if the file is to be durable: to commit it
    /// then takes no long time.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn synchronize(&mut self) -> Result<()> {
        if self.options.durable && self.is_regular() {
            self.file()?.sync_data()?;
        }
        Ok(())
    }

    /// Closes the file and gives it its name. Errors of flushing and closing are reported, and
    /// the old file is then still there.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn commit(mut self) -> Result<()> {
        let Some(file) = self.file.take() else {
            return Err(Error::new(Code::Argument, "the file was committed before"));
        };
        if self.reserved > 0 {
            let len = file.metadata()?.len();
            if len < self.reserved {
                file.set_len(len)?;
            }
        }
        if self.options.durable && self.is_regular() {
            file.sync_all()?;
        }
        let Some(temporary) = self.temporary.take() else {
            return Ok(ndbytes_mem::close(file)?);
        };
        temporary.finish(file, &self.target)?;
        if self.options.durable {
            sync_folder(&self.target)?;
        }
        Ok(())
    }

    /// The open file.
    ///
    /// # Errors
    /// When it was committed before.
    pub fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotConnected, "the file was committed before")
        })
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.file()?.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

/// What the path's symbolic links point to, which need not exist; none where they lead through
/// the kernel's links to open files (`/dev/stdout`, `/proc/self/fd/3`), whose text is no path.
fn resolve(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut target = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&target) {
            Ok(_) if cfg!(unix) && in_proc(&target) => return Ok(None),
            Ok(next) => target = target.parent().unwrap_or(Path::new("")).join(next),
            // No link (or nothing there yet).
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                return Ok(Some(target));
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(unix)]
fn stdout() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

#[cfg(not(unix))]
fn stdout() -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

fn is_stdout(path: &Path) -> bool {
    ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

fn in_proc(link: &Path) -> bool {
    link.parent()
        .and_then(|folder| fs::canonicalize(folder).ok())
        .is_some_and(|folder| folder.starts_with("/proc"))
}

#[cfg(unix)]
pub(crate) fn sync_folder(target: &Path) -> io::Result<()> {
    File::open(folder_of(target))?.sync_all()
}

#[cfg(not(unix))]
pub(crate) fn sync_folder(_target: &Path) -> io::Result<()> {
    Ok(())
}

/// Below this the system call costs more than it saves.
#[cfg(target_os = "linux")]
const RESERVE_FROM: u64 = 1 << 20;
/// Linux's own limit.
const MAX_LINKS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn failed_write_keeps_the_old_file_and_leaves_nothing() {
        let folder = folder();
        let path = folder.path().join("a.npy");
        fs::write(&path, b"old").unwrap();
        let error = AtomicFile::write(&path, &SaveOptions::default(), |file| {
            file.write_all(b"half")?;
            Err(Error::new(Code::Argument, "no"))
        })
        .unwrap_err();
        assert_eq!(error.path(), Some(&*path));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.npy"]);
    }

    #[test]
    fn a_temporary_name_is_beside_the_target() {
        let folder = folder();
        let path = folder.path().join("a.npy");
        let create = || AtomicFile::create_at(&path, &SaveOptions::default(), |_, _| None).unwrap();
        let mut file = create();
        let temporary = file.temporary().unwrap().to_owned();
        assert_eq!(temporary.parent(), Some(folder.path()));
        assert!(temporary.is_file());
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(names(folder.path()), ["a.npy"]);
        drop(create());
        assert_eq!(names(folder.path()), ["a.npy"]);
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_file_without_a_name_is_not_there_until_it_is_complete() {
        let folder = folder();
        if unnamed(folder.path(), 0o600).is_none() {
            return;
        }
        let (path, other) = (folder.path().join("a.npy"), folder.path().join("b.npy"));
        let create = |path| AtomicFile::create(path, &SaveOptions::default()).unwrap();
        for old in [&[][..], &["a.npy"]] {
            let mut file = create(&path);
            file.write_all(b"new").unwrap();
            assert!(file.is_regular() && file.temporary().is_none());
            assert_eq!(names(folder.path()), old);
            drop(file);
            let mut file = create(&path);
            file.write_all(b"newer").unwrap();
            file.commit().unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"newer");
            assert_eq!(names(folder.path()), ["a.npy"]);
        }
        // Somebody else was faster.
        let mut file = create(&other);
        file.write_all(b"last").unwrap();
        fs::write(&other, b"first").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"last");
        assert_eq!(names(folder.path()), ["a.npy", "b.npy"]);
    }

    #[test]
    fn complete_write_replaces_it() {
        let folder = folder();
        let path = folder.path().join("a.npy");
        for durable in [false, true] {
            let options = SaveOptions::default().with_durable(durable);
            AtomicFile::write(&path, &options, |file| Ok(file.write_all(b"new")?)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), b"new");
        }
        assert_eq!(names(folder.path()), ["a.npy"]);
    }

    #[cfg(unix)]
    #[test]
    fn modes_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = folder();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a", &link).unwrap();
        AtomicFile::write(&link, &SaveOptions::default(), |file| Ok(file.write_all(b"new")?))
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let dangling = folder.path().join("dangling");
        symlink("b", &dangling).unwrap();
        AtomicFile::write(&dangling, &SaveOptions::default(), |file| Ok(file.write_all(b"x")?))
            .unwrap();
        assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"x");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_open_file_without_a_name_is_written_in_place() {
        use std::os::fd::AsRawFd;
        let mut file = tempfile::tempfile().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        for _ in 0..2 {
            AtomicFile::write(&path, &SaveOptions::default(), |out| Ok(out.write_all(b"ab")?))
                .unwrap();
        }
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        assert_eq!(bytes, b"abab");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error() {
        let error = AtomicFile::write(Path::new("/dev/full"), &SaveOptions::default(), |file| {
            Ok(file.write_all(b"x")?)
        })
        .unwrap_err();
        assert_eq!(error.io().and_then(io::Error::raw_os_error), Some(28));
    }

    #[test]
    fn missing_folder_is_not_found() {
        let error = AtomicFile::create(Path::new("/nonexistent/a.npy"), &SaveOptions::default())
            .unwrap_err();
        assert_eq!(error.io().map(io::Error::kind), Some(io::ErrorKind::NotFound));
        #[cfg(unix)]
        assert_eq!(error.io().and_then(io::Error::raw_os_error), Some(2));
    }
}
