//! One chunk: items to a record and back.

use ndbytes_codec::{blosc, pco};
use ndbytes_format::blosc::HEADER_LEN;
use ndbytes_format::frame::{CHECKSUM_LEN, Family, FrameHeader, Record};
use ndbytes_format::{ByteOrder, Code, Dtype, FormatError, Kind, swap_units};
use ndbytes_mem::{copy_crc32c, crc32c};

use crate::array::threads_for;
use crate::error::{Error, Result};
use crate::frame::choose::{Chooser, Model};
use crate::frame::piece::{Items, Piece, room};
use crate::frame::pipeline::Pipeline;
use crate::kept::{Keep, Kept, Lent};
use crate::validate::validate;

/// Makes records, one after another; one for a thread.
#[derive(Default)]
pub(super) struct ChunkEncoder {
    chooser: Chooser,
}

/// Reads records, one after another; one for a thread.
#[derive(Default)]
pub(super) struct ChunkDecoder {
    decoder: blosc::Decoder,
}

/// What is done to a chunk.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Raw,
    Blosc(blosc::Options),
    Pco(u32),
}

static ENCODERS: Kept<ChunkEncoder> = Kept::new();
static DECODERS: Kept<ChunkDecoder> = Kept::new();

impl Keep for ChunkEncoder {
    fn nbytes(&self) -> usize {
        self.chooser.nbytes()
    }
}

impl Keep for ChunkDecoder {
    fn nbytes(&self) -> usize {
        self.decoder.nbytes()
    }
}

impl ChunkEncoder {
    /// One that a thread has for a while.
    pub(super) fn lend() -> Lent<Self> {
        ENCODERS.lend()
    }

    /// Whether these items are noise, or become very small.
    pub(super) fn is_extreme(&mut self, items: &[u8], typesize: usize) -> Result<bool> {
        self.chooser.is_extreme(items, typesize)
    }

    /// What a pipeline does to a chunk of these items, of which there may be a model.
    pub(super) fn choose(
        &mut self,
        header: &FrameHeader,
        pipeline: Pipeline,
        model: Option<&Model>,
        items: Items<'_, '_>,
    ) -> Result<Way> {
        let typesize = typesize(header.array().dtype());
        Ok(match pipeline {
            Pipeline::Raw => Way::Raw,
            Pipeline::Pco(level) => Way::Pco(level),
            Pipeline::Blosc(codec, level, filter) => {
                Way::Blosc(blosc::Options { codec, level, filter, typesize, ..Default::default() })
            }
            Pipeline::Preset(preset) => {
                Way::Blosc(self.chooser.choose(preset, items.bytes(), typesize, model)?)
            }
        })
    }

    /// What was chosen last, for other chunks to be held against.
    pub(super) fn model(&mut self, pipeline: Pipeline, way: Way) -> Result<Option<Model>> {
        match (pipeline, way) {
            (Pipeline::Preset(preset), Way::Blosc(chosen)) => self.chooser.model(preset, &chosen),
            _ => Ok(None),
        }
    }

    /// Whether the last chunk is done as its model.
    pub(super) fn was_like(&self) -> bool {
        self.chooser.was_like()
    }

    /// What was tried for the last chunk: as [`Chooser::tried`].
    pub(super) fn tried(&self) -> (usize, impl Iterator<Item = (blosc::Options, usize)>) {
        self.chooser.tried()
    }

    /// The record of a chunk of these items.
    pub(super) fn record<'a>(
        &mut self,
        header: &FrameHeader,
        way: Way,
        items: Items<'a, '_>,
    ) -> Result<Piece<'a>> {
        let bytes = items.bytes();
        let mut front = room(Record::PREFIX_LEN);
        let options = match way {
            Way::Raw => return stored(front, items),
            Way::Pco(level) => {
                pco::encode(bytes, number(header.array().dtype())?, level, &mut front)?;
                return Piece::record(front, &[], Record::Chunk);
            }
            Way::Blosc(options) => options,
        };
        if options.codec == blosc::Codec::Raw {
            front.extend(blosc::stored_header(bytes.len(), options.typesize)?);
            return stored(front, items);
        }
        // What is not needed is not touched.
        front.try_reserve(bytes.len() + TABLES).map_err(|_| no_memory())?;
        self.chooser.encoder().encode(bytes, &options, &mut front)?;
        Piece::record(front, &[], Record::Chunk)
    }
}

impl ChunkDecoder {
    /// One that a thread has for a while.
    pub(super) fn lend() -> Lent<Self> {
        DECODERS.lend()
    }

    /// Decodes a record without its prefix to a chunk's items. `at` is its place in the frame.
    pub(super) fn items(
        &mut self,
        header: &FrameHeader,
        record: &[u8],
        at: u64,
        items: &mut [u8],
    ) -> Result<()> {
        let dtype = header.array().dtype();
        if let Some(copied) = copy_stored(header.family(), record, items) {
            copied.map_err(|error| error.shifted(at))?;
            let begin = (record.len() - CHECKSUM_LEN - items.len()) as u64;
            return validate(dtype, items).map_err(|error| error.shifted(at + begin));
        }
        let payload = checked(record, CHUNK).map_err(|error| error.shifted(at))?;
        let decoded = match header.family() {
            Family::Raw => Err(FormatError::new(
                Code::FrameRecord,
                format!("a chunk of {} bytes, not {}", payload.len(), items.len()),
            )),
            Family::Blosc => self.decoder.decode(payload, items),
            _ => pco::decode(payload, number(dtype)?, items),
        };
        decoded.map_err(|error| Error::from(error).shifted(at))?;
        // Where an item was, no place of the frame is.
        validate(dtype, items).map_err(|error| error.at(at))
    }
}

/// The record of items that stay as they are.
fn stored<'a>(mut front: Vec<u8>, items: Items<'a, '_>) -> Result<Piece<'a>> {
    match items {
        Items::Placed(items) => Piece::record(front, items, Record::Chunk),
        Items::Gathered(items) => {
            front.try_reserve_exact(items.len()).map_err(|_| no_memory())?;
            front.extend_from_slice(items);
            Piece::record(front, &[], Record::Chunk)
        }
    }
}

/// What precedes a checksum, which must be right.
pub(super) fn checked<'a>(bytes: &'a [u8], what: &str) -> Result<&'a [u8]> {
    let Some((checked, stored)) = bytes.split_last_chunk::<CHECKSUM_LEN>() else {
        let message = format!("{what} has no room for a checksum");
        return Err(Error::new(Code::FrameRecord, message));
    };
    compare(*stored, crc32c(checked), what)?;
    Ok(checked)
}

fn compare(stored: [u8; CHECKSUM_LEN], computed: u32, what: &str) -> Result<()> {
    let stored = u32::from_le_bytes(stored);
    if stored == computed {
        return Ok(());
    }
    let message = format!(
        "the CRC-32C of {what} is {computed:08x}, {stored:08x} was stored: bytes are damaged"
    );
    Err(Error::new(Code::FrameChecksum, message).at(0))
}

/// Copies the items of a record that holds them as they are, and checks them on the way, so that
/// they are fetched once. None for other records, and for those that are none.
fn copy_stored(family: Family, record: &[u8], items: &mut [u8]) -> Option<Result<()>> {
    let (payload, stored) = record.split_last_chunk()?;
    let front = match family {
        Family::Raw => 0,
        Family::Blosc => blosc::header(payload)
            .ok()
            .filter(|header| header.stored && header.nbytes as usize == items.len())?
            .data_start(),
        _ => return None,
    };
    let (front, bytes) = payload.split_at_checked(front)?;
    if bytes.len() != items.len() || bytes.is_empty() {
        return None;
    }
    let checksum = copy_crc32c(items, bytes, crc32c(front));
    Some(compare(*stored, checksum, CHUNK))
}

/// Refuses a record's length, with its checksum, that no chunk of this frame can have: before there
/// is memory for what it is said to hold.
pub(super) fn check_len(header: &FrameHeader, len: u64) -> Result<()> {
    let nbytes = header.chunk_nbytes() as u64;
    let least = match header.family() {
        Family::Raw => nbytes,
        // Zstandard makes 128 KiB of 4 bytes, and no other codec as much.
        Family::Blosc => HEADER_LEN as u64 + nbytes / (1 << 15),
        _ => 4 * (nbytes / header.array().dtype().itemsize() as u64).div_ceil(1 << 24),
    };
    // No writer lets a chunk grow by more; pco adds some bytes to a few numbers.
    let most = nbytes + nbytes / 8 + 4096;
    let len = len.saturating_sub(CHECKSUM_LEN as u64);
    if (least..=most).contains(&len) {
        return Ok(());
    }
    let message = format!("a chunk of {len} bytes, of {nbytes} when it is decoded, cannot be");
    Err(Error::new(Code::FrameRecord, message))
}

/// How many threads work on so many bytes of a frame's items.
pub(super) fn threads_for_items(header: &FrameHeader, nbytes: usize) -> usize {
    // pco takes a few times as long over them as the codecs of Blosc.
    let times = if header.family() == Family::Pco { 4 } else { 1 };
    threads_for(nbytes.saturating_mul(times))
}

/// What pco takes the items for.
pub(super) fn number(dtype: &Dtype) -> Result<pco::Number> {
    use pco::Number::*;
    let number = match (dtype.kind(), dtype.itemsize()) {
        _ if dtype.byte_order() == ByteOrder::Big => None,
        (Kind::Bool, _) | (Kind::Uint, 1) => Some(U8),
        (Kind::Uint, 2) => Some(U16),
        (Kind::Uint, 4) => Some(U32),
        (Kind::Uint, 8) => Some(U64),
        (Kind::Int, 1) => Some(I8),
        (Kind::Int, 2) => Some(I16),
        (Kind::Int, 4) => Some(I32),
        (Kind::Int, 8) | (Kind::Datetime(_) | Kind::Timedelta(_), _) => Some(I64),
        (Kind::Float, 2) => Some(F16),
        (Kind::Float, 4) => Some(F32),
        (Kind::Float, 8) => Some(F64),
        _ => None,
    };
    number.ok_or_else(|| {
        let message = format!("pco takes little-endian numbers, not `{dtype}`: take `zstd`");
        Error::new(Code::UnsupportedDtype, message)
    })
}

/// Bytes that a filter takes apart: those of a number where all of the item is numbers of one size.
pub(super) fn typesize(dtype: &Dtype) -> usize {
    match dtype.kind() {
        Kind::Struct(_) | Kind::Subarray(_) => {
            let size = dtype.itemsize();
            if size <= 255 { size.max(1) } else { 1 }
        }
        Kind::Str => 4,
        _ => swap_units(dtype).first().map_or(1, |unit| unit.len),
    }
}

/// Bytes of a buffer's header and of the tables in it, or more.
const TABLES: usize = 4096;
/// What messages call it.
const CHUNK: &str = "the chunk";

#[cold]
pub(super) fn no_memory() -> Error {
    std::io::Error::new(std::io::ErrorKind::OutOfMemory, "no memory for a chunk").into()
}
