//! Reading `.npy`: exactly one array, so that arrays can follow one another.

use std::io::{self, Read};

use ndbytes_format::{Code, Header, Limits, Prelude, Version};

use crate::array::{Array, ArrayView};
use crate::error::{Error, Result};
use crate::progress::{Meter, Progress};
use crate::validate::validate;

/// Reads the header, up to the first byte of the data, and returns it with its length in bytes.
///
/// # Errors
/// [`Code::EndOfStream`] when the source ends before the first byte, a truncation after it, a code
/// for each way that a header can lie.
pub fn read_header(source: &mut (impl Read + ?Sized), limits: &Limits) -> Result<(Header, usize)> {
    let mut head = [0; 12];
    let mut have = fill(source, &mut head[..8])?;
    let version = Version::parse(&head[..have])?;
    have += fill(source, &mut head[8..version.prelude_len()])?;
    let prelude = Prelude::parse(&head[..have], limits)?;
    let mut text = Vec::new();
    let have = fill_growing(source, &mut text, prelude.text_len)?;
    if have < prelude.text_len {
        return Err(Error::new(
            Code::NpyHeaderTruncated,
            format!("EOF: reading array header, expected {} bytes got {have}", prelude.text_len),
        )
        .at((version.prelude_len() + have) as u64));
    }
    let header = capped(Header::parse_text(version, &text, limits)?, limits)?;
    Ok((header, prelude.data_offset()))
}

/// The header at the front of `bytes`, with its length, if they hold all of it: for those who look
/// at bytes before they take them. None says that more bytes are needed.
///
/// # Errors
/// As [`read_header`].
pub fn peek_header(bytes: &[u8], limits: &Limits) -> Result<Option<(Header, usize)>> {
    if bytes.len() < Version::V3.prelude_len() {
        return Ok(None);
    }
    if bytes.len() < Prelude::parse(bytes, limits)?.data_offset() {
        return Ok(None);
    }
    let (header, len) = Header::parse(bytes, limits)?;
    Ok(Some((capped(header, limits)?, len)))
}

fn capped(header: Header, limits: &Limits) -> Result<Header> {
    if header.nbytes() as u64 > limits.bytes {
        return Err(Error::new(
            Code::TooManyBytes,
            format!(
                "the header announces {} bytes, more than the limit of {}; raise `max_bytes` if you trust the source",
                header.nbytes(),
                limits.bytes
            ),
        ));
    }
    Ok(header)
}

/// Fills `data` with the bytes of an array of this header, which end at the source's end or before
/// the next array, and checks them.
///
/// # Errors
/// [`Code::DataTruncated`] when the source ends early, [`Code::DataInvalid`].
pub fn read_exact(
    source: &mut (impl Read + ?Sized),
    header: &Header,
    data: &mut [u8],
) -> Result<()> {
    read_measured(source, header, data, &Meter::unheard())
}

/// As [`read_exact`], measured.
pub(crate) fn read_measured(
    source: &mut (impl Read + ?Sized),
    header: &Header,
    data: &mut [u8],
    meter: &Meter,
) -> Result<()> {
    let mut source = meter.over(source);
    let size = meter.items(data.len(), header.dtype().itemsize());
    let mut done = 0;
    for piece in data.chunks_mut(size) {
        let got = fill(&mut source, piece)?;
        if got < piece.len() {
            return Err(truncated(header, done + got));
        }
        validate(header.dtype(), piece).map_err(|error| error.shifted(done as u64))?;
        done += got;
    }
    Ok(())
}

/// Reads one array and not a byte more.
///
/// # Errors
/// As [`read_header`] and [`read_exact`]. Nothing is allocated for more bytes than the limit;
/// below it, memory is taken as bytes arrive.
pub fn read_npy(source: &mut (impl Read + ?Sized), limits: &Limits) -> Result<Array> {
    read_npy_with(source, limits, &Progress::default())
}

/// As [`read_npy`], and tells how far it is.
///
/// # Errors
/// As [`read_npy`], and what [`Progress`] said.
pub fn read_npy_with(
    source: &mut (impl Read + ?Sized),
    limits: &Limits,
    progress: &Progress,
) -> Result<Array> {
    let (header, len) = read_header(source, limits)?;
    let mut array = Array::zeroed(header.clone())?;
    let meter = Meter::new(progress, header.nbytes() as u64);
    let read = read_measured(source, &header, array.bytes_mut(), &meter);
    meter.end(read).map_err(|error| error.shifted(len as u64))?;
    Ok(array)
}

/// A view of the array in the bytes of an `.npy` file, without a copy. Bytes after it are
/// an error.
///
/// # Errors
/// As [`read_npy`], and [`Code::DataTrailing`].
pub fn loads<'a>(bytes: &'a [u8], limits: &Limits) -> Result<ArrayView<'a>> {
    let (header, offset) = parse_npy(bytes, limits)?;
    let (dtype, order, shape) = header.into_parts();
    ArrayView::contiguous(dtype, &shape, order, &bytes[offset..])
}

/// The header of the `.npy` file that `bytes` are, and the offset of its data, all of which has
/// been checked: [`loads`] for those who make an array of their own.
///
/// # Errors
/// As [`loads`].
pub fn parse_npy(bytes: &[u8], limits: &Limits) -> Result<(Header, usize)> {
    let (header, offset) = Header::parse(bytes, limits)?;
    let data = &bytes[offset..];
    if data.len() < header.nbytes() {
        return Err(truncated(&header, data.len()).shifted(offset as u64));
    }
    if data.len() > header.nbytes() {
        let message = format!(
            "{} bytes follow the array; read several with `recv` or `read_npy`",
            data.len() - header.nbytes()
        );
        return Err(Error::new(Code::DataTrailing, message).at((offset + header.nbytes()) as u64));
    }
    validate(header.dtype(), data).map_err(|error| error.shifted(offset as u64))?;
    Ok((header, offset))
}

/// Reads until `buffer` is full or the source ends, and returns how much there was.
pub(crate) fn fill(source: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> Result<usize> {
    let mut have = 0;
    while have < buffer.len() {
        match source.read(&mut buffer[have..]) {
            Ok(0) => break,
            Ok(n) if n > buffer.len() - have => {
                let message = "the source claims more bytes than there was room for";
                return Err(io::Error::new(io::ErrorKind::InvalidData, message).into());
            }
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(have)
}

/// As [`fill`], of `len` bytes that were only announced: memory grows as they arrive.
pub(crate) fn fill_growing(
    source: &mut (impl Read + ?Sized),
    bytes: &mut Vec<u8>,
    len: usize,
) -> Result<usize> {
    while bytes.len() < len {
        let (have, part) = (bytes.len(), (len - bytes.len()).min(GROWTH));
        bytes.try_reserve(part).map_err(io::Error::from)?;
        bytes.resize(have + part, 0);
        let got = fill(source, &mut bytes[have..])?;
        bytes.truncate(have + got);
        if got < part {
            break;
        }
    }
    Ok(bytes.len())
}

/// Bytes that are taken on trust.
const GROWTH: usize = 1 << 20;

#[cold]
pub(crate) fn truncated(header: &Header, got: usize) -> Error {
    let itemsize = header.dtype().itemsize();
    // NumPy's words, which its own tests look for.
    let message = format!(
        "Failed to read all data for array. Expected {} = {} elements, could only read {} elements. (file seems not fully written?): {} of {} bytes",
        ndbytes_format::literal::Literal::from(header.shape()),
        header.count(),
        got.checked_div(itemsize).unwrap_or(0),
        got,
        header.nbytes()
    );
    Error::new(Code::DataTruncated, message).at(got as u64)
}

#[cfg(test)]
mod tests {
    use ndbytes_format::Order;

    use super::*;
    use crate::{dumps, write_npy};

    fn sample() -> Vec<u8> {
        let bytes: Vec<u8> = (0..24).collect();
        dumps(&ArrayView::contiguous("<i4".parse().unwrap(), &[2, 3], Order::F, &bytes).unwrap())
            .unwrap()
    }

    #[test]
    fn exactly_one_array_is_consumed() {
        let mut stream = sample();
        stream.extend(sample());
        let mut source = &stream[..];
        for _ in 0..2 {
            let array = read_npy(&mut source, &Limits::default()).unwrap();
            assert_eq!((array.shape(), array.order()), (&[2, 3][..], Order::F));
        }
        assert_eq!(
            read_npy(&mut source, &Limits::default()).unwrap_err().code(),
            Code::EndOfStream
        );
        assert_eq!(loads(&stream, &Limits::default()).unwrap_err().code(), Code::DataTrailing);
    }

    #[test]
    fn truncated_anywhere_is_reported() {
        let bytes = sample();
        for end in 1..bytes.len() {
            let read = read_npy(&mut &bytes[..end], &Limits::default()).unwrap_err();
            let viewed = loads(&bytes[..end], &Limits::default()).unwrap_err();
            for error in [read, viewed] {
                assert_eq!(error.kind(), crate::ErrorKind::Truncated, "{end}: {error}");
                assert!(error.offset().is_none_or(|offset| offset <= end as u64));
            }
        }
    }

    #[test]
    fn announced_bytes_are_capped_before_anything_is_taken() {
        let header = Header::new("<f8".parse().unwrap(), Order::C, vec![1 << 59]).unwrap();
        let mut bytes = header.encode().unwrap();
        bytes.extend([0; 80]);
        let limits = Limits::default().with_bytes(1 << 30);
        assert_eq!(read_npy(&mut &bytes[..], &limits).unwrap_err().code(), Code::TooManyBytes);
        let error = read_npy(&mut &bytes[..], &Limits::default()).unwrap_err();
        assert_eq!(error.io().map(io::Error::kind), Some(io::ErrorKind::OutOfMemory));
    }

    #[test]
    fn what_is_written_is_what_is_dumped() {
        let bytes: Vec<u8> = (0..48).collect();
        for (shape, strides) in
            [(vec![2, 3], vec![24isize, 8]), (vec![3, 2], vec![8, 24]), (vec![0], vec![8])]
        {
            let view = ArrayView::new("<f8".parse().unwrap(), &shape, &strides, &bytes, 0).unwrap();
            let mut written = Vec::new();
            write_npy(&mut written, &view).unwrap();
            assert_eq!(written, dumps(&view).unwrap());
        }
    }
}
