//! `send`: arrays one after another as `.npy`.

use std::io::{self, Read, Write};
use std::path::Path;

use ndbytes::{ArrayView, Code, Error, Limits, Looks, Order, read_header, write_all_vectored};

use crate::address::{Address, Connection};
use crate::args::Send;
use crate::elements::read_pieces;
use crate::exit::{ExitStatus, Failure, arrays};
use crate::input::{Input, Source, is_dash};
use crate::output::Output;
use crate::printer::note;
use crate::progress::{self, By, Counted};

/// Sends every array of every file.
pub(crate) fn run(args: &Send) -> Result<ExitStatus, Failure> {
    let address = Address::parse(&args.addr)?;
    // Before the peer sees a connection.
    let files = args.files.iter().map(|path| File::open(path)).collect::<Result<Vec<_>, _>>()?;
    let mut sink = Sink::open(&address, args)?;
    let mut sent = 0;
    for file in &files {
        file.send(&mut sink, &mut sent).map_err(|failure| count(failure, sent))?;
    }
    let finished = match sink {
        Sink::Connection(connection) => {
            connection.finish().map_err(|error| error.into()).map_err(|f| peer(f, &address))
        }
        Sink::Output(out) => out.commit(),
    };
    finished.map_err(|failure| count(failure, sent))?;
    note(format_args!("sent {}", arrays(sent)));
    Ok(ExitStatus::Done)
}

/// A file that has been looked at.
enum File {
    /// Arrays one after another.
    Npy(Input),
    Npz(Input),
    /// Arrays one after another, too, but read as they come.
    Stdin,
}

enum Sink {
    Connection(Connection),
    Output(Output),
}

impl File {
    fn open(path: &Path) -> Result<Self, Failure> {
        if is_dash(path) {
            return Ok(Self::Stdin);
        }
        let input = Input::open(path)?;
        match input.looks()? {
            Looks::Npy => Ok(Self::Npy(input)),
            Looks::Zip => {
                input.npz()?;
                Ok(Self::Npz(input))
            }
            looks => Err(input.refuse(looks, "an .npy or .npz file")),
        }
    }

    fn send(&self, sink: &mut Sink, sent: &mut u64) -> Result<(), Failure> {
        let named = |error: Error, name: &Path| Failure::from(error.with_path(name));
        match self {
            Self::Stdin => {
                let name = Path::new("standard input");
                progress::begin(By::Reading, "sending", name, None);
                send_all(&mut Counted(io::stdin()), None, sink, sent)
                    .map_err(|error| named(error, name))
            }
            Self::Npy(input) => {
                input.begin("sending");
                let size = input.source.known_size()?;
                send_all(&mut input.reader(), size, sink, sent)
                    .map_err(|error| named(error, &input.name))
            }
            Self::Npz(input) => {
                let reader = input.npz()?;
                for index in 0..reader.entries().len() {
                    // Whole in memory first: its CRC comes at the end.
                    let (header, member) =
                        reader.array_member(index).map_err(|error| named(error, &input.name))?;
                    let mut array = ndbytes::Array::zeroed(header.clone())?;
                    ndbytes::NpzReader::<&Source>::read_data(&header, member, array.bytes_mut())
                        .map_err(|error| named(error, &input.name))?;
                    let total = array.bytes().len() as u64;
                    progress::begin(By::Telling, "sending", &input.name, Some(total));
                    ndbytes::send_with(sink, &array.view(), &progress::told())?;
                    *sent += 1;
                }
                Ok(())
            }
        }
    }
}

/// Sends the arrays that follow one another in a source of this size.
fn send_all(
    source: &mut dyn Read,
    size: Option<u64>,
    sink: &mut Sink,
    sent: &mut u64,
) -> Result<(), Error> {
    let mut at = 0;
    loop {
        let (header, len) = match read_header(source, &Limits::default()) {
            Err(error) if error.code() == Code::EndOfStream && *sent > 0 => return Ok(()),
            Err(error) if error.io().is_none() => return Err(error.shifted(at)),
            header => header?,
        };
        at += len as u64;
        let end = at + header.nbytes() as u64;
        if let Some(size) = size.filter(|&size| size < end) {
            let message = format!(
                "the data ends after {} of {} bytes: the file was cut, or not fully written",
                size - at,
                header.nbytes()
            );
            return Err(Error::new(Code::DataTruncated, message).at(size));
        }
        let head = header.encode()?;
        // Header and first bytes leave together.
        let mut head = Some(&head[..]);
        read_pieces(source, &header, at, &mut |items| {
            let count = items.len() / header.dtype().itemsize();
            let items = ArrayView::contiguous(header.dtype().clone(), &[count], Order::C, items)?;
            items.for_each_chunk(Order::C, &mut |bytes| {
                Ok(write_all_vectored(sink, &[head.take().unwrap_or_default(), bytes])?)
            })
        })?;
        sink.write_all(head.unwrap_or_default())?;
        at = end;
        *sent += 1;
    }
}

impl Sink {
    fn open(address: &Address, args: &Send) -> Result<Self, Failure> {
        let timeout = args.timeout.0;
        Ok(match address {
            Address::Dash => Self::Output(Output::create(Path::new("-"))?),
            _ if args.listen => Self::Connection(address.listen(timeout)?),
            _ => Self::Connection(address.connect(timeout)?),
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Connection(connection) => connection.write(bytes).map_err(about),
            Self::Output(out) => out.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Connection(connection) => connection.write_vectored(parts).map_err(about),
            Self::Output(out) => out.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Connection(connection) => connection.flush(),
            Self::Output(out) => out.flush(),
        }
    }
}

/// An error of ours with a path keeps it: this one is not about the file that is read.
fn about(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    io::Error::other(Error::from(error).with_path(Path::new("the connection")))
}

fn peer(failure: Failure, address: &Address) -> Failure {
    failure.about(&address.to_string())
}

fn count(failure: Failure, sent: u64) -> Failure {
    failure.then(&format!("{} sent whole before", arrays(sent)))
}
