//! Numbers by their distribution: pco's standalone format, which `pcodec` and numcodecs read.
//!
//! There is no checksum in it: damage that breaks no rule gives wrong numbers.

use ndbytes_format::{Code, FormatError};
use pco::ChunkConfig;
use pco::errors::{ErrorKind, PcoError};
use pco::standalone::{DecompressorItem, FileDecompressor, simple_compress};

/// What the bytes are; little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names are Rust's")]
pub enum Number {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
    F16,
    F32,
    F64,
}

impl Number {
    /// Every kind of number.
    pub const ALL: &'static [Number] = &[
        Number::U8,
        Number::U16,
        Number::U32,
        Number::U64,
        Number::I8,
        Number::I16,
        Number::I32,
        Number::I64,
        Number::F16,
        Number::F32,
        Number::F64,
    ];

    /// Bytes of one.
    pub const fn size(self) -> usize {
        match self {
            Number::U8 | Number::I8 => 1,
            Number::U16 | Number::I16 | Number::F16 => 2,
            Number::U32 | Number::I32 | Number::F32 => 4,
            Number::U64 | Number::I64 | Number::F64 => 8,
        }
    }
}

/// Calls a generic function with the Rust type of a [`Number`].
macro_rules! with_type {
    ($number:expr, $call:ident($($argument:expr),*)) => {
        match $number {
            Number::U8 => $call($($argument,)* u8::from_le_bytes, u8::to_le_bytes),
            Number::U16 => $call($($argument,)* u16::from_le_bytes, u16::to_le_bytes),
            Number::U32 => $call($($argument,)* u32::from_le_bytes, u32::to_le_bytes),
            Number::U64 => $call($($argument,)* u64::from_le_bytes, u64::to_le_bytes),
            Number::I8 => $call($($argument,)* i8::from_le_bytes, i8::to_le_bytes),
            Number::I16 => $call($($argument,)* i16::from_le_bytes, i16::to_le_bytes),
            Number::I32 => $call($($argument,)* i32::from_le_bytes, i32::to_le_bytes),
            Number::I64 => $call($($argument,)* i64::from_le_bytes, i64::to_le_bytes),
            Number::F16 => $call($($argument,)* half::f16::from_le_bytes, half::f16::to_le_bytes),
            Number::F32 => $call($($argument,)* f32::from_le_bytes, f32::to_le_bytes),
            Number::F64 => $call($($argument,)* f64::from_le_bytes, f64::to_le_bytes),
        }
    };
}

/// Appends `src`, compressed at a level of [`LEVELS`], to `out`.
///
/// # Errors
/// [`Code::Argument`] for another level or a part of a number; [`Code::TooManyBytes`] without
/// memory. `out` is then as it was.
pub fn encode(
    src: &[u8],
    number: Number,
    level: u32,
    out: &mut Vec<u8>,
) -> Result<(), FormatError> {
    if !LEVELS.contains(&level) {
        let message = format!("the level of pco must be 0 to 12, not {level}");
        return Err(FormatError::new(Code::Argument, message));
    }
    let bytes = with_type!(number, encode_as(src, level))?;
    out.try_reserve(bytes.len()).map_err(|_| no_memory())?;
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Decompresses `src` into `dst`, which it must fill.
///
/// # Errors
/// [`Code::Mismatch`] when more or fewer numbers come out, or numbers of another kind;
/// [`Code::CodecTrailing`]; [`Code::CodecTruncated`] and [`Code::CodecCorrupt`], which pco does not
/// always tell apart.
pub fn decode(src: &[u8], number: Number, dst: &mut [u8]) -> Result<(), FormatError> {
    with_type!(number, decode_as(src, dst))
}

fn encode_as<T: pco::data_types::Number, const N: usize>(
    src: &[u8],
    level: u32,
    from: fn([u8; N]) -> T,
    _: fn(T) -> [u8; N],
) -> Result<Vec<u8>, FormatError> {
    let (items, rest) = src.as_chunks::<N>();
    if !rest.is_empty() {
        let message = format!("{} bytes are no whole numbers of {N}", src.len());
        return Err(FormatError::new(Code::Argument, message));
    }
    let mut numbers = Vec::new();
    numbers.try_reserve_exact(items.len()).map_err(|_| no_memory())?;
    numbers.extend(items.iter().map(|item| from(*item)));
    let config =
        ChunkConfig::default().with_compression_level(level as usize).with_enable_8_bit(N == 1);
    simple_compress(&numbers, &config).map_err(fault)
}

fn decode_as<T: pco::data_types::Number, const N: usize>(
    src: &[u8],
    dst: &mut [u8],
    from: fn([u8; N]) -> T,
    to: fn(T) -> [u8; N],
) -> Result<(), FormatError> {
    let (items, rest) = dst.as_chunks_mut::<N>();
    if !rest.is_empty() {
        return Err(mismatch());
    }
    let (file, mut src) = FileDecompressor::new(src).map_err(fault)?;
    let mut left = items;
    let mut numbers: Vec<T> = Vec::new();
    loop {
        match file.peek_number_type_or_termination(src).map_err(fault)? {
            Some(kind) if kind != pco::data_types::NumberType::new::<T>() => {
                return Err(mismatch());
            }
            _ => {}
        }
        check_claims(src, N, file.format_version().major, left.len())?;
        let mut chunk = match file.chunk_decompressor::<T, _>(src).map_err(fault)? {
            DecompressorItem::Chunk(chunk) => chunk,
            DecompressorItem::EndOfData([]) => break,
            DecompressorItem::EndOfData(_) => {
                let message = "bytes follow the end of the pco stream";
                return Err(FormatError::new(Code::CodecTrailing, message));
            }
        };
        let n = chunk.n();
        let Some((these, others)) = left.split_at_mut_checked(n) else { return Err(mismatch()) };
        if numbers.len() < n {
            numbers.try_reserve(n - numbers.len()).map_err(|_| no_memory())?;
            numbers.resize(n, from([0; N]));
        }
        let progress = chunk.read(&mut numbers[..n]).map_err(fault)?;
        if progress.n_processed != n {
            return Err(FormatError::new(Code::CodecCorrupt, "the pco stream is damaged"));
        }
        these.iter_mut().zip(&numbers).for_each(|(item, number)| *item = to(*number));
        left = others;
        src = chunk.into_src();
    }
    if left.is_empty() { Ok(()) } else { Err(mismatch()) }
}

/// Refuses a chunk of more numbers than are wanted, and one whose metadata would have pco take memory
/// that neither its numbers nor its bytes account for: a dictionary, or a window to look back into
/// (pco's `format.md`). It takes these on trust, and up to 512 MiB, before it looks at the rest.
///
/// Bits are counted from the lowest. What is cut or no chunk is left for pco to tell.
fn check_claims(chunk: &[u8], size: usize, version: u8, most: usize) -> Result<(), FormatError> {
    let bits = |at: usize, n: usize| {
        (at..at + n).rev().try_fold(0usize, |bits, at| {
            Some(bits << 1 | usize::from(chunk.get(at / 8)? >> (at % 8) & 1))
        })
    };
    if chunk.first() == Some(&0) {
        return Ok(());
    }
    // The kind of number, how many there are, the mode.
    let (Some(count), Some(mode)) = (bits(8, 24), bits(32, 4)) else { return Ok(()) };
    let count = count + 1;
    if count > most {
        return Err(mismatch());
    }
    let delta_at = match mode {
        0 => 36,
        1 | 2 => 36 + 8 * size,
        3 => 44,
        _ => {
            let Some(entries) = bits(36, 25) else { return Ok(()) };
            let after = 64 + 8 * size * entries;
            if entries > count || after > 8 * chunk.len() {
                return Err(claims());
            }
            after
        }
    };
    // Before version 3 there was no window.
    if let (Some(2), Some(log)) = (bits(delta_at, 4), bits(delta_at + 4, 5))
        && version >= 3
        && 2usize << log > count.next_power_of_two().max(16)
    {
        return Err(claims());
    }
    Ok(())
}

fn fault(error: PcoError) -> FormatError {
    let code = match error.kind {
        ErrorKind::InsufficientData => Code::CodecTruncated,
        ErrorKind::InvalidArgument => Code::Argument,
        _ => Code::CodecCorrupt,
    };
    FormatError::new(code, format!("pco: {}", error.message))
}

#[cold]
fn mismatch() -> FormatError {
    FormatError::new(Code::Mismatch, "the pco stream holds other numbers than were asked for")
}

#[cold]
fn claims() -> FormatError {
    let message = "a chunk of the pco stream claims more memory than its numbers need";
    FormatError::new(Code::CodecCorrupt, message)
}

#[cold]
fn no_memory() -> FormatError {
    FormatError::new(Code::TooManyBytes, "there is no memory for pco")
}

/// The levels of pco, from fast to small. 8 is its default; over 9 little is gained.
pub const LEVELS: std::ops::RangeInclusive<u32> = 0..=12;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(number: Number, count: usize) -> Vec<u8> {
        let item = |i: usize| ((i * i / 7) as u64).to_le_bytes();
        (0..count).flat_map(|i| item(i)[..number.size()].to_vec()).collect()
    }

    #[test]
    fn every_number_comes_back_bit_by_bit() {
        for &number in Number::ALL {
            for count in [0, 1, 255, 256, 257, 300_000] {
                let data = sample(number, count);
                let mut packed = b"x".to_vec();
                encode(&data, number, 4, &mut packed).unwrap();
                let mut again = vec![0xaa; data.len()];
                decode(&packed[1..], number, &mut again).unwrap();
                assert!(again == data, "{number:?} {count}");
            }
        }
    }

    #[test]
    fn another_count_or_kind_is_refused() {
        let data = sample(Number::I32, 1000);
        let mut packed = Vec::new();
        encode(&data, Number::I32, 4, &mut packed).unwrap();
        for (number, len) in [
            (Number::I32, 3996),
            (Number::I32, 4004),
            (Number::I32, 0),
            (Number::I32, 3999),
            (Number::U32, 4000),
            (Number::F64, 4000),
        ] {
            let error = decode(&packed, number, &mut vec![0; len]).unwrap_err();
            assert_eq!(error.code(), Code::Mismatch, "{number:?} {len}");
        }
        packed.push(0);
        let error = decode(&packed, Number::I32, &mut vec![0; 4000]).unwrap_err();
        assert_eq!(error.code(), Code::CodecTrailing);
        for (level, len) in [(13, 4000), (4, 3999)] {
            let error = encode(&data[..len], Number::I32, level, &mut packed).unwrap_err();
            assert_eq!(error.code(), Code::Argument);
        }
    }

    #[test]
    fn what_a_chunk_claims_is_checked_before_pco_takes_it() {
        let chunk = |meta: u64, bytes: usize| {
            let mut chunk = vec![5, 0xe7, 0x03, 0];
            chunk.extend(meta.to_le_bytes());
            chunk.resize(bytes, 0);
            chunk
        };
        let check = |chunk: &[u8]| check_claims(chunk, 8, 4, 1000).map_err(|error| error.code());
        let corrupt = Err(Code::CodecCorrupt);
        assert_eq!(check(&chunk(0, 100)), Ok(()));
        assert_eq!(check_claims(&chunk(0, 100), 8, 4, 999).unwrap_err().code(), Code::Mismatch);
        // Dictionaries of as many entries as there are bytes for, and numbers.
        for (entries, bytes, told) in [
            (11, 8 + 88, Ok(())),
            (11, 8 + 87, corrupt),
            (1000, 9000, Ok(())),
            (1001, 9000, corrupt),
            ((1 << 25) - 1, 9000, corrupt),
        ] {
            assert_eq!(check(&chunk(4 | entries << 4, bytes)), told, "{entries} {bytes}");
        }
        // Windows of 1024 numbers and more, behind each mode.
        for (log, told) in [(9, Ok(())), (10, corrupt), (31, corrupt)] {
            let delta = 2 | log << 4;
            assert_eq!(check(&chunk(delta << 4, 100)), told, "{log}");
            assert_eq!(check(&chunk(3 | 0xff << 4 | delta << 12, 100)), told, "{log}");
            let mut based = chunk(1, 100);
            based[12..15].copy_from_slice(&(delta << 4).to_le_bytes()[..3]);
            assert_eq!(check(&based), told, "{log}");
            assert_eq!(check_claims(&chunk(delta << 4, 100), 8, 2, 1000).map_err(|_| 0), Ok(()));
        }
        for end in 0..20 {
            assert_eq!(check(&chunk(2 << 4, 100)[..end]), Ok(()), "{end}");
        }
        assert_eq!(check(&[0; 30]), Ok(()));
    }

    #[test]
    fn truncated_anywhere_is_reported_and_damage_never_panics() {
        let data = sample(Number::F64, 2000);
        let mut packed = Vec::new();
        encode(&data, Number::F64, 4, &mut packed).unwrap();
        let mut out = vec![0; data.len()];
        for end in 0..packed.len() {
            let error = decode(&packed[..end], Number::F64, &mut out).unwrap_err();
            assert!([Code::CodecTruncated, Code::CodecCorrupt].contains(&error.code()), "{end}");
        }
        for bit in 0..packed.len() * 8 {
            packed[bit / 8] ^= 1 << (bit % 8);
            let _ = decode(&packed, Number::F64, &mut out);
            packed[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
