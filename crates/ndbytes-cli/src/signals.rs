//! Signals: a file-size limit is an error, and who stops us finds no half-written file.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Paths that are removed when a signal ends the process.
static PATHS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// What the first signal does, in the place of ending the process.
static FIRST: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// Has the first signal do this, and the second one end the process.
pub(crate) fn at_first(call: impl FnOnce() + Send + 'static) {
    watch();
    *FIRST.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(call));
}

/// A path that is removed when a signal ends the process, as long as this lives.
#[derive(Debug)]
pub(crate) struct Doomed(PathBuf);

impl Doomed {
    /// From now on, this path.
    pub(crate) fn new(path: &Path) -> Self {
        watch();
        paths().push(path.to_owned());
        Self(path.to_owned())
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        let mut paths = paths();
        if let Some(index) = paths.iter().position(|path| *path == self.0) {
            paths.swap_remove(index);
        }
    }
}

fn paths() -> MutexGuard<'static, Vec<PathBuf>> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces the default action of SIGXFSZ, which is death: the write then fails with EFBIG.
#[cfg(unix)]
pub(crate) fn survive_size_limits() {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    // The flag is never read: a handler of any kind is what it takes.
    let flag = Arc::new(AtomicBool::new(false));
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, flag);
}

#[cfg(not(unix))]
pub(crate) fn survive_size_limits() {}

/// Starts the thread that waits for SIGINT and SIGTERM: once, and only in a process that has
/// something to remove: files, or a bar on the terminal.
#[cfg(unix)]
pub(crate) fn watch() {
    use std::sync::Once;

    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        let handle = signals.handle();
        let wait = move || {
            for signal in signals.forever() {
                let first = FIRST.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(call) = first {
                    // The second is heard meanwhile.
                    if std::thread::Builder::new().name("first".into()).spawn(call).is_ok() {
                        continue;
                    }
                }
                crate::progress::abort();
                // Held to the end, so that no new path comes after these.
                let doomed = paths();
                for path in doomed.iter() {
                    // A folder is one that we made, beside what it was to become.
                    if std::fs::remove_file(path).is_err() {
                        let _ = std::fs::remove_dir_all(path);
                    }
                }
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        };
        if std::thread::Builder::new().name("signals".into()).spawn(wait).is_err() {
            handle.close();
        }
    });
}

#[cfg(not(unix))]
pub(crate) fn watch() {}
