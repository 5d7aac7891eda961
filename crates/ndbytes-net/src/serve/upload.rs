//! PUT: a file that is there whole or not at all.

use std::ffi::OsStr;
use std::future::pending;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use ndbytes::{AtomicFile, SaveOptions};
use ring::digest::Context;
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::Service;
use super::body::{Body, empty};
use super::clients::Who;
use super::content::{conditions, digest_context, digest_text};
use super::incoming::{Bounds, Sink, answered, off, receive};
use super::problem::Problem;
use super::root::Node;
use super::router;
use crate::request::{Conditions, DigestKind, RelativePath, Verdict};
use crate::tokens::Scope;

/// A file that is being sent.
struct Upload {
    place: Place,
    digest: Option<Promised>,
}

/// A file that has no name yet.
pub(super) struct Place {
    pub(super) file: AtomicFile,
    /// The folder that it belongs to: as long as this is open, the path to it leads there.
    _folder: OwnedFd,
    pub(super) path: RelativePath,
}

/// Answers a request that writes a file.
pub(super) async fn answer(
    service: Arc<Service>,
    request: Parts,
    mut body: Incoming,
    patience: Duration,
) -> Response<Body> {
    let mut who = None;
    let waits = request.headers.contains_key(header::EXPECT);
    let received = store(&service, request, &mut body, patience, &mut who).await;
    router::finished(answered(received, body, waits), who)
}

async fn store(
    service: &Arc<Service>,
    request: Parts,
    body: &mut Incoming,
    patience: Duration,
    who: &mut Option<Who>,
) -> Result<Response<Body>, Problem> {
    *who = Some(service.admit(&request, Scope::Write)?);
    let bounds = Bounds { most: service.max_upload, patience };
    bounds.check(body)?;
    let (shared, request) = (Arc::clone(service), Arc::new(request));
    let asked = Arc::clone(&request);
    let upload = off(move || Upload::begin(&shared, &asked)).await?;
    let upload = receive(body, bounds, upload, pending()).await?;
    let service = Arc::clone(service);
    off(move || upload.finish(&service, &request)).await
}

impl Upload {
    fn begin(service: &Service, request: &Parts) -> Result<Self, Problem> {
        let path = request.uri.path();
        let Some(path) = path.strip_prefix("/files/").filter(|_| router::is_writable(path)) else {
            return Err(router::not_allowed(service, path));
        };
        let path = router::parse(path)?;
        router::query(request, &[])?;
        let headers = &request.headers;
        if headers.contains_key(header::CONTENT_RANGE) {
            let detail = "a file is sent whole, not in ranges";
            return Err(Problem::bad_request("http.body", detail));
        }
        let encoding = headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| encoding != "identity") {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Problem::new(status, "http.body", "a file is sent as it is"));
        }
        Ok(Self { place: Place::new(service, path, headers)?, digest: Promised::of(headers) })
    }

    /// Gives the file its name.
    fn finish(self, service: &Service, request: &Parts) -> Result<Response<Body>, Problem> {
        if let Some(digest) = self.digest {
            digest.check()?;
        }
        let (path, mut place) = (self.place.path.clone(), self.place);
        place.file.synchronize().map_err(stored)?;
        let was_there = place.publish(service, &request.headers)?;
        let status = if was_there { StatusCode::NO_CONTENT } else { StatusCode::CREATED };
        Ok(stored_as(service, &path, status))
    }
}

impl Place {
    /// One that is to be there, if the request's conditions allow it.
    pub(super) fn new(
        service: &Service,
        path: RelativePath,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let (folder, name) = target(service, &path)?;
        check(service, &path, headers)?;
        // By the folder that was opened, wherever its path leads by now.
        let place = format!("/proc/self/fd/{}", folder.as_raw_fd());
        let options = SaveOptions::default().with_durable(true);
        let file = AtomicFile::create(&Path::new(&place).join(name), &options).map_err(stored)?;
        Ok(Self { file, _folder: folder, path })
    }

    /// Gives the file its name; whether there was one of that name. Its bytes should be on the disk by now:
    /// others wait meanwhile.
    pub(super) fn publish(self, service: &Service, headers: &HeaderMap) -> Result<bool, Problem> {
        // Of two that are sent for the same version, the second one is for another by now.
        let _one = service.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let was_there = check(service, &self.path, headers)?;
        self.file.commit().map_err(stored)?;
        Ok(was_there)
    }
}

impl Sink for Upload {
    fn write(&mut self, pieces: &[Bytes]) -> Result<(), Problem> {
        for piece in pieces {
            if let Some(digest) = &mut self.digest {
                digest.update(piece);
            }
            self.place.file.write_all(piece).map_err(|error| stored(error.into()))?;
        }
        Ok(())
    }
}

/// Says that a file is there now, and which version of it.
pub(super) fn stored_as(
    service: &Service,
    path: &RelativePath,
    status: StatusCode,
) -> Response<Body> {
    let mut response = empty(status);
    // Whoever has removed it meanwhile does not undo that it was stored.
    if let Ok(Node::File(source)) = service.root.node(path)
        && let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", source.stamp().tag()))
    {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The folder that a file is to be in, and its name, if it may be there.
pub(super) fn target<'a>(
    service: &Service,
    path: &'a RelativePath,
) -> Result<(OwnedFd, &'a OsStr), Problem> {
    let (folder, name) = parent(service, path)?;
    let name = OsStr::from_bytes(name);
    match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
            Err(conflict("what is there is no regular file"))
        }
        Ok(_) | Err(Errno::NOENT) => Ok((folder, name)),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// The folder that a path is in, and its last name.
pub(super) fn parent<'a>(
    service: &Service,
    path: &'a RelativePath,
) -> Result<(OwnedFd, &'a [u8]), Problem> {
    let Some((name, above)) = path.segments().split_last() else {
        return Err(conflict("that is the folder that is served"));
    };
    match service.root.node(&path.front(above.len())) {
        Ok(Node::Folder(folder)) => Ok((folder, name)),
        Ok(Node::File(_)) => Err(conflict("what should be a folder is a file")),
        Err(error) => {
            let problem = Problem::from(error);
            Err(match problem.status {
                StatusCode::NOT_FOUND => conflict("there is no such folder"),
                _ => problem,
            })
        }
    }
}

/// Whether there is a file, if the request's conditions allow what it asks for.
pub(super) fn check(
    service: &Service,
    path: &RelativePath,
    headers: &HeaderMap,
) -> Result<bool, Problem> {
    // That one is for those who read.
    let conditions = Conditions { if_modified_since: None, ..conditions(headers) };
    let found = match service.root.node(path) {
        Ok(Node::File(source)) => Some(source.stamp()),
        Ok(Node::Folder(_)) => return Err(conflict("what is there is a folder")),
        Err(error) => match Problem::from(error) {
            problem if problem.status == StatusCode::NOT_FOUND => None,
            problem => return Err(problem),
        },
    };
    let allowed = match found {
        Some(stamp) => {
            let tag = format!("\"{}\"", stamp.tag());
            conditions.judge(&tag, Some(stamp.modified())) == Verdict::Go
        }
        None => conditions.if_match.is_none(),
    };
    if allowed {
        return Ok(found.is_some());
    }
    let detail = match found {
        Some(_) => "the file that is there is not the version that the request is for",
        None => "there is no file of the version that the request is for",
    };
    Err(Problem::new(StatusCode::PRECONDITION_FAILED, "http.precondition", detail))
}

/// A digest that the client promises, and that of what has come.
pub(super) struct Promised {
    kind: DigestKind,
    promised: String,
    context: Context,
}

impl Promised {
    /// The first of those that are known.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let fields = ["repr-digest", "content-digest"];
        let texts = fields.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
        let items = texts.flat_map(|text| text.split(',')).map(str::trim);
        items.into_iter().find_map(|item| {
            let kind = DigestKind::from_name(item.split_once('=')?.0)?;
            Some(Self { kind, promised: item.to_owned(), context: digest_context(kind) })
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    /// Whether what has come is what was promised.
    pub(super) fn check(self) -> Result<(), Problem> {
        let Self { kind, promised, context } = self;
        let computed = digest_text(kind, context.finish().as_ref());
        if computed == promised {
            return Ok(());
        }
        let detail = format!("the digest of what came is {computed}, not {promised}");
        Err(Problem::bad_request("http.digest", detail))
    }
}

pub(super) fn conflict(detail: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, "http.conflict", detail)
}

/// What the operating system said of a file that is written.
pub(super) fn stored(error: ndbytes::Error) -> Problem {
    use io::ErrorKind as Kind;
    match error.io().map(io::Error::kind) {
        Some(Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge) => {
            let detail = "there is no room for the file";
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "http.storage", detail)
        }
        Some(Kind::PermissionDenied | Kind::ReadOnlyFilesystem) => {
            let detail = "the server may not write this file";
            Problem::new(StatusCode::FORBIDDEN, "http.forbidden", detail)
        }
        _ => {
            tracing::error!(%error, "a file cannot be written");
            let detail = "the server could not write the file";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "io", detail)
        }
    }
}
