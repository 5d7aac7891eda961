//! `diff`: two files by dtype, shape and values.

use ndbytes::{Array, ByteOrder, Dtype, Kind, Looks, Order};

use crate::args::Diff;
use crate::commands::info::shape_text;
use crate::elements::{Elements, parts, piece, turn};
use crate::exit::{ExitStatus, Failure};
use crate::input::{Input, is_dash};
use crate::number::Number;
use crate::printer::Printer;
use crate::progress::{self, By};
use crate::value::{Style, write_value};

/// Compares two files. What cannot be read is trouble here, because 1 says that they differ.
pub(crate) fn run(args: &Diff, out: &mut Printer) -> Result<ExitStatus, Failure> {
    compare(args, out).map_err(|failure| match failure.status() {
        ExitStatus::No => Failure::trouble(failure.message()),
        _ => failure,
    })
}

fn compare(args: &Diff, out: &mut Printer) -> Result<ExitStatus, Failure> {
    if is_dash(&args.a) && is_dash(&args.b) {
        return Err(Failure::trouble("only one of both can be standard input"));
    }
    let (a, b) = (Input::open(&args.a)?, Input::open(&args.b)?);
    let sizes = [&a, &b].map(|input| input.source.known_size().ok().flatten());
    let total = sizes.iter().copied().sum::<Option<u64>>();
    progress::begin(By::Reading, "comparing", &b.name, total);
    let archives = a.looks()? == Looks::Zip && b.looks()? == Looks::Zip;
    let same = if archives && args.member.is_none() {
        compare_archives(args, &a, &b, out)?
    } else {
        // One member may be compared with an .npy.
        let open = |input| Elements::open(input, member_of(args, input)?, false)?.alone();
        compare_arrays(args, "", open(&a)?, open(&b)?, out)?
    };
    Ok(if same { ExitStatus::Done } else { ExitStatus::No })
}

fn member_of<'a>(args: &'a Diff, input: &Input) -> Result<Option<&'a str>, Failure> {
    Ok(if input.looks()? == Looks::Npy { None } else { args.member.as_deref() })
}

fn compare_archives(args: &Diff, a: &Input, b: &Input, out: &mut Printer) -> Result<bool, Failure> {
    let (in_a, in_b) = (a.npz()?, b.npz()?);
    let mut same = true;
    for key in in_a.keys() {
        let shown = key.escape_debug();
        if in_b.find(key).is_err() {
            out.line(format_args!("{shown}: only in {}", a.name.display()))?;
            same = false;
            continue;
        }
        let first = Elements::member(a, &in_a, Some(key), false)?;
        let second = Elements::member(b, &in_b, Some(key), false)?;
        same &= compare_arrays(args, &format!("{shown}: "), first, second, out)?;
    }
    for key in in_b.keys().filter(|key| in_a.find(key).is_err()) {
        out.line(format_args!("{}: only in {}", key.escape_debug(), b.name.display()))?;
        same = false;
    }
    Ok(same)
}

fn compare_arrays(
    args: &Diff,
    label: &str,
    a: Elements<'_>,
    b: Elements<'_>,
    out: &mut Printer,
) -> Result<bool, Failure> {
    let tolerances = (args.rtol.is_some() || args.atol.is_some())
        .then(|| (args.rtol.unwrap_or(0.0), args.atol.unwrap_or(0.0)));
    let (dtype_a, dtype_b) = (a.header().dtype().clone(), b.header().dtype().clone());
    let little = |dtype: &Dtype| dtype.with_byte_order(ByteOrder::Little);
    let comparable = little(&dtype_a) == little(&dtype_b)
        || tolerances.is_some() && is_number(&dtype_a) && is_number(&dtype_b);
    if !comparable {
        out.line(format_args!("{label}dtype: {dtype_a} and {dtype_b}"))?;
    }
    let shape = a.header().shape().to_vec();
    if shape != b.header().shape() {
        let (a, b) = (shape_text(&shape), shape_text(b.header().shape()));
        out.line(format_args!("{label}shape: {a} and {b}"))?;
        return Ok(false);
    }
    if !comparable {
        return Ok(false);
    }
    let items =
        Compared { parts: parts(&dtype_a).into_iter().zip(parts(&dtype_b)).collect(), tolerances };
    let (mut a, mut b) = (Reader::new(a)?, Reader::new(b)?);
    let (size_a, size_b) = (dtype_a.itemsize(), dtype_b.itemsize());
    let step = piece(size_a.max(size_b)) / size_a.max(size_b).max(1);
    let total: usize = if size_a == 0 { 0 } else { shape.iter().product() };
    let (mut done, mut different) = (0, 0usize);
    while done < total {
        let count = step.min(total - done);
        let (items_a, items_b) = (a.next(count)?, b.next(count)?);
        let equal = tolerances.is_none() && exactly(items_a, &dtype_a, items_b, &dtype_b);
        let pairs = items_a.chunks_exact(size_a).zip(items_b.chunks_exact(size_b));
        for (i, (x, y)) in pairs.enumerate().take(if equal { 0 } else { count }) {
            if items.same(x, y) {
                continue;
            }
            different += 1;
            if different <= args.first {
                let index = shape_text(&place(done + i, &shape));
                let (x, y) = (shown(&dtype_a, x), shown(&dtype_b, y));
                out.line(format_args!("{label}{index}: {x} and {y}"))?;
            }
        }
        done += count;
    }
    if different > 0 {
        out.line(format_args!("{label}{different} of {total} elements differ"))?;
    }
    Ok(different == 0)
}

/// Whether the bytes are the same without a look at each element.
fn exactly(a: &[u8], dtype_a: &Dtype, b: &[u8], dtype_b: &Dtype) -> bool {
    dtype_a == dtype_b && a == b
}

/// A scalar of an element and where it begins.
type Part<'a> = (usize, &'a Dtype);

/// Two elements, scalar by scalar.
struct Compared<'a> {
    parts: Vec<(Part<'a>, Part<'a>)>,
    tolerances: Option<(f64, f64)>,
}

impl Compared<'_> {
    fn same(&self, a: &[u8], b: &[u8]) -> bool {
        self.parts.iter().all(|((at_a, dtype_a), (at_b, dtype_b))| {
            let a = &a[*at_a..at_a + dtype_a.itemsize()];
            let b = &b[*at_b..at_b + dtype_b.itemsize()];
            if let Some((rtol, atol)) = self.tolerances
                && let (Some(a), Some(b)) = (Number::parse(dtype_a, a), Number::parse(dtype_b, b))
            {
                return close(a, b, rtol, atol);
            }
            if dtype_a.byte_order() == dtype_b.byte_order() {
                return a == b;
            }
            let mut turned = b.to_vec();
            turn(&mut turned, dtype_b, dtype_a.byte_order());
            a == turned
        })
    }
}

/// `numpy.isclose` with `equal_nan`; for complex numbers, the distance in the plane.
fn close(a: Number, b: Number, rtol: f64, atol: f64) -> bool {
    if let (Some(a), Some(b)) = (a.integer(), b.integer())
        && a == b
    {
        return true;
    }
    if let (Some(a), Some(b)) = (a.integer(), b.integer()) {
        // Exact where `f64` would round neighbours to one.
        return (a - b).unsigned_abs() as f64 <= atol + rtol * b.unsigned_abs() as f64;
    }
    let ((re_a, im_a), (re_b, im_b)) = (a.parts(), b.parts());
    let (nan_a, nan_b) = (re_a.is_nan() || im_a.is_nan(), re_b.is_nan() || im_b.is_nan());
    if nan_a || nan_b {
        return nan_a && nan_b;
    }
    if (re_a, im_a) == (re_b, im_b) {
        return true;
    }
    if [re_a, im_a, re_b, im_b].iter().any(|part| part.is_infinite()) {
        return false;
    }
    (re_a - re_b).hypot(im_a - im_b) <= atol + rtol * re_b.hypot(im_b)
}

fn is_number(dtype: &Dtype) -> bool {
    let probe = vec![0; dtype.itemsize()];
    !matches!(dtype.kind(), Kind::Struct(_) | Kind::Subarray(_))
        && Number::parse(dtype, &probe).is_some()
}

fn shown(dtype: &Dtype, item: &[u8]) -> String {
    let mut text = String::new();
    write_value(&mut text, dtype, item, Style::Python);
    text
}

/// The index of an element from its number in C order.
fn place(mut number: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (axis, &n) in shape.iter().enumerate().rev() {
        index[axis] = number % n;
        number /= n;
    }
    index
}

/// Elements in C order, piece by piece: from the file where they lie so, else from memory.
struct Reader<'a> {
    place: Place<'a>,
    dtype: Dtype,
    done: usize,
    buffer: Vec<u8>,
}

enum Place<'a> {
    File(Elements<'a>),
    Memory(Array),
}

impl<'a> Reader<'a> {
    fn new(elements: Elements<'a>) -> Result<Self, Failure> {
        let dtype = elements.header().dtype().clone();
        let place = match crate::elements::storage_order(elements.header()) {
            Order::C => Place::File(elements),
            Order::F => Place::Memory(elements.load()?),
        };
        Ok(Self { place, dtype, done: 0, buffer: Vec::new() })
    }

    fn next(&mut self, count: usize) -> Result<&[u8], Failure> {
        let size = self.dtype.itemsize();
        self.buffer.resize(count * size, 0);
        match &self.place {
            Place::File(elements) => {
                elements.read_at(self.done * size, &mut self.buffer)?;
            }
            Place::Memory(array) => {
                array.view().copy_to(&mut self.buffer, self.done, Order::C)?;
            }
        }
        self.done += count;
        Ok(&self.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::Float;

    #[test]
    fn closeness_is_numpys() {
        let float = |x| Number::Float(Float::Double(x));
        let close = |a, b| close(float(a), float(b), 1e-3, 1e-8);
        assert!(close(1000.5, 1000.0));
        assert!(!close(1001.5, 1000.0));
        assert!(close(f64::NAN, f64::NAN));
        assert!(!close(f64::NAN, 0.0));
        assert!(close(f64::INFINITY, f64::INFINITY));
        assert!(!close(f64::INFINITY, f64::NEG_INFINITY));
        assert!(!close(f64::INFINITY, 1e300));
        assert!(close(0.0, -0.0));
    }

    #[test]
    fn large_integers_are_compared_exactly() {
        let (a, b) = (Number::Int(i64::MAX), Number::Int(i64::MAX - 1));
        assert!(!close(a, b, 0.0, 0.5));
        assert!(close(a, b, 0.0, 1.0));
        assert!(!close(Number::Int(i64::MIN), Number::Uint(u64::MAX), 0.0, 1.0));
    }

    #[test]
    fn places_count_the_last_axis_fastest() {
        assert_eq!(place(7, &[2, 5]), [1, 2]);
        assert!(place(0, &[]).is_empty());
    }
}
