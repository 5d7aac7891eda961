//! How the command ends.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use ndbytes::{Code, Error, ErrorKind};

use crate::printer::{StdoutGone, complain};

/// How the command ended; its numbers are a promise to scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitStatus {
    /// 0: done, and the data is as it should be.
    Done,
    /// 1: the data says no: damaged, different, not what was asked for.
    No,
    /// 2: could not run: usage, missing files, full disks, refused connections.
    Trouble,
}

/// Why a command could not go on.
#[derive(Debug)]
pub(crate) struct Failure {
    status: ExitStatus,
    /// Empty where nothing is to be said.
    message: String,
}

impl Failure {
    /// The data says no.
    pub(crate) fn no(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::No, message: message.into() }
    }

    /// The command could not run.
    pub(crate) fn trouble(message: impl Into<String>) -> Self {
        Self { status: ExitStatus::Trouble, message: message.into() }
    }

    /// What the operating system said about this file.
    pub(crate) fn io(error: io::Error, path: &Path) -> Self {
        Error::from(error).with_path(path).into()
    }

    /// The same failure, with this said before it.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        if !self.message.is_empty() {
            self.message = format!("{subject}: {}", self.message);
        }
        self
    }

    /// The same failure, with this said before it, unless it says so itself.
    pub(crate) fn about_once(self, subject: &str) -> Self {
        if self.message.contains(subject) { self } else { self.about(subject) }
    }

    /// The same failure, with this said after it.
    pub(crate) fn then(mut self, more: &str) -> Self {
        if !self.message.is_empty() {
            self.message = format!("{}; {more}", self.message);
        }
        self
    }

    /// The exit status that it leads to.
    pub(crate) fn status(&self) -> ExitStatus {
        self.status
    }

    /// What to say.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Says it on stderr.
    pub(crate) fn report(&self) {
        if !self.message.is_empty() {
            complain(&self.message);
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Some(io) = error.io() else {
            let status = match error.kind() {
                // Which keys there are is for the data to say.
                _ if error.code() == Code::ZipMissing => ExitStatus::No,
                ErrorKind::Io | ErrorKind::Misuse => ExitStatus::Trouble,
                _ => ExitStatus::No,
            };
            return Self { status, message: error.to_string() };
        };
        if io.get_ref().is_some_and(|inner| inner.is::<StdoutGone>()) {
            // Who reads our output has had enough: `ndbytes cat big.npy | head`.
            return Self { status: ExitStatus::Done, message: String::new() };
        }
        let text = describe(io);
        let message = match error.path() {
            Some(path) => format!("{}: {text}", path.display()),
            None => text,
        };
        Self { status: ExitStatus::Trouble, message }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<ndbytes::FormatError> for Failure {
    fn from(error: ndbytes::FormatError) -> Self {
        Error::from(error).into()
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Done => 0,
            ExitStatus::No => 1,
            ExitStatus::Trouble => 2,
        }
        .into()
    }
}

/// A number of arrays, for messages.
pub(crate) fn arrays(count: u64) -> String {
    format!("{count} {}", if count == 1 { "array" } else { "arrays" })
}

/// A number of files and arrays, for messages.
pub(crate) fn files_and_arrays(files: u64, count: u64) -> String {
    let text = format!("{files} {}", if files == 1 { "file" } else { "files" });
    match (files, count) {
        (0, count) => arrays(count),
        (_, 0) => text,
        (_, count) => format!("{text} and {}", arrays(count)),
    }
}

/// What the operating system said, and what to do where that is known.
pub(crate) fn describe(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let text = match error.kind() {
        // A server has said more than that.
        _ if error.get_ref().is_some() => return error.to_string(),
        Kind::AddrInUse => "the address is in use: choose another port or path",
        Kind::AddrNotAvailable => "this machine does not have that address",
        Kind::BrokenPipe => "the other side closed the connection",
        Kind::ConnectionAborted | Kind::ConnectionReset => "the other side reset the connection",
        Kind::ConnectionRefused => "connection refused: nobody listens there",
        Kind::FileTooLarge => "the file would be larger than is allowed (see `ulimit -f`)",
        Kind::IsADirectory => "is a folder, a file is needed",
        Kind::NotFound => "no such file or folder",
        Kind::OutOfMemory => "out of memory",
        Kind::PermissionDenied => "permission denied",
        Kind::ReadOnlyFilesystem => "the file system is read-only: write elsewhere",
        Kind::StorageFull => "no space left: free some, or write elsewhere",
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let mut chars = text.chars();
            let first = chars.next().map(|c| c.to_ascii_lowercase());
            return first.into_iter().chain(chars).collect();
        }
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_says_no_and_systems_are_trouble() {
        let status = |code| Failure::from(Error::new(code, "x")).status();
        assert_eq!(status(Code::DataTruncated), ExitStatus::No);
        assert_eq!(status(Code::ZipMissing), ExitStatus::No);
        assert_eq!(status(Code::Argument), ExitStatus::Trouble);
        let failure = Failure::io(io::ErrorKind::NotFound.into(), Path::new("a.npy"));
        assert_eq!(failure.status(), ExitStatus::Trouble);
        assert_eq!(failure.message(), "a.npy: no such file or folder");
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let failure = Failure::from(io::Error::other(StdoutGone));
        assert_eq!((failure.status(), failure.message()), (ExitStatus::Done, ""));
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.status(), ExitStatus::Trouble);
    }
}
