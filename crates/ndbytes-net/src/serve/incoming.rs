//! Bodies of requests: piece by piece to where they are written, from clients that get on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use super::body::Body;
use super::options::LONGEST;
use super::problem::Problem;

/// Where a body goes. It may wait for disks.
pub(super) trait Sink: Send + Sized + 'static {
    fn write(&mut self, pieces: &[Bytes]) -> Result<(), Problem>;
}

/// What a body may be, and how slow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most bytes.
    pub(super) most: u64,
    /// How long nothing of it may come.
    pub(super) patience: Duration,
}

impl Bounds {
    /// Refuses a body that says that it is too large.
    pub(super) fn check(&self, body: &Incoming) -> Result<(), Problem> {
        self.check_len(body.size_hint().exact().unwrap_or(0))
    }

    /// Refuses what is too large.
    pub(super) fn check_len(&self, len: u64) -> Result<(), Problem> {
        if len <= self.most {
            return Ok(());
        }
        let detail = format!("there may be {} bytes here", self.most);
        Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "http.too_large", detail))
    }
}

/// Writes a body to a sink, until it ends or `stop` does. What came before something went wrong has
/// been written as well.
pub(super) async fn receive<S: Sink>(
    body: &mut Incoming,
    bounds: Bounds,
    mut sink: S,
    stop: impl Future<Output = ()>,
) -> Result<S, Problem> {
    let begin = Instant::now();
    let patience = bounds.patience;
    let announced = body.size_hint().exact();
    let mut stop = pin!(stop);
    let (mut held, mut size, mut total) = (Vec::new(), 0, 0);
    let ended = loop {
        // A byte now and then does not count as getting on.
        let floor = begin + patience + Duration::from_secs(total / FLOOR).min(LONGEST);
        let deadline = floor.min(Instant::now() + patience);
        let came = tokio::select! {
            came = timeout_at(deadline.into(), next(body)) => came,
            () = stop.as_mut() => {
                let detail = "another request goes on with this";
                break Err(Problem::new(StatusCode::CONFLICT, "http.conflict", detail));
            }
        };
        let data = match came {
            Ok(None) if announced.is_some_and(|len| len != total) => {
                let detail = "the body ends before its length";
                break Err(Problem::bad_request("http.body", detail));
            }
            Ok(None) => break Ok(()),
            // What follows the data says nothing that is needed.
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(error))) => {
                let detail = format!("the body breaks off: {error}");
                break Err(Problem::bad_request("http.body", detail));
            }
            Err(_) => {
                let detail = "nothing of the body came for too long, or too little";
                break Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "http.timeout", detail));
            }
        };
        if data.is_empty() {
            continue;
        }
        total += data.len() as u64;
        if let Err(problem) = bounds.check_len(total) {
            break Err(problem);
        }
        size += data.len();
        held.push(data);
        if size >= PIECE || held.len() >= MANY {
            let pieces = std::mem::take(&mut held);
            sink = write(sink, pieces).await?;
            size = 0;
        }
    };
    let sink = write(sink, held).await?;
    ended.map(|()| sink)
}

async fn write<S: Sink>(mut sink: S, pieces: Vec<Bytes>) -> Result<S, Problem> {
    off(move || sink.write(&pieces).map(|()| sink)).await
}

/// The answer to a request that had this body; `waits` says that the client waits before it sends it.
pub(super) fn answered(
    answered: Result<Response<Body>, Problem>,
    body: Incoming,
    waits: bool,
) -> Response<Body> {
    // One that waits for us would begin to send.
    if answered.is_err() && !waits {
        pass_over(body);
    }
    answered.unwrap_or_else(Problem::into_response)
}

/// Passes over what still comes of a body that is refused, while the answer is on its way, up to a
/// bound: a client that finds the connection closed while it sends may never read why.
pub(super) fn pass_over(mut body: Incoming) {
    tokio::spawn(async move {
        let passed = async {
            let mut passed = 0;
            while let Some(Ok(frame)) = next(&mut body).await
                && passed < MOST_PASSED
            {
                passed += frame.data_ref().map_or(0, Bytes::len);
            }
        };
        let _ = tokio::time::timeout(LINGER, passed).await;
    });
}

pub(super) async fn next(body: &mut Incoming) -> Option<Result<Frame<Bytes>, hyper::Error>> {
    std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

/// Work that waits for disks, elsewhere.
pub(super) async fn off<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    spawn_blocking(work).await.unwrap_or_else(|error| Err(Problem::fault(&error)))
}

/// Bytes that are written at a time, and parts of a body, which may be as small as a byte.
const PIECE: usize = 1 << 20;
const MANY: usize = 1024;
/// Bytes that are passed over of what is refused, and how long.
const MOST_PASSED: usize = 1 << 30;
const LINGER: Duration = Duration::from_secs(5);
/// Bytes a second that a body must have on the whole.
const FLOOR: u64 = 1024;
