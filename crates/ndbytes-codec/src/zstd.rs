//! Zstandard (RFC 8878), by the reference library.

use std::io;

use ndbytes_format::{Code, FormatError};
use zstd_safe::zstd_sys::{ZSTD_EndDirective as End, ZSTD_ErrorCode as Kind};
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, ErrorCode, InBuffer, OutBuffer};

use crate::Codec;
use crate::decode::Step;
use crate::encode::Packer;

/// Decompresses frames that follow one another.
pub(crate) struct Unpack {
    context: Option<DCtx<'static>>,
}

impl Unpack {
    /// A decoder with [`WINDOW_LOG_MAX`].
    pub(crate) fn new() -> Self {
        let context = DCtx::try_create().and_then(|mut context| {
            context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).ok().map(|_| context)
        });
        Self { context }
    }

    /// Goes on from `input` to `out`.
    pub(crate) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, FormatError> {
        let context = self.context.as_mut().ok_or_else(no_memory)?;
        let mut input = InBuffer::around(input);
        let mut out = OutBuffer::around(out);
        let hint = context.decompress_stream(&mut out, &mut input).map_err(fault)?;
        Ok(Step { taken: input.pos(), given: out.pos(), ended: hint == 0 })
    }
}

/// Compresses to one frame with a checksum.
pub(crate) struct Pack {
    level: u32,
    context: Option<CCtx<'static>>,
}

impl Pack {
    /// An encoder at this level.
    pub(crate) fn new(level: u32) -> Self {
        let mut pack = Self { level, context: CCtx::try_create() };
        let level = CParameter::CompressionLevel(level as i32);
        pack.set(&[level, CParameter::ChecksumFlag(true)]);
        pack
    }

    /// Has so many threads of the library's own do the work. The bytes are others than without, but
    /// do not depend on how many there are.
    pub(crate) fn set_workers(&mut self, workers: u32) {
        self.set(&[CParameter::NbWorkers(workers), CParameter::JobSize(job_size(self.level))]);
    }

    /// Writes how many bytes are compressed into the head of the frame; more or less of them become
    /// an error.
    pub(crate) fn set_size(&mut self, size: u64) {
        let set = self.context.as_mut().is_some_and(|c| c.set_pledged_src_size(Some(size)).is_ok());
        self.context.take_if(|_| !set);
    }

    fn set(&mut self, parameters: &[CParameter]) {
        let context = &mut self.context;
        let set = |one: &CParameter| {
            context.as_mut().is_some_and(|context| context.set_parameter(*one).is_ok())
        };
        if !parameters.iter().all(set) {
            self.context = None;
        }
    }

    fn run(&mut self, input: &[u8], end: End, out: &mut Vec<u8>) -> io::Result<(usize, usize)> {
        let context = self.context.as_mut().ok_or(io::ErrorKind::OutOfMemory)?;
        out.try_reserve(CCtx::out_size())?;
        let mut input = InBuffer::around(input);
        let mut out = OutBuffer::around(out);
        let left = context
            .compress_stream2(&mut out, &mut input, end)
            .map_err(|code| io::Error::other(zstd_safe::get_error_name(code)))?;
        Ok((input.pos(), left))
    }
}

impl Packer for Pack {
    fn pack(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        Ok(self.run(input, End::ZSTD_e_continue, out)?.0)
    }

    fn drain(&mut self, end: bool, out: &mut Vec<u8>) -> io::Result<bool> {
        let directive = if end { End::ZSTD_e_end } else { End::ZSTD_e_flush };
        Ok(self.run(&[], directive, out)?.1 == 0)
    }
}

/// What the first frame says of how many bytes come out of it.
pub(crate) fn content_len(stream: &[u8]) -> Option<u64> {
    zstd_safe::get_frame_content_size(stream).ok().flatten()
}

/// Bytes that a thread compresses at once. What precedes them, up to a whole window, is read again:
/// the smaller they are, the more of the work is done twice, and the more threads can share it.
const fn job_size(level: u32) -> u32 {
    match level {
        0..=5 => 2 << 20,
        6..=12 => 4 << 20,
        _ => 8 << 20,
    }
}

/// The fault that the library's code stands for.
fn fault(code: ErrorCode) -> FormatError {
    let is = |kind| zstd_safe::is_error_kind(code, kind);
    if is(Kind::ZSTD_error_frameParameter_windowTooLarge) {
        let message = "the zstd frame needs more than 128 MiB of memory to be decompressed";
        FormatError::new(Code::CodecTooLarge, message)
    } else if is(Kind::ZSTD_error_dictionary_wrong) {
        let message = "the zstd frame needs a dictionary, which is not handled";
        FormatError::new(Code::CodecUnsupported, message)
    } else if is(Kind::ZSTD_error_memory_allocation) {
        no_memory()
    } else {
        Codec::Zstd.damaged()
    }
}

#[cold]
fn no_memory() -> FormatError {
    FormatError::new(Code::CodecTooLarge, "there is no memory to decompress zstd")
}

/// 128 MiB: what `zstd -d` takes without being asked, and all that levels up to 19 need.
const WINDOW_LOG_MAX: u32 = 27;
