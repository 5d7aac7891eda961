//! Whoever waits hears how far it is, and may end it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use ndbytes::{
    ArrayFile, ArrayView, Code, Error, FrameOptions, FrameReader, Limits, Order, Progress,
    SaveOptions, Strided, append_frame, dump_frame, dumps, encode_frame, load_with, read_npy_with,
    recv_with, save, save_with, send_with, write_frame, write_npy_with,
};

/// What was heard, in order.
type Told = Arc<Mutex<Vec<(u64, u64)>>>;

/// Hears it, on this thread alone.
fn listener() -> (Progress, Told) {
    let (told, home) = (Told::default(), thread::current().id());
    let own = Arc::clone(&told);
    let progress = Progress::new(move |done, total| {
        assert_eq!(thread::current().id(), home, "another thread tells");
        own.lock().unwrap().push((done, total));
        Ok(())
    });
    (progress, told)
}

/// Has heard enough when this many bytes are done.
fn enough(at: u64) -> Progress {
    Progress::new(move |done, _| match done >= at {
        true => Err(Error::new(Code::Argument, "enough")),
        false => Ok(()),
    })
}

/// Rows of noise, of which no codec makes little.
fn noise(rows: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u32
    };
    (0..rows * ROW / 4).flat_map(|_| next().to_le_bytes()).collect()
}

fn array(bytes: &[u8]) -> ArrayView<'_> {
    ArrayView::contiguous("<f4".parse().unwrap(), &[bytes.len() / ROW, ROW / 4], Order::C, bytes)
        .unwrap()
}

const ROW: usize = 4096;
const ROWS: usize = 6_000;
const NBYTES: u64 = (ROW * ROWS) as u64;

struct Place {
    _folder: tempfile::TempDir,
    npy: PathBuf,
    frame: PathBuf,
    new: PathBuf,
}

impl Place {
    fn new(array: &ArrayView<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let (npy, frame, new) = (path("a.npy"), path("a.ndb"), path("new"));
        save(&npy, array, &SaveOptions::default()).unwrap();
        fs::write(&frame, dump_frame(array, &lz4()).unwrap()).unwrap();
        Self { _folder: folder, npy, frame, new }
    }

    fn names(&self) -> usize {
        fs::read_dir(self.npy.parent().unwrap()).unwrap().count()
    }
}

fn lz4() -> FrameOptions {
    FrameOptions::default().with_pipeline("lz4".parse().unwrap())
}

/// What tells, and its name.
type Work<'a> = (&'static str, Box<dyn Fn(&Progress) -> ndbytes::Result<()> + 'a>);

/// Everything that tells.
fn works<'a>(array: &'a ArrayView<'a>, place: &'a Place) -> Vec<Work<'a>> {
    let frame = move |progress: &Progress| lz4().with_progress(progress.clone());
    let limits = Limits::default();
    let npy = dumps(array).unwrap();
    let message = npy.clone();
    let stream = dump_frame(array, &lz4()).unwrap();
    let reversed = || array.shape().iter().rev().copied().collect::<Vec<_>>();
    vec![
        ("save", Box::new(|p| save_with(&place.new, array, &SaveOptions::default(), p))),
        ("write_npy", Box::new(|p| write_npy_with(&mut Vec::new(), array, p))),
        ("send", Box::new(|p| send_with(&mut Vec::new(), array, p))),
        ("write_frame", Box::new(move |p| write_frame(&mut Vec::new(), array, &frame(p)))),
        ("encode_frame", Box::new(move |p| encode_frame(array, &frame(p)).map(drop))),
        ("dump_frame", Box::new(move |p| dump_frame(array, &frame(p)).map(drop))),
        ("load", Box::new(move |p| load_with(&place.npy, &limits, p).map(drop))),
        ("load a frame", Box::new(move |p| load_with(&place.frame, &limits, p).map(drop))),
        ("read_npy", Box::new(move |p| read_npy_with(&mut &npy[..], &limits, p).map(drop))),
        ("recv", Box::new(move |p| recv_with(&mut &message[..], &limits, p).map(drop))),
        ("recv a frame", Box::new(move |p| recv_with(&mut &stream[..], &limits, p).map(drop))),
        (
            "copy_to",
            Box::new(|p| {
                let mut out = vec![0; array.nbytes()];
                array.copy_to_with(&mut out, Order::F, None, p)
            }),
        ),
        ("strided load", Box::new(move |p| scattered(&place.npy, &reversed(), p))),
        ("strided load of a frame", Box::new(move |p| scattered(&place.frame, &reversed(), p))),
        (
            "slices of a frame",
            Box::new(move |p| {
                let reader = FrameReader::open(&place.frame, &limits)?;
                let mut out = vec![0; array.nbytes()];
                let strides = [ROW as isize, 4];
                let layout = Strided { origin: 0, strides: &strides };
                reader.read_slice_into_with(&[0, 0], &[1, 1], array.shape(), &mut out, layout, p)
            }),
        ),
    ]
}

/// Loads into memory in the other order.
fn scattered(path: &Path, reversed: &[usize], progress: &Progress) -> ndbytes::Result<()> {
    let mut out = vec![0; NBYTES as usize];
    let strides = ndbytes::strides(reversed, 4, Order::C);
    let strides: Vec<isize> = strides.into_iter().rev().collect();
    let layout = Strided { origin: 0, strides: &strides };
    ArrayFile::open(path, &Limits::default())?.read_strided_with(&mut out, layout, progress)
}

#[test]
fn what_is_heard_grows_to_all_of_it() {
    let bytes = noise(ROWS);
    let array = array(&bytes);
    let place = Place::new(&array);
    for (name, work) in works(&array, &place) {
        let (progress, told) = listener();
        work(&progress).unwrap();
        let told = told.lock().unwrap();
        assert!(told.is_sorted(), "{name}: {told:?}");
        assert!(told.iter().all(|&(_, total)| total == NBYTES), "{name}: {told:?}");
        assert_eq!(told.last(), Some(&(NBYTES, NBYTES)), "{name}");
        // Not once at the end alone, but for what is a moment in memory, and what another thread may
        // have done before this one had a look: it tells of its own chunks.
        let few = if ["copy_to", "load a frame"].contains(&name) { 1 } else { 3 };
        assert!((few..3000).contains(&told.len()), "{name}: {}", told.len());
    }
}

#[test]
fn who_has_heard_enough_ends_it() {
    let bytes = noise(ROWS);
    let array = array(&bytes);
    let place = Place::new(&array);
    fs::write(&place.new, b"old").unwrap();
    let names = place.names();
    for at in [0, NBYTES / 2, NBYTES] {
        for (name, work) in works(&array, &place) {
            let error = work(&enough(at)).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::Argument, "enough"), "{name}, {at}");
            assert_eq!(fs::read(&place.new).unwrap(), b"old", "{name}, {at}");
            assert_eq!(place.names(), names, "{name}, {at}");
        }
    }
}

#[test]
fn an_array_without_bytes_is_done_at_once() {
    let array = ArrayView::contiguous("<f4".parse().unwrap(), &[0, 3], Order::C, &[]).unwrap();
    let (progress, told) = listener();
    write_npy_with(&mut Vec::new(), &array, &progress).unwrap();
    let frame = dump_frame(&array, &lz4().with_progress(progress.clone())).unwrap();
    recv_with(&mut &frame[..], &Limits::default(), &progress).unwrap();
    let told = told.lock().unwrap();
    assert!(told.len() >= 3 && told.iter().all(|&told| told == (0, 0)), "{told:?}");
}

#[test]
fn an_append_tells_of_what_is_appended_and_can_be_ended() {
    let bytes = noise(3000);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ndb");
    let options = lz4().with_chunk_shape(Some(vec![700, ROW / 4]));
    let first = array(&bytes[..1000 * ROW]);
    fs::write(&path, dump_frame(&first, &options).unwrap()).unwrap();
    let before = fs::read(&path).unwrap();
    let (more, save) = (array(&bytes[1000 * ROW..]), SaveOptions::default());
    let total = more.nbytes() as u64;
    for at in [0, total / 2, total] {
        let ended = append_frame(&path, &more, &lz4().with_progress(enough(at)), &save);
        assert_eq!(ended.unwrap_err().message(), "enough");
        assert!(fs::read(&path).unwrap() == before, "{at}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{at}");
    }
    let (progress, told) = listener();
    append_frame(&path, &more, &lz4().with_progress(progress), &save).unwrap();
    let told = told.lock().unwrap();
    assert!(told.is_sorted() && told.iter().all(|told| told.1 == total), "{told:?}");
    // 300 rows of the first chunk were there before.
    assert_eq!(told[0].0, 400 * ROW as u64);
    assert_eq!(told.last(), Some(&(total, total)));
    let grown = ndbytes::load(&path, &Limits::default()).unwrap();
    assert!(grown.bytes() == bytes);
}

#[cfg(feature = "zarr")]
#[test]
fn a_copy_to_zarr_tells_of_the_frame_and_can_be_ended() {
    let bytes = noise(ROWS);
    let place = Place::new(&array(&bytes));
    let folder = place.new.with_extension("zarr");
    let total = fs::metadata(&place.frame).unwrap().len();
    let export = |progress: &Progress| {
        let save = SaveOptions::default();
        ndbytes::export_zarr_with(&place.frame, &folder, false, &save, progress)
    };
    let names = place.names();
    assert_eq!(export(&enough(1)).unwrap_err().message(), "enough");
    assert_eq!(place.names(), names);
    let (progress, told) = listener();
    export(&progress).unwrap();
    assert_eq!(told.lock().unwrap().last(), Some(&(total, total)));
    let shard = ndbytes::zarr_shard(&folder).unwrap();
    assert!(fs::read(shard).unwrap() == fs::read(&place.frame).unwrap());
}
