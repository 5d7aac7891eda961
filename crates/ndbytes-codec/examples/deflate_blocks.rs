//! dev harness
use std::time::Instant;
use ndbytes_codec::deflate::BlockEncoder;
use std::io::Read;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let level: u32 = args[1].parse().unwrap();
    let block: usize = args[2].parse::<usize>().unwrap() << 10;
    for arg in &args[3..] {
        let (path, itemsize) = arg.split_once(':').unwrap();
        let data = std::fs::read(path).unwrap();
        let itemsize: usize = itemsize.parse().unwrap();
        let mut best = f64::MAX;
        let mut out = Vec::new();
        for _ in 0..2 {
            let t = Instant::now();
            let blocks: Vec<&[u8]> = data.chunks(block).collect();
            let half = blocks.len().div_ceil(2);
            let run = |part: &[&[u8]], end: bool| {
                let mut enc = BlockEncoder::new(level, itemsize);
                let mut out = Vec::new();
                for (i, b) in part.iter().enumerate() {
                    enc.encode(b, end && i + 1 == part.len(), &mut out);
                }
                out
            };
            let (a, b) = std::thread::scope(|s| {
                let h = s.spawn(|| run(&blocks[half..], true));
                (run(&blocks[..half], blocks.len() == half), h.join().unwrap())
            });
            out = a;
            out.extend(if blocks.len() == half { vec![] } else { b });
            best = best.min(t.elapsed().as_secs_f64());
        }
        let mut back = Vec::new();
        flate2::read::DeflateDecoder::new(&out[..]).read_to_end(&mut back).unwrap();
        assert!(back == data, "{path} differs");
        println!("{} {} {} {}", path, data.len(), out.len(), best);
    }
}
