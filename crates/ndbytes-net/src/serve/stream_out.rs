//! Arrays as a session in the body of an answer: `docs/spec/stream.md`, one way.

use std::io;

use bytes::Bytes;
use ndbytes::zip::key_of;
use ndbytes::{Code, Error, Header};

use super::array::{Array, Held};
use super::body::Producer;
use super::content::Content;
use super::problem::Problem;
use super::slice;
use super::source::Source;
use crate::request::RelativePath;
use crate::session::{KIND, Record};

/// The array of a file, or those of an archive, each with its name, and an end.
pub(super) fn content(source: Source, path: &RelativePath) -> Result<Content, Problem> {
    let stamp = source.stamp();
    let arrays = Arrays::new(Held::open(source)?, path)?;
    let stream = Stream { next: 0, elements: None, sum: 0, sums: 0, bytes: 0, arrays };
    let len = stream.arrays.total()?;
    let tag = format!("{}-stream", stamp.tag());
    Ok(Content::stream(KIND, &tag, len, stream).modified(stamp.modified()))
}

/// What there is to send.
struct Arrays {
    held: Option<Held>,
    /// Names, and headers as they are sent.
    known: Vec<(String, Header)>,
}

impl Arrays {
    fn new(held: Held, path: &RelativePath) -> Result<Self, Problem> {
        let known = match &held {
            Held::Array(array) => {
                only(array)?;
                let name = path.segments().last().map_or(&[][..], Vec::as_slice);
                let name = String::from_utf8_lossy(name);
                let suffixes = [".npy", ".ndb"].iter();
                let stem = suffixes.filter_map(|suffix| name.strip_suffix(suffix)).next();
                vec![(stem.unwrap_or(&name).to_owned(), sent(array)?)]
            }
            Held::Archive(archive) => {
                if archive.entries().len() > MOST_MEMBERS {
                    let count = archive.entries().len();
                    let message = format!("{count} members, and a stream has {MOST_MEMBERS}");
                    return Err(Error::new(Code::TooManyMembers, message).into());
                }
                let member = |(index, entry): (usize, &ndbytes::zip::Entry)| {
                    let array = Array::member(archive, index)?;
                    Ok((key_of(&entry.name).to_owned(), sent(&array)?))
                };
                let members = archive.entries().iter().enumerate().map(member);
                members.collect::<Result<Vec<_>, Problem>>()?
            }
        };
        Ok(Self { held: Some(held), known })
    }

    fn take(&mut self, index: usize) -> Result<Array, Problem> {
        match self.held.take() {
            Some(Held::Archive(archive)) => {
                let array = Array::member(&archive, index);
                self.held = Some(Held::Archive(archive));
                array
            }
            Some(held) => held.array(None),
            None => Err(Problem::not_found("it was sent before")),
        }
    }

    /// Bytes of the stream.
    fn total(&self) -> Result<u64, Problem> {
        let mut total = (front()?.len() + end(0, 0, 0)?.len()) as u64;
        for (name, header) in &self.known {
            total += (tag(name)?.len() + header.encode()?.len() + sum(0)?.len()) as u64;
            total = total.checked_add(header.nbytes() as u64).ok_or_else(|| {
                Error::new(Code::TooManyBytes, "the members have more bytes than there can be")
            })?;
        }
        Ok(total)
    }
}

/// Refuses a file in which more follows: what is left out would seem not to be there.
fn only(array: &Array) -> Result<(), Problem> {
    let Array::Plain { header, source, offset } = array else { return Ok(()) };
    let end = *offset + header.nbytes() as u64;
    if source.len() == end {
        return Ok(());
    }
    let message = "more follows the array: /files/ gives all of it";
    Err(Error::new(Code::DataTrailing, message).at(end).into())
}

/// The header that the elements of this array are sent with.
fn sent(array: &Array) -> Result<Header, Problem> {
    slice::facts(array.header(), array.header().shape().to_vec())
}

/// Makes the stream piece by piece.
struct Stream {
    arrays: Arrays,
    /// The array that is next.
    next: usize,
    /// The elements of the one that is on its way.
    elements: Option<Box<dyn Producer>>,
    /// Of the message on its way.
    sum: u32,
    /// Of all sums.
    sums: u32,
    /// Bytes of messages.
    bytes: u64,
}

impl Stream {
    fn begin(&mut self) -> Result<Vec<u8>, Problem> {
        let (name, header) = &self.arrays.known[self.next];
        let mut piece = if self.next == 0 { front()? } else { Vec::new() };
        piece.extend(tag(name)?);
        let head = header.encode()?;
        self.sum = ndbytes_mem::crc32c(&head);
        self.bytes += (head.len() + header.nbytes()) as u64;
        piece.extend(head);
        let array = self.arrays.take(self.next)?;
        self.elements = Some(slice::whole(array)?);
        self.next += 1;
        Ok(piece)
    }
}

impl Producer for Stream {
    fn produce(&mut self) -> io::Result<Option<Bytes>> {
        let count = self.arrays.known.len();
        if let Some(elements) = &mut self.elements {
            if let Some(piece) = elements.produce()? {
                self.sum = ndbytes_mem::crc32c_append(self.sum, &piece);
                return Ok(Some(piece));
            }
            self.elements = None;
            self.sums = ndbytes_mem::crc32c_append(self.sums, &self.sum.to_le_bytes());
            return Ok(Some(sum(self.sum)?.into()));
        }
        if self.next < count {
            let begun = self.begin().map_err(Problem::into_io)?;
            return Ok(Some(begun.into()));
        }
        if self.next > count {
            return Ok(None);
        }
        self.next += 1;
        let mut piece = if count == 0 { front()? } else { Vec::new() };
        piece.extend(end(count, self.bytes, self.sums)?);
        Ok(Some(piece.into()))
    }
}

fn front() -> ndbytes::Result<Vec<u8>> {
    encoded(&Record::Hello { sums: true, files: false, token: None })
}

fn tag(name: &str) -> ndbytes::Result<Vec<u8>> {
    encoded(&Record::Array { name: Some(name.to_owned()), meta: None })
}

fn sum(sum: u32) -> ndbytes::Result<Vec<u8>> {
    encoded(&Record::Sum(sum))
}

fn end(arrays: usize, bytes: u64, sums: u32) -> ndbytes::Result<Vec<u8>> {
    encoded(&Record::End { arrays: arrays as u64, bytes, sums })
}

/// A record, as long as the longest with such numbers: lengths are known before sums are.
fn encoded(record: &Record) -> ndbytes::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    record.encode_padded(&mut bytes, LEAST)?;
    Ok(bytes)
}

/// Members that are looked at before the first one is sent.
const MOST_MEMBERS: usize = 10_000;
/// `end` with its largest numbers.
const LEAST: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_do_not_depend_on_sums() {
        let ends = [end(0, 0, 0), end(usize::MAX, u64::MAX, u32::MAX)];
        let [least, most] = ends.map(|end| end.unwrap().len());
        assert_eq!(least, most);
        assert_eq!(sum(0).unwrap().len(), sum(u32::MAX).unwrap().len());
    }
}
