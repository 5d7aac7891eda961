//! One file.

use std::io::{self, Read};

use ndbytes::{Code, Error, ReadAt, Result};
use ureq::Body;
use ureq::http::Response;

use super::RemoteOptions;
use super::blocks::{BLOCK, Blocks};
use super::link::{Given, Identity, Link};
use super::wait::Trouble;

/// A file on an HTTP server.
///
/// Threads may share it: each read is a request of its own, over connections that are kept.
#[derive(Debug)]
pub struct RemoteFile {
    link: Link,
    held: Held,
}

#[derive(Debug)]
enum Held {
    /// Parts are asked for.
    Parts { size: u64, identity: Identity, blocks: Blocks },
    /// All of it is here.
    Whole(Vec<u8>),
}

impl RemoteFile {
    /// Asks for the first bytes of the file at this `http://` or `https://` URL, and learns how many
    /// there are and whether the server gives parts.
    ///
    /// # Errors
    /// What the server, the network or the certificate said, after so many attempts as the options
    /// have it; [`Code::HttpRange`] for a server that gives no parts of a file that is longer than
    /// [`RemoteOptions::whole`]; [`Code::Argument`] for another kind of URL.
    pub fn open(url: &str, options: &RemoteOptions) -> Result<Self> {
        let link = Link::new(checked(url)?, options)?;
        let mut patience = link.patience();
        let held = loop {
            match link.interrupt().end(begin(&link, options))? {
                Ok(held) => break held,
                Err(trouble) => patience.wait(trouble)?,
            }
        };
        // What is read by several threads hears signals between the pieces.
        link.interrupt().leave();
        Ok(Self { link, held })
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.link.url()
    }

    /// Whether all of it had to be fetched.
    pub fn is_whole(&self) -> bool {
        matches!(self.held, Held::Whole(_))
    }

    /// Fetches bytes that there are.
    fn fetch(&self, out: &mut [u8], at: u64, size: u64, identity: &Identity) -> Result<()> {
        let (mut have, mut patience) = (0, self.link.patience());
        while have < out.len() {
            let before = have;
            if let Err(trouble) = self.attempt(out, &mut have, at, size, identity) {
                if have > before {
                    patience.renew();
                }
                patience.wait(trouble)?;
            }
        }
        Ok(())
    }

    /// One request for what is missing.
    fn attempt(
        &self,
        out: &mut [u8],
        have: &mut usize,
        at: u64,
        size: u64,
        identity: &Identity,
    ) -> std::result::Result<(), Trouble> {
        let at = at + *have as u64;
        let out = &mut out[*have..];
        let len = out.len().min(REQUEST);
        let mut body = match self.link.get(at, len as u64, Some(identity))? {
            Given::Part { size: Some(now), .. } if now != size => return Err(self.link.changed()),
            Given::Part { body, .. } => body,
            // It has become shorter.
            Given::Beyond { .. } => return Err(self.link.changed()),
            // The server has begun to give no parts. What precedes this one is passed over.
            Given::Whole(mut body) => {
                let mut ahead = body.body_mut().as_reader().take(at);
                let passed = io::copy(&mut ahead, &mut io::sink());
                if passed.map_err(|error| self.link.broken(&error))? < at {
                    return Err(self.link.changed());
                }
                body
            }
        };
        let mut reader = body.body_mut().as_reader();
        let mut got = 0;
        while got < len {
            match reader.read(&mut out[got..len]) {
                Ok(0) => {
                    let short = io::Error::from(io::ErrorKind::UnexpectedEof);
                    return Err(self.link.broken(&short));
                }
                Ok(n) => {
                    got += n;
                    *have += n;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.link.broken(&error)),
            }
        }
        // So that the connection can be used again.
        let _ = reader.read(&mut [0]);
        Ok(())
    }
}

impl ReadAt for RemoteFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (size, identity, blocks) = match &self.held {
            Held::Whole(bytes) => return bytes.read_at(buffer, offset),
            Held::Parts { size, identity, blocks } => (*size, identity, blocks),
        };
        let len = size.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let out = &mut buffer[..len];
        if len >= BLOCK {
            self.fetch(out, offset, size, identity)?;
            return Ok(len);
        }
        let mut done = 0;
        while done < len {
            let at = offset + done as u64;
            let (number, skip) = (at / BLOCK as u64, (at % BLOCK as u64) as usize);
            let block = match blocks.get(number) {
                Some(block) => block,
                None => {
                    let start = number * BLOCK as u64;
                    let mut block = vec![0; (size - start).min(BLOCK as u64) as usize];
                    self.fetch(&mut block, start, size, identity)?;
                    blocks.put(number, block)
                }
            };
            let some = &block[skip..];
            let n = some.len().min(len - done);
            out[done..done + n].copy_from_slice(&some[..n]);
            done += n;
        }
        Ok(len)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(match &self.held {
            Held::Whole(bytes) => bytes.len() as u64,
            Held::Parts { size, .. } => *size,
        })
    }

    fn in_memory(&self) -> Option<&[u8]> {
        match &self.held {
            Held::Whole(bytes) => Some(bytes),
            Held::Parts { .. } => None,
        }
    }
}

/// Whether this names a file on a server.
pub fn is_url(text: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| text.get(..scheme.len()).is_some_and(|is| is.eq_ignore_ascii_case(scheme)))
}

/// The same text, if it is a URL.
pub(super) fn checked(url: &str) -> Result<&str> {
    match is_url(url) {
        true => Ok(url),
        false => {
            let message = format!("`{}` is no http:// or https:// URL", url.escape_debug());
            Err(Error::new(Code::Argument, message))
        }
    }
}

/// The first request.
fn begin(link: &Link, options: &RemoteOptions) -> std::result::Result<Held, Trouble> {
    match link.get(0, BLOCK as u64, None)? {
        Given::Beyond { size: 0 } => Ok(Held::Whole(Vec::new())),
        Given::Part { size: Some(size), body, .. } => {
            let identity = Identity::of(body.headers());
            let most = size.min(BLOCK as u64);
            let first = read_body(link, body, most)?;
            if (first.len() as u64) < most {
                return Err(link.broken(&io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(Held::Parts { size, identity, blocks: Blocks::new(first) })
        }
        Given::Whole(body) => {
            let announced = body.body().content_length();
            let known = announced.is_some_and(|len| len > options.whole);
            let bytes = if known {
                Vec::new()
            } else {
                read_body(link, body, options.whole.saturating_add(1))?
            };
            if known || bytes.len() as u64 > options.whole {
                let message = format!(
                    "{}: the server gives no parts of a file, and this one has more than {} bytes: load it whole, or have it served by one that answers range requests",
                    link.url(),
                    options.whole
                );
                return Err(Trouble::Lasting(Error::new(Code::HttpRange, message)));
            }
            if announced.is_some_and(|len| (bytes.len() as u64) < len) {
                return Err(link.broken(&io::ErrorKind::UnexpectedEof.into()));
            }
            Ok(Held::Whole(bytes))
        }
        Given::Part { size: None, .. } | Given::Beyond { .. } => {
            let message = format!("{}: the server does not say how long the file is", link.url());
            Err(Trouble::Lasting(Error::new(Code::HttpRange, message)))
        }
    }
}

/// The bytes of an answer, as many as there are up to `most`; memory is taken as they arrive.
fn read_body(
    link: &Link,
    mut body: Response<Body>,
    most: u64,
) -> std::result::Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::new();
    let read = body.body_mut().as_reader().take(most).read_to_end(&mut bytes);
    read.map_err(|error| link.broken(&error))?;
    Ok(bytes)
}

/// Bytes that are asked for at once: a connection that breaks costs no more.
const REQUEST: usize = 16 << 20;
