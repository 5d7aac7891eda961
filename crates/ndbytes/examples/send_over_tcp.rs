//! Sends arrays of any layout over TCP; the peer receives them until the sender is done.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ndbytes::{ArrayView, Limits, Order};

/// The whole example.
#[allow(clippy::print_stdout, reason = "it is what an example is for")]
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;

    let sender = thread::spawn(move || -> Result<(), ndbytes::Error> {
        let mut socket = TcpStream::connect(address)?;
        let bytes: Vec<u8> = (0..12i32).flat_map(i32::to_le_bytes).collect();
        let array = ArrayView::contiguous("<i4".parse()?, &[3, 4], Order::C, &bytes)?;
        ndbytes::send(&mut socket, &array)?;
        // Every second column: gathered on the way, with no copy of the whole.
        let columns = ArrayView::new("<i4".parse()?, &[3, 2], &[16, 8], &bytes, 0)?;
        ndbytes::send(&mut socket, &columns)
    });

    let (mut socket, _) = listener.accept()?;
    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
    // What a stranger may announce has a limit.
    let limits = Limits::default().with_bytes(1 << 20);
    while let Some(array) = ndbytes::recv(&mut socket, &limits)? {
        println!(
            "received {} {:?}: {:?}",
            array.dtype(),
            array.shape(),
            array.view().to_vec(Order::C)?
        );
    }
    sender.join().map_err(|_| "the sender panicked")??;
    Ok(())
}
