//! Parts of a member's array, for which no more is read and inflated than holds them.

use std::io::{self, Read};

use ndbytes_format::Header;

use crate::array::Array;
use crate::error::Result;
use crate::npz::blocks::{Blocks, cut};
use crate::npz::member::Member;
use crate::npz::reader::{NpzReader, named};
use crate::part::read_part;
use crate::progress::Meter;
use crate::read_at::{ReadAt, read_full_at};

impl<R: ReadAt + Sync> NpzReader<R> {
    /// Reads every `step`-th item of an opened array member from `start` on, `shape` of them along
    /// each axis, in the array's order.
    ///
    /// Of a stored member that reads these bytes; of a deflated one that has an index of its blocks,
    /// the blocks that hold them; of others all up to the last of them. The CRC-32 is that of the
    /// whole member and is not checked.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`](crate::Code::OutOfBounds) when the part reaches outside of the array;
    /// what is wrong with what is read.
    pub fn read_slice(
        header: &Header,
        member: Member<'_, R>,
        start: &[usize],
        step: &[usize],
        shape: &[usize],
    ) -> Result<Array> {
        let name = member.name();
        let mut data = Data::new(member, header.nbytes());
        read_part(header, [start, step, shape], &mut |bytes, from| data.read(bytes, from))
            .map_err(|error| named(error, name))
    }
}

/// The bytes of a member's array, by their places; from front to back, where it is a stream.
enum Data<'a, R> {
    Stored { source: &'a R, start: u64 },
    Blocks { blocks: Blocks<'a, R>, len: usize, held: Vec<u8>, first: usize },
    Stream { member: Box<Member<'a, R>>, at: usize },
}

impl<'a, R: ReadAt + Sync> Data<'a, R> {
    /// Those of a member whose header was read, `len` in all.
    fn new(member: Member<'a, R>, len: usize) -> Self {
        if let Some((source, start)) = member.stored_at() {
            return Self::Stored { source, start };
        }
        match member.blocks() {
            Some(blocks) => Self::Blocks { blocks, len, held: Vec::new(), first: 0 },
            None => Self::Stream { member: Box::new(member), at: 0 },
        }
    }

    fn read(&mut self, out: &mut [u8], from: usize) -> Result<()> {
        match self {
            Self::Stored { source, start } => {
                if read_full_at(*source, out, *start + from as u64)? < out.len() {
                    return Err(cut());
                }
            }
            Self::Blocks { blocks, len, held, first } => {
                let size = blocks.size();
                let (begin, end) = (from / size, (from + out.len()).div_ceil(size));
                if begin < *first || (end * size).min(*len) > *first * size + held.len() {
                    *first = begin;
                    held.resize((end * size).min(*len) - begin * size, 0);
                    if let Err(error) = blocks.read(begin, held, &Meter::unheard()) {
                        held.clear();
                        return Err(error);
                    }
                }
                let from = from - *first * size;
                out.copy_from_slice(&held[from..from + out.len()]);
            }
            Self::Stream { member, at } => {
                let skipped = io::copy(
                    &mut member.by_ref().take(from.saturating_sub(*at) as u64),
                    &mut io::sink(),
                )?;
                *at += skipped as usize;
                member.read_exact(out)?;
                *at += out.len();
            }
        }
        Ok(())
    }
}
