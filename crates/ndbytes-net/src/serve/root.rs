//! Files below a folder, and none elsewhere.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::source::Source;
use crate::request::RelativePath;

/// A folder that is served.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

/// What a path names.
#[derive(Debug)]
pub(super) enum Node {
    Folder(OwnedFd),
    File(Source),
}

impl Root {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::open(path, flags, Mode::empty())?))
    }

    /// Opens what a path names: a folder or a regular file, in the end or by links that do not lead
    /// out of the root. Nothing that changes meanwhile can make it lead out.
    pub(super) fn node(&self, path: &RelativePath) -> io::Result<Node> {
        // Nothing waits for the other end of a pipe, and no terminal becomes ours.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd = self.beneath(path, flags)?;
        match FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) {
            FileType::Directory => Ok(Node::Folder(fd)),
            FileType::RegularFile => Ok(Node::File(Source::new(File::from(fd))?)),
            _ => Err(Errno::NOENT.into()),
        }
    }

    #[cfg(target_os = "linux")]
    fn beneath(&self, path: &RelativePath, flags: OFlags) -> io::Result<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TURNS {
            match openat2(&self.0, path.to_path(), flags, Mode::empty(), resolve) {
                // Something was renamed while the kernel looked.
                Err(Errno::AGAIN) => {}
                Err(Errno::NOSYS | Errno::PERM) => return self.by_names(path, flags),
                result => return Ok(result?),
            }
        }
        Err(Errno::AGAIN.into())
    }

    #[cfg(not(target_os = "linux"))]
    fn beneath(&self, path: &RelativePath, flags: OFlags) -> io::Result<OwnedFd> {
        self.by_names(path, flags)
    }

    /// One name after the other, where the kernel has nothing better: links are not followed.
    fn by_names(&self, path: &RelativePath, flags: OFlags) -> io::Result<OwnedFd> {
        use std::os::unix::ffi::OsStrExt;
        let mut at = rustix::io::fcntl_dupfd_cloexec(&self.0, 0)?;
        for (number, name) in path.segments().iter().enumerate() {
            let last = number + 1 == path.segments().len();
            let flags = if last { flags } else { flags | OFlags::DIRECTORY } | OFlags::NOFOLLOW;
            let name = std::ffi::OsStr::from_bytes(name);
            at = rustix::fs::openat(&at, name, flags, Mode::empty())?;
        }
        Ok(at)
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// How often a path is looked up that changes.
const TURNS: usize = 10;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> RelativePath {
        RelativePath::parse(text).unwrap()
    }

    #[test]
    fn links_do_not_lead_out() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at("sub/a"), "abc").unwrap();
        symlink(outside.path(), at("out")).unwrap();
        symlink(outside.path().join("secret"), at("file")).unwrap();
        symlink("../..", at("sub/up")).unwrap();
        symlink("sub/a", at("inside")).unwrap();
        symlink("loop", at("loop")).unwrap();
        let root = Root::open(folder.path()).unwrap();
        assert!(matches!(root.node(&path("")), Ok(Node::Folder(_))));
        assert!(matches!(root.node(&path("sub/a")), Ok(Node::File(_))));
        assert!(matches!(root.node(&path("inside")), Ok(Node::File(_))));
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        for text in ["out", "out/secret", "file", "sub/up", "sub/up/x", "loop", "sub/a/b", "no"] {
            assert!(root.node(&path(text)).is_err(), "{text}");
            assert!(root.by_names(&path(text), flags).is_err(), "{text}");
        }
        assert!(root.by_names(&path("sub/a"), flags).is_ok());
        assert!(root.by_names(&path(""), flags).is_ok());
    }

    #[test]
    fn what_is_no_file_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, folder.path().join("pipe"), FileType::Fifo, mode, 0)
            .unwrap();
        let root = Root::open(folder.path()).unwrap();
        let error = root.node(&path("pipe")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
