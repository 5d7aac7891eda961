//! Reading the selected elements of an array, and little else.

use ndbytes::{ArrayView, Dtype, Order, byte_extent, validate};

use crate::elements::{Elements, memory};
use crate::exit::Failure;
use crate::slice::{Selection, Slice};

/// Applies an index to an array's header.
pub(crate) fn select(elements: &Elements<'_>, slice: &Slice) -> Result<Selection, Failure> {
    let header = elements.header();
    let strides = header.strides();
    slice.select(header.shape(), &strides).map_err(Failure::no)
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
        return walk(elements, dtype, selection.clone(), &mut checked);
    }
    let mut gathered = Vec::new();
    walk(elements, dtype, selection.clone().transposed(), &mut |bytes| {
        gathered.try_reserve(bytes.len()).map_err(|_| {
            Failure::trouble("no memory for the selection: select less by `--slice` or `--head`")
        })?;
        gathered.extend_from_slice(bytes);
        Ok(())
    })?;
    let view = ArrayView::contiguous(dtype.clone(), &selection.shape, Order::F, &gathered)?;
    checked(&view.to_vec(Order::C)?)
}

/// Splits the selection along its slowest axis until a part is small and dense enough to be read
/// at once.
fn walk(
    elements: &Elements<'_>,
    dtype: &Dtype,
    selection: Selection,
    body: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let itemsize = dtype.itemsize();
    let (before, beyond) = byte_extent(&selection.shape, &selection.strides, itemsize)
        .ok_or_else(|| Failure::no("the selection does not fit the address space"))?;
    let extent = before + beyond;
    let dense = extent <= PAGES || selection.count() * itemsize >= extent / SPARSE;
    let axis = selection.shape.iter().position(|&n| n > 1);
    if let Some(axis) = axis
        && (extent > PIECE || !dense)
    {
        let (mut first, mut second) = (selection.clone(), selection);
        let half = first.shape[axis] / 2;
        first.shape[axis] = half;
        second.shape[axis] -= half;
        second.origin =
            second.origin.wrapping_add_signed(second.strides[axis].wrapping_mul(half as isize));
        walk(elements, dtype, first, body)?;
        return walk(elements, dtype, second, body);
    }
    let mut bytes = memory(extent)?;
    elements.read_at(selection.origin - before, &mut bytes)?;
    let view = ArrayView::new(dtype.clone(), &selection.shape, &selection.strides, &bytes, before)?;
    match view.as_bytes(Order::C) {
        Some(bytes) => body(bytes),
        None => body(&view.to_vec(Order::C)?),
    }
}

/// Most bytes read at once.
const PIECE: usize = 4 << 20;
/// Reading less than this at once saves nothing.
const PAGES: usize = 1 << 14;
/// A part is read at once when no less than one in so many of its bytes is wanted.
const SPARSE: usize = 4;
