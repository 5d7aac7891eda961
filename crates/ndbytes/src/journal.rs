//! What an append writes over, kept beside the file until it is done: so that a frame or an archive
//! is always as it was before or after it. The way of rollback journals, as in SQLite.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ndbytes_format::frame::CHECKSUM_LEN;
use ndbytes_format::journal::Journal;
use ndbytes_format::{Code, Limits};

use crate::atomic::{SaveOptions, sync_folder};
use crate::error::{Error, Result};
use crate::read_at::{ReadAt, Section, read_part_at};

/// A file that may grow in its place; of one whose append was cut off, or is under way, as it was
/// before.
#[derive(Debug)]
pub struct JournaledFile {
    path: PathBuf,
    file: File,
    before: Option<Before>,
}

/// A journal that is whole.
#[derive(Debug)]
struct Before {
    journal: Journal,
    file: File,
}

/// A reader of files that grow in their place.
pub(crate) trait Grows: Sized {
    /// Whether the file is whole, and also what an append has written from `tail_at` on.
    fn is_over(file: &File, tail_at: u64) -> bool;

    /// Reads what is known of the whole file.
    fn read(source: JournaledFile, limits: &Limits) -> Result<Self>;

    /// What it reads.
    fn source(&self) -> &JournaledFile;

    /// Whether the file as it was before this journal's append has been that file: what the
    /// journal holds and what the file does must agree.
    fn is_of(&self, journal: &Journal) -> Result<bool>;
}

impl JournaledFile {
    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file itself, whatever its journal says.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Whether an append to it was cut off, or is under way.
    pub fn is_cut_off(&self) -> bool {
        self.before.is_some()
    }
}

impl ReadAt for JournaledFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let Some(before) = &self.before else { return self.file.read_at(buffer, offset) };
        let within = |buffer: &mut [u8], n: u64| buffer.len().min(usize::try_from(n).unwrap_or(0));
        if let Some((at, n)) = before.journal.find(offset) {
            let len = within(buffer, n);
            return before.file.read_at(&mut buffer[..len], at);
        }
        let len = within(buffer, before.journal.tail_at.saturating_sub(offset));
        self.file.read_at(&mut buffer[..len], offset)
    }

    fn size(&self) -> io::Result<u64> {
        match &self.before {
            Some(before) => Ok(before.journal.file_len),
            None => self.file.size(),
        }
    }
}

impl Before {
    /// The journal of a file, if there is one.
    fn open(file: &Path) -> Result<Option<Self>> {
        let path = path_for(file)?;
        let opened = fs::symlink_metadata(&path).and_then(|found| match found.is_file() {
            true => File::open(&path).map(Some),
            // A link may lead anywhere, also where nothing is yet, and a pipe may hold for ever.
            false => Ok(None),
        });
        let mut file = match opened {
            Ok(Some(file)) => file,
            Ok(None) => {
                let message = "no journal, but something of its name";
                return Err(Error::new(Code::Journal, message).with_path(&path));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::from(error).with_path(&path)),
        };
        let read = || {
            let len = file.metadata()?.len();
            let mut prelude = [0; Journal::PRELUDE_LEN];
            let have = read_part_at(&file, &mut prelude, 0)?;
            let journal = Journal::parse(&prelude[..have], len)?;
            let covered = len - CHECKSUM_LEN as u64;
            let mut computed = 0;
            pieces(&mut (&file).take(covered), |piece| {
                computed = ndbytes_mem::crc32c_append(computed, piece);
                Ok(())
            })?;
            let mut stored = [0; CHECKSUM_LEN];
            read_part_at(&file, &mut stored, covered)?;
            if computed != u32::from_le_bytes(stored) {
                return Err(Error::new(Code::Journal, "the journal's CRC-32C is wrong"));
            }
            Ok(journal)
        };
        let journal = read().map_err(|error| error.with_path(&path))?;
        file.rewind()?;
        Ok(Some(Self { journal, file }))
    }

    /// Makes the file what it was.
    fn put_back(&self, mut file: &File, options: &SaveOptions) -> Result<()> {
        let Journal { file_len, tail_at, header_len } = self.journal;
        for (at, len) in [(tail_at, file_len - tail_at), (0, header_len.into())] {
            let Some((from, _)) = self.journal.find(at).filter(|_| len > 0) else { continue };
            file.seek(SeekFrom::Start(at))?;
            pieces(&mut Section::new(&self.file, from, len), |piece| Ok(file.write_all(piece)?))?;
        }
        file.set_len(file_len)?;
        if options.durable {
            file.sync_all()?;
        }
        Ok(())
    }
}

/// Keeps what an append is going to write over. Who appends is alone, so that the name under which
/// this is written is one: what a killed process left of it is written over.
pub(crate) fn keep(
    path: &Path,
    file: &File,
    journal: &Journal,
    options: &SaveOptions,
) -> Result<()> {
    let (path, new) = (path_for(path)?, beside(path, ".journal.new")?);
    let write = || {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut open = OpenOptions::new();
        open.write(true).create_new(true);
        // Whoever may not read the file may not read what was in it either.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut open,
            std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o666,
        );
        let mut kept = open.open(&new)?;
        let mut checksum = 0;
        let mut put = |piece: &[u8]| {
            checksum = ndbytes_mem::crc32c_append(checksum, piece);
            Ok(kept.write_all(piece)?)
        };
        put(&journal.encode())?;
        pieces(&mut Section::new(file, 0, journal.header_len.into()), &mut put)?;
        let tail = journal.file_len - journal.tail_at;
        pieces(&mut Section::new(file, journal.tail_at, tail), &mut put)?;
        kept.write_all(&checksum.to_le_bytes())?;
        if options.durable {
            kept.sync_all()?;
        }
        ndbytes_mem::close(kept)?;
        fs::rename(&new, &path)?;
        if options.durable { Ok(sync_folder(&path)?) } else { Ok(()) }
    };
    write().map_err(|error: Error| {
        let _ = fs::remove_file(&new);
        error.with_path(&path)
    })
}

/// Ends what an append has left that was cut off, if there was one: the file is whole afterwards,
/// and has no journal.
pub(crate) fn settle<R: Grows>(path: &Path, file: &File, options: &SaveOptions) -> Result<()> {
    let Some(before) = Before::open(path)? else { return Ok(()) };
    if R::is_over(file, before.journal.tail_at) {
        return remove(path, options);
    }
    put_back::<R>(path, file, before, options)
}

/// Makes the file what it was before the append that the journal is of, and removes that.
pub(crate) fn undo<R: Grows>(path: &Path, file: &File, options: &SaveOptions) -> Result<()> {
    match Before::open(path)? {
        Some(before) => put_back::<R>(path, file, before, options),
        None => Ok(()),
    }
}

/// Removes the journal of an append that is over.
pub(crate) fn remove(path: &Path, options: &SaveOptions) -> Result<()> {
    let journal = path_for(path)?;
    fs::remove_file(&journal).map_err(|error| Error::from(error).with_path(&journal))?;
    if options.durable { Ok(sync_folder(&journal)?) } else { Ok(()) }
}

fn put_back<R: Grows>(
    path: &Path,
    file: &File,
    before: Before,
    options: &SaveOptions,
) -> Result<()> {
    let own = file.try_clone()?;
    let source = JournaledFile { path: path.to_owned(), file: own, before: Some(before) };
    let reader: R = reader_before(source, &Limits::default())?;
    if let Some(before) = &reader.source().before {
        before.put_back(file, options)?;
    }
    remove(path, options)
}

/// Opens a file. Where an append was cut off, or is under way, this is the file before it.
pub(crate) fn open<R: Grows>(given: &Path, limits: &Limits) -> Result<R> {
    let mut turn = 0;
    loop {
        let file = File::open(given)?;
        let size = file.size()?;
        let own = resolved(given).ok();
        // A journal that is damaged was never needed: appends begin when it is whole.
        let before = own.as_deref().and_then(|own| Before::open(own).ok().flatten());
        let before = before.filter(|before| !R::is_over(&file, before.journal.tail_at));
        let cut_off = before.is_some();
        let source = JournaledFile { path: given.to_owned(), file, before };
        if cut_off {
            return reader_before(source, limits);
        }
        let reader = R::read(source, limits);
        turn += 1;
        // An append may have begun or ended just now.
        let changed = || {
            own.as_deref().is_some_and(|own| path_for(own).is_ok_and(|journal| journal.exists()))
                || fs::metadata(given).ok().map(|meta| meta.len()) != Some(size)
        };
        if reader.is_ok() || turn == TURNS || !changed() {
            return reader;
        }
    }
}

/// The file as it was, if the journal is of this file.
fn reader_before<R: Grows>(source: JournaledFile, limits: &Limits) -> Result<R> {
    let journal = source.before.as_ref().map(|before| before.journal);
    let reader = R::read(source, limits)?;
    if let Some(journal) = journal
        && !reader.is_of(&journal)?
    {
        let message = "the journal is not of this file";
        let path = path_for(&resolved(&reader.source().path)?)?;
        return Err(Error::new(Code::Journal, message).with_path(&path));
    }
    Ok(reader)
}

/// A file to which no other process appends. A process that ends lets go.
#[derive(Debug)]
pub(crate) struct Locked(pub(crate) File);

impl Locked {
    /// Opens the file to append to it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                let message = "another process appends to this file: wait until it is done";
                Err(io::Error::new(ErrorKind::WouldBlock, message).into())
            }
            // Not every file system has locks.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Self(file))
            }
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing alone leaves the lock to children that were forked meanwhile.
        let _ = self.0.unlock();
    }
}

/// The file that a path leads to: its journal stands beside it, and not beside a link.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    match fs::symlink_metadata(path)?.is_symlink() {
        true => fs::canonicalize(path),
        false => Ok(path.to_owned()),
    }
}

/// Where the journal of a file is.
fn path_for(file: &Path) -> Result<PathBuf> {
    beside(file, ".journal")
}

fn beside(file: &Path, suffix: &str) -> Result<PathBuf> {
    let Some(name) = file.file_name() else {
        return Err(Error::new(Code::Argument, "the path names no file"));
    };
    let mut name = name.to_owned();
    name.push(suffix);
    Ok(file.with_file_name(name))
}

/// Calls `body` with what is read, in pieces.
fn pieces(source: &mut impl Read, mut body: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(n) => body(&piece[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

const PIECE: usize = 1 << 20;
/// How often a file is looked at that changes.
const TURNS: usize = 10;
