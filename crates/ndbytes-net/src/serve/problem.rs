//! Errors as RFC 9457 has them: `application/problem+json`, with a stable code.

use std::fmt::Display;
use std::io;

use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use ndbytes::{Error, ErrorKind};
use rustix::io::Errno;
use serde_json::json;

use super::body::Body;

/// Why a request is not answered as it would like.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// One of `docs/spec/http.md`, or of `docs/spec/errors.md`.
    pub(super) code: &'static str,
    detail: String,
    offset: Option<u64>,
    headers: Vec<(HeaderName, HeaderValue)>,
    astray: bool,
}

/// What an answer has in its extensions whose path leads out of the folder, or nowhere.
#[derive(Clone, Copy)]
pub(super) struct Astray;

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let (detail, headers) = (detail.into(), Vec::new());
        Self { status, code, detail, offset: None, headers, astray: false }
    }

    /// The same with another header.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The same of a path that leads out of the folder, or nowhere: somebody may be trying to get out.
    pub(super) fn astray(mut self) -> Self {
        self.astray = true;
        self
    }

    pub(super) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "http.not_found", detail)
    }

    /// Work that panicked.
    pub(super) fn fault(error: &dyn Display) -> Self {
        tracing::error!(%error, "an answer panicked");
        let detail = "the server has a fault: its log has more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "http.fault", detail)
    }

    /// An error of the data or of what was asked of it.
    pub(super) fn of(error: Error) -> Self {
        let error = match error.into_io() {
            Ok(io) => return Self::of_system(&io),
            Err(error) => error,
        };
        let code = error.code();
        let status = match code.kind() {
            _ if code == ndbytes::Code::ZipMissing => StatusCode::NOT_FOUND,
            ErrorKind::Misuse => StatusCode::BAD_REQUEST,
            // The request is well-formed, the file is not, or is not for this.
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let offset = error.offset();
        Self { offset, ..Self::new(status, code.as_str(), error.message()) }
    }

    /// What is wrong, for people.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The same to who can say no more than that something failed.
    pub(super) fn into_io(self) -> io::Error {
        io::Error::other(self.detail)
    }

    fn body(&self) -> String {
        let title = self.status.canonical_reason().unwrap_or_default();
        let mut value = json!({
            "type": "about:blank",
            "title": title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "code": self.code,
        });
        if let Some(offset) = self.offset {
            value["offset"] = offset.into();
        }
        format!("{value}\n")
    }

    /// The same where there is no request that it would answer: as HTTP/1.1, after which nothing comes.
    pub(super) fn to_text(&self) -> Vec<u8> {
        let (body, status) = (self.body(), self.status);
        let length = body.len();
        let mut text = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: {KIND}\r\nContent-Length: {length}\r\n"
        )
        .into_bytes();
        for (name, value) in &self.headers {
            text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        text.extend([b"\r\n", body.as_bytes()].concat());
        text
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::once(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        if self.astray {
            response.extensions_mut().insert(Astray);
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::of(error)
    }
}

impl From<ndbytes::FormatError> for Problem {
    fn from(error: ndbytes::FormatError) -> Self {
        Self::of(error.into())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::of(error.into())
    }
}

impl Problem {
    /// What the operating system said of a file.
    fn of_system(error: &io::Error) -> Self {
        let number = error.raw_os_error();
        // From outside, what leads out looks like what is not there.
        if number == Some(Errno::XDEV.raw_os_error()) {
            return Self::not_found(NOWHERE).astray();
        }
        if MISSING.iter().any(|errno| Some(errno.raw_os_error()) == number) {
            return Self::not_found(NOWHERE);
        }
        match error.kind() {
            io::ErrorKind::NotFound => Self::not_found(NOWHERE),
            io::ErrorKind::PermissionDenied => Self::new(
                StatusCode::FORBIDDEN,
                "http.forbidden",
                "the server may not read this file",
            ),
            _ if error.to_string() == super::source::CHANGED => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "http.changed", error.to_string())
                    .with(header::RETRY_AFTER, "1")
            }
            _ => {
                tracing::error!(%error, "a file cannot be read");
                let detail = "the server could not read the file";
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "io", detail)
            }
        }
    }
}

/// RFC 9457.
const KIND: &str = "application/problem+json";
const MISSING: [Errno; 4] = [Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG, Errno::ISDIR];
const NOWHERE: &str = "there is no such file or folder";
