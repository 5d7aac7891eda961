//! Deflated members, in blocks that are made by all threads.

use std::io::Write;

use ndbytes_codec::deflate::{BLOCK_SIZE, BlockEncoder, period};
use ndbytes_format::{BlockIndex, Dtype, Kind, Order};

use crate::array::{ArrayView, threads};
use crate::error::Result;
use crate::npz::writer::Facts;
use crate::parallel::in_order;
use crate::progress::Meter;
use crate::write::write_all_vectored;

/// Writes the array's `.npy` bytes as one deflate stream, and returns where its blocks are, unless
/// it is a single one. The bytes do not depend on the number of threads.
pub(super) fn write_deflated(
    sink: &mut impl Write,
    array: &ArrayView<'_>,
    level: u32,
    facts: &mut Facts,
    meter: &Meter,
) -> Result<Option<BlockIndex>> {
    let header = array.header()?;
    let head = header.encode()?;
    let (order, itemsize) = (header.order(), header.dtype().itemsize());
    let fastest = match order {
        Order::C => header.shape().last(),
        Order::F => header.shape().first(),
    };
    let period = period(itemsize, fastest.copied().unwrap_or(1));
    let level = effort(header.dtype(), level);
    // Whole items, and no more blocks than the index has room for.
    let size = BLOCK_SIZE.max(header.nbytes() / (BlockIndex::MOST - 1));
    let items = (size / itemsize.max(1)).max(1);
    let count = if header.nbytes() == 0 { 1 } else { header.count().div_ceil(items) };
    let bytes_of = |block: usize, buffer: &mut Vec<u8>| -> Result<()> {
        buffer.clear();
        if block == 0 {
            buffer.extend_from_slice(&head);
        }
        if header.nbytes() > 0 {
            let (start, from) = (buffer.len(), block * items);
            let len = items.min(header.count() - from) * itemsize;
            buffer.try_reserve(len).map_err(std::io::Error::from)?;
            buffer.resize(start + len, 0);
            array.copy_to(&mut buffer[start..], from, order)?;
        }
        Ok(())
    };
    let mut sizes = Vec::with_capacity(count);
    in_order(
        count,
        threads(),
        || (BlockEncoder::new(level, period), Vec::new()),
        |(encoder, buffer), block| {
            bytes_of(block, buffer)?;
            let mut crc = crc32fast::Hasher::new();
            crc.update(buffer);
            let mut packed = Vec::new();
            encoder.encode(buffer, block + 1 == count, &mut packed);
            Ok((packed, crc, buffer.len()))
        },
        |_, (packed, crc, len)| {
            facts.crc.combine(&crc);
            facts.len += len as u64;
            sizes.push(packed.len());
            write_all_vectored(sink, &[&packed])?;
            meter.add(len)
        },
    )?;
    let index = || {
        let compressed: Option<Vec<u32>> =
            sizes.iter().map(|&size| u32::try_from(size).ok()).collect();
        Some(BlockIndex {
            first: u32::try_from(head.len() + (items * itemsize).min(header.nbytes())).ok()?,
            size: u32::try_from(items * itemsize).ok()?,
            compressed: compressed?,
        })
    };
    Ok(if count > 1 { index() } else { None })
}

/// The encoder's level for items of this dtype. Of pictures, whose matches are short, to look at every place
/// twice finds a hundredth or three, and takes a fifth of the time: up to level 6, what is quick comes first.
fn effort(dtype: &Dtype, level: u32) -> u32 {
    let is_picture = dtype.itemsize() == 1 && matches!(dtype.kind(), Kind::Uint | Kind::Int);
    if is_picture && (4..=6).contains(&level) { 3 } else { level }
}
