//! The body of the fuzz target of sessions.

use std::io::{Cursor, sink};

use ndbytes::{Array, ArrayView, Error, ErrorKind, Limits, Order, Progress};
use ndbytes_net::session::{Link, RECORD_MAGIC, SessionOptions};

use crate::targets::MAX_BYTES;
use crate::transport::{HostileReader, ReadRule};

/// What a peer of a session sends is received or refused: no more of it than is allowed, and nothing
/// after what was refused.
///
/// The first byte says how it comes, and to whom; then units follow, each by its kind and its length.
pub fn session(data: &[u8]) {
    let Some((&choice, units)) = data.split_first() else { return };
    let stream = stream(units);
    let rule = ReadRule::HARMLESS[usize::from(choice) % ReadRule::HARMLESS.len()];
    let source = HostileReader::new(Cursor::new(stream.clone()), rule);
    let options = SessionOptions::default()
        .with_limits(Limits::default().with_bytes(MAX_BYTES).with_header(4096))
        .with_plain(choice & 64 != 0);
    let connects = choice & 128 != 0;
    let link = Link::over(Box::new(source), Box::new(sink()), &options, connects).expect("a sink");
    let mut arrays = 0;
    loop {
        match next(&link) {
            Ok(Some(array)) => {
                assert!(array.bytes().len() as u64 <= MAX_BYTES);
                arrays += 1;
                // Each takes some of it.
                assert!(arrays <= stream.len());
            }
            Ok(None) => {
                assert!(matches!(next(&link), Ok(None)));
                break;
            }
            Err(error) => {
                assert!(!error.message().is_empty() && error.message().len() < 8000, "{error}");
                assert_ne!(error.kind(), ErrorKind::Misuse, "{error}");
                assert!(next(&link).is_err());
                break;
            }
        }
    }
}

fn next(link: &Link) -> Result<Option<Array>, Error> {
    let Some(incoming) = link.receive()? else { return Ok(None) };
    incoming.read(&Progress::default()).map(Some)
}

/// The units that the bytes describe: records whose checksums are right, arrays, and anything.
fn stream(mut units: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let [kind, len, rest @ ..] = units {
        let (unit, more) = rest.split_at(rest.len().min(usize::from(*len)));
        units = more;
        match kind % 4 {
            0 => {
                let start = stream.len() + 8;
                stream.extend(RECORD_MAGIC);
                stream.extend((unit.len() as u32 + 8).to_le_bytes());
                stream.extend(b"NDB1");
                stream.extend(unit);
                stream.extend(crc32c::crc32c(&stream[start..]).to_le_bytes());
            }
            1 => {
                let dtype = "|u1".parse().expect("a dtype");
                let array = ArrayView::contiguous(dtype, &[unit.len()], Order::C, unit);
                stream.extend(ndbytes::dumps(&array.expect("it fits")).expect("to memory"));
            }
            2 => stream.extend(unit),
            _ => {
                stream.extend(unit);
                stream.extend(units);
                break;
            }
        }
    }
    stream
}
