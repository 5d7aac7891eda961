//! Samples of the whole array, and what they show before it is cut: whether Blosc or pco makes less of
//! it, and whether next to nothing can be made of it, or next to nothing is left.

use ndbytes_format::Header;
use ndbytes_format::frame::{Family, FrameHeader};

use crate::array::ArrayView;
use crate::error::Result;
use crate::frame::chunk::{ChunkEncoder, Way, number, typesize};
use crate::frame::piece::Items;
use crate::frame::pipeline::{Pipeline, Preset};
use crate::parallel::in_order;

/// What Blosc and pco made of samples of the array.
pub(super) struct Sizes {
    /// Bytes of the samples.
    pub(super) sample: usize,
    /// Bytes that Blosc made of them, as this preset has it.
    pub(super) blosc: usize,
    pub(super) preset: Preset,
    /// Bytes that pco made of them.
    pub(super) pco: usize,
    /// At this level.
    pub(super) level: u32,
    /// Whether that is less by enough.
    pub(super) pco_pays: bool,
}

/// What Blosc and pco make of samples, where a preset is to choose between them and pco takes the
/// items. `threads` is how many look at them at most.
pub(super) fn tried(
    array: &ArrayView<'_>,
    facts: &Header,
    pipeline: Pipeline,
    threads: usize,
) -> Result<Option<Sizes>> {
    let Pipeline::Preset(preset) = pipeline else { return Ok(None) };
    match Trial::of(preset, facts) {
        Some(trial) if number(facts.dtype()).is_ok() && facts.nbytes() > 0 => {
            trial.sizes(array, facts, threads).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether samples of a large array are noise, or become very small; not of items that are as large
/// as a sample.
pub(super) fn is_extreme(array: &ArrayView<'_>, facts: &Header) -> Result<bool> {
    let itemsize = facts.dtype().itemsize();
    if itemsize > SMALLEST_PIECE {
        return Ok(false);
    }
    let piece = SMALLEST_PIECE / itemsize;
    let mut items = vec![0; PIECES * piece * itemsize];
    for (i, items) in items.chunks_mut(piece * itemsize).enumerate() {
        copy_piece(array, facts, i, items)?;
    }
    ChunkEncoder::lend().is_extreme(&items, typesize(facts.dtype()))
}

/// Copies the `i`-th of [`PIECES`] runs of items that lie all over the array, as many as `items` holds.
fn copy_piece(array: &ArrayView<'_>, facts: &Header, i: usize, items: &mut [u8]) -> Result<()> {
    let count = items.len() / facts.dtype().itemsize();
    array.copy_to(items, (facts.count() - count) / (PIECES - 1) * i, facts.order())
}

/// When a preset takes pco, which is stronger and slower than the codecs of Blosc.
struct Trial {
    preset: Preset,
    level: u32,
    /// It must save this part of the bytes: one in so many.
    gain: usize,
    /// Of a large array, one part in so many is tried at most.
    part: usize,
    /// Hundredths of what `"quick"` leaves that the preset does, at least.
    least: usize,
}

impl Trial {
    fn of(preset: Preset, facts: &Header) -> Option<Self> {
        let itemsize = facts.dtype().itemsize();
        let (level, gain, part, least) = match (preset, itemsize) {
            // Of small numbers pco does few bytes a second, and a small array is to be quick.
            (Preset::Auto, 0..4) => return None,
            (Preset::Auto, _) if facts.nbytes() < 1 << 18 => return None,
            (Preset::Auto, _) => (6, 6, 24, 95),
            (Preset::Small, 0..=1) => (6, 6, 6, 75),
            (Preset::Small, 2) => (6, 10, 6, 75),
            (Preset::Small, _) => (6, 50, 6, 75),
            (Preset::Smallest, _) => (12, 100, 3, 50),
            _ => return None,
        };
        Some(Self { preset, level, gain, part, least })
    }

    /// What comes of items from all over the array. What `"quick"` leaves shows most often which is less,
    /// and soon; where it does not, what the preset itself leaves of others does.
    fn sizes(&self, array: &ArrayView<'_>, facts: &Header, threads: usize) -> Result<Sizes> {
        if facts.nbytes() <= 2 * SMALLEST_PIECE {
            return self.look(array, facts, facts.count(), &[0], self.preset, threads);
        }
        let bytes = (facts.nbytes() / self.part / PIECES).clamp(SMALLEST_PIECE, LARGEST_PIECE);
        let count = (bytes / facts.dtype().itemsize()).clamp(1, facts.count());
        let look = |pieces, preset| self.look(array, facts, count, pieces, preset, threads);
        let quick = look(&[0, 2], Preset::Quick)?;
        let pays = |blosc| self.pays(quick.sample, blosc, quick.pco);
        let is_clear = match quick.pco_pays {
            true => pays(quick.blosc * self.least / 100),
            false => !pays(quick.blosc + quick.blosc / 20),
        };
        if is_clear { Ok(quick) } else { look(&[1, 3], self.preset) }
    }

    /// What comes of these of [`PIECES`] runs of `count` items.
    fn look(
        &self,
        array: &ArrayView<'_>,
        facts: &Header,
        count: usize,
        pieces: &[usize],
        preset: Preset,
        threads: usize,
    ) -> Result<Sizes> {
        let header = |family| {
            let facts = Header::new(facts.dtype().clone(), facts.order(), vec![count])?;
            FrameHeader::new(facts, family, vec![count])
        };
        let (pco, blosc) = (header(Family::Pco)?, header(Family::Blosc)?);
        let nbytes = count * facts.dtype().itemsize();
        let (mut by_blosc, mut by_pco) = (0, 0);
        in_order(
            pieces.len(),
            threads,
            ChunkEncoder::lend,
            |encoder, i| {
                let mut items = vec![0; nbytes];
                copy_piece(array, facts, pieces[i], &mut items)?;
                let items = Items::Gathered(&items);
                let way = encoder.choose(&blosc, Pipeline::Preset(preset), None, items)?;
                let by_blosc = encoder.record(&blosc, way, items)?.len();
                Ok((by_blosc, encoder.record(&pco, Way::Pco(self.level), items)?.len()))
            },
            |_, (blosc, pco)| {
                by_blosc += blosc;
                by_pco += pco;
                Ok(())
            },
        )?;
        let sample = pieces.len() * nbytes;
        let pco_pays = self.pays(sample, by_blosc, by_pco);
        Ok(Sizes { sample, blosc: by_blosc, preset, pco: by_pco, level: self.level, pco_pays })
    }

    /// Whether pco leaves less of a sample than Blosc, by enough. What is left of pieces that compress very well is little but
    /// their frames.
    fn pays(&self, sample: usize, blosc: usize, pco: usize) -> bool {
        blosc > sample / TELLS && pco <= blosc - blosc / self.gain
    }
}

const PIECES: usize = 4;
/// Bytes of a piece, at least and at most.
const SMALLEST_PIECE: usize = 1 << 13;
const LARGEST_PIECE: usize = 1 << 16;
const TELLS: usize = 64;

#[cfg(test)]
mod tests {
    use ndbytes_format::Order;

    use super::*;

    /// What decided, for numbers of four bytes.
    fn sizes(preset: Preset, numbers: impl Iterator<Item = u32>) -> Sizes {
        let bytes: Vec<u8> = numbers.flat_map(u32::to_le_bytes).collect();
        let dtype = "<u4".parse().unwrap();
        let view = ArrayView::contiguous(dtype, &[bytes.len() / 4], Order::C, &bytes).unwrap();
        let pipeline = Pipeline::Preset(preset);
        let facts = view.header().unwrap();
        let by = |threads| tried(&view, &facts, pipeline, threads).unwrap().unwrap();
        let [one, two] = [1, 2].map(by);
        assert_eq!((one.sample, one.blosc, one.pco), (two.sample, two.blosc, two.pco));
        let sample = one.sample / 4;
        assert!(one.pco > 0 && one.blosc > 0 && sample <= bytes.len() / 4, "{sample}");
        two
    }

    fn random() -> impl Iterator<Item = u32> {
        let step = |&n: &u32| Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
        std::iter::successors(Some(1), step)
    }

    #[test]
    fn quick_tells_where_the_outcome_is_clear_and_the_preset_where_it_is_not() {
        for preset in [Preset::Auto, Preset::Small, Preset::Smallest] {
            // Distances of three bits each, which no codec of bytes sees.
            let steps = random().scan(0, |at: &mut u32, n| {
                *at = at.wrapping_add(n >> 24 & 7);
                Some(*at)
            });
            let found = sizes(preset, steps.take(1 << 17));
            assert!(found.pco_pays && found.preset == Preset::Quick, "{preset:?}");
            // What repeats whole, which pco does not look for.
            let again = random().take(1000).collect::<Vec<_>>().into_iter().cycle();
            let found = sizes(preset, again.take(1 << 17));
            assert!(!found.pco_pays && found.preset == Preset::Quick, "{preset:?}");
        }
        // Noise is as long by one as by the other.
        let found = sizes(Preset::Small, random().map(|n| n >> 8).take(1 << 17));
        assert_eq!(
            (found.preset, found.pco_pays),
            (Preset::Small, found.pco <= found.blosc / 50 * 49)
        );
        // All of a few bytes is looked at once.
        for count in [1, 2, 1000, 4096] {
            let found = sizes(Preset::Small, random().take(count));
            assert_eq!((found.preset, found.sample), (Preset::Small, 4 * count));
        }
        assert_eq!(sizes(Preset::Small, random().take(4097)).sample, 2 * SMALLEST_PIECE);
    }
}
