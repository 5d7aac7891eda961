//! What of WebDAV (RFC 4918) clients of files need: PROPFIND, MKCOL and DELETE.

use std::ffi::OsStr;
use std::fmt::Write;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use ndbytes::ReadAt;
use rustix::fs::{AtFlags, FileType, Mode, fstat, mkdirat, statat, unlinkat};
use rustix::io::Errno;

use super::Service;
use super::body::{Body, empty};
use super::listing::{escape, names};
use super::problem::Problem;
use super::root::Node;
use super::upload::{check, conflict, parent, stored};
use crate::request::RelativePath;

/// Removes a file, or a folder that is empty.
pub(super) fn delete(
    service: &Service,
    request: &Parts,
    path: &RelativePath,
) -> Result<Response<Body>, Problem> {
    let (folder, name) = parent(service, path)?;
    let name = OsStr::from_bytes(name);
    // No file takes its name meanwhile.
    let _one = service.publishing.lock().unwrap_or_else(PoisonError::into_inner);
    let flags = match service.root.node(path)? {
        Node::Folder(_) => AtFlags::REMOVEDIR,
        Node::File(_) if path.is_folder() => {
            return Err(Problem::not_found("it is a file, not a folder"));
        }
        Node::File(_) => {
            check(service, path, &request.headers)?;
            AtFlags::empty()
        }
    };
    match unlinkat(&folder, name, flags) {
        Ok(()) => {}
        Err(Errno::NOTEMPTY | Errno::EXIST) => {
            return Err(conflict("the folder is not empty: only empty ones are removed"));
        }
        Err(error) => return Err(stored(io::Error::from(error).into())),
    }
    synchronize(&folder)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Makes a folder.
pub(super) fn make_folder(
    service: &Service,
    request: &Parts,
    path: &RelativePath,
) -> Result<Response<Body>, Problem> {
    let body = request.headers.get(header::CONTENT_LENGTH);
    if body.is_some_and(|len| len != "0") || request.headers.contains_key(header::TRANSFER_ENCODING)
    {
        let detail = "a folder is made of nothing: the request has a body";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "http.body", detail));
    }
    let (folder, name) = parent(service, path)?;
    match mkdirat(&folder, OsStr::from_bytes(name), Mode::from_raw_mode(0o777)) {
        Ok(()) => {}
        Err(Errno::EXIST) => {
            let detail = "there is something of that name";
            return Err(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "http.method", detail)
                .with(header::ALLOW, "GET, HEAD, PROPFIND"));
        }
        Err(error) => return Err(stored(io::Error::from(error).into())),
    }
    synchronize(&folder)?;
    Ok(empty(StatusCode::CREATED))
}

/// What is known of a file or a folder, and of what is in that.
pub(super) fn properties(
    service: &Service,
    request: &Parts,
    path: &RelativePath,
) -> Result<Response<Body>, Problem> {
    let depth = request.headers.get("depth").and_then(|depth| depth.to_str().ok());
    let levels = match depth {
        Some("0") => 0,
        Some("1") => 1,
        None | Some("infinity") => usize::MAX,
        Some(_) => {
            let detail = "`Depth` is 0, 1 or infinity";
            return Err(Problem::bad_request("http.depth", detail));
        }
    };
    let mut listing = Listing { service, count: 0, xml: PROLOGUE.to_owned() };
    let node = service.root.node(path)?;
    listing.add(path, &node, levels)?;
    let xml = listing.xml + "</D:multistatus>\n";
    let mut response = Response::new(Body::once(xml));
    *response.status_mut() = StatusCode::MULTI_STATUS;
    let kind = HeaderValue::from_static("application/xml; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// What has been found.
struct Listing<'a> {
    service: &'a Service,
    count: usize,
    xml: String,
}

impl Listing<'_> {
    /// Adds a file or a folder, and so many levels of what is below it.
    fn add(&mut self, path: &RelativePath, node: &Node, levels: usize) -> Result<(), Problem> {
        self.count += 1;
        if self.count > MOST {
            let detail =
                format!("more than {MOST} files and folders: list one folder by GET, in pages");
            return Err(Problem::new(StatusCode::INSUFFICIENT_STORAGE, "http.listing", detail));
        }
        describe(&mut self.xml, path, node)?;
        let (Node::Folder(folder), 1..) = (node, levels) else { return Ok(()) };
        for name in names(folder)? {
            let below = path.below(&name);
            // What is not served is not listed.
            let Ok(node) = self.service.root.node(&below) else { continue };
            // A link may lead back to where it is.
            let stat = statat(folder, OsStr::from_bytes(&name), AtFlags::SYMLINK_NOFOLLOW);
            let is_link =
                stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
            self.add(&below, &node, if is_link { 0 } else { levels - 1 })?;
        }
        Ok(())
    }
}

fn describe(xml: &mut String, path: &RelativePath, node: &Node) -> io::Result<()> {
    let name = path.segments().last().map(|name| String::from_utf8_lossy(name));
    let name = escape(&name.unwrap_or_default());
    // Of a folder that is the root, the path ends with a slash already.
    let slash = match node {
        Node::Folder(_) if !path.segments().is_empty() => "/",
        _ => "",
    };
    let href = format!("/files/{}{slash}", path.encode());
    let date = |time: SystemTime| httpdate::fmt_http_date(time.min(SystemTime::now()));
    let facts = match node {
        Node::Folder(folder) => {
            let seconds = u64::try_from(fstat(folder)?.st_mtime).unwrap_or_default();
            let modified = date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            format!(
                "<D:resourcetype><D:collection/></D:resourcetype>\
                 <D:getlastmodified>{modified}</D:getlastmodified>"
            )
        }
        Node::File(source) => {
            let stamp = source.stamp();
            let modified = date(stamp.modified());
            format!(
                "<D:resourcetype/><D:getcontentlength>{}</D:getcontentlength>\
                 <D:getlastmodified>{modified}</D:getlastmodified>\
                 <D:getetag>\"{}\"</D:getetag>",
                source.size()?,
                stamp.tag()
            )
        }
    };
    // Writing to a string does not fail.
    let _ = writeln!(
        xml,
        "<D:response><D:href>{href}</D:href><D:propstat><D:prop>\
         <D:displayname>{name}</D:displayname>{facts}</D:prop>\
         <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>"
    );
    Ok(())
}

fn synchronize(folder: &OwnedFd) -> Result<(), Problem> {
    // One that was opened by its path alone cannot be.
    match rustix::fs::fsync(folder) {
        Ok(()) | Err(Errno::BADF | Errno::INVAL) => Ok(()),
        Err(error) => Err(stored(io::Error::from(error).into())),
    }
}

/// Files and folders that are listed at once.
const MOST: usize = 20_000;
const PROLOGUE: &str =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n";
