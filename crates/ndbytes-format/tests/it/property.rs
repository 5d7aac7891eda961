//! What holds of any dtype and header.
//!
//! The testkit has facts of the same crate in another build, so they cross as bytes and text.

use ndbytes_format::{
    ByteOrder, Dtype, Header, Limits, Order, descr_literal, nbytes, padding_spans, parse_descr,
    strides, swap_units,
};
use ndbytes_testkit::{oracle, strategy, targets};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_header_comes_back(header in strategy::header()) {
        let bytes = header.encode().unwrap();
        prop_assert_eq!(bytes.len() % 64, 0);
        prop_assert_eq!(bytes.last(), Some(&b'\n'));
        let (again, offset) = Header::parse(&bytes, &Limits::default()).unwrap();
        prop_assert_eq!((again, offset), (header, bytes.len()));
    }

    #[test]
    fn a_header_cut_anywhere_is_truncated(header in strategy::header(), cut in any::<prop::sample::Index>()) {
        let bytes = header.encode().unwrap();
        let end = 1 + cut.index(bytes.len() - 1);
        let error = Header::parse(&bytes[..end], &Limits::default()).unwrap_err();
        prop_assert_eq!(error.kind(), ndbytes_format::ErrorKind::Truncated);
    }

    #[test]
    fn a_dtype_prints_as_it_parses(dtype in strategy::dtype()) {
        prop_assert_eq!(dtype.to_string().parse::<Dtype>().unwrap(), dtype.clone());
        let turned = dtype.with_byte_order(ByteOrder::Big);
        prop_assert_eq!(turned.to_string().parse::<Dtype>().unwrap(), turned);
    }

    #[test]
    fn what_numpy_reads_is_as_large_and_the_same_unless_said_otherwise(dtype in strategy::dtype()) {
        let (literal, inexact) = descr_literal(&dtype).unwrap();
        let numpys = parse_descr(&literal).unwrap();
        prop_assert_eq!(numpys.itemsize(), dtype.itemsize());
        prop_assert!(inexact || numpys == dtype);
    }

    #[test]
    fn gaps_are_the_bytes_of_no_field(dtype in strategy::dtype()) {
        let gaps = padding_spans(&dtype);
        for offset in 0..dtype.itemsize() {
            let gap = gaps.iter().any(|gap| (gap.offset..gap.offset + gap.len).contains(&offset));
            prop_assert_eq!(gap, !oracle::is_used(&dtype, offset));
        }
        prop_assert!(gaps.windows(2).all(|pair| pair[0].offset + pair[0].len < pair[1].offset));
    }

    #[test]
    fn numbers_that_turn_around_lie_apart(dtype in strategy::dtype()) {
        let mut seen = vec![false; dtype.itemsize()];
        for unit in swap_units(&dtype) {
            for byte in &mut seen[unit.offset..unit.offset + unit.len] {
                prop_assert!(!std::mem::replace(byte, true));
            }
        }
    }

    #[test]
    fn strides_reach_every_byte_once(shape in strategy::shape(), itemsize in 1usize..9) {
        for order in [Order::C, Order::F] {
            let strides = strides(&shape, itemsize, order);
            let count: usize = shape.iter().product();
            for flat in 0..count {
                let index = oracle::index(flat, &shape, order);
                let at: isize = index.iter().zip(&strides).map(|(&i, &s)| i as isize * s).sum();
                prop_assert_eq!(at as usize, flat * itemsize);
            }
            prop_assert_eq!(nbytes(&shape, itemsize).unwrap(), count * itemsize);
        }
    }

    #[test]
    fn no_bytes_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        targets::header(&bytes);
        targets::descr(&bytes);
    }

    #[test]
    fn no_damaged_header_breaks_the_parser(
        header in strategy::header(),
        damage in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..4),
    ) {
        let mut bytes = header.encode().unwrap();
        for (place, byte) in damage {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        targets::header(&bytes);
    }
}
