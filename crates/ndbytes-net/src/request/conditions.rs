//! Conditional requests, RFC 9110 section 13.

use std::time::{SystemTime, UNIX_EPOCH};

/// The headers that make a request depend on what there is. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub struct Conditions<'a> {
    /// `If-Match`.
    pub if_match: Option<&'a str>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a str>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<SystemTime>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<SystemTime>,
}

/// What conditions say of a request that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it.
    Go,
    /// The client has it: 304.
    NotModified,
    /// It is not what the client expects: 412.
    Failed,
}

impl Conditions<'_> {
    /// Judges them for a representation with this strong ETag, quotes and all, and this time of its
    /// last change, in the RFC's order.
    pub fn judge(&self, etag: &str, modified: Option<SystemTime>) -> Verdict {
        let modified = modified.map(seconds);
        if let Some(list) = self.if_match {
            if !names(list, etag, false) {
                return Verdict::Failed;
            }
        } else if let (Some(since), Some(modified)) = (self.if_unmodified_since, modified)
            && modified > seconds(since)
        {
            return Verdict::Failed;
        }
        if let Some(list) = self.if_none_match {
            if names(list, etag, true) {
                return Verdict::NotModified;
            }
        } else if let (Some(since), Some(modified)) = (self.if_modified_since, modified)
            && modified <= seconds(since)
        {
            return Verdict::NotModified;
        }
        Verdict::Go
    }
}

/// Dates in headers have no fractions.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whether a list of ETags, or `*`, names this one.
fn names(list: &str, etag: &str, weak: bool) -> bool {
    if list.trim() == "*" {
        return true;
    }
    // No ETag of ours has a comma or a quote in it.
    list.split(',').map(str::trim).any(|item| {
        let item = if weak { item.strip_prefix("W/").unwrap_or(item) } else { item };
        item == etag
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 500)
    }

    #[test]
    fn etags_go_before_dates() {
        let none = Conditions::default();
        for (conditions, want) in [
            (none, Verdict::Go),
            (Conditions { if_none_match: Some("\"a\""), ..none }, Verdict::NotModified),
            (Conditions { if_none_match: Some("\"b\", W/\"a\""), ..none }, Verdict::NotModified),
            (Conditions { if_none_match: Some("*"), ..none }, Verdict::NotModified),
            (Conditions { if_none_match: Some("\"b\""), ..none }, Verdict::Go),
            (Conditions { if_match: Some("\"a\""), ..none }, Verdict::Go),
            (Conditions { if_match: Some("W/\"a\""), ..none }, Verdict::Failed),
            (Conditions { if_match: Some("\"b\""), ..none }, Verdict::Failed),
            (Conditions { if_match: Some("*"), ..none }, Verdict::Go),
            (Conditions { if_modified_since: Some(at(100)), ..none }, Verdict::NotModified),
            (Conditions { if_modified_since: Some(at(99)), ..none }, Verdict::Go),
            (Conditions { if_unmodified_since: Some(at(99)), ..none }, Verdict::Failed),
            (Conditions { if_unmodified_since: Some(at(100)), ..none }, Verdict::Go),
            (
                Conditions {
                    if_none_match: Some("\"b\""),
                    if_modified_since: Some(at(200)),
                    ..none
                },
                Verdict::Go,
            ),
        ] {
            assert_eq!(conditions.judge("\"a\"", Some(at(100))), want, "{conditions:?}");
        }
    }
}
