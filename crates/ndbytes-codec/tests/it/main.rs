//! `ndbytes-codec` from outside.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what does not hold ends the test")]

mod blosc;
mod deflate;
mod mixed;
mod pco;
mod streams;
