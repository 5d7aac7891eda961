//! Peers that never fall silent, and never get on: a byte now and then.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use ndbytes::{ArrayView, Dtype, Order, Progress, dumps};
use ndbytes_net::session::{Address, Listener, SessionOptions};

use crate::client::{Answer, Served};

/// Writes a byte every now and then until nobody takes them, or for some time.
fn drip(mut stream: impl Write, bytes: &[u8]) {
    for byte in bytes.iter().cycle().take(100) {
        if stream.write_all(&[*byte]).and_then(|()| stream.flush()).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_array_that_comes_byte_by_byte_is_given_up() {
    let options = SessionOptions::default().with_timeout(Some(Duration::from_millis(600)));
    let address: Address = "tcp://127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&address, &options).unwrap();
    let host = listener.address().host().unwrap().to_owned();
    let elements = vec![7; 4096];
    let dtype: Dtype = "|u1".parse().unwrap();
    let view = ArrayView::contiguous(dtype, &[4096], Order::C, &elements).unwrap();
    let message = dumps(&view).unwrap();
    // Within its header, and within its elements.
    for begun in [7, 1000] {
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        let link = listener.accept(Some(Duration::from_secs(5))).unwrap().unwrap();
        let (head, rest) = message.split_at(begun);
        stream.write_all(head).unwrap();
        let begin = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| drip(stream, rest));
            let read = link.receive().and_then(|array| array.unwrap().read(&Progress::default()));
            let error = read.unwrap_err();
            let kind = error.io().map(std::io::Error::kind);
            assert_eq!(kind, Some(std::io::ErrorKind::TimedOut), "{error}");
            assert!(error.to_string().contains("bytes in"), "{error}");
            drop(link);
        });
        assert!(begin.elapsed() < Duration::from_secs(4));
    }
    // What comes at a pace is waited for, however often nothing comes in between.
    let mut stream = std::net::TcpStream::connect(&host).unwrap();
    let link = listener.accept(Some(Duration::from_secs(5))).unwrap().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                std::thread::sleep(Duration::from_millis(400));
                for piece in message.chunks(1500) {
                    stream.write_all(piece).unwrap();
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        });
        for _ in 0..3 {
            let array = link.receive().unwrap().unwrap().read(&Progress::default()).unwrap();
            assert_eq!(array.bytes(), elements);
        }
    });
}

#[test]
fn a_file_that_comes_byte_by_byte_is_given_up() {
    let served = Served::with(|options| {
        options.write = true;
        options.write_timeout = Duration::from_millis(600);
    });
    let mut stream = served.connect();
    stream
        .write_all(b"PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
        .unwrap();
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let slow = stream.try_clone().unwrap();
        scope.spawn(|| drip(slow, b"x"));
        let mut answer = vec![0; 4096];
        let n = stream.read(&mut answer).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(4), "it was taken to the end");
        Answer::parse(&answer[..n]).fails(408, "http.timeout");
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    assert_eq!(std::fs::read_dir(served.folder.path()).unwrap().count(), 0);
}
