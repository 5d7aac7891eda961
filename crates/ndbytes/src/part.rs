//! Parts of arrays whose bytes are read by their places.

use ndbytes_format::{Header, Order};

use crate::array::Array;
use crate::error::Result;
use crate::slice::Selection;
use crate::validate::validate;

/// Every `step`-th item of an array from `start` on, `shape` of them along each axis, in the array's
/// order. `read` gets memory to fill and the byte of the array's data at which that begins; the
/// places grow.
///
/// # Errors
/// [`Code::OutOfBounds`](crate::Code::OutOfBounds) when the part reaches outside of the array; what
/// `read` said; [`Code::DataInvalid`](crate::Code::DataInvalid).
pub(crate) fn read_part(
    header: &Header,
    [start, step, shape]: [&[usize]; 3],
    read: &mut dyn FnMut(&mut [u8], usize) -> Result<()>,
) -> Result<Array> {
    let (order, dtype) = (header.order(), header.dtype());
    let mut selection =
        Selection::stepped(header.shape(), &header.strides(), [start, step, shape])?;
    // What is C order of an array in reverse is Fortran order of the array.
    if order == Order::F {
        selection = selection.transposed();
    }
    let mut part = Array::zeroed(Header::new(dtype.clone(), order, shape.to_vec())?)?;
    let (mut out, itemsize) = (part.bytes_mut(), dtype.itemsize());
    let mut bytes = Vec::new();
    for piece in selection.pieces(itemsize, PIECE)? {
        let (some, rest) = out.split_at_mut(piece.count() * itemsize);
        if piece.len == some.len() {
            // As dense as can be: nothing is left out, and nothing turned.
            read(some, piece.offset)?;
        } else {
            bytes.resize(piece.len, 0);
            read(&mut bytes, piece.offset)?;
            piece.view(dtype, &bytes)?.copy_to(some, 0, Order::C)?;
        }
        out = rest;
    }
    validate(dtype, part.bytes_mut())?;
    Ok(part)
}

/// Bytes that are read at once: some blocks of a deflated member for each thread.
const PIECE: usize = 4 << 20;
