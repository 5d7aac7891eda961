//! Writing bits, the lowest first, as RFC 1951, section 3.1.1 has them.

/// Bits on their way to bytes.
///
/// At most 63 - 7 = 56 bits may be added between two calls of [`BitWriter::flush`].
pub(super) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Where the next byte goes; `out` is longer, so that eight can be written at once.
    at: usize,
    bits: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let at = out.len();
        Self { out, at, bits: 0, count: 0 }
    }

    /// Makes room for `bytes` more, and for what a flush writes beyond them.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.out.resize(self.at + bytes + 16, 0);
    }

    #[inline(always)]
    pub(super) fn add(&mut self, bits: u64, count: u32) {
        debug_assert!(self.count + count <= 63 && bits >> count == 0);
        self.bits |= bits << self.count;
        self.count += count;
    }

    /// Moves whole bytes out.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        if let Some(room) = self.out.get_mut(self.at..self.at + 8) {
            room.copy_from_slice(&self.bits.to_le_bytes());
        }
        let bytes = self.count >> 3;
        self.at += bytes as usize;
        self.bits >>= bytes * 8;
        self.count &= 7;
    }

    /// Fills the last byte with zeros.
    pub(super) fn align(&mut self) {
        self.flush();
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    /// Appends whole bytes, behind an [`BitWriter::align`].
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0);
        self.out.truncate(self.at);
        self.out.extend_from_slice(bytes);
        self.at = self.out.len();
        self.reserve(16);
    }

    /// Gives the vector its true length. The bits must end with a whole byte.
    pub(super) fn finish(mut self) {
        self.flush();
        debug_assert_eq!(self.count, 0);
        self.out.truncate(self.at);
    }
}
