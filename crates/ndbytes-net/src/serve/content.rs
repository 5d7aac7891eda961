//! Representations: bytes with a name for their version, given whole or by range, with digests.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use ndbytes::ReadAt;
use ring::digest::{Context, SHA256, SHA512};

use super::body::{Begun, Body, Producer};
use super::buffers::Buffers;
use super::pace::Pace;
use super::problem::Problem;
use super::source::Source;
use crate::request::{
    ByteRange, Conditions, DigestKind, Ranges, Verdict, parse_ranges, wanted_digest,
};

/// Bytes that can be given, and what is said of them.
pub(super) struct Content {
    facts: Facts,
    data: Data,
}

struct Facts {
    kind: &'static str,
    /// With its quotes.
    etag: String,
    modified: Option<SystemTime>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

enum Data {
    Segments(Vec<Segment>),
    /// Made in order, once.
    Stream(u64, Box<dyn Producer>),
}

/// Bytes one after another.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    Bytes(Bytes),
    File { source: Source, at: u64, len: u64 },
    Zeros(u64),
}

/// Digests that were computed, by ETag.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<(String, DigestKind), String>>);

impl Content {
    /// Bytes of which every part can be given by itself.
    pub(super) fn segments(kind: &'static str, tag: &str, segments: Vec<Segment>) -> Self {
        Self { facts: Facts::new(kind, tag), data: Data::Segments(segments) }
    }

    /// `len` bytes that are made in order.
    pub(super) fn stream(
        kind: &'static str,
        tag: &str,
        len: u64,
        producer: impl Producer + 'static,
    ) -> Self {
        Self { facts: Facts::new(kind, tag), data: Data::Stream(len, Box::new(producer)) }
    }

    /// Text that was made for this request: its digest is its version.
    pub(super) fn text(kind: &'static str, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let digest = ring::digest::digest(&SHA256, &text);
        let tag: String = digest.as_ref()[..12].iter().map(|b| format!("{b:02x}")).collect();
        Self::segments(kind, &tag, vec![Segment::Bytes(text)])
    }

    pub(super) fn modified(mut self, time: SystemTime) -> Self {
        // A date in the future would say that nothing has changed for long.
        self.facts.modified = Some(time.min(SystemTime::now()));
        self
    }

    /// The same with a header, if its value can be one.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.facts.headers.push((HeaderName::from_static(name), value));
        }
        self
    }

    /// The answer to a request for it.
    pub(super) fn respond(
        self,
        method: &Method,
        request: &HeaderMap,
        digests: &Digests,
    ) -> Result<Response<Body>, Problem> {
        let Self { facts, data } = self;
        let text = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
        match conditions(request).judge(&facts.etag, facts.modified) {
            Verdict::Go => {}
            Verdict::NotModified => {
                return Ok(facts.head(StatusCode::NOT_MODIFIED, Body::once(Bytes::new())));
            }
            Verdict::Failed => {
                let detail = "it is not the version that the request is for";
                let status = StatusCode::PRECONDITION_FAILED;
                return Err(Problem::new(status, "http.precondition", detail));
            }
        }
        let segments = match data {
            Data::Segments(segments) => segments,
            Data::Stream(len, producer) => {
                let mut response = facts.head(StatusCode::OK, body(method, len, producer)?);
                length(&mut response, len, "none");
                return Ok(response);
            }
        };
        let size = total(&segments);
        let range = text(header::RANGE)
            .filter(|_| *method == Method::GET && facts.is_version(text(header::IF_RANGE)));
        let ranges = range.map_or(Ranges::Whole, |range| parse_ranges(range, size));
        let wanted = |name| {
            let most = size <= MOST_DIGESTED;
            text(HeaderName::from_static(name)).and_then(wanted_digest).filter(|_| most)
        };
        let repr = wanted("want-repr-digest")
            .map(|kind| digests.digest(&facts.etag, kind, &segments))
            .transpose()?;
        let mut response = match ranges {
            Ranges::Whole => facts.head(StatusCode::OK, Body::once(Bytes::new())),
            Ranges::Parts(_) => facts.head(StatusCode::PARTIAL_CONTENT, Body::once(Bytes::new())),
            Ranges::Unsatisfiable => {
                let detail = format!("there are {size} bytes, none of them among those asked for");
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                return Err(Problem::new(status, "http.range", detail)
                    .with(header::CONTENT_RANGE, &format!("bytes */{size}"))
                    .with(header::ACCEPT_RANGES, "bytes"));
            }
        };
        let sent = match ranges {
            Ranges::Parts(parts) => partial(&mut response, &segments, &parts, size),
            _ => segments,
        };
        let content = wanted("want-content-digest").map(|kind| digest(kind, &sent)).transpose()?;
        for (name, value) in [("repr-digest", repr), ("content-digest", content)] {
            if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(&value)) {
                response.headers_mut().insert(name, value);
            }
        }
        let len = total(&sent);
        length(&mut response, len, "bytes");
        *response.body_mut() = body(method, len, Box::new(Segments::new(sent)))?;
        Ok(response)
    }
}

impl Facts {
    fn new(kind: &'static str, tag: &str) -> Self {
        Self { kind, etag: format!("\"{tag}\""), modified: None, headers: Vec::new() }
    }

    /// Whether an `If-Range` means this version: a strong ETag, or the date to the second.
    fn is_version(&self, if_range: Option<&str>) -> bool {
        let Some(if_range) = if_range else { return true };
        let date = || self.modified.map(httpdate::fmt_http_date);
        if_range == self.etag || Some(if_range) == date().as_deref()
    }

    fn head(&self, status: StatusCode, body: Body) -> Response<Body> {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if status != StatusCode::NOT_MODIFIED {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        }
        // A cache asks whether it is still the version that there is.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            headers.insert(header::ETAG, etag);
        }
        if let Some(modified) = self.modified
            && let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(modified))
        {
            headers.insert(header::LAST_MODIFIED, date);
        }
        headers.extend(self.headers.iter().cloned());
        response
    }
}

impl Digests {
    /// The field's value, computed once for each version.
    fn digest(&self, etag: &str, kind: DigestKind, segments: &[Segment]) -> io::Result<String> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (etag.to_owned(), kind);
        if let Some(known) = lock().get(&key) {
            return Ok(known.clone());
        }
        let value = digest(kind, segments)?;
        let mut known = lock();
        if known.len() >= MOST_KEPT {
            known.clear();
        }
        known.insert(key, value.clone());
        Ok(value)
    }
}

/// What a request depends on.
pub(super) fn conditions(headers: &HeaderMap) -> Conditions<'_> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let date = |name| text(name).and_then(|text| httpdate::parse_http_date(text).ok());
    Conditions {
        if_match: text(header::IF_MATCH),
        if_none_match: text(header::IF_NONE_MATCH),
        if_modified_since: date(header::IF_MODIFIED_SINCE),
        if_unmodified_since: date(header::IF_UNMODIFIED_SINCE),
    }
}

fn length(response: &mut Response<Body>, len: u64, ranges: &'static str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, len.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static(ranges));
}

/// What is small, and soon made, is made at once: another thread would take longer to begin.
fn body(method: &Method, len: u64, mut producer: Box<dyn Producer>) -> io::Result<Body> {
    if *method != Method::GET || len > SMALL {
        return Ok(Body::streamed(len, producer));
    }
    let (mut pieces, mut made) = (VecDeque::new(), 0);
    // Few bytes may be much work, of which the client is to see that it goes on.
    while pieces.len() < FEW && made < len {
        let Some(piece) = producer.produce()? else { break };
        made += piece.len() as u64;
        pieces.push_back(piece);
    }
    if made != len {
        return Ok(Body::streamed(len, Box::new(Begun { pieces, rest: producer })));
    }
    Ok(match pieces.len() {
        1 => Body::once(pieces.remove(0).unwrap_or_default()),
        _ => Body::once(pieces.into_iter().flatten().collect::<Vec<_>>()),
    })
}

/// What is sent for one range or several, which changes the headers.
fn partial(
    response: &mut Response<Body>,
    all: &[Segment],
    parts: &[ByteRange],
    size: u64,
) -> Vec<Segment> {
    let place =
        |part: &ByteRange| format!("bytes {}-{}/{size}", part.start, part.start + part.len - 1);
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            return headers.insert(name, value);
        }
        None
    };
    if let [part] = parts {
        set(header::CONTENT_RANGE, place(part));
        return cut(all, *part);
    }
    let boundary = boundary();
    let kind = set(header::CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}"));
    let kind = kind.as_ref().and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut sent = Vec::new();
    for part in parts {
        let head = format!(
            "\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {}\r\n\r\n",
            place(part)
        );
        sent.push(Segment::Bytes(head.into()));
        sent.extend(cut(all, *part));
    }
    sent.push(Segment::Bytes(format!("\r\n--{boundary}--\r\n").into()));
    sent
}

/// Another one each time, so that data cannot be made to look like the end of a part.
fn boundary() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("ndbytes-{:016x}", RandomState::new().hash_one(SystemTime::now()))
}

fn total(segments: &[Segment]) -> u64 {
    segments.iter().map(Segment::len).sum()
}

/// The bytes of a range, which must be within.
fn cut(segments: &[Segment], range: ByteRange) -> Vec<Segment> {
    let (mut skip, mut left) = (range.start, range.len);
    let mut cut = Vec::new();
    for segment in segments {
        let len = segment.len();
        if skip >= len {
            skip -= len;
            continue;
        }
        let take = (len - skip).min(left);
        if take > 0 {
            cut.push(segment.part(skip, take));
        }
        (skip, left) = (0, left - take);
    }
    cut
}

impl Segment {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } | Self::Zeros(len) => *len,
        }
    }

    /// `len` of its bytes from `skip` on, which must be there.
    fn part(&self, skip: u64, len: u64) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(skip as usize..(skip + len) as usize)),
            Self::File { source, at, .. } => {
                Self::File { source: source.clone(), at: at + skip, len }
            }
            Self::Zeros(_) => Self::Zeros(len),
        }
    }
}

/// Segments as a body.
struct Segments {
    left: VecDeque<Segment>,
    buffers: Buffers,
    pace: Pace,
}

impl Segments {
    fn new(segments: Vec<Segment>) -> Self {
        Self { left: segments.into(), buffers: Buffers::default(), pace: Pace::default() }
    }
}

impl Producer for Segments {
    fn produce(&mut self) -> io::Result<Option<Bytes>> {
        let Some(segment) = self.left.pop_front() else { return Ok(None) };
        let len = segment.len().min(self.pace.next() as u64);
        if len < segment.len() {
            self.left.push_front(segment.part(len, segment.len() - len));
        }
        Ok(Some(match segment {
            Segment::Bytes(bytes) => bytes.slice(..len as usize),
            Segment::Zeros(_) => vec![0; len as usize].into(),
            Segment::File { source, at, .. } => self.buffers.filled(len as usize, |bytes| {
                let mut have = 0;
                while have < bytes.len() {
                    match source.read_at(&mut bytes[have..], at + have as u64)? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        n => have += n,
                    }
                }
                Ok(())
            })?,
        }))
    }
}

/// A digest as a field of RFC 9530 has it.
fn digest(kind: DigestKind, segments: &[Segment]) -> io::Result<String> {
    let mut context = digest_context(kind);
    let mut producer = Segments::new(segments.to_vec());
    while let Some(piece) = producer.produce()? {
        context.update(&piece);
    }
    Ok(digest_text(kind, context.finish().as_ref()))
}

/// What computes a digest.
pub(super) fn digest_context(kind: DigestKind) -> Context {
    Context::new(match kind {
        DigestKind::Sha256 => &SHA256,
        DigestKind::Sha512 => &SHA512,
    })
}

/// A digest as RFC 9530 writes it.
pub(super) fn digest_text(kind: DigestKind, digest: &[u8]) -> String {
    format!("{}=:{}:", kind.as_str(), BASE64_STANDARD.encode(digest))
}

/// Bytes that are not worth a thread of their own.
const SMALL: u64 = 1 << 18;
const FEW: usize = 4;
/// Longer than a client waits for the first byte.
const MOST_DIGESTED: u64 = 16 << 30;
const MOST_KEPT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_across_segments() {
        let segments =
            [Segment::Bytes("abc".into()), Segment::Zeros(2), Segment::Bytes("def".into())];
        let whole = b"abc\0\0def";
        for start in 0..8 {
            for len in 1..=8 - start {
                let mut producer = Segments::new(cut(&segments, ByteRange { start, len }));
                let mut joined = Vec::new();
                while let Some(piece) = producer.produce().unwrap() {
                    joined.extend_from_slice(&piece);
                }
                assert_eq!(joined, whole[start as usize..(start + len) as usize]);
            }
        }
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        let segments =
            [Segment::Bytes(r#"{"hello": "world"}"#.into()), Segment::Bytes("\n".into())];
        // RFC 9530, appendix B.1.
        let want = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert_eq!(digest(DigestKind::Sha256, &segments).unwrap(), want);
    }
}
