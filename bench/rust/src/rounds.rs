//! Rounds in which the ways of one task take turns.
//!
//! Criterion measures one benchmark after the other, so that a slow minute of the machine falls on
//! one of them and spoils the ratio. Here, a task is one criterion benchmark whose `iter_custom`
//! runs *every* way so many times, one after the other, and keeps each one's time. Criterion warms
//! up and chooses the number of calls, and what it reports is the sum of all ways; the ratios are
//! those of the medians of the times kept. Each sample begins with another way.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};

use crate::Result;

/// One way to do a task, already seen to give the right answer.
pub struct Way<'a> {
    name: &'static str,
    run: Box<dyn FnMut(u64) -> Duration + 'a>,
}

/// What is done, by ndbytes (the first way) and by its peers.
pub struct Task<'a> {
    name: &'static str,
    ways: Vec<Way<'a>>,
    large: bool,
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// About so long for each task.
    pub time: Duration,
    /// Samples of each way.
    pub samples: usize,
}

/// Seconds of one call.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Timing {
    median: f64,
    low: f64,
    high: f64,
}

impl<'a> Way<'a> {
    /// A way whose result is freed within the time, as of small things it is.
    ///
    /// # Errors
    /// When it fails or `check` does not hold of its result.
    pub fn new<T>(
        name: &'static str,
        mut call: impl FnMut() -> Result<T> + 'a,
        check: impl Fn(&T) -> bool,
    ) -> Result<Self> {
        verify(name, &mut call, check)?;
        let run = move |calls| {
            let begin = Instant::now();
            for _ in 0..calls {
                drop(black_box(call().expect(CHECKED)));
            }
            begin.elapsed()
        };
        Ok(Self { name, run: Box::new(run) })
    }

    /// A way whose result is freed outside of the time: giving back 256 MiB is not the task.
    ///
    /// Each turn begins with a call that is not timed. On a virtual machine, memory that lay free
    /// while another way had its turn may have gone back to the host, and to get it again costs
    /// more than the task.
    ///
    /// # Errors
    /// As [`Way::new`].
    pub fn large<T>(
        name: &'static str,
        mut call: impl FnMut() -> Result<T> + 'a,
        check: impl Fn(&T) -> bool,
    ) -> Result<Self> {
        verify(name, &mut call, check)?;
        let run = move |calls| {
            let mut taken = Duration::ZERO;
            drop(black_box(call().expect(CHECKED)));
            for _ in 0..calls {
                let begin = Instant::now();
                let result = black_box(call().expect(CHECKED));
                taken += begin.elapsed();
                drop(result);
            }
            taken
        };
        Ok(Self { name, run: Box::new(run) })
    }
}

impl<'a> Task<'a> {
    /// A task of many short calls.
    pub fn small(name: &'static str, ways: Vec<Way<'a>>) -> Self {
        Self { name, ways, large: false }
    }

    /// A task of which one call is long enough to be timed.
    pub fn large(name: &'static str, ways: Vec<Way<'a>>) -> Self {
        Self { name, ways, large: true }
    }

    /// The task's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Measures it and returns its lines of the table, one for each peer.
    pub fn measure(mut self, criterion: &mut Criterion, effort: Effort) -> Vec<String> {
        let mut kept: Vec<Vec<f64>> = vec![Vec::new(); self.ways.len()];
        let mut group = criterion.benchmark_group(self.name);
        group.sample_size(effort.samples).measurement_time(effort.time);
        group.warm_up_time(effort.time / 8);
        // With `Linear`, late samples are longer than early ones, which long calls cannot afford.
        group.sampling_mode(SamplingMode::Flat);
        let mut first = 0;
        group.bench_function("all ways", |bencher| {
            bencher.iter_custom(|calls| {
                let count = self.ways.len();
                first = (first + 1) % count;
                (0..count)
                    .map(|i| (first + i) % count)
                    .map(|i| {
                        let taken = (self.ways[i].run)(calls);
                        kept[i].push(taken.as_secs_f64() / calls as f64);
                        taken
                    })
                    .sum()
            });
        });
        group.finish();
        // What came before the samples was warming up.
        let timings: Vec<_> = kept
            .iter()
            .map(|times| Timing::of(&times[times.len().saturating_sub(effort.samples)..]))
            .collect();
        self.lines(&timings)
    }

    fn lines(&self, timings: &[Timing]) -> Vec<String> {
        let ours = timings[0];
        let line = |peer: &str, theirs: String, ratio: String| {
            format!("| {} | {peer} | {} | {theirs} | {ratio} |", self.name, ours.text(self.large))
        };
        if timings.len() == 1 {
            return vec![line("", String::new(), String::new())];
        }
        self.ways[1..]
            .iter()
            .zip(&timings[1..])
            .map(|(way, peer)| {
                let ratio = format!("**{:.2}**", peer.median / ours.median);
                line(way.name, peer.text(self.large), ratio)
            })
            .collect()
    }
}

impl Timing {
    fn of(times: &[f64]) -> Self {
        let mut times = times.to_vec();
        times.sort_by(f64::total_cmp);
        let middle = times.len() / 2;
        let median = match times.len() % 2 {
            0 => (times[middle - 1] + times[middle]) / 2.0,
            _ => times[middle],
        };
        Self { median, low: times[0], high: times[times.len() - 1] }
    }

    fn text(&self, large: bool) -> String {
        let (unit, digits, factor) = if large { ("ms", 2, 1e3) } else { ("ns", 0, 1e9) };
        let [median, low, high] = [self.median, self.low, self.high].map(|t| t * factor);
        format!("{median:.digits$} {unit} ({low:.digits$}-{high:.digits$})")
    }
}

fn verify<T>(
    name: &str,
    call: &mut impl FnMut() -> Result<T>,
    check: impl Fn(&T) -> bool,
) -> Result<()> {
    match check(&call()?) {
        true => Ok(()),
        false => Err(format!("{name} gives a wrong answer; nothing was timed").into()),
    }
}

const CHECKED: &str = "what was checked works again";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_not_timed() {
        assert!(Way::new("right", || Ok(4), |got| *got == 4).is_ok());
        assert!(Way::new("wrong", || Ok(5), |got| *got == 4).is_err());
        assert!(Way::large("wrong", || Ok(5), |got| *got == 4).is_err());
    }

    #[test]
    fn the_median_is_the_middle() {
        let odd = Timing::of(&[3.0, 1.0, 2.0]);
        assert_eq!(odd, Timing { median: 2.0, low: 1.0, high: 3.0 });
        assert_eq!(Timing::of(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn each_peer_has_a_line_against_ours() {
        let ways = ["ndbytes", "a", "b"].map(|name| Way::new(name, || Ok(()), |_| true));
        let ways = ways.into_iter().collect::<Result<Vec<_>>>().expect("they are right");
        let timing = |median| Timing { median, low: median, high: median };
        let lines = Task::large("t", ways).lines(&[timing(0.001), timing(0.002), timing(0.0005)]);
        assert_eq!(lines[0], "| t | a | 1.00 ms (1.00-1.00) | 2.00 ms (2.00-2.00) | **2.00** |");
        assert_eq!(lines[1], "| t | b | 1.00 ms (1.00-1.00) | 0.50 ms (0.50-0.50) | **0.50** |");
    }
}
