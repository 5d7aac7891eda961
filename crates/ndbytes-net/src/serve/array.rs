//! Arrays in files, opened as far as their headers.

use std::io::{self, Read};

use http::StatusCode;
use ndbytes::frame_format::Family;
use ndbytes::zip::{Entry, Method, key_of};
use ndbytes::{
    Code, Codec, Error, FrameReader, Header, Limits, Looks, NpzReader, Order, ReadAt, Section,
    looks_like, read_frame_header, read_header,
};
use ndbytes_codec::Decoder;
use serde_json::{Value, json};

use super::problem::Problem;
use super::source::Source;

/// What a file holds.
pub(super) enum Held {
    Array(Box<Array>),
    Archive(Box<NpzReader<Source>>),
}

/// An array whose elements are still where they were.
pub(super) enum Array {
    /// In the file as they are, from this byte on.
    Plain {
        header: Header,
        source: Source,
        offset: u64,
    },
    /// In a deflated member of an archive.
    Deflated {
        header: Header,
        member: Deflated,
    },
    Frame(FrameReader<Source>),
}

/// A deflated member.
#[derive(Clone, Debug)]
pub(super) struct Deflated {
    source: Source,
    /// Where its stream is.
    start: u64,
    entry: Entry,
}

/// The elements of a deflated member, from the first on.
pub(super) struct Inflated {
    member: Deflated,
    decoder: Decoder<Part>,
    crc: crc32fast::Hasher,
    /// The next byte, counted from the member's first.
    at: u64,
    /// Bytes of the member's own header.
    head: u64,
}

/// Bytes of a file as a reader.
struct Part {
    source: Source,
    at: u64,
    end: u64,
}

impl Held {
    /// Looks at what a file is, and reads what precedes the data.
    pub(super) fn open(source: Source) -> Result<Self, Problem> {
        let mut first = Vec::new();
        Section::new(&source, 0, SAMPLE).read_to_end(&mut first)?;
        match looks_like(&first) {
            Looks::Npy => {
                let mut reader = Section::new(&source, 0, source.len());
                let (header, offset) = read_header(&mut reader, &limits())?;
                let offset = offset as u64;
                let size = source.len() - offset;
                if size < header.nbytes() as u64 {
                    let message = format!("the data ends after {size} of {}", header.nbytes());
                    return Err(Error::new(Code::DataTruncated, message).at(source.len()).into());
                }
                Ok(Self::Array(Box::new(Array::Plain { header, source, offset })))
            }
            Looks::Frame => {
                let mut reader = Section::new(&source, 0, source.len());
                let (header, _) = read_frame_header(&mut reader, &limits())?;
                if header.index_len() > MOST_INDEX {
                    let message = format!("an index of {} bytes", header.index_len());
                    return Err(Error::new(Code::TooManyBytes, message).into());
                }
                Ok(Self::Array(Box::new(Array::Frame(FrameReader::new(source, &limits())?))))
            }
            Looks::Zip => Ok(Self::Archive(Box::new(NpzReader::new(source, &limits())?))),
            looks => {
                let detail = format!("not an .npy, .npz or .ndb file: it is {}", looks.describe());
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Err(Problem::new(status, Code::NpyMagic.as_str(), detail))
            }
        }
    }

    /// The array of a file, or one of an archive.
    pub(super) fn array(self, member: Option<&str>) -> Result<Array, Problem> {
        match (self, member) {
            (Self::Array(array), None) => Ok(*array),
            (Self::Array(_), Some(_)) => {
                Err(Problem::bad_request("http.query", "only an .npz has members"))
            }
            (Self::Archive(archive), Some(key)) => Array::member(&archive, archive.find(key)?),
            (Self::Archive(archive), None) if archive.entries().len() == 1 => {
                Array::member(&archive, 0)
            }
            (Self::Archive(_), None) => {
                let detail = "an archive has several arrays: say which by `member`";
                Err(Problem::bad_request("http.query", detail))
            }
        }
    }
}

impl Array {
    /// One of an archive.
    pub(super) fn member(archive: &NpzReader<Source>, index: usize) -> Result<Self, Problem> {
        let entry = &archive.entries()[index];
        let (header, left) = archive.array_member(index)?;
        let start = archive.data_offset(index)?;
        let source = archive.source().clone();
        let head = entry.uncompressed - left.left();
        Ok(match entry.method {
            Method::Stored => Self::Plain { header, source, offset: start + head },
            _ => {
                Self::Deflated { header, member: Deflated { source, start, entry: entry.clone() } }
            }
        })
    }

    pub(super) fn header(&self) -> &Header {
        match self {
            Self::Plain { header, .. } | Self::Deflated { header, .. } => header,
            Self::Frame(frame) => frame.header().array(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        match self {
            Self::Plain { source, .. } => source,
            Self::Deflated { member, .. } => &member.source,
            Self::Frame(frame) => frame.source(),
        }
    }

    /// What its header says, and where its bytes are.
    pub(super) fn describe(&self) -> Value {
        let mut value = describe(self.header());
        match self {
            Self::Plain { offset, .. } => value["data_offset"] = json!(offset),
            Self::Deflated { .. } => {}
            Self::Frame(frame) => {
                let header = frame.header();
                value["chunks"] = json!({
                    "shape": header.chunk_shape(),
                    "grid": header.grid(),
                    "count": header.chunk_count(),
                    "family": header.family().as_str(),
                });
                let raw = header.family() == Family::Raw;
                let bytes: u64 = frame.places().iter().map(|place| place.len).sum();
                value["stored_nbytes"] =
                    json!(if raw { header.array().nbytes() as u64 } else { bytes });
            }
        }
        value
    }
}

/// Dtype, shape and order of an array.
pub(super) fn describe(header: &Header) -> Value {
    let itemsize = header.dtype().itemsize();
    json!({
        "dtype": header.dtype().to_string(),
        "shape": header.shape(),
        "order": match header.order() { Order::C => "C", Order::F => "F" },
        "itemsize": itemsize,
        "nbytes": header.nbytes(),
    })
}

/// What a member of an archive is; of one that cannot be read, why.
pub(super) fn describe_member(archive: &NpzReader<Source>, index: usize) -> Value {
    let entry = &archive.entries()[index];
    let mut value = match archive.array_member(index) {
        Ok((header, _)) => describe(&header),
        Err(error) => {
            json!({ "error": { "code": error.code().as_str(), "detail": error.message() } })
        }
    };
    value["member"] = json!(key_of(&entry.name));
    value["compression"] = match entry.method {
        Method::Stored => json!("stored"),
        Method::Deflate => json!("deflate"),
        method => json!(method.name()),
    };
    value["stored_nbytes"] = json!(entry.compressed);
    value
}

impl Inflated {
    /// The elements of a member.
    pub(super) fn new(member: Deflated) -> Result<Self, Error> {
        let (start, end) = (member.start, member.start + member.entry.compressed);
        let part = Part { source: member.source.clone(), at: start, end };
        let decoder = Decoder::new(Codec::Deflate, part);
        let crc = crc32fast::Hasher::new();
        let mut inflated = Self { member, decoder, crc, at: 0, head: 0 };
        let (_, head) = read_header(&mut inflated, &limits())?;
        inflated.head = head as u64;
        Ok(inflated)
    }

    /// Reads the bytes of the elements from `offset` on. Those before it are inflated and dropped;
    /// going back begins anew.
    pub(super) fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> Result<(), Error> {
        if self.head + offset < self.at {
            *self = Self::new(self.member.clone())?;
        }
        let mut skipped = vec![0; SKIP];
        while self.at < self.head + offset {
            let len = (self.head + offset - self.at).min(SKIP as u64) as usize;
            self.read_exact(&mut skipped[..len])?;
        }
        self.read_exact(buffer)?;
        if self.at == self.member.entry.uncompressed {
            let crc = self.crc.clone().finalize();
            if crc != self.member.entry.crc32 {
                return Err(Error::new(Code::ZipCrc, "the CRC-32 of the member is wrong"));
            }
        }
        Ok(())
    }
}

impl Read for Inflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.member.entry.uncompressed.saturating_sub(self.at);
        let len = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.decoder.read(&mut buffer[..len])?;
        self.crc.update(&buffer[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(usize::try_from(self.end - self.at).unwrap_or(usize::MAX));
        let n = self.source.read_at(&mut buffer[..len], self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// What is read for a stranger.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.members = 1 << 16;
    limits
}

/// Enough to see what a file looks like.
const SAMPLE: u64 = 512;
const SKIP: usize = 1 << 16;
/// Bytes of a frame's index, which is read as a whole: four million chunks.
const MOST_INDEX: usize = 64 << 20;
