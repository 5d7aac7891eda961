//! Several members at a time.

use std::sync::{Mutex, PoisonError};

use ndbytes_format::Header;

use crate::array::{threads, with_threads};
use crate::error::Result;
use crate::npz::member::Member;
use crate::npz::reader::NpzReader;
use crate::read_at::ReadAt;

impl<R: ReadAt + Sync> NpzReader<R> {
    /// As [`NpzReader::read_data`] for several opened members, each into its own memory: large ones
    /// that several threads can read, one after another; the others side by side.
    ///
    /// # Errors
    /// The first in their order.
    pub fn read_several(members: Vec<(Header, Member<'_, R>, &mut [u8])>) -> Result<()> {
        let threads = threads();
        let (mut alone, mut shared, mut results) = (Vec::new(), Vec::new(), Vec::new());
        for (i, work) in members.into_iter().enumerate() {
            results.push(Ok(()));
            let by_all = threads > 1 && work.2.len() >= LARGE && work.1.splits();
            if by_all { shared.push((i, work)) } else { alone.push((i, work)) }
        }
        for (i, (header, member, out)) in shared {
            results[i] = Self::read_data(&header, member, out);
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
                    let read = Self::read_data(&header, member, out);
                    results.lock().unwrap_or_else(PoisonError::into_inner)[i] = read;
                }
            });
        };
        std::thread::scope(|scope| {
            for _ in 1..workers {
                // Without another thread, this one does all of the work.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
    }
}

/// Bytes of an array that all threads read together.
const LARGE: usize = 8 << 20;
