//! Arrays without generics: dtype, shape, strides, bytes.

use ndbytes_format::{
    ByteOrder, Code, Dtype, Header, Order, Span, nbytes, padding_spans, strides, swap_units_to,
};
use ndbytes_mem::{Buffer, Elements, Strided, copy, gather, scatter, swap_bytes, zero_spans};

use crate::error::{Error, Result};
use crate::progress::{Meter, Progress};

/// A borrowed array of any layout.
///
/// Element `(i, j, ...)` begins at `origin + i * strides[0] + j * strides[1] + ...` of the bytes;
/// strides are in bytes and may be negative or zero, as in NumPy.
#[derive(Clone, Debug)]
pub struct ArrayView<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    strides: Vec<isize>,
    origin: usize,
    bytes: &'a [u8],
    padding: Vec<Span>,
}

/// An owned array, contiguous in C or F order, aligned to 64 bytes.
#[derive(Debug)]
pub struct Array {
    header: Header,
    data: Buffer,
}

impl<'a> ArrayView<'a> {
    /// A view of any layout.
    ///
    /// # Errors
    /// [`Code::OutOfBounds`] when an element lies outside of `bytes`, [`Code::SizeOverflow`] when
    /// the shape does not fit the address space.
    pub fn new(
        dtype: Dtype,
        shape: &[usize],
        strides: &[isize],
        bytes: &'a [u8],
        origin: usize,
    ) -> Result<Self> {
        nbytes(shape, dtype.itemsize())?;
        if !(Strided { origin, strides }).fits(shape, dtype.itemsize(), bytes.len()) {
            let message = format!(
                "an array of shape {shape:?}, strides {strides:?} and {}-byte items from byte {origin} reaches outside of its {} bytes",
                dtype.itemsize(),
                bytes.len()
            );
            return Err(Error::new(Code::OutOfBounds, message));
        }
        let padding = padding(&dtype, shape);
        Ok(Self { dtype, shape: shape.to_vec(), strides: strides.to_vec(), origin, bytes, padding })
    }

    /// A view of contiguous elements, which must fill `bytes` exactly.
    ///
    /// # Errors
    /// [`Code::DataTruncated`] or [`Code::DataTrailing`] when they do not.
    pub fn contiguous(
        dtype: Dtype,
        shape: &[usize],
        order: Order,
        bytes: &'a [u8],
    ) -> Result<Self> {
        let expected = nbytes(shape, dtype.itemsize())?;
        if bytes.len() != expected {
            let code =
                if bytes.len() < expected { Code::DataTruncated } else { Code::DataTrailing };
            let message = format!(
                "shape {shape:?} of `{dtype}` needs exactly {expected} bytes, got {}",
                bytes.len()
            );
            return Err(Error::new(code, message).at(bytes.len().min(expected) as u64));
        }
        let strides = strides(shape, dtype.itemsize(), order);
        Self::new(dtype, shape, &strides, bytes, 0)
    }

    /// The type of the elements.
    pub fn dtype(&self) -> &Dtype {
        &self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The strides in bytes.
    pub fn strides(&self) -> &[isize] {
        &self.strides
    }

    /// Bytes of all elements, each counted once per place in the shape.
    pub fn nbytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.itemsize()
    }

    /// Whether the elements lie one after another in this order.
    pub fn is_contiguous(&self, order: Order) -> bool {
        ndbytes_format::is_contiguous(&self.shape, &self.strides, self.dtype.itemsize(), order)
    }

    /// The order in which `.npy` stores this array: F where it is F-contiguous and not C.
    pub fn storage_order(&self) -> Order {
        match !self.is_contiguous(Order::C) && self.is_contiguous(Order::F) {
            true => Order::F,
            false => Order::C,
        }
    }

    /// The `.npy` header of this array.
    ///
    /// # Errors
    /// [`Code::SizeOverflow`], which `new` has ruled out.
    pub fn header(&self) -> Result<Header> {
        Ok(Header::new(self.dtype.clone(), self.storage_order(), self.shape.clone())?)
    }

    /// The elements' own bytes, where they are contiguous in this order and nothing in them has
    /// to be blanked.
    pub fn as_bytes(&self, order: Order) -> Option<&'a [u8]> {
        let free = self.padding.is_empty() && self.is_contiguous(order);
        free.then(|| match self.nbytes() {
            0 => &[][..],
            len => &self.bytes[self.origin..self.origin + len],
        })
    }

    /// Copies the elements from number `from`, counted in `order`, until `dst` is full. Gaps
    /// between a struct's fields become zeros.
    ///
    /// # Errors
    /// [`Code::Argument`] when `dst` holds no whole number of items or more than there are.
    pub fn copy_to(&self, dst: &mut [u8], from: usize, order: Order) -> Result<()> {
        self.copy_to_as(dst, from, order, None)
    }

    /// As [`ArrayView::copy_to`], the bytes of each number in this byte order.
    ///
    /// # Errors
    /// As [`ArrayView::copy_to`]; [`Code::UnsupportedDtype`] where fields overlap.
    pub fn copy_to_as(
        &self,
        dst: &mut [u8],
        from: usize,
        order: Order,
        byte_order: Option<ByteOrder>,
    ) -> Result<()> {
        let itemsize = self.dtype.itemsize();
        let count: usize = self.shape.iter().product();
        let fits = match itemsize {
            0 => dst.is_empty(),
            size => {
                dst.len().is_multiple_of(size) && from <= count && dst.len() / size <= count - from
            }
        };
        if !fits {
            let message = format!(
                "{} bytes from item {from} are no part of {count} items of {itemsize}",
                dst.len()
            );
            return Err(Error::new(Code::Argument, message));
        }
        // A dtype of nothing may have more numbers than there is memory.
        let units = match byte_order {
            Some(byte_order) if !dst.is_empty() => swap_units_to(&self.dtype, byte_order)?,
            _ => Vec::new(),
        };
        if dst.len() <= SMALL
            && units.is_empty()
            && let Some(bytes) = self.as_bytes(order)
        {
            let from = from * itemsize;
            dst.copy_from_slice(&bytes[from..from + dst.len()]);
            return Ok(());
        }
        let elements = Elements {
            bytes: self.bytes,
            layout: Strided { origin: self.origin, strides: &self.strides },
            shape: &self.shape,
            itemsize,
        };
        let finish = |piece: &mut [u8]| {
            swap_bytes(piece, itemsize, &units);
            zero_spans(piece, itemsize, &self.padding);
        };
        let nothing = units.is_empty() && self.padding.is_empty();
        gather(dst, from, elements, order, threads(), if nothing { None } else { Some(&finish) });
        Ok(())
    }

    /// Copies all elements, in this order and, if given, this byte order, and tells how far it is.
    ///
    /// # Errors
    /// As [`ArrayView::copy_to_as`], and what [`Progress`] said.
    #[inline]
    pub fn copy_to_with(
        &self,
        dst: &mut [u8],
        order: Order,
        byte_order: Option<ByteOrder>,
        progress: &Progress,
    ) -> Result<()> {
        if progress.is_heard() {
            return self.copy_measured(dst, order, byte_order, progress);
        }
        self.copy_to_as(dst, 0, order, byte_order)
    }

    fn copy_measured(
        &self,
        dst: &mut [u8],
        order: Order,
        byte_order: Option<ByteOrder>,
        progress: &Progress,
    ) -> Result<()> {
        let size = self.piece(order);
        let meter = Meter::new(progress, dst.len() as u64);
        let mut copy = || {
            let items = size / self.dtype.itemsize().max(1);
            for (i, piece) in dst.chunks_mut(size).enumerate() {
                self.copy_to_as(piece, i * items, order, byte_order)?;
                meter.add(piece.len())?;
            }
            Ok(())
        };
        let copied = copy();
        meter.end(copied)
    }

    /// Bytes to copy at a time, whole items: some MiB, and where elements are put into another order
    /// so many rows that no cache line is fetched for little.
    fn piece(&self, order: Order) -> usize {
        let itemsize = self.dtype.itemsize().max(1);
        let size = (MEASURED / itemsize).max(1) * itemsize;
        if self.is_contiguous(order) {
            return size;
        }
        let longer = |n: &&usize| **n > 1;
        let rows = match order {
            Order::C => self.shape.iter().find(longer),
            Order::F => self.shape.iter().rfind(longer),
        };
        let row = (self.nbytes() / rows.copied().unwrap_or(1)).max(1);
        let least = row.saturating_mul(FETCHED.div_ceil(itemsize));
        size.div_ceil(least).saturating_mul(least)
    }

    /// A part: `shape` elements from `start` on, which must be within the array.
    pub(crate) fn part(&self, start: &[usize], shape: &[usize]) -> ArrayView<'a> {
        let shift: isize = start.iter().zip(&self.strides).map(|(&i, &s)| i as isize * s).sum();
        let origin = self.origin.wrapping_add_signed(shift);
        ArrayView { shape: shape.to_vec(), origin, ..self.clone() }
    }

    /// Copies the elements to the places of other strides, the first to the start of `dst`. Gaps
    /// between a struct's fields become zeros.
    pub(crate) fn copy_into(&self, dst: &mut [u8], strides: &[isize]) {
        let (to, from) = (
            Strided { origin: 0, strides },
            Strided { origin: self.origin, strides: &self.strides },
        );
        let itemsize = self.dtype.itemsize();
        copy(dst, to, self.bytes, from, &self.shape, itemsize);
        zero_spans(dst, itemsize, &self.padding);
    }

    /// All elements, contiguous in this order.
    ///
    /// # Errors
    /// [`Code::Io`] without memory for them.
    pub fn to_vec(&self, order: Order) -> Result<Vec<u8>> {
        let mut bytes = zeroed_vec(self.nbytes())?;
        self.copy_to(&mut bytes, 0, order)?;
        Ok(bytes)
    }

    /// Calls `body` with the elements' bytes in this order, in pieces: all at once where they lie
    /// that way, otherwise gathered into one buffer of at most 8 MiB (or one item).
    ///
    /// # Errors
    /// What `body` said, or [`Code::Io`] without memory for the buffer.
    pub fn for_each_chunk(
        &self,
        order: Order,
        body: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        if self.nbytes() == 0 {
            return Ok(());
        }
        if let Some(bytes) = self.as_bytes(order) {
            return if bytes.is_empty() { Ok(()) } else { body(bytes) };
        }
        let itemsize = self.dtype.itemsize();
        let total = self.nbytes();
        let size = (CHUNK / itemsize).max(1) * itemsize;
        let mut buffer = Buffer::zeroed(size.min(total))?;
        let mut done = 0;
        while done < total {
            let part = size.min(total - done);
            let chunk = &mut buffer[..part];
            self.copy_to(chunk, done / itemsize, order)?;
            body(chunk)?;
            done += part;
        }
        Ok(())
    }
}

impl Array {
    /// An array of these facts, all zeros.
    ///
    /// # Errors
    /// [`Code::Io`] without memory for it.
    pub fn zeroed(header: Header) -> Result<Self> {
        let data = Buffer::zeroed(header.nbytes())?;
        Ok(Self { header, data })
    }

    /// Dtype, order and shape.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The type of the elements.
    pub fn dtype(&self) -> &Dtype {
        self.header.dtype()
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        self.header.shape()
    }

    /// The order of the elements.
    pub fn order(&self) -> Order {
        self.header.order()
    }

    /// The elements' bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// The elements' bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// A view of it.
    pub fn view(&self) -> ArrayView<'_> {
        let dtype = self.dtype().clone();
        let strides = strides(self.shape(), dtype.itemsize(), self.order());
        let padding = padding(&dtype, self.shape());
        ArrayView {
            dtype,
            shape: self.shape().to_vec(),
            strides,
            origin: 0,
            bytes: &self.data,
            padding,
        }
    }
}

/// Scatters contiguous bytes into a strided array in memory; the counterpart of
/// [`ArrayView::copy_to`].
pub(crate) fn copy_from(
    dst: &mut [u8],
    layout: Strided<'_>,
    header: &Header,
    from: usize,
    src: &[u8],
) {
    scatter(dst, layout, header.shape(), header.dtype().itemsize(), header.order(), from, src);
}

/// The gaps of one element, where there is one: a header of no elements may describe an element of
/// any size, which costs its writer nothing.
fn padding(dtype: &Dtype, shape: &[usize]) -> Vec<Span> {
    if shape.contains(&0) { Vec::new() } else { padding_spans(dtype) }
}

/// Calls `body`, in which nothing that this crate does takes more than so many threads; as many as
/// suit the machine for none.
///
/// ```
/// let one = ndbytes::with_threads(Some(1), || 1 + 1);
/// assert_eq!(one, 2);
/// ```
pub fn with_threads<T>(most: Option<usize>, body: impl FnOnce() -> T) -> T {
    /// Puts back what was there, however `body` ends.
    struct Before(Option<usize>);
    impl Drop for Before {
        fn drop(&mut self) {
            MOST.set(self.0);
        }
    }
    let _before = Before(MOST.replace(most.map(|most| most.max(1))));
    body()
}

/// How many threads a call on this thread may use.
pub(crate) fn threads() -> usize {
    static THREADS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let suits = || std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    MOST.get().unwrap_or_else(|| *THREADS.get_or_init(suits))
}

thread_local! {
    static MOST: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// How many threads work on this many bytes: for few, a thread costs more than it brings.
pub(crate) fn threads_for(nbytes: usize) -> usize {
    if nbytes < 1 << 19 { 1 } else { threads() }
}

pub(crate) fn zeroed_vec(len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len).map_err(|_| {
        Error::from(std::io::Error::new(
            std::io::ErrorKind::OutOfMemory,
            format!("no memory for {len} bytes"),
        ))
    })?;
    bytes.resize(len, 0);
    Ok(bytes)
}

/// Below this, finding out how to copy takes longer than copying.
const SMALL: usize = 1 << 16;

/// Bytes that are copied before somebody is told.
const MEASURED: usize = 64 << 20;

/// Bytes that lie together and are worth fetching: some cache lines.
const FETCHED: usize = 256;

/// The most memory that saving any layout takes over the array itself.
const CHUNK: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_checked() {
        let bytes = [0; 48];
        let f8: Dtype = "<f8".parse().unwrap();
        assert!(ArrayView::new(f8.clone(), &[2, 3], &[24, 8], &bytes, 0).is_ok());
        assert!(ArrayView::new(f8.clone(), &[2, 3], &[-24, 8], &bytes, 24).is_ok());
        let error = ArrayView::new(f8.clone(), &[2, 3], &[24, 8], &bytes, 8).unwrap_err();
        assert_eq!(error.code(), Code::OutOfBounds);
        let error = ArrayView::contiguous(f8.clone(), &[2, 2], Order::C, &bytes).unwrap_err();
        assert_eq!(error.code(), Code::DataTrailing);
        let error = ArrayView::contiguous(f8, &[7], Order::C, &bytes).unwrap_err();
        assert_eq!(error.code(), Code::DataTruncated);
    }

    #[test]
    fn storage_order_is_numpys() {
        let bytes = [0; 48];
        let view = |shape: &[usize], strides: &[isize]| {
            ArrayView::new("<f8".parse().unwrap(), shape, strides, &bytes, 0)
                .unwrap()
                .storage_order()
        };
        assert_eq!(view(&[2, 3], &[24, 8]), Order::C);
        assert_eq!(view(&[2, 3], &[8, 16]), Order::F);
        assert_eq!(view(&[6], &[8]), Order::C);
        assert_eq!(view(&[3], &[16]), Order::C);
        assert_eq!(view(&[], &[]), Order::C);
        assert_eq!(view(&[0, 3], &[8, 8]), Order::C);
    }

    #[test]
    fn chunks_are_the_whole() {
        let bytes: Vec<u8> = (0..1 << 25).map(|i: u32| (i % 253) as u8).collect();
        let view =
            ArrayView::new("<f4".parse().unwrap(), &[2048, 4096], &[4, 8192], &bytes, 0).unwrap();
        let mut joined = Vec::new();
        let mut pieces = 0;
        view.for_each_chunk(Order::C, &mut |chunk| {
            assert!(chunk.len() <= CHUNK);
            joined.extend_from_slice(chunk);
            pieces += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(pieces, 4);
        assert!(joined == view.to_vec(Order::C).unwrap());
    }

    /// The gaps of this element would take 16 TB.
    #[test]
    fn a_huge_dtype_without_elements_costs_nothing() {
        let dtype: Dtype =
            "[('a', [('b', '|u1'), ('', '|V1')], (1000000000000,))]".parse().unwrap();
        let view = ArrayView::contiguous(dtype, &[0], Order::C, &[]).unwrap();
        assert!(view.to_vec(Order::C).unwrap().is_empty());
        assert_eq!(Array::zeroed(view.header().unwrap()).unwrap().view().nbytes(), 0);
    }

    #[test]
    fn numbers_turn_around_in_every_layout() {
        let bytes: Vec<u8> = (0..12).collect();
        let view = ArrayView::new("<i2".parse().unwrap(), &[3, 2], &[2, 6], &bytes, 0).unwrap();
        let mut out = [0; 12];
        view.copy_to_as(&mut out, 0, Order::C, Some(ByteOrder::Big)).unwrap();
        assert_eq!(out, [1, 0, 7, 6, 3, 2, 9, 8, 5, 4, 11, 10]);
        view.copy_to_as(&mut out[..4], 1, Order::F, Some(ByteOrder::Little)).unwrap();
        assert_eq!(out[..4], [2, 3, 4, 5]);
    }

    #[test]
    fn gaps_are_blanked() {
        let bytes = [0xff; 32];
        let dtype: Dtype = "[('a', '|u1'), ('', '|V7'), ('b', '<f8')]".parse().unwrap();
        let view = ArrayView::contiguous(dtype, &[2], Order::C, &bytes).unwrap();
        assert!(view.as_bytes(Order::C).is_none());
        let mut want = [0xff; 32];
        want[1..8].fill(0);
        want[17..24].fill(0);
        assert_eq!(view.to_vec(Order::C).unwrap(), want);
    }
}
