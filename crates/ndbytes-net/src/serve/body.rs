//! Bodies of answers: made piece by piece by threads that may wait for disks, so that a slow client
//! holds memory for two pieces, and no thread.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinHandle, spawn_blocking};

use super::metrics::Flight;

/// Makes the pieces of a body; none when there are no more.
pub(super) trait Producer: Send {
    fn produce(&mut self) -> io::Result<Option<Bytes>>;
}

/// Pieces that were made already, and those that are to be.
pub(super) struct Begun {
    pub(super) pieces: VecDeque<Bytes>,
    pub(super) rest: Box<dyn Producer>,
}

impl Producer for Begun {
    fn produce(&mut self) -> io::Result<Option<Bytes>> {
        match self.pieces.pop_front() {
            Some(piece) => Ok(Some(piece)),
            None => self.rest.produce(),
        }
    }
}

/// The body of an answer. Its length is known, unless somebody else makes it as it goes.
pub(super) struct Body {
    state: State,
    left: u64,
    /// What was made, and is to be given next.
    made: Bytes,
    /// What is given back when the answer has been sent, or will not be.
    flight: Option<Flight>,
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::once(Bytes::new()));
    *response.status_mut() = status;
    response
}

type Made = (Box<dyn Producer>, io::Result<Option<Bytes>>);

enum State {
    Once(Bytes),
    Ready(Box<dyn Producer>),
    Busy(JoinHandle<Made>),
    /// Somebody else makes it, as long as they like.
    Told(Receiver<Bytes>),
    Done,
}

impl Body {
    pub(super) fn once(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(bytes.len() as u64, State::Once(bytes))
    }

    /// A body of exactly `len` bytes.
    pub(super) fn streamed(len: u64, producer: Box<dyn Producer>) -> Self {
        Self::new(len, State::Ready(producer))
    }

    /// What comes from there, until nobody sends.
    pub(super) fn told(pieces: Receiver<Bytes>) -> Self {
        Self::new(0, State::Told(pieces))
    }

    fn new(left: u64, state: State) -> Self {
        Self { state, left, made: Bytes::new(), flight: None }
    }

    /// Bytes to come, as far as they are known.
    pub(super) fn len(&self) -> u64 {
        self.left
    }

    /// No bytes, as an answer to HEAD has.
    pub(super) fn emptied(self) -> Self {
        Self { state: State::Done, left: 0, made: Bytes::new(), ..self }
    }

    /// The same, counted.
    pub(super) fn with_flight(self, flight: Flight) -> Self {
        Self { flight: Some(flight), ..self }
    }

    fn fail(&mut self, error: io::Error) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.state = State::Done;
        tracing::warn!(%error, left = self.left, "an answer breaks off");
        Poll::Ready(Some(Err(error)))
    }

    /// Gives what was made. Where only the next request for more tells that something was taken, it is given
    /// in parts: a client gets on that takes one.
    fn give(&mut self, made: Bytes) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if made.len() as u64 > self.left {
            return self.fail(io::Error::other("more bytes than were announced"));
        }
        self.made = made;
        let most = match &self.flight {
            Some(flight) if flight.is_http2() => PART,
            _ => self.made.len(),
        };
        let bytes = self.made.split_to(self.made.len().min(most));
        let len = bytes.len() as u64;
        self.left -= len;
        if let Some(flight) = &self.flight {
            flight.gave(len);
        }
        if self.left == 0 {
            self.state = State::Done;
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(flight) = &self.flight {
            flight.asked();
        }
        if !self.made.is_empty() {
            let made = std::mem::take(&mut self.made);
            return self.give(made);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done if self.left > 0 => {
                    return self.fail(io::ErrorKind::UnexpectedEof.into());
                }
                State::Done => return Poll::Ready(None),
                State::Once(bytes) if bytes.is_empty() => return Poll::Ready(None),
                State::Once(bytes) => return self.give(bytes),
                State::Ready(producer) => self.state = State::Busy(start(producer)),
                State::Told(mut pieces) => {
                    let polled = pieces.poll_recv(context);
                    if let Poll::Ready(Some(bytes)) = &polled
                        && let Some(flight) = &self.flight
                    {
                        flight.gave(bytes.len() as u64);
                    }
                    if !matches!(polled, Poll::Ready(None)) {
                        self.state = State::Told(pieces);
                    }
                    return polled.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))));
                }
                State::Busy(mut task) => {
                    let Poll::Ready(joined) = Pin::new(&mut task).poll(context) else {
                        self.state = State::Busy(task);
                        return Poll::Pending;
                    };
                    let (producer, made) = match joined {
                        Ok(made) => made,
                        Err(error) => return self.fail(io::Error::other(error)),
                    };
                    match made {
                        Ok(Some(bytes)) => {
                            // The next is made while this one is sent.
                            if bytes.len() as u64 != self.left {
                                self.state = State::Busy(start(producer));
                            }
                            return self.give(bytes);
                        }
                        Ok(None) => {}
                        Err(error) => return self.fail(error),
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && !matches!(self.state, State::Told(_))
    }

    fn size_hint(&self) -> SizeHint {
        match self.state {
            State::Told(_) => SizeHint::default(),
            _ => SizeHint::with_exact(self.left),
        }
    }
}

/// Bytes that are given at once.
const PART: usize = 1 << 16;

fn start(mut producer: Box<dyn Producer>) -> JoinHandle<Made> {
    spawn_blocking(move || {
        let made = producer.produce();
        (producer, made)
    })
}
