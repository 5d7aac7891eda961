//! Headers alone, written and parsed.

use ndbytes::{Dtype, Field, Header, Limits, Order};
use npyz::{DType, NpyHeader, WriterBuilder};

use crate::Result;
use crate::rounds::{Task, Way};

/// `<i4` of shape `(4,)`.
///
/// # Errors
/// None, for this one exists.
pub fn plain() -> Result<Header> {
    Ok(Header::new("<i4".parse()?, Order::C, vec![4])?)
}

/// `<f8` of three dimensions, in F order.
///
/// # Errors
/// None, for this one exists.
pub fn fortran() -> Result<Header> {
    Ok(Header::new("<f8".parse()?, Order::F, vec![640, 480, 3])?)
}

/// A struct of four fields.
///
/// # Errors
/// None, for this one exists.
pub fn structured() -> Result<Header> {
    let mut offset = 0;
    let mut fields = Vec::new();
    for (name, code) in [("time", "<i8"), ("x", "<f8"), ("y", "<f8"), ("label", "<U5")] {
        let dtype: Dtype = code.parse()?;
        let size = dtype.itemsize();
        fields.push(Field { name: name.to_owned(), title: None, dtype, offset });
        offset += size;
    }
    Ok(Header::new(Dtype::structure(fields, offset)?, Order::C, vec![1000])?)
}

/// Each task in turn.
///
/// # Errors
/// What `run` said, or when a way fails or gives a wrong answer.
pub fn each(run: &mut dyn FnMut(Task<'_>) -> Result<()>) -> Result<()> {
    let cases = [
        (plain()?, DESCR_PLAIN, ["encode header, i4 (4,)", "parse header, i4 (4,)"]),
        (
            fortran()?,
            DESCR_FORTRAN,
            ["encode header, 3-D f8, F order", "parse header, 3-D f8, F order"],
        ),
        (
            structured()?,
            DESCR_STRUCT,
            ["encode header, struct of 4 fields", "parse header, struct of 4 fields"],
        ),
    ];
    for (header, descr, [encode_name, parse_name]) in cases {
        let bytes = header.encode()?;
        run(encode(encode_name, &header, descr)?)?;
        run(parse(parse_name, &header, &bytes)?)?;
    }
    Ok(())
}

fn encode<'a>(name: &'static str, header: &'a Header, descr: &str) -> Result<Task<'a>> {
    let dtype = DType::parse(descr)?;
    let shape: Vec<u64> = header.shape().iter().map(|&n| n as u64).collect();
    let order = match header.order() {
        Order::C => npyz::Order::C,
        Order::F => npyz::Order::Fortran,
    };
    let says_the_same =
        |got: &Vec<u8>| Header::parse(got, &Limits::default()).is_ok_and(|(got, _)| got == *header);
    let ways = vec![
        Way::new("ndbytes", || Ok(header.encode()?), says_the_same)?,
        Way::new(
            "npyz",
            move || {
                let mut bytes = Vec::new();
                npyz::WriteOptions::new_header_only()
                    .dtype(dtype.clone())
                    .shape(&shape)
                    .order(order)
                    .writer(&mut bytes)
                    .write_header_only()?;
                Ok(bytes)
            },
            says_the_same,
        )?,
    ];
    Ok(Task::small(name, ways))
}

fn parse<'a>(name: &'static str, header: &'a Header, bytes: &'a [u8]) -> Result<Task<'a>> {
    let ways = vec![
        Way::new(
            "ndbytes",
            || Ok(Header::parse(bytes, &Limits::default())?),
            |(got, offset)| got == header && *offset == bytes.len(),
        )?,
        Way::new(
            "npyz",
            move || Ok(NpyHeader::from_reader(bytes)?),
            |got| {
                got.shape().iter().map(|&n| n as usize).eq(header.shape().iter().copied())
                    && (got.order() == npyz::Order::Fortran) == (header.order() == Order::F)
            },
        )?,
    ];
    Ok(Task::small(name, ways))
}

const DESCR_PLAIN: &str = "'<i4'";
const DESCR_FORTRAN: &str = "'<f8'";
const DESCR_STRUCT: &str = "[('time', '<i8'), ('x', '<f8'), ('y', '<f8'), ('label', '<U5')]";
