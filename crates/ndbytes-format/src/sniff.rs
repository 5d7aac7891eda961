//! What bytes look like, for messages that help.

/// What the first bytes of a file suggest it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Looks {
    /// No bytes.
    Empty,
    /// An `.npy` file.
    Npy,
    /// An `.ndb` frame.
    Frame,
    /// A ZIP archive, such as `.npz`.
    Zip,
    /// A gzip stream.
    Gzip,
    /// A zlib stream.
    Zlib,
    /// A Zstandard frame.
    Zstd,
    /// A bzip2 stream.
    Bzip2,
    /// An xz stream.
    Xz,
    /// An LZ4 frame.
    Lz4,
    /// An HDF5 file.
    Hdf5,
    /// A Python pickle.
    Pickle,
    /// A web page.
    Html,
    /// JSON text.
    Json,
    /// A Git LFS pointer instead of the file.
    GitLfs,
    /// Some other text.
    Text,
    /// None of these.
    Unknown,
}

impl Looks {
    /// A noun phrase for a message.
    pub const fn describe(self) -> &'static str {
        match self {
            Looks::Empty => "nothing (it is empty)",
            Looks::Npy => "an .npy file",
            Looks::Frame => "an .ndb frame",
            Looks::Zip => "a ZIP archive (an .npz?)",
            Looks::Gzip => "gzip (decompress it first)",
            Looks::Zlib => "a zlib stream (decompress it first)",
            Looks::Zstd => "a Zstandard stream (decompress it first)",
            Looks::Bzip2 => "bzip2 (decompress it first)",
            Looks::Xz => "xz (decompress it first)",
            Looks::Lz4 => "an LZ4 frame (decompress it first)",
            Looks::Hdf5 => "HDF5",
            Looks::Pickle => "a Python pickle (ndbytes never unpickles: that would run its code)",
            Looks::Html => "HTML (an error page saved in place of the file?)",
            Looks::Json => "JSON",
            Looks::GitLfs => "a Git LFS pointer (run `git lfs pull`)",
            Looks::Text => "text",
            Looks::Unknown => "no format that is known here",
        }
    }
}

/// Looks at the first bytes of a file; a few dozen are enough.
pub fn looks_like(bytes: &[u8]) -> Looks {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if bytes.is_empty() {
        return Looks::Empty;
    }
    for (magic, looks) in MAGICS {
        if starts(magic) {
            return *looks;
        }
    }
    if bytes.len() >= 2 && bytes[0] == 0x80 && (2..=5).contains(&bytes[1]) {
        return Looks::Pickle;
    }
    // RFC 1950: deflate with a window of at most 32 KiB, and a multiple of 31.
    if bytes.len() >= 2
        && bytes[0] & 0x8f == 0x08
        && u16::from_be_bytes([bytes[0], bytes[1]]).is_multiple_of(31)
    {
        return Looks::Zlib;
    }
    let head = &bytes[..bytes.len().min(512)];
    let text = head.trim_ascii_start();
    let lower: Vec<u8> = text.iter().take(15).map(u8::to_ascii_lowercase).collect();
    // The sample may be as short as a header's prelude, and cut the word.
    if [&b"<!doctype"[..], b"<html", b"<?xml", b"<head", b"<body"]
        .iter()
        .any(|m| lower.starts_with(m) || lower.len() > 4 && m.starts_with(&lower))
    {
        return Looks::Html;
    }
    if text.first().is_some_and(|b| b"{[".contains(b)) && is_text(head) {
        return Looks::Json;
    }
    if is_text(head) { Looks::Text } else { Looks::Unknown }
}

fn is_text(head: &[u8]) -> bool {
    head.iter().all(|&b| b >= 0x20 && b != 0x7f || b"\t\n\r".contains(&b))
        && match std::str::from_utf8(head) {
            Ok(_) => true,
            // A character may be cut by the end of the sample.
            Err(error) => error.error_len().is_none(),
        }
}

const MAGICS: &[(&[u8], Looks)] = &[
    (b"\x93NUMPY", Looks::Npy),
    (b"\x89NDB\r\n\x1a\n", Looks::Frame),
    (b"PK\x03\x04", Looks::Zip),
    (b"PK\x05\x06", Looks::Zip),
    (b"\x1f\x8b", Looks::Gzip),
    (b"\x28\xb5\x2f\xfd", Looks::Zstd),
    (b"BZh", Looks::Bzip2),
    (b"\xfd7zXZ\0", Looks::Xz),
    (b"\x04\x22\x4d\x18", Looks::Lz4),
    (b"\x89HDF\r\n\x1a\n", Looks::Hdf5),
    (b"version https://git-lfs", Looks::GitLfs),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_named() {
        for (bytes, looks) in [
            (&b""[..], Looks::Empty),
            (b"\x93NUMPY\x01\x00", Looks::Npy),
            (b"\x89NDB\r\n\x1a\n\x01", Looks::Frame),
            (b"PK\x03\x04..", Looks::Zip),
            (b"\x1f\x8b\x08", Looks::Gzip),
            (b"\x78\x9c\x00", Looks::Zlib),
            (b"\x80\x05\x95", Looks::Pickle),
            (b"\n <!DOCTYPE html>", Looks::Html),
            (b"<HTML>", Looks::Html),
            (b"<!DOCTYP", Looks::Html),
            (b"{\"error\": 1}", Looks::Json),
            (b"1, 2, 3\n", Looks::Text),
            (b"version https://git-lfs.github.com", Looks::GitLfs),
            (b"\x00\x01\x02", Looks::Unknown),
            (b"\x01", Looks::Unknown),
        ] {
            assert_eq!(looks_like(bytes), looks, "{bytes:?}");
        }
    }
}
