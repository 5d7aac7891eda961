//! Several members at a time.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ndbytes_format::Header;

use crate::array::{threads, with_threads};
use crate::error::Result;
use crate::npz::member::Member;
use crate::npz::reader::NpzReader;
use crate::progress::{Meter, Progress};
use crate::read_at::ReadAt;

impl<R: ReadAt + Sync> NpzReader<R> {
    /// As [`NpzReader::read_data`] for several opened members, each into its own memory: large ones
    /// that several threads can read as quickly as one each, and one that is most of all, one after
    /// another; the others side by side.
    ///
    /// # Errors
    /// The first in their order.
    pub fn read_several(members: Vec<Work<'_, '_, R>>) -> Result<()> {
        Self::read_several_with(members, &Progress::default())
    }

    /// As [`NpzReader::read_several`], and tells how far all of it is.
    ///
    /// # Errors
    /// As [`NpzReader::read_several`], and what [`Progress`] said.
    pub fn read_several_with(members: Vec<Work<'_, '_, R>>, progress: &Progress) -> Result<()> {
        let total = members.iter().map(|(_, _, out)| out.len() as u64).sum();
        let meter = Meter::new(progress, total);
        let read = read_members(members, &meter);
        meter.end(read)
    }
}

fn read_members<R: ReadAt + Sync>(members: Vec<Work<'_, '_, R>>, meter: &Meter) -> Result<()> {
    let threads = threads();
    let total: usize = members.iter().map(|(_, _, out)| out.len()).sum();
    let (mut alone, mut shared, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for (i, work) in members.into_iter().enumerate() {
        results.push(Ok(()));
        let is_most = work.2.len() > total / 2 && work.1.is_entered();
        let by_all = threads > 1 && work.2.len() >= LARGE && (work.1.splits() || is_most);
        if by_all { shared.push((i, work)) } else { alone.push((i, work)) }
    }
    for (i, (header, member, out)) in shared {
        results[i] = NpzReader::read_measured(&header, member, out, meter);
    }
    // The largest first, so that none is left when all others are done.
    alone.sort_by_key(|(_, work)| work.2.len());
    let (workers, queue) = (threads.min(alone.len()), Mutex::new(alone));
    let results = Mutex::new(results);
    let work = || {
        with_threads(Some(1), || {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let Some((i, (header, member, out))) = next else { return };
                let read = NpzReader::read_measured(&header, member, out, meter);
                results.lock().unwrap_or_else(PoisonError::into_inner)[i] = read;
            }
        });
    };
    thread::scope(|scope| {
        let help = |_| thread::Builder::new().spawn_scoped(scope, work);
        // Without another thread, this one does all of the work.
        let others: Vec<_> = (1..workers).filter_map(|i| help(i).ok()).collect();
        work();
        // Who tells goes on telling while others work.
        let works = || others.iter().any(|other| !other.is_finished());
        while meter.is_heard() && works() && meter.add(0).is_ok() {
            thread::sleep(PERIOD);
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
}

type Work<'a, 'out, R> = (Header, Member<'a, R>, &'out mut [u8]);

/// Bytes of an array that all threads read together.
const LARGE: usize = 8 << 20;
/// How often others hear how far it is, while this thread waits.
const PERIOD: Duration = Duration::from_millis(1);
