//! What the first chunk shows of the others: most arrays are alike all over.

use std::sync::OnceLock;

use ndbytes_format::frame::FrameHeader;

use crate::error::Result;
use crate::frame::choose::Model;
use crate::frame::chunk::{ChunkEncoder, Way};
use crate::frame::piece::Items;
use crate::frame::pipeline::{Pipeline, Preset};
use crate::frame::source::Source;

/// What is done to one chunk after another. What was chosen for the first is a model for the others; the
/// second has none, so that two threads can begin at once. Which chunk has one never depends on how many
/// threads there are.
pub(super) struct Ways {
    pipeline: Pipeline,
    first: usize,
    model: OnceLock<Option<Model>>,
}

impl Ways {
    /// Of chunks from `first` on.
    pub(super) fn new(pipeline: Pipeline, first: usize) -> Self {
        // To look at a model costs as much as all that the fastest does to choose.
        let model = match pipeline {
            Pipeline::Preset(preset) if preset != Preset::Fastest => OnceLock::new(),
            _ => OnceLock::from(None),
        };
        Self { pipeline, first, model }
    }

    /// The items of a chunk, and what is done to them. `buffer` is memory for them.
    pub(super) fn way<'a, 'b>(
        &self,
        header: &FrameHeader,
        source: &impl Source<'a>,
        encoder: &mut ChunkEncoder,
        chunk: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<(Way, Items<'a, 'b>)> {
        let model = if chunk < self.first + 2 {
            None
        } else if let Some(model) = self.model.get() {
            *model
        } else {
            // The thread that has the first chunk is not as far: to wait for it would take as long.
            let items = source.items(header, self.first, buffer)?;
            let way = encoder.choose(header, self.pipeline, None, items)?;
            self.learn(encoder, way)?
        };
        let items = source.items(header, chunk, buffer)?;
        let way = encoder.choose(header, self.pipeline, model.as_ref(), items)?;
        if chunk == self.first {
            self.learn(encoder, way)?;
        }
        Ok((way, items))
    }

    /// Keeps what was chosen for the first chunk, which the encoder had last.
    fn learn(&self, encoder: &mut ChunkEncoder, way: Way) -> Result<Option<Model>> {
        if let Some(model) = self.model.get() {
            return Ok(*model);
        }
        let model = encoder.model(self.pipeline, way)?;
        Ok(*self.model.get_or_init(|| model))
    }
}
