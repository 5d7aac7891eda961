//! Numbers as the bytes that they are.

/// Types of which any bytes are a value, and all bytes belong to one.
///
/// # Safety
/// The type has no padding and no invalid bit pattern.
pub unsafe trait Plain: Copy + 'static {}

macro_rules! plain {
    ($($type:ty),*) => {$(
        // SAFETY: Rust's integers and floats have no padding, and any bits are a value.
        unsafe impl Plain for $type {}
    )*};
}

plain!(i8, i16, i32, i64, u8, u16, u32, u64, f32, f64);

/// The bytes of values, in this machine's order.
pub fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: the slice's memory is valid for its size in bytes, which are all initialised, since
    // the type has no padding; u8 has no alignment. The borrow is the slice's.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The bytes of values, to be written to.
pub fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: as in `bytes_of`; whatever is written is a value. The borrow is the slice's, and
    // exclusive.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_their_bytes_are_one() {
        let mut values = [1.5f64, -2.0];
        assert_eq!(bytes_of(&values)[..8], 1.5f64.to_ne_bytes());
        bytes_of_mut(&mut values)[8..].copy_from_slice(&7.0f64.to_ne_bytes());
        assert_eq!(values, [1.5, 7.0]);
        assert!(bytes_of::<u32>(&[]).is_empty());
    }
}
