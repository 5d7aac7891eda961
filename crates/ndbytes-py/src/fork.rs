//! What is done before Python forks.

use pyo3::prelude::*;
use pyo3::types::IntoPyDict;

/// Has threads that wait to help the next call end before each fork: from Python 3.12 on, it warns
/// where there are threads.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    let Ok(register) = py.import("os")?.getattr("register_at_fork") else { return Ok(()) };
    let before = [("before", wrap_pyfunction!(dismiss_helpers, py)?)];
    register.call((), Some(&before.into_py_dict(py)?)).map(drop)
}

#[pyfunction]
fn dismiss_helpers(py: Python<'_>) {
    py.detach(ndbytes::dismiss_helpers);
}
