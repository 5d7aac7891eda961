//! dev harness
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
        for _ in 0..4 {
            let t = cpu();
            let mut enc = BlockEncoder::new(level, itemsize);
            out.clear();
            let blocks: Vec<&[u8]> = data.chunks(block).collect();
            for (i, b) in blocks.iter().enumerate() {
                enc.encode(b, i + 1 == blocks.len(), &mut out);
            }
            best = best.min((cpu() - t) / 2.0);
        }
        let mut back = Vec::new();
        flate2::read::DeflateDecoder::new(&out[..]).read_to_end(&mut back).unwrap();
        assert!(back == data, "{path} differs");
        println!("{} {} {} {}", path, data.len(), out.len(), best);
    }
}

fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    s.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
}
