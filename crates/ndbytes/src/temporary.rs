//! Files that take a name when they are complete.
//!
//! On most of its local file systems, Linux has files without a name: however a process ends, nothing
//! is left of them. Such a file cannot take the name of another in one step, so that one that
//! replaces another has a temporary name for as long as a rename takes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek};
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tempfile::{NamedTempFile, TempPath};

/// What a file is called until it takes its name.
#[derive(Debug)]
pub(crate) enum Temporary {
    /// Nothing.
    Unnamed {
        /// Whether there was a file of the name that it shall take.
        replaces: bool,
    },
    Named(TempPath),
}

/// Makes a file without a name in a folder, with a mode; none where there is no such thing.
pub(crate) type Unnamed = fn(&Path, u32) -> Option<File>;

impl Temporary {
    /// A new file that is to take the name of this target, and the permissions of the old one.
    pub(crate) fn create(
        target: &Path,
        old: Option<&fs::Metadata>,
        unnamed: Unnamed,
    ) -> io::Result<(File, Self)> {
        // What the umask leaves of 0666, as for any file that `open` creates, or less: never more
        // than that of the file to be replaced.
        let mode = old.map_or(0o666, |old| mode_of(old) & 0o666);
        let (file, temporary) = match unnamed(folder_of(target), mode) {
            Some(file) => (file, Self::Unnamed { replaces: old.is_some() }),
            None => {
                let (file, path) = named(target, |path| create_new(path, mode))?.into_parts();
                (file, Self::Named(path))
            }
        };
        if let Some(old) = old {
            keep_permissions(&file, old)?;
        }
        Ok((file, temporary))
    }

    /// Closes the file, with the errors of that, and gives it the target's name.
    pub(crate) fn finish(self, file: File, target: &Path) -> io::Result<()> {
        let path = match self {
            Self::Named(path) => {
                ndbytes_mem::close(file)?;
                path
            }
            Self::Unnamed { replaces } => {
                // It must be open to be given a name: another descriptor has the errors.
                ndbytes_mem::close(file.try_clone()?)?;
                if !replaces && link(&file, target).is_ok() {
                    return Ok(());
                }
                match named(target, |path| link(&file, path)) {
                    Ok(link) => link.into_temp_path(),
                    // It was made as a file without a name, and yet cannot be given one.
                    Err(_) => copy(file, target)?,
                }
            }
        };
        Ok(path.persist(target)?)
    }
}

/// The folder in which a file is.
pub(crate) fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A file without a name, for one in this folder that [`link`] gives it.
#[cfg(target_os = "linux")]
pub(crate) fn unnamed(folder: &Path, mode: u32) -> Option<File> {
    use std::sync::OnceLock;

    use rustix::fs::{Mode, OFlags, open};
    // Without it a file cannot be given a name.
    static PROC: OnceLock<bool> = OnceLock::new();
    if !PROC.get_or_init(|| Path::new("/proc/self/fd").is_dir()) {
        return None;
    }
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    open(folder, flags, Mode::from_bits_truncate(mode)).ok().map(File::from)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn unnamed(_folder: &Path, _mode: u32) -> Option<File> {
    None
}

/// Gives a file this name, which nothing else has.
#[cfg(target_os = "linux")]
fn link(file: &File, path: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    use rustix::fs::{AtFlags, CWD, linkat};
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

#[cfg(not(target_os = "linux"))]
fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A copy that has a name.
fn copy(mut file: File, target: &Path) -> io::Result<TempPath> {
    let (mut out, path) = named(target, |path| create_new(path, 0))?.into_parts();
    keep_permissions(&out, &file.metadata()?)?;
    file.rewind()?;
    io::copy(&mut file, &mut out)?;
    // Whether the first was to be on the disk is not known here, and this is rare.
    out.sync_all()?;
    ndbytes_mem::close(out)?;
    Ok(path)
}

/// What `make` makes under a temporary name beside the target.
fn named<T>(
    target: &Path,
    make: impl FnMut(&Path) -> io::Result<T>,
) -> io::Result<NamedTempFile<T>> {
    // Long names are cut: the temporary one must fit into 255 bytes as well.
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let short: String = name.chars().take(40).collect();
    let prefix = format!(".{short}.");
    let mut builder = tempfile::Builder::new();
    // `make_in` keeps the system's error number, which `tempfile_in` hides.
    builder.prefix(&prefix).suffix(".tmp").make_in(folder_of(target), make)
}

fn create_new(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let _ = mode;
    options.open(path)
}

/// Gives a new file the mode of the one that it replaces, and its group; where it cannot have the
/// group, what the group might do is not for another one.
#[cfg(unix)]
fn keep_permissions(file: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let same = file.metadata()?.gid() == old.gid()
        || std::os::unix::fs::fchown(file, None, Some(old.gid())).is_ok();
    let mode = if same { old.mode() & 0o777 } else { old.mode() & 0o707 };
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep_permissions(file: &File, old: &fs::Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

#[cfg(unix)]
fn mode_of(meta: &fs::Metadata) -> u32 {
    meta.mode()
}

#[cfg(not(unix))]
fn mode_of(_meta: &fs::Metadata) -> u32 {
    0o666
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_that_cannot_have_a_name_is_copied() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = folder.path().join("a.npy");
        let source = other.path().join("b");
        let mut options = File::options();
        let mut file = options.create_new(true).read(true).write(true).open(&source).unwrap();
        file.write_all(b"new").unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
        copy(file, &target).unwrap().persist(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
