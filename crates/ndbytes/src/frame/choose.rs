//! Codec and filter of a chunk, by compressing samples of it.
//!
//! The choice depends on the chunk alone, so that a frame's bytes do not depend on threads.

use ndbytes_codec::blosc::{Codec, Encoder, Filter, Options};

use crate::error::Result;
use crate::frame::noise;
use crate::frame::pipeline::Preset;

/// Chooses for one chunk after another.
#[derive(Default)]
pub(super) struct Chooser {
    encoder: Encoder,
    sample: Vec<u8>,
    packed: Vec<u8>,
    tried: Vec<(Options, usize)>,
}

impl Chooser {
    /// How to encode these items.
    pub(super) fn choose(
        &mut self,
        preset: Preset,
        items: &[u8],
        typesize: usize,
    ) -> Result<Options> {
        let Search { codec, trial, levels, most } = search(preset);
        self.take_sample(items, typesize, most);
        self.tried.clear();
        let options =
            |codec, level, filter| Options { codec, level, filter, typesize, ..Default::default() };
        if self.is_noise(typesize)? {
            return Ok(options(Codec::Raw, 1, Filter::None));
        }
        if preset == Preset::Fastest {
            return Ok(options(codec, trial, Filter::Shuffle));
        }
        let filters: &[Filter] = match typesize {
            1 => &[Filter::None, Filter::Bitshuffle],
            _ => &[Filter::Shuffle, Filter::None, Filter::Bitshuffle],
        };
        let mut best = (usize::MAX, Filter::None);
        for &filter in filters {
            let size = self.size(&options(codec, trial, filter))?;
            best = if size < best.0 { (size, filter) } else { best };
        }
        let (size, filter) = best;
        if size > self.sample.len() - self.sample.len() / WORTH {
            return Ok(options(Codec::Raw, 1, Filter::None));
        }
        if matches!(preset, Preset::Quick | Preset::Auto)
            && self.size(&lz4(filter, typesize))? <= size + size / NEARLY
        {
            return Ok(lz4(filter, typesize));
        }
        if let &[level] = levels {
            return Ok(options(codec, level, filter));
        }
        // More search finds matches that cost more than the bytes that they stand for, in numbers
        // that are nearly noise.
        let mut best = (usize::MAX, trial);
        for &level in levels {
            let known = level == trial;
            let size = if known { size } else { self.size(&options(codec, level, filter))? };
            best = if size < best.0 { (size, level) } else { best };
        }
        Ok(options(codec, best.1, filter))
    }

    /// Whether these items are noise, or become very small.
    pub(super) fn is_extreme(&mut self, items: &[u8], typesize: usize) -> Result<bool> {
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

    /// The samples' size when compressed.
    fn size(&mut self, options: &Options) -> Result<usize> {
        self.packed.clear();
        self.encoder.encode(&self.sample, options, &mut self.packed)?;
        self.tried.push((*options, self.packed.len()));
        Ok(self.packed.len())
    }

    /// Bytes of the last chunk's sample, and what was made of it by what was tried.
    pub(super) fn tried(&self) -> (usize, &[(Options, usize)]) {
        (self.sample.len(), &self.tried)
    }

    /// Pieces from all over the chunk, of whole items, and up to `most` bytes of each.
    fn take_sample(&mut self, items: &[u8], typesize: usize, most: usize) {
        self.sample.clear();
        let piece = (items.len() / PARTS).clamp(PIECE, most);
        let piece = (piece / typesize * typesize).max(typesize);
        if items.len() <= PIECES * piece {
            return self.sample.extend_from_slice(items);
        }
        for i in 0..PIECES {
            let at = (items.len() - piece) / (PIECES - 1) * i / typesize * typesize;
            self.sample.extend_from_slice(&items[at..at + piece]);
        }
    }
}

/// LZ4 where it is quick.
fn lz4(filter: Filter, typesize: usize) -> Options {
    Options { codec: Codec::Lz4, level: 1, filter, typesize, ..Default::default() }
}

/// What a preset looks for, and how hard.
struct Search {
    codec: Codec,
    /// The level by which filters are compared: a low one tells as well which is best.
    trial: u32,
    /// Those of which one is taken.
    levels: &'static [u32],
    /// Bytes of a piece of the sample, at most.
    most: usize,
}

fn search(preset: Preset) -> Search {
    let (codec, trial, levels, most): (_, _, &[u32], _) = match preset {
        Preset::Fastest => (Codec::Lz4, 0, &[0], PIECE),
        Preset::Fast => (Codec::Lz4, 1, &[1], PIECE),
        Preset::Fastread => (Codec::Lz4, 1, &[9], PIECE),
        Preset::Quick | Preset::Auto => (Codec::Zstd, 1, &[1], PIECE),
        Preset::Medium => (Codec::Zstd, 1, &[1, 7], 2 * PIECE),
        Preset::Small => (Codec::Zstd, 3, &[1, 9], 32 << 10),
        Preset::Smallest => (Codec::Zstd, 9, &[1, 9, 19], 256 << 10),
    };
    Search { codec, trial, levels, most }
}

const PIECES: usize = 4;
/// Bytes of a piece, at least. Of less, bits that are turned seem worse than they are.
const PIECE: usize = 8 << 10;
/// A piece is one part in so many of the chunk, within those bounds.
const PARTS: usize = 16;
/// Less than one part in so many is not worth decompressing.
const WORTH: usize = 50;
/// Less than one part in so many is left of what becomes very small.
const DENSE: usize = 32;
/// More by one part in so many is worth the speed of LZ4.
const NEARLY: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(preset: Preset, items: &[u8], typesize: usize) -> (Codec, Filter) {
        let options = Chooser::default().choose(preset, items, typesize).unwrap();
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
    fn a_chunk_of_any_size_can_be_sampled() {
        for len in [0, 1, 7, 8, 4095, 8 << 10, (8 << 10) + 8, 32 << 10, (32 << 10) + 8, 400_000] {
            for &preset in Preset::ALL {
                chosen(preset, &vec![1; len], 8);
            }
        }
    }
}
