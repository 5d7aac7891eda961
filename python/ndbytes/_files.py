"""What a ``file`` argument is."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

MAX_HEADER_SIZE = 65536
"""Every header of version 1.0 fits; NumPy's own default is 10000."""

MAX_BYTES = 1 << 32
"""The most that a peer or a compressed stream may bring unless the caller says otherwise."""


def as_path(file: Any, suffix: str = "") -> str | None:
    """Return the path that `file` names, or None for a file object.

    The suffix is added where the path lacks it, as ``numpy.save`` does.
    """
    if hasattr(file, "write") or hasattr(file, "read"):
        return None
    path = os.fsdecode(file)
    if "\0" in path:
        raise ValueError(f"a path must not contain a NUL: {path!r}")
    return path if path.endswith(suffix) else path + suffix


def open_pipe(path: str | None, mode: str) -> contextlib.AbstractContextManager[Any]:
    """Open a named pipe, in a way that can be interrupted; None for any other path."""
    if path is None or not Path(path).is_fifo():
        return contextlib.nullcontext()
    return open(path, mode, buffering=0)


def is_real(file: Any) -> bool:
    """Say whether reading the descriptor is reading the object: no gzip, no socket, no wrapper."""
    raw = getattr(file, "raw", file)
    kinds = (io.BufferedReader, io.BufferedRandom, io.BufferedWriter, io.FileIO)
    return type(file) in kinds and type(raw) is io.FileIO


def seek_position(file: Any) -> int | None:
    """Return where a file stands, or None where it says that it cannot seek.

    Raises
    ------
    OSError
        When it says that it can, and fails to.

    """
    if not hasattr(file, "seekable") or not file.seekable():
        return None
    position = file.tell()
    file.seek(position)
    return int(position)


def read_up_to(file: Any, count: int) -> bytes:
    """Read `count` bytes, or fewer at the end; short reads are repeated."""
    if isinstance(file, io.TextIOBase):
        raise TypeError("this is a text file: open it in binary mode")
    parts = []
    while count > 0:
        part = file.read(count)
        if not part:
            break
        parts.append(_as_bytes(part))
        count -= len(part)
    return b"".join(parts)


def read_all(file: Any) -> bytes:
    """Read to the end."""
    parts = []
    while part := file.read(1 << 20):
        parts.append(_as_bytes(part))
    return b"".join(parts)


def _as_bytes(part: Any) -> bytes:
    if isinstance(part, str):
        raise TypeError("read() returned str, not bytes: open the file in binary mode")
    return bytes(part)
