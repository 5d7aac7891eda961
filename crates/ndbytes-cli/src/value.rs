//! Element values as text.

use std::fmt::Write;

use ndbytes::literal::Literal;
use ndbytes::{ByteOrder, Dtype, Kind};

use crate::number::{Float, Number, shortest_bfloat, steps};
use crate::time::{date, difference};

/// For whom values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As Python writes literals.
    Python,
    /// As JSON has it.
    Json,
    /// For a cell of a table: Python, but strings without quotes.
    Plain,
}

/// Appends the value of one element.
pub(crate) fn write_value(out: &mut String, dtype: &Dtype, bytes: &[u8], style: Style) {
    match dtype.kind() {
        Kind::Struct(_) => {
            let fields = dtype.fields().unwrap_or_default();
            let parts = fields.iter().map(|field| {
                (&field.dtype, &bytes[field.offset..field.offset + field.dtype.itemsize()])
            });
            let one = fields.len() == 1 && style != Style::Json;
            let (open, close) = if style == Style::Json { ('[', ']') } else { ('(', ')') };
            out.push(open);
            write_list(out, parts, style);
            out.push_str(if one { "," } else { "" });
            out.push(close);
        }
        Kind::Subarray(subarray) => {
            write_nested(out, &subarray.base, &subarray.shape, bytes, style);
        }
        Kind::Bytes => write_bytes(out, bytes, style),
        Kind::Str => write_str(out, bytes, dtype.byte_order(), style),
        Kind::Datetime(unit) => {
            write_text(out, &date(steps(bytes, dtype.byte_order()), *unit), style);
        }
        Kind::Timedelta(_) => {
            let text = difference(steps(bytes, dtype.byte_order()));
            if text == "NaT" { write_text(out, &text, style) } else { out.push_str(&text) }
        }
        _ => match Number::parse(dtype, bytes) {
            Some(number) => write_number(out, number, style),
            None => write_text(out, &hex(bytes), style),
        },
    }
}

/// Appends text as a JSON string.
pub(crate) fn write_json_str(out: &mut String, text: &str) {
    // A string is never refused.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// A cell of a CSV table (RFC 4180): in quotes where it needs them.
pub(crate) fn csv_cell(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

fn write_list<'a>(
    out: &mut String,
    parts: impl Iterator<Item = (&'a Dtype, &'a [u8])>,
    style: Style,
) {
    // Within brackets a string needs its quotes.
    let style = if style == Style::Plain { Style::Python } else { style };
    for (i, (dtype, bytes)) in parts.enumerate() {
        out.push_str(if i > 0 { ", " } else { "" });
        write_value(out, dtype, bytes, style);
    }
}

fn write_nested(out: &mut String, base: &Dtype, shape: &[usize], bytes: &[u8], style: Style) {
    let style = if style == Style::Plain { Style::Python } else { style };
    let Some((&n, inner)) = shape.split_first() else {
        return write_value(out, base, bytes, style);
    };
    let size = inner.iter().product::<usize>() * base.itemsize();
    out.push('[');
    for i in 0..n {
        out.push_str(if i > 0 { ", " } else { "" });
        write_nested(out, base, inner, &bytes[i * size..(i + 1) * size], style);
    }
    out.push(']');
}

fn write_number(out: &mut String, number: Number, style: Style) {
    let json = style == Style::Json;
    match number {
        Number::Bool(value) => out.push_str(match (value, json) {
            (true, true) => "true",
            (true, false) => "True",
            (false, true) => "false",
            (false, false) => "False",
        }),
        Number::Int(value) => _ = write!(out, "{value}"),
        Number::Uint(value) => _ = write!(out, "{value}"),
        Number::Float(value) => write_float(out, &value.shortest(), style),
        Number::Bfloat(value) => write_float(out, &shortest_bfloat(value), style),
        Number::Complex(re, im) if json => {
            out.push('[');
            write_float(out, &re.shortest(), style);
            out.push_str(", ");
            write_float(out, &im.shortest(), style);
            out.push(']');
        }
        Number::Complex(re, im) => write_complex(out, re, im),
    }
}

fn write_complex(out: &mut String, re: Float, im: Float) {
    let im = im.shortest();
    let sign = if im.starts_with('-') { "" } else { "+" };
    _ = write!(out, "({}{sign}{im}j)", re.shortest());
}

fn write_float(out: &mut String, digits: &str, style: Style) {
    match (style, digits) {
        (Style::Json, "nan") => out.push_str("\"NaN\""),
        (Style::Json, "inf") => out.push_str("\"Infinity\""),
        (Style::Json, "-inf") => out.push_str("\"-Infinity\""),
        _ => out.push_str(digits),
    }
}

/// Text that is no string to Python: dates, hexadecimal digits.
fn write_text(out: &mut String, text: &str, style: Style) {
    match style {
        Style::Json => write_json_str(out, text),
        _ => out.push_str(text),
    }
}

/// `S`: without the zeros at its end. Bytes that are no UTF-8 are written as `\xff` where there is
/// no notation for bytes.
fn write_bytes(out: &mut String, bytes: &[u8], style: Style) {
    let end = bytes.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    let bytes = &bytes[..end];
    if style == Style::Python {
        out.push_str("b'");
        for &byte in bytes {
            match byte {
                // Python escapes this quote alone, Rust both.
                b'"' => out.push('"'),
                _ => _ = write!(out, "{}", byte.escape_ascii()),
            }
        }
        out.push('\'');
        return;
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        _ = write!(text, "{}", chunk.invalid().escape_ascii());
    }
    write_text(out, &text, style);
}

/// `U`: without the zeros at its end. Python's lone surrogates are written as `\ud800`.
fn write_str(out: &mut String, bytes: &[u8], order: ByteOrder, style: Style) {
    let (codes, _) = bytes.as_chunks::<4>();
    let mut codes: Vec<u32> = codes
        .iter()
        .map(|&code| match order {
            ByteOrder::Big => u32::from_be_bytes(code),
            _ => u32::from_le_bytes(code),
        })
        .collect();
    let end = codes.iter().rposition(|&code| code != 0).map_or(0, |last| last + 1);
    codes.truncate(end);
    let quoted = |out: &mut String, text: &str| match style {
        Style::Python => _ = write!(out, "{}", Literal::Str(text.to_owned())),
        Style::Json => write_json_str(out, text),
        Style::Plain => out.push_str(text),
    };
    if let Some(text) = codes.iter().map(|&code| char::from_u32(code)).collect::<Option<String>>() {
        return quoted(out, &text);
    }
    // Written in runs, each of which loses its quotes.
    let quotes = if style == Style::Plain { 0 } else { 1 };
    let quote = match style {
        Style::Python => "'",
        Style::Json => "\"",
        Style::Plain => "",
    };
    out.push_str(quote);
    for code in codes {
        match char::from_u32(code) {
            // Of both quotes the other needs no backslash.
            Some('\'') if style == Style::Python => out.push_str("\\'"),
            Some(char) => {
                let mut one = String::new();
                quoted(&mut one, char.encode_utf8(&mut [0; 4]));
                out.push_str(&one[quotes..one.len() - quotes]);
            }
            None => _ = write!(out, "\\u{code:04x}"),
        }
    }
    out.push_str(quote);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dtype: &str, bytes: &[u8], style: Style) -> String {
        let mut out = String::new();
        write_value(&mut out, &dtype.parse().unwrap(), bytes, style);
        out
    }

    fn utf32(text: &str) -> Vec<u8> {
        text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect()
    }

    #[test]
    fn values_are_written_as_python_and_json_have_them() {
        let complex = [1.0f32.to_le_bytes(), (-2.0f32).to_le_bytes()].concat();
        for (dtype, bytes, python, json) in [
            ("?", vec![1], "True", "true"),
            ("<i4", (-7i32).to_le_bytes().to_vec(), "-7", "-7"),
            ("<f8", f64::NAN.to_le_bytes().to_vec(), "nan", "\"NaN\""),
            ("<f8", f64::INFINITY.to_le_bytes().to_vec(), "inf", "\"Infinity\""),
            ("<f4", 0.1f32.to_le_bytes().to_vec(), "0.1", "0.1"),
            ("<c8", complex, "(1.0-2.0j)", "[1.0, -2.0]"),
            ("|S4", b"a'\0\0".to_vec(), "b'a\\''", "\"a'\""),
            ("|S3", b"a\xff\"".to_vec(), "b'a\\xff\"'", "\"a\\\\xff\\\"\""),
            ("<U3", [utf32("é\""), vec![0; 4]].concat(), "'é\"'", "\"é\\\"\""),
            ("<U1", 0xd800u32.to_le_bytes().to_vec(), "'\\ud800'", "\"\\ud800\""),
            ("|V2", vec![1, 255], "01ff", "\"01ff\""),
            ("<M8[D]", 1i64.to_le_bytes().to_vec(), "1970-01-02", "\"1970-01-02\""),
            ("<m8[s]", (-3i64).to_le_bytes().to_vec(), "-3", "-3"),
            ("<m8[s]", i64::MIN.to_le_bytes().to_vec(), "NaT", "\"NaT\""),
            (
                "[('a', '|u1'), ('b', '|S1'), ('c', '|i1', (2, 1))]",
                vec![1, b'x', 2, 255],
                "(1, b'x', [[2], [-1]])",
                "[1, \"x\", [[2], [-1]]]",
            ),
            ("[('a', '|u1')]", vec![1], "(1,)", "[1]"),
            ("float8_e4m3fn", vec![0x38], "38", "\"38\""),
        ] {
            assert_eq!(write(dtype, &bytes, Style::Python), python, "{dtype}");
            assert_eq!(write(dtype, &bytes, Style::Json), json, "{dtype}");
        }
    }

    #[test]
    fn cells_have_quotes_only_where_they_need_them() {
        assert_eq!(write("<U2", &utf32("a,"), Style::Plain), "a,");
        assert_eq!(write("|S2", b"a\0", Style::Plain), "a");
        assert_eq!(csv_cell("a,"), "\"a,\"");
        assert_eq!(csv_cell("a \"b\""), "\"a \"\"b\"\"\"");
        assert_eq!(csv_cell("1.5"), "1.5");
    }
}
