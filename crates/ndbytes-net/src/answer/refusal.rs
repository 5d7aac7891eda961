//! An answer that is no success, as an error.

use std::io;

use ndbytes::{Code, Error};

/// The error that an answer of this status is: `said` is what its body begins with, text for people
/// or not.
///
/// [`Code::Io`] of the kinds `NotFound` and `PermissionDenied` where that is what the status says, else
/// [`Code::HttpStatus`].
pub fn refusal(url: &str, status: u16, reason: &str, said: &[u8]) -> Error {
    let said = String::from_utf8_lossy(said);
    let said = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let said = match said.starts_with('<') || said.is_empty() {
        true => String::new(),
        false => format!(": {}", said.replace(char::is_control, " ").trim()),
    };
    let space = if reason.is_empty() { "" } else { " " };
    let message = format!("{url}: the server answers {status}{space}{reason}{said}");
    match status {
        404 | 410 => io::Error::new(io::ErrorKind::NotFound, message).into(),
        401 | 403 | 407 => io::Error::new(io::ErrorKind::PermissionDenied, message).into(),
        _ => Error::new(Code::HttpStatus, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_told() {
        let error = refusal("http://a/b", 409, "Conflict", b"\r\n no\x07 \nmore");
        assert_eq!(error.message(), "http://a/b: the server answers 409 Conflict: no");
        assert_eq!(error.code(), Code::HttpStatus);
        let page = refusal("http://a/b", 503, "", b"<html>");
        assert_eq!(page.message(), "http://a/b: the server answers 503");
        for (status, kind) in
            [(404, io::ErrorKind::NotFound), (401, io::ErrorKind::PermissionDenied)]
        {
            assert_eq!(refusal("", status, "", b"").io().unwrap().kind(), kind);
        }
    }
}
