//! Every array as one of Zarr v3, every folder and archive as a group.

use std::io;

use bytes::Bytes;
use ndbytes::zip::key_of;
use ndbytes::{Code, MemberElements, NpzReader, ZarrRuns, zarr_metadata};
use serde_json::{Value, json};

use super::array::{Array, Held};
use super::body::Producer;
use super::content::{Content, Segment};
use super::listing;
use super::problem::Problem;
use super::root::{Node, Root};
use super::source::Source;
use crate::request::RelativePath;

/// What a key of the store asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Metadata,
    /// A chunk at this place of the grid.
    Chunk(Vec<usize>),
}

/// The value of a key.
pub(super) fn content(root: &Root, path: &RelativePath) -> Result<Content, Problem> {
    let Some((len, wanted)) = parse_key(path) else { return Err(no_key()) };
    let node = path.front(len);
    match (locate(root, &node)?, wanted) {
        (Located::Folder, Wanted::Metadata) => {
            let mut left = MOST_CONSOLIDATED;
            let mut all = serde_json::Map::new();
            let whole = consolidate(root, &node, "", &mut all, &mut left);
            Ok(group(whole.then_some(all)))
        }
        (Located::Archive(archive), Wanted::Metadata) => {
            let mut all = serde_json::Map::new();
            let mut left = MOST_CONSOLIDATED;
            let whole = consolidate_archive(&archive, "", &mut all, &mut left);
            Ok(group(whole.then_some(all)).modified(archive.source().stamp().modified()))
        }
        (Located::Inside, Wanted::Metadata) => Ok(group(None)),
        (Located::Array(array, name), Wanted::Metadata) => {
            let value = metadata(&array, &name)?;
            let modified = array.source().stamp().modified();
            Ok(Content::text(JSON, format!("{value:#}\n")).modified(modified))
        }
        (Located::Array(array, _), Wanted::Chunk(place)) => chunk(*array, &place),
        (_, Wanted::Chunk(_)) => Err(no_key()),
    }
}

/// What a path of the hierarchy names.
enum Located {
    Folder,
    Archive(Box<NpzReader<Source>>),
    /// The front of the names of an archive's members.
    Inside,
    /// An array, and its name.
    Array(Box<Array>, String),
}

fn locate(root: &Root, path: &RelativePath) -> Result<Located, Problem> {
    // The names of members may have any number of slashes.
    for len in (0..=path.segments().len()).rev() {
        let front = path.front(len);
        let source = match root.node(&front) {
            Ok(Node::File(source)) => source,
            Ok(Node::Folder(_)) if len == path.segments().len() => return Ok(Located::Folder),
            Ok(Node::Folder(_)) => return Err(no_key()),
            Err(error) => match Problem::from(error) {
                problem if problem.code == "http.not_found" => continue,
                problem => return Err(problem),
            },
        };
        let rest = &path.segments()[len..];
        return match (Held::open(source), rest) {
            (Ok(Held::Array(array)), []) => {
                let name = front.segments().last().map(|name| String::from_utf8_lossy(name));
                Ok(Located::Array(array, name.unwrap_or_default().into_owned()))
            }
            (Ok(Held::Archive(archive)), []) => Ok(Located::Archive(archive)),
            (Ok(Held::Archive(archive)), rest) => inside(&archive, rest),
            (Err(problem), []) if problem.code != Code::NpyMagic.as_str() => Err(problem),
            _ => Err(no_key()),
        };
    }
    Err(no_key())
}

fn inside(archive: &NpzReader<Source>, rest: &[Vec<u8>]) -> Result<Located, Problem> {
    let key = rest.join(&b'/');
    let key = String::from_utf8(key).map_err(|_| no_key())?;
    if let Ok(index) = archive.find(&key) {
        let array = Array::member(archive, index)?;
        return Ok(Located::Array(Box::new(array), key));
    }
    let below = format!("{key}/");
    match archive.keys().any(|key| key.starts_with(&below)) {
        true => Ok(Located::Inside),
        false => Err(no_key()),
    }
}

/// How many names are the node's, and what of it is asked for.
fn parse_key(path: &RelativePath) -> Option<(usize, Wanted)> {
    let names = path.segments();
    if path.is_folder() || path.is_hidden() {
        return None;
    }
    if names.last()? == METADATA.as_bytes() {
        return Some((names.len() - 1, Wanted::Metadata));
    }
    let number = |name: &Vec<u8>| {
        let text = std::str::from_utf8(name).ok()?;
        let plain = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| plain && (text == "0" || !text.starts_with('0')))
    };
    let at = names.iter().rposition(|name| name == b"c")?;
    let place = names[at + 1..].iter().map(number).collect::<Option<Vec<usize>>>()?;
    Some((at, Wanted::Chunk(place)))
}

/// The `zarr.json` of an array.
fn metadata(array: &Array, name: &str) -> Result<Value, Problem> {
    let text = match array {
        Array::Frame(frame) => zarr_metadata(frame.header())?,
        _ => runs(array).metadata()?,
    };
    let mut value: Value = serde_json::from_str(&text).map_err(io::Error::other)?;
    // xarray wants names. Those of two arrays in a group must not clash.
    let name = name.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let names: Vec<_> =
        (0..array.header().shape().len()).map(|axis| format!("{stem}_{axis}")).collect();
    value["dimension_names"] = json!(names);
    Ok(value)
}

fn runs(array: &Array) -> ZarrRuns {
    let target = match array {
        // Each chunk of it costs inflating what is before it.
        Array::Packed { elements, .. } if !elements.is_indexed() => STREAM_CHUNK,
        _ => CHUNK,
    };
    ZarrRuns::new(array.header().clone(), target)
}

fn chunk(array: Array, place: &[usize]) -> Result<Content, Problem> {
    let stamp = array.source().stamp();
    let ndim = array.header().shape().len();
    let tag = |what: &str| format!("{}-{what}", stamp.tag());
    let content = match array {
        Array::Frame(frame) => {
            if place.len() != ndim || place.iter().any(|&i| i > 0) || frame.places().is_empty() {
                return Err(no_key());
            }
            // The frame is the shard.
            let source = frame.source().clone();
            let all = Segment::File { at: 0, len: source.len(), source };
            Content::segments(BYTES, &stamp.tag(), vec![all])
        }
        Array::Plain { ref source, offset, .. } => {
            let run = runs(&array).run(place).ok_or_else(no_key)?;
            let file =
                Segment::File { source: source.clone(), at: offset + run.offset, len: run.len };
            Content::segments(BYTES, &tag("chunk"), vec![file, Segment::Zeros(run.zeros)])
        }
        Array::Packed { .. } => {
            let run = runs(&array).run(place).ok_or_else(no_key)?;
            let Array::Packed { elements, .. } = array else { return Err(no_key()) };
            let (at, left) = (run.offset, run.len);
            let producer = PackedRun { elements, at, left, zeros: run.zeros };
            Content::stream(BYTES, &tag("chunk"), run.len + run.zeros, producer)
        }
    };
    Ok(content.modified(stamp.modified()))
}

/// A run of a compressed member, and the zeros that fill it up.
struct PackedRun {
    elements: Box<MemberElements<Source>>,
    at: u64,
    left: u64,
    zeros: u64,
}

impl Producer for PackedRun {
    fn produce(&mut self) -> io::Result<Option<Bytes>> {
        let of = |left: u64| left.min(PIECE) as usize;
        let mut bytes = vec![0; if self.left > 0 { of(self.left) } else { of(self.zeros) }];
        if self.left > 0 {
            self.elements.read_exact_at(&mut bytes, self.at)?;
            self.at += bytes.len() as u64;
            self.left -= bytes.len() as u64;
        } else {
            self.zeros -= bytes.len() as u64;
        }
        Ok((!bytes.is_empty()).then(|| bytes.into()))
    }
}

/// The `zarr.json` of a group; with that of everything below it, a reader needs no listing.
fn group(below: Option<serde_json::Map<String, Value>>) -> Content {
    let mut value = json!({ "zarr_format": 3, "node_type": "group", "attributes": {} });
    if let Some(below) = below {
        value["consolidated_metadata"] =
            json!({ "kind": "inline", "must_understand": false, "metadata": below });
    }
    Content::text(JSON, format!("{value:#}\n"))
}

/// Collects the metadata of all arrays below a folder; not all of them when there are too many.
fn consolidate(
    root: &Root,
    path: &RelativePath,
    prefix: &str,
    all: &mut serde_json::Map<String, Value>,
    left: &mut usize,
) -> bool {
    let Ok(Node::Folder(folder)) = root.node(path) else { return false };
    let Ok(names) = listing::names(&folder) else { return false };
    for name in names {
        if *left == 0 || path.segments().len() > MOST_DEEP {
            return false;
        }
        *left -= 1;
        let below = path.below(&name);
        let Ok(text) = String::from_utf8(name) else { continue };
        let key = format!("{prefix}{text}");
        match root.node(&below) {
            Ok(Node::Folder(_)) => {
                all.insert(key.clone(), bare_group());
                if !consolidate(root, &below, &format!("{key}/"), all, left) {
                    return false;
                }
            }
            Ok(Node::File(source)) if listing::is_array(text.as_bytes()) => {
                match Held::open(source) {
                    Ok(Held::Array(array)) => {
                        if let Ok(value) = metadata(&array, &text) {
                            all.insert(key, value);
                        }
                    }
                    Ok(Held::Archive(archive)) => {
                        all.insert(key.clone(), bare_group());
                        if !consolidate_archive(&archive, &format!("{key}/"), all, left) {
                            return false;
                        }
                    }
                    Err(_) => {}
                }
            }
            _ => {}
        }
    }
    true
}

fn consolidate_archive(
    archive: &NpzReader<Source>,
    prefix: &str,
    all: &mut serde_json::Map<String, Value>,
    left: &mut usize,
) -> bool {
    for (index, entry) in archive.entries().iter().enumerate() {
        if *left == 0 {
            return false;
        }
        *left -= 1;
        let key = key_of(&entry.name);
        // What cannot be a path of a store is not there.
        if key.split('/').any(|name| matches!(name, "" | "." | ".." | METADATA)) {
            continue;
        }
        let Ok(array) = Array::member(archive, index) else { continue };
        let Ok(value) = metadata(&array, key) else { continue };
        for (at, _) in key.match_indices('/') {
            all.entry(format!("{prefix}{}", &key[..at])).or_insert_with(bare_group);
        }
        all.insert(format!("{prefix}{key}"), value);
    }
    true
}

fn bare_group() -> Value {
    json!({ "zarr_format": 3, "node_type": "group", "attributes": {} })
}

/// Readers take this for "there is none".
fn no_key() -> Problem {
    Problem::not_found("there is no such key in the Zarr store")
}

const METADATA: &str = "zarr.json";
const JSON: &str = "application/json";
const BYTES: &str = "application/octet-stream";
const PIECE: u64 = 1 << 19;
/// Bytes of a chunk of plain data: few enough for slices, many enough for a request.
const CHUNK: usize = 1 << 20;
const STREAM_CHUNK: usize = 1 << 30;
/// Files and members that are looked into for the metadata of one group.
const MOST_CONSOLIDATED: usize = 2000;
const MOST_DEEP: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_parsed_from_their_end() {
        let parse = |text: &str| parse_key(&RelativePath::parse(text).unwrap());
        assert_eq!(parse("zarr.json"), Some((0, Wanted::Metadata)));
        assert_eq!(parse("a/b.npy/zarr.json"), Some((2, Wanted::Metadata)));
        assert_eq!(parse("a.npy/c/0/12"), Some((1, Wanted::Chunk(vec![0, 12]))));
        assert_eq!(parse("a.npy/c"), Some((1, Wanted::Chunk(vec![]))));
        assert_eq!(parse("c/c/0/c/1"), Some((3, Wanted::Chunk(vec![1]))));
        for text in ["", "a.npy", "a.npy/c/x", "a.npy/c/00", "a.npy/c/-1", "a/c/0/", ".x/zarr.json"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
