//! Parts of a member's array, for which no more is read and inflated than holds them.

use ndbytes_format::Header;

use crate::array::Array;
use crate::error::Result;
use crate::npz::elements::MemberElements;
use crate::npz::member::Member;
use crate::npz::reader::{NpzReader, named};
use crate::part::read_part;
use crate::read_at::ReadAt;

impl<R: ReadAt + Sync> NpzReader<R> {
    /// Reads every `step`-th item of an opened array member from `start` on, `shape` of them along
    /// each axis, in the array's order.
    ///
    /// Of a stored member that reads these bytes; of a deflated one that has an index of its blocks,
    /// the blocks that hold them; of others all up to the last of them. The CRC-32 is that of the
    /// whole member and is checked when all of it is read.
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
        let mut elements = MemberElements::new(&member, member.source())?;
        let read = &mut |bytes: &mut [u8], from| elements.read_exact_at(bytes, from as u64);
        read_part(header, [start, step, shape], read).map_err(|error| named(error, member.name()))
    }
}
