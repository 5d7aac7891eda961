//! The elements of one array, wherever they are: read in pieces or at once.

use std::io::{self, Read};
use std::path::Path;

use ndbytes::zip::{Method, key_of};
use ndbytes::{
    Array, ArrayView, ByteOrder, Code, Dtype, Error, FrameReader, Header, Kind, Limits, Looks,
    NpzReader, Order, ReadAt, Section, Span, is_contiguous, read_header, strides, swap_bytes,
    swap_units, validate,
};

use crate::exit::Failure;
use crate::input::{Input, Source};

/// An array whose header is known and whose elements are still where they were.
pub(crate) struct Elements<'a> {
    header: Header,
    place: Place<'a>,
    trailing: u64,
}

enum Place<'a> {
    At { source: &'a Source, offset: u64, name: &'a Path },
    Memory(Array),
}

impl<'a> Elements<'a> {
    /// The only array of an .npy, or the one of an .npz that `member` names. With `in_place`, a
    /// stored member stays in the file, and its CRC is not looked at.
    pub(crate) fn open(
        input: &'a Input,
        member: Option<&str>,
        in_place: bool,
    ) -> Result<Self, Failure> {
        match input.looks()? {
            Looks::Npy => match member {
                Some(_) => Err(Failure::trouble(format!(
                    "{}: an .npy has no members: leave out `--member`",
                    input.name.display()
                ))),
                None => Self::npy(input),
            },
            Looks::Zip => Self::member(input, &input.npz()?, member, in_place),
            Looks::Frame => match member {
                Some(_) => Err(Failure::trouble(format!(
                    "{}: a frame has no members: leave out `--member`",
                    input.name.display()
                ))),
                None => Self::frame(input),
            },
            looks => Err(input.refuse(looks, "an .npy, .npz or .ndb file")),
        }
    }

    /// The first array of an .npy file.
    pub(crate) fn npy(input: &'a Input) -> Result<Self, Failure> {
        let (header, offset) = read_header(&mut input.reader(), &Limits::default())
            .map_err(|error| error.with_path(&input.name))?;
        let offset = offset as u64;
        let end = offset + header.nbytes() as u64;
        let size = input.source.known_size().map_err(|error| Failure::io(error, &input.name))?;
        if size.is_some_and(|size| size < end) {
            let got = size.unwrap_or(0).saturating_sub(offset);
            return Err(short(&header, got).shifted(offset).with_path(&input.name).into());
        }
        let trailing = size.map_or(0, |size| size - end);
        let place = Place::At { source: &input.source, offset, name: &input.name };
        Ok(Self { header, place, trailing })
    }

    /// The array of a frame that fills its file.
    pub(crate) fn frame(input: &'a Input) -> Result<Self, Failure> {
        let array = FrameReader::new(&input.source, &Limits::default())
            .and_then(|reader| reader.read())
            .map_err(|error| error.with_path(&input.name))?;
        Ok(Self { header: array.header().clone(), place: Place::Memory(array), trailing: 0 })
    }

    /// One array of an .npz.
    pub(crate) fn member(
        input: &'a Input,
        reader: &NpzReader<&'a Source>,
        member: Option<&str>,
        in_place: bool,
    ) -> Result<Self, Failure> {
        let named = |error: Error| Failure::from(error.with_path(&input.name));
        let index = match member {
            Some(key) => reader.find(key).map_err(named)?,
            None if reader.entries().len() == 1 => 0,
            None => {
                let keys: Vec<_> = reader.keys().take(10).collect();
                return Err(Failure::trouble(format!(
                    "{}: {} arrays: say which by `--member`; the first are {keys:?}",
                    input.name.display(),
                    reader.entries().len()
                )));
            }
        };
        let entry = &reader.entries()[index];
        if in_place && entry.method == Method::Stored {
            let (header, left) = reader.array_member(index).map_err(named)?;
            let head = entry.uncompressed - left.left();
            let offset = reader.data_offset(index).map_err(named)? + head;
            let place = Place::At { source: &input.source, offset, name: &input.name };
            return Ok(Self { header, place, trailing: 0 });
        }
        let array = reader.read(key_of(&entry.name)).map_err(named)?;
        Ok(Self { header: array.header().clone(), place: Place::Memory(array), trailing: 0 })
    }

    /// Elements alone, which must fill the file from `offset` exactly.
    pub(crate) fn raw(
        input: &'a Input,
        dtype: Dtype,
        shape: Option<&[usize]>,
        order: Order,
        offset: u64,
    ) -> Result<Self, Failure> {
        let size = input.size()?.checked_sub(offset).ok_or_else(|| {
            Failure::no(format!("{}: byte {offset} is beyond its end", input.name.display()))
        })?;
        let shape = match (shape, dtype.itemsize() as u64) {
            (Some(shape), _) => shape.to_vec(),
            (None, itemsize) if itemsize > 0 && size % itemsize == 0 => {
                vec![(size / itemsize) as usize]
            }
            (None, itemsize) => {
                return Err(Failure::no(format!(
                    "{}: {size} bytes are no whole number of {itemsize}-byte items: are dtype and \
                     offset right?",
                    input.name.display()
                )));
            }
        };
        let header = Header::new(dtype, order, shape)?;
        if header.nbytes() as u64 != size {
            return Err(Failure::no(format!(
                "{}: shape {:?} of `{}` needs exactly {} bytes, there are {size}",
                input.name.display(),
                header.shape(),
                header.dtype(),
                header.nbytes()
            )));
        }
        let place = Place::At { source: &input.source, offset, name: &input.name };
        Ok(Self { header, place, trailing: 0 })
    }

    /// Dtype, shape and order.
    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes of the file after the array, as far as is known without reading.
    pub(crate) fn trailing(&self) -> u64 {
        self.trailing
    }

    /// The same elements, where nothing follows them; a pipe is read to its end for this.
    pub(crate) fn alone(self) -> Result<Self, Failure> {
        let Place::At { source, offset, name } = self.place else { return Ok(self) };
        // Of an .npz only members are here, whose size was checked.
        let mut trailing = self.trailing;
        if let Source::Spool(_) = source {
            let size = source.size().map_err(|error| Failure::io(error, name))?;
            trailing = size.saturating_sub(offset + self.header.nbytes() as u64);
        }
        if trailing > 0 {
            let end = offset + self.header.nbytes() as u64;
            return Err(Failure::no(format!(
                "{}: {trailing} bytes follow the array (at byte {end}), which would be lost",
                name.display()
            )));
        }
        Ok(self)
    }

    /// Reads these bytes of the data, in the order in which they are stored.
    pub(crate) fn read_at(&self, at: usize, buffer: &mut [u8]) -> Result<(), Failure> {
        match &self.place {
            Place::Memory(array) => {
                buffer.copy_from_slice(&array.bytes()[at..at + buffer.len()]);
                Ok(())
            }
            Place::At { source, offset, name } => {
                let mut section = Section::new(*source, offset + at as u64, buffer.len() as u64);
                match section.read_exact(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        let size = source.size().map_err(|error| Failure::io(error, name))?;
                        let got = size.saturating_sub(*offset);
                        Err(short(&self.header, got).shifted(*offset).with_path(name).into())
                    }
                    result => result.map_err(|error| Failure::io(error, name)),
                }
            }
        }
    }

    /// Calls `body` with all elements, in pieces of whole items in the order in which they are
    /// stored, checked.
    pub(crate) fn for_each_piece(
        &self,
        body: &mut dyn FnMut(&mut [u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (total, dtype) = (self.header.nbytes(), self.header.dtype());
        if total == 0 {
            return Ok(());
        }
        let size = piece(dtype.itemsize()).min(total);
        let mut buffer = memory(size)?;
        let mut done = 0;
        while done < total {
            let part = &mut buffer[..size.min(total - done)];
            self.read_at(done, part)?;
            validate(dtype, part).map_err(|error| self.placed(error, done))?;
            body(part)?;
            done += part.len();
        }
        Ok(())
    }

    /// All elements in memory, checked.
    pub(crate) fn load(self) -> Result<Array, Failure> {
        if let Place::Memory(array) = self.place {
            return Ok(array);
        }
        let mut array = Array::zeroed(self.header.clone())?;
        self.read_at(0, array.bytes_mut())?;
        validate(array.dtype(), array.bytes()).map_err(|error| self.placed(error, 0))?;
        Ok(array)
    }

    /// An error about the data, whose offset becomes one of the file.
    fn placed(&self, error: Error, at: usize) -> Error {
        match &self.place {
            Place::At { offset, name, .. } => error.shifted(offset + at as u64).with_path(name),
            Place::Memory(_) => error,
        }
    }
}

/// Reads the data of `header`, which begins at this offset of the source, and calls `body` with it
/// in pieces of whole items, checked.
pub(crate) fn read_pieces(
    source: &mut dyn Read,
    header: &Header,
    offset: u64,
    body: &mut dyn FnMut(&[u8]) -> ndbytes::Result<()>,
) -> ndbytes::Result<()> {
    let total = header.nbytes() as u64;
    let size = (piece(header.dtype().itemsize()) as u64).min(total);
    let mut buffer =
        memory(size as usize).map_err(|failure| Error::new(Code::Io, failure.message()))?;
    let mut done = 0;
    while done < total {
        let part = &mut buffer[..(total - done).min(size) as usize];
        let got = fill(source, part)? as u64;
        done += got;
        if got < part.len() as u64 {
            return Err(short(header, done).shifted(offset));
        }
        validate(header.dtype(), part).map_err(|error| error.shifted(offset + done - got))?;
        body(part)?;
    }
    Ok(())
}

/// Reads until `buffer` is full or the source ends.
pub(crate) fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < buffer.len() {
        match source.read(&mut buffer[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

/// The order in which `.npy` stores an array of this header: C where both are the same.
pub(crate) fn storage_order(header: &Header) -> Order {
    let itemsize = header.dtype().itemsize();
    let strides = strides(header.shape(), itemsize, header.order());
    match is_contiguous(header.shape(), &strides, itemsize, Order::C) {
        true => Order::C,
        false => header.order(),
    }
}

/// The numbers of an element that have to be turned around to get this byte order.
pub(crate) fn units_to_swap(dtype: &Dtype, order: ByteOrder) -> Vec<Span> {
    let mut units = Vec::new();
    for (at, part) in parts(dtype) {
        if part.byte_order() != order && part.byte_order() != ByteOrder::NotApplicable {
            let turned = swap_units(part).into_iter();
            units.extend(turned.map(|unit| Span { offset: at + unit.offset, len: unit.len }));
        }
    }
    units
}

/// Elements in this byte order.
pub(crate) fn turn(items: &mut [u8], dtype: &Dtype, order: ByteOrder) {
    let units = units_to_swap(dtype, order);
    if !units.is_empty() {
        swap_bytes(items, dtype.itemsize(), &units);
    }
}

/// The scalars that an element is made of, with their offsets.
pub(crate) fn parts(dtype: &Dtype) -> Vec<(usize, &Dtype)> {
    let mut parts = Vec::new();
    collect(dtype, 0, &mut parts);
    parts
}

fn collect<'a>(dtype: &'a Dtype, at: usize, parts: &mut Vec<(usize, &'a Dtype)>) {
    match dtype.kind() {
        Kind::Struct(_) => {
            for field in dtype.fields().unwrap_or_default() {
                collect(&field.dtype, at + field.offset, parts);
            }
        }
        Kind::Subarray(subarray) => {
            let size = subarray.base.itemsize();
            for i in 0..dtype.itemsize().checked_div(size).unwrap_or(0) {
                collect(&subarray.base, at + i * size, parts);
            }
        }
        _ => parts.push((at, dtype)),
    }
}

/// Whole items of about a mebibyte.
pub(crate) fn piece(itemsize: usize) -> usize {
    ((1 << 20) / itemsize.max(1)).max(1) * itemsize
}

/// That many zeros.
pub(crate) fn memory(len: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| Failure::trouble(format!("no memory for {len} bytes")))?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// A piece without what stands in the gaps of structs.
pub(crate) fn blank<'a>(dtype: &Dtype, items: &'a [u8]) -> Result<ArrayView<'a>, Failure> {
    let count = items.len().checked_div(dtype.itemsize()).unwrap_or(0);
    Ok(ArrayView::contiguous(dtype.clone(), &[count], Order::C, items)?)
}

/// That the data ends early.
fn short(header: &Header, got: u64) -> Error {
    let message = format!(
        "the data ends after {got} of {} bytes: the file was cut, or not fully written",
        header.nbytes()
    );
    Error::new(Code::DataTruncated, message).at(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_the_other_byte_order_turn() {
        let dtype: Dtype = "[('a', '<i2'), ('b', '>i2', (2,)), ('c', '|u1')]".parse().unwrap();
        let offsets =
            |order| units_to_swap(&dtype, order).iter().map(|unit| unit.offset).collect::<Vec<_>>();
        assert_eq!(offsets(ByteOrder::Little), [2, 4]);
        assert_eq!(offsets(ByteOrder::Big), [0]);
        let mut item = [1, 2, 3, 4, 5, 6, 7];
        turn(&mut item, &dtype, ByteOrder::Big);
        assert_eq!(item, [2, 1, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn one_dimension_is_stored_in_c_order() {
        let order = |shape: &[usize]| {
            storage_order(&Header::new("<f8".parse().unwrap(), Order::F, shape.to_vec()).unwrap())
        };
        assert_eq!(order(&[5]), Order::C);
        assert_eq!(order(&[5, 1]), Order::C);
        assert_eq!(order(&[2, 3]), Order::F);
    }
}
