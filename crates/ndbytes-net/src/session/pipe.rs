//! Streams that somebody else opened, by their descriptors: pipes, files and sockets. They stay their
//! owner's, who may have set them to block: no call here waits for longer than it should.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::inner::lock;
use super::patience::{Patience, SLICE};
use super::wire::{Control, Ways, Wire, ready};

/// Both directions, or one of them.
struct Pipe {
    read: End,
    write: End,
    /// Nothing can be answered.
    mute: bool,
    patience: Patience,
    closed: AtomicBool,
}

/// A descriptor, until it is let go of.
type End = Mutex<Option<(Arc<OwnedFd>, Kind)>>;

/// What is known of who may be waited for, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Socket,
    Fifo,
    /// It is never waited for.
    File,
    Other,
}

struct Source(Arc<Pipe>);
struct Sink(Arc<Pipe>);

impl Wire {
    /// Over what can be read, written, or both.
    pub(super) fn pipe(
        read: Option<OwnedFd>,
        write: Option<OwnedFd>,
        patience: Patience,
    ) -> io::Result<Self> {
        let ways = match (&read, &write) {
            (Some(_), Some(_)) => Ways::Both,
            (Some(_), None) => Ways::In,
            (None, _) => Ways::Out,
        };
        let end = |fd: Option<OwnedFd>| io::Result::Ok(Mutex::new(fd.map(known).transpose()?));
        let (read, write) = (end(read)?, end(write)?);
        let pipe = Arc::new(Pipe {
            read,
            write,
            mute: ways == Ways::In,
            patience,
            closed: AtomicBool::new(false),
        });
        let (source, sink) = (Source(pipe.clone()), Sink(pipe.clone()));
        Ok(Self { ways, ..Self::new(Box::new(source), Box::new(sink), pipe) })
    }
}

fn known(fd: OwnedFd) -> io::Result<(Arc<OwnedFd>, Kind)> {
    let file = File::from(fd);
    let kind = match file.metadata()?.file_type() {
        kind if kind.is_socket() => Kind::Socket,
        kind if kind.is_fifo() => Kind::Fifo,
        kind if kind.is_file() => Kind::File,
        _ => Kind::Other,
    };
    Ok((Arc::new(file.into()), kind))
}

impl Pipe {
    /// Waits until something can be done, that long.
    fn wait(
        &self,
        fd: BorrowedFd<'_>,
        flags: PollFlags,
        most: Option<Duration>,
    ) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            let left = most.map(|most| most.saturating_sub(start.elapsed()));
            match ready(fd, flags, Some(left.map_or(SLICE, |left| left.min(SLICE)))) {
                Ok(true) => return Ok(true),
                Ok(false) if left == Some(Duration::ZERO) => return Ok(false),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.closed.load(Ordering::Acquire) {
                return Err(gone());
            }
            self.patience.interrupted()?;
        }
    }

    /// Does something as soon as it can be done.
    fn patiently(
        &self,
        end: &End,
        flags: PollFlags,
        what: &str,
        mut call: impl FnMut(BorrowedFd<'_>, Kind) -> rustix::io::Result<usize>,
    ) -> io::Result<usize> {
        let Some((fd, kind)) = lock(end).clone() else { return Err(gone()) };
        loop {
            if !self.wait(fd.as_fd(), flags, self.patience.timeout)? {
                return Err(self.patience.silence(what));
            }
            match call(fd.as_fd(), kind) {
                Ok(n) => return Ok(n),
                // Another was faster.
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = |fd: BorrowedFd<'_>, _| rustix::io::read(fd, &mut *buffer);
        self.0.patiently(&self.0.read, PollFlags::IN, "sent nothing", read)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Who receives has nobody to say it to.
        if self.0.mute {
            return Ok(bytes.len());
        }
        let put = |fd: BorrowedFd<'_>, kind| put(fd, kind, bytes);
        self.0.patiently(&self.0.write, PollFlags::OUT, "took nothing", put)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what can be written at once.
fn put(fd: BorrowedFd<'_>, kind: Kind, bytes: &[u8]) -> rustix::io::Result<usize> {
    match kind {
        Kind::Socket => rustix::net::send(fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT),
        Kind::File => rustix::io::write(fd, bytes),
        #[cfg(target_os = "linux")]
        Kind::Fifo => {
            use rustix::io::{ReadWriteFlags, pwritev2};
            match pwritev2(fd, &[io::IoSlice::new(bytes)], u64::MAX, ReadWriteFlags::NOWAIT) {
                // Before Linux 6.4.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => put(fd, Kind::Other, bytes),
                written => written,
            }
        }
        // So much a pipe takes whole when it says that it takes something.
        _ => rustix::io::write(fd, &bytes[..bytes.len().min(PIPE_BUF)]),
    }
}

/// They are their owner's, and others may go on over them: they are let go of, and not shut.
impl Control for Pipe {
    fn shut_write(&self) -> io::Result<()> {
        lock(&self.write).take();
        Ok(())
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        lock(&self.read).take();
        lock(&self.write).take();
    }

    fn is_ready(&self) -> bool {
        let fd = lock(&self.write).clone();
        fd.is_none_or(|(fd, _)| {
            ready(fd.as_fd(), PollFlags::OUT, Some(Duration::ZERO)).unwrap_or(false)
        })
    }

    fn drain(&self, _most: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn wait_to_read(&self, patience: Duration) -> io::Result<bool> {
        let Some((fd, _)) = lock(&self.read).clone() else { return Ok(true) };
        self.wait(fd.as_fd(), PollFlags::IN, Some(patience))
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the link was closed")
}

/// POSIX's least, and Linux's, atomic write to a pipe.
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };
