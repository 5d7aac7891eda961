//! The `ndbytes` command.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ndbytes_cli::run(std::env::args_os()).into()
}
