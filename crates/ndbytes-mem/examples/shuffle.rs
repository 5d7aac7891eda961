//! How fast shuffle and bitshuffle are, beside a copy: `cargo run --release --example shuffle`.
#![allow(clippy::print_stdout, reason = "a table for a terminal")]

use std::hint::black_box;
use std::time::Instant;

use ndbytes_mem::{bitshuffle, bitunshuffle, shuffle, unshuffle};

fn main() {
    let src: Vec<u8> = (0..LEN).map(|i| ((i * 31) >> 3) as u8).collect();
    let mut dst = vec![0; LEN];
    println!("GB/s, best of {ROUNDS}, {LEN} bytes warm in the cache");
    println!("size    copy  shuffle  unshuffle  bitshuffle  bitunshuffle");
    for size in [2, 3, 4, 7, 8, 12, 16, 24, 32] {
        let mut best = [f64::INFINITY; 5];
        for _ in 0..ROUNDS {
            let turns: [Turn<'_>; 5] = [
                &mut |dst| dst.copy_from_slice(&src),
                &mut |dst| shuffle(dst, &src, size),
                &mut |dst| unshuffle(dst, &src, size),
                &mut |dst| bitshuffle(dst, &src, size),
                &mut |dst| bitunshuffle(dst, &src, size),
            ];
            for (best, turn) in best.iter_mut().zip(turns) {
                let begin = Instant::now();
                for _ in 0..TURNS {
                    turn(&mut dst);
                    black_box(&dst);
                }
                *best = best.min(begin.elapsed().as_secs_f64() / f64::from(TURNS));
            }
        }
        let speed = best.map(|seconds| LEN as f64 / seconds / 1e9);
        println!(
            "{size:4} {:7.1} {:8.1} {:10.1} {:11.1} {:13.1}",
            speed[0], speed[1], speed[2], speed[3], speed[4]
        );
    }
}

type Turn<'a> = &'a mut dyn FnMut(&mut [u8]);

/// A Blosc block, a multiple of 8 items of each size.
const LEN: usize = 8 * 2 * 3 * 4 * 7 * 192;
const ROUNDS: u32 = 30;
const TURNS: u32 = 10;
