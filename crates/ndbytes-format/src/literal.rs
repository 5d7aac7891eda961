//! The subset of Python literals that `.npy` headers are made of.
//!
//! Parsed: strings (also `u''`, with escapes), integers, `True`, `False`, `None`, tuples, lists,
//! dictionaries, comments and any white space, as `ast.literal_eval` reads them. Printed: what
//! Python's `repr` prints.

use std::fmt::{self, Write as _};

use crate::error::{Code, FormatError, Result};

/// A Python literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `True` or `False`.
    Bool(bool),
    /// A dictionary, in the order written; a key may come twice.
    Dict(Vec<(Literal, Literal)>),
    /// An integer.
    Int(i128),
    /// A list.
    List(Vec<Literal>),
    /// `None`.
    None,
    /// A string.
    Str(String),
    /// A tuple.
    Tuple(Vec<Literal>),
}

impl Literal {
    /// Parses one literal that fills all of `text` but for white space and comments.
    ///
    /// `py2` accepts integers with Python 2's `L` suffix.
    pub fn parse(text: &str, py2: bool) -> Result<Self> {
        let (literal, rest) = Self::parse_front(text, py2)?;
        let mut parser = Parser { text, at: text.len() - rest.len(), py2, depth: 0 };
        parser.space();
        match parser.peek() {
            None => Ok(literal),
            Some(other) => Err(parser.fail(format!("unexpected `{other}` after the literal"))),
        }
    }

    /// Parses the literal at the front of `text` and returns what follows it.
    pub fn parse_front(text: &str, py2: bool) -> Result<(Self, &str)> {
        let mut parser = Parser { text, at: 0, py2, depth: 0 };
        let literal = parser.value()?;
        Ok((literal, &text[parser.at..]))
    }

    /// The string, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Literal::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if it is a tuple.
    pub fn as_tuple(&self) -> Option<&[Literal]> {
        match self {
            Literal::Tuple(items) => Some(items),
            _ => None,
        }
    }
}

/// A shape, as a tuple.
impl From<&[usize]> for Literal {
    fn from(shape: &[usize]) -> Self {
        Literal::Tuple(shape.iter().map(|&n| Literal::Int(n as i128)).collect())
    }
}

/// Prints as Python's `repr`.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Bool(true) => f.write_str("True"),
            Literal::Bool(false) => f.write_str("False"),
            Literal::Int(n) => write!(f, "{n}"),
            Literal::None => f.write_str("None"),
            Literal::Str(text) => write_str(f, text),
            Literal::List(items) => {
                f.write_char('[')?;
                write_items(f, items)?;
                f.write_char(']')
            }
            Literal::Tuple(items) => {
                f.write_char('(')?;
                write_items(f, items)?;
                f.write_str(if items.len() == 1 { ",)" } else { ")" })
            }
            Literal::Dict(pairs) => {
                f.write_char('{')?;
                for (i, (key, value)) in pairs.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{key}: {value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_items(f: &mut fmt::Formatter<'_>, items: &[Literal]) -> fmt::Result {
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
    }
    Ok(())
}

fn write_str(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    f.write_char(quote)?;
    for c in text.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if is_printable(c) => f.write_char(c)?,
            c if (c as u32) < 0x100 => write!(f, "\\x{:02x}", c as u32)?,
            c if (c as u32) < 0x10000 => write!(f, "\\u{:04x}", c as u32)?,
            c => write!(f, "\\U{:08x}", c as u32)?,
        }
    }
    f.write_char(quote)
}

/// `str.isprintable` of one character. The standard library keeps the same table of the
/// categories C* and Z* (but for the space), reachable only through `escape_debug`; after a first
/// character it no longer escapes combining marks.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    let mut pair = String::with_capacity(8);
    pair.push('a');
    pair.push(c);
    pair.escape_debug().nth(1) == Some(c)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    py2: bool,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    #[cold]
    fn fail(&self, message: String) -> FormatError {
        FormatError::new(Code::NpyHeaderSyntax, message).at(self.at as u64)
    }

    fn space(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\n' | '\r' | '\x0c' => self.at += 1,
                '#' => {
                    let line = &self.text[self.at..];
                    self.at += line.find(['\n', '\r']).unwrap_or(line.len());
                }
                _ => break,
            }
        }
    }

    fn value(&mut self) -> Result<Literal> {
        self.space();
        let Some(c) = self.peek() else {
            return Err(self.fail("expected a Python literal, got the end".into()));
        };
        match c {
            '\'' | '"' => self.string(),
            '(' => self.nested(|parser| {
                let (mut items, trailing_comma) = parser.items(')')?;
                // Parentheses around one value are no tuple.
                match items.pop() {
                    Some(only) if items.is_empty() && !trailing_comma => Ok(only),
                    Some(last) => {
                        items.push(last);
                        Ok(Literal::Tuple(items))
                    }
                    None => Ok(Literal::Tuple(items)),
                }
            }),
            '[' => self.nested(|parser| Ok(Literal::List(parser.items(']')?.0))),
            '{' => self.nested(Self::dict),
            '0'..='9' | '-' | '+' => self.int(),
            c if c.is_ascii_alphabetic() => self.word(),
            other => {
                Err(self.fail(format!("expected a Python literal, got `{}`", other.escape_debug())))
            }
        }
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Result<Literal>) -> Result<Literal> {
        if self.depth == MAX_DEPTH {
            return Err(self.fail(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        self.at += 1;
        let literal = parse(self)?;
        self.depth -= 1;
        Ok(literal)
    }

    /// The items up to the closing bracket, and whether a comma stood before it.
    fn items(&mut self, close: char) -> Result<(Vec<Literal>, bool)> {
        let mut items = Vec::new();
        let mut comma = true;
        loop {
            self.space();
            if self.peek() == Some(close) {
                self.at += 1;
                return Ok((items, comma));
            }
            if !comma {
                return Err(self.fail(format!("expected `,` or `{close}`")));
            }
            items.push(self.value()?);
            comma = self.comma();
        }
    }

    fn comma(&mut self) -> bool {
        self.space();
        let comma = self.peek() == Some(',');
        self.at += usize::from(comma);
        comma
    }

    fn dict(&mut self) -> Result<Literal> {
        let mut pairs = Vec::new();
        let mut comma = true;
        loop {
            self.space();
            if self.peek() == Some('}') {
                self.at += 1;
                return Ok(Literal::Dict(pairs));
            }
            if !comma {
                return Err(self.fail("expected `,` or `}`".into()));
            }
            let key = self.value()?;
            self.space();
            if self.bump() != Some(':') {
                return Err(self.fail("expected `:` after the key".into()));
            }
            pairs.push((key, self.value()?));
            comma = self.comma();
        }
    }

    fn word(&mut self) -> Result<Literal> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        if matches!(word, "u" | "U") && rest[end..].starts_with(['\'', '"']) {
            self.at += end;
            return self.string();
        }
        let literal = match word {
            "True" => Literal::Bool(true),
            "False" => Literal::Bool(false),
            "None" => Literal::None,
            _ => return Err(self.fail(format!("`{word}` is no Python literal"))),
        };
        self.at += end;
        Ok(literal)
    }

    fn int(&mut self) -> Result<Literal> {
        let negative = self.peek() == Some('-');
        if matches!(self.peek(), Some('-' | '+')) {
            self.at += 1;
        }
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..end];
        let bad = || self.fail(format!("`{word}` is no integer"));
        let digits = if self.py2 { word.trim_end_matches(['L', 'l']) } else { word };
        let (digits, radix) = match digits.get(..2) {
            Some("0x" | "0X") => (&digits[2..], 16),
            Some("0o" | "0O") => (&digits[2..], 8),
            Some("0b" | "0B") => (&digits[2..], 2),
            _ => (digits, 10),
        };
        let leading_zero =
            radix == 10 && digits.starts_with('0') && !digits.trim_matches(['0', '_']).is_empty();
        let underscores = digits.starts_with('_') && radix == 10
            || digits.ends_with('_')
            || digits.contains("__");
        if digits.is_empty() || leading_zero || underscores {
            return Err(bad());
        }
        let mut n: i128 = 0;
        for digit in digits.chars().filter(|&c| c != '_') {
            let digit = digit.to_digit(radix).ok_or_else(bad)?;
            n = n
                .checked_mul(radix.into())
                .and_then(|n| n.checked_add(digit.into()))
                .ok_or_else(bad)?;
        }
        self.at += end;
        Ok(Literal::Int(if negative { -n } else { n }))
    }

    fn string(&mut self) -> Result<Literal> {
        let start = self.at;
        let Some(quote) = self.bump() else {
            return Err(self.fail("expected a string".into()));
        };
        let mut text = String::new();
        loop {
            match self.bump() {
                // Python takes each of `\n`, `\r` and `\r\n` for the end of a line.
                None | Some('\n' | '\r') => {
                    self.at = start;
                    return Err(self.fail("a string without an end".into()));
                }
                Some(c) if c == quote => return Ok(Literal::Str(text)),
                Some('\\') => self.escape(&mut text)?,
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, text: &mut String) -> Result<()> {
        let simple = match self.bump() {
            Some('\n') => return Ok(()),
            Some('\r') => {
                self.at += usize::from(self.peek() == Some('\n'));
                return Ok(());
            }
            Some(c @ ('\\' | '\'' | '"')) => c,
            Some('a') => '\x07',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\x0b',
            Some('x') => self.hex(2)?,
            Some('u') => self.hex(4)?,
            Some('U') => self.hex(8)?,
            Some('N') => return Err(self.fail("named characters (`\\N{...}`) are not read".into())),
            Some(c @ '0'..='7') => {
                let mut n = c as u32 - '0' as u32;
                for _ in 0..2 {
                    let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
                    n = n * 8 + digit;
                    self.at += 1;
                }
                // Three octal digits are at most 0o777, always a character.
                char::from_u32(n).unwrap_or('\u{fffd}')
            }
            Some(c) => {
                // Python keeps the backslash of an escape that it does not know.
                text.push('\\');
                c
            }
            None => return Err(self.fail("a string without an end".into())),
        };
        text.push(simple);
        Ok(())
    }

    fn hex(&mut self, digits: usize) -> Result<char> {
        let bad = |parser: &Self| {
            parser.fail(format!("expected {digits} hexadecimal digits of a character"))
        };
        let code = self
            .text
            .get(self.at..self.at + digits)
            .filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32)
            .ok_or_else(|| bad(self))?;
        self.at += digits;
        Ok(code)
    }
}

/// Python's own parser gives up at 200 levels or fewer; no dtype is nested that deep, and the
/// stack of a thread in a test has to hold them.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Literal {
        Literal::parse(text, false).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn prints_as_repr_what_it_parses() {
        for text in [
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4)}",
            "()",
            "(1,)",
            "[('a', '<i4'), (('title', 'b'), '<f8', (2,))]",
            "None",
            "-5",
            r#"'a\'b"c\n'"#,
            r#""a'b""#,
            r"'\x00\x7f\x80\xa0é日\u200b\U000e0001'",
        ] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn reads_as_literal_eval() {
        for (text, plain) in [
            ("  {\"a\" : 1 , # why\n 'b':\n0x4,}", "{'a': 1, 'b': 4}"),
            ("(1)", "1"),
            ("# not\r1", "1"),
            ("'a\\\r\nb\\\rc'", "'abc'"),
            ("u'x'", "'x'"),
            (
                r"'\101\q\u00e9\
x'",
                r"'A\\qéx'",
            ),
            ("1_000", "1000"),
            ("00", "0"),
            ("+0b11", "3"),
        ] {
            assert_eq!(parse(text).to_string(), plain);
        }
        assert_eq!(Literal::parse("(4L,)", true).unwrap().to_string(), "(4,)");
    }

    #[test]
    fn refuses_what_literal_eval_refuses() {
        for text in [
            "",
            "2+2",
            "(4L,)",
            "__import__('os')",
            "{'a'}",
            "{'a': 1",
            "[1 2]",
            "(1,,)",
            "(,)",
            "'a",
            "'a\nb'",
            "'a\rb'",
            "(1) # a comment ends here:\r2",
            "1 2",
            "01",
            "1__0",
            "1_",
            "0x",
            "true",
            "{1: 2}\0",
            "'\\x4'",
            "'\\ud800'",
            "99999999999999999999999999999999999999999",
        ] {
            assert!(Literal::parse(text, false).is_err(), "{text:?}");
        }
        assert!(Literal::parse(&"[".repeat(100_000), false).is_err());
    }
}
