//! What NumPy warns of, and so do we.

use ndbytes::Header;
use numpy::{PyArrayDescr, PyArrayDescrMethods};
use pyo3::exceptions::PyUserWarning;
use pyo3::prelude::*;

/// NumPy warns where metadata would be lost, and so do we.
pub(crate) fn warn_of_metadata(descr: &Bound<'_, PyArrayDescr>) -> PyResult<()> {
    if !has_metadata(descr)? {
        return Ok(());
    }
    let text = c"metadata on a dtype is not saved to an npy/npz. Use another format (such as pickle) to store it.";
    PyErr::warn(descr.py(), &descr.py().get_type::<PyUserWarning>(), text, 1)
}

fn has_metadata(descr: &Bound<'_, PyArrayDescr>) -> PyResult<bool> {
    if !descr.getattr("metadata")?.is_none() {
        return Ok(true);
    }
    if descr.has_subarray() {
        let (base, _): (Bound<'_, PyArrayDescr>, Bound<'_, PyAny>) =
            descr.getattr("subdtype")?.extract()?;
        return has_metadata(&base);
    }
    if descr.has_fields() {
        for field in
            descr.getattr("fields")?.cast_into::<PyAny>()?.call_method0("values")?.try_iter()?
        {
            if has_metadata(&field?.get_item(0)?.cast_into()?)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// NumPy warns of headers that Python 2 wrote, and so do we.
pub(crate) fn warn_of_python2(py: Python<'_>, header: &Header) -> PyResult<()> {
    if !header.python2() {
        return Ok(());
    }
    let text = c"Reading `.npy` or `.npz` file required additional header parsing as it was created on Python 2. Save the file again to speed up loading and avoid this warning.";
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), text, 1)
}

/// NumPy warns of headers that old readers do not know.
pub(crate) fn warn_of_version(py: Python<'_>, head: &[u8]) -> PyResult<()> {
    let text = match head[6] {
        2 => c"Stored array in format 2.0. It can only be read by NumPy >= 1.9",
        3 => c"Stored array in format 3.0. It can only be read by NumPy >= 1.17",
        _ => return Ok(()),
    };
    PyErr::warn(py, &py.get_type::<PyUserWarning>(), text, 1)
}
