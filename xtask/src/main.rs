//! Checks on the workspace itself: `cargo xtask floors` and `cargo xtask no-todo`.
//!
//! Exit status: 0 all well, 1 findings, 2 could not check.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a developer's tool: its findings go to stdout, its errors to stderr"
)]

mod floors;
mod metadata;
mod sources;
mod todo;

use std::error::Error;
use std::path::Path;
use std::process::{Command, ExitCode};

use metadata::Metadata;

fn main() -> ExitCode {
    // Cargo names the folder of this crate; every path below is relative to the one above it.
    if let Some(here) = std::env::var_os("CARGO_MANIFEST_DIR")
        && let Err(error) = std::env::set_current_dir(Path::new(&here).join(".."))
    {
        eprintln!("error: {}: {error}", here.display());
        return ExitCode::from(2);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["floors"] => floors(),
        ["no-todo"] => no_todo(),
        _ => Err("usage: cargo xtask floors | no-todo".into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn floors() -> Done {
    let metadata = Metadata::parse(&cargo_metadata()?)?;
    let mut problems = floors::check(&metadata);
    let files = sources::read(&metadata)?;
    problems.extend(sources::check(&files));
    for warning in sources::warnings(&files) {
        println!("warning: {warning}");
    }
    Ok(tell("floors", &problems))
}

fn no_todo() -> Done {
    let listed = run("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
    let mut problems = Vec::new();
    for path in listed.split('\0').filter(|path| todo::is_source(path)) {
        // Listed yet gone: deleted and not yet committed.
        if !Path::new(path).is_file() {
            continue;
        }
        let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
        problems.extend(todo::check(path, &text));
    }
    Ok(tell("no-todo", &problems))
}

/// Prints the findings and returns whether there are none.
fn tell(name: &str, problems: &[String]) -> bool {
    for problem in problems {
        println!("{name}: {problem}");
    }
    if problems.is_empty() {
        println!("{name}: ok");
    }
    problems.is_empty()
}

/// Returns the metadata with the whole graph: every feature on, every platform.
fn cargo_metadata() -> Result<String, Box<dyn Error>> {
    let arguments = ["metadata", "--format-version=1", "--all-features"];
    // Offline first, because that works on a plane; it fails where a crate that only another
    // platform needs was never downloaded.
    run("cargo", &[&arguments[..], &["--offline"]].concat()).or_else(|_| run("cargo", &arguments))
}

/// Runs a program at the root of the workspace and returns what it prints.
fn run(program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run {program}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {}: {}", arguments.join(" "), said.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

type Done = Result<bool, Box<dyn Error>>;
