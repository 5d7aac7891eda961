//! Random dtypes, shapes, headers and arrays for `proptest`.

use ndbytes::{ByteOrder, Dtype, Field, Header, Order};
use proptest::prelude::*;

use crate::arrays::{Case, dtypes, items};

/// Any dtype: one of the table, or a struct or sub-array of such.
pub fn dtype() -> BoxedStrategy<Dtype> {
    let leaf = prop::sample::select(dtypes());
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            (inner.clone(), prop::collection::vec(0usize..3, 1..3)).prop_map(|(base, shape)| {
                // Inside of a struct, as a file may have it.
                let subarray = Dtype::subarray(base, shape).unwrap();
                structure(vec![("items".into(), subarray, 0, None)], 0)
            }),
            (prop::collection::vec(field(inner), 0..4), 0usize..4)
                .prop_map(|(fields, tail)| structure(fields, tail)),
        ]
    })
    .boxed()
}

/// Any shape of at most a few hundred elements.
pub fn shape() -> BoxedStrategy<Vec<usize>> {
    prop::collection::vec(prop_oneof![8 => 1usize..5, 1 => Just(0)], 0..5).boxed()
}

/// Any header of a small array.
pub fn header() -> BoxedStrategy<Header> {
    (dtype(), any::<bool>(), shape())
        .prop_map(|(dtype, fortran, shape)| {
            let order = if fortran { Order::F } else { Order::C };
            Header::new(dtype, order, shape).unwrap()
        })
        .boxed()
}

/// Any array of any layout: axes in any order, some spread, reversed or repeated.
pub fn case() -> BoxedStrategy<Case> {
    let axes = prop::collection::vec((any::<u8>(), 1usize..3, 0u8..8), 5);
    (dtype(), shape(), axes, any::<u64>(), 0usize..3)
        .prop_map(|(dtype, shape, axes, seed, lead)| {
            let itemsize = dtype.itemsize();
            let mut places: Vec<usize> = (0..shape.len()).collect();
            places.sort_by_key(|&axis| axes[axis].0);
            let mut strides = vec![0isize; shape.len()];
            // In whole items, so that bools and characters stay valid wherever they lie.
            let (mut step, mut origin) = (1usize, lead);
            for axis in places {
                let (_, spread, how) = axes[axis];
                let n = shape[axis].max(1);
                step *= spread;
                match how {
                    0 => continue,
                    1 | 2 => {
                        origin += step * (n - 1);
                        strides[axis] = -((step * itemsize) as isize);
                    }
                    _ => strides[axis] = (step * itemsize) as isize,
                }
                step *= n;
            }
            let bytes = items(&dtype, step + lead + 1, seed);
            let name = format!("{dtype} {shape:?} {strides:?}");
            Case { name, dtype, shape, strides, origin: origin * itemsize, bytes }
        })
        .boxed()
}

type FieldFacts = (String, Dtype, usize, Option<String>);

/// Name, dtype, the gap before it, title.
fn field(inner: BoxedStrategy<Dtype>) -> impl Strategy<Value = FieldFacts> {
    let name = prop_oneof![
        4 => "[a-z]{1,3}",
        1 => Just("日本".to_owned()),
        1 => Just("a'b\"\n\\".to_owned()),
        1 => any::<String>(),
    ];
    let title = prop_oneof![3 => Just(None), 1 => "[A-Z]{4}".prop_map(Some)];
    (name, inner, 0usize..3, title)
}

fn structure(fields: Vec<FieldFacts>, tail: usize) -> Dtype {
    let mut offset = 0;
    let mut list: Vec<Field> = Vec::new();
    for (i, (name, dtype, gap, title)) in fields.into_iter().enumerate() {
        offset += gap;
        let size = dtype.itemsize();
        // Unique whatever the strategy gave.
        let name = if i == 0 { name } else { format!("{name}{i}") };
        let title = title.map(|title| format!("{title}{i}"));
        list.push(Field { name, title, dtype, offset });
        offset += size;
    }
    let dtype = Dtype::structure(list, offset + tail).unwrap();
    debug_assert_eq!(dtype.byte_order(), ByteOrder::NotApplicable);
    dtype
}
