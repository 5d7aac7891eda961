//! NumPy arrays to bytes and back.
//!
//! Five ways, with NumPy's names where the meaning is NumPy's:
//!
//! | way | functions |
//! |---|---|
//! | memory | [`tobytes`], [`frombuffer`], [`dumps`], [`loads`] |
//! | file | [`save`], [`load`], [`NpzWriter`], [`NpzReader`], [`tofile`], [`fromfile`] |
//! | memory-mapped | [`map::Map`] with [`loads`]; [`NpyFile::data_offset`] |
//! | socket, pipe | [`send`], [`recv`] |
//! | compressed | [`compress`], [`decompress`], [`Compressor`], [`NpzWriter`] with a level |
//!
//! An array is an [`ArrayView`] (borrowed: dtype, shape, strides, bytes) or an [`Array`] (owned);
//! with the feature `ndarray` they convert from and to those of that crate.
//!
//! ```
//! use ndbytes::{ArrayView, Limits, Order};
//!
//! let bytes: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_le_bytes()).collect();
//! let array = ArrayView::contiguous("<f8".parse()?, &[2, 3], Order::C, &bytes)?;
//! let npy = ndbytes::dumps(&array)?; // the bytes of `numpy.save`
//!
//! let again = ndbytes::loads(&npy, &Limits::default())?; // zero-copy
//! assert_eq!(again.shape(), [2, 3]);
//! assert_eq!(again.to_vec(Order::F)?, array.to_vec(Order::F)?);
//! # Ok::<(), ndbytes::Error>(())
//! ```
#![forbid(unsafe_code)]

mod array;
mod atomic;
mod compress;
mod crew;
mod error;
mod file;
mod frame;
mod journal;
mod kept;
mod message;
#[cfg(feature = "ndarray")]
mod nd;
mod npy;
mod npz;
mod parallel;
mod part;
mod progress;
mod raw;
mod read_at;
mod slice;
mod stream;
mod temporary;
mod validate;
mod write;
#[cfg(feature = "zarr")]
mod zarr;

pub use array::{Array, ArrayView, with_threads};
pub use atomic::{AtomicFile, SaveOptions};
pub use compress::{Compressor, Decompressor, compress, compress_to, decompress};
pub use error::{Error, Result};
pub use file::{ArrayFile, NpyFile, load, load_with, save, save_with};
pub use frame::{
    Choice, EncodedFrame, Explanation, FrameDecoder, FrameEncoder, FrameOptions, FrameReader,
    Pipeline, Preset, Trials, append_frame, dump_frame, encode_frame, explain_frame, read_frame,
    read_frame_header, read_frame_into, read_frame_into_with, write_frame,
};
pub use journal::JournaledFile;
pub use message::Message;
#[cfg(feature = "ndarray")]
pub use nd::Element;
pub use ndbytes_codec::{Codec, Decoder, Encoder, MAX_LEVEL, content_len};
pub use ndbytes_format::{
    ByteOrder, Code, Dtype, ErrorKind, Extended, Field, FormatError, Header, Kind, Limits, Looks,
    Order, Prelude, Span, TimeUnit, Unit, Version, element_count, frame as frame_format,
    is_contiguous, journal as journal_format, literal, looks_like, nbytes, padding_spans, strides,
    swap_units, zip,
};
pub use ndbytes_mem::{Buffer, Strided, byte_extent, dismiss_helpers, map, pages, swap_bytes};
pub use npy::{
    NpyReader, dumps, loads, parse_npy, peek_header, read_exact, read_header, read_npy,
    read_npy_with, write_npy, write_npy_with,
};
pub use npz::{Compression, Member, MemberElements, NpzAppender, NpzReader, NpzWriter, Sink};
pub use progress::Progress;
pub use raw::{frombuffer, fromfile, fromfile_range, tobytes, tofile};
pub use read_at::{ReadAt, Section, read_full_at, read_full_at_with};
pub use slice::{AxisRange, Piece, Pieces, Selection, Slice};
pub use stream::{
    read_scattered, read_scattered_with, recv, recv_into, recv_with, send, send_with,
};
pub use validate::validate;
pub use write::write_all_vectored;
#[cfg(feature = "zarr")]
pub use zarr::{
    ZarrFolder, ZarrRun, ZarrRuns, export_zarr, export_zarr_with, zarr_metadata, zarr_shard,
};
