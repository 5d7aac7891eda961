//! Writes an `.npz` that `numpy.load` reads, and reads one of its arrays.

use std::fs::File;

use ndbytes::{
    ArrayView, AtomicFile, Compression, Limits, NpzReader, NpzWriter, Order, SaveOptions,
};

/// The whole example.
#[allow(clippy::print_stdout, reason = "it is what an example is for")]
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes: Vec<u8> = (0..1000u16).flat_map(u16::to_le_bytes).collect();
    let array = ArrayView::contiguous("<u2".parse()?, &[10, 100], Order::C, &bytes)?;

    let path = std::env::temp_dir().join(format!("ndbytes-{}.npz", std::process::id()));
    let mut writer = NpzWriter::new(AtomicFile::create(&path, &SaveOptions::default())?);
    writer.add("plain", &array, Compression::Stored)?;
    writer.add("small", &array, Compression::Deflate(6))?;
    // Until here the file has another name.
    writer.finish()?.commit()?;

    let reader = NpzReader::new(File::open(&path)?, &Limits::default())?;
    for entry in reader.entries() {
        println!("{}: {} of {} bytes", entry.name, entry.compressed, entry.uncompressed);
    }
    assert_eq!(reader.read("small")?.bytes(), bytes);
    std::fs::remove_file(&path)?;
    Ok(())
}
