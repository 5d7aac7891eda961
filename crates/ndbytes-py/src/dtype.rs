//! `numpy.dtype` to [`Dtype`] and back.

use ndbytes::{ByteOrder, Code, Dtype, Error, Extended, Field, Kind};
use numpy::npyffi::{self, NPY_TYPES, PY_ARRAY_API};
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::error::{IntoPy, to_py};

/// What NumPy's dtype is, without objects.
pub(crate) fn from_numpy(descr: &Bound<'_, PyArrayDescr>) -> PyResult<Dtype> {
    from_nested(descr, 0)
}

fn from_nested(descr: &Bound<'_, PyArrayDescr>, depth: usize) -> PyResult<Dtype> {
    let py = descr.py();
    if depth > MAX_DEPTH {
        let message = format!("a dtype nested deeper than {MAX_DEPTH} levels");
        return Err(to_py(py, Error::new(Code::UnsupportedDtype, message)));
    }
    let order = match descr.byteorder() {
        b'>' => ByteOrder::Big,
        b'<' => ByteOrder::Little,
        b'|' => ByteOrder::NotApplicable,
        _ => ByteOrder::NATIVE,
    };
    let itemsize = descr.itemsize();
    let num = descr.num();
    let scalar = |kind| Dtype::scalar(kind, order, itemsize).map_err(Error::from).into_py(py);
    if num >= FIRST_USER_TYPE {
        return from_user_type(descr, order);
    }
    match descr.kind() {
        b'b' => scalar(Kind::Bool),
        b'i' => scalar(Kind::Int),
        b'u' => scalar(Kind::Uint),
        b'f' if num == NPY_TYPES::NPY_LONGDOUBLE as i32 && itemsize > 8 => scalar(Kind::LongDouble),
        b'f' => scalar(Kind::Float),
        b'c' if num == NPY_TYPES::NPY_CLONGDOUBLE as i32 && itemsize > 16 => {
            scalar(Kind::ComplexLongDouble)
        }
        b'c' => scalar(Kind::Complex),
        b'S' => scalar(Kind::Bytes),
        b'U' => scalar(Kind::Str),
        b'M' | b'm' => {
            let text: String = descr.getattr("str")?.extract()?;
            text.parse().map_err(Error::from).into_py(py)
        }
        b'V' => from_void(descr, itemsize, depth + 1),
        _ => Err(no_fixed_size(descr)?),
    }
}

/// Objects and strings of variable length: their bytes are elsewhere.
#[cold]
fn no_fixed_size(descr: &Bound<'_, PyArrayDescr>) -> PyResult<PyErr> {
    let name = descr.str()?.to_string();
    let (code, message) = match descr.kind() {
        b'O' => (
            Code::ObjectDtype,
            format!(
                "Object arrays cannot be saved when allow_pickle=False: `{name}` could only be pickled, and ndbytes never writes pickles; convert to a fixed dtype"
            ),
        ),
        _ => (
            Code::UnsupportedDtype,
            format!(
                "dtype `{name}` has no bytes of fixed size in an array; convert it, for example to `U` or `S` of a length"
            ),
        ),
    };
    Ok(to_py(descr.py(), Error::new(code, message)))
}

fn from_user_type(descr: &Bound<'_, PyArrayDescr>, order: ByteOrder) -> PyResult<Dtype> {
    let py = descr.py();
    let name: String = descr.getattr("name")?.extract()?;
    if descr.kind() == b'T' {
        return Err(no_fixed_size(descr)?);
    }
    let dtype = match Extended::from_name(&name) {
        Some(extended) if extended.itemsize() == descr.itemsize() => {
            Dtype::scalar(Kind::Extended(extended), order, extended.itemsize())
        }
        _ => Err(ndbytes::FormatError::new(
            Code::UnsupportedDtype,
            format!(
                "dtype `{name}` is no type of NumPy or ml_dtypes; save a view of it, such as `a.view('u{}')`",
                descr.itemsize()
            ),
        )),
    };
    dtype.map_err(Error::from).into_py(py)
}

fn from_void(descr: &Bound<'_, PyArrayDescr>, itemsize: usize, depth: usize) -> PyResult<Dtype> {
    let py = descr.py();
    if descr.has_subarray() {
        let (base, shape): (Bound<'_, PyArrayDescr>, Vec<usize>) =
            descr.getattr("subdtype")?.extract()?;
        return Dtype::subarray(from_nested(&base, depth)?, shape).map_err(Error::from).into_py(py);
    }
    let names = descr.getattr("names")?;
    if names.is_none() {
        let dtype = Dtype::scalar(Kind::Void, ByteOrder::NotApplicable, itemsize);
        return dtype.map_err(Error::from).into_py(py);
    }
    let fields = descr.getattr("fields")?;
    let mut found = Vec::new();
    for name in names.try_iter()? {
        let name = name?;
        let field = fields.get_item(&name)?.cast_into::<PyTuple>()?;
        let title = if field.len() > 2 { Some(field.get_item(2)?.extract()?) } else { None };
        found.push(Field {
            name: name.extract()?,
            title,
            dtype: from_nested(&field.get_item(0)?.cast_into()?, depth)?,
            offset: field.get_item(1)?.extract()?,
        });
    }
    Dtype::structure(found, itemsize).map_err(Error::from).into_py(py)
}

/// NumPy's dtype for ours.
///
/// Without the `ml_dtypes` package its types become void, as NumPy reads them, with a warning.
pub(crate) fn to_numpy<'py>(py: Python<'py>, dtype: &Dtype) -> PyResult<Bound<'py, PyArrayDescr>> {
    if let Some(num) = native_type_number(dtype) {
        // SAFETY: the number is one of NumPy's built-in types; the result is a new reference or
        // null with an exception set.
        let descr = unsafe {
            let descr = PY_ARRAY_API.PyArray_DescrFromType(py, num as i32);
            Bound::from_owned_ptr_or_err(py, descr.cast())?
        };
        return Ok(descr.cast_into()?);
    }
    match dtype.kind() {
        Kind::Struct(_) => {
            let fields = dtype.fields().unwrap_or_default();
            let list = |value: &dyn Fn(&Field) -> PyResult<Bound<'py, PyAny>>| {
                PyList::new(py, fields.iter().map(value).collect::<PyResult<Vec<_>>>()?)
            };
            let dict = PyDict::new(py);
            dict.set_item("names", list(&|field| field.name.as_str().into_bound_py_any(py))?)?;
            dict.set_item("formats", list(&|field| Ok(to_numpy(py, &field.dtype)?.into_any()))?)?;
            dict.set_item("offsets", list(&|field| field.offset.into_bound_py_any(py))?)?;
            dict.set_item("titles", list(&|field| field.title.as_deref().into_bound_py_any(py))?)?;
            dict.set_item("itemsize", dtype.itemsize())?;
            PyArrayDescr::new(py, dict)
        }
        Kind::Subarray(subarray) => PyArrayDescr::new(
            py,
            (to_numpy(py, &subarray.base)?, PyTuple::new(py, &subarray.shape)?),
        ),
        Kind::Extended(extended) => {
            let Ok(module) = py.import("ml_dtypes") else {
                let name = extended.as_str();
                let text = format!(
                    "this array is `{name}`; without the ml_dtypes package it is loaded as void"
                );
                let text = std::ffi::CString::new(text)?;
                PyErr::warn(py, &py.get_type::<PyUserWarning>(), &text, 1)?;
                return PyArrayDescr::new(py, format!("V{}", dtype.itemsize()));
            };
            let descr = PyArrayDescr::new(py, module.getattr(extended.as_str())?)?;
            match dtype.byte_order() {
                order if order == ByteOrder::NATIVE || dtype.itemsize() == 1 => Ok(descr),
                _ => Ok(descr.call_method1("newbyteorder", ("S",))?.cast_into()?),
            }
        }
        _ => PyArrayDescr::new(py, dtype.to_string()),
    }
}

fn native_type_number(dtype: &Dtype) -> Option<NPY_TYPES> {
    if dtype.byte_order() != ByteOrder::NATIVE && dtype.byte_order() != ByteOrder::NotApplicable {
        return None;
    }
    Some(match (dtype.kind(), dtype.itemsize()) {
        (Kind::Bool, _) => NPY_TYPES::NPY_BOOL,
        (Kind::Int, 1) => NPY_TYPES::NPY_BYTE,
        (Kind::Int, 2) => NPY_TYPES::NPY_SHORT,
        (Kind::Int, 4) => NPY_TYPES::NPY_INT,
        (Kind::Uint, 1) => NPY_TYPES::NPY_UBYTE,
        (Kind::Uint, 2) => NPY_TYPES::NPY_USHORT,
        (Kind::Uint, 4) => NPY_TYPES::NPY_UINT,
        (Kind::Float, 2) => NPY_TYPES::NPY_HALF,
        (Kind::Float, 4) => NPY_TYPES::NPY_FLOAT,
        (Kind::Float, 8) => NPY_TYPES::NPY_DOUBLE,
        (Kind::Complex, 8) => NPY_TYPES::NPY_CFLOAT,
        (Kind::Complex, 16) => NPY_TYPES::NPY_CDOUBLE,
        // Eight-byte integers are `long` or `long long`, by platform; NumPy's parser knows.
        _ => return None,
    })
}

/// Deeper than this, a header could not be parsed again: each struct is a list of tuples there.
const MAX_DEPTH: usize = 30;
/// NumPy's user types are numbered from here; legacy ones and `StringDType` stand below.
const FIRST_USER_TYPE: i32 = npyffi::NPY_TYPES::NPY_USERDEF as i32;

use pyo3::IntoPyObjectExt;
