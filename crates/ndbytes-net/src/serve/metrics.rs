//! Counts of what was done, in the text format of Prometheus.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::clients::Who;
use super::watch::Progress;

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Answers, by hundreds of their status.
    answers: [AtomicU64; 6],
    bytes: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) timed_out: AtomicU64,
    pub(super) denied: AtomicU64,
    pub(super) limited: AtomicU64,
    flying: AtomicU64,
    /// Answers by the seconds that they took, each in the first bucket that holds it.
    seconds: [AtomicU64; BUCKETS.len() + 1],
    microseconds: AtomicU64,
}

/// A connection, counted as open while this lives.
#[derive(Debug)]
pub(super) struct Open(Arc<Metrics>);

/// A request from its first byte until its answer has been sent or was given up.
#[derive(Debug)]
pub(super) struct Flight {
    metrics: Arc<Metrics>,
    begin: Instant,
    progress: Arc<Progress>,
    number: u64,
    http2: bool,
    permit: Option<OwnedSemaphorePermit>,
    who: Option<Who>,
}

impl Metrics {
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    pub(super) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).min(self.answers.len() - 1);
        self.answers[class].fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn connections(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// The text.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        let value = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut family = |name: &str, kind: &str, help: &str, lines: &[(String, u64)]| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "# HELP ndbytes_{name} {help}\n# TYPE ndbytes_{name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(text, "ndbytes_{name}{labels} {value}");
            }
        };
        let alone = |count: &AtomicU64| [(String::new(), value(count))];
        let answers: Vec<_> = (1..self.answers.len())
            .map(|class| (format!("{{status=\"{class}xx\"}}"), value(&self.answers[class])))
            .collect();
        family("http_answers_total", "counter", "Answers begun, by status.", &answers);
        let bytes = alone(&self.bytes);
        family("http_body_bytes_total", "counter", "Bytes of bodies handed to be sent.", &bytes);
        let flying = alone(&self.flying);
        family("http_requests_in_flight", "gauge", "Requests not yet answered in full.", &flying);
        let connections = alone(&self.connections);
        family("connections_total", "counter", "Connections that were taken.", &connections);
        family("connections_open", "gauge", "Connections that are open.", &alone(&self.open));
        let help = "Connections refused at the limit.";
        family("connections_refused_total", "counter", help, &alone(&self.refused));
        let help = "Connections closed for want of progress.";
        family("connections_timed_out_total", "counter", help, &alone(&self.timed_out));
        let help = "Requests without a token that allows them.";
        family("requests_denied_total", "counter", help, &alone(&self.denied));
        let help = "Requests and connections beyond what one client may have.";
        family("limited_total", "counter", help, &alone(&self.limited));
        let mut total = 0;
        let mut buckets = Vec::new();
        for (i, count) in self.seconds.iter().enumerate() {
            total += value(count);
            let bound = BUCKETS.get(i).map_or("+Inf".to_owned(), f64::to_string);
            buckets.push((format!("_bucket{{le=\"{bound}\"}}"), total));
        }
        buckets.push(("_count".to_owned(), total));
        let name = "http_request_duration_seconds";
        family(name, "histogram", "From a request to the end of its answer.", &buckets);
        let seconds = Duration::from_micros(value(&self.microseconds)).as_secs_f64();
        let _ = writeln!(text, "ndbytes_{name}_sum {seconds}");
        text
    }
}

impl Flight {
    pub(super) fn new(metrics: Arc<Metrics>, progress: Arc<Progress>, http2: bool) -> Self {
        metrics.flying.fetch_add(1, Ordering::Relaxed);
        let number = progress.begin(http2);
        Self { metrics, begin: Instant::now(), progress, number, http2, permit: None, who: None }
    }

    /// Keeps this until the end.
    pub(super) fn hold(&mut self, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
    }

    /// Keeps what is held for a client until the end.
    pub(super) fn of(&mut self, who: Who) {
        self.who = Some(who);
    }

    /// Whether others share its connection.
    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// Bytes of the body are given.
    pub(super) fn gave(&self, bytes: u64) {
        self.metrics.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Of HTTP/1 the connection itself tells whether they are taken.
        if self.http2 {
            self.progress.gave(self.number);
        }
    }

    /// More of the body is asked for.
    pub(super) fn asked(&self) {
        self.progress.asked(self.number);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let took = self.begin.elapsed();
        let seconds = took.as_secs_f64();
        let bucket = BUCKETS.iter().position(|&bound| seconds <= bound);
        self.metrics.seconds[bucket.unwrap_or(BUCKETS.len())].fetch_add(1, Ordering::Relaxed);
        self.metrics.microseconds.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
        self.metrics.flying.fetch_sub(1, Ordering::Relaxed);
        self.progress.end(self.number);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

const BUCKETS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];
