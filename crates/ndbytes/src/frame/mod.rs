//! The `.ndb` frame: an array in compressed, checked chunks. `docs/spec/frame.md` is normative.
//!
//! ```
//! use ndbytes::{ArrayView, FrameOptions, FrameReader, Limits, Order, dump_frame, read_frame};
//!
//! let bytes: Vec<u8> = (0..6000u64).flat_map(u64::to_le_bytes).collect();
//! let array = ArrayView::contiguous("<u8".parse()?, &[2000, 3], Order::C, &bytes)?;
//! let frame = dump_frame(&array, &FrameOptions::default())?;
//! assert!(frame.len() < bytes.len() / 2);
//!
//! let again = read_frame(&mut &frame[..], &Limits::default())?; // from any stream
//! assert_eq!(again.bytes(), bytes);
//! let reader = FrameReader::new(frame.as_slice(), &Limits::default())?; // by position
//! let part = reader.read_part(&[1999, 0], &[1, 3])?;
//! assert_eq!(part.bytes(), &bytes[1999 * 24..]);
//! # Ok::<(), ndbytes::Error>(())
//! ```

mod append;
mod choose;
mod chunk;
mod decoder;
mod effort;
mod encoded;
mod encoder;
mod explain;
mod family;
mod grid;

mod noise;
mod piece;
mod pipeline;
mod read;
mod sample;
mod slice;
mod source;
mod stream;
mod target;
mod ways;
mod write;

pub use append::append_frame;
pub use decoder::FrameDecoder;
pub use encoded::{EncodedFrame, dump_frame, encode_frame};
pub use encoder::FrameEncoder;
pub use explain::{Choice, Explanation, Trials, explain_frame};
pub use pipeline::{Pipeline, Preset};
pub use read::FrameReader;
pub use stream::{read_frame, read_frame_header, read_frame_into, read_frame_into_with};
pub use write::{FrameOptions, write_frame};
