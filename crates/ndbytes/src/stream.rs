//! Arrays one after another on a socket, a pipe or a file.

use std::io::{Read, Write};

use ndbytes_format::{Code, Header, Limits};
use ndbytes_mem::{Buffer, Strided};

use crate::array::{Array, ArrayView, copy_from};
use crate::error::{Error, Result};
use crate::message::Message;
use crate::npy::{fill, read_measured, truncated, write_npy_with};
use crate::progress::{Meter, Progress};
use crate::validate::validate;

/// Sends one array: its `.npy` bytes. Header and data leave in one vectored write where the sink
/// has it, and a contiguous array is not copied.
///
/// Deadlines are the sink's own (`TcpStream::set_write_timeout`).
///
/// # Errors
/// As [`write_npy`](crate::write_npy).
pub fn send(sink: &mut (impl Write + ?Sized), array: &ArrayView<'_>) -> Result<()> {
    send_with(sink, array, &Progress::default())
}

/// As [`send`], and tells how far it is.
///
/// # Errors
/// As [`send`], and what [`Progress`] said.
pub fn send_with(
    sink: &mut (impl Write + ?Sized),
    array: &ArrayView<'_>,
    progress: &Progress,
) -> Result<()> {
    write_npy_with(sink, array, progress)?;
    Ok(sink.flush()?)
}

/// Receives one array, `.npy` or frame; `None` when the peer ended the stream cleanly, between two
/// arrays.
///
/// # Errors
/// As [`Message::read`] and [`Message::read_array`]: a stream that was cut inside of an array is a truncation, never `None`.
pub fn recv(source: &mut (impl Read + ?Sized), limits: &Limits) -> Result<Option<Array>> {
    recv_with(source, limits, &Progress::default())
}

/// As [`recv`], and tells how far it is within the array.
///
/// # Errors
/// As [`recv`], and what [`Progress`] said.
pub fn recv_with(
    source: &mut (impl Read + ?Sized),
    limits: &Limits,
    progress: &Progress,
) -> Result<Option<Array>> {
    match Message::read(source, limits) {
        Ok(message) => message.read_array_with(source, progress).map(Some),
        Err(error) if error.code() == Code::EndOfStream => Ok(None),
        Err(error) => Err(error),
    }
}

/// Receives one array into the caller's memory: `out` must hold exactly the bytes of an array of
/// the expected dtype, shape and any strides. Returns `false` at a clean end.
///
/// # Errors
/// [`Code::Mismatch`] when another array comes, before any of its data is read.
pub fn recv_into(
    source: &mut (impl Read + ?Sized),
    expected: &Header,
    out: &mut [u8],
    layout: Strided<'_>,
    limits: &Limits,
) -> Result<bool> {
    let message = match Message::read(source, limits) {
        Err(error) if error.code() == Code::EndOfStream => return Ok(false),
        message => message?,
    };
    let header = message.array();
    if header.dtype() != expected.dtype() || header.shape() != expected.shape() {
        return Err(Error::new(
            Code::Mismatch,
            format!(
                "expected `{}` of shape {:?}, got `{}` of shape {:?}",
                expected.dtype(),
                expected.shape(),
                header.dtype(),
                header.shape()
            ),
        ));
    }
    message.read_into(source, out, layout)?;
    Ok(true)
}

/// Reads the data of `header`, whose first byte is next, into strided memory: straight where it
/// lies that way, else through a buffer of at most 8 MiB.
///
/// # Errors
/// As [`read_exact`](crate::read_exact); [`Code::OutOfBounds`] when the layout reaches outside of `out`.
pub fn read_scattered(
    source: &mut (impl Read + ?Sized),
    header: &Header,
    out: &mut [u8],
    layout: Strided<'_>,
) -> Result<()> {
    read_scattered_with(source, header, out, layout, &Progress::default())
}

/// As [`read_scattered`], and tells how far it is.
///
/// # Errors
/// As [`read_scattered`], and what [`Progress`] said.
pub fn read_scattered_with(
    source: &mut (impl Read + ?Sized),
    header: &Header,
    out: &mut [u8],
    layout: Strided<'_>,
    progress: &Progress,
) -> Result<()> {
    let meter = Meter::new(progress, header.nbytes() as u64);
    let read = scatter_measured(source, header, out, layout, &meter);
    meter.end(read)
}

/// As [`read_scattered`], measured.
pub(crate) fn scatter_measured(
    source: &mut (impl Read + ?Sized),
    header: &Header,
    out: &mut [u8],
    layout: Strided<'_>,
    meter: &Meter,
) -> Result<()> {
    let itemsize = header.dtype().itemsize();
    if !layout.fits(header.shape(), itemsize, out.len()) {
        return Err(Error::new(Code::OutOfBounds, "the array reaches outside of its memory"));
    }
    let total = header.nbytes();
    if total == 0 {
        return Ok(());
    }
    if ndbytes_format::is_contiguous(header.shape(), layout.strides, itemsize, header.order()) {
        let out = &mut out[layout.origin..layout.origin + total];
        return read_measured(source, header, out, meter);
    }
    let size = ((8 << 20) / itemsize).max(1) * itemsize;
    let mut buffer = Buffer::zeroed(size.min(total))?;
    let mut done = 0;
    while done < total {
        let part = size.min(total - done);
        let chunk = &mut buffer[..part];
        let got = fill(&mut meter.over(source), chunk)?;
        if got < part {
            return Err(truncated(header, done + got));
        }
        validate(header.dtype(), chunk).map_err(|error| error.shifted(done as u64))?;
        copy_from(out, layout, header, done / itemsize, chunk);
        done += part;
    }
    Ok(())
}
