//! A file is whole and new, or as it was.
#![cfg(unix)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ndbytes::{
    AtomicFile, Compression, Limits, NpzReader, NpzWriter, SaveOptions, dumps, load, save, tofile,
};
use ndbytes_testkit::arrays::{Case, Layout};

use crate::assert_same;

fn small() -> Case {
    Case::new(&"<i4".parse().unwrap(), &[2, 3], Layout::C)
}

fn large() -> Case {
    Case::new(&"<f8".parse().unwrap(), &[500, 1000], Layout::Strided)
}

/// This test binary again, running one test alone, which looks at `CHILD`.
fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(CHILD, path);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

const CHILD: &str = "NDBYTES_TEST_CHILD";

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_reported_by_every_writer() {
    let full = Path::new("/dev/full");
    let options = SaveOptions::default();
    for case in [small(), large()] {
        let view = case.view();
        let mut npz = NpzWriter::new(AtomicFile::create(full, &options).unwrap());
        for error in [
            save(full, &view, &options).unwrap_err(),
            tofile(full, &view, ndbytes::Order::F, &options).unwrap_err(),
            npz.add("a", &view, Compression::Stored).unwrap_err(),
        ] {
            assert_eq!(error.io().and_then(std::io::Error::raw_os_error), Some(28), "{error}");
        }
    }
}

/// The child: `ulimit -f` is set, and a write beyond it fails with `EFBIG`.
#[test]
fn a_save_beyond_the_size_limit_keeps_the_old_file() {
    if let Some(path) = std::env::var_os(CHILD) {
        // Without this the signal would end the process instead.
        let error = save(Path::new(&path), &large().view(), &SaveOptions::default()).unwrap_err();
        assert_eq!(error.io().and_then(std::io::Error::raw_os_error), Some(27), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    save(&path, &small().view(), &SaveOptions::default()).unwrap();
    let exe = std::env::current_exe().unwrap();
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" --exact \"$1\" --nocapture"])
        .arg(exe)
        .arg("atomic::a_save_beyond_the_size_limit_keeps_the_old_file")
        .env(CHILD, &path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let array = load(&path, &Limits::default()).unwrap();
    assert_same(&array.view(), &small().view(), "the old file");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "something was left behind");
}

/// The child: writes half of a file, says so and waits to be killed.
#[test]
fn a_kill_in_mid_save_keeps_the_old_file() {
    if let Some(path) = std::env::var_os(CHILD) {
        let path = Path::new(&path);
        let bytes = dumps(&large().view()).unwrap();
        AtomicFile::write(path, &SaveOptions::default(), |file| {
            file.write_all(&bytes[..bytes.len() / 2])?;
            fs::write(path.with_extension("half"), b"")?;
            std::thread::sleep(Duration::from_secs(60));
            Ok(())
        })
        .unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    save(&path, &small().view(), &SaveOptions::default()).unwrap();
    let mut child = child("atomic::a_kill_in_mid_save_keeps_the_old_file", &path).spawn().unwrap();
    let begun = Instant::now();
    while !path.with_extension("half").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the child has not begun");
        assert!(child.try_wait().unwrap().is_none(), "the child has ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    // SIGKILL: no destructor runs.
    child.kill().unwrap();
    child.wait().unwrap();
    let array = load(&path, &Limits::default()).unwrap();
    assert_same(&array.view(), &small().view(), "the old file");
    // Where files have no name until they are complete, nothing is left behind.
    let probe = AtomicFile::create(&folder.path().join("b"), &SaveOptions::default()).unwrap();
    if probe.temporary().is_none() {
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
    drop(probe);
    // And a later save is not in the way of what was.
    save(&path, &large().view(), &SaveOptions::default()).unwrap();
    assert_same(&load(&path, &Limits::default()).unwrap().view(), &large().view(), "the new file");
}

#[test]
fn readers_see_the_old_or_the_new_file_and_nothing_between() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    save(&path, &small().view(), &SaveOptions::default()).unwrap();
    let (old, new) = (dumps(&small().view()).unwrap(), dumps(&large().view()).unwrap());
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 0..20 {
                let case = if i % 2 == 0 { large() } else { small() };
                save(&path, &case.view(), &SaveOptions::default()).unwrap();
            }
        });
        while !writer.is_finished() {
            let seen = fs::read(&path).unwrap();
            assert!(seen == old || seen == new, "{} bytes", seen.len());
        }
    });
}

#[test]
fn an_array_that_cannot_be_saved_keeps_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    save(&path, &small().view(), &SaveOptions::default()).unwrap();
    let overlapping =
        "{'names': ['a', 'b'], 'formats': ['<i4', '<i4'], 'offsets': [0, 2], 'itemsize': 8}";
    let bad = Case::new(&overlapping.parse().unwrap(), &[2], Layout::C);
    assert!(save(&path, &bad.view(), &SaveOptions::default()).is_err());
    assert_eq!(fs::read(&path).unwrap(), dumps(&small().view()).unwrap());
}

#[test]
fn an_archive_that_is_not_finished_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = NpzWriter::new(AtomicFile::create(&path, &SaveOptions::default()).unwrap());
    writer.add("a", &small().view(), Compression::Stored).unwrap();
    drop(writer);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_archive_in_a_file_has_its_sizes_in_front_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    for compression in [Compression::Stored, Compression::Deflate(6)] {
        let file = AtomicFile::create(&path, &SaveOptions::default()).unwrap();
        let mut writer = NpzWriter::new(file);
        writer.add("small", &small().view(), compression).unwrap();
        writer.add("large", &large().view(), compression).unwrap();
        writer.finish().unwrap().commit().unwrap();
        let reader = NpzReader::new(fs::File::open(&path).unwrap(), &Limits::default()).unwrap();
        assert!(reader.entries().iter().all(|entry| !entry.descriptor));
        assert_same(&reader.read("large").unwrap().view(), &large().view(), "large");
        assert_same(&reader.read("small").unwrap().view(), &small().view(), "small");
    }
}

#[test]
fn a_read_only_folder_is_an_error_of_the_system() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    // Root may write there all the same: then there is nothing to see.
    if fs::write(folder.path().join("probe"), b"").is_err() {
        let path = folder.path().join("a.npy");
        let error = save(&path, &small().view(), &SaveOptions::default()).unwrap_err();
        let kind = error.io().map(std::io::Error::kind);
        assert_eq!(kind, Some(std::io::ErrorKind::PermissionDenied));
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
}
