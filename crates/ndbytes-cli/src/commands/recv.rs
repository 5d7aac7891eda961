//! `recv`: arrays and files one after another, each stored when it has arrived whole.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use ndbytes::{Array, Code, Compression, Error, ErrorKind, Limits, NpzWriter, write_npy};
use ndbytes_net::session::{Address, FileStored, Link, Next, SessionOptions, Tag};
use tracing_subscriber::filter::LevelFilter;

use crate::args::Recv;
use crate::commands::info::shape_text;
use crate::exit::{ExitStatus, Failure, arrays, files_and_arrays};
use crate::input::is_dash;
use crate::links::{Kept, Links};
use crate::names::Names;
use crate::output::Output;
use crate::peer::{self, Peer, Waiting, pipe};
use crate::printer::{Printer, note};
use crate::progress::{self, By};
use crate::signals;

/// Receives until the stream ends, or a signal comes.
pub(crate) fn run(args: &Recv, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let limits = Limits::default().with_bytes(args.max_bytes);
    match Peer::parse(&args.addr)? {
        Peer::Dash => {
            let store = Store::open(&args.out, args.overwrite)?;
            let options = args.session.options()?.with_limits(limits);
            let link = pipe(Some(io::stdin().as_fd()), None, &options);
            let link = link.map_err(|error| peer::failure(error, &Peer::Dash))?;
            Reception::new(args, &link, &Peer::Dash, store).run(&Mutex::new(out))?;
        }
        Peer::At(address) => {
            let store = Store::open(&args.out, args.overwrite)?;
            let files = matches!(store, Store::Folder { .. }) && !args.session.plain;
            let options = args.session.options()?;
            // What is stored is acknowledged, and nothing before.
            let options = options.with_limits(limits).with_files(files).with_ack(false);
            if args.connect || (address.is_http() && !args.keep) {
                let link = peer::meet(&address, &options)?;
                let peer = Peer::At(address);
                Reception::new(args, &link, &peer, store).run(&Mutex::new(out))?;
            } else {
                listen(args, &address, &options, store, out)?;
            }
        }
    }
    Ok(ExitStatus::Done)
}

fn listen(
    args: &Recv,
    address: &Address,
    options: &SessionOptions,
    store: Store,
    out: &mut Printer,
) -> Result<(), Failure> {
    let options = &options.clone().with_max_connections(args.max_connections as usize);
    log();
    let waiting = Waiting::at(address, options)?;
    let peer = &Peer::At(waiting.address().clone());
    let out = &Mutex::new(out);
    if !args.keep {
        let link = waiting.next(options)?;
        // No other is waited for.
        drop(waiting);
        return Reception::new(args, &link, peer, store).run(out);
    }
    let Store::Folder { next, .. } = &store else {
        let text = "--keep stores what comes in a folder: give one as `--out`";
        return Err(Failure::trouble(text.to_owned()));
    };
    // A bar can show one thing.
    progress::end();
    let links = Arc::<Links>::default();
    let (listener, all) = (waiting.listener(), links.clone());
    signals::at_first(move || {
        listener.close();
        note(format_args!(
            "no more is taken, and what has begun is finished; again to end at once"
        ));
        all.close();
    });
    let kept = thread::scope(|scope| {
        while let Some(link) = waiting.any()? {
            let store = Store::folder(&args.out, args.overwrite, next);
            let (kept, links) = (links.add(link), &links);
            // One that is slow keeps nobody waiting.
            let receive = move || {
                let reception = Reception::new(args, kept.link(), peer, store);
                if let Err(failure) = reception.among(links, &kept).run(out) {
                    failure.report();
                }
            };
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, receive) {
                note(format_args!("{peer}: a connection is dropped: {error}"));
            }
        }
        // Its place may be another's from now on.
        drop(waiting);
        Ok(())
    });
    // Nothing but a signal ends it well.
    if kept.is_ok() {
        links.wait();
    }
    kept
}

/// Who was not let in, and never became a connection of which something could be said.
fn log() {
    let builder = tracing_subscriber::fmt().with_max_level(LevelFilter::WARN);
    let builder = builder.with_writer(io::stderr).with_ansi(false).without_time();
    // It is set once in a process.
    let _ = builder.with_target(false).try_init();
}

/// What came.
enum Came {
    Array(Array, Tag),
    File(FileStored),
}

/// What comes over one connection.
struct Reception<'a> {
    args: &'a Recv,
    link: &'a Link,
    peer: &'a Peer,
    /// Others that end with this one.
    among: Option<(&'a Links, &'a Kept)>,
    store: Store,
    arrays: u64,
    files: u64,
}

impl<'a> Reception<'a> {
    fn new(args: &'a Recv, link: &'a Link, peer: &'a Peer, store: Store) -> Self {
        Self { args, link, peer, among: None, store, arrays: 0, files: 0 }
    }

    /// The same as one of several.
    fn among(mut self, links: &'a Links, kept: &'a Kept) -> Self {
        self.among = Some((links, kept));
        self
    }

    /// Whether we ended it, while nothing came.
    fn was_left(&self) -> bool {
        self.among.is_some_and(|(_, kept)| kept.was_left())
    }

    /// Stores all that comes.
    fn run(mut self, out: &Mutex<&mut Printer>) -> Result<(), Failure> {
        while self.args.count.is_none_or(|wanted| self.count() < wanted) {
            // What comes may be files, but through a pipe.
            if matches!(self.peer, Peer::Dash) || !matches!(self.store, Store::Folder { .. }) {
                self.store.ready()?;
            }
            let came = match self.next() {
                Err(_) if self.was_left() => return self.done(),
                came => came.map_err(|error| self.failure(error))?,
            };
            let Some(came) = came else {
                if let Some(wanted) = self.args.count {
                    return Err(Failure::no(format!(
                        "{}: the stream ended after {} of {}",
                        self.peer,
                        self.count(),
                        arrays(wanted)
                    )));
                }
                self.refuse_nothing()?;
                break;
            };
            match came {
                Came::Array(array, tag) => {
                    self.store.put(self.arrays, &array, &tag, out)?;
                    self.arrays += 1;
                    if matches!(self.store, Store::Folder { .. }) {
                        self.acknowledge()?;
                    }
                }
                Came::File(stored) => {
                    self.files += 1;
                    let from = match stored.begin {
                        0 => String::new(),
                        begin => format!(", the first {begin} before"),
                    };
                    let path = stored.path.display();
                    say(out, format_args!("{path} {} bytes{from}", stored.size))?;
                }
            }
            if self.among.is_some_and(|(links, kept)| !kept.end(links)) {
                return self.done();
            }
        }
        std::mem::replace(&mut self.store, Store::Stdout).finish(self.arrays)?;
        self.acknowledge()?;
        self.link.close().map_err(|error| self.failure(error))?;
        self.done()
    }

    /// All that was begun is there.
    fn done(&self) -> Result<(), Failure> {
        note(format_args!("received {}", self.text()));
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Came>, Error> {
        let name = format!("array {}", self.arrays);
        progress::begin(By::Telling, "receiving", Path::new(&name), None);
        let unit = self.link.next_unit()?;
        if unit.is_some() && self.among.is_some_and(|(_, kept)| !kept.begin()) {
            return Err(Error::new(Code::StreamClosing, "it was ended before"));
        }
        Ok(match unit {
            None => None,
            Some(Next::Array(incoming)) => {
                let tag = incoming.tag().clone();
                Some(Came::Array(incoming.read(&progress::told())?, tag))
            }
            Some(Next::File(file)) => {
                progress::begin(By::Telling, "receiving", Path::new(file.name()), None);
                let overwrite = self.args.overwrite;
                Some(Came::File(file.store(&self.args.out, overwrite, &progress::told())?))
            }
        })
    }

    /// A pipe out of which nothing came is one whose sender never began.
    fn refuse_nothing(&self) -> Result<(), Failure> {
        let nothing = matches!(self.peer, Peer::Dash) && self.count() == 0;
        if nothing && !self.link.takes_names().map_err(|error| self.failure(error))? {
            let text = "standard input is empty: 0 arrays came";
            return Err(Failure::no(text.to_owned()));
        }
        Ok(())
    }

    fn acknowledge(&self) -> Result<(), Failure> {
        self.link.ack().map_err(|error| self.failure(error))
    }

    fn count(&self) -> u64 {
        self.arrays + self.files
    }

    fn text(&self) -> String {
        files_and_arrays(self.files, self.arrays)
    }

    /// Why nothing further came, and what came before.
    fn failure(&self, error: Error) -> Failure {
        let (name, count) = (self.peer, self.arrays);
        let message = match error.kind() {
            _ if matches!(error.code(), Code::StreamCut | Code::StreamClosing) => {
                Failure::no(format!("{name}: {error}"))
            }
            ErrorKind::Truncated => {
                Failure::no(format!("{name}: the stream was cut within array {count}: {error}"))
            }
            _ if error.code() == Code::TooManyBytes => Failure::no(format!(
                "{name}: array {count}: {}",
                error.message().replace("`max_bytes`", "`--max-bytes`")
            )),
            _ => peer::failure(error, self.peer),
        };
        let from = match self.peer {
            Peer::At(address) if self.link.peer() != address.to_string() => {
                format!(" from {}", self.link.peer())
            }
            _ => String::new(),
        };
        message.then(&format!("{} arrived whole{from}", self.text()))
    }
}

/// Where arrays are stored.
enum Store {
    Archive {
        writer: Box<NpzWriter<Output>>,
        names: Names,
    },
    File {
        path: PathBuf,
        output: Option<Output>,
    },
    /// The next array's number is one of all connections.
    Folder {
        path: PathBuf,
        overwrite: bool,
        next: Arc<AtomicU64>,
    },
    Stdout,
}

impl Store {
    fn open(path: &Path, overwrite: bool) -> Result<Self, Failure> {
        if is_dash(path) {
            return Ok(Self::Stdout);
        }
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        let is_file = matches!(suffix, "npy" | "npz") && !path.is_dir();
        if is_file {
            refuse_old(path, overwrite)?;
        }
        match suffix {
            "npy" if is_file => Ok(Self::File { path: path.to_owned(), output: None }),
            "npz" if is_file => {
                let writer = Box::new(NpzWriter::new(Output::durable(path)?));
                Ok(Self::Archive { writer, names: Names::default() })
            }
            _ => {
                make_durable(path).map_err(|error| Failure::io(error, path))?;
                Ok(Self::folder(path, overwrite, &Arc::default()))
            }
        }
    }

    fn folder(path: &Path, overwrite: bool, next: &Arc<AtomicU64>) -> Self {
        Self::Folder { path: path.to_owned(), overwrite, next: next.clone() }
    }

    /// Whether there is a place for the next array.
    fn ready(&self) -> Result<(), Failure> {
        match self {
            Self::Folder { path, overwrite, next } => {
                refuse_old(&numbered(path, next.load(Ordering::Relaxed)), *overwrite)
            }
            _ => Ok(()),
        }
    }

    fn put(
        &mut self,
        number: u64,
        array: &Array,
        tag: &Tag,
        out: &Mutex<&mut Printer>,
    ) -> Result<(), Failure> {
        match self {
            Self::Archive { writer, names } => {
                match &tag.name {
                    Some(name) => names.begin(name),
                    None => names.begin(&format!("arr_{number}")),
                }
                // Several may come under one name.
                writer.add(&names.next(), &array.view(), Compression::Stored)?;
            }
            Self::File { path, output } => {
                if output.is_some() {
                    return Err(Failure::no(format!(
                        "{}: more than one array came, and nothing was written: use `--count 1`, a \
                         folder or an .npz",
                        path.display()
                    )));
                }
                let mut file = Output::durable(path)?;
                write_npy(&mut file, &array.view())?;
                *output = Some(file);
            }
            Self::Folder { path, overwrite, next } => {
                let path = numbered(path, next.fetch_add(1, Ordering::Relaxed));
                refuse_old(&path, *overwrite)?;
                let mut file = Output::durable(&path)?;
                write_npy(&mut file, &array.view())?;
                file.commit()?;
                let (path, shape) = (path.display(), shape_text(array.shape()));
                say(out, format_args!("{path} {} {shape}", array.dtype()))?;
            }
            Self::Stdout => {
                let mut file = Output::create(Path::new("-"))?;
                write_npy(&mut file, &array.view())?;
                file.commit()?;
            }
        }
        Ok(())
    }

    fn finish(self, count: u64) -> Result<(), Failure> {
        match self {
            Self::Archive { writer, .. } => writer.finish()?.commit(),
            Self::File { output: Some(output), .. } => output.commit(),
            Self::File { path, output: None } => Err(Failure::no(format!(
                "{}: {} came, and nothing was written",
                path.display(),
                arrays(count)
            ))),
            Self::Folder { .. } | Self::Stdout => Ok(()),
        }
    }
}

/// Prints a line; who waits for a file reads it.
fn say(out: &Mutex<&mut Printer>, line: fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
    out.line(line)?;
    out.finish()
}

fn refuse_old(path: &Path, overwrite: bool) -> Result<(), Failure> {
    if overwrite || !path.exists() {
        return Ok(());
    }
    Err(Failure::trouble(format!(
        "{}: is there already: choose another `--out`, or say `--overwrite`",
        path.display()
    )))
}

/// Makes a folder and those above it, on the disk as what will be in it.
fn make_durable(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    std::fs::create_dir_all(path)?;
    for folder in missing {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = std::fs::File::open(parent.unwrap_or(Path::new(".")));
        match parent.and_then(|parent| parent.sync_all()) {
            // One may write to a folder that one may not read, and not all can be synchronized.
            Err(error)
                if !matches!(
                    error.kind(),
                    io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput
                ) =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

fn numbered(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:05}.npy"))
}
