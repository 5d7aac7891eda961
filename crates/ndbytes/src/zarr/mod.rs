//! Frames as Zarr v3 arrays of one shard: the frame is the shard, and `zarr.json` says so.

mod folder;
mod metadata;

pub use folder::{ZarrFolder, export_zarr, export_zarr_with, zarr_shard};
pub use metadata::zarr_metadata;
