//! `send` and `recv` over loopback, Unix sockets and pipes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Stdio};

use ndbytes::{Compression, Limits};

use crate::{Folder, text};

/// A command that listens.
struct Listener {
    child: Child,
    err: BufReader<ChildStderr>,
    address: String,
}

impl Listener {
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let mut child = folder
            .command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        err.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or(&line).to_owned();
        Self { child, err, address }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address.strip_prefix("tcp://").unwrap()).unwrap()
    }

    /// Exit status and the rest of what it said.
    fn end(mut self) -> (i32, String) {
        let mut text = String::new();
        self.err.read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap().code().unwrap_or(-1), text)
    }
}

#[test]
fn many_arrays_arrive_as_they_were() {
    let folder = Folder::new();
    folder.count("a.npy", &[2, 3]);
    folder.count("big.npy", &[700, 1000]);
    folder.archive("c.npz", Compression::Deflate(6));
    folder.ok(&["convert", "a.npy", "f.npy", "--out-order", "F", "--byte-order", "big"]);
    let unix = format!("unix://{}", text(&folder.path("socket")));
    for address in ["tcp://127.0.0.1:0", unix.as_str()] {
        let listener = Listener::start(&folder, &["recv", address, "--out", "in", "--overwrite"]);
        let sent = ["send", "a.npy", "big.npy", "c.npz", "f.npy"];
        let run = folder.run(&[&sent[..], &[&listener.address]].concat());
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.err.contains("sent 4 files"), "{run:?}");
        let (status, text) = listener.end();
        assert_eq!((status, text.as_str()), (0, "received 4 files\n"));
        for name in ["a.npy", "big.npy", "c.npz", "f.npy"] {
            assert_eq!(folder.read(&format!("in/{name}")), folder.read(name));
        }
        // To who stores no files, and by who knows arrays alone, every array of each.
        for args in [
            vec!["recv", address, "--out", "all.npz", "--overwrite"],
            vec!["recv", address, "--out", "plain", "--overwrite"],
        ] {
            let listener = Listener::start(&folder, &args);
            let mut sent = [&sent[..], &[&listener.address]].concat();
            if args[3] == "plain" {
                sent.push("--plain");
            }
            let run = folder.run(&sent);
            assert_eq!(run.status, 0, "{run:?}");
            assert!(run.err.contains("sent 5 arrays"), "{run:?}");
            assert_eq!(listener.end(), (0, "received 5 arrays\n".to_owned()));
        }
        let bytes = folder.read("all.npz");
        let reader = ndbytes::NpzReader::new(&bytes[..], &Limits::default()).unwrap();
        assert_eq!(reader.keys().count(), 5);
        assert_eq!(folder.read("plain/00000.npy"), folder.read("a.npy"));
        assert_eq!(folder.read("plain/00001.npy"), folder.read("big.npy"));
        assert_eq!(folder.read("plain/00002.npy"), folder.read("a.npy"));
        assert_eq!(folder.read("plain/00004.npy"), folder.read("f.npy"));
    }
    assert!(!folder.path("socket").exists());
}

#[test]
fn either_side_may_listen() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    let listener = Listener::start(&folder, &["send", "a.npy", "tcp://127.0.0.1:0", "--listen"]);
    folder.ok(&["recv", &listener.address, "--connect", "--out", "b.npy"]);
    assert_eq!(listener.end().0, 0);
    assert_eq!(folder.read("b.npy"), folder.read("a.npy"));
}

#[test]
fn pipes_and_several_arrays_in_one_file() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    folder.archive("b.npz", Compression::Stored);
    let stream = folder.run(&["send", "a.npy", "b.npz", "-", "--plain"]).out;
    folder.write("three.npy", &stream);
    assert_eq!(folder.run(&["send", "three.npy", "-", "--plain"]).out, stream);
    assert_eq!(folder.run_with(&["send", "-", "-", "--plain"], &stream).out, stream);
    assert_eq!(folder.run_with(&["recv", "-", "--out", "-"], &stream).out, stream);
    let run = folder.run_with(&["recv", "-", "--out", "all.npz"], &stream);
    assert_eq!(run.status, 0, "{run:?}");
    let bytes = folder.read("all.npz");
    let reader = ndbytes::NpzReader::new(&bytes[..], &Limits::default()).unwrap();
    assert_eq!(reader.keys().collect::<Vec<_>>(), ["arr_0", "arr_1", "arr_2"]);
    let run = folder.run_with(&["recv", "-", "--out", "in"], &stream);
    assert!(run.text().contains("in/00001.npy <i4 (2, 3)"));
}

#[test]
fn pipes_have_names_sums_and_an_end() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    folder.archive("b.npz", Compression::Stored);
    let stream = folder.run(&["send", "a.npy", "b.npz", "-"]).out;
    // Another hand passes on what was said.
    assert_eq!(folder.run_with(&["send", "-", "-"], &stream).out, stream);
    let run = folder.run_with(&["recv", "-", "--out", "all.npz"], &stream);
    assert_eq!(run.status, 0, "{run:?}");
    let bytes = folder.read("all.npz");
    let reader = ndbytes::NpzReader::new(&bytes[..], &Limits::default()).unwrap();
    assert_eq!(reader.keys().collect::<Vec<_>>(), ["a", "a_1", "b"]);
    let plain = folder.run(&["send", "a.npy", "b.npz", "-", "--plain"]).out;
    assert_eq!(folder.run_with(&["recv", "-", "--out", "-"], &stream).out, plain);
    assert_eq!(folder.run_with(&["send", "-", "-", "--plain"], &stream).out, plain);

    // Wherever it is cut, that is told, and what came whole is kept.
    for end in (1..stream.len()).step_by(7) {
        let args = ["recv", "-", "--out", "in", "--overwrite"];
        folder.run_with(&args, &stream[..end]).fails(1, "arrived whole");
        folder.run_with(&["send", "-", "-"], &stream[..end]).fails(1, "");
    }
    for at in (0..stream.len()).step_by(11) {
        let mut stream = stream.clone();
        stream[at] ^= 1;
        folder.run_with(&["recv", "-", "--out", "flip.npz"], &stream).fails(1, "arrived whole");
    }
    assert!(!folder.path("flip.npz").exists());
    folder.run_with(&["recv", "-", "--out", "none.npz"], b"").fails(1, "empty");
}

#[test]
fn several_sessions_may_follow_one_another() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    folder.archive("b.npz", Compression::Stored);
    let stream = folder.run(&["send", "a.npy", "b.npz", "-"]).out;
    // A session without arrays is none without bytes.
    folder.write("empty.npz", b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    let empty = folder.run(&["send", "empty.npz", "-"]).out;
    assert_eq!(folder.run_with(&["send", "-", "-"], &empty).out, empty);
    folder.run_with(&["send", "-", "-"], b"").fails(1, "empty");
    // Two of one name are both kept.
    let passed = folder.run_with(&["send", "a.npy", "-", "-"], &stream).out;
    let run = folder.run_with(&["recv", "-", "--out", "twice.npz"], &passed);
    assert_eq!(run.status, 0, "{run:?}");
    let twice = folder.read("twice.npz");
    let reader = ndbytes::NpzReader::new(&twice[..], &Limits::default()).unwrap();
    assert_eq!(reader.keys().collect::<Vec<_>>(), ["a", "a_1", "a_1_1", "b"]);
    // Whoever comes in the middle is told so.
    let script = "\"$0\" recv - --count 1 --out one.npy && \"$0\" recv - --out two.npz";
    let output = shell(&folder, script, &stream);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("middle of a session"));
    assert!(folder.path("one.npy").exists() && !folder.path("two.npz").exists());

    // From one pipe.
    folder.run_with(&["recv", "-", "--out", "once.npz"], &stream);
    let script = "for i in 1 2 3; do \"$0\" recv - --out $i.npz || exit; done; cat";
    let output = shell(&folder, script, &[&stream[..], &stream, &stream, b"and so on"].concat());
    assert_eq!(output.stdout, b"and so on");
    assert_eq!(
        [1, 2, 3].map(|i| folder.read(&format!("{i}.npz"))),
        [0; 3].map(|_| folder.read("once.npz"))
    );
}

/// What a script of the shell says, in which `$0` is the command.
fn shell(folder: &Folder, script: &str, input: &[u8]) -> std::process::Output {
    let mut shell = std::process::Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_ndbytes")])
        .current_dir(folder.path(""))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(input).unwrap();
    shell.wait_with_output().unwrap()
}

#[test]
fn a_send_into_a_pipe_that_nobody_reads_fails() {
    let folder = Folder::new();
    folder.count("big.npy", &[100_000]);
    if std::path::Path::new("/dev/full").exists() {
        let output = shell(&folder, "\"$0\" send big.npy - >/dev/full", b"");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.starts_with("ndbytes: -: no space left"), "{text}");
    }
    for more in [&["--plain"][..], &[]] {
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_ndbytes"))
            .args(["send", "big.npy", "-"])
            .args(more)
            .current_dir(folder.path(""))
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        process.stdout.take().unwrap().read_exact(&mut [0; 100]).unwrap();
        let output = process.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("0 arrays sent whole"), "{text}");
    }
}

#[test]
fn a_cut_stream_is_told_with_what_arrived_whole() {
    let folder = Folder::new();
    folder.count("a.npy", &[600]);
    let bytes = folder.read("a.npy");
    for (end, whole) in
        [(5, 0), (100, 0), (2000, 0), (bytes.len() + 3, 1), (bytes.len() * 2 - 1, 1)]
    {
        let listener =
            Listener::start(&folder, &["recv", "tcp://127.0.0.1:0", "--out", "in", "--overwrite"]);
        let mut stream = listener.connect();
        stream.write_all(&[&bytes[..], &bytes].concat()[..end]).unwrap();
        drop(stream);
        let (status, text) = listener.end();
        assert_eq!(status, 1, "{text}");
        assert!(text.contains(&format!("cut within array {whole}")), "{text}");
        assert!(
            text.contains(["0 arrays arrived whole", "1 array arrived whole"][whole]),
            "{text}"
        );
    }
    // What arrived whole was kept, nothing else was written.
    assert_eq!(folder.read("in/00000.npy"), bytes);
    assert_eq!(std::fs::read_dir(folder.path("in")).unwrap().count(), 1);
    let cut = &bytes[..500];
    folder.run_with(&["recv", "-", "--out", "one.npy"], cut).fails(1, "0 arrays arrived whole");
    folder.run_with(&["recv", "-", "--out", "all.npz"], cut).fails(1, "0 arrays arrived whole");
    assert_eq!(folder.names(), ["a.npy", "in"]);
}

#[test]
fn counts_are_kept() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    let two = folder.read("a.npy").repeat(2);
    folder.run_with(&["recv", "-", "--count", "3"], &two).fails(1, "after 2 of 3 arrays");
    let run = folder.run_with(&["recv", "-", "--count", "1", "--out", "one.npy"], &two);
    assert_eq!(run.status, 0, "{run:?}");
    folder.run_with(&["recv", "-", "--out", "two.npy"], &two).fails(1, "more than one array");
    folder.run_with(&["recv", "-", "--out", "none.npy"], b"").fails(1, "0 arrays came");
    assert!(!folder.path("two.npy").exists() && !folder.path("none.npy").exists());
}

#[test]
fn files_that_are_there_are_not_replaced_unasked() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    let bytes = folder.read("a.npy");
    folder.write("00000.npy", b"old");
    folder.run_with(&["recv", "-"], &bytes).fails(2, "--overwrite");
    folder.run_with(&["recv", "-", "--out", "a.npy"], &bytes).fails(2, "--overwrite");
    assert_eq!(folder.read("00000.npy"), b"old");
    assert_eq!(folder.run_with(&["recv", "-", "--overwrite"], &bytes).status, 0);
    assert_eq!(folder.read("00000.npy"), bytes);
}

#[test]
fn too_large_an_array_is_refused_before_it_is_read() {
    let folder = Folder::new();
    folder.count("a.npy", &[600]);
    let head = &folder.read("a.npy")[..128];
    folder.run_with(&["recv", "-", "--max-bytes", "2399"], head).fails(1, "--max-bytes");
}

#[test]
fn silence_ends_with_a_message() {
    let folder = Folder::new();
    let args = ["recv", "tcp://127.0.0.1:0", "--timeout", "0.2"];
    // Nobody connects.
    let (status, text) = Listener::start(&folder, &args).end();
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("nobody connected for 0.2 s"), "{text}");
    // Somebody connects and says nothing.
    let listener = Listener::start(&folder, &args);
    let stream = listener.connect();
    let (status, text) = listener.end();
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("sent nothing for 0.2 s; "), "{text}");
    assert!(text.contains("0 arrays arrived whole"), "{text}");
    drop(stream);
}

#[test]
fn a_send_that_nobody_reads_times_out() {
    let folder = Folder::new();
    folder.count("big.npy", &[5_000_000]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let run = folder.run(&["send", "big.npy", &address, "--timeout", "0.3"]);
    run.fails(2, "sent nothing for 0.3 s");
    let run = folder.run(&["send", "big.npy", &address, "--timeout", "0.3", "--plain"]);
    run.fails(2, "took nothing for 0.3 s");
    run.fails(2, "0 arrays sent whole");
}

#[test]
fn a_peer_that_goes_away_is_noticed() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // Closed with bytes unread, which resets the connection.
        stream.read_exact(&mut [0; 10]).unwrap();
    });
    folder.run(&["send", "a.npy", &address]).fails(2, "reset");
    peer.join().unwrap();
}

#[test]
fn refused_connections_and_bad_addresses_are_trouble() {
    let folder = Folder::new();
    folder.count("a.npy", &[6]);
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("tcp://127.0.0.1:{port}");
    folder.run(&["send", "a.npy", &address]).fails(2, "refused");
    folder.run(&["recv", &address, "--connect"]).fails(2, "refused");
    folder.run(&["send", "a.npy", "unix:///nonexistent/socket"]).fails(2, "no such");
    let url = format!("http://127.0.0.1:{port}/stream/");
    folder.run(&["send", "a.npy", &url]).fails(2, "refused");
    folder.run(&["recv", &url]).fails(2, "refused");
    folder.run(&["recv", &url, "--keep"]).fails(2, "ndbytes serve");
    folder.run(&["send", "a.npy", "ftp://localhost"]).fails(2, "no address");
    folder.run(&["send", "a.npy", "http://a b/"]).fails(2, "no URL");
}

#[test]
fn bad_files_are_found_before_anything_is_sent() {
    let folder = Folder::new();
    folder.count("a.npy", &[600]);
    folder.write("html.npy", b"<html>");
    let run = folder.run(&["send", "a.npy", "html.npy", "-"]);
    run.fails(1, "HTML");
    assert_eq!(run.out, b"");
    let bytes = folder.read("a.npy");
    folder.write("cut.npy", &bytes[..bytes.len() - 1]);
    let run = folder.run(&["send", "cut.npy", "-", "--plain"]);
    run.fails(1, "2399 of 2400 bytes");
    assert_eq!(run.out, b"");
    folder.run_with(&["send", "-", "-"], b"").fails(1, "empty");
}
