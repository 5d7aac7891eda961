//! What the fast paths must equal, slow and obvious.

use ndbytes::{Dtype, Kind, Order};

use crate::arrays::Case;

/// The elements' bytes in this order, one element at a time, by index.
pub fn tobytes(case: &Case, order: Order) -> Vec<u8> {
    let mut out = Vec::new();
    let count: usize = case.shape.iter().product();
    if case.dtype.itemsize() == 0 {
        return out;
    }
    for flat in 0..count {
        out.extend(item(case, &index(flat, &case.shape, order)));
    }
    out
}

/// The place of an element that is number `flat` in this order.
pub fn index(flat: usize, shape: &[usize], order: Order) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    let mut rest = flat;
    let mut take = |axis: usize| {
        index[axis] = rest % shape[axis];
        rest /= shape[axis];
    };
    match order {
        Order::C => (0..shape.len()).rev().for_each(&mut take),
        Order::F => (0..shape.len()).for_each(&mut take),
    }
    index
}

/// One element's bytes, with zeros where no field is.
pub fn item(case: &Case, index: &[usize]) -> Vec<u8> {
    let mut at = case.origin as isize;
    for (&i, &stride) in index.iter().zip(&case.strides) {
        at += i as isize * stride;
    }
    let at = at as usize;
    let bytes = &case.bytes[at..at + case.dtype.itemsize()];
    bytes
        .iter()
        .enumerate()
        .map(|(offset, &byte)| if is_used(&case.dtype, offset) { byte } else { 0 })
        .collect()
}

/// Whether the byte at this offset of an element belongs to a field.
pub fn is_used(dtype: &Dtype, offset: usize) -> bool {
    match dtype.kind() {
        Kind::Struct(_) => dtype.fields().unwrap_or_default().iter().any(|field| {
            offset >= field.offset
                && offset < field.offset + field.dtype.itemsize()
                && is_used(&field.dtype, offset - field.offset)
        }),
        Kind::Subarray(subarray) => is_used(&subarray.base, offset % subarray.base.itemsize()),
        _ => true,
    }
}
