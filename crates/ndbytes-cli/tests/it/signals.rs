//! Every command that writes, ended in the middle: by the signal, and nothing is left.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ndbytes::Order;

use crate::Folder;

/// Noise, which takes codecs their time.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u32 % 1000
    };
    (0..count).flat_map(|_| next().to_le_bytes()).collect()
}

/// A command with something on its standard input, which then stays open.
fn started(folder: &Folder, args: &[&str], input: &[u8]) -> Child {
    let mut command = folder.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(input).unwrap();
    child
}

/// What it writes: names in the folder that were not there, and files without a name.
fn written(folder: &Folder, before: &[String], child: &Child) -> (bool, bool) {
    let named = folder.names().iter().any(|name| !before.contains(name) && name.ends_with(".tmp"));
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", child.id())) else { return (named, false) };
    let unnamed = open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).any(|file| {
        file.starts_with(folder.path("")) && file.to_string_lossy().ends_with(" (deleted)")
    });
    (named, unnamed)
}

/// Ends the command by each signal when it has begun to write.
fn interrupted(folder: &Folder, mut start: impl FnMut() -> Child) {
    let before = folder.names();
    for (signal, number) in [("INT", 2), ("TERM", 15), ("KILL", 9)] {
        let mut child = start();
        let deadline = Instant::now() + Duration::from_secs(60);
        let (named, unnamed) = loop {
            match written(folder, &before, &child) {
                (false, false) => {}
                found => break found,
            }
            assert!(child.try_wait().unwrap().is_none(), "{signal}: it ended before");
            assert!(Instant::now() < deadline, "{signal}: it writes nothing");
            std::thread::sleep(Duration::from_millis(1));
        };
        // The handler is set right after the file is made.
        std::thread::sleep(Duration::from_millis(100));
        let id = child.id().to_string();
        let kill = Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        assert!(kill.success());
        let status = child.wait().unwrap();
        // By the signal itself, which shells call 128 and its number.
        assert_eq!(status.signal(), Some(number), "{signal}");
        if signal == "KILL" && named {
            // Nobody can remove a name then.
            folder.names().iter().filter(|name| !before.contains(name)).for_each(|name| {
                let path = folder.path(name);
                let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            });
            continue;
        }
        assert_eq!(folder.names(), before, "{signal}, unnamed: {unnamed}");
    }
}

#[test]
fn compress_leaves_nothing() {
    let folder = Folder::new();
    interrupted(&folder, || started(&folder, &["compress", "-", "out.gz"], b"begun"));
}

#[test]
fn decompress_leaves_nothing() {
    let folder = Folder::new();
    folder.write("a", &noise(1 << 18));
    for name in ["a.gz", "a.zst", "a.lz4", "a.zlib"] {
        folder.ok(&["compress", "a", name]);
        let bytes = folder.read(name);
        interrupted(&folder, || {
            started(&folder, &["decompress", "-", "out"], &bytes[..bytes.len() / 2])
        });
    }
}

#[test]
fn convert_leaves_nothing() {
    let folder = Folder::new();
    folder.save("a.npy", "<u4", &[3 << 20], Order::C, &noise(3 << 20));
    folder.write("out.npz", b"old");
    for args in [
        &["convert", "a.npy", "out.ndb", "--codec", "zstd-19"][..],
        &["convert", "a.npy", "out.npz", "--level", "9"],
        &["convert", "a.npy", "out.zarr", "--codec", "zstd-19"],
    ] {
        interrupted(&folder, || started(&folder, args, b""));
    }
    assert_eq!(folder.read("out.npz"), b"old");
}

#[test]
fn recv_leaves_nothing() {
    let folder = Folder::new();
    folder.count("a.npy", &[1000]);
    let message = folder.read("a.npy");
    for out in ["out.npy", "out.npz"] {
        let mut peers = Vec::new();
        interrupted(&folder, || {
            let _ = fs::remove_file(folder.path("socket"));
            let child = started(&folder, &["recv", "unix://socket", "--out", out], b"");
            let deadline = Instant::now() + Duration::from_secs(60);
            let mut peer = loop {
                match UnixStream::connect(folder.path("socket")) {
                    Ok(peer) => break peer,
                    Err(error) => assert!(Instant::now() < deadline, "{error}"),
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            // One array whole, which might be the last, and half of another.
            peer.write_all(&message).unwrap();
            peer.write_all(&message[..message.len() / 2]).unwrap();
            peers.push(peer);
            child
        });
    }
}

#[test]
fn a_signal_that_comes_while_only_reading_ends_it() {
    let folder = Folder::new();
    let mut child = started(&folder, &["verify", "-"], b"\x93NUMPY");
    std::thread::sleep(Duration::from_millis(200));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}
