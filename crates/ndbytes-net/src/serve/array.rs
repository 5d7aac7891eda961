//! Arrays in files, opened as far as their headers.

use std::io::Read;

use http::StatusCode;
use ndbytes::frame_format::Family;
use ndbytes::zip::{Method, key_of};
use ndbytes::{
    Code, Error, FrameReader, Header, Limits, Looks, MemberElements, NpzReader, Order, Section,
    looks_like, read_frame_header, read_header,
};
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
    /// In a compressed member of an archive.
    Packed {
        header: Header,
        elements: Box<MemberElements<Source>>,
    },
    Frame(FrameReader<Source>),
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
        let (header, member) = archive.array_member(index)?;
        let elements = member.elements()?;
        Ok(match elements.stored_at() {
            Some(offset) => Self::Plain { header, source: archive.source().clone(), offset },
            None => Self::Packed { header, elements: Box::new(elements) },
        })
    }

    pub(super) fn header(&self) -> &Header {
        match self {
            Self::Plain { header, .. } | Self::Packed { header, .. } => header,
            Self::Frame(frame) => frame.header().array(),
        }
    }

    pub(super) fn source(&self) -> &Source {
        match self {
            Self::Plain { source, .. } => source,
            Self::Packed { elements, .. } => elements.source(),
            Self::Frame(frame) => frame.source(),
        }
    }

    /// What its header says, and where its bytes are.
    pub(super) fn describe(&self) -> Value {
        let mut value = describe(self.header());
        match self {
            Self::Plain { offset, .. } => value["data_offset"] = json!(offset),
            Self::Packed { .. } => {}
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

/// What is read for a stranger.
pub(super) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.members = 1 << 16;
    limits
}

/// Enough to see what a file looks like.
const SAMPLE: u64 = 512;
/// Bytes of a frame's index, which is read as a whole: four million chunks.
const MOST_INDEX: usize = 64 << 20;
