//! Shapes, orders and strides: checked arithmetic only.

use std::fmt;

use crate::error::{Code, FormatError, Result};

/// The order in which elements follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Last axis fastest.
    #[default]
    C,
    /// First axis fastest (Fortran).
    F,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Order::C => "C",
            Order::F => "F",
        })
    }
}

/// The number of elements of an array of this shape; 1 for the empty shape.
///
/// # Errors
/// [`Code::SizeOverflow`] when it does not fit `usize`.
pub fn element_count(shape: &[usize]) -> Result<usize> {
    if shape.contains(&0) {
        return Ok(0);
    }
    shape.iter().try_fold(1usize, |count, &n| count.checked_mul(n)).ok_or_else(|| too_big(shape, 1))
}

/// The number of bytes of an array of this shape.
///
/// # Errors
/// [`Code::SizeOverflow`] when the product of the dimensions that are not zero and the item size
/// does not fit `isize`: NumPy could not hold such an array either, even where it is empty.
pub fn nbytes(shape: &[usize], itemsize: usize) -> Result<usize> {
    let nonzero = shape.iter().filter(|&&n| n != 0);
    nonzero
        .clone()
        .try_fold(itemsize.max(1), |bytes, &n| bytes.checked_mul(n))
        .filter(|&bytes| bytes <= isize::MAX as usize)
        .ok_or_else(|| too_big(shape, itemsize))?;
    Ok(element_count(shape)? * itemsize)
}

/// The strides in bytes of a contiguous array.
///
/// The caller has checked the size by [`nbytes`]; strides of empty arrays are those that the
/// dimensions would give with 1 for 0, as in NumPy.
pub fn strides(shape: &[usize], itemsize: usize, order: Order) -> Vec<isize> {
    let mut strides = vec![0; shape.len()];
    let mut step = itemsize;
    let mut place = |axis: usize| {
        strides[axis] = step as isize;
        step = step.saturating_mul(shape[axis].max(1));
    };
    match order {
        Order::C => (0..shape.len()).rev().for_each(&mut place),
        Order::F => (0..shape.len()).for_each(&mut place),
    }
    strides
}

/// Whether elements lie one after another in this order; NumPy's `flags.c_contiguous` and
/// `flags.f_contiguous`: axes of length 1 do not count, empty arrays always are.
pub fn is_contiguous(shape: &[usize], strides: &[isize], itemsize: usize, order: Order) -> bool {
    if shape.contains(&0) {
        return true;
    }
    let mut step = itemsize as isize;
    let mut fits = |axis: usize| {
        let n = shape[axis];
        if n == 1 {
            return true;
        }
        let fits = strides[axis] == step;
        step = step.saturating_mul(n as isize);
        fits
    };
    match order {
        Order::C => (0..shape.len()).rev().all(&mut fits),
        Order::F => (0..shape.len()).all(&mut fits),
    }
}

#[cold]
fn too_big(shape: &[usize], itemsize: usize) -> FormatError {
    FormatError::new(
        Code::SizeOverflow,
        format!(
            "an array of shape `{shape:?}` with {itemsize}-byte items does not fit the address space"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overflow_is_found_even_behind_a_zero() {
        assert_eq!(nbytes(&[0, 5], 8).unwrap(), 0);
        assert!(nbytes(&[0, 1 << 62, 8], 8).is_err());
        assert!(nbytes(&[usize::MAX, 2], 1).is_err());
        assert!(nbytes(&[1 << 63], 1).is_err());
        assert_eq!(nbytes(&[], 8).unwrap(), 8);
        assert_eq!(nbytes(&[5, 7], 0).unwrap(), 0);
    }

    #[test]
    fn contiguity_is_numpys() {
        assert_eq!(strides(&[2, 3], 8, Order::C), [24, 8]);
        assert_eq!(strides(&[2, 3], 8, Order::F), [8, 16]);
        assert!(is_contiguous(&[1, 3], &[999, 8], 8, Order::C));
        assert!(is_contiguous(&[3, 1], &[8, -1], 8, Order::F));
        assert!(is_contiguous(&[0, 3], &[7, 7], 8, Order::C));
        assert!(!is_contiguous(&[2, 3], &[8, 16], 8, Order::C));
        assert!(!is_contiguous(&[3], &[-8], 8, Order::C));
        assert!(is_contiguous(&[], &[], 8, Order::F));
    }
}
