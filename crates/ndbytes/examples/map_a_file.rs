//! Maps the data of an `.npy` file: a gigabyte is there at once, and only what is used is read.

use ndbytes::map::Map;
use ndbytes::{ArrayView, Limits, NpyFile, Order, SaveOptions};

/// The whole example.
#[allow(clippy::print_stdout, reason = "it is what an example is for")]
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    let array = ArrayView::contiguous("<u4".parse()?, &[1000, 1000], Order::C, &bytes)?;
    let path = std::env::temp_dir().join(format!("ndbytes-map-{}.npy", std::process::id()));
    ndbytes::save(&path, &array, &SaveOptions::default())?;

    let file = NpyFile::open(&path, &Limits::default())?;
    let header = file.header();
    #[allow(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]
    // SAFETY: this process has just made the file under a name of its own; nobody shortens it or
    // writes to it while the map lives.
    let map = unsafe { Map::open(file.file(), file.data_offset() as u64, header.nbytes()) }?;

    let mapped =
        ArrayView::contiguous(header.dtype().clone(), header.shape(), header.order(), &map)?;
    let mut last = [0; 4];
    mapped.copy_to(&mut last, 999_999, Order::C)?;
    println!("the last of {} elements is {}", header.count(), u32::from_le_bytes(last));
    drop(map);
    std::fs::remove_file(&path)?;
    Ok(())
}
