//! Writing buffers.

use ndbytes_format::blosc::{HEADER_LEN, MAX_NBYTES, MAX_SPLIT_TYPESIZE, MIN_SPLIT_ITEMS};
use ndbytes_format::{Code, FormatError};
use ndbytes_mem::{bitshuffle, shuffle};

use super::pack::Packer;
use super::{BLOCK_SIZE, Codec, Compressor, Filter, Header, Options};

/// Encodes buffers one after another, without new memory once it has seen the largest block.
#[derive(Default)]
pub struct Encoder {
    packer: Packer,
    filtered: Vec<u8>,
    packed: Vec<u8>,
    trial: Vec<u8>,
}

impl Encoder {
    /// An encoder without memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes of memory that the encoder holds.
    pub fn nbytes(&self) -> usize {
        let rooms = [&self.filtered, &self.packed, &self.trial].map(Vec::capacity);
        rooms.iter().sum::<usize>() + self.packer.nbytes()
    }

    /// Appends the buffer of `src` to `out`. It is never larger than `src` by more than 16 bytes.
    ///
    /// # Errors
    /// [`Code::TooManyBytes`] for 2 GiB or more, [`Code::Argument`] for a level that the codec
    /// does not have, matches that zstd does not look for, or items of no bytes; `out` is then as
    /// it was.
    pub fn encode(
        &mut self,
        src: &[u8],
        options: &Options,
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        let options = &Options { split: self.split(src, options)?, ..*options };
        let mut header = plan(src.len(), options)?;
        self.packer.prepare(options)?;
        let start = out.len();
        if !header.stored && !self.blocks(src, &header, options, out)? {
            out.truncate(start);
            header.stored = true;
        }
        if header.stored {
            reserve(out, HEADER_LEN + src.len())?;
            out.extend_from_slice(&[0; HEADER_LEN]);
            out.extend_from_slice(src);
        }
        header.cbytes = (out.len() - start) as u32;
        out[start..start + HEADER_LEN].copy_from_slice(&header.encode());
        Ok(())
    }

    /// Whether to split, where the options leave that to what is found: planes of bits that are
    /// noise need no search where they are streams of their own, and where that makes nothing
    /// larger, it is many times as fast. The quick search shows it for what is in the middle.
    ///
    /// [`encode`](Self::encode) asks for it by itself; who encodes more that is alike asks once.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn split(&mut self, src: &[u8], options: &Options) -> Result<Option<bool>, FormatError> {
        let leaves_it = options.split.is_none() && options.block_size.is_none();
        let size = options.typesize;
        if !leaves_it || !options.searches_long() || options.filter != Filter::Bitshuffle {
            return Ok(options.split);
        }
        if !(2..=MAX_SPLIT_TYPESIZE).contains(&size) || !src.len().is_multiple_of(size) {
            return Ok(None);
        }
        let unit = 8 * size;
        let from = src.len().saturating_sub(SAMPLE) / 2 / unit * unit;
        let sample = &src[from..src.len().min(from + SAMPLE / unit * unit)];
        let mut trial = std::mem::take(&mut self.trial);
        let mut len = |split| {
            trial.clear();
            let options = Options { level: 1, split: Some(split), ..*options };
            self.encode(sample, &options, &mut trial).map(|()| trial.len())
        };
        let lens = len(false).and_then(|whole| Ok((whole, len(true)?)));
        self.trial = trial;
        let (whole, split) = lens?;
        Ok(Some(split <= whole + whole / 512))
    }

    /// Appends a header to be filled in, table and blocks; says whether they are smaller than the
    /// bytes would be.
    fn blocks(
        &mut self,
        src: &[u8],
        header: &Header,
        options: &Options,
        out: &mut Vec<u8>,
    ) -> Result<bool, FormatError> {
        let start = out.len();
        let most = start + src.len() + HEADER_LEN;
        let table = header.data_start();
        reserve(out, table)?;
        out.resize(start + table, 0);
        let block_size = header.block_size as usize;
        let typesize = usize::from(header.typesize);
        // The block before, and where it begins in `out`.
        let mut before: (&[u8], usize) = (&[], 0);
        for (index, block) in src.chunks(block_size).enumerate() {
            let begin = out.len();
            let entry = start + HEADER_LEN + 4 * index;
            out[entry..entry + 4].copy_from_slice(&((begin - start) as u32).to_le_bytes());
            let (like, from) = std::mem::replace(&mut before, (block, begin));
            if like == block {
                if !repeat(out, from, most)? {
                    return Ok(false);
                }
                continue;
            }
            let filtered = match header.filter {
                Filter::None => block,
                filter => {
                    grow(&mut self.filtered, block.len())?;
                    let filtered = &mut self.filtered[..block.len()];
                    match filter {
                        Filter::Bitshuffle => bitshuffle(filtered, block, typesize),
                        _ => shuffle(filtered, block, typesize),
                    }
                    filtered
                }
            };
            let stream_len = block.len() / header.stream_count(block.len());
            // The stream before, and where it begins: planes of signs are like one another.
            let mut before: (&[u8], usize) = (&[], 0);
            for stream in filtered.chunks(stream_len) {
                let (like, from) = std::mem::replace(&mut before, (stream, out.len()));
                if like == stream {
                    if !repeat(out, from, most)? {
                        return Ok(false);
                    }
                    continue;
                }
                if out.len() + 4 + stream.len() / 64 > most {
                    return Ok(false);
                }
                grow(&mut self.packed, self.packer.room(options.codec, stream.len()))?;
                let packed =
                    self.packer.pack(options.codec, options.level, stream, &mut self.packed)?;
                let bytes = packed.map_or(stream, |len| &self.packed[..len]);
                reserve(out, 4 + bytes.len())?;
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        }
        Ok(out.len() < most)
    }
}

/// The header of a buffer of so many bytes as they are, which follow it.
///
/// # Errors
/// As [`Encoder::encode`].
pub fn stored_header(nbytes: usize, typesize: usize) -> Result<[u8; HEADER_LEN], FormatError> {
    let mut header = plan(nbytes, &Options { codec: Codec::Raw, typesize, ..Default::default() })?;
    header.cbytes = (HEADER_LEN + nbytes) as u32;
    Ok(header.encode())
}

/// The header, as far as it is known beforehand.
fn plan(nbytes: usize, options: &Options) -> Result<Header, FormatError> {
    if nbytes > MAX_NBYTES as usize {
        let message = format!("a Blosc buffer holds at most {MAX_NBYTES} bytes, not {nbytes}");
        return Err(FormatError::new(Code::TooManyBytes, message));
    }
    if options.typesize == 0 {
        return Err(FormatError::new(Code::Argument, "items of 0 bytes cannot be encoded"));
    }
    let typesize = u8::try_from(options.typesize).unwrap_or(1);
    let size = usize::from(typesize);
    let filter = match options.filter {
        Filter::Shuffle if typesize == 1 => Filter::None,
        // C-Blosc2 loses the bytes after the last whole item, of c-blosc's buffers as well.
        Filter::Bitshuffle if !nbytes.is_multiple_of(size) => Filter::None,
        filter => filter,
    };
    // Whole items; whole eights of them where bits are turned, which c-blosc else leaves as is.
    let unit = if filter == Filter::Bitshuffle { 8 * size } else { size };
    // Planes differ more than neighbours in one do: each with tables of its own is smaller, and a
    // plane of noise is copied instead of searched. Planes of bits are too short for tables of
    // their own, and what LZ4 finds in one is often in the next. Unfiltered bytes have no planes.
    let can_split = (2..=MAX_SPLIT_TYPESIZE).contains(&size);
    let split = can_split && options.split.unwrap_or(filter == Filter::Shuffle);
    let even = || even_block_size(nbytes, most_of_a_block(options, filter, size, split), unit);
    let mut block_size = options.block_size.unwrap_or_else(even).max(MIN_NBYTES).min(nbytes);
    for unit in [unit, size] {
        if block_size > unit {
            block_size -= block_size % unit;
            break;
        }
    }
    let split = split && block_size / size >= MIN_SPLIT_ITEMS;
    Ok(Header {
        compressor: options.codec.compressor(),
        filter,
        split,
        stored: options.codec == Codec::Raw || nbytes < MIN_NBYTES,
        typesize,
        nbytes: nbytes as u32,
        block_size: block_size.max(1) as u32,
        cbytes: 0,
    })
}

/// The size of blocks that are alike, so that no large one is left over with a part of a unit, whose
/// bits would stay as they are.
fn even_block_size(nbytes: usize, most: usize, unit: usize) -> usize {
    let count = nbytes.div_ceil(most).max(1);
    if nbytes.is_multiple_of(unit) {
        nbytes.div_ceil(count).next_multiple_of(unit)
    } else {
        nbytes / count
    }
}

/// Bytes of a block unless told otherwise, at most.
fn most_of_a_block(options: &Options, filter: Filter, size: usize, split: bool) -> usize {
    let has_tables = !options.codec.is_without_tables();
    let is_zstd = options.codec.compressor() == Compressor::Zstd;
    match filter {
        // LZ4 reaches back 64 KiB in any of them, and what is stored is of one piece.
        Filter::None if !has_tables => 4 * BLOCK_SIZE,
        // Levels that search little find more in what is near.
        Filter::None if options.level <= 3 => BLOCK_SIZE,
        // More, with its filtered twin, would not fit the caches.
        Filter::Bitshuffle if has_tables && options.level <= 2 => 4 * BLOCK_SIZE,
        // In longer streams Zstandard looks for less at 4, by its own tables.
        Filter::Shuffle if is_zstd && split && options.level == 4 => size * BLOCK_SIZE,
        _ if has_tables => LARGE_BLOCK_SIZE,
        // Where numbers repeat within themselves, as decimals and fractions do, so do planes of
        // bits: LZ4 reaches back 64 KiB, and eight planes of items of four bytes are half that.
        Filter::Bitshuffle if size > 1 && !split => BLOCK_SIZE / 2,
        // Longer planes cost nothing where little is searched; those of one bit, little at any level.
        Filter::Bitshuffle if size > 1 => 4 * BLOCK_SIZE,
        Filter::Bitshuffle if options.level < 2 => BLOCK_SIZE,
        Filter::Shuffle if options.level < 3 => 4 * BLOCK_SIZE,
        // More than that takes longer, for who looks at much of what came before.
        _ => 2 * BLOCK_SIZE,
    }
}

/// Appends what begins at `from` once more, unless `out` would become longer than `most`; says whether.
fn repeat(out: &mut Vec<u8>, from: usize, most: usize) -> Result<bool, FormatError> {
    let len = out.len() - from;
    if out.len() + len > most {
        return Ok(false);
    }
    reserve(out, len)?;
    out.extend_from_within(from..);
    Ok(true)
}

/// Makes sure that `vec` has that length at least.
fn grow(vec: &mut Vec<u8>, len: usize) -> Result<(), FormatError> {
    if vec.len() < len {
        let more = len - vec.len();
        reserve(vec, more)?;
        vec.resize(len, 0);
    }
    Ok(())
}

fn reserve(vec: &mut Vec<u8>, more: usize) -> Result<(), FormatError> {
    vec.try_reserve(more).map_err(|_| {
        FormatError::new(Code::TooManyBytes, format!("there is no memory for {more} bytes"))
    })
}

/// Bytes that show whether planes of bits are better streams of their own.
const SAMPLE: usize = 1 << 17;
/// Where longer streams mean fewer tables of codes, which are most of what planes cost.
const LARGE_BLOCK_SIZE: usize = 1 << 22;
/// Less than this is stored, and blocks are no smaller, as in c-blosc.
const MIN_NBYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_alike_and_whole_where_bits_are_turned() {
        let header = |nbytes| {
            let filter = Filter::Bitshuffle;
            plan(
                nbytes,
                &Options {
                    codec: Codec::Zlib,
                    filter,
                    typesize: 4,
                    level: 1,
                    ..Default::default()
                },
            )
            .unwrap()
        };
        for nbytes in
            [128, 132, 4096, 472_392, 472_384, 1 << 20, 5 << 20, (5 << 20) + 4, (9 << 20) + 20]
        {
            let header = header(nbytes);
            let size = header.block_size as usize;
            assert!(size.is_multiple_of(32), "{nbytes}: {size}");
            let last = nbytes % size;
            // A part of a unit is in a block that is hardly larger.
            let small = 32 * (nbytes / size + 1);
            assert!(last < small || last.is_multiple_of(32), "{nbytes}: {size}, {last}");
        }
    }
}
