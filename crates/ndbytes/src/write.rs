//! Writing all of several slices.

use std::io::{self, IoSlice, Write};

/// Writes all of the slices, in as few calls as the sink allows: a header and a payload leave
/// together, and neither is copied.
///
/// # Errors
/// What the sink said; [`io::ErrorKind::WriteZero`] when it takes nothing more.
pub fn write_all_vectored(sink: &mut (impl Write + ?Sized), parts: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
    let mut rest = &mut slices[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match sink.write_vectored(rest) {
            Ok(0) => {
                return Err(io::Error::new(
                    io::ErrorKind::WriteZero,
                    "the sink takes no more bytes",
                ));
            }
            Ok(n) if n > rest.iter().map(|part| part.len()).sum() => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the sink claims more bytes than it was given",
                ));
            }
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes at most `n` bytes a call, of the first slices.
    struct Short(Vec<u8>, usize);

    impl Write for Short {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = bytes.len().min(self.1);
            self.0.extend_from_slice(&bytes[..n]);
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn short_writes_lose_nothing() {
        for n in 1..8 {
            let mut sink = Short(Vec::new(), n);
            write_all_vectored(&mut sink, &[b"", b"abc", b"", b"defgh", b""]).unwrap();
            assert_eq!(sink.0, b"abcdefgh");
        }
        assert!(write_all_vectored(&mut Short(Vec::new(), 0), &[b"a"]).is_err());
        write_all_vectored(&mut Short(Vec::new(), 0), &[b"", b""]).unwrap();
    }
}
