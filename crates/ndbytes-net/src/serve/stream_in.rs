//! Arrays that come as a session in the body of a POST, each stored as a file when it is whole. What the
//! server says meanwhile is the body of the answer.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use ndbytes::{Error, Limits};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::Service;
use super::body::{Body, empty};
use super::clients::Who;
use super::incoming::{answered, next, off, pass_over};
use super::problem::Problem;
use super::root::Node;
use super::router;
use super::upload::{Place, conflict, stored};
use crate::request::RelativePath;
use crate::session::{self, KIND, Link, SessionOptions};
use crate::tokens::Scope;

/// Whether a path is one of streams.
pub(super) fn is_ours(path: &str) -> bool {
    path.starts_with("/stream/")
}

/// Answers a request that sends arrays.
pub(super) async fn answer(
    service: Arc<Service>,
    request: Parts,
    body: Incoming,
    patience: Duration,
) -> Response<Body> {
    let mut who = None;
    let waits = request.headers.contains_key(header::EXPECT);
    let response = match prepare(&service, &request, &mut who).await {
        Ok(storing) => converse(service, storing, body, patience, waits).await,
        Err(problem) => answered(Err(problem), body, waits),
    };
    router::finished(response, who)
}

async fn prepare(
    service: &Arc<Service>,
    request: &Parts,
    who: &mut Option<Who>,
) -> Result<Storing, Problem> {
    *who = Some(service.admit(request, Scope::Write)?);
    router::query(request, &[])?;
    // What a page of another site can have a browser send without asking is not this.
    let kind = request.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(KIND) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "http.body", format!("a stream is sent as {KIND}")));
    }
    let encoding = request.headers.get(header::CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err(Problem::new(status, "http.body", "a stream is sent as it is"));
    }
    let folder = router::parse(request.uri.path().strip_prefix("/stream/").unwrap_or_default())?;
    let (shared, headers) = (Arc::clone(service), request.headers.clone());
    off(move || match shared.root.node(&folder)? {
        Node::Folder(_) => Ok(Storing { folder, headers, names: HashSet::new() }),
        Node::File(_) => Err(conflict("arrays are sent to a folder, and this is a file")),
    })
    .await
}

/// Runs the session on a thread of its own, which may wait for the client as long as that gets on.
async fn converse(
    service: Arc<Service>,
    storing: Storing,
    body: Incoming,
    patience: Duration,
    waits: bool,
) -> Response<Body> {
    let Ok(place) = service.streams.clone().try_acquire_owned() else {
        let detail = format!("{MOST_STREAMS} streams are coming already: try again");
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "http.busy", detail);
        return answered(Err(problem.with(header::RETRY_AFTER, "1")), body, waits);
    };
    let (came, coming) = channel(AHEAD);
    let (said, saying) = channel(AHEAD);
    let (begun, begins) = oneshot::channel();
    let begun: Beginning = Arc::new(Mutex::new(Some(begun)));
    let waiting = Waiting::default();
    let reader = Reader { coming, here: Bytes::new(), waiting: waiting.clone() };
    let work = move || {
        let _place = place;
        let writer = Writer { said, begun: begun.clone() };
        let done = storing.run(&service, reader, writer, patience);
        if let Err(problem) = &done {
            tracing::warn!(code = problem.code, detail = problem.detail(), "a stream ends");
        }
        begin(&begun, Began::Done(done));
    };
    if let Err(error) = thread::Builder::new().name("ndbytes-stream".to_owned()).spawn(work) {
        return answered(Err(error.into()), body, waits);
    }
    tokio::spawn(pass_on(body, came, waiting, patience));
    match begins.await {
        Ok(Began::Said) => {
            let mut response = Response::new(Body::told(saying));
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(KIND));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Ok(Began::Done(Ok(()))) => empty(StatusCode::NO_CONTENT),
        Ok(Began::Done(Err(problem))) => problem.into_response(),
        Err(error) => Problem::fault(&error).into_response(),
    }
}

/// Hands a body over to a thread that reads it. Nobody is silent as long as nobody listens.
async fn pass_on(mut body: Incoming, came: Sender<Came>, waiting: Waiting, patience: Duration) {
    loop {
        let since = waiting.since();
        let deadline = since.unwrap_or_else(Instant::now) + patience;
        let came_next = tokio::select! {
            came = timeout_at(deadline.into(), next(&mut body)) => came,
            // So that the client reads why.
            () = came.closed() => return pass_over(body),
        };
        let sent = match came_next {
            Ok(None) => return,
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) if !data.is_empty() => {
                    waiting.set(None);
                    came.send(Ok(data)).await
                }
                _ => continue,
            },
            Ok(Some(Err(error))) => {
                let message = format!("the body breaks off: {error}");
                came.send(Err((io::ErrorKind::ConnectionAborted, message))).await
            }
            Err(_) if since.is_none() || waiting.since() != since => continue,
            Err(_) => {
                let message = "nothing of the stream came for too long".to_owned();
                came.send(Err((io::ErrorKind::TimedOut, message))).await
            }
        };
        if sent.is_err() {
            return pass_over(body);
        }
    }
}

/// How an answer begins.
enum Began {
    /// Something is said to who understands it.
    Said,
    /// All was done before anything was said, or nothing can be.
    Done(Result<(), Problem>),
}

/// Who waits for the beginning, until it is known.
type Beginning = Arc<Mutex<Option<oneshot::Sender<Began>>>>;
/// A piece of a body, or why there are no more.
type Came = Result<Bytes, (io::ErrorKind, String)>;

fn begin(beginning: &Beginning, began: Began) {
    let waiting = beginning.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(waiting) = waiting {
        // Whoever waited may be gone.
        let _ = waiting.send(began);
    }
}

/// The body of a request.
struct Reader {
    coming: Receiver<Came>,
    here: Bytes,
    waiting: Waiting,
}

/// Since when something is waited for.
#[derive(Clone, Default)]
struct Waiting(Arc<Mutex<Option<Instant>>>);

impl Waiting {
    fn since(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.here.is_empty() && !buffer.is_empty() {
            self.waiting.set(Some(Instant::now()));
            let came = self.coming.blocking_recv();
            self.waiting.set(None);
            match came {
                Some(Ok(bytes)) => self.here = bytes,
                Some(Err((kind, message))) => return Err(io::Error::new(kind, message)),
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.here.len());
        self.here.copy_to_slice(&mut buffer[..n]);
        Ok(n)
    }
}

/// The body of an answer, which begins with the first word.
struct Writer {
    said: Sender<Bytes>,
    begun: Beginning,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        begin(&self.begun, Began::Said);
        let sent = self.said.blocking_send(Bytes::copy_from_slice(bytes));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where arrays go.
struct Storing {
    folder: RelativePath,
    headers: HeaderMap,
    /// Those that have come.
    names: HashSet<String>,
}

impl Storing {
    /// Stores what comes until its end.
    fn run(
        mut self,
        service: &Service,
        reader: Reader,
        writer: Writer,
        patience: Duration,
    ) -> Result<(), Problem> {
        let limits = Limits::default().with_header(MAX_HEADER).with_bytes(service.max_upload);
        let options = SessionOptions::default()
            .with_timeout(Some(patience))
            .with_limits(limits)
            .with_whole(MOST_UNPACKED)
            .with_ack(false);
        // Acknowledgements wait for who does not listen, and arrays go on.
        let said = writer.said.clone();
        let is_ready = Box::new(move || said.capacity() > 0);
        let link = Link::over_when(Box::new(reader), Box::new(writer), is_ready, &options, false);
        let link = link.map_err(broken)?;
        while let Some(array) = link.receive().map_err(broken)? {
            self.store(service, &link, array)?;
            link.ack().map_err(broken)?;
        }
        link.close().map_err(broken)
    }

    fn store(
        &mut self,
        service: &Service,
        link: &Link,
        array: session::Incoming<'_>,
    ) -> Result<(), Problem> {
        let refused = |problem: Problem| {
            link.refuse(problem.code, problem.detail());
            problem
        };
        let mut place = self.place(service, &array).map_err(refused)?;
        let path = place.path.encode();
        let head = array.header().encode()?;
        place.file.write_all(&head).map_err(|error| refused(stored(error.into())))?;
        // What fails here, the client is told.
        array.read_pieces(&mut |piece| Ok(place.file.write_all(piece)?)).map_err(broken)?;
        place.file.synchronize().map_err(|error| refused(stored(error)))?;
        place.publish(service, &self.headers).map_err(refused)?;
        tracing::info!(path, "an array is stored");
        Ok(())
    }

    /// Where an array is to be.
    fn place(
        &mut self,
        service: &Service,
        array: &session::Incoming<'_>,
    ) -> Result<Place, Problem> {
        let Some(name) = &array.tag().name else {
            let detail = "an array without a name: its name is that of the file that it becomes";
            return Err(Problem::bad_request("http.name", detail));
        };
        if array.tag().meta.is_some() {
            let detail = "metadata has no place in an .npy file: send the array without";
            return Err(Problem::bad_request("http.meta", detail));
        }
        let file = format!("{name}.npy");
        session::check_name(&file)?;
        if array.is_frame() && array.header().nbytes() as u64 > MOST_HELD {
            let detail = format!("a frame of up to {MOST_HELD} bytes is stored as an array");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "http.too_large", detail));
        }
        if !self.names.insert(name.clone()) {
            return Err(conflict("an array of this name came before, in the same stream"));
        }
        Place::new(service, self.folder.below(file.as_bytes()), &self.headers)
    }
}

/// What went wrong with what came.
fn broken(error: Error) -> Problem {
    match error.io().map(io::Error::kind) {
        Some(io::ErrorKind::TimedOut) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "http.timeout", error.message())
        }
        Some(_) if error.io().is_some_and(|io| io.raw_os_error().is_some()) => stored(error),
        Some(_) => Problem::bad_request("http.body", error.message()),
        None => Problem::of(error),
    }
}

/// Streams that come at once; each has a thread.
pub(super) const MOST_STREAMS: usize = 64;
/// Pieces that wait to be read.
const AHEAD: usize = 4;
/// Bytes of a frame's array, which is held as a whole.
const MOST_HELD: u64 = 64 << 20;
/// Bytes of an array in a Zstandard frame, the same.
const MOST_UNPACKED: u64 = 16 << 20;
const MAX_HEADER: usize = 1 << 16;
