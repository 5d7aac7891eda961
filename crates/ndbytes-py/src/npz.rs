//! `.npz` by path, over file objects and on servers.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use ndbytes::{
    ArrayView, AtomicFile, Code, Codec, Compression, Error, NpzAppender, NpzReader as Reader,
    NpzWriter, SaveOptions, Sink, with_threads, zip,
};
use ndbytes_net::client::put;
use numpy::PyUntypedArray;
use pyo3::prelude::*;

use crate::array::{as_array, empty, memory_mut, view};
use crate::error::{IntoPy, to_py};
use crate::file::{PyReadAt, PyWriter};
use crate::header::{Facts, facts, limits};
use crate::memory::new_bytes;
use crate::open::Open;
use crate::remote::{RemoteFile, opened};
use crate::signals::listen;
use crate::source::Source;
use crate::target::fill;
use crate::warn::warn_of_version;

type Members<'py> = Vec<(String, Bound<'py, PyAny>)>;

/// What happens to members: none without a codec; at the codec's own level without one.
fn compression(py: Python<'_>, codec: Option<&str>, level: Option<u32>) -> PyResult<Compression> {
    let Some(name) = codec else { return Ok(Compression::Stored) };
    let codec =
        Codec::from_name(name).filter(|codec| matches!(codec, Codec::Deflate | Codec::Zstd));
    let Some(codec) = codec else {
        let message = format!("codec must be 'deflate' or 'zstd' in an archive, not {name:?}");
        return Err(to_py(py, Error::new(Code::Argument, message)));
    };
    let level = level.unwrap_or(codec.default_level());
    codec.check_level(level).map_err(Error::from).into_py(py)?;
    Ok(if codec == Codec::Zstd { Compression::Zstd(level) } else { Compression::Deflate(level) })
}

fn arrays<'py>(members: &Members<'py>) -> PyResult<Vec<Bound<'py, PyUntypedArray>>> {
    members.iter().map(|(_, object)| as_array(object)).collect()
}

/// What is saved: keys and views, their bytes, and the most that a stored archive of them takes.
struct Contents<'a> {
    views: Vec<(&'a str, ArrayView<'a>)>,
    nbytes: u64,
    most: u64,
}

/// Looks at every member, so that what cannot be saved is found out before anything is written.
fn contents<'a>(
    members: &'a Members<'_>,
    arrays: &'a [Bound<'_, PyUntypedArray>],
) -> PyResult<Contents<'a>> {
    let mut contents = Contents { views: Vec::with_capacity(members.len()), nbytes: 0, most: 0 };
    for ((key, _), array) in members.iter().zip(arrays) {
        let py = array.py();
        let view = view(array)?;
        let header = view.header().into_py(py)?;
        let head = header.encode().map_err(Error::from).into_py(py)?;
        warn_of_version(py, &head)?;
        // The headers of ZIP: two with the name, alignment, a share of the directory's end.
        contents.most += (header.nbytes() + head.len() + 2 * key.len() + 512) as u64;
        contents.nbytes += header.nbytes() as u64;
        contents.views.push((key, view));
    }
    Ok(contents)
}

fn write_all<W: ndbytes::Sink>(
    mut writer: NpzWriter<W>,
    contents: &Contents<'_>,
    compression: Compression,
) -> Result<W, Error> {
    for (key, view) in &contents.views {
        writer.add(key, view, compression)?;
    }
    writer.finish()
}

/// Saves arrays to a path, atomically.
#[pyfunction]
#[pyo3(signature = (path, members, codec, level, threads, durable, progress))]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn savez_path(
    py: Python<'_>,
    path: PathBuf,
    members: Members<'_>,
    codec: Option<&str>,
    level: Option<u32>,
    threads: Option<usize>,
    durable: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let compression = compression(py, codec, level)?;
    let options = SaveOptions::default().with_durable(durable);
    let arrays = arrays(&members)?;
    let contents = contents(&members, &arrays)?;
    let progress = listen(progress, contents.nbytes as usize)?;
    let save = || {
        let mut file = AtomicFile::create(&path, &options)?;
        let write = || {
            if compression == Compression::Stored {
                file.reserve(contents.most)?;
            }
            let writer = NpzWriter::new(file).with_progress(&progress, contents.nbytes);
            write_all(writer, &contents, compression)?.commit()
        };
        write().map_err(|error: Error| error.with_path(&path))
    };
    py.detach(|| with_threads(threads, save)).into_py(py)
}

/// Adds arrays to the archive at a path, or replaces those of their names: all or none.
#[pyfunction]
#[pyo3(signature = (path, members, codec, level, threads, durable, progress))]
#[expect(clippy::too_many_arguments, reason = "as many as the Python function has")]
pub(crate) fn append_npz(
    py: Python<'_>,
    path: PathBuf,
    members: Members<'_>,
    codec: Option<&str>,
    level: Option<u32>,
    threads: Option<usize>,
    durable: bool,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let compression = compression(py, codec, level)?;
    let save = SaveOptions::default().with_durable(durable);
    let arrays = arrays(&members)?;
    let contents = contents(&members, &arrays)?;
    let progress = listen(progress, contents.nbytes as usize)?;
    let append = || {
        let archive = NpzAppender::open(&path, &save)?;
        let mut archive = archive.with_progress(&progress, contents.nbytes);
        for (key, view) in &contents.views {
            archive.add(key, view, compression)?;
        }
        archive.finish()
    };
    py.detach(|| with_threads(threads, append)).into_py(py)
}

/// Saves arrays to a file object.
#[pyfunction]
#[pyo3(signature = (file, members, codec, level, threads, progress))]
pub(crate) fn savez_file(
    py: Python<'_>,
    file: &Bound<'_, PyAny>,
    members: Members<'_>,
    codec: Option<&str>,
    level: Option<u32>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let compression = compression(py, codec, level)?;
    let sink = PyWriter::new(file)?;
    let position = sink.position(py)?;
    let arrays = arrays(&members)?;
    let contents = contents(&members, &arrays)?;
    let progress = listen(progress, contents.nbytes as usize)?;
    let writer = NpzWriter::at(sink, position).with_progress(&progress, contents.nbytes);
    let save = || with_threads(threads, || write_all(writer, &contents, compression));
    py.detach(save).into_py(py)?;
    Ok(())
}

/// Saves arrays on a server, when the whole archive is made.
#[pyfunction]
#[pyo3(signature = (file, members, codec, level, threads, progress))]
pub(crate) fn savez_remote(
    py: Python<'_>,
    file: &RemoteFile,
    members: Members<'_>,
    codec: Option<&str>,
    level: Option<u32>,
    threads: Option<usize>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let compression = compression(py, codec, level)?;
    let arrays = arrays(&members)?;
    let contents = contents(&members, &arrays)?;
    // What is told is what is sent: how long that takes depends on the network.
    let (making, sending) =
        (listen(None, contents.nbytes as usize)?, listen(progress, usize::MAX)?);
    let save = || {
        let mut memory = Memory(Vec::new());
        if compression == Compression::Stored {
            memory.reserve(contents.most as usize)?;
        }
        let writer = NpzWriter::new(memory).with_progress(&making, contents.nbytes);
        let memory = with_threads(threads, || write_all(writer, &contents, compression))?;
        put(&file.url, &[&memory.0], &file.options, &sending)
    };
    py.detach(save).into_py(py)
}

/// An archive in memory.
struct Memory(Vec<u8>);

impl Memory {
    fn reserve(&mut self, more: usize) -> io::Result<()> {
        // Twice as much at once, where there is so much.
        let reserved = self.0.try_reserve(more).or_else(|_| self.0.try_reserve_exact(more));
        reserved.map_err(|_| {
            let message = format!("no memory for an archive of {} bytes", self.0.len() + more);
            io::Error::new(io::ErrorKind::OutOfMemory, message)
        })
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.reserve(bytes.len())?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory {
    fn can_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let old = self.0.get_mut(at as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
        old.ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(bytes);
        Ok(())
    }
}

/// An open archive. Reads by position: threads and forked processes may share it.
#[pyclass(frozen)]
pub(crate) struct NpzReader {
    open: Open<Reader<Source>>,
}

impl NpzReader {
    fn of(reader: Reader<Source>) -> Self {
        Self { open: Open::new(reader, "archive") }
    }

    fn reader(&self, py: Python<'_>) -> PyResult<Arc<Reader<Source>>> {
        self.open.get(py)
    }
}

#[pymethods]
impl NpzReader {
    /// Opens a path.
    #[staticmethod]
    #[pyo3(signature = (path, max_header_size, max_bytes))]
    fn from_path(
        py: Python<'_>,
        path: PathBuf,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let limits = limits(max_header_size, max_bytes);
        let reader = py.detach(|| Reader::open(&path, &limits)).into_py(py)?;
        let reader = reader.map_source(Source::File);
        Ok(Self::of(reader))
    }

    /// Opens a file object that can seek.
    #[staticmethod]
    #[pyo3(signature = (file, max_header_size, max_bytes))]
    fn from_file(
        file: &Bound<'_, PyAny>,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let py = file.py();
        let source = Source::Object(PyReadAt::new(file)?);
        let limits = limits(max_header_size, max_bytes);
        let reader = py.detach(|| Reader::new(source, &limits)).into_py(py)?;
        Ok(Self::of(reader))
    }

    /// Opens a file on a server.
    #[staticmethod]
    #[pyo3(signature = (file, max_header_size, max_bytes))]
    fn from_remote(
        py: Python<'_>,
        file: &RemoteFile,
        max_header_size: Option<usize>,
        max_bytes: Option<u64>,
    ) -> PyResult<Self> {
        let limits = limits(max_header_size, max_bytes);
        Ok(Self::of(opened(py, file, |file| Reader::new(Source::Remote(file), &limits))?))
    }

    /// The members' names.
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.reader(py)?.entries().iter().map(|entry| entry.name.clone()).collect())
    }

    /// Reads a member: an array if it is one, otherwise its bytes.
    #[pyo3(signature = (name, threads=None, progress=None))]
    fn read<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        threads: Option<usize>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let reader = self.reader(py)?;
        let number = reader.find(name).into_py(py)?;
        if !is_array(py, &reader, number)? {
            let mut member = reader.member(number).into_py(py)?;
            if member.left() > reader.limits().bytes {
                let message = format!(
                    "member `{}` has {} bytes, more than the limit of {}",
                    name.escape_debug(),
                    member.left(),
                    reader.limits().bytes
                );
                return Err(to_py(py, Error::new(Code::TooManyBytes, message)));
            }
            let len = usize::try_from(member.left())?;
            // Memory grows as bytes arrive: the size is only what the archive says.
            let bytes = py
                .detach(|| {
                    let mut bytes = Vec::new();
                    Read::take(&mut member, len as u64).read_to_end(&mut bytes)?;
                    member.finish()?;
                    Ok(bytes)
                })
                .into_py(py)?;
            return Ok(new_bytes(py, bytes.len(), |out| {
                out.copy_from_slice(&bytes);
                Ok(())
            })?
            .into_any());
        }
        let (header, member) = py.detach(|| reader.array_member(number)).into_py(py)?;
        let mut array = empty(py, &header)?;
        let (memory, _) = memory_mut(&mut array)?;
        let progress = listen(progress, memory.len())?;
        let read =
            || with_threads(threads, || Reader::read_data_with(&header, member, memory, &progress));
        py.detach(read).into_py(py)?;
        Ok(array.into_any())
    }

    /// Reads several members that are arrays, at the same time.
    #[pyo3(signature = (names, threads=None, progress=None))]
    fn read_several<'py>(
        &self,
        py: Python<'py>,
        names: Vec<String>,
        threads: Option<usize>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Bound<'py, PyUntypedArray>>> {
        let reader = self.reader(py)?;
        let mut opened = Vec::with_capacity(names.len());
        for name in &names {
            let number = reader.find(name).into_py(py)?;
            opened.push(py.detach(|| reader.array_member(number)).into_py(py)?);
        }
        let mut arrays =
            opened.iter().map(|(header, _)| empty(py, header)).collect::<PyResult<Vec<_>>>()?;
        let mut members = Vec::with_capacity(arrays.len());
        for (array, (header, member)) in arrays.iter_mut().zip(opened) {
            members.push((header, member, memory_mut(array)?.0));
        }
        let nbytes = members.iter().map(|(header, ..)| header.nbytes()).sum();
        let progress = listen(progress, nbytes)?;
        let read = || with_threads(threads, || Reader::read_several_with(members, &progress));
        py.detach(read).into_py(py)?;
        Ok(arrays)
    }

    /// Shape, order, dtype of a member that is an array, and the length of its header.
    fn facts<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Facts<'py>> {
        let reader = self.reader(py)?;
        let number = reader.find(name).into_py(py)?;
        let (header, _) = py.detach(|| reader.array_member(number)).into_py(py)?;
        facts(py, &header, reader.entries()[number].uncompressed as usize - header.nbytes())
    }

    /// Every `step`-th item of an array from `start` on, `shape` of them along each axis.
    #[pyo3(signature = (name, start, step, shape, threads=None))]
    fn read_slice<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        start: Vec<usize>,
        step: Vec<usize>,
        shape: Vec<usize>,
        threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyUntypedArray>> {
        let reader = self.reader(py)?;
        let number = reader.find(name).into_py(py)?;
        let read = || {
            let (header, member) = reader.array_member(number)?;
            with_threads(threads, || Reader::read_slice(&header, member, &start, &step, &shape))
        };
        let part = py.detach(read).into_py(py)?;
        fill(py, None, part.header(), |memory, _| {
            memory.copy_from_slice(part.bytes());
            Ok(())
        })
    }

    /// Whether a member begins as an array does.
    fn is_array(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        let reader = self.reader(py)?;
        let number = reader.find(name).into_py(py)?;
        is_array(py, &reader, number)
    }

    /// Header and place of the data of a member that can be mapped.
    fn locate<'py>(&self, py: Python<'py>, name: &str) -> PyResult<(Facts<'py>, u64)> {
        let reader = self.reader(py)?;
        let number = reader.find(name).into_py(py)?;
        let entry = &reader.entries()[number];
        if entry.method != zip::Method::Stored {
            let message = format!(
                "member `{}` is compressed ({}) and cannot be mapped; save with `savez`, or load without `mmap_mode`",
                entry.name.escape_debug(),
                entry.method.name()
            );
            return Err(to_py(py, Error::new(Code::ZipUnsupported, message)));
        }
        let (header, member) = py.detach(|| reader.array_member(number)).into_py(py)?;
        let len = entry.uncompressed as usize - header.nbytes();
        drop(member);
        let start = reader.data_offset(number).into_py(py)? + len as u64;
        Ok((facts(py, &header, len)?, start))
    }

    /// A descriptor of the file, to map members of it; the caller closes it.
    fn duplicate(&self, py: Python<'_>) -> PyResult<i32> {
        match self.reader(py)?.source() {
            Source::File(file) => {
                use std::os::fd::IntoRawFd;
                Ok(file.file().try_clone()?.into_raw_fd())
            }
            Source::Object(_) | Source::Remote(_) => Err(to_py(
                py,
                Error::new(Code::Argument, "a file object cannot be mapped: give its path"),
            )),
        }
    }

    /// Closes the file.
    fn close(&self) {
        self.open.close();
    }
}

fn is_array(py: Python<'_>, reader: &Reader<Source>, number: usize) -> PyResult<bool> {
    let mut member = reader.member(number).into_py(py)?;
    let mut magic = [0; 6];
    let mut have = 0;
    while have < magic.len() && member.left() > 0 {
        have += py.detach(|| member.read(&mut magic[have..])).map_err(Error::from).into_py(py)?;
    }
    Ok(&magic == b"\x93NUMPY")
}
