"""`open`: parts of frames, and frames that grow."""

import errno
import io
import os
import random
import signal
import threading
import time

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPES, clean, layouts, quietly, same
from processes import python, start

ARRAY = np.arange(60_000, dtype="i4").reshape(300, 20, 10)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.ndb"


def keys(rng, shape):
    """Yield indexes of every kind that slices and integers make, some out of bounds."""
    steps = [None, 1, 2, 3, 50, -1, -2, -7]
    while True:
        key = []
        for n in shape[: rng.randrange(len(shape) + 1)]:
            edge = [None, *range(-n - 2, n + 3)]
            choice = rng.randrange(8)
            if choice < 2:
                key.append(rng.randrange(-n, n))
            elif choice == 2:
                key.append(np.int64(rng.randrange(-n - 1, n + 1)))
            else:
                key.append(slice(rng.choice(edge), rng.choice(edge), rng.choice(steps)))
        for extra in (Ellipsis, None):
            if rng.randrange(4) == 0:
                key.insert(rng.randrange(len(key) + 1), extra)
        yield tuple(key)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("chunks", [None, (70, 7, 10), (300, 1, 3)])
def test_an_index_gives_what_numpy_gives(path, order, chunks):
    array = np.asarray(ARRAY, order=order)
    nb.save(path, array, codec="fast", chunks=chunks)
    frame = nb.open(path)
    rng = random.Random(5)
    refused = 0
    for key, _ in zip(keys(rng, array.shape), range(1500), strict=False):
        try:
            wanted = array[key]
        except IndexError:
            refused += 1
            with pytest.raises(IndexError):
                frame[key]
            continue
        got = frame[key]
        assert type(got) is type(wanted), key
        assert same(np.asarray(got), np.asarray(wanted)), key
    assert 0 < refused < 800


def test_the_parts_of_every_dtype_and_layout(path):
    for dtype in DTYPES.values():
        for name, array in layouts(dtype):
            quietly(nb.save, path, array, codec="auto")
            wanted = clean(array)
            with quietly(nb.open, path) as frame:
                assert same(frame.read(), wanted), name
                assert (frame.shape, frame.dtype) == (wanted.shape, wanted.dtype)
                assert (frame.ndim, frame.size, frame.nbytes) == (
                    wanted.ndim,
                    wanted.size,
                    wanted.nbytes,
                )
                if array.ndim and array.shape[0] > 1:
                    assert same(np.asarray(frame[1:]), wanted[1:]), name
                    assert same(np.asarray(frame[::-2]), wanted[::-2]), name
            assert frame.closed


def test_a_frame_is_a_sequence_and_an_array(path):
    nb.save(path, ARRAY, codec="auto", chunks=(70, 20, 10))
    frame = nb.open(path)
    assert len(frame) == 300
    assert sum(1 for _ in frame) == 300
    assert all(np.array_equal(a, b) for a, b in zip(frame, ARRAY, strict=True))
    assert np.array_equal(np.asarray(frame), ARRAY)
    assert np.array(frame, dtype="f4").dtype == np.dtype("f4")
    assert np.add(frame, 1)[5, 6, 7] == ARRAY[5, 6, 7] + 1
    out = np.zeros((300, 20, 10), "i4", order="F")
    assert frame.read(out=out) is out
    assert np.array_equal(out, ARRAY)
    assert "int32, shape (300, 20, 10), chunks (70, 20, 10)" in repr(frame)
    assert frame.nbytes_stored == path.stat().st_size
    info = frame.chunk_info()
    assert [chunk.start for chunk in info] == [(i, 0, 0) for i in range(0, 300, 70)]
    assert info[-1].shape == (20, 20, 10)
    assert all("shuffle" in chunk.codec for chunk in info)
    assert sum(chunk.nbytes for chunk in info) < frame.nbytes_stored
    for key in ([1, 2], np.array([1, 2]), True, ARRAY > 3, "x", 1.0, (0, [1])):
        with pytest.raises(IndexError, match="integers, slices"):
            frame[key]
    # Before NumPy 2 False meant "if it can be", and the frame is not asked.
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        with pytest.raises(ValueError, match="copy"):
            np.array(frame, copy=False)
    frame.close()
    with pytest.raises(nb.ArgumentError, match="closed"):
        frame[0]
    assert "closed" in repr(frame)
    nb.save(path, np.float64(3), codec="auto")
    point = nb.open(path)
    assert isinstance(point[()], np.float64)
    assert point[...].shape == ()
    with pytest.raises(TypeError):
        len(point)


def test_only_the_chunks_that_are_needed_are_read(path):
    data = bytearray(nb.dumps(ARRAY, "fast", chunks=(100, 20, 10)))
    path.write_bytes(data)
    middle = nb.open(path).chunk_info()[1]
    data[middle.offset + 40] ^= 1
    path.write_bytes(data)
    frame = nb.open(path)
    assert np.array_equal(frame[:100], ARRAY[:100])
    assert np.array_equal(frame[200:], ARRAY[200:])
    assert np.array_equal(frame[5::250], ARRAY[5::250])
    with pytest.raises(nb.FormatError, match="CRC-32C") as caught:
        frame[99:101]
    assert str(path) in str(caught.value)


def test_open_goes_by_the_content(tmp_path):
    npy, npz, text = (tmp_path / name for name in ("a.npy", "a.npz", "a.txt"))
    np.save(npy, ARRAY)
    np.savez(npz, a=ARRAY)
    text.write_text("hello, world")
    mapped = nb.open(npy)
    assert isinstance(mapped, nb.memmap)
    assert mapped.mode == "r"
    with nb.open(npz) as archive:
        assert np.array_equal(archive["a"], ARRAY)
    with pytest.raises(nb.FormatError):
        nb.open(text)
    with pytest.raises(FileNotFoundError):
        nb.open(tmp_path / "nothing")
    with pytest.raises(ValueError, match="mode"):
        nb.open(npy, "a")
    with pytest.raises(ValueError, match="mode"):
        nb.Frame(npy, "w")
    buffer = io.BytesIO(nb.dumps(ARRAY, "auto"))
    assert np.array_equal(nb.open(buffer)[5], ARRAY[5])
    with pytest.raises(ValueError, match="path"):
        nb.open(buffer, "a")
    with pytest.raises(nb.LimitError):
        nb.open(io.BytesIO(nb.dumps(ARRAY, "auto")), max_bytes=1000)


def test_a_frame_grows(path):
    nb.save(path, ARRAY[:0], codec="auto")
    with nb.open(path, "a") as frame:
        for at in range(0, 300, 37):
            frame.append(ARRAY[at : at + 37])
            assert np.array_equal(frame[at:], ARRAY[at : at + 37])
        assert np.array_equal(frame.read(), ARRAY)
        with pytest.raises(nb.MismatchError):
            frame.append(ARRAY.astype("i8"))
        with pytest.raises(nb.MismatchError):
            frame.append(ARRAY[:, :5])
        with pytest.raises(nb.ArgumentError, match="pco"):
            frame.append(ARRAY, codec="pco")
    with pytest.raises(nb.ArgumentError, match="closed"):
        frame.append(ARRAY)
    with pytest.raises(nb.ArgumentError, match="mode 'a'"):
        nb.open(path).append(ARRAY)
    assert np.array_equal(nb.load(path), ARRAY)
    nb.save(path, np.asfortranarray(ARRAY), codec="auto")
    with nb.open(path, "a") as frame:
        frame.append(ARRAY[..., :3], durable=True)
        assert np.array_equal(frame.read(), np.concatenate([ARRAY, ARRAY[..., :3]], axis=2))
    assert os.listdir(path.parent) == [path.name]


FULL = """
import resource, signal, sys
import numpy as np
import ndbytes as nb
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frame = nb.open(sys.argv[1], "a")
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    frame.append(np.random.default_rng(1).integers(0, 1 << 30, 100_000, "i4"))
    print("no error")
except OSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize("beyond", [1, 100, 5000, 200_000])
def test_a_frame_over_quota_is_as_before(path, beyond):
    nb.save(path, np.arange(70_000, dtype="i4"), codec="zstd", chunks=(20_000,))
    before = path.read_bytes()
    assert python(FULL, path, len(before) + beyond).strip() == str(errno.EFBIG)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


GROW = """
import sys
import numpy as np
import ndbytes as nb
with nb.open(sys.argv[1], "a") as frame:
    while True:
        n = frame.shape[0]
        frame.append(np.arange(n, n + int(sys.argv[2]), dtype="i8"))
        print(n + int(sys.argv[2]), flush=True)
"""


@pytest.mark.parametrize("rows", [777, 50_000])
def test_what_was_appended_survives_a_kill(path, rows):
    nb.save(path, np.arange(3), codec="fast", chunks=(3,))
    rng = random.Random(rows)
    promised = 3
    for _ in range(12):
        child = start(GROW, path, rows, stdout=-1)
        promised = int(child.stdout.readline())
        time.sleep(rng.random() * 0.05)
        child.send_signal(signal.SIGKILL)
        lines = child.communicate()[0].split()
        promised = int(lines[-1]) if lines else promised
        array = nb.load(path)
        assert len(array) >= promised
        assert np.array_equal(array, np.arange(len(array)))
    with nb.open(path, "a") as frame:
        frame.append(np.arange(len(frame), len(frame) + 5))
        assert np.array_equal(frame.read(), np.arange(len(frame)))
    assert not path.with_name("a.ndb.journal").exists()


def test_readers_see_the_frame_before_or_after_and_nothing_else(path):
    nb.save(path, np.arange(1000), codec="fast", chunks=(1000,))
    stop = threading.Event()
    seen = []
    codes = set()

    def look():
        while not stop.is_set():
            try:
                array = nb.load(path)
            except nb.NdbytesError as error:
                # It was opened before an append, and read during it.
                codes.add(error.code)
                continue
            assert np.array_equal(array, np.arange(len(array)))
            seen.append(len(array))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        with nb.open(path, "a") as frame:
            for _ in range(150):
                frame.append(np.arange(len(frame), len(frame) + 333))
    finally:
        stop.set()
        reader.join(30)
    assert not reader.is_alive()
    damaged = {"frame.truncated", "frame.record", "frame.checksum", "frame.index"}
    # A chunk that has grown meanwhile is not as large as the header said.
    assert codes <= damaged | {"array.mismatch"}
    assert len(set(seen)) > 3
    assert np.array_equal(nb.load(path), np.arange(1000 + 150 * 333))
