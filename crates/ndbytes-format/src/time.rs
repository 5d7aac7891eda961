//! Units of `datetime64` and `timedelta64`.

use std::fmt;

use crate::error::{Code, FormatError, Result};

/// The unit of a `datetime64` or `timedelta64`, for example `25 s`; `None` where it is generic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeUnit {
    /// How many units one step is; at least 1.
    pub multiplier: u32,
    /// The unit itself.
    pub unit: Unit,
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The base units that NumPy knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Unit { $($(#[$doc])* $name,)* }

        impl Unit {
            /// NumPy's abbreviation.
            pub const fn as_str(self) -> &'static str {
                match self { $(Unit::$name => $text,)* }
            }

            fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Unit::$name),)* "μs" => Some(Unit::Microsecond), _ => None }
            }
        }
    };
}

units! {
    /// Years.
    Year = "Y";
    /// Months.
    Month = "M";
    /// Weeks.
    Week = "W";
    /// Days.
    Day = "D";
    /// Hours.
    Hour = "h";
    /// Minutes.
    Minute = "m";
    /// Seconds.
    Second = "s";
    /// 1e-3 s.
    Millisecond = "ms";
    /// 1e-6 s.
    Microsecond = "us";
    /// 1e-9 s.
    Nanosecond = "ns";
    /// 1e-12 s.
    Picosecond = "ps";
    /// 1e-15 s.
    Femtosecond = "fs";
    /// 1e-18 s.
    Attosecond = "as";
}

impl TimeUnit {
    /// Parses what follows `M8` or `m8`: nothing, `[generic]`, `[ns]` or `[25s]`.
    pub(crate) fn parse_suffix(text: &str) -> Result<Option<Self>> {
        if text.is_empty() || text == "[generic]" {
            return Ok(None);
        }
        let bad = || {
            FormatError::new(
                Code::NpyDescr,
                format!("`{text}` is no unit of time such as `[ns]` or `[25s]`"),
            )
        };
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or_else(bad)?;
        let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = inner.split_at(digits);
        let multiplier = if number.is_empty() { 1 } else { number.parse().map_err(|_| bad())? };
        // NumPy keeps the multiplier in a C int.
        if multiplier == 0 || multiplier > i32::MAX as u32 {
            return Err(bad());
        }
        Ok(Some(Self { multiplier, unit: Unit::parse(unit).ok_or_else(bad)? }))
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.multiplier {
            1 => write!(f, "[{}]", self.unit.as_str()),
            n => write!(f, "[{n}{}]", self.unit.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_print_as_they_parse() {
        for text in ["[ns]", "[25s]", "[7D]", "[as]", "[Y]"] {
            assert_eq!(TimeUnit::parse_suffix(text).unwrap().unwrap().to_string(), text);
        }
        assert_eq!(TimeUnit::parse_suffix("").unwrap(), None);
        for bad in ["[]", "[x]", "[0s]", "ns", "[ns", "[99999999999s]", "[1.5s]"] {
            assert!(TimeUnit::parse_suffix(bad).is_err(), "{bad}");
        }
    }
}
