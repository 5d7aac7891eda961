//! NumPy arrays over the network.
//!
//! [`serve`] is an HTTP server of a folder: its files by range, or written, slices of the arrays in
//! them, and every array as one of Zarr v3, which readers open with no plug-in. `docs/spec/http.md`
//! is normative. [`client`] reads files on any HTTP server by position, and writes them.
//! [`request`] and [`answer`] parse what clients and servers send.
#![forbid(unsafe_code)]

pub mod answer;
#[cfg(feature = "client")]
pub mod client;
pub mod request;
#[cfg(all(feature = "serve", unix))]
pub mod serve;
