//! One file per command: each takes its arguments and says how it ended.

pub(crate) mod cat;
pub(crate) mod compress;
pub(crate) mod convert;
pub(crate) mod diff;
pub(crate) mod generate;
pub(crate) mod info;
pub(crate) mod recv;
pub(crate) mod send;
#[cfg(unix)]
pub(crate) mod serve;
pub(crate) mod verify;
