//! What is read: a file, or standard input and pipes as if they were one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ndbytes::{
    FrameReader, JournaledFile, Limits, Looks, NpzReader, ReadAt, Section, looks_like, zarr_shard,
};
use ndbytes_net::client::{RemoteFile, RemoteOptions, is_url};

use crate::exit::Failure;
use crate::progress::{self, By};

/// An open file.
pub(crate) struct Input {
    /// How messages name it.
    pub(crate) name: PathBuf,
    /// Its bytes.
    pub(crate) source: Source,
}

/// Bytes that are read by position.
pub(crate) enum Source {
    /// A regular file.
    File(File),
    /// A regular file with a frame, or with an archive whose append was cut off.
    Journaled(JournaledFile),
    /// A pipe.
    Spool(Spool),
    /// A file on a server.
    Remote(Box<RemoteFile>),
}

/// A pipe that is read by position: what was read of it is kept, and no more is read than was
/// asked for.
pub(crate) struct Spool(Mutex<Spooled>);

struct Spooled {
    source: Box<dyn Read + Send>,
    seen: Vec<u8>,
    ended: bool,
}

impl Input {
    /// Opens a file, also on a server, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if is_dash(path) {
            return Ok(Self { name: "standard input".into(), source: Source::spool(io::stdin()) });
        }
        if let Some(url) = url(path) {
            let file = RemoteFile::open(url, &RemoteOptions::default())?;
            return Ok(Self { name: path.to_owned(), source: Source::Remote(Box::new(file)) });
        }
        // A Zarr array whose shard is a frame is that frame.
        let shard = match path.join("zarr.json").is_file() {
            true => Some(zarr_shard(path)?),
            false => None,
        };
        let own = shard.as_deref().unwrap_or(path);
        let open = || {
            let file = File::open(own)?;
            let meta = file.metadata()?;
            if meta.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if !meta.is_file() {
                return Ok(Source::spool(file));
            }
            // A frame or an archive may have a journal; what is wrong with one is for others to say.
            if let Ok(frame) = FrameReader::open(own, &Limits::default()) {
                return Ok(Source::Journaled(frame.into_source()));
            }
            Ok(match NpzReader::open(own, &Limits::default()) {
                Ok(archive) if archive.source().is_cut_off() => {
                    Source::Journaled(archive.into_source())
                }
                _ => Source::File(file),
            })
        };
        let source = open().map_err(|error| Failure::io(error, path))?;
        Ok(Self { name: path.to_owned(), source })
    }

    /// What the first bytes look like.
    pub(crate) fn looks(&self) -> Result<Looks, Failure> {
        let mut head = Vec::new();
        let mut first = Section::new(&self.source, 0, SAMPLE);
        first.read_to_end(&mut head).map_err(|error| Failure::io(error, &self.name))?;
        Ok(looks_like(&head))
    }

    /// The bytes from the start.
    pub(crate) fn reader(&self) -> Section<'_, Source> {
        Section::new(&self.source, 0, u64::MAX)
    }

    /// How long it is; a pipe is read to its end for this.
    pub(crate) fn size(&self) -> Result<u64, Failure> {
        self.source.size().map_err(|error| Failure::io(error, &self.name))
    }

    /// Begins to read it, for who looks at the terminal.
    pub(crate) fn begin(&self, verb: &str) {
        progress::begin(By::Reading, verb, &self.name, self.source.known_size().ok().flatten());
    }

    /// The directory of an .npz.
    pub(crate) fn npz(&self) -> Result<NpzReader<&Source>, Failure> {
        Ok(NpzReader::new(&self.source, &Limits::default())
            .map_err(|error| error.with_path(&self.name))?)
    }

    /// That this is no file for this command, as an error.
    pub(crate) fn refuse(&self, looks: Looks, wanted: &str) -> Failure {
        Failure::no(format!(
            "{}: not {wanted}: it looks like {}",
            self.name.display(),
            looks.describe()
        ))
    }
}

impl Source {
    fn spool(source: impl Read + Send + 'static) -> Self {
        let spooled = Spooled { source: Box::new(source), seen: Vec::new(), ended: false };
        Self::Spool(Spool(Mutex::new(spooled)))
    }

    /// How long it is, where that is known without reading.
    pub(crate) fn known_size(&self) -> io::Result<Option<u64>> {
        match self {
            Source::File(file) => file.size().map(Some),
            Source::Journaled(file) => file.size().map(Some),
            Source::Spool(_) => Ok(None),
            Source::Remote(file) => file.size().map(Some),
        }
    }
}

impl ReadAt for Source {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = progress::piece(buffer.len());
        let buffer = &mut buffer[..len];
        let read = match self {
            Source::File(file) => file.read_at(buffer, offset),
            Source::Journaled(file) => file.read_at(buffer, offset),
            Source::Remote(file) => file.read_at(buffer, offset),
            Source::Spool(spool) => {
                let mut spooled = spool.0.lock().unwrap_or_else(PoisonError::into_inner);
                spooled.fetch(offset.saturating_add(buffer.len() as u64))?;
                // What is fetched counts.
                return spooled.seen.as_slice().read_at(buffer, offset);
            }
        };
        progress::read(*read.as_ref().unwrap_or(&0));
        read
    }

    fn is_random(&self) -> bool {
        !matches!(self, Source::Spool(_))
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Source::File(file) => file.size(),
            Source::Journaled(file) => file.size(),
            Source::Remote(file) => file.size(),
            Source::Spool(spool) => {
                let mut spooled = spool.0.lock().unwrap_or_else(PoisonError::into_inner);
                spooled.fetch(u64::MAX)?;
                Ok(spooled.seen.len() as u64)
            }
        }
    }
}

impl Spooled {
    /// Reads on until there are `end` bytes or no more come.
    fn fetch(&mut self, end: u64) -> io::Result<()> {
        while !self.ended && (self.seen.len() as u64) < end {
            let have = self.seen.len();
            let want = (end - have as u64).min(PIECE) as usize;
            self.seen.try_reserve(want).map_err(|_| {
                let message = format!("no memory for more than {have} bytes of a pipe: use a file");
                io::Error::new(io::ErrorKind::OutOfMemory, message)
            })?;
            self.seen.resize(have + want, 0);
            let result = self.source.read(&mut self.seen[have..]);
            self.seen.truncate(have + *result.as_ref().unwrap_or(&0));
            progress::read(self.seen.len() - have);
            match result {
                Ok(n) => self.ended = n == 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Whether this stands for standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The URL that this is, if it is one.
pub(crate) fn url(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| is_url(text))
}

/// Enough to see what a file looks like.
const SAMPLE: u64 = 512;
const PIECE: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_read_no_further_than_asked() {
        let (reader, mut writer) = io::pipe().unwrap();
        let source = Source::spool(reader);
        io::Write::write_all(&mut writer, b"abcdef").unwrap();
        let mut buffer = [0; 3];
        // The writer is still there: reading on would wait for ever.
        assert_eq!(source.read_at(&mut buffer, 2).unwrap(), 3);
        assert_eq!(&buffer, b"cde");
        drop(writer);
        assert_eq!(source.size().unwrap(), 6);
        assert_eq!(source.read_at(&mut buffer, 5).unwrap(), 1);
        assert_eq!(source.read_at(&mut buffer, 9).unwrap(), 0);
    }
}
