//! What a stream is inflated into.

/// Bytes, or bytes among which there are others: places in a window that is not known yet.
pub(super) trait Item: Copy + Default + From<u8> {}

impl Item for u8 {}
impl Item for u16 {}
