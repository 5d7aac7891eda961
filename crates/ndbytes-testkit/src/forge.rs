//! Frames whose checksums are right, whatever else they say: what somebody would send who means
//! harm.

use ndbytes::frame_format::{CHECKSUM_LEN, ChunkPlace, FRAME_MAGIC, FramePrelude, Record};
use ndbytes::frame_format::{Family, encode_index};
use ndbytes::{FrameReader, Limits, Result};

/// A frame in parts, each of which may be replaced.
#[derive(Clone, Debug)]
pub struct Forged {
    /// The byte that says how chunks are stored.
    pub family: u8,
    /// The header's dictionary.
    pub text: Vec<u8>,
    /// The chunk shape.
    pub chunk_shape: Vec<u64>,
    /// What chunks are stored as, without checksums.
    pub payloads: Vec<Vec<u8>>,
    /// Where the index says that they are; where they are unless given.
    pub places: Option<Vec<ChunkPlace>>,
}

impl Forged {
    /// A frame of an array of bytes, in chunks of so many.
    pub fn new(family: Family, count: u64, chunk: u64, payloads: &[&[u8]]) -> Self {
        let text =
            format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}").into();
        let family = match family {
            Family::Raw => 0,
            Family::Blosc => 1,
            _ => 2,
        };
        let payloads = payloads.iter().map(|payload| payload.to_vec()).collect();
        Self { family, text, chunk_shape: vec![chunk], payloads, places: None }
    }

    /// The parts of a frame.
    ///
    /// # Errors
    /// As [`FrameReader::new`].
    pub fn of(frame: &[u8]) -> Result<Self> {
        let reader = FrameReader::new(frame, &Limits::default())?;
        let header = reader.header();
        let checked_len = FramePrelude::parse(frame, &Limits::default())?.checked_len();
        let text = FramePrelude::LEN..checked_len - 8 * header.chunk_shape().len();
        let payload = |place: &ChunkPlace| {
            let start = place.offset as usize;
            frame[start..start + place.len as usize - CHECKSUM_LEN].to_vec()
        };
        Ok(Self {
            family: frame[9],
            text: frame[text].to_vec(),
            chunk_shape: header.chunk_shape().iter().map(|&edge| edge as u64).collect(),
            payloads: reader.places().iter().map(payload).collect(),
            places: None,
        })
    }

    /// The header, with its checksum.
    pub fn header(&self) -> Vec<u8> {
        let mut bytes = FRAME_MAGIC.to_vec();
        bytes.extend([1, self.family, self.chunk_shape.len() as u8, 0]);
        bytes.extend((self.text.len() as u32).to_le_bytes());
        bytes.extend(&self.text);
        bytes.extend(self.chunk_shape.iter().flat_map(|edge| edge.to_le_bytes()));
        sealed(bytes)
    }

    /// The bytes of the frame.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        bytes.extend(self.payloads.iter().flat_map(|payload| record(payload, Record::Chunk)));
        let places = self.places.clone().unwrap_or_else(|| self.own_places());
        bytes.extend(record(&encode_index(&places), Record::Index));
        bytes
    }

    /// Where its chunks are.
    pub fn own_places(&self) -> Vec<ChunkPlace> {
        let mut at = self.header().len() as u64;
        let place = |payload: &Vec<u8>| {
            let offset = at + Record::PREFIX_LEN as u64;
            let len = (payload.len() + CHECKSUM_LEN) as u64;
            at = offset + len;
            ChunkPlace { offset, len }
        };
        self.payloads.iter().map(place).collect()
    }
}

/// A record of this payload.
pub fn record(payload: &[u8], of: fn(u32) -> Record) -> Vec<u8> {
    let prefix = of((payload.len() + CHECKSUM_LEN) as u32).encode();
    [&prefix, &*sealed(payload.to_vec())].concat()
}

/// The bytes, and their checksum behind them.
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
    bytes
}
