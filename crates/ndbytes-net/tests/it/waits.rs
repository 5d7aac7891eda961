//! Servers that do not answer: signals end what waits for them, and so does the time that they have.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ndbytes::{Progress, ReadAt, Result};
use ndbytes_net::client::{RemoteFile, RemoteOptions, put};

/// A server that does this with every connection, which stays open as long as it is held.
fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            answer(&mut stream);
            held.push(stream);
        }
    });
    url
}

/// Reads a request.
fn request(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    String::from_utf8(seen).unwrap()
}

fn head(first: usize, len: usize) -> String {
    let last = first + len - 1;
    format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {len}\r\nContent-Range: bytes {first}-{last}/10000000\r\n\r\n"
    )
}

/// Asks for what it then does not read.
fn takes_no_more(stream: &mut TcpStream) {
    request(stream);
    stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
}

/// Whether the third signal ends the work, and nothing else.
fn is_ended<T>(work: impl FnOnce(&RemoteOptions) -> Result<T>) {
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let options = RemoteOptions::default().with_on_signal(Some(Arc::new(move || {
        match counted.fetch_add(1, Ordering::Relaxed) {
            0..2 => Ok(()),
            _ => Err(io::Error::other("enough")),
        }
    })));
    let begin = Instant::now();
    let error = work(&options).err().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert_eq!(error.io().map(ToString::to_string).as_deref(), Some("enough"), "{error}");
    assert_eq!(heard.load(Ordering::Relaxed), 3, "nothing is tried again");
}

#[test]
fn a_signal_ends_a_wait_for_an_answer() {
    let url = server(|_| {});
    is_ended(|options| RemoteFile::open(&url, options));
    // Which may be an address first where nobody listens.
    is_ended(|options| RemoteFile::open(&url.replace("127.0.0.1", "localhost"), options));
    is_ended(|options| put(&url, &[b"abc"], options, &Progress::default()));
}

#[test]
fn a_signal_ends_a_wait_for_the_rest_of_an_answer() {
    let whole = server(|stream| {
        request(stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc").unwrap();
    });
    is_ended(|options| RemoteFile::open(&whole, options));
    let refusal = server(|stream| {
        request(stream);
        stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\nabc").unwrap();
    });
    is_ended(|options| RemoteFile::open(&refusal, options));
}

#[test]
fn what_is_read_from_a_file_that_is_open_hears_nothing() {
    let url = server(|stream| {
        // A connection for each: the first is given up before its end is known.
        let first = if request(stream).contains("bytes=0-") { 0 } else { 1 << 20 };
        if first > 0 {
            std::thread::sleep(Duration::from_millis(300));
        }
        stream.write_all(head(first, 1 << 18).as_bytes()).unwrap();
        stream.write_all(&vec![7; 1 << 18]).unwrap();
    });
    let is_open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&is_open);
    let options =
        RemoteOptions::default().with_retries(0).with_on_signal(Some(Arc::new(move || {
            if opened.load(Ordering::Relaxed) { Err(io::Error::other("heard")) } else { Ok(()) }
        })));
    let file = RemoteFile::open(&url, &options).unwrap();
    is_open.store(true, Ordering::Relaxed);
    let mut some = vec![0; 1 << 18];
    assert_eq!(file.read_at(&mut some, 1 << 20).unwrap(), some.len());
    assert!(some.iter().all(|&byte| byte == 7));
}

#[test]
fn a_signal_ends_a_wait_until_more_can_be_sent() {
    let url = server(takes_no_more);
    let bytes = vec![0; 64 << 20];
    is_ended(|options| put(&url, &[&bytes], options, &Progress::default()));
}

#[test]
fn a_signal_ends_the_pause_before_another_attempt() {
    let url = server(|stream| {
        request(stream);
        let busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 50\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(busy).unwrap();
    });
    is_ended(|options| RemoteFile::open(&url, options));
}

#[test]
fn silence_ends_with_the_time_that_there_is() {
    let (silent, full) = (server(|_| {}), server(takes_no_more));
    let options = RemoteOptions::default().with_retries(1).with_timeout(Duration::from_millis(300));
    let send = |url| put(url, &[&vec![0; 64 << 20]], &options, &Progress::default());
    let works: [&dyn Fn() -> Result<()>; 3] =
        [&|| RemoteFile::open(&silent, &options).map(drop), &|| send(&silent), &|| send(&full)];
    for work in works {
        let begin = Instant::now();
        let error = work().unwrap_err();
        assert_eq!(error.io().map(io::Error::kind), Some(io::ErrorKind::TimedOut), "{error}");
        let took = begin.elapsed();
        assert!((Duration::from_millis(600)..Duration::from_secs(10)).contains(&took), "{took:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = RemoteOptions::default().with_retries(0);
    let error = RemoteFile::open(&format!("http://{free}/a"), &options).unwrap_err();
    assert_eq!(error.io().map(io::Error::kind), Some(io::ErrorKind::ConnectionRefused), "{error}");
}
