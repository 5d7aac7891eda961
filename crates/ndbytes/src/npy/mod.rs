//! `.npy` over any reader, writer or bytes.

mod read;
mod reader;
mod write;

pub(crate) use read::{fill, fill_growing, read_measured, truncated};
pub use read::{loads, parse_npy, peek_header, read_exact, read_header, read_npy, read_npy_with};
pub use reader::NpyReader;
pub(crate) use reader::read_data_at;
pub use write::{dumps, write_npy, write_npy_with};
