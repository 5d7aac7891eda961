//! `completions` and `man`: made from the arguments, so that they cannot be out of date.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::args::{Args, Completions, Man};
use crate::exit::{ExitStatus, Failure};
use crate::output::Output;
use crate::printer::Printer;

/// Prints the completions for a shell.
pub(crate) fn completions(args: &Completions, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ndbytes", &mut script);
    out.write_all(&script)?;
    Ok(ExitStatus::Done)
}

/// Prints the manual page, or writes all of them.
pub(crate) fn man(args: &Man, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let command = Args::command().disable_help_subcommand(true);
    let Some(folder) = &args.out else {
        out.write_all(&page(command)?)?;
        return Ok(ExitStatus::Done);
    };
    std::fs::create_dir_all(folder).map_err(|error| Failure::io(error, folder))?;
    for sub in command.get_subcommands() {
        let name = format!("ndbytes-{}", sub.get_name());
        // clap's names live as long as the program.
        let title: &'static str = Box::leak(name.into_boxed_str());
        write_page(folder, title, sub.clone().name(title).bin_name(title.replacen('-', " ", 1)))?;
    }
    write_page(folder, "ndbytes", command)?;
    Ok(ExitStatus::Done)
}

fn write_page(folder: &Path, name: &str, command: clap::Command) -> Result<(), Failure> {
    let mut file = Output::create(&folder.join(format!("{name}.1")))?;
    file.write_all(&page(command)?)?;
    file.commit()
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
