//! What can be wrong with bytes, one code per way they can lie.

use std::fmt;

/// Shorthand for this crate's results.
pub type Result<T> = std::result::Result<T, FormatError>;

/// A fault in bytes, or in what was asked of them.
///
/// It says what was wrong, where, what was expected and, where there is one, what to do.
#[derive(Clone, PartialEq, Eq)]
pub struct FormatError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    offset: Option<u64>,
    message: String,
}

impl FormatError {
    /// A fault with its message: lower case, no final stop, values in backticks.
    #[cold]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { code, offset: None, message: message.into() }))
    }

    /// The same fault, at this byte offset of the input.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// Moves a known offset forward: for a parser that was given a part of the input.
    #[must_use]
    pub fn shifted(mut self, by: u64) -> Self {
        self.0.offset = self.0.offset.map(|offset| offset.saturating_add(by));
        self
    }

    /// What was wrong, as a stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> Kind {
        self.0.code.kind()
    }

    /// The byte offset in the input where the fault was noticed.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The message without the offset.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match self.0.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FormatError({}: {self})", self.0.code.as_str())
    }
}

impl std::error::Error for FormatError {}

/// Faults grouped by remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The input ended cleanly where another array could have begun.
    EndOfStream,
    /// The bytes break their format: fetch them again, or ask who wrote them.
    Malformed,
    /// Well-formed, but not what the caller said it would be.
    Mismatch,
    /// The call itself makes no sense.
    Misuse,
    /// A limit was reached before anything was allocated: raise it if the source is trusted.
    LimitExceeded,
    /// The input ended too early.
    Truncated,
    /// Well-formed, but this library does not handle it.
    Unsupported,
    /// The operating system said no.
    Io,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        /// Stable names of faults; `docs/spec/errors.md` lists them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is, for documentation and its test.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The stable text of this code.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }

            /// What the caller can do about it.
            pub const fn kind(self) -> Kind {
                match self { $(Code::$name => Kind::$kind,)* }
            }
        }
    };
}

codes! {
    /// No bytes at all where an array was expected.
    EndOfStream = "stream.end", EndOfStream;
    /// A session's stream ended without its end.
    StreamCut = "stream.cut", Truncated;
    /// A session's peer is being shut down, and nothing is wrong.
    StreamClosing = "stream.closing", Truncated;
    /// A session's record is none, or not the one that must come here.
    StreamRecord = "stream.record", Malformed;
    /// A session's checksum does not match its bytes.
    StreamChecksum = "stream.checksum", Malformed;
    /// A session's record is of a later version, and must be understood.
    StreamVersion = "stream.version", Unsupported;
    /// The peer knows arrays alone: no names, no acknowledgements.
    StreamPlain = "stream.plain", Unsupported;
    /// The peer reported an error.
    StreamPeer = "stream.peer", Io;
    /// The bytes do not begin with the `.npy` magic.
    NpyMagic = "npy.magic", Malformed;
    /// A `.npy` version other than 1.0, 2.0, 3.0.
    NpyVersion = "npy.version", Unsupported;
    /// The input ended inside the header.
    NpyHeaderTruncated = "npy.header.truncated", Truncated;
    /// The header announces more bytes than the limit.
    NpyHeaderTooLarge = "npy.header.too_large", LimitExceeded;
    /// The header's text is not the Python literal it should be.
    NpyHeaderSyntax = "npy.header.syntax", Malformed;
    /// The header's dictionary lacks a key or has another.
    NpyHeaderKeys = "npy.header.keys", Malformed;
    /// `shape` is no tuple of non-negative integers.
    NpyShape = "npy.header.shape", Malformed;
    /// `fortran_order` is neither `True` nor `False`.
    NpyOrder = "npy.header.order", Malformed;
    /// `descr` is no valid dtype.
    NpyDescr = "npy.header.descr", Malformed;
    /// The header needs more room than any version gives.
    NpyHeaderOverflow = "npy.header.overflow", Unsupported;
    /// The input ended inside the elements.
    DataTruncated = "data.truncated", Truncated;
    /// Bytes are left over after the elements.
    DataTrailing = "data.trailing", Mismatch;
    /// The length of the bytes is no whole number of items.
    DataLength = "data.length", Mismatch;
    /// An element's bytes are no value of its dtype (bool other than 0/1, code point over 10FFFF).
    DataInvalid = "data.invalid", Malformed;
    /// The product of shape and item size does not fit the address space.
    SizeOverflow = "size.overflow", LimitExceeded;
    /// More dimensions than the limit.
    TooManyDims = "limit.ndim", LimitExceeded;
    /// More bytes than the limit.
    TooManyBytes = "limit.bytes", LimitExceeded;
    /// More archive members than the limit.
    TooManyMembers = "limit.members", LimitExceeded;
    /// Python objects: they could only be pickled.
    ObjectDtype = "dtype.object", Unsupported;
    /// A dtype that has no bytes of its own in a file.
    UnsupportedDtype = "dtype.unsupported", Unsupported;
    /// A dtype that contradicts itself.
    InvalidDtype = "dtype.invalid", Misuse;
    /// Shape, strides or dtype differ from what the caller asked for.
    Mismatch = "array.mismatch", Mismatch;
    /// Shape and strides reach outside of the bytes given.
    OutOfBounds = "array.out_of_bounds", Misuse;
    /// An argument has no meaning.
    Argument = "argument", Misuse;
    /// Not a ZIP archive, or its end is missing.
    ZipEnd = "zip.end", Malformed;
    /// A ZIP record breaks the format.
    ZipRecord = "zip.record", Malformed;
    /// A compression method or ZIP feature that is not handled.
    ZipUnsupported = "zip.unsupported", Unsupported;
    /// A member's CRC-32 does not match its bytes.
    ZipCrc = "zip.crc", Malformed;
    /// No member of that name.
    ZipMissing = "zip.missing", Misuse;
    /// Two members of the same name, or a name that cannot be one.
    ZipName = "zip.name", Misuse;
    /// A server answered with an error.
    HttpStatus = "http.status", Io;
    /// A server gives no parts of a file, or not what HTTP asks of it.
    HttpRange = "http.range", Unsupported;
    /// A file became another one while it was read.
    HttpChanged = "http.changed", Mismatch;
    /// A compressed stream is damaged.
    CodecCorrupt = "codec.corrupt", Malformed;
    /// A compressed stream ended early.
    CodecTruncated = "codec.truncated", Truncated;
    /// Bytes follow the compressed stream.
    CodecTrailing = "codec.trailing", Mismatch;
    /// A compressed stream uses what is not handled.
    CodecUnsupported = "codec.unsupported", Unsupported;
    /// A Blosc buffer's header or table of blocks contradicts itself.
    BloscHeader = "blosc.header", Malformed;
    /// The bytes do not begin with a frame's magic.
    FrameMagic = "frame.magic", Malformed;
    /// A frame of a version, or with a family of chunks, that is not known.
    FrameVersion = "frame.version", Unsupported;
    /// The input ended inside a frame.
    FrameTruncated = "frame.truncated", Truncated;
    /// A frame's header contradicts itself.
    FrameHeader = "frame.header", Malformed;
    /// A frame's record is none, or not the one that must come here.
    FrameRecord = "frame.record", Malformed;
    /// A frame's index contradicts its chunks.
    FrameIndex = "frame.index", Malformed;
    /// A frame's checksum does not match its bytes.
    FrameChecksum = "frame.checksum", Malformed;
    /// The journal of an append is damaged, or not of this file.
    Journal = "journal.damaged", Malformed;
    /// A `zarr.json` is none, or says something else than the frame beside it.
    ZarrMetadata = "zarr.metadata", Malformed;
    /// A Zarr array that is no frame.
    ZarrUnsupported = "zarr.unsupported", Unsupported;
    /// Decompressing would give more than the limit.
    CodecTooLarge = "limit.decompressed", LimitExceeded;
    /// The operating system said no.
    Io = "io", Io;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique() {
        let mut texts: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), Code::ALL.len());
    }

    #[test]
    fn offset_is_part_of_the_message() {
        let error = FormatError::new(Code::NpyMagic, "bad").at(3).shifted(4);
        assert_eq!(error.to_string(), "bad (at byte 7)");
        assert_eq!(error.kind(), Kind::Malformed);
    }
}
