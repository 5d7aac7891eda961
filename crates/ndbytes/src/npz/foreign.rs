//! A stream of deflate that says nowhere where it could be entered, as others write it, on several
//! threads.
//!
//! One goes through it from its start. The others enter it ahead of that one, at blocks that they look
//! for, and inflate without knowing what precedes ([`Stretch`]). When the first has come to where one of
//! them entered, it knows, takes what is there, and goes on behind it. What looked like a block and is
//! none is never come to.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use ndbytes_codec::deflate::{BlockStart, Halt, Inflater, Stretch};
use ndbytes_format::zip::Entry;

use crate::array::{threads_for, zeroed_vec};
use crate::error::Result;
use crate::npz::ahead::{Helper, Run, Window, gone};
use crate::npz::member::{PIECE, longer};
use crate::progress::Meter;
use crate::read_at::{ReadAt, Section};

/// The stream of a member.
pub(super) struct Foreign<'a, R> {
    pub(super) source: &'a R,
    /// Its first byte in the source.
    pub(super) start: u64,
    pub(super) entry: &'a Entry,
}

impl<'a, R: ReadAt> Foreign<'a, R> {
    /// The stream from this byte on.
    fn section(&self, byte: u64) -> Section<'a, R> {
        Section::new(self.source, self.start + byte, self.entry.compressed - byte)
    }
}

impl<R: ReadAt + Sync> Foreign<'_, R> {
    /// Inflates into `out` what follows the first `read` bytes. Says how many bytes came, with their sum
    /// behind `sum`.
    pub(super) fn inflate(
        &self,
        read: usize,
        sum: crc32fast::Hasher,
        out: &mut [u8],
        meter: &Meter,
    ) -> (usize, crc32fast::Hasher, Result<()>) {
        let (len, compressed) = (out.len() as u64, self.entry.compressed);
        // What is long matches, or stored, is there in no time.
        let takes_long = (len / 16..len - len / 256).contains(&compressed);
        let is_shared = takes_long && self.source.is_random();
        let threads = if is_shared { threads_for(out.len()).min(THREADS) } else { 1 };
        // As much comes of a step as another thread keeps of what it does not know.
        let most = STEP.min(Stretch::ROOM as u64 * compressed / len.max(1));
        let step = (compressed / (3 * threads as u64)).min(most).max(STEP / 8);
        let threads = threads.min((compressed / step) as usize);
        thread::scope(|scope| {
            let begin = |_| Helper::begin(scope, |byte| self.section(byte)).ok();
            let helpers: Vec<_> = (1..threads).map_while(begin).collect();
            let mut front = Front {
                stream: self,
                idle: (0..helpers.len()).collect(),
                helpers,
                ahead: VecDeque::new(),
                sent: 0,
                step,
                rest: out,
                window: None,
                sums: vec![Some(sum)],
                meter,
            };
            let inflated = front.inflate(read);
            let have = len as usize - front.rest.len();
            let (sum, inflated) = front.end(inflated);
            (have, sum, inflated)
        })
    }
}

/// Where the thread is that goes through a stream from its start.
struct Front<'a, 'scope, 'data, R> {
    stream: &'a Foreign<'a, R>,
    helpers: Vec<Helper<'scope, 'data>>,
    idle: Vec<usize>,
    /// Those that are under way, and from which byte, in the order of the stream.
    ahead: VecDeque<(usize, u64, Arc<Run>)>,
    /// The last byte to which one was sent, and how far from one to the next.
    sent: u64,
    step: u64,
    /// What is still to be filled.
    rest: &'data mut [u8],
    /// What precedes the rest, once there is as much.
    window: Option<Box<Window>>,
    /// Of what was filled, in order; some are still to be told.
    sums: Vec<Option<crc32fast::Hasher>>,
    meter: &'a Meter,
}

/// A place in the stream at which another thread entered, and what it has inflated.
struct Arrived {
    helper: usize,
    /// What precedes it.
    window: Box<Window>,
    stretch: Stretch,
    /// The bit after it.
    end: u64,
}

impl<R: ReadAt + Sync> Front<'_, '_, '_, R> {
    fn inflate(&mut self, read: usize) -> Result<()> {
        let mut inflater = Inflater::new(self.stream.section(0));
        let (mut at, mut skip) = (0, read);
        loop {
            self.employ(at / 8);
            let Some(arrived) = self.go(&mut inflater, at, skip)? else { break };
            (at, skip) = (arrived.end, Stretch::WINDOW);
            self.take(arrived)?;
            inflater = Inflater::entering(self.stream.section(at / 8), at)?;
        }
        match self.rest.is_empty() && !inflater.ends()? {
            true => Err(longer()),
            false => Ok(()),
        }
    }

    /// Sends out those that have nothing to do, ahead of the byte that this thread is at.
    fn employ(&mut self, at: u64) {
        while self.ahead.front().is_some_and(|(.., run)| run.is_nowhere()) {
            // That it found nothing was all that it had to tell; if it has ended, it is missed later.
            let _ = self.next();
        }
        while let Some(&helper) = self.idle.last() {
            let byte = at.max(self.sent) + self.step;
            if byte + self.step / 2 > self.stream.entry.compressed {
                return;
            }
            if let Some((.., before)) = self.ahead.back() {
                before.until(8 * byte);
            }
            self.ahead.push_back((helper, byte, self.helpers[helper].enter(byte)));
            self.sent = byte;
            self.idle.pop();
        }
    }

    /// Inflates until it comes to where another thread entered; none where all is done, or the stream
    /// ends. `skip` bytes of what comes, or came, are before the rest.
    fn go(
        &mut self,
        inflater: &mut Inflater<Section<'_, R>>,
        from: u64,
        skip: usize,
    ) -> Result<Option<Arrived>> {
        // What refers to that which is before the rest is inflated behind a copy of it.
        let near = self.rest.len().min(2 * Stretch::WINDOW);
        let mut side = zeroed_vec(skip.saturating_add(near))?;
        let mut behind = 0;
        if let Some(window) = &self.window {
            side[..skip].copy_from_slice(&window[..]);
            behind = skip;
        }
        let (at, mut have) = (Cell::new(from), 0);
        let mut sum = crc32fast::Hasher::new();
        let arrived = loop {
            let ahead = &self.ahead;
            let comes_to = |block: BlockStart, least: usize| {
                at.set(block.bit);
                let is_here = |found: u64| found <= at.get();
                let next = ahead.front().and_then(|(.., run)| run.found());
                block.have >= least && next.is_some_and(is_here)
            };
            let before = have;
            let halt = if behind < side.len() {
                let stops = &mut |block| comes_to(block, skip);
                let (all, halt) = inflater.fill_until(&mut side, behind, stops)?;
                behind = all;
                have = all.saturating_sub(skip);
                self.rest[before..have].copy_from_slice(&side[skip + before..skip + have]);
                halt
            } else {
                let end = self.rest.len().min(have + PIECE);
                let stops = &mut |block| comes_to(block, 0);
                let (all, halt) = inflater.fill_until(&mut self.rest[..end], have, stops)?;
                have = all;
                halt
            };
            sum.update(&self.rest[before..have]);
            self.meter.add(have - before)?;
            match halt {
                Halt::Ended => break None,
                Halt::Full if have == self.rest.len() => break None,
                Halt::Full => self.employ(at.get() / 8),
                Halt::Block => {
                    if let Some(arrived) = self.arrive(at.get(), have)? {
                        break Some(arrived);
                    }
                }
            }
        };
        self.advance(have, sum);
        Ok(arrived)
    }

    /// What the next of the others has inflated from this bit on, if that is where it entered.
    fn arrive(&mut self, bit: u64, have: usize) -> Result<Option<Arrived>> {
        let Some((helper, byte, stretch)) = self.next()? else { return Ok(None) };
        let fits = 8 * byte + stretch.begin() == bit && stretch.len() <= self.rest.len() - have;
        let window = self.window_after(&self.rest[..have]).filter(|_| fits);
        let end = 8 * byte + stretch.end();
        Ok(window.map(|window| Arrived { helper, window, stretch, end }))
    }

    /// Stops the next of the others; from which byte it went, and what it has inflated.
    fn next(&mut self) -> Result<Option<(usize, u64, Stretch)>> {
        let Some((helper, byte, run)) = self.ahead.pop_front() else { return Ok(None) };
        run.stop();
        self.idle.push(helper);
        let sums = &mut self.sums;
        let stretch = self.helpers[helper].entered(|number, sum| sums[number] = Some(sum))?;
        Ok(stretch.map(|stretch| (helper, byte, stretch)))
    }

    /// The window behind what was filled of the rest, once there is as much.
    fn window_after(&self, filled: &[u8]) -> Option<Box<Window>> {
        if let Some(last) = filled.last_chunk() {
            return Some(Box::new(*last));
        }
        let mut window = self.window.clone()?;
        window.copy_within(filled.len().., 0);
        window[Stretch::WINDOW - filled.len()..].copy_from_slice(filled);
        Some(window)
    }

    /// Has the rest begin after so many bytes.
    fn advance(&mut self, have: usize, sum: crc32fast::Hasher) {
        self.window = self.window_after(&self.rest[..have]);
        self.rest = std::mem::take(&mut self.rest).split_at_mut(have).1;
        self.sums.push(Some(sum));
    }

    /// Has what another thread inflated put where it belongs, by that thread.
    fn take(&mut self, arrived: Arrived) -> Result<()> {
        let Arrived { helper, window, stretch, .. } = arrived;
        let len = stretch.len();
        self.window = Some(stretch.window(&window));
        let (part, rest) = std::mem::take(&mut self.rest).split_at_mut(len);
        self.rest = rest;
        self.helpers[helper].put(stretch, window, part, self.sums.len());
        self.sums.push(None);
        self.meter.add(len)
    }

    /// The sum of what there is, and how it went.
    fn end(self, inflated: Result<()>) -> (crc32fast::Hasher, Result<()>) {
        let Self { helpers, ahead, mut sums, .. } = self;
        ahead.iter().for_each(|(.., run)| run.stop());
        for helper in helpers {
            helper.end(|number, sum| sums[number] = Some(sum));
        }
        let mut all = crc32fast::Hasher::new();
        let is_whole = sums.iter().all(|sum| sum.as_ref().map(|sum| all.combine(sum)).is_some());
        let inflated = inflated.and(if is_whole { Ok(()) } else { Err(gone().into()) });
        (all, inflated)
    }
}

/// Bytes from one thread to the next: what looking for a block costs is little of that, and what comes
/// of them is soon used.
const STEP: u64 = 1 << 20;
/// More would wait for the one that goes before them.
const THREADS: usize = 8;
