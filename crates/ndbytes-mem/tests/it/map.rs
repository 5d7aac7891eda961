//! Maps of files.
#![expect(unsafe_code, reason = "mapping is unsafe; the files are this test's own")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;

use ndbytes_mem::map::{Map, MapMut};

/// A file of this test, removed with it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("ndbytes-{}-{name}", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn open(&self) -> File {
        OpenOptions::new().read(true).write(true).open(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn sample() -> Vec<u8> {
    (0..10_000u32).map(|i| (i % 251) as u8).collect()
}

#[test]
fn any_part_is_mapped_wherever_it_begins() {
    let file = Scratch::new("parts", &sample());
    for (offset, len) in [(0, 10_000), (1, 1), (4095, 2), (4096, 4096), (9_999, 1), (128, 0)] {
        // SAFETY: nobody else knows the file's name.
        let map = unsafe { Map::open(&file.open(), offset as u64, len) }.unwrap();
        assert_eq!(*map, sample()[offset..offset + len]);
    }
}

#[test]
fn a_short_file_is_an_error_and_keeps_its_length() {
    let file = Scratch::new("short", &sample());
    for (offset, len) in [(0, 10_001), (10_000, 1), (20_000, 0), (u64::MAX, 1), (1, usize::MAX)] {
        // SAFETY: nobody else knows the file's name.
        let kinds = unsafe {
            [
                Map::open(&file.open(), offset, len).err(),
                MapMut::open(&file.open(), offset, len).err(),
                MapMut::open_private(&file.open(), offset, len).err(),
            ]
        }
        .map(|error| error.map(|error| error.kind()));
        assert_eq!(kinds, [Some(io::ErrorKind::UnexpectedEof); 3], "{offset} {len}");
        assert_eq!(fs::metadata(&file.0).unwrap().len(), 10_000);
    }
}

#[test]
fn shared_writes_reach_the_file_and_private_ones_do_not() {
    let file = Scratch::new("writes", &sample());
    {
        // SAFETY: nobody else knows the file's name.
        let mut map = unsafe { MapMut::open_private(&file.open(), 5, 10) }.unwrap();
        map.fill(0xff);
        assert_eq!(*map, [0xff; 10]);
    }
    assert_eq!(fs::read(&file.0).unwrap(), sample());
    {
        // SAFETY: nobody else knows the file's name.
        let mut map = unsafe { MapMut::open(&file.open(), 5, 10) }.unwrap();
        map.fill(0xff);
        map.flush().unwrap();
    }
    let mut want = sample();
    want[5..15].fill(0xff);
    assert_eq!(fs::read(&file.0).unwrap(), want);
}
