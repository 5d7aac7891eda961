//! A session in the bodies of one request and its answer, of HTTP/1.1: what is sent is the body of a
//! POST, what is received that of its answer, or of the answer to a GET where nothing was sent before.

use std::io::{self, IoSlice, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ndbytes::{Code, Error, write_all_vectored};

use super::address::Address;
use super::inner::lock;
use super::wire::{Control, Wire};
use crate::answer::AnswerReader;

/// What both directions share.
struct Exchange {
    sending: Mutex<Sending>,
    /// Bytes of the answer lie here that were read ahead.
    ahead: AtomicBool,
    under: Arc<dyn Control>,
}

struct Sending {
    sink: Box<dyn Write + Send>,
    request: Request,
    begun: Begun,
}

/// What is asked for, and how.
struct Request {
    target: String,
    /// All fields that both methods have.
    fields: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Nothing,
    Get,
    Post,
    /// The body of a POST has ended.
    Posted,
}

struct Reader {
    exchange: Arc<Exchange>,
    answer: AnswerReader<Box<dyn Read + Send>>,
}

struct Writer(Arc<Exchange>);

impl Wire {
    /// The same connection for one exchange about this address.
    pub(super) fn http(self, address: &Address, token: Option<&str>) -> Self {
        let exchange = Arc::new(Exchange {
            sending: Mutex::new(Sending {
                sink: self.write,
                request: Request::new(address, token),
                begun: Begun::Nothing,
            }),
            ahead: AtomicBool::new(false),
            under: self.control,
        });
        let answer = AnswerReader::new(self.read, &address.to_string());
        let reader = Reader { exchange: exchange.clone(), answer };
        Self::new(Box::new(reader), Box::new(Writer(exchange.clone())), exchange)
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
}

impl Sending {
    /// Sends the head of a request.
    fn begin(&mut self, begun: Begun) -> io::Result<()> {
        let (method, more) = match begun {
            Begun::Get => ("GET", String::new()),
            _ => ("POST", format!("Content-Type: {KIND}\r\nTransfer-Encoding: chunked\r\n")),
        };
        let Request { target, fields } = &self.request;
        let head = format!("{method} {target} HTTP/1.1\r\n{fields}{more}\r\n");
        // What has failed once is not begun again.
        self.begun = begun;
        self.sink.write_all(head.as_bytes())
    }

    /// Sends these bytes as a chunk of the body.
    fn chunk(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let len = parts.iter().map(|part| part.len()).sum();
        match self.begun {
            _ if len == 0 => return Ok(0),
            Begun::Nothing => self.begin(Begun::Post)?,
            Begun::Post => {}
            // What would be said to who sends, nobody hears.
            Begun::Get | Begun::Posted => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        let size = format!("{len:x}\r\n");
        let mut whole: Vec<&[u8]> = vec![size.as_bytes()];
        whole.extend(parts.iter().map(|part| &**part));
        whole.push(b"\r\n");
        write_all_vectored(&mut *self.sink, &whole)?;
        Ok(len)
    }

    /// Ends the body of a POST.
    fn end(&mut self) -> io::Result<()> {
        if self.begun != Begun::Post {
            return Ok(());
        }
        self.begun = Begun::Posted;
        self.sink.write_all(b"0\r\n\r\n")
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        {
            let mut sending = lock(&self.exchange.sending);
            if sending.begun == Begun::Nothing {
                sending.begin(Begun::Get)?;
            }
        }
        let read = self.answer.read(buffer);
        self.exchange.ahead.store(self.answer.is_ahead(), Ordering::Release);
        read
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0.sending).chunk(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        lock(&self.0.sending).chunk(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Control for Exchange {
    fn shut_write(&self) -> io::Result<()> {
        lock(&self.sending).end()
    }

    fn close(&self) {
        self.under.close();
    }

    fn is_ready(&self) -> bool {
        self.under.is_ready()
    }

    fn drain(&self, _most: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn wait_to_read(&self, patience: Duration) -> io::Result<bool> {
        Ok(self.ahead.load(Ordering::Acquire) || self.under.wait_to_read(patience)?)
    }

    fn may_send(&self) -> io::Result<()> {
        if lock(&self.sending).begun != Begun::Get {
            return Ok(());
        }
        let message =
            "over http:// a link goes one way, and this one receives: connect again to send";
        Err(Error::new(Code::StreamPlain, message).into())
    }

    fn finish(&self) -> io::Result<bool> {
        let mut sending = lock(&self.sending);
        sending.end()?;
        Ok(sending.begun == Begun::Posted)
    }
}

/// The type of a stream.
const KIND: &str = "application/x-ndbytes-stream";
