//! Caps that are checked before anything is allocated.

/// What a reader accepts. The defaults suit files of unknown origin on a desktop machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest `.npy` header in bytes. NumPy's own default is 10,000, because its parser is
    /// Python's; ours is linear in the header's length, so wide tables may load.
    pub header: usize,
    /// Most dimensions; NumPy 2 knows 64.
    pub ndim: usize,
    /// Most bytes of one array.
    pub bytes: u64,
    /// Most members of one archive.
    pub members: u64,
}

impl Limits {
    /// The same limits with another cap on the bytes of one array.
    #[must_use]
    pub fn with_bytes(mut self, bytes: u64) -> Self {
        self.bytes = bytes;
        self
    }

    /// The same limits with another cap on the header's length.
    #[must_use]
    pub fn with_header(mut self, header: usize) -> Self {
        self.header = header;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { header: 1 << 20, ndim: 64, bytes: u64::MAX, members: 1 << 20 }
    }
}
