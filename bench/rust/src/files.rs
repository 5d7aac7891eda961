//! Large arrays in files, in the page cache.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2, ShapeBuilder};
use ndarray_npy::{NpzReader as TheirReader, NpzWriter as TheirWriter};
use ndbytes::{
    Array, AtomicFile, Compression, Header, Limits, NpzReader, NpzWriter, Order, SaveOptions,
};
use npyz::{NpyFile, WriterBuilder};

use crate::Result;
use crate::rounds::{Task, Way};

/// The arrays that are written, the same values in the form that each library takes, and the
/// files that are read.
pub struct Fixture<'a> {
    folder: &'a Path,
    flat: Array,
    fortran: Array,
    values: Vec<f64>,
    theirs: Array1<f64>,
    theirs_fortran: Array2<f64>,
}

impl<'a> Fixture<'a> {
    /// Arrays of `count` elements, which is a multiple of 64, and their files in `folder`.
    ///
    /// # Errors
    /// Without memory or room for them.
    pub fn new(folder: &'a Path, count: usize) -> Result<Self> {
        let values = crate::values(count);
        let shape = [count / COLUMNS, COLUMNS];
        let theirs = Array1::from(values.clone());
        let theirs_fortran = Array2::from_shape_vec(shape.f(), values.clone())?;
        let flat = Array::from_ndarray(&theirs)?;
        let header = Header::new(flat.dtype().clone(), Order::F, shape.to_vec())?;
        let mut fortran = Array::zeroed(header)?;
        fortran.bytes_mut().copy_from_slice(flat.bytes());
        let fixture = Self { folder, flat, fortran, values, theirs, theirs_fortran };
        ndbytes::save(&fixture.path("in.npy"), &fixture.flat.view(), &SaveOptions::default())?;
        ndbytes::save(&fixture.path("in-f.npy"), &fixture.fortran.view(), &SaveOptions::default())?;
        fixture.save_npz(&fixture.path("in.npz"))?;
        Ok(fixture)
    }

    /// Each task in turn; what one holds is let go before the next.
    ///
    /// # Errors
    /// What `run` said, or when a way fails or gives a wrong answer.
    pub fn each(&self, run: &mut dyn FnMut(Task<'_>) -> Result<()>) -> Result<()> {
        run(self.write_npy()?)?;
        run(self.read_npy()?)?;
        run(self.read_npy_to_ndarray()?)?;
        run(self.write_fortran()?)?;
        run(self.read_fortran()?)?;
        run(self.write_npz()?)?;
        run(self.read_npz()?)
    }

    fn write_npy(&self) -> Result<Task<'_>> {
        let [ours, peer, other] = ["ours.npy", "npyz.npy", "ndarray-npy.npy"].map(|n| self.path(n));
        let ways = vec![
            Way::large(
                "ndbytes",
                move || {
                    ndbytes::save(&ours, &self.flat.view(), &SaveOptions::default())?;
                    Ok(ours.clone())
                },
                |path| self.holds(path, &self.flat),
            )?,
            Way::large(
                "npyz",
                move || {
                    let shape = [self.values.len() as u64];
                    write_by_npyz(&peer, &self.values, &shape, npyz::Order::C)?;
                    Ok(peer.clone())
                },
                |path| self.holds(path, &self.flat),
            )?,
            Way::large(
                "ndarray-npy",
                move || {
                    ndarray_npy::write_npy(&other, &self.theirs)?;
                    Ok(other.clone())
                },
                |path| self.holds(path, &self.flat),
            )?,
        ];
        Ok(Task::large("write .npy", ways))
    }

    fn read_npy(&self) -> Result<Task<'_>> {
        let path = self.path("in.npy");
        let (a, b, c) = (path.clone(), path.clone(), path);
        let ways = vec![
            Way::large(
                "ndbytes",
                move || Ok(ndbytes::load(&a, &Limits::default())?),
                |got| same(got, &self.flat),
            )?,
            Way::large("npyz", move || read_by_npyz(&b), |got| *got == self.values)?,
            Way::large(
                "ndarray-npy",
                move || Ok(ndarray_npy::read_npy::<_, Array1<f64>>(&c)?),
                |got| *got == self.theirs,
            )?,
        ];
        Ok(Task::large("read .npy", ways))
    }

    /// Ours is then one copy more: bytes are read, and values made of them.
    fn read_npy_to_ndarray(&self) -> Result<Task<'_>> {
        let path = self.path("in.npy");
        let other = path.clone();
        let ways = vec![
            Way::large(
                "ndbytes",
                move || Ok(ndbytes::load(&path, &Limits::default())?.to_ndarray::<f64>()?),
                |got| got.view().into_dyn() == self.theirs.view().into_dyn(),
            )?,
            Way::large(
                "ndarray-npy",
                move || Ok(ndarray_npy::read_npy::<_, Array1<f64>>(&other)?),
                |got| *got == self.theirs,
            )?,
        ];
        Ok(Task::large("read .npy into an ndarray", ways))
    }

    fn write_fortran(&self) -> Result<Task<'_>> {
        let [ours, peer, other] = ["ours.npy", "npyz.npy", "ndarray-npy.npy"].map(|n| self.path(n));
        let ways = vec![
            Way::large(
                "ndbytes",
                move || {
                    ndbytes::save(&ours, &self.fortran.view(), &SaveOptions::default())?;
                    Ok(ours.clone())
                },
                |path| self.holds(path, &self.fortran),
            )?,
            Way::large(
                "npyz",
                move || {
                    let shape = [(self.values.len() / COLUMNS) as u64, COLUMNS as u64];
                    write_by_npyz(&peer, &self.values, &shape, npyz::Order::Fortran)?;
                    Ok(peer.clone())
                },
                |path| self.holds(path, &self.fortran),
            )?,
            Way::large(
                "ndarray-npy",
                move || {
                    ndarray_npy::write_npy(&other, &self.theirs_fortran)?;
                    Ok(other.clone())
                },
                |path| self.holds(path, &self.fortran),
            )?,
        ];
        Ok(Task::large("write .npy in F order", ways))
    }

    fn read_fortran(&self) -> Result<Task<'_>> {
        let path = self.path("in-f.npy");
        let (a, b, c) = (path.clone(), path.clone(), path);
        let ways = vec![
            Way::large(
                "ndbytes",
                move || Ok(ndbytes::load(&a, &Limits::default())?),
                |got| same(got, &self.fortran),
            )?,
            Way::large("npyz", move || read_by_npyz(&b), |got| *got == self.values)?,
            Way::large(
                "ndarray-npy",
                move || Ok(ndarray_npy::read_npy::<_, Array2<f64>>(&c)?),
                |got| *got == self.theirs_fortran,
            )?,
        ];
        Ok(Task::large("read .npy in F order", ways))
    }

    fn write_npz(&self) -> Result<Task<'_>> {
        let [ours, peer, other] = ["ours.npz", "npyz.npz", "ndarray-npy.npz"].map(|n| self.path(n));
        let stored = |path: &PathBuf| {
            File::open(path).is_ok_and(|file| {
                NpzReader::new(file, &Limits::default())
                    .is_ok_and(|npz| npz.read("a").is_ok_and(|got| same(&got, &self.flat)))
            })
        };
        let ways = vec![
            Way::large(
                "ndbytes",
                move || {
                    self.save_npz(&ours)?;
                    Ok(ours.clone())
                },
                stored,
            )?,
            Way::large(
                "npyz",
                move || {
                    use npyz::zip::{CompressionMethod, write::FileOptions};
                    let options =
                        FileOptions::default().compression_method(CompressionMethod::Stored);
                    let mut npz = npyz::npz::NpzWriter::create(&peer)?;
                    let mut array = npz
                        .array::<f64>("a", options)?
                        .default_dtype()
                        .shape(&[self.values.len() as u64])
                        .begin_nd()?;
                    array.extend(self.values.iter().copied())?;
                    array.finish()?;
                    npz.zip_writer().finish()?.flush()?;
                    Ok(peer.clone())
                },
                stored,
            )?,
            Way::large(
                "ndarray-npy",
                move || {
                    let mut npz = TheirWriter::new(BufWriter::new(File::create(&other)?));
                    npz.add_array("a", &self.theirs)?;
                    npz.finish()?;
                    Ok(other.clone())
                },
                stored,
            )?,
        ];
        Ok(Task::large("write stored .npz", ways))
    }

    fn read_npz(&self) -> Result<Task<'_>> {
        let path = self.path("in.npz");
        let (a, b, c) = (path.clone(), path.clone(), path);
        let ways = vec![
            Way::large(
                "ndbytes",
                move || Ok(NpzReader::new(File::open(&a)?, &Limits::default())?.read("a")?),
                |got| same(got, &self.flat),
            )?,
            Way::large(
                "npyz",
                move || {
                    let mut npz = npyz::npz::NpzArchive::open(&b)?;
                    Ok(npz.by_name("a")?.ok_or("no array in the archive")?.into_vec::<f64>()?)
                },
                |got| *got == self.values,
            )?,
            Way::large(
                "ndarray-npy",
                move || {
                    let mut npz = TheirReader::new(BufReader::new(File::open(&c)?))?;
                    Ok(npz.by_name::<ndarray::OwnedRepr<f64>, ndarray::Ix1>("a.npy")?)
                },
                |got| *got == self.theirs,
            )?,
        ];
        Ok(Task::large("read stored .npz", ways))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn save_npz(&self, path: &Path) -> Result<()> {
        let mut npz = NpzWriter::new(AtomicFile::create(path, &SaveOptions::default())?);
        npz.add("a", &self.flat.view(), Compression::Stored)?;
        Ok(npz.finish()?.commit()?)
    }

    fn holds(&self, path: &Path, array: &Array) -> bool {
        ndbytes::load(path, &Limits::default()).is_ok_and(|got| same(&got, array))
    }
}

fn write_by_npyz(path: &Path, values: &[f64], shape: &[u64], order: npyz::Order) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let options = npyz::WriteOptions::<f64>::new().default_dtype().shape(shape).order(order);
    let mut writer = options.writer(&mut file).begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    Ok(file.flush()?)
}

fn read_by_npyz(path: &Path) -> Result<Vec<f64>> {
    Ok(NpyFile::new(BufReader::new(File::open(path)?))?.into_vec()?)
}

fn same(a: &Array, b: &Array) -> bool {
    a.header() == b.header() && a.bytes() == b.bytes()
}

const COLUMNS: usize = 64;
