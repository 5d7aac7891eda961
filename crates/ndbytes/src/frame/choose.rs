//! Codec and filter of a chunk, by compressing samples of it.
//!
//! The choice depends on the chunk, and on the first of those that are made with it, which others are held
//! against, so that a frame's bytes do not depend on threads.

use ndbytes_codec::blosc::{Codec, Encoder, Filter, Options};
use ndbytes_format::blosc::MAX_SPLIT_TYPESIZE;

use crate::error::{Error, Result};
use crate::frame::effort::{
    Effort, PIECE, Search, at, differs_in_level, efforts, filters, search, searches_far,
    searches_longer, trial, trial_options,
};
use crate::frame::noise;
use crate::frame::pipeline::Preset;

/// Chooses for one chunk after another.
#[derive(Default)]
pub(super) struct Chooser {
    encoder: Encoder,
    sample: Vec<u8>,
    /// So many bytes of it are looked at first.
    half: usize,
    packed: Vec<u8>,
    /// What was tried on so many bytes of this sample, and what it made of them.
    tried: Vec<(Options, usize, usize)>,
    /// Whether the last chunk was like its model.
    is_like: bool,
}

/// What was chosen for a chunk, and how to tell whether another of its array is like it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    chosen: Options,
    /// What compressed half of its sample, of so many bytes, to so few.
    trial: Options,
    len: usize,
    size: usize,
    /// More or less than that by so much is alike.
    apart: usize,
}

impl Chooser {
    /// What it tries with.
    pub(super) fn encoder(&mut self) -> &mut Encoder {
        &mut self.encoder
    }

    /// Bytes of memory that it holds.
    pub(super) fn nbytes(&self) -> usize {
        self.encoder.nbytes() + self.sample.capacity() + self.packed.capacity()
    }

    /// How to encode these items: as those of another chunk are, if they are like them.
    pub(super) fn choose(
        &mut self,
        preset: Preset,
        items: &[u8],
        typesize: usize,
        model: Option<&Model>,
    ) -> Result<Options> {
        let Search { codec, part, most, .. } = search(preset);
        self.take_sample(items, typesize, part, most);
        self.tried.clear();
        self.is_like = false;
        let options = |filter, effort: Effort| effort.options(codec, filter, typesize);
        let stored = Options { codec: Codec::Raw, typesize, ..Default::default() };
        if self.is_noise(typesize)? {
            return Ok(stored);
        }
        if let Some(model) = model
            && self.is_like(model)?
        {
            self.is_like = true;
            self.sample.truncate(self.half);
            let Options { filter, .. } = model.chosen;
            let is_fewer = model.chosen.block_size.is_some();
            if is_fewer || !differs_in_level(preset, filter, typesize) {
                return Ok(model.chosen);
            }
            // How hard to search, what a trial at a low level leaves does not tell. What for, at the
            // model's level, was seen when it was chosen for.
            let found = (filter, model.size);
            let (_, effort) = self.effort(preset, found, typesize, Some(&model.chosen))?;
            let Options { split, block_size, .. } = model.chosen;
            return Ok(Options { split, block_size, ..options(filter, effort) });
        }
        if preset == Preset::Fastest {
            // Bits are turned where that loses little, because it is faster, unless next to
            // nothing is left.
            self.sample.truncate(self.half);
            let shuffled = self.size(&options(Filter::Shuffle, at(0).whole()))?;
            let is_dense = shuffled < self.sample.len() / SOME;
            let turned = options(Filter::Bitshuffle, at(0));
            let turns = !is_dense && self.size(&turned)? <= shuffled + shuffled / 20;
            return Ok(if turns { turned } else { options(Filter::Shuffle, at(0)) });
        }
        let sizes = self.filters(preset, typesize)?;
        let least = sizes.iter().map(|&(_, size)| size).min().unwrap_or(usize::MAX);
        if least > self.sample.len() - self.sample.len() / WORTH {
            return Ok(stored);
        }
        let mut likely = likely(preset, sizes, typesize, self.sample.len());
        if likely.len() > 1 && searches_longer(preset) {
            for (filter, size) in &mut likely {
                *size = self.size(&options(*filter, trial(preset, *filter).at(4)))?;
            }
        }
        let mut best = (usize::MAX, 0, stored);
        for found in likely {
            let filter = found.0;
            let (size, effort) = self.effort(preset, found, typesize, None)?;
            let weight = weighed(preset, (filter, size), typesize, self.sample.len());
            if weight < best.0 {
                best = (weight, size, options(filter, effort));
            }
        }
        let (_, size, chosen) = best;
        // LZ4 leaves one part in 255 of what repeats for ever, of which a sample does not tell.
        if preset == Preset::Auto && size > self.sample.len() / DENSE {
            let lz4 = lz4(chosen.filter, typesize);
            if self.size(&lz4)? <= size + size / NEARLY {
                return Ok(lz4);
            }
        }
        let is_part = self.sample.len() < items.len();
        if chosen.codec == Codec::Zstd && is_part && size < HEAD * typesize.min(MAX_SPLIT_TYPESIZE)
        {
            // Little more is left than what each stream begins with: fewer of them leave less.
            let (filter, split) = match chosen.filter {
                Filter::None => (Filter::None, chosen.split),
                _ => (Filter::Shuffle, Some(false)),
            };
            // Levels that search more have large blocks anyway.
            let block_size = (chosen.level <= 3).then_some(NEAR);
            let fewer = Options { filter, split, block_size, ..chosen };
            if self.size(&fewer)? <= size + size / SOME {
                return Ok(fewer);
            }
        }
        let split = self.encoder.split(items, &chosen)?;
        Ok(Options { split, ..chosen })
    }

    /// What was chosen for the last items, for those of other chunks to be held against; none where
    /// they are stored, of which others would have to be tried anyway.
    pub(super) fn model(&mut self, preset: Preset, chosen: &Options) -> Result<Option<Model>> {
        let (filter, typesize, half) = (chosen.filter, chosen.typesize, self.half);
        if chosen.codec == Codec::Raw {
            return Ok(None);
        }
        let tried = trial_options(preset, filter, typesize);
        let own = weighed(preset, (filter, self.size_of(half, &tried)?), typesize, half);
        // How much more the next best leaves: if it was not tried, it is no better than it was said
        // that it may be.
        let others = filters(preset, typesize).iter().filter(|&&other| other != filter);
        let others = others.filter_map(|&other| {
            let known = self.known(half, &trial_options(preset, other, typesize));
            let least = || Some(at_least(self.known(half, &lz4(Filter::None, typesize))?));
            let size = known.or_else(|| (other == Filter::None).then(least).flatten())?;
            Some(weighed(preset, (other, size), typesize, half))
        });
        let lead = others.min().unwrap_or(own).saturating_sub(own) / 2;
        // What is done, where that is another codec, or split as the trial alone would not be.
        let trial = match chosen.codec == tried.codec {
            true => Options { split: tried.split.or(chosen.split), ..tried },
            false => *chosen,
        };
        let size = self.size_of(half, &trial)?;
        let apart = (size as u128 * lead as u128 / own.max(1) as u128) as usize;
        let apart = apart.clamp(size / ALIKE, size / UNLIKE);
        Ok(Some(Model { chosen: *chosen, trial, len: half, size, apart }))
    }

    /// Whether the model's way leaves as much of this sample as it did of the model's, or nearly: the
    /// more of a lead it had over others, the less it matters.
    fn is_like(&mut self, model: &Model) -> Result<bool> {
        if self.half != model.len {
            return Ok(false);
        }
        let size = self.size_of(self.half, &model.trial)?;
        let is_dense = |size| size < self.half / DENSE;
        Ok(size.abs_diff(model.size) <= model.apart && is_dense(size) == is_dense(model.size))
    }

    /// Whether the last chunk was done as its model.
    pub(super) fn was_like(&self) -> bool {
        self.is_like
    }

    /// Filters that are likely, and what each makes of the sample. Where half of the sample tells,
    /// the other half is given up.
    fn filters(&mut self, preset: Preset, typesize: usize) -> Result<Vec<(Filter, usize)>> {
        let filters = filters(preset, typesize);
        let (whole, half) = (self.sample.len(), self.half);
        let mut sizes = |len, filters: &mut dyn Iterator<Item = Filter>| {
            let mut sizes = Vec::with_capacity(3);
            for filter in filters {
                let least = sizes.iter().map(|&(_, size)| size).min();
                let options = trial_options(preset, filter, typesize);
                let is_doubtful = filter == Filter::None && options.codec != Codec::Lz4;
                if !is_doubtful || self.may_be_less(len, least, typesize)? {
                    sizes.push((filter, self.size_of(len, &options)?));
                }
            }
            Ok::<_, Error>(sizes)
        };
        if half == whole {
            return sizes(whole, &mut filters.iter().copied());
        }
        let halves = sizes(half, &mut filters.iter().copied())?;
        let left = likely(preset, halves, typesize, half);
        if left.len() == 1 || searches_longer(preset) {
            self.sample.truncate(half);
            return Ok(left);
        }
        sizes(whole, &mut left.iter().map(|&(filter, _)| filter))
    }

    /// Whether unfiltered items, of which LZ4 tells soon what repeats in them, may become less than so
    /// much.
    fn may_be_less(&mut self, len: usize, least: Option<usize>, typesize: usize) -> Result<bool> {
        let Some(least) = least else { return Ok(true) };
        Ok(at_least(self.size_of(len, &lz4(Filter::None, typesize))?) < least)
    }

    /// The effort that the preset makes behind this filter, and what it makes of the sample.
    /// `size` is what the trial made. At the level of a model, only what the model looks for is tried.
    fn effort(
        &mut self,
        preset: Preset,
        (filter, size): (Filter, usize),
        typesize: usize,
        model: Option<&Options>,
    ) -> Result<(usize, Effort)> {
        let is_dense = size < self.sample.len() / DENSE;
        let (efforts, nearly) = efforts(preset, filter, typesize, is_dense);
        if let &[effort] = efforts {
            return Ok((size, effort));
        }
        let mut best = (usize::MAX, at(1));
        for &effort in efforts {
            let options = effort.options(search(preset).codec, filter, typesize);
            let looks_for_other = |model: &Options| {
                options.level == model.level && options.min_match != model.min_match
            };
            if model.is_some_and(looks_for_other) {
                continue;
            }
            let size = self.size(&options)?;
            best = if size < best.0 - best.0 / nearly { (size, effort) } else { best };
        }
        Ok(best)
    }

    /// Whether these items are noise, or become very small.
    pub(super) fn is_extreme(&mut self, items: &[u8], typesize: usize) -> Result<bool> {
        self.tried.clear();
        self.sample.clear();
        self.sample.extend_from_slice(items);
        if self.is_noise(typesize)? {
            return Ok(true);
        }
        Ok(self.size(&lz4(Filter::None, typesize))? < items.len() / DENSE)
    }

    /// Whether nothing can be made of the sample.
    fn is_noise(&mut self, typesize: usize) -> Result<bool> {
        Ok(noise::is_even(&self.sample, typesize)
            && self.size(&lz4(Filter::None, typesize))? >= self.sample.len())
    }

    /// The sample's size when compressed.
    fn size(&mut self, options: &Options) -> Result<usize> {
        self.size_of(self.sample.len(), options)
    }

    /// That of its first part, which is compressed only if it was not yet.
    fn size_of(&mut self, len: usize, options: &Options) -> Result<usize> {
        if let Some(size) = self.known(len, options) {
            return Ok(size);
        }
        self.packed.clear();
        self.encoder.encode(&self.sample[..len], options, &mut self.packed)?;
        self.tried.push((*options, len, self.packed.len()));
        Ok(self.packed.len())
    }

    fn known(&self, len: usize, options: &Options) -> Option<usize> {
        let is_it = |&&(ref known, of, _): &&(Options, usize, _)| known == options && of == len;
        self.tried.iter().find(is_it).map(|&(_, _, size)| size)
    }

    /// Bytes of the last chunk's sample, and what was made of it by what was tried on all of it.
    pub(super) fn tried(&self) -> (usize, impl Iterator<Item = (Options, usize)>) {
        let sample = self.sample.len();
        let whole = self.tried.iter().filter(move |&&(_, len, _)| len == sample);
        (sample, whole.map(|&(options, _, size)| (options, size)))
    }

    /// Pieces from all over the chunk, of whole items, and up to `most` bytes of each.
    fn take_sample(&mut self, items: &[u8], typesize: usize, part: usize, most: usize) {
        self.sample.clear();
        let piece = (items.len() / part).clamp(PIECE / 2, most);
        let piece = (piece / typesize * typesize).max(typesize);
        if items.len() <= PIECES * piece {
            self.sample.extend_from_slice(items);
        } else {
            // The first half is from all over the chunk, too.
            for i in [0, 2, 1, 3] {
                let at = (items.len() - piece) / (PIECES - 1) * i / typesize * typesize;
                self.sample.extend_from_slice(&items[at..at + piece]);
            }
        }
        let whole = self.sample.len();
        let half = (whole / 2).next_multiple_of(typesize).min(whole);
        self.half = if half < PIECE * 3 / 2 { whole } else { half };
    }
}

/// Those that leave no more than another, or hardly more.
fn likely(
    preset: Preset,
    mut sizes: Vec<(Filter, usize)>,
    typesize: usize,
    sample: usize,
) -> Vec<(Filter, usize)> {
    let weighed = |&found: &_| weighed(preset, found, typesize, sample);
    let best = sizes.iter().map(weighed).min().unwrap_or(0);
    sizes.retain(|found| weighed(found) <= best + best / search(preset).tells);
    sizes
}

/// What a filter makes of a sample, as far as it tells what it would make of a chunk. In planes of a
/// short sample less repeats than in its items, the more so the more planes there are, and each has
/// a head and a table of codes; bits that are turned are one stream. In all of a chunk of bytes, a level
/// that searches more finds more.
fn weighed(
    preset: Preset,
    (filter, size): (Filter, usize),
    typesize: usize,
    sample: usize,
) -> usize {
    let part = size * SHORT / sample.max(SHORT);
    match filter {
        Filter::None if typesize == 1 && searches_far(preset) => size - size / 16,
        Filter::None => size + part * (typesize.min(9) - 1) / 50,
        Filter::Shuffle => size - part / 32,
        _ => size,
    }
}

/// What Zstandard leaves at least where LZ4 leaves so much: what codes of single bytes make of the rest is
/// hardly less than this part.
fn at_least(by_lz4: usize) -> usize {
    by_lz4 * 3 / 5
}

/// LZ4 where it is quick.
fn lz4(filter: Filter, typesize: usize) -> Options {
    Options { codec: Codec::Lz4, level: 1, filter, typesize, ..Default::default() }
}

const PIECES: usize = 4;
/// In a sample of so many bytes or more, planes are long enough to be judged by.
const SHORT: usize = 32 << 10;
/// A difference of one part in so many is none.
const ALIKE: usize = 16;
/// And one of one part in so many is too much, whatever it is a difference of.
const UNLIKE: usize = 4;
/// Less than one part in so many is not worth decompressing.
const WORTH: usize = 50;
/// Less than one part in so many is left of what is soon searched.
const SOME: usize = 8;
/// Bytes of a block that is in the caches with what becomes of it.
const NEAR: usize = 1 << 19;
/// Bytes that a stream of next to nothing takes, at most.
const HEAD: usize = 32;
/// Less than one part in so many is left of what becomes very small.
const DENSE: usize = 32;
/// More by one part in so many is worth the speed of LZ4.
const NEARLY: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(preset: Preset, items: &[u8], typesize: usize) -> (Codec, Filter) {
        let options = Chooser::default().choose(preset, items, typesize, None).unwrap();
        (options.codec, options.filter)
    }

    #[test]
    fn noise_is_stored_and_numbers_are_shuffled() {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 32) as u32
        };
        let noise: Vec<u8> = (0..100_000).flat_map(|_| random().to_le_bytes()).collect();
        let counters: Vec<u8> =
            (0..100_000u32).flat_map(|i| (i * 3 + random() % 16).to_le_bytes()).collect();
        let zeros = vec![0; 400_000];
        for &preset in Preset::ALL {
            assert_eq!(chosen(preset, &noise, 4).0, Codec::Raw);
            assert_ne!(chosen(preset, &counters, 4).1, Filter::None);
            assert_ne!(chosen(preset, &zeros, 4).0, Codec::Raw);
        }
        assert_eq!(chosen(Preset::Fast, &counters, 4).0, Codec::Lz4);
    }

    #[test]
    fn the_fastest_turns_bits_but_of_what_is_nearly_nothing() {
        let mut state = 1u32;
        let floats: Vec<u8> = (0..100_000)
            .flat_map(|_| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                (1.0 + (state >> 8) as f32).to_le_bytes()
            })
            .collect();
        assert_eq!(chosen(Preset::Fastest, &floats, 4), (Codec::Lz4, Filter::Bitshuffle));
        let labels: Vec<u8> = (0..100_000u32).flat_map(|i| (i / 1000).to_le_bytes()).collect();
        assert_eq!(chosen(Preset::Fastest, &labels, 4), (Codec::Lz4, Filter::Shuffle));
    }

    #[test]
    fn items_that_repeat_whole_are_left_as_they_are() {
        // One of many numbers with no byte in common, again and again.
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            state ^ state >> 32
        };
        let numbers: Vec<u64> = (0..500).map(|_| random()).collect();
        let items: Vec<u8> =
            (0..100_000).flat_map(|_| numbers[random() as usize % 500].to_le_bytes()).collect();
        for preset in [Preset::Fast, Preset::Quick, Preset::Medium, Preset::Smallread] {
            assert_eq!(chosen(preset, &items, 8).1, Filter::None, "{preset:?}");
        }
    }

    #[test]
    fn next_to_nothing_is_one_stream() {
        let items = 1.5f64.to_le_bytes().repeat(1 << 17);
        for preset in [Preset::Quick, Preset::Auto, Preset::Medium, Preset::Small] {
            let mut chooser = Chooser::default();
            let options = chooser.choose(preset, &items, 8, None).unwrap();
            let model = chooser.model(preset, &options).unwrap().unwrap();
            let again = chooser.choose(preset, &items, 8, Some(&model)).unwrap();
            assert!(chooser.was_like() && again == options);
            let mut chunk = Vec::new();
            chooser.encoder().encode(&items, &options, &mut chunk).unwrap();
            assert!(chunk.len() < 150, "{preset:?}: {}", chunk.len());
        }
    }

    #[test]
    fn a_chunk_of_any_size_can_be_sampled() {
        for len in [0, 1, 7, 8, 4095, 8 << 10, (8 << 10) + 8, 32 << 10, (32 << 10) + 8, 400_000] {
            for &preset in Preset::ALL {
                for typesize in [1, 3, 8, 12, 255] {
                    let items: Vec<u8> =
                        (0..len / typesize * typesize).map(|i| (i * i / 977 % 251) as u8).collect();
                    chosen(preset, &items, typesize);
                }
            }
        }
    }
}
