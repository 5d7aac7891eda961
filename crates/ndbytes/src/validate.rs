//! Bytes that are no value of their dtype.

use ndbytes_format::{ByteOrder, Code, Dtype, Kind};

use crate::error::{Error, Result};
use crate::progress::Meter;

/// Checks that every bool is 0 or 1 and every character of a `U` string a code point that Python
/// has (up to 10FFFF; surrogates are, as in Python).
///
/// NumPy loads such bytes and fails, or worse, when they are used.
///
/// # Errors
/// [`Code::DataInvalid`] with the offset in `bytes`.
pub fn validate(dtype: &Dtype, bytes: &[u8]) -> Result<()> {
    match dtype.kind() {
        Kind::Bool => return bools(bytes, 0),
        Kind::Str => return chars(bytes, dtype.byte_order(), 0),
        _ => {}
    }
    if bytes.is_empty() || !dtype.any(&|part| matches!(part.kind(), Kind::Bool | Kind::Str)) {
        return Ok(());
    }
    let size = dtype.itemsize();
    let mut leaves = Vec::new();
    let few = find_leaves(dtype, 0, &mut leaves);
    let piece = (PIECE / size).max(1) * size;
    for (i, items) in bytes.chunks(piece).enumerate() {
        if few && leaves.iter().all(|leaf| leaf.is_valid(items, size)) {
            continue;
        }
        for (j, item) in items.chunks_exact(size).enumerate() {
            validate_item(dtype, item, i * piece + j * size)?;
        }
    }
    Ok(())
}

/// Bytes of an item that must be checked.
struct Leaf {
    at: usize,
    len: usize,
    /// Characters in this order; bools without.
    chars: Option<ByteOrder>,
}

impl Leaf {
    /// Whether these bytes of all items are values: one pass, without a place.
    fn is_valid(&self, items: &[u8], size: usize) -> bool {
        let mut own = items.chunks_exact(size).map(|item| &item[self.at..self.at + self.len]);
        match self.chars {
            None if self.len == 1 => own.fold(0, |all, part| all | part[0]) <= 1,
            None => own.all(|part| bools(part, 0).is_ok()),
            Some(order) => own.all(|part| chars(part, order, 0).is_ok()),
        }
    }
}

/// Finds what must be checked of an item; says whether that is little enough to go through all items
/// for each.
fn find_leaves(dtype: &Dtype, at: usize, leaves: &mut Vec<Leaf>) -> bool {
    let (base, fields) = match dtype.kind() {
        Kind::Subarray(subarray) => (&subarray.base, None),
        _ => (dtype, dtype.fields()),
    };
    let chars = match base.kind() {
        Kind::Bool => None,
        Kind::Str => Some(base.byte_order()),
        Kind::Subarray(_) | Kind::Struct(_) => {
            let size = base.itemsize().max(1);
            return match fields {
                Some(fields) => {
                    fields.iter().all(|field| find_leaves(&field.dtype, at + field.offset, leaves))
                }
                None => {
                    (0..dtype.itemsize() / size).all(|i| find_leaves(base, at + i * size, leaves))
                }
            };
        }
        _ => return true,
    };
    leaves.push(Leaf { at, len: dtype.itemsize(), chars });
    leaves.len() <= FEW
}

/// As [`validate`], of bytes that are done already, so that the work can still be ended.
pub(crate) fn validate_measured(dtype: &Dtype, bytes: &[u8], meter: &Meter) -> Result<()> {
    if !meter.is_heard() {
        return validate(dtype, bytes);
    }
    let size = meter.items(bytes.len(), dtype.itemsize());
    bytes.chunks(size).enumerate().try_for_each(|(i, piece)| {
        validate(dtype, piece).map_err(|error| error.shifted((i * size) as u64))?;
        meter.add(0)
    })
}

fn validate_item(dtype: &Dtype, item: &[u8], at: usize) -> Result<()> {
    match dtype.kind() {
        Kind::Bool => bools(item, at),
        Kind::Str => chars(item, dtype.byte_order(), at),
        Kind::Struct(_) => dtype.fields().unwrap_or_default().iter().try_for_each(|field| {
            let part = &item[field.offset..field.offset + field.dtype.itemsize()];
            validate_item(&field.dtype, part, at + field.offset)
        }),
        Kind::Subarray(subarray) if subarray.base.itemsize() > 0 => {
            let size = subarray.base.itemsize();
            let parts = item.chunks_exact(size).enumerate();
            parts
                .into_iter()
                .try_for_each(|(i, part)| validate_item(&subarray.base, part, at + i * size))
        }
        _ => Ok(()),
    }
}

fn bools(bytes: &[u8], at: usize) -> Result<()> {
    // One pass without branches; the place is looked for only when there is one.
    if bytes.iter().fold(0, |all, &b| all | b) <= 1 {
        return Ok(());
    }
    let bad = bytes.iter().position(|&b| b > 1).unwrap_or(0);
    let message =
        format!("byte {} is no bool: it must be 0 or 1; read it as `uint8` instead", bytes[bad]);
    Err(Error::new(Code::DataInvalid, message).at((at + bad) as u64))
}

fn chars(bytes: &[u8], order: ByteOrder, at: usize) -> Result<()> {
    let (chars, _) = bytes.as_chunks::<4>();
    let code = |&c: &[u8; 4]| match order {
        ByteOrder::Big => u32::from_be_bytes(c),
        _ => u32::from_le_bytes(c),
    };
    if chars.iter().map(code).fold(0, u32::max) <= MAX_CHAR {
        return Ok(());
    }
    let bad = chars.iter().position(|c| code(c) > MAX_CHAR).unwrap_or(0);
    let message = format!(
        "`{:#x}` is no code point: at most 0x10ffff; is the byte order right?",
        code(&chars[bad])
    );
    Err(Error::new(Code::DataInvalid, message).at((at + bad * 4) as u64))
}

const MAX_CHAR: u32 = 0x10_ffff;
/// Parts of an item for each of which all items are gone through.
const FEW: usize = 16;
/// Bytes that are gone through, so that they are in the cache the next time.
const PIECE: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_values_are_found_where_they_are() {
        let offset = |dtype: &str, bytes: &[u8]| {
            validate(&dtype.parse().unwrap(), bytes).err().map(|error| error.offset().unwrap())
        };
        assert_eq!(offset("?", &[0, 1, 1]), None);
        assert_eq!(offset("?", &[0, 1, 2]), Some(2));
        assert_eq!(offset("<U1", &[0xff, 0xff, 0x10, 0]), None);
        assert_eq!(offset("<U1", &[0, 0, 0, 0, 0, 0, 0x11, 0]), Some(4));
        assert_eq!(offset(">U1", &[0, 0x10, 0xff, 0xff]), None);
        assert_eq!(offset(">U1", &[b'a', 0, 0, 0]), Some(0));
        assert_eq!(offset("[('a', '|u1'), ('b', '|b1', (2,))]", &[9, 0, 1, 9, 1, 3]), Some(5));
        assert_eq!(offset("|u1", &[255]), None);
        let nested = "[('a', [('b', '|b1'), ('c', '|u1')], (2,)), ('d', '<U1')]";
        let mut items = [1, 9, 0, 9, 0x61, 0, 0, 0].repeat(5000);
        assert_eq!(offset(nested, &items), None);
        items[8 * 4321 + 2] = 2;
        assert_eq!(offset(nested, &items), Some(8 * 4321 + 2));
        items[8 * 4321 + 2] = 1;
        items[8 * 4999 + 6] = 0x11;
        assert_eq!(offset(nested, &items), Some(8 * 4999 + 4));
        let many = "[('a', [('b', '|b1'), ('c', '|u1')], (20,))]";
        assert_eq!(offset(many, &[1, 9].repeat(60)), None);
        assert_eq!(offset(many, &[1, 9, 2, 9].repeat(30)), Some(2));
    }
}
