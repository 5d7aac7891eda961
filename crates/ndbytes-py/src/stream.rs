//! Arrays over descriptors.

use std::time::Duration;

use numpy::PyUntypedArray;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{as_array, view};
use crate::error::IntoPy;
use crate::fd::Fd;
use crate::header::limits;
use crate::npy::load_from;

fn duration(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    timeout
        .map(|seconds| {
            Duration::try_from_secs_f64(seconds).map_err(|_| {
                PyValueError::new_err(format!("timeout must be a number of seconds, not {seconds}"))
            })
        })
        .transpose()
}

/// Sends an array over a descriptor.
#[pyfunction]
#[pyo3(signature = (fd, a, timeout, socket))]
pub(crate) fn send_fd(
    py: Python<'_>,
    fd: i32,
    a: &Bound<'_, PyAny>,
    timeout: Option<f64>,
    socket: bool,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let mut sink = Fd::new(fd, duration(timeout)?, socket);
    py.detach(|| ndbytes::send(&mut sink, &view)).into_py(py)
}

/// Receives an array over a descriptor.
#[pyfunction]
#[pyo3(signature = (fd, out, timeout, socket, max_bytes, max_header_size))]
pub(crate) fn recv_fd<'py>(
    py: Python<'py>,
    fd: i32,
    out: Option<Bound<'py, PyUntypedArray>>,
    timeout: Option<f64>,
    socket: bool,
    max_bytes: Option<u64>,
    max_header_size: Option<usize>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut source = Fd::new(fd, duration(timeout)?, socket);
    load_from(py, &mut source, out, &limits(max_header_size, max_bytes))
}
