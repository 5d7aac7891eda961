//! Streams that somebody else opened, by their descriptors: pipes, files and sockets. They stay their
//! owner's, who may have set them to block: of pipes and sockets, no call here waits for longer than it should.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::io::{ReadWriteFlags, preadv2, pwritev2};
use rustix::net::{RecvFlags, SendFlags};

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
        let read = read.map(|fd| known(fd, OFlags::WRONLY, "read from")).transpose()?;
        let write = write.map(|fd| known(fd, OFlags::RDONLY, "written to")).transpose()?;
        let (read, write) = (Mutex::new(read), Mutex::new(write));
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

fn known(fd: OwnedFd, not: OFlags, what: &str) -> io::Result<(Arc<OwnedFd>, Kind)> {
    // To wait for it would be in vain.
    if fcntl_getfl(&fd)? & OFlags::ACCMODE == not {
        let message = format!("this descriptor cannot be {what}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
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
    /// Waits until something can be done, that long, or nothing can be done any more.
    fn wait(
        &self,
        fd: BorrowedFd<'_>,
        flags: PollFlags,
        most: Option<Duration>,
    ) -> io::Result<bool> {
        let start = Instant::now();
        while !self.closed.load(Ordering::Acquire) {
            let left = most.map(|most| most.saturating_sub(start.elapsed()));
            match ready(fd, flags, Some(left.map_or(SLICE, |left| left.min(SLICE)))) {
                Ok(true) => return Ok(true),
                Ok(false) if left == Some(Duration::ZERO) => return Ok(false),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            self.patience.interrupted()?;
        }
        Ok(true)
    }

    /// Does something as soon as it can be done; nothing when it was closed.
    fn patiently(
        &self,
        end: &End,
        flags: PollFlags,
        what: &str,
        mut call: impl FnMut(BorrowedFd<'_>, Kind) -> rustix::io::Result<usize>,
    ) -> io::Result<Option<usize>> {
        let Some((fd, kind)) = lock(end).clone() else { return Ok(None) };
        let start = Instant::now();
        loop {
            let left = self.patience.timeout.map(|most| most.saturating_sub(start.elapsed()));
            if !self.wait(fd.as_fd(), flags, left)? {
                return Err(self.patience.silence(what));
            }
            if self.closed.load(Ordering::Acquire) {
                return Ok(None);
            }
            match call(fd.as_fd(), kind) {
                Ok(n) => return Ok(Some(n)),
                // Another was faster, or the system says so without a reason.
                Err(Errno::AGAIN | Errno::INTR) => {
                    self.patience.interrupted()?;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let take = |fd: BorrowedFd<'_>, kind| take(fd, kind, buffer);
        let taken = self.0.patiently(&self.0.read, PollFlags::IN, "sent nothing", take)?;
        // As of a socket that was shut.
        Ok(taken.unwrap_or(0))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Who receives has nobody to say it to.
        if self.0.mute {
            return Ok(bytes.len());
        }
        let put = |fd: BorrowedFd<'_>, kind| put(fd, kind, bytes);
        let put = self.0.patiently(&self.0.write, PollFlags::OUT, "took nothing", put)?;
        put.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what can be read at once.
fn take(fd: BorrowedFd<'_>, kind: Kind, buffer: &mut [u8]) -> rustix::io::Result<usize> {
    match kind {
        Kind::Socket => rustix::net::recv(fd, buffer, RecvFlags::DONTWAIT).map(|(taken, _)| taken),
        #[cfg(target_os = "linux")]
        Kind::Fifo => {
            let taken =
                preadv2(fd, &mut [io::IoSliceMut::new(buffer)], u64::MAX, ReadWriteFlags::NOWAIT);
            match taken {
                // Before Linux 6.4.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => take(fd, Kind::Other, buffer),
                taken => taken,
            }
        }
        _ => rustix::io::read(fd, buffer),
    }
}

/// Writes what can be written at once.
fn put(fd: BorrowedFd<'_>, kind: Kind, bytes: &[u8]) -> rustix::io::Result<usize> {
    match kind {
        Kind::Socket => rustix::net::send(fd, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT),
        Kind::File => rustix::io::write(fd, bytes),
        #[cfg(target_os = "linux")]
        Kind::Fifo => {
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

/// POSIX's least, and Linux's, atomic write to a pipe.
const PIPE_BUF: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };
