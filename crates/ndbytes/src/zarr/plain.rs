//! The contiguous data of an array as the chunks of a Zarr array, each one run of bytes.

use ndbytes_format::{Header, Order};

use crate::error::Result;
use crate::zarr::metadata::plain_metadata;

/// An array whose bytes lie one after another, cut along its slowest axes into chunks that are runs
/// of those bytes. Zarr reads them from wherever they lie; nothing is written.
#[derive(Clone, Debug)]
pub struct ZarrRuns {
    header: Header,
    chunk_shape: Vec<usize>,
}

/// The bytes of a chunk: a run of the array's, and the zeros that fill up a chunk at its edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZarrRun {
    /// The first byte, from the start of the array's data.
    pub offset: u64,
    /// How many.
    pub len: u64,
    /// How many zeros follow.
    pub zeros: u64,
}

impl ZarrRuns {
    /// Cuts the array into chunks of about `target` bytes.
    pub fn new(header: Header, target: usize) -> Self {
        let mut chunk_shape: Vec<usize> = header.shape().iter().map(|&n| n.max(1)).collect();
        for axis in slowest_first(&header) {
            let itemsize = header.dtype().itemsize().max(1);
            let size = chunk_shape.iter().fold(itemsize, |size, &n| size.saturating_mul(n));
            if size <= target {
                break;
            }
            // As many along this axis as fit, at least one; and evenly, so that little is filled up.
            let n = chunk_shape[axis];
            let fit = (n as u128 * target as u128 / size as u128).max(1) as usize;
            chunk_shape[axis] = n.div_ceil(n.div_ceil(fit));
        }
        Self { header, chunk_shape }
    }

    /// The array.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The shape of every chunk.
    pub fn chunk_shape(&self) -> &[usize] {
        &self.chunk_shape
    }

    /// The text of its `zarr.json`.
    ///
    /// # Errors
    /// [`Code::UnsupportedDtype`](crate::Code::UnsupportedDtype) for dtypes that Zarr has no name
    /// for.
    pub fn metadata(&self) -> Result<String> {
        plain_metadata(&self.header, &self.chunk_shape)
    }

    /// The bytes of the chunk at this place of the grid, if there is one.
    pub fn run(&self, place: &[usize]) -> Option<ZarrRun> {
        let shape = self.header.shape();
        if place.len() != shape.len() || self.header.nbytes() == 0 {
            return None;
        }
        let strides = self.header.strides();
        let (mut offset, mut len) = (0, self.header.dtype().itemsize());
        for axis in 0..shape.len() {
            let edge = self.chunk_shape[axis];
            let start = place[axis].checked_mul(edge).filter(|&start| start < shape[axis])?;
            // An array's own strides are positive.
            offset += start * strides[axis].unsigned_abs();
            len *= edge.min(shape[axis] - start);
        }
        let whole = self.chunk_shape.iter().product::<usize>() * self.header.dtype().itemsize();
        Some(ZarrRun { offset: offset as u64, len: len as u64, zeros: (whole - len) as u64 })
    }
}

fn slowest_first(header: &Header) -> Vec<usize> {
    let axes = 0..header.shape().len();
    match header.order() {
        Order::C => axes.collect(),
        Order::F => axes.rev().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The runs of all chunks, in the order of the axes from the slowest on.
    #[test]
    fn runs_are_the_data_in_order() {
        for order in [Order::C, Order::F] {
            for shape in [&[7, 5, 3][..], &[10], &[], &[1, 9]] {
                for target in [1, 8, 40, 100, 1000] {
                    let dtype = "<i4".parse().unwrap();
                    let header = Header::new(dtype, order, shape.to_vec()).unwrap();
                    let runs = ZarrRuns::new(header.clone(), target);
                    let edges = runs.chunk_shape();
                    let grid: Vec<usize> =
                        shape.iter().zip(edges).map(|(n, edge)| n.div_ceil(*edge)).collect();
                    let count: usize = grid.iter().product();
                    let mut end = 0;
                    for number in 0..count {
                        let mut rest = number;
                        let mut place = vec![0; shape.len()];
                        let mut axes = slowest_first(&header);
                        axes.reverse();
                        for axis in axes {
                            place[axis] = rest % grid[axis];
                            rest /= grid[axis];
                        }
                        let run = runs.run(&place).unwrap();
                        assert_eq!(run.offset, end);
                        assert!(run.len + run.zeros <= target.max(4) as u64);
                        end += run.len;
                    }
                    assert_eq!(end, header.nbytes() as u64);
                    assert_eq!(runs.run(&vec![count; shape.len()]).is_some(), shape.is_empty());
                    assert!(runs.run(&vec![usize::MAX; shape.len() + 1]).is_none());
                }
            }
        }
        let empty = Header::new("<i4".parse().unwrap(), Order::C, vec![0, 3]).unwrap();
        let runs = ZarrRuns::new(empty, 100);
        assert_eq!(runs.chunk_shape(), [1, 3]);
        assert_eq!(runs.run(&[0, 0]), None);
    }
}
