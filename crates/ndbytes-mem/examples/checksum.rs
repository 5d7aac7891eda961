//! How fast CRC-32C is, alone and with a copy, beside the crate `crc32c`:
//! `cargo run --release -p ndbytes-mem --example checksum`.
#![allow(clippy::print_stdout, reason = "a table for a terminal")]

use std::hint::black_box;
use std::time::Instant;

use ndbytes_mem::copy_crc32c;

fn main() {
    println!("GB/s, best of {ROUNDS}");
    println!("   bytes    copy  crate  crate and copy    ours  ours and copy");
    for len in [4 << 10, 64 << 10, 1 << 20, 8 << 20] {
        let src: Vec<u8> = (0..len).map(|i| ((i * 31) >> 3) as u8).collect();
        let mut dst = vec![0; len];
        let wanted = crc32c::crc32c(&src);
        let mut best = [f64::INFINITY; 5];
        for _ in 0..ROUNDS {
            let turns: [Turn<'_>; 5] = [
                &mut |dst| {
                    dst.copy_from_slice(&src);
                    wanted
                },
                &mut |_| crc32c::crc32c(&src),
                &mut |dst| {
                    dst.chunks_mut(PIECE).zip(src.chunks(PIECE)).fold(0, |sum, (dst, src)| {
                        dst.copy_from_slice(src);
                        crc32c::crc32c_append(sum, src)
                    })
                },
                &mut |_| ndbytes_mem::crc32c(&src),
                &mut |dst| copy_crc32c(dst, &src, 0),
            ];
            for (i, (best, turn)) in best.iter_mut().zip(turns).enumerate() {
                let count = (16 << 20) / len;
                let begin = Instant::now();
                for _ in 0..count {
                    assert_eq!(black_box(turn(&mut dst)), wanted, "way {i}");
                    black_box(&dst);
                }
                *best = best.min(begin.elapsed().as_secs_f64() / count as f64);
                assert!([1, 3].contains(&i) || dst == src, "way {i}");
                dst.fill(0);
            }
        }
        let [copy, theirs, theirs_copy, ours, ours_copy] =
            best.map(|seconds| len as f64 / seconds / 1e9);
        println!("{len:8} {copy:7.1} {theirs:6.1} {theirs_copy:15.1} {ours:7.1} {ours_copy:14.1}");
    }
}

type Turn<'a> = &'a mut dyn FnMut(&mut [u8]) -> u32;

/// Bytes that the first-level cache holds twice.
const PIECE: usize = 16 << 10;
const ROUNDS: u32 = 30;
