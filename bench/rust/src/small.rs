//! Four `int32`, in memory: what a message costs beside its bytes.

use std::io::Cursor;

use ndarray::{Array1, ArrayView1};
use ndarray_npy::{ReadNpyExt, ViewNpyExt, WriteNpyExt};
use ndbytes::{Array, Limits};
use npyz::{NpyFile, WriterBuilder};

use crate::Result;
use crate::rounds::{Task, Way};

/// The bytes that `numpy.save` writes for `numpy.arange(4, dtype="<i4")`.
pub fn numpy_bytes() -> Vec<u8> {
    let text = "{'descr': '<i4', 'fortran_order': False, 'shape': (4,), }";
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{text:<117}\n").bytes());
    bytes.extend((0..4i32).flat_map(i32::to_le_bytes));
    bytes
}

/// Each task in turn.
///
/// # Errors
/// What `run` said, or when a way fails or gives a wrong answer.
pub fn each(run: &mut dyn FnMut(Task<'_>) -> Result<()>) -> Result<()> {
    let theirs = Array1::from_iter(0..4i32);
    let ours = Array::from_ndarray(&theirs)?;
    let npy = numpy_bytes();
    run(write(&ours, &theirs, &npy)?)?;
    run(read(&ours, &theirs, &npy)?)?;
    run(view(&ours, &theirs, &npy)?)
}

fn write<'a>(ours: &'a Array, theirs: &'a Array1<i32>, npy: &'a [u8]) -> Result<Task<'a>> {
    // Of the text, only what it says is fixed: peers may leave other blanks than NumPy.
    let same = |got: &Vec<u8>| {
        ndbytes::loads(got, &Limits::default())
            .is_ok_and(|array| array.header().ok() == Some(ours.header().clone()))
            && got.ends_with(ours.bytes())
    };
    let ways = vec![
        Way::new("ndbytes", || Ok(ndbytes::dumps(&ours.view())?), |got| got == npy)?,
        Way::new(
            "npyz",
            || {
                let mut bytes = Vec::new();
                let options = npyz::WriteOptions::<i32>::new().default_dtype().shape(&[4]);
                let mut writer = options.writer(&mut bytes).begin_nd()?;
                writer.extend(theirs.iter().copied())?;
                writer.finish()?;
                Ok(bytes)
            },
            same,
        )?,
        Way::new(
            "ndarray-npy",
            || {
                let mut bytes = Vec::new();
                theirs.write_npy(&mut bytes)?;
                Ok(bytes)
            },
            same,
        )?,
    ];
    Ok(Task::small("write 4 i4 to memory", ways))
}

fn read<'a>(ours: &'a Array, theirs: &'a Array1<i32>, npy: &'a [u8]) -> Result<Task<'a>> {
    let ways = vec![
        Way::new(
            "ndbytes",
            move || Ok(ndbytes::read_npy(&mut Cursor::new(npy), &Limits::default())?),
            |got| got.header() == ours.header() && got.bytes() == ours.bytes(),
        )?,
        Way::new(
            "npyz",
            move || Ok(NpyFile::new(Cursor::new(npy))?.into_vec::<i32>()?),
            |got| got.as_slice() == theirs.as_slice().unwrap_or_default(),
        )?,
        Way::new(
            "ndarray-npy",
            move || Ok(Array1::<i32>::read_npy(Cursor::new(npy))?),
            |got| got == theirs,
        )?,
    ];
    Ok(Task::small("read 4 i4 from memory", ways))
}

fn view<'a>(ours: &'a Array, theirs: &'a Array1<i32>, npy: &'a [u8]) -> Result<Task<'a>> {
    let ways = vec![
        Way::new(
            "ndbytes",
            || Ok(ndbytes::loads(npy, &Limits::default())?),
            |got| got.shape() == ours.shape() && got.to_vec(ours.order()).ok() == npy_data(npy),
        )?,
        Way::new(
            "ndarray-npy",
            || Ok(ArrayView1::<i32>::view_npy(npy)?),
            |got| *got == theirs.view(),
        )?,
    ];
    Ok(Task::small("view 4 i4 in memory", ways))
}

fn npy_data(npy: &[u8]) -> Option<Vec<u8>> {
    npy.get(npy.len().checked_sub(16)?..).map(<[u8]>::to_vec)
}
