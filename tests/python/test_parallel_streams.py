"""Streams made and read on several threads: the same bytes, which stock tools read."""

import contextlib
import gzip
import os
import shutil
import signal
import subprocess
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ndbytes as nb

BLOCK = 512 << 10
LEVELS = {
    "zlib": range(10),
    "gzip": range(10),
    "deflate": range(10),
    "zstd": [1, 3, 5, 6, 9, 12],
    "lz4": [1],
}
every_codec = pytest.mark.parametrize("codec", LEVELS)


def some(size):
    """Give numbers, text and noise, some of each."""
    rng = np.random.default_rng(size)
    numbers = (rng.standard_normal(70_000).cumsum() * 100).round().tobytes()
    text = b" ".join(rng.choice([b"rows", b"of", b"words,", b"again\n"], 60_000))
    parts = numbers + text + rng.integers(0, 256, 300_000, "u1").tobytes()
    return (parts * (size // len(parts) + 1))[:size]


def stock(stream, codec):
    """Decompress by other tools than ours."""
    program = {"gzip": "gzip", "zstd": "zstd", "lz4": "lz4"}.get(codec)
    if program and shutil.which(program):
        done = subprocess.run(
            [program, "-dc"], input=stream, capture_output=True, check=True, timeout=60
        )
        return done.stdout
    if codec == "zstd":
        # One shot: it takes the first frame for all, and must be told how much comes out of it.
        return pytest.importorskip("zstandard").ZstdDecompressor().decompress(stream)
    if codec == "lz4":
        return pytest.importorskip("lz4.frame").decompress(stream)
    return python(stream, codec)


def python(stream, codec):
    """Decompress by the standard library, all of one stream."""
    decoder = zlib.decompressobj({"zlib": 15, "gzip": 31, "deflate": -15}[codec])
    data = decoder.decompress(stream) + decoder.flush()
    assert decoder.eof
    assert not decoder.unused_data
    return data


@every_codec
def test_stock_tools_read_every_level_and_threads_make_no_difference(codec):
    data = some(3 * BLOCK + 12_345)
    for level in LEVELS[codec]:
        stream = nb.compress(data, codec, level, threads=1)
        for threads in (2, 3, 4, None):
            assert nb.compress(data, codec, level, threads=threads) == stream
        assert stock(stream, codec) == data
        if codec in ("zlib", "gzip", "deflate"):
            assert python(stream, codec) == data
        for threads in (1, 2, 3, None):
            assert nb.decompress(stream, codec, threads=threads) == data


@every_codec
def test_every_size_around_a_block_is_read(codec):
    block = 2 * BLOCK if codec == "lz4" else BLOCK
    data = some(2 * block + 1)
    for size in (0, 1, 2, 1000, block - 1, block, block + 1, 2 * block, 2 * block + 1):
        stream = nb.compress(data[:size], codec, 1)
        assert stock(stream, codec) == data[:size]
        assert nb.decompress(stream, codec) == data[:size]
        assert stream == nb.compress(data[:size], codec, 1, threads=1)


@every_codec
def test_arrays_of_any_layout_are_read(codec):
    a = np.random.default_rng(2).standard_normal((700, 300)).cumsum(0).round(1)
    turned = np.asfortranarray(a)
    for array in (a, a.T, a[::-1, ::2], turned, a.astype(">f4"), a > 0, a[:0], a[3, 4]):
        stream = nb.compress(array, codec)
        assert stock(stream, codec) == array.tobytes()
        assert stream == nb.compress(array, codec, threads=3)


def test_the_highest_levels_of_zstd_are_read():
    data = some(2 * BLOCK + 5)
    for level in (15, 19):
        stream = nb.compress(data, "zstd", level)
        assert stock(stream, "zstd") == data
        assert stream == nb.compress(data, "zstd", level, threads=1)


def test_zstd_is_one_frame_that_says_its_size():
    zstandard = pytest.importorskip("zstandard")
    # Of two frames, who asks for all in one go gets the first: half of the data, and no error.
    two = nb.compress(b"one", "zstd") + nb.compress(b"two", "zstd")
    assert nb.decompress(two, "zstd") == b"onetwo"
    assert zstandard.ZstdDecompressor().decompress(two) == b"one"
    for size in (0, 5, BLOCK, BLOCK + 1, 9_000_000):
        data = some(size)
        stream = nb.compress(data, "zstd", 1, threads=4)
        facts = zstandard.get_frame_parameters(stream)
        assert facts.content_size == size
        assert facts.has_checksum
        assert zstandard.ZstdDecompressor().decompress(stream) == data


def test_gzip_is_one_member_without_fields():
    stream = nb.compress(some(3 * BLOCK), "gzip", threads=4)
    assert stream[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    # Reads one member alone.
    assert zlib.decompressobj(31).decompress(stream) == some(3 * BLOCK)
    assert gzip.decompress(stream) == some(3 * BLOCK)


@pytest.mark.parametrize("codec", ["zlib", "gzip", "deflate"])
def test_streams_of_others_are_read_on_any_number_of_threads(codec):
    bits = {"zlib": 15, "gzip": 31, "deflate": -15}[codec]
    data = some(2_500_000)
    for flush in (None, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH):
        encoder = zlib.compressobj(6, zlib.DEFLATED, bits)
        stream = b""
        for start in range(0, len(data), 131_072):
            stream += encoder.compress(data[start : start + 131_072])
            stream += b"" if flush is None else encoder.flush(flush)
        stream += encoder.flush()
        for threads in (1, 2, 4):
            assert nb.decompress(stream, codec, threads=threads) == data
            for wrong, code in [(stream[:-1], "truncated"), (stream + b"x", "trailing")]:
                with pytest.raises(nb.NdbytesError) as caught:
                    nb.decompress(wrong, codec, threads=threads)
                assert caught.value.code == f"codec.{code}"


def test_streams_of_pigz_are_read():
    pigz = shutil.which("pigz")
    if pigz is None:
        pytest.skip("there is no pigz")
    data = some(3_000_000)
    for options in (["-p2"], ["-p2", "-i"], ["-p2", "-z"], ["-p2", "-z", "-i"]):
        done = subprocess.run([pigz, *options, "-c"], input=data, capture_output=True, check=True)
        codec = "zlib" if "-z" in options else "gzip"
        assert nb.decompress(done.stdout, codec) == data


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 400_000), max_size=5),
    codec=st.sampled_from(sorted(LEVELS)),
    level=st.integers(1, 9),
    threads=st.integers(1, 4),
)
def test_any_bytes_come_back(sizes, codec, level, threads):
    data = b"".join(some(size) for size in sizes)
    level = min(level, max(LEVELS[codec]))
    stream = nb.compress(data, codec, level, threads=threads)
    assert stream == nb.compress(data, codec, level, threads=1)
    assert nb.decompress(stream, codec, threads=threads) == data


def threads_of_the_process():
    return len(os.listdir("/proc/self/task"))


@contextlib.contextmanager
def interrupted(after):
    """Raise KeyboardInterrupt here when `after` seconds have gone."""

    def handler(*_):
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="threads are counted there")
@pytest.mark.parametrize(
    ("codec", "level", "threads"),
    [("zlib", 9, 1), ("zlib", 9, 3), ("gzip", 6, 2), ("zstd", 12, 2), ("lz4", 1, 2)],
)
def test_compressing_can_be_interrupted(codec, level, threads):
    noise = np.random.default_rng(1).integers(0, 50, 4_000_000, "u1")
    data = np.broadcast_to(noise, (1000, *noise.shape))  # 4 GB, which take 4 MB
    before = threads_of_the_process()
    start = time.monotonic()
    with interrupted(0.3), pytest.raises(KeyboardInterrupt):
        nb.compress(data, codec, level, threads=threads)
    assert time.monotonic() - start < 20
    # Who has waited for a thread may find it there for a moment still.
    end = time.monotonic() + 10
    while threads_of_the_process() > before and time.monotonic() < end:
        time.sleep(0.001)
    assert threads_of_the_process() == before


def test_wrong_numbers_of_threads_are_refused():
    for wrong in (-1, 1.5, "two"):
        for call in (nb.compress, nb.decompress):
            with pytest.raises((TypeError, ValueError, OverflowError)):
                call(b"", threads=wrong)
    assert zlib.decompress(nb.compress(b"x", threads=0)) == b"x"
    assert zlib.decompress(nb.compress(b"x", threads=10**6)) == b"x"
