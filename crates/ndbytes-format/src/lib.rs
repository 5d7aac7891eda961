//! NumPy's dtypes, `.npy` headers and `.npz` records: bytes to facts and back.
//!
//! This is the lowest floor: it performs no I/O, depends on nothing and allocates no more than
//! the bytes it is given allow. What a name means is NumPy's: a [`Dtype`] is a `numpy.dtype`,
//! [`Header`] is the header of an `.npy` file, byte for byte what `numpy.save` writes.
//!
//! ```
//! use ndbytes_format::{Dtype, Header, Limits, Order};
//!
//! let header = Header::new("<f8".parse::<Dtype>()?, Order::C, vec![3, 4])?;
//! let bytes = header.encode()?;
//! assert_eq!(bytes.len(), 128);
//! let (again, data_offset) = Header::parse(&bytes, &Limits::default())?;
//! assert_eq!((again, data_offset), (header, 128));
//! # Ok::<(), ndbytes_format::FormatError>(())
//! ```
#![forbid(unsafe_code)]

mod blocks;
pub mod blosc;
mod canonical;
pub mod cursor;
mod descr;
mod dtype;
mod error;
mod extended;
pub mod frame;
mod header;
pub mod journal;
mod limits;
pub mod literal;
mod padding;
mod prelude;
mod shape;
mod sniff;
mod time;
pub mod zip;

pub use blocks::BlockIndex;
pub use descr::{descr_literal, exact_literal, parse_descr};
pub use dtype::{ByteOrder, Dtype, Field, Kind, Struct, Subarray};
pub use error::{Code, FormatError, Kind as ErrorKind, Result};
pub use extended::Extended;
pub use header::Header;
pub use limits::Limits;
pub use padding::{Span, padding_spans, swap_units, swap_units_to};
pub use prelude::{MAGIC, Prelude, Version};
pub use shape::{Order, element_count, is_contiguous, nbytes, strides};
pub use sniff::{Looks, looks_like};
pub use time::{TimeUnit, Unit};
