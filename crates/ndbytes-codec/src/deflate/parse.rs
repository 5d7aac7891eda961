//! Choosing matches: each by what it saves, in bits, over the literals that it replaces.

use super::Effort;
use super::cost::{Counts, Prices};
use super::finder::{Candidates, Finder, match_length, word_at};
use super::symbols::{
    DISTANCES, MAX_MATCH, Step, WINDOW, distance_slot, length_slot,
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
    pace: Pace,
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
            finder: Finder::new(8),
            prices: Prices::new(),
            pace: Pace::probing(1),
        }
    }

    /// Parses `data` into `steps`; returns the segments.
    pub(super) fn parse(&mut self, data: &[u8], steps: &mut Vec<Step>) -> Vec<Segment> {
        self.finder.reset();
        let mut segments: Vec<Segment> = Vec::with_capacity(data.len() / SEGMENT + 1);
        let mut plan = Plan::Search;
        // The first segment fills the tables; from the second one it can be told what pays.
        let mut until_trial = 1;
        let mut start = 0;
        while start < data.len() {
            let limit = (start + SEGMENT).min(data.len());
            let first_step = steps.len();
            self.set_prices(data, start, limit, segments.last());
            let mut segment = match plan {
                Plan::Search => self.search(data, start, limit, steps),
                Plan::Runs => self.runs(data, start, limit, steps),
                Plan::Literals => Self::literals(data, start, limit, steps),
            };
            if until_trial == 0 && plan == Plan::Search {
                let found = segment.counts.bits();
                let second_step = steps.len();
                let runs = self.runs(data, start, segment.end, steps);
                let mut raw = Counts::EMPTY;
                raw.add_literals(&data[start..segment.end]);
                let (run, raw) = (runs.counts.bits(), raw.entropy());
                if found.min(run) + raw / 128 > raw {
                    (plan, until_trial) = (Plan::Literals, 10);
                } else if run <= found + found / 32 && runs.end == segment.end {
                    (plan, until_trial) = (Plan::Runs, 10);
                    steps.drain(first_step..second_step);
                    segment = runs;
                } else {
                    until_trial = 14;
                    steps.truncate(second_step);
                }
                if plan == Plan::Literals {
                    steps.truncate(second_step);
                }
            } else if until_trial == 0 {
                (plan, until_trial) = (Plan::Search, 1);
            } else {
                until_trial -= 1;
            }
            segment.steps = steps.len();
            start = segment.end;
            segments.push(segment);
        }
        segments
    }

    /// Prices by the segment before, or by a guess.
    fn set_prices(&mut self, data: &[u8], start: usize, limit: usize, before: Option<&Segment>) {
        if let Some(before) = before {
            self.prices.set(&before.counts);
            return;
        }
        let mut guess = Counts::EMPTY;
        guess.add_literals(&data[start..limit]);
        Prices::guess_matches(&mut guess, self.period);
        self.prices.set(&guess);
    }

    fn literals(data: &[u8], start: usize, end: usize, steps: &mut Vec<Step>) -> Segment {
        let mut counts = Counts::EMPTY;
        finish(data, start, end, steps, &mut counts);
        Segment { end, steps: 0, counts }
    }

    /// Looks for nothing but the item before.
    fn runs(&mut self, data: &[u8], start: usize, limit: usize, steps: &mut Vec<Step>) -> Segment {
        let mut counts = Counts::EMPTY;
        let (mut at, mut run) = (start.max(self.period), start);
        let searchable = limit.min(data.len().saturating_sub(8));
        while at < searchable {
            let item = word_at(data, at) ^ word_at(data, at - self.period);
            if item << 40 != 0 {
                at += 1;
                continue;
            }
            let found = self.better(NO_MATCH, data, at, at - self.period, item);
            if found.length == 0 {
                at += 1;
                continue;
            }
            push(data, run, at, found, steps, &mut counts);
            at += found.length;
            run = at;
        }
        let end = run.max(limit);
        finish(data, run, end, steps, &mut counts);
        Segment { end, steps: 0, counts }
    }

    /// Looks for what came before in the tables.
    fn search(&mut self, data: &[u8], start: usize, limit: usize, steps: &mut Vec<Step>) -> Segment {
        let mut counts = Counts::EMPTY;
        let (mut at, mut run) = (start.max(self.period), start);
        // Eight bytes are looked at: what is left behind the last eight are literals.
        let searchable = limit.min(data.len().saturating_sub(8));
        let mut stretch = at;
        while at < searchable {
            // Every phase is tried at first; then those alone where something was found.
            self.pace = Pace::probing(self.period);
            let probe = (stretch + PROBE).min(searchable);
            (at, run) = self.search_until(data, at, run, probe, steps, &mut counts);
            self.pace.settle();
            stretch = (stretch.max(at) + STRETCH).min(searchable);
            (at, run) = self.search_until(data, at, run, stretch, steps, &mut counts);
        }
        let end = run.max(limit);
        finish(data, run, end, steps, &mut counts);
        Segment { end, steps: 0, counts }
    }

    fn search_until(
        &mut self,
        data: &[u8],
        mut at: usize,
        mut run: usize,
        end: usize,
        steps: &mut Vec<Step>,
        counts: &mut Counts,
    ) -> (usize, usize) {
        let period = self.period;
        let mut misses = 0u32;
        while at < end {
            let phase = self.phase(at);
            let word = word_at(data, at);
            let candidates = self.finder.enter(at, word, phase);
            let short = word ^ word_at(data, candidates.short);
            let long = word ^ word_at(data, candidates.long);
            let item = word ^ word_at(data, at - period);
            // One branch for all three, as each by itself is hard to foresee.
            if (short << 32 != 0) & (long << 32 != 0) & (item << 40 != 0) {
                misses += 1;
                at += self.pace.steps[phase & (MAX_PERIOD - 1)] as usize + (misses >> 6).min(self.effort.hurry) as usize;
                continue;
            }
            let mut found = self.best(data, at, candidates, short, long, item);
            if found.gain <= 0 {
                misses += 1;
                at += self.pace.steps[phase & (MAX_PERIOD - 1)] as usize + (misses >> 6).min(self.effort.hurry) as usize;
                continue;
            }
            self.pace.hits[phase & (MAX_PERIOD - 1)] += 1;
            misses = 0;
            if self.effort.lazy && found.length < self.effort.nice && at + 1 < end {
                let next = at + 1;
                let word = word_at(data, next);
                let candidates = self.finder.enter(next, word, self.phase(next));
                let short = word ^ word_at(data, candidates.short);
                let long = word ^ word_at(data, candidates.long);
                let item = word ^ word_at(data, next - period);
                if (short << 32 == 0) | (long << 32 == 0) | (item << 40 == 0) {
                    let later = self.best(data, next, candidates, short, long, item);
                    if later.gain > found.gain {
                        found = later;
                        at = next;
                    }
                }
            }
            // Bytes before it that were passed over may belong to it.
            while at > run
                && found.distance < at
                && data[at - 1] == data[at - 1 - found.distance]
                && found.length < MAX_MATCH
            {
                at -= 1;
                found.length += 1;
            }
            push(data, run, at, found, steps, counts);
            let after = at + found.length;
            let mut inside = at + self.effort.inside;
            let until = after.min(data.len().saturating_sub(8)).min(at + 32);
            while inside < until {
                self.finder.enter(inside, word_at(data, inside), self.phase(inside));
                inside += self.effort.inside;
            }
            (at, run) = (after, after);
        }
        (at, run)
    }

    /// The best of the candidates.
    #[expect(clippy::too_many_arguments)]
    #[inline(always)]
    fn best(
        &self,
        data: &[u8],
        at: usize,
        candidates: Candidates,
        short: u64,
        long: u64,
        item: u64,
    ) -> Match {
        let mut best = NO_MATCH;
        if item << 40 == 0 {
            best = self.better(best, data, at, at - self.period, item);
        }
        if long << 32 == 0 {
            best = self.better(best, data, at, candidates.long, long);
        }
        if short << 32 == 0 && candidates.short != candidates.long {
            best = self.better(best, data, at, candidates.short, short);
        }
        best
    }

    /// The better one of `best` and the match that begins at `from`.
    #[inline(always)]
    fn better(
        &self,
        best: Match,
        data: &[u8],
        at: usize,
        from: usize,
        differ: u64,
    ) -> Match {
        let distance = at - from;
        if distance > WINDOW {
            return best;
        }
        let length = if differ != 0 {
            (differ.trailing_zeros() >> 3) as usize
        } else {
            match_length(data, at, from)
        };
        let price = self.prices.lengths[length.min(MAX_MATCH)]
            + self.prices.distances[distance_slot(distance) % DISTANCES];
        let gain = self.saved(data, at, length) as i32 - price as i32;
        if gain > best.gain { Match { length, distance, gain } } else { best }
    }

    /// What `length` literals from `at` on would cost. The first of them speak for the rest.
    #[inline(always)]
    fn saved(&self, data: &[u8], at: usize, length: usize) -> u32 {
        let looked = length.min(LOOKED);
        let bytes = data.get(at..at + looked).unwrap_or(&[]);
        let sum: u32 = bytes.iter().map(|&b| self.prices.literals[usize::from(b)]).sum();
        if length > LOOKED { sum + (length - LOOKED) as u32 * (sum / LOOKED as u32) } else { sum }
    }

    #[inline(always)]
    fn phase(&self, at: usize) -> usize {
        if self.period.is_power_of_two() { at & (self.period - 1) } else { at % self.period }
    }
}

/// Adds a match at `at`, behind the literals since `run`.
#[inline(always)]
fn push(
    data: &[u8],
    run: usize,
    at: usize,
    found: Match,
    steps: &mut Vec<Step>,
    counts: &mut Counts,
) {
    counts.add_literals_few(&data[run..at]);
    counts.litlen[257 + length_slot(found.length)] += 1;
    counts.distance[distance_slot(found.distance) % DISTANCES] += 1;
    steps.push(Step {
        literals: (at - run) as u32,
        length: found.length as u16,
        distance: found.distance as u16,
    });
}

/// Adds the literals that are left.
fn finish(data: &[u8], run: usize, end: usize, steps: &mut Vec<Step>, counts: &mut Counts) {
    if run < end {
        counts.add_literals(&data[run..end]);
        steps.push(Step { literals: (end - run) as u32, length: 0, distance: 0 });
    }
}

/// What is done with a segment.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    Search,
    Runs,
    Literals,
}

/// Where inside of the items it is worth to look.
struct Pace {
    period: usize,
    hits: [u32; MAX_PERIOD],
    /// From each phase to the next one that is looked at.
    steps: [u8; MAX_PERIOD],
}

impl Pace {
    fn probing(period: usize) -> Self {
        Self { period, hits: [0; MAX_PERIOD], steps: [1; MAX_PERIOD] }
    }

    /// Passes over the phases that found next to nothing.
    fn settle(&mut self) {
        let most = self.hits[..self.period].iter().max().copied().unwrap_or(0);
        if self.period == 1 {
            return;
        }
        let live = |phase: usize| self.hits[phase] * 16 > most;
        for phase in 0..self.period {
            let next = (1..self.period).find(|&step| live((phase + step) % self.period));
            self.steps[phase] = next.unwrap_or(self.period) as u8;
        }
    }
}

/// Bytes that are parsed with the same prices, and may become a block of their own.
const SEGMENT: usize = 16 << 10;
/// The largest items whose inner places are told apart.
const MAX_PERIOD: usize = 64;
/// Literals that are priced one by one.
const LOOKED: usize = 16;
const PROBE: usize = 512;
const STRETCH: usize = 4096;
