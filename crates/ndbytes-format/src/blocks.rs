//! The extra field that tells where the blocks of a deflated member are; `docs/spec/npz.md`.

use crate::cursor::Cursor;
use crate::error::Code;

/// Where a member's stream can be entered: it is made of blocks that inflate alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockIndex {
    /// Bytes of the first block when inflated.
    pub first: u32,
    /// Bytes of each other block when inflated; the last may have fewer.
    pub size: u32,
    /// Bytes of each block in the archive.
    pub compressed: Vec<u32>,
}

impl BlockIndex {
    /// The most blocks that an extra field has room for, beside what else stands there.
    pub const MOST: usize = 16_000;

    /// The field's data, without tag and length.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let sizes = [self.first, self.size].into_iter().chain(self.compressed.iter().copied());
        sizes.flat_map(u32::to_le_bytes).collect()
    }

    /// The index in a field's data, if it agrees with the member's sizes. It is only a help: who
    /// does not know it inflates the member from its start.
    pub(crate) fn parse(data: &[u8], compressed: u64, uncompressed: u64) -> Option<Self> {
        let mut cursor = Cursor::new(data, Code::ZipRecord);
        let (first, size) = (cursor.u32().ok()?, cursor.u32().ok()?);
        let (sizes, []) = cursor.rest().as_chunks() else { return None };
        let sizes: Vec<u32> = sizes.iter().map(|&size| u32::from_le_bytes(size)).collect();
        let beyond = uncompressed.checked_sub(first.into())?;
        let others = beyond.checked_div(size.into())? + u64::from(beyond % u64::from(size) > 0);
        let whole = sizes.iter().map(|&size| u64::from(size)).sum::<u64>() == compressed;
        let fits = first > 0 && others + 1 == sizes.len() as u64 && whole;
        fits.then_some(Self { first, size, compressed: sizes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_counts_only_where_it_agrees_with_the_member() {
        let index = BlockIndex { first: 100, size: 50, compressed: vec![7, 8, 9] };
        let data = index.encode();
        assert_eq!(BlockIndex::parse(&data, 24, 200), Some(index.clone()));
        assert_eq!(BlockIndex::parse(&data, 24, 151), Some(index));
        for (compressed, uncompressed) in [(24, 150), (24, 201), (23, 200), (24, 99), (24, 0)] {
            assert_eq!(BlockIndex::parse(&data, compressed, uncompressed), None);
        }
        assert_eq!(BlockIndex::parse(&data[..data.len() - 1], 24, 200), None);
        assert_eq!(BlockIndex::parse(&[], 0, 0), None);
        assert_eq!(BlockIndex::parse(&[0; 12], 0, 5), None);
    }
}
