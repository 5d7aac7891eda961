"""Blosc buffers of ours in numcodecs' c-blosc, and theirs in ours; tests/readers has more of it."""

import itertools
import struct

import numpy as np
import pytest

import ndbytes as nb
from ndbytes import _native

numcodecs_blosc = pytest.importorskip("numcodecs.blosc")

CAP = 1 << 24
FILTERS = {"none": 0, "shuffle": 1, "bitshuffle": 2}
SIZES = (0, 1, 7, 127, 128, 129, 1000, 4097, 65_536, 600_001)
TYPESIZES = (1, 2, 3, 4, 7, 8, 12, 16, 17, 24, 255)


def data_of(size, seed=0):
    """Return bytes of which some planes compress and some do not, and a part is noise."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 1000, size // 8 + 1).cumsum()
    data = bytearray(steps.astype("<i8").tobytes()[:size])
    data[size // 3 : size // 2] = rng.bytes(size // 2 - size // 3)
    data[size * 3 // 4 :] = bytes(size - size * 3 // 4)
    return bytes(data)


def encode(data, codec="zstd", level=1, filter="shuffle", typesize=8, block=None, split=None):
    """Encode by ndbytes."""
    return _native.blosc_encode(data, codec, level, filter, typesize, block, split)


def decode(buffer, start=None, count=0):
    """Decode by ndbytes."""
    return _native.blosc_decode(buffer, CAP, start, count)


@pytest.mark.parametrize("cname", ["blosclz", "lz4", "lz4hc", "zlib", "zstd"])
@pytest.mark.parametrize("shuffle", FILTERS.values(), ids=FILTERS)
def test_buffers_of_c_blosc_are_read(cname, shuffle):
    rng = np.random.default_rng(2)
    for typesize, size in itertools.product(TYPESIZES, SIZES):
        data = data_of(size, typesize)
        for level in (0, 1, 5, 9) if size < 5000 else (5,):
            for block in (0, 1000, 65_536):
                items = np.frombuffer(data, "u1")
                if size and size % typesize == 0:
                    items = np.frombuffer(data, f"V{typesize}")
                elif typesize > 1 and block == 0:
                    continue
                buffer = numcodecs_blosc.compress(items, cname.encode(), level, shuffle, block)
                assert decode(buffer) == data, (typesize, size, level, block)
        start = int(rng.integers(0, size + 1))
        count = int(rng.integers(0, size - start + 1))
        assert decode(buffer, start, count) == data[start : start + count]


@pytest.mark.parametrize("codec", ["raw", "lz4", "zlib", "zstd"])
@pytest.mark.parametrize("filter", FILTERS)
def test_ours_are_read_by_c_blosc(codec, filter):
    for typesize, size in itertools.product(TYPESIZES, SIZES):
        data = data_of(size, typesize)
        for level in (1, 9) if size < 5000 else (1,):
            for block, split in ((None, None), (1000, True), (4096 * typesize, False)):
                buffer = encode(data, codec, level, filter, typesize, block, split)
                assert len(buffer) <= size + 16
                assert decode(buffer) == data
                # Their bindings refuse buffers of no bytes, also their own.
                if size:
                    assert bytes(numcodecs_blosc.decompress(buffer)) == data, (
                        typesize,
                        size,
                        level,
                        block,
                    )


def test_only_the_blocks_of_a_range_are_looked_at():
    data = data_of(1_000_000)
    buffer = bytearray(encode(data, block=100_000))
    starts = struct.unpack_from("<10I", buffer, 16)
    buffer[starts[5] + 10 : starts[6]] = bytes(starts[6] - starts[5] - 10)
    assert decode(buffer, 0, 500_000) == data[:500_000]
    assert decode(buffer, 600_000, 400_000) == data[600_000:]
    with pytest.raises(nb.FormatError):
        decode(buffer, 499_999, 2)


def test_what_cannot_be_encoded_is_refused():
    for codec, level in [("zstd", 0), ("zstd", 20), ("zlib", 10)]:
        with pytest.raises(nb.ArgumentError, match=codec):
            encode(b"x" * 1000, codec, level)
    with pytest.raises(nb.ArgumentError):
        encode(b"x" * 1000, typesize=0)


def test_the_cap_comes_before_memory():
    buffer = bytearray(encode(bytes(1000)))
    buffer[4:12] = struct.pack("<II", 2**31 - 17, 2**31 - 17)
    with pytest.raises(nb.LimitError):
        decode(buffer)
    with pytest.raises(nb.LimitError):
        decode(buffer, 0, 10)
