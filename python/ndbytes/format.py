"""What ``numpy.lib.format`` offers, for code that calls it: headers and arrays on file objects."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.lib import format as _numpy

from . import _native
from ._errors import UnsupportedError
from ._files import MAX_HEADER_SIZE, read_up_to, seek_position
from ._memmap import open_memmap

__all__ = [
    "open_memmap",
    "read_array",
    "read_array_header_1_0",
    "read_array_header_2_0",
    "read_magic",
    "write_array",
]


def read_magic(fp: Any) -> tuple[int, int]:
    """Read the magic and return the version, as ``(major, minor)``.

    Raises
    ------
    FormatError
        When there is no magic.
    """
    head = read_up_to(fp, 8)
    if len(head) < 8 or not head.startswith(b"\x93NUMPY"):
        # It says what the bytes look like.
        _native.parse_prelude(head, MAX_HEADER_SIZE)
    return head[6], head[7]


def read_array_header_1_0(
    fp: Any, max_header_size: int | None = MAX_HEADER_SIZE
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read a header of version 1.0 after its magic: ``(shape, fortran_order, dtype)``."""
    return _native.read_header(fp, b"\x93NUMPY\x01\x00", max_header_size)[:3]


def read_array_header_2_0(
    fp: Any, max_header_size: int | None = MAX_HEADER_SIZE
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read a header of version 2.0 after its magic: ``(shape, fortran_order, dtype)``."""
    return _native.read_header(fp, b"\x93NUMPY\x02\x00", max_header_size)[:3]


def write_array(
    fp: Any,
    array: Any,
    version: tuple[int, int] | None = None,
    allow_pickle: bool = False,
    pickle_kwargs: dict[str, Any] | None = None,
) -> None:
    """Write an array with its header to a file object.

    `version` None is the oldest that holds it; `allow_pickle` hands arrays of objects on to NumPy.
    """
    try:
        _native.save_file(fp, array, version)
    except UnsupportedError as error:
        if not (allow_pickle and error.code == "dtype.object"):
            raise
        _numpy.write_array(fp, array, version, allow_pickle, pickle_kwargs)


def read_array(
    fp: Any,
    allow_pickle: bool = False,
    pickle_kwargs: dict[str, Any] | None = None,
    *,
    max_header_size: int = MAX_HEADER_SIZE,
) -> np.ndarray[Any, Any]:
    """Read an array with its header from a file object, and not a byte more.

    `allow_pickle` hands arrays of objects on to NumPy, for files that can seek.
    """
    start = seek_position(fp) if allow_pickle else None
    limit = None if allow_pickle else max_header_size
    try:
        return _native.load_file(fp, b"", None, limit, None)
    except UnsupportedError as error:
        if start is None or error.code != "dtype.object":
            raise
        fp.seek(start, os.SEEK_SET)
        return _numpy.read_array(fp, allow_pickle, pickle_kwargs)
