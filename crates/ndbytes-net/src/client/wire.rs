//! Connections that hear signals while they wait, for `ureq`, whose own hear none.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::time::Duration::NotHappening as Never;
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout,
    RustlsConnector, Transport,
};
use ureq::{Agent, Error};

use super::interrupt::Interrupt;
use crate::signals::{self, SLICE};

/// A client whose waits this may end.
pub(super) fn agent(config: Config, interrupt: &Interrupt) -> Agent {
    // As `DefaultConnector` has them.
    let connector = ConnectProxyConnector::default()
        .chain(Wires(interrupt.clone()))
        .chain(RustlsConnector::default());
    Agent::with_parts(config, connector, Names(interrupt.clone()))
}

/// Finds addresses.
#[derive(Debug)]
struct Names(Interrupt);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let (uri, config) = (uri.clone(), config.clone());
        // Without a thread and a timeout of its own.
        let untimed = NextTimeout { after: Never, ..timeout };
        aside(&self.0, timeout, move || DefaultResolver::default().resolve(&uri, &config, untimed))?
    }
}

/// Makes connections.
#[derive(Debug)]
struct Wires(Interrupt);

impl<In: Transport> Connector<In> for Wires {
    type Out = Either<In, Wire>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(made) = chained {
            return Ok(Some(Either::A(made)));
        }
        let stream = self.open(&details.addrs, details.timeout)?;
        let config = details.config;
        stream.set_nodelay(config.no_delay())?;
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(SLICE))?;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        let interrupt = self.0.clone();
        let wire = Wire { stream, buffers, interrupt, heard: Instant::now(), is_broken: false };
        Ok(Some(Either::B(wire)))
    }
}

impl Wires {
    /// Connects to the first address that answers. Each has an equal share of the time that is left.
    fn open(&self, addresses: &[SocketAddr], timeout: NextTimeout) -> Result<TcpStream, Error> {
        let begin = Instant::now();
        let mut failed = Error::ConnectionFailed;
        for (index, &address) in addresses.iter().enumerate() {
            let left = match timeout.not_zero() {
                Some(whole) => whole.saturating_sub(begin.elapsed()),
                None => LONGEST,
            };
            let share = left / (addresses.len() - index) as u32;
            if share.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            let connect = move || TcpStream::connect_timeout(&address, share);
            match aside(&self.0, timeout, connect)? {
                Ok(stream) => return Ok(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    failed = Error::Timeout(timeout.reason);
                }
                Err(error) => failed = Error::Io(error),
            }
        }
        Err(failed)
    }
}

/// A connection. Its calls of the system wait for a [`SLICE`] at most.
#[derive(Debug)]
struct Wire {
    stream: TcpStream,
    buffers: LazyBuffers,
    interrupt: Interrupt,
    heard: Instant,
    /// Nobody knows how much of what was to be sent was: nothing can follow.
    is_broken: bool,
}

impl Wire {
    /// Hears signals, if it is time to, whether or not there was something to wait for.
    fn hear(&mut self) -> Result<(), Error> {
        if self.heard.elapsed() >= SLICE {
            self.heard = Instant::now();
            self.interrupt.hear()?;
        }
        Ok(())
    }

    /// What came of a call, if it was done; none if it is to be made again, as long as nothing has
    /// happened for less than the time that there is, and no signal has ended it.
    fn done(
        &mut self,
        result: io::Result<usize>,
        begin: Instant,
        timeout: NextTimeout,
    ) -> Result<Option<usize>, Error> {
        self.hear()?;
        match result {
            Ok(count) => Ok(Some(count)),
            Err(error) if is_slice(&error) || error.kind() == ErrorKind::Interrupted => {
                let is_over = timeout.not_zero().is_some_and(|limit| begin.elapsed() >= *limit);
                if is_over { Err(Error::Timeout(timeout.reason)) } else { Ok(None) }
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = checked(timeout.for_write())?;
        if std::mem::replace(&mut self.is_broken, true) {
            return Err(io::Error::from(ErrorKind::BrokenPipe).into());
        }
        let (mut sent, mut begin) = (0, Instant::now());
        while sent < amount {
            let result = self.stream.write(&self.buffers.output()[sent..amount]);
            match self.done(result, begin, timeout)? {
                Some(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Some(count) => (sent, begin) = (sent + count, Instant::now()),
                None => {}
            }
        }
        self.is_broken = false;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = checked(timeout.for_read())?;
        let begin = Instant::now();
        loop {
            let result = self.stream.read(self.buffers.input_append_buf());
            if let Some(count) = self.done(result, begin, timeout)? {
                self.buffers.input_appended(count);
                return Ok(count > 0);
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // Nothing is asked for: what arrives is the end, or from a server that is confused.
        let silent = self.stream.set_nonblocking(true).is_ok()
            && self.stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).is_ok() && silent
    }
}

/// Waits for what hears no signals, in another thread, which may go on when nobody waits any more.
fn aside<T: Send + 'static>(
    interrupt: &Interrupt,
    timeout: NextTimeout,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let begin = Instant::now();
    let next = || {
        interrupt.hear()?;
        match timeout.not_zero().map(|most| most.saturating_sub(begin.elapsed())) {
            Some(Duration::ZERO) => Err(Error::Timeout(timeout.reason).into_io()),
            left => Ok(left.unwrap_or(SLICE).min(SLICE)),
        }
    };
    Ok(signals::aside(call, next)?)
}

/// The same, unless no time is left.
fn checked(timeout: NextTimeout) -> Result<NextTimeout, Error> {
    if timeout.after.is_zero() { Err(Error::Timeout(timeout.reason)) } else { Ok(timeout) }
}

/// Whether nothing happened in the time that a call of the system had. Where it is Unix, another kind
/// says that the peer is gone.
fn is_slice(error: &io::Error) -> bool {
    let slice = if cfg!(unix) { ErrorKind::WouldBlock } else { ErrorKind::TimedOut };
    error.kind() == slice
}

/// Where no time was named.
const LONGEST: Duration = Duration::from_secs(300);
