//! The server over loopback, by a client of a few lines that hides nothing.

mod client;
mod files;
mod limits;
mod slices;
mod tls;
mod zarr;
