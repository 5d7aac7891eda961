//! What an element is: `numpy.dtype` without NumPy.

use std::fmt;
use std::str::FromStr;

use crate::error::{Code, FormatError, Result};
use crate::extended::Extended;
use crate::time::TimeUnit;

/// The type of an array's elements.
///
/// It parses from and prints as NumPy's `dtype.str` or `dtype.descr`:
///
/// ```
/// use ndbytes_format::Dtype;
/// let dtype: Dtype = "[('x', '<f8'), ('label', '<U5')]".parse()?;
/// assert_eq!(dtype.itemsize(), 28);
/// assert_eq!("float32".parse::<Dtype>()?.to_string(), "<f4");
/// # Ok::<(), ndbytes_format::FormatError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dtype {
    kind: Kind,
    order: ByteOrder,
    itemsize: usize,
}

/// What kind of element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Bytes of fixed length (`S`), padded with zeros.
    Bytes,
    /// Two floats of half the size.
    Complex,
    /// Two of the platform's `long double`.
    ComplexLongDouble,
    /// Steps since 1970 in 8 bytes.
    Datetime(Option<TimeUnit>),
    /// A type of the `ml_dtypes` package.
    Extended(Extended),
    /// IEEE 754 of 2, 4 or 8 bytes.
    Float,
    /// Signed, of 1, 2, 4 or 8 bytes.
    Int,
    /// The platform's `long double` (12 or 16 bytes): x87 80-bit, IEEE quad or double-double.
    /// A file does not say which, so these bytes are kept and never converted.
    LongDouble,
    /// Code points of 4 bytes, of fixed length (`U`), padded with zeros.
    Str,
    /// Fields at offsets.
    Struct(Box<Struct>),
    /// A small array in each element.
    Subarray(Box<Subarray>),
    /// Steps in 8 bytes.
    Timedelta(Option<TimeUnit>),
    /// Unsigned, of 1, 2, 4 or 8 bytes.
    Uint,
    /// Bytes of no meaning (`V`).
    Void,
}

/// The byte order of the numbers in an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Most significant byte first, `>`.
    Big,
    /// Least significant byte first, `<`.
    Little,
    /// There is none, `|`.
    NotApplicable,
}

/// The fields of a structured dtype, in the order of `dtype.names`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Struct {
    fields: Vec<Field>,
}

/// One field of a structured dtype.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// Its name; unique within the struct.
    pub name: String,
    /// Its title, a second name.
    pub title: Option<String>,
    /// Its type.
    pub dtype: Dtype,
    /// Where it begins, in bytes from the start of the element.
    pub offset: usize,
}

/// A fixed-shape array within an element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subarray {
    /// The type of its items; may be a sub-array itself.
    pub base: Dtype,
    /// Its shape, C order.
    pub shape: Vec<usize>,
}

impl ByteOrder {
    /// The order of this machine.
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Big } else { Self::Little };

    /// NumPy's character.
    pub const fn as_char(self) -> char {
        match self {
            ByteOrder::Big => '>',
            ByteOrder::Little => '<',
            ByteOrder::NotApplicable => '|',
        }
    }
}

impl Dtype {
    /// A scalar dtype: everything but structs and sub-arrays.
    ///
    /// `itemsize` is in bytes, so that `U5` has 20. The order is dropped where it means nothing.
    ///
    /// # Errors
    /// [`Code::InvalidDtype`] where no such dtype exists.
    pub fn scalar(kind: Kind, order: ByteOrder, itemsize: usize) -> Result<Self> {
        let exists = match &kind {
            Kind::Bool => itemsize == 1,
            Kind::Int | Kind::Uint => matches!(itemsize, 1 | 2 | 4 | 8),
            Kind::Float => matches!(itemsize, 2 | 4 | 8),
            Kind::LongDouble => matches!(itemsize, 12 | 16),
            Kind::Complex => matches!(itemsize, 8 | 16),
            Kind::ComplexLongDouble => matches!(itemsize, 24 | 32),
            Kind::Datetime(_) | Kind::Timedelta(_) => itemsize == 8,
            Kind::Bytes | Kind::Void => true,
            Kind::Str => itemsize.is_multiple_of(4),
            Kind::Extended(extended) => itemsize == extended.itemsize(),
            Kind::Struct(_) | Kind::Subarray(_) => false,
        };
        if !exists || itemsize > isize::MAX as usize {
            let message = format!("there is no {kind:?} dtype of {itemsize} bytes");
            return Err(FormatError::new(Code::InvalidDtype, message));
        }
        let ordered = match &kind {
            Kind::Bytes | Kind::Void => false,
            Kind::Str => true,
            // NumPy gives these an order even where they are one byte.
            Kind::Extended(_) => true,
            _ => itemsize > 1,
        };
        let order = match (ordered, order) {
            (false, _) => ByteOrder::NotApplicable,
            (true, ByteOrder::NotApplicable) => ByteOrder::NATIVE,
            // Extended types of one byte: a foreign order says nothing and would be lost.
            (true, _) if itemsize == 1 => ByteOrder::NATIVE,
            (true, order) => order,
        };
        Ok(Self { kind, order, itemsize })
    }

    /// A structured dtype of `itemsize` bytes.
    ///
    /// # Errors
    /// [`Code::InvalidDtype`] when two fields have one name or a field ends outside of the item.
    pub fn structure(fields: Vec<Field>, itemsize: usize) -> Result<Self> {
        let bad = |message| Err(FormatError::new(Code::InvalidDtype, message));
        let mut names = std::collections::HashSet::new();
        for field in &fields {
            for name in std::iter::once(&field.name).chain(&field.title) {
                if !names.insert(name.as_str()) {
                    return bad(format!("two fields are called `{}`", name.escape_debug()));
                }
            }
            let end = field.offset.checked_add(field.dtype.itemsize);
            if end.is_none_or(|end| end > itemsize) {
                return bad(format!(
                    "field `{}` at {} of {} bytes does not fit into an item of {itemsize} bytes",
                    field.name.escape_debug(),
                    field.offset,
                    field.dtype.itemsize
                ));
            }
        }
        if itemsize > isize::MAX as usize {
            return bad(format!("an item of {itemsize} bytes does not fit the address space"));
        }
        let kind = Kind::Struct(Box::new(Struct { fields }));
        Ok(Self { kind, order: ByteOrder::NotApplicable, itemsize })
    }

    /// A sub-array of this shape; one of no dimensions is its base, as in NumPy. A sub-array of
    /// sub-arrays stays nested, as in NumPy's dtypes (its arrays have the dimensions of both).
    ///
    /// # Errors
    /// [`Code::SizeOverflow`] when its bytes do not fit the address space.
    pub fn subarray(base: Self, shape: Vec<usize>) -> Result<Self> {
        if shape.is_empty() {
            return Ok(base);
        }
        let itemsize = crate::shape::nbytes(&shape, base.itemsize)?;
        if shape.len() > MAX_SUBARRAY_NDIM {
            let message =
                format!("a sub-array of {} dimensions, at most {MAX_SUBARRAY_NDIM}", shape.len());
            return Err(FormatError::new(Code::TooManyDims, message));
        }
        let order = base.order;
        Ok(Self { kind: Kind::Subarray(Box::new(Subarray { base, shape })), order, itemsize })
    }

    /// The kind of element.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The byte order; [`ByteOrder::NotApplicable`] for structs, whose fields have their own.
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// Bytes of one element; may be 0.
    pub fn itemsize(&self) -> usize {
        self.itemsize
    }

    /// The fields, where it is structured.
    pub fn fields(&self) -> Option<&[Field]> {
        match &self.kind {
            Kind::Struct(structure) => Some(&structure.fields),
            _ => None,
        }
    }

    /// The same dtype with another byte order in every part that has one.
    #[must_use]
    pub fn with_byte_order(&self, order: ByteOrder) -> Self {
        let mut dtype = self.clone();
        let one_byte = matches!(dtype.kind, Kind::Extended(_)) && dtype.itemsize == 1;
        if dtype.order != ByteOrder::NotApplicable && order != ByteOrder::NotApplicable && !one_byte
        {
            dtype.order = order;
        }
        match &mut dtype.kind {
            Kind::Struct(structure) => {
                for field in &mut structure.fields {
                    field.dtype = field.dtype.with_byte_order(order);
                }
            }
            Kind::Subarray(subarray) => {
                subarray.base = subarray.base.with_byte_order(order);
                dtype.order = subarray.base.order;
            }
            _ => {}
        }
        dtype
    }

    /// Whether `test` holds of this dtype or of any within it.
    pub fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        test(self)
            || match &self.kind {
                Kind::Struct(structure) => {
                    structure.fields.iter().any(|field| field.dtype.any(test))
                }
                Kind::Subarray(subarray) => subarray.base.any(test),
                _ => false,
            }
    }
}

impl FromStr for Dtype {
    type Err = FormatError;

    /// Parses `dtype.str`, the name of a type such as `float64` or `bfloat16`, or a `descr` list.
    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        if trimmed.starts_with(['[', '(', '\'', '"', '{']) {
            return crate::descr::parse_descr(&crate::literal::Literal::parse(trimmed, false)?);
        }
        crate::descr::parse_scalar(trimmed)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match crate::descr::exact_literal(self) {
            crate::literal::Literal::Str(text) => f.write_str(&text),
            literal => write!(f, "{literal}"),
        }
    }
}

/// NumPy 2's `NPY_MAXDIMS`.
const MAX_SUBARRAY_NDIM: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_refused() {
        assert!(Dtype::scalar(Kind::Float, ByteOrder::Little, 3).is_err());
        assert!(Dtype::scalar(Kind::Str, ByteOrder::Little, 5).is_err());
        let f8: Dtype = "<f8".parse().unwrap();
        let field = |name: &str, offset| Field {
            name: name.into(),
            title: None,
            dtype: f8.clone(),
            offset,
        };
        assert!(Dtype::structure(vec![field("a", 0), field("a", 8)], 16).is_err());
        assert!(Dtype::structure(vec![field("a", 9)], 16).is_err());
        assert!(Dtype::structure(vec![field("a", usize::MAX)], 16).is_err());
        assert!(Dtype::subarray(f8, vec![usize::MAX, 2]).is_err());
    }

    #[test]
    fn what_prints_alike_is_equal() {
        for (one, other) in [(">int4", "int4"), (">i1", "i1"), (">S3", "S3")] {
            assert_eq!(one.parse::<Dtype>().unwrap(), other.parse().unwrap());
        }
        for text in ["int4", "('int4', (2,))", "bfloat16", "('<i4', (2,))"] {
            let foreign: Dtype = text.parse::<Dtype>().unwrap().with_byte_order(ByteOrder::Big);
            assert_eq!(foreign.to_string().parse::<Dtype>().unwrap(), foreign);
        }
    }

    #[test]
    fn subarrays_stay_nested() {
        let base: Dtype = "<f8".parse().unwrap();
        let inner = Dtype::subarray(base.clone(), vec![5]).unwrap();
        let outer = Dtype::subarray(inner, vec![2]).unwrap();
        assert_ne!(outer, Dtype::subarray(base.clone(), vec![2, 5]).unwrap());
        assert_eq!(outer.itemsize(), 80);
        assert_eq!(Dtype::subarray(base.clone(), vec![]).unwrap(), base);
    }

    #[test]
    fn byte_order_changes_all_the_way_down() {
        let dtype: Dtype =
            "[('a', '<f8', (2,)), ('b', [('c', '<U3'), ('d', '|u1')])]".parse().unwrap();
        assert_eq!(
            dtype.with_byte_order(ByteOrder::Big).to_string(),
            "[('a', '>f8', (2,)), ('b', [('c', '>U3'), ('d', '|u1')])]"
        );
    }
}
