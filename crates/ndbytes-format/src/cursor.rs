//! A bounds-checked reader over bytes, little-endian.

use crate::error::{Code, FormatError, Result};

/// Reads integers and slices from the front of a byte slice, never past its end.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    code: Code,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`; running out of them is reported as `code`.
    pub fn new(bytes: &'a [u8], code: Code) -> Self {
        Self { bytes, at: 0, code }
    }

    /// The next `n` bytes.
    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).filter(|&end| end <= self.bytes.len());
        let Some(end) = end else {
            let message = format!("expected {n} bytes, got {}", self.bytes.len() - self.at);
            return Err(FormatError::new(self.code, message).at(self.at as u64));
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next two bytes as an integer.
    pub fn u16(&mut self) -> Result<u16> {
        let mut array = [0; 2];
        array.copy_from_slice(self.take(2)?);
        Ok(u16::from_le_bytes(array))
    }

    /// The next four bytes as an integer.
    pub fn u32(&mut self) -> Result<u32> {
        let mut array = [0; 4];
        array.copy_from_slice(self.take(4)?);
        Ok(u32::from_le_bytes(array))
    }

    /// The next eight bytes as an integer.
    pub fn u64(&mut self) -> Result<u64> {
        let mut array = [0; 8];
        array.copy_from_slice(self.take(8)?);
        Ok(u64::from_le_bytes(array))
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The bytes not read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_reads_past_the_end() {
        let mut cursor = Cursor::new(&[1, 0, 2, 0, 0, 0, 9], Code::ZipRecord);
        assert_eq!(cursor.u16().unwrap(), 1);
        assert_eq!(cursor.u32().unwrap(), 2);
        assert_eq!(cursor.u64().unwrap_err().offset(), Some(6));
        assert_eq!(cursor.take(usize::MAX).unwrap_err().code(), Code::ZipRecord);
        assert_eq!(cursor.rest(), [9]);
    }
}
