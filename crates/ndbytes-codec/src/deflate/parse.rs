//! Choosing matches: each by what it saves, in bits, over the literals that it replaces.

use super::Effort;
use super::cost::{Counts, Prices};
use super::finder::{Finder, match_length, word_at};
use super::symbols::{DISTANCES, MAX_MATCH, MIN_MATCH, Step, WINDOW, distance_slot, length_slot};

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
    /// 2 to the power of 64, divided by the period and rounded up: to multiply is faster than to divide.
    reciprocal: u64,
    finder: Finder,
    prices: Prices,
    pace: Pace,
    /// What the literals from `sums_from` on cost together.
    sums: Vec<u32>,
    sums_from: usize,
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
    pub(super) fn new(effort: Effort, period: usize) -> Self {
        let mut parser = Self {
            effort,
            period: 1,
            reciprocal: 0,
            finder: Finder::new(8),
            prices: Prices::new(),
            pace: Pace::probing(1),
            sums: Vec::new(),
            sums_from: 0,
        };
        parser.set_period(period);
        parser
    }

    /// Sets the period of the blocks to come.
    pub(super) fn set_period(&mut self, period: usize) {
        self.period = if (2..=MAX_PERIOD).contains(&period) { period } else { 1 };
        self.reciprocal = (u64::MAX / self.period as u64).wrapping_add(1);
    }

    /// Parses `data` into `steps`; returns the segments.
    pub(super) fn parse(&mut self, data: &[u8], steps: &mut Vec<Step>) -> Vec<Segment> {
        self.finder.reset();
        let mut segments: Vec<Segment> = Vec::with_capacity(data.len() / SEGMENT + 1);
        let mut plan = Plan::Search;
        // The first segment fills the tables; from the second one it can be told what pays.
        let mut until_trial = 1;
        // The longer nothing was found, the less often it is tried.
        let mut unsearched = UNSEARCHED;
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
            if plan == Plan::Search && (until_trial == 0 || self.effort.thorough) {
                let found = segment.counts.bits();
                let second_step = steps.len();
                let runs = self.runs(data, start, segment.end, steps);
                let mut raw = Counts::EMPTY;
                raw.add_literals(&data[start..segment.end]);
                let (run, raw) = (runs.counts.bits(), raw.entropy());
                // What is faster may be a little larger.
                let tolerance = if self.effort.thorough { 0 } else { found / 32 };
                if run <= found + tolerance && runs.end == segment.end {
                    plan = Plan::Runs;
                    steps.drain(first_step..second_step);
                    segment = runs;
                } else {
                    steps.truncate(second_step);
                }
                if found.min(run) + raw / 128 > raw {
                    plan = Plan::Literals;
                }
                (until_trial, unsearched) = match plan {
                    Plan::Search => (SEARCHED, UNSEARCHED),
                    Plan::Runs | Plan::Literals => {
                        (unsearched, (unsearched * 2).min(UNSEARCHED_MOST))
                    }
                };
                if self.effort.thorough {
                    plan = Plan::Search;
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
            let differ = word_at(data, at) ^ word_at(data, at - self.period);
            // Of the three bytes, nothing begins at or before the last one that differs.
            let last = (differ << 40).leading_zeros() >> 3;
            if last < 3 {
                at += 3 - last as usize;
                continue;
            }
            let length = match_length(data, at, at - self.period);
            if self.saved(data, at, length) <= self.price(length, self.period) {
                at += 1;
                continue;
            }
            let found = Match { length, distance: self.period, gain: 1 };
            push(data, run, at, found, steps, &mut counts);
            at += found.length;
            run = at;
        }
        let end = run.max(limit);
        finish(data, run, end, steps, &mut counts);
        Segment { end, steps: 0, counts }
    }

    fn sum_literals(&mut self, data: &[u8], start: usize, limit: usize) {
        let end = (limit + MAX_MATCH + 2).min(data.len());
        self.sums.clear();
        self.sums.push(0);
        let mut sum = 0u32;
        let prices = &self.prices.literals;
        self.sums.extend(data[start..end].iter().map(|&byte| {
            sum += prices[usize::from(byte)];
            sum
        }));
        self.sums_from = start;
    }

    /// Looks for what came before in the tables.
    fn search(
        &mut self,
        data: &[u8],
        start: usize,
        limit: usize,
        steps: &mut Vec<Step>,
    ) -> Segment {
        let mut counts = Counts::EMPTY;
        let (mut at, mut run) = (start.max(self.period), start);
        // Eight bytes are looked at: what is left behind the last eight are literals.
        let searchable = limit.min(data.len().saturating_sub(16));
        self.sum_literals(data, start, limit);
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
        let Effort { nice, lazy, hurry, .. } = self.effort;
        let mut misses = 0u32;
        while at < end {
            let phase = self.phase(at);
            let near = self.near(data, at, phase);
            let mut found =
                if near.length < MIN_MATCH { NO_MATCH } else { self.weigh(data, at, near) };
            if found.gain <= 0 {
                misses += 1;
                at += usize::from(self.pace.steps[phase & (MAX_PERIOD - 1)]);
                at += (misses >> 6).min(hurry) as usize;
                continue;
            }
            self.pace.hits[phase & (MAX_PERIOD - 1)] += 1;
            misses = 0;
            if lazy && found.length < nice {
                let next = self.near(data, at + 1, self.phase(at + 1));
                if next.length >= MIN_MATCH {
                    let later = self.weigh(data, at + 1, next);
                    if later.gain > found.gain {
                        found = later;
                        at += 1;
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
            self.enter_some(data, at, after.min(end));
            (at, run) = (after, after);
        }
        (at, run)
    }

    /// Enters some of the positions from `at` on that a match covers. Always as many, since a count
    /// that cannot be foreseen costs more than they do.
    #[inline(always)]
    fn enter_some(&mut self, data: &[u8], at: usize, after: usize) {
        let last = after.saturating_sub(1);
        for ahead in [2, 3, 4, 6, 8, 11] {
            let at = (at + ahead).min(last);
            self.finder.enter(at, word_at(data, at), self.phase(at));
        }
    }

    /// Enters `at` and returns, of those that were there before, the one with the most bytes in
    /// common, of eight. Without branches: which one it is cannot be foreseen.
    #[inline(always)]
    fn near(&mut self, data: &[u8], at: usize, phase: usize) -> Near {
        let word = word_at(data, at);
        let candidates = self.finder.enter(at, word, phase);
        let common = |from: usize, least: u32| {
            let bytes = (word ^ word_at(data, from)).trailing_zeros() >> 3;
            if bytes < least || at - from > WINDOW { 0 } else { bytes }
        };
        let short = common(candidates.short, 4);
        let long = common(candidates.long, 4);
        let item = common(at - self.period, 3);
        let (length, from) =
            if long > short { (long, candidates.long) } else { (short, candidates.short) };
        let (length, from) = if item >= length { (item, at - self.period) } else { (length, from) };
        Near { length: length as usize, from }
    }

    /// How long the match is, and what it is worth.
    #[inline(always)]
    fn weigh(&self, data: &[u8], at: usize, near: Near) -> Match {
        let length = if near.length < 8 {
            near.length
        } else {
            8 + match_length(data, at + 8, near.from + 8)
        };
        let length = length.min(MAX_MATCH);
        let distance = at - near.from;
        let from = at - self.sums_from;
        let saved = self.sums[from + length] - self.sums[from];
        let gain = saved as i32 - self.price(length, distance) as i32;
        Match { length, distance, gain }
    }

    #[inline(always)]
    fn price(&self, length: usize, distance: usize) -> u32 {
        self.prices.lengths[length.min(MAX_MATCH)]
            + self.prices.distances[distance_slot(distance) % DISTANCES]
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
        if self.period.is_power_of_two() {
            return at & (self.period - 1);
        }
        // Exact below 2 to the power of 58, since periods are 64 at most.
        let periods = (u128::from(self.reciprocal) * at as u128) >> 64;
        at - periods as usize * self.period
    }
}

/// What begins like the present position.
#[derive(Clone, Copy)]
struct Near {
    /// Bytes in common, of eight.
    length: usize,
    from: usize,
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
        // The next one of each, from the back, and around.
        let mut next = None;
        for around in [self.period, 0] {
            for phase in (0..self.period).rev() {
                let step = next.map_or(self.period, |next: usize| next - (phase + around));
                self.steps[phase] = step as u8;
                if self.hits[phase] * 16 > most {
                    next = Some(phase + around);
                }
            }
        }
    }
}

/// Bytes that are parsed with the same prices, and may become a block of their own.
const SEGMENT: usize = 16 << 10;
/// The largest items whose inner places are told apart.
const MAX_PERIOD: usize = 64;
/// Literals that are priced one by one.
const LOOKED: usize = 16;
/// Bytes in which every phase is searched, before the rest of a stretch.
const PROBE: usize = 512;
const STRETCH: usize = 4096;
/// Segments from one trial of what pays to the next.
const SEARCHED: u32 = 14;
const UNSEARCHED: u32 = 10;
const UNSEARCHED_MOST: u32 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_remainders() {
        let mut parser = Parser::new(Effort::of(6), 1);
        for period in 1..=MAX_PERIOD {
            parser.set_period(period);
            for at in (0..5000).chain([1 << 19, (1 << 32) - 1, 1 << 32, (1 << 48) + 7]) {
                assert_eq!(parser.phase(at), at % period, "{at} {period}");
            }
        }
    }
}
