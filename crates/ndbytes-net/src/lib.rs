//! NumPy arrays over the network.
//!
//! [`serve`] is an HTTP server of a folder: its files by range, or written, slices of the arrays in
//! them, and every array as one of Zarr v3, which readers open with no plug-in. `docs/spec/http.md`
//! is normative. [`client`] reads files on any HTTP server by position, and writes them.
//! [`session`] sends arrays over TCP, TLS, QUIC and Unix sockets (`docs/spec/stream.md`).
//! [`request`] and [`answer`] parse what clients and servers send.
#![forbid(unsafe_code)]

pub mod answer;
#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "serve", feature = "session"))]
mod hex;
pub mod request;
#[cfg(all(feature = "serve", unix))]
pub mod serve;
#[cfg(all(feature = "session", unix))]
pub mod session;
#[cfg(any(feature = "client", all(feature = "session", unix)))]
mod signals;
#[cfg(any(feature = "client", feature = "serve", feature = "session"))]
mod tls;
#[cfg(any(feature = "serve", feature = "session"))]
mod tokens;

/// What the guide shows is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/rust.md")]
struct Guide;
