//! Where the elements of an array go that is read: memory of NumPy's, new or the caller's.

use ndbytes::{Header, Strided};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::array::{check_out, empty, memory_mut};
use crate::error::IntoPy;

/// Calls `read` with memory for an array of this header, in `out` if given, and returns the array.
pub(crate) fn fill<'py>(
    py: Python<'py>,
    out: Option<Bound<'py, PyUntypedArray>>,
    header: &Header,
    read: impl FnOnce(&mut [u8], Strided<'_>) -> ndbytes::Result<()>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    Target::new(py, out, header)?.fill(read)
}

/// Where the elements go.
pub(crate) struct Target<'py> {
    /// What is filled.
    array: Bound<'py, PyUntypedArray>,
    /// What it is then copied to, field by field: what lies between the fields is not ours.
    out: Option<Bound<'py, PyUntypedArray>>,
}

impl<'py> Target<'py> {
    pub(crate) fn new(
        py: Python<'py>,
        out: Option<Bound<'py, PyUntypedArray>>,
        header: &Header,
    ) -> PyResult<Self> {
        let Some(out) = out else {
            return Ok(Self { array: empty(py, header)?, out: None });
        };
        check_out(&out, header)?;
        if header.count() > 0 && !ndbytes::padding_spans(header.dtype()).is_empty() {
            return Ok(Self { array: empty(py, header)?, out: Some(out) });
        }
        Ok(Self { array: out, out: None })
    }

    /// Calls `read` with the memory, and returns the array that the caller gets.
    pub(crate) fn fill(
        mut self,
        read: impl FnOnce(&mut [u8], Strided<'_>) -> ndbytes::Result<()>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let py = self.array.py();
        let strides = self.array.strides().to_vec();
        let (memory, origin) = memory_mut(&mut self.array)?;
        read(memory, Strided { origin, strides: &strides }).into_py(py)?;
        self.finish()
    }

    /// The same without the interpreter at hand, for another call to go on with.
    pub(crate) fn keep(self) -> Kept {
        Kept { array: self.array.unbind(), out: self.out.map(Bound::unbind) }
    }

    fn finish(self) -> PyResult<Bound<'py, PyUntypedArray>> {
        let Some(out) = self.out else {
            return Ok(self.array);
        };
        out.set_item(out.py().Ellipsis(), self.array)?;
        Ok(out)
    }
}

/// Where the elements go, from call to call.
pub(crate) struct Kept {
    array: Py<PyUntypedArray>,
    out: Option<Py<PyUntypedArray>>,
}

impl Kept {
    /// Calls `read` with the memory; `header` is what it is memory for.
    pub(crate) fn fill<T>(
        &self,
        py: Python<'_>,
        header: &Header,
        read: impl FnOnce(&mut [u8], Strided<'_>) -> ndbytes::Result<T>,
    ) -> PyResult<T> {
        let mut array = self.array.bind(py).clone();
        // It was the caller's meanwhile.
        check_out(&array, header)?;
        let strides = array.strides().to_vec();
        let (memory, origin) = memory_mut(&mut array)?;
        read(memory, Strided { origin, strides: &strides }).into_py(py)
    }

    /// The array that the caller gets.
    pub(crate) fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyUntypedArray>> {
        let out = self.out.as_ref().map(|out| out.bind(py).clone());
        Target { array: self.array.bind(py).clone(), out }.finish()
    }
}
