//! Writing `.npy`, byte for byte as `numpy.save`.

use std::io::Write;

use crate::array::ArrayView;
use crate::error::Result;
use crate::progress::{Meter, Progress};
use crate::write::write_all_vectored;

/// Writes the array as `.npy`. The header leaves together with the first bytes of the data.
///
/// The sink needs no seeking; every error it reports is returned. It is not flushed.
///
/// # Errors
/// [`Code::UnsupportedDtype`](crate::Code::UnsupportedDtype) before anything is written; what the
/// sink said.
pub fn write_npy(sink: &mut (impl Write + ?Sized), array: &ArrayView<'_>) -> Result<()> {
    write_npy_with(sink, array, &Progress::default())
}

/// As [`write_npy`], and tells how far it is.
///
/// # Errors
/// As [`write_npy`], and what [`Progress`] said.
pub fn write_npy_with(
    sink: &mut (impl Write + ?Sized),
    array: &ArrayView<'_>,
    progress: &Progress,
) -> Result<()> {
    let header = array.header()?;
    let head = header.encode()?;
    let meter = Meter::new(progress, header.nbytes() as u64).behind(head.len() as u64);
    let mut head = Some(&head[..]);
    let mut write = || {
        let mut sink = meter.over(sink);
        array.for_each_chunk(header.order(), &mut |chunk| {
            Ok(write_all_vectored(&mut sink, &[head.take().unwrap_or_default(), chunk])?)
        })?;
        match head {
            // There were no elements.
            Some(head) => Ok(write_all_vectored(&mut sink, &[head])?),
            None => Ok(()),
        }
    };
    let written = write();
    meter.end(written)
}

/// The array as the bytes of an `.npy` file.
///
/// # Errors
/// As [`write_npy`]; [`Code::Io`](crate::Code::Io) without memory for them.
pub fn dumps(array: &ArrayView<'_>) -> Result<Vec<u8>> {
    let header = array.header()?;
    let head = header.encode()?;
    let mut bytes = crate::array::zeroed_vec(head.len() + header.nbytes())?;
    let (front, data) = bytes.split_at_mut(head.len());
    front.copy_from_slice(&head);
    array.copy_to(data, 0, header.order())?;
    Ok(bytes)
}
