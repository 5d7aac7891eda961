//! `send`: files whole to who stores them, and to others the arrays that are in them.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use ndbytes::zip::key_of;
use ndbytes::{ArrayView, Code, Error, FrameReader, Header, Limits, Looks, Order, read_header};
use ndbytes_net::session::{Address, Link, SendOptions, SessionOptions, Tag};

use crate::args::Send;
use crate::elements::read_pieces;
use crate::exit::{ExitStatus, Failure, files_and_arrays};
use crate::input::{Input, Source, is_dash};
use crate::names::Names;
use crate::peer::{Peer, Waiting, failure, meet, pipe};
use crate::printer::note;
use crate::progress::{self, By};

/// Sends every file, or every array of every file.
pub(crate) fn run(args: &Send) -> Result<ExitStatus, Failure> {
    let peer = Peer::parse(&args.addr)?;
    // Before the peer sees a connection.
    let files = args.files.iter().map(|path| File::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut sent = Sent::default();
    let done = match &peer {
        Peer::Dash => {
            let link = pipe(None, Some(io::stdout().as_fd()), &args.session.options()?);
            let link = link.map_err(|error| failure(error, &peer))?;
            over(&link, &peer, &files, &mut sent).map_err(|(failure, _)| failure)
        }
        Peer::At(address) => converse(args, &peer, address, &files, &mut sent),
    };
    done.map_err(|failure| failure.then(&format!("{} sent whole before", sent.text())))?;
    note(format_args!("sent {}", sent.text()));
    Ok(ExitStatus::Done)
}

/// Sends over connections, as many as it takes and may be.
fn converse(
    args: &Send,
    peer: &Peer,
    address: &Address,
    files: &[File],
    sent: &mut Sent,
) -> Result<(), Failure> {
    let options = args.session.options()?;
    if args.listen {
        let link = Waiting::at(address, &options)?.next(&options)?;
        return over(&link, peer, files, sent).map_err(|(failure, _)| failure);
    }
    let (mut attempts, mut before) = (0, (0, 0));
    loop {
        let link = meet(address, &options).map_err(|failure| (failure, true));
        let (failure, may_retry) = match link.and_then(|link| over(&link, peer, files, sent)) {
            Ok(()) => return Ok(()),
            Err(failed) => failed,
        };
        // What has come further may fail as often again.
        let now = (sent.files, sent.bytes);
        attempts = if now > before { 0 } else { attempts + 1 };
        before = now;
        // Arrays alone cannot be told from those that came before.
        if !may_retry || sent.arrays > 0 || attempts > args.retries || args.retries == 0 {
            return Err(failure);
        }
        note(format_args!("{}; trying again", failure.message()));
        std::thread::sleep(PAUSE * attempts.clamp(1, 10));
    }
}

/// Over one connection; with the failure, whether another might do better.
fn over(link: &Link, peer: &Peer, files: &[File], sent: &mut Sent) -> Result<(), (Failure, bool)> {
    let failed = |error: Error| {
        let passing = error.io().is_some_and(|io| io.kind() != io::ErrorKind::PermissionDenied)
            || matches!(error.code(), Code::StreamCut | Code::StreamClosing | Code::StreamChecksum);
        (failure(error, peer), passing)
    };
    let stores = link.stores_files().map_err(failed)?;
    if stores && let Some(name) = twice(files) {
        let message = format!("two of the files are called {name}, and would be one there");
        return Err((Failure::trouble(message), false));
    }
    if peer.is_http() {
        files.iter().try_for_each(File::check_members).map_err(|failure| (failure, false))?;
        link.begin().map_err(failed)?;
    }
    let names = link.takes_names().map_err(failed)?.then(Names::default);
    let mut sink = Sink { link, peer, names };
    for (number, file) in files.iter().enumerate() {
        match file {
            File::Whole { input, name, .. } if stores => {
                if sent.done.contains(&number) {
                    continue;
                }
                progress::begin(By::Telling, "sending", &input.name, None);
                let progress = progress::told();
                let done = link.send_file(&input.name, name, &progress).map_err(failed)?;
                sent.files += 1;
                sent.bytes += done.size - done.begin;
                sent.done.insert(number);
                if done.begin > 0 {
                    let path = input.name.display();
                    note(format_args!("{path}: {} of {} bytes were there", done.begin, done.size));
                }
            }
            file => {
                file.send(&mut sink, sent).map_err(|failure| (failure, false))?;
            }
        }
    }
    link.close().map_err(failed)
}

/// A name that two of the files have.
fn twice(files: &[File]) -> Option<&str> {
    let mut names = HashSet::new();
    files.iter().find_map(|file| match file {
        File::Whole { name, .. } => (!names.insert(name)).then_some(name.as_str()),
        _ => None,
    })
}

/// What was sent.
#[derive(Default)]
struct Sent {
    arrays: u64,
    files: u64,
    bytes: u64,
    /// Which of the files are there.
    done: HashSet<usize>,
}

impl Sent {
    fn text(&self) -> String {
        files_and_arrays(self.files, self.arrays)
    }
}

/// A file that has been looked at.
enum File {
    /// One that may go as it is, under its name.
    Whole { input: Input, name: String, holds: Holds },
    /// One that is read as it comes, and sent array by array.
    Piped(Input, Holds),
    /// Arrays one after another, too.
    Stdin,
}

/// What is in a file.
#[derive(Clone, Copy)]
enum Holds {
    /// Arrays one after another.
    Npy,
    Npz,
    Frame,
}

/// Where arrays go, each with a name where names are of use.
struct Sink<'a> {
    link: &'a Link,
    peer: &'a Peer,
    names: Option<Names>,
}

impl File {
    fn open(path: &Path) -> Result<Self, Failure> {
        if is_dash(path) {
            return Ok(Self::Stdin);
        }
        let input = Input::open(path)?;
        let holds = match input.looks()? {
            Looks::Npy => Holds::Npy,
            Looks::Zip => {
                input.npz()?;
                Holds::Npz
            }
            Looks::Frame => Holds::Frame,
            looks => return Err(input.refuse(looks, "an .npy, .npz or .ndb file")),
        };
        let name = path.file_name().and_then(|name| name.to_str());
        Ok(match (&input.source, name) {
            (Source::File(_) | Source::Journaled(_), Some(name)) if path.is_file() => {
                Self::Whole { name: name.to_owned(), input, holds }
            }
            _ => Self::Piped(input, holds),
        })
    }

    /// Refuses an archive of which a member cannot become a file.
    fn check_members(&self) -> Result<(), Failure> {
        let (Self::Whole { input, holds: Holds::Npz, .. } | Self::Piped(input, Holds::Npz)) = self
        else {
            return Ok(());
        };
        let reader = input.npz()?;
        let bad = |key: &&str| key.is_empty() || key.starts_with('.') || key.contains('/');
        match reader.entries().iter().map(|entry| key_of(&entry.name)).find(bad) {
            None => Ok(()),
            Some(key) => Err(Failure::trouble(format!(
                "{}: the member `{key}` has no name that a file may have there",
                input.name.display()
            ))),
        }
    }

    /// Sends array by array.
    fn send(&self, sink: &mut Sink<'_>, sent: &mut Sent) -> Result<(), Failure> {
        let (input, holds) = match self {
            Self::Stdin => {
                let name = Path::new("standard input");
                sink.name("arr");
                progress::begin(By::Reading, "sending", name, None);
                return pass_all(sink, &mut sent.arrays).map_err(|error| sink.failure(error, name));
            }
            Self::Whole { input, holds, .. } | Self::Piped(input, holds) => (input, holds),
        };
        let named = |error: Error| Failure::from(error.with_path(&input.name));
        sink.name(&input.name.file_stem().unwrap_or_default().to_string_lossy());
        match holds {
            Holds::Npy => {
                input.begin("sending");
                let size = input.source.known_size()?;
                send_all(&mut input.reader(), size, sink, &mut sent.arrays)
                    .map_err(|error| sink.failure(error, &input.name))
            }
            Holds::Npz => {
                let reader = input.npz()?;
                for index in 0..reader.entries().len() {
                    // Whole in memory first: its CRC comes at the end.
                    let (header, member) = reader.array_member(index).map_err(named)?;
                    sink.name(key_of(&reader.entries()[index].name));
                    let mut array = ndbytes::Array::zeroed(header.clone())?;
                    ndbytes::NpzReader::<&Source>::read_data(&header, member, array.bytes_mut())
                        .map_err(named)?;
                    self.send_array(&array, input, sink, sent)?;
                }
                Ok(())
            }
            Holds::Frame => {
                let reader = FrameReader::new(&input.source, &Limits::default()).map_err(named)?;
                let array = reader.read().map_err(named)?;
                self.send_array(&array, input, sink, sent)
            }
        }
    }

    fn send_array(
        &self,
        array: &ndbytes::Array,
        input: &Input,
        sink: &mut Sink<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let total = array.bytes().len() as u64;
        progress::begin(By::Telling, "sending", &input.name, Some(total));
        let options = SendOptions::default().with_progress(progress::told());
        let tag = sink.tag();
        let done = sink.link.send(&array.view(), &tag, &options);
        done.map_err(|error| sink.failure(error, Path::new("-")))?;
        sent.arrays += 1;
        Ok(())
    }
}

/// Sends the arrays that follow one another in a source of this size.
fn send_all(
    source: &mut dyn Read,
    size: Option<u64>,
    sink: &mut Sink<'_>,
    sent: &mut u64,
) -> Result<(), Error> {
    let mut at = 0;
    loop {
        let (header, len) = match read_header(source, &Limits::default()) {
            Err(error) if error.code() == Code::EndOfStream && *sent > 0 => return Ok(()),
            Err(error) if error.io().is_none() => return Err(error.shifted(at)),
            header => header?,
        };
        at += len as u64;
        let end = at + header.nbytes() as u64;
        if let Some(size) = size.filter(|&size| size < end) {
            let message = format!(
                "the data ends after {} of {} bytes: the file was cut, or not fully written",
                size - at,
                header.nbytes()
            );
            return Err(Error::new(Code::DataTruncated, message).at(size));
        }
        sink.send(&header, source, at)?;
        at = end;
        *sent += 1;
    }
}

/// Sends the arrays that standard input has, which may be a session of its own.
fn pass_all(sink: &mut Sink<'_>, sent: &mut u64) -> Result<(), Error> {
    let options = SessionOptions::default().with_limits(Limits::default());
    let link = pipe(Some(io::stdin().as_fd()), None, &options)?;
    let before = *sent;
    while let Some(incoming) = link.receive()? {
        let header = incoming.header().clone();
        // Its own, or one of ours.
        let given = incoming.tag().clone();
        let tag = match &sink.names {
            Some(_) if given.name.is_some() => given,
            Some(_) => Tag::new(sink.tag().name, given.meta),
            None => Tag::default(),
        };
        let mut incoming = Some(incoming);
        sink.link.send_pieces(&header, &tag, &mut |out| {
            let mut out = Connection(out);
            let Some(incoming) = incoming.take() else { return Ok(()) };
            incoming.read_pieces(&mut |bytes| {
                progress::read(bytes.len());
                Ok(out.write_all(bytes)?)
            })
        })?;
        *sent += 1;
    }
    // A session may have none.
    if *sent == before && !link.takes_names()? {
        return Err(Error::new(Code::EndOfStream, "no data: it is empty"));
    }
    Ok(())
}

impl Sink<'_> {
    /// What is sent from now on is called so.
    fn name(&mut self, name: &str) {
        if let Some(names) = &mut self.names {
            names.begin(name);
        }
    }

    /// What belongs to the next array.
    fn tag(&mut self) -> Tag {
        Tag::new(self.names.as_mut().map(Names::next), None)
    }

    /// Sends an array whose elements are next in the source.
    fn send(&mut self, header: &Header, source: &mut dyn Read, at: u64) -> Result<(), Error> {
        let tag = self.tag();
        self.link.send_pieces(header, &tag, &mut |sink| {
            // What fails here is the connection's.
            pass_on(header, source, at, &mut Connection(sink))
        })
    }

    /// What went wrong, of the file, unless it was the connection.
    fn failure(&self, error: Error, path: &Path) -> Failure {
        match error.path() {
            Some(own) if own == Path::new(CONNECTION) => match error.into_io() {
                Ok(io) => failure(io.into(), self.peer),
                Err(error) => error.into(),
            },
            _ if is_dash(path) => failure(error, self.peer),
            _ => error.with_path(path).into(),
        }
    }
}

/// Writes the elements that are next in the source.
fn pass_on(
    header: &Header,
    source: &mut dyn Read,
    at: u64,
    sink: &mut dyn Write,
) -> Result<(), Error> {
    read_pieces(source, header, at, &mut |items| {
        let count = items.len() / header.dtype().itemsize();
        let items = ArrayView::contiguous(header.dtype().clone(), &[count], Order::C, items)?;
        items.for_each_chunk(Order::C, &mut |bytes| Ok(sink.write_all(bytes)?))
    })
}

/// Errors of a connection, to be told from those of the file that is read.
struct Connection<'a>(&'a mut dyn Write);

impl Write for Connection<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => io::Error::other(Error::from(error).with_path(Path::new(CONNECTION))),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What errors are about that are the connection's.
const CONNECTION: &str = "the connection";
/// How long it takes to try again, at first.
const PAUSE: Duration = Duration::from_millis(500);
