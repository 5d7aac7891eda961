//! `ndbytes` from outside: promises, each kept by a test of its name.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what does not hold ends the test")]

mod append;
mod append_npz;
mod atomic;
mod compress;
mod concat;
mod damage;
mod examples;
mod foreign;
mod frame;
mod golden;
mod hostile;
mod hostile_frame;
mod hostile_npz;
mod npz_elements;
mod progress;
mod property;
mod roundtrip;
mod stream;
mod truncation;
#[cfg(all(unix, feature = "zarr"))]
mod zarr;

use ndbytes::{ArrayView, Code, Order};

/// Equal in dtype, shape and every byte.
fn assert_same(one: &ArrayView<'_>, other: &ArrayView<'_>, name: &str) {
    assert_eq!(one.dtype(), other.dtype(), "{name}");
    assert_eq!(one.shape(), other.shape(), "{name}");
    assert!(one.to_vec(Order::C).unwrap() == other.to_vec(Order::C).unwrap(), "{name}");
}

/// The code of a refusal.
#[track_caller]
fn code<T>(result: ndbytes::Result<T>) -> Code {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.code(),
    }
}
