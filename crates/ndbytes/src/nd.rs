//! `ndarray` arrays.

use std::borrow::Cow;

use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn, ShapeBuilder};
use ndbytes_format::{ByteOrder, Code, Dtype, Kind, Order};
use ndbytes_mem::{bytes_of, bytes_of_mut};

use crate::array::{Array, ArrayView};
use crate::error::{Error, Result};

/// A Rust type with a dtype of its own.
///
/// Implemented for bool and the integers and floats of Rust; sealed, because its bytes are read as
/// values.
pub trait Element: Copy + sealed::Sealed {
    /// Its dtype, in this machine's byte order.
    fn dtype() -> Dtype;

    /// The values of a view whose dtype this is, in either byte order.
    #[doc(hidden)]
    fn values(view: &ArrayView<'_>, order: Order) -> Result<Vec<Self>>;

    /// The bytes of values, in this machine's order.
    #[doc(hidden)]
    fn bytes(values: &[Self]) -> Cow<'_, [u8]>;
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

            fn values(view: &ArrayView<'_>, order: Order) -> Result<Vec<Self>> {
                let mut values = Vec::new();
                let count = view.shape().iter().product();
                values.try_reserve_exact(count).map_err(std::io::Error::from)?;
                values.resize(count, <$type>::default());
                view.copy_to_as(bytes_of_mut(&mut values), 0, order, Some(ByteOrder::NATIVE))?;
                Ok(values)
            }

            fn bytes(values: &[Self]) -> Cow<'_, [u8]> {
                Cow::Borrowed(bytes_of(values))
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

    fn values(view: &ArrayView<'_>, order: Order) -> Result<Vec<Self>> {
        Ok(view.to_vec(order)?.into_iter().map(|byte| byte != 0).collect())
    }

    fn bytes(values: &[Self]) -> Cow<'_, [u8]> {
        Cow::Owned(values.iter().map(|&value| u8::from(value)).collect())
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
        let mut out = Self::zeroed(header)?;
        let whole = if fortran { array.t().to_slice() } else { array.as_slice() };
        match whole {
            Some(values) => out.bytes_mut().copy_from_slice(&T::bytes(values)),
            None => {
                let size = size_of::<T>();
                for (to, value) in out.bytes_mut().chunks_exact_mut(size).zip(array.iter()) {
                    to.copy_from_slice(&T::bytes(std::slice::from_ref(value)));
                }
            }
        }
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
        let values = T::values(self, order)?;
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
