//! Descriptors: sockets and pipes, with a deadline for silence and without the interpreter.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use ndbytes::ReadAt;
use pyo3::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

/// An open descriptor that somebody else owns.
pub(crate) struct Fd {
    fd: i32,
    timeout: Option<Duration>,
    socket: bool,
    /// How many bytes must be there to end a wait, if that was changed.
    low_water: Option<LowWater>,
}

impl Fd {
    /// `timeout` is how long nothing may move; `socket` says which calls to use.
    pub(crate) fn new(fd: i32, timeout: Option<Duration>, socket: bool) -> Self {
        Self { fd, timeout, socket, low_water: None }
    }

    /// The number under which its owner has it now.
    pub(crate) fn reopen(&mut self, fd: i32) {
        self.fd = fd;
    }

    fn borrow(&self) -> io::Result<BorrowedFd<'_>> {
        if self.fd < 0 {
            return Err(Errno::BADF.into());
        }
        // SAFETY: the descriptor is not -1. The Python object that owns it is alive during the
        // call; should another thread close it meanwhile, the system calls fail or reach whatever
        // took its number, exactly as those of Python's own socket module would.
        Ok(unsafe { BorrowedFd::borrow_raw(self.fd) })
    }

    /// Waits until the descriptor is ready, at most as long as it may be silent.
    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        // A time beyond the clock is no deadline.
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = match deadline {
                None => None,
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    Some(Timespec::try_from(left).map_err(io::Error::other)?)
                }
            };
            let mut fds = [PollFd::from_borrowed_fd(self.borrow()?, flags)];
            match poll(&mut fds, left.as_ref()) {
                Ok(0) => return Err(Errno::TIMEDOUT.into()),
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => check_signals()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Calls `body` until it does something, waiting while it would block.
    fn retry(
        &self,
        flags: PollFlags,
        mut body: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    ) -> io::Result<usize> {
        // A blocking pipe has no flag for one call: it is asked before.
        if !self.socket && self.timeout.is_some() {
            self.wait(flags)?;
        }
        loop {
            match body(self.borrow()?) {
                Ok(n) => return Ok(n),
                Err(Errno::AGAIN) => self.wait(flags)?,
                Err(Errno::INTR) => check_signals()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Looks at what has arrived on a socket without taking it; none when nothing has.
    pub(crate) fn try_peek(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        now(|| {
            let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
            rustix::net::recv(self.borrow()?, &mut *buffer, flags)
                .map(|(n, _)| n)
                .map_err(Into::into)
        })
    }

    /// Takes what has arrived on a socket; none when nothing has.
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        now(|| {
            let flags = RecvFlags::DONTWAIT;
            rustix::net::recv(self.borrow()?, &mut *buffer, flags)
                .map(|(n, _)| n)
                .map_err(Into::into)
        })
    }

    /// Gives a socket as much as it takes now, which may be nothing.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = now(|| {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
            rustix::net::send(self.borrow()?, bytes, flags).map_err(Into::into)
        })?;
        Ok(written.unwrap_or(0))
    }

    /// Reads where much is still to come. The socket is as before when all of it was read, and
    /// after an error.
    fn read_many(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.read_or_wait_for_many(buffer);
        if !matches!(read, Ok(n) if n < buffer.len()) {
            self.low_water = None;
        }
        read
    }

    /// A wait ends when a good part of what is to come is there, so that sender and receiver do not
    /// wake each other for every packet.
    fn read_or_wait_for_many(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(n) = self.try_read(buffer)? {
                return Ok(n);
            }
            if self.low_water.is_none() {
                self.low_water = LowWater::set(self.fd, MANY);
            }
            if let Err(error) = self.wait(PollFlags::IN) {
                // Fewer bytes than that are no silence.
                return match self.try_read(buffer)? {
                    Some(n) if error.kind() == io::ErrorKind::TimedOut => Ok(n),
                    _ => Err(error),
                };
            }
        }
    }

    /// Waits until there is something to read, or the end.
    pub(crate) fn wait_to_read(&self) -> io::Result<()> {
        self.wait(PollFlags::IN)
    }

    /// How much may be written at once: a blocking pipe that is ready takes this without blocking.
    fn write_limit(&self) -> usize {
        if self.socket || self.timeout.is_none() { usize::MAX } else { PIPE_BUF }
    }
}

impl ReadAt for Fd {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(self.borrow()?, buffer, offset)?)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(self.borrow()?)?.st_size as u64)
    }
}

impl Read for Fd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.socket && buffer.len() >= MANY {
            return self.read_many(buffer);
        }
        self.low_water = None;
        self.retry(PollFlags::IN, |fd| match self.socket {
            true => rustix::net::recv(fd, &mut *buffer, RecvFlags::DONTWAIT).map(|(n, _)| n),
            false => rustix::io::read(fd, &mut *buffer),
        })
    }
}

impl Write for Fd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let limit = self.write_limit();
        self.retry(PollFlags::OUT, |fd| match self.socket {
            true => {
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                rustix::net::sendmsg(fd, parts, &mut Default::default(), flags)
            }
            false if limit < usize::MAX => match parts.iter().find(|part| !part.is_empty()) {
                Some(part) => rustix::io::write(fd, &part[..part.len().min(limit)]),
                None => Ok(0),
            },
            false => rustix::io::writev(fd, parts),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many bytes must have arrived for a socket to count as readable, until this is dropped.
struct LowWater {
    fd: i32,
    before: libc::c_int,
}

impl LowWater {
    /// None where the system does not let it be set: then each packet ends a wait.
    fn set(fd: i32, bytes: usize) -> Option<Self> {
        let (mut before, mut len) = (0, size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: the option is an int, `before` is one, and `len` says so; on failure nothing is
        // written, and nothing is used.
        let known = unsafe {
            let value = (&raw mut before).cast();
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, value, &raw mut len)
        };
        let set = known == 0 && write_low_water(fd, bytes as libc::c_int);
        set.then_some(Self { fd, before })
    }
}

impl Drop for LowWater {
    fn drop(&mut self) {
        write_low_water(self.fd, self.before);
    }
}

fn write_low_water(fd: i32, bytes: libc::c_int) -> bool {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option is an int, which is read from a live one. A descriptor that is no socket
    // is an error and nothing else.
    let set = unsafe {
        let value = (&raw const bytes).cast();
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVLOWAT, value, len)
    };
    set == 0
}

/// A call that does not wait: none where it would have to.
fn now(body: impl FnOnce() -> io::Result<usize>) -> io::Result<Option<usize>> {
    match body() {
        Ok(n) => Ok(Some(n)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        // Whoever waits looks after signals.
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether every write to a descriptor goes to the end of its file.
pub(crate) fn appends(fd: i32) -> bool {
    let fd = Fd::new(fd, None, false);
    let flags = fd.borrow().and_then(|fd| Ok(rustix::fs::fcntl_getfl(fd)?));
    flags.is_ok_and(|flags| flags.contains(rustix::fs::OFlags::APPEND))
}

fn check_signals() -> io::Result<()> {
    Ok(Python::attach(|py| py.check_signals())?)
}

/// As much as a TCP socket lets arrive at once; so much is waited for where more is to come.
const MANY: usize = 1 << 19;
/// POSIX's least, and Linux's, atomic write to a pipe.
const PIPE_BUF: usize = 4096;
