"""Frames: every dtype and layout, over every medium; what is damaged is said to be."""

import importlib.util
import io
import random
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import forge
import ndbytes as nb
from arrays import DTYPES, EXTENDED, clean, layouts, quietly, same
from sockets import WAIT, running

CODECS = [
    "auto",
    "fastest",
    "fast",
    "fastread",
    "quickread",
    "smallread",
    "quick",
    "brisk",
    "light",
    "medium",
    "small",
    "smallestread",
    "smallest",
    "raw",
    "zstd-1-bitshuffle",
    "lz4-noshuffle",
]
ALL = {**DTYPES, **EXTENDED}


@pytest.mark.parametrize("dtype", ALL.values(), ids=list(ALL))
def test_every_dtype_and_layout_comes_back(dtype):
    for name, array in layouts(dtype):
        for codec in CODECS:
            again = quietly(nb.loads, quietly(nb.dumps, array, codec))
            assert same(again, clean(array)), (name, codec)
            assert again.flags.writeable
            assert again.flags.aligned


def test_numbers_go_by_pco_and_nothing_else():
    for dtype in ("u1", "i2", "<u4", "<i8", "<f2", "<f4", "<f8", "M8[s]", "?"):
        array = np.arange(1000).astype(dtype) if dtype != "?" else np.arange(1000) % 3 == 0
        assert same(nb.loads(nb.dumps(array, "pco")), array)
    for dtype in (">i4", "c16", "S3", [("a", "i4")]):
        with pytest.raises(nb.UnsupportedError, match="pco"):
            nb.dumps(np.zeros(3, dtype), "pco-2")


def samples():
    rng = np.random.default_rng(1)
    walk = rng.standard_normal(700_001).cumsum()
    return [
        walk,
        walk.astype("f4")[:600_000].reshape(600, 1000).T,
        rng.integers(0, 255, (800, 900, 3), "u1")[::-1, :, ::2],
        np.asfortranarray(walk[:700_000].reshape(700, 1000)),
        np.arange(1_000_000),
    ]


@pytest.mark.parametrize("codec", ["auto", "fast", "small", "pco", "zlib-1"])
def test_large_arrays_in_many_chunks_come_back(codec):
    for array in samples():
        data = nb.dumps(array, codec)
        assert same(nb.loads(data), clean(array))
        out = np.zeros(array.shape[::-1], array.dtype).T
        nb.load(io.BytesIO(data), out=out)
        assert np.array_equal(out, array)


def test_bytes_depend_on_array_and_codec_alone():
    for array in samples():
        data = nb.dumps(array, "auto")
        assert all(nb.dumps(array, "auto", threads=n) == data for n in (1, 2, 5))
        assert nb.dumps(array.copy(order="K"), "auto") == data


def test_chunks_are_the_callers():
    array = np.arange(100 * 100).reshape(100, 100)
    for chunks in ((100, 100), (7, 100), (10, 10), (1, 1), (1000, 1000)):
        assert same(nb.loads(nb.dumps(array, "zstd", chunks=chunks)), array)
    for chunks in ((0, 1), (10,), (1, 1, 1)):
        with pytest.raises(nb.FormatError):
            nb.dumps(array, "zstd", chunks=chunks)
    with pytest.raises(nb.ArgumentError, match="codec"):
        nb.dumps(array, chunks=(1, 1))


def test_a_codec_that_is_none_is_refused():
    for codec in ("gzip", "zstd-99", "", "zstd-shuffle-3"):
        with pytest.raises(nb.ArgumentError):
            nb.dumps(np.zeros(3), codec)


def test_files(tmp_path):
    for i, array in enumerate(samples()):
        path = tmp_path / f"{i}"
        nb.save(path, array, codec="auto")
        assert not path.exists()
        path = tmp_path / f"{i}.ndb"
        assert path.read_bytes() == nb.dumps(array, "auto")
        assert same(nb.load(path), clean(array))
        out = np.zeros(array.shape, array.dtype)
        assert nb.load(path, out=out) is out
        assert np.array_equal(out, array)
        with path.open("rb") as file:
            assert same(nb.load(file), clean(array))
            assert file.read() == b""


def test_a_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.ndb"
    nb.save(path, np.arange(3), codec="auto")
    before = path.read_bytes()
    with pytest.raises(nb.UnsupportedError):
        nb.save(path, np.array([None]), codec="auto")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_frames_and_npy_follow_one_another():
    arrays = [array for dtype in list(DTYPES.values())[::7] for _, array in layouts(dtype)][::3]
    rng = random.Random(3)
    codecs = [rng.choice([None, *CODECS]) for _ in arrays]
    left, right = socket.socketpair()
    right.settimeout(WAIT)

    def send():
        for array, codec in zip(arrays, codecs, strict=True):
            quietly(nb.send, left, array, codec)
        left.close()

    with right, running(send):
        for array in arrays:
            assert same(quietly(nb.recv, right), clean(array))
        with pytest.raises(nb.EndOfStreamError):
            nb.recv(right)
    file = io.BytesIO()
    for array, codec in zip(arrays, codecs, strict=True):
        quietly(nb.save, file, array, codec=codec)
    file.seek(0)
    for array in arrays:
        assert same(quietly(nb.load, file), clean(array))


def test_frames_come_over_a_connection():
    left, right = socket.socketpair()
    with nb.Connection(left) as one, nb.Connection(right, timeout=WAIT) as other:
        array = np.arange(100_000)
        with running(nb.send, left, array, "auto"):
            assert same(other.recv(), array)
        one.send(array[:3])
        assert same(other.recv(), array[:3])


def test_damage_anywhere_is_reported():
    array = np.arange(500.0).cumsum()
    data = nb.dumps(array, "auto", chunks=(200,))
    rng = random.Random(4)
    for _ in range(2000):
        bit = rng.randrange(len(data) * 8)
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        for read in (lambda: nb.loads(bytes(bad)), lambda: nb.load(io.BytesIO(bad))):  # noqa: B023
            with pytest.raises(nb.NdbytesError):
                read()
    for cut in range(1, len(data)):
        with pytest.raises(nb.NdbytesError):
            nb.loads(data[:cut])
        with pytest.raises(nb.TruncatedError):
            nb.load(io.BytesIO(data[:cut]))
    with pytest.raises(nb.NdbytesError):
        nb.loads(data + b"x")


def test_limits_come_first():
    data = nb.dumps(np.zeros(10_000_000), "auto")
    assert len(data) < 100_000
    with pytest.raises(nb.LimitError):
        nb.load(io.BytesIO(data), max_bytes=1 << 20)
    left, right = socket.socketpair()
    with left, right:
        left.sendall(data)
        with pytest.raises(nb.LimitError):
            nb.recv(right, max_bytes=1 << 20)


def test_noise_costs_next_to_nothing():
    noise = np.frombuffer(np.random.default_rng(5).bytes(8 << 20), "f8")
    for codec in ("auto", "fast", "small", "smallest"):
        assert len(nb.dumps(noise, codec)) <= noise.nbytes * 1.001


def test_what_is_chosen_is_explained():
    rng = np.random.default_rng(6)
    noise = np.frombuffer(rng.bytes(2 << 20), "u4")
    array = np.concatenate([noise, np.arange(len(noise), dtype="u4") // 9])
    told = nb.explain(array, "quick", chunks=(len(noise),))
    assert (told.family, told.chunks, told.sample) == ("blosc", (len(noise),), 0)
    first, second = told.choices
    assert (first.start, first.shape, first.codec) == ((0,), (len(noise),), "raw")
    assert second.codec != "raw"
    assert second.tried[second.codec] == min(second.tried.values()) < second.sample / 4
    assert "raw (of 32768 bytes: lz4-1-noshuffle" in str(told)
    assert (first.as_first, second.as_first) == (False, False)
    # The second is chosen for by itself, and so is one that is unlike the first.
    steps = rng.integers(0, 50, 40_000, dtype="u4").cumsum(dtype="u4")
    parts = [steps, steps + 7, steps + 9, np.zeros(40_000, "u4"), steps[::-1], noise[:40_000]]
    told = nb.explain(np.concatenate(parts), "quick", chunks=(40_000,))
    assert [choice.as_first for choice in told.choices] == [False, False, True, False, True, False]
    assert told.choices[2].codec == told.choices[0].codec
    assert told.choices[5].codec == "raw"
    assert f"{told.choices[2].codec}, as the first (of 16384 bytes: " in str(told)
    decimals = rng.integers(0, 10_000, 200_000) / 100
    told = nb.explain(decimals)
    assert told.family == "pco"
    assert told.tried["pco-6"] < told.tried["quick"] < told.sample
    assert told.choices[0].tried == {}
    # Where it is close, others are tried, and Blosc by the codec itself.
    steps = rng.integers(0, 2**16, 200_000, dtype="u4").cumsum(dtype="u4")
    assert [nb.explain(array, "small").tried.keys() for array in (decimals, steps)] == [
        {"quick", "pco-6"},
        {"small", "pco-6"},
    ]
    named = nb.explain(decimals, "lz4")
    assert {choice.codec for choice in named.choices} == {"lz4-1-shuffle"}
    assert nb.explain(np.zeros(0)).choices == []
    with pytest.raises(nb.ArgumentError):
        nb.explain(array, "none")
    with pytest.raises(nb.UnsupportedError):
        nb.explain(np.array([None]))


# The specification.

SPEC = Path(__file__).parents[2] / "docs" / "spec"


def vector(name):
    text = (SPEC / "frame.md").read_text()
    body = text.split(f"<!-- vector:{name} -->")[1].split("<!-- vector:end -->")[0]
    return bytes.fromhex("".join(body.replace("`", "").split()))


def test_the_vectors_of_the_specification_hold():
    array = np.arange(6, dtype="<u2").reshape(2, 3)
    assert same(nb.loads(vector("raw")), array)
    assert nb.dumps(array, "raw", chunks=(2, 2)) == vector("raw")
    assert same(nb.loads(vector("empty")), np.zeros(0, "<f8"))


def reference():
    """Return the reader that the specification comes with."""
    for package in ("lz4.block", "zstandard", "pcodec"):
        pytest.importorskip(package)
    spec = importlib.util.spec_from_file_location("decode", SPEC / "decode.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_specifications_reader_is_short():
    assert len((SPEC / "decode.py").read_text().splitlines()) < 200


@pytest.mark.parametrize("dtype", ALL.values(), ids=list(ALL))
def test_the_specifications_reader_gets_the_array(dtype):
    decode = reference().decode
    for name, array in layouts(dtype):
        for codec in CODECS:
            again = quietly(decode, quietly(nb.dumps, array, codec))
            if dtype in EXTENDED.values():
                again = again.view(dtype)
            assert same(again, clean(array)), (name, codec)


def test_the_specifications_reader_knows_every_codec_and_notices_damage(tmp_path):
    module = reference()
    array = np.arange(60 * 70, dtype="<i4").reshape(60, 70) // 7
    for codec in (*CODECS, "lz4-9", "lz4-2-bitshuffle", "zlib", "zstd-noshuffle", "pco"):
        for order in "CF":
            for chunks in (None, (60, 7), (31, 32), (1, 1)):
                data = nb.dumps(np.asarray(array, order=order), codec, chunks=chunks)
                assert np.array_equal(module.decode(data), array), (codec, order, chunks)
    for name in ("raw", "empty"):
        assert same(module.decode(vector(name)), nb.loads(vector(name)))
    nb.save(tmp_path / "a.ndb", array, codec="auto")
    command = [sys.executable, SPEC / "decode.py", tmp_path / "a.ndb", tmp_path / "a.npy"]
    subprocess.run(command, check=True, timeout=60)
    assert np.array_equal(np.load(tmp_path / "a.npy"), array)


def test_the_specifications_reader_notices_any_bit_and_any_cut():
    decode = reference().decode
    array = np.arange(60, dtype="<u2").reshape(20, 3) // 7
    for codec in ("raw", "zstd", "lz4-noshuffle", "zlib-1-bitshuffle", "pco"):
        data = nb.dumps(array, codec, chunks=(12, 3))
        assert np.array_equal(decode(data), array)
        for bit in range(len(data) * 8):
            bad = bytearray(data)
            bad[bit // 8] ^= 1 << bit % 8
            with pytest.raises((ValueError, SyntaxError, struct.error)):
                decode(bytes(bad))
        for cut in range(len(data)):
            with pytest.raises((ValueError, SyntaxError, struct.error)):
                decode(data[:cut])
        with pytest.raises((ValueError, struct.error)):
            decode(data + b"x")


def test_the_specifications_reader_refuses_what_contradicts_itself():
    decode = reference().decode
    told = (ValueError, struct.error, sys.modules["zstandard"].ZstdError)
    data = nb.dumps(np.arange(3000, dtype="<u4") // 7, "zstd", chunks=(3000,))
    (chunk,) = nb.open(io.BytesIO(data)).chunk_info()
    at, length = chunk.offset, chunk.nbytes
    head, payload = data[: at - 8], data[at : at + length - 4]
    assert forge.frame(head, [payload]) == data
    for place, value in ((3, 0), (8, 0), (4, 0), (4, 12_001), (12, 0), (0, 5), (2, 2)):
        bad = bytearray(payload)
        size = 4 if place >= 4 else 1
        bad[place : place + size] = value.to_bytes(size, "little")
        with pytest.raises(told):
            decode(forge.frame(head, [bytes(bad)]))
    last = 2**64 - 1
    for places in ([(at, 5)], [(at + 1, length - 1)], [(last, last)], [], [(at, length)] * 2):
        with pytest.raises(told):
            decode(forge.frame(head, [payload], places))


GOLDEN = Path(__file__).parents[2] / "testdata" / "golden" / "frame1"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.ndb")), ids=lambda path: path.stem)
def test_frames_once_written_stay_readable(path):
    array = np.load(path.with_suffix(".npy"))
    assert same(nb.load(path), array)
    assert reference().decode(path.read_bytes()).tobytes() == array.tobytes()
    with path.open("rb") as file:
        assert same(nb.load(file), array)


def test_there_are_golden_frames():
    assert len(list(GOLDEN.glob("*.ndb"))) >= 8
