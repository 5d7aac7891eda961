"""Frames that are read in parts, and grow."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _native
from ._errors import ArgumentError, make
from ._files import MAX_HEADER_SIZE, as_path, seek_position
from ._memmap import open_memmap
from ._npy_file import NpyFile
from ._npz import NpzFile
from ._parts import Parts
from ._remote import as_remote

MAGIC = b"\x89NDB\r\n\x1a\n"
ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


class Chunk(NamedTuple):
    """A chunk of a frame."""

    start: tuple[int, ...]
    """The index of its first element."""
    shape: tuple[int, ...]
    """Its shape, without what the array's edges cut off."""
    offset: int
    """Where it is in the file, in bytes."""
    nbytes: int
    """Bytes that it takes there, with its checksum."""
    codec: str
    """What was done to it, such as ``'zstd, shuffle'``."""


class Frame(Parts):
    """An array in a frame, of which parts are read when they are asked for.

    ``frame[...]`` takes what slices and integers can say, reads the chunks that hold any of it,
    checks them, and returns an array, or one element. Reads are positional, so that threads and
    forked processes may share a frame that was opened by its path.

    Parameters
    ----------
    file : path, URL, Remote or file object
        A file object needs ``seek`` and ``read``.
    mode : {'r', 'a'}
        'a' allows `append`.
    max_header_size : int
        Longest header that is parsed, in bytes.
    max_bytes : int, optional
        The most bytes that the whole array may have.

    Attributes
    ----------
    dtype : numpy.dtype
        The type of the elements.
    shape : tuple of int
        The shape.
    fortran_order : bool
        Whether the first axis is the fastest.
    chunks : tuple of int
        The shape of the chunks.
    family : {'blosc', 'pco', 'raw'}
        How chunks are stored.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    chunks: tuple[int, ...]
    family: str

    def __init__(
        self,
        file: Any,
        mode: str = "r",
        *,
        max_header_size: int = MAX_HEADER_SIZE,
        max_bytes: int | None = None,
    ) -> None:
        if mode not in {"r", "a"}:
            raise ValueError(f"mode must be 'r' or 'a', not {mode!r}")
        self._file = file
        self._remote = as_remote(file)
        self._path = as_path(file) if self._remote is None else None
        if mode == "a" and self._path is None:
            raise ValueError("only a frame with a path can grow")
        self._mode = mode
        self._limits = (max_header_size, max_bytes)
        self._open()

    def _open(self) -> None:
        if self._remote is not None:
            self._reader = _native.FrameReader.from_remote(self._remote._file, *self._limits)
        elif self._path is None:
            self._reader = _native.FrameReader.from_file(self._file, *self._limits)
        else:
            self._reader = _native.FrameReader.from_path(self._path, *self._limits)
        self.shape, self.fortran_order, self.dtype, _ = self._reader.facts()
        self.chunks, self.family = self._reader.chunks()
        self._closed = False

    @property
    def nbytes_stored(self) -> int:
        """Bytes of the whole frame."""
        return self._reader.size()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def chunk_info(self) -> list[Chunk]:
        """Return what is known of each chunk without decoding it."""
        return [Chunk(*self._reader.chunk(i)) for i in range(self._reader.chunk_count())]

    def read(
        self,
        out: np.ndarray[Any, Any] | None = None,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> np.ndarray[Any, Any]:
        """Read the whole array, into `out` if given.

        Parameters
        ----------
        out : numpy.ndarray, optional
            Of the same dtype and shape, and any layout.
        progress : callable, optional
            As for `load`.
        """
        start, step = [0] * self.ndim, [1] * self.ndim
        return self._reader.read(start, step, self.shape, out, progress)

    def append(
        self,
        arr: Any,
        *,
        codec: str | None = None,
        threads: int | None = None,
        durable: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        """Append an array along the first axis, or the last in Fortran order.

        Chunks that are full stay as they are. The file is as before or after, wherever this is cut
        off: what is written over is kept beside it, in ``NAME.journal``, until it is done. One
        process at a time appends; others may read what was there before.

        Parameters
        ----------
        arr : array_like
            Of the frame's dtype, and of its shape but for that axis.
        codec : str, optional
            As for `dumps`, of the same family; 'auto' unless given.
        threads : int, optional
            The most threads; as many as there are processors unless given.
        durable : bool
            Wait until it is on the disk.
        progress : callable, optional
            As for `save`; the bytes are those of `arr`.

        Raises
        ------
        MismatchError
            For another dtype or shape.
        NdbytesOSError
            When a write fails, or another process appends; the frame is then as it was.
        """
        if self._mode != "a":
            raise make(ArgumentError, "argument", "open the frame with mode 'a' to append to it")
        if self._closed:
            raise make(ArgumentError, "argument", "the frame is closed")
        assert self._path is not None
        _native.append_frame(self._path, arr, durable, codec, threads, progress)
        self._open()

    def to_zarr(
        self,
        path: Any,
        *,
        link: bool = False,
        durable: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        """Write the array as one of Zarr v3, whose one shard is this frame.

        Nothing is compressed again: the folder has a ``zarr.json`` and a copy of the frame, which
        shares its blocks where the file system can. zarr-python, tensorstore and zarrs read it.

        Parameters
        ----------
        path : path
            The folder to make; there must be nothing of this name.
        link : bool
            Give the frame's own file another name instead of a copy: it takes no room, and changes
            when the frame grows, which ``zarr.json`` does not.
        durable : bool
            Wait until it is on the disk.
        progress : callable, optional
            As for `save`; the bytes are those of the frame, which are copied.

        Raises
        ------
        UnsupportedError
            For a dtype that Zarr has no name for.
        """
        if self._path is None:
            raise make(ArgumentError, "argument", "only a frame with a path becomes a Zarr array")
        folder = as_path(path)
        if folder is None:
            raise TypeError(f"a folder has a path, not a file object: {path!r}")
        _native.export_zarr(self._path, folder, link, durable, progress)

    def close(self) -> None:
        """Let the file go; arrays that were read stay."""
        self._closed = True
        self._reader.close()

    def __enter__(self) -> Frame:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self, start: list[int], step: list[int], count: list[int]) -> Any:
        return self._reader.read(start, step, count)

    def _rows(self) -> int:
        # As many as a row of chunks holds: each chunk is read once.
        return self.chunks[0]

    def __repr__(self) -> str:
        name = self._path if self._path is not None else getattr(self._file, "name", "object")
        if self._remote is not None:
            name = self._remote.url
        state = "closed " if self._closed else ""
        return f"<{state}Frame {name!r}: {self.dtype}, shape {self.shape}, chunks {self.chunks}>"


def open(
    file: Any,
    mode: str = "r",
    *,
    max_header_size: int = MAX_HEADER_SIZE,
    max_bytes: int | None = None,
) -> Any:
    """Open an array in a file to read parts of it, whatever its format.

    Parameters
    ----------
    file : path, URL, Remote or file object
        What begins as a frame becomes a `Frame`, as an ``.npz`` archive an `NpzFile`, and anything
        else, an ``.npy`` file, a `memmap` where it has a path and an `NpyFile` where it has none.
        The folder of a Zarr array whose one shard is a frame is that frame. Of a file on a server,
        ``https://...``, nothing is fetched but what is asked for.
    mode : {'r', 'a'}
        'a' opens a frame that is to grow by `Frame.append`.
    max_header_size : int
        Longest header that is parsed, in bytes.
    max_bytes : int, optional
        The most bytes that an array may have.

    Returns
    -------
    Frame, NpzFile, memmap or NpyFile
    """
    limits: dict[str, Any] = {"max_header_size": max_header_size, "max_bytes": max_bytes}
    remote = as_remote(file)
    path = as_path(file) if remote is None else None
    if remote is not None:
        file, first = remote, remote._file.first(len(MAGIC))
    elif path is None:
        position = seek_position(file)
        if position is None:
            raise ValueError("parts are read by position: this file object cannot seek")
        file.seek(0)
        first = file.read(len(MAGIC))
        file.seek(position)
    else:
        if Path(path).is_dir():
            path = file = _native.zarr_shard(path)
        if Path(path).is_fifo():
            raise ValueError(f"a pipe has no parts that can be read alone: {path!r}")
        with builtins.open(path, "rb", buffering=0) as opened:
            first = opened.read(len(MAGIC))
    if first == MAGIC:
        return Frame(file, mode, **limits)
    if mode != "r":
        raise ValueError(f"mode {mode!r} is for frames, and this is none: {file!r}")
    if first[:4] in ZIP_MAGICS:
        return NpzFile(file, **limits)
    if path is None:
        return NpyFile(file, **limits)
    return open_memmap(path, "r", max_header_size=max_header_size)
