//! One chunk: items to a record and back.

use ndbytes_codec::{blosc, pco};
use ndbytes_format::frame::{CHECKSUM_LEN, Family, FrameHeader, Record};
use ndbytes_format::{ByteOrder, Code, Dtype, FormatError, Kind, swap_units};

use crate::error::{Error, Result};
use crate::frame::choose::Chooser;
use crate::frame::pipeline::Pipeline;
use crate::validate::validate;

/// Makes records, one after another; one for a thread.
#[derive(Default)]
pub(super) struct ChunkEncoder {
    encoder: blosc::Encoder,
    chooser: Chooser,
}

/// Reads records, one after another; one for a thread.
#[derive(Default)]
pub(super) struct ChunkDecoder {
    decoder: blosc::Decoder,
}

impl ChunkEncoder {
    /// The record of a chunk of these items: prefix, payload, checksum.
    pub(super) fn record(
        &mut self,
        header: &FrameHeader,
        pipeline: Pipeline,
        items: &[u8],
    ) -> Result<Vec<u8>> {
        let dtype = header.array().dtype();
        let mut record = Vec::new();
        record.try_reserve(Record::PREFIX_LEN + items.len() / 2).map_err(|_| no_memory())?;
        record.extend([0; Record::PREFIX_LEN]);
        match pipeline {
            Pipeline::Raw => {
                record.try_reserve_exact(items.len() + CHECKSUM_LEN).map_err(|_| no_memory())?;
                record.extend_from_slice(items);
            }
            Pipeline::Pco(level) => pco::encode(items, number(dtype)?, level, &mut record)?,
            Pipeline::Preset(preset) => {
                let options = self.chooser.choose(preset, items, typesize(dtype))?;
                self.encoder.encode(items, &options, &mut record)?;
            }
            Pipeline::Blosc(codec, level, filter) => {
                let typesize = typesize(dtype);
                let options =
                    blosc::Options { codec, level, filter, typesize, ..Default::default() };
                self.encoder.encode(items, &options, &mut record)?;
            }
        }
        let checksum = crc32c::crc32c(&record[Record::PREFIX_LEN..]);
        record.extend(checksum.to_le_bytes());
        let len = u32::try_from(record.len() - Record::PREFIX_LEN).map_err(|_| no_memory())?;
        record[..Record::PREFIX_LEN].copy_from_slice(&Record::Chunk(len).encode());
        Ok(record)
    }
}

impl ChunkDecoder {
    /// Decodes a record without its prefix to a chunk's items. `at` is its place in the frame.
    pub(super) fn items(
        &mut self,
        header: &FrameHeader,
        record: &[u8],
        at: u64,
        items: &mut [u8],
    ) -> Result<()> {
        let payload = checked(record, "the chunk").map_err(|error| error.shifted(at))?;
        let dtype = header.array().dtype();
        let decoded = match header.family() {
            Family::Raw if payload.len() == items.len() => {
                items.copy_from_slice(payload);
                Ok(())
            }
            Family::Raw => Err(FormatError::new(
                Code::FrameRecord,
                format!("a chunk of {} bytes, not {}", payload.len(), items.len()),
            )),
            Family::Blosc => self.decoder.decode(payload, items),
            _ => pco::decode(payload, number(dtype)?, items),
        };
        decoded.map_err(|error| Error::from(error).shifted(at))?;
        validate(dtype, items)
    }
}

/// What precedes a checksum, which must be right.
pub(super) fn checked<'a>(bytes: &'a [u8], what: &str) -> Result<&'a [u8]> {
    let Some((checked, stored)) = bytes.split_last_chunk::<CHECKSUM_LEN>() else {
        let message = format!("{what} has no room for a checksum");
        return Err(Error::new(Code::FrameRecord, message));
    };
    let (stored, computed) = (u32::from_le_bytes(*stored), crc32c::crc32c(checked));
    if stored != computed {
        let message = format!(
            "the CRC-32C of {what} is {computed:08x}, {stored:08x} was stored: bytes are damaged"
        );
        return Err(Error::new(Code::FrameChecksum, message).at(0));
    }
    Ok(checked)
}

/// The most bytes that the record of a chunk may announce.
pub(super) fn most(header: &FrameHeader) -> u64 {
    // No writer lets a chunk grow by more; pco adds some bytes to a few numbers.
    header.chunk_nbytes() as u64 + header.chunk_nbytes() as u64 / 8 + 4096
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
fn typesize(dtype: &Dtype) -> usize {
    match dtype.kind() {
        Kind::Struct(_) | Kind::Subarray(_) => {
            let size = dtype.itemsize();
            if size <= 255 { size.max(1) } else { 1 }
        }
        Kind::Str => 4,
        _ => swap_units(dtype).first().map_or(1, |unit| unit.len),
    }
}

#[cold]
fn no_memory() -> Error {
    std::io::Error::new(std::io::ErrorKind::OutOfMemory, "no memory for a chunk").into()
}
