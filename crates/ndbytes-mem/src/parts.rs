//! One buffer, filled by several threads.

use std::sync::Mutex;

use crate::helpers::{lock, with_helpers};

/// Calls `fill` with parts of the buffer of `share` bytes (the last may be shorter) and where they
/// begin, on up to `threads` threads, this one among them. Returns the length of each part and what
/// became of it, in order.
pub fn fill_parts<T: Send>(
    buffer: &mut [u8],
    share: usize,
    threads: usize,
    fill: &(impl Fn(&mut [u8], usize) -> T + Sync),
) -> Vec<(usize, T)> {
    if threads <= 1 || buffer.len() <= share {
        return vec![(buffer.len(), fill(buffer, 0))];
    }
    fill_all(buffer.chunks_mut(share.max(1)), threads, fill)
}

/// As [`fill_parts`], of parts of these lengths; what is behind them stays as it is.
///
/// # Panics
/// When they are longer than the buffer together.
pub fn fill_cut<T: Send>(
    buffer: &mut [u8],
    lens: &[usize],
    threads: usize,
    fill: &(impl Fn(&mut [u8], usize) -> T + Sync),
) -> Vec<(usize, T)> {
    let mut rest = buffer;
    let parts = lens.iter().map(|&len| {
        let (part, behind) = std::mem::take(&mut rest).split_at_mut(len);
        rest = behind;
        part
    });
    fill_all(parts, threads, fill)
}

fn fill_all<'a, T: Send>(
    parts: impl Iterator<Item = &'a mut [u8]>,
    threads: usize,
    fill: &(impl Fn(&mut [u8], usize) -> T + Sync),
) -> Vec<(usize, T)> {
    let mut at = 0;
    let placed = parts.enumerate().map(|(i, part)| {
        let start = at;
        at += part.len();
        (i, start, part)
    });
    let parts: Vec<_> = placed.collect();
    if threads <= 1 || parts.len() <= 1 {
        return parts.into_iter().map(|(_, at, part)| (part.len(), fill(part, at))).collect();
    }
    let threads = threads.min(parts.len());
    let mut results: Vec<Option<(usize, T)>> = parts.iter().map(|_| None).collect();
    let queue = Mutex::new(parts.into_iter());
    let done = Mutex::new(&mut results);
    let work = || {
        loop {
            // On a line of its own: the lock is given back before the work starts.
            let next = lock(&queue).next();
            let Some((i, at, part)) = next else { break };
            let len = part.len();
            let filled = fill(part, at);
            lock(&done)[i] = Some((len, filled));
        }
    };
    with_helpers(threads - 1, &work, work);
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn every_part_is_filled_once_and_reported_in_order() {
        for (len, share, threads) in [(0, 4, 2), (10, 4, 1), (10, 4, 3), (8, 4, 2), (3, 4, 2)] {
            let mut buffer = vec![0u8; len];
            let fill = |part: &mut [u8], at: usize| {
                part.iter_mut().for_each(|b| *b += 1);
                at
            };
            let filled = fill_parts(&mut buffer, share, threads, &fill);
            assert!(buffer.iter().all(|&b| b == 1));
            assert_eq!(filled.iter().map(|(len, _)| len).sum::<usize>(), len);
            assert!(filled.is_sorted_by_key(|&(_, at)| at));
        }
    }

    #[test]
    fn parts_of_any_length_are_filled_once() {
        for threads in [1, 2, 3] {
            let mut buffer = vec![0u8; 10];
            let fill = |part: &mut [u8], at: usize| part.fill(at as u8);
            let filled = fill_cut(&mut buffer, &[3, 0, 6, 1], threads, &fill);
            assert_eq!(buffer, [0, 0, 0, 3, 3, 3, 3, 3, 3, 9]);
            assert_eq!(filled, [(3, ()), (0, ()), (6, ()), (1, ())]);
        }
    }

    /// An early version held the queue's lock while it worked, and one thread did it all.
    #[test]
    fn threads_work_at_the_same_time() {
        let both = Barrier::new(2);
        // Whoever is alone here waits for ever.
        fill_parts(&mut [0; 2], 1, 2, &|_, _| both.wait());
    }
}
