//! Parts of a frame, from the chunks that hold any of their items.

use ndbytes_format::{Code, Header};
use ndbytes_mem::{Strided, copy};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::chunk::{ChunkDecoder, threads_for_items};
use crate::frame::grid;
use crate::frame::read::FrameReader;
use crate::parallel::in_order;
use crate::progress::{Meter, Progress};
use crate::read_at::ReadAt;
use crate::slice::check_stepped;

impl<R: ReadAt + Sync> FrameReader<R> {
    /// Reads a part of the array: `shape` items from `start` on.
    ///
    /// # Errors
    /// As [`FrameReader::read_slice_into`].
    pub fn read_part(&self, start: &[usize], shape: &[usize]) -> Result<Array> {
        let array = self.header().array();
        let step = vec![1; start.len()];
        check_stepped(self.header().array().shape(), [start, &step, shape])?;
        let facts = Header::new(array.dtype().clone(), array.order(), shape.to_vec())?;
        let mut part = Array::zeroed(facts)?;
        let strides = part.header().strides();
        let layout = Strided { origin: 0, strides: &strides };
        self.read_slice_into(start, &step, shape, part.bytes_mut(), layout)?;
        Ok(part)
    }

    /// Reads every `step`-th item of the array from `start` on, `shape` of them along each axis,
    /// into strided memory. Chunks that hold none of them are not read.
    ///
    /// # Errors
    /// As [`FrameReader::read_into`]; [`Code::OutOfBounds`] when the part reaches outside of the
    /// array, [`Code::Argument`] for a step of 0 or another number of axes.
    pub fn read_slice_into(
        &self,
        start: &[usize],
        step: &[usize],
        shape: &[usize],
        out: &mut [u8],
        layout: Strided<'_>,
    ) -> Result<()> {
        self.read_slice_into_with(start, step, shape, out, layout, &Progress::default())
    }

    /// As [`FrameReader::read_slice_into`], and tells how many bytes of the part are there.
    ///
    /// # Errors
    /// As [`FrameReader::read_slice_into`], and what [`Progress`] said.
    pub fn read_slice_into_with(
        &self,
        start: &[usize],
        step: &[usize],
        shape: &[usize],
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let itemsize = self.header().array().dtype().itemsize();
        let count = shape.iter().fold(itemsize, |bytes, &n| bytes.saturating_mul(n));
        let meter = Meter::new(progress, count as u64);
        let read = self.read_slice(start, step, shape, out, layout, &meter);
        meter.end(read)
    }

    fn read_slice(
        &self,
        start: &[usize],
        step: &[usize],
        shape: &[usize],
        out: &mut [u8],
        layout: Strided<'_>,
        meter: &Meter,
    ) -> Result<()> {
        let header = self.header();
        let itemsize = header.array().dtype().itemsize();
        check_stepped(self.header().array().shape(), [start, step, shape])?;
        if !layout.fits(shape, itemsize, out.len()) {
            return Err(Error::new(Code::OutOfBounds, "the part reaches outside of its memory"));
        }
        if itemsize == 0 || shape.contains(&0) {
            // Of nothing there may be more than could be counted.
            return Ok(());
        }
        let runs: Vec<Vec<Run>> = (0..shape.len())
            .map(|axis| {
                runs_along(start[axis], step[axis], shape[axis], header.chunk_shape()[axis])
            })
            .collect();
        let inner = grid::chunk_strides(header);
        let stepped: Vec<isize> = inner
            .iter()
            .zip(step)
            .map(|(&stride, &step)| stride.wrapping_mul(step as isize))
            .collect();
        let count = runs.iter().map(Vec::len).product();
        in_order(
            count,
            threads_for_items(header, header.chunk_nbytes().saturating_mul(count)),
            || (ChunkDecoder::lend(), Vec::new()),
            |(decoder, record), i| {
                let touched = nth(&runs, i);
                let grid = header.grid();
                let chunk = touched.iter().zip(&grid).fold(0, |n, (run, &len)| n * len + run.chunk);
                self.chunk(decoder, record, chunk)
            },
            |i, items| {
                let touched = nth(&runs, i);
                let pick = |of: fn(&Run) -> usize| touched.iter().map(of).collect::<Vec<_>>();
                let origin = |layout, at: &[usize]| grid::offset(layout, at);
                let whole = Strided { origin: 0, strides: &inner };
                let from =
                    Strided { origin: origin(whole, &pick(|run| run.at)), strides: &stepped };
                let to = Strided {
                    origin: origin(layout, &pick(|run| run.first)),
                    strides: layout.strides,
                };
                let shape = pick(|run| run.count);
                copy(out, to, &items, from, &shape, itemsize);
                meter.add(shape.iter().product::<usize>() * itemsize)
            },
        )
    }
}

/// Items along an axis that one chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// The chunk's number along the axis.
    chunk: usize,
    /// Where the first of them is in the chunk.
    at: usize,
    /// Where the first of them is in the part.
    first: usize,
    count: usize,
}

fn runs_along(start: usize, step: usize, n: usize, edge: usize) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut first = 0;
    while first < n {
        let position = start + first * step;
        let (chunk, at) = (position / edge, position % edge);
        let count = (edge - at).div_ceil(step).min(n - first);
        runs.push(Run { chunk, at, first, count });
        first += count;
    }
    runs
}

/// One run of each axis: number `i` of all their combinations, the last axis fastest.
fn nth(runs: &[Vec<Run>], mut i: usize) -> Vec<Run> {
    let mut touched: Vec<Run> = runs
        .iter()
        .rev()
        .map(|runs| {
            let run = runs[i % runs.len()];
            i /= runs.len();
            run
        })
        .collect();
    touched.reverse();
    touched
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_what_each_chunk_holds() {
        for edge in 1..8 {
            for step in 1..10 {
                for (start, n) in [(0, 0), (0, 1), (3, 1), (0, 5), (2, 7), (6, 4)] {
                    let mut seen = Vec::new();
                    for run in runs_along(start, step, n, edge) {
                        assert!(run.count > 0 && run.first == seen.len());
                        for i in 0..run.count {
                            assert!(run.at + i * step < edge);
                            seen.push(run.chunk * edge + run.at + i * step);
                        }
                    }
                    assert_eq!(seen, (0..n).map(|i| start + i * step).collect::<Vec<_>>());
                }
            }
        }
    }
}
