//! Writing frames, to sinks that need no seeking.

use std::io::Write;

use ndbytes_format::frame::{ChunkPlace, Family, FrameHeader, Record, encode_index};
use ndbytes_format::{Header, strides};

use crate::array::{ArrayView, threads_for};
use crate::error::Result;
use crate::frame::chunk::{ChunkEncoder, number};
use crate::frame::grid;
use crate::frame::pipeline::{Pipeline, Preset};
use crate::parallel::in_order;
use crate::write::write_all_vectored;

/// How a frame is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameOptions {
    /// What happens to chunks.
    pub pipeline: Pipeline,
    /// The shape of chunks; one that suits most unless given.
    pub chunk_shape: Option<Vec<usize>>,
    /// The most threads; as many as the machine has unless given.
    pub threads: Option<usize>,
}

impl FrameOptions {
    /// The same with another pipeline.
    #[must_use]
    pub fn with_pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipeline = pipeline;
        self
    }

    /// The same with chunks of this shape; one longer than the array counts as that.
    #[must_use]
    pub fn with_chunk_shape(mut self, shape: Option<Vec<usize>>) -> Self {
        self.chunk_shape = shape;
        self
    }

    /// The same on this many threads at most.
    #[must_use]
    pub fn with_threads(mut self, threads: Option<usize>) -> Self {
        self.threads = threads;
        self
    }
}

/// Writes the array as a frame. The bytes depend on the array and the options alone, and not on the
/// number of threads.
///
/// # Errors
/// [`Code::UnsupportedDtype`](crate::Code::UnsupportedDtype),
/// [`Code::FrameHeader`](crate::Code::FrameHeader) for chunks that do not cut the array, before
/// anything is written; what the sink said.
pub fn write_frame(
    sink: &mut (impl Write + ?Sized),
    array: &ArrayView<'_>,
    options: &FrameOptions,
) -> Result<()> {
    let (header, pipeline) = plan(array, options)?;
    let mut head = header.encode()?;
    head.extend(crc32c::crc32c(&head).to_le_bytes());
    write_all_vectored(sink, &[&head])?;
    let mut at = head.len() as u64;
    let mut places = Vec::with_capacity(header.chunk_count());
    let threads = options.threads.unwrap_or_else(|| threads_for(header.array().nbytes())).max(1);
    in_order(
        header.chunk_count(),
        threads,
        || (ChunkEncoder::default(), Vec::new()),
        |(encoder, buffer), chunk| {
            let items = items(array, &header, chunk, buffer)?;
            encoder.record(&header, pipeline, items)
        },
        |_, record| {
            let len = (record.len() - Record::PREFIX_LEN) as u64;
            places.push(ChunkPlace { offset: at + Record::PREFIX_LEN as u64, len });
            at += record.len() as u64;
            Ok(write_all_vectored(sink, &[&record])?)
        },
    )?;
    let index = encode_index(&places);
    let prefix = Record::Index(header.index_len() as u32).encode();
    let checksum = crc32c::crc32c(&index).to_le_bytes();
    Ok(write_all_vectored(sink, &[&prefix, &index, &checksum])?)
}

/// The array as the bytes of a frame.
///
/// # Errors
/// As [`write_frame`].
pub fn dump_frame(array: &ArrayView<'_>, options: &FrameOptions) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_frame(&mut bytes, array, options)?;
    Ok(bytes)
}

/// The header, and the pipeline of all chunks as far as it is the same for them.
fn plan(array: &ArrayView<'_>, options: &FrameOptions) -> Result<(FrameHeader, Pipeline)> {
    let facts = array.header()?;
    let itemsize = facts.dtype().itemsize();
    let chunk_shape = match &options.chunk_shape {
        Some(shape) if shape.len() == facts.shape().len() => {
            shape.iter().zip(facts.shape()).map(|(&edge, &n)| edge.min(n.max(1))).collect()
        }
        Some(shape) => shape.clone(),
        None => {
            grid::balanced(facts.shape(), itemsize, facts.order(), grid::target(facts.nbytes()))
        }
    };
    let pipeline = match options.pipeline {
        Pipeline::Preset(Preset::Small) if pays_by_pco(array, &facts)? => Pipeline::Pco(PCO_LEVEL),
        pipeline => pipeline,
    };
    let family = match pipeline {
        Pipeline::Raw => Family::Raw,
        Pipeline::Pco(_) => {
            number(facts.dtype())?;
            Family::Pco
        }
        _ => Family::Blosc,
    };
    Ok((FrameHeader::new(facts, family, chunk_shape)?, pipeline))
}

/// Whether pco makes less of some items from all over the array than Blosc would.
fn pays_by_pco(array: &ArrayView<'_>, facts: &Header) -> Result<bool> {
    let itemsize = facts.dtype().itemsize();
    if number(facts.dtype()).is_err() || facts.nbytes() == 0 {
        return Ok(false);
    }
    let piece = (TRIAL / itemsize).max(1).min(facts.count());
    let mut items = vec![0; piece * itemsize];
    let sample = |shape: Vec<usize>| Header::new(facts.dtype().clone(), facts.order(), shape);
    let (mut by_pco, mut by_blosc) = (0, 0);
    let mut encoder = ChunkEncoder::default();
    let header = |family| FrameHeader::new(sample(vec![piece])?, family, vec![piece]);
    let (pco, blosc) = (header(Family::Pco)?, header(Family::Blosc)?);
    for i in 0..TRIALS {
        let from = (facts.count() - piece) / (TRIALS - 1) * i;
        array.copy_to(&mut items, from, facts.order())?;
        by_pco += encoder.record(&pco, Pipeline::Pco(PCO_LEVEL), &items)?.len();
        by_blosc += encoder.record(&blosc, Pipeline::Preset(Preset::Small), &items)?.len();
    }
    Ok(by_pco < by_blosc)
}

/// The items of a chunk: where they lie, if nothing has to be done to them, or gathered.
fn items<'a>(
    array: &'a ArrayView<'_>,
    header: &FrameHeader,
    chunk: usize,
    buffer: &'a mut Vec<u8>,
) -> Result<&'a [u8]> {
    let place = grid::place(header, chunk);
    let part = array.part(&place.start, &place.shape);
    let whole = place.shape == header.chunk_shape();
    if whole && let Some(bytes) = part.as_bytes(header.array().order()) {
        return Ok(bytes);
    }
    let itemsize = header.array().dtype().itemsize();
    if !whole {
        // What an edge cuts off is zero.
        buffer.clear();
    }
    let len = header.chunk_nbytes();
    buffer.try_reserve(len.saturating_sub(buffer.len())).map_err(std::io::Error::from)?;
    buffer.resize(len, 0);
    part.copy_into(buffer, &strides(header.chunk_shape(), itemsize, header.array().order()));
    Ok(buffer)
}

const PCO_LEVEL: u32 = 8;
/// Bytes that pco is tried on, and how often.
const TRIAL: usize = 1 << 16;
const TRIALS: usize = 4;
