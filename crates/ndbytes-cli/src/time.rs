//! Dates as NumPy prints them.

use ndbytes::{TimeUnit, Unit};

/// A `datetime64` as ISO 8601, to the precision of its unit.
pub(crate) fn date(steps: i64, unit: Option<TimeUnit>) -> String {
    if steps == NOT_A_TIME {
        return "NaT".into();
    }
    let Some(TimeUnit { multiplier, unit }) = unit else {
        return steps.to_string();
    };
    let steps = i128::from(steps) * i128::from(multiplier);
    match unit {
        Unit::Year => format!("{:04}", steps + 1970),
        Unit::Month => {
            format!("{:04}-{:02}", 1970 + steps.div_euclid(12), steps.rem_euclid(12) + 1)
        }
        Unit::Week => day(steps * 7),
        Unit::Day => day(steps),
        Unit::Hour => clock(steps * 3600, 1),
        Unit::Minute => clock(steps * 60, 2),
        Unit::Second => clock(steps, 3),
        Unit::Millisecond => fraction(steps, 3),
        Unit::Microsecond => fraction(steps, 6),
        Unit::Nanosecond => fraction(steps, 9),
        Unit::Picosecond => fraction(steps, 12),
        Unit::Femtosecond => fraction(steps, 15),
        Unit::Attosecond => fraction(steps, 18),
    }
}

/// A `timedelta64` as the count of its unit.
pub(crate) fn difference(steps: i64) -> String {
    if steps == NOT_A_TIME { "NaT".into() } else { steps.to_string() }
}

/// Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>): eras of 400 years
/// that begin in March, so that the leap day is the last.
fn day(days: i128) -> String {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i128::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Date and time with this many of hours, minutes and seconds.
fn clock(seconds: i128, parts: u32) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let mut text = format!("{}T{:02}", day(days), rest / 3600);
    if parts > 1 {
        text.push_str(&format!(":{:02}", rest / 60 % 60));
    }
    if parts > 2 {
        text.push_str(&format!(":{:02}", rest % 60));
    }
    text
}

fn fraction(steps: i128, digits: u32) -> String {
    let second = 10i128.pow(digits);
    let (seconds, rest) = (steps.div_euclid(second), steps.rem_euclid(second));
    format!("{}.{rest:0width$}", clock(seconds, 3), width = digits as usize)
}

const NOT_A_TIME: i64 = i64::MIN;

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Option<TimeUnit> {
        let dtype: ndbytes::Dtype = format!("<M8{text}").parse().unwrap();
        match dtype.kind() {
            ndbytes::Kind::Datetime(unit) => *unit,
            _ => None,
        }
    }

    #[test]
    fn dates_are_numpys() {
        for (steps, text, want) in [
            (0, "[D]", "1970-01-01"),
            (-1, "[D]", "1969-12-31"),
            (11_016, "[D]", "2000-02-29"),
            (11_017, "[D]", "2000-03-01"),
            (-25_509, "[D]", "1900-02-28"),
            (-25_508, "[D]", "1900-03-01"),
            (-719_528, "[D]", "0000-01-01"),
            (2_932_896, "[D]", "9999-12-31"),
            (50, "[Y]", "2020"),
            (-1, "[M]", "1969-12"),
            (602, "[M]", "2020-03"),
            (1, "[W]", "1970-01-08"),
            (25, "[h]", "1970-01-02T01"),
            (-1, "[m]", "1969-12-31T23:59"),
            (1_700_000_000, "[s]", "2023-11-14T22:13:20"),
            (-1, "[ms]", "1969-12-31T23:59:59.999"),
            (1_700_000_000_123_456_789, "[ns]", "2023-11-14T22:13:20.123456789"),
            (3, "[25s]", "1970-01-01T00:01:15"),
            (1, "[as]", "1970-01-01T00:00:00.000000000000000001"),
            (i64::MIN, "[ns]", "NaT"),
            (7, "", "7"),
        ] {
            assert_eq!(date(steps, unit(text)), want, "{steps}{text}");
        }
        assert!(date(i64::MAX, unit("[Y]")).starts_with("9223372036854777"));
        assert_eq!(difference(i64::MIN), "NaT");
        assert_eq!(difference(-5), "-5");
    }
}
