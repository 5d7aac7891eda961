//! The `.npy` header, versions 1.0 to 3.0, byte for byte as `numpy.save` writes it.

use std::borrow::Cow;

use crate::canonical;
use crate::descr::{descr_literal, exact_literal, parse_descr, parse_shape};
use crate::dtype::Dtype;
use crate::error::{Code, FormatError, Result};
use crate::limits::Limits;
use crate::literal::Literal;
use crate::prelude::{MAGIC, Prelude, Version, truncated};
use crate::shape::{self, Order};

/// What an `.npy` header says. Two are equal when they describe the same array.
#[derive(Clone, Debug)]
pub struct Header {
    dtype: Dtype,
    order: Order,
    shape: Vec<usize>,
    nbytes: usize,
    python2: bool,
}

impl Header {
    /// A header of these facts.
    ///
    /// # Errors
    /// [`Code::SizeOverflow`] when such an array does not fit the address space.
    pub fn new(dtype: Dtype, order: Order, shape: Vec<usize>) -> Result<Self> {
        let nbytes = shape::nbytes(&shape, dtype.itemsize())?;
        Ok(Self { dtype, order, shape, nbytes, python2: false })
    }

    /// The type of the elements.
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    /// The order of the elements; `F` is `fortran_order: True`.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Bytes of all elements.
    pub fn nbytes(&self) -> usize {
        self.nbytes
    }

    /// Whether the header was parsed and has integers as only Python 2 wrote them (`4L`). NumPy
    /// warns of such files.
    pub fn python2(&self) -> bool {
        self.python2
    }

    /// Number of elements.
    pub fn count(&self) -> usize {
        // Checked in `new`: nbytes covers at least one byte per element.
        self.shape.iter().product()
    }

    /// Dtype, order and shape, taken apart.
    pub fn into_parts(self) -> (Dtype, Order, Vec<usize>) {
        (self.dtype, self.order, self.shape)
    }

    /// Parses the header at the front of `bytes` and returns it with the offset of the data.
    ///
    /// # Errors
    /// A code for each way it can lie; offsets count from the start of `bytes`.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<(Self, usize)> {
        let prelude = Prelude::parse(bytes, limits)?;
        let (start, end) = (prelude.version.prelude_len(), prelude.data_offset());
        let text = bytes
            .get(start..end)
            .ok_or_else(|| truncated("array header", prelude.text_len, bytes.len() - start))?;
        Ok((Self::parse_text(prelude.version, text, limits)?, end))
    }

    /// Parses the text that follows the prelude; offsets count from the start of the file.
    ///
    /// # Errors
    /// As [`Header::parse`].
    pub fn parse_text(version: Version, text: &[u8], limits: &Limits) -> Result<Self> {
        if let Some((dtype, order, shape)) = canonical::parse(text)
            && shape.len() <= limits.ndim
            && let Ok(header) = Self::new(dtype, order, shape)
        {
            return Ok(header);
        }
        let text = decode(version, text)?;
        Self::parse_literal(&text, version != Version::V3, limits).map_err(|error| {
            // A character of Latin-1 is one byte in the file, and may be two in `text`.
            let at = error.offset().and_then(|offset| text.get(..offset as usize));
            let error = match at {
                Some(before) if version != Version::V3 => error.at(before.chars().count() as u64),
                _ => error,
            };
            error.shifted(version.prelude_len() as u64)
        })
    }

    fn parse_literal(text: &str, py2: bool, limits: &Limits) -> Result<Self> {
        let start = text.len() - text.trim_start().len();
        let (python2, (literal, rest)) = match Literal::parse_front(text, false) {
            Ok(parsed) => (false, parsed),
            Err(_) if py2 => (true, Literal::parse_front(text, true)?),
            Err(error) => return Err(error),
        };
        let comment = exact_comment(rest)?;
        let Literal::Dict(pairs) = literal else {
            return Err(FormatError::new(
                Code::NpyHeaderKeys,
                format!("header is no dictionary: `{}`", shorten(&literal.to_string())),
            )
            .at(start as u64));
        };
        let keys = || pairs.iter().map(|(key, _)| key.as_str());
        if keys().any(|key| !matches!(key, Some("descr" | "fortran_order" | "shape"))) {
            let found =
                Literal::List(pairs.iter().map(|(key, _)| key.clone()).collect()).to_string();
            return Err(wrong_keys(&found, start));
        }
        // As in Python, the last of repeated keys counts.
        let find = |name: &str| {
            pairs.iter().rev().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
        };
        let (Some(descr), Some(order), Some(shape)) =
            (find("descr"), find("fortran_order"), find("shape"))
        else {
            let found =
                Literal::List(pairs.iter().map(|(key, _)| key.clone()).collect()).to_string();
            return Err(wrong_keys(&found, start));
        };
        let at = |error: FormatError| {
            if error.offset().is_none() { error.at(start as u64) } else { error }
        };
        let order = match order {
            Literal::Bool(true) => Order::F,
            Literal::Bool(false) => Order::C,
            other => {
                let message =
                    format!("fortran_order is not a valid bool: `{}`", shorten(&other.to_string()));
                return Err(at(FormatError::new(Code::NpyOrder, message)));
            }
        };
        let shape = parse_shape(shape).map_err(|error| {
            at(FormatError::new(
                Code::NpyShape,
                format!("shape is not valid: {}", shorten(error.message())),
            ))
        })?;
        if shape.len() > limits.ndim {
            return Err(at(FormatError::new(
                Code::TooManyDims,
                format!("{} dimensions, more than the limit of {}", shape.len(), limits.ndim),
            )));
        }
        if has_dict(descr) {
            // NumPy's `descr_to_dtype` knows none either.
            let message =
                format!("descr is not a valid dtype descriptor: `{}`", shorten(&descr.to_string()));
            return Err(at(FormatError::new(Code::NpyDescr, message)));
        }
        let mut dtype = parse_descr(descr).map_err(|error| match error.code() {
            Code::NpyDescr | Code::NpyShape => {
                let message =
                    format!("descr is not a valid dtype descriptor: {}", shorten(error.message()));
                at(FormatError::new(Code::NpyDescr, message))
            }
            _ => at(error),
        })?;
        if let Some(exact) = comment {
            // Otherwise NumPy and we would read two different arrays from one file.
            let written = descr_literal(&exact).and_then(|(literal, _)| parse_descr(&literal));
            if written.as_ref() != Ok(&dtype) {
                let message = format!(
                    "the header's comment names dtype `{exact}`, which is not stored as `{dtype}`"
                );
                return Err(at(FormatError::new(Code::NpyDescr, shorten(&message))));
            }
            dtype = exact;
        }
        if let crate::dtype::Kind::Subarray(_) = dtype.kind() {
            let message = format!(
                "descr is not a valid dtype descriptor: a sub-array `{dtype}` outside of a struct"
            );
            return Err(at(FormatError::new(Code::NpyDescr, message)));
        }
        Ok(Self { python2, ..Self::new(dtype, order, shape).map_err(at)? })
    }

    /// The header as `numpy.save` writes it: the oldest version that holds it.
    ///
    /// # Errors
    /// [`Code::UnsupportedDtype`] for fields that overlap, [`Code::NpyHeaderOverflow`] for a
    /// header over 4 GiB.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let text = self.text()?;
        for version in [Version::V1, Version::V2, Version::V3] {
            if let Some(bytes) = wrap(&text, version) {
                return Ok(bytes);
            }
        }
        Err(FormatError::new(
            Code::NpyHeaderOverflow,
            format!("a header of {} bytes fits no version", text.len()),
        ))
    }

    /// The header in this version, as `numpy.lib.format.write_array(version=...)` writes it.
    ///
    /// # Errors
    /// As [`Header::encode`]; [`Code::NpyHeaderOverflow`] where this version does not hold it.
    pub fn encode_version(&self, version: Version) -> Result<Vec<u8>> {
        wrap(&self.text()?, version).ok_or_else(|| {
            let (major, minor) = version.numbers();
            FormatError::new(
                Code::NpyHeaderOverflow,
                format!("header does not fit version {major}.{minor}"),
            )
        })
    }

    /// The strides of the elements where they follow one another in the array's order, in bytes.
    pub fn strides(&self) -> Vec<isize> {
        crate::shape::strides(&self.shape, self.dtype.itemsize(), self.order)
    }

    /// The axis along which an array grows when others are appended: the slowest. There is none
    /// without dimensions.
    pub fn growing_axis(&self) -> Option<usize> {
        match self.order {
            Order::C => (!self.shape.is_empty()).then_some(0),
            Order::F => self.shape.len().checked_sub(1),
        }
    }

    /// The dictionary as `numpy.save` spells it, with a comment where that does not say all, and
    /// with room for the growing axis to become longer in place, as NumPy leaves it.
    ///
    /// # Errors
    /// [`Code::UnsupportedDtype`] for fields that overlap.
    pub fn text(&self) -> Result<String> {
        let mut text = self.literal_text()?;
        if let Some(axis) = self.growing_axis() {
            let digits = self.shape[axis].checked_ilog10().unwrap_or(0) as usize + 1;
            let room = GROWTH_AXIS_MAX_DIGITS.saturating_sub(digits);
            text.extend(std::iter::repeat_n(' ', room));
        }
        Ok(text)
    }

    fn literal_text(&self) -> Result<String> {
        if let Some(text) = canonical::text(&self.dtype, self.order, &self.shape) {
            return Ok(text);
        }
        let (descr, inexact) = descr_literal(&self.dtype)?;
        let shape = Literal::from(&self.shape[..]);
        let fortran = Literal::Bool(self.order == Order::F);
        let mut text =
            format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
        if inexact {
            // Python's `literal_eval` skips comments, so NumPy reads the file all the same.
            text.push_str(&format!(" {COMMENT}{}", exact_literal(&self.dtype)));
        }
        Ok(text)
    }
}

impl PartialEq for Header {
    fn eq(&self, other: &Self) -> bool {
        (&self.dtype, self.order, &self.shape) == (&other.dtype, other.order, &other.shape)
    }
}

impl Eq for Header {}

fn wrap(text: &str, version: Version) -> Option<Vec<u8>> {
    let text = encode(version, text)?;
    let prelude = version.prelude_len();
    let unpadded = prelude + text.len() + 1;
    // NumPy's formula: a header that is aligned already gets another 64 bytes.
    let len = unpadded + (ALIGN - unpadded % ALIGN);
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(MAGIC);
    let (major, minor) = version.numbers();
    bytes.extend_from_slice(&[major, minor]);
    match version {
        Version::V1 => bytes.extend_from_slice(&u16::try_from(len - prelude).ok()?.to_le_bytes()),
        Version::V2 | Version::V3 => {
            bytes.extend_from_slice(&u32::try_from(len - prelude).ok()?.to_le_bytes())
        }
    }
    bytes.extend_from_slice(&text);
    bytes.resize(len - 1, b' ');
    bytes.push(b'\n');
    Some(bytes)
}

fn encode(version: Version, text: &str) -> Option<Cow<'_, [u8]>> {
    match version {
        Version::V1 | Version::V2 if !text.is_ascii() => {
            text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
        }
        _ => Some(Cow::Borrowed(text.as_bytes())),
    }
}

fn decode(version: Version, text: &[u8]) -> Result<Cow<'_, str>> {
    match version {
        Version::V1 | Version::V2 if !text.is_ascii() => {
            Ok(text.iter().map(|&b| char::from(b)).collect::<String>().into())
        }
        _ => std::str::from_utf8(text).map(Into::into).map_err(|error| {
            FormatError::new(Code::NpyHeaderSyntax, "header is not UTF-8")
                .at((version.prelude_len() + error.valid_up_to()) as u64)
        }),
    }
}

/// What follows the dictionary: white space, comments, and perhaps ours with the exact dtype.
fn exact_comment(rest: &str) -> Result<Option<Dtype>> {
    // The parser checks that nothing but comments follows; `0` gives it a literal to begin with,
    // and the space keeps it apart from what follows.
    Literal::parse(&format!("0 {rest}"), false).map_err(|_| {
        FormatError::new(Code::NpyHeaderSyntax, "unexpected text after the header's dictionary")
    })?;
    for line in rest.split(['\n', '\r']) {
        if let Some((_, text)) = line.split_once(COMMENT) {
            let bad = |error: FormatError| {
                let message = format!("the header's comment names no dtype: {}", error.message());
                FormatError::new(Code::NpyDescr, shorten(&message))
            };
            return Literal::parse(text, false)
                .and_then(|literal| parse_descr(&literal))
                .map(Some)
                .map_err(bad);
        }
    }
    Ok(None)
}

fn has_dict(literal: &Literal) -> bool {
    match literal {
        Literal::Dict(_) => true,
        Literal::List(items) | Literal::Tuple(items) => items.iter().any(has_dict),
        _ => false,
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cold]
fn wrong_keys(found: &str, at: usize) -> FormatError {
    FormatError::new(
        Code::NpyHeaderKeys,
        format!("header does not contain the correct keys: expected ['descr', 'fortran_order', 'shape'], got {}", shorten(found)),
    )
    .at(at as u64)
}

const ALIGN: usize = 64;
const GROWTH_AXIS_MAX_DIGITS: usize = 21;
const COMMENT: &str = "# ndbytes: ";

#[cfg(test)]
mod tests {
    use super::*;

    fn header(descr: &str, order: Order, shape: &[usize]) -> Header {
        Header::new(descr.parse().unwrap(), order, shape.to_vec()).unwrap()
    }

    fn parse(text: &str) -> Result<Header> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Header::parse(&bytes, &Limits::default()).map(|(header, _)| header)
    }

    #[test]
    fn offsets_count_bytes_of_the_file_not_of_the_decoded_text() {
        let mut bytes = b"\x93NUMPY\x01\x00\x07\x00".to_vec();
        bytes.extend_from_slice(b"{'\xe9\xe9': ");
        bytes.truncate(17);
        assert_eq!(Header::parse(&bytes, &Limits::default()).unwrap_err().offset(), Some(17));
    }

    /// `0x4` and `00` are integers, and so was what an early version glued to its own `0`.
    #[test]
    fn text_glued_to_the_dictionary_is_refused() {
        for tail in ["x4", "0", "b1", "o7"] {
            let text = format!("{{'descr': '<i4', 'fortran_order': False, 'shape': (1,)}}{tail}\n");
            assert_eq!(parse(&text).unwrap_err().code(), Code::NpyHeaderSyntax, "{tail}");
        }
    }

    #[test]
    fn a_comment_that_contradicts_descr_is_refused() {
        for (descr, comment) in [
            ("'<f8'", "'<i8'"),
            ("'|V2'", "'float16'"),
            ("'|V4'", "'bfloat16'"),
            ("[('a', '<i4')]", "[('b', '<i4')]"),
            ("'|V2'", "bfloat16"),
            ("'|V2'", "'bfloat16' 1"),
        ] {
            let text = format!(
                "{{'descr': {descr}, 'fortran_order': False, 'shape': ()}} # ndbytes: {comment}\n"
            );
            assert_eq!(parse(&text).unwrap_err().code(), Code::NpyDescr, "{text}");
        }
        let text =
            "{'descr': '|V2', 'fortran_order': False, 'shape': ()} # ndbytes: 'bfloat16'   \n";
        assert_eq!(parse(text).unwrap().dtype().to_string(), "bfloat16");
    }

    #[test]
    fn a_dictionary_is_no_descr() {
        let dict = "{'names': ['a'], 'formats': ['<i4'], 'offsets': [0], 'itemsize': 4}";
        for descr in [dict.to_owned(), format!("[('x', {dict})]")] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': ()}}\n");
            assert_eq!(parse(&text).unwrap_err().code(), Code::NpyDescr);
        }
    }

    #[test]
    fn literal_header_of_numpys_docs() {
        let bytes = header("<f8", Order::C, &[3, 4]).encode().unwrap();
        let text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }";
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(&bytes[10..10 + text.len()], text);
        assert_eq!(bytes.len(), 128);
        assert_eq!(bytes[127], b'\n');
    }

    #[test]
    fn growth_axis_leaves_room_for_21_digits() {
        // The vectors of NumPy's test_header_growth_axis, whose `descr` prints seven characters longer.
        for (order, span, expected) in
            [(Order::C, 22, 128), (Order::C, 23, 192), (Order::F, 23, 128), (Order::F, 24, 192)]
        {
            let descr = format!("[('{}', '<i8')]", " ".repeat(span + 7));
            for digits in 0..18 {
                let size = 10usize.pow(digits);
                let shape = if order == Order::F { [2, size] } else { [size, 2] };
                let bytes = header(&descr, order, &shape).encode().unwrap();
                assert_eq!(bytes.len(), expected, "{size}");
            }
        }
    }

    #[test]
    fn version_is_the_oldest_that_fits() {
        let version = |name: &str| {
            header(&format!("[('{name}', '<i4')]"), Order::C, &[1]).encode().unwrap()[6]
        };
        assert_eq!(version("a"), 1);
        assert_eq!(version("é"), 1);
        assert_eq!(version("日"), 3);
        assert_eq!(version(&"x".repeat(70_000)), 2);
        let long = header(&format!("[('{}', '<i4')]", "x".repeat(70_000)), Order::C, &[1]);
        let (again, _) = Header::parse(&long.encode().unwrap(), &Limits::default()).unwrap();
        assert_eq!(again, long);
        assert!(long.encode_version(Version::V1).is_err());
        assert!(header("[('日', '<i4')]", Order::C, &[1]).encode_version(Version::V2).is_err());
    }

    #[test]
    fn comes_back_as_it_was() {
        for descr in
            ["<f8", "bfloat16", "[('é', '>i2'), ('b', 'float8_e4m3fn', (3,))]", "<M8[25s]", "[]"]
        {
            for (order, shape) in
                [(Order::C, vec![]), (Order::F, vec![2, 3]), (Order::C, vec![0, 5])]
            {
                let header = header(descr, order, &shape);
                let bytes = header.encode().unwrap();
                assert_eq!(
                    Header::parse(&bytes, &Limits::default()).unwrap(),
                    (header, bytes.len())
                );
            }
        }
    }

    #[test]
    fn truncated_anywhere_is_reported() {
        let bytes = header("<f8", Order::C, &[3]).encode().unwrap();
        assert_eq!(Header::parse(b"", &Limits::default()).unwrap_err().code(), Code::EndOfStream);
        for end in 1..bytes.len() {
            let error = Header::parse(&bytes[..end], &Limits::default()).unwrap_err();
            assert_eq!(error.code(), Code::NpyHeaderTruncated, "{end}: {error}");
        }
    }

    #[test]
    fn verdicts_are_numpys() {
        for text in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }",
            " {\"shape\": (3,), 'fortran_order': False,\n 'descr': '<f8'}   # comment",
            "{'descr': u'<f8', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (9,), 'shape': (0x3,)}",
        ] {
            assert_eq!(parse(text).unwrap(), header("<f8", Order::C, &[3]), "{text}");
        }
        let old = parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3L,)}").unwrap();
        assert!(old.python2() && old.shape() == [3]);
        for (text, code) in [
            ("", Code::NpyHeaderSyntax),
            ("[]", Code::NpyHeaderKeys),
            ("{'descr': '<f8', 'fortran_order': False}", Code::NpyHeaderKeys),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (), 'x': 1}", Code::NpyHeaderKeys),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': [3]}", Code::NpyShape),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}", Code::NpyShape),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 4)}", Code::NpyShape),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (2+2,)}", Code::NpyHeaderSyntax),
            ("{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}", Code::NpyOrder),
            ("{'descr': None, 'fortran_order': False, 'shape': (3,)}", Code::NpyDescr),
            ("{'descr': {}, 'fortran_order': False, 'shape': (3,)}", Code::NpyDescr),
            ("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", Code::ObjectDtype),
            ("{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (3,)}", Code::NpyDescr),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
                Code::SizeOverflow,
            ),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} x", Code::NpyHeaderSyntax),
            ("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\0\0", Code::NpyHeaderSyntax),
            (
                "{'descr': '<V2', 'fortran_order': False, 'shape': (3,)} # ndbytes: 'float8_e5m2'",
                Code::NpyDescr,
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().code(), code, "{text}");
        }
        let many =
            format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({})}}", "1,".repeat(65));
        assert_eq!(parse(&many).unwrap_err().code(), Code::TooManyDims);
    }

    #[test]
    fn huge_header_is_refused_before_it_is_read() {
        let error =
            Header::parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &Limits::default()).unwrap_err();
        assert_eq!((error.code(), error.offset()), (Code::NpyHeaderTooLarge, Some(8)));
        assert_eq!(Version::parse(b"\x93NUMPY\x04\x00").unwrap_err().code(), Code::NpyVersion);
        let error = Version::parse(b"<!DOCTYPE html>").unwrap_err();
        assert!(error.message().contains("HTML"), "{error}");
    }
}
