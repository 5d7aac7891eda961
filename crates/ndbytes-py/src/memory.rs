//! Memory of results: `bytes` filled in place, and huge pages under NumPy's arrays, which NumPy owns
//! and gives back.
//!
//! NEP 49 lets a library set the allocator of new arrays for a while; each array remembers its
//! own. So the arrays own their data as any array does, and can be resized.

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;

use ndbytes::Error;
use numpy::PyUntypedArray;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyCapsule};

use crate::error::IntoPy;

/// Below this, releasing the interpreter costs more than it gives.
pub(crate) const RELEASE_FROM: usize = 1 << 16;

/// From here, memory comes fresh from the operating system, for `malloc` as for us: below it, what
/// was freed is used again without a page fault.
pub(crate) const HUGE_FROM: usize = 32 << 20;

/// Runs `body` without the interpreter where there is enough to do.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    bytes: usize,
    body: impl FnOnce() -> T + Send,
) -> T {
    if bytes < RELEASE_FROM { body() } else { py.detach(body) }
}

/// A `bytes` object of this length, filled by `fill`: allocated once, never copied.
pub(crate) fn new_bytes<'py>(
    py: Python<'py>,
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Error> + Send,
) -> PyResult<Bound<'py, PyBytes>> {
    if len > isize::MAX as usize {
        return Err(pyo3::exceptions::PyMemoryError::new_err(format!("no memory for {len} bytes")));
    }
    // SAFETY: with a null pointer the object's memory is left as it is and is ours to fill before
    // anybody sees it; it is valid for `len` bytes, followed by a NUL that Python has set. `fill`
    // gets it as bytes, which have no invalid values, and only ever writes to it.
    let (bytes, memory) = unsafe {
        let pointer =
            pyo3::ffi::PyBytes_FromStringAndSize(std::ptr::null(), len as pyo3::ffi::Py_ssize_t);
        let bytes: Bound<'py, PyAny> = Bound::from_owned_ptr_or_err(py, pointer)?;
        let start = pyo3::ffi::PyBytes_AsString(bytes.as_ptr()).cast::<u8>();
        (bytes.cast_into_unchecked::<PyBytes>(), std::slice::from_raw_parts_mut(start, len))
    };
    detached(py, len, || {
        if len >= HUGE_FROM {
            ndbytes::pages::advise_huge(memory);
        }
        fill(memory)
    })
    .into_py(py)?;
    Ok(bytes)
}

/// `PyDataMem_Handler` of NumPy's C API (1.22 and later).
#[repr(C)]
struct Handler {
    name: [c_char; 127],
    version: u8,
    context: *mut c_void,
    malloc: extern "C" fn(*mut c_void, usize) -> *mut c_void,
    calloc: extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void, *mut c_void, usize),
}

// SAFETY: a constant after it is made: a null context and functions that may be called from any
// thread, since they share nothing.
unsafe impl Send for Handler {}
// SAFETY: as above.
unsafe impl Sync for Handler {}

/// Runs `make` with our allocator for the arrays that it makes on this thread.
pub(crate) fn with_pages<'py>(
    py: Python<'py>,
    make: impl FnOnce() -> PyResult<Bound<'py, PyUntypedArray>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    static CAPSULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let capsule = CAPSULE.get_or_try_init(py, || {
        // SAFETY: the handler lives for ever and has the layout that NumPy expects under this
        // name; the result is a new reference or null with an exception set.
        unsafe {
            let handler = (&raw const HANDLER).cast_mut().cast();
            let capsule = ffi::PyCapsule_New(handler, c"mem_handler".as_ptr(), None);
            Ok::<_, PyErr>(Bound::from_owned_ptr_or_err(py, capsule)?.unbind())
        }
    })?;
    let old = set_handler(py, capsule.as_ptr())?;
    let array = make();
    set_handler(py, old.as_ptr())?;
    array
}

/// `PyDataMem_SetHandler`: sets the allocator of this context and returns the one before.
fn set_handler(py: Python<'_>, handler: *mut ffi::PyObject) -> PyResult<Bound<'_, PyAny>> {
    type Set = unsafe extern "C" fn(*mut ffi::PyObject) -> *mut ffi::PyObject;
    static API: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let api = API.get_or_try_init(py, || {
        let module =
            py.import("numpy._core.multiarray").or_else(|_| py.import("numpy.core.multiarray"))?;
        PyResult::Ok(module.getattr("_ARRAY_API")?.unbind())
    })?;
    let api = api.bind(py).cast::<PyCapsule>()?;
    // SAFETY: NumPy's capsule holds its table of functions, which lives as long as the process; the
    // entry has this signature since 1.22, the oldest NumPy that this package allows being 1.26.
    // The result is a new reference or null with an exception set.
    unsafe {
        let table =
            ffi::PyCapsule_GetPointer(api.as_ptr(), std::ptr::null()).cast::<*const c_void>();
        if table.is_null() {
            return Err(PyErr::fetch(py));
        }
        let set = std::mem::transmute::<*const c_void, Set>(*table.add(SET_HANDLER));
        Bound::from_owned_ptr_or_err(py, set(handler))
    }
}

extern "C" fn malloc(_context: *mut c_void, size: usize) -> *mut c_void {
    ndbytes::pages::allocate(size).map_or(std::ptr::null_mut(), |memory| memory.as_ptr().cast())
}

extern "C" fn calloc(context: *mut c_void, count: usize, size: usize) -> *mut c_void {
    // Fresh pages are zero.
    count.checked_mul(size).map_or(std::ptr::null_mut(), |size| malloc(context, size))
}

/// # Safety
/// `memory` is null or came from this allocator.
unsafe extern "C" fn realloc(
    context: *mut c_void,
    memory: *mut c_void,
    size: usize,
) -> *mut c_void {
    match NonNull::new(memory.cast()) {
        None => malloc(context, size),
        // SAFETY: by NumPy's contract the memory came from this allocator, and its old address is
        // not used after success.
        Some(memory) => unsafe { ndbytes::pages::reallocate(memory, size) }
            .map_or(std::ptr::null_mut(), |memory| memory.as_ptr().cast()),
    }
}

/// # Safety
/// `memory` is null or came from this allocator, and is not used any more.
unsafe extern "C" fn free(_context: *mut c_void, memory: *mut c_void, _size: usize) {
    if let Some(memory) = NonNull::new(memory.cast()) {
        // SAFETY: by NumPy's contract.
        unsafe { ndbytes::pages::free(memory) };
    }
}

static HANDLER: Handler = Handler {
    name: name(b"ndbytes"),
    version: 1,
    context: std::ptr::null_mut(),
    malloc,
    calloc,
    realloc,
    free,
};

const fn name(text: &[u8]) -> [c_char; 127] {
    let mut name = [0; 127];
    let mut i = 0;
    while i < text.len() {
        name[i] = text[i] as c_char;
        i += 1;
    }
    name
}

/// The function's place in NumPy's table.
const SET_HANDLER: usize = 304;
