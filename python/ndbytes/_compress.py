"""Standard compressed streams: what ``zlib``, ``gunzip`` and others read and write."""

from __future__ import annotations

from typing import Any

from . import _native
from ._files import MAX_BYTES


def compress(data: Any, codec: str = "zlib", level: int = 6) -> bytes:
    """Compress bytes, or the elements of an array of any layout (C order).

    Parameters
    ----------
    data : array or bytes-like
        What to compress.
    codec : {'zlib', 'gzip', 'deflate'}
        'deflate' is the bare stream, without a checksum.
    level : int
        0 (none) to 9 (smallest).

    Returns
    -------
    bytes
        They depend on data and level alone: a gzip header has neither time nor name.
    """
    return _native.compress(data, codec, level)


def decompress(data: Any, codec: str = "zlib", *, max_bytes: int | None = MAX_BYTES) -> bytes:
    """Decompress one stream that fills `data`.

    Parameters
    ----------
    data : bytes-like
        One stream; for gzip also several members.
    codec : {'zlib', 'gzip', 'deflate'}
        Its kind.
    max_bytes : int, optional
        The most bytes that may come out, 4 GiB unless given; None for no limit.

    Raises
    ------
    FormatError
        When the stream is damaged.
    TruncatedError
        When it ends early.
    MismatchError
        When bytes follow it.
    LimitError
        When more would come out.
    """
    return _native.decompress(data, codec, max_bytes)
