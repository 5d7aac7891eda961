//! Makes one call so many times, for a tool that counts instructions: `instructions CASE CALLS`.
//!
//! What is counted with twice the calls, less what is counted with the calls, divided by them, is
//! what one call takes; loading and setting up cancel out. Without arguments it lists the cases.
#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io::Cursor;

use ndarray::Array1;
use ndbytes::{Array, Header, Limits};
use ndbytes_bench::{Result, headers, small};

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [] => {
            CASES.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
        [name, calls] => {
            let (_, case) = CASES
                .iter()
                .find(|(known, _)| known == name)
                .ok_or_else(|| format!("no case {name}"))?;
            case(calls.parse()?)
        }
        _ => Err("usage: instructions [CASE CALLS]".into()),
    }
}

fn encode(header: &Header, calls: u64) -> Result<()> {
    for _ in 0..calls {
        black_box(black_box(header).encode()?);
    }
    Ok(())
}

fn parse(header: &Header, calls: u64) -> Result<()> {
    let (bytes, limits) = (header.encode()?, Limits::default());
    if Header::parse(&bytes, &limits)? != (header.clone(), bytes.len()) {
        return Err("the header is not parsed back".into());
    }
    for _ in 0..calls {
        black_box(Header::parse(black_box(&bytes), &limits)?);
    }
    Ok(())
}

fn dumps(calls: u64) -> Result<()> {
    let array = four()?;
    if ndbytes::dumps(&array.view())? != small::numpy_bytes() {
        return Err("the bytes are not NumPy's".into());
    }
    for _ in 0..calls {
        black_box(ndbytes::dumps(black_box(&array.view()))?);
    }
    Ok(())
}

fn loads(calls: u64) -> Result<()> {
    let (npy, limits) = (small::numpy_bytes(), Limits::default());
    for _ in 0..calls {
        black_box(ndbytes::loads(black_box(&npy), &limits)?);
    }
    Ok(())
}

fn read_npy(calls: u64) -> Result<()> {
    let (npy, limits) = (small::numpy_bytes(), Limits::default());
    for _ in 0..calls {
        black_box(ndbytes::read_npy(black_box(&mut npy.as_slice()), &limits)?);
    }
    Ok(())
}

/// Into memory that is there already, as into a socket's buffer.
fn send(calls: u64) -> Result<()> {
    let array = four()?;
    let mut sink = Vec::with_capacity(256);
    for _ in 0..calls {
        sink.clear();
        ndbytes::send(black_box(&mut sink), black_box(&array.view()))?;
    }
    if calls > 0 && sink != small::numpy_bytes() {
        return Err("the bytes are not NumPy's".into());
    }
    Ok(())
}

fn recv(calls: u64) -> Result<()> {
    let (npy, limits) = (small::numpy_bytes(), Limits::default());
    let mut source = Cursor::new(npy);
    for _ in 0..calls {
        source.set_position(0);
        black_box(ndbytes::recv(black_box(&mut source), &limits)?.ok_or("no array came")?);
    }
    Ok(())
}

fn four() -> Result<Array> {
    Ok(Array::from_ndarray(&Array1::from_iter(0..4i32))?)
}

type Case = fn(u64) -> Result<()>;

const CASES: [(&str, Case); 11] = [
    ("encode-plain", |calls| encode(&headers::plain()?, calls)),
    ("encode-fortran", |calls| encode(&headers::fortran()?, calls)),
    ("encode-struct", |calls| encode(&headers::structured()?, calls)),
    ("parse-plain", |calls| parse(&headers::plain()?, calls)),
    ("parse-fortran", |calls| parse(&headers::fortran()?, calls)),
    ("parse-struct", |calls| parse(&headers::structured()?, calls)),
    ("dumps", dumps),
    ("loads", loads),
    ("read_npy", read_npy),
    ("send", send),
    ("recv", recv),
];
