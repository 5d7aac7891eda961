//! The table of arrays: every dtype, every layout, every odd shape, as owned bytes.

use ndbytes::{ArrayView, ByteOrder, Dtype, Extended, Kind, Order, strides};

use crate::random::Random;

/// An array of any layout with the bytes that hold it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is, for messages.
    pub name: String,
    /// The type of its elements.
    pub dtype: Dtype,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Bytes from one element to the next, per axis.
    pub strides: Vec<isize>,
    /// Where its first element begins in the bytes.
    pub origin: usize,
    /// Bytes that hold at least its elements.
    pub bytes: Vec<u8>,
}

/// How the elements lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Contiguous, last axis fastest.
    C,
    /// Contiguous, first axis fastest.
    F,
    /// Every second element of the last axis: `[..., ::2]`.
    Strided,
    /// First and last axis backwards.
    Negative,
    /// Axes rotated by one: neither C nor F from three dimensions on.
    Transposed,
    /// The first axis repeats one element: stride 0.
    Broadcast,
}

impl Case {
    /// An array of this layout with bytes that depend on its facts alone.
    pub fn new(dtype: &Dtype, shape: &[usize], layout: Layout) -> Self {
        let mut base = shape.to_vec();
        match layout {
            Layout::Strided => base.iter_mut().next_back().into_iter().for_each(|n| *n *= 2),
            Layout::Transposed if !base.is_empty() => base.rotate_left(1),
            Layout::Broadcast => base.iter_mut().next().into_iter().for_each(|n| *n = (*n).min(1)),
            _ => {}
        }
        let itemsize = dtype.itemsize();
        let order = if layout == Layout::F { Order::F } else { Order::C };
        let mut strides = strides(&base, itemsize, order);
        let mut origin = 0;
        match layout {
            Layout::C | Layout::F => {}
            Layout::Strided => strides.iter_mut().next_back().into_iter().for_each(|s| *s *= 2),
            Layout::Transposed if !base.is_empty() => strides.rotate_right(1),
            Layout::Transposed => {}
            Layout::Broadcast => strides.iter_mut().next().into_iter().for_each(|s| *s = 0),
            Layout::Negative => {
                let last = shape.len().saturating_sub(1);
                for axis in [0, last].into_iter().take(shape.len()) {
                    origin += strides[axis].unsigned_abs() * shape[axis].saturating_sub(1);
                    strides[axis] = -strides[axis];
                }
                if shape.contains(&0) {
                    origin = 0;
                }
            }
        }
        let count: usize = base.iter().product();
        let bytes = items(dtype, count, 1);
        Self {
            name: format!("{dtype} {shape:?} {layout:?}"),
            dtype: dtype.clone(),
            shape: shape.to_vec(),
            strides,
            origin,
            bytes,
        }
    }

    /// A view of it.
    ///
    /// # Panics
    /// When the case contradicts itself.
    pub fn view(&self) -> ArrayView<'_> {
        ArrayView::new(self.dtype.clone(), &self.shape, &self.strides, &self.bytes, self.origin)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 6] =
        [Self::C, Self::F, Self::Strided, Self::Negative, Self::Transposed, Self::Broadcast];
}

/// `count` elements of random bytes that are values of the dtype; gaps between fields hold
/// anything.
pub fn items(dtype: &Dtype, count: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes: Vec<u8> = (0..count * dtype.itemsize()).map(|_| random.byte()).collect();
    if dtype.itemsize() > 0 {
        bytes.chunks_exact_mut(dtype.itemsize()).for_each(|item| make_valid(dtype, item));
    }
    bytes
}

/// Every dtype of the table, in both byte orders where it has them.
///
/// # Panics
/// When a dtype of the table does not parse.
pub fn dtypes() -> Vec<Dtype> {
    let extended = Extended::ALL.iter().map(|extended| extended.as_str());
    let mut dtypes: Vec<Dtype> = Vec::new();
    for text in DTYPES.iter().copied().chain(extended) {
        let dtype: Dtype = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let big = dtype.with_byte_order(ByteOrder::Big);
        if big != dtype {
            dtypes.push(big);
        }
        dtypes.push(dtype);
    }
    dtypes
}

/// Every shape of the table.
pub fn shapes() -> Vec<Vec<usize>> {
    let mut most = vec![1; 64];
    (most[0], most[31], most[63]) = (2, 3, 2);
    let few: [&[usize]; 7] = [&[], &[0], &[3], &[2, 3], &[0, 5], &[1, 1, 7], &[2, 3, 4]];
    few.iter().map(|shape| shape.to_vec()).chain([most]).collect()
}

/// The table: every dtype in a few shapes, and a few dtypes in every shape and layout.
pub fn table() -> Vec<Case> {
    let mut cases = Vec::new();
    for dtype in dtypes() {
        for shape in [&[][..], &[0], &[2, 3]] {
            cases.push(Case::new(&dtype, shape, Layout::C));
        }
        cases.push(Case::new(&dtype, &[2, 3], Layout::F));
        cases.push(Case::new(&dtype, &[2, 3, 2], Layout::Transposed));
    }
    for text in OF_EVERY_LAYOUT {
        let dtype: Dtype = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        for shape in shapes() {
            cases.extend(Layout::ALL.map(|layout| Case::new(&dtype, &shape, layout)));
        }
    }
    cases
}

/// One small array of every dtype.
pub fn one_of_each() -> Vec<Case> {
    dtypes().iter().map(|dtype| Case::new(dtype, &[2, 1], Layout::C)).collect()
}

/// Makes the bytes of bools and characters values of these.
fn make_valid(dtype: &Dtype, item: &mut [u8]) {
    match dtype.kind() {
        Kind::Bool => item.iter_mut().for_each(|b| *b &= 1),
        Kind::Str => {
            for char in item.chunks_exact_mut(4) {
                // Planes 0 to 15; the order in memory is the dtype's.
                let (plane, zero) =
                    if dtype.byte_order() == ByteOrder::Big { (1, 0) } else { (2, 3) };
                char[plane] &= 0x0f;
                char[zero] = 0;
            }
        }
        Kind::Struct(_) => {
            for field in dtype.fields().unwrap_or_default() {
                let end = field.offset + field.dtype.itemsize();
                make_valid(&field.dtype, &mut item[field.offset..end]);
            }
        }
        Kind::Subarray(subarray) if subarray.base.itemsize() > 0 => item
            .chunks_exact_mut(subarray.base.itemsize())
            .for_each(|part| make_valid(&subarray.base, part)),
        _ => {}
    }
}

/// Those of NumPy, little-endian.
const DTYPES: &[&str] = &[
    "|b1",
    "|i1",
    "<i2",
    "<i4",
    "<i8",
    "|u1",
    "<u2",
    "<u4",
    "<u8",
    "<f2",
    "<f4",
    "<f8",
    "<f16",
    "<c8",
    "<c16",
    "<c32",
    "<M8",
    "<M8[ns]",
    "<M8[25s]",
    "<M8[7D]",
    "<m8",
    "<m8[as]",
    "<m8[3M]",
    "|S0",
    "|S1",
    "|S5",
    "<U0",
    "<U1",
    "<U5",
    "|V0",
    "|V3",
    "|V16",
    // Structs: plain, nested, sub-arrays, titles, gaps, odd names, none, zero-size.
    "[('x', '<f4'), ('y', '<i8')]",
    "[('a', [('b', '<f8'), ('c', '|b1')]), ('d', '<U3')]",
    "[('a', '<i2', (2, 3)), ('b', [('c', '|b1'), ('', '|V1'), ('d', '<u2')], (2,))]",
    "[(('the title', 'a'), '<i4'), (('it\\'s \"two\"', 'b'), '|S3')]",
    "[('a', '|i1'), ('', '|V7'), ('b', '<f8'), ('', '|V5')]",
    "[('日本', '<f8'), ('é', '<i4'), ('a\\'b\"c\\n', '|u1')]",
    "[('', '|V8')]",
    "[('', '<i4'), ('f1', '<i4')]",
    "[]",
    "[('nothing', '|S0'), ('zero', '<f8', (0,))]",
    "[('a', 'bfloat16'), ('b', 'float8_e4m3fn', (3,)), ('c', 'complex32')]",
    "{'names': ['last', 'first'], 'formats': ['<i4', '<f8'], 'offsets': [8, 0], 'itemsize': 16}",
];

const OF_EVERY_LAYOUT: &[&str] = &[
    "|b1",
    "<f2",
    "<f8",
    ">f8",
    "<c16",
    "|S3",
    ">U2",
    "|V0",
    "[('a', '|i1'), ('', '|V3'), ('b', '<i4', (2,))]",
    "bfloat16",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_view() {
        let table = table();
        assert!(table.len() > 900, "{}", table.len());
        for case in table {
            assert_eq!(case.view().shape(), case.shape);
            assert!(ndbytes::validate(&case.dtype, &case.bytes).is_ok(), "{}", case.name);
        }
    }

    #[test]
    fn layouts_are_what_they_say() {
        let of = |layout| Case::new(&"<i2".parse().unwrap(), &[2, 3, 4], layout);
        assert!(of(Layout::F).view().is_contiguous(Order::F));
        assert_eq!(of(Layout::Strided).strides, [48, 16, 4]);
        assert_eq!(of(Layout::Negative).strides, [-24, 8, -2]);
        assert_eq!(of(Layout::Negative).origin, 24 + 6);
        assert_eq!(of(Layout::Transposed).strides, [2, 16, 4]);
        assert_eq!(of(Layout::Broadcast).strides, [0, 8, 2]);
    }
}
