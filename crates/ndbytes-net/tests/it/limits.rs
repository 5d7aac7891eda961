//! Clients that are slow, many, or in the middle of something.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use ndbytes::{ArrayView, FrameOptions, Order, dump_frame};

use crate::client::{Answer, Served};

/// Reads until the server closes.
fn closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, id: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags, 0, 0, 0, id], payload].concat()
}

#[test]
fn who_sends_a_header_for_ever_is_cut_off() {
    let served = Served::with(|options| {
        options.header_timeout = Duration::from_millis(600);
        options.idle_timeout = Duration::from_secs(60);
    });
    let begin = Instant::now();
    let mut silent = served.connect();
    let mut slow = served.connect();
    let mut http2 = served.connect();
    http2.write_all(PREFACE).unwrap();
    let mut second = served.connect();
    second.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = [0; 20];
    second.read_exact(&mut answer).unwrap();
    second.write_all(b"GET /hea").unwrap();
    for byte in b"GET /files/ HTTP/1.1\r\nX: 1234567890" {
        if slow.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    let mut rest = Vec::new();
    second.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    let (_, last) = rest.split_once("HTTP/1.1 408 Request Timeout\r\n").expect("a last word");
    assert!(last.contains("http.timeout") && last.contains("Connection: close"), "{last}");
    // Who began nothing is told nothing, and HTTP/2 has no words for it.
    for stream in [&mut silent, &mut http2] {
        let mut rest = Vec::new();
        let ended = stream.read_to_end(&mut rest);
        assert!(ended.is_ok_and(|_| !rest.starts_with(b"HTTP/1")));
    }
    assert!(closed(&mut slow));
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(served.get("/health").status, 200);
    assert!(served.get("/metrics").text().contains("ndbytes_connections_timed_out_total 4"));
}

#[test]
fn who_takes_nothing_is_cut_off() {
    let served = Served::with(|options| options.write_timeout = Duration::from_millis(500));
    let size = 64 << 20;
    served.put("a.bin", &vec![0; size]);
    let mut stream = served.connect();
    stream.write_all(b"GET /files/a.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let begin = Instant::now();
    while !served.get("/metrics").text().contains("ndbytes_connections_timed_out_total 1") {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < size, "{}", rest.len());
}

/// HTTP/2 without a window: nothing is blocked, and nothing is taken.
#[test]
fn who_opens_no_window_is_cut_off() {
    let served = Served::with(|options| options.write_timeout = Duration::from_millis(500));
    served.put("a.bin", &vec![0; 16 << 20]);
    served.put("b.bin", &[0; 1000]);
    for name in [b"a", b"b"] {
        let begin = Instant::now();
        assert!(closed(&mut windowless(&served, name)));
        assert!(begin.elapsed() > Duration::from_millis(400), "it was answered at first");
    }
    let metrics = served.get("/metrics");
    assert!(metrics.text().contains("ndbytes_connections_timed_out_total 2"));
    assert!(metrics.text().contains("{status=\"2xx\"} 2"));
}

/// A connection that asks for `/files/NAME.bin` and takes nothing.
fn windowless(served: &Served, name: &[u8]) -> TcpStream {
    let mut stream = served.connect();
    // SETTINGS_INITIAL_WINDOW_SIZE is 0; then GET, HPACK by its static table.
    let settings = frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let fields = [&b"\x82\x86\x04\x0c/files/"[..], name, b".bin\x01\x09localhost"].concat();
    let request = frame(1, 5, 1, &fields);
    stream.write_all(&[PREFACE, &settings, &request].concat()).unwrap();
    stream
}

/// Elements of a frame are made many at once, and taken little by little: each is progress.
#[test]
fn who_takes_slowly_gets_all() {
    let served = Served::with(|options| {
        options.write_timeout = Duration::from_secs(1);
        // The end of an answer, which was made long before it is taken, is no idleness.
        options.idle_timeout = Duration::from_millis(100);
    });
    let size = 40 << 20;
    let zeros = vec![0; size];
    let view = ArrayView::contiguous("|u1".parse().unwrap(), &[size], Order::C, &zeros).unwrap();
    served.put("a.ndb", &dump_frame(&view, &FrameOptions::default()).unwrap());
    let begin = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = served.connect();
            let text = b"GET /arrays/a.ndb?slice= HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(text).unwrap();
            let mut taken = vec![0; 1 << 20];
            for _ in 0..size >> 20 {
                stream.read_exact(&mut taken).unwrap();
                std::thread::sleep(Duration::from_millis(150));
            }
        });
        let mut stream = served.connect();
        // A window of 1 MiB, and as much again each time.
        let settings = frame(4, 0, 0, &[0, 4, 0, 16, 0, 0]);
        let more = |id| frame(8, 0, id, &[0, 16, 0, 0]);
        let path = b"/arrays/a.ndb?slice=";
        let fields =
            [&b"\x82\x86\x04"[..], &[path.len() as u8], path, b"\x01\x09localhost"].concat();
        let request = frame(1, 5, 1, &fields);
        stream.write_all(&[PREFACE, &settings, &request, &more(0)].concat()).unwrap();
        let (mut taken, mut allowed) = (0, 1 << 20);
        while taken < size {
            let mut head = [0; 9];
            stream.read_exact(&mut head).unwrap();
            let len = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            let mut payload = vec![0; len];
            stream.read_exact(&mut payload).unwrap();
            taken += if head[3] == 0 { len } else { 0 };
            if taken + (64 << 10) > allowed {
                std::thread::sleep(Duration::from_millis(150));
                stream.write_all(&[more(0), more(1)].concat()).unwrap();
                allowed += 1 << 20;
            }
        }
    });
    assert!(begin.elapsed() > Duration::from_secs(3), "it was not slow");
}

#[test]
fn idle_connections_are_held_and_then_closed() {
    let served = Served::with(|options| options.idle_timeout = Duration::from_millis(800));
    let mut idle: Vec<_> = (0..200).map(|_| served.connect()).collect();
    for stream in &mut idle {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    assert_eq!(served.get("/health").status, 200);
    for stream in &mut idle {
        assert!(closed(stream));
    }
}

#[test]
fn connections_beyond_the_most_are_told_so() {
    let served = Served::with(|options| options.max_connections = 3);
    let held: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            stream
        })
        .collect();
    let mut bytes = Vec::new();
    served.connect().read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes).status, 503);
    drop(held);
    let begin = Instant::now();
    loop {
        let mut stream = served.connect();
        let sent = stream.write_all(b"GET /health HTTP/1.0\r\n\r\n");
        let mut bytes = Vec::new();
        if sent.is_ok()
            && stream.read_to_end(&mut bytes).is_ok()
            && bytes.starts_with(b"HTTP/1.0 200")
        {
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn requests_beyond_the_most_wait() {
    let served = Served::with(|options| options.max_requests = 1);
    served.put("a.bin", &vec![1; 1 << 20]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(served.get("/files/a.bin").body.len(), 1 << 20));
        }
    });
}

#[test]
fn connections_of_one_address_are_limited() {
    let served = Served::with(|options| options.max_connections_per_address = Some(2));
    let held = [served.connect(), served.connect()];
    let mut bytes = Vec::new();
    served.connect().read_to_end(&mut bytes).unwrap();
    assert_eq!(Answer::parse(&bytes).status, 503);
    drop(held);
    let begin = Instant::now();
    while !matches!(health(&served), Some(200)) {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The status of an answer, if there is one.
fn health(served: &Served) -> Option<u16> {
    let mut stream = served.connect();
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then(|| Answer::parse(&bytes).status)
}

#[test]
fn requests_of_one_client_are_limited() {
    let tokens = "a read aaaaaaaaaaaaaaaa\nb read bbbbbbbbbbbbbbbb";
    let served = Served::with(|options| {
        options.tokens = Some(ndbytes_net::serve::Tokens::parse(tokens).unwrap());
        options.max_requests_per_client = Some(1);
    });
    served.put("a.bin", &vec![1; 32 << 20]);
    let get = |token: &str, path: &str| {
        served.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))])
    };
    // As long as it has not taken its answer, a client has a request.
    let mut stream = served.connect();
    let request = b"GET /files/a.bin HTTP/1.1\r\nHost: localhost\r\n\
                    Authorization: Bearer aaaaaaaaaaaaaaaa\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    let refused = get("aaaaaaaaaaaaaaaa", "/files/");
    refused.fails(429, "http.too_many");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(get("bbbbbbbbbbbbbbbb", "/files/").status, 200);
    drop(stream);
    let begin = Instant::now();
    while get("aaaaaaaaaaaaaaaa", "/files/").status != 200 {
        assert!(begin.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    let counted = get("bbbbbbbbbbbbbbbb", "/metrics");
    assert!(!counted.text().contains("ndbytes_limited_total 0\n"), "{}", counted.text());
}

#[test]
fn requests_of_one_address_come_at_a_pace() {
    let served = Served::with(|options| options.max_rate_per_client = Some(2.0));
    let begin = Instant::now();
    let answers: Vec<_> = (0..40).map(|_| served.get("/files/").status).collect();
    let taken = answers.iter().filter(|&&status| status == 200).count();
    let due = (begin.elapsed().as_secs_f64() * 2.0) as usize;
    assert!((3..=4 + due).contains(&taken), "{answers:?}");
    assert!(answers.iter().all(|&status| matches!(status, 200 | 429)), "{answers:?}");
    // Whether the server runs may be asked at any time.
    assert_eq!(served.get("/health").status, 200);
}

#[test]
fn garbage_is_refused() {
    let served = Served::new();
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(5000));
    for bytes in [
        &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let mut stream = served.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    assert_eq!(served.get("/health").status, 200);
}

#[test]
fn what_has_begun_is_ended_before_the_server_is() {
    let served = Served::new();
    let size = 32 << 20;
    served.put("a.bin", &vec![5; size]);
    let mut idle = served.connect();
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    let mut stream = served.connect();
    stream.write_all(b"GET /files/a.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream.read_exact(&mut first).unwrap();
    let reader = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).map(|_| rest.len())
    });
    let address = served.address;
    served.end();
    assert!(reader.join().unwrap().unwrap() >= size);
    assert!(closed(&mut idle));
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_server_does_not_wait_for_ever() {
    let served = Served::with(|options| options.grace = Duration::from_millis(300));
    served.put("a.bin", &vec![5; 64 << 20]);
    let mut stream = served.connect();
    stream.write_all(b"GET /files/a.bin HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    let begin = Instant::now();
    served.end();
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn who_sends_much_learns_why_it_is_refused() {
    let served = Served::with(|options| options.write = true);
    served.put("a", b"x");
    let body = vec![7; 32 << 20];
    for _ in 0..5 {
        let mut stream = served.connect();
        let head = format!(
            "PUT /files/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             If-Match: \"other\"\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        Answer::parse(&answer).fails(412, "http.precondition");
    }
}
