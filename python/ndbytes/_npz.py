"""``.npz``: archives of arrays."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from . import _native, _original
from ._errors import ArgumentError, MismatchError, UnsupportedError, make
from ._files import MAX_HEADER_SIZE, as_path, open_pipe, seek_position
from ._memmap import MODES, memmap
from ._parts import Parts
from ._remote import as_remote, refuse_map


class _Handle:
    """Stands where ``numpy.load`` keeps the open file: its name, and whether it is closed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    @property
    def fp(self) -> _Handle:
        return self

    def close(self) -> None:
        self.closed = True


class _Attributes:
    """Arrays as attributes: ``archive.f.x`` is ``archive["x"]``."""

    def __init__(self, archive: NpzFile) -> None:
        # A weak reference: otherwise archive and attributes would hold each other.
        object.__setattr__(self, "_archive", weakref.ref(archive))

    def __getattribute__(self, key: str) -> Any:
        archive = object.__getattribute__(self, "_archive")()
        try:
            return archive[key]
        except (KeyError, TypeError):
            raise AttributeError(key) from None

    def __dir__(self) -> list[str]:
        archive = object.__getattribute__(self, "_archive")()
        return list(archive.files)


class Member(Parts):
    """An array in an archive, of which parts are read when they are asked for.

    ``member[...]`` takes what slices and integers can say. Of a member that `savez` stored, these
    bytes are read; of one that `savez_compressed` deflated, the blocks that hold them; of one that
    others deflated, all that precedes them as well. The CRC-32 is that of the whole member: `read`
    checks it, parts do not.

    Attributes
    ----------
    name : str
        The key in the archive.
    dtype : numpy.dtype
        The type of the elements.
    shape : tuple of int
        The shape.
    fortran_order : bool
        Whether the first axis is the fastest.
    """

    def __init__(self, archive: NpzFile, name: str, member: str) -> None:
        self.name = name
        self._member = member
        # Not only its reader: an archive that nobody holds closes itself.
        self._archive = archive
        self._reader = archive._reader
        self._threads = archive._threads
        self.shape, self.fortran_order, self.dtype, _ = self._reader.facts(member)

    def read(self, *, progress: Callable[[int, int], object] | None = None) -> np.ndarray[Any, Any]:
        """Read the whole array, and check its CRC-32; `progress` as for `load`."""
        array: np.ndarray[Any, Any] = self._reader.read(self._member, self._threads, progress)
        return array

    def _read(self, start: list[int], step: list[int], count: list[int]) -> Any:
        return self._reader.read_slice(self._member, start, step, count, self._threads)

    def __repr__(self) -> str:
        return f"<Member {self.name!r}: {self.dtype}, shape {self.shape}>"


class NpzFile(np.lib.npyio.NpzFile):
    """An open ``.npz`` archive: a mapping from names to arrays, read when they are asked for.

    Every read checks the member's CRC-32. Reads are positional, so that threads and forked
    processes may share an archive that was opened by its path.

    Attributes
    ----------
    files : list of str
        The names, without ``.npy``.
    f : object
        The arrays as attributes.
    """

    def __init__(
        self,
        fid: Any,
        own_fid: bool = False,
        allow_pickle: bool = False,
        pickle_kwargs: Mapping[str, Any] | None = None,
        *,
        mmap_mode: str | None = None,
        max_header_size: int | None = MAX_HEADER_SIZE,
        max_bytes: int | None = None,
        threads: int | None = None,
    ) -> None:
        if mmap_mode not in (None, "r", "r+", "c", "readonly", "readwrite", "copyonwrite"):
            raise ValueError(f"mmap_mode must be one of 'r', 'r+', 'c', not {mmap_mode!r}")
        remote = as_remote(fid)
        path = as_path(fid) if remote is None else None
        self._start = seek_position(fid) if path is None and remote is None else None
        if remote is not None:
            if mmap_mode is not None:
                raise refuse_map(remote)
            self._reader = _native.NpzReader.from_remote(remote._file, max_header_size, max_bytes)
        elif path is None:
            if mmap_mode is not None:
                raise ValueError("a file object cannot be mapped: give its path")
            self._reader = _native.NpzReader.from_file(fid, max_header_size, max_bytes)
        else:
            self._reader = _native.NpzReader.from_path(path, max_header_size, max_bytes)
        self._path = path
        self._file = fid
        self._threads = threads
        self._mmap_mode = mmap_mode
        members = self._reader.names()
        self.files = [name.removesuffix(".npy") for name in members]
        # Keys before members: an array may be called `x.npy` beside one called `x`.
        self._files = dict(zip(members, members, strict=True))
        self._files.update(zip(self.files, members, strict=True))
        self.allow_pickle = allow_pickle
        self.pickle_kwargs = pickle_kwargs
        self.max_header_size = max_header_size
        name = path if path is not None else getattr(fid, "name", "object")
        if remote is not None:
            name = remote.url
        self._name = str(name)
        self.zip: Any = _Handle(self._name)
        self.fid: Any = self.zip if path is not None else None
        self.f: Any = _Attributes(self)

    def close(self) -> None:
        """Close the archive; arrays that were read or mapped stay."""
        reader = getattr(self, "_reader", None)
        if reader is not None:
            reader.close()
        if self.zip is not None:
            self.zip.close()
        self.zip = self.fid = self.f = None

    def __enter__(self) -> NpzFile:
        return self

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    def __contains__(self, key: object) -> bool:
        return key in self._files

    def __repr__(self) -> str:
        names = ", ".join(self.files[:5]) + ("..." if len(self.files) > 5 else "")
        return f"NpzFile {self._name!r} with keys: {names}"

    def _member(self, key: str) -> str:
        try:
            return self._files[key]
        except (KeyError, TypeError):
            names = ", ".join(map(repr, self.files[:10])) + (
                ", ..." if len(self.files) > 10 else ""
            )
            raise KeyError(f"{key} is not a file in the archive; it has {names}") from None

    def open(self, key: str) -> Member:
        """Open an array to read parts of it, by integers and slices, without reading it all."""
        return Member(self, key, self._member(key))

    def read(
        self, *keys: str, progress: Callable[[int, int], object] | None = None
    ) -> dict[str, Any]:
        """Read several arrays, all unless named, and return them by their keys.

        Those that one thread alone can read, as what others deflated, are read side by side.
        `progress` is called as by `load`, with the bytes of all of them.
        """
        keys = keys or tuple(dict.fromkeys(self.files))
        members = {key: self._member(key) for key in keys}
        arrays = {key: name for key, name in members.items() if self._reader.is_array(name)}
        try:
            read = self._reader.read_several(list(arrays.values()), self._threads, progress)
        except UnsupportedError:
            # The one that is refused, or that NumPy may read, is found one by one.
            return {key: self[key] for key in keys}
        found = dict(zip(arrays, read, strict=True))
        return {key: found[key] if key in found else self[key] for key in keys}

    def __getitem__(self, key: str) -> Any:
        member = self._member(key)
        if self._mmap_mode is not None and self._reader.is_array(member):
            return self._map(member)
        try:
            return self._reader.read(member, self._threads)
        except UnsupportedError as error:
            if not (self.allow_pickle and error.code == "dtype.object"):
                raise
            if self._start is not None:
                self._file.seek(self._start)
            with _original.load(
                self._file, allow_pickle=True, **(self.pickle_kwargs or {})
            ) as archive:
                return archive[key]

    def _map(self, member: str) -> memmap:
        (shape, fortran, dtype, _), offset = self._reader.locate(member)
        order = "F" if fortran else "C"
        mode = MODES.get(self._mmap_mode or "r", self._mmap_mode or "r")
        # The file that was looked into, and not what may have taken its name since.
        fd = self._reader.duplicate()
        try:
            if mode != "r+":
                return memmap._open(fd, self._path, dtype, mode, offset, shape, order)
            assert self._path is not None
            with open(self._path, "r+b", buffering=0) as file:
                if not os.path.samestat(os.fstat(fd), os.fstat(file.fileno())):
                    message = f"{self._path}: another file has taken this name since it was opened"
                    raise make(MismatchError, "array.mismatch", message)
                return memmap._open(file.fileno(), self._path, dtype, mode, offset, shape, order)
        finally:
            os.close(fd)


def savez(
    file: Any,
    *args: Any,
    allow_pickle: Any = False,
    durable: Any = False,
    threads: Any = None,
    append: Any = False,
    progress: Any = None,
    **kwds: Any,
) -> None:
    """Save arrays in one uncompressed ``.npz`` archive.

    Members are aligned to 64 bytes, so that ``load(file, mmap_mode="r")`` can map them. A path is
    written atomically.

    Parameters
    ----------
    file : path, URL, Remote or file object
        ``.npz`` is added to a path where it is missing. A file object needs nothing but
        ``write``. To a URL, as ``https://...``, the archive is sent by PUT when all of it is made,
        in memory.
    *args : array_like or mapping
        Arrays, saved as ``arr_0``, ``arr_1``, ...; the items of a mapping are saved under its
        keys, whatever they are called.
    allow_pickle : bool
        True hands archives with objects on to ``numpy.savez``, but those for URLs. An array of this
        name is saved as one.
    durable : bool
        Wait until file and folder are on the disk; a server does as it does. An array of this name
        is saved as one.
    threads : int, optional
        The most threads; as many as suit the machine unless given. An array of this name is saved
        as one.
    append : bool
        Add to the archive at this path, or replace the arrays of these names: all of them or none,
        wherever this is cut off. The others stay as they are; the room of those replaced is not
        used again until the archive is saved anew. What is written over is kept in
        ``NAME.journal`` until it is done. One process at a time appends. An array of this name is
        saved as one.
    progress : callable, optional
        Called as ``progress(done, total)``, in bytes of all arrays, uncompressed, some 20 times a
        second at most and when all is done, before the archive takes its name; of a URL, in bytes
        that are sent. What it raises ends the work: an archive at the path is then as it was. An
        array of this name is saved as one.
    **kwds : array_like
        Arrays, saved under these names.
    """
    options = {"allow_pickle": allow_pickle, "durable": durable, "threads": threads}
    options |= {"append": append, "progress": progress}
    _savez(file, args, kwds, options, None)


def savez_compressed(
    file: Any,
    *args: Any,
    allow_pickle: Any = False,
    level: Any = None,
    codec: Any = "deflate",
    durable: Any = False,
    threads: Any = None,
    append: Any = False,
    progress: Any = None,
    **kwds: Any,
) -> None:
    """Save arrays in one compressed ``.npz`` archive, which ``numpy.load`` reads.

    Parameters
    ----------
    file : path, URL, Remote or file object
        As for `savez`.
    *args : array_like or mapping
        As for `savez`.
    allow_pickle : bool
        True hands archives with objects on to ``numpy.savez_compressed``, but those for URLs.
    level : int, optional
        Of deflate, 0 (none) to 9 (smallest), 6 unless given, as NumPy's; of zstd, 1 to 19, 3 unless
        given. Up to 6, what deflate would make smaller by less than a twelfth is stored. An array
        of this name is saved as one.
    codec : {'deflate', 'zstd'}
        'zstd' is quick and small, but NumPy reads it with Python 3.14 or newer alone, which a
        warning says. An array of this name is saved as one.
    durable, append, progress
        As for `savez`.
    threads : int, optional
        As for `savez`. The bytes do not depend on it.
    **kwds : array_like
        Arrays, saved under these names.
    """
    options = {"allow_pickle": allow_pickle, "durable": durable, "threads": threads}
    options |= {"append": append, "progress": progress, "level": level, "codec": codec}
    _savez(file, args, kwds, options, "deflate")


def _savez(
    file: Any,
    args: tuple[Any, ...],
    kwds: dict[str, Any],
    options: dict[str, Any],
    codec: str | None,
) -> None:
    # Keywords are names of arrays: what is no plain option is an array of that name.
    for name, is_option in OPTIONS.items():
        if name in options and not is_option(options[name]):
            kwds[name] = options.pop(name)
    durable = options.get("durable", False)
    allow_pickle = options.get("allow_pickle", False)
    level, threads = options.get("level"), options.get("threads")
    progress = options.get("progress")
    codec = options.get("codec", codec)
    least, most = LEVELS.get(codec or "", (0, 0))
    if level is not None and codec in LEVELS and not least <= level <= most:
        message = f"level must be {least} to {most}, not {level}"
        raise make(ArgumentError, "argument", message)
    if threads is not None and threads < 1:
        raise make(ArgumentError, "argument", f"threads must be 1 or more, not {threads}")
    if codec == "zstd":
        message = (
            "NumPy reads an archive with members of zstd under Python 3.14 or newer alone;"
            " ndbytes reads it everywhere"
        )
        warnings.warn(message, UserWarning, stacklevel=3)
    members = _members(args, kwds)
    remote = as_remote(file)
    path = as_path(file, ".npz") if remote is None else None
    if options.get("append", False):
        _append(path, members, (codec, level, threads, durable, progress), allow_pickle)
        return
    if remote is not None:
        _native.savez_remote(remote._file, members, codec, level, threads, progress)
        return
    try:
        with open_pipe(path, "wb") as pipe:
            if path is None or pipe is not None:
                sink = file if pipe is None else pipe
                _native.savez_file(sink, members, codec, level, threads, progress)
            else:
                _native.savez_path(path, members, codec, level, threads, durable, progress)
    except UnsupportedError as error:
        if not (allow_pickle and error.code == "dtype.object"):
            raise
        save = _original.savez if codec is None else _original.savez_compressed
        save(file, **dict(members))


LEVELS = {"deflate": (0, 9), "zstd": (1, 19)}


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_number(value: object) -> bool:
    return value is None or type(value) is int


OPTIONS: dict[str, Callable[[Any], bool]] = {
    "allow_pickle": _is_flag,
    "append": _is_flag,
    "codec": lambda value: type(value) is str,
    "durable": _is_flag,
    "level": _is_number,
    "progress": lambda value: value is None or callable(value),
    "threads": _is_number,
}


def _append(
    path: str | None,
    members: list[tuple[str, Any]],
    options: tuple[Any, ...],
    allow_pickle: bool,
) -> None:
    if path is None:
        message = "append needs the path of an archive, no file object or URL"
        raise make(ArgumentError, "argument", message)
    try:
        _native.append_npz(path, members, *options)
    except UnsupportedError as error:
        if not (allow_pickle and error.code == "dtype.object"):
            raise
        message = "arrays of objects cannot be appended: save the archive anew"
        raise make(UnsupportedError, "dtype.object", message) from error


def _members(args: tuple[Any, ...], kwds: dict[str, Any]) -> list[tuple[str, Any]]:
    # NumPy's order: keywords first.
    members = dict(kwds)

    def add(name: str, array: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"names of arrays must be str, not {type(name).__name__}: {name!r}")
        if name in members:
            raise make(
                ArgumentError, "zip.name", f"Cannot use un-named variables and keyword {name}"
            )
        members[name] = array

    for i, arg in enumerate(args):
        if isinstance(arg, Mapping):
            for name, array in arg.items():
                add(name, array)
        else:
            add(f"arr_{i}", arg)
    return list(members.items())
