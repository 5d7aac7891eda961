//! NumPy's arrays as views, and memory that NumPy allocates.

use std::ops::Range;

use ndbytes::{ArrayView, Code, Dtype, Error, Header, Order, byte_extent};
use numpy::npyffi::{self, PY_ARRAY_API};
use numpy::{PyArrayDescr, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use crate::dtype::{from_numpy, to_numpy};
use crate::error::{IntoPy, to_py};
use crate::memory::{HUGE_FROM, with_pages};
use crate::warn::{warn_of_metadata, warn_of_python2};

/// The array that NumPy makes of any object; masked arrays are refused, whose mask would be lost.
pub(crate) fn as_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = object.py();
    // SAFETY: only compares the object's type with that of ndarray.
    if unsafe { npyffi::array::PyArray_CheckExact(py, object.as_ptr()) } != 0 {
        return Ok(object.cast::<PyUntypedArray>()?.clone());
    }
    static MASKED: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let masked = MASKED.get_or_try_init(py, || {
        PyResult::Ok(py.import("numpy.ma")?.getattr("MaskedArray")?.cast_into::<PyType>()?.unbind())
    })?;
    if object.is_instance(masked.bind(py))? {
        let message = "the mask of a masked array would be lost; save `a.data` and `a.mask` as two arrays (savez), or `a.filled()`";
        return Err(to_py(py, Error::new(Code::UnsupportedDtype, message)));
    }
    if object.getattr_opt("closed")?.is_some_and(|closed| closed.is_truthy().unwrap_or(false)) {
        return Err(to_py(py, Error::new(Code::Argument, "this memmap is closed")));
    }
    static ASANYARRAY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let asanyarray = ASANYARRAY.get_or_try_init(py, || {
        PyResult::Ok(py.import("numpy")?.getattr("asanyarray")?.unbind())
    })?;
    Ok(asanyarray.bind(py).call1((object,))?.cast_into()?)
}

/// A view of the array's memory, for as long as the array is borrowed.
///
/// The bytes may change under it when another thread of Python writes to the array while the
/// interpreter is released: the caller's race, as it is with NumPy's own `tofile`.
pub(crate) fn view<'a>(array: &'a Bound<'_, PyUntypedArray>) -> PyResult<ArrayView<'a>> {
    let py = array.py();
    let descr = array.dtype();
    let dtype = from_numpy(&descr)?;
    if !is_plain(&descr) {
        warn_of_metadata(&descr)?;
    }
    let (bytes, origin) = memory(array, dtype.itemsize())?;
    // SAFETY: `memory` gives the extent of the elements within the array's allocation, which the
    // array keeps alive for 'a; u8 has no alignment and no invalid values.
    let bytes = unsafe { std::slice::from_raw_parts(bytes.start as *const u8, bytes.len()) };
    ArrayView::new(dtype, array.shape(), array.strides(), bytes, origin).into_py(py)
}

/// The array's memory, to be written to, and the place of its first element there.
pub(crate) fn memory_mut<'a>(
    array: &'a mut Bound<'_, PyUntypedArray>,
) -> PyResult<(&'a mut [u8], usize)> {
    let itemsize = array.dtype().itemsize_of();
    let (bytes, origin) = memory(array, itemsize)?;
    // SAFETY: as in `view`; the array is writable, which the callers have checked or which holds
    // because they have just made it. Nothing else of this crate borrows its memory meanwhile.
    Ok((unsafe { std::slice::from_raw_parts_mut(bytes.start as *mut u8, bytes.len()) }, origin))
}

/// Addresses of the array's elements, and the place of the first among them.
fn memory(array: &Bound<'_, PyUntypedArray>, itemsize: usize) -> PyResult<(Range<usize>, usize)> {
    let overflow =
        || to_py(array.py(), Error::new(Code::SizeOverflow, "the array's strides overflow"));
    let (before, beyond) =
        byte_extent(array.shape(), array.strides(), itemsize).ok_or_else(overflow)?;
    // SAFETY: the pointer is to a live array object, whose fields NumPy keeps valid.
    let data = unsafe { (*array.as_array_ptr()).fields.data } as usize;
    if before + beyond == 0 {
        // Nothing to see: any address will do, but not null.
        return Ok((1..1, 0));
    }
    Ok((data - before..data + beyond, before))
}

/// A new array of these facts, its memory not yet filled.
pub(crate) fn empty<'py>(py: Python<'py>, header: &Header) -> PyResult<Bound<'py, PyUntypedArray>> {
    warn_of_python2(py, header)?;
    let descr = to_numpy(py, header.dtype())?;
    if header.dtype().itemsize() == 0 {
        // The C function would make `S0` into `S1`.
        let ndarray = py.import("numpy")?.getattr("ndarray")?;
        let args = (PyTuple::new(py, header.shape())?, descr);
        return Ok(ndarray.call1(args)?.cast_into()?);
    }
    let fortran = (header.order() == Order::F) as std::ffi::c_int;
    let make = || from_descr(py, header.shape(), descr, std::ptr::null_mut(), fortran);
    if header.nbytes() >= HUGE_FROM { with_pages(py, make) } else { make() }
}

/// An array over the bytes of `owner` from `offset`, which holds them and never changes them.
pub(crate) fn over_bytes<'py>(
    owner: &Bound<'py, pyo3::types::PyBytes>,
    header: &Header,
    offset: usize,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = owner.py();
    if header.nbytes() == 0 {
        let array = empty(py, header)?;
        array.getattr("flags")?.setattr("writeable", false)?;
        return Ok(array);
    }
    let bytes = &owner.as_bytes()[offset..offset + header.nbytes()];
    let flags = match header.order() {
        Order::C => npyffi::NPY_ARRAY_C_CONTIGUOUS,
        Order::F => npyffi::NPY_ARRAY_F_CONTIGUOUS,
    };
    let data = bytes.as_ptr().cast_mut().cast();
    let array = from_descr(py, header.shape(), to_numpy(py, header.dtype())?, data, flags)?;
    // SAFETY: `array` is a new array without a base; the reference to `owner` is given to it, so
    // that the memory lives as long as the array. Without NPY_ARRAY_WRITEABLE it is read-only.
    unsafe {
        let pointer = array.as_array_ptr();
        if PY_ARRAY_API.PyArray_SetBaseObject(py, pointer, owner.clone().into_ptr()) < 0 {
            return Err(PyErr::fetch(py));
        }
        PY_ARRAY_API.PyArray_UpdateFlags(py, pointer, npyffi::NPY_ARRAY_UPDATE_ALL);
    }
    Ok(array)
}

/// `numpy.frombuffer`, although `ndbytes.frombuffer` may stand in its place by now.
pub(crate) fn frombuffer<'py>(py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
    static FROMBUFFER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let frombuffer = FROMBUFFER.get_or_try_init(py, || {
        py.import("ndbytes._original")?.getattr("frombuffer").map(Bound::unbind)
    })?;
    Ok(frombuffer.bind(py).clone())
}

/// An array of class `subtype` over the memory of `buffer`, which it keeps exported.
///
/// `numpy.ndarray(buffer=...)` gives the export back at once, so that a map could be closed under
/// the array; this does not.
#[pyfunction]
#[pyo3(signature = (subtype, buffer, dtype, shape, strides, offset))]
pub(crate) fn array_over<'py>(
    subtype: &Bound<'py, PyType>,
    buffer: &Bound<'py, PyAny>,
    dtype: &Bound<'py, PyAny>,
    shape: Vec<usize>,
    strides: Vec<isize>,
    offset: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = subtype.py();
    let descr = PyArrayDescr::new(py, dtype.clone())?;
    let flat = frombuffer(py)?.call1((buffer, "u1"))?.cast_into::<PyUntypedArray>()?;
    let layout = ndbytes::Strided { origin: offset, strides: &strides };
    if !layout.fits(&shape, descr.itemsize_of(), flat.len())
        || dtype_argument(descr.as_any()).is_err()
    {
        let message = format!(
            "an array of shape {shape:?} and strides {strides:?} does not fit into {} bytes",
            flat.len()
        );
        return Err(to_py(py, Error::new(Code::OutOfBounds, message)));
    }
    let base = flat.getattr("base")?;
    let mut dims: Vec<npyffi::npy_intp> = shape.iter().map(|&n| n as npyffi::npy_intp).collect();
    let mut steps: Vec<npyffi::npy_intp> = strides;
    if !subtype.is_subclass(&ndarray_type(py))? {
        return Err(pyo3::exceptions::PyTypeError::new_err(
            "the class must derive from numpy.ndarray",
        ));
    }
    // SAFETY: `fits` has shown that all elements lie within the buffer from `offset`, whose memory
    // `base` (the memoryview that `frombuffer` made) keeps exported as long as the array lives.
    // The descriptor's reference is stolen; the result is a new reference or null with an
    // exception set. The array is writable only where the buffer is.
    unsafe {
        let writable = (*flat.as_array_ptr()).fields.flags & npyffi::NPY_ARRAY_WRITEABLE;
        let data = (*flat.as_array_ptr()).fields.data.add(offset);
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            subtype.as_ptr().cast(),
            descr.into_ptr().cast(),
            dims.len() as std::ffi::c_int,
            dims.as_mut_ptr(),
            steps.as_mut_ptr(),
            data.cast(),
            writable,
            std::ptr::null_mut(),
        );
        let array: Bound<'py, PyAny> = Bound::from_owned_ptr_or_err(py, array)?;
        if PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), base.into_ptr()) < 0 {
            return Err(PyErr::fetch(py));
        }
        PY_ARRAY_API.PyArray_UpdateFlags(py, array.as_ptr().cast(), npyffi::NPY_ARRAY_UPDATE_ALL);
        Ok(array)
    }
}

fn ndarray_type(py: Python<'_>) -> Bound<'_, PyType> {
    // SAFETY: NumPy's type object lives for ever; a borrowed reference is taken to it.
    unsafe {
        let pointer = npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type);
        Bound::<PyAny>::from_borrowed_ptr(py, pointer.cast()).cast_into_unchecked()
    }
}

fn from_descr<'py>(
    py: Python<'py>,
    shape: &[usize],
    descr: Bound<'py, PyArrayDescr>,
    data: *mut std::ffi::c_void,
    flags: std::ffi::c_int,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut dims: Vec<npyffi::npy_intp> = shape.iter().map(|&n| n as npyffi::npy_intp).collect();
    // SAFETY: `dims` has `nd` entries, which fit `npy_intp` because the header checked the bytes;
    // the function steals the reference to the descriptor, and returns a new reference or null
    // with an exception set. Without strides, `flags` choose the order.
    unsafe {
        let subtype = npyffi::get_type_object(py, npyffi::NpyTypes::PyArray_Type);
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            subtype,
            descr.into_ptr().cast(),
            dims.len() as std::ffi::c_int,
            dims.as_mut_ptr(),
            std::ptr::null_mut(),
            data,
            flags,
            std::ptr::null_mut(),
        );
        Ok(Bound::from_owned_ptr_or_err(py, array)?.cast_into_unchecked())
    }
}

/// Checks that `out` can take an array of this header: same dtype and shape, writable.
pub(crate) fn check_out(out: &Bound<'_, PyUntypedArray>, header: &Header) -> PyResult<()> {
    let py = out.py();
    let dtype = from_numpy(&out.dtype())?;
    if dtype != *header.dtype() || out.shape() != header.shape() {
        let message = format!(
            "`out` is `{dtype}` of shape {:?}, the array is `{}` of shape {:?}",
            out.shape(),
            header.dtype(),
            header.shape()
        );
        return Err(to_py(py, Error::new(Code::Mismatch, message)));
    }
    // A mask would hide what is loaded.
    as_array(out.as_any())?;
    if overlaps(out.shape(), out.strides(), dtype.itemsize()) {
        let message = "the elements of `out` overlap one another";
        return Err(to_py(py, Error::new(Code::Argument, message)));
    }
    check_writable(out)
}

/// Whether elements may share bytes; exact for all layouts that slicing and transposing give.
fn overlaps(shape: &[usize], strides: &[isize], itemsize: usize) -> bool {
    let mut axes: Vec<_> = shape.iter().zip(strides).filter(|(n, _)| **n > 1).collect();
    axes.sort_by_key(|(_, stride)| stride.unsigned_abs());
    let mut reach = itemsize;
    !shape.contains(&0)
        && axes.into_iter().any(|(n, stride)| {
            let inside = stride.unsigned_abs() < reach;
            reach = stride.unsigned_abs().saturating_mul(n - 1).saturating_add(reach);
            inside
        })
}

/// Checks that an array can be written to.
pub(crate) fn check_writable(out: &Bound<'_, PyUntypedArray>) -> PyResult<()> {
    // SAFETY: the pointer is to a live array object.
    let flags = unsafe { (*out.as_array_ptr()).fields.flags };
    if flags & npyffi::NPY_ARRAY_WRITEABLE == 0 {
        return Err(to_py(out.py(), Error::new(Code::Argument, "`out` is read-only")));
    }
    Ok(())
}

/// A built-in numeric type: no fields, no unit, and in practice no metadata.
fn is_plain(descr: &Bound<'_, PyArrayDescr>) -> bool {
    use numpy::PyArrayDescrMethods;
    // Metadata on plain types is legal, but shared singletons never have it.
    matches!(descr.kind(), b'b' | b'i' | b'u' | b'f' | b'c')
        && descr.is_native_byteorder() == Some(true)
        && is_singleton(descr)
}

fn is_singleton(descr: &Bound<'_, PyArrayDescr>) -> bool {
    use numpy::PyArrayDescrMethods;
    let py = descr.py();
    let num = descr.num();
    if num >= npyffi::NPY_TYPES::NPY_USERDEF as i32 {
        return false;
    }
    // SAFETY: the number is that of a built-in type; the result is a new reference.
    let builtin = unsafe { PY_ARRAY_API.PyArray_DescrFromType(py, num) };
    // SAFETY: a new reference or null with an exception set.
    match unsafe { Bound::<PyAny>::from_owned_ptr_or_opt(py, builtin.cast()) } {
        Some(builtin) => builtin.is(descr),
        None => {
            let _ = PyErr::take(py);
            false
        }
    }
}

trait ItemSize {
    fn itemsize_of(&self) -> usize;
}

impl ItemSize for Bound<'_, PyArrayDescr> {
    fn itemsize_of(&self) -> usize {
        numpy::PyArrayDescrMethods::itemsize(self)
    }
}

/// The dtype that an argument names, as NumPy reads it.
pub(crate) fn dtype_argument(object: &Bound<'_, PyAny>) -> PyResult<Dtype> {
    from_numpy(&PyArrayDescr::new(object.py(), object.clone())?)
}
