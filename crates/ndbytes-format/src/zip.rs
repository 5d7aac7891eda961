//! ZIP records, as much as `.npz` needs: local headers, the central directory and its end.
//!
//! Source: PKWARE's APPNOTE 6.3.10; what `numpy.savez` writes is the model (every local header
//! has ZIP64 sizes, dates are 1980-01-01, mode 0600), but for the extra field that aligns data.

use crate::blocks::BlockIndex;
use crate::cursor::Cursor;
use crate::error::{Code, FormatError, Result};

/// How a member is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Not at all.
    Stored,
    /// RFC 1951.
    Deflate,
    /// RFC 8878.
    Zstd,
    /// Another method of the APPNOTE; not read here.
    Other(u16),
}

/// One member, as the central directory has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, with `.npy` where it has it.
    pub name: String,
    /// How it is compressed.
    pub method: Method,
    /// Whether it is encrypted, which is not read here.
    pub encrypted: bool,
    /// CRC-32 of the uncompressed bytes.
    pub crc32: u32,
    /// Bytes in the archive.
    pub compressed: u64,
    /// Bytes when uncompressed.
    pub uncompressed: u64,
    /// Where its local header begins, from the start of the archive.
    pub header_offset: u64,
    /// Whether sizes and CRC follow the data instead of standing in the local header.
    pub descriptor: bool,
    /// Where the blocks of a deflated member are, if it is known.
    pub blocks: Option<BlockIndex>,
}

/// Where the central directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Its first byte, from the start of the archive.
    pub offset: u64,
    /// Its bytes.
    pub len: u64,
    /// Its entries.
    pub entries: u64,
}

impl Method {
    /// The APPNOTE's number.
    pub const fn number(self) -> u16 {
        match self {
            Method::Stored => 0,
            Method::Deflate => 8,
            Method::Zstd => 93,
            Method::Other(number) => number,
        }
    }

    /// The version of ZIP that a reader needs.
    const fn version_needed(self) -> u16 {
        match self {
            Method::Zstd => VERSION_ZSTD,
            _ => VERSION_ZIP64,
        }
    }

    fn from_number(number: u16) -> Self {
        match number {
            0 => Method::Stored,
            8 => Method::Deflate,
            93 => Method::Zstd,
            other => Method::Other(other),
        }
    }

    /// The method's name, for messages.
    pub fn name(self) -> String {
        match self {
            Method::Stored => "stored".into(),
            Method::Deflate => "deflate".into(),
            Method::Zstd => "zstd".into(),
            Method::Other(12) => "bzip2".into(),
            Method::Other(14) => "lzma".into(),
            Method::Other(number) => format!("method {number}"),
        }
    }
}

impl Entry {
    /// The local header, padded by an extra field so that the data begins at a multiple of
    /// `align` when the header begins at `self.header_offset`. Sizes are always ZIP64, so that the
    /// header's length does not depend on them.
    ///
    /// # Errors
    /// [`Code::ZipName`] for a name over 65,535 bytes.
    pub fn encode_local(&self, align: u64) -> Result<Vec<u8>> {
        let name = self.name.as_bytes();
        let unaligned = self.header_offset + LOCAL_LEN as u64 + name.len() as u64 + 20;
        // An extra field has a head of four bytes, which must fit into the gap.
        let gap = (align - unaligned % align) % align;
        let gap = if gap == 0 || gap >= 4 { gap } else { gap + align };
        let mut out = Vec::with_capacity(LOCAL_LEN + name.len() + 20 + gap as usize);
        put32(&mut out, LOCAL_SIGNATURE);
        put16(&mut out, self.method.version_needed());
        self.put_middle(&mut out);
        let known = !self.descriptor;
        put32(&mut out, if known { self.crc32 } else { 0 });
        put32(&mut out, u32::MAX);
        put32(&mut out, u32::MAX);
        put16(&mut out, name_len(name)?);
        put16(&mut out, 20 + gap as u16);
        out.extend_from_slice(name);
        put16(&mut out, ZIP64_TAG);
        put16(&mut out, 16);
        put64(&mut out, if known { self.uncompressed } else { 0 });
        put64(&mut out, if known { self.compressed } else { 0 });
        if gap > 0 {
            put16(&mut out, ALIGN_TAG);
            put16(&mut out, gap as u16 - 4);
            out.resize(out.len() + gap as usize - 4, 0);
        }
        Ok(out)
    }

    /// The data descriptor that follows the data when [`Entry::descriptor`] is set.
    pub fn encode_descriptor(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        put32(&mut out, DESCRIPTOR_SIGNATURE);
        put32(&mut out, self.crc32);
        put64(&mut out, self.compressed);
        put64(&mut out, self.uncompressed);
        out
    }

    /// The entry in the central directory; ZIP64 fields only where they are needed.
    ///
    /// # Errors
    /// [`Code::ZipName`] for a name over 65,535 bytes.
    pub fn encode_central(&self, out: &mut Vec<u8>) -> Result<()> {
        let name = self.name.as_bytes();
        let mut extra = Vec::new();
        let mut small = |value: u64| match u32::try_from(value) {
            Ok(small) if small != u32::MAX => small,
            _ => {
                put64(&mut extra, value);
                u32::MAX
            }
        };
        let (uncompressed, compressed) = (small(self.uncompressed), small(self.compressed));
        let header_offset = small(self.header_offset);
        put32(out, CENTRAL_SIGNATURE);
        put16(out, MADE_BY_UNIX | self.method.version_needed());
        put16(out, self.method.version_needed());
        self.put_middle(out);
        put32(out, self.crc32);
        put32(out, compressed);
        put32(out, uncompressed);
        put16(out, name_len(name)?);
        let zip64_len = if extra.is_empty() { 0 } else { extra.len() as u16 + 4 };
        let blocks = self.blocks.as_ref().map(BlockIndex::encode).unwrap_or_default();
        let blocks_len = if blocks.is_empty() { 0 } else { blocks.len() + 4 };
        let extra_len = u16::try_from(blocks_len).ok().and_then(|len| len.checked_add(zip64_len));
        put16(out, extra_len.ok_or_else(|| bad("an index has too many blocks".into(), 0))?);
        put16(out, 0); // comment
        put16(out, 0); // disk
        put16(out, 0); // internal attributes
        put32(out, 0o600 << 16);
        put32(out, header_offset);
        out.extend_from_slice(name);
        if !extra.is_empty() {
            put16(out, ZIP64_TAG);
            put16(out, extra.len() as u16);
            out.extend_from_slice(&extra);
        }
        if !blocks.is_empty() {
            put16(out, BLOCKS_TAG);
            put16(out, blocks.len() as u16);
            out.extend_from_slice(&blocks);
        }
        Ok(())
    }

    /// Flags, method, time and date: alike in both headers.
    fn put_middle(&self, out: &mut Vec<u8>) {
        let utf8 = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        put16(out, utf8 | if self.descriptor { FLAG_DESCRIPTOR } else { 0 });
        put16(out, self.method.number());
        put16(out, 0);
        put16(out, 0x21); // 1980-01-01
    }

    /// Parses the entries of a central directory.
    ///
    /// # Errors
    /// [`Code::ZipRecord`] where it breaks the format; offsets count from its start.
    pub fn parse_central(bytes: &[u8], entries: u64) -> Result<Vec<Self>> {
        Ok(Self::split_central(bytes, entries)?.into_iter().map(|(entry, _)| entry).collect())
    }

    /// Parses the entries of a central directory, each with its own bytes.
    ///
    /// # Errors
    /// As [`Entry::parse_central`].
    pub fn split_central(bytes: &[u8], entries: u64) -> Result<Vec<(Self, &[u8])>> {
        let mut cursor = Cursor::new(bytes, Code::ZipRecord);
        let mut found = Vec::new();
        for _ in 0..entries {
            let start = cursor.position();
            let entry = Self::parse_one(&mut cursor)?;
            found.push((entry, &bytes[start..cursor.position()]));
        }
        if !cursor.rest().is_empty() {
            let message =
                format!("{} bytes left over after the central directory", cursor.rest().len());
            return Err(bad(message, cursor.position()));
        }
        Ok(found)
    }

    fn parse_one(cursor: &mut Cursor<'_>) -> Result<Self> {
        let start = cursor.position();
        if cursor.u32()? != CENTRAL_SIGNATURE {
            return Err(bad("no entry of the central directory here".into(), start));
        }
        cursor.take(4)?; // versions
        let flags = cursor.u16()?;
        let method = Method::from_number(cursor.u16()?);
        cursor.take(4)?; // time, date
        let crc32 = cursor.u32()?;
        let (mut compressed, mut uncompressed) =
            (u64::from(cursor.u32()?), u64::from(cursor.u32()?));
        let (name_len, extra_len, comment_len) = (cursor.u16()?, cursor.u16()?, cursor.u16()?);
        let disk = cursor.u16()?;
        cursor.take(6)?; // attributes
        let mut header_offset = u64::from(cursor.u32()?);
        let name = cursor.take(name_len.into())?;
        let extra = cursor.take(extra_len.into())?;
        cursor.take(comment_len.into())?;
        if disk != 0 && disk != u16::MAX {
            return Err(FormatError::new(
                Code::ZipUnsupported,
                "archives in several parts are not read",
            )
            .at(start as u64));
        }
        if let Some(mut zip64) = find_extra(extra, ZIP64_TAG) {
            for value in [&mut uncompressed, &mut compressed, &mut header_offset] {
                if *value == u64::from(u32::MAX) {
                    *value = zip64.u64().map_err(|error| error.shifted(start as u64))?;
                }
            }
        }
        let name = match (flags & FLAG_UTF8 != 0, std::str::from_utf8(name)) {
            (true, Ok(name)) => name.to_owned(),
            (true, Err(_)) => return Err(bad("a member's name is not UTF-8".into(), start)),
            // Code page 437 in the standard; as Python does, up to the characters beyond ASCII.
            (false, _) => name
                .iter()
                .map(|&b| if b < 128 { char::from(b) } else { CP437[usize::from(b) - 128] })
                .collect(),
        };
        let blocks = find_extra(extra, BLOCKS_TAG)
            .filter(|_| method == Method::Deflate)
            .and_then(|field| BlockIndex::parse(field.rest(), compressed, uncompressed));
        Ok(Self {
            name,
            method,
            blocks,
            encrypted: flags & 1 != 0,
            crc32,
            compressed,
            uncompressed,
            header_offset,
            descriptor: flags & FLAG_DESCRIPTOR != 0,
        })
    }
}

impl Directory {
    /// Finds the central directory from the archive's last bytes. `tail` ends where the archive
    /// does, `total` is the archive's length. Comments up to 65,535 bytes are stepped over.
    ///
    /// # Errors
    /// [`Code::ZipEnd`] where there is no end record, or its numbers contradict the file.
    pub fn parse_end(tail: &[u8], total: u64) -> Result<Self> {
        let base = total - tail.len() as u64;
        let at = (0..=tail.len().saturating_sub(END_LEN)).rev().find(|&at| {
            tail.len() >= END_LEN
                && tail[at..].starts_with(&END_SIGNATURE.to_le_bytes())
                && usize::from(u16::from_le_bytes([tail[at + 20], tail[at + 21]]))
                    == tail.len() - at - END_LEN
        });
        let Some(at) = at else {
            return Err(FormatError::new(
                Code::ZipEnd,
                "no end of a ZIP archive found: the file is truncated or no `.npz`",
            )
            .at(total));
        };
        let mut cursor = Cursor::new(&tail[at + 4..], Code::ZipEnd);
        let (disk, first_disk) = (cursor.u16()?, cursor.u16()?);
        let _ = cursor.u16()?;
        let (mut entries, mut len, mut offset) =
            (u64::from(cursor.u16()?), u64::from(cursor.u32()?), u64::from(cursor.u32()?));
        let mut end = base + at as u64;
        let needs64 =
            entries == 0xffff || len == u64::from(u32::MAX) || offset == u64::from(u32::MAX);
        if needs64
            && at >= LOCATOR_LEN
            && tail[at - LOCATOR_LEN..].starts_with(&LOCATOR_SIGNATURE.to_le_bytes())
        {
            let mut locator = Cursor::new(&tail[at - LOCATOR_LEN + 8..at], Code::ZipEnd);
            let record = locator.u64()?;
            let start = record.checked_sub(base).and_then(|start| usize::try_from(start).ok());
            let bytes =
                start.and_then(|start| tail.get(start..at)).ok_or_else(|| end_error(end))?;
            let mut cursor = Cursor::new(bytes, Code::ZipEnd);
            if cursor.u32()? != END64_SIGNATURE {
                return Err(end_error(record));
            }
            cursor.take(8 + 4 + 8 + 8)?; // size, versions, disks, entries on this disk
            (entries, len, offset) = (cursor.u64()?, cursor.u64()?, cursor.u64()?);
            end = record;
        } else if disk != first_disk {
            return Err(FormatError::new(
                Code::ZipUnsupported,
                "archives in several parts are not read",
            )
            .at(end));
        }
        // Every entry has at least its fixed part, which caps the count by the file's size.
        let fits =
            offset.checked_add(len).is_some_and(|stop| stop <= end) && entries <= len / CENTRAL_LEN;
        if !fits {
            return Err(FormatError::new(
                Code::ZipEnd,
                format!("the central directory ({entries} entries, {len} bytes at {offset}) does not fit before its end"),
            )
            .at(end));
        }
        Ok(Self { offset, len, entries })
    }

    /// The archive's comment, from all bytes that follow the directory.
    ///
    /// # Errors
    /// [`Code::ZipUnsupported`] where they are not the end records alone, or may be taken for
    /// others.
    pub fn parse_comment<'a>(&self, end: &'a [u8]) -> Result<&'a [u8]> {
        let refused = || {
            let message = "more than the end of an archive follows its directory";
            FormatError::new(Code::ZipUnsupported, message).at(self.offset + self.len)
        };
        let mut rest = end;
        if end.starts_with(&END64_SIGNATURE.to_le_bytes()) {
            let locator = end.get(END64_LEN..).ok_or_else(refused)?;
            if end[4..12] != (END64_LEN as u64 - 12).to_le_bytes()
                || !locator.starts_with(&LOCATOR_SIGNATURE.to_le_bytes())
            {
                return Err(refused());
            }
            rest = locator.get(LOCATOR_LEN..).ok_or_else(refused)?;
        }
        let signature = END_SIGNATURE.to_le_bytes();
        if rest.len() < END_LEN || !rest.starts_with(&signature) {
            return Err(refused());
        }
        let (record, comment) = rest.split_at(END_LEN);
        let len = u16::from_le_bytes([record[END_LEN - 2], record[END_LEN - 1]]);
        // A comment that holds an end record is one to some readers, and its directory another.
        if usize::from(len) != comment.len()
            || comment.windows(signature.len()).any(|part| part == signature)
        {
            return Err(refused());
        }
        Ok(comment)
    }

    /// Appends the end records, ZIP64 ones where they are needed.
    pub fn encode_end(&self, out: &mut Vec<u8>) {
        self.encode_end_with(&[], out);
    }

    /// Appends the end records with a comment, as [`Directory::parse_comment`] gives it.
    pub fn encode_end_with(&self, comment: &[u8], out: &mut Vec<u8>) {
        let (entries, len, offset) =
            (u16::try_from(self.entries), u32::try_from(self.len), u32::try_from(self.offset));
        let needs64 = entries.is_err() || len.is_err() || offset.is_err() || self.entries == 0xffff;
        if needs64 {
            put32(out, END64_SIGNATURE);
            put64(out, 44);
            put16(out, MADE_BY_UNIX | VERSION_ZIP64);
            put16(out, VERSION_ZIP64);
            put32(out, 0);
            put32(out, 0);
            put64(out, self.entries);
            put64(out, self.entries);
            put64(out, self.len);
            put64(out, self.offset);
            put32(out, LOCATOR_SIGNATURE);
            put32(out, 0);
            put64(out, self.offset + self.len);
            put32(out, 1);
        }
        put32(out, END_SIGNATURE);
        put32(out, 0);
        put16(out, entries.unwrap_or(u16::MAX));
        put16(out, entries.unwrap_or(u16::MAX));
        put32(out, len.unwrap_or(u32::MAX));
        put32(out, offset.unwrap_or(u32::MAX));
        let comment = &comment[..comment.len().min(0xffff)];
        put16(out, comment.len() as u16);
        out.extend_from_slice(comment);
    }
}

/// Bytes from the start of a local header to the data, from its fixed part.
///
/// # Errors
/// [`Code::ZipRecord`] where there is no local header.
pub fn local_len(fixed: &[u8]) -> Result<u64> {
    let mut cursor = Cursor::new(fixed, Code::ZipRecord);
    if cursor.u32()? != LOCAL_SIGNATURE {
        return Err(bad("no local header of a member here".into(), 0));
    }
    cursor.take(22)?;
    Ok(LOCAL_LEN as u64 + u64::from(cursor.u16()?) + u64::from(cursor.u16()?))
}

/// Whether a local header, from its fixed part and name, is that of the member which this entry of
/// the central directory tells of: their names agree, and the CRC-32 if it precedes the data.
pub fn is_local_of(local: &[u8], central: &[u8]) -> bool {
    let local_facts = || {
        let mut cursor = Cursor::new(local, Code::ZipRecord);
        let signature = cursor.u32()?;
        cursor.take(2)?; // version
        let flags = cursor.u16()?;
        cursor.take(6)?; // method, time, date
        let crc32 = cursor.u32()?;
        cursor.take(8)?; // sizes
        let name_len = cursor.u16()?;
        cursor.take(2)?; // length of the extra fields
        Ok::<_, FormatError>((signature, flags, crc32, cursor.take(name_len.into())?))
    };
    let central_facts = || {
        let mut cursor = Cursor::new(central, Code::ZipRecord);
        cursor.take(16)?;
        let crc32 = cursor.u32()?;
        cursor.take(8)?; // sizes
        let name_len = cursor.u16()?;
        cursor.take(16)?;
        Ok::<_, FormatError>((crc32, cursor.take(name_len.into())?))
    };
    let (Ok((signature, flags, before, name)), Ok((crc32, own))) = (local_facts(), central_facts())
    else {
        return false;
    };
    signature == LOCAL_SIGNATURE && name == own && (flags & FLAG_DESCRIPTOR != 0 || before == crc32)
}

/// The member's name for an array's key: `key` + `.npy`.
pub fn member_name(key: &str) -> String {
    format!("{key}.npy")
}

/// The array's key for a member's name: without `.npy`.
pub fn key_of(member: &str) -> &str {
    member.strip_suffix(".npy").unwrap_or(member)
}

fn find_extra(extra: &[u8], tag: u16) -> Option<Cursor<'_>> {
    let mut cursor = Cursor::new(extra, Code::ZipRecord);
    loop {
        let (found, len) = (cursor.u16().ok()?, cursor.u16().ok()?);
        let body = cursor.take(len.into()).ok()?;
        if found == tag {
            return Some(Cursor::new(body, Code::ZipRecord));
        }
    }
}

fn name_len(name: &[u8]) -> Result<u16> {
    u16::try_from(name.len()).map_err(|_| {
        FormatError::new(
            Code::ZipName,
            format!("a member's name of {} bytes, at most 65535", name.len()),
        )
    })
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

#[cold]
fn bad(message: String, at: usize) -> FormatError {
    FormatError::new(Code::ZipRecord, message).at(at as u64)
}

#[cold]
fn end_error(at: u64) -> FormatError {
    FormatError::new(Code::ZipEnd, "the ZIP64 end record is not where the archive says").at(at)
}

/// Bytes of a local header before its name.
pub const LOCAL_LEN: usize = 30;
/// The most that an end record with its comment and ZIP64 records takes.
pub const END_MAX: usize = END_LEN + 0xffff + LOCATOR_LEN + END64_LEN;

const END_LEN: usize = 22;
const END64_LEN: usize = 56;
const LOCATOR_LEN: usize = 20;
const CENTRAL_LEN: u64 = 46;
const LOCAL_SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const CENTRAL_SIGNATURE: u32 = 0x0201_4b50;
const END_SIGNATURE: u32 = 0x0605_4b50;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
const VERSION_ZIP64: u16 = 45;
const VERSION_ZSTD: u16 = 63;
const MADE_BY_UNIX: u16 = 3 << 8;
const ZIP64_TAG: u16 = 1;
/// Not registered: the letters `NB`.
const BLOCKS_TAG: u16 = 0x424e;
/// Android's `zipalign` tag for padding, which other tools know to ignore.
const ALIGN_TAG: u16 = 0xd935;

const CP437: [char; 128] = [
    'Ç', 'ü', 'é', 'â', 'ä', 'à', 'å', 'ç', 'ê', 'ë', 'è', 'ï', 'î', 'ì', 'Ä', 'Å', 'É', 'æ', 'Æ',
    'ô', 'ö', 'ò', 'û', 'ù', 'ÿ', 'Ö', 'Ü', '¢', '£', '¥', '₧', 'ƒ', 'á', 'í', 'ó', 'ú', 'ñ', 'Ñ',
    'ª', 'º', '¿', '⌐', '¬', '½', '¼', '¡', '«', '»', '░', '▒', '▓', '│', '┤', '╡', '╢', '╖', '╕',
    '╣', '║', '╗', '╝', '╜', '╛', '┐', '└', '┴', '┬', '├', '─', '┼', '╞', '╟', '╚', '╔', '╩', '╦',
    '╠', '═', '╬', '╧', '╨', '╤', '╥', '╙', '╘', '╒', '╓', '╫', '╪', '┘', '┌', '█', '▄', '▌', '▐',
    '▀', 'α', 'ß', 'Γ', 'π', 'Σ', 'σ', 'µ', 'τ', 'Φ', 'Θ', 'Ω', 'δ', '∞', 'φ', 'ε', '∩', '≡', '±',
    '≥', '≤', '⌠', '⌡', '÷', '≈', '°', '∙', '·', '√', 'ⁿ', '²', '■', '\u{a0}',
];

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.into(),
            method: Method::Stored,
            encrypted: false,
            crc32: 0x1234_5678,
            compressed: 100,
            uncompressed: 100,
            header_offset: 7,
            descriptor: false,
            blocks: None,
        }
    }

    #[test]
    fn entries_come_back() {
        let mut entries = vec![entry("a.npy"), entry("é日.npy")];
        entries[1].header_offset = 1 << 40;
        entries[1].compressed = u64::from(u32::MAX);
        entries[1].descriptor = true;
        let mut bytes = Vec::new();
        entries.iter().for_each(|entry| entry.encode_central(&mut bytes).unwrap());
        assert_eq!(Entry::parse_central(&bytes, 2).unwrap(), entries);
        for end in 0..bytes.len() {
            assert!(Entry::parse_central(&bytes[..end], 2).is_err());
        }
        assert!(Entry::parse_central(&bytes, 1).is_err());
    }

    #[test]
    fn data_is_aligned_wherever_the_header_begins() {
        for header_offset in 0..130 {
            let entry = Entry { header_offset, ..entry("key.npy") };
            let local = entry.encode_local(64).unwrap();
            assert_eq!((header_offset + local.len() as u64) % 64, 0);
            assert_eq!(local_len(&local).unwrap(), local.len() as u64);
        }
    }

    #[test]
    fn end_is_found_behind_a_comment_and_in_zip64() {
        for directory in [
            Directory { offset: 0, len: 0, entries: 0 },
            Directory { offset: 50, len: 46, entries: 1 },
            Directory { offset: 1 << 33, len: 46 * 70_000, entries: 70_000 },
        ] {
            let mut end = Vec::new();
            directory.encode_end(&mut end);
            let total = directory.offset + directory.len + end.len() as u64;
            assert_eq!(Directory::parse_end(&end, total).unwrap(), directory);
            assert_eq!(directory.parse_comment(&end).unwrap(), b"");
            let comment = end.len() - 2;
            end[comment] = 3;
            end.extend_from_slice(b"abc");
            assert_eq!(Directory::parse_end(&end, total + 3).unwrap(), directory);
            assert_eq!(directory.parse_comment(&end).unwrap(), b"abc");
            let mut again = Vec::new();
            directory.encode_end_with(b"abc", &mut again);
            assert_eq!(again, end);
            end.pop();
            assert!(Directory::parse_end(&end, total + 2).is_err());
        }
    }

    #[test]
    fn what_is_not_the_end_alone_has_no_comment() {
        let directory = Directory { offset: 1 << 33, len: 46, entries: 1 };
        let mut end = Vec::new();
        directory.encode_end_with(b"abc", &mut end);
        for cut in 0..end.len() {
            assert!(directory.parse_comment(&end[..cut]).is_err(), "{cut}");
        }
        assert!(directory.parse_comment(&[b"x", &end[..]].concat()).is_err());
        assert!(directory.parse_comment(&[&end[..], b"x"].concat()).is_err());
        let mut nested = Vec::new();
        directory.encode_end_with(b"PK\x05\x06, a second end", &mut nested);
        assert!(directory.parse_comment(&nested).is_err());
    }

    #[test]
    fn a_local_header_is_that_of_its_own_entry_alone() {
        let (own, mut late) = (entry("a.npy"), entry("a.npy"));
        late.descriptor = true;
        let central = |entry: &Entry| {
            let mut bytes = Vec::new();
            entry.encode_central(&mut bytes).unwrap();
            bytes
        };
        for entry in [&own, &late] {
            let local = entry.encode_local(64).unwrap();
            assert!(is_local_of(&local, &central(entry)));
            assert!(!is_local_of(&local[..34], &central(entry)));
        }
        let other = Entry { crc32: 1, ..own.clone() };
        for entry in [&entry("b.npy"), &entry("a.npz"), &other] {
            assert!(!is_local_of(&own.encode_local(1).unwrap(), &central(entry)));
        }
        assert!(!is_local_of(&central(&own), &central(&own)));
    }

    #[test]
    fn forged_directories_are_refused() {
        let mut end = Vec::new();
        Directory { offset: 1000, len: 46, entries: 1 }.encode_end(&mut end);
        assert_eq!(Directory::parse_end(&end, 22).unwrap_err().code(), Code::ZipEnd);
        end.clear();
        Directory { offset: 0, len: 46, entries: 60_000 }.encode_end(&mut end);
        assert_eq!(Directory::parse_end(&end, 68).unwrap_err().code(), Code::ZipEnd);
        assert!(Directory::parse_end(b"PK\x05\x06", 4).is_err());
        assert!(Directory::parse_end(b"", 0).is_err());
    }
}
