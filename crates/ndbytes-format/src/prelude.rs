//! The fixed-size front of an `.npy` header: magic, version, length.

use crate::error::{Code, FormatError, Result};
use crate::limits::Limits;
use crate::sniff::looks_like;

/// The first bytes of every `.npy` file.
pub const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 1.0: length in 2 bytes, Latin-1.
    V1,
    /// 2.0: length in 4 bytes, Latin-1.
    V2,
    /// 3.0: length in 4 bytes, UTF-8.
    V3,
}

/// The fixed-size front of a header: version and length of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// The version.
    pub version: Version,
    /// Bytes of the text after the prelude.
    pub text_len: usize,
}

impl Version {
    /// Major and minor number.
    pub const fn numbers(self) -> (u8, u8) {
        match self {
            Version::V1 => (1, 0),
            Version::V2 => (2, 0),
            Version::V3 => (3, 0),
        }
    }

    /// The version from magic and numbers: the first 8 bytes.
    ///
    /// # Errors
    /// [`Code::EndOfStream`] without any bytes, [`Code::NpyHeaderTruncated`] with fewer than 8
    /// that could begin a header, [`Code::NpyMagic`] with the guess of what they are instead.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() {
            return Err(FormatError::new(
                Code::EndOfStream,
                "no data left: the input is empty here",
            )
            .at(0));
        }
        let seen = bytes.len().min(MAGIC.len());
        if bytes[..seen] != MAGIC[..seen] {
            let first: String = bytes[..bytes.len().min(8)].escape_ascii().to_string();
            return Err(FormatError::new(
                Code::NpyMagic,
                format!(
                    "not an .npy file: expected the magic `\\x93NUMPY`, got `{first}`; it looks like {}",
                    looks_like(bytes).describe()
                ),
            )
            .at(0));
        }
        let [.., major, minor] =
            *bytes.get(..8).ok_or_else(|| truncated("magic string", 8, bytes.len()))?
        else {
            return Err(truncated("magic string", 8, bytes.len()));
        };
        match (major, minor) {
            (1, 0) => Ok(Version::V1),
            (2, 0) => Ok(Version::V2),
            (3, 0) => Ok(Version::V3),
            (major, minor) => Err(FormatError::new(
                Code::NpyVersion,
                format!("`.npy` version {major}.{minor} is not known; 1.0, 2.0 and 3.0 are"),
            )
            .at(6)),
        }
    }

    /// Bytes of the prelude: magic, version and the length of the text.
    pub const fn prelude_len(self) -> usize {
        match self {
            Version::V1 => 10,
            Version::V2 | Version::V3 => 12,
        }
    }
}

impl Prelude {
    /// Parses the prelude and checks the length against the limit.
    ///
    /// # Errors
    /// As [`Version::parse`], and [`Code::NpyHeaderTooLarge`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self> {
        let version = Version::parse(bytes)?;
        let len = version.prelude_len();
        let field = bytes
            .get(8..len)
            .ok_or_else(|| truncated("array header length", len - 8, bytes.len() - 8))?;
        let text_len = match *field {
            [a, b] => usize::from(u16::from_le_bytes([a, b])),
            [a, b, c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
            _ => 0,
        };
        if text_len > limits.header {
            return Err(FormatError::new(
                Code::NpyHeaderTooLarge,
                format!(
                    "Header info length ({text_len}) is large: more than the limit of {}; raise `max_header_size` if you trust this file",
                    limits.header
                ),
            )
            .at(8));
        }
        Ok(Self { version, text_len })
    }

    /// Bytes from the start of the file to the first element.
    pub fn data_offset(&self) -> usize {
        self.version.prelude_len() + self.text_len
    }
}

#[cold]
pub(crate) fn truncated(what: &str, expected: usize, got: usize) -> FormatError {
    // NumPy's words, which its own tests look for.
    FormatError::new(
        Code::NpyHeaderTruncated,
        format!("EOF: reading {what}, expected {expected} bytes got {got}"),
    )
}
