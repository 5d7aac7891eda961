//! The bodies of the fuzz targets: what holds of any bytes at all.
//!
//! Each may be run on any input without harm: limits keep memory and time small.

use std::io::Read;
use std::sync::OnceLock;

use ndbytes::literal::Literal;
use ndbytes::zip::{Directory, Entry, LOCAL_LEN, is_local_of, local_len};
use ndbytes::{
    Array, ArrayView, Code, Codec, Compression, Dtype, Error, ErrorKind, Header, Limits, NpzReader,
    NpzWriter, Order, Slice, Strided, strides,
};
use ndbytes_codec::blosc::{self, Decoder, Encoder, Filter, Options};
use ndbytes_codec::deflate::{
    BlockDecoder, BlockEncoder, BlockStart, Inflater, Stretch, StretchDecoder,
};
use ndbytes_codec::pco::{self, Number};
use ndbytes_net::answer::ContentRange;
use ndbytes_net::request::{
    Conditions, Query, Ranges, RelativePath, best_offer, parse_checksum, parse_metadata,
    parse_ranges, wanted_digest,
};

use crate::arrays::{Case, dtypes, items};
use crate::transport::{HostileReader, ReadRule};
use crate::{foreign, oracle, pieces};

#[cfg(feature = "zarr")]
pub use crate::frame_targets::zarr_read;
pub use crate::frame_targets::{frame_journal, frame_part, frame_read};
#[cfg(all(feature = "session", unix))]
pub use crate::session_target::{http_answer, session};

/// A header that parses is encoded to one that parses to the same.
pub fn header(data: &[u8]) {
    let Ok((header, offset)) = Header::parse(data, &Limits::default()) else { return };
    assert!(offset <= data.len());
    let encoded = header.encode().expect("what was read can be written");
    // Escapes may make it longer than what was read.
    let limits = Limits::default().with_header(usize::MAX);
    let (again, offset) = Header::parse(&encoded, &limits).expect("what was written can be read");
    assert_eq!(offset, encoded.len());
    // How it was written (by Python 2) is not among the facts.
    assert_eq!(again.into_parts(), header.into_parts());
}

/// A dtype that parses prints as one that parses to the same, and NumPy's nearest is as large.
pub fn descr(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(literal) = Literal::parse(text, true) {
        assert_eq!(Literal::parse(&literal.to_string(), false).as_ref(), Ok(&literal));
    }
    let Ok(dtype) = text.parse::<Dtype>() else { return };
    assert_eq!(dtype.to_string().parse::<Dtype>().as_ref(), Ok(&dtype), "{dtype}");
    for order in [ndbytes::ByteOrder::Big, ndbytes::ByteOrder::Little] {
        let turned = dtype.with_byte_order(order);
        assert_eq!(turned.to_string().parse::<Dtype>(), Ok(turned));
    }
    // Spans are as many as there may be bytes in an element.
    if dtype.itemsize() > 1 << 16 {
        return;
    }
    for spans in [ndbytes::padding_spans(&dtype), ndbytes::swap_units(&dtype)] {
        for span in spans {
            assert!(span.offset + span.len <= dtype.itemsize());
        }
    }
    for offset in 0..dtype.itemsize().min(1 << 10) {
        let inside = |span: &ndbytes::Span| (span.offset..span.offset + span.len).contains(&offset);
        let gap = ndbytes::padding_spans(&dtype).iter().any(inside);
        assert_eq!(gap, !oracle::is_used(&dtype, offset), "{dtype} at {offset}");
        if dtype.itemsize() > 64 && offset > 64 {
            break;
        }
    }
}

/// Reading from a stream and viewing in memory agree, and exactly one array is consumed.
pub fn npy_read(data: &[u8]) {
    let limits = Limits::default().with_bytes(MAX_BYTES);
    let mut source = data;
    let read = ndbytes::read_npy(&mut source, &limits);
    let consumed = data.len() - source.len();
    match read {
        Ok(array) => {
            let (header, offset) = Header::parse(data, &limits).expect("as it was just read");
            assert_eq!(consumed, offset + header.nbytes());
            let view = ndbytes::loads(&data[..consumed], &limits).expect("as it was just read");
            same(&array.view(), &view);
            let written = ndbytes::dumps(&view).expect("what was read can be written");
            let unlimited = Limits::default().with_header(usize::MAX);
            same(&ndbytes::loads(&written, &unlimited).expect("just written"), &view);
            if consumed < data.len() {
                refused(ndbytes::loads(data, &limits), Code::DataTrailing);
            }
        }
        Err(error) => {
            check(&error, data.len());
            assert_eq!(error.code() == Code::EndOfStream, data.is_empty());
            if error.code() != Code::TooManyBytes {
                let viewed = ndbytes::loads(data, &limits).expect_err("reading has failed");
                // A view has all bytes at hand, and may see that there are too many first.
                if viewed.code() != Code::DataTrailing {
                    assert_eq!(viewed.code(), error.code(), "{viewed} {error}");
                }
            }
        }
    }
}

/// An archive that opens names its members, and each is read or refused. What an append takes from
/// its end is the same when it is written again.
pub fn npz_read(data: &[u8]) {
    npz_end(data);
    let mut limits = Limits::default().with_bytes(MAX_BYTES);
    limits.members = 1000;
    let reader = match NpzReader::new(data, &limits) {
        Ok(reader) => reader,
        Err(error) => return check(&error, usize::MAX),
    };
    assert!(reader.entries().len() <= 1000);
    for (member, entry) in reader.entries().iter().enumerate() {
        if let Ok(start) = reader.data_offset(member) {
            assert!(start + entry.compressed <= data.len() as u64);
        }
        if let Ok(bytes) = reader.member(member) {
            let mut head = Vec::new();
            let _ = bytes.take(1 << 12).read_to_end(&mut head);
        }
        let Ok((header, bytes)) = reader.array_member(member) else { continue };
        assert!(header.nbytes() as u64 <= MAX_BYTES);
        let mut elements = bytes.elements().expect("it can be counted");
        let middle = header.nbytes() / 2;
        // From the middle on, and then the front, as readers of parts do.
        let mut parts = vec![0; header.nbytes()];
        let (front, back) = parts.split_at_mut(middle);
        let read = elements.read_exact_at(back, middle as u64);
        let read = read.and_then(|()| elements.read_exact_at(front, 0));
        let mut array = Array::zeroed(header.clone()).expect("memory for a little");
        if NpzReader::<&[u8]>::read_data(&header, bytes, array.bytes_mut()).is_ok() {
            assert!(read.is_ok() && parts == array.bytes());
            let mut writer = NpzWriter::new(Vec::new());
            writer.add("a", &array.view(), Compression::Deflate(1)).expect("it was read");
            let written = writer.finish().expect("to memory");
            let again = NpzReader::new(&written[..], &Limits::default().with_header(usize::MAX));
            let again = again.and_then(|reader| reader.read("a")).expect("it was just written");
            same(&again.view(), &array.view());
        }
    }
}

fn npz_end(data: &[u8]) {
    let Ok(directory) = Directory::parse_end(data, data.len() as u64) else { return };
    let (start, end) = (directory.offset as usize, (directory.offset + directory.len) as usize);
    if let Ok(comment) = directory.parse_comment(&data[end..]) {
        let mut again = Vec::new();
        directory.encode_end_with(comment, &mut again);
        let total = (end + again.len()) as u64;
        assert_eq!(Directory::parse_end(&again, total), Ok(directory));
        assert_eq!(directory.parse_comment(&again), Ok(comment));
    }
    let Ok(entries) = Entry::split_central(&data[start..end], directory.entries) else { return };
    assert_eq!(entries.iter().map(|(_, central)| central.len()).sum::<usize>(), end - start);
    for (entry, central) in entries {
        let at = usize::try_from(entry.header_offset).unwrap_or(usize::MAX);
        if let Some(local) = data.get(at..)
            && is_local_of(local, central)
        {
            assert!(local_len(local).is_ok_and(|len| len >= LOCAL_LEN as u64));
        }
    }
}

/// Bytes in blocks of deflate come back, from each block alone and from the whole stream. The first
/// bytes choose level, period, blocks, and how often the rest is repeated, with changes.
pub fn deflate_encode(data: &[u8]) {
    let [level, period, cut, times, rest @ ..] = data else { return };
    let mut bytes = rest.to_vec();
    for time in 0..times % 32 {
        bytes.extend(rest.iter().map(|byte| byte ^ (time & 3)));
    }
    let size = (usize::from(*cut) << 9) + 1;
    let mut encoder = BlockEncoder::new(u32::from(level % 11), usize::from(period % 70));
    let mut decoder = BlockDecoder::new();
    let mut stream = Vec::new();
    let mut blocks: Vec<&[u8]> = bytes.chunks(size).collect();
    if blocks.is_empty() {
        blocks.push(&[]);
    }
    for (index, block) in blocks.iter().enumerate() {
        let (start, last) = (stream.len(), index + 1 == blocks.len());
        encoder.encode(block, last, &mut stream);
        let mut back = vec![0; block.len()];
        decoder.decode(&stream[start..], last, &mut back).expect("what was made comes back");
        assert!(back == *block);
        // As a block of a hostile file, the input must not do harm.
        let _ = decoder.decode(block, last, &mut back);
    }
    let back = ndbytes::decompress(&*stream, Codec::Deflate, u64::MAX).expect("one stream");
    assert!(back == bytes);
}

/// Streams are entered in their middle: any bytes without harm; and one that the first bytes and a plan
/// describe gives there what it gives from its start.
pub fn deflate_enter(data: &[u8]) {
    let Some((&[level, low, high, most, damage], plan)) = data.split_first_chunk() else { return };
    let enter = |stream: &[u8], most: u8| {
        let mut left = most;
        let stops = |_| {
            left = left.wrapping_sub(1);
            left == 0
        };
        let mut stretch = Stretch::default();
        let got = StretchDecoder::new().decode(stream, &mut stretch, |_| {}, stops);
        got.expect("memory does not fail").then_some(stretch)
    };
    let window = [7; Stretch::WINDOW];
    if let Some(stretch) = enter(plan, most) {
        stretch.put(&window, &mut vec![0; stretch.len()]);
    }
    let content = foreign::content(&plan[..plan.len().min(8)]);
    let mut stream = foreign::deflate(&content, u32::from(level));
    let mut blocks = Vec::<BlockStart>::new();
    let mut out = vec![0; content.len() + 1];
    let mut each = |block| {
        blocks.push(block);
        false
    };
    let whole = Inflater::new(&*stream).fill_until(&mut out, 0, &mut each);
    assert_eq!(whole.expect("what was made").0, content.len());
    let byte = stream.len() * usize::from(u16::from_le_bytes([low, high])) / (1 << 16);
    let Some(stretch) = enter(&stream[byte..], most) else { return };
    let place = |bit: u64| {
        let is_it = |block: &&BlockStart| block.bit == bit + 8 * byte as u64;
        blocks.iter().find(is_it).map(|block| block.have)
    };
    // What only looks like a block is not come to.
    if let (Some(from), Some(to)) = (place(stretch.begin()), place(stretch.end())) {
        assert_eq!(stretch.len(), to - from);
        if let Some(window) = content[..from].last_chunk() {
            let mut out = vec![0; stretch.len()];
            stretch.put(window, &mut out);
            assert!(out == content[from..to]);
            assert!(content[..to].ends_with(&*stretch.window(window)));
        }
    }
    let at = byte + usize::from(damage) * 97;
    if let Some(byte) = stream.get_mut(at) {
        *byte ^= damage | 1;
    }
    if let Some(stretch) = enter(&stream[byte..], most) {
        stretch.put(&window, &mut vec![0; stretch.len()]);
    }
}

/// An archive as others write it, that the first bytes and a plan describe, with a byte of its stream
/// changed, is read on several threads as on one, or refused for the same.
pub fn npz_foreign(data: &[u8]) {
    let Some((&[level, threads, low, high, change], plan)) = data.split_first_chunk() else {
        return;
    };
    let items = foreign::content(&plan[..plan.len().min(20)]);
    let view =
        ArrayView::contiguous("|u1".parse().expect("a dtype"), &[items.len()], Order::C, &items);
    let npy = ndbytes::dumps(&view.expect("as many items")).expect("bytes in memory");
    let mut stream = foreign::deflate(&npy, u32::from(level));
    let at = stream.len() * usize::from(u16::from_le_bytes([low, high])) / (1 << 16);
    stream[at] ^= change;
    let bytes = foreign::archive("a.npy", &npy, &stream);
    let read = |threads| {
        let read = || NpzReader::new(&bytes, &Limits::default())?.read("a");
        ndbytes::with_threads(Some(threads), read).map_err(|e| (e.code(), e.offset()))
    };
    let (one, several) = (read(1), read(2 + usize::from(threads % 4)));
    match (&one, &several) {
        (Ok(array), Ok(again)) => {
            assert!(array.bytes() == again.bytes() && array.bytes() == items);
        }
        _ => assert_eq!(one.err(), several.err()),
    }
    assert!(change != 0 || read(3).is_ok());
}

/// Bytes that may be a stream of deflate give the same as with zlib-rs, in pieces of any length, or
/// are refused by both; and two of them at a time what each gives alone.
pub fn deflate_decode(data: &[u8]) {
    let [piece, rest @ ..] = data else { return };
    let piece = usize::from(*piece) * 37 + 1;
    let want = ndbytes::decompress(rest, Codec::Deflate, MAX_BYTES);
    let mut inflater = Inflater::new(HostileReader::new(rest, ReadRule::Interrupts(7)));
    let mut out = vec![0; want.as_ref().map_or(1 << 16, Vec::len)];
    let mut inflate = || {
        let mut have = 0;
        while have < out.len() {
            let end = out.len().min(have + piece);
            let got = inflater.fill(&mut out[..end], have)?;
            if got < end {
                return Ok(false);
            }
            have = got;
        }
        inflater.ends()
    };
    match (inflate(), &want) {
        (Ok(ended), Ok(want)) => assert!(ended && out == *want),
        // What is too long for here may be whole.
        (Ok(ended), Err(error)) => {
            assert!(!ended || error.code() == Code::CodecTooLarge, "{error}");
        }
        (Err(ours), Ok(_)) => panic!("refused what zlib-rs inflates: {ours}"),
        (Err(_), Err(_)) => {}
    }
    let mut decoder = BlockDecoder::new();
    let (one, two) = rest.split_at(rest.len() / 2);
    let mut outs = [vec![0; piece], vec![0; piece / 2]];
    let mut alone = outs.clone();
    let first = decoder.decode(one, false, &mut alone[0]);
    let second = decoder.decode(two, true, &mut alone[1]);
    let [out_one, out_two] = &mut outs;
    let both = decoder.decode_two([one, two], true, [out_one, out_two]);
    assert_eq!(both.is_ok(), first.is_ok() && second.is_ok());
    assert!(both.is_err() || outs == alone);
}

/// Whatever comes out of a stream stays below its cap and can be compressed again; several decoders
/// read it as one does, and so they do streams whose blocks the bytes describe.
pub fn inflate(data: &[u8]) {
    read_in_pieces(data);
    for &codec in Codec::ALL {
        alike(codec, data);
        match ndbytes::decompress(data, codec, MAX_BYTES) {
            Ok(out) => {
                assert!(out.len() as u64 <= MAX_BYTES);
                let view = bytes_view(&out);
                let packed = ndbytes::compress(&view, codec, 1).expect("to memory");
                assert_eq!(ndbytes::decompress(&packed[..], codec, MAX_BYTES).unwrap(), out);
                if !out.is_empty() {
                    let cap = out.len() as u64 - 1;
                    refused(ndbytes::decompress(data, codec, cap), Code::CodecTooLarge);
                }
            }
            Err(error) => check(&error, data.len()),
        }
    }
}

/// A stream of the blocks that the bytes describe, but for the first five: they choose its wrapper,
/// and a bit that is turned.
fn read_in_pieces(data: &[u8]) {
    let [choice, place @ .., bit] = *data.first_chunk::<6>().unwrap_or(&[0; 6]);
    let codec = [Codec::Deflate, Codec::Gzip, Codec::Zlib][usize::from(choice % 3)];
    let plan = data.get(6..).unwrap_or(&[]);
    let (mut stream, content) = pieces::stream(codec, &plan[..plan.len().min(12)]);
    let whole = alike(codec, &stream).expect("it was just made");
    assert!(whole == content);
    let place = u32::from_le_bytes(place) as usize % stream.len();
    match bit {
        0..=7 => stream[place] ^= 1 << bit,
        8..=15 => stream.truncate(place),
        _ => stream.push(bit),
    }
    alike(codec, &stream);
}

/// What comes out of a stream, by one decoder and by several, which must agree.
fn alike(codec: Codec, stream: &[u8]) -> Option<Vec<u8>> {
    let one = ndbytes_codec::decompress(codec, stream, MAX_BYTES).map_err(Error::from);
    let several = ndbytes::Decompressor::with_threads(codec, stream, Some(2)).into_vec(MAX_BYTES);
    match (one, several) {
        (Ok(one), Ok(several)) => {
            assert!(one == several);
            Some(one)
        }
        (Err(one), Err(several)) => {
            assert_eq!(one.code(), several.code());
            check(&several, stream.len());
            None
        }
        (one, several) => panic!("{:?} and {:?} of one stream", one.err(), several.err()),
    }
}

/// A Blosc buffer is read or refused, a range of it as the whole; and any bytes come back from one.
pub fn blosc_decode(data: &[u8]) {
    let mut decoder = Decoder::new();
    match decoder.decode_to_vec(data, MAX_BYTES as usize) {
        Ok(out) => {
            assert!(out.len() as u64 <= MAX_BYTES);
            let start = data.len() % (out.len() + 1);
            let mut part = vec![0; (out.len() - start).min(1000)];
            decoder.decode_range(data, out.len(), start, &mut part).expect("the whole was read");
            assert!(part == out[start..start + part.len()]);
            let mut again = vec![0; out.len()];
            Decoder::new().decode(data, &mut again).expect("it was just read");
            assert!(again == out);
        }
        Err(error) => {
            assert!(error.offset().is_none_or(|offset| offset <= data.len() as u64), "{error}");
            assert!(!matches!(error.kind(), ErrorKind::Io | ErrorKind::Misuse), "{error}");
        }
    }
    let [codec, filter, typesize, block, ref rest @ ..] = *data else { return };
    let options = Options {
        codec: [blosc::Codec::Raw, blosc::Codec::Lz4, blosc::Codec::Zlib, blosc::Codec::Zstd]
            [usize::from(codec % 4)],
        filter: [Filter::None, Filter::Shuffle, Filter::Bitshuffle][usize::from(filter % 3)],
        typesize: usize::from(typesize).max(1),
        block_size: (block > 0).then_some(usize::from(block) * 64),
        split: [None, Some(false), Some(true)][usize::from(codec / 4 % 3)],
        level: u32::from(codec / 16 % 4).max(1),
        min_match: Some(u32::from(filter / 3 % 8)).filter(|len| (3..8).contains(len)),
    };
    let mut buffer = Vec::new();
    Encoder::new().encode(rest, &options, &mut buffer).expect("to memory");
    assert!(buffer.len() <= rest.len() + 16);
    assert!(decoder.decode_to_vec(&buffer, rest.len()).expect("it was just encoded") == rest);
}

/// A pco stream gives the numbers that were asked for, or is refused; and any numbers come back.
pub fn pco_decode(data: &[u8]) {
    let Some((&kind, data)) = data.split_first() else { return };
    let number = Number::ALL[usize::from(kind) % Number::ALL.len()];
    for count in [0, 300, 5000] {
        let mut out = vec![0; count * number.size()];
        if let Err(error) = pco::decode(data, number, &mut out) {
            assert!(!matches!(error.kind(), ErrorKind::Io | ErrorKind::Misuse), "{error}");
        }
    }
    let data = &data[..data.len() - data.len() % number.size()];
    let mut packed = Vec::new();
    pco::encode(data, number, u32::from(kind) / 11 % 9, &mut packed).expect("whole numbers");
    let mut again = vec![0; data.len()];
    pco::decode(&packed, number, &mut again).expect("it was just encoded");
    assert!(again == data);
}

/// A stream of arrays gives the same through any short reads, and into any memory.
pub fn recv(data: &[u8]) {
    let Some((&seed, data)) = data.split_first() else { return };
    let limits = Limits::default().with_bytes(MAX_BYTES);
    let mut plain = data;
    let mut short = HostileReader::new(data, ReadRule::Interrupts(seed.into()));
    let mut into = data;
    loop {
        let one = ndbytes::recv(&mut plain, &limits);
        let other = ndbytes::recv(&mut short, &limits);
        match (one, other) {
            (Ok(Some(one)), Ok(Some(other))) => {
                same(&one.view(), &other.view());
                let header = one.header().clone();
                let mut out = vec![0; header.nbytes()];
                let order = if seed & 1 == 0 { Order::C } else { Order::F };
                let itemsize = header.dtype().itemsize();
                let strides = ndbytes::strides(header.shape(), itemsize, order);
                let layout = Strided { origin: 0, strides: &strides };
                let got = ndbytes::recv_into(&mut into, &header, &mut out, layout, &limits);
                assert!(got.expect("as it was just received"));
                let view =
                    ArrayView::contiguous(header.dtype().clone(), header.shape(), order, &out);
                same(&view.unwrap(), &one.view());
            }
            (Ok(None), Ok(None)) => break assert!(plain.is_empty()),
            (Err(one), Err(other)) => break assert_eq!(one.code(), other.code()),
            (one, other) => panic!("{one:?} and {other:?} of one stream"),
        }
        assert_eq!(plain.len() as u64, data.len() as u64 - short.position());
        assert_eq!(plain.len(), into.len());
    }
}

/// An array of any layout comes back, and its bytes are the oracle's.
pub fn roundtrip(data: &[u8]) {
    let Some(case) = case_of(data) else { return };
    let Ok(view) =
        ArrayView::new(case.dtype.clone(), &case.shape, &case.strides, &case.bytes, case.origin)
    else {
        return;
    };
    let limits = Limits::default();
    for order in [Order::C, Order::F] {
        let want = oracle::tobytes(&case, order);
        assert_eq!(ndbytes::tobytes(&view, order).unwrap(), want, "{}", case.name);
        // Any part of it, too.
        let itemsize = case.dtype.itemsize();
        if let Some(count) = want.len().checked_div(itemsize) {
            let from = data.len() % (count + 1);
            let mut part = vec![0; (count - from) * itemsize];
            view.copy_to(&mut part, from, order).unwrap();
            assert_eq!(part, want[from * itemsize..]);
        }
    }
    let dumped = ndbytes::dumps(&view).expect("every dtype of the table can be saved");
    let loaded = ndbytes::loads(&dumped, &limits).expect("it was just dumped");
    same(&loaded, &view);
    let mut written = Vec::new();
    ndbytes::write_npy(&mut written, &view).unwrap();
    assert_eq!(written, dumped);
}

/// What a client sends leads nowhere else, asks for nothing that there is not, and selects within
/// the array.
pub fn http_request(data: &[u8]) {
    let Some((&size, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(path) = RelativePath::parse(text) {
        for name in path.segments() {
            assert!(!matches!(&name[..], b"" | b"." | b".."), "{text}");
            assert!(!name.contains(&0) && !name.contains(&b'/'), "{text}");
        }
        assert!(!path.to_path().is_absolute() && path.front(0).segments().is_empty());
        let slash = if path.is_folder() && !path.segments().is_empty() { "/" } else { "" };
        let again = RelativePath::parse(&(path.encode() + slash));
        // A byte that no URL has becomes three.
        assert!(again.as_ref() == Ok(&path) || again == Err("the path is too long"), "{text}");
    }
    for size in [0, 1, u64::from(size), u64::MAX] {
        let Ranges::Parts(parts) = parse_ranges(text, size) else { continue };
        let total: u128 = parts.iter().map(|part| u128::from(part.len)).sum();
        assert!(!parts.is_empty() && total <= u128::from(size), "{text}");
        let within =
            |start: u64, len: u64| len > 0 && start.checked_add(len).is_some_and(|end| end <= size);
        assert!(parts.iter().all(|part| within(part.start, part.len)), "{text}");
    }
    let _ = (Query::parse(Some(text), &["slice", "member"]), wanted_digest(text));
    for (key, value) in parse_metadata(text).into_iter().flatten() {
        assert!(!key.is_empty() && value.len() <= text.len(), "{text}");
    }
    let _ = parse_checksum(text);
    assert!(best_offer(Some(text), &["text/html", "application/json"]).is_none_or(|i| i < 2));
    if let Some(ContentRange::Part { first, last, size }) = ContentRange::parse(text) {
        assert!(first <= last && size.is_none_or(|size| last < size), "{text}");
    }
    let conditions =
        Conditions { if_match: Some(text), if_none_match: Some(text), ..Conditions::default() };
    let _ = conditions.judge("\"a\"", None);
    let Ok(slice) = Slice::parse(text) else { return };
    let edge = usize::from(size % 7);
    for shape in [&[][..], &[edge], &[edge, 3], &[2, edge, 4]] {
        let numbers: Vec<u8> = (0..shape.iter().product::<usize>() as u8).collect();
        let layout = strides(shape, 1, Order::C);
        let Ok(selection) = slice.select(shape, &layout) else { continue };
        for range in slice.ranges(shape).expect("it was just applied") {
            let last = range.count.checked_sub(1).map(|last| last as isize * range.step);
            assert!(last.is_none_or(|last| range.start.checked_add_signed(last).is_some()));
        }
        if selection.shape.len() > 64 {
            continue;
        }
        let dtype: Dtype = "|u1".parse().unwrap();
        let (shape, strides) = (&selection.shape, &selection.strides);
        let whole = ArrayView::new(dtype.clone(), shape, strides, &numbers, selection.origin);
        let whole = whole.expect("it is within the array").to_vec(Order::C).unwrap();
        let mut joined = Vec::new();
        for piece in selection.pieces(1, 5).unwrap() {
            let bytes = &numbers[piece.offset..piece.offset + piece.len];
            joined.extend(piece.view(&dtype, bytes).unwrap().to_vec(Order::C).unwrap());
        }
        assert_eq!(joined, whole, "{text}");
    }
}

/// An array of at most 64 KiB from any bytes: dtype, dimensions, lengths, strides, origin.
fn case_of(data: &[u8]) -> Option<Case> {
    let mut data = data.iter().copied();
    static DTYPES: OnceLock<Vec<Dtype>> = OnceLock::new();
    let dtypes = DTYPES.get_or_init(dtypes);
    let dtype = dtypes[usize::from(data.next()?) % dtypes.len()].clone();
    let ndim = usize::from(data.next()?) % 6;
    let mut shape = Vec::new();
    let mut strides = Vec::new();
    // In whole items, so that bools and characters stay valid wherever an element begins.
    let itemsize = dtype.itemsize() as isize;
    for _ in 0..ndim {
        shape.push(usize::from(data.next()? % 6));
        strides.push(isize::from(data.next()? as i8) * itemsize);
    }
    let origin = usize::from(data.next()?) * dtype.itemsize();
    let count = usize::from(data.next()?) * 4;
    let bytes = items(&dtype, count, data.next()?.into());
    let name = format!("{dtype} {shape:?} {strides:?} {origin}");
    Some(Case { name, dtype, shape, strides, origin, bytes })
}

pub(crate) fn same(one: &ArrayView<'_>, other: &ArrayView<'_>) {
    assert_eq!(one.dtype(), other.dtype());
    assert_eq!(one.shape(), other.shape());
    assert!(one.to_vec(Order::C).unwrap() == other.to_vec(Order::C).unwrap());
}

fn bytes_view(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("|u1".parse().unwrap(), &[bytes.len()], Order::C, bytes).unwrap()
}

fn refused<T>(result: Result<T, Error>, code: Code) {
    assert_eq!(result.err().map(|error| error.code()), Some(code));
}

/// What holds of any refusal of `len` bytes in memory.
pub(crate) fn check(error: &Error, len: usize) {
    assert!(error.offset().is_none_or(|offset| offset <= len as u64), "{error} of {len} bytes");
    assert!(!error.message().is_empty() && error.message().len() < 2000, "{error}");
    assert_ne!(error.kind(), ErrorKind::Io, "{error}");
    assert_ne!(error.kind(), ErrorKind::Misuse, "{error}");
}

pub(crate) const MAX_BYTES: u64 = 1 << 20;
