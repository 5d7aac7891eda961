//! Any part of an array, in C or F order, to contiguous bytes and back.

use ndbytes_format::{Order, Span};

use crate::copy::copy;
use crate::parts::fill_parts;
use crate::strided::Strided;

/// Elements in memory: where they lie, how many, how large.
#[derive(Clone, Copy, Debug)]
pub struct Elements<'a> {
    /// The memory.
    pub bytes: &'a [u8],
    /// Their places in it.
    pub layout: Strided<'a>,
    /// How many along each axis.
    pub shape: &'a [usize],
    /// Bytes of each.
    pub itemsize: usize,
}

/// What is done to gathered items while they are near.
pub type Finish<'a> = dyn Fn(&mut [u8]) + Sync + 'a;

/// Gathers elements `from..` of the array, counted in `order`, until `dst` is full.
///
/// Each piece of `dst` is given to `finish` while it is still in the cache: whole items, and each
/// once. Works on up to `threads` threads when there is enough to do.
///
/// # Panics
/// When the array reaches outside of its bytes, or has fewer elements.
pub fn gather(
    dst: &mut [u8],
    from: usize,
    elements: Elements<'_>,
    order: Order,
    threads: usize,
    finish: Option<&Finish<'_>>,
) {
    let itemsize = elements.itemsize;
    if dst.is_empty() || itemsize == 0 {
        return;
    }
    let threads = threads.min(dst.len() / BYTES_PER_THREAD).max(1);
    let share = (dst.len() / itemsize).div_ceil(threads) * itemsize;
    let part = |dst: &mut [u8], from: usize| match finish {
        None => gather_part(dst, from, elements, order),
        Some(finish) => {
            let piece = (CACHED / itemsize).max(1) * itemsize;
            for (i, dst) in dst.chunks_mut(piece).enumerate() {
                gather_part(dst, from + i * piece / itemsize, elements, order);
                finish(dst);
            }
        }
    };
    fill_parts(dst, share, threads, &|dst, at| part(dst, from + at / itemsize));
}

fn gather_part(dst: &mut [u8], from: usize, elements: Elements<'_>, order: Order) {
    let Elements { bytes, layout, shape, itemsize } = elements;
    let mut rest = dst;
    boxes(shape, order, from, rest.len() / itemsize, &mut |start, shape, count| {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(count * itemsize);
        let origin = origin(layout, start);
        let strides = ndbytes_format::strides(shape, itemsize, order);
        let to = Strided { origin: 0, strides: &strides };
        copy(head, to, bytes, Strided { origin, strides: layout.strides }, shape, itemsize);
        rest = tail;
    });
}

/// Scatters contiguous `src` to elements `from..` of the array, counted in `order`.
///
/// # Panics
/// As [`gather`].
pub fn scatter(
    dst: &mut [u8],
    layout: Strided<'_>,
    shape: &[usize],
    itemsize: usize,
    order: Order,
    from: usize,
    src: &[u8],
) {
    if src.is_empty() || itemsize == 0 {
        return;
    }
    let mut rest = src;
    boxes(shape, order, from, src.len() / itemsize, &mut |start, shape, count| {
        let (head, tail) = rest.split_at(count * itemsize);
        let origin = origin(layout, start);
        let strides = ndbytes_format::strides(shape, itemsize, order);
        let from = Strided { origin: 0, strides: &strides };
        copy(dst, Strided { origin, strides: layout.strides }, head, from, shape, itemsize);
        rest = tail;
    });
}

/// Fills the spans of every item with zeros: the gaps between a struct's fields.
///
/// # Panics
/// When a span reaches outside of the item.
pub fn zero_spans(items: &mut [u8], itemsize: usize, spans: &[Span]) {
    if spans.is_empty() || itemsize == 0 {
        return;
    }
    for item in items.chunks_exact_mut(itemsize) {
        for span in spans {
            item[span.offset..span.offset + span.len].fill(0);
        }
    }
}

fn origin(layout: Strided<'_>, start: &[usize]) -> usize {
    let shift: isize =
        start.iter().zip(layout.strides).map(|(&i, &stride)| i as isize * stride).sum();
    layout.origin.wrapping_add_signed(shift)
}

/// Cuts elements `from..from + count`, counted in `order`, into boxes, at most two per axis, in
/// that order: `body(start, shape, count)`.
#[expect(clippy::type_complexity, reason = "a name would say no more")]
fn boxes(
    shape: &[usize],
    order: Order,
    from: usize,
    count: usize,
    body: &mut dyn FnMut(&[usize], &[usize], usize),
) {
    let ndim = shape.len();
    // Axes from the slowest to the fastest, and how many elements one step of each is.
    let axes: Vec<usize> = match order {
        Order::C => (0..ndim).collect(),
        Order::F => (0..ndim).rev().collect(),
    };
    let mut steps = vec![1; ndim];
    for place in (1..ndim).rev() {
        steps[place - 1] = steps[place] * shape[axes[place]];
    }
    let (mut at, end) = (from, from + count);
    while at < end {
        // The slowest axis on which `at` is aligned and a whole step fits.
        let place = (0..ndim)
            .find(|&p| at.is_multiple_of(steps[p]) && end - at >= steps[p])
            .unwrap_or(ndim);
        let mut start = vec![0; ndim];
        let mut part = vec![1; ndim];
        let mut rest = at;
        for (p, &axis) in axes.iter().enumerate() {
            start[axis] = rest / steps[p];
            rest %= steps[p];
            if p > place {
                part[axis] = shape[axis];
            }
        }
        let mut size = 1;
        if let Some(&axis) = axes.get(place) {
            // Whole steps along this axis, up to its end.
            part[axis] = ((end - at) / steps[place]).min(shape[axis] - start[axis]);
            size = part[axis] * steps[place];
        }
        body(&start, &part, size);
        at += size;
    }
}

/// Below this a thread costs more than it brings.
const BYTES_PER_THREAD: usize = 2 << 20;
/// Bytes that stay in the second-level cache until they are finished.
const CACHED: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(
        src: &[u8],
        layout: Strided<'_>,
        shape: &[usize],
        itemsize: usize,
        order: Order,
    ) -> Vec<u8> {
        let count: usize = shape.iter().product();
        let mut out = vec![0; count * itemsize];
        let elements = Elements { bytes: src, layout, shape, itemsize };
        gather(&mut out, 0, elements, order, 1, None);
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 256 }))]

        #[test]
        fn any_part_is_that_part_of_the_whole(
            shape in prop::collection::vec(1usize..6, 0..5),
            itemsize in prop::sample::select(vec![1usize, 3, 4, 8]),
            fortran in any::<bool>(),
            cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        ) {
            let order = if fortran { Order::F } else { Order::C };
            let count: usize = shape.iter().product();
            let src: Vec<u8> = (0..count * itemsize).map(|i| i as u8).collect();
            let strides = ndbytes_format::strides(&shape, itemsize, Order::F);
            let layout = Strided { origin: 0, strides: &strides };
            let all = whole(&src, layout, &shape, itemsize, order);
            let (mut low, mut high) = (cut.0.index(count + 1), cut.1.index(count + 1));
            if low > high { std::mem::swap(&mut low, &mut high); }
            let mut part = vec![0; (high - low) * itemsize];
            let elements = Elements { bytes: &src, layout, shape: &shape, itemsize };
            gather(&mut part, low, elements, order, 1, None);
            prop_assert_eq!(&part, &all[low * itemsize..high * itemsize]);

            let mut back = vec![0; src.len()];
            scatter(&mut back, layout, &shape, itemsize, order, 0, &all[..low * itemsize]);
            scatter(&mut back, layout, &shape, itemsize, order, low, &all[low * itemsize..]);
            prop_assert_eq!(back, src);
        }
    }

    #[test]
    fn threads_give_the_same_bytes() {
        let shape = [3000, 1001];
        let src: Vec<u8> = (0..3_003_000u32 * 4).map(|i| (i % 251) as u8).collect();
        let strides = [4, 12_000];
        let layout = Strided { origin: 0, strides: &strides };
        let one = whole(&src, layout, &shape, 4, Order::C);
        let mut two = vec![0; one.len()];
        let elements = Elements { bytes: &src, layout, shape: &shape, itemsize: 4 };
        gather(&mut two, 0, elements, Order::C, 3, None);
        assert!(one == two);
    }

    #[test]
    fn every_byte_is_finished_once() {
        let shape = [3001, 1001];
        let src: Vec<u8> = (0..3001u32 * 1001 * 3).map(|i| (i % 251) as u8).collect();
        let elements = Elements {
            bytes: &src,
            layout: Strided { origin: 0, strides: &[3003, 3] },
            shape: &shape,
            itemsize: 3,
        };
        for threads in [1, 3] {
            let mut out = vec![0; src.len()];
            let finish = |piece: &mut [u8]| {
                assert!(piece.len().is_multiple_of(3));
                piece.iter_mut().for_each(|b| *b = b.wrapping_add(1));
            };
            gather(&mut out, 0, elements, Order::C, threads, Some(&finish));
            assert!(out.iter().zip(&src).all(|(got, &b)| *got == b.wrapping_add(1)));
        }
    }

    #[test]
    fn gaps_become_zero() {
        let mut items = [1u8; 8];
        zero_spans(&mut items, 4, &[Span { offset: 1, len: 2 }]);
        assert_eq!(items, [1, 0, 0, 1, 1, 0, 0, 1]);
    }
}
