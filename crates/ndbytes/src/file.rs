//! Files of one array by path.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ndbytes_format::frame::FRAME_MAGIC;
use ndbytes_format::{Code, Header, Limits};
use ndbytes_mem::Strided;

use crate::array::{Array, ArrayView};
use crate::atomic::{AtomicFile, SaveOptions};
use crate::error::{Error, Result};
use crate::frame::FrameReader;
use crate::journal::JournaledFile;
use crate::npy::{read_data_at, read_header, truncated, write_npy_with};
use crate::progress::{Meter, Progress};
use crate::read_at::read_part_at;
use crate::stream::scatter_measured;

/// Saves an array as `.npy`, atomically: the file is whole and new, or as it was.
///
/// No suffix is added to the path.
///
/// # Errors
/// What the operating system said, at whatever step.
pub fn save(path: &Path, array: &ArrayView<'_>, options: &SaveOptions) -> Result<()> {
    save_with(path, array, options, &Progress::default())
}

/// As [`save`], and tells how far it is.
///
/// # Errors
/// As [`save`], and what [`Progress`] said.
pub fn save_with(
    path: &Path,
    array: &ArrayView<'_>,
    options: &SaveOptions,
    progress: &Progress,
) -> Result<()> {
    // What cannot be saved is found out before any file is made.
    let header = array.header()?;
    let head = header.encode()?.len() as u64;
    AtomicFile::write(path, options, |file| {
        file.reserve(head + header.nbytes() as u64)?;
        write_npy_with(file, array, progress)
    })
}

/// Loads an `.npy` file or a frame, as the first bytes say.
///
/// # Errors
/// As [`ArrayFile::open`] and [`ArrayFile::read_strided`].
pub fn load(path: &Path, limits: &Limits) -> Result<Array> {
    load_with(path, limits, &Progress::default())
}

/// As [`load`], and tells how far it is.
///
/// # Errors
/// As [`load`], and what [`Progress`] said.
pub fn load_with(path: &Path, limits: &Limits, progress: &Progress) -> Result<Array> {
    let mut file = ArrayFile::open(path, limits)?;
    let mut array = Array::zeroed(file.header().clone())?;
    let strides = array.header().strides();
    let layout = Strided { origin: 0, strides: &strides };
    file.read_strided_with(array.bytes_mut(), layout, progress)?;
    Ok(array)
}

/// An open file of one array, of whatever format.
#[derive(Debug)]
#[non_exhaustive]
pub enum ArrayFile {
    /// An `.npy` file.
    Npy(NpyFile),
    /// A frame.
    Frame(Box<FrameReader<JournaledFile>>),
}

/// An open `.npy` file whose header has been read.
#[derive(Debug)]
pub struct NpyFile {
    file: File,
    path: PathBuf,
    header: Header,
    data_offset: usize,
}

impl ArrayFile {
    /// Opens the file and reads what precedes the data, which stays where it is. With the feature
    /// `zarr` it may be the folder of a Zarr array whose shard is a frame.
    ///
    /// # Errors
    /// As [`FrameReader::open`] where the file begins as a frame, otherwise as [`NpyFile::open`].
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let open = || {
            #[cfg(feature = "zarr")]
            if path.join("zarr.json").exists() {
                let shard = crate::zarr::zarr_shard(path)?;
                return Ok(Self::Frame(Box::new(FrameReader::open(&shard, limits)?)));
            }
            let file = File::open(path)?;
            let mut first = [0; FRAME_MAGIC.len()];
            let is_frame = file.metadata()?.is_file()
                && read_part_at(&file, &mut first, 0)? == first.len()
                && first == *FRAME_MAGIC;
            Ok(match is_frame {
                true => Self::Frame(Box::new(FrameReader::open(path, limits)?)),
                false => Self::Npy(NpyFile::new(file, path, limits)?),
            })
        };
        open().map_err(|error: Error| error.with_path(path))
    }

    /// Dtype, order and shape.
    pub fn header(&self) -> &Header {
        match self {
            Self::Npy(file) => file.header(),
            Self::Frame(frame) => frame.header().array(),
        }
    }

    /// Reads the data into memory of any layout.
    ///
    /// # Errors
    /// As [`NpyFile::read`] and [`FrameReader::read_into`].
    pub fn read_strided(&mut self, out: &mut [u8], layout: Strided<'_>) -> Result<()> {
        self.read_strided_with(out, layout, &Progress::default())
    }

    /// As [`ArrayFile::read_strided`], and tells how far it is.
    ///
    /// # Errors
    /// As [`ArrayFile::read_strided`], and what [`Progress`] said.
    pub fn read_strided_with(
        &mut self,
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        match self {
            Self::Npy(file) => file.read_strided_with(out, layout, progress),
            Self::Frame(frame) => {
                let read = frame.read_into_with(out, layout, progress);
                read.map_err(|error| error.with_path(frame.path()))
            }
        }
    }
}

impl NpyFile {
    /// Opens the file and reads its header; the data stays where it is.
    ///
    /// # Errors
    /// What the operating system said; a code for each way that a header can lie;
    /// [`Code::DataTruncated`] when a regular file is too short for what its header announces,
    /// before anything is allocated.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let open = || Self::new(File::open(path)?, path, limits);
        open().map_err(|error: Error| error.with_path(path))
    }

    fn new(mut file: File, path: &Path, limits: &Limits) -> Result<Self> {
        let (header, data_offset) = read_header(&mut file, limits)?;
        let meta = file.metadata()?;
        let size = meta.len().saturating_sub(data_offset as u64);
        if meta.is_file() && size < header.nbytes() as u64 {
            return Err(truncated(&header, size as usize).shifted(data_offset as u64));
        }
        Ok(Self { file, path: path.to_owned(), header, data_offset })
    }

    /// Dtype, order and shape.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the data begins in the file.
    pub fn data_offset(&self) -> usize {
        self.data_offset
    }

    /// Bytes of the file after the array.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn trailing(&self) -> Result<u64> {
        let size = self.file.metadata()?.len();
        Ok(size.saturating_sub((self.data_offset + self.header.nbytes()) as u64))
    }

    /// Reads the data into memory of exactly its size.
    ///
    /// # Errors
    /// As [`read_exact`](crate::read_exact); [`Code::Mismatch`] for memory of another size.
    pub fn read(&mut self, out: &mut [u8]) -> Result<()> {
        if out.len() != self.header.nbytes() {
            let message =
                format!("{} bytes of memory for {} of data", out.len(), self.header.nbytes());
            return Err(Error::new(Code::Mismatch, message));
        }
        let strides = self.header.strides();
        self.read_strided(out, Strided { origin: 0, strides: &strides })
    }

    /// Reads the data into memory of any layout.
    ///
    /// # Errors
    /// As [`NpyFile::read`].
    pub fn read_strided(&mut self, out: &mut [u8], layout: Strided<'_>) -> Result<()> {
        self.read_strided_with(out, layout, &Progress::default())
    }

    /// As [`NpyFile::read_strided`], and tells how far it is.
    ///
    /// # Errors
    /// As [`NpyFile::read_strided`], and what [`Progress`] said.
    pub fn read_strided_with(
        &mut self,
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let offset = self.data_offset as u64;
        let meter = Meter::new(progress, self.header.nbytes() as u64);
        let mut read = || {
            if self.file.metadata()?.is_file() {
                return read_data_at(&self.file, &self.header, offset, out, layout, &meter);
            }
            // A pipe stands where it has to, and cannot seek.
            match self.file.seek(SeekFrom::Start(offset)) {
                Err(error) if error.kind() != io::ErrorKind::NotSeekable => {
                    return Err(error.into());
                }
                _ => {}
            }
            let source: &mut dyn Read = &mut self.file;
            let read = scatter_measured(source, &self.header, out, layout, &meter);
            read.map_err(|error| error.shifted(offset))
        };
        let read = read();
        meter.end(read).map_err(|error| error.with_path(&self.path))
    }

    /// The open file.
    pub fn file(&self) -> &File {
        &self.file
    }
}
