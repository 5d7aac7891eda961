//! Memory for arrays: aligned buffers, strided copies, byte swap, shuffle and bitshuffle, checksums,
//! file maps; threads that share the work on it.
//!
//! # Unsafe code
//! This is the one crate of the core that holds any. Each block carries a proof; each module
//! offers only safe functions, but for [`map`], whose hazard (another process shortens the file)
//! no check here can rule out, and [`pages`], an allocator for those who speak C.

#![expect(unsafe_code, reason = "the crate where unsafe code lives; see above")]

mod buffer;
mod close;
mod copy;
mod crc32c;
mod fill;
mod helpers;
pub mod map;
pub mod pages;
mod parts;
mod plain;
mod shuffle;
mod strided;
mod swap;
mod transpose;

pub use buffer::Buffer;
pub use close::close;
pub use copy::copy;
pub use crc32c::{copy_crc32c, crc32c, crc32c_append};
pub use fill::{Elements, Finish, gather, scatter, zero_spans};
pub use helpers::{dismiss_helpers, with_helpers};
pub use parts::{fill_cut, fill_parts};
pub use plain::{Plain, bytes_of, bytes_of_mut};
pub use shuffle::{
    bitshuffle, bitunshuffle, bitunshuffle_planes, shuffle, unshuffle, unshuffle_planes,
};
pub use strided::{Strided, byte_extent};
pub use swap::swap_bytes;
