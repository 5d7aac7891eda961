//! What a client sends, as text: parsed without I/O, and without memory beyond the text's length.

mod accept;
mod conditions;
mod path;
mod query;
mod range;
mod tus;
mod want;

pub use accept::best_offer;
pub use conditions::{Conditions, Verdict};
pub use path::{RelativePath, encode_segment};
pub use query::Query;
pub use range::{ByteRange, Ranges, parse_ranges};
pub use tus::{ChecksumKind, parse_checksum, parse_metadata};
pub use want::{DigestKind, wanted_digest};

/// Decodes `%41`, and `+` as a space where that is what it means; none where a `%` stands alone.
fn percent_decode(text: &str, plus_is_space: bool) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                (high * 16 + low) as u8
            }
            b'+' if plus_is_space => b' ',
            _ => byte,
        });
    }
    Some(decoded)
}
