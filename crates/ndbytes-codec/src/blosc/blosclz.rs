//! Blosc's own compressor, to read it: literals and matches, as in FastLZ level 2.
//!
//! Instructions follow one another. The byte that begins one is its control; that of the first
//! instruction has a marker in its upper three bits, which are taken off.
//!
//! - Below 32: as many literals as it says, and one more, follow.
//! - Else a match: the upper three bits are its length less 2; for 7, bytes follow that are added
//!   up to and with the first that is not 255. The lower five bits and the byte that follows are
//!   its distance less 1; when all of those bits are ones, two bytes follow (the higher first),
//!   and the distance is 8192 and what they say.

/// Decompresses a stream that must not give more than `out`; says how much it gave.
pub(super) fn decompress(stream: &[u8], out: &mut [u8]) -> Option<usize> {
    let (&first, mut rest) = stream.split_first()?;
    let mut control = first & 31;
    let mut at = 0;
    loop {
        if control < 32 {
            let len = usize::from(control) + 1;
            let (literals, after) = rest.split_at_checked(len)?;
            out.get_mut(at..at + len)?.copy_from_slice(literals);
            at += len;
            rest = after;
        } else {
            let mut len = usize::from(control >> 5) + 2;
            if control >> 5 == 7 {
                loop {
                    let more = take(&mut rest)?;
                    len = len.checked_add(more.into())?;
                    if more != 255 {
                        break;
                    }
                }
            }
            let low = take(&mut rest)?;
            let mut distance = usize::from(control & 31) << 8 | usize::from(low);
            if distance == 0x1fff {
                let far = [take(&mut rest)?, take(&mut rest)?];
                distance += usize::from(u16::from_be_bytes(far));
            }
            at = repeat(out, at, distance + 1, len)?;
        }
        match rest.split_first() {
            None => return Some(at),
            Some((&next, after)) => (control, rest) = (next, after),
        }
    }
}

/// Copies `len` bytes from `distance` before `at` to `at`; those may be among them.
fn repeat(out: &mut [u8], at: usize, distance: usize, len: usize) -> Option<usize> {
    let end = at.checked_add(len).filter(|&end| end <= out.len())?;
    let start = at.checked_sub(distance)?;
    if distance == 1 {
        let value = out[start];
        out[at..end].fill(value);
        return Some(end);
    }
    // What is copied first is a pattern that can be copied twice as long next.
    let mut done = at;
    while done < end {
        let n = (done - start).min(end - done);
        out.copy_within(start..start + n, done);
        done += n;
    }
    Some(end)
}

fn take(rest: &mut &[u8]) -> Option<u8> {
    let (&byte, after) = rest.split_first()?;
    *rest = after;
    Some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_matches() {
        let mut out = [0; 64];
        assert_eq!(decompress(b"\x22abc", &mut out), Some(3));
        assert_eq!(out[..3], *b"abc");
        // Three literals, then seven bytes from three back.
        assert_eq!(decompress(b"\x22abc\xa0\x02", &mut out), Some(10));
        assert_eq!(out[..10], *b"abcabcabca");
        // A run of 9 + 20 bytes.
        assert_eq!(decompress(b"\x20x\xe0\x14\x00", &mut out), Some(30));
        assert_eq!(out[..30], [b'x'; 30]);
    }

    #[test]
    fn what_reaches_outside_is_refused() {
        let mut out = [0; 8];
        for bad in [
            &b""[..],
            b"\x22ab",
            b"\x20x\x20",
            b"\x20x\x20\x01",
            b"\x20x\xe0\xff",
            b"\x20x\xe0\x14\x00",
            b"\x20x\x3f\xff\x00",
            b"\x20x\x3f\xff\xff\xff",
            b"\x28abcdefghi",
        ] {
            assert_eq!(decompress(bad, &mut out), None, "{bad:?}");
        }
    }
}
