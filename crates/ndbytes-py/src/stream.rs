//! Arrays over descriptors.
//!
//! Small ones leave and arrive by calls that never wait, and keep the interpreter: to give it up
//! and to get it back costs more than such a call. Whatever would wait, and all that is large, goes
//! without it.

use std::time::Duration;

use ndbytes::Limits;
use numpy::PyUntypedArray;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::array::{as_array, view};
use crate::error::IntoPy;
use crate::fd::Fd;
use crate::frame::frame_options;
use crate::header::limits;
use crate::npy::load_from;
use crate::signals::listen;
use crate::target::Target;

/// A Python timeout in seconds.
pub(crate) fn duration(timeout: Option<f64>) -> PyResult<Option<Duration>> {
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
#[pyo3(signature = (fd, a, timeout, socket, codec=None, progress=None))]
pub(crate) fn send_fd(
    py: Python<'_>,
    fd: i32,
    a: &Bound<'_, PyAny>,
    timeout: Option<f64>,
    socket: bool,
    codec: Option<&str>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let array = as_array(a)?;
    let view = view(&array)?;
    let mut sink = Fd::new(fd, duration(timeout)?, socket);
    if let Some(options) = frame_options(py, codec, None, None)? {
        let options = options.with_progress(listen(progress, view.nbytes())?);
        return py.detach(|| ndbytes::write_frame(&mut sink, &view, &options)).into_py(py);
    }
    if socket && view.nbytes() <= SMALL && progress.is_none() {
        let message = ndbytes::dumps(&view).into_py(py)?;
        return send_small(py, &mut sink, &message).map_err(ndbytes::Error::from).into_py(py);
    }
    let progress = listen(progress, view.nbytes())?;
    py.detach(|| ndbytes::send_with(&mut sink, &view, &progress)).into_py(py)
}

/// Sends bytes: at once if they fit, else waiting without the interpreter.
pub(crate) fn send_small(py: Python<'_>, sink: &mut Fd, bytes: &[u8]) -> std::io::Result<()> {
    let sent = sink.try_write(bytes)?;
    if sent == bytes.len() {
        return Ok(());
    }
    py.detach(|| std::io::Write::write_all(sink, &bytes[sent..]))
}

/// Receives an array over a descriptor.
#[pyfunction]
#[pyo3(signature = (fd, out, timeout, socket, max_bytes, max_header_size, progress=None))]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn recv_fd<'py>(
    py: Python<'py>,
    fd: i32,
    out: Option<Bound<'py, PyUntypedArray>>,
    timeout: Option<f64>,
    socket: bool,
    max_bytes: Option<u64>,
    max_header_size: Option<usize>,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let mut source = Fd::new(fd, duration(timeout)?, socket);
    let limits = limits(max_header_size, max_bytes);
    if socket && let Some(array) = recv_peeked(py, &mut source, out.as_ref(), &limits, progress)? {
        return Ok(array);
    }
    load_from(py, &mut source, out, &limits, progress)
}

/// Receives an array whose header lies there whole, so that nothing is read twice or too much.
/// None, with nothing taken, where it does not: the other way waits, and says what is wrong.
fn recv_peeked<'py>(
    py: Python<'py>,
    source: &mut Fd,
    out: Option<&Bound<'py, PyUntypedArray>>,
    limits: &Limits,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyUntypedArray>>> {
    let io = |error: std::io::Error| crate::error::to_py(py, error.into());
    let mut peeked = [0; PEEKED];
    let have = match source.try_peek(&mut peeked).map_err(io)? {
        Some(have) => have,
        None => {
            py.detach(|| source.wait_to_read()).map_err(io)?;
            source.try_peek(&mut peeked).map_err(io)?.unwrap_or(0)
        }
    };
    let Ok(Some((header, len))) = ndbytes::peek_header(&peeked[..have], limits) else {
        return Ok(None);
    };
    let total = len.saturating_add(header.nbytes());
    let target = Target::new(py, out.cloned(), &header);
    // The header is taken even where the array does not fit `out`, as on the other way.
    let taken = if target.is_ok() && total <= have { total } else { len };
    if source.try_read(&mut peeked[..taken]).map_err(io)? != Some(taken) {
        let message = "another reader took bytes from this socket meanwhile";
        return Err(io(std::io::Error::other(message)));
    }
    let target = target?;
    let progress = listen(progress, header.nbytes())?;
    let filled = target.fill(|memory, layout| {
        let read = match taken == total {
            true => {
                let mut source = &peeked[len..total];
                ndbytes::read_scattered_with(&mut source, &header, memory, layout, &progress)
            }
            false => py.detach(|| {
                ndbytes::read_scattered_with(source, &header, memory, layout, &progress)
            }),
        };
        read.map_err(|error| error.shifted(len as u64))
    });
    filled.map(Some)
}

/// Bytes that a socket takes without much ado.
pub(crate) const SMALL: usize = 1 << 14;
/// Bytes that are looked at: nearly every header, and small arrays whole. Looking costs by the
/// packet.
const PEEKED: usize = 512;
