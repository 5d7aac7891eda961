//! `ndarray` arrays.

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn, ShapeBuilder};
use ndbytes_format::{ByteOrder, Code, Dtype, Kind, Order};

use crate::array::{Array, ArrayView};
use crate::error::{Error, Result};

/// A Rust type with a dtype of its own.
///
/// Implemented for bool and the integers and floats of Rust; sealed, because its bytes are read as
/// values.
pub trait Element: Copy + sealed::Sealed {
    /// Its dtype, in this machine's byte order.
    fn dtype() -> Dtype;

    /// The value of these bytes, in this machine's order.
    #[doc(hidden)]
    fn from_bytes(bytes: &[u8]) -> Self;

    /// Appends the value's bytes, in this machine's order.
    #[doc(hidden)]
    fn put_bytes(self, bytes: &mut Vec<u8>);
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($type:ty: $kind:ident),*) => {$(
        impl sealed::Sealed for $type {}

        impl Element for $type {
            fn dtype() -> Dtype {
                dtype(Kind::$kind, size_of::<$type>())
            }

            fn from_bytes(bytes: &[u8]) -> Self {
                let mut array = [0; size_of::<$type>()];
                array.copy_from_slice(bytes);
                Self::from_ne_bytes(array)
            }

            fn put_bytes(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_ne_bytes());
            }
        }
    )*};
}

elements!(i8: Int, i16: Int, i32: Int, i64: Int, u8: Uint, u16: Uint, u32: Uint, u64: Uint, f32: Float, f64: Float);

impl sealed::Sealed for bool {}

impl Element for bool {
    fn dtype() -> Dtype {
        dtype(Kind::Bool, 1)
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        bytes != [0]
    }

    fn put_bytes(self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self));
    }
}

impl Array {
    /// The array of an `ndarray` of any layout, in C order, or F where it is F-contiguous.
    ///
    /// # Errors
    /// [`Code::Io`] without memory for the copy.
    pub fn from_ndarray<T: Element, S: Data<Elem = T>, D: Dimension>(
        array: &ArrayBase<S, D>,
    ) -> Result<Self> {
        let fortran = !array.is_standard_layout() && array.t().is_standard_layout();
        let order = if fortran { Order::F } else { Order::C };
        let header = ndbytes_format::Header::new(T::dtype(), order, array.shape().to_vec())?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(header.nbytes()).map_err(std::io::Error::from)?;
        match fortran {
            true => array.t().iter().for_each(|&value| value.put_bytes(&mut bytes)),
            false => array.iter().for_each(|&value| value.put_bytes(&mut bytes)),
        }
        let mut out = Self::zeroed(header)?;
        out.bytes_mut().copy_from_slice(&bytes);
        Ok(out)
    }

    /// An `ndarray` of this array's values.
    ///
    /// # Errors
    /// As [`ArrayView::to_ndarray`].
    pub fn to_ndarray<T: Element>(&self) -> Result<ArrayD<T>> {
        self.view().to_ndarray()
    }
}

impl ArrayView<'_> {
    /// An `ndarray` of this array's values, in its storage order. Either byte order is read.
    ///
    /// # Errors
    /// [`Code::Mismatch`] when the dtype is not that of `T`; nothing is converted.
    pub fn to_ndarray<T: Element>(&self) -> Result<ArrayD<T>> {
        let expected = T::dtype();
        if self.dtype().with_byte_order(ByteOrder::NATIVE) != expected {
            let message = format!("expected dtype `{expected}`, got `{}`", self.dtype());
            return Err(Error::new(Code::Mismatch, message));
        }
        let order = self.storage_order();
        let mut bytes = self.to_vec(order)?;
        if *self.dtype() != expected {
            ndbytes_mem::swap_bytes(
                &mut bytes,
                expected.itemsize(),
                &ndbytes_format::swap_units(&expected),
            );
        }
        let values: Vec<T> = bytes.chunks_exact(expected.itemsize()).map(T::from_bytes).collect();
        let shape = IxDyn(self.shape()).set_f(order == Order::F);
        ArrayD::from_shape_vec(shape, values)
            .map_err(|error| Error::new(Code::Mismatch, error.to_string()))
    }
}

fn dtype(kind: Kind, itemsize: usize) -> Dtype {
    match Dtype::scalar(kind, ByteOrder::NATIVE, itemsize) {
        Ok(dtype) => dtype,
        // Called with the sizes of Rust's own types alone, all of which exist.
        Err(_) => unreachable!("every primitive type has a dtype"),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, Slice, arr0};

    use super::*;
    use crate::{Limits, dumps, loads};

    #[test]
    fn any_layout_comes_back() {
        let base = Array2::from_shape_fn((4, 6), |(i, j)| (i * 10 + j) as f32);
        for view in [base.view(), base.t(), base.slice_axis(Axis(1), Slice::new(0, None, -2))] {
            let npy = dumps(&Array::from_ndarray(&view).unwrap().view()).unwrap();
            let again = loads(&npy, &Limits::default()).unwrap().to_ndarray::<f32>().unwrap();
            assert_eq!(again, view.into_dyn());
        }
        let zero_d = Array::from_ndarray(&arr0(true)).unwrap();
        assert_eq!(zero_d.to_ndarray::<bool>().unwrap(), arr0(true).into_dyn());
    }

    #[test]
    fn nothing_is_converted_but_the_byte_order() {
        let bytes = 5i32.to_be_bytes();
        let view = ArrayView::contiguous(">i4".parse().unwrap(), &[1], Order::C, &bytes).unwrap();
        assert_eq!(view.to_ndarray::<i32>().unwrap()[0], 5);
        assert_eq!(view.to_ndarray::<u32>().unwrap_err().code(), Code::Mismatch);
    }
}
