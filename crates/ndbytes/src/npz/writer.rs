//! Writing `.npz`.

use std::collections::HashSet;
use std::io::{self, Seek, SeekFrom, Write};

use ndbytes_codec::{Codec, Encoder};
use ndbytes_format::Code;
use ndbytes_format::zip::{Directory, Entry, Method, key_of, member_name};

use crate::array::{ArrayView, threads};
use crate::atomic::AtomicFile;
use crate::error::{Error, Result};
use crate::npy::write_npy;
use crate::npz::deflate::write_deflated;
use crate::progress::{Meter, Progress};
use crate::write::write_all_vectored;

/// How members are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// As they are, aligned to 64 bytes so that they can be mapped.
    #[default]
    Stored,
    /// Deflate at this level, 0 to 9; NumPy's is 6.
    Deflate(u32),
    /// Zstandard at this level, 1 to 19. ZIP's method 93 is read by Python from 3.14 on, and so by
    /// NumPy there.
    Zstd(u32),
}

/// Where an archive goes.
///
/// A sink that can rewrite gets sizes and CRC into each local header after the data; for one that
/// cannot, the data is read twice or they follow the data, as the ZIP format has it for streams.
pub trait Sink: Write {
    /// Whether [`Sink::rewrite`] works.
    fn can_rewrite(&self) -> bool {
        false
    }

    /// Replaces bytes at this position of the archive; what is written next goes to its end.
    ///
    /// # Errors
    /// What the sink said.
    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let _ = (at, bytes);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Writes an archive member by member. The bytes depend on names and arrays alone: dates, modes
/// and system are constant.
///
/// Without [`NpzWriter::finish`] the archive has no directory and readers refuse it.
#[derive(Debug)]
pub struct NpzWriter<W> {
    sink: W,
    at: u64,
    old: Old,
    /// What the directory says of the members that were added.
    central: Vec<u8>,
    /// Their names.
    names: HashSet<String>,
    /// A member was begun and not ended.
    broken: bool,
    meter: Meter,
}

/// What an archive has before members are added.
#[derive(Debug, Default)]
pub(super) struct Old {
    /// Names, and what the directory says of them.
    pub(super) members: Vec<(String, Vec<u8>)>,
    pub(super) comment: Vec<u8>,
}

impl<W: Sink> NpzWriter<W> {
    /// A writer whose archive begins where the sink stands.
    pub fn new(sink: W) -> Self {
        Self::at(sink, 0)
    }

    /// A writer that begins at this position of the sink.
    pub fn at(sink: W, position: u64) -> Self {
        Self::behind(sink, position, Old::default())
    }

    /// A writer that goes on at this position of the sink, behind these members. One that is added
    /// takes the place of those that had its key.
    pub(super) fn behind(sink: W, position: u64, old: Old) -> Self {
        let (central, names) = (Vec::new(), HashSet::new());
        let meter = Meter::unheard();
        Self { sink, at: position, old, central, names, broken: false, meter }
    }

    /// Tells how far it is with arrays of `total` bytes in all, uncompressed.
    #[must_use]
    pub fn with_progress(mut self, progress: &Progress, total: u64) -> Self {
        self.meter = Meter::new(progress, total);
        self
    }

    /// Adds an array under this key.
    ///
    /// # Errors
    /// [`Code::ZipName`] for a key that is there already or has a NUL and
    /// [`Code::UnsupportedDtype`], before anything is written; what the sink said, after which the
    /// archive cannot be finished; what [`Progress`] said.
    pub fn add(
        &mut self,
        key: &str,
        array: &ArrayView<'_>,
        compression: Compression,
    ) -> Result<()> {
        self.meter.move_here();
        let added = self.add_measured(key, array, compression);
        self.meter.part(added)
    }

    fn add_measured(
        &mut self,
        key: &str,
        array: &ArrayView<'_>,
        compression: Compression,
    ) -> Result<()> {
        self.check_whole()?;
        let head = array.header()?.encode()?;
        let name = member_name(key);
        if key.contains('\0') {
            return Err(Error::new(
                Code::ZipName,
                format!("`{}` holds a NUL, which ZIP readers cut off", key.escape_debug()),
            ));
        }
        if self.names.contains(&name) {
            return Err(Error::new(
                Code::ZipName,
                format!("there is an array `{}` already", key.escape_debug()),
            ));
        }
        let rewrites = self.sink.can_rewrite();
        let (method, align) = match compression {
            Compression::Stored => (Method::Stored, ALIGN),
            Compression::Deflate(_) => (Method::Deflate, 1),
            Compression::Zstd(_) => (Method::Zstd, 1),
        };
        let mut entry = Entry {
            name: name.clone(),
            method,
            encrypted: false,
            crc32: 0,
            compressed: 0,
            uncompressed: 0,
            header_offset: self.at,
            descriptor: method != Method::Stored && !rewrites,
            blocks: None,
        };
        if method == Method::Stored && !rewrites {
            let (mut facts, meter) = (Facts::default(), Meter::unheard());
            write_npy(&mut facts.over(io::sink(), &meter), array)?;
            facts.apply(&mut entry);
            entry.compressed = entry.uncompressed;
        }
        let mut counted = Counted { sink: &mut self.sink, len: 0 };
        let local = entry.encode_local(align)?;
        self.broken = true;
        counted.write_all(&local)?;
        let mut facts = Facts::default();
        let meter = &mut self.meter;
        meter.skip(head.len() as u64);
        match compression {
            Compression::Stored => write_npy(&mut facts.over(&mut counted, meter), array)?,
            Compression::Deflate(level) => {
                entry.blocks = write_deflated(&mut counted, array, level, &mut facts, meter)?;
            }
            Compression::Zstd(level) => {
                let len = (head.len() + array.nbytes()) as u64;
                let packed = Encoder::new(Codec::Zstd, level, &mut counted);
                let mut packed = packed.with_size(len).with_workers(threads() as u32);
                write_npy(&mut facts.over(&mut packed, meter), array)?;
                packed.finish()?;
            }
        }
        facts.apply(&mut entry);
        entry.compressed = counted.len - local.len() as u64;
        if entry.descriptor {
            counted.write_all(&entry.encode_descriptor())?;
        }
        let len = counted.len;
        if rewrites {
            self.sink.rewrite(self.at, &entry.encode_local(align)?)?;
        }
        entry.encode_central(&mut self.central)?;
        self.at += len;
        self.names.insert(name);
        self.broken = false;
        Ok(())
    }

    fn check_whole(&self) -> Result<()> {
        if self.broken {
            let message = "the archive is damaged: an array could not be written whole";
            return Err(Error::new(Code::Argument, message));
        }
        Ok(())
    }

    /// Writes the directory and gives the sink back.
    ///
    /// # Errors
    /// What the sink said; [`Code::Argument`] after [`NpzWriter::add`] failed in the middle of an
    /// array; what [`Progress`] said.
    pub fn finish(mut self) -> Result<W> {
        self.check_whole()?;
        let (mut bytes, mut entries) = (Vec::new(), self.names.len() as u64);
        for (name, central) in &self.old.members {
            if !self.names.contains(&member_name(key_of(name))) {
                bytes.extend_from_slice(central);
                entries += 1;
            }
        }
        bytes.append(&mut self.central);
        let directory = Directory { offset: self.at, len: bytes.len() as u64, entries };
        directory.encode_end_with(&self.old.comment, &mut bytes);
        write_all_vectored(&mut self.sink, &[&bytes])?;
        self.sink.flush()?;
        self.meter.end(Ok(self.sink))
    }
}

impl Sink for AtomicFile {
    fn can_rewrite(&self) -> bool {
        self.is_regular()
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        rewrite_within(self.file()?, at, bytes)
    }
}

impl Sink for Vec<u8> {}

/// Replaces bytes, and goes to the end again.
pub(super) fn rewrite_within(
    file: &mut (impl Write + Seek),
    at: u64,
    bytes: &[u8],
) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
}

impl Sink for io::Sink {}

/// Counts what goes into a sink.
struct Counted<W> {
    sink: W,
    len: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.sink.write(bytes)?;
        if n > bytes.len() {
            let message = "the sink claims more bytes than it was given";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.len += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

/// What a directory says of uncompressed bytes.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) crc: crc32fast::Hasher,
    pub(super) len: u64,
}

impl Facts {
    fn over<'a, W: Write>(&'a mut self, sink: W, meter: &'a Meter) -> Checked<'a, W> {
        Checked { facts: self, meter, sink }
    }

    fn apply(self, entry: &mut Entry) {
        entry.crc32 = self.crc.finalize();
        entry.uncompressed = self.len;
    }
}

/// Keeps CRC and length of what passes.
struct Checked<'a, W> {
    facts: &'a mut Facts,
    meter: &'a Meter,
    sink: W,
}

impl<W: Write> Write for Checked<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Pieces, so that bytes are still in the cache when they are used the second time.
        let piece = &bytes[..bytes.len().min(PIECE)];
        write_all_vectored(&mut self.sink, &[piece])?;
        self.facts.crc.update(piece);
        self.facts.len += piece.len() as u64;
        self.meter.add(piece.len())?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}

const ALIGN: u64 = 64;
const PIECE: usize = 1 << 18;
