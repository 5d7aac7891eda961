//! NumPy's index of integers, slices, `...` and `None`.

/// A parsed index such as `0:10, ::-2, ..., 3`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slice(Vec<Item>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Ellipsis,
    Integer(i64),
    NewAxis,
    Range { start: Option<i64>, stop: Option<i64>, step: i64 },
}

/// The places of the selected elements: as the strides of an array, in bytes of its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Where the first element begins.
    pub(crate) origin: usize,
    /// The shape of what is selected.
    pub(crate) shape: Vec<usize>,
    /// Bytes from one element to the next, per axis.
    pub(crate) strides: Vec<isize>,
}

impl Slice {
    /// Parses an index; brackets around it may be there.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let inner = text.trim();
        let inner = match inner.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or("`[` is not closed")?.trim(),
            None => inner,
        };
        if inner.is_empty() || inner == "()" {
            return Ok(Self::default());
        }
        // One comma may end the list, as in Python.
        let inner = inner.strip_suffix(',').unwrap_or(inner);
        let items =
            inner.split(',').map(|item| parse_item(item.trim())).collect::<Result<Vec<_>, _>>()?;
        if items.iter().filter(|item| **item == Item::Ellipsis).count() > 1 {
            return Err("an index can only have a single ellipsis (`...`)".into());
        }
        Ok(Self(items))
    }

    /// Applies it to an array whose first element begins at byte 0.
    pub(crate) fn select(&self, shape: &[usize], strides: &[isize]) -> Result<Selection, String> {
        let used =
            self.0.iter().filter(|i| matches!(i, Item::Integer(_) | Item::Range { .. })).count();
        if used > shape.len() {
            return Err(format!(
                "too many indices: the array has {} dimensions, but {used} were indexed",
                shape.len()
            ));
        }
        let mut selection = Selection { origin: 0, shape: Vec::new(), strides: Vec::new() };
        let mut axis = 0;
        for item in self.0.iter().chain(
            // What is not named is taken whole, at the end unless an ellipsis says where.
            (!self.0.contains(&Item::Ellipsis)).then_some(&Item::Ellipsis),
        ) {
            match *item {
                Item::Ellipsis => {
                    for _ in used..shape.len() {
                        selection.shape.push(shape[axis]);
                        selection.strides.push(strides[axis]);
                        axis += 1;
                    }
                }
                Item::NewAxis => {
                    selection.shape.push(1);
                    selection.strides.push(0);
                }
                Item::Integer(index) => {
                    let n = shape[axis];
                    let at = place(index, n).ok_or_else(|| {
                        format!("index {index} is out of bounds for axis {axis} with size {n}")
                    })?;
                    selection.advance(at, strides[axis]);
                    axis += 1;
                }
                Item::Range { start, stop, step } => {
                    let (first, count) = range(start, stop, step, shape[axis]);
                    if count > 0 {
                        selection.advance(first, strides[axis]);
                    }
                    selection.shape.push(count);
                    // A step beyond the address space is never taken.
                    let step = isize::try_from(step).unwrap_or(0);
                    selection.strides.push(strides[axis].checked_mul(step).unwrap_or(0));
                    axis += 1;
                }
            }
        }
        if selection.shape.contains(&0) {
            selection.origin = 0;
        }
        Ok(selection)
    }
}

impl Selection {
    /// How many elements are selected.
    pub(crate) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Only the first `n` along the first axis.
    pub(crate) fn head(&mut self, n: usize) {
        if let Some(first) = self.shape.first_mut() {
            *first = n.min(*first);
        }
    }

    /// As few whole rows as hold the first `max` elements in C order.
    pub(crate) fn limit(&mut self, max: usize) {
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
    pub(crate) fn transposed(mut self) -> Self {
        self.shape.reverse();
        self.strides.reverse();
        self
    }

    fn advance(&mut self, steps: usize, stride: isize) {
        // Within the array, whose size was checked; an empty array has no first element.
        self.origin = self.origin.saturating_add(steps.saturating_mul(stride.unsigned_abs()));
    }
}

fn parse_item(text: &str) -> Result<Item, String> {
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

fn integer(text: &str) -> Result<i64, String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The flat numbers of the selected elements of an array of one-byte items in C order.
    fn pick(text: &str, shape: &[usize]) -> Result<(Vec<usize>, Vec<usize>), String> {
        let strides = ndbytes::strides(shape, 1, ndbytes::Order::C);
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
            assert!(error.contains(part), "{text}: {error}");
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
