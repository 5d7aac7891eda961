//! `info`: what files hold, by their headers alone.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use ndbytes::frame_format::{ChunkPlace, FrameHeader};
use ndbytes::zip::{Entry, Method, key_of};
use ndbytes::{
    ByteOrder, Dtype, FrameReader, Header, Kind, Limits, Looks, NpzReader, Prelude, Section,
    read_header,
};
use serde_json::{Value, json};

use crate::args::{Info, Report};
use crate::exit::{ExitStatus, Failure};
use crate::input::{Input, Source};
use crate::printer::Printer;

/// Prints what each file holds, and goes on after one that it cannot read.
pub(crate) fn run(args: &Info, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let mut status = ExitStatus::Done;
    for path in &args.files {
        let told = match facts(path, args.chunks) {
            Ok(facts) => {
                match args.format {
                    Report::Json => out.line(format_args!("{}", facts.json()))?,
                    Report::Text => facts.print(path, out)?,
                }
                facts.problem
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = told {
            // In the order in which they happened, where both streams go to one terminal.
            out.finish()?;
            failure.report();
            status = status.max(failure.status());
        }
    }
    Ok(status)
}

struct Facts {
    form: Form,
    size: Option<u64>,
    file: String,
    /// Why the file is no good, although its headers are.
    problem: Option<Failure>,
}

enum Form {
    Npy { header: Header, version: (u8, u8), data_offset: u64 },
    Npz(Vec<Member>),
    Frame { header: FrameHeader, chunks: Vec<Chunk>, all: bool },
}

/// A chunk of a frame: where it is, its bytes there, and what was done to it.
struct Chunk {
    place: ChunkPlace,
    pipeline: String,
}

/// A member, and its header where it is an array.
struct Member {
    entry: Entry,
    header: Result<(Header, u64), String>,
}

fn facts(path: &Path, chunks: bool) -> Result<Facts, Failure> {
    let input = Input::open(path)?;
    let file = input.name.display().to_string();
    let size = input.source.known_size().map_err(|error| Failure::io(error, path))?;
    match input.looks()? {
        Looks::Npy => npy(&input, file, size),
        Looks::Zip => npz(&input, file, size),
        Looks::Frame => frame(&input, file, size, chunks),
        looks => Err(input.refuse(looks, "an .npy, .npz or .ndb file")),
    }
}

fn npy(input: &Input, file: String, size: Option<u64>) -> Result<Facts, Failure> {
    let limits = Limits::default();
    let (header, offset) =
        read_header(&mut input.reader(), &limits).map_err(|error| error.with_path(&input.name))?;
    let mut front = Vec::new();
    Section::new(&input.source, 0, 12).read_to_end(&mut front)?;
    let version = Prelude::parse(&front, &limits)?.version.numbers();
    let data_offset = offset as u64;
    let end = data_offset + header.nbytes() as u64;
    let problem = size.filter(|&size| size < end).map(|size| {
        Failure::no(format!(
            "{file}: the file ends {} bytes before its data does (at byte {size}): it was cut, or \
             not fully written",
            end - size
        ))
    });
    Ok(Facts { form: Form::Npy { header, version, data_offset }, size, file, problem })
}

fn frame(input: &Input, file: String, size: Option<u64>, all: bool) -> Result<Facts, Failure> {
    let read = || {
        let reader = FrameReader::new(&input.source, &Limits::default())?;
        let mut chunks = Vec::new();
        for (chunk, &place) in reader.places().iter().enumerate() {
            chunks.push(Chunk { place, pipeline: reader.describe(chunk)? });
        }
        Ok(Form::Frame { header: reader.header().clone(), chunks, all })
    };
    let form = read().map_err(|error: ndbytes::Error| error.with_path(&input.name))?;
    Ok(Facts { form, size, file, problem: None })
}

fn npz(input: &Input, file: String, size: Option<u64>) -> Result<Facts, Failure> {
    let reader = input.npz()?;
    let members: Vec<_> = (0..reader.entries().len())
        .map(|index| Member {
            entry: reader.entries()[index].clone(),
            header: member_header(&reader, index),
        })
        .collect();
    // Other files may lie in the archive, too.
    let mut arrays = members.iter().filter(|member| member.entry.name.ends_with(".npy"));
    let bad = arrays.find_map(|member| member.header.as_ref().err());
    let problem = bad.map(|message| Failure::no(format!("{file}: {message}")));
    Ok(Facts { form: Form::Npz(members), size, file, problem })
}

/// The header, and where the data of a stored member begins.
fn member_header(reader: &NpzReader<&Source>, index: usize) -> Result<(Header, u64), String> {
    let told = |error: ndbytes::Error| error.to_string();
    let (header, member) = reader.array_member(index).map_err(told)?;
    let head = reader.entries()[index].uncompressed - member.left();
    Ok((header, reader.data_offset(index).map_err(told)? + head))
}

impl Facts {
    fn json(&self) -> Value {
        let mut facts = match &self.form {
            Form::Npy { header, version: (major, minor), data_offset } => {
                let mut facts = header_json(header);
                facts["kind"] = json!("npy");
                facts["version"] = json!(format!("{major}.{minor}"));
                facts["data_offset"] = json!(data_offset);
                facts["trailing_bytes"] = json!(self.trailing());
                facts
            }
            Form::Npz(members) => {
                let members: Vec<_> = members.iter().map(Member::json).collect();
                json!({ "kind": "npz", "members": members })
            }
            Form::Frame { header, chunks, all } => {
                let mut facts = header_json(header.array());
                facts["kind"] = json!("ndb");
                facts["family"] = json!(header.family().as_str());
                facts["chunk_shape"] = json!(header.chunk_shape());
                facts["chunk_count"] = json!(chunks.len());
                facts["pipelines"] = json!(pipelines(chunks));
                if *all {
                    let chunks = chunks.iter().map(|chunk| {
                        json!({
                            "offset": chunk.place.offset,
                            "bytes": chunk.place.len,
                            "pipeline": chunk.pipeline,
                        })
                    });
                    facts["chunks"] = chunks.collect();
                }
                facts
            }
        };
        facts["file"] = json!(self.file);
        facts["file_bytes"] = json!(self.size);
        facts
    }

    fn trailing(&self) -> Option<u64> {
        let Form::Npy { header, data_offset, .. } = &self.form else { return None };
        self.size.map(|size| size.saturating_sub(data_offset + header.nbytes() as u64))
    }

    fn print(&self, path: &Path, out: &mut Printer) -> Result<(), Failure> {
        out.line(format_args!("{}", path.display()))?;
        match &self.form {
            Form::Npy { header, version: (major, minor), data_offset } => {
                out.line(format_args!("  kind         npy {major}.{minor}"))?;
                out.line(format_args!("  dtype        {}", dtype_text(header.dtype())))?;
                out.line(format_args!("  shape        {}", shape_text(header.shape())))?;
                out.line(format_args!("  order        {}", header.order()))?;
                out.line(format_args!("  items        {}", header.count()))?;
                out.line(format_args!("  bytes        {}", header.nbytes()))?;
                out.line(format_args!("  data offset  {data_offset}"))?;
                match self.trailing() {
                    Some(bytes) if bytes > 0 => {
                        out.line(format_args!("  trailing     {bytes} bytes after the array"))
                    }
                    _ => Ok(()),
                }
            }
            Form::Npz(members) => {
                out.line(format_args!("  kind     npz"))?;
                out.line(format_args!("  members  {}", members.len()))?;
                members.iter().try_for_each(|member| member.print(out))
            }
            Form::Frame { header, chunks, all } => {
                let array = header.array();
                out.line(format_args!("  kind         ndb, {}", header.family().as_str()))?;
                out.line(format_args!("  dtype        {}", dtype_text(array.dtype())))?;
                out.line(format_args!("  shape        {}", shape_text(array.shape())))?;
                out.line(format_args!("  order        {}", array.order()))?;
                out.line(format_args!("  items        {}", array.count()))?;
                out.line(format_args!("  bytes        {}", array.nbytes()))?;
                let stored: u64 = chunks.iter().map(|chunk| chunk.place.len).sum();
                out.line(format_args!("  stored       {stored}"))?;
                let shape = shape_text(header.chunk_shape());
                out.line(format_args!("  chunks       {} of {shape}", chunks.len()))?;
                for (pipeline, count) in pipelines(chunks) {
                    out.line(format_args!("    {count} {pipeline}"))?;
                }
                if *all {
                    for (number, chunk) in chunks.iter().enumerate() {
                        let ChunkPlace { offset, len } = chunk.place;
                        let what = &chunk.pipeline;
                        out.line(format_args!("    {number}: {len} bytes at {offset}, {what}"))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl Member {
    fn json(&self) -> Value {
        let mut facts = match &self.header {
            Ok((header, _)) => header_json(header),
            Err(message) => json!({ "problem": message }),
        };
        let entry = &self.entry;
        facts["key"] = json!(key_of(&entry.name));
        facts["method"] = json!(entry.method.name());
        facts["compressed_bytes"] = json!(entry.compressed);
        facts["member_bytes"] = json!(entry.uncompressed);
        facts["crc32"] = json!(format!("{:08x}", entry.crc32));
        facts["mappable"] = json!(self.map_offset().is_some());
        facts["data_offset"] = json!(self.map_offset());
        facts
    }

    /// Where the elements lie in the file as they are.
    fn map_offset(&self) -> Option<u64> {
        match &self.header {
            Ok((_, offset)) if self.entry.method == Method::Stored => Some(*offset),
            _ => None,
        }
    }

    fn print(&self, out: &mut Printer) -> Result<(), Failure> {
        let entry = &self.entry;
        out.line(format_args!("  {}", key_of(&entry.name).escape_debug()))?;
        match &self.header {
            Ok((header, _)) => {
                out.line(format_args!("    dtype   {}", dtype_text(header.dtype())))?;
                out.line(format_args!("    shape   {}", shape_text(header.shape())))?;
                out.line(format_args!("    order   {}", header.order()))?;
            }
            Err(message) => out.line(format_args!("    problem {message}"))?,
        }
        out.line(format_args!(
            "    bytes   {} {}, {} in the archive",
            entry.uncompressed,
            entry.method.name(),
            entry.compressed
        ))?;
        out.line(format_args!("    crc-32  {:08x}", entry.crc32))?;
        match self.map_offset() {
            Some(at) if at % 64 == 0 => {
                out.line(format_args!("    map     yes, at byte {at} (aligned to 64)"))
            }
            Some(at) => out.line(format_args!("    map     yes, at byte {at} (not aligned to 64)")),
            None => out.line(format_args!("    map     no")),
        }
    }
}

/// How often each pipeline was used.
fn pipelines(chunks: &[Chunk]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for chunk in chunks {
        *counts.entry(chunk.pipeline.as_str()).or_default() += 1;
    }
    counts
}

fn header_json(header: &Header) -> Value {
    json!({
        "dtype": header.dtype().to_string(),
        "byte_order": match header.dtype().byte_order() {
            ByteOrder::Big => "big",
            ByteOrder::Little => "little",
            ByteOrder::NotApplicable => "none",
        },
        "itemsize": header.dtype().itemsize(),
        "shape": header.shape(),
        "order": header.order().to_string(),
        "items": header.count(),
        "bytes": header.nbytes(),
    })
}

fn dtype_text(dtype: &Dtype) -> String {
    let long = |part: &Dtype| matches!(part.kind(), Kind::LongDouble | Kind::ComplexLongDouble);
    match dtype.any(&long) {
        true => format!("{dtype} (the long double of the platform that wrote it)"),
        false => dtype.to_string(),
    }
}

/// A shape as Python prints it.
pub(crate) fn shape_text(shape: &[usize]) -> String {
    match shape {
        [n] => format!("({n},)"),
        _ => {
            let parts: Vec<_> = shape.iter().map(usize::to_string).collect();
            format!("({})", parts.join(", "))
        }
    }
}
