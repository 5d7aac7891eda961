//! Appending to a frame in its file.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use ndbytes_format::frame::{CHECKSUM_LEN, ChunkPlace, FrameHeader, Record};
use ndbytes_format::journal::Journal;
use ndbytes_format::{Code, Header, Limits};

use crate::array::{Array, ArrayView};
use crate::atomic::SaveOptions;
use crate::error::{Error, Result};
use crate::frame::chunk::ChunkDecoder;
use crate::frame::family::pipeline_for;
use crate::frame::grid;
use crate::frame::piece::Piece;
use crate::frame::pipeline::Pipeline;
use crate::frame::read::FrameReader;
use crate::frame::source::Joined;
use crate::frame::write::{Chunks, FrameOptions};
use crate::journal::{self, Grows, JournaledFile, Locked};
use crate::progress::Meter;
use crate::read_at::read_part_at;
use crate::write::write_all_vectored;

/// Appends the items of an array to the frame in a file, along its slowest axis: the first in C
/// order, the last in Fortran order.
///
/// Chunks that are full stay as they are; the last ones are made anew with what they held. The file
/// is as before or after the append, wherever that is cut off: what is written over is kept in a
/// journal beside it (`docs/spec/journal.md`), and a reader, or the next append, goes by that.
/// While the frame is still short, its chunks grow along that axis.
///
/// # Errors
/// [`Code::Mismatch`] for another dtype or shape; [`Code::Argument`] for a frame that cannot grow,
/// or a pipeline that is not of the frame's family; what is wrong with the frame; what the
/// operating system said, also when another process appends to it.
pub fn append_frame(
    path: &Path,
    array: &ArrayView<'_>,
    options: &FrameOptions,
    save: &SaveOptions,
) -> Result<()> {
    append(path, array, options, save).map_err(|error| error.with_path(path))
}

fn append(
    path: &Path,
    array: &ArrayView<'_>,
    options: &FrameOptions,
    save: &SaveOptions,
) -> Result<()> {
    let path = fs::canonicalize(path)?;
    let locked = Locked::open(&path)?;
    let file = &locked.0;
    journal::settle::<FrameReader<JournaledFile>>(&path, file, save)?;
    let reader = FrameReader::new(file, &Limits::default())?;
    let growth = Growth::new(&reader, array, options)?;
    if growth.header == *reader.header() {
        return Ok(());
    }
    let first = growth.rest(&reader)?;
    journal::keep(&path, file, &growth.journal(file)?, save)?;
    match growth.write(file, &first, array, options, save) {
        Ok(()) => journal::remove(&path, save),
        // Puts back what was there.
        Err(error) => {
            journal::settle::<FrameReader<JournaledFile>>(&path, file, save).and(Err(error))
        }
    }
}

/// What becomes of a frame.
struct Growth {
    header: FrameHeader,
    pipeline: Pipeline,
    axis: usize,
    /// Items along the axis that stay in their chunks.
    kept: usize,
    /// Items along the axis before.
    len: usize,
    places: Vec<ChunkPlace>,
    /// Where the chunks that stay end.
    at: u64,
}

impl Growth {
    fn new(
        reader: &FrameReader<&File>,
        array: &ArrayView<'_>,
        options: &FrameOptions,
    ) -> Result<Self> {
        let old = reader.header();
        let facts = old.array();
        let cannot = |why: &str| Err(Error::new(Code::Argument, why));
        let Some(axis) = facts.growing_axis() else {
            return cannot("an array without dimensions cannot grow");
        };
        let grid = old.grid();
        if grid[..axis].iter().any(|&n| n > 1) {
            return cannot(
                "the last axis of this frame cannot grow, since others are cut into chunks: save it anew",
            );
        }
        let mut shape = facts.shape().to_vec();
        let alike = array.shape().len() == shape.len()
            && array.shape().iter().zip(&shape).enumerate().all(|(i, (a, b))| i == axis || a == b);
        if array.dtype() != facts.dtype() || !alike {
            let message = format!(
                "a frame of `{}` and shape {shape:?} grows along axis {axis}: `{}` and shape {:?} do not fit",
                facts.dtype(),
                array.dtype(),
                array.shape()
            );
            return Err(Error::new(Code::Mismatch, message));
        }
        let len = shape[axis];
        let Some(grown) = len.checked_add(array.shape()[axis]) else {
            return Err(Error::new(Code::SizeOverflow, "the frame becomes too long"));
        };
        shape[axis] = grown;
        let edge = old.chunk_shape()[axis];
        let facts = Header::new(facts.dtype().clone(), facts.order(), shape)?;
        let mut chunk_shape = old.chunk_shape().to_vec();
        // Chunks that are full stay; where there are none, chunks may as well be larger.
        let full = if old.chunk_count() > 0 && grid[axis] > 1 { len / edge } else { 0 };
        if full == 0 {
            chunk_shape[axis] = match &options.chunk_shape {
                Some(shape) if shape.len() == chunk_shape.len() => {
                    shape[axis].clamp(1, grown.max(1))
                }
                _ => grid::grown(old, facts.nbytes()).clamp(1, grown.max(1)),
            };
        }
        if options.chunk_shape.as_ref().is_some_and(|wanted| *wanted != chunk_shape) {
            return cannot("the chunks of a frame keep their shape when it grows");
        }
        let header = FrameHeader::new(facts, old.family(), chunk_shape)?;
        let kept =
            grid.iter().enumerate().map(|(i, &n)| if i == axis { full } else { n }).product();
        let places = reader.places()[..kept].to_vec();
        let at = match places.last() {
            Some(place) => place.offset + place.len,
            None => (old.encode()?.len() + CHECKSUM_LEN) as u64,
        };
        if !reader.places().is_sorted_by_key(|place| place.offset) {
            return cannot("the chunks of this frame are not in order: save it anew");
        }
        let pipeline = pipeline_for(old.family(), options.pipeline)?;
        let growth = Self { header, pipeline, axis, kept: full * edge, len, places, at };
        if growth.head()?.len() != reader.header_len() {
            return cannot("the header of this frame has no room for it to grow: save it anew");
        }
        Ok(growth)
    }

    /// The header's bytes.
    fn head<'a>(&self) -> Result<Piece<'a>> {
        Ok(Piece::header(self.header.encode()?))
    }

    /// What the chunks held that are made anew.
    fn rest(&self, reader: &FrameReader<&File>) -> Result<Array> {
        let mut shape = reader.header().array().shape().to_vec();
        let mut start = vec![0; shape.len()];
        start[self.axis] = self.kept;
        shape[self.axis] = self.len - self.kept;
        reader.read_part(&start, &shape)
    }

    fn journal(&self, file: &File) -> Result<Journal> {
        let header_len = self.head()?.len() as u32;
        Ok(Journal { file_len: file.metadata()?.len(), tail_at: self.at, header_len })
    }

    /// Writes the chunks, then the index, then the header: until that is there, the journal counts.
    fn write(
        &self,
        mut file: &File,
        first: &Array,
        second: &ArrayView<'_>,
        options: &FrameOptions,
        save: &SaveOptions,
    ) -> Result<()> {
        // Without its index the frame is no whole one, whatever happens from here on.
        file.set_len(self.at)?;
        file.seek(SeekFrom::Start(self.at))?;
        let header = &self.header;
        let mut chunks = Chunks::new(self.pipeline, self.places.clone(), self.at);
        let source = Joined {
            axis: self.axis,
            before: self.kept,
            first: first.view(),
            second: second.clone(),
        };
        let mut sink = |piece: Piece<'_>| Ok(write_all_vectored(&mut file, &piece.parts())?);
        // What is made anew is no progress.
        let ahead = first.bytes().len() as u64;
        let meter = Meter::new(&options.progress, second.nbytes() as u64).behind(ahead);
        let encoded = chunks.encode(
            header,
            &source,
            options.threads,
            header.chunk_count(),
            &meter,
            &mut sink,
        );
        meter.end(encoded)?;
        sink(chunks.index()?)?;
        let sync = || if save.durable { file.sync_all() } else { Ok(()) };
        sync()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&self.head()?.parts().concat())?;
        Ok(sync()?)
    }
}

impl FrameReader<JournaledFile> {
    /// Opens the frame in a file. Where an append was cut off, or is under way, this is the frame
    /// before it.
    ///
    /// # Errors
    /// As [`FrameReader::new`], and what the operating system said.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        journal::open(path, limits).map_err(|error: Error| error.with_path(path))
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        self.source().path()
    }
}

impl Grows for FrameReader<JournaledFile> {
    fn is_over(file: &File, tail_at: u64) -> bool {
        let Ok(reader) = FrameReader::new(file, &Limits::default()) else { return false };
        // The header of before may fit the index of after, where there are as many chunks, which have
        // become larger: so they are decoded.
        let (mut decoder, mut record) = (ChunkDecoder::default(), Vec::new());
        (0..reader.places().len())
            .filter(|&chunk| reader.places()[chunk].offset >= tail_at)
            .all(|chunk| reader.chunk(&mut decoder, &mut record, chunk).is_ok())
    }

    fn read(source: JournaledFile, limits: &Limits) -> Result<Self> {
        FrameReader::new(source, limits)
    }

    fn source(&self) -> &JournaledFile {
        self.source()
    }

    fn is_of(&self, _: &Journal) -> Result<bool> {
        for chunk in 0..self.places().len() {
            let mut prefix = [0; Record::PREFIX_LEN];
            let at = self.places()[chunk].offset - prefix.len() as u64;
            read_part_at(self.source(), &mut prefix, at)?;
            if self.check_prefix(chunk, prefix).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
