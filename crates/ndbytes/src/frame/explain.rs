//! What is chosen for the chunks of a frame, and why.

use ndbytes_codec::blosc::{Codec, Options};
use ndbytes_format::frame::Family;

use crate::array::ArrayView;
use crate::error::Result;
use crate::frame::chunk::{ChunkEncoder, Way};
use crate::frame::family::{Plan, plan};
use crate::frame::grid;
use crate::frame::pipeline::Pipeline;
use crate::frame::ways::Ways;
use crate::frame::write::FrameOptions;

/// What is chosen for a frame, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// How the chunks are stored.
    pub family: Family,
    /// Their shape.
    pub chunk_shape: Vec<usize>,
    /// What made Blosc or pco the family, where a preset had that to choose: Blosc is tried as
    /// [`Preset::Quick`](crate::Preset::Quick) has it, or as the preset where that is close, or the array
    /// small.
    pub families: Option<Trials>,
    /// What is chosen for each chunk, in the order of their numbers.
    pub chunks: Vec<Choice>,
}

/// What is chosen for a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The index of its first item.
    pub start: Vec<usize>,
    /// Its shape, without what an edge cuts off.
    pub shape: Vec<usize>,
    /// What is done to it.
    pub pipeline: Pipeline,
    /// Whether it is done as the first chunk was, which it is like.
    pub as_first: bool,
    /// What was tried, where a preset had that to choose: for a chunk that is like the first, what showed
    /// that.
    pub trials: Option<Trials>,
}

/// What became of samples.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trials {
    /// Bytes of the samples.
    pub sample: usize,
    /// What was tried, and the bytes that came of them.
    pub sizes: Vec<(Pipeline, usize)>,
}

/// Chooses as [`write_frame`](crate::write_frame) would, and tells what and why.
///
/// # Errors
/// As [`write_frame`](crate::write_frame).
pub fn explain_frame(array: &ArrayView<'_>, options: &FrameOptions) -> Result<Explanation> {
    let Plan { header, pipeline, sizes } = plan(array, options)?;
    let families = sizes.map(|sizes| Trials {
        sample: sizes.sample,
        sizes: vec![
            (Pipeline::Preset(sizes.preset), sizes.blosc),
            (Pipeline::Pco(sizes.level), sizes.pco),
        ],
    });
    let mut encoder = ChunkEncoder::default();
    let ways = Ways::new(pipeline, 0);
    let mut buffer = Vec::new();
    let mut chunks = Vec::with_capacity(header.chunk_count());
    for chunk in 0..header.chunk_count() {
        let grid::Place { start, shape } = grid::place(&header, chunk);
        let mut choice = Choice { start, shape, pipeline, as_first: false, trials: None };
        if let Pipeline::Preset(_) = pipeline
            && let (Way::Blosc(chosen), _) =
                ways.way(&header, array, &mut encoder, chunk, &mut buffer)?
        {
            choice.pipeline = of(&chosen);
            choice.as_first = encoder.was_like();
            let (sample, sizes) = encoder.tried();
            choice.trials = Some(Trials { sample, sizes: least_of_each(sizes) });
        }
        chunks.push(choice);
    }
    let chunk_shape = header.chunk_shape().to_vec();
    Ok(Explanation { family: header.family(), chunk_shape, families, chunks })
}

/// What was tried, by its name: some of it differs in what a name does not tell.
fn least_of_each(tried: impl Iterator<Item = (Options, usize)>) -> Vec<(Pipeline, usize)> {
    let mut sizes: Vec<(Pipeline, usize)> = Vec::new();
    for (options, size) in tried {
        let pipeline = of(&options);
        match sizes.iter_mut().find(|(of, _)| *of == pipeline) {
            Some((_, least)) => *least = (*least).min(size),
            None => sizes.push((pipeline, size)),
        }
    }
    sizes
}

fn of(options: &Options) -> Pipeline {
    match options.codec {
        Codec::Raw => Pipeline::Raw,
        codec => Pipeline::Blosc(codec, options.level, options.filter),
    }
}

#[cfg(test)]
mod tests {
    use ndbytes_format::Order;

    use super::*;
    use crate::frame::pipeline::Preset;
    use crate::{FrameReader, Limits, dump_frame};

    #[test]
    fn what_is_told_is_what_is_done() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state >> 40
        };
        let noise: Vec<u8> =
            (0..200_000).flat_map(|_| random().to_le_bytes()[..2].to_vec()).collect();
        let steps: Vec<u8> = (0..100_000u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let bytes = [noise, steps].concat();
        let view =
            ArrayView::contiguous("<u4".parse().unwrap(), &[200_000], Order::C, &bytes).unwrap();
        for &preset in Preset::ALL {
            let options = FrameOptions::default()
                .with_pipeline(Pipeline::Preset(preset))
                .with_chunk_shape(Some(vec![100_000]));
            let told = explain_frame(&view, &options).unwrap();
            let frame = dump_frame(&view, &options).unwrap();
            let reader = FrameReader::new(&frame[..], &Limits::default()).unwrap();
            assert_eq!(told.family, reader.header().family());
            assert_eq!(told.chunks.len(), 2);
            for (i, chunk) in told.chunks.iter().enumerate() {
                assert_eq!((chunk.start.clone(), chunk.shape.clone()), reader.chunk_range(i));
                let done = reader.describe(i).unwrap();
                match chunk.pipeline {
                    Pipeline::Raw => assert_eq!(done, "stored"),
                    Pipeline::Blosc(codec, ..) => {
                        assert!(done.starts_with(&format!("{codec:?}").to_lowercase()), "{done}");
                    }
                    pipeline => assert!(pipeline.to_string().starts_with(&done), "{done}"),
                }
                let smallest =
                    |trials: &Trials| trials.sizes.iter().map(|(_, size)| *size).min().unwrap();
                if let Some(trials) = &chunk.trials {
                    assert!(trials.sample > 0 && smallest(trials) <= trials.sample + 16);
                }
            }
            assert_eq!(
                told.families.is_some(),
                matches!(preset, Preset::Auto | Preset::Small | Preset::Smallest)
            );
        }
        let named = explain_frame(&view, &FrameOptions::default().with_pipeline(Pipeline::Pco(4)));
        let named = named.unwrap();
        assert!(
            named.families.is_none() && named.chunks.iter().all(|chunk| chunk.trials.is_none())
        );
    }
}
