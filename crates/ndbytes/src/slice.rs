//! NumPy's index of integers, slices, `...` and `None`, and what it selects.

use ndbytes_format::{Code, Dtype};
use ndbytes_mem::byte_extent;

use crate::array::ArrayView;
use crate::error::{Error, Result};

/// A parsed index such as `0:10, ::-2, ..., 3`.
///
/// ```
/// use ndbytes::{Order, Slice, strides};
///
/// let selection = Slice::parse("1:, ::-2")?.select(&[3, 4], &strides(&[3, 4], 8, Order::C))?;
/// assert_eq!(selection.shape, [2, 2]);
/// assert_eq!((selection.origin, &selection.strides[..]), (56, &[32, -16][..]));
/// # Ok::<(), ndbytes::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice(Vec<Item>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Ellipsis,
    Integer(i64),
    NewAxis,
    Range { start: Option<i64>, stop: Option<i64>, step: i64 },
}

/// The places of the selected elements: as the strides of an array, in bytes of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Where the first element begins.
    pub origin: usize,
    /// The shape of what is selected.
    pub shape: Vec<usize>,
    /// Bytes from one element to the next, per axis.
    pub strides: Vec<isize>,
}

/// What is selected along one axis of the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisRange {
    /// The first index.
    pub start: usize,
    /// From one index to the next.
    pub step: isize,
    /// How many.
    pub count: usize,
}

/// The parts of a selection, one after another in C order, each small and dense enough to be read
/// at once.
#[derive(Clone, Debug)]
pub struct Pieces {
    itemsize: usize,
    most: usize,
    /// What is to come, the next last.
    open: Vec<Selection>,
}

/// A part of a selection, and the bytes that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where those bytes begin, from the start of the array's data.
    pub offset: usize,
    /// How many they are.
    pub len: usize,
    selection: Selection,
}

/// An axis of what is selected.
enum Part {
    /// One of the array's, and whether it is there still.
    Axis(AxisRange, bool),
    New,
}

impl Slice {
    /// Parses an index; brackets around it may be there.
    ///
    /// # Errors
    /// [`Code::Argument`].
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).map_err(|message| Error::new(Code::Argument, message))
    }

    /// Applies it to an array whose first element begins at byte 0.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`] for an index that the array does not have.
    pub fn select(&self, shape: &[usize], strides: &[isize]) -> Result<Selection> {
        let mut selection = Selection { origin: 0, shape: Vec::new(), strides: Vec::new() };
        let mut strides = strides.iter();
        for part in self.parts(shape)? {
            let (range, stride, kept) = match part {
                Part::New => (AxisRange { start: 0, step: 0, count: 1 }, 0, true),
                Part::Axis(range, kept) => {
                    (range, strides.next().copied().unwrap_or_default(), kept)
                }
            };
            selection.advance(range.start, stride);
            if kept {
                selection.shape.push(range.count);
                selection.strides.push(stride.checked_mul(range.step).unwrap_or(0));
            }
        }
        if selection.shape.contains(&0) {
            selection.origin = 0;
        }
        Ok(selection)
    }

    /// What it selects along each axis of an array; of an axis that an integer takes away, one.
    ///
    /// # Errors
    /// As [`Slice::select`].
    pub fn ranges(&self, shape: &[usize]) -> Result<Vec<AxisRange>> {
        let parts = self.parts(shape)?.into_iter();
        Ok(parts
            .filter_map(|part| match part {
                Part::Axis(range, _) => Some(range),
                Part::New => None,
            })
            .collect())
    }

    fn parts(&self, shape: &[usize]) -> Result<Vec<Part>> {
        let used =
            self.0.iter().filter(|i| matches!(i, Item::Integer(_) | Item::Range { .. })).count();
        if used > shape.len() {
            let message = format!(
                "too many indices: the array has {} dimensions, but {used} were indexed",
                shape.len()
            );
            return Err(Error::new(Code::OutOfBounds, message));
        }
        let mut parts = Vec::new();
        let mut axis = 0;
        for item in self.0.iter().chain(
            // What is not named is taken whole, at the end unless an ellipsis says where.
            (!self.0.contains(&Item::Ellipsis)).then_some(&Item::Ellipsis),
        ) {
            match *item {
                Item::Ellipsis => {
                    for _ in used..shape.len() {
                        let whole = AxisRange { start: 0, step: 1, count: shape[axis] };
                        parts.push(Part::Axis(whole, true));
                        axis += 1;
                    }
                }
                Item::NewAxis => parts.push(Part::New),
                Item::Integer(index) => {
                    let n = shape[axis];
                    let start = place(index, n).ok_or_else(|| {
                        let message =
                            format!("index {index} is out of bounds for axis {axis} with size {n}");
                        Error::new(Code::OutOfBounds, message)
                    })?;
                    parts.push(Part::Axis(AxisRange { start, step: 1, count: 1 }, false));
                    axis += 1;
                }
                Item::Range { start, stop, step } => {
                    let (first, count) = range(start, stop, step, shape[axis]);
                    // A step beyond the address space is never taken.
                    let step = isize::try_from(step).unwrap_or(1);
                    let start = if count > 0 { first } else { 0 };
                    parts.push(Part::Axis(AxisRange { start, step, count }, true));
                    axis += 1;
                }
            }
        }
        Ok(parts)
    }
}

impl Selection {
    /// Every `step`-th element from `start` on, `shape` of them along each axis, of an array whose
    /// first element begins at byte 0.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`] when it reaches outside of the array, [`Code::Argument`] for a step of
    /// 0 or another number of axes.
    pub fn stepped(
        all: &[usize],
        strides: &[isize],
        [start, step, shape]: [&[usize]; 3],
    ) -> Result<Self> {
        check_stepped(all, [start, step, shape])?;
        let mut selection =
            Self { origin: 0, shape: shape.to_vec(), strides: Vec::with_capacity(all.len()) };
        for ((&start, &step), &stride) in start.iter().zip(step).zip(strides) {
            selection.advance(start, stride);
            selection.strides.push(stride.wrapping_mul(step as isize));
        }
        Ok(selection)
    }

    /// How many elements are selected.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Only the first `n` along the first axis.
    pub fn head(&mut self, n: usize) {
        if let Some(first) = self.shape.first_mut() {
            *first = n.min(*first);
        }
    }

    /// As few whole rows as hold the first `max` elements in C order.
    pub fn limit(&mut self, max: usize) {
        if self.count() <= max {
            return;
        }
        for axis in 0..self.shape.len() {
            let inner: usize = self.shape[axis + 1..].iter().product();
            self.shape[axis] = max.div_ceil(inner.max(1)).clamp(1, self.shape[axis]);
            if self.shape[axis] > 1 {
                return;
            }
        }
    }

    /// The same elements with the axes in reverse.
    #[must_use]
    pub fn transposed(mut self) -> Self {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    /// Cuts it into parts for each of which at most `most` bytes are read, or one element. An array
    /// whose first axis is its slowest is read from front to back, each byte once, where no step
    /// is negative.
    ///
    /// # Errors
    /// [`Code::SizeOverflow`] when it does not fit the address space.
    pub fn pieces(&self, itemsize: usize, most: usize) -> Result<Pieces> {
        let nothing = self.count() == 0 || itemsize == 0;
        if !nothing && byte_extent(&self.shape, &self.strides, itemsize).is_none() {
            let message = "the selection does not fit the address space";
            return Err(Error::new(Code::SizeOverflow, message));
        }
        let open = if nothing { Vec::new() } else { vec![self.clone()] };
        Ok(Pieces { itemsize, most, open })
    }

    fn advance(&mut self, steps: usize, stride: isize) {
        // Within the array, whose size was checked; an empty array has no first element.
        self.origin = self.origin.saturating_add(steps.saturating_mul(stride.unsigned_abs()));
    }

    /// Bytes before the first element and from it on that hold all of them.
    fn extent(&self, itemsize: usize) -> (usize, usize) {
        // Checked for the whole, of which this is a part.
        byte_extent(&self.shape, &self.strides, itemsize).unwrap_or_default()
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        loop {
            let selection = self.open.pop()?;
            let (before, beyond) = selection.extent(self.itemsize);
            let len = before + beyond;
            let dense = len <= PAGES || selection.count() * self.itemsize >= len / SPARSE;
            let axis = selection.shape.iter().position(|&n| n > 1);
            let Some(axis) = axis.filter(|_| len > self.most || !dense) else {
                return Some(Piece { offset: selection.origin - before, len, selection });
            };
            let (mut first, mut second) = (selection.clone(), selection);
            let half = first.shape[axis] / 2;
            first.shape[axis] = half;
            second.shape[axis] -= half;
            let shift = second.strides[axis].wrapping_mul(half as isize);
            second.origin = second.origin.wrapping_add_signed(shift);
            self.open.extend([second, first]);
        }
    }
}

impl Piece {
    /// How many elements it holds.
    pub fn count(&self) -> usize {
        self.selection.count()
    }

    /// The elements, in the bytes that were read for it.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`] for other bytes.
    pub fn view<'a>(&self, dtype: &Dtype, bytes: &'a [u8]) -> Result<ArrayView<'a>> {
        let Selection { origin, shape, strides } = &self.selection;
        ArrayView::new(dtype.clone(), shape, strides, bytes, origin - self.offset)
    }
}

/// Whether an array of shape `all` has every `step`-th element from `start` on, `shape` of them
/// along each axis.
pub(crate) fn check_stepped(all: &[usize], [start, step, shape]: [&[usize]; 3]) -> Result<()> {
    if [start.len(), step.len(), shape.len()] != [all.len(); 3] || step.contains(&0) {
        let message = "start, step and shape need a number for each axis, and steps above 0";
        return Err(Error::new(Code::Argument, message));
    }
    for axis in 0..all.len() {
        let (start, step, n) = (start[axis], step[axis], shape[axis]);
        let last = n.saturating_sub(1).checked_mul(step).and_then(|by| by.checked_add(start));
        if start > all[axis] || (n > 0 && last.is_none_or(|last| last >= all[axis])) {
            let message = format!(
                "{shape:?} items are not within an array of shape {all:?}: along axis {axis}, {n} from {start} in steps of {step}"
            );
            return Err(Error::new(Code::OutOfBounds, message));
        }
    }
    Ok(())
}

fn parse(text: &str) -> std::result::Result<Slice, String> {
    let inner = text.trim();
    let inner = match inner.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or("`[` is not closed")?.trim(),
        None => inner,
    };
    if inner.is_empty() || inner == "()" {
        return Ok(Slice::default());
    }
    // One comma may end the list, as in Python.
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    let items = inner
        .split(',')
        .map(|item| parse_item(item.trim()))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    if items.iter().filter(|item| **item == Item::Ellipsis).count() > 1 {
        return Err("an index can only have a single ellipsis (`...`)".into());
    }
    Ok(Slice(items))
}

fn parse_item(text: &str) -> std::result::Result<Item, String> {
    match text {
        "" => return Err("an index is missing between commas".into()),
        "..." | "Ellipsis" => return Ok(Item::Ellipsis),
        "None" | "newaxis" | "np.newaxis" => return Ok(Item::NewAxis),
        _ => {}
    }
    if !text.contains(':') {
        return Ok(Item::Integer(integer(text)?));
    }
    let parts: Vec<_> = text.split(':').map(str::trim).collect();
    let part = |index: usize| match parts.get(index) {
        None | Some(&"") | Some(&"None") => Ok(None),
        Some(text) => integer(text).map(Some),
    };
    if parts.len() > 3 {
        return Err(format!("`{text}` has more than start, stop and step"));
    }
    match part(2)?.unwrap_or(1) {
        0 => Err("slice step cannot be zero".into()),
        step => Ok(Item::Range { start: part(0)?, stop: part(1)?, step }),
    }
}

fn integer(text: &str) -> std::result::Result<i64, String> {
    text.parse().map_err(|_| {
        format!("`{text}` is no index; they are integers, `start:stop:step`, `...` and `None`")
    })
}

/// The element that an integer names: negative ones count from the end.
fn place(index: i64, n: usize) -> Option<usize> {
    let at = i128::from(index) + if index < 0 { n as i128 } else { 0 };
    usize::try_from(at).ok().filter(|&at| at < n)
}

/// First element and number of elements of a slice: Python's `slice.indices`.
fn range(start: Option<i64>, stop: Option<i64>, step: i64, n: usize) -> (usize, usize) {
    let n = n as i128;
    let step = i128::from(step);
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let clip = |bound: i64| {
        let bound = i128::from(bound);
        (if bound < 0 { bound + n } else { bound }).clamp(low, high)
    };
    let start = start.map_or(if step > 0 { low } else { high }, clip);
    let stop = stop.map_or(if step > 0 { high } else { low }, clip);
    let span = if step > 0 { stop - start } else { start - stop };
    if span <= 0 {
        return (0, 0);
    }
    let step = step.abs();
    (start.max(0) as usize, ((span + step - 1) / step) as usize)
}

/// Reading less than this at once saves nothing.
const PAGES: usize = 1 << 14;
/// A part is read at once when no less than one in so many of its bytes is wanted.
const SPARSE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// The flat numbers of the selected elements of an array of one-byte items in C order.
    fn pick(text: &str, shape: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
        let strides = ndbytes_format::strides(shape, 1, ndbytes_format::Order::C);
        let selection = Slice::parse(text)?.select(shape, &strides)?;
        let mut places = vec![selection.origin as isize];
        for (&n, &stride) in selection.shape.iter().zip(&selection.strides) {
            places = places
                .iter()
                .flat_map(|&at| (0..n as isize).map(move |i| at + i * stride))
                .collect();
        }
        Ok((selection.shape, places.into_iter().map(|at| at as usize).collect()))
    }

    #[test]
    fn picks_what_numpy_picks() {
        for (text, shape, want_shape, want) in [
            ("", &[2, 2][..], &[2, 2][..], &[0, 1, 2, 3][..]),
            ("...", &[2, 2], &[2, 2], &[0, 1, 2, 3]),
            ("1", &[2, 3], &[3], &[3, 4, 5]),
            ("-1", &[2, 3], &[3], &[3, 4, 5]),
            ("1, 2", &[2, 3], &[], &[5]),
            ("[..., 1]", &[2, 3], &[2], &[1, 4]),
            ("1, ...", &[2, 3], &[3], &[3, 4, 5]),
            ("0, ..., -1", &[2, 3], &[], &[2]),
            (":, ::2", &[2, 3], &[2, 2], &[0, 2, 3, 5]),
            ("::-1", &[3], &[3], &[2, 1, 0]),
            ("::-2", &[4], &[2], &[3, 1]),
            ("-2:", &[4], &[2], &[2, 3]),
            (":-2", &[4], &[2], &[0, 1]),
            ("3:0:-1", &[4], &[3], &[3, 2, 1]),
            ("10:0:-1", &[4], &[3], &[3, 2, 1]),
            (":-10:-1", &[4], &[4], &[3, 2, 1, 0]),
            ("2:100", &[4], &[2], &[2, 3]),
            ("3:1", &[4], &[0], &[]),
            ("100:", &[4], &[0], &[]),
            ("None, 1", &[2, 2], &[1, 2], &[2, 3]),
            ("..., None", &[2], &[2, 1], &[0, 1]),
            ("None:None:2,", &[3], &[2], &[0, 2]),
            ("::9223372036854775807", &[3], &[1], &[0]),
            ("::-9223372036854775808", &[3], &[1], &[2]),
            ("0:1, 5:", &[2, 3], &[1, 0], &[]),
        ] {
            let got = pick(text, shape).unwrap();
            assert_eq!((&got.0[..], &got.1[..]), (want_shape, want), "{text}");
        }
    }

    #[test]
    fn what_numpy_refuses_is_refused() {
        for (text, shape, part) in [
            ("3", &[3][..], "out of bounds for axis 0 with size 3"),
            ("-4", &[3], "out of bounds"),
            ("0, 0", &[3], "too many indices"),
            ("..., ...", &[3], "single ellipsis"),
            ("::0", &[3], "step cannot be zero"),
            ("a", &[3], "is no index"),
            ("1,,2", &[3, 3], "missing"),
            ("1:2:3:4", &[9], "more than start"),
            ("[1", &[3], "not closed"),
            ("1.5", &[3], "is no index"),
            ("99999999999999999999", &[3], "is no index"),
            ("0", &[], "too many indices"),
        ] {
            let error = pick(text, shape).unwrap_err();
            assert!(error.message().contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn ranges_are_those_of_the_arrays_axes() {
        let ranges = Slice::parse("None, 1, ..., ::-2").unwrap().ranges(&[3, 4, 5]).unwrap();
        let range = |start, step, count| AxisRange { start, step, count };
        assert_eq!(ranges, [range(1, 1, 1), range(0, 1, 4), range(4, -2, 3)]);
    }

    #[test]
    fn pieces_are_the_whole_in_order() {
        let shape = [40, 50, 30];
        let bytes: Vec<u8> = (0..2 * 60_000u32).map(|i| (i % 251) as u8).collect();
        let dtype: Dtype = "<i2".parse().unwrap();
        let strides = ndbytes_format::strides(&shape, 2, ndbytes_format::Order::C);
        for text in ["", "::3, 5", "::-1, ::-7", "..., 3", "7, 8, 9", "5:5"] {
            let selection = Slice::parse(text).unwrap().select(&shape, &strides).unwrap();
            let Selection { origin, shape, strides } = &selection;
            let whole = ArrayView::new(dtype.clone(), shape, strides, &bytes, *origin).unwrap();
            for most in [1, 100, 5000, 1 << 20] {
                let (mut joined, mut last) = (Vec::new(), 0);
                for piece in selection.pieces(2, most).unwrap() {
                    assert!(piece.len <= most.max(2), "{text}: {piece:?}");
                    assert!(text.contains('-') || piece.offset >= last);
                    last = piece.offset;
                    let read = &bytes[piece.offset..piece.offset + piece.len];
                    let view = piece.view(&dtype, read).unwrap();
                    joined.extend(view.to_vec(ndbytes_format::Order::C).unwrap());
                }
                assert_eq!(joined, whole.to_vec(ndbytes_format::Order::C).unwrap(), "{text}");
            }
        }
    }

    #[test]
    fn limits_keep_whole_rows() {
        for (shape, max, want) in [
            (&[10, 10][..], 1000, &[10, 10][..]),
            (&[100, 100], 1000, &[10, 100]),
            (&[5, 4000], 1000, &[1, 1000]),
            (&[5, 2, 800], 1000, &[1, 2, 800]),
            (&[0, 4000], 10, &[0, 4000]),
        ] {
            let mut selection =
                Selection { origin: 0, shape: shape.to_vec(), strides: vec![0; shape.len()] };
            selection.limit(max);
            assert_eq!(selection.shape, want);
        }
    }
}
