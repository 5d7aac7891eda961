//! Whether it pays to compress what is sent: by how fast the connection takes bytes, and how well and
//! fast a sample of the array is compressed.

use std::time::{Duration, Instant};

use ndbytes::{ArrayView, FrameOptions, Order, Pipeline, Preset, dump_frame};

/// What is known of a connection.
#[derive(Debug, Default)]
pub(super) struct Adapt {
    /// Bytes that it takes in a second, lately.
    rate: Option<f64>,
}

impl Adapt {
    /// So many bytes were written in that time, which does not count what was done meanwhile.
    pub(super) fn learn(&mut self, bytes: u64, spent: Duration) {
        if bytes < ENOUGH {
            return;
        }
        let rate = bytes as f64 / spent.as_secs_f64().max(1e-9);
        self.rate = Some(self.rate.map_or(rate, |before| (before + rate) / 2.0));
    }

    /// How this array should leave: as a frame if that is faster, by some margin.
    pub(super) fn choose(&self, array: &ArrayView<'_>) -> Option<FrameOptions> {
        // The first goes as it is, and shows how fast that is.
        let rate = self.rate?;
        let raw = array.nbytes() as f64 / rate;
        if raw < WORTH.as_secs_f64() {
            return None;
        }
        let options = FrameOptions::default().with_pipeline(Pipeline::Preset(Preset::Fast));
        let (ratio, speed) = sample(array, &options)?;
        // One thread compresses while the connection takes what is compressed.
        let framed = (array.nbytes() as f64 / speed).max(raw / ratio);
        (framed < MARGIN * raw).then_some(options)
    }
}

/// How much smaller some of the array becomes, and how many of its bytes a second. None where it does not
/// lie in one piece.
fn sample(array: &ArrayView<'_>, options: &FrameOptions) -> Option<(f64, f64)> {
    let bytes = array.as_bytes(array.header().ok()?.order())?;
    let itemsize = array.dtype().itemsize().max(1);
    let piece = (PIECE / itemsize * itemsize).max(itemsize).min(bytes.len());
    let mut some = Vec::with_capacity(PIECES * piece);
    for i in 0..PIECES {
        let at = (bytes.len() - piece) / itemsize * i / (PIECES - 1) * itemsize;
        some.extend(&bytes[at..at + piece]);
    }
    let count = some.len() / itemsize;
    let view = ArrayView::contiguous(array.dtype().clone(), &[count], Order::C, &some).ok()?;
    let begin = Instant::now();
    let frame = dump_frame(&view, options).ok()?;
    let spent = begin.elapsed().as_secs_f64().max(1e-9);
    Some((some.len() as f64 / frame.len() as f64, some.len() as f64 / spent))
}

/// Bytes that are written before their time says something.
const ENOUGH: u64 = 1 << 18;
/// How long an array must take for a sample to be worth its time.
const WORTH: Duration = Duration::from_millis(5);
/// How much of the time may remain.
const MARGIN: f64 = 0.8;
/// Bytes of one piece of a sample.
const PIECE: usize = 1 << 16;
/// Pieces of a sample.
const PIECES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_for_slow_connections_and_what_becomes_small() {
        let zeros = vec![0; 8 << 20];
        let mut random = 1_u64;
        let noise: Vec<u8> = (0..8 << 20)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random as u8
            })
            .collect();
        let view = |bytes| {
            ArrayView::contiguous("|u1".parse().unwrap(), &[8 << 20], Order::C, bytes).unwrap()
        };
        let at = |rate: f64| {
            let mut adapt = Adapt::default();
            assert!(adapt.choose(&view(&zeros)).is_none());
            adapt.learn(1000, Duration::from_secs(100));
            assert!(adapt.choose(&view(&zeros)).is_none());
            adapt.learn(1 << 30, Duration::from_secs_f64(f64::from(1 << 30) / rate));
            adapt
        };
        assert!(at(1e6).choose(&view(&zeros)).is_some());
        assert!(at(1e6).choose(&view(&noise)).is_none());
        assert!(at(1e11).choose(&view(&zeros)).is_none());
    }
}
