//! Reading the selected elements of an array, and little else.

use ndbytes::{ArrayView, Dtype, Order, Selection, Slice, validate};

use crate::elements::{Elements, memory};
use crate::exit::Failure;

/// Applies an index to an array's header.
pub(crate) fn select(elements: &Elements<'_>, slice: &Slice) -> Result<Selection, Failure> {
    let header = elements.header();
    let strides = header.strides();
    slice.select(header.shape(), &strides).map_err(|error| Failure::no(error.message()))
}

/// Calls `body` with the selected elements' bytes in C order, in pieces.
///
/// From an array in C order only the parts of the file that are needed are read, each once; from
/// one in Fortran order likewise, but all of the selection is held in memory.
pub(crate) fn for_each_piece(
    elements: &Elements<'_>,
    selection: &Selection,
    body: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let header = elements.header();
    let dtype = header.dtype();
    if selection.count() == 0 || dtype.itemsize() == 0 {
        return Ok(());
    }
    let mut checked = |bytes: &[u8]| {
        // Offsets would be those of the selection, not of the file.
        validate(dtype, bytes)
            .map_err(|error| ndbytes::Error::new(error.code(), error.message()))?;
        body(bytes)
    };
    if header.order() == Order::C || header.shape().len() < 2 {
        return walk(elements, dtype, selection, &mut checked);
    }
    let mut gathered = Vec::new();
    walk(elements, dtype, &selection.clone().transposed(), &mut |bytes| {
        gathered.try_reserve(bytes.len()).map_err(|_| {
            Failure::trouble("no memory for the selection: select less by `--slice` or `--head`")
        })?;
        gathered.extend_from_slice(bytes);
        Ok(())
    })?;
    let view = ArrayView::contiguous(dtype.clone(), &selection.shape, Order::F, &gathered)?;
    checked(&view.to_vec(Order::C)?)
}

/// Reads the selection piece by piece, in C order.
fn walk(
    elements: &Elements<'_>,
    dtype: &Dtype,
    selection: &Selection,
    body: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for piece in selection.pieces(dtype.itemsize(), PIECE)? {
        let mut bytes = memory(piece.len)?;
        elements.read_at(piece.offset, &mut bytes)?;
        let view = piece.view(dtype, &bytes)?;
        match view.as_bytes(Order::C) {
            Some(bytes) => body(bytes)?,
            None => body(&view.to_vec(Order::C)?)?,
        }
    }
    Ok(())
}

/// Most bytes read at once.
const PIECE: usize = 4 << 20;
