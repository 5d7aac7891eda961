//! What each URL is answered with. `docs/spec/http.md` is normative.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Service;
use super::array::{self, Held};
use super::body::{Body, empty};
use super::clients::Who;
use super::content::{Content, Segment};
use super::dav;
use super::listing::Page;
use super::page;
use super::problem::Problem;
use super::resumable;
use super::root::Node;
use super::slice::{self, Format};
use super::stream_in;
use super::stream_out;
use super::zarr;
use crate::request::{Query, RelativePath, best_offer};
use crate::tokens::Scope;

/// Answers a request. It may wait for disks.
pub(super) fn answer(service: &Service, request: &Parts) -> Response<Body> {
    let mut who = None;
    let routed = route(service, request, &mut who);
    let response = finished(routed.unwrap_or_else(Problem::into_response), who);
    if request.method == Method::HEAD {
        let (mut parts, body) = response.into_parts();
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(body.len().into());
        return Response::from_parts(parts, body.emptied());
    }
    response
}

/// The answer with what all have.
pub(super) fn finished(mut response: Response<Body>, who: Option<Who>) -> Response<Body> {
    if let Some(who) = who {
        response.extensions_mut().insert(who);
    }
    let headers = response.headers_mut();
    // What is served is data, whatever a browser would make of it.
    let name = HeaderName::from_static("x-content-type-options");
    headers.insert(name, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        let value = HeaderValue::from_static("default-src 'none'; sandbox");
        headers.insert(header::CONTENT_SECURITY_POLICY, value);
    }
    response
}

fn route(
    service: &Service,
    request: &Parts,
    who: &mut Option<Who>,
) -> Result<Response<Body>, Problem> {
    let path = request.uri.path();
    // Clients ask for a folder without its slash.
    let below = path.strip_prefix("/files/").or_else(|| (path == "/files").then_some(""));
    if let Some(below) = below
        && let Some(scope) = changes(service, request, below)
    {
        *who = Some(service.admit(request, scope)?);
        query(request, &[])?;
        let path = parse(below)?;
        return match request.method.as_str() {
            "DELETE" => dav::delete(service, request, &path),
            "MKCOL" => dav::make_folder(service, request, &path),
            _ => dav::properties(service, request, &path),
        };
    }
    if let Some(redirected) = begin(request) {
        method(service, request)?;
        return Ok(redirected);
    }
    let open = match path {
        "/health" => Some(Content::text(JSON, format!("{}\n", json!({ "status": "ok" })))),
        _ => page::content(path),
    };
    if let Some(content) = open {
        method(service, request)?;
        return content.respond(&request.method, &request.headers, &service.digests);
    }
    *who = Some(service.admit(request, Scope::Read)?);
    method(service, request)?;
    let content = match path {
        "/metrics" => {
            let kind = "text/plain; version=0.0.4; charset=utf-8";
            Content::text(kind, service.metrics.render())
        }
        "/openapi.json" => Content::text(JSON, openapi(service)),
        _ => match path.strip_prefix("/").unwrap_or_default().split_once('/') {
            Some(("files", path)) => return files(service, request, path),
            Some(("arrays", path)) => arrays(service, request, parse(path)?)?,
            Some(("stream", path)) => {
                query(request, &[])?;
                let path = parse(path)?;
                match service.root.node(&path)? {
                    Node::File(source) if !path.is_folder() => stream_out::content(source, &path)?,
                    _ => return Err(Problem::not_found("a stream is of a file")),
                }
            }
            Some(("zarr", path)) => {
                query(request, &[])?;
                zarr::content(&service.root, &parse(path)?)?
            }
            _ => {
                let detail = "there are /files/, /arrays/, /stream/, /zarr/, /view/, /health, /metrics and /openapi.json";
                return Err(Problem::not_found(detail));
            }
        },
    };
    if matches!(path, "/metrics" | "/openapi.json") {
        query(request, &[])?;
    }
    content.respond(&request.method, &request.headers, &service.digests)
}

/// Where somebody begins who knows nothing of paths: a browser at the page.
fn begin(request: &Parts) -> Option<Response<Body>> {
    let html = || negotiate(&request.headers, &[JSON, HTML]).is_ok_and(|offer| offer == 1);
    let mut response = match request.uri.path() {
        "/" => redirect(if html() { "/view/" } else { "/files/" }),
        "/view" => redirect("/view/"),
        _ => return None,
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Some(response)
}

/// A file's bytes, or what a folder holds.
fn files(service: &Service, request: &Parts, path: &str) -> Result<Response<Body>, Problem> {
    let path = parse(path)?;
    let respond =
        |content: Content| content.respond(&request.method, &request.headers, &service.digests);
    match service.root.node(&path)? {
        Node::Folder(_) if !path.is_folder() => {
            query(request, &["after", "limit"])?;
            let query = request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
            Ok(redirect(&format!("/files/{}/{query}", path.encode())))
        }
        Node::Folder(folder) => {
            let query = query(request, &["after", "limit"])?;
            let limit = match query.value("limit").unwrap_or("1000").parse() {
                Ok(limit) if (1..=MOST_LISTED).contains(&limit) => limit,
                _ => {
                    let detail = format!("`limit` is a number from 1 to {MOST_LISTED}");
                    return Err(Problem::bad_request("http.query", detail));
                }
            };
            let offer = negotiate(&request.headers, &[JSON, HTML])?;
            let page = Page { path: &path, after: query.value("after"), limit };
            respond(page.content(&service.root, &folder, offer == 1)?)
        }
        Node::File(_) if path.is_folder() => Err(Problem::not_found("it is a file, not a folder")),
        Node::File(source) => {
            query(request, &[])?;
            let stamp = source.stamp();
            let kind = kind_of(path.segments().last().map_or(&[][..], Vec::as_slice));
            let all = Segment::File { at: 0, len: source.len(), source };
            respond(Content::segments(kind, &stamp.tag(), vec![all]).modified(stamp.modified()))
        }
    }
}

/// The facts of an array or an archive, or a slice of an array.
fn arrays(service: &Service, request: &Parts, path: RelativePath) -> Result<Content, Problem> {
    let query = query(request, &["slice", "member", "format"])?;
    let Node::File(source) = service.root.node(&path)? else {
        return Err(Problem::not_found("it is a folder: /files/ lists what is in it"));
    };
    if path.is_folder() {
        return Err(Problem::not_found("it is a file, not a folder"));
    }
    let stamp = source.stamp();
    let held = Held::open(source)?;
    let member = query.value("member");
    let Some(index) = query.value("slice") else {
        if query.value("format").is_some() {
            let detail = "`format` is for slices: `slice=...` is all of an array";
            return Err(Problem::bad_request("http.query", detail));
        }
        negotiate(&request.headers, &[JSON])?;
        let encoded = path.encode();
        let mut value = match held {
            Held::Archive(archive) if member.is_none() => {
                let count = archive.entries().len();
                let members: Vec<_> = (0..count.min(MOST_MEMBERS))
                    .map(|index| array::describe_member(&archive, index))
                    .collect();
                json!({ "count": count, "members": members })
            }
            held => held.array(member)?.describe(),
        };
        value["path"] = json!(encoded);
        value["file"] = json!(format!("/files/{encoded}"));
        value["zarr"] = json!(format!("/zarr/{encoded}"));
        value["etag"] = json!(stamp.tag());
        return Ok(Content::text(JSON, format!("{value}\n")).modified(stamp.modified()));
    };
    let format = match query.value("format") {
        Some(name) => {
            Format::ALL.into_iter().find(|format| format.as_str() == name).ok_or_else(|| {
                Problem::bad_request("http.query", "`format` is `npy`, `ndb` or `raw`")
            })?
        }
        None => Format::ALL[negotiate(&request.headers, &Format::ALL.map(Format::kind))?],
    };
    slice::content(held.array(member)?, &ndbytes::Slice::parse(index)?, format)
}

pub(super) fn parse(path: &str) -> Result<RelativePath, Problem> {
    let path = RelativePath::parse(path)
        .map_err(|detail| Problem::bad_request("http.path", detail).astray())?;
    match path.is_hidden() {
        true => Err(Problem::not_found("names that begin with a dot are not served")),
        false => Ok(path),
    }
}

pub(super) fn query(request: &Parts, known: &[&str]) -> Result<Query, Problem> {
    Query::parse(request.uri.query(), known)
        .map_err(|detail| Problem::bad_request("http.query", detail))
}

fn negotiate(headers: &HeaderMap, offers: &[&str]) -> Result<usize, Problem> {
    let lists: Vec<_> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = (!lists.is_empty()).then(|| lists.join(","));
    best_offer(accept.as_deref(), offers).ok_or_else(|| {
        let detail = format!("there is {}", offers.join(", "));
        Problem::new(StatusCode::NOT_ACCEPTABLE, "http.not_acceptable", detail)
    })
}

/// What a request of these methods of WebDAV needs, where they are allowed.
fn changes(service: &Service, request: &Parts, below: &str) -> Option<Scope> {
    match request.method.as_str() {
        "PROPFIND" => Some(Scope::Read),
        // The folder that is served was there before, and stays.
        _ if below.is_empty() => None,
        "MKCOL" if service.write => Some(Scope::Write),
        "DELETE" if service.delete => Some(Scope::Write),
        _ => None,
    }
}

/// Only what reads is there; what writes comes elsewhere.
fn method(service: &Service, request: &Parts) -> Result<(), Problem> {
    if matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    Err(not_allowed(service, request.uri.path()))
}

/// Whether this is the path of a file.
pub(super) fn is_writable(path: &str) -> bool {
    path.starts_with("/files/") && !path.ends_with('/')
}

/// A method that there is not, and those that there are.
pub(super) fn not_allowed(service: &Service, path: &str) -> Problem {
    let is_file = path.starts_with("/files/");
    let below = is_file && path != "/files/";
    let mut allow = String::from("GET, HEAD");
    for (is_there, name) in [
        (is_file, "PROPFIND"),
        (service.write && is_writable(path), "PUT"),
        (below && service.write, "MKCOL"),
        (below && service.delete, "DELETE"),
        (service.write && stream_in::is_ours(path), "POST"),
    ] {
        if is_there {
            allow = format!("{allow}, {name}");
        }
    }
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Problem::new(status, "http.method", format!("there are {allow}")).with(header::ALLOW, &allow)
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = empty(StatusCode::PERMANENT_REDIRECT);
    if let Ok(value) = HeaderValue::from_str(to) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}

/// A type by the name's suffix. Nothing that a browser would run.
fn kind_of(name: &[u8]) -> &'static str {
    let suffix = name.rsplit(|&byte| byte == b'.').next().unwrap_or_default();
    match suffix {
        b"npy" => "application/x-npy",
        b"npz" | b"zip" => "application/zip",
        b"ndb" => "application/x-ndb",
        b"json" => JSON,
        b"txt" | b"csv" | b"md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// The document, without what is not allowed.
fn openapi(service: &Service) -> String {
    let text = include_str!("openapi.json");
    let text = text.replace("\"VERSION\"", &format!("{:?}", env!("CARGO_PKG_VERSION")));
    // It is a document of ours.
    let mut document: Value = serde_json::from_str(&text).unwrap_or_default();
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.retain(|name, _| service.write || !resumable::is_ours(name));
        let is_written = |name: &str| name.starts_with("/files/") || stream_in::is_ours(name);
        let written = paths.iter_mut().filter(|(name, _)| is_written(name));
        for methods in written.filter_map(|(_, path)| path.as_object_mut()) {
            methods.retain(|name, _| match name.as_str() {
                "put" | "post" => service.write,
                "delete" => service.delete,
                _ => true,
            });
        }
    }
    format!("{document}\n")
}

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const MOST_LISTED: usize = 10_000;
const MOST_MEMBERS: usize = 10_000;
