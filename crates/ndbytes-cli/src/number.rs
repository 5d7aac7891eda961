//! Numbers from the bytes of an element, and their shortest digits.

use half::{bf16, f16};
use ndbytes::{ByteOrder, Dtype, Extended, Kind};

/// A number of any of the kinds that can be computed with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// `bfloat16`.
    Bfloat(bf16),
    /// 0 or 1.
    Bool(bool),
    /// Two floats.
    Complex(Float, Float),
    /// A float.
    Float(Float),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
}

/// A float of its own width, because its shortest digits depend on that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Float {
    /// 2 bytes.
    Half(f16),
    /// 4 bytes.
    Single(f32),
    /// 8 bytes.
    Double(f64),
}

impl Number {
    /// The number in these bytes; `None` where they hold no number that is decoded here.
    pub(crate) fn parse(dtype: &Dtype, bytes: &[u8]) -> Option<Self> {
        let order = dtype.byte_order();
        let bits = || unsigned(bytes, order);
        Some(match dtype.kind() {
            Kind::Bool => Self::Bool(bytes.first() != Some(&0)),
            Kind::Int => {
                let unused = 64 - 8 * bytes.len() as u32;
                // Shifted up and down again: the sign fills the upper bits.
                Self::Int(((bits()? << unused) as i64) >> unused)
            }
            Kind::Uint => Self::Uint(bits()?),
            Kind::Float => Self::Float(Float::parse(bytes, order)?),
            Kind::Complex => {
                let (re, im) = bytes.split_at(bytes.len() / 2);
                Self::Complex(Float::parse(re, order)?, Float::parse(im, order)?)
            }
            Kind::Extended(Extended::Bfloat16) => Self::Bfloat(bf16::from_bits(bits()? as u16)),
            _ => return None,
        })
    }

    /// Real and imaginary part as `f64`; integers beyond 2^53 are rounded.
    pub(crate) fn parts(self) -> (f64, f64) {
        match self {
            Self::Bfloat(x) => (x.to_f64(), 0.0),
            Self::Bool(x) => (f64::from(u8::from(x)), 0.0),
            Self::Complex(re, im) => (re.value(), im.value()),
            Self::Float(x) => (x.value(), 0.0),
            Self::Int(x) => (x as f64, 0.0),
            Self::Uint(x) => (x as f64, 0.0),
        }
    }

    /// The integer, where it is one: exact where `f64` is not.
    pub(crate) fn integer(self) -> Option<i128> {
        match self {
            Self::Bool(x) => Some(x.into()),
            Self::Int(x) => Some(x.into()),
            Self::Uint(x) => Some(x.into()),
            _ => None,
        }
    }
}

impl Float {
    fn parse(bytes: &[u8], order: ByteOrder) -> Option<Self> {
        let bits = unsigned(bytes, order)?;
        match bytes.len() {
            2 => Some(Self::Half(f16::from_bits(bits as u16))),
            4 => Some(Self::Single(f32::from_bits(bits as u32))),
            8 => Some(Self::Double(f64::from_bits(bits))),
            _ => None,
        }
    }

    /// The value, exact.
    pub(crate) fn value(self) -> f64 {
        match self {
            Self::Half(x) => x.to_f64(),
            Self::Single(x) => x.into(),
            Self::Double(x) => x,
        }
    }

    /// The fewest digits that read back as the same float, as Python writes them.
    pub(crate) fn shortest(self) -> String {
        match self {
            Self::Half(x) => narrow(x.to_f64(), &|digits| f16::from_f64(digits) == x),
            Self::Single(x) if x.is_finite() => python(format!("{x:?}")),
            Self::Double(x) if x.is_finite() => python(format!("{x:?}")),
            Self::Single(x) => special(x.into()),
            Self::Double(x) => special(x),
        }
    }
}

/// The fewest digits of a `bfloat16`.
pub(crate) fn shortest_bfloat(x: bf16) -> String {
    narrow(x.to_f64(), &|digits| bf16::from_f64(digits) == x)
}

/// Signed steps of 8 bytes.
pub(crate) fn steps(bytes: &[u8], order: ByteOrder) -> i64 {
    unsigned(bytes, order).unwrap_or(0) as i64
}

fn unsigned(bytes: &[u8], order: ByteOrder) -> Option<u64> {
    if bytes.len() > 8 {
        return None;
    }
    let push = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    Some(match order {
        ByteOrder::Big => bytes.iter().fold(0, push),
        _ => bytes.iter().rev().fold(0, push),
    })
}

/// Floats of 16 bits need at most five digits: the first that read back.
fn narrow(value: f64, reads_back: &dyn Fn(f64) -> bool) -> String {
    if !value.is_finite() {
        return special(value);
    }
    for digits in 0..5 {
        let Ok(short) = format!("{value:.digits$e}").parse() else { continue };
        if reads_back(short) {
            return python(format!("{short:?}"));
        }
    }
    python(format!("{value:?}"))
}

/// Rust writes `1e-7` and Python `1e-07`; both write `1.0` and `1e+16` but for the plus.
fn python(text: String) -> String {
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let digits = digits.strip_suffix(".0").unwrap_or(digits);
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

fn special(value: f64) -> String {
    match value {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "nan",
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(dtype: &str, bytes: &[u8]) -> Number {
        Number::parse(&dtype.parse().unwrap(), bytes).unwrap()
    }

    #[test]
    fn numbers_are_read_in_either_byte_order() {
        assert_eq!(parse("<i2", &[0xfe, 0xff]), Number::Int(-2));
        assert_eq!(parse(">i2", &[0xff, 0xfe]), Number::Int(-2));
        assert_eq!(parse("|i1", &[0x80]), Number::Int(-128));
        assert_eq!(parse("<i8", &[0xff; 8]), Number::Int(-1));
        assert_eq!(parse("<u8", &[0xff; 8]), Number::Uint(u64::MAX));
        assert_eq!(parse(">u4", &[0, 0, 1, 0]), Number::Uint(256));
        assert_eq!(parse(">f4", &1.5f32.to_be_bytes()).parts(), (1.5, 0.0));
        let complex = [2.0f32.to_be_bytes(), (-1.0f32).to_be_bytes()].concat();
        assert_eq!(parse(">c8", &complex).parts(), (2.0, -1.0));
        assert_eq!(parse("bfloat16", &bf16::from_f32(3.0).to_ne_bytes()).parts(), (3.0, 0.0));
    }

    #[test]
    fn digits_are_the_fewest_that_read_back() {
        assert_eq!(Float::Double(0.1).shortest(), "0.1");
        assert_eq!(Float::Single(0.1).shortest(), "0.1");
        assert_eq!(Float::Half(f16::from_f64(0.1)).shortest(), "0.1");
        assert_eq!(Float::Half(f16::MAX).shortest(), "65500.0");
        assert_eq!(Float::Half(f16::from_bits(1)).shortest(), "6e-08");
        assert_eq!(shortest_bfloat(bf16::from_f64(0.1)), "0.1");
        assert_eq!(Float::Double(1e16).shortest(), "1e+16");
        assert_eq!(Float::Double(1.5e300).shortest(), "1.5e+300");
        assert_eq!(Float::Double(1e-7).shortest(), "1e-07");
        assert_eq!(Float::Double(-0.0).shortest(), "-0.0");
        assert_eq!(Float::Double(f64::NAN).shortest(), "nan");
        assert_eq!(Float::Single(f32::NEG_INFINITY).shortest(), "-inf");
    }

    #[test]
    fn every_half_reads_back() {
        for bits in 0..=u16::MAX {
            let (half, brain) = (f16::from_bits(bits), bf16::from_bits(bits));
            if half.is_finite() {
                let digits: f64 = Float::Half(half).shortest().parse().unwrap();
                assert_eq!(f16::from_f64(digits).to_bits(), bits);
            }
            if brain.is_finite() {
                let digits: f64 = shortest_bfloat(brain).parse().unwrap();
                assert_eq!(bf16::from_f64(digits).to_bits(), bits);
            }
        }
    }
}
