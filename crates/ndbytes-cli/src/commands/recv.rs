//! `recv`: arrays one after another, each stored when it has arrived whole.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ndbytes::{Array, Code, Compression, Error, ErrorKind, Limits, NpzWriter, write_npy};

use crate::address::Address;
use crate::args::Recv;
use crate::commands::info::shape_text;
use crate::exit::{ExitStatus, Failure, arrays};
use crate::input::is_dash;
use crate::output::Output;
use crate::printer::{Printer, note};
use crate::progress::{self, By};

/// Receives arrays until the stream ends.
pub(crate) fn run(args: &Recv, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let address = Address::parse(&args.addr)?;
    let limits = Limits::default().with_bytes(args.max_bytes);
    // Before anybody sends to no purpose.
    let mut store = Store::open(&args.out, args.overwrite)?;
    let mut source: Box<dyn Read> = match &address {
        Address::Dash => Box::new(io::stdin()),
        _ if args.connect => Box::new(address.connect(args.timeout.0)?),
        _ => Box::new(address.listen(args.timeout.0)?),
    };
    let mut count = 0;
    while args.count.is_none_or(|wanted| count < wanted) {
        store.ready(count)?;
        let name = format!("array {count}");
        progress::begin(By::Telling, "receiving", Path::new(&name), None);
        let array = ndbytes::recv_with(&mut source, &limits, &progress::told())
            .map_err(|error| cut(error, &address, count))?;
        let Some(array) = array else {
            if let Some(wanted) = args.count {
                return Err(Failure::no(format!(
                    "{address}: the stream ended after {count} of {}",
                    arrays(wanted)
                )));
            }
            break;
        };
        store.put(count, &array, out)?;
        count += 1;
    }
    store.finish(count)?;
    note(format_args!("received {}", arrays(count)));
    Ok(ExitStatus::Done)
}

/// Where arrays are stored.
enum Store {
    Archive { writer: Box<NpzWriter<Output>> },
    File { path: PathBuf, output: Option<Output> },
    Folder { path: PathBuf, overwrite: bool },
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
                Ok(Self::Archive { writer: Box::new(NpzWriter::new(Output::create(path)?)) })
            }
            _ => {
                std::fs::create_dir_all(path).map_err(|error| Failure::io(error, path))?;
                Ok(Self::Folder { path: path.to_owned(), overwrite })
            }
        }
    }

    /// Whether there is a place for the array of this number.
    fn ready(&self, number: u64) -> Result<(), Failure> {
        match self {
            Self::Folder { path, overwrite } => refuse_old(&numbered(path, number), *overwrite),
            _ => Ok(()),
        }
    }

    fn put(&mut self, number: u64, array: &Array, out: &mut Printer) -> Result<(), Failure> {
        match self {
            Self::Archive { writer } => {
                writer.add(&format!("arr_{number}"), &array.view(), Compression::Stored)?;
            }
            Self::File { path, output } => {
                if output.is_some() {
                    return Err(Failure::no(format!(
                        "{}: more than one array came, and nothing was written: use `--count 1`, a \
                         folder or an .npz",
                        path.display()
                    )));
                }
                let mut file = Output::create(path)?;
                write_npy(&mut file, &array.view())?;
                *output = Some(file);
            }
            Self::Folder { path, .. } => {
                let path = numbered(path, number);
                let mut file = Output::create(&path)?;
                write_npy(&mut file, &array.view())?;
                file.commit()?;
                let (path, shape) = (path.display(), shape_text(array.shape()));
                out.line(format_args!("{path} {} {shape}", array.dtype()))?;
                // Who waits for a file reads this line.
                out.finish()?;
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
            Self::Archive { writer } => writer.finish()?.commit(),
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

/// Why no further array came, and what came before.
fn cut(error: Error, address: &Address, count: u64) -> Failure {
    let message = match error.kind() {
        ErrorKind::Truncated => {
            Failure::no(format!("{address}: the stream was cut within array {count}: {error}"))
        }
        _ if error.code() == Code::TooManyBytes => Failure::no(format!(
            "{address}: array {count}: {}",
            error.message().replace("`max_bytes`", "`--max-bytes`")
        )),
        _ => Failure::from(error).about(&address.to_string()),
    };
    message.then(&format!("{} arrived whole", arrays(count)))
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

fn numbered(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:05}.npy"))
}
