//! An answer of HTTP/1.1 on a connection of its own: its head, and its body as it comes (RFC 9112).

use std::io::{self, Read};
use std::time::{Duration, Instant};

use super::refusal;

/// The body of an answer to one request, whose head is read with the first byte.
///
/// A status other than 200 and 204 is an error, with what the server says. A body that breaks off is one
/// of the kind `ConnectionAborted`, what is no HTTP one of the kind `InvalidData`.
pub struct AnswerReader<R> {
    source: R,
    /// What was asked for; errors are about it.
    url: String,
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    body: Body,
    /// How long a head, or what is between two chunks, may take.
    patience: Option<Duration>,
    /// When it began to come.
    since: Option<Instant>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// The head.
    Head,
    /// So many bytes, and nothing after them.
    Length(u64),
    /// So many bytes of a chunk, and the end of its line.
    Chunk(u64),
    /// The size of the next chunk.
    Size,
    /// All until the connection ends.
    UntilEnd,
    Done,
}

impl<R: Read> AnswerReader<R> {
    /// Of a connection on which this was asked for.
    pub fn new(source: R, url: &str) -> Self {
        let bytes = vec![0; BUFFER].into_boxed_slice();
        let (body, url) = (Body::Head, url.to_owned());
        Self { source, url, bytes, start: 0, end: 0, body, patience: None, since: None }
    }

    /// The same, which gives up when a head takes longer than that as a whole, or what is between two
    /// chunks; any time unless given. How long the source may say nothing is the source's.
    #[must_use]
    pub fn with_patience(mut self, patience: Option<Duration>) -> Self {
        self.patience = patience;
        self
    }

    /// Whether bytes lie here that were read ahead.
    pub fn is_ahead(&self) -> bool {
        self.start < self.end
    }

    /// Reads more behind what is here; false at the end of the connection.
    fn pull(&mut self) -> io::Result<bool> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.end == self.bytes.len() {
            return Err(self.wrong("the head of an answer, or a line in it, has no end"));
        }
        let n = loop {
            match self.source.read(&mut self.bytes[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.end += n;
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.patience.is_some_and(|most| since.elapsed() > most) {
            let message = format!("{}: the server does not get on with its answer", self.url);
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        Ok(n > 0)
    }

    /// Reads heads until one is final.
    fn head(&mut self) -> io::Result<()> {
        let mut interim = 0;
        loop {
            let Some(head) = self.parse()? else {
                if !self.pull()? {
                    return Err(self.cut("before its answer"));
                }
                continue;
            };
            interim += 1;
            if interim > MOST_FIELDS {
                return Err(self.wrong("an answer that begins again and again"));
            }
            self.start += head.len;
            self.since = None;
            self.body = head.body;
            match head.status {
                100..=199 if head.status != 101 => self.body = Body::Head,
                200 => return Ok(()),
                204 => {
                    self.body = Body::Done;
                    return Ok(());
                }
                status => return Err(self.refused(status, &head.reason, head.location)),
            }
        }
    }

    /// The head that lies here, if it is whole.
    fn parse(&self) -> io::Result<Option<Head>> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut answer = httparse::Response::new(&mut fields);
        let parsed = answer.parse(&self.bytes[self.start..self.end]);
        let parsed = parsed.map_err(|error| self.wrong(&format!("no answer of HTTP: {error}")))?;
        let httparse::Status::Complete(len) = parsed else { return Ok(None) };
        let values = |name: &'static str| {
            let fields = answer.headers.iter();
            let named = fields.filter(move |field| field.name.eq_ignore_ascii_case(name));
            named.map(|field| String::from_utf8_lossy(field.value).trim().to_owned())
        };
        let codings: Vec<_> = values("transfer-encoding").collect();
        let lengths: Vec<_> = values("content-length").collect();
        let body = match (&codings[..], &lengths[..]) {
            // What says both was put together by somebody who wants it to be read in two ways.
            ([_, ..], [_, ..]) => return Err(self.wrong("an answer with two lengths")),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => Body::Size,
            ([_, ..], _) => return Err(self.wrong("an answer in a coding that was not asked for")),
            ([], []) => Body::UntilEnd,
            ([], [length]) => {
                match length.bytes().all(|b| b.is_ascii_digit()).then(|| length.parse()) {
                    Some(Ok(length)) => Body::Length(length),
                    _ => return Err(self.wrong("an answer whose length is no number")),
                }
            }
            ([], _) => return Err(self.wrong("an answer with two lengths")),
        };
        let encoding = values("content-encoding").find(|coding| coding != "identity");
        if encoding.is_some() && answer.code == Some(200) {
            return Err(self.wrong("an answer that is compressed, which was not asked for"));
        }
        Ok(Some(Head {
            status: answer.code.unwrap_or_default(),
            reason: answer.reason.unwrap_or_default().to_owned(),
            location: values("location").next(),
            body,
            len,
        }))
    }

    /// A line up to its end, without it; none where the connection ends before.
    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            let here = &self.bytes[self.start..self.end];
            let end = here.iter().position(|&byte| byte == b'\n');
            if end.unwrap_or(here.len()) > MOST_LINE {
                return Err(self.wrong("a line between chunks has no end"));
            }
            if let Some(len) = end {
                let line = here[..len].strip_suffix(b"\r").unwrap_or(&here[..len]);
                let line = String::from_utf8_lossy(line).into_owned();
                self.start += len + 1;
                self.since = None;
                return Ok(Some(line));
            }
            if !self.pull()? {
                return Ok(None);
            }
        }
    }

    /// The size of the next chunk; after the last one, what follows it.
    fn chunk(&mut self) -> io::Result<()> {
        let Some(line) = self.line()? else { return Err(self.cut("between two chunks")) };
        let digits = line.split(';').next().unwrap_or_default().trim();
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = is_number.then(|| u64::from_str_radix(digits, 16));
        let Some(Ok(size)) = size else {
            return Err(self.wrong("the size of a chunk is no number"));
        };
        if size > 0 {
            self.body = Body::Chunk(size);
            return Ok(());
        }
        // Trailers, which nobody asked for.
        for _ in 0..MOST_FIELDS {
            match self.line()? {
                None => return Err(self.cut("after its last chunk")),
                Some(line) if line.is_empty() => {
                    self.body = Body::Done;
                    return Ok(());
                }
                Some(_) => {}
            }
        }
        Err(self.wrong("too many trailers"))
    }

    /// Some bytes of a run of `left`; none is an error.
    fn some(&mut self, buffer: &mut [u8], left: u64) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.start == self.end && most >= BUFFER {
            return self.source.read(&mut buffer[..most]);
        }
        if self.start == self.end {
            self.since = None;
            if !self.pull()? {
                return Ok(0);
            }
        }
        self.since = None;
        let n = most.min(self.end - self.start);
        buffer[..n].copy_from_slice(&self.bytes[self.start..self.start + n]);
        self.start += n;
        Ok(n)
    }

    /// An answer that is no success, with the beginning of what it says.
    fn refused(&mut self, status: u16, reason: &str, location: Option<String>) -> io::Error {
        let mut said = vec![0; SAID];
        let mut have = 0;
        // Whatever else is wrong, the status was understood. A body without an end is not waited for.
        let endless = self.body == Body::UntilEnd;
        while have < SAID
            && !matches!(status, 100..=199 | 304)
            && let Ok(n @ 1..) = self.read(&mut said[have..])
        {
            have += n;
            if endless {
                break;
            }
        }
        self.body = Body::Done;
        let said = match (300..400).contains(&status).then_some(location).flatten() {
            Some(location) => format!("it is at {location}").into_bytes(),
            None => said[..have].to_vec(),
        };
        refusal(&self.url, status, reason, &said).into()
    }

    fn wrong(&self, what: &str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", self.url))
    }

    fn cut(&self, when: &str) -> io::Error {
        let message = format!("{}: the connection ended {when}", self.url);
        io::Error::new(io::ErrorKind::ConnectionAborted, message)
    }
}

struct Head {
    status: u16,
    reason: String,
    location: Option<String>,
    body: Body,
    /// Bytes that it takes.
    len: usize,
}

impl<R: Read> Read for AnswerReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.body {
                Body::Head => self.head()?,
                Body::Size => self.chunk()?,
                Body::Done | Body::Length(0) => return Ok(0),
                Body::UntilEnd => return self.some(buffer, u64::MAX),
                Body::Chunk(0) => match self.line()? {
                    Some(line) if line.is_empty() => self.body = Body::Size,
                    Some(_) => return Err(self.wrong("a chunk is longer than it says")),
                    None => return Err(self.cut("after a chunk")),
                },
                Body::Length(left) | Body::Chunk(left) => {
                    let n = self.some(buffer, left)?;
                    if n == 0 {
                        return Err(self.cut(&format!("{left} bytes before the end of its answer")));
                    }
                    let left = left - n as u64;
                    // What ends a chunk is nothing that somebody could wait for.
                    if self.body == Body::Chunk(n as u64)
                        && self.bytes[self.start..self.end].starts_with(b"\r\n")
                    {
                        self.start += 2;
                        self.body = Body::Size;
                        return Ok(n);
                    }
                    self.body = match self.body {
                        Body::Length(_) => Body::Length(left),
                        _ => Body::Chunk(left),
                    };
                    return Ok(n);
                }
            }
        }
    }
}

/// Bytes that are read ahead; no head is longer.
const BUFFER: usize = 16 << 10;
const MOST_FIELDS: usize = 100;
const MOST_LINE: usize = 4096;
/// Bytes of an error that are looked at.
const SAID: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> io::Result<String> {
        // A byte at a time, and all at once: the same.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let most = buffer.len().min(1);
                self.0.read(&mut buffer[..most])
            }
        }
        let all = |source: &mut dyn Read| {
            let mut body = String::new();
            AnswerReader::new(source, "http://a/").read_to_string(&mut body).map(|_| body)
        };
        let (fast, slow) = (all(&mut text.as_bytes()), all(&mut Slow(text.as_bytes())));
        match (&fast, &slow) {
            (Ok(fast), Ok(slow)) => assert_eq!(fast, slow),
            (Err(fast), Err(slow)) => assert_eq!(fast.to_string(), slow.to_string()),
            _ => panic!("{text}: {fast:?} {slow:?}"),
        }
        fast
    }

    #[test]
    fn bodies_end_where_they_say() {
        for (text, want) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", "abc"),
            ("HTTP/1.0 200 OK\r\n\r\nabcdef", "abcdef"),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", ""),
            ("HTTP/1.1 204 No Content\r\n\r\nabc", ""),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\nmore",
                "abc0123456789",
            ),
        ] {
            assert_eq!(read(text).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn what_breaks_off_is_no_end() {
        let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let long = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        for text in [whole, long] {
            assert_eq!(read(text).unwrap(), "abc");
            for len in 0..text.len() {
                let error = read(&text[..len]).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{len}: {error}");
            }
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let many = "a: b\r\n".repeat(MOST_FIELDS + 1);
        for text in [
            "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
            &format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "b".repeat(BUFFER)),
            &format!("{chunked}x\r\nabc"),
            &format!("{chunked}\r\nabc"),
            &format!("{chunked}-1\r\nabc"),
            &format!("{chunked}11111111111111111\r\nabc"),
            &format!("{chunked}2\r\nabc\r\n0\r\n\r\n"),
            &format!("{chunked}{}", "1".repeat(MOST_LINE + 2)),
            &format!("{chunked}0\r\n{many}\r\n"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}: {error}");
        }
    }

    #[test]
    fn a_refusal_says_why() {
        let text = "HTTP/1.1 404 Not Found\r\nContent-Length: 7\r\n\r\nno file";
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "http://a/: the server answers 404 Not Found: no file");
        let moved = "HTTP/1.1 308 \r\nLocation: /b\r\nContent-Length: 0\r\n\r\n";
        let error = ndbytes::Error::from(read(moved).unwrap_err());
        assert_eq!(error.code(), ndbytes::Code::HttpStatus);
        assert!(error.message().contains("308: it is at /b"), "{error}");
    }
}
