//! Sessions: over each transport, cut at every byte, and with peers that mean harm.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ndbytes::{
    ArrayView, Code, Codec, Dtype, ErrorKind, FrameOptions, Limits, Order, Pipeline, Progress,
};
use ndbytes_net::session::{
    Address, Link, Listener, Record, SendOptions, SessionOptions, Tag, Tokens, connect,
};
use ndbytes_testkit::line::Line;
use ndbytes_testkit::proxy::{Plan, Proxy};

use crate::tls::certificate;

/// Options whose waits end soon, with a certificate that `localhost` may show.
struct Place {
    options: SessionOptions,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = certificate(folder.path());
        let options = SessionOptions::default()
            .with_timeout(Some(Duration::from_secs(10)))
            .with_certificate(Some((cert.clone(), key)))
            .with_authorities(Some(cert));
        Self { options, folder }
    }

    /// An address of each kind.
    fn addresses(&self) -> [Address; 4] {
        let socket: PathBuf = self.folder.path().join("socket");
        [
            "tcp://localhost:0".parse().unwrap(),
            "tls://localhost:0".parse().unwrap(),
            "quic://localhost:0".parse().unwrap(),
            Address::Unix(socket),
        ]
    }

    fn listen(&self, address: &Address) -> (Listener, Address) {
        let listener = Listener::bind(address, &self.options).unwrap();
        // Certificates are of names.
        let at = listener.address().to_string();
        let at = at.replace("127.0.0.1", "localhost").replace("[::1]", "localhost");
        (listener, at.parse().unwrap())
    }
}

/// How long who waits in vain does so.
const WAIT: Duration = Duration::from_secs(2);

fn accept(listener: &Listener) -> Link {
    listener.accept(Some(Duration::from_secs(10))).unwrap().expect("a peer")
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect()
}

fn view(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("|u1".parse::<Dtype>().unwrap(), &[bytes.len()], Order::C, bytes).unwrap()
}

fn named(name: &str) -> Tag {
    Tag::new(Some(name.to_owned()), Some("{\"step\":1}".to_owned()))
}

fn plain() -> SendOptions {
    SendOptions::default()
}

fn receive(link: &Link) -> Option<(Tag, Vec<u8>)> {
    let incoming = link.receive().unwrap()?;
    let tag = incoming.tag().clone();
    Some((tag, incoming.read(&Progress::default()).unwrap().bytes().to_vec()))
}

fn code(error: &ndbytes::Error) -> Code {
    error.code()
}

#[test]
fn arrays_arrive_over_every_transport() {
    let place = Place::new();
    let frame = FrameOptions::default().with_pipeline("fast".parse::<Pipeline>().unwrap());
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        let options = place.options.clone();
        let frame = frame.clone();
        let sender = thread::spawn(move || {
            let link = connect(&at, &options).unwrap();
            for len in [0, 1, 5000, 3 << 20] {
                let sent = link.send(&view(&bytes(len)), &named(&len.to_string()), &plain());
                sent.unwrap();
                let options = SendOptions::default().with_frame(Some(frame.clone()));
                link.send(&view(&bytes(len)), &Tag::default(), &options).unwrap();
            }
            link.sync().unwrap();
            // The answer.
            assert_eq!(receive(&link).unwrap().1, b"thanks");
            link.close().unwrap();
            link.close().unwrap();
        });
        let link = accept(&listener);
        for len in [0, 1, 5000, 3 << 20] {
            assert_eq!(receive(&link), Some((named(&len.to_string()), bytes(len))), "{address}");
            assert_eq!(receive(&link), Some((Tag::default(), bytes(len))));
        }
        link.send(&view(b"thanks"), &Tag::default(), &plain()).unwrap();
        assert_eq!(receive(&link), None);
        assert_eq!(receive(&link), None);
        link.close().unwrap();
        sender.join().unwrap();
    }
}

#[test]
fn both_may_send_at_once_and_wait_for_one_another() {
    let place = Place::new();
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        let options = place.options.clone();
        let what = address.to_string();
        let work = move |link: Link| {
            let link = Arc::new(link);
            let other = link.clone();
            let receiver = thread::spawn(move || {
                (0..40).all(|_| receive(&other).unwrap().1 == bytes(1 << 18))
            });
            for i in 0..40 {
                link.send(&view(&bytes(1 << 18)), &Tag::default(), &plain()).unwrap();
                if i % 8 == 0 {
                    link.sync().unwrap_or_else(|error| panic!("{what} {i}: {error}"));
                }
            }
            link.sync().unwrap();
            assert!(receiver.join().unwrap());
            link.close().unwrap();
        };
        let other = work.clone();
        let sender = thread::spawn(move || other(connect(&at, &options).unwrap()));
        work(accept(&listener));
        sender.join().unwrap();
    }
}

#[test]
fn one_thread_on_each_side_may_sync_at_once() {
    let place = Place::new();
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        let options = place.options.clone();
        let work = |link: Link| {
            for _ in 0..3 {
                link.send(&view(&bytes(1 << 16)), &Tag::default(), &plain()).unwrap();
                link.sync().unwrap();
            }
            for _ in 0..3 {
                assert_eq!(receive(&link).unwrap().1, bytes(1 << 16));
            }
            link.close().unwrap();
        };
        let sender = thread::spawn(move || work(connect(&at, &options).unwrap()));
        work(accept(&listener));
        sender.join().unwrap();
    }
}

#[test]
fn what_is_acknowledged_is_what_is_done() {
    let mut place = Place::new();
    place.options = place.options.with_ack(false);
    let (listener, at) = place.listen(&place.addresses()[0]);
    let options = place.options.clone().with_timeout(Some(Duration::from_millis(300)));
    let link = connect(&at, &options).unwrap();
    link.send(&view(&bytes(10)), &Tag::default(), &plain()).unwrap();
    let peer = accept(&listener);
    assert!(receive(&peer).is_some());
    let error = link.sync().unwrap_err();
    assert_eq!(error.io().map(std::io::Error::kind), Some(std::io::ErrorKind::TimedOut), "{error}");
    let worker = thread::spawn(move || {
        peer.ack().unwrap();
        assert_eq!(receive(&peer), None);
        peer.close().unwrap();
    });
    link.sync().unwrap();
    link.close().unwrap();
    worker.join().unwrap();
}

/// The bytes that a session sends, as a file: hello, arrays, end.
fn recorded(place: &Place) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at: Address = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let options = place.options.clone().with_timeout(Some(Duration::from_secs(5)));
    let sender = thread::spawn(move || {
        let link = connect(&at, &options).unwrap();
        link.send(&view(&bytes(40)), &named("a"), &plain()).unwrap();
        link.send(&view(&bytes(3)), &Tag::default(), &plain()).unwrap();
        let frame = FrameOptions::default();
        let options = SendOptions::default().with_frame(Some(frame));
        link.send(&view(&bytes(60)), &Tag::default(), &options).unwrap();
        // Nobody acknowledges.
        link.close().unwrap_err();
    });
    let (mut stream, _) = listener.accept().unwrap();
    let mut all = Vec::new();
    let mut ended = false;
    while !ended {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).unwrap();
        all.extend(&part[..n]);
        ended = all.windows(12).any(|window| window == b"\"kind\":\"end\"")
            && all.ends_with(&tail(&all));
    }
    drop(stream);
    sender.join().unwrap();
    all
}

/// The record that the bytes end with.
fn tail(all: &[u8]) -> Vec<u8> {
    let start = all.windows(4).rposition(|window| window == ndbytes_net::session::RECORD_MAGIC);
    let start = start.unwrap();
    let len = u32::from_le_bytes(all[start + 4..start + 8].try_into().unwrap()) as usize;
    all[start..].get(..8 + len).unwrap_or(b"none").to_vec()
}

/// What a receiver makes of these bytes and an end: how many arrays, and the error.
fn played(listener: &Listener, bytes: &[u8]) -> (usize, Option<ndbytes::Error>) {
    let host = listener.address().host().unwrap().to_owned();
    let mut stream = TcpStream::connect(host).unwrap();
    let link = accept(listener);
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut count = 0;
    loop {
        let read = link.receive().and_then(|incoming| {
            incoming.map(|incoming| incoming.read(&Progress::default())).transpose()
        });
        match read {
            Ok(Some(_)) => count += 1,
            Ok(None) => return (count, None),
            Err(error) => return (count, Some(error)),
        }
    }
}

#[test]
fn a_cut_at_any_byte_is_told() {
    let place = Place::new();
    let all = recorded(&place);
    let (listener, _) = place.listen(&place.addresses()[0]);
    assert!(matches!(played(&listener, &all), (3, None)));
    for len in 1..all.len() {
        let (_, error) = played(&listener, &all[..len]);
        let error = error.unwrap_or_else(|| panic!("cut at {len} of {}", all.len()));
        assert_eq!(error.kind(), ErrorKind::Truncated, "{len}: {error}");
    }
    // Before the first byte, it was nobody.
    assert!(matches!(played(&listener, b""), (0, None)));
}

#[test]
fn a_flipped_bit_is_told() {
    let place = Place::new();
    let all = recorded(&place);
    let mut place = place;
    place.options = place.options.with_timeout(Some(Duration::from_secs(2)));
    let (listener, _) = place.listen(&place.addresses()[0]);
    // Bits of the very first word may make it another protocol, which knows no sums.
    for bit in 8 * 8..8 * all.len() {
        let mut bytes = all.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (_, error) = played(&listener, &bytes);
        assert!(error.is_some(), "bit {bit} of {}", 8 * all.len());
    }
}

#[test]
fn a_peer_that_knows_arrays_alone_is_understood() {
    let place = Place::new();
    let (listener, at) = place.listen(&place.addresses()[0]);
    let host = at.host().unwrap().to_owned();
    let npy = ndbytes::dumps(&view(&bytes(100))).unwrap();
    let mut stream = TcpStream::connect(&host).unwrap();
    let link = accept(&listener);
    stream.write_all(&npy).unwrap();
    assert_eq!(receive(&link), Some((Tag::default(), bytes(100))));
    let error = link.send(&view(b"a"), &named("a"), &plain()).unwrap_err();
    assert_eq!(code(&error), Code::StreamPlain);
    assert_eq!(code(&link.sync().unwrap_err()), Code::StreamPlain);
    link.send(&view(&bytes(100)), &Tag::default(), &plain()).unwrap();
    let mut answer = vec![0; npy.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, npy);
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(receive(&link), None);
    link.close().unwrap();
    assert_eq!(stream.read(&mut answer).unwrap(), 0);

    // One that says nothing at all gets arrays as well.
    let mut stream = TcpStream::connect(&host).unwrap();
    let link = accept(&listener);
    link.send(&view(&bytes(100)), &Tag::default(), &plain()).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, npy);

    // And one that listens.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("tcp://{}", listener.local_addr().unwrap()).parse().unwrap();
    let link = connect(&at, &place.options.clone().with_plain(true)).unwrap();
    link.send(&view(&bytes(100)), &Tag::default(), &plain()).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    });
    link.close().unwrap();
    assert_eq!(reader.join().unwrap(), npy);
}

/// Sends so many bytes, plain, over a slow line by QUIC, and closes; what came of it.
fn sent_over(place: &Place, listener: &Listener, len: usize, most: usize) -> ndbytes::Result<()> {
    let server = listener.address().host().unwrap().parse().unwrap();
    let line = Line::to(server, 2e6, most).unwrap();
    let at = format!("quic://localhost:{}", line.address().port());
    let options = place.options.clone().with_plain(true);
    let link = connect(&at.parse().unwrap(), &options.with_timeout(Some(WAIT)))?;
    link.send(&view(&bytes(len)), &Tag::default(), &plain())?;
    link.close()
}

/// QUIC throws away at its close what is still on its way, and a peer that knows arrays alone acknowledges
/// none: the close waits for as long as they move.
#[test]
fn what_is_not_acknowledged_has_left_when_the_link_is_closed() {
    let place = Place::new();
    let (listener, _) = place.listen(&"quic://localhost:0".parse().unwrap());
    let len = 10 << 20;
    thread::scope(|scope| {
        let sender = scope.spawn(|| sent_over(&place, &listener, len, usize::MAX));
        let link = accept(&listener);
        assert!(receive(&link).unwrap().1 == bytes(len));
        assert_eq!(receive(&link), None);
        link.close().unwrap();
        sender.join().unwrap().unwrap();
    });
}

#[test]
fn what_never_arrives_is_an_error_of_the_close() {
    let place = Place::new();
    let (listener, _) = place.listen(&"quic://localhost:0".parse().unwrap());
    let begin = Instant::now();
    let error = sent_over(&place, &listener, 10 << 20, 1 << 20).unwrap_err();
    assert_eq!(error.io().map(std::io::Error::kind), Some(std::io::ErrorKind::TimedOut), "{error}");
    assert!(begin.elapsed() < 4 * WAIT, "{:?}", begin.elapsed());
}

#[test]
fn zstd_frames_of_arrays_are_read() {
    let place = Place::new();
    let (listener, _) = place.listen(&place.addresses()[0]);
    let npy = ndbytes::dumps(&view(&bytes(300_000))).unwrap();
    let frame = ndbytes::compress(&view(&npy), Codec::Zstd, 3).unwrap();
    assert!(matches!(played(&listener, &[&frame[..], &npy, &frame].concat()), (3, None)));
    for len in [1, 5, frame.len() / 2, frame.len() - 1] {
        let (count, error) = played(&listener, &frame[..len]);
        assert_eq!((count, error.unwrap().kind()), (0, ErrorKind::Truncated), "{len}");
    }
    let twice = ndbytes::compress(&view(&[&npy[..], &npy].concat()), Codec::Zstd, 3).unwrap();
    assert_eq!(played(&listener, &twice).1.unwrap().code(), Code::DataTrailing);
}

fn record(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_has_no_meaning_is_refused() {
    let place = Place::new();
    let (listener, _) = place.listen(&place.addresses()[0]);
    let hello = record(&Record::Hello { sums: true, files: false, token: None });
    let npy = ndbytes::dumps(&view(b"abc")).unwrap();
    let sum = record(&Record::Sum(crc32c(&npy)));
    let end = |arrays, bytes, sums| record(&Record::End { arrays, bytes, sums });
    let ended = end(1, npy.len() as u64, crc32c(&crc32c(&npy).to_le_bytes()));
    let good = [&hello[..], &npy, &sum, &ended].concat();
    assert!(matches!(played(&listener, &good), (1, None)));
    let huge = [&ndbytes_net::session::RECORD_MAGIC[..], &u32::MAX.to_le_bytes()].concat();
    let array = record(&Record::Array { name: Some("a".into()), meta: None });
    let cases: Vec<(&str, Vec<u8>, Code)> = vec![
        ("two hellos", [&hello[..], &hello].concat(), Code::StreamRecord),
        ("a sum of nothing", [&hello[..], &sum].concat(), Code::StreamRecord),
        ("no sum", [&hello[..], &npy, &npy].concat(), Code::StreamRecord),
        (
            "another sum",
            [&hello[..], &npy, &record(&Record::Sum(1))].concat(),
            Code::StreamChecksum,
        ),
        ("an array less", [&hello[..], &end(1, 0, 0)].concat(), Code::StreamCut),
        ("an array more", [&hello[..], &npy, &sum, &end(0, 0, 0)].concat(), Code::StreamChecksum),
        ("a name and an end", [&hello[..], &array, &end(0, 0, 0)].concat(), Code::StreamRecord),
        ("two names", [&hello[..], &array, &array].concat(), Code::StreamRecord),
        (
            "a file",
            [&hello[..], &record(&Record::File { name: "a".into(), size: 1 })].concat(),
            Code::StreamRecord,
        ),
        (
            "a piece",
            [&hello[..], &[0x5d, 0x2a, 0x4d, 0x18, 20, 0, 0, 0]].concat(),
            Code::StreamRecord,
        ),
        ("a record of 4 GiB", [&hello[..], &huge].concat(), Code::StreamRecord),
        (
            "an error",
            [&hello[..], &record(&Record::Error { code: "io".into(), message: "full".into() })]
                .concat(),
            Code::StreamPeer,
        ),
        ("garbage", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Code::NpyMagic),
        (
            "acks of nothing, and an end",
            [&hello[..], &record(&Record::Ack(7))].concat(),
            Code::StreamCut,
        ),
    ];
    for (what, bytes, want) in cases {
        let (_, error) = played(&listener, &bytes);
        assert_eq!(error.map(|error| error.code()), Some(want), "{what}");
    }
}

fn crc32c(bytes: &[u8]) -> u32 {
    // Bit by bit, as RFC 3720 has it.
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            sum >> 1 ^ (0x82f6_3b78 & (sum & 1).wrapping_neg())
        })
    })
}

#[test]
fn limits_hold_and_the_peer_learns_why() {
    let mut place = Place::new();
    place.options = place.options.with_limits(Limits::default().with_bytes(1000));
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        let options = place.options.clone();
        let sender = thread::spawn(move || {
            let link = connect(&at, &options).unwrap();
            link.send(&view(&bytes(1001)), &Tag::default(), &plain()).unwrap();
            link.sync().unwrap_err()
        });
        let link = accept(&listener);
        let error = link.receive().map(|_| ()).unwrap_err();
        assert_eq!(code(&error), Code::TooManyBytes);
        assert!(link.receive().is_err());
        let told = sender.join().unwrap();
        assert_eq!(code(&told), Code::StreamPeer, "{address}: {told}");
        assert!(told.to_string().contains("limit.bytes"), "{told}");
    }
}

#[test]
fn tokens_say_who_may_do_what() {
    let mut place = Place::new();
    let tokens = "reader read 0123456789abcdef\nwriter write fedcba9876543210\n\
                  old read,write 00000000000000000 2001-01-01T00:00:00Z\n";
    place.options = place.options.with_tokens(Some(Tokens::parse(tokens).unwrap()));
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        for (token, write) in [
            (Some("fedcba9876543210"), true),
            (Some("0123456789abcdef"), false),
            (Some("00000000000000000"), false),
            (Some("0123456789abcdeF"), false),
            (None, false),
        ] {
            let options = place.options.clone().with_token(token.map(str::to_owned));
            let at = at.clone();
            let client = thread::spawn(move || {
                let link = connect(&at, &options)?;
                link.send(&view(b"a"), &Tag::default(), &plain()).and_then(|_| link.sync())
            });
            let peer = accept(&listener);
            let came = peer.receive().map(|incoming| {
                incoming.map(|incoming| incoming.read(&Progress::default()).unwrap())
            });
            let sent = client.join().unwrap();
            let denied = |error: &ndbytes::Error| {
                error.io().map(std::io::Error::kind) == Some(std::io::ErrorKind::PermissionDenied)
            };
            if write {
                assert!(came.unwrap().is_some(), "{address}");
                sent.unwrap();
            } else {
                assert!(denied(&came.unwrap_err()));
                let error = sent.unwrap_err();
                assert!(denied(&error), "{address} {token:?} {error}");
            }
        }
        // One that says something else first, or nothing and goes.
        if let Some(host) = at.host().filter(|_| matches!(at, Address::Tcp(_))) {
            for bytes in [record(&Record::Other("hi".into())), record(&Record::Ack(0)), Vec::new()]
            {
                let mut stream = TcpStream::connect(host).unwrap();
                stream.write_all(&bytes).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let peer = accept(&listener);
                assert!(peer.send(&view(b"secret"), &Tag::default(), &plain()).is_err());
                assert!(peer.receive().is_err());
                let mut said = Vec::new();
                let _ = stream.read_to_end(&mut said);
                assert!(!said.windows(6).any(|six| six == b"secret" || six == b"\x93NUMPY"));
            }
        }
        // One that shows none.
        if let Some(host) = at.host().filter(|_| matches!(at, Address::Tcp(_))) {
            let mut stream = TcpStream::connect(host).unwrap();
            stream.write_all(&ndbytes::dumps(&view(b"a")).unwrap()).unwrap();
            let peer = accept(&listener);
            assert!(peer.receive().is_err());
        }
    }
}

#[test]
fn who_reads_only_gets_arrays() {
    let mut place = Place::new();
    let tokens = Tokens::parse("reader read 0123456789abcdef\nwriter write fedcba9876543210\n");
    place.options = place.options.with_tokens(Some(tokens.unwrap()));
    let (listener, at) = place.listen(&place.addresses()[1]);
    for (token, may) in [("0123456789abcdef", true), ("fedcba9876543210", false)] {
        let options = place.options.clone().with_token(Some(token.to_owned()));
        let at = at.clone();
        let reader = thread::spawn(move || connect(&at, &options).unwrap());
        let peer = accept(&listener);
        let worker = thread::spawn(move || {
            let sent = peer.send(&view(b"b"), &Tag::default(), &plain());
            sent.and_then(|_| peer.close())
        });
        let link = reader.join().unwrap();
        let came = link.receive().and_then(|incoming| {
            incoming.map(|incoming| incoming.read(&Progress::default())).transpose()
        });
        assert_eq!(came.is_ok(), may, "{:?}", came.err());
        drop(link);
        assert_eq!(worker.join().unwrap().is_ok(), may);
    }
}

#[test]
fn strangers_are_not_let_in_nor_shown_tokens() {
    let place = Place::new();
    let refused = |address: &str, options: &SessionOptions| {
        let error = Listener::bind(&address.parse().unwrap(), options).err();
        error.is_some_and(|error| error.code() == Code::Argument)
    };
    let tokens = || Some(Tokens::parse("a read 0123456789abcdef").unwrap());
    assert!(refused("tcp://0.0.0.0:0", &place.options));
    assert!(refused("tcp://0.0.0.0:0", &place.options.clone().with_tokens(tokens())));
    assert!(refused("tls://0.0.0.0:0", &place.options));
    assert!(refused("quic://0.0.0.0:0", &place.options));
    assert!(!refused("tls://0.0.0.0:0", &place.options.clone().with_tokens(tokens())));
    assert!(!refused("tcp://0.0.0.0:0", &place.options.clone().with_insecure(true)));
    assert!(refused("tls://127.0.0.1:0", &SessionOptions::default()));
    let options = SessionOptions::default().with_token(Some("0123456789abcdef".to_owned()));
    let error = connect(&"tcp://192.0.2.1:9".parse().unwrap(), &options).err().unwrap();
    assert_eq!(code(&error), Code::Argument);
}

#[test]
fn a_certificate_of_another_is_refused() {
    let place = Place::new();
    let other = Place::new();
    for address in &place.addresses()[1..3] {
        let (listener, at) = place.listen(address);
        let by_number = at.to_string().replace("localhost", &listener_ip(&listener));
        for (at, options) in
            [(at.clone(), &other.options), (by_number.parse().unwrap(), &place.options)]
        {
            let options = options.clone();
            let client = thread::spawn(move || match connect(&at, &options) {
                Ok(link) => {
                    link.send(&view(b"a"), &Tag::default(), &plain()).and_then(|_| link.sync())
                }
                Err(error) => Err(error),
            });
            if let Ok(Some(link)) = listener.accept(Some(Duration::from_millis(500))) {
                assert!(link.receive().is_err());
            }
            let error = client.join().unwrap().unwrap_err();
            assert!(error.to_string().contains("ertificate"), "{error}");
        }
    }
}

fn listener_ip(listener: &Listener) -> String {
    let host = listener.address().host().unwrap().rsplit_once(':').unwrap().0;
    host.to_owned()
}

#[test]
fn what_is_held_goes_before_what_is_said() {
    let place = Place::new();
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        let options = place.options.clone();
        let sender = thread::spawn(move || {
            let link = connect(&at, &options).unwrap();
            let more = SendOptions::default().with_more(true);
            for len in [1 << 20, 100, 1 << 15, 7] {
                link.send(&view(&bytes(len)), &named("a"), &more).unwrap();
                // It is acknowledged meanwhile.
                assert_eq!(receive(&link).unwrap().1, b"abc");
                thread::sleep(Duration::from_millis(30));
            }
            link.close().unwrap();
        });
        let link = accept(&listener);
        for len in [1 << 20, 100, 1 << 15, 7] {
            link.send(&view(b"abc"), &Tag::default(), &plain()).unwrap();
            assert_eq!(receive(&link), Some((named("a"), bytes(len))), "{address}");
        }
        assert_eq!(receive(&link), None);
        link.close().unwrap();
        sender.join().unwrap();
    }
}

#[test]
fn many_records_in_one_packet_are_all_heard() {
    let place = Place::new();
    let (listener, at) = place.listen(&place.addresses()[1]);
    let options = place.options.clone();
    let client = thread::spawn(move || {
        let link = connect(&at, &options).unwrap();
        link.send(&view(b"a"), &Tag::default(), &plain()).unwrap();
        thread::sleep(Duration::from_millis(200));
        link.sync().unwrap();
        for _ in 0..200 {
            assert_eq!(receive(&link).unwrap().1, bytes(100));
        }
        link.close().unwrap();
    });
    let link = accept(&listener);
    for _ in 0..200 {
        link.send(&view(&bytes(100)), &named("many"), &SendOptions::default().with_more(true))
            .unwrap();
    }
    link.flush().unwrap();
    assert!(receive(&link).is_some());
    assert_eq!(receive(&link), None);
    link.close().unwrap();
    client.join().unwrap();
}

#[test]
fn who_aborts_hears_no_end() {
    let place = Place::new();
    let (listener, at) = place.listen(&place.addresses()[0]);
    let _stream = TcpStream::connect(at.host().unwrap()).unwrap();
    let link = Arc::new(accept(&listener));
    let other = link.clone();
    let waits = thread::spawn(move || other.receive().map(|_| ()));
    thread::sleep(Duration::from_millis(100));
    link.abort();
    waits.join().unwrap().unwrap_err();
    // An address may be listened at again, also that of QUIC.
    let (listener, at) = place.listen(&place.addresses()[2]);
    drop(listener);
    let begin = Instant::now();
    while Listener::bind(&at, &place.options).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(5));
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn silence_ends_every_wait() {
    let mut place = Place::new();
    place.options = place.options.with_timeout(Some(Duration::from_millis(300)));
    let begin = Instant::now();
    // Nobody accepts: the handshake does not come.
    for address in &place.addresses() {
        let (listener, at) = place.listen(address);
        let link = connect(&at, &place.options);
        let error = link.and_then(|link| link.receive().map(|_| ())).unwrap_err();
        assert_eq!(
            error.io().map(std::io::Error::kind),
            Some(std::io::ErrorKind::TimedOut),
            "{address}: {error}"
        );
        drop(listener);
    }
    // A client that shakes no hands; one that goes about it byte by byte.
    let (listener, at) = place.listen(&place.addresses()[1]);
    let mut stream = TcpStream::connect(at.host().unwrap()).unwrap();
    let link = accept(&listener);
    let slow = thread::spawn(move || {
        for byte in [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3] {
            let _ = stream.write_all(&[byte]);
            thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(link.receive().is_err());
    assert!(begin.elapsed() < Duration::from_secs(8));
    slow.join().unwrap();
    // Somebody waits in another thread when it is ended.
    let (listener, at) = place.listen(&place.addresses()[0]);
    let options = place.options.clone().with_timeout(None);
    let link = Arc::new(connect(&at, &options).unwrap());
    let _peer = accept(&listener);
    let other = link.clone();
    let waits = thread::spawn(move || other.receive().map(|_| ()).unwrap_err());
    thread::sleep(Duration::from_millis(100));
    link.abort();
    waits.join().unwrap();
}

#[test]
fn compression_is_used_where_it_pays() {
    let place = Place::new();
    let (listener, at) = place.listen(&place.addresses()[0]);
    let server = at.host().unwrap().replace("localhost", "127.0.0.1").parse().unwrap();
    // 16 KiB in 4 ms are some 4 MB/s.
    let slow = Plan { delay: Duration::from_millis(4), part: 1 << 14, ..Plan::default() };
    let proxy = Proxy::start(server, move |_| slow);
    // How fast the other is, this machine's load decides.
    for (at, want) in [
        (at, None),
        (format!("tcp://{}", proxy.address()).parse().unwrap(), Some([false, true, false])),
    ] {
        let options = place.options.clone();
        let sender = thread::spawn(move || {
            let link = connect(&at, &options).unwrap();
            let options = SendOptions::default().with_adaptive(true);
            for bytes in [vec![0; 8 << 20], vec![7; 2 << 20], bytes(1 << 10)] {
                link.send(&view(&bytes), &Tag::default(), &options).unwrap();
            }
            link.close().unwrap();
        });
        let link = accept(&listener);
        let mut frames = Vec::new();
        while let Some(incoming) = link.receive().unwrap() {
            frames.push(incoming.is_frame());
            incoming.read(&Progress::default()).unwrap();
        }
        sender.join().unwrap();
        assert!(want.is_none_or(|want| frames == want), "{frames:?}");
    }
}

#[test]
fn no_more_than_so_many_are_let_in() {
    let mut place = Place::new();
    place.options = place.options.with_max_connections(2);
    for address in place.addresses() {
        let (listener, at) = place.listen(&address);
        let one = || {
            let link = connect_aside(&at, &place.options);
            let peer = accept(&listener);
            assert_eq!(receive(&peer).unwrap().1, b"a");
            (peer, link.join().unwrap().unwrap())
        };
        let mut held = vec![one(), one()];
        let third = connect_aside(&at, &place.options);
        assert!(listener.accept(Some(Duration::from_millis(300))).unwrap().is_none());
        let third = third.join().unwrap();
        let error = third.and_then(|link| link.receive().map(drop)).unwrap_err();
        assert!(error.to_string().contains("2 connections already"), "{address}: {error}");
        held.pop();
        held.push(one());
    }
}

/// A link that sends an array meanwhile: to shake hands it needs its peer.
fn connect_aside(
    at: &Address,
    options: &SessionOptions,
) -> thread::JoinHandle<ndbytes::Result<Link>> {
    let (at, options) = (at.clone(), options.clone());
    thread::spawn(move || {
        let link = connect(&at, &options)?;
        // Who is refused may not get so far.
        let _ = link.send(&view(b"a"), &Tag::default(), &plain());
        Ok(link)
    })
}

/// On Linux, a Unix socket with no room for one more makes who connects wait, and has no time limit of its own.
#[cfg(target_os = "linux")]
#[test]
fn who_finds_no_room_does_not_wait_for_ever() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let place = Place::new();
    let path = place.folder.path().join("full");
    let full = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&full, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&full, 0).unwrap();
    let options = place.options.clone().with_plain(true);
    let options = options.with_timeout(Some(Duration::from_millis(500)));
    let begin = Instant::now();
    let mut held = Vec::new();
    let error = loop {
        match connect(&Address::Unix(path.clone()), &options) {
            Ok(link) => held.push(link),
            Err(error) => break error,
        }
        assert!(held.len() < 16, "there is room for many");
    };
    assert_eq!(error.io().map(std::io::Error::kind), Some(std::io::ErrorKind::TimedOut), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_unix_socket_is_its_owners_and_goes_away() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let address = place.addresses()[3].clone();
    let Address::Unix(path) = &address else { panic!("it is the fourth") };
    let listener = Listener::bind(&address, &place.options).unwrap();
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(Listener::bind(&address, &place.options).is_err());
    drop(listener);
    assert!(!path.exists());
}

#[cfg(target_os = "linux")]
mod shared {
    use std::fs::File;
    use std::io::IoSlice;
    use std::mem::MaybeUninit;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use ndbytes::Header;
    use ndbytes_net::session::SharedFile;
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    fn header(len: usize) -> Header {
        Header::new("|u1".parse().unwrap(), Order::C, vec![len]).unwrap()
    }

    #[test]
    fn memory_is_handed_over() {
        let place = Place::new();
        let (listener, at) = place.listen(&place.addresses()[3]);
        let link = connect(&at, &place.options).unwrap();
        let peer = accept(&listener);
        let memory = SharedFile::create(&header(3)).unwrap();
        for _ in 0..3 {
            link.send_shared(&memory, &named("a")).unwrap();
        }
        assert_eq!(receive(&peer), Some((named("a"), vec![0; 3])));
        let mut incoming = peer.receive().unwrap().unwrap();
        let shared = incoming.take_shared().unwrap();
        assert_eq!((shared.header(), shared.offset()), (memory.header(), memory.offset()));
        assert_eq!(receive(&peer), Some((named("a"), vec![0; 3])));
        link.sync().unwrap();
    }

    /// A file of these bytes, sealed or not.
    fn file(bytes: &[u8], sealed: bool) -> File {
        let fd = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        let mut file = File::from(fd);
        file.write_all(bytes).unwrap();
        if sealed {
            fcntl_add_seals(&file, SealFlags::SHRINK).unwrap();
        }
        file
    }

    #[test]
    fn memory_that_is_none_is_refused() {
        let place = Place::new();
        let (listener, at) = place.listen(&place.addresses()[3]);
        let Address::Unix(path) = &at else { panic!("it is the fourth") };
        let npy = ndbytes::dumps(&view(b"abc")).unwrap();
        let size = npy.len() as u64;
        let object =
            [&npy[..10], b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"].concat();
        let cases: Vec<(&str, Option<File>, u64, Code)> = vec![
            ("none", None, size, Code::StreamRecord),
            ("one that may shrink", Some(file(&npy, false)), size, Code::StreamRecord),
            ("of another size", Some(file(&npy, true)), size + 1, Code::StreamRecord),
            ("a short one", Some(file(&npy[..npy.len() - 1], true)), size - 1, Code::StreamRecord),
            ("garbage", Some(file(&[b'x'; 200], true)), 200, Code::NpyMagic),
            ("empty", Some(file(b"", true)), 0, Code::EndOfStream),
            ("objects", Some(file(&object, true)), size, Code::NpyHeaderTruncated),
            ("no memory at all", Some(File::open("/dev/zero").unwrap()), size, Code::StreamRecord),
        ];
        for (what, file, size, want) in cases {
            let stream = UnixStream::connect(path).unwrap();
            let peer = accept(&listener);
            let hello = Record::Hello { sums: false, files: false, token: None };
            let bytes = [record(&hello), record(&Record::Memory(size))].concat();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fds: Vec<_> = file.iter().map(|file| file.as_fd()).collect();
            if !fds.is_empty() {
                control.push(SendAncillaryMessage::ScmRights(&fds));
            }
            sendmsg(&stream, &[IoSlice::new(&bytes)], &mut control, SendFlags::empty()).unwrap();
            let error = peer.receive().map(|_| ()).unwrap_err();
            assert_eq!(code(&error), want, "{what}: {error}");
            drop(stream);
        }
    }
}

/// A peer that takes nothing of what is said until it is told to.
struct Deaf(std::sync::Arc<Ears>);

#[derive(Default)]
struct Ears {
    /// Whether they are open, and what was heard.
    state: std::sync::Mutex<(bool, Vec<u8>)>,
    told: std::sync::Condvar,
}

impl std::io::Write for Deaf {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Ears { state, told } = &*self.0;
        let mut state = state.lock().unwrap();
        while !state.0 {
            state = told.wait(state).unwrap();
        }
        state.1.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_does_not_listen_is_received_from_all_the_same() {
    let many = 3000;
    let mut stream = Vec::new();
    Record::Hello { sums: false, files: false, token: None }.encode(&mut stream).unwrap();
    let view = ArrayView::contiguous("|u1".parse().unwrap(), &[1], Order::C, &[7]).unwrap();
    let message = ndbytes::dumps(&view).unwrap();
    for _ in 0..many {
        stream.extend(&message);
    }
    let bytes = many * message.len() as u64;
    Record::End { arrays: many, bytes, sums: 0 }.encode(&mut stream).unwrap();
    let heard = std::sync::Arc::<Ears>::default();
    let (read, write) = (std::io::Cursor::new(stream), Deaf(std::sync::Arc::clone(&heard)));
    let options = SessionOptions::default().with_ack(false);
    let ready = Box::new(|| false);
    let link = Link::over_when(Box::new(read), Box::new(write), ready, &options, false).unwrap();
    let mut came = 0;
    while let Some(incoming) = link.receive().unwrap() {
        incoming.read(&Progress::default()).unwrap();
        link.ack().unwrap();
        came += 1;
    }
    assert_eq!(came, many);
    let Ears { state, told } = &*heard;
    state.lock().unwrap().0 = true;
    told.notify_all();
    link.close().unwrap();
    let said = std::mem::take(&mut state.lock().unwrap().1);
    let said = String::from_utf8_lossy(&said);
    // One acknowledgement stands for all before it.
    assert!(said.contains("{\"arrays\":3000,\"kind\":\"ack\"}"), "{said}");
    assert!(said.matches("\"ack\"").count() < 10, "{said}");
}

#[test]
fn who_says_no_hello_is_acknowledged_nothing() {
    let end = Record::End { arrays: 0, bytes: 0, sums: 0 };
    for (first, connects) in
        [(end.clone(), false), (Record::Sync(0), false), (end, true), (Record::Sync(0), true)]
    {
        let mut stream = Vec::new();
        first.encode(&mut stream).unwrap();
        let options = SessionOptions::default();
        let read = Box::new(std::io::Cursor::new(stream));
        let link = Link::over(read, Box::new(Vec::new()), &options, connects).unwrap();
        // It ends, one way or the other.
        let _ = link.receive().map(|came| assert!(came.is_none()));
        let _ = link.close();
    }
}
