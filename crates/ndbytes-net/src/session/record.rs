//! What a session says between its arrays: records, in frames that Zstandard readers skip.
//!
//! `docs/spec/stream.md` is normative.

use ndbytes::{Code, Error, Result};
use serde_json::{Map, Value};

use crate::hex::{hex, parse_hex};

/// The first bytes of a record: Zstandard's skippable frame 14.
pub const RECORD_MAGIC: [u8; 4] = [0x5e, 0x2a, 0x4d, 0x18];
/// The first bytes of a piece of a file: Zstandard's skippable frame 13.
pub const PIECE_MAGIC: [u8; 4] = [0x5d, 0x2a, 0x4d, 0x18];
/// Bytes of magic and length.
pub const FRONT_LEN: usize = 8;
/// Most bytes of a record after these.
pub const MAX_RECORD: usize = 1 << 16;
/// Most bytes of a file in one piece.
pub const MAX_PIECE: usize = 1 << 20;

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Record {
    /// The first record of either side.
    Hello {
        /// Whether a checksum follows each `.npy` message of this side.
        sums: bool,
        /// Whether this side stores files.
        files: bool,
        /// A bearer token.
        token: Option<String>,
    },
    /// Belongs to the array that comes next.
    Array {
        /// Its name.
        name: Option<String>,
        /// A JSON object.
        meta: Option<String>,
    },
    /// An array is in memory of so many bytes, whose descriptor comes with this.
    Memory(u64),
    /// The CRC-32C of the `.npy` message before.
    Sum(u32),
    /// Asks for an acknowledgement of so many arrays.
    Sync(u64),
    /// So many arrays have arrived.
    Ack(u64),
    /// Nothing more comes.
    End {
        /// How many arrays came.
        arrays: u64,
        /// The bytes of their messages and frames.
        bytes: u64,
        /// The CRC-32C of all sums, each as 4 bytes, little-endian.
        sums: u32,
    },
    /// What went wrong; nothing more comes.
    Error {
        /// A code of `docs/spec/errors.md`.
        code: String,
        /// For people.
        message: String,
    },
    /// A file is to be sent.
    File {
        /// What it is to be called.
        name: String,
        /// Its bytes.
        size: u64,
    },
    /// So much of the file is there, with this digest.
    Have {
        /// Bytes from its beginning.
        size: u64,
        /// Their SHA-256.
        sha256: [u8; 32],
    },
    /// Pieces come from here on.
    From(u64),
    /// All pieces have come; the SHA-256 of the whole file.
    Done([u8; 32]),
    /// The file is stored.
    Stored,
    /// Of a kind that is not known, and may be passed over.
    Other(String),
}

impl Record {
    /// Appends the record.
    ///
    /// # Errors
    /// [`Code::StreamRecord`] when it is too long.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.encode_padded(out, 0)
    }

    /// Appends the record with at least so many bytes of JSON, spaces after it: so that one whose numbers
    /// are not known yet has a known length.
    ///
    /// # Errors
    /// As [`Record::encode`].
    pub fn encode_padded(&self, out: &mut Vec<u8>, least: usize) -> Result<()> {
        let mut json = self.to_json()?.to_string();
        json.extend(std::iter::repeat_n(' ', least.saturating_sub(json.len())));
        let len = TAG.len() + json.len() + 4;
        if len > MAX_RECORD {
            return Err(bad(format!(
                "a record of {len} bytes is too long: name and metadata have at most {MAX_RECORD} together"
            )));
        }
        out.extend(RECORD_MAGIC);
        out.extend((len as u32).to_le_bytes());
        let start = out.len();
        out.extend(TAG);
        out.extend(json.as_bytes());
        let sum = ndbytes_mem::crc32c(&out[start..]);
        out.extend(sum.to_le_bytes());
        Ok(())
    }

    /// How many bytes follow the first ones of a record.
    ///
    /// # Errors
    /// [`Code::StreamRecord`] when these are none, or too many follow.
    pub fn body_len(front: &[u8; FRONT_LEN]) -> Result<usize> {
        let [magic @ .., l0, l1, l2, l3] = *front;
        let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if magic != RECORD_MAGIC || !(TAG.len() + 4..=MAX_RECORD).contains(&len) {
            return Err(bad(format!("a record of {len} bytes: they have 8 to {MAX_RECORD}")));
        }
        Ok(len)
    }

    /// Parses what follows the first bytes.
    ///
    /// # Errors
    /// [`Code::StreamRecord`], [`Code::StreamChecksum`].
    pub fn parse(body: &[u8]) -> Result<Self> {
        let json = checked(body)?;
        let value: Value = serde_json::from_slice(json)
            .map_err(|error| bad(format!("a record is no JSON: {error}")))?;
        let Value::Object(mut fields) = value else {
            return Err(bad("a record is no JSON object".to_owned()));
        };
        let kind = text(&mut fields, "kind")?;
        Ok(match kind.as_str() {
            "hello" => Self::Hello {
                sums: flag(&fields, "sums")?,
                files: flag(&fields, "files")?,
                token: optional(&mut fields, "token")?,
            },
            "array" => Self::Array {
                name: optional(&mut fields, "name")?,
                meta: match fields.remove("meta") {
                    None | Some(Value::Null) => None,
                    Some(meta @ Value::Object(_)) => Some(meta.to_string()),
                    Some(_) => return Err(bad("the metadata is no JSON object".to_owned())),
                },
            },
            "memory" => Self::Memory(number(&fields, "size")?),
            "sum" => Self::Sum(small(&fields, "crc32c")?),
            "sync" => Self::Sync(number(&fields, "arrays")?),
            "ack" => Self::Ack(number(&fields, "arrays")?),
            "end" => Self::End {
                arrays: number(&fields, "arrays")?,
                bytes: number(&fields, "bytes")?,
                sums: small(&fields, "sums")?,
            },
            "error" => Self::Error {
                code: text(&mut fields, "code")?,
                message: text(&mut fields, "message")?,
            },
            "file" => {
                Self::File { name: text(&mut fields, "name")?, size: number(&fields, "size")? }
            }
            "have" => Self::Have { size: number(&fields, "size")?, sha256: digest(&mut fields)? },
            "from" => Self::From(number(&fields, "at")?),
            "done" => Self::Done(digest(&mut fields)?),
            "stored" => Self::Stored,
            _ if flag(&fields, "must")? => {
                return Err(Error::new(
                    Code::StreamVersion,
                    format!(
                        "the peer needs to be understood in `{}`: take a newer release",
                        kind.escape_debug()
                    ),
                ));
            }
            _ => Self::Other(kind),
        })
    }

    fn to_json(&self) -> Result<Value> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("kind", self.kind().into());
        match self {
            Self::Hello { sums, files, token } => {
                put("sums", (*sums).into());
                put("files", (*files).into());
                if let Some(token) = token {
                    put("token", token.as_str().into());
                }
            }
            Self::Array { name, meta } => {
                if let Some(name) = name {
                    put("name", name.as_str().into());
                }
                if let Some(meta) = meta {
                    match serde_json::from_str(meta) {
                        Ok(meta @ Value::Object(_)) => put("meta", meta),
                        _ => {
                            return Err(Error::new(
                                Code::Argument,
                                "metadata must be a JSON object",
                            ));
                        }
                    }
                }
            }
            Self::Memory(size) => {
                put("size", (*size).into());
                // Who passes it over loses an array.
                put("must", true.into());
            }
            Self::Sum(sum) => put("crc32c", (*sum).into()),
            Self::Sync(arrays) | Self::Ack(arrays) => put("arrays", (*arrays).into()),
            Self::End { arrays, bytes, sums } => {
                put("arrays", (*arrays).into());
                put("bytes", (*bytes).into());
                put("sums", (*sums).into());
            }
            Self::Error { code, message } => {
                put("code", code.as_str().into());
                put("message", message.as_str().into());
            }
            Self::File { name, size } => {
                put("name", name.as_str().into());
                put("size", (*size).into());
            }
            Self::Have { size, sha256 } => {
                put("size", (*size).into());
                put("sha256", hex(sha256).into());
            }
            Self::From(at) => put("at", (*at).into()),
            Self::Done(sha256) => put("sha256", hex(sha256).into()),
            Self::Stored | Self::Other(_) => {}
        }
        Ok(fields.into())
    }

    /// Its name in the stream.
    pub fn kind(&self) -> &str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Array { .. } => "array",
            Self::Memory(_) => "memory",
            Self::Sum(_) => "sum",
            Self::Sync(_) => "sync",
            Self::Ack(_) => "ack",
            Self::End { .. } => "end",
            Self::Error { .. } => "error",
            Self::File { .. } => "file",
            Self::Have { .. } => "have",
            Self::From(_) => "from",
            Self::Done(_) => "done",
            Self::Stored => "stored",
            Self::Other(kind) => kind,
        }
    }
}

/// The front of a piece of a file that begins there, and its checksum, which comes behind.
pub(super) fn piece_ends(at: u64, bytes: &[u8]) -> ([u8; PIECE_FRONT], [u8; 4]) {
    let mut front = [0; PIECE_FRONT];
    let len = (PIECE_FRONT - FRONT_LEN + bytes.len() + 4) as u32;
    front[..4].copy_from_slice(&PIECE_MAGIC);
    front[4..8].copy_from_slice(&len.to_le_bytes());
    front[8..12].copy_from_slice(TAG);
    front[12..].copy_from_slice(&at.to_le_bytes());
    let sum = ndbytes_mem::crc32c_append(ndbytes_mem::crc32c(&front[8..]), bytes);
    (front, sum.to_le_bytes())
}

/// How many bytes follow the first ones of a piece.
pub(super) fn piece_len(front: &[u8; FRONT_LEN]) -> Result<usize> {
    let [magic @ .., l0, l1, l2, l3] = *front;
    let len = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let least = PIECE_FRONT - FRONT_LEN + 4;
    if magic != PIECE_MAGIC || !(least..=least + MAX_PIECE).contains(&len) {
        return Err(bad(format!("a piece of {len} bytes is none")));
    }
    Ok(len)
}

/// Where a piece belongs, and its bytes.
pub(super) fn parse_piece(body: &[u8]) -> Result<(u64, &[u8])> {
    let piece = checked(body)?;
    match piece.split_first_chunk() {
        Some((at, bytes)) => Ok((u64::from_le_bytes(*at), bytes)),
        None => Err(bad("a piece without a place".to_owned())),
    }
}

/// What stands between tag and checksum.
fn checked(body: &[u8]) -> Result<&[u8]> {
    let Some((covered, stored)) = body.split_last_chunk() else {
        return Err(bad("a record without a checksum".to_owned()));
    };
    if !covered.starts_with(TAG) {
        return Err(bad(
            "a skippable frame that is no record: the tag `NDB1` is missing".to_owned()
        ));
    }
    let (stored, computed) = (u32::from_le_bytes(*stored), ndbytes_mem::crc32c(covered));
    if stored != computed {
        let message = format!(
            "a record's checksum is {computed:08x}, {stored:08x} is stored: bytes have changed on the way"
        );
        return Err(Error::new(Code::StreamChecksum, message));
    }
    Ok(&covered[TAG.len()..])
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String> {
    optional(fields, name)?.ok_or_else(|| bad(format!("a record lacks `{name}`")))
}

fn optional(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format!("a record's `{name}` is no string"))),
    }
}

fn number(fields: &Map<String, Value>, name: &str) -> Result<u64> {
    let number = fields.get(name).and_then(Value::as_u64);
    number.ok_or_else(|| bad(format!("a record lacks the number `{name}`")))
}

fn small(fields: &Map<String, Value>, name: &str) -> Result<u32> {
    let number = u32::try_from(number(fields, name)?);
    number.map_err(|_| bad(format!("a record's `{name}` does not fit 32 bits")))
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool> {
    match fields.get(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(bad(format!("a record's `{name}` is neither true nor false"))),
    }
}

fn digest(fields: &mut Map<String, Value>) -> Result<[u8; 32]> {
    let digits = text(fields, "sha256")?;
    parse_hex(&digits)
        .ok_or_else(|| bad("a record's `sha256` is not 64 hexadecimal digits".to_owned()))
}

fn bad(message: String) -> Error {
    Error::new(Code::StreamRecord, message)
}

/// What tells records from other skippable frames, and their version.
const TAG: &[u8; 4] = b"NDB1";
/// Bytes of a piece before those of the file: magic, length, tag, place.
pub(super) const PIECE_FRONT: usize = FRONT_LEN + 4 + 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Record> {
        vec![
            Record::Hello { sums: true, files: false, token: Some("secret".into()) },
            Record::Array { name: Some("\u{e4}\"\n".into()), meta: Some("{\"a\":[1,2.5]}".into()) },
            Record::Array { name: None, meta: None },
            Record::Memory(4096),
            Record::Sum(u32::MAX),
            Record::Sync(u64::MAX),
            Record::Ack(0),
            Record::End { arrays: 1, bytes: 1 << 40, sums: 7 },
            Record::Error { code: "stream.denied".into(), message: "no".into() },
            Record::File { name: "a.npy".into(), size: 3 },
            Record::Have { size: 2, sha256: [0xa5; 32] },
            Record::From(2),
            Record::Done([1; 32]),
            Record::Stored,
            Record::Other("later".into()),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for record in all() {
            let mut bytes = Vec::new();
            record.encode(&mut bytes).unwrap();
            let (front, body) = bytes.split_first_chunk().unwrap();
            assert_eq!(Record::body_len(front).unwrap(), body.len());
            assert_eq!(Record::parse(body).unwrap(), record);
        }
    }

    #[test]
    fn a_record_may_be_padded() {
        let lens = [0, 1 << 20, u32::MAX].map(|sum| {
            let mut bytes = Vec::new();
            Record::Sum(sum).encode_padded(&mut bytes, 40).unwrap();
            assert_eq!(Record::parse(&bytes[FRONT_LEN..]).unwrap(), Record::Sum(sum));
            bytes.len()
        });
        assert_eq!(lens, [FRONT_LEN + 4 + 40 + 4; 3]);
    }

    #[test]
    fn a_flipped_bit_is_noticed() {
        for record in all() {
            let mut bytes = Vec::new();
            record.encode(&mut bytes).unwrap();
            for bit in 0..8 * (bytes.len() - FRONT_LEN) {
                let mut body = bytes[FRONT_LEN..].to_vec();
                body[bit / 8] ^= 1 << (bit % 8);
                assert!(Record::parse(&body).is_err());
            }
        }
    }

    #[test]
    fn pieces_say_where_they_belong() {
        let (front, sum) = piece_ends(9, b"abc");
        let mut piece = front.to_vec();
        piece.extend(b"abc");
        piece.extend(sum);
        let (front, body) = piece.split_first_chunk().unwrap();
        assert_eq!(piece_len(front).unwrap(), body.len());
        assert_eq!(parse_piece(body).unwrap(), (9, &b"abc"[..]));
        assert!(parse_piece(&body[1..]).is_err());
        assert!(piece_len(&[0x5d, 0x2a, 0x4d, 0x18, 255, 255, 255, 255]).is_err());
    }

    #[test]
    fn what_must_be_known_is() {
        let parse = |json: &str| {
            let mut body = [TAG.as_slice(), json.as_bytes()].concat();
            body.extend(ndbytes_mem::crc32c(&body).to_le_bytes());
            Record::parse(&body)
        };
        assert_eq!(parse("{\"kind\":\"new\"}").unwrap(), Record::Other("new".into()));
        let error = parse("{\"kind\":\"new\",\"must\":true}").unwrap_err();
        assert_eq!(error.code(), Code::StreamVersion);
        for text in [
            "",
            "[]",
            "{}",
            "{\"kind\":1}",
            "{\"kind\":\"ack\"}",
            "{\"kind\":\"ack\",\"arrays\":-1}",
        ] {
            assert_eq!(parse(text).unwrap_err().code(), Code::StreamRecord, "{text}");
        }
    }
}
