//! Threads that enter a stream of deflate ahead of the one that inflates it from its start.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use ndbytes_codec::deflate::{Stretch, StretchDecoder};

/// The bytes that a stream may refer to.
pub(super) type Window = [u8; Stretch::WINDOW];

/// One such thread, as the other sees it.
pub(super) struct Helper<'scope, 'data> {
    jobs: Sender<Job<'data>>,
    told: Receiver<Told>,
    thread: ScopedJoinHandle<'scope, ()>,
}

/// What a thread and the other know of where it is.
pub(super) struct Run {
    /// The bit at which it entered the stream, once it is known.
    found: AtomicU64,
    /// The bit from which on it is not wanted any more.
    until: AtomicU64,
}

enum Job<'data> {
    /// Enter the stream at this byte, or soon after it.
    Enter(u64, Arc<Run>),
    /// Put this where it belongs, and sum it up.
    Put(Stretch, Box<Window>, &'data mut [u8], usize),
}

enum Told {
    Entered(Option<Stretch>),
    Put(usize, crc32fast::Hasher),
}

impl Run {
    fn new() -> Self {
        let [found, until] = [UNKNOWN, u64::MAX].map(AtomicU64::new);
        Self { found, until }
    }

    /// The bit at which it entered, if that is known.
    pub(super) fn found(&self) -> Option<u64> {
        Some(self.found.load(Ordering::Acquire)).filter(|&bit| bit < NOWHERE)
    }

    /// Whether it found no place to enter at.
    pub(super) fn is_nowhere(&self) -> bool {
        self.found.load(Ordering::Acquire) == NOWHERE
    }

    /// Has it stop wherever it is.
    pub(super) fn stop(&self) {
        self.until(0);
    }

    /// Has it go on only up to where another thread began to look.
    pub(super) fn until(&self, bit: u64) {
        self.until.store(bit, Ordering::Release);
    }

    fn ends(&self, bit: u64) -> bool {
        bit >= self.until.load(Ordering::Acquire)
    }
}

impl<'scope, 'data> Helper<'scope, 'data> {
    /// A thread that waits for something to do. It reads a stream, from any byte on.
    pub(super) fn begin<R: Read>(
        scope: &'scope Scope<'scope, '_>,
        stream: impl Fn(u64) -> R + Send + 'scope,
    ) -> io::Result<Self>
    where
        'data: 'scope,
    {
        let (jobs, to_do) = channel();
        let (tell, told) = channel();
        let work = move || labour(stream, &to_do, &tell);
        let thread = Builder::new().spawn_scoped(scope, work)?;
        Ok(Self { jobs, told, thread })
    }

    /// Has it enter the stream at this byte.
    pub(super) fn enter(&self, byte: u64) -> Arc<Run> {
        let run = Arc::new(Run::new());
        // A thread that has ended says so by telling nothing.
        let _ = self.jobs.send(Job::Enter(byte, Arc::clone(&run)));
        run
    }

    /// Has it put a stretch into `out`. What it will tell of that has this number.
    pub(super) fn put(
        &self,
        of: Stretch,
        window: Box<Window>,
        out: &'data mut [u8],
        number: usize,
    ) {
        let _ = self.jobs.send(Job::Put(of, window, out, number));
    }

    /// What it has inflated, once it has stopped. On the way it tells of sums.
    pub(super) fn entered(
        &self,
        mut sum: impl FnMut(usize, crc32fast::Hasher),
    ) -> io::Result<Option<Stretch>> {
        loop {
            match self.told.recv() {
                Ok(Told::Put(number, of)) => sum(number, of),
                Ok(Told::Entered(stretch)) => return Ok(stretch),
                Err(_) => return Err(gone()),
            }
        }
    }

    /// Ends it, and tells of the sums that it had not told yet.
    pub(super) fn end(self, mut sum: impl FnMut(usize, crc32fast::Hasher)) {
        drop(self.jobs);
        for told in self.told {
            if let Told::Put(number, of) = told {
                sum(number, of);
            }
        }
        // What it did not tell of before it panicked is missed.
        let _ = self.thread.join();
    }
}

fn labour<R: Read>(stream: impl Fn(u64) -> R, jobs: &Receiver<Job<'_>>, told: &Sender<Told>) {
    let mut decoder = StretchDecoder::new();
    let mut spare = Stretch::default();
    for job in jobs {
        let news = match job {
            Job::Enter(byte, run) => {
                let base = 8 * byte;
                let found = |bit| run.found.store(base + bit, Ordering::Release);
                let stops = |bit| run.ends(base + bit);
                let is_wanted = !run.ends(base);
                // Who comes there reads it as well, and says what is wrong with it.
                let entered = is_wanted
                    && decoder.decode(stream(byte), &mut spare, found, stops).unwrap_or(false);
                if run.found().is_none() {
                    run.found.store(NOWHERE, Ordering::Release);
                }
                Told::Entered(entered.then(|| std::mem::take(&mut spare)))
            }
            Job::Put(stretch, window, out, number) => {
                stretch.put(&window, out);
                spare = stretch;
                let mut sum = crc32fast::Hasher::new();
                sum.update(out);
                Told::Put(number, sum)
            }
        };
        // Who does not listen any more has what it needs.
        let _ = told.send(news);
    }
}

pub(super) fn gone() -> io::Error {
    io::Error::other("a thread that inflates has ended")
}

/// No bits of a stream: no file has as many.
const UNKNOWN: u64 = u64::MAX;
const NOWHERE: u64 = u64::MAX - 1;
