//! Bearer tokens, RFC 6750, from a file.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use subtle::{Choice, ConstantTimeEq};

use crate::hex::parse_hex;

/// The tokens that are known: of each only a digest.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<Token>);

#[derive(Clone, Debug)]
struct Token {
    name: String,
    digest: [u8; SHA256_OUTPUT_LEN],
    read: bool,
    write: bool,
    /// Seconds since 1970.
    expires: Option<u64>,
}

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// Whose it is, for the log.
    pub(crate) name: String,
    pub(crate) read: bool,
    pub(crate) write: bool,
}

/// What a request needs to be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    Read,
    Write,
}

impl Grant {
    pub(crate) fn allows(&self, scope: Scope) -> bool {
        match scope {
            Scope::Read => self.read,
            Scope::Write => self.write,
        }
    }
}

impl Tokens {
    /// Reads the file; `docs/spec/http.md` has its form.
    ///
    /// # Errors
    /// What is wrong with it, with the line, and never with what stands in it.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&text).map_err(|message| format!("{name}: {message}"))
    }

    /// Parses the text of such a file.
    ///
    /// # Errors
    /// As [`Tokens::open`].
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut tokens: Vec<Token> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token =
                parse_line(line).map_err(|message| format!("line {}: {message}", number + 1))?;
            if tokens.iter().any(|other| other.digest == token.digest) {
                return Err(format!("line {}: this token stands there twice", number + 1));
            }
            tokens.push(token);
        }
        if tokens.is_empty() {
            return Err("there is no token in it".to_owned());
        }
        Ok(Self(tokens))
    }

    /// What this token allows, if it is known and has not expired. The time that this takes says
    /// nothing of the tokens.
    pub(crate) fn grant(&self, token: &str) -> Option<Grant> {
        let presented = digest(&SHA256, token.as_bytes());
        let mut found = None;
        for known in &self.0 {
            let same: Choice = known.digest.ct_eq(presented.as_ref());
            if bool::from(same) {
                found = Some(known);
            }
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let found = found.filter(|token| token.expires.is_none_or(|end| now < end))?;
        Some(Grant { name: found.name.clone(), read: found.read, write: found.write })
    }
}

/// `NAME SCOPES TOKEN [EXPIRES]`.
fn parse_line(line: &str) -> Result<Token, String> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(scopes), Some(secret)) = (words.next(), words.next(), words.next())
    else {
        return Err("a line is NAME SCOPES TOKEN, and a time after which it is void".to_owned());
    };
    let (mut read, mut write) = (false, false);
    for scope in scopes.split(',') {
        match scope {
            "read" => read = true,
            "write" => write = true,
            _ => return Err("the scopes are `read`, `write` and `read,write`".to_owned()),
        }
    }
    let digest = match secret.strip_prefix("sha256:") {
        Some(hex) => parse_hex(hex).ok_or("`sha256:` is followed by 64 hexadecimal digits")?,
        None => {
            // The b64token of RFC 6750.
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
            if secret.len() < MIN_LEN || !secret.bytes().all(fits) {
                return Err(format!(
                    "a token has at least {MIN_LEN} characters, letters, digits and -._~+/="
                ));
            }
            let mut bytes = [0; SHA256_OUTPUT_LEN];
            bytes.copy_from_slice(digest(&SHA256, secret.as_bytes()).as_ref());
            bytes
        }
    };
    let expires = words.next().map(parse_time).transpose()?;
    if words.next().is_some() {
        return Err("something follows the time".to_owned());
    }
    Ok(Token { name: name.to_owned(), digest, read, write, expires })
}

/// `2027-01-31T12:00:00Z` as seconds since 1970.
fn parse_time(text: &str) -> Result<u64, String> {
    let bad = || "a time is written as 2027-01-31T12:00:00Z".to_owned();
    let bytes = text.as_bytes();
    let form = b"dddd-dd-ddTdd:dd:ddZ";
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        form => byte == form,
    };
    if bytes.len() != form.len() || !bytes.iter().zip(form).all(fits) {
        return Err(bad());
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().map_err(|_| bad());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=months[(month as usize).clamp(1, 12) - 1]).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !in_range {
        return Err(bad());
    }
    let days: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<u64>()
        + months[..month as usize - 1].iter().sum::<u64>()
        + day
        - 1;
    Ok(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// What cannot be guessed is not shorter.
const MIN_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_allow_what_the_file_says() {
        let hex = digest(&SHA256, b"another-secret-token");
        let hex: String = hex.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!(
            "# who may\n\nalice read 0123456789abcdef\nbob read,write sha256:{hex} 2999-12-31T23:59:59Z\n\
             carol write fedcba9876543210 1999-12-31T23:59:59Z\n"
        );
        let tokens = Tokens::parse(&text).unwrap();
        let grant = |name: &str, write| Some(Grant { name: name.into(), read: true, write });
        assert_eq!(tokens.grant("0123456789abcdef"), grant("alice", false));
        assert_eq!(tokens.grant("another-secret-token"), grant("bob", true));
        let alice = tokens.grant("0123456789abcdef").unwrap();
        assert!(alice.allows(Scope::Read) && !alice.allows(Scope::Write));
        assert_eq!(tokens.grant("fedcba9876543210"), None);
        assert_eq!(tokens.grant("0123456789abcdeF"), None);
        assert_eq!(tokens.grant(""), None);
        assert!(!format!("{tokens:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn errors_do_not_tell_secrets() {
        for text in [
            "",
            "# nothing",
            "alice",
            "alice read",
            "alice admin 0123456789abcdef",
            "alice read SECRETshort",
            "alice read SECRET!SECRET!SECRET",
            "alice read sha256:SECRETSECRETSECRET",
            "alice read SECRETSECRETSECRET 2027-02-29T00:00:00Z",
            "alice read SECRETSECRETSECRET tomorrow",
            "alice read SECRETSECRETSECRET 2027-01-31T00:00:00Z more",
            "a read SECRETSECRETSECRET\nb read SECRETSECRETSECRET",
        ] {
            let error = Tokens::parse(text).unwrap_err();
            assert!(!error.contains("SECRET"), "{error}");
        }
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(parse_time("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(parse_time("2000-03-01T00:00:01Z"), Ok(951_868_801));
        assert_eq!(parse_time("2024-02-29T12:30:00Z"), Ok(1_709_209_800));
    }
}
