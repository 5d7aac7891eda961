//! Where results go: a file that is whole or not there, or standard output.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndbytes::{AtomicFile, Error, SaveOptions, Sink};

use crate::exit::Failure;
use crate::input::is_dash;
use crate::printer::Stdout;
use crate::progress;
use crate::signals::Doomed;

/// A file, written atomically, or standard output for `-`.
pub(crate) struct Output {
    target: Target,
    path: PathBuf,
    written: u64,
    /// Of these, what may not be on the disk yet, if it is to be.
    pending: usize,
}

enum Target {
    File { file: Box<AtomicFile>, doomed: Option<Doomed> },
    Stdout(BufWriter<Stdout>),
}

impl Output {
    /// Begins to write; nothing stands at the path until [`Output::commit`].
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        Self::with(path, &SaveOptions::default())
    }

    /// As [`Output::create`], for what somebody else is told to be stored: it is on the disk then.
    pub(crate) fn durable(path: &Path) -> Result<Self, Failure> {
        Self::with(path, &SaveOptions::default().with_durable(true))
    }

    fn with(path: &Path, options: &SaveOptions) -> Result<Self, Failure> {
        if is_dash(path) {
            let target = Target::Stdout(BufWriter::with_capacity(1 << 16, Stdout::new()));
            return Ok(Self { target, path: "standard output".into(), written: 0, pending: 0 });
        }
        let file = Box::new(AtomicFile::create(path, options)?);
        let doomed = file.temporary().map(Doomed::new);
        let target = Target::File { file, doomed };
        Ok(Self { target, path: path.to_owned(), written: 0, pending: 0 })
    }

    /// How many bytes were written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Makes it so: the file takes its name, standard output is flushed.
    pub(crate) fn commit(self) -> Result<(), Failure> {
        let result = match self.target {
            Target::File { file, doomed } => {
                let result = file.commit();
                drop(doomed);
                result
            }
            Target::Stdout(mut out) => out.flush().map_err(Error::from),
        };
        result.map_err(|error| error.with_path(&self.path).into())
    }

    /// An error of ours with our path, so that it is told from the input's.
    fn named(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::Interrupted {
            return error;
        }
        // Stays an I/O error with its kind; the path is added where it is caught.
        let error = Error::from(error).with_path(&self.path);
        io::Error::other(error)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending += bytes.len();
        let result = match &mut self.target {
            // All at once would take long in the end, when others wait for an answer.
            Target::File { file, .. } if self.pending > PENDING => {
                self.pending = 0;
                file.synchronize().map_err(io::Error::from).and_then(|()| file.write(bytes))
            }
            Target::File { file, .. } => file.write(bytes),
            Target::Stdout(out) => out.write(bytes),
        };
        let n = result.map_err(|error| self.named(error))?;
        progress::wrote(n);
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = match &mut self.target {
            Target::File { file, .. } => file.flush(),
            Target::Stdout(out) => out.flush(),
        };
        result.map_err(|error| self.named(error))
    }
}

/// Bytes that are written before the disk is asked for them.
const PENDING: usize = 64 << 20;

impl Sink for Output {
    fn can_rewrite(&self) -> bool {
        match &self.target {
            Target::File { file, .. } => file.can_rewrite(),
            Target::Stdout(_) => false,
        }
    }

    fn rewrite(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let result = match &mut self.target {
            Target::File { file, .. } => file.rewrite(at, bytes),
            Target::Stdout(_) => Err(io::ErrorKind::Unsupported.into()),
        };
        result.map_err(|error| self.named(error))
    }
}
