//! The header's text as `numpy.save` spells it for a plain number, which nearly every file has.
//!
//! It is matched byte by byte. Whatever differs in a single one is left to the parser of literals,
//! which is some ten times slower and says what is wrong.

use crate::dtype::{ByteOrder, Dtype, Kind};
use crate::shape::Order;

/// Dtype, order and shape of a text that is spelt exactly so.
pub(crate) fn parse(text: &[u8]) -> Option<(Dtype, Order, Vec<usize>)> {
    let rest = text.strip_prefix(DESCR)?;
    let (&[order, kind], rest) = rest.split_first_chunk::<2>()?;
    let (size, rest) = number(rest)?;
    let dtype = plain(order, kind, size)?;
    let rest = rest.strip_prefix(FORTRAN_ORDER)?;
    let (order, rest) = match rest.strip_prefix(b"False") {
        Some(rest) => (Order::C, rest),
        None => (Order::F, rest.strip_prefix(b"True")?),
    };
    let (shape, rest) = dimensions(rest.strip_prefix(SHAPE)?)?;
    let padding = rest.strip_prefix(END)?.strip_suffix(b"\n")?;
    padding.iter().all(|&b| b == b' ').then_some((dtype, order, shape))
}

/// The text of a plain number's header up to the closing brace; none for other dtypes.
pub(crate) fn text(dtype: &Dtype, order: Order, shape: &[usize]) -> Option<String> {
    let kind = match dtype.kind() {
        Kind::Bool => 'b',
        Kind::Int => 'i',
        Kind::Uint => 'u',
        Kind::Float => 'f',
        Kind::Complex => 'c',
        _ => return None,
    };
    let mut text = Vec::with_capacity(ROOM);
    text.extend_from_slice(DESCR);
    text.extend_from_slice(&[dtype.byte_order().as_char() as u8, kind as u8]);
    push_number(&mut text, dtype.itemsize());
    text.extend_from_slice(FORTRAN_ORDER);
    text.extend_from_slice(if order == Order::F { b"True" } else { b"False" });
    text.extend_from_slice(SHAPE);
    for (axis, &n) in shape.iter().enumerate() {
        if axis > 0 {
            text.extend_from_slice(b", ");
        }
        push_number(&mut text, n);
    }
    if shape.len() == 1 {
        text.push(b',');
    }
    text.extend_from_slice(END);
    String::from_utf8(text).ok()
}

fn plain(order: u8, kind: u8, size: usize) -> Option<Dtype> {
    let order = match order {
        b'<' => ByteOrder::Little,
        b'>' => ByteOrder::Big,
        b'|' => ByteOrder::NATIVE,
        _ => return None,
    };
    let kind = match (kind, size) {
        (b'b', 1) => Kind::Bool,
        (b'i', _) => Kind::Int,
        (b'u', _) => Kind::Uint,
        (b'f', 2..=8) => Kind::Float,
        (b'c', 8..=16) => Kind::Complex,
        _ => return None,
    };
    Dtype::scalar(kind, order, size).ok()
}

/// The numbers of a tuple and what follows the last of them.
fn dimensions(text: &[u8]) -> Option<(Vec<usize>, &[u8])> {
    if text.first() == Some(&b')') {
        return Some((Vec::new(), text));
    }
    let (first, mut rest) = number(text)?;
    let mut shape = Vec::with_capacity(4);
    shape.push(first);
    if let Some(rest) = rest.strip_prefix(b",")
        && rest.first() == Some(&b')')
    {
        return Some((shape, rest));
    }
    loop {
        let (next, after) = number(rest.strip_prefix(b", ")?)?;
        shape.push(next);
        rest = after;
        if rest.first() == Some(&b')') {
            return Some((shape, rest));
        }
    }
}

/// A number without sign, underscore or leading zero, and what follows it.
fn number(text: &[u8]) -> Option<(usize, &[u8])> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    if digits.is_empty() || digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    let value = digits.iter().try_fold(0usize, |value, digit| {
        value.checked_mul(10)?.checked_add(usize::from(digit - b'0'))
    })?;
    Some((value, rest))
}

fn push_number(text: &mut Vec<u8>, mut n: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}

const DESCR: &[u8] = b"{'descr': '";
const FORTRAN_ORDER: &[u8] = b"', 'fortran_order': ";
const SHAPE: &[u8] = b", 'shape': (";
const END: &[u8] = b"), }";
/// A header of two or three dimensions with its padding.
const ROOM: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Header, Limits, Version};

    const DTYPES: [&str; 12] =
        ["|b1", "|i1", "|u1", "<i2", ">i2", "<u4", "<i8", ">u8", "<f2", ">f4", "<f8", "<c16"];

    /// The text between prelude and data, as the slow way gives it.
    fn spelt(dtype: &str, order: Order, shape: &[usize]) -> String {
        let fortran = if order == Order::F { "True" } else { "False" };
        let shape = crate::literal::Literal::from(shape);
        format!("{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}")
    }

    proptest! {
        #[test]
        fn what_it_writes_it_reads_and_the_literals_agree(
            dtype in prop::sample::select(&DTYPES[..]),
            fortran in any::<bool>(),
            shape in prop::collection::vec(prop_oneof![0usize..20, any::<u16>().prop_map(usize::from)], 0..4),
        ) {
            let order = if fortran { Order::F } else { Order::C };
            let known: Dtype = dtype.parse().unwrap();
            let written = text(&known, order, &shape).unwrap();
            prop_assert_eq!(&written, &spelt(dtype, order, &shape));
            let padded = format!("{written}   \n");
            prop_assert_eq!(parse(padded.as_bytes()), Some((known, order, shape)));
        }

        /// Where one byte differs it may only say what the parser of literals says.
        #[test]
        fn it_never_knows_better(
            dtype in prop::sample::select(&DTYPES[..]),
            shape in prop::collection::vec(0usize..200, 0..3),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), prop::sample::select(&b" 0123456789,()'|<>=bcfiuFT\n"[..])],
        ) {
            let mut bytes = (spelt(dtype, Order::C, &shape) + "  \n").into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Some((dtype, order, shape)) = parse(&bytes) {
                // A space in front keeps the other one from taking this path.
                bytes.insert(0, b' ');
                let header = Header::parse_text(Version::V1, &bytes, &Limits::default()).unwrap();
                prop_assert_eq!((header.dtype(), header.order(), header.shape()), (&dtype, order, &shape[..]));
            }
        }
    }

    #[test]
    fn anything_unusual_is_left_to_the_parser_of_literals() {
        let usual = "{'descr': '<i4', 'fortran_order': False, 'shape': (4,), } \n";
        assert!(parse(usual.as_bytes()).is_some());
        for (part, other) in [
            ("(4,)", "(4)"),
            ("(4,)", "(04,)"),
            ("(4,)", "(4L,)"),
            ("(4,)", "(-4,)"),
            ("(4,)", "(4, )"),
            ("(4,)", "(99999999999999999999,)"),
            ("<i4", "<i3"),
            ("<i4", "<f16"),
            ("<i4", "=i4"),
            ("<i4", "O"),
            ("} \n", "} # why\n"),
            ("} \n", "}"),
            ("False", "0"),
        ] {
            assert_eq!(parse(usual.replace(part, other).as_bytes()), None, "{other}");
        }
        assert!(text(&"<U3".parse().unwrap(), Order::C, &[1]).is_none());
    }
}
