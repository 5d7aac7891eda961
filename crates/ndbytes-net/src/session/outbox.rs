//! What leaves.

use std::io::Write;

use ndbytes::{ArrayView, FrameOptions, Progress, Result, write_frame};

use super::adapt::Adapt;
use super::record::Record;
use super::state::Tag;
use super::sum::Summed;

/// What leaves, and how much has.
pub(super) struct Outbox {
    pub(super) sink: Box<dyn Write + Send>,
    /// What is said before the first array, and with it.
    pub(super) greeting: Vec<u8>,
    /// Whether it has left, or will, without an array.
    pub(super) begun: bool,
    /// What leaves with what comes next.
    pub(super) held: Vec<u8>,
    pub(super) arrays: u64,
    pub(super) bytes: u64,
    pub(super) sums: u32,
    /// How fast the connection is.
    pub(super) adapt: Adapt,
    /// Whether nothing more leaves.
    pub(super) ended: bool,
}

impl Outbox {
    pub(super) fn new(sink: Box<dyn Write + Send>) -> Self {
        Self {
            sink,
            greeting: Vec::new(),
            begun: false,
            held: Vec::new(),
            arrays: 0,
            bytes: 0,
            sums: 0,
            adapt: Adapt::default(),
            ended: false,
        }
    }

    /// Holds what belongs to the array that comes next.
    pub(super) fn tag(&mut self, tag: &Tag) -> Result<()> {
        if tag.is_empty() {
            return Ok(());
        }
        let mark = self.held.len();
        let record = Record::Array { name: tag.name.clone(), meta: tag.meta.clone() };
        record.encode(&mut self.held).inspect_err(|_| self.held.truncate(mark))
    }

    /// Counts an array that was sent or is held, and holds its sum.
    pub(super) fn count(&mut self, bytes: u64, sum: Option<u32>) -> Result<()> {
        self.arrays += 1;
        self.bytes += bytes;
        if let Some(sum) = sum {
            Record::Sum(sum).encode(&mut self.held)?;
            self.sums = ndbytes_mem::crc32c_append(self.sums, &sum.to_le_bytes());
        }
        Ok(())
    }

    /// Sends a large array after what is held; bytes that passed, and their sum.
    pub(super) fn send_large(
        &mut self,
        array: &ArrayView<'_>,
        frame: Option<&FrameOptions>,
        sums: bool,
        progress: &Progress,
    ) -> Result<(u64, Option<u32>)> {
        self.sink.write_all(&self.held)?;
        self.held.clear();
        let mut sink = Summed::new(&mut *self.sink, sums);
        match frame {
            Some(options) => {
                write_frame(&mut sink, array, &options.clone().with_progress(progress.clone()))?;
            }
            None => ndbytes::send_with(&mut sink, array, progress)?,
        }
        self.adapt.learn(sink.passed, sink.spent);
        Ok((sink.passed, sink.sum))
    }
}
