//! What an append writes over, kept beside the frame until it is done: so that a frame is always
//! as it was before or after it. The way of rollback journals, as in SQLite.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ndbytes_format::frame::{CHECKSUM_LEN, Record};
use ndbytes_format::journal::Journal;
use ndbytes_format::{Code, Limits};

use crate::atomic::{SaveOptions, sync_folder};
use crate::error::{Error, Result};
use crate::frame::chunk::ChunkDecoder;
use crate::frame::read::FrameReader;
use crate::read_at::{ReadAt, Section, read_part_at};

/// A frame's file; of one whose append was cut off, or is under way, as it was before.
#[derive(Debug)]
pub struct FrameFile {
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

impl FrameReader<FrameFile> {
    /// Opens the frame in a file. Where an append was cut off, or is under way, this is the frame
    /// before it.
    ///
    /// # Errors
    /// As [`FrameReader::new`], and what the operating system said.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        open(path, limits).map_err(|error| error.with_path(path))
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.source().path
    }
}

impl FrameFile {
    /// Whether an append to it was cut off, or is under way.
    pub fn is_cut_off(&self) -> bool {
        self.before.is_some()
    }
}

impl ReadAt for FrameFile {
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
    /// The journal of a frame, if there is one.
    fn open(frame: &Path) -> Result<Option<Self>> {
        let path = path_for(frame)?;
        let opened = fs::symlink_metadata(&path).and_then(|found| match found.is_file() {
            true => File::open(&path).map(Some),
            // A link may lead anywhere, also where nothing is yet, and a pipe may hold for ever.
            false => Ok(None),
        });
        let mut file = match opened {
            Ok(Some(file)) => file,
            Ok(None) => {
                let message = "no journal, but something of its name";
                return Err(Error::new(Code::FrameJournal, message).with_path(&path));
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
                computed = crc32c::crc32c_append(computed, piece);
                Ok(())
            })?;
            let mut stored = [0; CHECKSUM_LEN];
            read_part_at(&file, &mut stored, covered)?;
            if computed != u32::from_le_bytes(stored) {
                return Err(Error::new(Code::FrameJournal, "the journal's CRC-32C is wrong"));
            }
            Ok(journal)
        };
        let journal = read().map_err(|error| error.with_path(&path))?;
        file.rewind()?;
        Ok(Some(Self { journal, file }))
    }

    /// Whether the append has ended, or not begun: what it may have written is whole, and what the
    /// header says. That of before may fit the index of after, where there are as many chunks, which
    /// have become larger.
    fn is_over(&self, file: &File) -> bool {
        let Ok(reader) = FrameReader::new(file, &Limits::default()) else { return false };
        let (mut decoder, mut record) = (ChunkDecoder::default(), Vec::new());
        (0..reader.places().len())
            .filter(|&chunk| reader.places()[chunk].offset >= self.journal.tail_at)
            .all(|chunk| reader.chunk(&mut decoder, &mut record, chunk).is_ok())
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
pub(super) fn keep(
    frame: &Path,
    file: &File,
    journal: &Journal,
    options: &SaveOptions,
) -> Result<()> {
    let (path, new) = (path_for(frame)?, beside(frame, ".journal.new")?);
    let write = || {
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut open = OpenOptions::new();
        open.write(true).create_new(true);
        // Whoever may not read the frame may not read what was in it either.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(
            &mut open,
            std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o666,
        );
        let mut kept = open.open(&new)?;
        let mut checksum = 0;
        let mut put = |piece: &[u8]| {
            checksum = crc32c::crc32c_append(checksum, piece);
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

/// Ends what an append has left that was cut off, if there was one: the frame is whole afterwards,
/// and has no journal.
pub(super) fn settle(frame: &Path, file: &File, options: &SaveOptions) -> Result<()> {
    let Some(before) = Before::open(frame)? else { return Ok(()) };
    if !before.is_over(file) {
        let own = file.try_clone()?;
        let source = FrameFile { path: frame.to_owned(), file: own, before: Some(before) };
        let reader = reader_before(source, &Limits::default())?;
        if let Some(before) = &reader.source().before {
            before.put_back(file, options)?;
        }
    }
    remove(frame, options)
}

/// Removes the journal of an append that is over.
pub(super) fn remove(frame: &Path, options: &SaveOptions) -> Result<()> {
    let journal = path_for(frame)?;
    fs::remove_file(&journal).map_err(|error| Error::from(error).with_path(&journal))?;
    if options.durable { Ok(sync_folder(&journal)?) } else { Ok(()) }
}

fn open(given: &Path, limits: &Limits) -> Result<FrameReader<FrameFile>> {
    let path = fs::canonicalize(given)?;
    let mut turn = 0;
    loop {
        let file = File::open(&path)?;
        let size = file.size()?;
        // A journal that is damaged was never needed: appends begin when it is whole.
        let before = Before::open(&path).ok().flatten().filter(|before| !before.is_over(&file));
        let cut_off = before.is_some();
        let source = FrameFile { path: given.to_owned(), file, before };
        if cut_off {
            return reader_before(source, limits);
        }
        let reader = FrameReader::new(source, limits);
        turn += 1;
        // An append may have begun or ended just now.
        let changed = || {
            path_for(&path).is_ok_and(|journal| journal.exists())
                || fs::metadata(&path).ok().map(|meta| meta.len()) != Some(size)
        };
        if reader.is_ok() || turn == TURNS || !changed() {
            return reader;
        }
    }
}

/// The frame as it was, if the journal is of this frame.
fn reader_before(source: FrameFile, limits: &Limits) -> Result<FrameReader<FrameFile>> {
    let reader = FrameReader::new(source, limits)?;
    for chunk in 0..reader.places().len() {
        let mut prefix = [0; Record::PREFIX_LEN];
        let at = reader.places()[chunk].offset - prefix.len() as u64;
        read_part_at(reader.source(), &mut prefix, at)?;
        if reader.check_prefix(chunk, prefix).is_err() {
            let message = "the journal is not of this frame";
            return Err(
                Error::new(Code::FrameJournal, message).with_path(&path_for(reader.path())?)
            );
        }
    }
    Ok(reader)
}

/// Where the journal of a frame is.
fn path_for(frame: &Path) -> Result<PathBuf> {
    beside(frame, ".journal")
}

fn beside(frame: &Path, suffix: &str) -> Result<PathBuf> {
    let Some(name) = frame.file_name() else {
        return Err(Error::new(Code::Argument, "the path names no file"));
    };
    let mut name = name.to_owned();
    name.push(suffix);
    Ok(frame.with_file_name(name))
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
