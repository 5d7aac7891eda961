//! A frame in memory, before its bytes are put one after another.

use ndbytes_mem::fill_cut;

use crate::array::{ArrayView, threads_for};
use crate::error::Result;
use crate::frame::piece::Piece;
use crate::frame::write::{FrameOptions, Sums, encode};
use crate::progress::Progress;

/// The pieces of a frame whose length is known, to be copied to where they are wanted. What is
/// stored as it is lies in the array still, and is summed up as it is copied.
pub struct EncodedFrame<'a> {
    pieces: Vec<Piece<'a>>,
    /// Where each piece begins.
    starts: Vec<usize>,
    len: usize,
    threads: usize,
    progress: Progress,
    /// Bytes of the array.
    nbytes: u64,
}

impl EncodedFrame<'_> {
    /// Bytes of the frame; there are always some.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Copies the frame, on several threads.
    ///
    /// # Errors
    /// What [`Progress`] said, which is told now and then that all has been encoded.
    ///
    /// # Panics
    /// When `out` is not as long as the frame.
    pub fn copy_to(&self, out: &mut [u8]) -> Result<()> {
        assert_eq!(out.len(), self.len, "the frame has another length");
        let cuts = self.cuts();
        let most = if self.progress.is_heard() { PIECE } else { usize::MAX };
        let (mut cuts, mut out, mut at) = (&cuts[..], out, 0);
        while !cuts.is_empty() {
            let mut size = 0usize;
            let fitting = cuts.iter().take_while(|&&len| {
                size = size.saturating_add(len);
                size <= most
            });
            let count = fitting.count().max(1);
            let (now, later) = cuts.split_at(count);
            let (to, rest) = out.split_at_mut(now.iter().sum());
            let len = to.len();
            fill_cut(to, now, self.threads, &|part, start| self.copy_part(at + start, part));
            (cuts, out, at) = (later, rest, at + len);
            self.progress.tell(self.nbytes, self.nbytes)?;
        }
        Ok(())
    }

    /// Bytes of the parts that are copied by one thread each. What is summed up on the way is cut
    /// nowhere.
    fn cuts(&self) -> Vec<usize> {
        let share = self.len.div_ceil(2 * self.threads).max(SHARE);
        let mut cuts = Vec::new();
        let mut open = 0;
        for piece in &self.pieces {
            open += piece.len();
            if piece.is_due() {
                if open >= SHARE {
                    cuts.push(std::mem::take(&mut open));
                }
                continue;
            }
            // What was open before was less, so that it is this piece that is cut.
            while open >= 2 * share {
                cuts.push(share);
                open -= share;
            }
        }
        cuts.extend((open > 0).then_some(open));
        cuts
    }

    /// Copies the bytes from `at` on.
    fn copy_part(&self, at: usize, mut out: &mut [u8]) {
        let first = self.starts.partition_point(|&start| start <= at).saturating_sub(1);
        let mut skip = at - self.starts[first];
        for piece in &self.pieces[first..] {
            if out.is_empty() {
                return;
            }
            let n = piece.copy_part(skip, out);
            (out, skip) = (&mut out[n..], 0);
        }
    }
}

impl std::fmt::Debug for EncodedFrame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EncodedFrame").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Compresses the array, so that the length of its frame is known before memory is taken for it.
///
/// # Errors
/// As [`write_frame`](crate::write_frame).
pub fn encode_frame<'a>(array: &ArrayView<'a>, options: &FrameOptions) -> Result<EncodedFrame<'a>> {
    let mut pieces = Vec::new();
    let mut starts = Vec::new();
    let mut len = 0;
    encode(array, options, Sums::WhenCopied, |piece| {
        starts.push(len);
        len += piece.len();
        pieces.push(piece);
        Ok(())
    })?;
    let threads = options.threads.unwrap_or_else(|| threads_for(len)).max(1);
    let (progress, nbytes) = (options.progress.clone(), array.nbytes() as u64);
    Ok(EncodedFrame { pieces, starts, len, threads, progress, nbytes })
}

/// The array as the bytes of a frame.
///
/// # Errors
/// As [`write_frame`](crate::write_frame).
pub fn dump_frame(array: &ArrayView<'_>, options: &FrameOptions) -> Result<Vec<u8>> {
    let frame = encode_frame(array, options)?;
    let mut bytes = crate::array::zeroed_vec(frame.len())?;
    frame.copy_to(&mut bytes)?;
    Ok(bytes)
}

/// Bytes that one thread copies at a time, at least.
const SHARE: usize = 1 << 19;
/// Bytes that are copied before somebody is told.
const PIECE: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Order;

    /// Cut between records and in them, and told in between.
    #[test]
    fn a_large_frame_is_the_same_in_memory() {
        let bytes: Vec<u8> = (0..20_000_000u64).map(|i| ((i * i) >> 9) as u8).collect();
        for (chunk, pipeline) in [
            (1 << 20, "raw"),
            (1000, "raw"),
            (19_000_000, "raw"),
            (600_000, "auto"),
            (9_000_000, "lz4"),
        ] {
            let shape = [bytes.len()];
            let array = ArrayView::contiguous("|u1".parse().unwrap(), &shape, Order::C, &bytes);
            let options = FrameOptions::default()
                .with_pipeline(pipeline.parse().unwrap())
                .with_chunk_shape(Some(vec![chunk]));
            let mut written = Vec::new();
            crate::write_frame(&mut written, array.as_ref().unwrap(), &options).unwrap();
            for threads in [1, 2, 3] {
                let options = options.clone().with_threads(Some(threads));
                let whole = dump_frame(array.as_ref().unwrap(), &options).unwrap();
                assert!(whole == written, "{chunk} {pipeline} {threads}");
            }
            let told = Progress::new(|_, _| Ok(()));
            let whole = dump_frame(array.as_ref().unwrap(), &options.with_progress(told));
            assert!(whole.unwrap() == written, "{chunk} {pipeline}");
        }
    }

    #[test]
    fn any_part_of_a_frame_can_be_copied() {
        let bytes: Vec<u8> = (0..3000u16).flat_map(u16::to_le_bytes).collect();
        let array =
            ArrayView::contiguous("<u2".parse().unwrap(), &[3000], Order::C, &bytes).unwrap();
        for name in ["raw", "lz4", "pco"] {
            let options = FrameOptions::default()
                .with_pipeline(name.parse().unwrap())
                .with_chunk_shape(Some(vec![1000]));
            let frame = encode_frame(&array, &options).unwrap();
            let whole = dump_frame(&array, &options).unwrap();
            let mut written = Vec::new();
            crate::write_frame(&mut written, &array, &options).unwrap();
            assert!(whole == written && whole.len() == frame.len());
            let pieces = frame.pieces.into_iter().map(Piece::summed).collect();
            let frame = EncodedFrame { pieces, ..frame };
            for start in [0, 1, 50, 2000, whole.len() - 1, whole.len()] {
                for end in [start, start + 1, start + 2500, whole.len()] {
                    let end = end.min(whole.len());
                    let mut part = vec![0; end - start.min(end)];
                    frame.copy_part(start, &mut part);
                    assert!(part == whole[start.min(end)..end], "{start} {end}");
                }
            }
        }
    }
}
