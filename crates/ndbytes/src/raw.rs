//! Elements alone: `tobytes`, `frombuffer`, `tofile`, `fromfile`.

use std::fs::File;
use std::path::Path;

use ndbytes_format::{Code, Dtype, Header, Order};

use crate::array::{Array, ArrayView};
use crate::atomic::{AtomicFile, SaveOptions};
use crate::error::{Error, Result};
use crate::read_at::read_full_at;
use crate::validate::validate;
use crate::write::write_all_vectored;

/// The elements' bytes in this order: `ndarray.tobytes`.
///
/// # Errors
/// [`Code::Io`] without memory for them.
pub fn tobytes(array: &ArrayView<'_>, order: Order) -> Result<Vec<u8>> {
    array.to_vec(order)
}

/// A view of elements in bytes, which must fill them exactly: dtype *and* shape and order.
///
/// # Errors
/// As [`ArrayView::contiguous`]; [`Code::DataInvalid`].
pub fn frombuffer<'a>(
    bytes: &'a [u8],
    dtype: Dtype,
    shape: &[usize],
    order: Order,
) -> Result<ArrayView<'a>> {
    validate(&dtype, bytes)?;
    ArrayView::contiguous(dtype, shape, order, bytes)
}

/// Writes the elements' bytes in this order to a file, atomically.
///
/// # Errors
/// What the operating system said; the old file is then as it was.
pub fn tofile(
    path: &Path,
    array: &ArrayView<'_>,
    order: Order,
    options: &SaveOptions,
) -> Result<()> {
    AtomicFile::write(path, options, |file| {
        file.reserve(array.nbytes() as u64)?;
        array.for_each_chunk(order, &mut |chunk| Ok(write_all_vectored(file, &[chunk])?))
    })
}

/// Reads a file that holds these elements and nothing else. Without a shape it is one-dimensional
/// with as many elements as there are.
///
/// # Errors
/// [`Code::DataTruncated`], [`Code::DataTrailing`] or [`Code::DataLength`] when the file's length
/// is not that of the elements.
pub fn fromfile(path: &Path, dtype: Dtype, shape: Option<&[usize]>, order: Order) -> Result<Array> {
    fromfile_range(path, dtype, shape, order, 0)
}

/// As [`fromfile`], from this byte of the file.
///
/// # Errors
/// As [`fromfile`].
pub fn fromfile_range(
    path: &Path,
    dtype: Dtype,
    shape: Option<&[usize]>,
    order: Order,
    offset: u64,
) -> Result<Array> {
    let read = || {
        let file = File::open(path)?;
        let size = file.metadata()?.len().checked_sub(offset).ok_or_else(|| {
            Error::new(Code::Argument, format!("offset {offset} is beyond the end of the file"))
        })?;
        let header = match shape {
            Some(shape) => Header::new(dtype, order, shape.to_vec())?,
            None => {
                let count = whole_items(size, dtype.itemsize())?;
                Header::new(dtype, order, vec![count])?
            }
        };
        if header.nbytes() as u64 != size {
            let expected = header.nbytes() as u64;
            let code = if size < expected { Code::DataTruncated } else { Code::DataTrailing };
            let message = format!(
                "{size} bytes from byte {offset}, but shape {:?} of `{}` needs exactly {expected}",
                header.shape(),
                header.dtype()
            );
            return Err(Error::new(code, message).at(offset + size.min(expected)));
        }
        let mut array = Array::zeroed(header)?;
        let got = read_full_at(&file, array.bytes_mut(), offset)?;
        if got < array.bytes().len() {
            return Err(Error::new(
                Code::DataTruncated,
                "the file became shorter while it was read",
            )
            .at(offset + got as u64));
        }
        validate(array.dtype(), array.bytes())?;
        Ok(array)
    };
    read().map_err(|error: Error| error.with_path(path))
}

/// How many whole items that many bytes are.
pub(crate) fn whole_items(bytes: u64, itemsize: usize) -> Result<usize> {
    let size = itemsize as u64;
    if size == 0 || !bytes.is_multiple_of(size) {
        let message = match size {
            0 => "items of 0 bytes: their number has to be given".to_owned(),
            _ => format!(
                "{bytes} bytes are no whole number of {size}-byte items: {} are left over",
                bytes % size
            ),
        };
        return Err(
            Error::new(Code::DataLength, message).at(bytes - bytes.checked_rem(size).unwrap_or(0))
        );
    }
    usize::try_from(bytes / size).map_err(|_| {
        Error::new(Code::SizeOverflow, format!("{bytes} bytes do not fit the address space"))
    })
}
