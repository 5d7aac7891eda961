//! `compress` and `decompress`: standard streams, in bounded memory.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use ndbytes::{Codec, Compressor, Decompressor, Looks, Order, looks_like};

use crate::args::{Compress, Decompress};
use crate::elements::{Elements, blank};
use crate::exit::{ExitStatus, Failure};
use crate::input::{Input, is_dash};
use crate::output::Output;
use crate::printer::note;
use crate::progress::{self, By, Counted};

/// Compresses a file.
pub(crate) fn compress(args: &Compress) -> Result<ExitStatus, Failure> {
    let codec = match args.codec {
        Some(codec) => codec,
        None => codec_of(&args.output).ok_or_else(|| {
            Failure::trouble(format!(
                "{}: say by `--codec` which stream: the suffix is none of .zst, .lz4, .gz, \
                 .zz, .zlib",
                args.output.display()
            ))
        })?,
    };
    let level = args.level.unwrap_or(codec.default_level());
    codec.check_level(level).map_err(|error| Failure::trouble(error.to_string()))?;
    let begin = || {
        let out = Output::create(&args.output)?;
        Ok::<_, Failure>(Compressor::new(codec, level, out).with_threads(args.threads))
    };
    let mut compressor;
    let mut before = 0;
    if args.data {
        let input = Input::open(&args.input)?;
        if input.looks()? != Looks::Npy {
            return Err(input.refuse(input.looks()?, "an .npy file, which `--data` needs"));
        }
        input.begin("compressing");
        let elements = Elements::npy(&input)?.alone()?;
        before = elements.header().nbytes() as u64;
        compressor = begin()?.with_size(before);
        compress_data(elements, &mut compressor)?;
    } else {
        let mut source = open(&args.input, "compressing")?;
        compressor = begin()?;
        copy(&mut source, &args.input, &mut |bytes| {
            before += bytes.len() as u64;
            Ok(compressor.write_all(bytes)?)
        })?;
    }
    let out = compressor.finish()?;
    let after = out.written();
    out.commit()?;
    tell(before, after);
    Ok(ExitStatus::Done)
}

/// The elements in C order: in pieces where they lie so.
fn compress_data(
    elements: Elements<'_>,
    compressor: &mut Compressor<Output>,
) -> Result<(), Failure> {
    if crate::elements::storage_order(elements.header()) == Order::C {
        let dtype = elements.header().dtype().clone();
        return elements.for_each_piece(&mut |items| {
            let items = blank(&dtype, items)?;
            Ok(items.for_each_chunk(Order::C, &mut |bytes| Ok(compressor.write_all(bytes)?))?)
        });
    }
    let array = elements.load()?;
    Ok(array.view().for_each_chunk(Order::C, &mut |bytes| Ok(compressor.write_all(bytes)?))?)
}

/// Decompresses a file.
pub(crate) fn decompress(args: &Decompress) -> Result<ExitStatus, Failure> {
    let mut source = open(&args.input, "decompressing")?;
    let name = named(&args.input);
    let mut head = Vec::new();
    source.by_ref().take(512).read_to_end(&mut head).map_err(|error| Failure::io(error, name))?;
    let codec = match args.codec {
        Some(codec) => codec,
        None => guess(&head, name)?,
    };
    let before = Cell::new(0);
    let counted = Tally { source: head.as_slice().chain(source), read: &before };
    let mut source = Decompressor::with_threads(codec, counted, args.threads);
    let mut out = Output::create(&args.output)?;
    let limit = args.max_bytes.unwrap_or(u64::MAX);
    copy(&mut source, name, &mut |bytes| {
        if out.written() + bytes.len() as u64 > limit {
            return Err(Failure::no(format!(
                "{}: more than {limit} bytes come out; raise `--max-bytes` if you trust it",
                name.display()
            )));
        }
        Ok(out.write_all(bytes)?)
    })?;
    source.expect_end().map_err(|error| Failure::io(error, name))?;
    let after = out.written();
    out.commit()?;
    tell(before.get(), after);
    Ok(ExitStatus::Done)
}

/// The codec of these first bytes.
pub(crate) fn guess(head: &[u8], name: &Path) -> Result<Codec, Failure> {
    match looks_like(head) {
        Looks::Gzip => Ok(Codec::Gzip),
        Looks::Zlib => Ok(Codec::Zlib),
        Looks::Zstd => Ok(Codec::Zstd),
        Looks::Lz4 => Ok(Codec::Lz4),
        looks => Err(Failure::no(format!(
            "{}: not a gzip, zlib, zstd or lz4 stream: it looks like {}; bare deflate has no \
             mark: say `--codec deflate`",
            name.display(),
            looks.describe()
        ))),
    }
}

/// Reads a source to its end, piece by piece.
pub(crate) fn copy(
    source: &mut dyn Read,
    name: &Path,
    body: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => body(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::io(error, name)),
        }
    }
}

fn open(path: &Path, verb: &str) -> Result<Box<dyn Read>, Failure> {
    if is_dash(path) {
        progress::begin(By::Reading, verb, named(path), None);
        return Ok(Box::new(Counted(io::stdin())));
    }
    let open = || {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        progress::begin(By::Reading, verb, path, meta.is_file().then_some(meta.len()));
        Ok(file)
    };
    Ok(Box::new(Counted(open().map_err(|error| Failure::io(error, path))?)))
}

/// How messages name a path.
fn named(path: &Path) -> &Path {
    if is_dash(path) { Path::new("standard input") } else { path }
}

fn codec_of(path: &Path) -> Option<Codec> {
    match path.extension().and_then(OsStr::to_str)? {
        "gz" => Some(Codec::Gzip),
        "zst" => Some(Codec::Zstd),
        "lz4" => Some(Codec::Lz4),
        "zz" | "zlib" => Some(Codec::Zlib),
        _ => None,
    }
}

/// Counts what is read.
struct Tally<'a, R> {
    source: R,
    read: &'a Cell<u64>,
}

impl<R: Read> Read for Tally<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.read.set(self.read.get() + n as u64);
        Ok(n)
    }
}

fn tell(before: u64, after: u64) {
    let (large, small) = (before.max(after), before.min(after).max(1));
    let ratio = large as f64 / small as f64;
    let word = if after > before { "larger" } else { "smaller" };
    note(format_args!("{before} bytes -> {after} bytes, {ratio:.2} times {word}"));
}
