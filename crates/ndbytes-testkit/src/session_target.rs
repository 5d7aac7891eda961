//! The bodies of the fuzz targets of sessions, and of what carries them.

use std::io::{self, Cursor, Read, sink};
use std::path::Path;

use ndbytes::{ArrayView, Error, ErrorKind, Limits, Order, Progress};
use ndbytes_net::answer::AnswerReader;
use ndbytes_net::session::{Link, Next, RECORD_MAGIC, SessionOptions};

use crate::targets::MAX_BYTES;
use crate::transport::{HostileReader, ReadRule};

/// What a peer of a session sends is received or refused: no more of it than is allowed, nothing after
/// what was refused, and files in their folder alone.
///
/// The first byte says how it comes, to whom, and whether files may; then units follow, each by its kind
/// and its length.
pub fn session(data: &[u8]) {
    let Some((&choice, units)) = data.split_first() else { return };
    let stream = stream(units);
    let rule = ReadRule::HARMLESS[usize::from(choice) % ReadRule::HARMLESS.len()];
    let source = HostileReader::new(Cursor::new(stream.clone()), rule);
    let options = SessionOptions::default()
        .with_limits(Limits::default().with_bytes(MAX_BYTES).with_header(4096))
        .with_plain(choice & 64 != 0)
        .with_files(choice & 32 != 0)
        .with_read_ahead(choice & 16 == 0);
    let folder = (choice & 32 != 0).then(|| tempfile::tempdir().expect("a folder"));
    let next = |link: &Link| next(link, folder.as_ref().map(|folder| folder.path()));
    let connects = choice & 128 != 0;
    let link = Link::over(Box::new(source), Box::new(sink()), &options, connects).expect("a sink");
    let mut units = 0;
    loop {
        match next(&link) {
            Ok(Some(bytes)) => {
                assert!(bytes <= MAX_BYTES);
                units += 1;
                // Each takes some of it.
                assert!(units <= stream.len());
            }
            Ok(None) => {
                assert!(matches!(next(&link), Ok(None)));
                break;
            }
            Err(error) => {
                assert!(!error.message().is_empty() && error.message().len() < 8000, "{error}");
                // Names of files, and what is there already, are who sends' to choose.
                assert!(folder.is_some() || error.kind() != ErrorKind::Misuse, "{error}");
                assert!(next(&link).is_err());
                break;
            }
        }
    }
}

/// What a server of HTTP answers is a body or an error; a body is no longer than what was sent, and the same
/// however it comes. What is sent in chunks is what arrives.
///
/// The first byte says how it comes and how long chunks are; an answer follows.
pub fn http_answer(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let rule = ReadRule::HARMLESS[usize::from(choice) % ReadRule::HARMLESS.len()];
    let read = |answer: &[u8], rule| {
        let mut body = Vec::new();
        let source = HostileReader::new(Cursor::new(answer.to_vec()), rule);
        let read = AnswerReader::new(source, "http://a/").read_to_end(&mut body);
        // How much is told of what a server says depends on how it comes.
        (
            body,
            read.map_err(|error| {
                assert!(!error.to_string().is_empty() && error.to_string().len() < 8000);
                error.kind()
            }),
        )
    };
    let (whole, parts) = (read(bytes, ReadRule::Whole), read(bytes, rule));
    assert_eq!(whole, parts);
    assert!(whole.0.len() <= bytes.len());
    assert_ne!(whole.1, Err(io::ErrorKind::UnexpectedEof));
    let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in bytes.chunks(usize::from(choice).max(1)) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\nnot of it");
    assert_eq!(read(&chunked, rule), (bytes.to_vec(), Ok(bytes.len())));
}

/// How many bytes the next array has, or the next file, where there is a folder for some.
fn next(link: &Link, folder: Option<&Path>) -> Result<Option<u64>, Error> {
    let unit = match folder {
        None => link.receive()?.map(|incoming| Next::Array(Box::new(incoming))),
        Some(_) => link.next_unit()?,
    };
    match (unit, folder) {
        (Some(Next::Array(incoming)), _) => {
            let array = incoming.read(&Progress::default())?;
            Ok(Some(array.bytes().len() as u64))
        }
        (Some(Next::File(file)), Some(folder)) => {
            let (path, size) = (folder.join(file.name()), file.size());
            let stored = file.store(folder, size % 2 == 0, &Progress::default())?;
            assert_eq!((&stored.path, stored.size), (&path, size));
            assert_eq!(path.parent(), Some(folder));
            assert_eq!(std::fs::symlink_metadata(&path).expect("a file").len(), size);
            Ok(Some(size))
        }
        _ => Ok(None),
    }
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
