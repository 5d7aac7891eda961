//! The folder of a Zarr array of one shard.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ndbytes_format::frame::FrameHeader;
use ndbytes_format::{Code, Limits};
use serde_json::Value;

use crate::atomic::{SaveOptions, sync_folder};
use crate::error::{Error, Result};
use crate::frame::FrameReader;
use crate::progress::{Meter, Progress};
use crate::read_at::{ReadAt, Section};
use crate::zarr::metadata::zarr_metadata;

/// A new folder that takes its name only when it is complete. What is not finished is removed.
#[derive(Debug)]
pub struct ZarrFolder {
    temporary: Temporary,
    target: PathBuf,
    options: SaveOptions,
}

/// A folder that is removed, unless it has another name by then.
#[derive(Debug)]
struct Temporary(PathBuf);

impl ZarrFolder {
    /// Begins to write the folder, under a temporary name beside it.
    ///
    /// # Errors
    /// What the operating system said; also when there is something of this name, which is not
    /// replaced.
    pub fn create(path: &Path, options: &SaveOptions) -> Result<Self> {
        Self::create_at(path, options).map_err(|error| error.with_path(path))
    }

    fn create_at(path: &Path, options: &SaveOptions) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(taken());
        }
        let name = path
            .file_name()
            .ok_or_else(|| Error::new(Code::Argument, "the path names no folder"))?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let short: String = name.to_string_lossy().chars().take(40).collect();
        let prefix = format!(".{short}.");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(".tmp");
        // `make_in` keeps the system's error number, which `tempdir_in` hides.
        let made = builder.make_in(parent, |path| fs::create_dir(path))?;
        let temporary = Temporary(made.into_temp_path().keep().map_err(|error| error.error)?);
        Ok(Self { temporary, target: path.to_owned(), options: *options })
    }

    /// The temporary folder: what a program that a signal ends should remove.
    pub fn temporary(&self) -> &Path {
        &self.temporary.0
    }

    /// Where the frame of an array with so many dimensions is to be written, which is the shard.
    ///
    /// # Errors
    /// What the operating system said of its folder.
    pub fn shard(&self, ndim: usize) -> Result<PathBuf> {
        let shard = self.temporary().join(key(ndim));
        if let Some(folder) = shard.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(shard)
    }

    /// Makes the frame in a file the shard: a copy of it or, with `link`, the same file under another
    /// name, which takes no room and changes when it does.
    ///
    /// # Errors
    /// As [`FrameReader::open`] and [`zarr_metadata`]; what the operating system said.
    pub fn put(&self, frame: &Path, link: bool) -> Result<()> {
        self.put_with(frame, link, &Progress::default())
    }

    /// As [`ZarrFolder::put`], and tells how much of the frame has been copied: its own bytes.
    ///
    /// # Errors
    /// As [`ZarrFolder::put`], and what [`Progress`] said.
    pub fn put_with(&self, frame: &Path, link: bool, progress: &Progress) -> Result<()> {
        let put = || {
            let frame = &if frame.is_dir() { zarr_shard(frame)? } else { frame.to_owned() };
            let reader = FrameReader::open(frame, &Limits::default())?;
            zarr_metadata(reader.header())?;
            let shard = self.shard(reader.header().array().shape().len())?;
            let file = reader.source();
            if link && file.is_cut_off() {
                let message = "an append to it was cut off: append again, or copy it";
                return Err(Error::new(Code::Argument, message));
            }
            let meter = Meter::new(progress, file.size()?);
            let copied = if link {
                fs::hard_link(fs::canonicalize(frame)?, &shard).map_err(Error::from)
            } else if file.is_cut_off() {
                let mut whole = Section::new(file, 0, file.size()?);
                let mut out = File::create(&shard)?;
                io::copy(&mut meter.over(&mut whole), &mut out).map(drop).map_err(Error::from)
            } else {
                copy_file(&File::open(frame)?, &File::create(&shard)?, &meter)
            };
            meter.end(copied)
        };
        put().map_err(|error: Error| error.with_path(frame))
    }

    /// Adds `zarr.json` for the frame that was written as the shard, and gives the folder its name.
    ///
    /// # Errors
    /// As [`zarr_metadata`] and [`FrameReader::open`]; what the operating system said.
    pub fn finish(self) -> Result<()> {
        let target = self.target.clone();
        self.finish_at().map_err(|error| error.with_path(&target))
    }

    fn finish_at(self) -> Result<()> {
        let shard = find_shard(self.temporary())?;
        let header = FrameReader::open(&shard, &Limits::default())?.header().clone();
        let metadata = self.temporary().join(METADATA);
        fs::write(&metadata, zarr_metadata(&header)?)?;
        if header.chunk_count() == 0 {
            // An array without bytes has no shard.
            fs::remove_dir_all(self.temporary().join("c")).or_else(|_| fs::remove_file(&shard))?;
        }
        if self.options.durable {
            for path in [&metadata, &shard].into_iter().filter(|path| path.exists()) {
                File::open(path)?.sync_all()?;
                sync_folder(path)?;
            }
        }
        fs::rename(self.temporary(), &self.target).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => taken(),
            _ => error.into(),
        })?;
        if self.options.durable {
            sync_folder(&self.target)?;
        }
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a Zarr array of the frame in a file: a folder with the frame as its one shard; see
/// [`ZarrFolder::put`].
///
/// # Errors
/// As [`ZarrFolder::create`], [`ZarrFolder::put`] and [`ZarrFolder::finish`].
pub fn export_zarr(frame: &Path, folder: &Path, link: bool, options: &SaveOptions) -> Result<()> {
    export_zarr_with(frame, folder, link, options, &Progress::default())
}

/// As [`export_zarr`], and tells how much of the frame has been copied: its own bytes.
///
/// # Errors
/// As [`export_zarr`], and what [`Progress`] said.
pub fn export_zarr_with(
    frame: &Path,
    folder: &Path,
    link: bool,
    options: &SaveOptions,
    progress: &Progress,
) -> Result<()> {
    let out = ZarrFolder::create(folder, options)?;
    out.put_with(frame, link, progress)?;
    out.finish()
}

/// Copies a file as it is, whose blocks are shared where the file system can.
fn copy_file(mut from: &File, mut to: &File, meter: &Meter) -> Result<()> {
    to.set_permissions(from.metadata()?.permissions())?;
    // The standard library leaves files to the system, if nothing stands between them.
    loop {
        let n = io::copy(&mut (&mut from).take(PIECE), &mut to)?;
        if n == 0 {
            return Ok(());
        }
        meter.add(n as usize)?;
    }
}

/// The frame in the folder of a Zarr array: its one shard, if it is such a frame and `zarr.json`
/// agrees with it. Nothing outside of the folder is read, wherever links lead.
///
/// # Errors
/// [`Code::ZarrMetadata`] when `zarr.json` is none, or says something else than the frame;
/// [`Code::ZarrUnsupported`] for other arrays; as [`FrameReader::open`].
pub fn zarr_shard(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(METADATA);
    let read = || {
        let value = read_metadata(folder)?;
        if value["zarr_format"] != 3 || value["node_type"] != "array" {
            let message = "not the metadata of an array of Zarr version 3";
            return Err(Error::new(Code::ZarrMetadata, message));
        }
        let unsupported = |message| Error::new(Code::ZarrUnsupported, message);
        let none = || unsupported("an array of no shard, or of several: zarr-python reads it");
        let ndim = value["shape"].as_array().map(Vec::len).filter(|&ndim| ndim <= MAX_NDIM);
        let shard = folder.join(key(ndim.ok_or_else(none)?));
        if !is_inside(&shard, folder).map_err(|_| none())? {
            return Err(unsupported("its shard is no file of the folder"));
        }
        let header = match FrameReader::open(&shard, &Limits::default()) {
            Ok(reader) => reader.header().clone(),
            Err(error) if error.code() == Code::FrameMagic => {
                return Err(unsupported(
                    "its chunks are no frame of ndbytes: zarr-python reads it",
                ));
            }
            Err(error) => return Err(error.with_path(&shard)),
        };
        check(&value, &header)?;
        Ok(shard)
    };
    read().map_err(|error: Error| error.with_path(&path))
}

/// What `zarr.json` says.
fn read_metadata(folder: &Path) -> Result<Value> {
    let bad = |message: String| Error::new(Code::ZarrMetadata, message);
    let path = folder.join(METADATA);
    if !is_inside(&path, folder)? {
        return Err(bad("the metadata is no file of the folder".to_owned()));
    }
    let mut text = Vec::new();
    File::open(&path)?.take(MAX_METADATA + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_METADATA {
        return Err(bad(format!("metadata of more than {MAX_METADATA} bytes")));
    }
    serde_json::from_slice(&text)
        .map_err(|error| bad(format!("not the metadata of a Zarr array: {error}")))
}

/// Whether this is a file, not a pipe that may hold for ever, and in the folder, not where a link
/// leads.
fn is_inside(path: &Path, folder: &Path) -> io::Result<bool> {
    let inside = fs::canonicalize(path)?.starts_with(fs::canonicalize(folder)?);
    Ok(inside && fs::metadata(path)?.is_file())
}

/// Whether metadata says what a frame does.
fn check(value: &Value, header: &FrameHeader) -> Result<()> {
    let ours: Value = serde_json::from_str(&zarr_metadata(header)?).unwrap_or_default();
    for what in [
        "/shape",
        "/data_type",
        "/chunk_grid",
        "/codecs/0/name",
        "/codecs/0/configuration/chunk_shape",
    ] {
        let [theirs, ours] =
            [value, &ours].map(|value| value.pointer(what).unwrap_or(&Value::Null));
        if theirs != ours {
            return Err(differs(&what[1..], theirs, ours));
        }
    }
    let transformed = value["storage_transformers"].as_array().is_some_and(|all| !all.is_empty());
    let (theirs, ours) = (order_of_items(value), order_of_items(&ours));
    let alike = theirs.len() == ours.len()
        && theirs.iter().zip(&ours).all(|(theirs, ours)| theirs == ours || ours.is_null());
    if transformed || value["codecs"][1] != Value::Null || !alike {
        return Err(differs("codecs", &Value::from(theirs), &Value::from(ours)));
    }
    Ok(())
}

/// What the codecs of chunks say of the order of items and bytes, and the names of the others: how
/// those were set, each chunk tells itself. Null where bytes have no order.
fn order_of_items(value: &Value) -> Vec<Value> {
    let codecs = value["codecs"][0]["configuration"]["codecs"].as_array();
    let told = codecs.into_iter().flatten().map(|codec| match codec["name"].as_str() {
        Some("transpose") => codec["configuration"]["order"].clone(),
        Some("bytes") => codec["configuration"]["endian"].clone(),
        _ => codec["name"].clone(),
    });
    told.collect()
}

#[cold]
fn differs(what: &str, theirs: &Value, ours: &Value) -> Error {
    // Of an array of the longest shape the message is still one that can be read.
    let [theirs, ours] = [theirs, ours].map(|value| value.to_string().chars().take(200).collect());
    let (theirs, ours): (String, String) = (theirs, ours);
    let message = format!("it says that {what} is {theirs}, and the frame {ours}");
    Error::new(Code::ZarrMetadata, message)
}

/// The shard of a folder that has one alone.
fn find_shard(folder: &Path) -> io::Result<PathBuf> {
    let mut path = folder.join("c");
    for _ in 0..=MAX_NDIM {
        if !path.is_dir() {
            path.metadata()?;
            return Ok(path);
        }
        let mut entries = fs::read_dir(&path)?;
        match (entries.next(), entries.next()) {
            (Some(entry), None) => path = entry?.path(),
            _ => return Err(io::ErrorKind::NotFound.into()),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// The key of the one shard: `c/0/0` for two dimensions.
fn key(ndim: usize) -> String {
    "c".to_owned() + &"/0".repeat(ndim)
}

/// A folder is not replaced: what is in it may be all there is of it.
#[cold]
fn taken() -> Error {
    #[cfg(unix)]
    return io::Error::from(rustix::io::Errno::EXIST).into();
    #[cfg(not(unix))]
    return io::Error::from(io::ErrorKind::AlreadyExists).into();
}

/// Bytes that are copied before somebody is told: whole blocks of any file system.
const PIECE: u64 = 64 << 20;
const METADATA: &str = "zarr.json";
/// More would be no metadata of an array, which is a page of text.
const MAX_METADATA: u64 = 1 << 20;
const MAX_NDIM: usize = 64;
