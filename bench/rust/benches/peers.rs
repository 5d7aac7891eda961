//! ndbytes against npyz and ndarray-npy: `cargo bench -- [--size MIB] [--only WORD] [--seconds S]
//! [--check]`.
//!
//! Prints one table, in Markdown, after what criterion has to say. `--check` makes every task,
//! small, and checks its answers.

use std::time::Duration;

use criterion::Criterion;
use ndbytes_bench::files::Fixture;
use ndbytes_bench::rounds::{Effort, Task};
use ndbytes_bench::{Result, headers, small};

struct Options {
    mib: usize,
    only: String,
    seconds: u64,
    check: bool,
}

fn main() -> Result<()> {
    let options = options()?;
    let mut criterion = Criterion::default().without_plots();
    let mut table = vec![
        "| task | peer | ndbytes, median (range) | peer, median (range) | times as fast |".into(),
        "|---|---|---|---|---|".into(),
    ];
    let mut run = |task: Task<'_>, samples: usize| -> Result<()> {
        if !task.name().contains(&options.only) {
            return Ok(());
        }
        if options.check {
            println!("{}: checked", task.name());
            return Ok(());
        }
        let effort = Effort { time: Duration::from_secs(options.seconds), samples };
        table.extend(task.measure(&mut criterion, effort));
        Ok(())
    };
    small::each(&mut |task| run(task, 50))?;
    headers::each(&mut |task| run(task, 50))?;
    let folder = tempfile::tempdir()?;
    let count = if options.check { 1 << 12 } else { options.mib << 17 };
    Fixture::new(folder.path(), count)?.each(&mut |task| run(task, 11))?;
    if !options.check {
        println!("\n{}", table.join("\n"));
    }
    Ok(())
}

fn options() -> Result<Options> {
    let mut options = Options { mib: 256, only: String::new(), seconds: 4, check: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--size" => options.mib = value()?.parse()?,
            "--only" => options.only = value()?,
            "--seconds" => options.seconds = value()?.parse::<u64>()?.max(1),
            "--check" => options.check = true,
            // Cargo says this to every benchmark.
            "--bench" => {}
            _ => return Err(format!("no option {word}").into()),
        }
    }
    Ok(options)
}
