//! Reading `.npz`.

use std::collections::HashMap;

use ndbytes_codec::{Codec, Decoder};
use ndbytes_format::zip::{
    Directory, END_MAX, Entry, LOCAL_LEN, Method, key_of, local_len, member_name,
};
use ndbytes_format::{Code, Header, Limits, looks_like};

use crate::array::Array;
use crate::error::{Error, Result};
use crate::npy::{fill_growing, read_header};
use crate::npz::member::{Data, Member};
use crate::progress::{Meter, Progress};
use crate::read_at::{ReadAt, Section, read_part_at};
use crate::validate::validate_measured;

/// An archive whose directory has been read; members are read when they are asked for.
///
/// Reads by position only, so that threads and forked processes may share the source.
#[derive(Debug)]
pub struct NpzReader<R> {
    source: R,
    entries: Vec<Entry>,
    index: HashMap<String, usize>,
    directory: Directory,
    limits: Limits,
}

impl<R: ReadAt> NpzReader<R> {
    /// Reads the directory of an archive.
    ///
    /// # Errors
    /// [`Code::ZipEnd`] with what the bytes look like, [`Code::ZipRecord`] also where members
    /// overlap, [`Code::TooManyMembers`].
    pub fn new(source: R, limits: &Limits) -> Result<Self> {
        let size = source.size()?;
        let mut tail = vec![0; size.min(END_MAX as u64) as usize];
        let start = size - tail.len() as u64;
        let got = read_part_at(&source, &mut tail, start)?;
        tail.truncate(got);
        let directory = Directory::parse_end(&tail, start + got as u64).map_err(|error| {
            let mut first = [0; 64];
            let got = read_part_at(&source, &mut first, 0).unwrap_or(0);
            match first[..got].starts_with(b"PK") {
                true => Error::from(error),
                false => Error::new(
                    Code::ZipEnd,
                    format!(
                        "not an .npz file: it looks like {}",
                        looks_like(&first[..got]).describe()
                    ),
                )
                .at(0),
            }
        })?;
        if directory.entries > limits.members {
            let message =
                format!("{} members, more than the limit of {}", directory.entries, limits.members);
            return Err(Error::new(Code::TooManyMembers, message));
        }
        // `parse_end` has checked that the directory lies within the file, which may be sparse.
        let mut bytes = Vec::new();
        let mut section = Section::new(&source, directory.offset, directory.len);
        if fill_growing(&mut section, &mut bytes, directory.len as usize)? < directory.len as usize
        {
            return Err(Error::new(Code::ZipEnd, "the file became shorter while it was read"));
        }
        let entries = Entry::parse_central(&bytes, directory.entries)
            .map_err(|error| error.shifted(directory.offset))?;
        check_overlap(&entries)?;
        // Of members of one name the last counts, as in Python.
        let index = entries.iter().enumerate().map(|(i, entry)| (entry.name.clone(), i)).collect();
        Ok(Self { source, entries, index, directory, limits: *limits })
    }

    /// The members, in the order of the directory.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The arrays' keys: the members' names without `.npy`.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| key_of(&entry.name))
    }

    /// The limits that it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The source.
    pub fn source(&self) -> &R {
        &self.source
    }

    /// What it read.
    pub fn into_source(self) -> R {
        self.source
    }

    /// The same archive over another source of the same bytes.
    pub fn map_source<S>(self, map: impl FnOnce(R) -> S) -> NpzReader<S> {
        let Self { source, entries, index, directory, limits } = self;
        NpzReader { source: map(source), entries, index, directory, limits }
    }

    /// Where the directory is.
    pub(super) fn directory(&self) -> Directory {
        self.directory
    }

    /// The number of the member of this key, with or without `.npy`.
    ///
    /// # Errors
    /// [`Code::ZipMissing`].
    pub fn find(&self, key: &str) -> Result<usize> {
        let found = self.index.get(key).or_else(|| self.index.get(&member_name(key)));
        found.copied().ok_or_else(|| {
            let mut keys: Vec<_> = self.keys().take(10).collect();
            if self.entries.len() > keys.len() {
                keys.push("...");
            }
            Error::new(
                Code::ZipMissing,
                format!("no array `{}`; there are {keys:?}", key.escape_debug()),
            )
        })
    }

    /// Where the member's bytes begin in the source.
    ///
    /// # Errors
    /// [`Code::ZipRecord`] where the directory lies.
    pub fn data_offset(&self, member: usize) -> Result<u64> {
        let entry = &self.entries[member];
        let mut fixed = [0; LOCAL_LEN];
        let got = read_part_at(&self.source, &mut fixed, entry.header_offset)?;
        let len = local_len(&fixed[..got]).map_err(|error| error.shifted(entry.header_offset))?;
        let start = entry.header_offset.checked_add(len);
        let end = start.and_then(|start| start.checked_add(entry.compressed));
        match (start, end) {
            (Some(start), Some(end)) if end <= self.directory.offset => Ok(start),
            _ => Err(Error::new(
                Code::ZipRecord,
                format!("member `{}` reaches outside of the archive", entry.name.escape_debug()),
            )
            .at(entry.header_offset)),
        }
    }

    /// Opens a member.
    ///
    /// # Errors
    /// [`Code::ZipUnsupported`] for encryption and methods other than stored and deflate;
    /// [`Code::ZipRecord`] where the directory lies.
    pub fn member(&self, member: usize) -> Result<Member<'_, R>> {
        let entry = &self.entries[member];
        let unsupported = |what: String| {
            let message = format!("member `{}` {what}", entry.name.escape_debug());
            Err(Error::new(Code::ZipUnsupported, message).at(entry.header_offset))
        };
        if entry.encrypted {
            return unsupported("is encrypted".into());
        }
        let start = self.data_offset(member)?;
        let section = Section::new(&self.source, start, entry.compressed);
        let data = match entry.method {
            Method::Stored if entry.compressed != entry.uncompressed => {
                let message =
                    format!("stored member `{}` has two sizes", entry.name.escape_debug());
                return Err(Error::new(Code::ZipRecord, message).at(entry.header_offset));
            }
            Method::Stored => Data::Stored(section),
            Method::Deflate => Data::Packed(Box::new(Decoder::new(Codec::Deflate, section))),
            Method::Zstd => Data::Packed(Box::new(Decoder::new(Codec::Zstd, section))),
            method => {
                return unsupported(format!(
                    "is compressed by {}, which is not read here",
                    method.name()
                ));
            }
        };
        Ok(Member::new(&self.source, entry, start, data))
    }

    /// Opens a member that is an array and reads its header, which must account for every byte.
    ///
    /// # Errors
    /// As [`NpzReader::member`] and [`read_header`]; [`Code::DataTruncated`] or
    /// [`Code::DataTrailing`] when the member's size is not that of the array.
    pub fn array_member(&self, member: usize) -> Result<(Header, Member<'_, R>)> {
        let entry = &self.entries[member];
        let named = |error: Error| named(error, &entry.name);
        let mut bytes = self.member(member)?;
        let (header, len) = read_header(&mut bytes, &self.limits).map_err(named)?;
        let expected = len as u64 + header.nbytes() as u64;
        if entry.uncompressed != expected {
            let code = if entry.uncompressed < expected {
                Code::DataTruncated
            } else {
                Code::DataTrailing
            };
            let message =
                format!("its array takes {expected} bytes, the member has {}", entry.uncompressed);
            return Err(named(Error::new(code, message)));
        }
        Ok((header, bytes))
    }
}

impl<R: ReadAt + Sync> NpzReader<R> {
    /// Reads the data of an opened array member and checks the CRC. A large stored one is read and
    /// checked by several threads.
    ///
    /// # Errors
    /// As [`read_exact`](crate::read_exact); [`Code::ZipCrc`].
    pub fn read_data(header: &Header, member: Member<'_, R>, out: &mut [u8]) -> Result<()> {
        Self::read_data_with(header, member, out, &Progress::default())
    }

    /// As [`NpzReader::read_data`], and tells how far it is.
    ///
    /// # Errors
    /// As [`NpzReader::read_data`], and what [`Progress`] said.
    pub fn read_data_with(
        header: &Header,
        member: Member<'_, R>,
        out: &mut [u8],
        progress: &Progress,
    ) -> Result<()> {
        let meter = Meter::new(progress, out.len() as u64);
        let read = Self::read_measured(header, member, out, &meter);
        meter.end(read)
    }

    pub(super) fn read_measured(
        header: &Header,
        mut member: Member<'_, R>,
        out: &mut [u8],
        meter: &Meter,
    ) -> Result<()> {
        let name = member.name();
        let mut read = || {
            member.read_rest(out, meter)?;
            validate_measured(header.dtype(), out, meter)?;
            member.finish()
        };
        read().map_err(|error| named(error, name))
    }

    /// Reads the array of this key.
    ///
    /// # Errors
    /// As [`NpzReader::array_member`] and [`NpzReader::read_data`].
    pub fn read(&self, key: &str) -> Result<Array> {
        let (header, member) = self.array_member(self.find(key)?)?;
        let mut array = Array::zeroed(header.clone())?;
        Self::read_data(&header, member, array.bytes_mut())?;
        Ok(array)
    }
}

/// Members that share bytes let a small archive hold any amount of data (a "zip bomb" without
/// recursion); no writer makes them.
fn check_overlap(entries: &[Entry]) -> Result<()> {
    let mut places: Vec<&Entry> = entries.iter().collect();
    places.sort_by_key(|entry| entry.header_offset);
    for pair in places.windows(2) {
        let end = pair[0].header_offset.saturating_add(LOCAL_LEN as u64);
        if end.saturating_add(pair[0].compressed) > pair[1].header_offset {
            let message = format!(
                "members `{}` and `{}` overlap: it may be a bomb",
                pair[0].name.escape_debug(),
                pair[1].name.escape_debug()
            );
            return Err(Error::new(Code::ZipRecord, message).at(pair[1].header_offset));
        }
    }
    Ok(())
}

pub(super) fn named(error: Error, member: &str) -> Error {
    if error.io().is_some() {
        return error;
    }
    let offset = error.offset();
    let renamed = Error::new(
        error.code(),
        format!("member `{}`: {}", member.escape_debug(), error.message()),
    );
    match offset {
        Some(offset) => renamed.at(offset),
        None => renamed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ArrayView, Compression, NpzWriter, Order};

    fn archive(compression: Compression) -> Vec<u8> {
        let bytes: Vec<u8> = (0..240).collect();
        let mut writer = NpzWriter::new(Vec::new());
        let view =
            ArrayView::contiguous("<f8".parse().unwrap(), &[5, 6], Order::C, &bytes).unwrap();
        writer.add("a", &view, compression).unwrap();
        let view = ArrayView::new("<i2".parse().unwrap(), &[3, 4], &[2, 20], &bytes, 8).unwrap();
        writer.add("é/b", &view, compression).unwrap();
        assert_eq!(writer.add("a", &view, compression).unwrap_err().code(), Code::ZipName);
        assert_eq!(writer.add("a\0", &view, compression).unwrap_err().code(), Code::ZipName);
        writer.finish().unwrap()
    }

    #[test]
    fn comes_back() {
        for compression in [Compression::Stored, Compression::Deflate(6)] {
            let bytes = archive(compression);
            let reader = NpzReader::new(&bytes[..], &Limits::default()).unwrap();
            assert_eq!(reader.keys().collect::<Vec<_>>(), ["a", "é/b"]);
            let a = reader.read("a").unwrap();
            assert_eq!((a.shape(), a.bytes()), (&[5, 6][..], &(0..240).collect::<Vec<u8>>()[..]));
            let b = reader.read("é/b.npy").unwrap();
            assert_eq!(&b.bytes()[..4], [8, 9, 28, 29]);
            assert_eq!(reader.read("c").unwrap_err().code(), Code::ZipMissing);
        }
    }

    #[test]
    fn stored_data_is_aligned() {
        let bytes = archive(Compression::Stored);
        let reader = NpzReader::new(&bytes[..], &Limits::default()).unwrap();
        for member in 0..2 {
            assert_eq!(reader.data_offset(member).unwrap() % 64, 0);
        }
    }

    #[test]
    fn an_empty_archive_has_no_arrays() {
        let bytes = NpzWriter::new(Vec::new()).finish().unwrap();
        assert_eq!(bytes.len(), 22);
        assert_eq!(NpzReader::new(&bytes[..], &Limits::default()).unwrap().entries().len(), 0);
    }

    #[test]
    fn cut_anywhere_is_reported() {
        for compression in [Compression::Stored, Compression::Deflate(6)] {
            let bytes = archive(compression);
            for end in 0..bytes.len() {
                assert!(NpzReader::new(&bytes[..end], &Limits::default()).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_gives_other_data() {
        for compression in [Compression::Stored, Compression::Deflate(6)] {
            let bytes = archive(compression);
            let want = NpzReader::new(&bytes[..], &Limits::default()).unwrap().read("a").unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let got = NpzReader::new(&bad[..], &Limits::default())
                    .and_then(|reader| reader.read("a"));
                if let Ok(got) = got {
                    assert_eq!((got.header(), got.bytes()), (want.header(), want.bytes()), "{bit}");
                }
            }
        }
    }

    #[test]
    fn other_files_are_named() {
        let error = NpzReader::new(&b"<!DOCTYPE html><html>"[..], &Limits::default()).unwrap_err();
        assert!(error.message().contains("HTML"), "{error}");
    }
}
