//! Sessions in the bodies of HTTP: sent to a folder, received from a file, cut at every byte.

use std::io::{Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use ndbytes::{
    Array, ArrayView, Code, Compression, FrameOptions, Header, NpzWriter, Order, Progress,
};
use ndbytes_net::serve::Tokens;
use ndbytes_net::session::{Link, Record, SendOptions, SessionOptions, Tag, connect};
use ndbytes_testkit::proxy::{Fault, Plan, Proxy, Way};

use crate::client::{Answer, Served};

fn served() -> Served {
    let served = Served::with(|options| {
        options.write = true;
        options.write_timeout = Duration::from_secs(5);
        options.max_upload = 8 << 20;
    });
    std::fs::create_dir(served.folder.path().join("in")).unwrap();
    served
}

fn options() -> SessionOptions {
    SessionOptions::default().with_timeout(Some(Duration::from_secs(10)))
}

fn link(served: &Served, path: &str) -> Link {
    let address = format!("http://{}/stream/{path}", served.address).parse().unwrap();
    connect(&address, &options()).unwrap()
}

fn array(dtype: &str, order: Order, shape: &[usize]) -> Array {
    let header = Header::new(dtype.parse().unwrap(), order, shape.to_vec()).unwrap();
    let mut array = Array::zeroed(header).unwrap();
    for (i, byte) in array.bytes_mut().iter_mut().enumerate() {
        *byte = (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3];
    }
    array
}

fn named(name: &str) -> Tag {
    Tag::new(Some(name.to_owned()), None)
}

fn send(link: &Link, array: &Array, name: &str) -> ndbytes::Result<u64> {
    link.send(&array.view(), &named(name), &SendOptions::default())
}

fn load(path: &Path) -> Array {
    ndbytes::load(path, &ndbytes::Limits::default()).unwrap()
}

/// What there is in the folder, hidden files as well.
fn names(served: &Served) -> Vec<String> {
    let found = std::fs::read_dir(served.folder.path().join("in")).unwrap();
    let mut names: Vec<_> =
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until nothing is written any more.
fn settled(served: &Served) -> Vec<String> {
    for _ in 0..200 {
        let names = names(served);
        if names.iter().all(|name| !name.starts_with('.')) {
            return names;
        }
        thread::sleep(Duration::from_millis(50));
    }
    names(served)
}

#[test]
fn arrays_become_files() {
    let served = served();
    let arrays = [
        ("ints", array("<i4", Order::C, &[3, 5])),
        ("fortran", array(">f8", Order::F, &[40, 50])),
        ("large", array("<u2", Order::C, &[1 << 20, 3])),
        ("scalar", array("<c16", Order::C, &[])),
        ("none", array("<f4", Order::C, &[0, 7])),
        ("\u{fc} \"%2F\"", array("|u1", Order::C, &[9])),
    ];
    let link = link(&served, "in/");
    for (name, array) in &arrays {
        send(&link, array, name).unwrap();
        if *name == "fortran" {
            link.sync().unwrap();
            // What is acknowledged is there, although the request goes on.
            assert_eq!(names(&served), ["fortran.npy", "ints.npy"]);
        }
    }
    let frame = SendOptions::default().with_frame(Some(FrameOptions::default()));
    link.send(&arrays[0].1.view(), &named("framed"), &frame).unwrap();
    link.close().unwrap();
    for (name, array) in &arrays {
        let stored = load(&served.folder.path().join("in").join(format!("{name}.npy")));
        assert_eq!((stored.header(), stored.bytes()), (array.header(), array.bytes()), "{name}");
    }
    let framed = load(&served.folder.path().join("in/framed.npy"));
    assert_eq!(framed.bytes(), arrays[0].1.bytes());
    assert_eq!(names(&served).len(), 7);
}

#[test]
fn files_are_received_as_sessions() {
    let served = served();
    let first = array("<i4", Order::F, &[300, 500]);
    let second = array("|u1", Order::C, &[5]);
    served.put("a.npy", &ndbytes::dumps(&first.view()).unwrap());
    served.put("b.ndb", &ndbytes::dump_frame(&first.view(), &FrameOptions::default()).unwrap());
    let mut archive = NpzWriter::new(Vec::new());
    archive.add("x/first", &first.view(), Compression::default()).unwrap();
    archive.add("second", &second.view(), Compression::Stored).unwrap();
    served.put("c.npz", &archive.finish().unwrap());
    served.put("empty.npz", &NpzWriter::new(Vec::new()).finish().unwrap());
    let (first, second) = (&first, &second);
    for (path, want) in [
        ("a.npy", vec![("a", first)]),
        ("b.ndb", vec![("b", first)]),
        ("c.npz", vec![("x/first", first), ("second", second)]),
        ("empty.npz", vec![]),
    ] {
        let link = link(&served, path);
        for (name, array) in want {
            let incoming = link.receive().unwrap().unwrap();
            assert_eq!(incoming.tag(), &named(name));
            let came = incoming.read(&Progress::default()).unwrap();
            assert_eq!((came.header(), came.bytes()), (array.header(), array.bytes()));
        }
        assert!(link.receive().unwrap().is_none());
        let refused = send(&link, second, "z").unwrap_err();
        assert_eq!(refused.code(), Code::StreamPlain, "{refused}");
        link.close().unwrap();
        // It knows its length before it is made.
        let target = format!("/stream/{path}");
        let (head, whole) = (served.ask("HEAD", &target, &[]), served.get(&target));
        assert_eq!(head.header("content-length"), whole.body.len().to_string());
        assert_eq!(whole.header("content-type"), "application/x-ndbytes-stream");
        let tag = whole.header("etag").to_owned();
        assert_eq!(served.ask("GET", &target, &[("If-None-Match", &tag)]).status, 304);
    }
    // Any file of arrays one after another is a stream, with names or without.
    let address = format!("http://{}/files/a.npy", served.address).parse().unwrap();
    let link = connect(&address, &options()).unwrap();
    let came = link.receive().unwrap().unwrap().read(&Progress::default()).unwrap();
    assert_eq!(came.bytes(), first.bytes());
    assert!(link.receive().unwrap().is_none());
}

#[test]
fn a_cut_anywhere_is_no_end() {
    let served = served();
    let whole = array("<i4", Order::C, &[6]);
    served.put("a.npy", &ndbytes::dumps(&whole.view()).unwrap());
    let receive = |proxy: &Proxy| {
        let address = format!("http://{}/stream/a.npy", proxy.address()).parse().unwrap();
        let link = connect(&address, &options())?;
        while let Some(incoming) = link.receive()? {
            assert_eq!(incoming.read(&Progress::default())?.bytes(), whole.bytes());
        }
        Ok::<_, ndbytes::Error>(())
    };
    let sent = |proxy: &Proxy| {
        let address = format!("http://{}/stream/in/", proxy.address()).parse().unwrap();
        let link = connect(&address, &options())?;
        send(&link, &whole, "b")?;
        link.close()
    };
    let target = served.folder.path().join("in/b.npy");
    let ways: [(Way, bool); 4] =
        [(Way::Up, true), (Way::Down, true), (Way::Up, false), (Way::Down, false)];
    for (way, gets) in ways {
        let mut passed = false;
        for at in 0..2000 {
            let fault = [Fault::Cut, Fault::Reset][at as usize % 2];
            let proxy = Proxy::start(served.address, move |_| Plan::fails(way, at, fault));
            let done = if gets { receive(&proxy) } else { sent(&proxy) };
            passed = done.is_ok();
            if let Err(error) = done {
                assert!(!error.message().is_empty());
            } else if !gets {
                // Whoever hears that it has arrived can rely on it.
                assert_eq!(load(&target).bytes(), whole.bytes());
            }
            if passed {
                break;
            }
            // There whole, or not at all.
            if !gets && target.exists() {
                assert_eq!(load(&target).bytes(), whole.bytes());
                std::fs::remove_file(&target).unwrap();
            }
        }
        assert!(passed, "{way:?} {gets}: it passes when the fault is behind its end");
        let _ = std::fs::remove_file(&target);
    }
    assert_eq!(settled(&served), [""; 0]);
}

#[test]
fn a_flipped_bit_is_noticed() {
    let served = served();
    let whole = array("|u1", Order::C, &[40]);
    served.put("a.npy", &ndbytes::dumps(&whole.view()).unwrap());
    let len = served.get("/stream/a.npy").body.len() as u64;
    let head = {
        let mut stream = served.connect();
        let ask = b"GET /stream/a.npy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(ask).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all.len() as u64 - len
    };
    for at in head..head + len {
        let flip = Fault::Flip((at % 8) as u8);
        let proxy = Proxy::start(served.address, move |_| Plan::fails(Way::Down, at, flip));
        let address = format!("http://{}/stream/a.npy", proxy.address()).parse().unwrap();
        let link = connect(&address, &options()).unwrap();
        let receive = || {
            while let Some(incoming) = link.receive()? {
                incoming.read(&Progress::default())?;
            }
            Ok::<_, ndbytes::Error>(())
        };
        // A record of a kind that is not known is passed over; its checksum tells.
        assert!(receive().is_err(), "byte {at}");
    }
}

#[test]
fn what_is_refused_is_told() {
    let served = served();
    served.put("in/a.npy", b"x");
    let small = array("|u1", Order::C, &[3]);
    let large = array("|u1", Order::C, &[9 << 20]);
    let refused = |path: &str, names: &[&str], array: &Array| {
        let link = link(&served, path);
        let sent = names.iter().try_for_each(|name| send(&link, array, name).map(drop));
        sent.and_then(|()| link.close()).unwrap_err()
    };
    for (path, names, array, want) in [
        ("no/", &["x"][..], &small, "404"),
        ("in/a.npy", &["x"], &small, "409"),
        (".hidden/", &["x"], &small, "404"),
        ("in/..%2f", &["x"], &small, "400"),
        ("in/?x=y", &["x"], &small, "400"),
        ("in/", &[".x"], &small, "no name that a file may have"),
        ("in/", &["../x"], &small, "no name that a file may have"),
        ("in/", &["x\0"], &small, "no name that a file may have"),
        ("in/", &["x", "y", "x"], &small, "came before"),
        ("in/", &["x"], &large, "limit"),
        ("in/", &["x"], &array("<f8", Order::C, &[1 << 20, 2]), "limit"),
    ] {
        let error = refused(path, names, array);
        assert!(error.message().contains(want), "{path} {names:?}: {error}");
    }
    let link = link(&served, "in/");
    let sent = link.send(&small.view(), &Tag::default(), &SendOptions::default());
    let error = sent.and_then(|_| link.close()).unwrap_err();
    assert!(error.message().contains("without a name"), "{error}");
    assert_eq!(settled(&served), ["a.npy", "x.npy", "y.npy"], "what came before stays");

    let silent = Served::new();
    let address = format!("http://{}/stream/", silent.address).parse().unwrap();
    let link = connect(&address, &options()).unwrap();
    let error = send(&link, &small, "x").and_then(|_| link.close()).unwrap_err();
    assert!(error.message().contains("405"), "{error}");
    let link = connect(&address, &options()).unwrap();
    let error = link.receive().map(drop).unwrap_err();
    assert!(error.message().contains("404"), "{error}");
}

#[test]
fn a_token_is_shown_in_its_field() {
    let served = Served::with(|options| {
        options.write = true;
        let tokens = "reader read 0123456789abcdef\nwriter write fedcba9876543210\n";
        options.tokens = Some(Tokens::parse(tokens).unwrap());
    });
    let small = array("|u1", Order::C, &[3]);
    served.put("a.npy", &ndbytes::dumps(&small.view()).unwrap());
    let with = |path: &str, token: Option<&str>| {
        let address = format!("http://{}/stream/{path}", served.address).parse().unwrap();
        connect(&address, &options().with_token(token.map(str::to_owned)))
    };
    let sent = |token| {
        let link = with("", token).unwrap();
        send(&link, &small, "b").and_then(|_| link.close())
    };
    for token in [None, Some("0123456789abcdef"), Some("0123456789abcdee")] {
        let error = sent(token).unwrap_err();
        let kind = error.io().map(std::io::Error::kind);
        assert_eq!(kind, Some(std::io::ErrorKind::PermissionDenied), "{error}");
    }
    sent(Some("fedcba9876543210")).unwrap();
    let received = |token| with("b.npy", token).unwrap().receive().map(|came| came.is_some());
    assert!(received(Some("fedcba9876543210")).is_err());
    assert!(received(Some("0123456789abcdef")).unwrap());
    assert_eq!(with("", Some("a\r\nb")).err().unwrap().code(), Code::Argument);
}

/// A session by hand, in a body of a known length.
fn by_hand(name: &str, array: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    Record::Hello { sums: false, files: false, token: None }.encode(&mut body).unwrap();
    Record::Array { name: Some(name.to_owned()), meta: None }.encode(&mut body).unwrap();
    let view = ArrayView::contiguous("|u1".parse().unwrap(), &[array.len()], Order::C, array);
    let message = ndbytes::dumps(&view.unwrap()).unwrap();
    body.extend(&message);
    let end = Record::End { arrays: 1, bytes: message.len() as u64, sums: 0 };
    end.encode(&mut body).unwrap();
    body
}

const KIND: &str = "Content-Type: application/x-ndbytes-stream\r\n";

fn post(served: &Served, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = served.connect();
    let mut head = format!(
        "POST /stream/in HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{KIND}Content-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    Answer::parse(&bytes)
}

#[test]
fn any_client_of_http_can_send_a_session() {
    let served = served();
    let answer = post(&served, &[], &by_hand("a", b"xyz"));
    assert_eq!(answer.status, 200);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(
        text.contains("\"hello\"") && text.contains("{\"arrays\":1,\"kind\":\"ack\"}"),
        "{text}"
    );
    assert_eq!(load(&served.folder.path().join("in/a.npy")).bytes(), b"xyz");
    // An array that must not be in the place of another.
    let once = [("If-None-Match", "*")];
    let answer = post(&served, &once, &by_hand("a", b"abc"));
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("http.precondition") && !text.contains("ack"), "{text}");
    assert_eq!(load(&served.folder.path().join("in/a.npy")).bytes(), b"xyz");
    post(&served, &[], &by_hand("a", b"abc"));
    assert_eq!(load(&served.folder.path().join("in/a.npy")).bytes(), b"abc");
    // Without records there are no names.
    let plain = ndbytes::dumps(&array("|u1", Order::C, &[3]).view()).unwrap();
    post(&served, &[], &plain).fails(400, "http.name");
    assert_eq!(post(&served, &[], b"").status, 204);
    // Words alone, before any greeting.
    for record in [Record::Sync(0), Record::End { arrays: 0, bytes: 0, sums: 0 }] {
        let mut body = Vec::new();
        record.encode(&mut body).unwrap();
        assert!(post(&served, &[], &body).status > 0);
    }
    post(&served, &[], b"garbage").fails(422, "npy.magic");
    post(&served, &[("Content-Encoding", "gzip")], b"").fails(415, "http.body");
    // What a browser sends for any page, without asking whether it may.
    for kind in ["text/plain", "application/octet-stream"] {
        let headers = [("Content-Type", kind)];
        served.ask("POST", "/stream/in", &headers).fails(415, "http.body");
    }
    served.ask("POST", "/stream/in", &[]).fails(415, "http.body");
    assert_eq!(settled(&served), ["a.npy"]);
}

#[test]
fn nothing_is_connected_before_it_is_needed() {
    let served = Served::with(|options| {
        options.write = true;
        options.header_timeout = Duration::from_millis(200);
    });
    let small = array("|u1", Order::C, &[3]);
    let address = format!("http://{}/stream/", served.address).parse().unwrap();
    let link = connect(&address, &options()).unwrap();
    thread::sleep(Duration::from_millis(500));
    send(&link, &small, "a").unwrap();
    link.close().unwrap();
    let address = format!("http://{}/stream/a.npy", served.address).parse().unwrap();
    let link = connect(&address, &options()).unwrap();
    // There is nothing to send, and that changes nothing.
    link.flush().unwrap();
    link.sync().unwrap();
    let came = link.receive().unwrap().unwrap().read(&Progress::default()).unwrap();
    assert_eq!(came.bytes(), small.bytes());
    link.flush().unwrap();
    assert!(link.receive().unwrap().is_none());
    link.close().unwrap();
}

#[test]
fn an_array_that_was_held_back_says_which_way_the_link_goes() {
    let served = served();
    let small = array("|u1", Order::C, &[3]);
    let link = link(&served, "in/");
    let more = SendOptions::default().with_more(true);
    link.send(&small.view(), &named("a"), &more).unwrap();
    link.send(&small.view(), &named("b"), &more).unwrap();
    link.close().unwrap();
    assert_eq!(names(&served), ["a.npy", "b.npy"]);
}

#[test]
fn who_has_all_need_not_hear_the_end() {
    let served = Served::with(|options| {
        options.write = true;
        options.write_timeout = Duration::from_millis(400);
    });
    let address = format!("http://{}/stream/", served.address).parse().unwrap();
    let link = connect(&address, &options()).unwrap();
    send(&link, &array("|u1", Order::C, &[3]), "a").unwrap();
    link.sync().unwrap();
    // The server gives the silent stream up.
    thread::sleep(Duration::from_millis(1200));
    link.close().unwrap();
    assert!(served.folder.path().join("a.npy").exists());
}

#[test]
fn what_cannot_be_stored_as_it_is_is_refused() {
    let served = served();
    let small = array("|u1", Order::C, &[3]);
    let link = link(&served, "in/");
    let tag = Tag::new(Some("a".to_owned()), Some("{\"step\":1}".to_owned()));
    let sent = link.send(&small.view(), &tag, &SendOptions::default());
    let error = sent.and_then(|_| link.close()).unwrap_err();
    assert!(error.message().contains("http.meta"), "{error}");
    let message = ndbytes::dumps(&small.view()).unwrap();
    served.put("two.npy", &[&message[..], &message].concat());
    served.get("/stream/two.npy").fails(422, "data.trailing");
    assert_eq!(settled(&served), [""; 0]);
}

#[test]
fn a_stream_that_stalls_is_ended_and_leaves_nothing() {
    let served = Served::with(|options| {
        options.write = true;
        options.write_timeout = Duration::from_millis(500);
    });
    std::fs::create_dir(served.folder.path().join("in")).unwrap();
    let body = by_hand("a", &[7; 1000]);
    let mut streams = Vec::new();
    for at in [0, 9, 150, 600] {
        let mut stream = served.connect();
        let head = format!(
            "POST /stream/in/ HTTP/1.1\r\nHost: localhost\r\n{KIND}Content-Length: 99999\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body[..at]).unwrap();
        streams.push(stream);
    }
    for mut stream in streams {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("for too long"), "{text}");
    }
    assert_eq!(settled(&served), [""; 0]);
    served.end();
}

#[test]
fn streams_that_wait_keep_nobody_waiting() {
    let served = served();
    served.put("a.npy", b"x");
    let mut streams = Vec::new();
    for _ in 0..64 {
        let mut stream = served.connect();
        let head = format!(
            "POST /stream/in/ HTTP/1.1\r\nHost: localhost\r\n{KIND}Content-Length: 99999\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&by_hand("a", b"x")[..100]).unwrap();
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    post(&served, &[], &by_hand("b", b"x")).fails(503, "http.busy");
    assert_eq!(served.get("/files/a.npy").status, 200);
    drop(streams);
    for _ in 0..100 {
        if post(&served, &[], &by_hand("b", b"x")).status == 200 {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    panic!("places are given back");
}
