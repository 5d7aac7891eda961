//! A session in the bodies of one request and its answer, of HTTP/1.1: what is sent is the body of a
//! POST, what is received that of its answer, or of the answer to a GET where nothing was sent before.
//!
//! Nothing is connected before one of them is wanted: servers do not wait long for a request.

use std::io::{self, IoSlice, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use ndbytes::{Code, Error, Result, write_all_vectored};

use super::address::Address;
use super::inner::lock;
use super::wire::{Control, Ways, Wire};
use crate::answer::AnswerReader;

/// What both directions share.
struct Exchange {
    request: Request,
    connect: Box<dyn Fn() -> Result<Wire> + Send + Sync>,
    sending: Mutex<Sending>,
    /// The answer, until somebody reads it.
    answer: Mutex<Option<Box<dyn Read + Send>>>,
    /// The connection, once there is one.
    under: OnceLock<Under>,
    /// Bytes of the answer lie here that were read ahead.
    ahead: AtomicBool,
    closed: AtomicBool,
    /// Why there is no connection.
    failed: OnceLock<(io::ErrorKind, String)>,
}

struct Under {
    control: Arc<dyn Control>,
    method: Method,
}

/// What is asked for, and how.
struct Request {
    target: String,
    /// All fields that both methods have.
    fields: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

/// The body of a POST.
enum Sending {
    Nothing,
    Open(Box<dyn Write + Send>),
    /// It has ended, or nothing can be sent.
    Done,
}

struct Reader {
    exchange: Arc<Exchange>,
    answer: Option<AnswerReader<Box<dyn Read + Send>>>,
    url: String,
    patience: Option<Duration>,
}

struct Writer(Arc<Exchange>);

impl Wire {
    /// One exchange about this address, over a connection that is made when it is needed.
    pub(super) fn http(
        address: &Address,
        token: Option<&str>,
        patience: Option<Duration>,
        connect: Box<dyn Fn() -> Result<Self> + Send + Sync>,
    ) -> Self {
        let exchange = Arc::new(Exchange {
            request: Request::new(address, token),
            connect,
            sending: Mutex::new(Sending::Nothing),
            answer: Mutex::new(None),
            under: OnceLock::new(),
            ahead: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            failed: OnceLock::new(),
        });
        let url = address.to_string();
        let reader = Reader { exchange: exchange.clone(), answer: None, url, patience };
        let wire = Self::new(Box::new(reader), Box::new(Writer(exchange.clone())), exchange);
        Self { ways: Ways::Either, ..wire }
    }
}

impl Request {
    fn new(address: &Address, token: Option<&str>) -> Self {
        let (host, target) = (address.host().unwrap_or_default(), address.target());
        let version = env!("CARGO_PKG_VERSION");
        let mut fields = format!(
            "Host: {host}\r\nUser-Agent: ndbytes/{version}\r\nAccept: {KIND}, */*;q=0.5\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
        );
        if let Some(token) = token {
            fields.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        Self { target: target.to_owned(), fields }
    }

    fn head(&self, method: Method) -> String {
        let Self { target, fields } = self;
        match method {
            Method::Get => format!("GET {target} HTTP/1.1\r\n{fields}\r\n"),
            Method::Post => format!(
                "POST {target} HTTP/1.1\r\n{fields}Content-Type: {KIND}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
        }
    }
}

impl Exchange {
    fn method(&self) -> Option<Method> {
        self.under.get().map(|under| under.method)
    }

    /// Connects and sends the head of a request, unless there is one.
    fn begin(&self, sending: &mut Sending, method: Method) -> io::Result<()> {
        if !matches!(sending, Sending::Nothing) {
            return Ok(());
        }
        // What has failed once is not begun again.
        *sending = Sending::Done;
        let connected = (self.connect)().map_err(io::Error::from);
        let mut wire = connected.inspect_err(|error| {
            self.failed.get_or_init(|| (error.kind(), error.to_string()));
        })?;
        *lock(&self.answer) = Some(wire.read);
        let control = wire.control.clone();
        let under = self.under.get_or_init(|| Under { control: wire.control, method });
        // Whoever closes from now on finds the connection.
        if self.closed.load(Ordering::SeqCst) {
            control.close();
        }
        wire.write.write_all(self.request.head(under.method).as_bytes())?;
        if method == Method::Post {
            *sending = Sending::Open(wire.write);
        }
        Ok(())
    }

    /// Why nothing can be sent or read.
    fn lost(&self) -> io::Error {
        match self.failed.get() {
            Some((kind, message)) => io::Error::new(*kind, message.clone()),
            None => io::ErrorKind::BrokenPipe.into(),
        }
    }

    /// Sends these bytes as a chunk of the body.
    fn chunk(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = parts.iter().map(|part| part.len()).sum();
        if len == 0 {
            return Ok(0);
        }
        let mut sending = lock(&self.sending);
        self.begin(&mut sending, Method::Post)?;
        let Sending::Open(sink) = &mut *sending else {
            self.may_send()?;
            return Err(self.lost());
        };
        let size = format!("{len:x}\r\n");
        let mut whole: Vec<&[u8]> = vec![size.as_bytes()];
        whole.extend(parts.iter().map(|part| &**part));
        whole.push(b"\r\n");
        write_all_vectored(&mut **sink, &whole)?;
        Ok(len)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.answer.is_none() {
            if self.exchange.under.get().is_none() {
                self.exchange.begin(&mut lock(&self.exchange.sending), Method::Get)?;
            }
            let answer = lock(&self.exchange.answer).take();
            let answer = answer.ok_or_else(|| self.exchange.lost())?;
            self.answer = Some(AnswerReader::new(answer, &self.url).with_patience(self.patience));
        }
        let Some(answer) = &mut self.answer else { return Err(io::ErrorKind::NotConnected.into()) };
        let read = answer.read(buffer);
        self.exchange.ahead.store(answer.is_ahead(), Ordering::Release);
        read
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.chunk(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.chunk(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Control for Exchange {
    fn shut_write(&self) -> io::Result<()> {
        // Who connects just now is not waited for.
        match self.under.get() {
            Some(_) => self.finish().map(drop),
            None => Ok(()),
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Some(under) = self.under.get() {
            under.control.close();
        }
    }

    fn is_ready(&self) -> bool {
        self.under.get().is_none_or(|under| under.control.is_ready())
    }

    fn drain(&self, _most: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn wait_to_read(&self, patience: Duration) -> io::Result<bool> {
        match self.under.get() {
            Some(under) if !self.ahead.load(Ordering::Acquire) => {
                under.control.wait_to_read(patience)
            }
            _ => Ok(true),
        }
    }

    fn may_send(&self) -> io::Result<()> {
        if self.method() != Some(Method::Get) {
            return Ok(());
        }
        let message =
            "over http:// a link goes one way, and this one receives: connect again to send";
        Err(Error::new(Code::StreamPlain, message).into())
    }

    fn finish(&self) -> io::Result<bool> {
        let mut sending = lock(&self.sending);
        if let Sending::Open(sink) = &mut *sending {
            let ended = sink.write_all(b"0\r\n\r\n");
            *sending = Sending::Done;
            ended?;
        }
        Ok(self.method() == Some(Method::Post))
    }
}

/// The type of a stream.
pub(crate) const KIND: &str = "application/x-ndbytes-stream";
