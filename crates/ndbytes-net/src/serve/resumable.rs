//! Uploads that go on where they were cut: tus 1.0, with its extensions creation,
//! creation-with-upload, checksum, termination and expiration.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::Service;
use super::body::{Body, empty};
use super::clients::Who;
use super::incoming::{Bounds, Sink, answered, off, receive};
use super::partial::{Partial, Plan, same_file_system};
use super::problem::Problem;
use super::router;
use super::upload::{Promised, check, conflict, stored, stored_as, target};
use crate::request::{ChecksumKind, encode_segment, parse_checksum, parse_metadata};
use crate::tokens::Scope;

/// Uploads that come now, each with what tells its request that another one goes on with it.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<String, Arc<Notify>>>);

/// One of them.
struct Turn<'a> {
    turns: &'a Turns,
    id: String,
    told: Arc<Notify>,
}

/// What is to be added to an upload.
struct Part {
    bounds: Bounds,
    /// What its digest is to be.
    checksum: Option<(Vec<u8>, Context)>,
}

/// Bytes on their way to the end of an upload.
struct Appending {
    partial: Option<Partial>,
    /// What the client says of them; as long as it is not known to be true, they do not stay.
    checksum: Option<(Vec<u8>, Context)>,
    begin: u64,
}

/// Whether a path is one of uploads.
pub(super) fn is_ours(path: &str) -> bool {
    path == "/uploads" || path.starts_with("/uploads/")
}

/// Answers a request for an upload.
pub(super) async fn answer(
    service: Arc<Service>,
    mut request: Parts,
    mut body: Incoming,
    patience: Duration,
) -> Response<Body> {
    let mut who = None;
    // For clients whose proxies know no PATCH.
    let other = request.headers.get("x-http-method-override");
    if let Some(method) = other.and_then(|name| Method::from_bytes(name.as_bytes()).ok()) {
        request.method = method;
    }
    let waits = request.headers.contains_key(header::EXPECT);
    let is_head = request.method == Method::HEAD;
    let handled = handle(&service, request, &mut body, patience, &mut who).await;
    let mut response = answered(handled, body, waits);
    response.headers_mut().insert("tus-resumable", HeaderValue::from_static(VERSION));
    router::finished(if is_head { response.map(Body::emptied) } else { response }, who)
}

async fn handle(
    service: &Arc<Service>,
    request: Parts,
    body: &mut Incoming,
    patience: Duration,
    who: &mut Option<Who>,
) -> Result<Response<Body>, Problem> {
    let path = request.uri.path().to_owned();
    let id = path.strip_prefix("/uploads/").unwrap_or_default();
    if request.method == Method::OPTIONS {
        return Ok(capabilities(service));
    }
    let asks = service.admit(&request, Scope::Write)?;
    let owner = asks.token.clone();
    *who = Some(asks);
    let version = request.headers.get("tus-resumable");
    if version.is_none_or(|version| version != VERSION) {
        let detail = format!("this is for clients of tus: Tus-Resumable: {VERSION}");
        let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "http.tus", detail);
        return Err(problem.with(HeaderName::from_static("tus-version"), VERSION));
    }
    router::query(&request, &[])?;
    match (request.method.as_str(), id) {
        ("POST", "") => create(service, request, body, patience, owner).await,
        ("HEAD", id) if !id.is_empty() => {
            let mut partial = open(service, id, owner).await?;
            let shared = Arc::clone(service);
            off(move || {
                partial.synchronize().map_err(|error| stored(error.into()))?;
                // Who hears that nothing is left to send does not come again.
                if partial.at() == partial.plan.len {
                    publish(&shared, &mut partial)?;
                }
                let mut response = state(&partial, StatusCode::OK);
                let headers = response.headers_mut();
                set(headers, "upload-length", &partial.plan.len.to_string());
                set(headers, "cache-control", "no-store");
                let metadata = partial.plan.headers.iter().find(|(name, _)| name == METADATA);
                if let Some((_, metadata)) = metadata {
                    set(headers, METADATA, metadata);
                }
                Ok(response)
            })
            .await
        }
        ("PATCH", id) if !id.is_empty() => {
            let partial = open(service, id, owner).await?;
            let left = partial.plan.len.checked_sub(partial.at());
            let left = left.ok_or_else(|| conflict("the upload has more bytes than it may"))?;
            let part = Part::of(&request.headers, partial.at(), left, patience, body)?;
            append(service, body, part, partial).await
        }
        ("DELETE", id) if !id.is_empty() => {
            let partial = open(service, id, owner).await?;
            off(move || partial.remove().map_err(|error| stored(error.into()))).await?;
            Ok(empty(StatusCode::NO_CONTENT))
        }
        _ => {
            let allow =
                if id.is_empty() { "OPTIONS, POST" } else { "OPTIONS, HEAD, PATCH, DELETE" };
            let status = StatusCode::METHOD_NOT_ALLOWED;
            Err(Problem::new(status, "http.method", format!("there are {allow}"))
                .with(header::ALLOW, allow))
        }
    }
}

/// What there is of tus.
fn capabilities(service: &Service) -> Response<Body> {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    set(headers, "tus-version", VERSION);
    set(headers, "tus-max-size", &service.max_upload.to_string());
    set(headers, "tus-extension", EXTENSIONS);
    let kinds = ChecksumKind::ALL.map(ChecksumKind::as_str).join(",");
    set(headers, "tus-checksum-algorithm", &kinds);
    response
}

/// Begins an upload, with the first of its bytes where they come along.
async fn create(
    service: &Arc<Service>,
    request: Parts,
    body: &mut Incoming,
    patience: Duration,
    owner: Option<String>,
) -> Result<Response<Body>, Problem> {
    let begun = plan(service, &request.headers, owner)?;
    // What cannot be right is refused before there is anything.
    let part = match is_part(&request.headers) {
        true => Some(Part::of(&request.headers, 0, begun.len, patience, body)?),
        false => None,
    };
    let shared = Arc::clone(service);
    let partial = off(move || {
        let path = router::parse(&begun.path)?;
        if path.is_folder() {
            return Err(wrong("the file's path ends with a name"));
        }
        let (folder, _) = target(&shared, &path)?;
        check(&shared, &path, &conditions(&begun))?;
        if !same_file_system(&shared.root, &folder)? {
            return Err(elsewhere());
        }
        let created = Partial::create(&shared.root, begun);
        created.map_err(|error| stored(error.into()))?.ok_or_else(|| {
            let detail = "there are too many uploads that have not ended";
            Problem::new(StatusCode::INSUFFICIENT_STORAGE, "http.storage", detail)
        })
    })
    .await?;
    let location = format!("/uploads/{}", partial.id());
    let begun = match part {
        Some(part) => append(service, body, part, partial).await,
        None => {
            let shared = Arc::clone(service);
            off(move || match partial.plan.len {
                0 => ended(&shared, partial),
                _ => Ok(state(&partial, StatusCode::CREATED)),
            })
            .await
        }
    };
    // It can be gone on with, whatever became of its first part.
    let mut response = begun.map_err(|problem| problem.with(header::LOCATION, &location))?;
    *response.status_mut() = StatusCode::CREATED;
    set(response.headers_mut(), "location", &location);
    Ok(response)
}

/// What a client wants to upload.
fn plan(service: &Service, headers: &HeaderMap, owner: Option<String>) -> Result<Plan, Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(len) = text("upload-length").and_then(|len| len.parse().ok()) else {
        let detail = "`Upload-Length` has the bytes of the file, which must be known";
        return Err(wrong(detail));
    };
    Bounds { most: service.max_upload, patience: Duration::ZERO }.check_len(len)?;
    let pairs = parse_metadata(text(METADATA).unwrap_or_default());
    let pairs = pairs.ok_or_else(|| wrong("`Upload-Metadata` has keys with values in Base64"))?;
    let value = |key: &str| pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
    let Some(path) = ["path", "filename", "name"].into_iter().find_map(value) else {
        return Err(wrong(
            "`Upload-Metadata` names the file: `filename`, or `path` below the folder",
        ));
    };
    let path: Vec<_> = path.split(|&byte| byte == b'/').map(encode_segment).collect();
    let kept = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?.to_owned())));
    Ok(Plan { path: path.join("/"), len, owner, headers: kept.collect() })
}

/// An upload, for this request alone. One that still waits for more of it, perhaps from a connection
/// that is gone, ends.
async fn open(service: &Arc<Service>, id: &str, owner: Option<String>) -> Result<Partial, Problem> {
    let begin = Instant::now();
    let gone = || Problem::not_found("there is no such upload, or it is over");
    let (shared, name) = (Arc::clone(service), id.to_owned());
    let plan = off(move || Ok(Partial::plan(&shared.root, &name)?)).await?;
    if plan.is_none_or(|plan| plan.owner != owner) {
        return Err(gone());
    }
    loop {
        service.turns.stop(id);
        let (shared, name) = (Arc::clone(service), id.to_owned());
        match off(move || Ok(Partial::open(&shared.root, &name))).await? {
            Ok(Some(partial)) => return Ok(partial),
            Ok(None) => return Err(gone()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                return Err(stored(error.into()));
            }
            Err(_) if begin.elapsed() > LOCKED => {
                let detail = "another request goes on with this upload";
                return Err(Problem::new(StatusCode::LOCKED, "http.locked", detail));
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}

impl Part {
    /// What a request says of the bytes that it has, of an upload with so many and so many to come.
    fn of(
        headers: &HeaderMap,
        begin: u64,
        left: u64,
        patience: Duration,
        body: &Incoming,
    ) -> Result<Self, Problem> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if !is_part(headers) {
            let detail = format!("a part is sent as {PART}");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "http.body", detail));
        }
        // The first part of all needs not say where it begins.
        let first = headers.contains_key("upload-length").then_some(0);
        match text("upload-offset").map_or(first, |offset| offset.parse().ok()) {
            Some(offset) if offset == begin => {}
            Some(_) => return Err(conflict(&format!("the upload goes on at {begin}"))),
            None => return Err(wrong("`Upload-Offset` has the bytes before these")),
        }
        let checksum = match text("upload-checksum").map(parse_checksum) {
            None => None,
            Some(None) => return Err(wrong("`Upload-Checksum` is `sha1` or `sha256`, and Base64")),
            Some(Some((kind, digest))) => {
                let context = Context::new(match kind {
                    ChecksumKind::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
                    ChecksumKind::Sha256 => &SHA256,
                });
                Some((digest, context))
            }
        };
        let bounds = Bounds { most: left, patience };
        bounds.check(body)?;
        Ok(Self { bounds, checksum })
    }
}

/// Adds a body to an upload; the last one makes it a file.
async fn append(
    service: &Arc<Service>,
    body: &mut Incoming,
    part: Part,
    partial: Partial,
) -> Result<Response<Body>, Problem> {
    let turn = service.turns.begin(partial.id());
    let Part { bounds, checksum } = part;
    let appending = off(move || {
        if checksum.is_some() {
            partial.doubt().map_err(|error| stored(error.into()))?;
        }
        let begin = partial.at();
        Ok(Appending { partial: Some(partial), checksum, begin })
    })
    .await?;
    let appending = receive(body, bounds, appending, turn.told.notified()).await?;
    let shared = Arc::clone(service);
    off(move || {
        let begin = appending.begin;
        let mut partial = appending.verified()?;
        let kept = partial.synchronize().and_then(|()| partial.trust());
        if let Err(error) = kept {
            // What a disk has lost once is not there when it is asked again.
            partial.truncate(begin)?;
            return Err(stored(error.into()));
        }
        match partial.at() == partial.plan.len {
            true => ended(&shared, partial),
            false => Ok(state(&partial, StatusCode::NO_CONTENT)),
        }
    })
    .await
}

/// Answers for an upload that is whole.
fn ended(service: &Service, mut partial: Partial) -> Result<Response<Body>, Problem> {
    let published = publish(service, &mut partial)?;
    let mut response = published.unwrap_or_else(|| empty(StatusCode::NO_CONTENT));
    let place = state(&partial, StatusCode::NO_CONTENT);
    response.headers_mut().extend(place.into_parts().0.headers);
    Ok(response)
}

/// Makes a file of an upload that is whole, and says which version; nothing where it is one already,
/// which may be another by now.
fn publish(service: &Service, partial: &mut Partial) -> Result<Option<Response<Body>>, Problem> {
    if partial.is_published() {
        return Ok(None);
    }
    let path = router::parse(&partial.plan.path)?;
    let headers = conditions(&partial.plan);
    if let Some(mut digest) = Promised::of(&headers) {
        let mut buffer = vec![0; PIECE];
        let mut content = partial.content()?;
        loop {
            match content.read(&mut buffer)? {
                0 => break,
                n => digest.update(&buffer[..n]),
            }
        }
        drop(content);
        if let Err(problem) = digest.check() {
            // Nothing can go on from here.
            partial.truncate(0)?;
            return Err(problem);
        }
    }
    let _one = service.publishing.lock().unwrap_or_else(PoisonError::into_inner);
    let (folder, name) = target(service, &path)?;
    check(service, &path, &headers)?;
    partial.publish(&folder, name).map_err(|error| match error.kind() {
        io::ErrorKind::CrossesDevices => elsewhere(),
        _ => stored(error.into()),
    })?;
    Ok(Some(stored_as(service, &path, StatusCode::NO_CONTENT)))
}

fn elsewhere() -> Problem {
    conflict("the folder is on another file system than the one that is served")
}

/// How far an upload is.
fn state(partial: &Partial, status: StatusCode) -> Response<Body> {
    let mut response = empty(status);
    let headers = response.headers_mut();
    set(headers, "upload-offset", &partial.at().to_string());
    if !partial.is_published() {
        set(headers, "upload-expires", &httpdate::fmt_http_date(partial.expires()));
    }
    response
}

/// The headers that a plan keeps.
fn conditions(plan: &Plan) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
    };
    plan.headers.iter().filter_map(pair).collect()
}

fn is_part(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == PART)
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn wrong(detail: &str) -> Problem {
    Problem::bad_request("http.upload", detail)
}

impl Turns {
    /// Tells the request that an upload comes by, if there is one.
    fn stop(&self, id: &str) {
        if let Some(told) = self.lock().get(id) {
            told.notify_one();
        }
    }

    fn begin(&self, id: &str) -> Turn<'_> {
        let (id, told) = (id.to_owned(), Arc::new(Notify::new()));
        self.lock().insert(id.clone(), told.clone());
        Turn { turns: self, id, told }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.turns.lock();
        // Another one may have begun.
        if turns.get(&self.id).is_some_and(|told| Arc::ptr_eq(told, &self.told)) {
            turns.remove(&self.id);
        }
    }
}

impl Appending {
    /// The upload with these bytes, if they are what the client says.
    fn verified(mut self) -> Result<Partial, Problem> {
        if let Some((promised, context)) = &self.checksum {
            if context.clone().finish().as_ref() != promised {
                let status = StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST);
                let detail = "the checksum of what came is another one: it was not kept";
                return Err(Problem::new(status, "http.checksum", detail));
            }
            self.checksum = None;
        }
        let gone = || Problem::not_found("the upload is over");
        self.partial.take().ok_or_else(gone)
    }
}

impl Sink for Appending {
    fn write(&mut self, pieces: &[Bytes]) -> Result<(), Problem> {
        let Some(partial) = &mut self.partial else { return Ok(()) };
        for piece in pieces {
            if let Some((_, context)) = &mut self.checksum {
                context.update(piece);
            }
            partial.append(piece).map_err(|error| stored(error.into()))?;
        }
        Ok(())
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        if let (Some(partial), Some(_)) = (&mut self.partial, &self.checksum)
            && let Err(error) = partial.truncate(self.begin)
        {
            tracing::error!(%error, "bytes of an upload that are not known to be right stay");
        }
    }
}

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,checksum,termination,expiration";
/// The type of a body that is a part of an upload.
const PART: &str = "application/offset+octet-stream";
const METADATA: &str = "upload-metadata";
/// Headers that count when an upload takes its name, or are told later.
const KEPT: [&str; 5] =
    ["if-match", "if-none-match", "if-unmodified-since", "repr-digest", METADATA];
/// How long a request may take to leave an upload to another.
const LOCKED: Duration = Duration::from_secs(5);
/// Bytes that are read at once.
const PIECE: usize = 1 << 20;
