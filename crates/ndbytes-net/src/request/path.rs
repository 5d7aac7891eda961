//! The path of a URL as one below a folder.

use std::ffi::OsStr;
use std::path::PathBuf;

use super::percent_decode;

/// Names one below the other, none of which leads elsewhere: no `..`, no `.`, no NUL, no `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelativePath {
    segments: Vec<Vec<u8>>,
    folder: bool,
}

impl RelativePath {
    /// Parses what follows the service's own part of a URL's path. A `/` at its end means a folder.
    ///
    /// # Errors
    /// What is wrong with it, as a text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > MAX_LEN {
            return Err("the path is too long");
        }
        if text.is_empty() {
            return Ok(Self { segments: Vec::new(), folder: true });
        }
        let (inner, folder) = match text.strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (text, false),
        };
        let segments = inner.split('/').map(parse_segment).collect::<Result<_, _>>()?;
        Ok(Self { segments, folder })
    }

    /// The names.
    pub fn segments(&self) -> &[Vec<u8>] {
        &self.segments
    }

    /// Whether it ends as the path of a folder does.
    pub fn is_folder(&self) -> bool {
        self.folder
    }

    /// Whether a name in it begins with a dot, as those of files that are not shown do.
    pub fn is_hidden(&self) -> bool {
        self.segments.iter().any(|segment| segment.starts_with(b"."))
    }

    /// The first `len` names.
    #[must_use]
    pub fn front(&self, len: usize) -> Self {
        let folder = self.folder || len < self.segments.len();
        Self { segments: self.segments[..len].to_vec(), folder }
    }

    /// The same with this name below it.
    #[must_use]
    pub fn below(&self, name: &[u8]) -> Self {
        let mut segments = self.segments.clone();
        segments.push(name.to_vec());
        Self { segments, folder: false }
    }

    /// As the operating system writes it; `.` for no names.
    #[cfg(unix)]
    pub fn to_path(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let names = self.segments.iter().map(|segment| OsStr::from_bytes(segment));
        if self.segments.is_empty() { ".".into() } else { names.collect() }
    }

    /// As the operating system writes it; `.` for no names.
    #[cfg(not(unix))]
    pub fn to_path(&self) -> PathBuf {
        let names = self.segments.iter().map(|segment| String::from_utf8_lossy(segment));
        let names: PathBuf = names.map(|name| OsStr::new(&*name).to_owned()).collect();
        if self.segments.is_empty() { ".".into() } else { names }
    }

    /// As it stands in a URL.
    pub fn encode(&self) -> String {
        let names: Vec<_> = self.segments.iter().map(|segment| encode_segment(segment)).collect();
        names.join("/")
    }
}

/// A name as it stands in a URL.
pub fn encode_segment(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for &byte in name {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                text.push(byte.into());
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

fn parse_segment(text: &str) -> Result<Vec<u8>, &'static str> {
    let name = percent_decode(text, false).ok_or("a `%` in the path is followed by no number")?;
    match &name[..] {
        b"" => Err("a name in the path is empty"),
        b"." | b".." => Err("`.` and `..` are no names"),
        name if name.contains(&0) => Err("a name in the path has a NUL"),
        name if name.contains(&b'/') => Err("a name in the path has an encoded `/`"),
        // A separator on other systems.
        name if cfg!(windows) && name.iter().any(|b| b"\\:".contains(b)) => {
            Err("a name in the path has a separator")
        }
        _ => Ok(name),
    }
}

/// As long as Linux lets a path be.
const MAX_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded_once() {
        let path = RelativePath::parse("a%20b/%C3%A9/%252e").unwrap();
        assert_eq!(path.segments(), [&b"a b"[..], "é".as_bytes(), b"%2e"]);
        assert_eq!(path.encode(), "a%20b/%C3%A9/%252e");
        assert!(!path.is_folder());
        assert!(RelativePath::parse("a/").unwrap().is_folder());
        assert!(RelativePath::parse("").unwrap().is_folder());
        assert!(RelativePath::parse("a/.git/x").unwrap().is_hidden());
    }

    #[test]
    fn what_leads_elsewhere_is_no_path() {
        for text in [
            "..",
            "../a",
            "a/..",
            "a/../b",
            ".",
            "a/./b",
            "%2e%2e",
            "%2E%2E/a",
            ".%2e",
            "a%2fb",
            "a%2F..%2Fb",
            "a%00",
            "%00",
            "/a",
            "//",
            "a//b",
            "/",
            "%",
            "%4",
            "%zz",
            "%2",
            "a%2",
        ] {
            assert!(RelativePath::parse(text).is_err(), "{text}");
        }
        assert!(RelativePath::parse(&"a/".repeat(3000)).is_err());
    }
}
