//! What a client of tus 1.0 says of an upload.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A digest of a part that tus clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumKind {
    /// SHA-1, which every server of tus knows.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ChecksumKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Sha1, Self::Sha256];

    /// Its name in the protocol.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// Parses `Upload-Metadata`: keys with values in Base64, or with none. None for what is neither, and
/// where a key stands twice.
pub fn parse_metadata(text: &str) -> Option<Vec<(&str, Vec<u8>)>> {
    let mut pairs: Vec<(&str, Vec<u8>)> = Vec::new();
    if text.trim().is_empty() {
        return Some(pairs);
    }
    for item in text.split(',') {
        let mut words = item.split_ascii_whitespace();
        let key = words.next().filter(|key| key.is_ascii())?;
        let value = BASE64_STANDARD.decode(words.next().unwrap_or_default()).ok()?;
        if words.next().is_some() || pairs.iter().any(|(other, _)| *other == key) {
            return None;
        }
        pairs.push((key, value));
    }
    Some(pairs)
}

/// Parses `Upload-Checksum`; none for a kind that is not known.
pub fn parse_checksum(text: &str) -> Option<(ChecksumKind, Vec<u8>)> {
    let (name, digest) = text.trim().split_once(' ')?;
    let kind = ChecksumKind::ALL.into_iter().find(|kind| kind.as_str() == name)?;
    Some((kind, BASE64_STANDARD.decode(digest.trim()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_keys_and_values() {
        let pairs = parse_metadata("filename d29ybGQubnB5,is_confidential, kind  YQ==").unwrap();
        let want = [("filename", &b"world.npy"[..]), ("is_confidential", b""), ("kind", b"a")];
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (*key, &value[..])).collect();
        assert_eq!(pairs, want);
        assert_eq!(parse_metadata(" "), Some(Vec::new()));
        for text in [",", "a,", "a !", "a YQ= =", "a YQ==,a YQ==", "é YQ==", "a YQ"] {
            assert_eq!(parse_metadata(text), None, "{text}");
        }
    }

    #[test]
    fn checksums_have_a_kind() {
        let (kind, digest) = parse_checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=").unwrap();
        assert_eq!((kind, digest.len()), (ChecksumKind::Sha1, 20));
        for text in ["md5 YQ==", "sha1", "sha1 !", ""] {
            assert_eq!(parse_checksum(text), None, "{text}");
        }
    }
}
