//! Streams of deflate and archives as others write them.

use std::io::Read;

use flate2::Compression;
use flate2::read::DeflateEncoder;

use crate::random::Random;

/// Bytes that `plan` describes: each of its bytes is a stretch of some 20 to 80 KB, of noise, of numbers,
/// of what was there before, or of one byte.
pub fn content(plan: &[u8]) -> Vec<u8> {
    let mut random = Random::new(plan.len() as u64);
    let mut content = Vec::new();
    for &byte in plan {
        let len = 20_000 + usize::from(byte >> 4) * 4000;
        match byte & 15 {
            0 | 1 => content.extend((0..len).map(|_| random.byte())),
            2..=4 => content.extend((0..len).map(|_| random.byte() & random.byte() & 0x3f)),
            5..=9 => {
                let mut at = 0;
                content.extend((0..len / 8).flat_map(|_| {
                    at += random.below(40);
                    at.to_le_bytes()
                }));
            }
            10..=13 => {
                let from = random.below(content.len() + 1);
                let end = content.len().min(from + len);
                content.extend_from_within(from..end);
            }
            _ => content.extend(std::iter::repeat_n(byte, len)),
        }
    }
    content
}

/// One stream of deflate, with blocks wherever zlib begins them.
pub fn deflate(content: &[u8], level: u32) -> Vec<u8> {
    let mut stream = Vec::new();
    let level = Compression::new(level.min(9));
    DeflateEncoder::new(content, level).read_to_end(&mut stream).expect("memory does not fail");
    stream
}

/// An archive of one member, whose stream this is.
pub fn archive(name: &str, content: &[u8], stream: &[u8]) -> Vec<u8> {
    let sizes = [crc32fast::hash(content), stream.len() as u32, content.len() as u32];
    // What local and central records have in common: versions, flags, method, time, date.
    let mut common = [20u16, 0, 8, 0, 33].map(u16::to_le_bytes).concat();
    common.extend(sizes.map(u32::to_le_bytes).concat());
    common.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
    let mut bytes = [b"PK\x03\x04", &common[..], name.as_bytes(), stream].concat();
    let at = bytes.len() as u32;
    let central = [b"PK\x01\x02\x14\x00", &common[..], &[0; 14], name.as_bytes()].concat();
    bytes.extend_from_slice(&central);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend([central.len() as u32, at].map(u32::to_le_bytes).concat());
    bytes.extend([0, 0]);
    bytes
}
