//! An array from a stream, `.npy` or frame: the first bytes say which.

use std::io::Read;

use ndbytes_format::frame::{FRAME_MAGIC, FrameHeader};
use ndbytes_format::{Header, Limits};
use ndbytes_mem::Strided;

use crate::array::Array;
use crate::error::Result;
use crate::frame::{read_frame_header, read_frame_into_with};
use crate::npy::{fill, read_header};
use crate::progress::Progress;
use crate::stream::read_scattered_with;

/// The header of an array that comes next, and its length in bytes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Message {
    /// `.npy`.
    Npy(Header, usize),
    /// A frame.
    Frame(FrameHeader, usize),
}

impl Message {
    /// Reads the header, whichever it is, and not a byte more.
    ///
    /// # Errors
    /// As [`read_header`] and [`read_frame_header`].
    pub fn read(source: &mut (impl Read + ?Sized), limits: &Limits) -> Result<Self> {
        let mut first = [0; FRAME_MAGIC.len()];
        let have = fill(source, &mut first)?;
        let mut source = first[..have].chain(source);
        if have > 0 && FRAME_MAGIC.starts_with(&first[..have]) {
            return read_frame_header(&mut source, limits)
                .map(|(head, len)| Self::Frame(head, len));
        }
        read_header(&mut source, limits).map(|(header, len)| Self::Npy(header, len))
    }

    /// Dtype, order and shape.
    pub fn array(&self) -> &Header {
        match self {
            Message::Npy(header, _) => header,
            Message::Frame(header, _) => header.array(),
        }
    }

    /// Reads what follows the header into strided memory, and not a byte more.
    ///
    /// # Errors
    /// As [`read_scattered`](crate::read_scattered) and
    /// [`read_frame_into`](crate::read_frame_into); offsets count from the header's first byte.
    pub fn read_into(
        &self,
        source: &mut (impl Read + ?Sized),
        out: &mut [u8],
        layout: Strided<'_>,
    ) -> Result<()> {
        self.read_into_with(source, out, layout, &Progress::default())
    }

    /// As [`Message::read_into`], and tells how far it is.
    ///
    /// # Errors
    /// As [`Message::read_into`], and what [`Progress`] said.
    pub fn read_into_with(
        &self,
        source: &mut (impl Read + ?Sized),
        out: &mut [u8],
        layout: Strided<'_>,
        progress: &Progress,
    ) -> Result<()> {
        match self {
            Message::Npy(header, len) => read_scattered_with(source, header, out, layout, progress)
                .map_err(|error| error.shifted(*len as u64)),
            Message::Frame(header, len) => {
                read_frame_into_with(source, header, *len, out, layout, progress)
            }
        }
    }

    /// Reads what follows the header into new memory.
    ///
    /// # Errors
    /// As [`Message::read_into`]; [`Code::Io`](crate::Code::Io) without memory.
    pub fn read_array(&self, source: &mut (impl Read + ?Sized)) -> Result<Array> {
        self.read_array_with(source, &Progress::default())
    }

    /// As [`Message::read_array`], and tells how far it is.
    ///
    /// # Errors
    /// As [`Message::read_array`], and what [`Progress`] said.
    pub fn read_array_with(
        &self,
        source: &mut (impl Read + ?Sized),
        progress: &Progress,
    ) -> Result<Array> {
        let header = self.array();
        let mut array = Array::zeroed(header.clone())?;
        let strides = header.strides();
        let layout = Strided { origin: 0, strides: &strides };
        self.read_into_with(source, array.bytes_mut(), layout, progress)?;
        Ok(array)
    }
}
