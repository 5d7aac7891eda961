//! The header `Content-Range`, RFC 9110 section 14.4.

/// The header `Content-Range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// These bytes of a representation, which has so many if the server knows.
    Part {
        /// The first.
        first: u64,
        /// The last, which is one of them.
        last: u64,
        /// Of so many.
        size: Option<u64>,
    },
    /// None: the representation has so many bytes, and not those that were asked for.
    Unsatisfied {
        /// So many.
        size: u64,
    },
}

impl ContentRange {
    /// Parses the header; none for what it cannot be.
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, size) = rest.trim().split_once('/')?;
        if range == "*" {
            return Some(Self::Unsatisfied { size: number(size)? });
        }
        let size = if size == "*" { None } else { Some(number(size)?) };
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let fits = first <= last && size.is_none_or(|size| last < size);
        fits.then_some(Self::Part { first, last, size })
    }
}

/// Digits and nothing else: `parse` alone takes a sign.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_parsed() {
        let part = |first, last, size| Some(ContentRange::Part { first, last, size });
        for (text, want) in [
            ("bytes 0-0/1", part(0, 0, Some(1))),
            ("bytes 5-9/10", part(5, 9, Some(10))),
            ("Bytes 5-9/*", part(5, 9, None)),
            ("bytes */0", Some(ContentRange::Unsatisfied { size: 0 })),
            ("bytes */7", Some(ContentRange::Unsatisfied { size: 7 })),
            ("bytes 5-10/10", None),
            ("bytes 5-4/10", None),
            ("bytes */*", None),
            ("bytes +5-9/10", None),
            ("bytes 5-9", None),
            ("items 5-9/10", None),
            ("bytes 0-18446744073709551616/*", None),
            ("bytes", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text), want, "{text}");
        }
    }
}
