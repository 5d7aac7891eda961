//! Files on HTTP servers, read by position, and written whole.
//!
//! A [`RemoteFile`] is a [`ReadAt`](ndbytes::ReadAt), so that whatever reads a file by position, a
//! header, an archive's directory, the chunks that a slice needs, fetches these bytes and no
//! others. Any server that answers range requests will do; one that does not gives the whole file,
//! which is then kept in memory.
//!
//! What fails for a moment is tried again. A file that becomes another one while it is read is an
//! error: its parts would not fit together.

mod blocks;
mod interrupt;
mod link;
mod options;
mod put;
mod remote;
mod wait;
mod wire;

pub use crate::signals::OnSignal;
pub use options::RemoteOptions;
pub use put::put;
pub use remote::{RemoteFile, is_url};
