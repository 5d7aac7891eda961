//! Where the items of chunks come from.

use ndbytes_format::frame::FrameHeader;

use crate::array::ArrayView;
use crate::error::Result;
use crate::frame::grid::{self, Place};
use crate::frame::piece::Items;

/// An array that is cut into chunks.
pub(super) trait Source<'a>: Sync {
    /// The items of a chunk: where they lie, if nothing has to be done to them, or gathered.
    fn items<'b>(
        &self,
        header: &FrameHeader,
        chunk: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Items<'a, 'b>>;
}

impl<'a> Source<'a> for ArrayView<'a> {
    fn items<'b>(
        &self,
        header: &FrameHeader,
        chunk: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Items<'a, 'b>> {
        items_at(self, &grid::place(header, chunk), header, buffer)
    }
}

/// An array of which one part follows the other along an axis.
pub(super) struct Joined<'a> {
    pub(super) axis: usize,
    /// What is missing before the first part: nobody asks for it.
    pub(super) before: usize,
    pub(super) first: ArrayView<'a>,
    pub(super) second: ArrayView<'a>,
}

impl<'a> Source<'a> for Joined<'a> {
    fn items<'b>(
        &self,
        header: &FrameHeader,
        chunk: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<Items<'a, 'b>> {
        let (axis, split) = (self.axis, self.before + self.first.shape()[self.axis]);
        let mut place = grid::place(header, chunk);
        if place.start[axis] >= split {
            place.start[axis] -= split;
            return items_at(&self.second, &place, header, buffer);
        }
        let strides = grid::chunk_strides(header);
        clear(buffer, header.chunk_nbytes())?;
        let rows = place.shape[axis].min(split - place.start[axis]);
        let mut first = place.clone();
        first.start[axis] -= self.before;
        first.shape[axis] = rows;
        self.first.part(&first.start, &first.shape).copy_into(buffer, &strides);
        if place.shape[axis] > rows {
            place.start[axis] = 0;
            place.shape[axis] -= rows;
            // The strides of a chunk are positive.
            let beyond = &mut buffer[rows * strides[axis].unsigned_abs()..];
            self.second.part(&place.start, &place.shape).copy_into(beyond, &strides);
        }
        Ok(Items::Gathered(buffer))
    }
}

fn items_at<'a, 'b>(
    array: &ArrayView<'a>,
    place: &Place,
    header: &FrameHeader,
    buffer: &'b mut Vec<u8>,
) -> Result<Items<'a, 'b>> {
    let part = array.part(&place.start, &place.shape);
    let whole = place.shape == header.chunk_shape();
    if whole && let Some(bytes) = part.as_bytes(header.array().order()) {
        return Ok(Items::Placed(bytes));
    }
    let len = header.chunk_nbytes();
    match whole && buffer.len() == len {
        true => {}
        // What an edge cuts off is zero.
        false => clear(buffer, len)?,
    }
    part.copy_into(buffer, &grid::chunk_strides(header));
    Ok(Items::Gathered(buffer))
}

/// Makes it that many zeros.
fn clear(buffer: &mut Vec<u8>, len: usize) -> Result<()> {
    buffer.clear();
    buffer.try_reserve(len).map_err(std::io::Error::from)?;
    buffer.resize(len, 0);
    Ok(())
}
