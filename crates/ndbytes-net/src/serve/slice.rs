//! Parts of arrays as `.npy`, as `.ndb` or as bytes alone, made as they are sent.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use ndbytes::{
    ArrayView, AxisRange, Code, Dtype, Error, FrameOptions, FrameReader, Header, MemberElements,
    Order, Pieces, ReadAt, Selection, Slice, Strided, dump_frame, strides, validate,
};

use super::array::Array;
use super::body::{Begun, Producer};
use super::content::{Content, Segment};
use super::problem::Problem;
use super::source::Source;

/// How a slice is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Npy,
    Ndb,
    Raw,
}

impl Format {
    pub(super) const ALL: [Self; 3] = [Self::Npy, Self::Ndb, Self::Raw];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Ndb => "ndb",
            Self::Raw => "raw",
        }
    }

    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Npy => "application/x-npy",
            Self::Ndb => "application/x-ndb",
            Self::Raw => "application/octet-stream",
        }
    }
}

/// A slice of an array. Its elements are in the array's order: nothing has to be held to turn them.
pub(super) fn content(array: Array, slice: &Slice, format: Format) -> Result<Content, Problem> {
    let selection = slice.select(array.header().shape(), &array.header().strides())?;
    let facts = facts(array.header(), selection.shape.clone())?;
    let order = facts.order();
    let tag = format!("{}-{}", array.source().stamp().tag(), format.as_str());
    let modified = array.source().stamp().modified();
    let len = facts.nbytes() as u64;
    let mut elements = elements(array, slice, selection, order)?;
    // What is wrong from the start is said before anything is sent.
    let mut begun: VecDeque<Bytes> = elements.produce()?.into_iter().collect();
    let content = match format {
        Format::Raw => {
            Content::stream(format.kind(), &tag, len, Begun { pieces: begun, rest: elements })
        }
        Format::Npy => {
            let head = facts.encode()?;
            let len = head.len() as u64 + len;
            begun.push_front(head.into());
            Content::stream(format.kind(), &tag, len, Begun { pieces: begun, rest: elements })
        }
        Format::Ndb => {
            if len > MOST_HELD as u64 {
                let most = format!("{len} bytes, and .ndb is made of up to {MOST_HELD} at once");
                return Err(too_large(most));
            }
            let mut bytes = Vec::with_capacity(len as usize);
            let mut elements = Begun { pieces: begun, rest: elements };
            while let Some(piece) = elements.produce()? {
                bytes.extend_from_slice(&piece);
            }
            let view = ArrayView::contiguous(facts.dtype().clone(), facts.shape(), order, &bytes)?;
            let frame = dump_frame(&view, &FrameOptions::default())?;
            Content::segments(format.kind(), &tag, vec![Segment::Bytes(frame.into())])
        }
    };
    let shape: Vec<_> = facts.shape().iter().map(usize::to_string).collect();
    Ok(content
        .modified(modified)
        .with("vary", "accept")
        .with("ndbytes-dtype", &facts.dtype().to_string())
        .with("ndbytes-shape", &shape.join(","))
        .with("ndbytes-order", if order == Order::F { "F" } else { "C" }))
}

/// The header of a part of this shape: in the array's order, by the name that it then has.
pub(super) fn facts(header: &Header, shape: Vec<usize>) -> Result<Header, Problem> {
    let itemsize = header.dtype().itemsize();
    if itemsize > MOST_HELD {
        return Err(too_large(format!("one item has {itemsize} bytes")));
    }
    let order = if header.shape().len() > 1 { header.order() } else { Order::C };
    Ok(Header::new(header.dtype().clone(), order, shape)?)
}

/// What reads all elements of an array, in the order of [`facts`].
pub(super) fn whole(array: Array) -> Result<Box<dyn Producer>, Problem> {
    let (header, slice) = (array.header().clone(), Slice::parse("")?);
    let selection = slice.select(header.shape(), &header.strides())?;
    let order = facts(&header, header.shape().to_vec())?.order();
    elements(array, &slice, selection, order)
}

/// What reads the elements.
fn elements(
    array: Array,
    slice: &Slice,
    selection: Selection,
    order: Order,
) -> Result<Box<dyn Producer>, Problem> {
    // What is C order of an array in reverse is F order of the array.
    let turned = |selection: Selection| match order {
        Order::C => selection,
        Order::F => selection.transposed(),
    };
    let dtype = array.header().dtype().clone();
    Ok(match array {
        Array::Plain { source, offset, .. } => {
            let pieces = turned(selection).pieces(dtype.itemsize(), PIECE)?;
            Box::new(Elements { place: Place::File { source, offset }, dtype, pieces })
        }
        Array::Packed { elements, .. } => {
            let selection = turned(selection);
            let pieces = selection.pieces(dtype.itemsize(), PIECE)?;
            // A stream cannot be read backwards.
            let mut axes = selection.shape.iter().zip(&selection.strides);
            let backwards = axes.any(|(&n, &stride)| n > 1 && stride < 0);
            let place = match backwards && !elements.is_indexed() {
                true => Place::held(*elements, &selection, dtype.itemsize())?,
                false => Place::Packed(elements),
            };
            Box::new(Elements { place, dtype, pieces })
        }
        Array::Frame(reader) => {
            if reader.header().chunk_nbytes() > MOST_HELD {
                let chunk = reader.header().chunk_nbytes();
                return Err(too_large(format!("its chunks have {chunk} bytes")));
            }
            let ranges = slice.ranges(reader.header().array().shape())?;
            Box::new(Chunks::new(reader, ranges))
        }
    })
}

fn too_large(what: String) -> Problem {
    Problem::of(Error::new(Code::TooManyBytes, format!("{what}: more than is held at once")))
}

/// Elements by their places among bytes that lie one after another.
struct Elements {
    place: Place,
    dtype: Dtype,
    pieces: Pieces,
}

/// Where those bytes are.
enum Place {
    File {
        source: Source,
        offset: u64,
    },
    Packed(Box<MemberElements<Source>>),
    /// In memory, those from `first` on.
    Memory {
        bytes: Vec<u8>,
        first: usize,
    },
}

impl Place {
    /// All that a selection lies in.
    fn held(
        mut elements: MemberElements<Source>,
        selection: &Selection,
        itemsize: usize,
    ) -> Result<Self, Problem> {
        let pieces = selection.pieces(itemsize, usize::MAX)?;
        let (first, end) = pieces.fold((usize::MAX, 0), |(first, end), piece| {
            (first.min(piece.offset), end.max(piece.offset + piece.len))
        });
        let len = end.saturating_sub(first);
        if len > MOST_HELD {
            return Err(too_large(format!("a step back through {len} bytes that are compressed")));
        }
        let mut bytes = vec![0; len];
        if len > 0 {
            elements.read_exact_at(&mut bytes, first as u64)?;
        }
        Ok(Self::Memory { bytes, first })
    }

    fn read(&mut self, buffer: &mut [u8], at: usize) -> io::Result<()> {
        match self {
            Self::File { source, offset } => {
                let mut have = 0;
                while have < buffer.len() {
                    match source.read_at(&mut buffer[have..], *offset + (at + have) as u64)? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        n => have += n,
                    }
                }
                Ok(())
            }
            Self::Packed(elements) => Ok(elements.read_exact_at(buffer, at as u64)?),
            Self::Memory { bytes, first } => {
                let at = at - *first;
                buffer.copy_from_slice(&bytes[at..at + buffer.len()]);
                Ok(())
            }
        }
    }
}

impl Producer for Elements {
    fn produce(&mut self) -> io::Result<Option<Bytes>> {
        let mut made: Vec<u8> = Vec::new();
        // Small pieces are sent together.
        for _ in 0..READS {
            let Some(piece) = self.pieces.next() else { break };
            let mut bytes = vec![0; piece.len];
            self.place.read(&mut bytes, piece.offset)?;
            let view = piece.view(&self.dtype, &bytes)?;
            let gathered = match view.is_contiguous(Order::C) && view.nbytes() == bytes.len() {
                true => bytes,
                false => view.to_vec(Order::C)?,
            };
            validate(&self.dtype, &gathered)?;
            if made.is_empty() {
                made = gathered;
            } else {
                made.extend_from_slice(&gathered);
            }
            if made.len() >= ENOUGH {
                break;
            }
        }
        Ok((!made.is_empty()).then(|| made.into()))
    }
}

/// Elements of a frame, from the chunks that hold any.
struct Chunks {
    reader: FrameReader<Source>,
    ranges: Vec<AxisRange>,
    /// What is to come, the next last.
    open: Vec<Block>,
}

/// Indices of the selection along each axis.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Block {
    first: Vec<usize>,
    count: Vec<usize>,
}

impl Chunks {
    fn new(reader: FrameReader<Source>, ranges: Vec<AxisRange>) -> Self {
        let count: Vec<usize> = ranges.iter().map(|range| range.count).collect();
        let nothing = count.contains(&0) || reader.header().array().dtype().itemsize() == 0;
        let whole = Block { first: vec![0; count.len()], count };
        Self { reader, ranges, open: if nothing { Vec::new() } else { vec![whole] } }
    }

    fn next(&mut self) -> Option<Block> {
        let header = self.reader.header();
        loop {
            let block = self.open.pop()?;
            let itemsize = header.array().dtype().itemsize();
            let bytes = block.count.iter().fold(itemsize, |n, &count| n.saturating_mul(count));
            let mut axes = 0..block.count.len();
            let slowest = match header.array().order() {
                Order::C => axes.find(|&axis| block.count[axis] > 1),
                Order::F => axes.rfind(|&axis| block.count[axis] > 1),
            };
            let Some(axis) = slowest.filter(|_| bytes > BLOCK) else { return Some(block) };
            let edge = header.chunk_shape()[axis];
            let at = cut(self.ranges[axis], block.first[axis], block.count[axis], edge);
            let (mut front, mut back) = (block.clone(), block);
            front.count[axis] = at;
            back.first[axis] += at;
            back.count[axis] -= at;
            self.open.extend([back, front]);
        }
    }

    fn read(&self, block: &Block) -> Result<Vec<u8>, Error> {
        let array = self.reader.header().array();
        let itemsize = array.dtype().itemsize();
        let mut layout = strides(&block.count, itemsize, array.order());
        let (mut start, mut step, mut origin) = (Vec::new(), Vec::new(), 0);
        for (axis, range) in self.ranges.iter().enumerate() {
            let first = range
                .start
                .wrapping_add_signed(range.step.wrapping_mul(block.first[axis] as isize));
            let last = block.count[axis] - 1;
            let size = range.step.unsigned_abs();
            step.push(size.max(1));
            if range.step < 0 {
                // Read forwards to places that go backwards.
                start.push(first - size * last);
                origin += layout[axis].unsigned_abs() * last;
                layout[axis] = -layout[axis];
            } else {
                start.push(first);
            }
        }
        let mut bytes = vec![0; block.count.iter().product::<usize>() * itemsize];
        let layout = Strided { origin, strides: &layout };
        self.reader.read_slice_into(&start, &step, &block.count, &mut bytes, layout)?;
        Ok(bytes)
    }
}

impl Producer for Chunks {
    fn produce(&mut self) -> io::Result<Option<Bytes>> {
        let Some(block) = self.next() else { return Ok(None) };
        Ok(Some(self.read(&block)?.into()))
    }
}

/// Where to cut `count` indices from `first` on: where a chunk ends, near the middle, so that none is
/// decoded twice; or in the middle of a chunk that holds them all.
fn cut(range: AxisRange, first: usize, count: usize, edge: usize) -> usize {
    let chunk = |i: usize| {
        range.start.wrapping_add_signed(range.step.wrapping_mul((first + i) as isize)) / edge
    };
    let half = count / 2;
    let middle = chunk(half);
    // Chunks follow one another in one direction.
    let search = |mut low: usize, mut high: usize, inside: &dyn Fn(usize) -> bool| {
        while low < high {
            let i = low + (high - low) / 2;
            if inside(i) { high = i } else { low = i + 1 }
        }
        low
    };
    match search(0, half, &|i| chunk(i) == middle) {
        0 => match search(half, count, &|i| chunk(i) != middle) {
            end if end == count => half,
            end => end,
        },
        begin => begin,
    }
}

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;
/// Bytes that are worth an answer's piece.
const ENOUGH: usize = 1 << 18;
/// Most reads for one piece.
const READS: usize = 1 << 12;
/// Bytes of a frame's slice that are made at once.
const BLOCK: usize = 16 << 20;
/// Bytes that are held where they have to be.
const MOST_HELD: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_where_chunks_end() {
        let range = |start, step, count| AxisRange { start, step, count };
        assert_eq!(cut(range(0, 1, 100), 0, 100, 30), 30);
        assert_eq!(cut(range(0, 1, 100), 0, 30, 30), 15);
        assert_eq!(cut(range(0, 1, 100), 10, 50, 30), 20);
        assert_eq!(cut(range(0, 1, 100), 0, 40, 30), 30);
        assert_eq!(cut(range(99, -1, 100), 0, 100, 30), 40);
        assert_eq!(cut(range(0, 7, 10), 0, 10, 10), 5);
        for step in [1isize, 3, -1, -4] {
            for edge in 1..9 {
                for count in 2..20 {
                    let start = if step < 0 { 100 } else { 3 };
                    let at = cut(range(start, step, count), 0, count, edge);
                    assert!(at > 0 && at < count, "{step} {edge} {count}: {at}");
                }
            }
        }
    }
}
