//! The server over loopback, by a client of a few lines that hides nothing, and by our own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; helpers are no test functions"
)]

mod client;
mod dav;
mod files;
mod limits;
mod page;
mod remote;
mod resumable;
mod session;
mod slices;
mod slow;
mod stream;
mod tls;
mod transfer;
mod waits;
mod zarr;
