//! What a server sends: parsed without trust in it.

mod content_range;
#[cfg(feature = "session")]
mod reader;
mod refusal;

pub use content_range::ContentRange;
#[cfg(feature = "session")]
pub use reader::AnswerReader;
pub use refusal::refusal;
