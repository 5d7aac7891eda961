//! Files that are sent: cut, held up and turned at every byte of the conversation, and sent again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ndbytes::{Code, Progress};
use ndbytes_net::session::{
    Address, FileSent, FileStored, Listener, Next, Record, SessionOptions, connect,
};
use ndbytes_testkit::line::Line;
use ndbytes_testkit::proxy::{Fault, Plan, Proxy, UnixProxy, Way};

use crate::tls::certificate;

fn options() -> SessionOptions {
    SessionOptions::default().with_timeout(Some(Duration::from_secs(5))).with_files(true)
}

/// A folder to send from and one to store in.
struct Place {
    folder: tempfile::TempDir,
    listener: Listener,
    overwrite: bool,
}

/// What a connection is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Tcp,
    Tls,
    Unix,
    Quic,
}

/// A proxy in between, and where it is.
enum Between {
    Inet(Proxy, &'static str),
    Unix(UnixProxy),
}

impl Between {
    fn new(place: &Place, kind: Kind, plan: impl Fn(usize) -> Plan + Send + 'static) -> Self {
        match place.listener.address() {
            Address::Unix(to) => {
                let path = place.folder.path().join("between");
                Self::Unix(UnixProxy::start(path, to.clone(), plan))
            }
            _ => {
                let scheme = if kind == Kind::Tls { "tls" } else { "tcp" };
                Self::Inet(Proxy::start(place.address(), plan), scheme)
            }
        }
    }

    fn address(&self) -> Address {
        match self {
            // Certificates are of names.
            Self::Inet(proxy, "tls") => {
                format!("tls://localhost:{}", proxy.address().port()).parse().unwrap()
            }
            Self::Inet(proxy, scheme) => format!("{scheme}://{}", proxy.address()).parse().unwrap(),
            Self::Unix(proxy) => Address::Unix(proxy.path().to_owned()),
        }
    }
}

type Came = ndbytes::Result<Vec<FileStored>>;

impl Place {
    fn new() -> Self {
        Self::with(options())
    }

    fn with(options: SessionOptions) -> Self {
        Self::at(Kind::Tcp, options)
    }

    fn at(kind: Kind, options: SessionOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let address = match kind {
            Kind::Tcp => "tcp://127.0.0.1:0".parse().unwrap(),
            Kind::Tls => "tls://127.0.0.1:0".parse().unwrap(),
            Kind::Unix => Address::Unix(folder.path().join("socket")),
            Kind::Quic => "quic://127.0.0.1:0".parse().unwrap(),
        };
        let listener = Listener::bind(&address, &options).unwrap();
        Self { folder, listener, overwrite: false }
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("a.npy");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn stored(&self) -> Option<Vec<u8>> {
        std::fs::read(self.folder.path().join("in/a.npy")).ok()
    }

    fn names(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.folder.path().join("in")).unwrap();
        let mut names: Vec<_> =
            found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn address(&self) -> SocketAddr {
        self.listener.address().host().unwrap().parse().unwrap()
    }

    /// Sends the file to there, and stores what comes.
    fn send(
        &self,
        at: SocketAddr,
        path: &Path,
        options: SessionOptions,
    ) -> (ndbytes::Result<FileSent>, Came) {
        self.send_to(format!("tcp://{at}").parse().unwrap(), path, options)
    }

    fn send_to(
        &self,
        at: Address,
        path: &Path,
        options: SessionOptions,
    ) -> (ndbytes::Result<FileSent>, Came) {
        let path = path.to_owned();
        let sender = thread::spawn(move || {
            let link = connect(&at, &options)?;
            let sent = link.send_file(&path, "a.npy", &Progress::default())?;
            link.close()?;
            Ok(sent)
        });
        let came = self.store();
        (sender.join().unwrap(), came)
    }

    fn store(&self) -> Came {
        let Some(link) = self.listener.accept(Some(Duration::from_secs(5)))? else {
            return Ok(Vec::new());
        };
        let mut stored = Vec::new();
        while let Some(next) = link.next_unit()? {
            let Next::File(file) = next else { panic!("an array") };
            let folder = self.folder.path().join("in");
            stored.push(file.store(&folder, self.overwrite, &Progress::default())?);
        }
        link.close()?;
        Ok(stored)
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[test]
fn a_file_arrives_once() {
    let place = Place::new();
    for len in [0, 1, 1 << 20, (3 << 20) + 5] {
        let path = place.file(&bytes(len));
        let (sent, came) = place.send(place.address(), &path, options());
        let (sent, came) = (sent.unwrap(), came.unwrap());
        assert_eq!((sent.size, sent.begin), (len as u64, 0));
        assert_eq!((came.len(), came[0].begin), (1, 0));
        assert_eq!(place.stored().unwrap(), bytes(len));
        // Again: it is there, and nothing is sent.
        let (sent, came) = place.send(place.address(), &path, options());
        assert_eq!((sent.unwrap().begin, came.unwrap()[0].begin), (len as u64, len as u64));
        assert_eq!(place.names(), ["a.npy"]);
        std::fs::remove_file(place.folder.path().join("in/a.npy")).unwrap();
    }
}

#[test]
fn another_file_of_that_name_is_not_replaced_unasked() {
    let mut place = Place::new();
    let path = place.file(&bytes(1000));
    for old in [b"old".to_vec(), vec![0; 1000]] {
        std::fs::write(place.folder.path().join("in/a.npy"), &old).unwrap();
        let (sent, came) = place.send(place.address(), &path, options());
        assert_eq!(came.unwrap_err().code(), Code::Argument);
        let error = sent.unwrap_err();
        assert_eq!(error.code(), Code::StreamPeer, "{error}");
        assert!(error.message().contains("already"), "{error}");
        assert_eq!(place.stored().unwrap(), old);
    }
    place.overwrite = true;
    for old in [b"old".to_vec(), vec![0; 1000]] {
        std::fs::write(place.folder.path().join("in/a.npy"), &old).unwrap();
        let (sent, came) = place.send(place.address(), &path, options());
        assert_eq!((sent.unwrap().begin, came.unwrap()[0].begin), (0, 0));
        assert_eq!(place.stored().unwrap(), bytes(1000));
    }
    assert_eq!(place.names(), ["a.npy"]);
}

#[test]
fn what_goes_wrong_at_any_byte_loses_and_doubles_nothing() {
    // More than either says, in a conversation in which nothing goes wrong.
    let resumed = everywhere(Kind::Tcp, &options(), [850, 400], 1);
    // All was there when the last word was lost.
    assert!(resumed > 200, "{resumed}");
}

#[test]
fn what_goes_wrong_over_a_unix_socket_does_neither() {
    let resumed = everywhere(Kind::Unix, &options(), [850, 400], 3);
    assert!(resumed > 50, "{resumed}");
}

#[test]
fn what_goes_wrong_over_tls_does_neither() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let options =
        options().with_certificate(Some((cert.clone(), key))).with_authorities(Some(cert));
    let resumed = everywhere(Kind::Tls, &options, [2000, 2500], 7);
    assert!(resumed > 30, "{resumed}");
}

/// Datagrams arrive whole or not at all, so that there are as many places to cut as there are of them.
#[test]
fn a_cut_before_any_datagram_of_quic_does_neither() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let options =
        options().with_certificate(Some((cert.clone(), key))).with_authorities(Some(cert));
    let cut = |most| {
        let place = Place::at(Kind::Quic, options.clone());
        let data = bytes(20_000);
        let path = place.file(&data);
        let line = Line::to(place.address(), 1e9, most).unwrap();
        let at = |at: SocketAddr| format!("quic://localhost:{}", at.port()).parse().unwrap();
        let short = options.clone().with_timeout(Some(Duration::from_millis(800)));
        let (sent, came) = place.send_to(at(line.address()), &path, short);
        let whole = place.stored();
        assert!(whole.is_none() || whole.as_ref() == Some(&data), "{most}");
        assert!(sent.is_err() || whole.is_some(), "{most}: {came:?}");
        let at_once = sent.is_ok();
        drop(line);
        // Who came by the line may be found first.
        let mut tries =
            (0..5).map(|_| place.send_to(at(place.address()), &path, options.clone()).0);
        let sent = tries.find_map(Result::ok).unwrap_or_else(|| panic!("{most}: it never arrived"));
        assert_eq!(place.stored().as_ref(), Some(&data), "{most}");
        assert_eq!(place.names(), ["a.npy"], "{most}");
        (at_once, sent.begin > 0)
    };
    let found: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|first| {
                let cut = &cut;
                scope.spawn(move || {
                    (first..48).step_by(8).map(|n| cut(n * 1500)).collect::<Vec<_>>()
                })
            })
            .collect();
        all.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().any(|(_, went_on)| *went_on), "{found:?}");
    assert!(found.iter().any(|(at_once, _)| !at_once));
    assert!(cut(usize::MAX).0, "there is a line that is not cut");
}

/// Has something go wrong at every so many bytes of either direction; how often it went on.
fn everywhere(kind: Kind, options: &SessionOptions, ends: [u64; 2], step: u64) -> usize {
    const THREADS: u64 = 3;
    let places = [(Way::Up, ends[0]), (Way::Down, ends[1])];
    let resumed: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .flat_map(|first| places.map(|(way, end)| (first, way, end)))
            .map(|(first, way, end)| {
                let all = move || {
                    (first * step..end)
                        .step_by((THREADS * step) as usize)
                        .map(|at| each_fault(kind, options, way, at))
                        .sum::<usize>()
                };
                scope.spawn(all)
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    for (way, end) in places {
        let (at_once, _) = fail_and_send_again(kind, options, way, end, Fault::Cut);
        assert!(at_once, "{way:?}: there is more to cut");
    }
    resumed
}

/// Has the connection cut at this byte, and something else go wrong there; how often it went on.
fn each_fault(kind: Kind, options: &SessionOptions, way: Way, at: u64) -> usize {
    let other = match at % 8 {
        7 => Fault::Stall,
        // Nothing protects what passes through a Unix socket, but the system whose it is.
        0 | 3 if kind != Kind::Unix => Fault::Flip((at / 8) as u8),
        _ => Fault::Reset,
    };
    let resumed = |fault| usize::from(fail_and_send_again(kind, options, way, at, fault).1);
    [Fault::Cut, other].map(resumed).iter().sum()
}

/// Has something go wrong at this byte of a conversation, and sends again; whether it arrived at once, and
/// whether the second time went on.
fn fail_and_send_again(
    kind: Kind,
    options: &SessionOptions,
    way: Way,
    at: u64,
    fault: Fault,
) -> (bool, bool) {
    let short = options.clone().with_timeout(Some(Duration::from_millis(800)));
    let place = Place::at(kind, short.clone());
    let data = bytes(300);
    let path = place.file(&data);
    let what = format!("{kind:?} {way:?} {at} {fault:?}");
    let plan = move |number| match number {
        0 => Plan::fails(way, at, fault),
        _ => Plan::default(),
    };
    let proxy = Between::new(&place, kind, plan);
    let (sent, came) = place.send_to(proxy.address(), &path, short.clone());
    let whole = place.stored();
    assert!(whole.is_none() || whole.as_ref() == Some(&data), "{what}");
    // Who was told that it is stored was told the truth.
    assert!(sent.is_err() || whole.is_some(), "{what}: {came:?}");
    let at_once = sent.is_ok();
    // A disk may take its time.
    let (sent, came) = place.send_to(proxy.address(), &path, options.clone());
    let sent = sent.unwrap_or_else(|error| panic!("{what}: {error}"));
    came.unwrap();
    assert_eq!(place.stored().as_ref(), Some(&data), "{what}");
    assert_eq!(place.names(), ["a.npy"], "{what}");
    (at_once, sent.begin > 0)
}

#[test]
fn what_was_there_goes_on_only_if_it_is_the_same() {
    let place = Place::new();
    let data = bytes((2 << 20) + 77);
    let path = place.file(&data);
    let part = place.folder.path().join("in/.a.npy.part");
    let mut longer = data.clone();
    longer.push(0);
    let mut other = data[..1 << 20].to_vec();
    other[4000] ^= 1;
    for (there, begin) in
        [(data[..1 << 20].to_vec(), 1 << 20), (data.clone(), data.len()), (other, 0), (longer, 0)]
    {
        std::fs::write(&part, there).unwrap();
        let (sent, came) = place.send(place.address(), &path, options());
        assert_eq!(sent.unwrap().begin, begin as u64);
        assert_eq!(came.unwrap()[0].begin, begin as u64);
        assert_eq!(place.stored().unwrap(), data);
        assert_eq!(place.names(), ["a.npy"]);
        std::fs::remove_file(place.folder.path().join("in/a.npy")).unwrap();
    }
}

#[test]
fn names_and_links_do_not_lead_elsewhere() {
    let place = Place::new();
    let path = place.file(b"abc");
    for name in ["../b", "/etc/b", "a/b", "", ".", "..", ".hidden", "a\0b", "a\nb"] {
        let at: Address = format!("tcp://{}", place.address()).parse().unwrap();
        let (name, path) = (name.to_owned(), path.clone());
        let sender = thread::spawn(move || {
            let link = connect(&at, &options()).unwrap();
            link.send_file(&path, &name, &Progress::default()).unwrap_err()
        });
        assert_eq!(place.store().unwrap_err().code(), Code::Argument);
        assert_eq!(sender.join().unwrap().code(), Code::StreamPeer);
    }
    assert!(place.names().is_empty());
    let elsewhere = place.folder.path().join("elsewhere");
    for name in ["a.npy", ".a.npy.part"] {
        std::os::unix::fs::symlink(&elsewhere, place.folder.path().join("in").join(name)).unwrap();
        let (sent, came) = place.send(place.address(), &path, options());
        assert!(sent.is_err() && came.is_err());
        assert!(!elsewhere.exists());
        std::fs::remove_file(place.folder.path().join("in").join(name)).unwrap();
    }
}

#[test]
fn limits_hold_for_files() {
    let limits = ndbytes::Limits::default().with_bytes(999);
    let place = Place::with(options().with_limits(limits));
    let path = place.file(&bytes(1000));
    let (sent, came) = place.send(place.address(), &path, options());
    assert_eq!(came.unwrap_err().code(), Code::TooManyBytes);
    assert!(sent.unwrap_err().message().contains("limit.bytes"));
    // Who stores none says so.
    let place = Place::with(options().with_files(false));
    let path = place.file(&bytes(10));
    let (sent, _) = place.send(place.address(), &path, options());
    assert_eq!(sent.unwrap_err().code(), Code::StreamPlain);
    assert!(place.names().is_empty());
}

#[test]
fn two_who_send_the_same_do_not_mix() {
    let place = Place::with(options().with_timeout(Some(Duration::from_millis(700))));
    let path = place.file(&bytes(10));
    let part = std::fs::File::create(place.folder.path().join("in/.a.npy.part")).unwrap();
    part.lock().unwrap();
    let (sent, came) = place.send(place.address(), &path, options());
    assert!(came.unwrap_err().to_string().contains("by another connection"));
    assert!(sent.is_err());
    // Who comes second waits for the first.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            drop(part);
        });
        let (sent, _) = place.send(place.address(), &path, options());
        sent.unwrap();
    });
    assert_eq!(place.names(), ["a.npy"]);
}

#[test]
fn who_is_gone_without_a_word_makes_room() {
    let place = Place::with(options().with_timeout(Some(Duration::from_secs(30))));
    let path = place.file(&bytes(3_000_000));
    // It stalls for longer than anybody waits here, and is not heard of again.
    let lost = |_| Plan::fails(Way::Up, 1_500_000, Fault::Stall);
    let proxy = Proxy::start(place.address(), lost);
    let begin = std::time::Instant::now();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| place.send(proxy.address(), &path, options()));
        thread::sleep(Duration::from_millis(500));
        let (sent, came) = place.send(place.address(), &path, options());
        let began = came.unwrap()[0].begin;
        assert!(began > 0 && began == sent.unwrap().begin, "{began}");
        assert!(begin.elapsed() < Duration::from_secs(8));
        let (sent, came) = first.join().unwrap();
        assert!(sent.is_err() && came.is_err());
    });
    assert_eq!(place.names(), ["a.npy"]);
}

#[test]
fn who_is_busy_for_ever_is_given_up() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", server.local_addr().unwrap()).parse().unwrap();
    let busy = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut said = Vec::new();
        Record::Hello { sums: false, files: true, token: None }.encode(&mut said).unwrap();
        let mut word = Vec::new();
        Record::Other("busy".to_owned()).encode(&mut word).unwrap();
        while std::io::Write::write_all(&mut stream, &said).is_ok() {
            said.clone_from(&word);
            thread::sleep(Duration::from_millis(20));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    std::fs::write(&path, b"abc").unwrap();
    let options = options().with_timeout(Some(Duration::from_millis(200)));
    let link = connect(&address, &options).unwrap();
    let error = link.send_file(&path, "a.npy", &Progress::default()).unwrap_err();
    assert_eq!(error.io().map(std::io::Error::kind), Some(std::io::ErrorKind::TimedOut), "{error}");
    assert!(error.message().contains("busy"), "{error}");
    drop(link);
    busy.join().unwrap();
}
