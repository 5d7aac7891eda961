"""``.npy``: save, load, and a look at the header."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _native, _original
from ._errors import FormatError, UnsupportedError, make
from ._files import MAX_HEADER_SIZE, as_path, open_pipe, read_up_to, seek_position
from ._memmap import open_memmap
from ._npz import NpzFile
from ._remote import as_remote, load_array, refuse_map

MAGIC = b"\x93NUMPY"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


class Header(NamedTuple):
    """What the header of an ``.npy`` file says."""

    dtype: np.dtype[Any]
    """The type of the elements."""
    shape: tuple[int, ...]
    """The shape."""
    fortran_order: bool
    """Whether the first axis is the fastest."""
    data_offset: int
    """Bytes from the start of the file to the first element."""


def save(
    file: Any,
    arr: Any,
    allow_pickle: bool = False,
    fix_imports: object = None,
    *,
    durable: bool = False,
    codec: str | None = None,
    chunks: tuple[int, ...] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Save an array in NumPy's ``.npy`` format, or as a compressed frame.

    Parameters
    ----------
    file : path, URL, Remote or file object
        A path (``.npy`` is added where it is missing, ``.ndb`` with a codec) is written atomically:
        the file is whole and new, or as it was. A file object needs nothing but ``write``: pipes,
        sockets' ``makefile``, gzip and BytesIO all do; a buffered file is flushed. To a URL, as
        ``https://...``, the file is sent by PUT.
    arr : array_like
        Any array; masked arrays and, without `allow_pickle`, objects are refused.
    allow_pickle : bool
        True hands arrays of objects on to ``numpy.save``.
    fix_imports : ignored
        For the sake of NumPy's signature.
    durable : bool
        Wait until file and folder are on the disk.
    codec, chunks, threads
        Of a frame; as for `dumps`.
    progress : callable, optional
        Called as ``progress(done, total)``, in bytes of the array, some 20 times a second at most
        and when all is done, before the file takes its name; of a URL, in bytes that are sent. What
        it raises ends the work: a file at the path is then as it was.

    Raises
    ------
    UnsupportedError
        For what cannot be saved, before anything is written.
    NdbytesOSError
        When a write, flush or close fails; a file at the path is then as it was.
    """
    if (remote := as_remote(file)) is not None:
        _native.save_remote(remote._file, arr, codec, chunks, threads, progress)
        return
    path = as_path(file, ".npy" if codec is None else ".ndb")
    try:
        with open_pipe(path, "wb") as pipe:
            if path is not None and pipe is None:
                _native.save_path(path, arr, durable, codec, chunks, threads, progress)
                return
            to = file if pipe is None else pipe
            if codec is None:
                _native.save_file(to, arr, None, progress)
            else:
                _native.save_frame_file(to, arr, codec, chunks, threads, progress)
    except UnsupportedError as error:
        if not (allow_pickle and codec is None and error.code == "dtype.object"):
            raise
        _original.save(file, arr, allow_pickle=True)


def load(
    file: Any,
    mmap_mode: str | None = None,
    allow_pickle: bool = False,
    fix_imports: bool = True,
    encoding: str = "ASCII",
    *,
    max_header_size: int = MAX_HEADER_SIZE,
    max_bytes: int | None = None,
    out: np.ndarray[Any, Any] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Any:
    """Load an array from ``.npy`` or a frame, or an archive from ``.npz``, as the content says.

    The folder of a Zarr array whose one shard is a frame is read as that.

    Parameters
    ----------
    file : path, URL, Remote or file object
        A file object needs ``read`` alone for ``.npy``, and is left at the first byte after the
        array, so that arrays can follow one another. What is on a server, ``https://...``, is
        fetched by several requests at a time where it answers range requests.
    mmap_mode : {None, 'r', 'r+', 'c'}
        Map the file instead of reading it. The members of a stored ``.npz`` are mapped when they
        are asked for; compressed ones are an error.
    allow_pickle : bool
        True hands files with pickles on to ``numpy.load``: only for files that you trust.
    fix_imports, encoding
        For ``numpy.load``, where it is used.
    max_header_size : int
        Longest header that is parsed, in bytes; `allow_pickle` lifts it, as in NumPy.
    max_bytes : int, optional
        The most bytes that an array may have.
    out : numpy.ndarray, optional
        Load into this array, of the same dtype and shape and any layout.
    threads : int, optional
        The most threads, also for the arrays of an archive that are read later; as many as suit the
        machine unless given.
    progress : callable, optional
        Called as ``progress(done, total)``, in bytes of the array, some 20 times a second at most
        and when all is done. What it raises ends the work. Maps and archives, of which nothing is
        read yet, and pickles have none; `NpzFile.read` has its own.

    Returns
    -------
    numpy.ndarray, memmap or NpzFile

    Raises
    ------
    FormatError
        When it is neither; the message says what the file looks like.
    TruncatedError
        When bytes are missing.
    EndOfStreamError
        When there are none.
    """
    limit = None if allow_pickle else max_header_size
    if (remote := as_remote(file, None)) is not None:
        if mmap_mode is not None:
            raise refuse_map(remote)
        if remote._file.first(4) in ZIP_MAGICS:
            return _open_npz(remote, None, None, limit, max_bytes, {}, out, threads)
        return load_array(remote, out, limit, max_bytes, threads, progress)
    path = as_path(file)
    pickles: dict[str, Any] = {}
    if allow_pickle:
        pickles = {"allow_pickle": True, "fix_imports": fix_imports, "encoding": encoding}
    start = seek_position(file) if path is None and allow_pickle else None
    prefix = read_up_to(file, len(MAGIC)) if path is None else b""
    try:
        if prefix.startswith(ZIP_MAGICS):
            file.seek(-len(prefix), os.SEEK_CUR)
            return _open_npz(file, None, mmap_mode, limit, max_bytes, pickles, out, threads)
        if mmap_mode is not None:
            if path is None:
                raise ValueError("a file object cannot be mapped: give its path")
            return _map(path, mmap_mode, limit, max_bytes, pickles, out, threads)
        if path is None:
            return _native.load_file(file, prefix, out, limit, max_bytes, threads, progress)
        with open_pipe(path, "rb") as pipe:
            if pipe is not None:
                return _native.load_file(pipe, b"", out, limit, max_bytes, threads, progress)
        return _native.load_path(path, out, limit, max_bytes, threads, progress)
    except FormatError as error:
        if error.code != "npy.magic":
            raise
        if path is not None and _starts_as_zip(path):
            return _open_npz(None, path, mmap_mode, limit, max_bytes, pickles, out, threads)
        if not allow_pickle or (path is None and start is None):
            raise
    except UnsupportedError as error:
        if not allow_pickle or (path is None and start is None) or error.code != "dtype.object":
            raise
    if start is not None:
        file.seek(start)
    return _original.load(file, **pickles)


def read_header(file: Any, *, max_header_size: int = MAX_HEADER_SIZE) -> Header:
    """Read the header of an ``.npy`` file and nothing of its data.

    Parameters
    ----------
    file : path, URL, Remote or file object
        A file object is left at the first element.
    max_header_size : int
        Longest header that is parsed, in bytes.

    Returns
    -------
    Header
        ``dtype, shape, fortran_order, data_offset``.
    """
    if (remote := as_remote(file)) is not None:
        reader = _native.NpyReader.from_remote(remote._file, max_header_size, None)
        shape, fortran, dtype, offset = reader.facts()
        return Header(dtype, shape, fortran, offset)
    path = as_path(file)
    if path is None:
        shape, fortran, dtype, offset = _native.read_header(file, b"", max_header_size)
    else:
        with open(path, "rb", buffering=0) as opened:
            shape, fortran, dtype, offset = _native.read_header(opened, b"", max_header_size)
    return Header(dtype, shape, fortran, offset)


def _open_npz(
    file: Any,
    path: str | None,
    mmap_mode: str | None,
    max_header_size: int | None,
    max_bytes: int | None,
    pickles: dict[str, Any],
    out: np.ndarray[Any, Any] | None,
    threads: int | None,
) -> NpzFile:
    if out is not None:
        raise make(
            UnsupportedError, "argument", "`out` takes one array, and this is an .npz archive"
        )
    return NpzFile(
        file if path is None else path,
        mmap_mode=mmap_mode,
        allow_pickle=bool(pickles),
        pickle_kwargs={k: v for k, v in pickles.items() if k != "allow_pickle"},
        max_header_size=max_header_size,
        max_bytes=max_bytes,
        threads=threads,
    )


def _map(
    path: str,
    mode: str,
    max_header_size: int | None,
    max_bytes: int | None,
    pickles: dict[str, Any],
    out: np.ndarray[Any, Any] | None,
    threads: int | None,
) -> Any:
    if out is not None:
        raise ValueError("`out` and `mmap_mode` exclude each other")
    if Path(path).is_fifo():
        raise ValueError(f"a pipe cannot be mapped: {path!r}")
    if _starts_as_zip(path):
        return _open_npz(None, path, mode, max_header_size, max_bytes, pickles, None, threads)
    # 'w+' would create a file, and loading creates none.
    if mode not in {"r", "r+", "c", "readonly", "readwrite", "copyonwrite"}:
        raise ValueError(f"mmap_mode must be one of 'r', 'r+', 'c' to load, not {mode!r}")
    return open_memmap(path, mode, max_header_size=max_header_size)


def _starts_as_zip(path: str) -> bool:
    with open(path, "rb", buffering=0) as opened:
        return opened.read(4) in ZIP_MAGICS
