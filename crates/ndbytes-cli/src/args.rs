//! The arguments of every command.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use ndbytes::{Codec, Dtype, Order, Pipeline};

/// NumPy arrays to bytes and back
#[derive(Debug, Parser)]
#[command(
    name = "ndbytes",
    version,
    arg_required_else_help = true,
    after_help = "`-` is standard input or output; what is read may be an http:// or https:// \
                  URL. Exit status: 0 done, 1 the data says no, 2 could not run.\n\nExample: ndbytes info a.npy"
)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Show no progress on the terminal
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what files hold, without reading their data
    Info(Info),
    /// Print values
    Cat(Cat),
    /// Convert between raw bytes, .npy, .npz, .ndb and .zarr, orders and byte orders
    Convert(Convert),
    /// Compress any file to a standard stream
    Compress(Compress),
    /// Decompress a standard stream
    Decompress(Decompress),
    /// Read everything and say whether it is whole
    Verify(Verify),
    /// Compare two files by dtype, shape and values
    Diff(Diff),
    /// Send arrays over TCP, a Unix socket or standard output
    Send(Send),
    /// Receive arrays from TCP, a Unix socket or standard input
    Recv(Recv),
    /// Serve a folder over HTTP: files, slices of arrays, Zarr
    #[cfg(unix)]
    Serve(Serve),
    /// Print the completions for a shell
    Completions(Completions),
    /// Print the manual page, or write those of all commands into a folder
    Man(Man),
}

/// Arguments of `info`.
#[derive(Debug, clap::Args)]
#[command(after_help = "JSON is one object a line, one line a file.\n\n\
    Example: ndbytes info a.npy b.npz\n         ndbytes info --format json a.npy | jq .shape")]
pub(crate) struct Info {
    /// .npy, .npz and .ndb files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Say of each chunk of a frame where it is, its size and what was done to it
    #[arg(long)]
    pub(crate) chunks: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Report,
}

/// Arguments of `cat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
One row (the last axis) stands on one line. Floats are the shortest digits that read back the \
same. Complex numbers are `(1.0+2.0j)`, in JSON [re, im]. Dates are ISO 8601, time differences \
are counts of their unit. Void, long double (the platform's; a file does not say which) and those \
of the ml_dtypes types that are no bfloat16 are printed as the hexadecimal digits of their bytes, \
as they stand in the file. JSON has no NaN and no infinities: they are strings there. CSV has a \
line for each row, for a one-dimensional array a line for each value, and for structs a column \
for each field.\n\n\
Only the rows that a slice needs are read, except from compressed members and from Fortran order.\n\n\
Example: ndbytes cat a.npy --slice '0:10, ::-2, 3'\n         \
ndbytes cat a.npz --member weights --format csv > weights.csv")]
pub(crate) struct Cat {
    /// A .npy or .npz file
    pub(crate) file: PathBuf,
    /// What to print: NumPy's index of integers, slices, `...` and `None`
    #[arg(long, value_name = "INDEX", allow_hyphen_values = true)]
    pub(crate) slice: Option<String>,
    /// Only the first N along the first axis (after --slice)
    #[arg(long, value_name = "N")]
    pub(crate) head: Option<usize>,
    /// All items: text stops after 1000 unless this or --head is given
    #[arg(long)]
    pub(crate) all: bool,
    /// The array in an .npz that has more than one
    #[arg(long, value_name = "KEY")]
    pub(crate) member: Option<String>,
    /// How to print; raw is the elements' bytes in C order
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Values,
}

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What IN is, its first bytes say; what OUT shall be, its suffix: .npy, .npz, .raw or .bin. For .npy \
and .npz, --dtype, --shape and --order say what must be there, and it is an error where it is not.\n\n\
Example: ndbytes convert a.raw a.npy --dtype '<f4' --shape 100,3\n         \
ndbytes convert a.npy a.npz --level 6\n         \
ndbytes convert b.npy a.npz --append --member b\n         \
ndbytes convert a.npz b.raw --member x --byte-order big")]
pub(crate) struct Convert {
    /// The file to read
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The file to write: whole, or as it was
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// What IN is
    #[arg(long, value_enum)]
    pub(crate) from: Option<Form>,
    /// What OUT shall be
    #[arg(long, value_enum)]
    pub(crate) to: Option<Form>,
    /// The type of the elements, such as '<f8', float32 or "[('a', '<i4'), ('b', '|S3')]"
    #[arg(long)]
    pub(crate) dtype: Option<Dtype>,
    /// The shape, such as 100,3; one dimension of what there is otherwise
    #[arg(long, value_parser = parse_shape)]
    pub(crate) shape: Option<Shape>,
    /// The order of the elements in raw bytes: C (the default) or F
    #[arg(long, value_parser = parse_order)]
    pub(crate) order: Option<Order>,
    /// Where the elements begin in raw bytes
    #[arg(long, value_name = "BYTE")]
    pub(crate) offset: Option<u64>,
    /// The array in an .npz; the key in a new .npz (arr_0 otherwise)
    #[arg(long, value_name = "KEY")]
    pub(crate) member: Option<String>,
    /// The order of the elements in OUT: C unless told for raw, kept for .npy and .npz
    #[arg(long, value_enum)]
    pub(crate) out_order: Option<OutOrder>,
    /// The byte order of the numbers in OUT
    #[arg(long, value_enum, default_value_t)]
    pub(crate) byte_order: OutBytes,
    /// Add to the .npz that is there, or replace what has this key; the rest of it stays as it is
    #[arg(long)]
    pub(crate) append: bool,
    /// Compress an .npz at this level, 0 to 9; without it members are stored and can be mapped
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=9))]
    pub(crate) level: Option<u32>,
    /// Compress an .ndb or .zarr by this: auto, fastest, fast, brisk, quick, fastread, quickread, smallread, light,
    /// medium, small, smallestread, smallest, or a pipeline such as `zstd-9-bitshuffle`; auto unless given
    #[arg(long)]
    pub(crate) codec: Option<Pipeline>,
    /// Make the shard of a .zarr the same file as IN, an .ndb, under another name: it takes no room,
    /// and changes when IN does
    #[arg(long)]
    pub(crate) link: bool,
}

/// Arguments of `compress`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Sizes and their ratio are said on stderr.\n\n\
    Example: ndbytes compress a.npy a.npy.gz --level 9\n         \
    ndbytes compress --data --codec zlib a.npy - | wc -c")]
pub(crate) struct Compress {
    /// The file to read
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The file to write: whole, or as it was
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// The stream to write; the suffixes .zst, .lz4, .gz, .zz and .zlib say it, too
    #[arg(long, value_parser = parse_codec)]
    pub(crate) codec: Option<Codec>,
    /// zlib, gzip, deflate: 0 stores, 1 is fast, 9 is small, 6 unless given; zstd: 1 to 19, 3
    /// unless given
    #[arg(long)]
    pub(crate) level: Option<u32>,
    /// Only the elements of an .npy, in C order: `zlib.compress(a.tobytes())`
    #[arg(long)]
    pub(crate) data: bool,
    /// The most threads; as many as there are processors unless given. The stream is the same
    #[arg(long, value_name = "N", value_parser = parse_threads, allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,
}

/// Arguments of `decompress`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ndbytes decompress a.npy.gz a.npy --max-bytes 4GiB")]
pub(crate) struct Decompress {
    /// The file to read
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// The file to write: whole, or as it was
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// The stream's kind; the first bytes tell all but deflate
    #[arg(long, value_parser = parse_codec)]
    pub(crate) codec: Option<Codec>,
    /// Stop, and write nothing, when more than this comes out
    #[arg(long, value_name = "N", value_parser = parse_size)]
    pub(crate) max_bytes: Option<u64>,
    /// The most threads; as many as there are processors unless given
    #[arg(long, value_name = "N", value_parser = parse_threads, allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,
}

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of .npy: the header, the exact length, bools and characters. Of .npz: besides these, each member's \
CRC-32. Of zlib, gzip, zstd and lz4 streams: their checksum, and the .npy in them.\n\n\
Exit status 1 when a file is bad, 2 when one could not be read.\n\n\
Example: ndbytes verify *.npy *.npz")]
pub(crate) struct Verify {
    /// .npy, .npz, zlib, gzip, zstd and lz4 files
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Report,
}

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Byte order, C or Fortran order and the gaps in structs make no difference. Without tolerances \
elements are the same when their bytes are: NaN equals the same NaN, 0.0 is not -0.0. With them, \
numbers a and b are the same when |a - b| <= atol + rtol * |b|, as numpy.allclose has it, NaN \
equals NaN, and the dtypes of the numbers may differ.\n\n\
Exit status 0 same, 1 different, 2 trouble.\n\n\
Example: ndbytes diff a.npy b.npy --rtol 1e-5\n         ndbytes diff old.npz new.npz")]
pub(crate) struct Diff {
    /// A .npy or .npz file
    #[arg(value_name = "A")]
    pub(crate) a: PathBuf,
    /// Another
    #[arg(value_name = "B")]
    pub(crate) b: PathBuf,
    /// Relative tolerance for numbers
    #[arg(long, value_parser = parse_tolerance)]
    pub(crate) rtol: Option<f64>,
    /// Absolute tolerance for numbers
    #[arg(long, value_parser = parse_tolerance)]
    pub(crate) atol: Option<f64>,
    /// Compare this array of each .npz
    #[arg(long, value_name = "KEY")]
    pub(crate) member: Option<String>,
    /// List at most this many differing elements of an array
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) first: usize,
}

/// How two sides talk.
#[derive(Debug, clap::Args)]
pub(crate) struct Session {
    /// Seconds of silence before it is an error; 0 waits for ever
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) timeout: Seconds,
    /// Arrays alone, for a peer with nothing but NumPy
    #[arg(long)]
    pub(crate) plain: bool,
    /// Show the bearer token that is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) token: Option<PathBuf>,
    /// Where the authorities are (PEM) that a tls:// or quic:// peer's certificate is checked against
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Who listens: ask for a bearer token that is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,
    /// Who listens: the chain of certificates (PEM) for tls:// and quic://
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Who listens: let other machines in without tokens or without encryption
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// Arguments of `send`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
To `ndbytes recv --out DIR` files go whole, under their names: each is there when it is whole and on \
the disk, or not at all. What was interrupted, also by a crash of either side, goes on where it was when \
it is sent again: what is there is compared by its contents. To others every array of every file goes \
over, one after another, each with the name of its file or member, and from - the arrays that it holds. Files are looked at before the connection \
is made. ADDR is tcp://HOST:PORT, tls://HOST:PORT, quic://HOST:PORT, unix:///PATH, a folder below /stream/ \
of `ndbytes serve --write`, where each array becomes NAME.npy, or - for standard output, which `ndbytes recv -` reads, and with --plain whatever reads .npy. A send ends well when the peer has said that it has all.\n\n\
Example: ndbytes send a.npy b.npz tcp://127.0.0.1:7000")]
pub(crate) struct Send {
    /// .npy, .npz and .ndb files; `-` may hold several arrays
    #[arg(required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where to
    #[arg(required = true, value_name = "ADDR")]
    pub(crate) addr: String,
    /// Wait for a connection instead of making one
    #[arg(long)]
    pub(crate) listen: bool,
    /// After a cut, connect again and go on, up to so many times for each piece of progress
    #[arg(long, value_name = "N", default_value = "0", conflicts_with = "listen")]
    pub(crate) retries: u32,
    #[command(flatten)]
    pub(crate) session: Session,
}

/// Arguments of `recv`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Listens, takes one connection and ends with it, or after --count arrays or files. ADDR is \
tcp://HOST:PORT, tls://HOST:PORT, quic://HOST:PORT, unix:///PATH or - for standard input, or a file below \
/stream/ of `ndbytes serve`, which is asked for instead; with port 0 the system chooses one, and `listening on tcp://...` on stderr says which. Into a folder files go under their \
names, and arrays as 00000.npy, 00001.npy and so on; a file that ends in .npy takes one array, one in \
.npz all of them under their names, or as arr_0, arr_1 and so on, and - sends them on to standard output.\n\n\
What has come of a file when the connection is cut stays, as .NAME.part, for the next attempt to go on \
with. A stream that is cut ends with status 1, and what arrived whole in a folder before is kept; a \
connection refused, reset or silent for too long ends with status 2.\n\n\
Example: ndbytes recv tcp://127.0.0.1:7000 --out arrays")]
pub(crate) struct Recv {
    /// Where from
    #[arg(value_name = "ADDR")]
    pub(crate) addr: String,
    /// A folder, which is made where there is none, a .npy or .npz file, or -
    #[arg(long, value_name = "DIR|FILE|-", default_value = ".")]
    pub(crate) out: PathBuf,
    /// End after this many arrays or files; fewer are an error. It ends the session: of what follows in a pipe,
    /// `send --plain` can be received later
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// The most bytes that one array or file may have
    #[arg(long, value_name = "N", default_value = "4GiB", value_parser = parse_size)]
    pub(crate) max_bytes: u64,
    /// Make a connection instead of waiting for one
    #[arg(long)]
    pub(crate) connect: bool,
    /// Go on with other connections, several at once, until a signal comes; what has begun is finished then
    #[arg(long, conflicts_with_all = ["connect", "count"])]
    pub(crate) keep: bool,
    /// Most connections at once, with --keep
    #[arg(long, value_name = "N", default_value = "16", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Replace files that are there
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) session: Session,
}

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
/files/PATH has files and listings, /arrays/PATH the facts of an array and, with ?slice=0:10,::2, a \
part of it, /zarr/PATH every array as one of Zarr v3. Without --write nothing is written. The first \
line of standard output is its URL; the log goes to standard error. SIGINT and SIGTERM end it.\n\n\
A line of the token file is NAME SCOPES TOKEN [EXPIRES], such as\n\
  alice read 6f0d7c8e2b1a4f5e9d3c 2027-12-31T23:59:59Z\n\n\
Example: ndbytes serve data\n         \
ndbytes serve data --listen 0.0.0.0:8443 --tokens tokens --cert cert.pem --key key.pem")]
pub(crate) struct Serve {
    /// The folder
    pub(crate) dir: PathBuf,
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    pub(crate) listen: String,
    /// Ask for a bearer token that is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) tokens: Option<PathBuf>,
    /// Encrypt, with this chain of certificates (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Let other machines in without tokens or without encryption
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Let files be written by PUT or in parts by tus, whole or not at all, and folders be made by MKCOL
    #[arg(long)]
    pub(crate) write: bool,
    /// Let files and empty folders be removed by DELETE
    #[arg(long)]
    pub(crate) delete: bool,
    /// Most bytes of a file that is written
    #[arg(long, value_name = "BYTES", default_value = "68719476736")]
    pub(crate) max_upload: u64,
    /// Most connections at once
    #[arg(long, value_name = "N", default_value = "1024", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Most connections of one address at once; 256 unless given, of other machines
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections_per_address: Option<u32>,
    /// Most requests at once; others wait
    #[arg(long, value_name = "N", default_value = "256", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_requests: u32,
    /// Most requests at once of one token, or of one address without tokens; others are refused
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_requests_per_client: Option<u32>,
    /// Most requests per second of one token, or of one address without tokens; others are refused
    #[arg(long, value_name = "RATE", value_parser = parse_rate)]
    pub(crate) max_rate_per_client: Option<f64>,
    /// Seconds that the header of a request may take; 0 is any time
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) header_timeout: Seconds,
    /// Seconds that a connection may have no request
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub(crate) idle_timeout: Seconds,
    /// Seconds that a client may take nothing of its answer, or send nothing of a file
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    pub(crate) write_timeout: Seconds,
    /// Seconds that answers may go on after a signal
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    pub(crate) grace: Seconds,
    /// The form of the log
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log: Logs,
}

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: ndbytes completions bash > ndbytes.bash")]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: ndbytes man | man -l -\n         ndbytes man --out share/man/man1"
)]
pub(crate) struct Man {
    /// Write ndbytes.1 and a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// How facts are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Report {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// How a log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Logs {
    /// A line of text for each request
    #[default]
    Text,
    /// A line of JSON for each request
    Json,
    /// Not at all
    Off,
}

/// How values are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Values {
    /// As Python prints them
    #[default]
    Text,
    /// An object of dtype, shape and nested lists
    Json,
    /// Values between commas
    Csv,
    /// The elements' bytes, C order
    Raw,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Elements alone
    Raw,
    /// One array
    Npy,
    /// An archive of arrays
    Npz,
    /// One array in compressed, checked chunks
    Ndb,
    /// A folder of Zarr v3, whose one shard is such an array
    Zarr,
}

/// An order of the elements, or the one they have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutOrder {
    /// Last axis fastest
    #[value(name = "C", alias = "c")]
    C,
    /// First axis fastest
    #[value(name = "F", alias = "f")]
    F,
    /// As in IN
    Keep,
}

/// A byte order, or the one there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutBytes {
    /// Least significant byte first
    Little,
    /// Most significant byte first
    Big,
    /// This machine's
    Native,
    /// As in IN
    #[default]
    Keep,
}

/// A shape, in a type of its own: to clap a vector is a repeated argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape(pub(crate) Vec<usize>);

/// A time limit; none for 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) Option<std::time::Duration>);

fn parse_shape(text: &str) -> Result<Shape, String> {
    let bad = || format!("`{text}` is no shape such as 100,3 or `()`");
    let inner = text.trim();
    let inner = match inner.strip_prefix('(') {
        Some(rest) => rest.strip_suffix(')').ok_or_else(bad)?,
        None => inner,
    };
    let inner = inner.trim();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    if inner.is_empty() {
        return if text.trim() == "()" { Ok(Shape(Vec::new())) } else { Err(bad()) };
    }
    inner
        .split(',')
        .map(|n| n.trim().parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()
        .map(Shape)
}

fn parse_order(text: &str) -> Result<Order, String> {
    match text {
        "C" | "c" => Ok(Order::C),
        "F" | "f" => Ok(Order::F),
        _ => Err("the order is C or F".into()),
    }
}

fn parse_codec(text: &str) -> Result<Codec, String> {
    Codec::from_name(text).ok_or_else(|| {
        let names: Vec<_> = Codec::ALL.iter().map(|codec| codec.as_str()).collect();
        format!("the codecs are {}", names.join(", "))
    })
}

fn parse_threads(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&number| number > 0);
    number.ok_or_else(|| format!("`{text}` is no number of threads"))
}

/// A number of bytes: 1000, 64KiB, 4GiB.
fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kib" => 10,
        "m" | "mib" => 20,
        "g" | "gib" => 30,
        "t" | "tib" => 40,
        _ => return Err("a number of bytes is 1000, 64KiB, 20MiB or 4GiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no number of bytes"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("`{text}` is too much"))
}

fn parse_seconds(text: &str) -> Result<Seconds, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    match seconds {
        0.0 => Ok(Seconds(None)),
        s if s > 0.0 => std::time::Duration::try_from_secs_f64(s)
            .map(|duration| Seconds(Some(duration)))
            .map_err(|error| error.to_string()),
        _ => Err("a time limit is not negative".into()),
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("a rate is a number per second, more than 0".into()),
    }
}

fn parse_tolerance(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(tolerance) if tolerance >= 0.0 => Ok(tolerance),
        _ => Err("a tolerance is a number of 0 or more".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Args::command().get_subcommands() {
            let help = command.get_after_help().unwrap().to_string();
            assert!(help.contains(&format!("Example: ndbytes {}", command.get_name())), "{help}");
        }
    }

    #[test]
    fn shapes_are_written_as_numpys() {
        for (text, shape) in [
            ("2,3", Some(vec![2, 3])),
            ("(2, 3)", Some(vec![2, 3])),
            ("5", Some(vec![5])),
            ("(5,)", Some(vec![5])),
            ("()", Some(vec![])),
            ("", None),
            ("(2", None),
            ("2,,3", None),
            ("-1", None),
        ] {
            assert_eq!(parse_shape(text).ok().map(|shape| shape.0), shape, "{text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("1000"), Ok(1000));
        assert_eq!(parse_size("4GiB"), Ok(4 << 30));
        assert_eq!(parse_size("64k"), Ok(64 << 10));
        assert!(parse_size("99999999999TiB").is_err());
        assert!(parse_size("4 apples").is_err());
        assert!(parse_size("").is_err());
    }

    #[test]
    fn no_time_is_no_limit() {
        assert_eq!(parse_seconds("0"), Ok(Seconds(None)));
        assert_eq!(parse_seconds("0.5"), Ok(Seconds(Some(std::time::Duration::from_millis(500)))));
        assert!(parse_seconds("-1").is_err());
        assert!(parse_seconds("nan").is_err());
    }
}
