//! Writing frames, to sinks that need no seeking.

use std::io::Write;

use ndbytes_format::frame::{ChunkPlace, FrameHeader, Record, encode_index};

use crate::array::{ArrayView, threads_for};
use crate::error::Result;
use crate::frame::chunk::{ChunkEncoder, threads_for_items};
use crate::frame::family::{Plan, plan};
use crate::frame::grid;
use crate::frame::piece::Piece;
use crate::frame::pipeline::Pipeline;
use crate::frame::source::Source;
use crate::frame::ways::Ways;
use crate::parallel::in_order;
use crate::progress::{Meter, Progress};
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
    /// Who is told how far it is.
    pub progress: Progress,
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

    /// How many threads work on so many bytes.
    pub(super) fn threads_for(&self, nbytes: usize) -> usize {
        self.threads.unwrap_or_else(|| threads_for(nbytes)).max(1)
    }

    /// The same, and tells how far it is.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }
}

/// Writes the array as a frame. The bytes depend on the array and the options alone, and not on the
/// number of threads.
///
/// # Errors
/// [`Code::UnsupportedDtype`](crate::Code::UnsupportedDtype),
/// [`Code::FrameHeader`](crate::Code::FrameHeader) for chunks that do not cut the array, before
/// anything is written; what the sink said; what [`Progress`] said.
pub fn write_frame(
    sink: &mut (impl Write + ?Sized),
    array: &ArrayView<'_>,
    options: &FrameOptions,
) -> Result<()> {
    encode(array, options, Sums::AtOnce, |piece| Ok(write_all_vectored(sink, &piece.parts())?))
}

/// When items that stay where they lie are summed up.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sums {
    /// By the thread that makes their record.
    AtOnce,
    /// By the one that copies them, as it does so.
    WhenCopied,
}

/// Makes the pieces of a frame, in order.
pub(super) fn encode<'a>(
    array: &ArrayView<'a>,
    options: &FrameOptions,
    sums: Sums,
    mut sink: impl FnMut(Piece<'a>) -> Result<()>,
) -> Result<()> {
    let Plan { header, pipeline, .. } = plan(array, options)?;
    let head = Piece::header(header.encode()?);
    let mut chunks = Chunks { sums, ..Chunks::new(pipeline, Vec::new(), head.len() as u64) };
    let meter = Meter::new(&options.progress, array.nbytes() as u64);
    let write = || {
        sink(head)?;
        chunks.encode(&header, array, options.threads, header.chunk_count(), &meter, &mut sink)?;
        sink(chunks.index()?)
    };
    let written = write();
    meter.end(written)
}

/// The chunks of a frame, and where they come to lie.
pub(super) struct Chunks {
    ways: Ways,
    sums: Sums,
    /// Those that are there.
    pub(super) places: Vec<ChunkPlace>,
    /// Where the next record begins.
    pub(super) at: u64,
}

impl Chunks {
    /// Those that are there; the next record begins at `at`.
    pub(super) fn new(pipeline: Pipeline, places: Vec<ChunkPlace>, at: u64) -> Self {
        Self { ways: Ways::new(pipeline, places.len()), sums: Sums::AtOnce, places, at }
    }

    /// Makes the records of chunks that are not there yet, in order, until there are so many.
    pub(super) fn encode<'a>(
        &mut self,
        header: &FrameHeader,
        source: &impl Source<'a>,
        threads: Option<usize>,
        end: usize,
        meter: &Meter,
        sink: &mut impl FnMut(Piece<'a>) -> Result<()>,
    ) -> Result<()> {
        let Self { ways, sums, places, at } = self;
        let first = places.len();
        let count = end - first;
        places.reserve(count);
        let nbytes = count.saturating_mul(header.chunk_nbytes());
        in_order(
            count,
            threads.unwrap_or_else(|| threads_for_items(header, nbytes)).max(1),
            || (ChunkEncoder::lend(), Vec::new()),
            |(encoder, buffer), i| {
                let (way, items) = ways.way(header, source, encoder, first + i, buffer)?;
                let record = encoder.record(header, way, items)?;
                let is_late = *sums == Sums::WhenCopied && record.len() <= MOST;
                Ok(if is_late { record } else { record.summed() })
            },
            |i, record| {
                let len = (record.len() - Record::PREFIX_LEN) as u64;
                places.push(ChunkPlace { offset: *at + Record::PREFIX_LEN as u64, len });
                *at += record.len() as u64;
                sink(record)?;
                meter.add_by(|| grid::nbytes(header, first + i))
            },
        )
    }

    /// The record that ends the frame.
    pub(super) fn index<'a>(&self) -> Result<Piece<'a>> {
        let mut index = vec![0; Record::PREFIX_LEN];
        index.extend(encode_index(&self.places));
        Piece::record(index, &[], Record::Index)
    }
}

/// Bytes of a record that is summed up when it is copied, at most: one thread copies all of it.
const MOST: usize = 16 << 20;
