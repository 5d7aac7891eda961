//! What each preset samples, by what it compares filters, and how hard it searches then.

use ndbytes_codec::blosc::{Codec, Filter, Options};

use crate::frame::pipeline::Preset;

/// What a preset compares filters by.
pub(super) struct Search {
    pub(super) codec: Codec,
    /// A piece of the sample is one part in so many of the chunk.
    pub(super) part: usize,
    /// Bytes of a piece, at most.
    pub(super) most: usize,
    /// A filter that leaves more than another by one part in so many is not looked at again.
    pub(super) tells: usize,
}

pub(super) fn search(preset: Preset) -> Search {
    let (codec, part, most, tells) = match preset {
        Preset::Fastest | Preset::Fast => (Codec::Lz4, 128, PIECE, 25),
        Preset::Fastread => (Codec::Lz4, 64, 2 * PIECE, 25),
        Preset::Quickread | Preset::Smallread => (Codec::Lz4, 32, 4 * PIECE, 6),
        Preset::Brisk | Preset::Quick | Preset::Auto => (Codec::Zstd, 128, PIECE, 25),
        // What more search finds, a trial does not show.
        Preset::Light | Preset::Medium => (Codec::Zstd, 64, 2 * PIECE, 20),
        Preset::Small => (Codec::Zstd, 32, 4 * PIECE, 10),
        Preset::Smallestread | Preset::Smallest => (Codec::Zstd, 64, 8 * PIECE, 10),
    };
    Search { codec, part, most, tells }
}

/// By what filters are compared.
pub(super) fn trial_options(preset: Preset, filter: Filter, typesize: usize) -> Options {
    trial(preset, filter).options(search(preset).codec, filter, typesize)
}

/// The effort by which filters are compared: a low level tells nearly as well as a high one.
///
/// Zstandard's own parameters depend on how long a stream is, and those for a sample are not those
/// for a chunk. Whole items repeat in less than bytes of one significance do.
pub(super) fn trial(preset: Preset, filter: Filter) -> Effort {
    match (preset, filter) {
        (Preset::Fastest | Preset::Fast, Filter::Shuffle) => at(1).whole(),
        (Preset::Fastest | Preset::Fast, _) => at(1),
        (Preset::Quickread | Preset::Fastread | Preset::Smallread, Filter::Shuffle) => {
            at(2).whole()
        }
        (Preset::Quickread | Preset::Fastread | Preset::Smallread, _) => at(2),
        (Preset::Smallestread | Preset::Smallest, _) => at(9),
        (_, Filter::None) => at(1).from(5),
        (_, Filter::Shuffle) => at(1).from(7),
        (_, Filter::Bitshuffle) => at(1),
    }
}

/// The filters that a preset compares.
pub(super) fn filters(preset: Preset, typesize: usize) -> &'static [Filter] {
    match (preset, typesize) {
        (Preset::Brisk, _) => &[Filter::Bitshuffle],
        (_, 1) => &[Filter::Bitshuffle, Filter::None],
        _ => &[Filter::Shuffle, Filter::Bitshuffle, Filter::None],
    }
}

/// Whether filters that are close in a trial are told apart by LZ4 HC only: in whole items it finds much
/// that a quicker search does not.
pub(super) fn searches_longer(preset: Preset) -> bool {
    matches!(preset, Preset::Quickread | Preset::Smallread)
}

/// Whether Zstandard looks for more than at its lowest level.
pub(super) fn searches_far(preset: Preset) -> bool {
    use Preset::{Light, Medium, Small, Smallest, Smallestread};
    matches!(preset, Light | Medium | Small | Smallestread | Smallest)
}

/// How hard a codec searches, and for what.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    pub(super) level: u32,
    min_match: Option<u32>,
    split: Option<bool>,
}

impl Effort {
    /// With matches of so many bytes or more.
    pub(super) const fn from(self, min_match: u32) -> Self {
        Self { min_match: Some(min_match), ..self }
    }

    /// With planes in one stream, of which a sample is long enough for something to repeat.
    pub(super) const fn whole(self) -> Self {
        Self { split: Some(false), ..self }
    }

    /// At another level.
    pub(super) const fn at(self, level: u32) -> Self {
        Self { level, ..self }
    }

    /// With planes that are streams of their own.
    pub(super) const fn split(self) -> Self {
        Self { split: Some(true), ..self }
    }

    pub(super) fn options(self, codec: Codec, filter: Filter, typesize: usize) -> Options {
        let Self { level, min_match, split } = self;
        Options { codec, level, min_match, split, filter, typesize, ..Default::default() }
    }
}

/// What the level says.
pub(super) const fn at(level: u32) -> Effort {
    Effort { level, min_match: None, split: None }
}

/// The efforts of which one is taken: the first, unless another makes less by one part in so many.
///
/// More search finds matches that cost more than the bytes that they stand for, in numbers that are
/// nearly noise; so do shorter ones.
pub(super) fn efforts(
    preset: Preset,
    filter: Filter,
    typesize: usize,
    is_dense: bool,
) -> (&'static [Effort], usize) {
    match (preset, filter) {
        (Preset::Fast, Filter::Bitshuffle) if typesize > 1 => {
            (const { &[at(1).split(), at(1)] }, 200)
        }
        (Preset::Fastest | Preset::Fast, _) => (const { &[at(1)] }, ANY),
        (Preset::Fastread, _) => (const { &[at(2)] }, ANY),
        (Preset::Quickread, _) => (const { &[at(4)] }, ANY),
        // What repeats for long is passed over from level 9 on.
        (Preset::Smallread, _) if is_dense => (const { &[at(9)] }, ANY),
        (Preset::Smallread, _) => (const { &[at(8)] }, ANY),
        (Preset::Brisk, _) | (Preset::Quick | Preset::Auto, Filter::Bitshuffle) => {
            (const { &[at(1)] }, ANY)
        }
        (Preset::Quick | Preset::Auto, Filter::None) => {
            (const { &[at(1).from(5), at(1).from(7)] }, 100)
        }
        (Preset::Quick | Preset::Auto, _) => (const { &[at(1).from(7), at(1).from(5)] }, 200),
        (Preset::Light, _) if is_dense => (const { &[at(4)] }, ANY),
        (Preset::Light, Filter::None) => (const { &[at(1).from(5), at(4)] }, 100),
        (Preset::Light, Filter::Shuffle) => (const { &[at(1).from(7), at(4)] }, 100),
        (Preset::Light, _) => (const { &[at(1), at(4)] }, 100),
        (Preset::Medium, Filter::None) => (const { &[at(7).from(5), at(1).from(5)] }, 200),
        (Preset::Medium, Filter::Shuffle) => {
            (const { &[at(1).from(7), at(7).from(6), at(7)] }, 1000)
        }
        // In a chunk the higher level finds more than in a sample, but for planes.
        (Preset::Medium, Filter::Bitshuffle) => (const { &[at(7).from(6), at(1)] }, 200),
        (Preset::Small, _) => (const { &[at(1).from(7), at(9).from(5), at(9).from(4)] }, 1000),
        // More search than that finds next to nothing more, and what it finds is slower to read.
        (Preset::Smallestread, _) => (const { &[at(17)] }, ANY),
        (Preset::Smallest, _) => (const { &[at(9), at(19)] }, ANY),
    }
}

/// Whether the efforts that a preset may make are at several levels.
pub(super) fn differs_in_level(preset: Preset, filter: Filter, typesize: usize) -> bool {
    let (efforts, _) = efforts(preset, filter, typesize, false);
    efforts.iter().any(|effort| effort.level != efforts[0].level)
}

/// Bytes of a piece of a sample: half of this at least. Of less, bits that are turned seem worse than they
/// are.
pub(super) const PIECE: usize = 8 << 10;
/// Any less is less.
const ANY: usize = usize::MAX;
