//! `ndbytes-format` from outside.

mod errors;
mod golden;
mod property;
