//! The `ndbytes` command: look at, convert, compress, compare, send and receive NumPy arrays.
//!
//! A skin over the crate `ndbytes`: parse the arguments, call, print. `main.rs` calls [`run`] and
//! exits with what it returns.
#![forbid(unsafe_code)]

mod args;
mod commands;
mod elements;
mod exit;
mod input;
mod links;
mod names;
mod number;
mod output;
mod peer;
mod printer;
mod progress;
mod select;
mod signals;
mod time;
mod value;

use std::ffi::OsString;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::Failure;
use crate::printer::{Printer, complain, note};

pub use crate::exit::ExitStatus;

/// Runs the command with these arguments, the first of which is its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitStatus {
    signals::survive_size_limits();
    let mut out = Printer::stdout();
    let result = match Args::try_parse_from(args) {
        Ok(args) => {
            progress::allow(&args);
            dispatch(&args.command, &mut out)
        }
        Err(error) => usage(&error, &mut out),
    };
    let result = result.and_then(|status| out.finish().map(|()| status));
    progress::end();
    match result {
        Ok(status) => status,
        Err(failure) => {
            failure.report();
            failure.status()
        }
    }
}

fn dispatch(command: &Command, out: &mut Printer) -> Result<ExitStatus, Failure> {
    match command {
        Command::Info(args) => commands::info::run(args, out),
        Command::Cat(args) => commands::cat::run(args, out),
        Command::Convert(args) => commands::convert::run(args),
        Command::Compress(args) => commands::compress::compress(args),
        Command::Decompress(args) => commands::compress::decompress(args),
        Command::Verify(args) => commands::verify::run(args, out),
        Command::Diff(args) => commands::diff::run(args, out),
        Command::Send(args) => commands::send::run(args),
        Command::Recv(args) => commands::recv::run(args, out),
        #[cfg(unix)]
        Command::Serve(args) => commands::serve::run(args, out),
        Command::Completions(args) => commands::generate::completions(args, out),
        Command::Man(args) => commands::generate::man(args, out),
    }
}

/// Help and version go to stdout; everything else that clap says is an error.
fn usage(error: &clap::Error, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let text = error.render().to_string();
    if error.use_stderr() {
        match text.trim_end().strip_prefix("error: ") {
            Some(text) => complain(text),
            // No arguments at all: the help, which is no complaint.
            None => note(format_args!("{}", text.trim_end())),
        }
        return Ok(ExitStatus::Trouble);
    }
    out.text(&text)?;
    Ok(ExitStatus::Done)
}
