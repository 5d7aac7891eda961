//! Writing frames, to sinks that need no seeking.

use std::io::Write;

use ndbytes_format::frame::{ChunkPlace, FrameHeader, Record, encode_index};

use crate::array::{ArrayView, threads_for};
use crate::error::Result;
use crate::frame::chunk::ChunkEncoder;
use crate::frame::family::plan;
use crate::frame::grid;
use crate::frame::piece::{Items, Piece};
use crate::frame::pipeline::Pipeline;
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
    encode(array, options, |piece| Ok(write_all_vectored(sink, &piece.parts())?))
}

/// Makes the pieces of a frame, in order.
pub(super) fn encode<'a>(
    array: &ArrayView<'a>,
    options: &FrameOptions,
    mut sink: impl FnMut(Piece<'a>) -> Result<()>,
) -> Result<()> {
    let (header, pipeline) = plan(array, options)?;
    let head = Piece::header(header.encode()?);
    let mut at = head.len() as u64;
    sink(head)?;
    let mut places = Vec::with_capacity(header.chunk_count());
    let threads = options.threads.unwrap_or_else(|| threads_for(header.array().nbytes())).max(1);
    in_order(
        header.chunk_count(),
        threads,
        || (ChunkEncoder::default(), Vec::new()),
        |(encoder, buffer), chunk| {
            encoder.record(&header, pipeline, items(array, &header, chunk, buffer)?)
        },
        |_, record| {
            let len = (record.len() - Record::PREFIX_LEN) as u64;
            places.push(ChunkPlace { offset: at + Record::PREFIX_LEN as u64, len });
            at += record.len() as u64;
            sink(record)
        },
    )?;
    let mut index = vec![0; Record::PREFIX_LEN];
    index.extend(encode_index(&places));
    sink(Piece::record(index, &[], Record::Index)?)
}

/// The items of a chunk: where they lie, if nothing has to be done to them, or gathered.
fn items<'a, 'b>(
    array: &ArrayView<'a>,
    header: &FrameHeader,
    chunk: usize,
    buffer: &'b mut Vec<u8>,
) -> Result<Items<'a, 'b>> {
    let place = grid::place(header, chunk);
    let part = array.part(&place.start, &place.shape);
    let whole = place.shape == header.chunk_shape();
    if whole && let Some(bytes) = part.as_bytes(header.array().order()) {
        return Ok(Items::Placed(bytes));
    }
    if !whole {
        // What an edge cuts off is zero.
        buffer.clear();
    }
    let len = header.chunk_nbytes();
    buffer.try_reserve(len.saturating_sub(buffer.len())).map_err(std::io::Error::from)?;
    buffer.resize(len, 0);
    part.copy_into(buffer, &grid::chunk_strides(header));
    Ok(Items::Gathered(buffer))
}
