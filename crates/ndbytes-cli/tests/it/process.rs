//! Exit statuses, full disks, closed pipes, limits and signals.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use crate::{Folder, text};

#[test]
fn wrong_usage_is_trouble() {
    let folder = Folder::new();
    folder.run(&["frobnicate"]).fails(2, "frobnicate");
    folder.run(&["info"]).fails(2, "FILE");
    folder.run(&["convert", "a", "b.npy", "--dtype", "<q9"]).fails(2, "--dtype");
    let run = folder.run(&[]);
    assert_eq!(run.status, 2);
    assert!(run.err.contains("Usage"), "{run:?}");
}

#[test]
fn a_full_disk_is_an_error() {
    let folder = Folder::new();
    folder.count("a.npy", &[10]);
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    folder.run(&["convert", "a.npy", "/dev/full", "--to", "raw"]).fails(2, "/dev/full: no space");
    folder.run(&["compress", "a.npy", "/dev/full", "--codec", "zlib"]).fails(2, "no space");
    for args in [&["cat", "a.npy"][..], &["info", "a.npy"], &["convert", "a.npy", "-"], &["--help"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = folder.command(args).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {err}");
        assert!(err.contains("standard output: no space left"), "{args:?}: {err}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let folder = Folder::new();
    folder.count("a.npy", &[1_000_000]);
    for args in [&["cat", "--all", "a.npy"][..], &["convert", "a.npy", "-"]] {
        let mut child =
            folder.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stderr, b"");
    }
}

#[test]
fn a_limit_on_file_sizes_is_an_error_and_not_death() {
    let folder = Folder::new();
    folder.count("a.npy", &[100_000]);
    folder.write("b.npy", b"old");
    let script = format!("ulimit -f 1; {} convert a.npy b.npy", env!("CARGO_BIN_EXE_ndbytes"));
    let output =
        Command::new("sh").args(["-c", &script]).current_dir(folder.path("")).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("b.npy: the file would be larger than is allowed"), "{err}");
    assert_eq!(folder.read("b.npy"), b"old");
    assert_eq!(folder.names(), ["a.npy", "b.npy"]);
}

#[test]
fn a_socket_file_is_gone_after_a_signal() {
    let folder = Folder::new();
    let address = format!("unix://{}", text(&folder.path("socket")));
    let mut child = folder.command(&["recv", &address]).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(folder.path("socket").exists());
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    child.wait().unwrap();
    assert!(!folder.path("socket").exists());
}

#[test]
fn an_unwritable_place_is_trouble() {
    let folder = Folder::new();
    folder.count("a.npy", &[3]);
    folder.run(&["convert", "a.npy", "missing/b.npy"]).fails(2, "missing/b.npy: no such");
    folder.run(&["convert", "a.npy", ".", "--to", "npy"]).fails(2, "folder");
}
