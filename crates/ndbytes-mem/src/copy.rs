//! Copies between two strided arrays of one shape: the kernel under every layout change.
//!
//! Axes are put into the order of the destination's strides and joined where both sides allow.
//! What remains is walked so that the two innermost loops are the axis on which the destination
//! steps least and the one on which the source does. Where these differ (a transposition) they are
//! walked in tiles, so that each cache line is used up while it is near.

use crate::strided::Strided;
use crate::transpose::Block;

/// Copies every element of `src` to its place in `dst`.
///
/// Where places in `dst` coincide (a stride of 0) the last element written stays, of no certain
/// order. Item sizes of 1, 2, 4, 8 and 16 bytes have kernels of their own.
///
/// # Panics
/// When either side reaches outside of its bytes ([`Strided::fits`]).
pub fn copy(
    dst: &mut [u8],
    dst_layout: Strided<'_>,
    src: &[u8],
    src_layout: Strided<'_>,
    shape: &[usize],
    itemsize: usize,
) {
    assert!(dst_layout.fits(shape, itemsize, dst.len()), "the destination is too small");
    assert!(src_layout.fits(shape, itemsize, src.len()), "the source is too small");
    if shape.contains(&0) || itemsize == 0 {
        return;
    }
    let (axes, itemsize) = joined_axes(shape, dst_layout.strides, src_layout.strides, itemsize);
    let dst = dst[dst_layout.origin..].as_mut_ptr();
    let src = src[src_layout.origin..].as_ptr();
    // SAFETY: both pointers are to element (0, 0, ...) of their array, and `fits` has shown that
    // every element of the shape lies within the slice that the pointer comes from. Joining keeps
    // the set of places: an outer axis swallowed by an inner one that continues it, or a run of
    // items seen as one longer item. `dst` is borrowed mutably and `src` shared, so they are
    // disjoint.
    unsafe {
        match itemsize {
            1 => walk::<Fixed<1>>(dst, src, &axes, itemsize),
            2 => walk::<Fixed<2>>(dst, src, &axes, itemsize),
            4 => walk::<Fixed<4>>(dst, src, &axes, itemsize),
            8 => walk::<Fixed<8>>(dst, src, &axes, itemsize),
            16 => walk::<Fixed<16>>(dst, src, &axes, itemsize),
            _ => walk::<Any>(dst, src, &axes, itemsize),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Axis {
    n: usize,
    dst: isize,
    src: isize,
}

/// The axes, outermost first, sorted by the destination's strides and joined; and the size of the
/// item after an innermost contiguous axis has become part of it.
fn joined_axes(
    shape: &[usize],
    dst: &[isize],
    src: &[isize],
    itemsize: usize,
) -> (Vec<Axis>, usize) {
    let mut axes: Vec<Axis> = shape
        .iter()
        .zip(dst.iter().zip(src))
        .filter(|(n, _)| **n != 1)
        .map(|(&n, (&dst, &src))| Axis { n, dst, src })
        .collect();
    axes.sort_by_key(|axis| std::cmp::Reverse((axis.dst.unsigned_abs(), axis.src.unsigned_abs())));
    let mut joined: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes {
        match joined.last_mut() {
            // `axis` is inside of `outer`: together they are one axis if a step outside is as long
            // as all the steps inside.
            Some(outer)
                if steps(axis.dst, axis.n) == Some(outer.dst)
                    && steps(axis.src, axis.n) == Some(outer.src) =>
            {
                *outer = Axis { n: outer.n * axis.n, ..axis };
            }
            _ => joined.push(axis),
        }
    }
    let size = itemsize as isize;
    match joined.last() {
        Some(&Axis { n, dst, src }) if dst == size && src == size => {
            joined.pop();
            (joined, itemsize * n)
        }
        _ => (joined, itemsize),
    }
}

fn steps(stride: isize, n: usize) -> Option<isize> {
    stride.checked_mul(isize::try_from(n).ok()?)
}

/// How one item is copied.
trait Item {
    /// Its size where the type fixes it, 0 otherwise.
    const SIZE: usize;

    /// Copies `size` bytes.
    ///
    /// # Safety
    /// - both pointers are valid for `size` bytes, and the two ranges are disjoint
    /// - `size` is the item's size where the type fixes it
    unsafe fn copy(dst: *mut u8, src: *const u8, size: usize);
}

struct Fixed<const N: usize>;
struct Any;

impl<const N: usize> Item for Fixed<N> {
    const SIZE: usize = N;

    #[inline(always)]
    unsafe fn copy(dst: *mut u8, src: *const u8, _size: usize) {
        // SAFETY: both are valid for N bytes and disjoint, by the caller's contract; an array of
        // bytes has no alignment.
        unsafe { std::ptr::copy_nonoverlapping(src.cast::<[u8; N]>(), dst.cast::<[u8; N]>(), 1) }
    }
}

impl Item for Any {
    const SIZE: usize = 0;

    #[inline(always)]
    unsafe fn copy(dst: *mut u8, src: *const u8, size: usize) {
        // SAFETY: both are valid for `size` bytes and disjoint, by the caller's contract.
        unsafe { std::ptr::copy_nonoverlapping(src, dst, size) }
    }
}

/// Walks all axes.
///
/// # Safety
/// Every place that the axes reach from `dst` and `src` is valid for `size` bytes, writable and
/// readable, and no place of one overlaps any of the other.
unsafe fn walk<I: Item>(dst: *mut u8, src: *const u8, axes: &[Axis], size: usize) {
    let Some((inner, outer)) = axes.split_last() else {
        // SAFETY: the only element is the one pointed to.
        unsafe { I::copy(dst, src, size) };
        return;
    };
    // The outer axis on which the source steps least, if it steps less there than on the inner.
    let near = outer.iter().enumerate().min_by_key(|(_, axis)| axis.src.unsigned_abs());
    match near {
        Some((at, &tiled)) if tiled.src.unsigned_abs() < inner.src.unsigned_abs() => {
            let mut rest = outer.to_vec();
            rest.remove(at);
            let mut block = None;
            // SAFETY: `rest`, `tiled` and `inner` are the given axes, and `each` calls the body
            // with the places of `rest`.
            unsafe {
                each(dst, src, &rest, &mut |dst, src| {
                    tile::<I>(dst, src, tiled, *inner, size, &mut block);
                });
            }
        }
        // SAFETY: `outer` and `inner` are the given axes, and `each` calls the body with the
        // places of `outer`.
        _ => unsafe {
            each(dst, src, outer, &mut |dst, src| line::<I>(dst, src, *inner, size));
        },
    }
}

/// Calls `body` at each place of the axes.
///
/// # Safety
/// Every place that the axes reach from `dst` and `src` is in bounds of its allocation.
unsafe fn each(
    dst: *mut u8,
    src: *const u8,
    axes: &[Axis],
    body: &mut impl FnMut(*mut u8, *const u8),
) {
    let Some((axis, rest)) = axes.split_first() else {
        body(dst, src);
        return;
    };
    for i in 0..axis.n as isize {
        // SAFETY: place i of this axis and the remaining axes from there are among the caller's
        // places.
        unsafe { each(dst.offset(i * axis.dst), src.offset(i * axis.src), rest, body) };
    }
}

/// Copies the elements along one axis.
///
/// # Safety
/// As [`walk`] with this axis alone.
unsafe fn line<I: Item>(dst: *mut u8, src: *const u8, axis: Axis, size: usize) {
    // The common stride is spelled out, so that the compiler sees a constant.
    let step = if axis.dst == size as isize { size as isize } else { axis.dst };
    for i in 0..axis.n as isize {
        // SAFETY: place i of this axis on either side, which holds an item of `size` bytes, by the
        // caller's contract.
        unsafe { I::copy(dst.offset(i * step), src.offset(i * axis.src), size) };
    }
}

/// Copies a plane of two axes in square tiles.
///
/// # Safety
/// As [`walk`] with these two axes alone.
unsafe fn tile<I: Item>(
    dst: *mut u8,
    src: *const u8,
    outer: Axis,
    inner: Axis,
    size: usize,
    block: &mut Option<Block>,
) {
    let across = inner.dst == size as isize && outer.src == size as isize;
    if across && matches!(I::SIZE, 1 | 2 | 4 | 8) && outer.n.min(inner.n) * size >= WORTH_A_BLOCK {
        let (rows, columns) = (outer.n, inner.n);
        let block = block.get_or_insert_with(|| Block::new(rows.min(columns) * size));
        // SAFETY: the plane's places are those of the two axes.
        unsafe {
            match I::SIZE {
                1 => block.plane::<1>(dst, outer.dst, src, inner.src, rows, columns),
                2 => block.plane::<2>(dst, outer.dst, src, inner.src, rows, columns),
                4 => block.plane::<4>(dst, outer.dst, src, inner.src, rows, columns),
                _ => block.plane::<8>(dst, outer.dst, src, inner.src, rows, columns),
            }
        }
        return;
    }
    // A tile's lines on either side fit into the first-level cache together.
    let edge = (TILE_BYTES / size.max(1)).clamp(4, 64);
    for i in (0..outer.n).step_by(edge) {
        let rows = edge.min(outer.n - i);
        for j in (0..inner.n).step_by(edge) {
            let columns = edge.min(inner.n - j);
            for row in i..i + rows {
                let at = |o: isize, i: isize| row as isize * o + j as isize * i;
                let line_axis = Axis { n: columns, ..inner };
                // SAFETY: row and j..j + columns are within the axes, by the caller's contract.
                unsafe {
                    let dst = dst.offset(at(outer.dst, inner.dst));
                    let src = src.offset(at(outer.src, inner.src));
                    line::<I>(dst, src, line_axis, size);
                }
            }
        }
    }
}

/// Bytes of one line of a tile.
const TILE_BYTES: usize = 256;
/// Bytes of the shorter side of a plane from which on it is turned block by block.
const WORTH_A_BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Slow and obvious: each element by its index.
    fn oracle(
        dst: &mut [u8],
        dst_layout: Strided<'_>,
        src: &[u8],
        src_layout: Strided<'_>,
        shape: &[usize],
        itemsize: usize,
    ) {
        let count: usize = shape.iter().product();
        for flat in 0..count {
            let (mut rest, mut to, mut from) =
                (flat, dst_layout.origin as isize, src_layout.origin as isize);
            for axis in (0..shape.len()).rev() {
                let i = (rest % shape[axis]) as isize;
                rest /= shape[axis];
                to += i * dst_layout.strides[axis];
                from += i * src_layout.strides[axis];
            }
            let (to, from) = (to as usize, from as usize);
            dst[to..to + itemsize].copy_from_slice(&src[from..from + itemsize]);
        }
    }

    /// Strides of a dense array whose axes lie in the order of `keys`, some reversed or spread.
    fn layout(
        shape: &[usize],
        itemsize: usize,
        keys: &[u8],
        signs: u8,
    ) -> (usize, Vec<isize>, usize) {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        order.sort_by_key(|&axis| keys[axis]);
        let mut strides = vec![0; shape.len()];
        let (mut step, mut origin) = (itemsize, 0);
        for (place, &axis) in order.iter().enumerate() {
            step *= 1 + usize::from(keys[axis] & 1) * (place % 2);
            strides[axis] = step as isize;
            if signs >> axis & 1 == 1 {
                strides[axis] = -(step as isize);
                origin += step * (shape[axis] - 1);
            }
            step *= shape[axis];
        }
        (origin, strides, step.max(itemsize))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 512 }))]

        #[test]
        fn equals_the_oracle(
            shape in prop::collection::vec(1usize..12, 0..5),
            itemsize in prop::sample::select(vec![1usize, 2, 3, 4, 8, 12, 16, 20]),
            keys in prop::array::uniform4(any::<u8>()),
            other in prop::array::uniform4(any::<u8>()),
            signs in any::<(u8, u8)>(),
        ) {
            let (src_origin, src_strides, src_len) = layout(&shape, itemsize, &keys, signs.0);
            let (dst_origin, dst_strides, dst_len) = layout(&shape, itemsize, &other, signs.1);
            let src: Vec<u8> = (0..src_len).map(|i| (i * 7 + i / 251) as u8).collect();
            let (mut got, mut want) = (vec![0xee; dst_len], vec![0xee; dst_len]);
            let to = Strided { origin: dst_origin, strides: &dst_strides };
            let from = Strided { origin: src_origin, strides: &src_strides };
            copy(&mut got, to, &src, from, &shape, itemsize);
            oracle(&mut want, to, &src, from, &shape, itemsize);
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn tiles_cover_odd_edges() {
        for (rows, columns, size) in [
            (130, 67, 1),
            (65, 129, 8),
            (33, 3, 4),
            (1, 200, 2),
            (70, 65, 2),
            (200, 300, 1),
            (64, 64, 4),
            (1024, 1100, 1),
            (512, 600, 4),
            (256, 513, 8),
        ] {
            let src: Vec<u8> = (0..rows * columns * size).map(|i| (i % 253) as u8).collect();
            let mut got = vec![0; src.len()];
            let mut want = got.clone();
            let from = [size as isize, (columns * size) as isize];
            let to = [(rows * size) as isize, size as isize];
            let (to, from) =
                (Strided { origin: 0, strides: &to }, Strided { origin: 0, strides: &from });
            copy(&mut got, to, &src, from, &[columns, rows], size);
            oracle(&mut want, to, &src, from, &[columns, rows], size);
            assert_eq!(got, want);
        }
    }

    #[test]
    fn broadcast_sources_are_read_again_and_again() {
        let mut dst = [0; 6];
        let (to, from) = ([2, 1], [0, 1]);
        copy(
            &mut dst,
            Strided { origin: 0, strides: &to },
            &[1, 2],
            Strided { origin: 0, strides: &from },
            &[3, 2],
            1,
        );
        assert_eq!(dst, [1, 2, 1, 2, 1, 2]);
    }

    #[test]
    #[should_panic(expected = "the source is too small")]
    fn out_of_bounds_is_caught() {
        let strides = [1];
        let layout = Strided { origin: 0, strides: &strides };
        copy(&mut [0; 4], layout, &[0; 3], layout, &[4], 1);
    }
}
