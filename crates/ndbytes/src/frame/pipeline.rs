//! What happens to a chunk: a codec, its level, a filter; or a preset that chooses them.

use std::fmt;
use std::str::FromStr;

use ndbytes_codec::blosc::{Codec, Filter};
use ndbytes_format::Code;

use crate::error::{Error, Result};

/// How the chunks of a frame are compressed.
///
/// It parses from a preset's name or `codec[-level][-filter]`: `"auto"`, `"zstd"`,
/// `"zstd-9-bitshuffle"`, `"lz4-noshuffle"`, `"pco-8"`, `"raw"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pipeline {
    /// Chosen from samples: for each chunk, or as for the first where it is like that.
    Preset(Preset),
    /// Items as they are, checked.
    Raw,
    /// A Blosc buffer of this codec, level and filter.
    Blosc(Codec, u32, Filter),
    /// Numbers by pco, at this level of 0 to 12.
    Pco(u32),
}

/// What a preset is after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// Least time: LZ4 behind turned bits, or behind a byte shuffle where that leaves much less.
    Fastest,
    /// Little time: LZ4 where it gains anything.
    Fast,
    /// A little more time: Zstandard at level 1 behind turned bits, of which those of noise cost next to
    /// nothing.
    Brisk,
    /// As little: Zstandard at its lowest level, with the filter that suits best.
    Quick,
    /// Both: Zstandard at its lowest level, or LZ4 where that leaves nearly as little, or pco for a
    /// frame of numbers that gain much by it.
    Auto,
    /// Fewer bytes that are read as fast, for more time to write: LZ4 between its fast search and HC.
    Fastread,
    /// The same, for still more: LZ4 HC at level 4.
    Quickread,
    /// As few bytes as are read as fast: LZ4 HC at level 8, or 9 where next to nothing is
    /// left.
    Smallread,
    /// Between quick and medium: Zstandard at level 4, or 1 where that seems to leave hardly more.
    Light,
    /// Fewer bytes, that are read as fast: Zstandard at level 7, or 1 where that seems to leave no more.
    Medium,
    /// Few bytes: Zstandard at level 9, or pco.
    Small,
    /// As few bytes as every reader of Blosc's buffers reads fast: Zstandard at level 17.
    Smallestread,
    /// As few bytes as there can be, at a few MB a second: Zstandard at level 19, or pco.
    Smallest,
}

impl Preset {
    /// Every preset.
    pub const ALL: &'static [Preset] = &[
        Self::Fastest,
        Self::Fast,
        Self::Brisk,
        Self::Quick,
        Self::Auto,
        Self::Fastread,
        Self::Quickread,
        Self::Smallread,
        Self::Light,
        Self::Medium,
        Self::Small,
        Self::Smallestread,
        Self::Smallest,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Preset::Fastest => "fastest",
            Preset::Fast => "fast",
            Preset::Brisk => "brisk",
            Preset::Quick => "quick",
            Preset::Auto => "auto",
            Preset::Quickread => "quickread",
            Preset::Fastread => "fastread",
            Preset::Smallread => "smallread",
            Preset::Light => "light",
            Preset::Medium => "medium",
            Preset::Small => "small",
            Preset::Smallestread => "smallestread",
            Preset::Smallest => "smallest",
        }
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Self::Preset(Preset::Auto)
    }
}

impl FromStr for Pipeline {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if let Some(preset) = Preset::ALL.iter().find(|preset| preset.as_str() == name) {
            return Ok(Self::Preset(*preset));
        }
        let unknown = || {
            let message = format!(
                "`{}` is no codec: take fastest, fast, brisk, quick, auto, fastread, quickread, smallread, light, medium, small, smallestread, smallest, raw, or lz4, zstd, zlib, pco with a level and a filter, such as `zstd-5-bitshuffle`",
                name.escape_debug()
            );
            Error::new(Code::Argument, message)
        };
        let mut parts = name.split('-');
        let codec = parts.next().unwrap_or_default();
        let (mut level, mut filter) = (None, None);
        for part in parts {
            let of_filter = match part {
                "shuffle" => Some(Filter::Shuffle),
                "bitshuffle" => Some(Filter::Bitshuffle),
                "noshuffle" => Some(Filter::None),
                _ => None,
            };
            match of_filter {
                Some(found) if filter.is_none() => filter = Some(found),
                None if level.is_none() && filter.is_none() => {
                    level = Some(part.parse::<u32>().map_err(|_| unknown())?);
                }
                _ => return Err(unknown()),
            }
        }
        let leveled = |low, default, high| match level {
            None => Ok(default),
            Some(level) if (low..=high).contains(&level) => Ok(level),
            Some(level) => {
                let message = format!("the level of {codec} must be {low} to {high}, not {level}");
                Err(Error::new(Code::Argument, message))
            }
        };
        let shuffled = filter.unwrap_or(Filter::Shuffle);
        match codec {
            "raw" if level.is_none() && filter.is_none() => Ok(Self::Raw),
            "lz4" => Ok(Self::Blosc(Codec::Lz4, leveled(0, 1, 12)?, shuffled)),
            "zstd" => Ok(Self::Blosc(Codec::Zstd, leveled(1, 3, 19)?, shuffled)),
            "zlib" => Ok(Self::Blosc(Codec::Zlib, leveled(1, 6, 9)?, shuffled)),
            "pco" if filter.is_none() => Ok(Self::Pco(leveled(0, 8, 12)?)),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pipeline::Preset(preset) => f.write_str(preset.as_str()),
            Pipeline::Raw | Pipeline::Blosc(Codec::Raw, ..) => f.write_str("raw"),
            Pipeline::Blosc(codec, level, filter) => {
                match codec {
                    Codec::Lz4 => write!(f, "lz4-{level}")?,
                    Codec::Zlib => write!(f, "zlib-{level}")?,
                    _ => write!(f, "zstd-{level}")?,
                }
                f.write_str(match filter {
                    Filter::None => "-noshuffle",
                    Filter::Bitshuffle => "-bitshuffle",
                    Filter::Shuffle => "-shuffle",
                })
            }
            Pipeline::Pco(level) => write!(f, "pco-{level}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_as_they_are_printed() {
        for (name, printed) in [
            ("auto", "auto"),
            ("raw", "raw"),
            ("zstd", "zstd-3-shuffle"),
            ("zstd-9-bitshuffle", "zstd-9-bitshuffle"),
            ("lz4-noshuffle", "lz4-1-noshuffle"),
            ("zlib-9", "zlib-9-shuffle"),
            ("pco", "pco-8"),
        ] {
            let pipeline: Pipeline = name.parse().unwrap();
            assert_eq!(pipeline.to_string(), printed);
            assert_eq!(printed.parse::<Pipeline>().unwrap(), pipeline);
        }
        for name in [
            "",
            "gzip",
            "zstd-20",
            "zstd-shuffle-3",
            "zstd-3-4",
            "pco-8-shuffle",
            "lz4-13",
            "raw-1",
        ] {
            assert_eq!(name.parse::<Pipeline>().unwrap_err().code(), Code::Argument, "{name}");
        }
    }
}
