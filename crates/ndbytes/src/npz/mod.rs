//! `.npz`: ZIP archives of `.npy` members.

mod ahead;
mod append;
mod blocks;
mod deflate;
mod elements;
mod foreign;
mod member;
mod part;
mod reader;
mod several;
mod writer;

pub use append::NpzAppender;
pub use elements::MemberElements;
pub use member::Member;
pub use reader::NpzReader;
pub use writer::{Compression, NpzWriter, Sink};
