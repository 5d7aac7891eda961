//! How far long work has come, for whoever waits for it.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, ThreadId};

use crate::error::{Error, Result};

/// Who is told how far work has come: bytes of the array, uncompressed, that are done, and how many
/// there are. By default nobody, which costs nothing.
///
/// The function is called on the thread that called for the work and on no other, after each piece
/// of some MiB, chunk or packet, so it should be quick and look at the clock before it draws. What it
/// hears never becomes less, and may stay the same. Where all goes well, the last that it hears is all
/// of it, before a file takes its name. An error that it returns ends the work, and is what the caller gets; a file is
/// then as it was.
///
/// ```
/// use ndbytes::{ArrayView, FrameOptions, Order, Progress, write_frame};
///
/// let bytes = vec![0; 1 << 20];
/// let array = ArrayView::contiguous("|u1".parse()?, &[1 << 20], Order::C, &bytes)?;
/// let progress = Progress::new(|done, total| {
///     eprintln!("{done} of {total} bytes");
///     Ok(())
/// });
/// write_frame(&mut Vec::new(), &array, &FrameOptions::default().with_progress(progress))?;
/// # Ok::<(), ndbytes::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<Hear>>);

type Hear = dyn Fn(u64, u64) -> Result<()> + Send + Sync;

/// One piece of work, measured. Threads may share it; the one that made it tells.
#[derive(Debug)]
pub(crate) struct Meter {
    progress: Progress,
    total: u64,
    /// Bytes at the front that do not count: a header.
    ahead: u64,
    done: AtomicU64,
    /// None where nobody is told.
    home: Option<ThreadId>,
    /// Why the work is to end.
    ended: OnceLock<Error>,
}

/// A reader or writer whose bytes are measured.
pub(crate) struct Metered<'a, T: ?Sized> {
    inner: &'a mut T,
    meter: &'a Meter,
}

impl Progress {
    /// This function is told.
    pub fn new(hear: impl Fn(u64, u64) -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    /// Whether anybody is told.
    #[inline]
    pub fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Tells that so many bytes are done of so many.
    ///
    /// # Errors
    /// What the function said: the work is to end.
    pub fn tell(&self, done: u64, total: u64) -> Result<()> {
        match &self.0 {
            Some(hear) => hear(done, total),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_heard() { "Progress(heard)" } else { "Progress(unheard)" })
    }
}

/// Whether the same function is told.
impl PartialEq for Progress {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }
}

impl Eq for Progress {}

impl Meter {
    /// Measures work on so many bytes.
    pub(crate) fn new(progress: &Progress, total: u64) -> Self {
        Self {
            progress: progress.clone(),
            total,
            ahead: 0,
            done: AtomicU64::new(0),
            home: progress.is_heard().then(|| thread::current().id()),
            ended: OnceLock::new(),
        }
    }

    /// Work of which nobody is told.
    pub(crate) fn unheard() -> Self {
        Self::new(&Progress::default(), 0)
    }

    /// The same, where the first so many bytes are none of the array's.
    pub(crate) fn behind(mut self, ahead: u64) -> Self {
        self.skip(ahead);
        self
    }

    /// So many bytes more are none of the array's: a header.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.ahead += bytes;
    }

    /// From now on this thread tells.
    pub(crate) fn move_here(&mut self) {
        self.home = self.progress.is_heard().then(|| thread::current().id());
    }

    /// Whether anybody is told.
    pub(crate) fn is_heard(&self) -> bool {
        self.home.is_some()
    }

    /// How much to do at a time of so many bytes: all of it where nobody is told.
    pub(crate) fn piece(&self, len: usize) -> usize {
        if self.is_heard() { len.min(PIECE) } else { len }
    }

    /// As [`Meter::piece`], whole items.
    pub(crate) fn items(&self, len: usize, itemsize: usize) -> usize {
        let itemsize = itemsize.max(1);
        (self.piece(len) / itemsize).max(1) * itemsize
    }

    /// So many bytes more are done, on whatever thread.
    ///
    /// # Errors
    /// The work is to end: [`Meter::end`] says why.
    pub(crate) fn add(&self, bytes: usize) -> Result<()> {
        let Some(home) = self.home else { return Ok(()) };
        let done = self.done.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if self.ended.get().is_some() {
            return Err(ended());
        }
        if thread::current().id() != home {
            return Ok(());
        }
        let done = done.saturating_sub(self.ahead).min(self.total);
        self.progress.tell(done, self.total).map_err(|error| {
            let _ = self.ended.set(error);
            ended()
        })
    }

    /// Whether there is a reason to begin more of it.
    ///
    /// # Errors
    /// The work is to end.
    pub(crate) fn go_on(&self) -> Result<()> {
        if self.ended.get().is_some() { Err(ended()) } else { Ok(()) }
    }

    /// As [`Meter::add`], of bytes that need not be counted where nobody is told.
    pub(crate) fn add_by(&self, bytes: impl FnOnce() -> usize) -> Result<()> {
        if self.is_heard() { self.add(bytes()) } else { Ok(()) }
    }

    /// What came of a part of the work: it was to end, or went wrong, or is done.
    pub(crate) fn part<T>(&mut self, result: Result<T>) -> Result<T> {
        self.ended.take().map_or(result, Err)
    }

    /// What came of the work: as of a part, or all of it is done.
    pub(crate) fn end<T>(mut self, result: Result<T>) -> Result<T> {
        let value = self.part(result)?;
        self.progress.tell(self.total, self.total)?;
        Ok(value)
    }

    /// A reader or writer of these bytes.
    pub(crate) fn over<'a, T: ?Sized>(&'a self, inner: &'a mut T) -> Metered<'a, T> {
        Metered { inner, meter: self }
    }
}

impl<T: Write + ?Sized> Write for Metered<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(&bytes[..self.meter.piece(bytes.len())])?;
        self.meter.add(n)?;
        Ok(n)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.meter.is_heard() {
            return self.inner.write_vectored(parts);
        }
        let mut room = self.meter.piece(parts.iter().map(|part| part.len()).sum());
        let cut: Vec<IoSlice<'_>> = parts
            .iter()
            .map(|part| {
                let len = part.len().min(room);
                room -= len;
                IoSlice::new(&part[..len])
            })
            .collect();
        let n = self.inner.write_vectored(&cut)?;
        self.meter.add(n)?;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read + ?Sized> Read for Metered<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.meter.piece(buffer.len());
        let n = self.inner.read(&mut buffer[..len])?;
        self.meter.add(n)?;
        Ok(n)
    }
}

/// The error of threads whose work is to end, for whatever reason. It has no kind that anybody would
/// try again for.
#[cold]
fn ended() -> Error {
    io::Error::other("the work was ended").into()
}

/// Bytes that are done at once where somebody is told.
const PIECE: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::Code;

    type Told = Arc<Mutex<Vec<(u64, u64)>>>;

    fn listener() -> (Progress, Told) {
        let told = Told::default();
        let own = Arc::clone(&told);
        let hear = move |done, total| {
            own.lock().unwrap().push((done, total));
            Ok(())
        };
        (Progress::new(hear), told)
    }

    #[test]
    fn one_thread_tells_what_all_of_them_did() {
        let (progress, told) = listener();
        let meter = Meter::new(&progress, 100);
        meter.add(10).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| meter.add(30).unwrap());
        });
        assert_eq!(*told.lock().unwrap(), [(10, 100)]);
        meter.add(10).unwrap();
        meter.add(50).unwrap();
        meter.end(Ok(())).unwrap();
        assert_eq!(*told.lock().unwrap(), [(10, 100), (50, 100), (100, 100), (100, 100)]);
    }

    #[test]
    fn a_header_is_no_progress() {
        let (progress, told) = listener();
        let meter = Meter::new(&progress, 4).behind(8);
        let mut sink = Vec::new();
        meter.over(&mut sink).write_all(&[0; 7]).unwrap();
        meter.over(&mut sink).write_all(&[0; 3]).unwrap();
        meter.over(&mut sink).write_all(&[0; 2]).unwrap();
        meter.end(Ok(())).unwrap();
        assert_eq!(sink.len(), 12);
        assert_eq!(*told.lock().unwrap(), [(0, 4), (2, 4), (4, 4), (4, 4)]);
    }

    #[test]
    fn who_ends_the_work_says_why() {
        let stop = |_, _| Err(io::Error::from(io::ErrorKind::Interrupted).into());
        let meter = Meter::new(&Progress::new(stop), 100);
        let mut sink = Vec::new();
        // An error of that kind would be tried again for ever.
        let written = meter.over(&mut sink).write_all(&[0; 50]).map_err(Error::from);
        assert_eq!(sink.len(), 50);
        assert!(meter.add(1).is_err());
        let error = meter.end(written).unwrap_err();
        assert_eq!(error.io().map(io::Error::kind), Some(io::ErrorKind::Interrupted));
    }

    #[test]
    fn an_error_of_the_work_is_not_hidden() {
        let (progress, told) = listener();
        let meter = Meter::new(&progress, 1);
        let failed: Result<()> = meter.end(Err(Error::new(Code::Argument, "no")));
        assert_eq!(failed.unwrap_err().code(), Code::Argument);
        assert!(told.lock().unwrap().is_empty());
    }

    #[test]
    fn nothing_is_cut_where_nobody_listens() {
        let meter = Meter::new(&Progress::default(), 1 << 40);
        assert_eq!(meter.piece(1 << 40), 1 << 40);
        let (progress, _) = listener();
        let meter = Meter::new(&progress, 1 << 40);
        assert_eq!(meter.piece(1 << 40), PIECE);
        let parts = [vec![1; 5], vec![2; PIECE], vec![3; 7]];
        let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
        let mut sink = Vec::new();
        crate::write_all_vectored(&mut meter.over(&mut sink), &parts).unwrap();
        assert!(sink == parts.concat());
    }
}
