//! Compresses an array's elements to a stream that `gunzip` and `zlib.decompress` read.

use ndbytes::{ArrayView, Codec, Order};

/// The whole example.
#[allow(clippy::print_stdout, reason = "it is what an example is for")]
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes: Vec<u8> = (0..50_000u32).flat_map(|i| (i / 100).to_le_bytes()).collect();
    let array = ArrayView::contiguous("<u4".parse()?, &[50_000], Order::C, &bytes)?;
    for &codec in Codec::ALL {
        let packed = ndbytes::compress(&array, codec, 6)?;
        // Never more than was said, whatever the stream holds.
        let again = ndbytes::decompress(&packed[..], codec, bytes.len() as u64)?;
        assert_eq!(again, bytes);
        println!("{}: {} bytes to {}", codec.as_str(), bytes.len(), packed.len());
    }
    Ok(())
}
