//! Kernels against the oracle.

use ndbytes_format::{Dtype, Order, swap_units};
use ndbytes_mem::{Elements, Strided, gather, scatter, swap_bytes};
use ndbytes_testkit::{arrays, oracle, strategy};
use proptest::prelude::*;

/// The oracle blanks gaps, which the kernels leave to `zero_spans`: void has none.
fn opaque(case: &arrays::Case) -> arrays::Case {
    let mut case = case.clone();
    case.dtype = format!("|V{}", case.dtype.itemsize()).parse().unwrap();
    case
}

fn check(case: &arrays::Case) {
    let case = opaque(case);
    let itemsize = case.dtype.itemsize();
    let layout = Strided { origin: case.origin, strides: &case.strides };
    let elements = Elements { bytes: &case.bytes, layout, shape: &case.shape, itemsize };
    for order in [Order::C, Order::F] {
        let want = oracle::tobytes(&case, order);
        for threads in [1, 3] {
            let mut got = vec![0; want.len()];
            gather(&mut got, 0, elements, order, threads, None);
            assert_eq!(got, want, "{} {order}", case.name);
        }
        // Back into memory of the same layout: every element is there again.
        let mut back = vec![0; case.bytes.len()];
        scatter(&mut back, layout, &case.shape, itemsize, order, 0, &want);
        let again = arrays::Case { bytes: back, ..case.clone() };
        assert_eq!(oracle::tobytes(&again, order), want, "{} {order}", case.name);
    }
}

#[test]
fn gather_and_scatter_equal_the_oracle_on_the_table() {
    arrays::table().iter().for_each(check);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn gather_and_scatter_equal_the_oracle(case in strategy::case()) {
        check(&case);
    }

    #[test]
    fn swapping_twice_changes_nothing(dtype in strategy::dtype(), count in 0usize..5) {
        let dtype: Dtype = dtype;
        let items = arrays::items(&dtype, count, 3);
        let mut swapped = items.clone();
        let units = swap_units(&dtype);
        if dtype.itemsize() > 0 {
            swap_bytes(&mut swapped, dtype.itemsize(), &units);
            swap_bytes(&mut swapped, dtype.itemsize(), &units);
        }
        prop_assert_eq!(swapped, items);
    }
}
