//! Frames as Zarr v3 arrays of one shard: the frame is the shard, and `zarr.json` says so. Plain data
//! as Zarr v3 arrays of chunks that are runs of its bytes.

mod folder;
mod metadata;
mod plain;

pub use folder::{ZarrFolder, export_zarr, export_zarr_with, zarr_shard};
pub use metadata::zarr_metadata;
pub use plain::{ZarrRun, ZarrRuns};
