"""Standard compressed streams: what ``zlib``, ``gunzip`` and others read and write."""

from __future__ import annotations

from typing import Any

from . import _native
from ._files import MAX_BYTES


def compress(
    data: Any, codec: str = "zlib", level: int | None = None, *, threads: int | None = None
) -> bytes:
    """Compress bytes, or the elements of an array of any layout (C order).

    Parameters
    ----------
    data : array or bytes-like
        What to compress.
    codec : {'zlib', 'gzip', 'deflate', 'zstd', 'lz4'}
        'deflate' is the bare stream, without a checksum; 'lz4' is the frame that ``lz4`` writes.
    level : int, optional
        zlib, gzip and deflate: 0 (none) to 9 (smallest), 6 unless given. zstd: 1 to 19, 3 unless
        given. lz4 has one level.
    threads : int, optional
        The most threads; as many as there are processors unless given. Less than half a megabyte
        is compressed on one.

    Returns
    -------
    bytes
        One stream, zlib's or gzip's without blocks that only some tools read. They depend on data
        and level alone, not on `threads`: a gzip header has neither time nor name.
    """
    return _native.compress(data, codec, level, threads)


def decompress(
    data: Any,
    codec: str = "zlib",
    *,
    max_bytes: int | None = MAX_BYTES,
    threads: int | None = None,
) -> bytes:
    """Decompress one stream that fills `data`.

    Parameters
    ----------
    data : bytes-like
        One stream; for gzip also several members, for zstd and lz4 several frames.
    codec : {'zlib', 'gzip', 'deflate', 'zstd', 'lz4'}
        Its kind.
    max_bytes : int, optional
        The most bytes that may come out, 4 GiB unless given; None for no limit.
    threads : int, optional
        The most threads; as many as there are processors unless given. Streams of zlib, gzip and
        deflate whose blocks need not each other, such as those that `compress` makes of numbers,
        are decompressed on several.

    Raises
    ------
    FormatError
        When the stream is damaged.
    TruncatedError
        When it ends early.
    MismatchError
        When bytes follow it.
    LimitError
        When more would come out, or zstd needs more than 128 MiB of memory for it.
    """
    return _native.decompress(data, codec, max_bytes, threads)
