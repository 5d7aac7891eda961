//! Files that come in several requests: what has come of them, and what they are to be. They are in a
//! hidden folder of the one that is served: `ID.json` says what an upload is, `ID.part` has its bytes.
//! Once the file has taken its name, there is no `ID.part` any more. `ID.from` says from where on bytes
//! are not known to be right: whoever opens the upload cuts them off.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{
    AtFlags, Dir, FlockOperation, Mode, OFlags, Stat, Timespec, Timestamps, UTIME_NOW, chmodat,
    flock, fstat, fsync, mkdirat, openat, renameat, statat, unlinkat, utimensat,
};
use rustix::io::Errno;
use serde_json::{Map, Value, json};

use super::root::Root;
use crate::hex::hex;

/// What an upload is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// The file's path, encoded.
    pub(super) path: String,
    /// Its bytes.
    pub(super) len: u64,
    /// The name of the token that may go on with it.
    pub(super) owner: Option<String>,
    /// Headers that count when it takes its name, and metadata as they came.
    pub(super) headers: Vec<(String, String)>,
}

/// An upload that is open: nobody else goes on with it.
#[derive(Debug)]
pub(super) struct Partial {
    folder: OwnedFd,
    id: String,
    pub(super) plan: Plan,
    /// None once the file has its name.
    part: Option<File>,
    /// Bytes that have come.
    at: u64,
    touched: SystemTime,
}

impl Plan {
    fn to_json(&self) -> Value {
        let headers: Map<_, _> =
            self.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({ "path": self.path, "length": self.len, "owner": self.owner, "headers": headers })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let headers = value["headers"].as_object()?.iter();
        let header =
            |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.into()));
        Some(Self {
            path: value["path"].as_str()?.to_owned(),
            len: value["length"].as_u64()?,
            owner: value["owner"].as_str().map(str::to_owned),
            headers: headers.map(header).collect::<Option<_>>()?,
        })
    }
}

impl Partial {
    /// Begins one. There is none when there are too many.
    pub(super) fn create(root: &Root, plan: Plan) -> io::Result<Option<Self>> {
        let folder = match folder(root) {
            Err(Errno::NOENT) => {
                match mkdirat(root, FOLDER, Mode::RWXU) {
                    Err(Errno::EXIST) | Ok(()) => {}
                    Err(error) => return Err(error.into()),
                }
                fsync(root)?;
                folder(root)?
            }
            folder => folder?,
        };
        if sweep(&folder)? >= MOST {
            return Ok(None);
        }
        let mut random = [0; 16];
        let no_randomness = |_| io::Error::other("the system has no random numbers");
        SystemRandom::new().fill(&mut random).map_err(no_randomness)?;
        let id = hex(&random);
        let new = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let part: File = openat(&folder, part_of(&id), new, mode)?.into();
        flock(&part, FlockOperation::NonBlockingLockExclusive)?;
        let part = Some(part);
        let partial = Self { folder, id, plan, part, at: 0, touched: SystemTime::now() };
        // It is there once its plan is.
        match partial.write_plan() {
            Ok(()) => Ok(Some(partial)),
            Err(error) => {
                let _ = partial.remove();
                Err(error)
            }
        }
    }

    fn write_plan(&self) -> io::Result<()> {
        let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file: File = openat(&self.folder, plan_of(&self.id), new, mode)?.into();
        file.write_all(self.plan.to_json().to_string().as_bytes())?;
        file.sync_all()?;
        Ok(fsync(&self.folder)?)
    }

    /// Opens one for going on; none where there is none of that name.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] while it is open elsewhere.
    pub(super) fn open(root: &Root, id: &str) -> io::Result<Option<Self>> {
        let Some((folder, plan)) = found(root, id)? else { return Ok(None) };
        let Some(part) = open_part(&folder, id)? else {
            let (at, touched) = (plan.len, SystemTime::now());
            return Ok(Some(Self { folder, id: id.to_owned(), plan, part: None, at, touched }));
        };
        match flock(&part, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Err(io::ErrorKind::WouldBlock.into()),
            locked => locked?,
        }
        // Who had it open may have given it its name, or removed it.
        let (held, named) = (fstat(&part)?, named(&folder, &part_of(id)));
        if named.is_none_or(|named| (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino)) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let found = part.metadata()?;
        let (at, touched) = (found.len(), found.modified()?);
        let part = Some(part);
        let mut partial = Self { folder, id: id.to_owned(), plan, part, at, touched };
        if let Some(from) = partial.doubtful()? {
            partial.truncate(from.min(at))?;
        }
        Ok(Some(partial))
    }

    /// What one is to be; none where there is none of that name.
    pub(super) fn plan(root: &Root, id: &str) -> io::Result<Option<Plan>> {
        Ok(found(root, id)?.map(|(_, plan)| plan))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Bytes that have come.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Whether the file has its name.
    pub(super) fn is_published(&self) -> bool {
        self.part.is_none()
    }

    /// When it is forgotten, if nothing more comes.
    pub(super) fn expires(&self) -> SystemTime {
        self.touched + EXPIRY
    }

    /// Adds bytes. If there is no room for all, those that fit are there for who opens it next.
    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(part) = &mut self.part else { return Err(io::ErrorKind::AlreadyExists.into()) };
        part.seek(SeekFrom::Start(self.at))?;
        part.write_all(bytes)?;
        self.at += bytes.len() as u64;
        self.touched = SystemTime::now();
        Ok(())
    }

    /// Waits until what has come is on the disk.
    pub(super) fn synchronize(&self) -> io::Result<()> {
        self.part.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// Goes back to where it was, on the disk too.
    pub(super) fn truncate(&mut self, at: u64) -> io::Result<()> {
        if let Some(part) = &self.part {
            part.set_len(at)?;
            part.sync_all()?;
        }
        self.at = at;
        self.trust()
    }

    /// What comes from now on counts when it is known to be right, and not before.
    pub(super) fn doubt(&self) -> io::Result<()> {
        let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file: File = openat(&self.folder, from_of(&self.id), flags, mode)?.into();
        file.write_all(self.at.to_string().as_bytes())?;
        file.sync_all()?;
        Ok(fsync(&self.folder)?)
    }

    /// What has come is right.
    pub(super) fn trust(&self) -> io::Result<()> {
        match unlinkat(&self.folder, from_of(&self.id), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// From where on bytes are not known to be right.
    fn doubtful(&self) -> io::Result<Option<u64>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file: File = match openat(&self.folder, from_of(&self.id), flags, Mode::empty()) {
            Ok(file) => file.into(),
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = String::new();
        file.take(32).read_to_string(&mut text)?;
        // One that is not there whole was made before any such byte came.
        Ok(text.parse().ok())
    }

    /// What has come, from its first byte on.
    pub(super) fn content(&mut self) -> io::Result<impl Read + '_> {
        let Some(part) = &mut self.part else { return Err(io::ErrorKind::NotFound.into()) };
        part.seek(SeekFrom::Start(0))?;
        Ok(part.take(self.at))
    }

    /// Gives the file its name, in the place of one that is there, whose mode it takes.
    pub(super) fn publish(&mut self, folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
        let Some(part) = &self.part else { return Ok(()) };
        if let Ok(old) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            part.set_permissions(Permissions::from_mode(old.st_mode & 0o7777))?;
        }
        part.sync_all()?;
        // It is remembered from now on.
        let now = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            last_modification: Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
        };
        utimensat(&self.folder, plan_of(&self.id), &now, AtFlags::SYMLINK_NOFOLLOW)?;
        renameat(&self.folder, part_of(&self.id), folder, name)?;
        self.part = None;
        // A folder that was opened by its path alone cannot be synchronized.
        match fsync(folder) {
            Err(Errno::BADF | Errno::INVAL) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets it.
    pub(super) fn remove(self) -> io::Result<()> {
        forget(&self.folder, &self.id)
    }
}

/// Whether a file in this folder could take a name in that one.
pub(super) fn same_file_system(root: &Root, folder: &OwnedFd) -> io::Result<bool> {
    Ok(fstat(root)?.st_dev == fstat(folder)?.st_dev)
}

fn folder(root: &Root) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(root, FOLDER, flags, Mode::empty())
}

/// Removes what nobody went on with, and counts those that somebody may.
fn sweep(folder: &OwnedFd) -> io::Result<usize> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Whether there is a part, and the last change, in seconds.
    let mut found: BTreeMap<String, (bool, i64)> = BTreeMap::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let Some((id, suffix @ ("json" | "part" | "from"))) = name.split_once('.') else {
            continue;
        };
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let (has_part, last) = found.entry(id.to_owned()).or_default();
        *has_part |= suffix == "part";
        *last = (*last).max(stat.st_mtime);
    }
    // What has ended need not be known for long where there is much of it.
    let remembered = if found.len() > MANY { Duration::ZERO } else { REMEMBERED };
    let mut count = 0;
    for (id, (has_part, last)) in found {
        let oldest = now.saturating_sub(if has_part { EXPIRY } else { remembered });
        let oldest = i64::try_from(oldest.as_secs()).unwrap_or(i64::MAX);
        if last >= oldest || !expire(folder, &id, oldest) {
            count += usize::from(has_part);
        }
    }
    Ok(count)
}

/// Removes an upload, unless somebody goes on with it, or has done so; says whether it is gone.
fn expire(folder: &OwnedFd, id: &str, oldest: i64) -> bool {
    // As long as this is open, nobody else goes on with it.
    let part = match open_part(folder, id) {
        Ok(part) => part,
        Err(_) => return false,
    };
    if let Some(part) = &part {
        let locked = flock(part, FlockOperation::NonBlockingLockExclusive).is_ok();
        if !locked || !fstat(part).is_ok_and(|stat| stat.st_mtime < oldest) {
            return false;
        }
    }
    forget(folder, id).is_ok()
}

fn forget(folder: &OwnedFd, id: &str) -> io::Result<()> {
    for name in [plan_of(id), from_of(id), part_of(id)] {
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The folder of uploads and the plan of one; none where there is none of that name.
fn found(root: &Root, id: &str) -> io::Result<Option<(OwnedFd, Plan)>> {
    if id.len() != 32 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(None);
    }
    let folder = match folder(root) {
        Err(Errno::NOENT) => return Ok(None),
        folder => folder?,
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let plan: File = match openat(&folder, plan_of(id), flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = String::new();
    plan.take(LONGEST_PLAN).read_to_string(&mut text)?;
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the upload's plan is damaged");
    let plan = serde_json::from_str(&text).ok().and_then(|value| Plan::from_json(&value));
    Ok(Some((folder, plan.ok_or_else(damaged)?)))
}

/// What has come of an upload, if it has not its name.
fn open_part(folder: &OwnedFd, id: &str) -> io::Result<Option<File>> {
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let open = || openat(folder, part_of(id), flags, Mode::empty());
    let part = match open() {
        // It was to take the mode of a file that may not be written, and did not get as far.
        Err(Errno::ACCESS) => {
            chmodat(folder, part_of(id), Mode::RUSR | Mode::WUSR, AtFlags::empty())?;
            open()
        }
        part => part,
    };
    match part {
        Ok(part) => Ok(Some(part.into())),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn named(folder: &OwnedFd, name: &str) -> Option<Stat> {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok()
}

fn plan_of(id: &str) -> String {
    format!("{id}.json")
}

fn part_of(id: &str) -> String {
    format!("{id}.part")
}

fn from_of(id: &str) -> String {
    format!("{id}.from")
}

/// A name that is not served.
const FOLDER: &str = ".ndbytes-uploads";
/// How long one is kept that nobody goes on with.
const EXPIRY: Duration = Duration::from_secs(24 * 3600);
/// How long one is known whose file has its name: a client may not have heard of it.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Uploads at once.
const MOST: usize = 1000;
/// Uploads that have ended, before they are forgotten sooner.
const MANY: usize = 10_000;
const LONGEST_PLAN: u64 = 1 << 20;
