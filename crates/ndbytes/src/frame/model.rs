//! What the first chunk shows of the others: most arrays are alike all over.

use std::sync::OnceLock;

use ndbytes_format::frame::FrameHeader;

use crate::error::Result;
use crate::frame::choose::Model;
use crate::frame::chunk::ChunkEncoder;
use crate::frame::pipeline::Pipeline;
use crate::frame::source::Source;

/// The model that the first chunk made is for the others. The second has none, so that two threads
/// can begin at once; which chunk has one never depends on how many threads there are.
pub(super) struct FirstModel {
    first: usize,
    known: OnceLock<Option<Model>>,
}

impl FirstModel {
    /// Of chunks from `first` on.
    pub(super) fn new(first: usize) -> Self {
        Self { first, known: OnceLock::new() }
    }

    /// The model for a chunk, if there is to be one.
    pub(super) fn of<'a>(
        &self,
        header: &FrameHeader,
        source: &impl Source<'a>,
        pipeline: Pipeline,
        encoder: &mut ChunkEncoder,
        chunk: usize,
    ) -> Result<Option<Model>> {
        if chunk < self.first + 2 {
            return Ok(None);
        }
        if let Some(known) = self.known.get() {
            return Ok(*known);
        }
        // The thread that has the first chunk is not as far: to wait for it would take as long.
        let mut buffer = Vec::new();
        let items = source.items(header, self.first, &mut buffer)?;
        let way = encoder.choose(header, pipeline, None, items)?;
        self.learn(self.first, || encoder.model(pipeline, way))?;
        Ok(self.known.get().copied().flatten())
    }

    /// Keeps what was chosen for a chunk if it is the first.
    pub(super) fn learn(
        &self,
        chunk: usize,
        model: impl FnOnce() -> Result<Option<Model>>,
    ) -> Result<()> {
        if chunk == self.first && self.known.get().is_none() {
            let model = model()?;
            self.known.get_or_init(|| model);
        }
        Ok(())
    }
}
