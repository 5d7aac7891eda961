"""Blosc buffers of ours in c-blosc and C-Blosc2, and all that c-blosc writes in ours.

hdf5plugin brings both libraries whole, with snappy, which the packages of their own names lack.
"""

import collections
import ctypes
import io
import itertools
import struct
from pathlib import Path

import hdf5plugin
import numpy as np
import pytest

import ndbytes as nb
from ndbytes import _native

PLUGINS = Path(hdf5plugin.__file__).parent / "plugins"
C_BLOSC = ctypes.CDLL(str(PLUGINS / "libh5blosc.so"))
C_BLOSC2 = ctypes.CDLL(str(PLUGINS / "libh5blosc2.so"))
C_BLOSC2.blosc2_init()
COMPRESSORS = ["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"]
NAMES = ["blosclz", "lz4", "snappy", "zlib", "zstd"]
FILTERS = {"none": 0, "shuffle": 1, "bitshuffle": 2}
SPLITS = {"always": 1, "never": 2, "auto": 3, "as before": 4}
SIZE = ctypes.c_size_t


def data_of(size, seed):
    """Return bytes of which some planes compress, some do not, and a part is noise or the same."""
    rng = np.random.default_rng(seed)
    data = bytearray(rng.integers(0, 900, size // 8 + 1).cumsum().astype("<i8").tobytes()[:size])
    data[size // 3 : size // 2] = rng.bytes(size // 2 - size // 3)
    data[size * 3 // 4 :] = bytes(size - size * 3 // 4)
    return bytes(data)


def theirs(data, cname, level, shuffle, typesize, block, threads=1):
    """Return a buffer of c-blosc."""
    room = ctypes.create_string_buffer(len(data) + 16)
    length = C_BLOSC.blosc_compress_ctx(
        level,
        shuffle,
        SIZE(typesize),
        SIZE(len(data)),
        data,
        room,
        SIZE(len(room)),
        cname.encode(),
        SIZE(block),
        threads,
    )
    assert length > 0
    return room.raw[:length]


def by_c_blosc(buffer, size):
    """Return what c-blosc makes of a buffer, or None where it fails."""
    out = ctypes.create_string_buffer(size + 1)
    done = C_BLOSC.blosc_decompress_ctx(buffer, out, SIZE(size), 1)
    return out.raw[:size] if done > 0 else None


def by_c_blosc2(buffer, size):
    """Return what C-Blosc2 makes of a buffer, or None where it fails."""
    out = ctypes.create_string_buffer(size + 1)
    done = C_BLOSC2.blosc2_decompress(buffer, len(buffer), out, size)
    return out.raw[:size] if done > 0 else None


def ours(data, codec, level, filter, typesize, block, split):
    """Return a buffer of ndbytes."""
    return _native.blosc_encode(data, codec, level, filter, typesize, block, split)


def decoded(buffer, start=None, count=0):
    """Return what ndbytes makes of a buffer."""
    return _native.blosc_decode(buffer, 1 << 24, start, count)


def facts(buffer):
    """Return codec, filter, whether it is split and stored, and how short a last block is."""
    _, _, flags, typesize, size, block, _ = struct.unpack_from("<4B3I", buffer)
    filter = ("shuffle" if flags & 1 else "bitshuffle" if flags & 4 else "none", typesize == 1)
    rest = size % block if block else 0
    short = "none" if rest == 0 else "item" if rest < typesize else "more"
    return NAMES[flags >> 5], filter, not flags & 16, bool(flags & 2), short


def sizes(rng, typesize):
    """Yield numbers of bytes and of a block: few and many, whole items and parts of some."""
    yield int(rng.integers(1, 200)), 0
    items = int(rng.integers(120, 600))
    yield items * typesize, 0
    rest = int(rng.integers(1, typesize + 1))
    yield items * typesize + rest, int(rng.integers(1, 300)) * typesize
    # A last block of less than an item.
    yield 130 * typesize * 3 + rest % typesize, 130 * typesize
    if typesize in {3, 8}:
        # Where c-blosc splits, blocks are no smaller than that.
        yield 600_000 + rest, 0


@pytest.fixture
def splits():
    """Let c-blosc split as it is told to, until the end of the test."""
    yield C_BLOSC.blosc_set_splitmode
    C_BLOSC.blosc_set_splitmode(SPLITS["as before"])


@pytest.mark.parametrize("shuffle", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("cname", COMPRESSORS)
def test_all_that_c_blosc_writes_is_read(cname, shuffle, splits):
    rng = np.random.default_rng(len(cname) + shuffle)
    seen = collections.Counter()
    unreadable = 0
    for typesize in range(1, 256):
        modes = SPLITS.values() if typesize <= 16 else [int(rng.integers(1, 5))]
        for split, (size, block) in itertools.product(modes, sizes(rng, typesize)):
            splits(split)
            data = data_of(size, typesize)
            # High levels make large blocks.
            level = 3 if size > 500_000 else int(rng.integers(0, 10))
            buffer = theirs(data, cname, level, shuffle, typesize, block)
            case = typesize, split, size, block
            if by_c_blosc(buffer, size) is None:
                # It was told to split also what it takes for one stream when it reads.
                assert split == SPLITS["always"], case
                unreadable += 1
                with pytest.raises(nb.FormatError):
                    decoded(buffer)
                continue
            assert decoded(buffer) == data, case
            start = int(rng.integers(0, size))
            count = int(rng.integers(0, size - start + 1))
            assert decoded(buffer, start, count) == data[start : start + count], case
            seen[facts(buffer)] += 1
    assert 0 < unreadable < 300
    assert seen.total() > 700
    # The matrix has what it is for.
    of = [kind for kind in seen if not kind[3]]
    assert {kind[0] for kind in of} == {cname.replace("hc", "")}
    assert {(kind[2], kind[4]) for kind in of} >= {
        (split, short) for split in (True, False) for short in ("none", "item", "more")
    }
    assert any(kind[3] for kind in seen)


def test_blocks_of_several_threads_are_read(splits):
    for cname, split in itertools.product(COMPRESSORS, SPLITS.values()):
        splits(split)
        data = data_of(1_000_003, split)
        buffer = theirs(data, cname, 3, 1, 4, 8192, threads=4)
        assert decoded(buffer) == data
        assert decoded(buffer, 500_000, 1000) == data[500_000:501_000]


@pytest.mark.parametrize("codec", ["raw", "lz4", "lz4-9", "zlib", "zstd"])
@pytest.mark.parametrize("filter", FILTERS)
def test_what_is_written_is_read_by_c_blosc_and_c_blosc2(codec, filter):
    rng = np.random.default_rng(len(codec) + len(filter))
    codec, _, level = codec.partition("-")
    seen = collections.Counter()
    for typesize in range(1, 256):
        modes = [None, True, False]
        modes = modes if typesize <= 16 else [modes[rng.integers(0, 3)]]
        for split, (size, block) in itertools.product(modes, sizes(rng, typesize)):
            data = data_of(size, typesize)
            buffer = ours(data, codec, int(level or 1), filter, typesize, block or None, split)
            case = typesize, split, size, block
            assert by_c_blosc(buffer, size) == data, case
            assert by_c_blosc2(buffer, size) == data, case
            assert decoded(buffer) == data, case
            seen[facts(buffer)] += 1
    if codec != "raw":
        assert {kind[2] for kind in seen if not kind[3]} == {True, False}
        assert {kind[4] for kind in seen if not kind[3]} == {"none", "item", "more"}
    assert any(kind[3] for kind in seen)


def test_buffers_of_c_blosc2s_own_format_are_told_apart():
    data = data_of(1000, 1)
    room = ctypes.create_string_buffer(2000)
    length = C_BLOSC2.blosc2_compress(5, 1, 8, data, len(data), room, len(room))
    assert length > 0
    with pytest.raises(nb.UnsupportedError, match="Blosc2"):
        decoded(room.raw[:length])


@pytest.mark.parametrize(
    "codec",
    [
        "auto",
        "fastest",
        "fast",
        "brisk",
        "fastread",
        "light",
        "medium",
        "small",
        "lz4-9-bitshuffle",
        "zlib",
        "raw",
    ],
)
def test_the_chunks_of_frames_are_read_by_both(codec):
    rng = np.random.default_rng(4)
    for of in ("u1", "<f2", ">i4", "<f8", "c16", "S7", "V255", "V300", [("a", "u1"), ("b", "<f4")]):
        dtype = np.dtype(of)
        items = np.frombuffer(data_of(30_000 * dtype.itemsize, 5), f"V{dtype.itemsize}")
        array = items.view(dtype).reshape(300, 100)
        chunks = int(rng.integers(1, 300)), int(rng.integers(1, 100))
        data = nb.dumps(array, codec, chunks=chunks)
        if data[9] != 1:
            continue
        frame = nb.open(io.BytesIO(data))
        for chunk in frame.chunk_info():
            payload = data[chunk.offset : chunk.offset + chunk.nbytes - 4]
            size = int(np.prod(frame.chunks)) * array.dtype.itemsize
            whole = by_c_blosc(payload, size)
            assert whole == by_c_blosc2(payload, size) == decoded(payload)
            part = np.frombuffer(whole, f"V{array.dtype.itemsize}").reshape(frame.chunks)
            at = tuple(slice(i, i + n) for i, n in zip(chunk.start, chunk.shape, strict=True))
            cut = tuple(slice(n) for n in chunk.shape)
            assert part[cut].tobytes() == array[at].tobytes()
