//! Streams of deflate that can be cut, or look so.

use ndbytes_codec::deflate::{BlockEncoder, MixedEncoder};
use ndbytes_codec::{Check, Codec, header};

use crate::random::Random;

/// A stream of deflate, zlib or gzip that `plan` describes, and what comes out of it. Each byte of
/// the plan is a block of some kilobytes; blocks that are of text refer to those before them, and
/// those of marks look as if the stream could be cut in them. With gzip, a byte of 7 or 15 begins
/// another member.
pub fn stream(codec: Codec, plan: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut random = Random::new(plan.len() as u64);
    let mut numbers = BlockEncoder::new(1, 4);
    let mut text = MixedEncoder::new(1);
    let (mut out, mut content) = (header(codec, 1).to_vec(), Vec::new());
    let mut start = 0;
    for &byte in plan {
        let before = content.len();
        let len = 4000 + usize::from(byte >> 4) * 1000;
        match byte & 15 {
            0..=3 => content.extend((0..len).map(|_| random.byte())),
            4 => content.extend(std::iter::repeat_n(byte, len * 4)),
            5 => content.extend((0..len).map(|_| random.byte() & random.byte() & 0x3f)),
            6 => {}
            7 | 15 if codec == Codec::Gzip => {
                numbers.encode(&[], true, &mut out);
                out.extend(Check::of(codec, &content[start..]).trailer());
                start = before;
                out.extend_from_slice(header(codec, 9));
                continue;
            }
            8 | 9 => content.extend((0..len / 4).flat_map(|_| marks(&mut random))),
            _ => content.extend((0..len).map(|_| b'a' + random.byte() % 9 * (random.byte() & 1))),
        }
        let block = &content[before..];
        match byte & 15 {
            // Bytes and the window before them are one member's.
            10..=15 => text.encode(&content[start..before], block, 1, false, &mut out),
            _ => numbers.encode(block, false, &mut out),
        }
    }
    numbers.encode(&[], true, &mut out);
    out.extend(Check::of(codec, &content[start..]).trailer());
    (out, content)
}

/// Four bytes that often are the lengths of an empty stored block.
fn marks(random: &mut Random) -> [u8; 4] {
    match random.below(2000) {
        0 => [0, 0, 0xff, 0xff],
        _ => random.number().to_le_bytes(),
    }
}
