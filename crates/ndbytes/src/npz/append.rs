//! Appending to an archive in its file.

use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ndbytes_format::journal::Journal;
use ndbytes_format::zip::{Entry, LOCAL_LEN, is_local_of};
use ndbytes_format::{Code, Limits};

use crate::array::ArrayView;
use crate::atomic::{AtomicFile, SaveOptions};
use crate::error::{Error, Result};
use crate::journal::{self, Grows, JournaledFile, Locked};
use crate::npy::fill_growing;
use crate::npz::reader::NpzReader;
use crate::npz::writer::{Compression, NpzWriter, Old, Sink, rewrite_within};
use crate::progress::Progress;
use crate::read_at::{ReadAt, Section, read_part_at};

/// Adds arrays to the archive in a file, or replaces those of their keys; the others stay where
/// they are, with their dates, attributes and comments.
///
/// The file is as before or after all of it, wherever that is cut off: what is written over is kept
/// in a journal beside it (`docs/spec/journal.md`), and a reader, or the next append, goes by that.
/// Without [`NpzAppender::finish`] it is as before. The room of arrays that were replaced is not
/// used again: who needs it writes the archive anew.
#[derive(Debug)]
pub struct NpzAppender {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    /// There was no file.
    Fresh(Box<NpzWriter<AtomicFile>>),
    Behind(Box<Behind>),
    Done,
}

/// An archive that is locked.
#[derive(Debug)]
struct Behind {
    path: PathBuf,
    locked: Locked,
    journal: Journal,
    save: SaveOptions,
    /// What the directory says, until something is written over it.
    old: Option<Old>,
    /// Once the journal is there.
    writer: Option<NpzWriter<Tail>>,
    /// Who is told, of how many bytes.
    progress: (Progress, u64),
}

/// The end of a file.
#[derive(Debug)]
struct Tail(File);

impl NpzAppender {
    /// Opens the archive in a file, or begins one that takes its name when it is complete.
    ///
    /// # Errors
    /// As [`NpzReader::open`]; [`Code::ZipRecord`] where a member is not what the directory says;
    /// [`Code::ZipUnsupported`] where more than the end follows the directory;
    /// [`Code::Argument`] for what is no regular file; what the operating system said, also when
    /// another process appends to it.
    pub fn open(path: &Path, save: &SaveOptions) -> Result<Self> {
        let open = || {
            match fs::metadata(path) {
                Ok(meta) if meta.is_file() => {}
                Ok(_) => {
                    let message = "arrays can be appended to an archive in a regular file alone";
                    return Err(Error::new(Code::Argument, message));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let file = AtomicFile::create(path, save)?;
                    return Ok(State::Fresh(Box::new(NpzWriter::new(file))));
                }
                Err(error) => return Err(error.into()),
            }
            Ok(State::Behind(Box::new(Behind::open(journal::resolved(path)?, save)?)))
        };
        let state = open().map_err(|error| error.with_path(path))?;
        Ok(Self { path: path.to_owned(), state })
    }

    /// Tells how far it is with arrays of `total` bytes in all, uncompressed.
    #[must_use]
    pub fn with_progress(mut self, progress: &Progress, total: u64) -> Self {
        self.state = match self.state {
            State::Fresh(writer) => State::Fresh(Box::new(writer.with_progress(progress, total))),
            State::Behind(mut behind) => {
                behind.progress = (progress.clone(), total);
                State::Behind(behind)
            }
            State::Done => State::Done,
        };
        self
    }

    /// Adds an array under this key, in the place of the one that the archive had.
    ///
    /// # Errors
    /// As [`NpzWriter::add`]: a key may be added once. The archive is as before when this is
    /// dropped.
    pub fn add(
        &mut self,
        key: &str,
        array: &ArrayView<'_>,
        compression: Compression,
    ) -> Result<()> {
        let added = match &mut self.state {
            State::Fresh(writer) => writer.add(key, array, compression),
            State::Behind(behind) => behind.add(key, array, compression),
            State::Done => Ok(()),
        };
        added.map_err(|error| error.with_path(&self.path))
    }

    /// Writes the directory: from here on the archive has the new arrays.
    ///
    /// # Errors
    /// What the operating system said; [`Code::Argument`] after [`NpzAppender::add`] failed in the
    /// middle of an array. The archive is then as before.
    pub fn finish(mut self) -> Result<()> {
        let finished = match std::mem::replace(&mut self.state, State::Done) {
            State::Fresh(writer) => writer.finish().and_then(AtomicFile::commit),
            State::Behind(mut behind) => behind.finish(),
            State::Done => Ok(()),
        };
        finished.map_err(|error| error.with_path(&self.path))
    }
}

impl Behind {
    fn open(path: PathBuf, save: &SaveOptions) -> Result<Self> {
        let locked = Locked::open(&path)?;
        journal::settle::<NpzReader<JournaledFile>>(&path, &locked.0, save)?;
        let reader = NpzReader::new(&locked.0, &Limits::default())?;
        let old = old(&reader)?;
        let (file_len, tail_at) = (reader.source().size()?, reader.directory().offset);
        let journal = Journal { file_len, tail_at, header_len: 0 };
        let progress = Default::default();
        Ok(Self { path, locked, journal, save: *save, old: Some(old), writer: None, progress })
    }

    fn add(&mut self, key: &str, array: &ArrayView<'_>, compression: Compression) -> Result<()> {
        // What cannot be saved is found out before anything is touched.
        array.header()?.encode()?;
        if let Some(old) = self.old.take() {
            let mut file = self.locked.0.try_clone()?;
            journal::keep(&self.path, &file, &self.journal, &self.save)?;
            // Without its directory the archive is no whole one, whatever happens from here on.
            let tail = Tail(self.locked.0.try_clone()?);
            let (progress, total) = &self.progress;
            let writer = NpzWriter::behind(tail, self.journal.tail_at, old);
            let writer = self.writer.insert(writer.with_progress(progress, *total));
            file.set_len(self.journal.tail_at)?;
            file.seek(SeekFrom::Start(self.journal.tail_at))?;
            return writer.add(key, array, compression);
        }
        match &mut self.writer {
            Some(writer) => writer.add(key, array, compression),
            None => Err(Error::new(Code::Argument, "the archive could not be written to")),
        }
    }

    fn finish(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else {
            return match self.old {
                Some(_) => Ok(()),
                None => Err(Error::new(Code::Argument, "the archive could not be written to")),
            };
        };
        let end = || {
            let Tail(file) = writer.finish()?;
            if self.save.durable {
                file.sync_all()?;
            }
            Ok(())
        };
        match end() {
            Ok(()) => journal::remove(&self.path, &self.save),
            Err(error) => {
                self.undo();
                Err(error)
            }
        }
    }

    /// Makes the file what it was. Where that fails, its journal still says what that is.
    fn undo(&self) {
        let _ = journal::undo::<NpzReader<JournaledFile>>(&self.path, &self.locked.0, &self.save);
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            self.undo();
        }
    }
}

impl NpzReader<JournaledFile> {
    /// Opens the archive in a file. Where an append was cut off, or is under way, this is the
    /// archive before it.
    ///
    /// # Errors
    /// As [`NpzReader::new`], and what the operating system said.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        journal::open(path, limits).map_err(|error: Error| error.with_path(path))
    }
}

impl Grows for NpzReader<JournaledFile> {
    fn is_over(file: &File, tail_at: u64) -> bool {
        // An end record of which a part is missing may speak of no members at all.
        let reader = NpzReader::new(file, &Limits::default());
        let Some(reader) = reader.ok().filter(|reader| old(reader).is_ok()) else { return false };
        let mut piece = vec![0; PIECE];
        let mut is_whole = |member: usize| {
            let mut bytes = match reader.member(member) {
                Ok(bytes) => bytes,
                // An append writes no such member: the file has changed since then.
                Err(error) => return error.code() == Code::ZipUnsupported,
            };
            loop {
                match bytes.read(&mut piece) {
                    Ok(0) => return bytes.finish().is_ok(),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return false,
                }
            }
        };
        (0..reader.entries().len())
            .filter(|&member| reader.entries()[member].header_offset >= tail_at)
            .all(&mut is_whole)
    }

    fn read(source: JournaledFile, limits: &Limits) -> Result<Self> {
        NpzReader::new(source, limits)
    }

    fn source(&self) -> &JournaledFile {
        self.source()
    }

    fn is_of(&self, journal: &Journal) -> Result<bool> {
        if journal.header_len != 0 || journal.tail_at != self.directory().offset {
            return Ok(false);
        }
        match old(self) {
            Err(error) if error.io().is_some() => Err(error),
            old => Ok(old.is_ok()),
        }
    }
}

impl Write for Tail {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Tail {
    fn can_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        rewrite_within(&mut self.0, at, bytes)
    }
}

/// What an archive's directory says, of an archive whose members are what and where it says.
fn old<R: ReadAt>(reader: &NpzReader<R>) -> Result<Old> {
    let directory = reader.directory();
    let source = reader.source();
    let len = source.size()?.saturating_sub(directory.offset);
    let mut bytes = Vec::new();
    let mut section = Section::new(source, directory.offset, len);
    let got = fill_growing(&mut section, &mut bytes, usize::try_from(len).unwrap_or(usize::MAX))?;
    if (got as u64) < directory.len {
        return Err(Error::new(Code::ZipEnd, "the file became shorter while it was read"));
    }
    let (entries, end) = bytes.split_at(directory.len as usize);
    let mut old = Old { members: Vec::new(), comment: directory.parse_comment(end)?.to_vec() };
    let entries = Entry::split_central(entries, directory.entries)
        .map_err(|error| error.shifted(directory.offset))?;
    for (member, (entry, central)) in entries.into_iter().enumerate() {
        reader.data_offset(member)?;
        let mut local = vec![0; LOCAL_LEN + central.len()];
        let got = read_part_at(source, &mut local, entry.header_offset)?;
        if !is_local_of(&local[..got], central) {
            let name = entry.name.escape_debug();
            let message = format!("member `{name}` is another one than the directory says");
            return Err(Error::new(Code::ZipRecord, message).at(entry.header_offset));
        }
        old.members.push((entry.name, central.to_vec()));
    }
    Ok(old)
}

const PIECE: usize = 1 << 18;
