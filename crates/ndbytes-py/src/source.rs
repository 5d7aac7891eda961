//! What files are read from by position.

use std::io;
use std::sync::Arc;

use ndbytes::{JournaledFile, ReadAt};
use ndbytes_net::client::RemoteFile;

use crate::file::PyReadAt;

/// A path, a file object or a file on a server.
pub(crate) enum Source {
    File(JournaledFile),
    Object(PyReadAt),
    Remote(Arc<RemoteFile>),
}

impl ReadAt for Source {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self {
            Source::File(file) => file.read_at(buffer, offset),
            Source::Object(object) => object.read_at(buffer, offset),
            Source::Remote(file) => file.read_at(buffer, offset),
        }
    }

    fn size(&self) -> io::Result<u64> {
        match self {
            Source::File(file) => file.size(),
            Source::Object(object) => object.size(),
            Source::Remote(file) => file.size(),
        }
    }

    fn is_random(&self) -> bool {
        match self {
            Source::File(_) | Source::Remote(_) => true,
            Source::Object(object) => object.is_random(),
        }
    }
}
