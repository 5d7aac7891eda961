//! Where the items of chunks go.

use ndbytes_format::Code;
use ndbytes_format::frame::FrameHeader;
use ndbytes_mem::{Strided, copy};

use crate::error::{Error, Result};
use crate::frame::chunk::ChunkDecoder;
use crate::frame::grid::{self, Place};

/// Memory that chunks are put into.
pub(super) struct Target<'a> {
    header: &'a FrameHeader,
    pub(super) out: &'a mut [u8],
    layout: Strided<'a>,
    chunk_strides: Vec<isize>,
}

impl<'a> Target<'a> {
    pub(super) fn new(
        header: &'a FrameHeader,
        out: &'a mut [u8],
        layout: Strided<'a>,
    ) -> Result<Self> {
        let array = header.array();
        if !layout.fits(array.shape(), array.dtype().itemsize(), out.len()) {
            return Err(Error::new(Code::OutOfBounds, "the array reaches outside of its memory"));
        }
        Ok(Self { header, out, layout, chunk_strides: grid::chunk_strides(header) })
    }

    /// Decodes a record and puts the items where they belong.
    pub(super) fn decode(
        &mut self,
        decoder: &mut ChunkDecoder,
        chunk: usize,
        record: &[u8],
        at: u64,
        items: &mut Vec<u8>,
    ) -> Result<()> {
        let size = self.header.chunk_nbytes();
        if items.len() != size {
            *items = crate::array::zeroed_vec(size)?;
        }
        decoder.items(self.header, record, at, items)?;
        self.place(chunk, items);
        Ok(())
    }

    /// Puts a chunk's items where they belong.
    pub(super) fn place(&mut self, chunk: usize, items: &[u8]) {
        let Place { start, shape } = grid::place(self.header, chunk);
        let to =
            Strided { origin: grid::offset(self.layout, &start), strides: self.layout.strides };
        let from = Strided { origin: 0, strides: &self.chunk_strides };
        copy(self.out, to, items, from, &shape, self.header.array().dtype().itemsize());
    }
}
