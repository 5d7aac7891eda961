//! Arrays over TCP, TLS, QUIC, Unix sockets and in bodies of HTTP: named, acknowledged, and with an end.
//!
//! The bytes are `docs/spec/stream.md`: `.npy` messages and frames one after another, and between them
//! records that Zstandard readers skip. A peer with nothing but NumPy is understood as well.
//!
//! ```
//! use ndbytes::{ArrayView, Order, Progress};
//! use ndbytes_net::session::{Listener, SendOptions, SessionOptions, Tag, connect};
//!
//! let options = SessionOptions::default();
//! let listener = Listener::bind(&"tcp://127.0.0.1:0".parse()?, &options)?;
//! let address = listener.address().clone();
//! let sender = std::thread::spawn(move || {
//!     let link = connect(&address, &SessionOptions::default())?;
//!     let array = ArrayView::contiguous("|u1".parse()?, &[3], Order::C, &[1, 2, 3])?;
//!     link.send(&array, &Tag::default(), &SendOptions::default())?;
//!     link.close() // when it returns, the array has arrived
//! });
//! let link = listener.accept(None)?.expect("a peer");
//! let incoming = link.receive()?.expect("an array");
//! assert_eq!(incoming.read(&Progress::default())?.bytes(), [1, 2, 3]);
//! assert!(link.receive()?.is_none());
//! sender.join().expect("no panic")?;
//! # Ok::<(), ndbytes::Error>(())
//! ```

mod acks;
mod adapt;
mod address;
mod coming;
mod digest;
mod end;
mod farewell;
mod file_in;
mod file_out;
mod http;
mod inbox;
mod inner;
mod link;
mod listener;
#[cfg(target_os = "linux")]
mod memory;
mod options;
mod outbox;
mod patience;
mod pipe;
mod quic;
mod receive;
mod record;
mod slot;
mod state;
mod sum;
mod tls;
mod wire;
mod zstd_frame;

pub use crate::signals::OnSignal;
pub use address::Address;
#[cfg(feature = "serve")]
pub(crate) use file_in::check_name;
pub use file_in::{FileStored, IncomingFile};
pub use file_out::FileSent;
#[cfg(feature = "serve")]
pub(crate) use http::KIND;
pub use link::{Link, SendOptions};
pub use listener::{Listener, PROTOCOL, connect};
#[cfg(target_os = "linux")]
pub use memory::SharedFile;
pub use options::SessionOptions;
pub use receive::{Incoming, Next};
pub use record::{FRONT_LEN, MAX_PIECE, MAX_RECORD, PIECE_MAGIC, RECORD_MAGIC, Record};
pub use state::Tag;

pub use crate::tokens::Tokens;
