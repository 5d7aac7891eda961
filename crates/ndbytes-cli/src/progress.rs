//! A bar on the terminal, for work that takes longer than a moment: what is done, how fast, and how
//! long it will take.
//!
//! There is one at a time, and one task that it shows. Whatever else is printed comes through
//! [`aside`], so that the two never mix.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{
    BinaryBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use ndbytes::Progress;

use crate::args::{Args, Command, Report, Values};
use crate::input::is_dash;

/// What makes a task go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Bytes that are read of input files.
    Reading,
    /// Bytes that are written to the output.
    Writing,
    /// What is told.
    Telling,
}

/// A reader whose bytes count as read.
pub(crate) struct Counted<R>(pub(crate) R);

/// The task that is under way, and the bar once there is one.
struct Screen {
    task: Option<Task>,
    bar: Option<ProgressBar>,
    /// When the first task began.
    since: Option<Instant>,
    drawn: Option<Instant>,
}

struct Task {
    by: By,
    name: String,
    done: u64,
    total: Option<u64>,
    begun: Instant,
}

/// Whether there may be a bar.
static ALLOWED: AtomicBool = AtomicBool::new(false);

static SCREEN: Mutex<Screen> =
    Mutex::new(Screen { task: None, bar: None, since: None, drawn: None });

/// Allows a bar to commands that may take long, if stderr is a terminal that can show one, and none
/// that the output proper goes to.
pub(crate) fn allow(args: &Args) {
    let (wanted, out) = match &args.command {
        Command::Convert(args) => (true, is_dash(&args.output)),
        Command::Compress(args) => (true, is_dash(&args.output)),
        Command::Decompress(args) => (true, is_dash(&args.output)),
        Command::Cat(args) => (args.format != Values::Json, true),
        Command::Verify(args) => (args.format != Report::Json, false),
        Command::Diff(_) => (true, false),
        Command::Send(args) => (true, args.addr == "-"),
        Command::Recv(args) => (true, is_dash(&args.out)),
        _ => (false, false),
    };
    let able = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    let apart = !(out && io::stdout().is_terminal());
    let allowed = wanted && able && apart && !args.no_progress && io::stderr().is_terminal();
    ALLOWED.store(allowed, Ordering::Relaxed);
}

/// Begins a task of so many bytes, if that is known, in the place of the one before.
pub(crate) fn begin(by: By, verb: &str, path: &Path, total: Option<u64>) {
    if !is_allowed() {
        return;
    }
    let now = Instant::now();
    let mut screen = screen();
    screen.since.get_or_insert(now);
    screen.task = Some(Task { by, name: name(verb, path), done: 0, total, begun: now });
}

/// So many bytes of input were read.
pub(crate) fn read(bytes: usize) {
    add(By::Reading, bytes);
}

/// So many bytes of output were written.
pub(crate) fn wrote(bytes: usize) {
    add(By::Writing, bytes);
}

/// For the library to tell how far it is.
pub(crate) fn told() -> Progress {
    if !is_allowed() {
        return Progress::default();
    }
    Progress::new(|done, total| {
        let mut screen = screen();
        if let Some(task) = screen.task.as_mut().filter(|task| task.by == By::Telling) {
            (task.done, task.total) = (done, Some(total));
            screen.show();
        }
        Ok(())
    })
}

/// How much to read at a time of so many bytes, so that something can be shown.
pub(crate) fn piece(len: usize) -> usize {
    if is_allowed() { len.min(PIECE) } else { len }
}

/// Prints something else, without the bar.
pub(crate) fn aside<T>(print: impl FnOnce() -> T) -> T {
    if !is_allowed() {
        return print();
    }
    match &screen().bar {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

/// Takes the bar away; there is none any more.
pub(crate) fn end() {
    if ALLOWED.swap(false, Ordering::Relaxed)
        && let Some(bar) = screen().bar.take()
    {
        bar.finish_and_clear();
    }
}

/// As [`end`], for a process that a signal ends: nothing is drawn after this.
pub(crate) fn abort() {
    if !is_allowed() {
        return;
    }
    // Who draws at this moment may wait for a terminal that has been stopped.
    let deadline = Instant::now() + GRACE;
    while Instant::now() < deadline {
        if let Ok(screen) = SCREEN.try_lock() {
            if screen.bar.is_some() {
                let _ = io::stderr().write_all(b"\r\x1b[K");
            }
            // Never given back.
            let _ = std::mem::ManuallyDrop::new(screen);
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.0.read(buffer)?;
        read(n);
        Ok(n)
    }
}

impl Screen {
    /// Draws, if it is time.
    fn show(&mut self) {
        let Some(task) = &self.task else { return };
        let since = |then: Option<Instant>, least| then.is_none_or(|then| then.elapsed() >= least);
        if !since(self.since, PATIENCE) || !since(self.drawn, PERIOD) {
            return;
        }
        self.drawn = Some(Instant::now());
        let bar = self.bar.get_or_insert_with(|| {
            // What is on the terminal when a signal comes is taken away.
            crate::signals::watch();
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr())
        });
        bar.set_style(task.style());
        bar.set_elapsed(task.begun.elapsed());
        bar.set_prefix(task.name.clone());
        match task.total {
            Some(total) => bar.set_length(total),
            None => bar.unset_length(),
        }
        bar.set_position(task.done);
        bar.tick();
    }
}

impl Task {
    fn style(&self) -> ProgressStyle {
        let template = match self.total {
            Some(_) => {
                "{prefix} [{wide_bar}] {percent:>3}% {binary_bytes}/{binary_total_bytes} {rate} {left}"
            }
            None => "{prefix} {binary_bytes} {rate}",
        };
        let plain = ProgressStyle::default_bar();
        ProgressStyle::with_template(template)
            .unwrap_or(plain)
            .progress_chars("=> ")
            .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}/s", BinaryBytes(rate(state) as u64));
            })
            .with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let left = state.len().unwrap_or(0).saturating_sub(state.pos()) as f64;
                let seconds = Duration::try_from_secs_f64((left / rate(state)).ceil());
                let _ = seconds.map(|seconds| write!(out, "{:#}", HumanDuration(seconds)));
            })
    }
}

/// Bytes a second, since the task began.
fn rate(state: &ProgressState) -> f64 {
    state.pos() as f64 / state.elapsed().as_secs_f64()
}

fn add(by: By, bytes: usize) {
    if !is_allowed() {
        return;
    }
    let mut screen = screen();
    if let Some(task) = screen.task.as_mut().filter(|task| task.by == by) {
        task.done += bytes as u64;
        screen.show();
    }
}

fn is_allowed() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done to a file, short enough for a line; a name cannot do anything to the terminal.
fn name(verb: &str, path: &Path) -> String {
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let shown = |c: char| if c.is_control() { '?' } else { c };
    let short: String = file.chars().take(NAME).map(shown).collect();
    let more = if file.chars().count() > NAME { "..." } else { "" };
    format!("{verb} {short}{more}")
}

/// Work that is over by then needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between one drawing and the next.
const PERIOD: Duration = Duration::from_millis(100);
/// How long a process that is to end waits for a terminal.
const GRACE: Duration = Duration::from_millis(200);
/// Bytes that are read at once.
const PIECE: usize = 16 << 20;
/// Characters of a name.
const NAME: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_harmless() {
        assert_eq!(name("reading", Path::new("a/b.npy")), "reading b.npy");
        assert_eq!(name("reading", Path::new("\x1b[2J.npy")), "reading ?[2J.npy");
        let long = "n".repeat(100);
        assert_eq!(name("x", Path::new(&long)), format!("x {}...", &long[..NAME]));
        assert_eq!(name("reading", Path::new("-")), "reading -");
    }

    #[test]
    fn nobody_is_told_without_a_terminal() {
        begin(By::Telling, "reading", Path::new("a"), None);
        assert!(screen().task.is_none());
        assert!(!told().is_heard());
        assert_eq!(piece(usize::MAX), usize::MAX);
    }
}
