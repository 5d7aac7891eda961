//! Zstandard (RFC 8878), by the reference library.

use std::io;

use ndbytes_format::{Code, FormatError};
use zstd_safe::zstd_sys::{ZSTD_EndDirective as End, ZSTD_ErrorCode as Kind};
use zstd_safe::{CCtx, CParameter, DCtx, DParameter, ErrorCode, InBuffer, OutBuffer};

use crate::Codec;
use crate::decode::{Step, damaged};
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
    context: Option<CCtx<'static>>,
}

impl Pack {
    /// An encoder at this level.
    pub(crate) fn new(level: u32) -> Self {
        let context = CCtx::try_create().and_then(|mut context| {
            let level = CParameter::CompressionLevel(level as i32);
            let set = [level, CParameter::ChecksumFlag(true)];
            set.into_iter().all(|one| context.set_parameter(one).is_ok()).then_some(context)
        });
        Self { context }
    }

    /// An encoder of exactly `len` bytes, which the frame says, without a checksum, on so many
    /// threads. What comes out does not depend on their number.
    pub(crate) fn of(len: u64, level: u32, threads: usize) -> Self {
        let set = |context: &mut CCtx<'static>| {
            // Without a worker the frame would be another one.
            let workers = CParameter::NbWorkers(threads.clamp(1, 64) as u32);
            context.set_parameter(CParameter::CompressionLevel(level as i32)).ok()?;
            context.set_parameter(workers).ok()?;
            context.set_pledged_src_size(Some(len)).ok()
        };
        let context = CCtx::try_create().and_then(|mut context| set(&mut context).map(|_| context));
        Self { context }
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
        damaged(Codec::Zstd)
    }
}

#[cold]
fn no_memory() -> FormatError {
    FormatError::new(Code::CodecTooLarge, "there is no memory to decompress zstd")
}

/// 128 MiB: what `zstd -d` takes without being asked, and all that levels up to 19 need.
const WINDOW_LOG_MAX: u32 = 27;
