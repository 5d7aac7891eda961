//! A connected stream: two halves that threads may use side by side, and what ends them.

use std::io::{self, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;

#[cfg(target_os = "linux")]
use super::memory::Descriptors;
use super::options::SessionOptions;
use super::patience::Patience;

/// A connected stream.
pub(super) struct Wire {
    pub(super) read: Box<dyn Read + Send>,
    pub(super) write: Box<dyn Write + Send>,
    pub(super) control: Arc<dyn Control>,
    pub(super) ways: Ways,
    /// Descriptors, where they can be handed over.
    #[cfg(target_os = "linux")]
    pub(super) descriptors: Option<Arc<Descriptors>>,
}

impl Wire {
    pub(super) fn new(
        read: Box<dyn Read + Send>,
        write: Box<dyn Write + Send>,
        control: Arc<dyn Control>,
    ) -> Self {
        Self {
            read,
            write,
            control,
            ways: Ways::Both,
            #[cfg(target_os = "linux")]
            descriptors: None,
        }
    }
}

/// Which ways of a stream are of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ways {
    /// Both at once.
    Both,
    /// Whichever is wanted first: bodies of HTTP.
    Either,
    /// What comes: nothing can be answered.
    In,
    /// What leaves: nothing comes back.
    Out,
}

/// What can be done to a stream while others read and write.
pub(super) trait Control: Send + Sync {
    /// Says that nothing more comes.
    fn shut_write(&self) -> io::Result<()>;
    /// Ends both directions; whoever waits is woken.
    fn close(&self);
    /// As [`Control::close`], when nothing was left: the peer may be told so.
    fn close_well(&self) {
        self.close();
    }
    /// As [`Control::close`], with a reason where there is a place for one.
    fn close_because(&self, _why: &str) {
        self.close();
    }
    /// Whether a record would leave without a wait.
    fn is_ready(&self) -> bool;
    /// Passes over what comes, until the peer ends or so much time has passed.
    fn drain(&self, most: Option<Duration>) -> io::Result<()>;
    /// Waits that long until something has come, or the peer has ended.
    fn wait_to_read(&self, patience: Duration) -> io::Result<bool>;
    /// Whether something can be sent at all.
    fn may_send(&self) -> io::Result<()> {
        Ok(())
    }
    /// Waits until what was written has arrived, where to close would throw away the rest.
    fn delivered(&self) -> io::Result<()> {
        Ok(())
    }
    /// All was said. Ends what has an end of its own; whether an answer to it comes, whatever it says.
    fn finish(&self) -> io::Result<bool> {
        Ok(false)
    }
}

/// A socket whose waits end.
pub(super) trait Socket: AsFd + Send + Sync + 'static {
    fn shut(&self, how: Shutdown) -> io::Result<()>;
    fn take(&self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl Socket for TcpStream {
    fn shut(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn take(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(buffer)
    }
}

impl Socket for UnixStream {
    fn shut(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }

    fn take(&self, buffer: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(buffer)
    }
}

/// One of the two directions of a socket.
pub(super) struct Half<S> {
    pub(super) socket: Arc<S>,
    pub(super) patience: Patience,
}

impl<S> Half<S> {
    pub(super) fn new(socket: &Arc<S>, patience: &Patience) -> Self {
        Self { socket: socket.clone(), patience: patience.clone() }
    }
}

impl<S: Send + Sync> Read for Half<S>
where
    for<'a> &'a S: Read,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = &mut &*self.socket;
        self.patience.patiently("sent nothing", || socket.read(buffer))
    }
}

impl<S: Send + Sync> Write for Half<S>
where
    for<'a> &'a S: Write,
{
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let socket = &mut &*self.socket;
        self.patience.patiently("took nothing", || socket.write(bytes))
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = &mut &*self.socket;
        self.patience.patiently("took nothing", || socket.write_vectored(parts))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Control of a plain socket.
pub(super) struct Plug<S>(pub(super) Arc<S>, pub(super) Patience);

impl<S: Socket> Control for Plug<S> {
    fn shut_write(&self) -> io::Result<()> {
        self.0.shut(Shutdown::Write)
    }

    fn close(&self) {
        // It may have ended by itself.
        let _ = self.0.shut(Shutdown::Both);
    }

    fn is_ready(&self) -> bool {
        ready(self.0.as_fd(), PollFlags::OUT, Some(Duration::ZERO)).unwrap_or(false)
    }

    fn drain(&self, most: Option<Duration>) -> io::Result<()> {
        let (start, mut waste) = (Instant::now(), [0; 1 << 14]);
        loop {
            let left = most.map(|most| most.saturating_sub(start.elapsed()));
            if left == Some(Duration::ZERO) || !wait(&self.1, self.0.as_fd(), left)? {
                return Ok(());
            }
            if self.0.take(&mut waste)? == 0 {
                return Ok(());
            }
        }
    }

    fn wait_to_read(&self, patience: Duration) -> io::Result<bool> {
        wait(&self.1, self.0.as_fd(), Some(patience))
    }
}

/// Control of a stream that somebody else made: it waits, and ends, as that does.
struct Loose(Box<dyn Fn() -> bool + Send + Sync>);

impl Control for Loose {
    fn shut_write(&self) -> io::Result<()> {
        Ok(())
    }

    fn close(&self) {}

    fn is_ready(&self) -> bool {
        (self.0)()
    }

    fn drain(&self, _most: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn wait_to_read(&self, _patience: Duration) -> io::Result<bool> {
        Ok(true)
    }
}

impl Wire {
    /// A stream that somebody else made.
    pub(super) fn over(
        read: Box<dyn Read + Send>,
        write: Box<dyn Write + Send>,
        is_ready: Box<dyn Fn() -> bool + Send + Sync>,
    ) -> Self {
        Self::new(read, write, Arc::new(Loose(is_ready)))
    }

    /// A stream over TCP.
    pub(super) fn tcp(stream: TcpStream, options: &SessionOptions) -> io::Result<Self> {
        prepare(&stream, options)?;
        Ok(Self::plain(&Arc::new(stream), options))
    }

    /// A stream over a Unix socket.
    pub(super) fn unix(stream: UnixStream, options: &SessionOptions) -> io::Result<Self> {
        stream.set_read_timeout(options.timeout)?;
        stream.set_write_timeout(options.timeout)?;
        // Who sends goes on while the other is elsewhere. A system that gives less gives less.
        let _ = sockopt::set_socket_send_buffer_size(&stream, UNIX_BUFFER);
        let stream = Arc::new(stream);
        #[allow(unused_mut, reason = "there are descriptors on Linux alone")]
        let mut wire = Self::plain(&stream, options);
        #[cfg(target_os = "linux")]
        {
            let descriptors = Arc::new(Descriptors::new(&stream, &Patience::of(options)));
            wire.read = Box::new(super::memory::Reader(descriptors.clone()));
            wire.descriptors = Some(descriptors);
        }
        Ok(wire)
    }

    fn plain<S: Socket>(socket: &Arc<S>, options: &SessionOptions) -> Self
    where
        for<'a> &'a S: Read + Write,
    {
        let patience = Patience::of(options);
        Self::new(
            Box::new(Half::new(socket, &patience)),
            Box::new(Half::new(socket, &patience)),
            Arc::new(Plug(socket.clone(), patience)),
        )
    }
}

/// Small messages leave at once, waits end, and a peer whose machine is gone is noticed.
pub(super) fn prepare(stream: &TcpStream, options: &SessionOptions) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(options.timeout)?;
    stream.set_write_timeout(options.timeout)?;
    sockopt::set_socket_keepalive(stream, true)?;
    #[cfg(target_os = "linux")]
    {
        sockopt::set_tcp_keepidle(stream, KEEP_ALIVE)?;
        sockopt::set_tcp_keepintvl(stream, KEEP_ALIVE / 2)?;
        sockopt::set_tcp_keepcnt(stream, 4)?;
    }
    Ok(())
}

/// Waits until there is something to read, or the end, or the patience.
pub(super) fn wait(
    patience: &Patience,
    fd: BorrowedFd<'_>,
    most: Option<Duration>,
) -> io::Result<bool> {
    let start = Instant::now();
    loop {
        let left = most.map(|most| most.saturating_sub(start.elapsed()));
        match ready(fd, PollFlags::IN, left) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => patience.interrupted()?,
            result => return result,
        }
    }
}

/// Waits until something can be done, or that long.
pub(super) fn ready(
    fd: BorrowedFd<'_>,
    flags: PollFlags,
    most: Option<Duration>,
) -> io::Result<bool> {
    let most = most.map(|most| Timespec {
        tv_sec: i64::try_from(most.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: most.subsec_nanos().into(),
    });
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    Ok(poll(&mut fds, most.as_ref())? > 0)
}

/// Bytes that a Unix socket may hold.
const UNIX_BUFFER: usize = 1 << 20;
/// How long a peer may be silent before the system asks whether it is there.
#[cfg(target_os = "linux")]
const KEEP_ALIVE: Duration = Duration::from_secs(30);
