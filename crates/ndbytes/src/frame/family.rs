//! The header of a frame that is to be written, and the pipeline of its chunks: what is decided for
//! all of them.

use ndbytes_format::frame::{Family, FrameHeader};
use ndbytes_format::{Code, Header};

use crate::array::ArrayView;
use crate::error::{Error, Result};
use crate::frame::chunk::{ChunkEncoder, Way, number, typesize};
use crate::frame::grid;
use crate::frame::piece::Items;
use crate::frame::pipeline::{Pipeline, Preset};
use crate::frame::write::FrameOptions;

/// The header, and the pipeline of all chunks as far as it is the same for them.
pub(super) fn plan(
    array: &ArrayView<'_>,
    options: &FrameOptions,
) -> Result<(FrameHeader, Pipeline)> {
    let facts = array.header()?;
    let itemsize = facts.dtype().itemsize();
    let chunk_shape = match &options.chunk_shape {
        Some(shape) if shape.len() == facts.shape().len() => {
            shape.iter().zip(facts.shape()).map(|(&edge, &n)| edge.min(n.max(1))).collect()
        }
        Some(shape) => shape.clone(),
        None => {
            grid::balanced(facts.shape(), itemsize, facts.order(), target(array, options.pipeline)?)
        }
    };
    let pipeline = match tried(array, options.pipeline)? {
        Some(sizes) if sizes.pco_pays => Pipeline::Pco(sizes.level),
        _ => options.pipeline,
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

/// Bytes of a chunk. Chunks of noise, and such as become very small, are large: what stands around each
/// counts there, and to decode more than is wanted costs little.
fn target(array: &ArrayView<'_>, pipeline: Pipeline) -> Result<usize> {
    let (facts, nbytes) = (array.header()?, array.nbytes());
    let target = match pipeline {
        Pipeline::Raw => return Ok((nbytes / 4).clamp(grid::LARGEST, 2 * grid::LARGEST)),
        // What is found in more bytes counts more there than what more threads do at once.
        Pipeline::Preset(
            Preset::Medium | Preset::Small | Preset::Smallestread | Preset::Smallest,
        ) => grid::target(nbytes).max(grid::GROWING.min(nbytes.div_ceil(2))),
        _ => grid::target(nbytes),
    };
    if !matches!(pipeline, Pipeline::Preset(_))
        || target == grid::LARGEST
        || facts.nbytes() <= 2 * target
        || facts.dtype().itemsize() > SMALLEST_PIECE
    {
        return Ok(target);
    }
    let itemsize = facts.dtype().itemsize();
    let piece = SMALLEST_PIECE / itemsize;
    let mut items = vec![0; PIECES * piece * itemsize];
    for (i, items) in items.chunks_mut(piece * itemsize).enumerate() {
        copy_piece(array, &facts, i, items)?;
    }
    let mut encoder = ChunkEncoder::lend();
    let is_extreme = encoder.is_extreme(&items, typesize(facts.dtype()))?;
    Ok(if is_extreme { grid::LARGEST } else { target })
}

/// Copies the `i`-th of [`PIECES`] runs of items that lie all over the array, as many as `items` holds.
fn copy_piece(array: &ArrayView<'_>, facts: &Header, i: usize, items: &mut [u8]) -> Result<()> {
    let count = items.len() / facts.dtype().itemsize();
    array.copy_to(items, (facts.count() - count) / (PIECES - 1) * i, facts.order())
}

/// What Blosc and pco made of samples of the array, where a preset is to choose between them.
pub(super) fn tried(array: &ArrayView<'_>, pipeline: Pipeline) -> Result<Option<Sizes>> {
    let Pipeline::Preset(preset) = pipeline else { return Ok(None) };
    let facts = array.header()?;
    match Trial::of(preset, &facts) {
        Some(trial) => trial.sizes(array, &facts),
        None => Ok(None),
    }
}

/// What came of samples.
pub(super) struct Sizes {
    /// Bytes of the samples.
    pub(super) sample: usize,
    /// Bytes that Blosc made of them, as the preset has it.
    pub(super) blosc: usize,
    /// Bytes that pco made of them.
    pub(super) pco: usize,
    /// At this level.
    pub(super) level: u32,
    /// Whether that is less by enough.
    pub(super) pco_pays: bool,
}

/// How to make more chunks for a frame of this family.
pub(super) fn pipeline_for(family: Family, wanted: Pipeline) -> Result<Pipeline> {
    let pipeline = match (family, wanted) {
        (Family::Raw, Pipeline::Preset(_)) => Pipeline::Raw,
        (Family::Pco, Pipeline::Preset(Preset::Smallest)) => Pipeline::Pco(12),
        (Family::Pco, Pipeline::Preset(_)) => Pipeline::Pco(6),
        (_, pipeline) => pipeline,
    };
    let fits = match pipeline {
        Pipeline::Raw => family == Family::Raw,
        Pipeline::Pco(_) => family == Family::Pco,
        _ => family == Family::Blosc,
    };
    if fits {
        return Ok(pipeline);
    }
    let message = format!("`{pipeline}` is not of the frame's family, {}", family.as_str());
    Err(Error::new(Code::Argument, message))
}

/// When a preset takes pco, which is stronger and slower than the codecs of Blosc.
struct Trial {
    preset: Preset,
    level: u32,
    /// It must save this part of the bytes: one in so many.
    gain: usize,
    /// Of the array, one part in so many is tried.
    part: usize,
}

impl Trial {
    fn of(preset: Preset, facts: &Header) -> Option<Self> {
        let itemsize = facts.dtype().itemsize();
        let (level, gain, part) = match (preset, itemsize) {
            // Of small numbers pco does few bytes a second, and a small array is to be quick.
            (Preset::Auto, 0..4) => return None,
            (Preset::Auto, _) if facts.nbytes() < 1 << 18 => return None,
            (Preset::Auto, _) => (6, 6, 24),
            (Preset::Small, 0..=1) => (6, 6, 6),
            (Preset::Small, 2) => (6, 10, 6),
            (Preset::Small, _) => (6, 50, 6),
            (Preset::Smallest, _) => (12, 100, 3),
            _ => return None,
        };
        Some(Self { preset, level, gain, part })
    }

    /// What Blosc and pco make of items from all over the array; none where pco does not take them.
    fn sizes(&self, array: &ArrayView<'_>, facts: &Header) -> Result<Option<Sizes>> {
        let itemsize = facts.dtype().itemsize();
        if number(facts.dtype()).is_err() || facts.nbytes() == 0 {
            return Ok(None);
        }
        let bytes = (facts.nbytes() / self.part / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE);
        let piece = (bytes / itemsize).max(1).min(facts.count());
        let mut items = vec![0; piece * itemsize];
        let header = |family| {
            let facts = Header::new(facts.dtype().clone(), facts.order(), vec![piece])?;
            FrameHeader::new(facts, family, vec![piece])
        };
        let (pco, blosc) = (header(Family::Pco)?, header(Family::Blosc)?);
        let (mut by_pco, mut by_blosc) = (0, 0);
        let mut encoder = ChunkEncoder::lend();
        for i in 0..PIECES {
            copy_piece(array, facts, i, &mut items)?;
            let items = Items::Gathered(&items);
            let way = encoder.choose(&blosc, Pipeline::Preset(self.preset), None, items)?;
            by_blosc += encoder.record(&blosc, way, items)?.len();
            by_pco += encoder.record(&pco, Way::Pco(self.level), items)?.len();
        }
        // What is left of pieces that compress very well is little but their frames.
        let sample = PIECES * piece * itemsize;
        let pco_pays = by_blosc > sample / TELLS && by_pco <= by_blosc - by_blosc / self.gain;
        let level = self.level;
        Ok(Some(Sizes { sample, blosc: by_blosc, pco: by_pco, level, pco_pays }))
    }
}

const PIECES: usize = 4;
const SMALLEST_PIECE: usize = 1 << 13;
const LARGEST_PIECE: usize = 1 << 16;
const TELLS: usize = 64;
