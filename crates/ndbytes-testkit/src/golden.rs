//! Golden files and what their manifest says of them.
//!
//! A manifest has a line per array, nine values between tabs:
//! `file member file_crc version order shape data_offset data_crc descr`. `member` is `-` for
//! `.npy` files. Lines that begin with `#` are comments.

use std::fs;
use std::path::{Path, PathBuf};

/// One array of a golden file.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The file's path.
    pub path: PathBuf,
    /// The array's key in an archive.
    pub member: Option<String>,
    /// CRC-32 of the whole file.
    pub file_crc: u32,
    /// The major version of its `.npy` header.
    pub version: u8,
    /// `C` or `F`.
    pub order: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Where its data begins in the `.npy`.
    pub data_offset: usize,
    /// CRC-32 of its data.
    pub data_crc: u32,
    /// Its dtype, as NumPy's `descr`.
    pub descr: String,
}

impl Golden {
    /// The file's name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file's bytes, once they are what the manifest says.
    ///
    /// # Panics
    /// When they are not: golden files never change.
    pub fn read(&self) -> Vec<u8> {
        let bytes = fs::read(&self.path).unwrap_or_else(|e| panic!("{:?}: {e}", self.path));
        assert_eq!(crc32fast::hash(&bytes), self.file_crc, "{:?} has changed", self.path);
        bytes
    }
}

/// The workspace's `testdata`.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// Every array of the golden files of a version, such as `v1`.
///
/// # Panics
/// When the manifest cannot be read, or a file stands in the folder that it does not name.
pub fn load(version: &str) -> Vec<Golden> {
    let folder = testdata().join("golden").join(version);
    let manifest = folder.join("MANIFEST");
    let text = fs::read_to_string(&manifest).unwrap_or_else(|e| panic!("{manifest:?}: {e}"));
    let found: Vec<Golden> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| parse(&folder, line).unwrap_or_else(|| panic!("{manifest:?}: {line:?}")))
        .collect();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let known = path == manifest || found.iter().any(|golden| golden.path == path);
        assert!(known, "{path:?} is not in the manifest");
    }
    found
}

fn parse(folder: &Path, line: &str) -> Option<Golden> {
    let values: Vec<&str> = line.split('\t').collect();
    let [file, member, file_crc, version, order, shape, data_offset, data_crc, descr] = values[..]
    else {
        return None;
    };
    let shape = shape.split(',').filter(|n| !n.is_empty());
    Some(Golden {
        path: folder.join(file),
        member: (member != "-").then(|| member.to_owned()),
        file_crc: u32::from_str_radix(file_crc, 16).ok()?,
        version: version.parse().ok()?,
        order: order.to_owned(),
        shape: shape.map(|n| n.parse().ok()).collect::<Option<_>>()?,
        data_offset: data_offset.parse().ok()?,
        data_crc: u32::from_str_radix(data_crc, 16).ok()?,
        descr: descr.to_owned(),
    })
}
