//! The real binary on real files.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests; helpers are no test functions")]

mod cat;
mod compress;
mod convert;
mod diff;
mod generate;
mod info;
#[cfg(unix)]
mod network;
#[cfg(unix)]
mod process;
#[cfg(target_os = "linux")]
mod signals;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ndbytes::{ArrayView, Compression, NpzWriter, Order, SaveOptions};

/// A folder of files, gone with the test.
struct Folder(tempfile::TempDir);

/// What a run left.
#[derive(Debug)]
struct Run {
    status: i32,
    out: Vec<u8>,
    err: String,
}

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the command in this folder.
    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, b"")
    }

    /// Runs it with this on its standard input.
    fn run_with(&self, args: &[&str], input: &[u8]) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A command that needs no input has closed it: that is fine.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Run {
            status: output.status.code().unwrap_or(-1),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ndbytes"));
        command.args(args).current_dir(self.0.path());
        command
    }

    /// Runs it, expects success, and returns what it printed.
    fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.status, 0, "{args:?}: {run:?}");
        run.text()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Saves an .npy whose bytes count up from 0, or are these.
    fn save(&self, name: &str, dtype: &str, shape: &[usize], order: Order, bytes: &[u8]) {
        let view = ArrayView::contiguous(dtype.parse().unwrap(), shape, order, bytes).unwrap();
        ndbytes::save(&self.path(name), &view, &SaveOptions::default()).unwrap();
    }

    /// Saves the integers from 0 as `<i4` in C order.
    fn count(&self, name: &str, shape: &[usize]) {
        self.save(name, "<i4", shape, Order::C, &integers(shape.iter().product()));
    }

    /// Saves an .npz of `a`, 2 by 3, and `b`, 4 bytes.
    fn archive(&self, name: &str, compression: Compression) {
        let mut writer = NpzWriter::new(Vec::new());
        let a = integers(6);
        let a = ArrayView::contiguous("<i4".parse().unwrap(), &[2, 3], Order::C, &a).unwrap();
        writer.add("a", &a, compression).unwrap();
        let b = ArrayView::contiguous("|u1".parse().unwrap(), &[4], Order::C, b"\0\x01\x02\x03");
        writer.add("b", &b.unwrap(), compression).unwrap();
        self.write(name, &writer.finish().unwrap());
    }
}

impl Run {
    fn text(self) -> String {
        String::from_utf8(self.out).unwrap()
    }

    /// Expects this status and this in the message, which is one line of ours.
    #[track_caller]
    fn fails(&self, status: i32, message: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.err.starts_with("ndbytes: "), "{self:?}");
        assert!(self.err.contains(message), "{message}: {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

fn integers(count: usize) -> Vec<u8> {
    (0..count as i32).flat_map(i32::to_le_bytes).collect()
}

fn floats(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
