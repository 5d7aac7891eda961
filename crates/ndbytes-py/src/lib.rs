//! The native half of the `ndbytes` Python package: wraps the façade, and nothing else.
//!
//! Every array crosses as an [`ArrayView`](ndbytes::ArrayView) over NumPy's own memory, and every
//! result is memory that NumPy allocated. Unsafe code here is FFI alone: pointers that NumPy or
//! Python gave, with their extents.
#![expect(unsafe_code, reason = "FFI to NumPy's C API")]

mod array;
mod blosc;
mod compress;
mod connection;
mod dtype;
mod error;
mod fd;
mod file;
mod fork;
mod frame;
mod frame_stream;
mod header;
mod memory;
mod npy;
mod npy_reader;
mod npz;
mod open;
mod raw;
mod remote;
mod session;
mod signals;
mod source;
mod stream;
mod target;
mod transfer;
mod warn;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::array::array_over;
    #[pymodule_export]
    use crate::blosc::{blosc_decode, blosc_encode};
    #[pymodule_export]
    use crate::compress::{compress, decompress};
    #[pymodule_export]
    use crate::connection::Wire;
    #[pymodule_export]
    use crate::frame::{
        FrameReader, append_frame, explain_frame, export_zarr, save_frame_file, zarr_shard,
    };
    #[pymodule_export]
    use crate::frame_stream::{FrameDecoder, FrameEncoder};
    #[pymodule_export]
    use crate::header::{encode_header, npy_header, parse_header, parse_prelude, read_header};
    #[pymodule_export]
    use crate::npy::{dumps, load_file, load_path, loads, save_file, save_path};
    #[pymodule_export]
    use crate::npy_reader::NpyReader;
    #[pymodule_export]
    use crate::npz::{NpzReader, append_npz, savez_file, savez_path, savez_remote};
    #[pymodule_export]
    use crate::raw::{fromfile_fd, fromfile_file, tobytes, tofile_file, tofile_path, validate};
    #[pymodule_export]
    use crate::remote::RemoteFile;
    #[pymodule_export]
    use crate::session::{Link, Listener, connect, create_shared, link};
    #[pymodule_export]
    use crate::stream::{recv_fd, send_fd};
    #[pymodule_export]
    use crate::transfer::{load_remote, save_remote};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        crate::fork::prepare(module.py())
    }
}
