//! `.npy` over any reader, writer or bytes.

mod read;
mod write;

pub(crate) use read::{fill, fill_growing, truncated};
pub use read::{loads, parse_npy, peek_header, read_exact, read_header, read_npy};
pub use write::{dumps, write_npy};
