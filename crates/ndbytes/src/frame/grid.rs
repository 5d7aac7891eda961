//! How an array is cut into chunks.

use ndbytes_format::frame::FrameHeader;
use ndbytes_format::{Order, strides};
use ndbytes_mem::Strided;

/// Where a chunk lies in its array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The index of its first item.
    pub(super) start: Vec<usize>,
    /// Its shape without what an edge cuts off.
    pub(super) shape: Vec<usize>,
}

/// The place of chunk `number`; chunks are counted in C order.
pub(super) fn place(header: &FrameHeader, number: usize) -> Place {
    let mut rest = number;
    let mut start = vec![0; header.chunk_shape().len()];
    for (axis, count) in header.grid().into_iter().enumerate().rev() {
        start[axis] = rest % count.max(1) * header.chunk_shape()[axis];
        rest /= count.max(1);
    }
    let shape = start
        .iter()
        .zip(header.chunk_shape())
        .zip(header.array().shape())
        .map(|((&start, &edge), &n)| edge.min(n - start))
        .collect();
    Place { start, shape }
}

/// Bytes of the items that chunk `number` holds.
pub(super) fn nbytes(header: &FrameHeader, number: usize) -> usize {
    place(header, number).shape.iter().product::<usize>() * header.array().dtype().itemsize()
}

/// Whether chunks follow one another as the array's items do: only its slowest axis is cut.
pub(super) fn is_linear(header: &FrameHeader) -> bool {
    let grid = header.grid();
    let rest = match header.array().order() {
        Order::C => grid.get(1..),
        Order::F => grid.get(..grid.len().saturating_sub(1)),
    };
    rest.unwrap_or_default().iter().all(|&n| n == 1)
}

/// Strides of the items within a chunk.
pub(super) fn chunk_strides(header: &FrameHeader) -> Vec<isize> {
    strides(header.chunk_shape(), header.array().dtype().itemsize(), header.array().order())
}

/// The byte from the start of a layout at which the item at `start` begins.
pub(super) fn offset(layout: Strided<'_>, start: &[usize]) -> usize {
    let shift: isize =
        start.iter().zip(layout.strides).map(|(&i, &stride)| i as isize * stride).sum();
    layout.origin.wrapping_add_signed(shift)
}

/// A chunk shape that suits most: about `target` bytes, the slowest axes cut first, and cut evenly,
/// so that little is filled up. Of few chunks there is an even number, where that can be.
pub(super) fn balanced(
    shape: &[usize],
    itemsize: usize,
    order: Order,
    target: usize,
) -> Vec<usize> {
    let mut chunk: Vec<usize> = shape.iter().map(|&n| n.max(1)).collect();
    let axes: Vec<usize> = match order {
        Order::C => (0..shape.len()).collect(),
        Order::F => (0..shape.len()).rev().collect(),
    };
    let mut is_cut = false;
    for axis in axes {
        let size = chunk.iter().fold(itemsize.max(1), |size, &n| size.saturating_mul(n));
        if size <= target {
            break;
        }
        // As many along this axis as fit, at least one.
        let n = chunk[axis];
        let fit = (n as u128 * target as u128 / size as u128).max(1) as usize;
        let count = n.div_ceil(fit);
        chunk[axis] = n.div_ceil(count);
        let slice = size / n;
        if !is_cut && count < FEW && slice * chunk[axis] <= target {
            chunk[axis] = even(n, slice, count, target).unwrap_or(chunk[axis]);
            break;
        }
        is_cut = true;
    }
    chunk
}

/// The edge of an even number of chunks, `count` or one more or less, of two and more, along an axis of `n`
/// slices of so many bytes: two threads have as much to do each. None where there is no such edge.
fn even(n: usize, slice: usize, count: usize, target: usize) -> Option<usize> {
    // Fewer are smaller when they are compressed, and slower where they do not fit the caches.
    let most = if target > LARGE { LARGEST.max(target + target / 8) } else { LARGE };
    let fewer = n.div_ceil(count - count % 2);
    let edge = if slice * fewer <= most { fewer } else { n.div_ceil(count + count % 2) };
    n.div_ceil(edge).is_multiple_of(2).then_some(edge)
}

/// Bytes of a chunk unless told otherwise, for an array of this many.
pub(super) fn target(nbytes: usize) -> usize {
    (nbytes / CHUNKS).max(LARGE.min(nbytes / 4)).clamp(SMALLEST, LARGEST)
}

/// The edge of chunks along the axis on which a frame grows to so many bytes.
pub(super) fn grown(header: &FrameHeader, nbytes: usize) -> usize {
    let axis = header.array().growing_axis().unwrap_or(0);
    let edge = header.chunk_shape()[axis];
    let slice = header.chunk_nbytes() / edge;
    // It may go on growing: many small chunks would stay small for ever.
    (target(nbytes).max(GROWING) / slice.max(1)).max(edge)
}

/// Enough chunks for threads to share, and for slices to touch few bytes.
const CHUNKS: usize = 16;
/// Of fewer chunks than that, one more for one of two threads is felt.
const FEW: usize = 10;
const SMALLEST: usize = 1 << 19;
/// Of an array that has enough for some chunks of this.
const LARGE: usize = 1 << 20;
/// For what is to go on growing, or to become small.
pub(super) const GROWING: usize = 2 << 20;
/// Large enough for the choice of a pipeline to cost little.
pub(super) const LARGEST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use ndbytes_format::Header;
    use ndbytes_format::frame::Family;

    use super::*;

    #[test]
    fn chunks_cover_the_array_once() {
        let array = Header::new("|u1".parse().unwrap(), Order::C, vec![5, 7, 3]).unwrap();
        let header = FrameHeader::new(array, Family::Raw, vec![2, 3, 3]).unwrap();
        let mut seen = vec![0; 105];
        for number in 0..header.chunk_count() {
            let Place { start, shape } = place(&header, number);
            for i in 0..shape[0] {
                for j in 0..shape[1] {
                    for k in 0..shape[2] {
                        seen[((start[0] + i) * 7 + start[1] + j) * 3 + start[2] + k] += 1;
                    }
                }
            }
        }
        assert_eq!(seen, [1; 105]);
    }

    #[test]
    fn chunks_are_near_their_target_and_even() {
        let balanced = |shape: &[usize], order| balanced(shape, 8, order, 1 << 20);
        assert_eq!(balanced(&[1 << 20], Order::C), [1 << 17]);
        assert_eq!(balanced(&[1001, 1000], Order::C), [126, 1000]);
        assert_eq!(balanced(&[1001, 1000], Order::F), [1001, 125]);
        assert_eq!(balanced(&[3, 1 << 20], Order::C), [1, 1 << 17]);
        assert!(balanced(&[], Order::C).is_empty());
        assert_eq!(balanced(&[0, 5], Order::C), [1, 5]);
        assert_eq!(balanced(&[10], Order::C), [10]);
    }

    #[test]
    fn few_chunks_are_shared_by_two_threads() {
        for target in [SMALLEST, LARGE, GROWING, LARGEST, 6 << 20] {
            let most = if target > LARGE { LARGEST.max(target + target / 8) } else { LARGE };
            for twentieths in 1..400 {
                let n = target * twentieths / 20;
                let edge = balanced(&[n], 1, Order::C, target)[0];
                let count = n.div_ceil(edge);
                assert!(count == 1 || count >= FEW || count.is_multiple_of(2), "{n}: {count}");
                assert!(edge <= most, "{n}: {edge}");
            }
        }
        // They are larger where that is not too large for the caches, or smaller.
        assert_eq!(balanced(&[1_400_000], 1, Order::C, SMALLEST), [700_000]);
        assert_eq!(balanced(&[9_000_000], 1, Order::C, LARGE), [900_000]);
        // Nine rows cannot be ten chunks, nor eight that are alike.
        assert_eq!(balanced(&[9, LARGE], 1, Order::C, LARGE), [1, LARGE]);
        // What matters is how many there are in all.
        assert_eq!(balanced(&[100, 2_500_000], 1, Order::C, LARGE), [1, 833_334]);
        // A slice more than fits does not make it two chunks more.
        assert_eq!(balanced(&[2_500_001], 8, Order::C, 20_000_008 / 4), [625_001]);
    }
}
