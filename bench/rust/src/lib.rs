//! What the Rust benchmarks share: the tasks, each with an answer that is checked before anything
//! is timed, and the rounds in which ndbytes and its peers take turns.
#![forbid(unsafe_code)]

pub mod files;
pub mod headers;
pub mod rounds;
pub mod small;

/// What can go wrong while a task is made; nothing does once it has been checked.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The first `count` multiples of an odd number, as `f64`: all different, all exact.
pub fn values(count: usize) -> Vec<f64> {
    (0..count).map(|i| (i.wrapping_mul(2_654_435_761) % (1 << 52)) as f64).collect()
}
