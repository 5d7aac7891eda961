//! `convert`: between raw bytes, .npy, .npz, .ndb and .zarr, orders and byte orders.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use ndbytes::zip::key_of;
use ndbytes::{
    ArrayView, ByteOrder, Compression, Dtype, FrameOptions, Header, Looks, NpzAppender, NpzWriter,
    Order, SaveOptions, ZarrFolder, is_contiguous, write_frame,
};

use crate::args::{Convert, Form, OutBytes, OutOrder};
use crate::commands::info::shape_text;
use crate::elements::{Elements, blank, storage_order, turn};
use crate::exit::{ExitStatus, Failure};
use crate::input::{Input, is_dash, url};
use crate::output::Output;
use crate::progress::{self, By};
use crate::signals::Doomed;

/// Converts a file.
pub(crate) fn run(args: &Convert) -> Result<ExitStatus, Failure> {
    let to = output_form(args)?;
    if args.level.is_some() && to != Form::Npz {
        return Err(Failure::trouble(
            "`--level` is for .npz output: compress other files by `ndbytes compress`",
        ));
    }
    if args.append && to != Form::Npz {
        return Err(Failure::trouble("`--append` is for .npz output"));
    }
    if args.codec.is_some() && !matches!(to, Form::Ndb | Form::Zarr) {
        return Err(Failure::trouble("`--codec` is for .ndb and .zarr output"));
    }
    if args.link && to != Form::Zarr {
        return Err(Failure::trouble("`--link` is for .zarr output"));
    }
    let input = Input::open(&args.input)?;
    input.begin("reading");
    let from = input_form(args, &input)?;
    if args.offset.is_some() && from != Form::Raw {
        return Err(Failure::trouble("`--offset` is for raw input"));
    }
    if from == Form::Npz && to == Form::Npz && args.member.is_none() {
        return archive(args, &input);
    }
    let elements = match from {
        Form::Raw => {
            let Some(dtype) = &args.dtype else {
                return Err(Failure::trouble(format!(
                    "{}: raw bytes do not say what they are: give `--dtype` and, for more than one \
                     dimension, `--shape`",
                    input.name.display()
                )));
            };
            let shape = args.shape.as_ref().map(|shape| &shape.0[..]);
            let order = args.order.unwrap_or_default();
            Elements::raw(&input, dtype.clone(), shape, order, args.offset.unwrap_or(0))?
        }
        Form::Npy => Elements::npy(&input)?.alone()?,
        Form::Npz => Elements::member(&input, &input.npz()?, args.member.as_deref(), false)?,
        Form::Ndb | Form::Zarr => Elements::frame(&input)?,
    };
    check(args, elements.header()).map_err(|f| f.about(&input.name.display().to_string()))?;
    if to == Form::Zarr {
        return zarr(args, from, elements);
    }
    if to == Form::Npz {
        let key = match from {
            Form::Npz => args.member.as_deref().map(key_of),
            _ => args.member.as_deref(),
        };
        let mut archive = Archive::open(args, elements.header().nbytes())?;
        archive.add(args, key.unwrap_or("arr_0"), elements)?;
        archive.finish()?;
        return Ok(ExitStatus::Done);
    }
    let out = Output::create(&args.output)?;
    match to {
        Form::Ndb => {
            let mut out = out;
            frame(args, elements, &mut out)?;
            out.commit()?;
        }
        _ => one(args, elements, to, out)?,
    }
    Ok(ExitStatus::Done)
}

fn frame(args: &Convert, elements: Elements<'_>, out: &mut impl Write) -> Result<(), Failure> {
    let target = target(args, elements.header(), Form::Ndb);
    let options = FrameOptions::default()
        .with_pipeline(args.codec.unwrap_or_default())
        .with_progress(progress::told());
    with_view(elements, &target, &mut |view| {
        progress::begin(By::Telling, "writing", &args.output, Some(view.nbytes() as u64));
        Ok(write_frame(out, view, &options)?)
    })
}

/// A folder with a frame as its one shard: the one that was read, if it stays as it is.
fn zarr(args: &Convert, from: Form, elements: Elements<'_>) -> Result<ExitStatus, Failure> {
    let folder = ZarrFolder::create(&args.output, &SaveOptions::default())?;
    let _doomed = Doomed::new(folder.temporary());
    let stays = from == Form::Ndb
        && args.codec.is_none()
        && matches!(args.out_order, None | Some(OutOrder::Keep))
        && args.byte_order == OutBytes::Keep
        && !is_dash(&args.input)
        && url(&args.input).is_none();
    if stays {
        progress::begin(By::Telling, "copying", &args.input, None);
        folder.put_with(&args.input, args.link, &progress::told())?;
    } else if args.link {
        return Err(Failure::trouble("`--link` is for an .ndb that stays as it is"));
    } else {
        let shard = folder.shard(elements.header().shape().len())?;
        let mut file = File::create(&shard).map_err(|error| Failure::io(error, &shard))?;
        frame(args, elements, &mut file)
            .map_err(|f| f.about(&args.output.display().to_string()))?;
    }
    folder.finish()?;
    Ok(ExitStatus::Done)
}

/// Every array of an archive into another.
fn archive(args: &Convert, input: &Input) -> Result<ExitStatus, Failure> {
    let reader = input.npz()?;
    // For who looks on alone; a member that is no array is told of in its turn.
    let members = if progress::told().is_heard() { reader.entries().len() } else { 0 };
    let headers = (0..members).filter_map(|member| reader.array_member(member).ok());
    let mut archive = Archive::open(args, headers.map(|(header, _)| header.nbytes()).sum())?;
    for key in reader.keys() {
        let elements = Elements::member(input, &reader, Some(key), false)?;
        check(args, elements.header())
            .map_err(|f| f.about(&format!("{}: `{key}`", input.name.display())))?;
        archive.add(args, key, elements)?;
    }
    archive.finish()?;
    Ok(ExitStatus::Done)
}

/// An archive that is written: a new one, or one that is there.
enum Archive {
    New(Box<NpzWriter<Output>>),
    Old(NpzAppender),
}

impl Archive {
    /// For arrays of so many bytes.
    fn open(args: &Convert, nbytes: usize) -> Result<Self, Failure> {
        let (told, total) = (progress::told(), nbytes as u64);
        // What is not there is begun as any other file, which a signal removes.
        if args.append && !is_dash(&args.output) && args.output.exists() {
            let archive = NpzAppender::open(&args.output, &SaveOptions::default())?;
            return Ok(Self::Old(archive.with_progress(&told, total)));
        }
        let archive = NpzWriter::new(Output::create(&args.output)?);
        Ok(Self::New(Box::new(archive.with_progress(&told, total))))
    }

    fn add(&mut self, args: &Convert, key: &str, elements: Elements<'_>) -> Result<(), Failure> {
        let compression = args.level.map_or(Compression::Stored, Compression::Deflate);
        let target = target(args, elements.header(), Form::Npz);
        with_view(elements, &target, &mut |view| {
            progress::begin(By::Telling, "writing", &args.output, None);
            match self {
                Self::New(writer) => writer.add(key, view, compression)?,
                Self::Old(appender) => appender.add(key, view, compression)?,
            }
            Ok(())
        })
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Self::New(writer) => writer.finish()?.commit(),
            Self::Old(appender) => Ok(appender.finish()?),
        }
    }
}

/// One array as .npy or raw: in pieces where its elements keep their order.
fn one(args: &Convert, elements: Elements<'_>, to: Form, mut out: Output) -> Result<(), Failure> {
    let target = target(args, elements.header(), to);
    // Refused before anything is read.
    let head = if to == Form::Npy { target.header.encode()? } else { Vec::new() };
    out.write_all(&head)?;
    let dtype = elements.header().dtype().clone();
    let write = |out: &mut Output, items: &mut [u8]| -> Result<(), Failure> {
        turn_to(items, &dtype, target.bytes);
        Ok(blank(target.header.dtype(), items)?
            .for_each_chunk(Order::C, &mut |chunk| Ok(out.write_all(chunk)?))?)
    };
    if same_order(elements.header(), target.header.order()) {
        elements.for_each_piece(&mut |items| write(&mut out, items))?;
    } else {
        let array = elements.load()?;
        let mut bytes = array.view().to_vec(target.header.order())?;
        drop(array);
        progress::begin(By::Writing, "writing", &args.output, Some(bytes.len() as u64));
        write(&mut out, &mut bytes)?;
    }
    out.commit()
}

/// Calls `body` with the array as it shall be written.
fn with_view(
    elements: Elements<'_>,
    target: &Target,
    body: &mut dyn FnMut(&ArrayView<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let header = elements.header().clone();
    let mut array = elements.load()?;
    turn_to(array.bytes_mut(), header.dtype(), target.bytes);
    let order = target.header.order();
    let (dtype, shape) = (target.header.dtype().clone(), target.header.shape());
    if same_order(&header, order) {
        return body(&ArrayView::contiguous(dtype, shape, order, array.bytes())?);
    }
    let bytes = array.view().to_vec(order)?;
    drop(array);
    body(&ArrayView::contiguous(dtype, shape, order, &bytes)?)
}

/// What is to be written.
struct Target {
    header: Header,
    bytes: Option<ByteOrder>,
}

fn target(args: &Convert, header: &Header, to: Form) -> Target {
    let bytes = match args.byte_order {
        OutBytes::Little => Some(ByteOrder::Little),
        OutBytes::Big => Some(ByteOrder::Big),
        OutBytes::Native => Some(ByteOrder::NATIVE),
        OutBytes::Keep => None,
    };
    let order = match (args.out_order, to) {
        (Some(OutOrder::C), _) | (None, Form::Raw) => Order::C,
        (Some(OutOrder::F), _) => Order::F,
        (Some(OutOrder::Keep) | None, _) => header.order(),
    };
    let (dtype, _, shape) = header.clone().into_parts();
    let dtype = match bytes {
        Some(bytes) => dtype.with_byte_order(bytes),
        None => dtype,
    };
    let made = |order| Header::new(dtype.clone(), order, shape.clone());
    // Neither size nor shape has changed, so that this is as valid as it was.
    let header = made(order).unwrap_or_else(|_| header.clone());
    let order = storage_order(&header);
    let header = made(order).unwrap_or_else(|_| header.clone());
    Target { header, bytes }
}

fn turn_to(items: &mut [u8], dtype: &Dtype, bytes: Option<ByteOrder>) {
    if let Some(bytes) = bytes {
        turn(items, dtype, bytes);
    }
}

/// Whether the stored elements already follow one another in this order.
fn same_order(header: &Header, order: Order) -> bool {
    let itemsize = header.dtype().itemsize();
    is_contiguous(header.shape(), &header.strides(), itemsize, order)
}

/// Whether the array is what `--dtype`, `--shape` and `--order` say that it must be.
fn check(args: &Convert, header: &Header) -> Result<(), Failure> {
    if let Some(dtype) = &args.dtype
        && dtype != header.dtype()
    {
        return Err(Failure::no(format!("the dtype is `{}`, not `{dtype}`", header.dtype())));
    }
    if let Some(shape) = &args.shape
        && shape.0 != header.shape()
    {
        let (is, not) = (shape_text(header.shape()), shape_text(&shape.0));
        return Err(Failure::no(format!("the shape is {is}, not {not}")));
    }
    if let Some(order) = args.order
        && !same_order(header, order)
    {
        return Err(Failure::no(format!("the order is {}, not {order}", header.order())));
    }
    Ok(())
}

fn input_form(args: &Convert, input: &Input) -> Result<Form, Failure> {
    let looks = input.looks()?;
    let seen = match looks {
        Looks::Npy => Some(Form::Npy),
        Looks::Zip => Some(Form::Npz),
        Looks::Frame => Some(Form::Ndb),
        _ => None,
    };
    match (args.from, seen) {
        (Some(Form::Raw), _) => Ok(Form::Raw),
        (Some(from), Some(seen)) if from == seen => Ok(from),
        (Some(Form::Npy), _) => Err(input.refuse(looks, "an .npy file")),
        (Some(Form::Npz), _) => Err(input.refuse(looks, "an .npz file")),
        // The folder of a Zarr array is read as the frame in it.
        (Some(Form::Zarr), Some(Form::Ndb)) => Ok(Form::Zarr),
        (Some(Form::Ndb | Form::Zarr), _) => Err(input.refuse(looks, "an .ndb frame")),
        (None, Some(seen)) => Ok(seen),
        // A page of HTML with a length that happens to fit is no data: raw must be said.
        (None, None) if suffix(&input.name) == Some(Form::Raw) => Ok(Form::Raw),
        (None, None) => {
            let failure = input.refuse(looks, "an .npy, .npz or .ndb file");
            Err(Failure::no(format!("{}; for raw bytes say `--from raw`", failure.message())))
        }
    }
}

fn output_form(args: &Convert) -> Result<Form, Failure> {
    if let Some(to) = args.to {
        return Ok(to);
    }
    if is_dash(&args.output) {
        return Ok(Form::Npy);
    }
    suffix(&args.output).ok_or_else(|| {
        Failure::trouble(format!(
            "{}: say by `--to` what this shall be: the suffix is none of .npy, .npz, .ndb, .zarr, .raw, .bin",
            args.output.display()
        ))
    })
}

fn suffix(path: &Path) -> Option<Form> {
    match path.extension().and_then(OsStr::to_str)?.to_ascii_lowercase().as_str() {
        "npy" => Some(Form::Npy),
        "npz" => Some(Form::Npz),
        "ndb" => Some(Form::Ndb),
        "zarr" => Some(Form::Zarr),
        "raw" | "bin" => Some(Form::Raw),
        _ => None,
    }
}
