//! The header `Range`, RFC 9110 section 14.

/// Bytes of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first.
    pub start: u64,
    /// How many, at least one.
    pub len: u64,
}

/// What a `Range` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// Everything: nothing else was asked for in words that are known.
    Whole,
    /// Nothing that there is.
    Unsatisfiable,
    /// These, in the order of the request, without those that there are not.
    Parts(Vec<ByteRange>),
}

/// Parses the header for a representation of `size` bytes. As the RFC has it, one that is malformed
/// counts as not sent; so do more ranges than a reader has reason to ask for.
pub fn parse_ranges(text: &str, size: u64) -> Ranges {
    let Some((unit, set)) = text.split_once('=') else { return Ranges::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Ranges::Whole;
    }
    let mut parts = Vec::new();
    let mut count = 0;
    for spec in set.split(',').map(str::trim).filter(|spec| !spec.is_empty()) {
        let Some(spec) = parse_spec(spec) else { return Ranges::Whole };
        count += 1;
        parts.extend(spec.within(size));
    }
    let sent = parts.iter().try_fold(0u64, |sent, part| sent.checked_add(part.len));
    match (count, parts.is_empty()) {
        (0, _) => Ranges::Whole,
        (_, true) => Ranges::Unsatisfiable,
        // Ranges that overlap would make a small request a large answer.
        _ if count > MAX_RANGES || sent.is_none_or(|sent| sent > size) => Ranges::Whole,
        _ => Ranges::Parts(parts),
    }
}

#[derive(Clone, Copy)]
enum Spec {
    From(u64, Option<u64>),
    Last(u64),
}

impl Spec {
    /// What there is of it.
    fn within(self, size: u64) -> Option<ByteRange> {
        let (start, len) = match self {
            Self::From(start, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                (start, end.saturating_sub(start))
            }
            Self::Last(n) => (size.saturating_sub(n), n.min(size)),
        };
        (len > 0 && start < size).then_some(ByteRange { start, len })
    }
}

fn parse_spec(text: &str) -> Option<Spec> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim_end(), last.trim_start());
    if first.is_empty() {
        return Some(Spec::Last(number(last)?));
    }
    let first = number(first)?;
    if last.is_empty() {
        return Some(Spec::From(first, None));
    }
    let last = number(last)?;
    (first <= last).then_some(Spec::From(first, Some(last)))
}

/// Digits; more than fit are as many as there can be.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// More in one request is an attack rather than a reader.
const MAX_RANGES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_what_there_is() {
        let part = |start, len| ByteRange { start, len };
        for (text, want) in [
            ("bytes=0-9", vec![part(0, 10)]),
            ("bytes=90-", vec![part(90, 10)]),
            ("bytes=-10", vec![part(90, 10)]),
            ("bytes=-1000", vec![part(0, 100)]),
            ("bytes=99-99", vec![part(99, 1)]),
            ("bytes=50-99999999999999999999999", vec![part(50, 50)]),
            ("Bytes = 0 - 0 , ,5-6", vec![part(0, 1), part(5, 2)]),
            ("bytes=5-6,0-0,200-300", vec![part(5, 2), part(0, 1)]),
        ] {
            assert_eq!(parse_ranges(text, 100), Ranges::Parts(want), "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=500-,600-"] {
            assert_eq!(parse_ranges(text, 100), Ranges::Unsatisfiable, "{text}");
        }
        assert_eq!(parse_ranges("bytes=0-", 0), Ranges::Unsatisfiable);
        assert_eq!(parse_ranges("bytes=-5", 0), Ranges::Unsatisfiable);
    }

    #[test]
    fn what_is_malformed_was_not_sent() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "items=0-1",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=--5",
            "bytes=0x1-2",
            "bytes=1",
            "bytes=+1-2",
            "bytes=-",
            "bytes=0-1,x",
        ] {
            assert_eq!(parse_ranges(text, 100), Ranges::Whole, "{text}");
        }
        let many = format!("bytes={}", "0-0,".repeat(65));
        assert_eq!(parse_ranges(&many, 1000), Ranges::Whole);
        assert_eq!(parse_ranges("bytes=0-,0-", 100), Ranges::Whole);
        // Together they are more than can be counted.
        assert_eq!(parse_ranges("bytes=0-99,7-", u64::MAX), Ranges::Whole);
    }
}
