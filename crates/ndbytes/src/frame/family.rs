//! The header of a frame that is to be written, and the pipeline of its chunks: what is decided for
//! all of them.

use ndbytes_format::frame::{Family, FrameHeader};
use ndbytes_format::{Code, Header};

use crate::array::ArrayView;
use crate::error::{Error, Result};
use crate::frame::chunk::number;
use crate::frame::grid;
use crate::frame::pipeline::{Pipeline, Preset};
use crate::frame::sample::{Sizes, is_extreme, tried};
use crate::frame::write::FrameOptions;

/// What is decided for all chunks of a frame.
pub(super) struct Plan {
    pub(super) header: FrameHeader,
    /// The pipeline of all chunks, as far as it is the same for them.
    pub(super) pipeline: Pipeline,
    /// What made it pco or not, where a preset had that to choose.
    pub(super) sizes: Option<Sizes>,
}

/// Decides it.
pub(super) fn plan(array: &ArrayView<'_>, options: &FrameOptions) -> Result<Plan> {
    let facts = array.header()?;
    let itemsize = facts.dtype().itemsize();
    let threads = options.threads_for(array.nbytes());
    let sizes = tried(array, &facts, options.pipeline, threads)?;
    let pipeline = match &sizes {
        Some(sizes) if sizes.pco_pays => Pipeline::Pco(sizes.level),
        _ => options.pipeline,
    };
    let chunk_shape = match &options.chunk_shape {
        Some(shape) if shape.len() == facts.shape().len() => {
            shape.iter().zip(facts.shape()).map(|(&edge, &n)| edge.min(n.max(1))).collect()
        }
        Some(shape) => shape.clone(),
        None => {
            let mut target = target(array, &facts, options.pipeline)?;
            // pco takes long, leaves hardly more of halves, and two threads are done with them sooner.
            let is_shared = matches!(pipeline, Pipeline::Pco(_)) && array.nbytes() >= SHARED;
            if is_shared && options.pipeline != Pipeline::Preset(Preset::Smallest) {
                target = target.min(array.nbytes().div_ceil(2));
            }
            grid::balanced(facts.shape(), itemsize, facts.order(), target)
        }
    };
    let family = match pipeline {
        Pipeline::Raw => Family::Raw,
        Pipeline::Pco(_) => {
            number(facts.dtype())?;
            Family::Pco
        }
        _ => Family::Blosc,
    };
    Ok(Plan { header: FrameHeader::new(facts, family, chunk_shape)?, pipeline, sizes })
}

/// Bytes of a chunk. Chunks of noise, and such as become very small, are large: what stands around each
/// counts there, and to decode more than is wanted costs little.
fn target(array: &ArrayView<'_>, facts: &Header, pipeline: Pipeline) -> Result<usize> {
    let nbytes = array.nbytes();
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
    {
        return Ok(target);
    }
    Ok(if is_extreme(array, facts)? { grid::LARGEST } else { target })
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

/// Bytes of an array that are worth two threads for pco.
const SHARED: usize = 1 << 18;
