//! What a second thread does while one inflates: it reads ahead, and sums up what has come out.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Scope, ScopedJoinHandle};

use ndbytes_codec::deflate::Feed;

use crate::npy::fill;

/// The other thread, as who inflates sees it.
pub(super) struct Aside<'scope, 'data> {
    jobs: Sender<Job<'data>>,
    thread: ScopedJoinHandle<'scope, crc32fast::Hasher>,
}

/// The stream as it was read ahead.
pub(super) struct Ahead<'data> {
    jobs: Sender<Job<'data>>,
    read: Receiver<io::Result<Vec<u8>>>,
}

enum Job<'data> {
    /// Read into this memory.
    Read(Vec<u8>),
    /// Sum this up.
    Sum(&'data [u8]),
}

impl<'scope, 'data: 'scope> Aside<'scope, 'data> {
    /// Begins to read the source, and sums up from `crc` on.
    pub(super) fn begin<'env>(
        scope: &'scope Scope<'scope, 'env>,
        source: impl Read + Send + 'scope,
        crc: crc32fast::Hasher,
    ) -> io::Result<(Self, Ahead<'data>)> {
        let (jobs, to_do) = channel();
        let (done, read) = channel();
        let work = move || labour(source, crc, &to_do, &done);
        let thread = std::thread::Builder::new().spawn_scoped(scope, work)?;
        for _ in 0..PIECES {
            // It has just begun to wait for this.
            let _ = jobs.send(Job::Read(Vec::new()));
        }
        Ok((Self { jobs: jobs.clone(), thread }, Ahead { jobs, read }))
    }

    /// Adds bytes to the sum.
    pub(super) fn sum(&self, bytes: &'data [u8]) {
        let _ = self.jobs.send(Job::Sum(bytes));
    }

    /// The sum of all.
    pub(super) fn end(self) -> io::Result<crc32fast::Hasher> {
        let Self { jobs, thread } = self;
        drop(jobs);
        thread.join().map_err(|_| gone())
    }
}

impl Feed for Ahead<'_> {
    fn next(&mut self, mut bytes: Vec<u8>, start: usize) -> io::Result<(Vec<u8>, usize)> {
        let mut piece = self.read.recv().map_err(|_| gone())??;
        let left = &bytes[start..];
        let (kept, spent) = match ROOM.checked_sub(left.len()) {
            Some(begin) => {
                piece[begin..ROOM].copy_from_slice(left);
                ((piece, begin), bytes)
            }
            // More is left than there is room for before a piece.
            None => {
                bytes.extend_from_slice(&piece[ROOM..]);
                ((bytes, start), piece)
            }
        };
        let _ = self.jobs.send(Job::Read(spent));
        Ok(kept)
    }
}

fn labour(
    mut source: impl Read,
    mut crc: crc32fast::Hasher,
    jobs: &Receiver<Job<'_>>,
    done: &Sender<io::Result<Vec<u8>>>,
) -> crc32fast::Hasher {
    for job in jobs {
        match job {
            Job::Sum(bytes) => crc.update(bytes),
            Job::Read(mut bytes) => {
                bytes.resize(ROOM + PIECE, 0);
                let read = fill(&mut source, &mut bytes[ROOM..]);
                let _ = done.send(read.map_err(io::Error::from).map(|n| {
                    bytes.truncate(ROOM + n);
                    bytes
                }));
            }
        }
    }
    crc
}

fn gone() -> io::Error {
    io::Error::other("the thread that reads ahead has ended")
}

/// Pieces that are read ahead.
const PIECES: usize = 3;
const PIECE: usize = 1 << 17;
/// Room before each for what is left of the one before it: the header of a block at most.
const ROOM: usize = 1 << 12;
