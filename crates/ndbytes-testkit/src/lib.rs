//! What the tests of every floor share: a table of arrays, a slow and obvious oracle, hostile
//! transports, forged frames, foreign archives, random facts, golden files and the bodies of the fuzz
//! targets.
//!
//! Nothing here ships. A broken promise panics, as a test does.
#![forbid(unsafe_code)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool of tests: what does not hold ends the test"
)]

pub mod arrays;
pub mod foreign;
pub mod forge;
pub mod golden;
pub mod line;
pub mod oracle;
pub mod pieces;
#[cfg(unix)]
pub mod proxy;
pub mod strategy;
pub mod targets;
pub mod transport;

mod frame_targets;
mod random;
#[cfg(all(feature = "session", unix))]
mod session_target;

pub use random::Random;
