//! Sessions: arrays over `tcp://`, `tls://`, `quic://` and `unix://`.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;
#[cfg(target_os = "linux")]
use std::{fs::File, os::fd::IntoRawFd};

use ndbytes::{Code, Error, Header, Limits, Order};
#[cfg(target_os = "linux")]
use ndbytes_net::session::SharedFile;
use ndbytes_net::session::{
    Address, Link as Session, Listener as Waiting, SendOptions, SessionOptions, Tag, Tokens,
    connect as connect_to,
};
use numpy::PyUntypedArray;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;

use crate::array::{as_array, view};
use crate::error::{IntoPy, to_py};
use crate::frame::frame_options;
use crate::header::limits;
use crate::signals::{listen, on_signal};
use crate::stream::duration;
use crate::target::Target;

/// One session; threads may share it.
#[pyclass(frozen, module = "ndbytes._native")]
pub(crate) struct Link(Session);

/// Who waits for peers.
#[pyclass(frozen, module = "ndbytes._native")]
pub(crate) struct Listener(Waiting);

/// An array, or the descriptor and the length of shared memory that holds one, its name, and its metadata
/// as JSON.
type Item<'py> = (Bound<'py, PyAny>, Option<String>, Option<String>);

fn parse(py: Python<'_>, address: &str) -> PyResult<Address> {
    address.parse::<Address>().into_py(py)
}

fn common(
    timeout: Option<f64>,
    limits: Limits,
    insecure: bool,
    ack: bool,
) -> PyResult<SessionOptions> {
    Ok(SessionOptions::default()
        .with_timeout(duration(timeout)?.filter(|timeout| !timeout.is_zero()))
        .with_limits(limits)
        .with_insecure(insecure)
        .with_ack(ack)
        .with_on_signal(Some(on_signal())))
}

/// Connects to who listens at an address.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn connect(
    py: Python<'_>,
    address: &str,
    timeout: Option<f64>,
    max_bytes: Option<u64>,
    max_header_size: Option<usize>,
    plain: bool,
    token: Option<String>,
    authorities: Option<PathBuf>,
    insecure: bool,
    ack: bool,
) -> PyResult<Link> {
    let address = parse(py, address)?;
    let options = common(timeout, limits(max_header_size, max_bytes), insecure, ack)?
        .with_plain(plain)
        .with_token(token)
        .with_authorities(authorities);
    py.detach(|| connect_to(&address, &options)).into_py(py).map(Link)
}

/// A session over descriptors, which stay their owner's.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn link(
    py: Python<'_>,
    read: Option<i32>,
    write: Option<i32>,
    timeout: Option<f64>,
    max_bytes: Option<u64>,
    max_header_size: Option<usize>,
    plain: bool,
    ack: bool,
) -> PyResult<Link> {
    let options = common(timeout, limits(max_header_size, max_bytes), false, ack)?;
    let options = options.with_plain(plain);
    let (read, write) = (read.map(duplicate).transpose()?, write.map(duplicate).transpose()?);
    py.detach(|| Session::over_descriptors(read, write, &options)).into_py(py).map(Link)
}

/// Shared memory for an array of this dtype and shape: a descriptor, the caller's, where the elements
/// begin, and the length of all.
#[cfg(target_os = "linux")]
#[pyfunction]
pub(crate) fn create_shared(
    py: Python<'_>,
    one: &Bound<'_, PyAny>,
    shape: Vec<usize>,
    fortran: bool,
) -> PyResult<(i32, u64, u64)> {
    let dtype = view(&as_array(one)?)?.dtype().clone();
    let order = if fortran { Order::F } else { Order::C };
    let header = Header::new(dtype, order, shape).map_err(Error::from).into_py(py)?;
    let memory = py.detach(|| SharedFile::create(&header)).into_py(py)?;
    let (offset, total) = (memory.offset(), memory.offset() + header.nbytes() as u64);
    Ok((OwnedFd::from(memory.into_file()).into_raw_fd(), offset, total))
}

/// The same file under a number of its own.
fn duplicate(fd: i32) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(pyo3::exceptions::PyValueError::new_err(
            "it was closed: there is no descriptor",
        ));
    }
    // SAFETY: the descriptor is not -1. The Python object that owns it is alive during the call; should
    // another thread close it meanwhile, the system says so, or duplicates whatever took its number, as
    // `os.dup` would.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(borrowed.try_clone_to_owned()?)
}

#[pymethods]
impl Listener {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
    fn new(
        py: Python<'_>,
        address: &str,
        timeout: Option<f64>,
        max_bytes: Option<u64>,
        max_header_size: Option<usize>,
        tokens: Option<PathBuf>,
        cert: Option<PathBuf>,
        key: Option<PathBuf>,
        insecure: bool,
        ack: bool,
        max_connections: usize,
    ) -> PyResult<Self> {
        let address = parse(py, address)?;
        let tokens = tokens.map(|path| Tokens::open(&path)).transpose();
        let tokens = tokens.map_err(|message| to_py(py, Error::new(Code::Argument, message)))?;
        let options = common(timeout, limits(max_header_size, max_bytes), insecure, ack)?
            .with_tokens(tokens)
            .with_certificate(cert.zip(key))
            .with_max_connections(max_connections);
        py.detach(|| Waiting::bind(&address, &options)).into_py(py).map(Self)
    }

    /// Where it listens.
    fn address(&self) -> String {
        self.0.address().to_string()
    }

    /// The next peer; none after so many seconds, or when it is closed.
    fn accept(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Link>> {
        let patience: Option<Duration> = duration(timeout)?;
        Ok(py.detach(|| self.0.accept(patience)).into_py(py)?.map(Link))
    }

    /// Listens no longer.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

#[pymethods]
impl Link {
    /// Who is at the other end.
    fn peer(&self) -> &str {
        self.0.peer()
    }

    /// Sends an array.
    #[expect(clippy::too_many_arguments, reason = "as many as the Python method has")]
    fn send(
        &self,
        py: Python<'_>,
        a: &Bound<'_, PyAny>,
        name: Option<String>,
        meta: Option<String>,
        codec: Option<&str>,
        more: bool,
        progress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<u64> {
        let array = as_array(a)?;
        let view = view(&array)?;
        let adaptive = codec == Some("adaptive");
        let options = SendOptions::default()
            .with_frame(frame_options(py, codec.filter(|_| !adaptive), None, None)?)
            .with_adaptive(adaptive)
            .with_more(more)
            .with_progress(listen(progress, view.nbytes())?);
        let tag = Tag::new(name, meta);
        py.detach(|| self.0.send(&view, &tag, &options)).into_py(py)
    }

    /// Hands over the array in the shared memory of this descriptor, which stays the caller's.
    #[cfg(target_os = "linux")]
    fn send_shared(
        &self,
        py: Python<'_>,
        fd: i32,
        name: Option<String>,
        meta: Option<String>,
    ) -> PyResult<u64> {
        let file = File::from(duplicate(fd)?);
        let tag = Tag::new(name, meta);
        let send = || self.0.send_shared(&SharedFile::open(file, &Limits::default())?, &tag);
        py.detach(send).into_py(py)
    }

    /// Sends what was held back.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.flush()).into_py(py)
    }

    /// Waits until the peer has all.
    fn sync(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.sync()).into_py(py)
    }

    /// Receives an array, into `out` if given; none when the peer has ended.
    fn recv<'py>(
        &self,
        py: Python<'py>,
        out: Option<Bound<'py, PyUntypedArray>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Item<'py>>> {
        #[allow(unused_mut, reason = "memory is taken on Linux alone")]
        let Some(mut incoming) = py.detach(|| self.0.receive()).into_py(py)? else {
            return Ok(None);
        };
        let (header, tag) = (incoming.header().clone(), incoming.tag().clone());
        #[cfg(target_os = "linux")]
        if out.is_none()
            && let Some(memory) = incoming.take_shared()
        {
            let size = memory.file().metadata()?.len();
            let place = (OwnedFd::from(memory.into_file()).into_raw_fd(), size);
            return Ok(Some((place.into_bound_py_any(py)?, tag.name, tag.meta)));
        }
        let progress = listen(progress, header.nbytes())?;
        let target = Target::new(py, out, &header)?;
        let array = target
            .fill(|memory, layout| py.detach(|| incoming.read_into(memory, layout, &progress)))?;
        Ok(Some((array.into_any(), tag.name, tag.meta)))
    }

    /// Says that what has come is done with.
    fn ack(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.ack()).into_py(py)
    }

    /// Ends the session when the peer has all.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.close()).into_py(py)
    }

    /// Ends the connection at once.
    fn abort(&self, py: Python<'_>) {
        py.detach(|| self.0.abort());
    }
}
