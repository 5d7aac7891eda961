//! LZ4 frames, as `lz4` writes them (lz4_Frame_format.md, version 1.6.4).

use std::hash::Hasher;
use std::io;

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into_with_dict, get_maximum_output_size,
};
use ndbytes_format::{Code, FormatError};
use twox_hash::XxHash32;

use crate::Codec;
use crate::decode::Step;
use crate::encode::Packer;

/// Bytes of the blocks that are written; the last one of a frame may have less.
pub const BLOCK_SIZE: usize = 1 << 20;

/// Decompresses frames that follow one another.
pub(crate) struct Unpack {
    state: State,
    /// How many bytes the state needs, and what there is of them.
    need: usize,
    pending: Vec<u8>,
    frame: Frame,
    hash: XxHash32,
    total: u64,
    /// The last 64 KiB before the block, for blocks that refer to them.
    history: Vec<u8>,
    block: Vec<u8>,
    served: usize,
}

#[derive(Clone, Copy)]
enum State {
    Magic,
    /// The size of a frame that is to be skipped.
    SkipSize,
    Skip(u64),
    /// Flags and block size, which say how long the descriptor is.
    Flags,
    Descriptor,
    BlockSize,
    Block {
        stored: bool,
    },
    Checksum,
}

/// What a frame's descriptor says.
#[derive(Clone, Copy, Default)]
struct Frame {
    linked: bool,
    block_checksum: bool,
    content_checksum: bool,
    content_size: Option<u64>,
    block_max: usize,
}

/// What the first frame says of how many bytes come out of it.
pub(crate) fn content_len(stream: &[u8]) -> Option<u64> {
    let (magic, rest) = stream.split_first_chunk()?;
    let (&[flags, _], rest) = rest.split_first_chunk()?;
    let says_it = u32::from_le_bytes(*magic) == MAGIC && flags & SAYS_SIZE != 0;
    rest.first_chunk().filter(|_| says_it).map(|&len| u64::from_le_bytes(len))
}

impl Default for Unpack {
    fn default() -> Self {
        Self {
            state: State::Magic,
            need: 4,
            pending: Vec::new(),
            frame: Frame::default(),
            hash: XxHash32::with_seed(0),
            total: 0,
            history: Vec::new(),
            block: Vec::new(),
            served: 0,
        }
    }
}

impl Unpack {
    /// Goes on from `input` to `out`.
    pub(crate) fn step(&mut self, input: &[u8], out: &mut [u8]) -> Result<Step, FormatError> {
        let mut step = Step { taken: 0, given: 0, ended: false };
        loop {
            let ready = &self.block[self.served..];
            let n = ready.len().min(out.len() - step.given);
            out[step.given..step.given + n].copy_from_slice(&ready[..n]);
            self.served += n;
            step.given += n;
            if self.served < self.block.len() {
                return Ok(step);
            }
            let rest = &input[step.taken..];
            if let State::Skip(left) = self.state {
                let n = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                step.taken += n;
                self.state = State::Skip(left - n as u64);
                if left > n as u64 {
                    return Ok(step);
                }
                self.go(State::Magic, 4);
                step.ended = true;
                return Ok(step);
            }
            let n = rest.len().min(self.need - self.pending.len());
            if self.pending.len() + n < self.need {
                self.pending.extend_from_slice(&rest[..n]);
                step.taken += n;
                return Ok(step);
            }
            // Most often all is in the input, and nothing need be copied.
            let mut pending = std::mem::take(&mut self.pending);
            let bytes = if pending.is_empty() {
                &rest[..n]
            } else {
                pending.extend_from_slice(&rest[..n]);
                &pending
            };
            step.taken += n;
            step.ended = self.advance(bytes)?;
            pending.clear();
            self.pending = pending;
            if step.ended {
                return Ok(step);
            }
        }
    }

    /// Does what the state is for; says whether the frame has ended.
    fn advance(&mut self, bytes: &[u8]) -> Result<bool, FormatError> {
        match self.state {
            State::Magic => match word(bytes) {
                MAGIC => self.go(State::Flags, 2),
                SKIPPABLE..=SKIPPABLE_END => self.go(State::SkipSize, 4),
                LEGACY => return Err(unsupported("the LZ4 frame is of the legacy format")),
                _ => return Err(Codec::Lz4.damaged()),
            },
            State::SkipSize => self.go(State::Skip(word(bytes).into()), 0),
            State::Skip(_) => {}
            State::Flags => {
                let (flags, sizes) = (bytes[0], bytes[1]);
                let block_max = match sizes >> 4 {
                    4 => 1 << 16,
                    5 => 1 << 18,
                    6 => 1 << 20,
                    7 => 1 << 22,
                    _ => return Err(Codec::Lz4.damaged()),
                };
                if flags & 0xc2 != 0x40 || sizes & 0x8f != 0 {
                    return Err(Codec::Lz4.damaged());
                }
                if flags & 1 != 0 {
                    return Err(unsupported("the LZ4 frame needs a dictionary"));
                }
                self.frame = Frame {
                    linked: flags & 0x20 == 0,
                    block_checksum: flags & 0x10 != 0,
                    content_checksum: flags & 4 != 0,
                    content_size: (flags & SAYS_SIZE != 0).then_some(0),
                    block_max,
                };
                self.hash = XxHash32::with_seed(0);
                self.total = 0;
                self.history.clear();
                // The checksum covers these two bytes as well.
                self.history.extend_from_slice(bytes);
                let size = if self.frame.content_size.is_some() { 8 } else { 0 };
                self.go(State::Descriptor, size + 1);
            }
            State::Descriptor => {
                let Some((&check, size)) = bytes.split_last() else {
                    return Err(Codec::Lz4.damaged());
                };
                self.history.extend_from_slice(size);
                if (XxHash32::oneshot(0, &self.history) >> 8) as u8 != check {
                    return Err(Codec::Lz4.damaged());
                }
                self.history.clear();
                if let Ok(size) = size.try_into() {
                    self.frame.content_size = Some(u64::from_le_bytes(size));
                }
                self.go(State::BlockSize, 4);
            }
            State::BlockSize => match word(bytes) {
                0 if self.frame.content_checksum => self.go(State::Checksum, 4),
                0 => return self.end(),
                size => {
                    let len = (size & !STORED) as usize;
                    if len > self.frame.block_max {
                        return Err(Codec::Lz4.damaged());
                    }
                    let checksum = if self.frame.block_checksum { 4 } else { 0 };
                    self.go(State::Block { stored: size & STORED != 0 }, len + checksum);
                }
            },
            State::Block { stored } => {
                self.block(bytes, stored)?;
                self.go(State::BlockSize, 4);
            }
            State::Checksum => {
                if word(bytes) != self.hash.finish_32() {
                    return Err(Codec::Lz4.damaged());
                }
                return self.end();
            }
        }
        Ok(false)
    }

    fn block(&mut self, bytes: &[u8], stored: bool) -> Result<(), FormatError> {
        let mut bytes = bytes;
        if self.frame.block_checksum {
            let Some((block, check)) = bytes.split_last_chunk::<4>() else {
                return Err(Codec::Lz4.damaged());
            };
            if XxHash32::oneshot(0, block) != u32::from_le_bytes(*check) {
                return Err(Codec::Lz4.damaged());
            }
            bytes = block;
        }
        if stored {
            self.block.clear();
            self.block.extend_from_slice(bytes);
        } else {
            self.block.resize(self.frame.block_max, 0);
            let len = decompress_into_with_dict(bytes, &mut self.block, &self.history)
                .map_err(|_| Codec::Lz4.damaged())?;
            self.block.truncate(len);
        }
        self.served = 0;
        self.total += self.block.len() as u64;
        if self.frame.content_checksum {
            self.hash.write(&self.block);
        }
        if self.frame.linked {
            let new = &self.block[self.block.len().saturating_sub(WINDOW)..];
            let old = self.history.len().min(WINDOW - new.len());
            self.history.drain(..self.history.len() - old);
            self.history.extend_from_slice(new);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<bool, FormatError> {
        if self.frame.content_size.is_some_and(|size| size != self.total) {
            return Err(Codec::Lz4.damaged());
        }
        self.go(State::Magic, 4);
        Ok(true)
    }

    fn go(&mut self, state: State, need: usize) {
        self.state = state;
        self.need = need;
    }
}

/// What a frame of ours begins with: independent blocks of [`BLOCK_SIZE`], content checksum, and the
/// size of the content where it is known.
pub fn header(size: Option<u64>) -> Vec<u8> {
    let mut descriptor = vec![0x64, BLOCK_CODE << 4];
    if let Some(size) = size {
        descriptor[0] |= SAYS_SIZE;
        descriptor.extend(size.to_le_bytes());
    }
    let check = (XxHash32::oneshot(0, &descriptor) >> 8) as u8;
    [&MAGIC.to_le_bytes()[..], &descriptor, &[check]].concat()
}

/// Compresses the blocks of a frame, each alone.
pub struct BlockEncoder {
    table: CompressTable,
}

impl BlockEncoder {
    /// An encoder.
    pub fn new() -> Self {
        Self { table: CompressTable::large() }
    }

    /// Appends `block`, of [`BLOCK_SIZE`] bytes at most, with its size: compressed, or as it is
    /// where that is no longer.
    ///
    /// # Errors
    /// Without memory for it.
    pub fn encode(&mut self, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len() + 4;
        let room = get_maximum_output_size(block.len());
        out.try_reserve(room + 4)?;
        out.resize(start + room, 0);
        let packed = compress_into_with_table(block, &mut out[start..], &mut self.table)
            .map_err(io::Error::other)?;
        let mut size = packed as u32;
        if packed >= block.len() {
            size = block.len() as u32 | STORED;
            out[start..start + block.len()].copy_from_slice(block);
        }
        out[start - 4..start].copy_from_slice(&size.to_le_bytes());
        out.truncate(start + (size & !STORED) as usize);
        Ok(())
    }
}

impl Default for BlockEncoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum of a frame's content.
pub struct Checksum(XxHash32);

impl Checksum {
    /// That of nothing.
    pub fn new() -> Self {
        Self(XxHash32::with_seed(0))
    }

    /// Goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// What ends the frame.
    pub fn trailer(&self) -> [u8; 8] {
        // The mark of the end is four zeros.
        (u64::from(self.0.finish_32()) << 32).to_le_bytes()
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self::new()
    }
}

/// Compresses to one frame.
pub(crate) struct Pack {
    encoder: BlockEncoder,
    checksum: Checksum,
    begun: bool,
    block: Vec<u8>,
    /// What there will be, where it is known, and what there was.
    size: Option<u64>,
    taken: u64,
}

impl Pack {
    /// An encoder.
    pub(crate) fn new() -> Self {
        Self {
            encoder: BlockEncoder::new(),
            checksum: Checksum::new(),
            begun: false,
            block: Vec::new(),
            size: None,
            taken: 0,
        }
    }

    /// Writes how many bytes are compressed into the head of the frame; more or less of them become
    /// an error.
    pub(crate) fn set_size(&mut self, size: u64) {
        self.size = Some(size);
    }

    fn emit(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            out.extend_from_slice(&header(self.size));
        }
        if !self.block.is_empty() {
            self.checksum.update(&self.block);
            self.encoder.encode(&self.block, out)?;
            self.block.clear();
        }
        Ok(())
    }
}

impl Packer for Pack {
    fn pack(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let left = self.size.map_or(u64::MAX, |size| size.saturating_sub(self.taken));
        if input.len() as u64 > left {
            return Err(wrong_size());
        }
        let n = input.len().min(BLOCK_SIZE - self.block.len());
        self.block.try_reserve(n)?;
        self.block.extend_from_slice(&input[..n]);
        self.taken += n as u64;
        if self.block.len() == BLOCK_SIZE {
            self.emit(out)?;
        }
        Ok(n)
    }

    fn drain(&mut self, end: bool, out: &mut Vec<u8>) -> io::Result<bool> {
        if end && self.size.is_some_and(|size| size != self.taken) {
            return Err(wrong_size());
        }
        self.emit(out)?;
        if end {
            out.extend_from_slice(&self.checksum.trailer());
        }
        Ok(true)
    }
}

fn word(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

#[cold]
fn wrong_size() -> io::Error {
    let message = "more or less is compressed than was said beforehand";
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

#[cold]
fn unsupported(what: &str) -> FormatError {
    FormatError::new(Code::CodecUnsupported, format!("{what}, which is not handled"))
}

const MAGIC: u32 = 0x184d_2204;
const LEGACY: u32 = 0x184c_2102;
const SKIPPABLE: u32 = 0x184d_2a50;
const SKIPPABLE_END: u32 = 0x184d_2a5f;
/// Set in the flags of a frame that says how much comes out of it.
const SAYS_SIZE: u8 = 8;
/// Set in the size of a block that is not compressed.
const STORED: u32 = 1 << 31;
/// How far back a block may refer.
const WINDOW: usize = 1 << 16;
/// The code of [`BLOCK_SIZE`] in the descriptor.
const BLOCK_CODE: u8 = 6;
