//! A frame in memory, before its bytes are put one after another.

use ndbytes_mem::fill_cut;

use crate::array::ArrayView;
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
        let most = if self.progress.is_heard() { PIECE } else { usize::MAX };
        self.copy_in_shares(out, SHARE, most)
    }

    /// As [`copy_to`](Self::copy_to), in shares of `least` bytes or more, and told after `most`.
    fn copy_in_shares(&self, out: &mut [u8], least: usize, most: usize) -> Result<()> {
        assert_eq!(out.len(), self.len, "the frame has another length");
        let cuts = self.cuts(least, most);
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

    /// Bytes of the parts that are copied by one thread each, of `least` or more, so that there are
    /// some for each thread in `most`. What is summed up on the way is cut nowhere.
    fn cuts(&self, least: usize, most: usize) -> Vec<usize> {
        let share = self.len.min(most).div_ceil(self.threads.saturating_mul(2)).max(least);
        let mut cuts = Vec::new();
        let mut open = 0;
        for piece in &self.pieces {
            open += piece.len();
            if piece.is_due() {
                if open >= least {
                    cuts.push(std::mem::take(&mut open));
                }
                continue;
            }
            // One that is due ends in less than a share from the front, and so before the first cut.
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
    let threads = options.threads_for(len);
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

    #[test]
    fn a_frame_is_cut_between_records_that_are_summed_up_and_in_others() {
        // Noise, then what repeats, and again: some records are stored, and some are not.
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 24) as u8
        };
        let bytes: Vec<u8> = (0..400_000)
            .map(|i| if i / 50_000 % 2 == 0 { random() } else { (i / 40 * 7) as u8 ^ random() & 7 })
            .collect();
        let shape = [bytes.len()];
        let array = ArrayView::contiguous("|u1".parse().unwrap(), &shape, Order::C, &bytes);
        let array = array.unwrap();
        for (chunk, pipeline) in
            [(50_000, "auto"), (25_000, "fast"), (1000, "raw"), (90_000, "lz4")]
        {
            let options = FrameOptions::default()
                .with_pipeline(pipeline.parse().unwrap())
                .with_chunk_shape(Some(vec![chunk]));
            let mut written = Vec::new();
            crate::write_frame(&mut written, &array, &options).unwrap();
            let mut frame = encode_frame(&array, &options).unwrap();
            let due = frame.pieces.iter().filter(|piece| piece.is_due()).count();
            let chunks = bytes.len().div_ceil(chunk);
            match pipeline {
                "auto" | "fast" => assert!(due > 0 && due < chunks, "{pipeline}: {due}"),
                "raw" => assert_eq!(due, chunks),
                _ => assert_eq!(due, 0),
            }
            for threads in [1, 2, 5, usize::MAX] {
                frame.threads = threads;
                for least in [1, 700, 30_000, 1 << 20] {
                    for most in [1, 1000, 60_000, usize::MAX] {
                        let cuts = frame.cuts(least, most);
                        assert_eq!(cuts.iter().sum::<usize>(), frame.len());
                        if frame.threads < 6 {
                            let mut out = vec![0; frame.len()];
                            frame.copy_in_shares(&mut out, least, most).unwrap();
                            assert!(out == written, "{pipeline} {threads} {least} {most}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn who_listens_does_not_leave_it_to_one_thread() {
        let piece = Piece::header(vec![0; 1 << 20]);
        let frame = EncodedFrame {
            starts: vec![0],
            len: piece.len(),
            pieces: vec![piece],
            threads: 2,
            progress: Progress::default(),
            nbytes: 1 << 20,
        };
        // What is told at a time is shared, too.
        assert!(frame.cuts(1000, 100_000).iter().all(|&len| len <= 50_000));
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
