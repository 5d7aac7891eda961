//! A connection that fails where it is told to: what passes between a client and a server is cut, held
//! up, turned or slowed at a given byte.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// What happens at a byte of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Both directions end, as if the other side had closed.
    Cut,
    /// Both directions are reset.
    Reset,
    /// Nothing more passes, and nothing ends.
    Stall,
    /// This bit of the byte is turned.
    Flip(u8),
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// What goes wrong with one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Where, before which byte, and how; nowhere unless given.
    pub fault: Option<(Way, u64, Fault)>,
    /// How long each part takes.
    pub delay: Duration,
    /// Bytes of one part; any number for 0.
    pub part: usize,
}

impl Plan {
    /// A connection that fails before this byte.
    pub fn fails(way: Way, at: u64, fault: Fault) -> Self {
        Self { fault: Some((way, at, fault)), ..Self::default() }
    }
}

/// Stands between clients and a server on this machine.
pub struct Proxy {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

/// The same between Unix sockets, where to be reset is to be closed with something unread.
pub struct UnixProxy {
    path: PathBuf,
    stop: Arc<AtomicBool>,
}

/// A connection of either kind.
trait Stream: Read + Write + AsFd + Send + Sized + 'static {
    fn twin(&self) -> io::Result<Self>;
    fn shut(&self, how: Shutdown) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn shut(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Stream for UnixStream {
    fn twin(&self) -> io::Result<Self> {
        self.try_clone()
    }

    fn shut(&self, how: Shutdown) -> io::Result<()> {
        self.shutdown(how)
    }
}

impl Proxy {
    /// Passes connections on, each as the function says that it goes, given how many came before.
    ///
    /// # Panics
    /// When this machine has no port left.
    pub fn start(to: SocketAddr, plan: impl Fn(usize) -> Plan + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it listens");
        let accept = move || listener.accept().map(|(stream, _)| stream);
        let stop = serve(accept, move || TcpStream::connect(to), plan);
        Self { address, stop }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl UnixProxy {
    /// As [`Proxy::start`], listening at `path`.
    ///
    /// # Panics
    /// When nothing can be listened to there.
    pub fn start(
        path: PathBuf,
        to: PathBuf,
        plan: impl Fn(usize) -> Plan + Send + 'static,
    ) -> Self {
        let listener = UnixListener::bind(&path).expect("a socket");
        let accept = move || listener.accept().map(|(stream, _)| stream);
        let stop = serve(accept, move || UnixStream::connect(&to), plan);
        Self { path, stop }
    }

    /// Where clients connect.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Passes connections on until it is told to stop.
fn serve<S: Stream>(
    accept: impl Fn() -> io::Result<S> + Send + 'static,
    connect: impl Fn() -> io::Result<S> + Send + 'static,
    plan: impl Fn(usize) -> Plan + Send + 'static,
) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    thread::spawn(move || {
        for number in 0.. {
            let client = accept();
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            let (Ok(client), Ok(server)) = (client, connect()) else { continue };
            let (plan, reset) = (plan(number), Arc::new(AtomicBool::new(false)));
            for (way, from, to) in [(Way::Up, &client, &server), (Way::Down, &server, &client)] {
                let (Ok(from), Ok(to)) = (from.twin(), to.twin()) else { continue };
                let reset = reset.clone();
                thread::spawn(move || pass(way, from, to, plan, &reset));
            }
        }
    });
    stop
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes who accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Drop for UnixProxy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = UnixStream::connect(&self.path);
    }
}

/// Passes one direction on, and has its fault happen. What ends here ends there.
fn pass<S: Stream>(way: Way, mut from: S, mut to: S, plan: Plan, reset: &AtomicBool) {
    let mut fault = plan.fault.filter(|(own, ..)| *own == way);
    let mut buffer = vec![0; if plan.part > 0 { plan.part } else { 1 << 16 }];
    let mut passed = 0;
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let mut bytes = &mut buffer[..n];
        let mut now = None;
        if let Some((_, at, kind)) = fault.filter(|(_, at, _)| *at < passed + n as u64) {
            let here = (at - passed) as usize;
            match kind {
                Fault::Flip(bit) => bytes[here] ^= 1 << (bit % 8),
                kind => {
                    bytes = &mut bytes[..here];
                    now = Some(kind);
                }
            }
            fault = None;
        }
        thread::sleep(plan.delay);
        if to.write_all(bytes).is_err() {
            break;
        }
        passed += n as u64;
        match now {
            // Until they have had enough.
            Some(Fault::Stall) => while matches!(from.read(&mut buffer), Ok(1..)) {},
            Some(Fault::Reset) => {
                reset.store(true, Ordering::Relaxed);
                for stream in [&from, &to] {
                    // What is closed so is reset, when the other direction lets go of it as well.
                    let _ = set_socket_linger(stream, Some(Duration::ZERO));
                    let _ = stream.shut(Shutdown::Read);
                }
                return;
            }
            Some(_) => {
                let _ = from.shut(Shutdown::Both);
                let _ = to.shut(Shutdown::Both);
                return;
            }
            None => {}
        }
    }
    if !reset.load(Ordering::Relaxed) {
        let _ = to.shut(Shutdown::Write);
    }
}
