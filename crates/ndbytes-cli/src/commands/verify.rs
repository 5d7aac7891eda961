//! `verify`: reads everything and says whether it is whole.

use std::io::{self, Read};
use std::path::Path;

use ndbytes::{
    Codec, Decompressor, Error, FrameReader, Header, Limits, Looks, NpzReader, read_header,
};
use serde_json::json;

use crate::args::{Report, Verify};
use crate::commands::info::shape_text;
use crate::elements::{fill, read_pieces};
use crate::exit::{ExitStatus, Failure};
use crate::input::{Input, Source};
use crate::printer::Printer;

/// Verifies each file, and goes on after a bad one.
pub(crate) fn run(args: &Verify, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let mut status = ExitStatus::Done;
    for path in &args.files {
        let (name, found) = match Input::open(path) {
            Ok(input) => {
                input.begin("verifying");
                (input.name.clone(), check(&input))
            }
            Err(failure) => (path.clone(), Err(failure)),
        };
        if let Err(failure) = &found {
            status = status.max(failure.status());
        }
        let name = name.display();
        match args.format {
            Report::Text => match &found {
                Ok(what) => out.line(format_args!("{name}: OK ({what})"))?,
                // Messages begin with the file's name already.
                Err(failure) if failure.status() == ExitStatus::No => {
                    let message = failure.message();
                    let message = message.strip_prefix(&format!("{name}: ")).unwrap_or(message);
                    out.line(format_args!("{name}: BAD: {message}"))?;
                }
                Err(failure) => {
                    out.finish()?;
                    failure.report();
                }
            },
            Report::Json => {
                let line = match &found {
                    Ok(what) => json!({ "file": name.to_string(), "ok": true, "what": what }),
                    Err(failure) => json!({
                        "file": name.to_string(),
                        "ok": false,
                        "readable": failure.status() == ExitStatus::No,
                        "problem": failure.message(),
                    }),
                };
                out.line(format_args!("{line}"))?;
            }
        }
    }
    Ok(status)
}

/// What a file holds, when all of it is as it should be.
fn check(input: &Input) -> Result<String, Failure> {
    let named = |error: Error| Failure::from(error.with_path(&input.name));
    match input.looks()? {
        Looks::Npy => {
            let (header, trailing) = npy(&mut input.reader()).map_err(named)?;
            nothing_after(&header, trailing, &input.name)?;
            Ok(array_text(&header))
        }
        Looks::Zip => npz(&input.npz()?).map_err(named),
        Looks::Frame => frame(&input.source).map_err(named),
        Looks::Gzip => stream(input, Codec::Gzip),
        Looks::Zlib => stream(input, Codec::Zlib),
        Looks::Zstd => stream(input, Codec::Zstd),
        Looks::Lz4 => stream(input, Codec::Lz4),
        looks => Err(input.refuse(looks, "an .npy, .npz, .ndb, gzip, zlib, zstd or lz4 file")),
    }
}

/// Reads an array and what follows it: its header and the number of bytes after it.
fn npy(source: &mut dyn Read) -> Result<(Header, u64), Error> {
    let (header, offset) = read_header(source, &Limits::default())?;
    read_pieces(source, &header, offset as u64, &mut |_| Ok(()))?;
    Ok((header, drain(source)?))
}

fn frame(source: &Source) -> Result<String, Error> {
    let reader = FrameReader::new(source, &Limits::default())?;
    let array = reader.read()?;
    Ok(format!(
        "ndb of {} {} in {} chunks, every CRC-32C right",
        array.dtype(),
        shape_text(array.shape()),
        reader.places().len()
    ))
}

fn npz(reader: &NpzReader<&Source>) -> Result<String, Error> {
    for (index, entry) in reader.entries().iter().enumerate() {
        let named = |error: Error| {
            let known = error.message().starts_with("member `") || error.io().is_some();
            if known {
                return error;
            }
            let offset = error.offset();
            let name = entry.name.escape_debug();
            let named = Error::new(error.code(), format!("member `{name}`: {}", error.message()));
            // Offsets within a member count its own bytes.
            if let Some(offset) = offset { named.at(offset) } else { named }
        };
        if entry.name.ends_with(".npy") {
            let (header, mut member) = reader.array_member(index)?;
            let offset = entry.uncompressed - member.left();
            read_pieces(&mut member, &header, offset, &mut |_| Ok(())).map_err(named)?;
            member.finish().map_err(named)?;
        } else {
            let mut member = reader.member(index)?;
            drain(&mut member).map_err(named)?;
            member.finish().map_err(named)?;
        }
    }
    Ok(format!("npz of {}, every CRC-32 right", reader.entries().len()))
}

/// A compressed stream, and the array in it if it is one.
fn stream(input: &Input, codec: Codec) -> Result<String, Failure> {
    let named = |error: Error| Failure::from(error.with_path(&input.name));
    let mut decoder = Decompressor::new(codec, input.reader());
    let mut head = [0; 8];
    let got = fill(&mut decoder, &mut head).map_err(|error| named(error.into()))?;
    let is_array = head[..got].starts_with(b"\x93NUMPY");
    let mut source = head[..got].chain(&mut decoder);
    let inner = if is_array {
        let within = |f: Failure| f.about("within the stream");
        let found = npy(&mut source).map_err(|error| match error.code().as_str() {
            code if code.starts_with("codec") => named(error),
            _ => within(named(error)),
        });
        let (header, trailing) = found?;
        nothing_after(&header, trailing, &input.name).map_err(within)?;
        array_text(&header)
    } else {
        format!("{} bytes", drain(&mut source).map_err(named)?)
    };
    decoder.expect_end().map_err(|error| named(error.into()))?;
    Ok(format!("{} of {inner}", codec.as_str()))
}

fn nothing_after(header: &Header, trailing: u64, name: &Path) -> Result<(), Failure> {
    if trailing == 0 {
        return Ok(());
    }
    Err(Failure::no(format!(
        "{}: {trailing} bytes follow the array of {} bytes of data",
        name.display(),
        header.nbytes()
    )))
}

fn array_text(header: &Header) -> String {
    format!("npy of {} {}", header.dtype(), shape_text(header.shape()))
}

fn drain(source: &mut dyn Read) -> Result<u64, Error> {
    Ok(io::copy(source, &mut io::sink())?)
}
