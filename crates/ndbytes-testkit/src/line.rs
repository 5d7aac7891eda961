//! A slow way for datagrams, which may end in the middle.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Passes datagrams on between a server and the one client that it has, until it is dropped; what is
/// on its way then, such as that a connection is closed, still arrives.
pub struct Line {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    /// A way to `server`, for so many bytes a second; what comes from the client after the first `most`
    /// bytes is lost, as everything is that comes back then.
    ///
    /// # Errors
    /// When there is no socket to be had.
    pub fn to(server: SocketAddr, rate: f64, most: usize) -> io::Result<Self> {
        let socket = UdpSocket::bind((server.ip(), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let (address, stop) = (socket.local_addr()?, Arc::<AtomicBool>::default());
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let (mut client, mut passed) = (None, 0);
            let mut datagram = vec![0; 1 << 16];
            let mut stopped: Option<Instant> = None;
            loop {
                if told.load(Ordering::Relaxed)
                    && stopped.get_or_insert_with(Instant::now).elapsed() > LAST
                {
                    return;
                }
                let Ok((len, from)) = socket.recv_from(&mut datagram) else {
                    if stopped.is_some() {
                        return;
                    }
                    continue;
                };
                let to = match from == server {
                    true => client,
                    false => {
                        client = Some(from);
                        passed += len;
                        thread::sleep(Duration::from_secs_f64(len as f64 / rate));
                        Some(server)
                    }
                };
                if passed > most {
                    continue;
                }
                if let Some(to) = to {
                    // What is lost is sent again.
                    let _ = socket.send_to(&datagram[..len], to);
                }
            }
        });
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where the client sends to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// How long datagrams are passed on after the end, at most: until none comes.
const LAST: Duration = Duration::from_secs(1);
