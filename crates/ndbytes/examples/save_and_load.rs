//! Saves an array as `.npy` and loads it again.

use ndbytes::{ArrayView, Limits, Order, SaveOptions};

/// The whole example.
#[allow(clippy::print_stdout, reason = "it is what an example is for")]
pub fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bytes: Vec<u8> = (0..6).flat_map(|i| f64::from(i).to_le_bytes()).collect();
    let array = ArrayView::contiguous("<f8".parse()?, &[2, 3], Order::C, &bytes)?;

    // Atomic: a failure would leave an older file as it was.
    let path = std::env::temp_dir().join(format!("ndbytes-{}.npy", std::process::id()));
    ndbytes::save(&path, &array, &SaveOptions::default())?;

    let loaded = ndbytes::load(&path, &Limits::default())?;
    assert_eq!(loaded.bytes(), bytes);
    println!(
        "{}: {} {:?}, order {}",
        path.display(),
        loaded.dtype(),
        loaded.shape(),
        loaded.order()
    );
    std::fs::remove_file(&path)?;
    Ok(())
}
