//! Bytes of an element that hold no value, and those that hold numbers.

use crate::dtype::{ByteOrder, Dtype, Kind};

/// A run of bytes within an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it begins, from the start of the element.
    pub offset: usize,
    /// Its bytes.
    pub len: usize,
}

/// The gaps between fields, in order, merged: bytes that belong to no field.
///
/// `numpy.save` writes whatever memory holds there. We write zeros.
pub fn padding_spans(dtype: &Dtype) -> Vec<Span> {
    if !dtype.any(&|part| matches!(part.kind(), Kind::Struct(_))) {
        return Vec::new();
    }
    let mut used = Vec::new();
    used_spans(dtype, 0, &mut used);
    used.sort_by_key(|span| span.offset);
    let mut gaps = Vec::new();
    let mut end = 0;
    for span in used {
        if span.offset > end {
            gaps.push(Span { offset: end, len: span.offset - end });
        }
        end = end.max(span.offset + span.len);
    }
    if dtype.itemsize() > end {
        gaps.push(Span { offset: end, len: dtype.itemsize() - end });
    }
    gaps
}

fn used_spans(dtype: &Dtype, at: usize, used: &mut Vec<Span>) {
    match dtype.kind() {
        Kind::Struct(_) => {
            for field in dtype.fields().unwrap_or_default() {
                used_spans(&field.dtype, at + field.offset, used);
            }
        }
        Kind::Subarray(subarray) if has_gaps(&subarray.base) => {
            let size = subarray.base.itemsize();
            for i in 0..dtype.itemsize() / size {
                used_spans(&subarray.base, at + i * size, used);
            }
        }
        _ => used.push(Span { offset: at, len: dtype.itemsize() }),
    }
}

fn has_gaps(dtype: &Dtype) -> bool {
    dtype.itemsize() > 0 && !padding_spans(dtype).is_empty()
}

/// The numbers within an element whose bytes turn around when the byte order does: each `len` is
/// the size of one number.
pub fn swap_units(dtype: &Dtype) -> Vec<Span> {
    let mut units = Vec::new();
    collect_units(dtype, 0, &mut units);
    units
}

fn collect_units(dtype: &Dtype, at: usize, units: &mut Vec<Span>) {
    let size = dtype.itemsize();
    let width = match dtype.kind() {
        Kind::Struct(_) => {
            for field in dtype.fields().unwrap_or_default() {
                collect_units(&field.dtype, at + field.offset, units);
            }
            return;
        }
        Kind::Subarray(subarray) => {
            let base = subarray.base.itemsize();
            for i in 0..size.checked_div(base).unwrap_or(0) {
                collect_units(&subarray.base, at + i * base, units);
            }
            return;
        }
        _ if dtype.byte_order() == ByteOrder::NotApplicable => return,
        Kind::Complex | Kind::ComplexLongDouble => size / 2,
        Kind::Extended(extended) if extended.as_str().contains("complex") => size / 2,
        Kind::Str => 4,
        _ => size,
    };
    if width > 1 {
        units.extend((0..size / width).map(|i| Span { offset: at + i * width, len: width }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(found: Vec<Span>) -> Vec<(usize, usize)> {
        found.into_iter().map(|span| (span.offset, span.len)).collect()
    }

    #[test]
    fn gaps_are_found_at_every_depth() {
        let gaps = |text: &str| spans(padding_spans(&text.parse().unwrap()));
        assert_eq!(gaps("<f8"), []);
        assert_eq!(gaps("|V8"), []);
        assert_eq!(gaps("[('', '|V8')]"), [(0, 8)]);
        assert_eq!(
            gaps("[('a', '|u1'), ('', '|V7'), ('b', '<f8'), ('', '|V4')]"),
            [(1, 7), (16, 4)]
        );
        assert_eq!(gaps("[('x', [('a', '|u1'), ('', '|V3')], (2,))]"), [(1, 3), (5, 3)]);
    }

    #[test]
    fn only_numbers_turn_around() {
        let units = |text: &str| spans(swap_units(&text.parse().unwrap()));
        assert_eq!(units("<c16"), [(0, 8), (8, 8)]);
        assert_eq!(units("<U2"), [(0, 4), (4, 4)]);
        assert_eq!(units("|S9"), []);
        assert_eq!(units("[('a', '|u1'), ('b', '<i2', (2,))]"), [(1, 2), (3, 2)]);
    }
}
