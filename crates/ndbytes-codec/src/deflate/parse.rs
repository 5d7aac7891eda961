//! Choosing matches: each by what it saves, in bits, over the literals that it replaces.

use super::Effort;
use super::cost::{Counts, Prices};
use super::finder::{Finder, match_length, word_at};
use super::symbols::{
    DISTANCES, MAX_MATCH, MIN_MATCH, Step, WINDOW, distance_slot, length_slot,
};

/// A part of a block, parsed.
pub(super) struct Segment {
    /// Where it ends in the block.
    pub(super) end: usize,
    /// Where its steps end.
    pub(super) steps: usize,
    pub(super) counts: Counts,
}

/// Turns a block into steps.
pub(super) struct Parser {
    effort: Effort,
    period: usize,
    finder: Finder,
    prices: Prices,
    /// What the literals from the segment's start on cost together.
    sums: Vec<u32>,
    /// The phase's searches in vain since it last found something.
    vain: [u32; MAX_PERIOD],
}

/// A match that may be taken.
#[derive(Clone, Copy)]
struct Match {
    length: usize,
    distance: usize,
    gain: i32,
}

const NO_MATCH: Match = Match { length: 0, distance: 0, gain: 0 };

impl Parser {
    pub(super) fn new(effort: Effort, itemsize: usize) -> Self {
        Self {
            effort,
            period: if (2..=MAX_PERIOD).contains(&itemsize) { itemsize } else { 1 },
            finder: Finder::new(),
            prices: Prices::new(),
            sums: Vec::new(),
            vain: [0; MAX_PERIOD],
        }
    }

    /// Parses `data` into `steps`; returns the segments.
    pub(super) fn parse(&mut self, data: &[u8], steps: &mut Vec<Step>) -> Vec<Segment> {
        self.finder.reset();
        self.vain = [0; MAX_PERIOD];
        let mut segments: Vec<Segment> = Vec::new();
        let mut start = 0;
        let mut futile = 0;
        let mut skip = 0;
        while start < data.len() {
            let limit = (start + SEGMENT).min(data.len());
            let mut raw = Counts::EMPTY;
            raw.add_literals(&data[start..limit]);
            if skip > 0 {
                skip -= 1;
                steps.push(Step { literals: (limit - start) as u32, length: 0, distance: 0 });
                segments.push(Segment { end: limit, steps: steps.len(), counts: raw });
                start = limit;
                continue;
            }
            match segments.last() {
                Some(before) if futile == 0 => self.prices.set(&before.counts),
                _ => {
                    let mut guess = raw.clone();
                    Prices::guess_matches(&mut guess);
                    self.prices.set(&guess);
                }
            }
            self.sum_literals(data, start, limit);
            let mut counts = Counts::EMPTY;
            let (end, gain) = self.parse_segment(data, start, limit, steps, &mut counts);
            segments.push(Segment { end, steps: steps.len(), counts });
            if gain * 128 < raw.entropy() {
                futile += 1;
                if futile >= 3 {
                    skip = 5;
                    futile = 1;
                }
            } else {
                futile = 0;
            }
            start = end;
        }
        segments
    }

    fn sum_literals(&mut self, data: &[u8], start: usize, limit: usize) {
        let end = (limit + MAX_MATCH + 2).min(data.len());
        self.sums.clear();
        self.sums.reserve(SEGMENT + MAX_MATCH + 8);
        self.sums.push(0);
        let mut sum = 0u32;
        self.sums.extend(data[start..end].iter().map(|&byte| {
            sum += self.prices.literals[usize::from(byte)];
            sum
        }));
    }

    /// Parses from `start` until `limit` or a little over it; returns the end, and the bits gained.
    fn parse_segment(
        &mut self,
        data: &[u8],
        start: usize,
        limit: usize,
        steps: &mut Vec<Step>,
        counts: &mut Counts,
    ) -> (usize, u64) {
        let Effort { lazy, nice, .. } = self.effort;
        let mut gain = 0;
        let (mut at, mut run) = (start, start);
        // Eight bytes are looked at: what is left behind the last eight are literals.
        let searchable = limit.min(data.len().saturating_sub(8));
        while at < searchable {
            let mut found = self.search(data, at, start);
            if found.length == 0 {
                at += 1;
                continue;
            }
            let mut entered = at + 1;
            while lazy && found.length < nice && at + 1 < searchable {
                // If a better one begins at the next byte, this byte is a literal.
                let next = self.search(data, at + 1, start);
                entered = at + 2;
                if next.gain <= found.gain {
                    break;
                }
                found = next;
                at += 1;
            }
            gain += u64::from(found.gain.unsigned_abs());
            let end = at + found.length;
            counts.add_literals_few(&data[run..at]);
            counts.litlen[257 + length_slot(found.length)] += 1;
            counts.distance[distance_slot(found.distance) % DISTANCES] += 1;
            steps.push(Step {
                literals: (at - run) as u32,
                length: found.length as u16,
                distance: found.distance as u16,
            });
            self.enter_all(data, entered, end.min(searchable));
            (at, run) = (end, end);
        }
        let end = at.max(limit);
        if run < end {
            counts.add_literals(&data[run..end]);
            steps.push(Step { literals: (end - run) as u32, length: 0, distance: 0 });
        }
        (end, gain)
    }

    /// Enters what a match covers, or the ends of it, where it is long.
    fn enter_all(&mut self, data: &[u8], from: usize, end: usize) {
        let covered = end.saturating_sub(from);
        if covered <= self.effort.nice {
            for at in from..end {
                self.finder.enter(at, word_at(data, at), self.phase(at) as u32);
            }
        } else {
            for at in (from..from + self.period).chain(end - 2 * self.period.min(16)..end) {
                self.finder.enter(at, word_at(data, at), self.phase(at) as u32);
            }
        }
    }

    /// Enters `at` and returns the match there that gains most; with length 0, when none does.
    #[inline(always)]
    fn search(&mut self, data: &[u8], at: usize, start: usize) -> Match {
        let word = word_at(data, at);
        let phase = self.phase(at);
        let (head, three) = self.finder.enter(at, word, phase as u32);
        let vain = self.vain[phase & (MAX_PERIOD - 1)];
        if vain > VAIN && (at / self.period + phase) & 7 != 0 {
            return NO_MATCH;
        }
        let mut best = NO_MATCH;
        if at >= self.period
            && (word ^ word_at(data, at - self.period)) & 0xff_ffff == 0
        {
            best = self.better(best, data, at, at - self.period, start);
        }
        let mut candidate = head;
        for _ in 0..self.effort.depth {
            let from = candidate.wrapping_sub(1) as usize;
            if candidate == 0 || at - from > WINDOW || best.length >= self.effort.nice {
                break;
            }
            let worth = match best.length {
                0..=3 => (word ^ word_at(data, from)) & 0xffff_ffff == 0,
                length => data.get(from + length) == data.get(at + length),
            };
            if worth {
                best = self.better(best, data, at, from, start);
            }
            let next = self.finder.before(from);
            if next >= candidate {
                break;
            }
            candidate = next;
        }
        if best.length < 4 && three != 0 {
            let from = three as usize - 1;
            if at - from <= WINDOW && (word ^ word_at(data, from)) & 0xff_ffff == 0 {
                best = self.better(best, data, at, from, start);
            }
        }
        let vain = &mut self.vain[phase & (MAX_PERIOD - 1)];
        *vain = if best.length == 0 { vain.saturating_add(1) } else { 0 };
        best
    }

    /// The better one of `best` and the match that begins at `from`.
    #[inline(always)]
    fn better(&self, best: Match, data: &[u8], at: usize, from: usize, start: usize) -> Match {
        let length = match_length(data, at, from);
        if length < MIN_MATCH || length <= best.length {
            return best;
        }
        let distance = at - from;
        let price = self.prices.lengths[length.min(MAX_MATCH)]
            + self.prices.distances[distance_slot(distance) % DISTANCES];
        let saved = self.sums[at - start + length] - self.sums[at - start];
        let gain = saved as i32 - price as i32;
        if gain > best.gain { Match { length, distance, gain } } else { best }
    }

    #[inline(always)]
    fn phase(&self, at: usize) -> usize {
        if self.period.is_power_of_two() { at & (self.period - 1) } else { at % self.period }
    }
}

/// Bytes that are parsed with the same prices, and may become a block of their own.
const SEGMENT: usize = 16 << 10;
/// The largest items whose inner places are told apart.
const MAX_PERIOD: usize = 64;
/// Searches in vain after which a place inside of the items is searched only now and then.
const VAIN: u32 = 64;
