//! Where the elements of an array lie.

/// The elements' places in some bytes: element `(i, j, ...)` begins at
/// `origin + i * strides[0] + j * strides[1] + ...`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// Where element `(0, 0, ...)` begins.
    pub origin: usize,
    /// Bytes from one element to the next, per axis; may be negative or zero.
    pub strides: &'a [isize],
}

impl Strided<'_> {
    /// Whether every element of `itemsize` bytes lies within `len` bytes.
    pub fn fits(&self, shape: &[usize], itemsize: usize, len: usize) -> bool {
        if self.strides.len() != shape.len() {
            return false;
        }
        if shape.contains(&0) {
            return true;
        }
        let Some((low, high)) = byte_extent(shape, self.strides, itemsize) else {
            return false;
        };
        let origin = self.origin as u128;
        origin >= low as u128 && origin + high as u128 <= len as u128
    }
}

/// How far elements reach before and beyond the start of the first: `(before, beyond)` in bytes,
/// where `beyond` includes the item itself. `(0, 0)` for an empty array, `None` on overflow.
pub fn byte_extent(shape: &[usize], strides: &[isize], itemsize: usize) -> Option<(usize, usize)> {
    let (mut before, mut beyond) = (0usize, itemsize);
    for (&n, &stride) in shape.iter().zip(strides) {
        let Some(steps) = n.checked_sub(1) else { return Some((0, 0)) };
        let reach = steps.checked_mul(stride.unsigned_abs())?;
        let side = if stride < 0 { &mut before } else { &mut beyond };
        *side = side.checked_add(reach).filter(|&sum| sum <= isize::MAX as usize)?;
    }
    Some((before, beyond))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact() {
        let strided = |origin, strides| Strided { origin, strides };
        assert!(strided(0, &[24, 8]).fits(&[2, 3], 8, 48));
        assert!(!strided(0, &[24, 8]).fits(&[2, 3], 8, 47));
        assert!(strided(40, &[-24, -8]).fits(&[2, 3], 8, 48));
        assert!(!strided(39, &[-24, -8]).fits(&[2, 3], 8, 48));
        assert!(strided(0, &[0]).fits(&[usize::MAX], 8, 8));
        assert!(!strided(0, &[isize::MAX]).fits(&[usize::MAX], 8, 8));
        assert!(strided(0, &[isize::MIN, 8]).fits(&[0, 9], 8, 0));
        assert!(!strided(0, &[8]).fits(&[1, 1], 8, 8));
        assert!(strided(0, &[]).fits(&[], 8, 8));
    }
}
