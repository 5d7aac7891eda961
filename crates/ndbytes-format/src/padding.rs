//! Bytes of an element that hold no value, and those that hold numbers.

use crate::dtype::{ByteOrder, Dtype, Kind};
use crate::error::{Code, FormatError, Result};

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
///
/// There may be half as many as the element has bytes, and a header can describe a huge element:
/// ask only when there is such an element at hand.
pub fn padding_spans(dtype: &Dtype) -> Vec<Span> {
    if !dtype.any(&|part| matches!(part.kind(), Kind::Struct(_))) {
        return Vec::new();
    }
    let mut gaps = Vec::new();
    let mut end = 0;
    for span in used_spans(dtype) {
        if span.offset > end {
            gaps.push(Span { offset: end, len: span.offset - end });
        }
        end = span.offset + span.len;
    }
    if dtype.itemsize() > end {
        gaps.push(Span { offset: end, len: dtype.itemsize() - end });
    }
    gaps
}

/// The runs of bytes that belong to some field, in order and merged. Each part of a dtype is
/// looked at once, however deep it is nested.
fn used_spans(dtype: &Dtype) -> Vec<Span> {
    let size = dtype.itemsize();
    let shifted = |spans: &[Span], by: usize| {
        spans.iter().map(|span| Span { offset: by + span.offset, ..*span }).collect::<Vec<_>>()
    };
    match dtype.kind() {
        Kind::Struct(_) => {
            let fields = dtype.fields().unwrap_or_default();
            let mut used: Vec<Span> = fields
                .iter()
                .flat_map(|field| shifted(&used_spans(&field.dtype), field.offset))
                .collect();
            used.sort_by_key(|span| span.offset);
            merged(used)
        }
        Kind::Subarray(subarray) if size > 0 => {
            let (base, step) = (used_spans(&subarray.base), subarray.base.itemsize());
            match base[..] {
                [Span { offset: 0, len }] if len == step => vec![Span { offset: 0, len: size }],
                [] => Vec::new(),
                _ => merged((0..size / step).flat_map(|i| shifted(&base, i * step)).collect()),
            }
        }
        _ if size == 0 => Vec::new(),
        _ => vec![Span { offset: 0, len: size }],
    }
}

/// Joins runs that touch or overlap; they are sorted by offset.
fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.offset <= last.offset + last.len => {
                last.len = last.len.max(span.offset + span.len - last.offset);
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// The numbers within an element whose bytes turn around when the byte order does: each `len` is
/// the size of one number.
///
/// There is one for every number: as with [`padding_spans`], have the element first.
pub fn swap_units(dtype: &Dtype) -> Vec<Span> {
    let mut units = Vec::new();
    collect_units(dtype, 0, ByteOrder::NotApplicable, &mut units);
    units
}

/// The numbers among [`swap_units`] that are not in this byte order yet.
///
/// # Errors
/// [`Code::UnsupportedDtype`] where fields overlap: what belongs to two numbers cannot be turned
/// for both.
pub fn swap_units_to(dtype: &Dtype, order: ByteOrder) -> Result<Vec<Span>> {
    let mut units = Vec::new();
    collect_units(dtype, 0, order, &mut units);
    units.sort_by_key(|unit| unit.offset);
    match units.windows(2).find(|pair| pair[0].offset + pair[0].len > pair[1].offset) {
        None => Ok(units),
        Some(pair) => Err(FormatError::new(
            Code::UnsupportedDtype,
            format!(
                "fields overlap at byte {}: their byte order cannot be changed",
                pair[1].offset
            ),
        )),
    }
}

/// Collects all numbers but those in the order `done`.
fn collect_units(dtype: &Dtype, at: usize, done: ByteOrder, units: &mut Vec<Span>) {
    let size = dtype.itemsize();
    let width = match dtype.kind() {
        Kind::Struct(_) => {
            for field in dtype.fields().unwrap_or_default() {
                collect_units(&field.dtype, at + field.offset, done, units);
            }
            return;
        }
        Kind::Subarray(subarray) => {
            let base = subarray.base.itemsize();
            for i in 0..size.checked_div(base).unwrap_or(0) {
                collect_units(&subarray.base, at + i * base, done, units);
            }
            return;
        }
        _ if [done, ByteOrder::NotApplicable].contains(&dtype.byte_order()) => return,
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
    fn overlapping_fields_leave_only_what_none_of_them_uses() {
        let dtype = "{'names': ['a', 'b', 'c'], 'formats': ['<i4', '|u1', '<i2'], \
                     'offsets': [0, 1, 9], 'itemsize': 12}";
        assert_eq!(spans(padding_spans(&dtype.parse().unwrap())), [(4, 5), (11, 1)]);
    }

    /// Every level once looked at its insides twice: 2^30 times here.
    #[test]
    fn deep_nesting_takes_no_exponential_time() {
        let mut text = "[('a', '|u1'), ('', '|V1')]".to_owned();
        for _ in 0..30 {
            text = format!("[('a', {text}, (1,))]");
        }
        assert_eq!(spans(padding_spans(&text.parse().unwrap())), [(1, 1)]);
    }

    #[test]
    fn only_numbers_turn_around() {
        let units = |text: &str| spans(swap_units(&text.parse().unwrap()));
        assert_eq!(units("<c16"), [(0, 8), (8, 8)]);
        assert_eq!(units("<U2"), [(0, 4), (4, 4)]);
        assert_eq!(units("|S9"), []);
        assert_eq!(units("[('a', '|u1'), ('b', '<i2', (2,))]"), [(1, 2), (3, 2)]);
    }

    #[test]
    fn numbers_in_the_right_order_stay() {
        let units = |text: &str| {
            swap_units_to(&text.parse().unwrap(), ByteOrder::Big).map(spans).map_err(|e| e.code())
        };
        assert_eq!(units(">f8"), Ok(vec![]));
        assert_eq!(units("<c8"), Ok(vec![(0, 4), (4, 4)]));
        assert_eq!(units("[('a', '>i2'), ('b', '<i4'), ('c', '|u1')]"), Ok(vec![(2, 4)]));
        let overlapping = "{'names': ['a', 'b'], 'formats': ['<i4', '<i2'], 'offsets': [0, 2], \
                           'itemsize': 4}";
        assert_eq!(units(overlapping), Err(Code::UnsupportedDtype));
    }
}
