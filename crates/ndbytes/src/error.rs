//! The one error of this crate.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ndbytes_format::{Code, ErrorKind, FormatError};

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done: a stable [`Code`], a message, and where there is one the byte
/// offset, the path and the operating system's error.
pub struct Error(Box<Inner>);

struct Inner {
    fault: FormatError,
    path: Option<PathBuf>,
    io: Option<io::Error>,
}

impl Error {
    /// An error of this code.
    #[cold]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        FormatError::new(code, message).into()
    }

    /// The same error, about this file.
    #[must_use]
    pub fn with_path(mut self, path: &Path) -> Self {
        self.0.path.get_or_insert_with(|| path.to_owned());
        self
    }

    /// The same error, at this byte offset of the input.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.0.fault = self.0.fault.at(offset);
        self
    }

    /// The same error with its offset, if there is one, moved forward: for a part of an input.
    #[must_use]
    pub fn shifted(mut self, by: u64) -> Self {
        self.0.fault = self.0.fault.shifted(by);
        self
    }

    /// What was wrong, as a stable code.
    pub fn code(&self) -> Code {
        self.0.fault.code()
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.fault.kind()
    }

    /// The byte offset in the input.
    pub fn offset(&self) -> Option<u64> {
        self.0.fault.offset()
    }

    /// The file.
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The operating system's error, where that is the cause.
    pub fn io(&self) -> Option<&io::Error> {
        self.0.io.as_ref()
    }

    /// Takes the operating system's error out, where that is the cause.
    pub fn into_io(self) -> std::result::Result<io::Error, Self> {
        let Self(mut inner) = self;
        inner.io.take().ok_or(Self(inner))
    }

    /// The message without path and offset.
    pub fn message(&self) -> &str {
        self.0.fault.message()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", path.display())?;
        }
        write!(f, "{}", self.0.fault)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {self})", self.code().as_str())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.io.as_ref().map(|io| io as _)
    }
}

impl From<FormatError> for Error {
    fn from(fault: FormatError) -> Self {
        Self(Box::new(Inner { fault, path: None, io: None }))
    }
}

impl From<io::Error> for Error {
    /// Unwraps an error of ours that travelled through a [`Read`](io::Read) or
    /// [`Write`](io::Write).
    fn from(error: io::Error) -> Self {
        match error.get_ref() {
            Some(inner) if inner.is::<FormatError>() || inner.is::<Error>() => {}
            _ => {
                let fault = FormatError::new(Code::Io, error.to_string());
                return Self(Box::new(Inner { fault, path: None, io: Some(error) }));
            }
        }
        let text = error.to_string();
        let Some(inner) = error.into_inner() else { return Self::new(Code::Io, text) };
        match inner.downcast::<FormatError>() {
            Ok(fault) => (*fault).into(),
            Err(inner) => match inner.downcast::<Self>() {
                Ok(error) => *error,
                Err(_) => Self::new(Code::Io, text),
            },
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error.into_io() {
            Ok(io) => io,
            Err(error) => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_trip_through_io() {
        let fault = FormatError::new(Code::NpyMagic, "bad").at(3);
        let error = Error::from(io::Error::new(io::ErrorKind::InvalidData, fault));
        assert_eq!((error.code(), error.offset()), (Code::NpyMagic, Some(3)));
        let again = Error::from(io::Error::from(error));
        assert_eq!((again.code(), again.offset()), (Code::NpyMagic, Some(3)));
        let system = Error::from(io::Error::from_raw_os_error(28)).with_path(Path::new("a.npy"));
        assert_eq!(system.io().and_then(io::Error::raw_os_error), Some(28));
        assert!(system.to_string().starts_with("a.npy: "));
    }
}
