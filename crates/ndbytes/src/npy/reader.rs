//! `.npy` read by position.

use ndbytes_format::{Header, Limits, is_contiguous};
use ndbytes_mem::Strided;

use crate::array::Array;
use crate::error::Result;
use crate::npy::read::{read_header, truncated};
use crate::part::read_part;
use crate::progress::{Meter, Progress};
use crate::read_at::{ReadAt, Section, read_full_at, read_measured_at};
use crate::stream::scatter_measured;
use crate::validate::validate_measured;

/// An `.npy` file whose header has been read; elements are read when they are asked for.
///
/// Reads by position only, so that threads and forked processes may share the source.
#[derive(Debug)]
pub struct NpyReader<R> {
    source: R,
    header: Header,
    data_offset: u64,
}

impl<R: ReadAt> NpyReader<R> {
    /// Reads the header at the start of the source.
    ///
    /// # Errors
    /// What the source said; a code for each way that a header can lie;
    /// [`Code::DataTruncated`](crate::Code::DataTruncated) when the source is too short for what its
    /// header announces, before anything is allocated.
    pub fn new(source: R, limits: &Limits) -> Result<Self> {
        let size = source.size()?;
        let (header, len) = read_header(&mut Section::new(&source, 0, size), limits)?;
        let (data_offset, rest) = (len as u64, size.saturating_sub(len as u64));
        if rest < header.nbytes() as u64 {
            return Err(truncated(&header, rest as usize).shifted(data_offset));
        }
        Ok(Self { source, header, data_offset })
    }

    /// Dtype, order and shape.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where the data begins.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// The source.
    pub fn source(&self) -> &R {
        &self.source
    }
}

impl<R: ReadAt + Sync> NpyReader<R> {
    /// Reads the array.
    ///
    /// # Errors
    /// What the source said, truncations, [`Code::DataInvalid`](crate::Code::DataInvalid).
    pub fn read(&self) -> Result<Array> {
        let mut array = Array::zeroed(self.header.clone())?;
        let strides = self.header.strides();
        let layout = Strided { origin: 0, strides: &strides };
        self.read_into_with(array.bytes_mut(), layout, &Progress::default())?;
        Ok(array)
    }

    /// Reads the data into memory of any layout, and tells how far it is.
    ///
    /// # Errors
    /// As [`NpyReader::read`]; [`Code::OutOfBounds`](crate::Code::OutOfBounds) for memory that the
    /// layout leaves; what [`Progress`] said.
    pub fn read_into_with(
        &self,
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        let meter = Meter::new(progress, self.header.nbytes() as u64);
        let read = read_data_at(&self.source, &self.header, self.data_offset, out, layout, &meter);
        meter.end(read)
    }

    /// Reads every `step`-th item from `start` on, `shape` of them along each axis, in the array's
    /// order, and no more bytes than hold them, but for gaps that are shorter than a request is
    /// worth.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`](crate::Code::OutOfBounds) when the part reaches outside of the array;
    /// otherwise as [`NpyReader::read`].
    pub fn read_slice(&self, start: &[usize], step: &[usize], shape: &[usize]) -> Result<Array> {
        read_part(&self.header, [start, step, shape], &mut |bytes, from| {
            let offset = self.data_offset + from as u64;
            if read_full_at(&self.source, bytes, offset)? < bytes.len() {
                return Err(truncated(&self.header, from));
            }
            Ok(())
        })
    }
}

/// Reads the data of an `.npy` file, which begins at `offset`, into memory of any layout.
pub(crate) fn read_data_at(
    source: &(impl ReadAt + Sync),
    header: &Header,
    offset: u64,
    out: &mut [u8],
    layout: Strided<'_>,
    meter: &Meter,
) -> Result<()> {
    let (shape, itemsize, nbytes) = (header.shape(), header.dtype().itemsize(), header.nbytes());
    let mut read = || {
        if nbytes > 0
            && layout.fits(shape, itemsize, out.len())
            && is_contiguous(shape, layout.strides, itemsize, header.order())
        {
            let out = &mut out[layout.origin..layout.origin + nbytes];
            let got = read_measured_at(source, out, offset, meter)?;
            if got < out.len() {
                return Err(truncated(header, got));
            }
            return validate_measured(header.dtype(), out, meter);
        }
        let mut data = Section::new(source, offset, nbytes as u64);
        scatter_measured(&mut data, header, out, layout, meter)
    };
    read().map_err(|error| error.shifted(offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArrayView, Code, Order, dumps};

    fn file(order: Order) -> Vec<u8> {
        let bytes: Vec<u8> = (0..24).collect();
        dumps(&ArrayView::contiguous("<i2".parse().unwrap(), &[3, 4], order, &bytes).unwrap())
            .unwrap()
    }

    #[test]
    fn all_of_it_and_parts_of_it() {
        for order in [Order::C, Order::F] {
            let bytes = file(order);
            let reader = NpyReader::new(&bytes[..], &Limits::default()).unwrap();
            let whole = reader.read().unwrap();
            assert_eq!(whole.bytes(), (0..24).collect::<Vec<u8>>());
            let item = |i: usize, j: usize| match order {
                Order::C => 2 * (4 * i + j) as u8,
                Order::F => 2 * (i + 3 * j) as u8,
            };
            let part = reader.read_slice(&[0, 1], &[2, 2], &[2, 2]).unwrap();
            let firsts: Vec<u8> = part.view().to_vec(Order::C).unwrap();
            let want = [item(0, 1), item(0, 3), item(2, 1), item(2, 3)];
            assert_eq!(firsts.iter().step_by(2).copied().collect::<Vec<_>>(), want);
            let error = reader.read_slice(&[0, 1], &[2, 2], &[3, 2]).unwrap_err();
            assert_eq!(error.code(), Code::OutOfBounds);
        }
    }

    #[test]
    fn what_is_too_short_is_no_array() {
        let bytes = file(Order::C);
        for end in 0..bytes.len() {
            assert!(NpyReader::new(&bytes[..end], &Limits::default()).is_err(), "{end}");
        }
    }
}
