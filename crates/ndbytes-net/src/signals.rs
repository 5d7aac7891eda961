//! Signals that are heard while something is waited for.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// What is done when a signal may have come while something is waited for: it may end the work.
pub type OnSignal = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// How often signals are heard.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// What a signal does: none that says nothing ends the wait.
pub(crate) fn hear(on_signal: Option<&OnSignal>) -> io::Result<()> {
    on_signal.map_or(Ok(()), |hear| hear())
}

/// What comes of a call that has no end of its own, on a thread that is left to it when it is waited for
/// no more. `next` says how long to wait before it is asked again.
pub(crate) fn aside<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
    mut next: impl FnMut() -> io::Result<Duration>,
) -> io::Result<T> {
    let (done, found) = sync_channel(1);
    let call = move || {
        // Nobody may be waiting any more.
        let _ = done.send(call());
    };
    let thread = std::thread::Builder::new().name("ndbytes-connect".to_owned()).spawn(call)?;
    let result = loop {
        let next = next();
        let wait = next.as_ref().map_or(Duration::ZERO, |&wait| wait);
        match (found.recv_timeout(wait), next) {
            // Also what came just in time.
            (Ok(result), _) => break Ok(result),
            (Err(RecvTimeoutError::Timeout), Err(error)) => return Err(error),
            (Err(RecvTimeoutError::Timeout), Ok(_)) => {}
            (Err(RecvTimeoutError::Disconnected), _) => {
                break Err(io::Error::other("the call ended without a result"));
            }
        }
    };
    // It has nothing more to do, and a fork is not to find it.
    let _ = thread.join();
    result
}
