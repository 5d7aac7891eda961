//! `.npz`: ZIP archives of `.npy` members.

mod deflate;
mod reader;
mod writer;

pub use reader::{Member, NpzReader};
pub use writer::{Compression, NpzWriter, Sink};
