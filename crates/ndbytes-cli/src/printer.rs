//! The one way to stdout and stderr: no macro that panics when the reader has gone.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use crate::exit::Failure;
use crate::progress::aside;

/// Standard output, buffered. [`Printer::finish`] reports what could not be written.
pub(crate) struct Printer(BufWriter<Stdout>);

/// Standard output, whose reader may go at any time.
pub(crate) struct Stdout {
    out: io::Stdout,
    /// Where a bar may stand.
    terminal: bool,
}

/// The reader of our standard output has closed it.
#[derive(Debug)]
pub(crate) struct StdoutGone;

impl Printer {
    /// A printer to standard output.
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::with_capacity(1 << 16, Stdout::new()))
    }

    /// Prints text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.write_all(text.as_bytes()).map_err(Self::failure)
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) -> Result<(), Failure> {
        writeln!(self.0, "{line}").map_err(Self::failure)
    }

    /// Writes what is still in the buffer.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        self.flush().map_err(Self::failure)
    }

    fn failure(error: io::Error) -> Failure {
        Failure::io(error, Path::new("standard output"))
    }
}

impl Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Stdout {
    /// Standard output.
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        Self { terminal: out.is_terminal(), out }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match self.terminal {
            true => aside(|| self.out.write(bytes)),
            false => self.out.write(bytes),
        };
        written.map_err(gone)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match self.terminal {
            true => aside(|| self.out.flush()),
            false => self.out.flush(),
        };
        flushed.map_err(gone)
    }
}

impl fmt::Display for StdoutGone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output was closed")
    }
}

impl std::error::Error for StdoutGone {}

fn gone(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => io::Error::other(StdoutGone),
        _ => error,
    }
}

/// Says an error on stderr. Without a stderr there is nobody to tell.
pub(crate) fn complain(message: &str) {
    let _ = aside(|| writeln!(io::stderr(), "ndbytes: {message}"));
}

/// Says something that is no error on stderr.
pub(crate) fn note(message: fmt::Arguments<'_>) {
    let _ = aside(|| writeln!(io::stderr(), "{message}"));
}
