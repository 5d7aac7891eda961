//! How much of a body is made at once. Each piece is handed from the thread that reads it to the one that
//! sends it, which costs as much as copying some 100 KiB: who takes pieces quickly gets larger ones. Who does
//! not, holds little memory.

use std::time::{Duration, Instant};

use super::buffers;

/// The lengths of pieces, by how fast they are taken.
#[derive(Debug)]
pub(super) struct Pace {
    len: usize,
    /// When the last one was asked for.
    asked: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { len: LEAST, asked: None }
    }
}

impl Pace {
    /// Bytes of the piece that is asked for now.
    pub(super) fn next(&mut self) -> usize {
        let now = Instant::now();
        let took = self.asked.replace(now).map(|asked| now - asked);
        self.after(took, buffers::are_scarce())
    }

    fn after(&mut self, took: Option<Duration>, scarce: bool) -> usize {
        self.len = match took {
            _ if scarce => LEAST,
            None => self.len,
            Some(took) if took < QUICK => MOST.min(self.len * 2),
            Some(took) if took > SLOW => LEAST.max(self.len / 2),
            Some(_) => self.len,
        };
        self.len
    }
}

const LEAST: usize = 1 << 18;
const MOST: usize = 1 << 21;
/// A piece taken in this time was too small.
const QUICK: Duration = Duration::from_millis(4);
/// A piece that takes this time is too large.
const SLOW: Duration = Duration::from_millis(16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_with_speed_and_shrink_without_it() {
        let mut pace = Pace::default();
        assert_eq!(pace.next(), LEAST);
        let grown: Vec<_> = (0..4).map(|_| pace.after(Some(QUICK / 2), false)).collect();
        assert_eq!(grown, [LEAST * 2, LEAST * 4, LEAST * 8, MOST]);
        assert_eq!(pace.after(Some(QUICK * 2), false), MOST);
        let shrunk: Vec<_> = (0..4).map(|_| pace.after(Some(SLOW * 2), false)).collect();
        assert_eq!(shrunk, [LEAST * 4, LEAST * 2, LEAST, LEAST]);
        assert_eq!(pace.after(Some(QUICK / 2), false), LEAST * 2);
        assert_eq!(pace.after(Some(QUICK / 2), true), LEAST);
    }
}
