//! `descr`: a dtype as the Python literal that stands in an `.npy` header.
//!
//! Printing follows `numpy.dtype.descr` (`_array_descr`), parsing `numpy.lib.format.descr_to_dtype`.

use crate::dtype::{ByteOrder, Dtype, Field, Kind};
use crate::error::{Code, FormatError, Result};
use crate::extended::Extended;
use crate::literal::Literal;
use crate::time::TimeUnit;

/// The `descr` that `numpy.save` writes.
///
/// Where NumPy has none that it could read again (extended types, fields out of order) it is the
/// nearest that NumPy reads: void for the former, fields sorted by offset for the latter. The
/// second value says that [`exact_literal`] is needed to get the same dtype back.
///
/// # Errors
/// [`Code::UnsupportedDtype`] for fields that overlap.
pub fn descr_literal(dtype: &Dtype) -> Result<(Literal, bool)> {
    let mut inexact = false;
    let literal = descr_of(dtype, &mut inexact)?;
    Ok((literal, inexact))
}

fn descr_of(dtype: &Dtype, inexact: &mut bool) -> Result<Literal> {
    match dtype.kind() {
        Kind::Struct(_) => {
            let mut fields: Vec<&Field> = dtype.fields().unwrap_or_default().iter().collect();
            if !fields
                .is_sorted_by_key(|field| (field.offset, field.offset + field.dtype.itemsize()))
            {
                *inexact = true;
                fields.sort_by_key(|field| (field.offset, field.offset + field.dtype.itemsize()));
            }
            let mut items = Vec::with_capacity(fields.len());
            let mut offset = 0;
            for field in fields {
                if field.offset < offset {
                    return Err(FormatError::new(
                        Code::UnsupportedDtype,
                        format!(
                            "field `{}` overlaps the field before it; save the fields one by one, or a view as plain void",
                            field.name.escape_debug()
                        ),
                    ));
                }
                pad(&mut items, field.offset - offset);
                // Without a name NumPy takes it for padding.
                *inexact |= field.name.is_empty() && is_padding(None, &field.dtype);
                items.push(field_literal(field, &mut |dtype| descr_of(dtype, inexact))?);
                offset = field.offset + field.dtype.itemsize();
            }
            pad(&mut items, dtype.itemsize() - offset);
            Ok(Literal::List(items))
        }
        Kind::Subarray(subarray) => Ok(Literal::Tuple(vec![
            descr_of(&subarray.base, inexact)?,
            Literal::from(&subarray.shape[..]),
        ])),
        Kind::Extended(_) => {
            *inexact = true;
            Ok(Literal::Str(scalar_str(dtype)))
        }
        _ => Ok(Literal::Str(scalar_str(dtype))),
    }
}

/// A literal that says all of a dtype: like `descr`, but extended types by their names, and
/// structs whose fields are out of order, overlap or have no name as the dictionary that
/// `numpy.dtype` takes.
pub fn exact_literal(dtype: &Dtype) -> Literal {
    match dtype.kind() {
        Kind::Struct(_) => {
            let fields = dtype.fields().unwrap_or_default();
            let mut offset = 0;
            let mut ordered = true;
            for field in fields {
                ordered &= field.offset >= offset && !field.name.is_empty();
                offset = field.offset + field.dtype.itemsize();
            }
            if ordered {
                let mut items = Vec::with_capacity(fields.len());
                let mut offset = 0;
                for field in fields {
                    pad(&mut items, field.offset - offset);
                    if let Ok(literal) = field_literal(field, &mut |dtype| Ok(exact_literal(dtype)))
                    {
                        items.push(literal);
                    }
                    offset = field.offset + field.dtype.itemsize();
                }
                pad(&mut items, dtype.itemsize() - offset);
                return Literal::List(items);
            }
            exact_dict(fields, dtype.itemsize())
        }
        Kind::Subarray(subarray) => {
            Literal::Tuple(vec![exact_literal(&subarray.base), Literal::from(&subarray.shape[..])])
        }
        Kind::Extended(extended) => {
            let foreign = dtype.byte_order() != ByteOrder::NATIVE && dtype.itemsize() > 1;
            let order =
                if foreign { dtype.byte_order().as_char().to_string() } else { String::new() };
            Literal::Str(order + extended.as_str())
        }
        _ => Literal::Str(scalar_str(dtype)),
    }
}

fn exact_dict(fields: &[Field], itemsize: usize) -> Literal {
    let string = |text: &str| Literal::Str(text.to_owned());
    let list =
        |value: &dyn Fn(&Field) -> Literal| Literal::List(fields.iter().map(value).collect());
    let mut pairs = vec![
        (string("names"), list(&|field| string(&field.name))),
        (string("formats"), list(&|field| exact_literal(&field.dtype))),
        (string("offsets"), list(&|field| Literal::Int(field.offset as i128))),
        (string("itemsize"), Literal::Int(itemsize as i128)),
    ];
    if fields.iter().any(|field| field.title.is_some()) {
        let titles = list(&|field| field.title.as_deref().map_or(Literal::None, string));
        pairs.push((string("titles"), titles));
    }
    Literal::Dict(pairs)
}

fn field_literal(
    field: &Field,
    literal_of: &mut dyn FnMut(&Dtype) -> Result<Literal>,
) -> Result<Literal> {
    let name = Literal::Str(field.name.clone());
    let name = match &field.title {
        Some(title) => Literal::Tuple(vec![Literal::Str(title.clone()), name]),
        None => name,
    };
    let mut tuple = vec![name];
    match field.dtype.kind() {
        Kind::Subarray(subarray) => {
            tuple.push(literal_of(&subarray.base)?);
            tuple.push(Literal::from(&subarray.shape[..]));
        }
        _ => tuple.push(literal_of(&field.dtype)?),
    }
    Ok(Literal::Tuple(tuple))
}

fn pad(items: &mut Vec<Literal>, bytes: usize) {
    if bytes > 0 {
        let void = Literal::Str(format!("|V{bytes}"));
        items.push(Literal::Tuple(vec![Literal::Str(String::new()), void]));
    }
}

/// `dtype.str`; void for extended types.
fn scalar_str(dtype: &Dtype) -> String {
    let size = dtype.itemsize();
    let (kind, size, unit) = match dtype.kind() {
        Kind::Bool => ('b', size, None),
        Kind::Int => ('i', size, None),
        Kind::Uint => ('u', size, None),
        Kind::Float | Kind::LongDouble => ('f', size, None),
        Kind::Complex | Kind::ComplexLongDouble => ('c', size, None),
        Kind::Datetime(unit) => ('M', size, *unit),
        Kind::Timedelta(unit) => ('m', size, *unit),
        Kind::Bytes => ('S', size, None),
        Kind::Str => ('U', size / 4, None),
        Kind::Void | Kind::Extended(_) | Kind::Struct(_) | Kind::Subarray(_) => ('V', size, None),
    };
    // NumPy writes the order of `ml_dtypes` types, although they are void to it.
    let order = dtype.byte_order().as_char();
    let unit = unit.map_or_else(String::new, |unit| unit.to_string());
    format!("{order}{kind}{size}{unit}")
}

/// A dtype from its literal: a string, a list of fields, a `(base, shape)` tuple, or the
/// dictionary with `names`, `formats`, `offsets` and `itemsize`.
///
/// # Errors
/// [`Code::NpyDescr`] where it is none of these, [`Code::ObjectDtype`] for objects.
pub fn parse_descr(literal: &Literal) -> Result<Dtype> {
    match literal {
        Literal::Str(text) => parse_scalar(text),
        Literal::Tuple(pair) => match pair.as_slice() {
            [base, shape] => {
                Dtype::subarray(parse_descr(base)?, parse_shape(shape)?).map_err(in_descr)
            }
            _ => Err(bad(format!("expected `(dtype, shape)`, got `{literal}`"))),
        },
        Literal::List(fields) => parse_fields(fields),
        Literal::Dict(pairs) => parse_dict(pairs),
        _ => Err(bad(format!("`{literal}` is no dtype"))),
    }
}

fn parse_fields(items: &[Literal]) -> Result<Dtype> {
    let mut fields = Vec::with_capacity(items.len());
    let mut offset = 0usize;
    for (index, item) in items.iter().enumerate() {
        let (name, dtype) = match item.as_tuple() {
            Some([name, descr]) => (name, parse_descr(descr)?),
            Some([name, descr, shape]) => {
                let shape = match shape {
                    Literal::Int(_) => parse_shape(&Literal::Tuple(vec![shape.clone()]))?,
                    shape => parse_shape(shape)?,
                };
                (name, Dtype::subarray(parse_descr(descr)?, shape).map_err(in_descr)?)
            }
            _ => {
                return Err(bad(format!(
                    "expected `(name, dtype)` or `(name, dtype, shape)`, got `{item}`"
                )));
            }
        };
        let (title, name) = match name {
            Literal::Str(name) => (None, name.clone()),
            Literal::Tuple(pair) => match pair.as_slice() {
                [Literal::Str(title), Literal::Str(name)] => (Some(title.clone()), name.clone()),
                _ => return Err(bad(format!("expected `(title, name)`, got `{item}`"))),
            },
            _ => return Err(bad(format!("expected a field's name, got `{item}`"))),
        };
        let size = dtype.itemsize();
        if !(name.is_empty() && is_padding(title.as_deref(), &dtype)) {
            // `numpy.dtype` would give a field without a name one; `numpy.load` does not.
            fields.push(Field { name, title, dtype, offset });
        }
        offset = offset
            .checked_add(size)
            .filter(|&end| end <= isize::MAX as usize)
            .ok_or_else(|| bad(format!("field {index} ends outside of the address space")))?;
    }
    Dtype::structure(fields, offset).map_err(in_descr)
}

/// Whether a field without a name is a gap: those that are void to NumPy, as sub-arrays are.
fn is_padding(title: Option<&str>, dtype: &Dtype) -> bool {
    title.is_none() && matches!(dtype.kind(), Kind::Void | Kind::Extended(_) | Kind::Subarray(_))
}

fn parse_dict(pairs: &[(Literal, Literal)]) -> Result<Dtype> {
    let find =
        |key: &str| pairs.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, value)| value);
    let list = |key: &str| match find(key) {
        Some(Literal::List(items)) => Ok(items.as_slice()),
        _ => Err(bad(format!("a dtype's dictionary needs a list of `{key}`"))),
    };
    let (names, formats, offsets) = (list("names")?, list("formats")?, list("offsets")?);
    let titles = if find("titles").is_some() { Some(list("titles")?) } else { None };
    let lengths = [formats.len(), offsets.len(), titles.map_or(names.len(), <[_]>::len)];
    if lengths.iter().any(|&len| len != names.len()) {
        return Err(bad(
            "a dtype's `names`, `formats`, `offsets` and `titles` differ in length".into()
        ));
    }
    let itemsize =
        find("itemsize").ok_or_else(|| bad("a dtype's dictionary needs `itemsize`".into()))?;
    let mut fields = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let name = name.as_str().ok_or_else(|| bad(format!("`{name}` is no field's name")))?;
        let title = match titles.map(|titles| &titles[index]) {
            None | Some(Literal::None) => None,
            Some(Literal::Str(title)) => Some(title.clone()),
            Some(other) => return Err(bad(format!("`{other}` is no field's title"))),
        };
        fields.push(Field {
            name: name.to_owned(),
            title,
            dtype: parse_descr(&formats[index])?,
            offset: parse_size(&offsets[index])?,
        });
    }
    Dtype::structure(fields, parse_size(itemsize)?).map_err(in_descr)
}

/// A shape from a tuple of integers.
pub(crate) fn parse_shape(literal: &Literal) -> Result<Vec<usize>> {
    let items = literal.as_tuple().ok_or_else(|| {
        FormatError::new(Code::NpyShape, format!("shape `{literal}` is no tuple of integers"))
    })?;
    items.iter().map(parse_size).collect()
}

fn parse_size(literal: &Literal) -> Result<usize> {
    match literal {
        Literal::Int(n) => usize::try_from(*n).ok(),
        _ => None,
    }
    .ok_or_else(|| {
        FormatError::new(
            Code::NpyShape,
            format!("`{literal}` is no non-negative integer that fits the address space"),
        )
    })
}

/// A scalar dtype from NumPy's string or name.
pub(crate) fn parse_scalar(text: &str) -> Result<Dtype> {
    let (order, rest) = match text.as_bytes().first() {
        Some(b'<') => (ByteOrder::Little, &text[1..]),
        Some(b'>') => (ByteOrder::Big, &text[1..]),
        Some(b'=' | b'|') => (ByteOrder::NATIVE, &text[1..]),
        _ => (ByteOrder::NATIVE, text),
    };
    if let Some(extended) = Extended::from_name(rest) {
        return Dtype::scalar(Kind::Extended(extended), order, extended.itemsize());
    }
    if let Some((_, short)) = NAMES.iter().find(|(name, _)| *name == rest) {
        return parse_scalar(&format!("{}{short}", order.as_char()));
    }
    let unknown = || bad(format!("`{}` is no dtype that is known here", text.escape_debug()));
    let mut chars = rest.chars();
    let letter = chars.next().ok_or_else(unknown)?;
    let tail = chars.as_str();
    if letter == 'O' && tail.bytes().all(|b| b.is_ascii_digit()) || rest == "object" {
        return Err(FormatError::new(
            Code::ObjectDtype,
            "arrays of Python objects (dtype `object`) could only be pickled, and ndbytes never reads or writes pickles; convert to a fixed dtype",
        ));
    }
    if let 'M' | 'm' = letter {
        let suffix = tail.strip_prefix('8').ok_or_else(unknown)?;
        let unit = TimeUnit::parse_suffix(suffix)?;
        let kind = if letter == 'M' { Kind::Datetime(unit) } else { Kind::Timedelta(unit) };
        return Dtype::scalar(kind, order, 8);
    }
    if tail.is_empty() {
        return match letter {
            '?' => Dtype::scalar(Kind::Bool, order, 1),
            'S' | 'a' => Dtype::scalar(Kind::Bytes, order, 0),
            'U' => Dtype::scalar(Kind::Str, order, 0),
            'V' => Dtype::scalar(Kind::Void, order, 0),
            letter => {
                let (_, size) = CHARS.iter().find(|(c, _)| *c == letter).ok_or_else(unknown)?;
                parse_scalar(&format!("{}{size}", order.as_char()))
            }
        };
    }
    let size: usize = match tail.bytes().all(|b| b.is_ascii_digit()) {
        true => tail.parse().map_err(|_| unknown())?,
        false => return Err(unknown()),
    };
    let kind = match (letter, size) {
        ('b', 1) => Kind::Bool,
        ('i', _) => Kind::Int,
        ('u', _) => Kind::Uint,
        ('f', 12 | 16) => Kind::LongDouble,
        ('f', _) => Kind::Float,
        ('c', 24 | 32) => Kind::ComplexLongDouble,
        ('c', _) => Kind::Complex,
        ('S' | 'a', _) => Kind::Bytes,
        ('U', _) => Kind::Str,
        ('V', _) => Kind::Void,
        _ => return Err(unknown()),
    };
    let itemsize = if letter == 'U' { size.checked_mul(4).ok_or_else(unknown)? } else { size };
    Dtype::scalar(kind, order, itemsize).map_err(|_| unknown())
}

/// NumPy's names of types.
const NAMES: &[(&str, &str)] = &[
    ("bool", "b1"),
    ("int8", "i1"),
    ("int16", "i2"),
    ("int32", "i4"),
    ("int64", "i8"),
    ("uint8", "u1"),
    ("uint16", "u2"),
    ("uint32", "u4"),
    ("uint64", "u8"),
    ("float16", "f2"),
    ("float32", "f4"),
    ("float64", "f8"),
    ("complex64", "c8"),
    ("complex128", "c16"),
    ("int", "i8"),
    ("float", "f8"),
    ("complex", "c16"),
    ("datetime64", "M8"),
    ("timedelta64", "m8"),
    ("bytes", "S0"),
    ("str", "U0"),
    ("void", "V0"),
];

/// NumPy's one-letter codes whose size does not depend on the platform.
const CHARS: &[(char, &str)] = &[
    ('b', "i1"),
    ('B', "u1"),
    ('h', "i2"),
    ('H', "u2"),
    ('i', "i4"),
    ('I', "u4"),
    ('q', "i8"),
    ('Q', "u8"),
    ('e', "f2"),
    ('f', "f4"),
    ('d', "f8"),
    ('F', "c8"),
    ('D', "c16"),
];

#[cold]
fn bad(message: String) -> FormatError {
    FormatError::new(Code::NpyDescr, message)
}

/// A dtype that contradicts itself is the file's fault when it stood in a file.
fn in_descr(error: FormatError) -> FormatError {
    match error.code() {
        Code::InvalidDtype => bad(error.message().to_owned()),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descr(text: &str) -> String {
        let dtype: Dtype = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        descr_literal(&dtype).unwrap().0.to_string()
    }

    #[test]
    fn scalars_print_as_numpys() {
        for text in [
            "|b1", "|i1", "|u1", "<i2", ">u4", "<f2", "<f16", "<c32", "<f12", "<c24", ">c16",
            "|S3", "|S0", "<U5", ">U0", "|V3", "|V0", "<M8", "<M8[ns]", ">m8[25s]",
        ] {
            assert_eq!(descr(text), format!("'{text}'"));
        }
        assert_eq!(descr("=f8"), "'<f8'");
        assert_eq!(descr("|f8"), "'<f8'");
        assert_eq!(descr("<i1"), "'|i1'");
        assert_eq!(descr("?"), "'|b1'");
        assert_eq!(descr("d"), "'<f8'");
    }

    #[test]
    fn structs_print_as_numpys() {
        for text in [
            "[]",
            "[('a', '<i4'), ('', '|V4'), ('b', '<f8')]",
            "[('', '|V8')]",
            "[(('title', 'a'), '|S3'), ('c', '<f8', (2, 5))]",
            "[('x', [('y', '<i2'), ('z', '>f4')], (3,))]",
            "[('c', ('<f8', (5,)), (2,))]",
        ] {
            assert_eq!(descr(text), text);
        }
        // As `numpy.load` reads and `numpy.save` writes them.
        assert_eq!(descr("[('a', '|u1'), ('', '<i4')]"), "[('a', '|u1'), ('', '<i4')]");
        assert_eq!(descr("[('a', '|u1'), ('', '<i4', (2,))]"), "[('a', '|u1'), ('', '|V8')]");
    }

    #[test]
    fn extended_types_and_odd_orders_come_back_exactly() {
        for text in [
            "bfloat16",
            "[('a', 'bfloat16', (2,)), ('b', 'float8_e5m2')]",
            "{'names': ['a', 'b'], 'formats': ['<i4', '<i4'], 'offsets': [4, 0], 'itemsize': 8}",
            "{'names': ['', 'b'], 'formats': ['|V4', '<i4'], 'offsets': [0, 4], 'itemsize': 8}",
        ] {
            let dtype: Dtype = text.parse().unwrap();
            let (literal, inexact) = descr_literal(&dtype).unwrap();
            assert!(inexact, "{literal}");
            assert_eq!(parse_descr(&exact_literal(&dtype)).unwrap(), dtype);
            assert_eq!(parse_descr(&literal).unwrap().itemsize(), dtype.itemsize());
        }
        assert_eq!(descr("bfloat16"), "'<V2'");
        assert_eq!(descr("float8_e5m2"), "'<V1'");
    }

    #[test]
    fn overlapping_fields_are_refused() {
        let overlapping =
            "{'names': ['a', 'b'], 'formats': ['<i4', '<i4'], 'offsets': [0, 2], 'itemsize': 8}";
        let error = descr_literal(&overlapping.parse().unwrap()).unwrap_err();
        assert_eq!(error.code(), Code::UnsupportedDtype);
    }

    #[test]
    fn bad_descriptions_are_refused() {
        for text in [
            "O",
            "|O8",
            "object",
            "f3",
            "x4",
            "",
            "<",
            "i",
            "U9223372036854775807",
            "f8,i4",
            "M8[x]",
            "[('a', '<i4'), ('a', '<i4')]",
            "[('a',)]",
            "[1]",
            "('<f8', (-1,))",
            "('<f8', [2])",
            "'<é'",
            "[('a', '|V9223372036854775807'), ('b', '|V9223372036854775807')]",
        ] {
            if text == "i" {
                assert!(text.parse::<Dtype>().is_ok());
                continue;
            }
            assert!(text.parse::<Dtype>().is_err(), "{text}");
        }
        assert_eq!("|O".parse::<Dtype>().unwrap_err().code(), Code::ObjectDtype);
    }
}
