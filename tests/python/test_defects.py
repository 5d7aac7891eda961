"""Defects of NumPy, each shown first, and the same call to ndbytes, which does it right."""

import bz2
import errno
import gzip
import io
import lzma
import os
import pathlib
import socket
import subprocess
import threading
import types
import zipfile

import numpy as np
import pytest

import ndbytes as nb
from arrays import clean, same
from processes import python, start

FULL = pathlib.Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


def mended(what):
    """Skip the half of a test that shows what this NumPy no longer does."""
    pytest.skip(f"NumPy {np.__version__} has mended it: {what}")


def folder(path):
    return sorted(p.name for p in path.iterdir())


# D1: a full disk is reported.


@needs_full
def test_d1_numpy_reports_success_on_a_full_device():
    file = open(FULL, "wb", buffering=0)
    try:
        np.zeros(10).tofile(FULL)
        np.zeros(10).tofile(file)
    except OSError:
        mended("a full device is an error")
    finally:
        file.close()


@needs_full
@pytest.mark.parametrize("size", [1, 10, 100_000])
def test_d1_a_full_device_is_an_error(size):
    array = np.zeros(size)
    calls = [
        lambda f: nb.save(f, array),
        lambda f: nb.tofile(array, f),
        lambda f: nb.savez(f, array),
        lambda f: nb.savez_compressed(f, array),
        lambda f: nb.format.write_array(f, array),
    ]
    for number, call in enumerate(calls):
        for buffering in (0, -1):
            file = open(FULL, "wb", buffering=buffering)
            with pytest.raises(OSError) as caught:
                call(file)
            assert caught.value.errno == errno.ENOSPC, number
            try:
                file.close()
            except OSError:
                # What is still in Python's buffer can be written as little as before.
                file.raw.close()
    with pytest.raises(nb.NdbytesOSError) as caught:
        nb.tofile(array, FULL)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.code == "io"
    assert caught.value.filename == str(FULL)


LIMITED = """
import os, resource, signal, sys
import numpy as np
import ndbytes as nb
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, limit, call = sys.argv[1], int(sys.argv[2]), sys.argv[3]
array = np.arange(int(sys.argv[4]), dtype="f8")
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    eval(call)
    print("no error")
except OSError as error:
    print(error.errno)
"""


def limited(path, call, limit, size):
    """Run `call` in a process whose files may have `limit` bytes."""
    return python(LIMITED, path, limit, call, size).strip()


def test_d1_numpy_loses_the_end_of_a_file_over_quota(tmp_path):
    path = tmp_path / "a.npy"
    for call in ("np.save(path, array)", "array.tofile(path)"):
        if limited(path, call, 1000, 300) != "no error":
            mended("a file over its quota is an error")
        assert path.stat().st_size < 300 * 8


CALLS = {
    "save": "nb.save(path, array)",
    "tofile": "nb.tofile(array, path)",
    "savez": "nb.savez(path, array)",
    "savez_compressed": "nb.savez_compressed(path, array, level=0)",
    "open_memmap": "nb.open_memmap(path, 'w+', array.dtype, array.shape)",
    "memmap": "nb.memmap(path, array.dtype, 'w+', shape=array.shape)",
}


@pytest.mark.parametrize("size", [300, 100_000])
@pytest.mark.parametrize("call", list(CALLS))
def test_d1_a_file_over_quota_is_an_error_and_the_old_one_stays(tmp_path, call, size):
    suffix = ".npz" if "savez" in call else ".npy"
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    assert limited(path, CALLS[call], size * 8 - 100, size) == str(errno.EFBIG)
    assert path.read_bytes() == b"old"
    assert folder(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "write",
    [
        "f.write(nb.dumps(array)); f.flush()",
        "nb.save(f, array)",
        "nb.tofile(array, f)",
        "nb.savez(f, array)",
    ],
)
def test_d1_an_open_file_over_quota_is_an_error_at_once(tmp_path, write):
    call = f"(f := open(path, 'wb'), exec({write!r}))"
    assert limited(tmp_path / "a", call, 1000, 300) == str(errno.EFBIG)


def test_d1_a_full_disk_is_an_error_and_the_old_file_stays(full_disk):
    array = np.arange(200_000, dtype="f8")
    calls = {
        "a.npy": lambda p: nb.save(p, array),
        "a.raw": lambda p: nb.tofile(array, p),
        "a.npz": lambda p: nb.savez(p, array),
        "b.npz": lambda p: nb.savez_compressed(p, array, level=0),
        "b.npy": lambda p: nb.open_memmap(p, "w+", "f8", 200_000),
        "b.raw": lambda p: nb.memmap(p, "f8", "w+", shape=200_000),
    }
    for name, call in calls.items():
        path = full_disk / name
        path.write_bytes(b"old")
        with pytest.raises(OSError) as caught:
            call(path)
        assert caught.value.errno == errno.ENOSPC, name
        assert isinstance(caught.value, nb.NdbytesError)
        assert path.read_bytes() == b"old", name
    assert folder(full_disk) == sorted(calls)
    # What fits is still written.
    nb.save(full_disk / "a.npy", array[:1000])
    assert np.array_equal(np.load(full_disk / "a.npy"), array[:1000])


# D2: loading never truncates.


def test_d2_numpy_truncates_the_file_that_it_should_load(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(10))
    with pytest.raises((TypeError, ValueError)):
        np.load(path, mmap_mode="w+")
    if path.stat().st_size:
        mended("the file is left as it is")


def test_d2_loading_as_w_plus_is_refused_and_the_file_stays(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(10))
    before = path.read_bytes()
    for mode in ("w+", "write", "w", "x", ""):
        with pytest.raises(ValueError, match="mmap_mode"):
            nb.load(path, mmap_mode=mode)
    assert path.read_bytes() == before
    nb.savez(tmp_path / "a.npz", np.arange(10))
    before = (tmp_path / "a.npz").read_bytes()
    with pytest.raises(ValueError, match="mmap_mode"):
        nb.load(tmp_path / "a.npz", mmap_mode="w+")
    assert (tmp_path / "a.npz").read_bytes() == before


# D3: a truncated file is no full array.


def test_d3_numpy_extends_a_truncated_file_with_zeros(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones(1000))
    os.truncate(path, 4000)
    try:
        loaded = np.load(path, mmap_mode="r+")
    except ValueError:
        mended("a truncated file is an error")
    assert loaded.shape == (1000,)
    assert loaded[-1] == 0
    assert path.stat().st_size > 4000


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_d3_mapping_a_truncated_file_is_an_error_and_the_file_stays(tmp_path, mode):
    path = tmp_path / "a.npy"
    np.save(path, np.ones(1000))
    os.truncate(path, 4000)
    before = path.read_bytes()
    calls = [
        lambda: nb.load(path, mmap_mode=mode),
        lambda: nb.open_memmap(path, mode),
        lambda: nb.memmap(path, "f8", mode, shape=1000),
        lambda: nb.memmap(path, "f8", mode, offset=128, shape=(10, 100), order="F"),
    ]
    for call in calls:
        with pytest.raises(nb.TruncatedError, match="4000") as caught:
            call()
        assert caught.value.code == "data.truncated"
        assert caught.value.offset == 4000
    assert path.read_bytes() == before
    with pytest.raises(nb.TruncatedError):
        nb.load(path)


# D4: what cannot be saved destroys nothing.

OBJECTS = np.array([{}, None], object)
MASKED = np.ma.masked_array([1, 2], [True, False])


def test_d4_numpy_leaves_a_stub_where_the_file_was(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(1000))
    with pytest.raises(ValueError, match="Object arrays"):
        np.save(path, OBJECTS, allow_pickle=False)
    if path.stat().st_size > 1000:
        mended("the old file stays")
    assert path.stat().st_size <= 128


@pytest.mark.parametrize(
    "call",
    [
        lambda p: nb.save(p, OBJECTS),
        lambda p: nb.save(p, MASKED),
        lambda p: nb.save(p, np.array([(1, None)], [("a", "i4"), ("b", "O")])),
        lambda p: nb.savez(p, good=np.arange(9), bad=OBJECTS),
        lambda p: nb.savez_compressed(p, np.arange(9), MASKED),
        lambda p: nb.savez(p, np.arange(9), arr_0=np.arange(3)),
        lambda p: nb.savez_compressed(p, np.arange(9), level=11),
        lambda p: nb.tofile(OBJECTS, p),
        lambda p: nb.open_memmap(p, "w+", "O", 3),
        lambda p: nb.memmap(p, "O", "w+", shape=3),
    ],
)
def test_d4_a_refused_array_leaves_the_old_file(tmp_path, call):
    for suffix in ("npy", "npz"):
        (tmp_path / f"a.{suffix}").write_bytes(b"old")
        for given in (tmp_path / f"a.{suffix}", io.BytesIO(b"old")):
            if isinstance(given, io.BytesIO):
                given.seek(0, 2)
            # A map has other objections to BytesIO.
            memory = isinstance(given, io.BytesIO)
            with pytest.raises((ValueError, AttributeError, OSError) if memory else ValueError):
                call(given)
            if memory:
                assert given.getvalue() == b"old"
    assert folder(tmp_path) == ["a.npy", "a.npz"]
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {b"old"}


class Explodes:
    """An array-like that fails when it is asked for its elements."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no elements")


def test_d4_an_archive_that_fails_midway_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(5))
    before = path.read_bytes()
    for savez in (nb.savez, nb.savez_compressed):
        with pytest.raises(RuntimeError, match="no elements"):
            savez(path, x=np.zeros(1000), y=Explodes())
        with pytest.raises(nb.UnsupportedError):
            savez(path, x=np.zeros(1000), y=OBJECTS)
    assert path.read_bytes() == before
    assert folder(tmp_path) == ["a.npz"]


# D5: compressed files get and give array bytes.

OPENERS = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}


def test_d5_numpy_reads_compressed_bytes_as_numbers(tmp_path):
    path = tmp_path / "a.gz"
    with gzip.open(path, "wb") as file:
        file.write(np.arange(1000.0).tobytes())
    try:
        with gzip.open(path, "rb") as file:
            numbers = np.fromfile(file, count=4)
    except (OSError, TypeError, ValueError):
        mended("gzip handles are refused")
    assert not np.array_equal(numbers, np.arange(4.0))


@pytest.mark.parametrize("suffix", list(OPENERS))
def test_d5_compressed_handles_carry_arrays_both_ways(tmp_path, suffix):
    opener, path = OPENERS[suffix], tmp_path / f"a.{suffix}"
    arrays = [np.arange(1000.0), np.arange(12).reshape(3, 4)[:, ::2], np.array(3), np.zeros((0, 2))]
    with opener(path, "wb") as file:
        for array in arrays:
            nb.save(file, array)
            nb.tofile(array, file)
    with opener(path, "rb") as file:
        for array in arrays:
            assert same(nb.load(file), array)
            assert same(nb.fromfile(file, array.dtype, shape=array.shape), array)
        assert file.read() == b""
    with opener(path, "rb") as file:
        assert same(np.load(file), arrays[0])
    with opener(path, "wb") as file:
        nb.tofile(np.arange(1000.0), file)
    with opener(path, "rb") as file:
        assert file.read() == np.arange(1000.0).tobytes()
    with opener(path, "rb") as file:
        assert same(nb.fromfile(file, offset=80), np.arange(10.0, 1000.0))
    with opener(path, "wb") as file:
        nb.savez(file, x=arrays[0], y=arrays[1])
    with opener(path, "rb") as file, nb.load(file) as archive:
        assert same(archive["x"], arrays[0])
        assert same(archive["y"], arrays[1])


# D6: pipes and sockets.

COPY = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data)"


def pipe_through(write):
    """Return what arrives when `write` is given the standard input of another process."""
    with start(COPY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            write(process.stdin)
            return process.communicate(timeout=60)[0]
        except BaseException:
            process.kill()
            process.communicate()
            raise


def test_d6_numpy_cannot_save_into_a_pipe():
    try:
        pipe_through(lambda file: np.save(file, np.arange(3)))
    except OSError:
        return
    mended("pipes are written")


def test_d6_save_tofile_and_archives_go_into_a_pipe():
    array = np.arange(100_000.0).reshape(100, 1000)[:, ::3]
    assert pipe_through(lambda file: nb.save(file, array)) == nb.dumps(array)
    assert pipe_through(lambda file: nb.tofile(array, file)) == array.tobytes()
    for savez in (nb.savez, nb.savez_compressed):
        data = pipe_through(lambda file: savez(file, array, b=array[0]))
        with np.load(io.BytesIO(data)) as archive:
            assert same(archive["arr_0"], clean(array))
            assert same(archive["b"], array[0])
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


def test_d6_load_and_fromfile_read_from_a_pipe():
    code = """
import sys
import numpy as np
import ndbytes as nb
out = sys.stdout.buffer
nb.save(out, np.arange(50000).reshape(50, 1000))
nb.tofile(np.arange(1000.0), out)
nb.save(out, np.float32(2.5))
"""
    with start(code, stdout=subprocess.PIPE) as process:
        assert same(nb.load(process.stdout), np.arange(50000).reshape(50, 1000))
        assert same(nb.fromfile(process.stdout, count=1000), np.arange(1000.0))
        assert same(nb.format.read_array(process.stdout), np.array(2.5, "f4"))
        with pytest.raises(EOFError):
            nb.load(process.stdout)
        assert process.wait(60) == 0


def test_d6_numpy_cannot_read_from_a_buffered_socket_file():
    left, right = socket.socketpair()
    with left, right, right.makefile("rb") as file:
        left.sendall(nb.dumps(np.arange(3)))
        try:
            np.lib.format.read_array(file)
        except (OSError, ValueError):
            return
        mended("socket files are read")


@pytest.mark.parametrize("buffering", [0, None])
def test_d6_socket_files_carry_arrays(buffering):
    array = np.arange(300_000.0).reshape(300, 1000)
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(30)
        right.settimeout(30)

        def write():
            with left.makefile("wb", buffering=buffering) as file:
                nb.save(file, array)
                nb.save(file, array[:, ::2])
            left.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=write)
        thread.start()
        with right.makefile("rb", buffering=buffering) as file:
            assert same(nb.load(file), array)
            assert same(nb.format.read_array(file), clean(array[:, ::2]))
            with pytest.raises(EOFError):
                nb.load(file)
        thread.join(30)
        assert not thread.is_alive()


def test_d6_numpy_loses_what_a_short_write_left():
    """A raw socket file with a timeout takes what fits; NumPy goes on with the next piece."""
    array = np.zeros(1 << 20)
    taken = []

    def write(data):
        taken.append(min(len(data), 1000))
        return taken[-1]

    np.lib.format.write_array(types.SimpleNamespace(write=write), array, allow_pickle=False)
    if sum(taken) >= array.nbytes:
        mended("short writes are repeated")


def test_d6_short_writes_are_repeated():
    array = np.arange(100_000)
    sink = io.BytesIO()
    short = types.SimpleNamespace(write=lambda data: sink.write(data[:1000]))
    nb.save(short, array)
    assert sink.getvalue() == nb.dumps(array)


def test_d6_a_raw_socket_file_with_a_timeout_loses_nothing():
    array = np.arange(200_000.0)
    left, right = socket.socketpair()
    with left, right:
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        left.settimeout(30)
        right.settimeout(30)
        with left.makefile("wb", buffering=0) as file:
            thread = threading.Thread(target=nb.save, args=(file, array))
            thread.start()
            assert same(nb.recv(right), array)
            thread.join(30)
            assert not thread.is_alive()


def test_d6_os_pipes_carry_arrays_with_any_buffering():
    array = np.arange(100_000).reshape(1000, 100).T
    for buffering in (0, -1):
        read, write = os.pipe()
        with open(read, "rb", buffering) as source, open(write, "wb", buffering) as sink:
            thread = threading.Thread(target=lambda: (nb.save(sink, array), nb.save(sink, 5)))
            thread.start()
            loaded = nb.load(source)
            assert same(loaded, array)
            assert loaded.flags.f_contiguous
            assert nb.load(source) == 5
            thread.join(30)
            assert not thread.is_alive()


# D7: masks are not dropped.


def test_d7_numpy_drops_the_mask():
    sink = io.BytesIO()
    try:
        np.savez(sink, x=MASKED)
    except (NotImplementedError, ValueError):
        mended("masked arrays are refused")
    sink.seek(0)
    with np.load(sink) as archive:
        assert not isinstance(archive["x"], np.ma.MaskedArray)


@pytest.mark.parametrize(
    "call",
    [
        nb.dumps,
        nb.tobytes,
        lambda a: nb.save(io.BytesIO(), a),
        lambda a: nb.savez(io.BytesIO(), x=a),
        lambda a: nb.savez_compressed(io.BytesIO(), a),
        lambda a: nb.tofile(a, io.BytesIO()),
        lambda a: nb.send(types.SimpleNamespace(write=None), a),
        nb.compress,
    ],
)
def test_d7_masked_arrays_are_refused_with_the_way_out(call):
    with pytest.raises(nb.UnsupportedError, match=r"a\.mask") as caught:
        call(MASKED)
    assert "a.filled()" in str(caught.value)


# D8: no byte leaves that is no element.

SECRET = b"\xa5"


def padded():
    """Return an array of an aligned struct whose padding holds a secret."""
    dtype = np.dtype([("a", "u1"), ("b", "f8"), ("c", "u2")], align=True)
    array = np.ndarray(50, dtype, bytearray(SECRET * 50 * dtype.itemsize))
    array["a"], array["b"], array["c"] = 1, 2.0, 3
    return array


def selected():
    """Return an array of which one field is selected; the other holds a secret."""
    dtype = np.dtype([("a", "u1"), ("b", "S16")])
    array = np.ndarray(50, dtype, bytearray(SECRET * 50 * dtype.itemsize))
    array["a"] = 1
    return array[["a"]]


def writers(tmp_path):
    """Yield for every way out the bytes that left."""

    def into(call):
        sink = io.BytesIO()
        call(sink)
        return sink.getvalue()

    def path(name, call):
        call(tmp_path / name)
        return (tmp_path / name).read_bytes()

    yield nb.dumps
    yield nb.tobytes
    yield lambda a: into(lambda f: nb.save(f, a))
    yield lambda a: into(lambda f: nb.tofile(a, f))
    yield lambda a: into(lambda f: nb.savez(f, a))
    yield lambda a: into(lambda f: nb.savez_compressed(f, a, level=0))
    yield lambda a: into(lambda f: nb.format.write_array(f, a, (2, 0)))
    yield lambda a: path("a.npy", lambda p: nb.save(p, a))
    yield lambda a: path("a.raw", lambda p: nb.tofile(a, p))
    yield lambda a: path("a.npz", lambda p: nb.savez(p, a))
    yield lambda a: nb.decompress(nb.compress(a))
    yield lambda a: sent(a)


def sent(array):
    left, right = socket.socketpair()
    with right:
        with left:
            nb.send(left, array)
        with right.makefile("rb") as file:
            return file.read()


def test_d8_numpy_writes_what_is_in_padding():
    if SECRET not in np.ascontiguousarray(padded()).tobytes():
        mended("padding is not written")
    sink = io.BytesIO()
    np.save(sink, selected())
    if SECRET not in sink.getvalue():
        mended("fields that are not selected are not written")


@pytest.mark.parametrize("make", [padded, selected])
def test_d8_padding_and_unselected_fields_do_not_leak(make, tmp_path):
    for layout in (lambda a: a, lambda a: a[::2], lambda a: a[::-1], lambda a: a.reshape(5, 10).T):
        array = layout(make())
        for write in writers(tmp_path):
            data = write(array)
            assert SECRET not in data
        loaded = nb.loads(nb.dumps(array))
        assert same(loaded, array)
        # As it lies in memory: where it copies items one by one, NumPy's `tobytes` leaves the
        # padding of its result as it finds it.
        assert SECRET not in memoryview(loaded).tobytes("A")


# D9: what it is, and no advice to unpickle.

JUNK = {
    "HTML": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.",
    "gzip": gzip.compress(b"x" * 100),
    "text": b"1.0 2.0 3.0\n4.0 5.0 6.0\n",
    "HTTP": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n",
    "JSON": b'{"error": "no such array"}',
    "PNG": b"\x89PNG\r\n\x1a\n" + b"\0" * 30,
    "HDF5": b"\x89HDF\r\n\x1a\n" + b"\0" * 30,
}


def test_d9_numpy_points_at_the_unsafe_switch():
    with pytest.raises(ValueError) as caught:
        np.load(io.BytesIO(JUNK["HTML"]))
    if "allow_pickle" not in str(caught.value):
        mended("junk is called junk")


@pytest.mark.parametrize("kind", list(JUNK))
def test_d9_junk_is_called_what_it_is(kind, tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(JUNK[kind])
    calls = [
        lambda: nb.loads(JUNK[kind]),
        lambda: nb.load(path),
        lambda: nb.load(io.BytesIO(JUNK[kind])),
        lambda: nb.load(path, mmap_mode="r"),
        lambda: nb.read_header(path),
        lambda: nb.format.read_array(io.BytesIO(JUNK[kind])),
    ]
    for call in calls:
        with pytest.raises(nb.FormatError) as caught:
            call()
        assert caught.value.code == "npy.magic"
        assert "allow_pickle" not in str(caught.value)
        assert kind.lower() in str(caught.value).lower()


def test_d9_a_zip_that_is_no_archive_of_arrays_says_so(tmp_path):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with nb.load(io.BytesIO(data.getvalue())) as archive:
        assert archive["readme.txt"] == b"hello"
    with pytest.raises(nb.FormatError, match="(?i)zip") as caught:
        nb.loads(data.getvalue())
    assert "allow_pickle" not in str(caught.value)


def test_d9_a_cut_magic_is_no_pickle():
    for count in range(1, 6):
        for call in (nb.loads, lambda d: nb.load(io.BytesIO(d))):
            with pytest.raises((nb.TruncatedError, nb.FormatError)) as caught:
                call(b"\x93NUMPY"[:count])
            assert "allow_pickle" not in str(caught.value)
    with pytest.raises(nb.NdbytesError) as caught:
        nb.loads(b"x")
    assert "allow_pickle" not in str(caught.value)


def test_d9_nothing_at_all_is_the_end_of_the_file(tmp_path):
    path = tmp_path / "a.npy"
    path.touch()
    for call in (
        lambda: nb.loads(b""),
        lambda: nb.load(path),
        lambda: nb.load(io.BytesIO()),
        lambda: nb.read_header(path),
        lambda: nb.load(path, mmap_mode="r"),
    ):
        with pytest.raises(EOFError) as caught:
            call()
        assert isinstance(caught.value, nb.EndOfStreamError)
        assert caught.value.code == "stream.end"


# D10: fields in any order.

OUT_OF_ORDER = np.dtype({"names": ["b", "a"], "formats": ["f8", "i4"], "offsets": [8, 0]})


def test_d10_numpy_cannot_save_fields_that_are_out_of_order():
    try:
        np.save(io.BytesIO(), np.zeros(3, OUT_OF_ORDER))
    except (ValueError, TypeError):
        return
    mended("fields out of order are saved")


def test_d10_fields_out_of_order_come_back(tmp_path):
    array = np.zeros(3, OUT_OF_ORDER)
    array["a"], array["b"] = [1, 2, 3], [0.5, 1.5, 2.5]
    path = tmp_path / "a.npy"
    nb.save(path, array)
    for loaded in (nb.load(path), nb.load(path, mmap_mode="r"), np.load(path)):
        assert loaded["a"].tolist() == [1, 2, 3]
        assert loaded["b"].tolist() == [0.5, 1.5, 2.5]
        assert set(loaded.dtype.names) == {"a", "b"}
        assert loaded.dtype["a"] == np.dtype("i4")
    reordered = array[["a", "b"]][["b", "a"]]
    assert same(nb.loads(nb.dumps(reordered))["b"], array["b"])


def test_d10_overlapping_fields_are_refused_before_anything_is_written(tmp_path):
    dtype = np.dtype({"names": ["a", "b"], "formats": ["i4", "i2"], "offsets": [0, 2]})
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")
    array = np.zeros(3, dtype)
    sink = io.BytesIO()
    for call in (
        lambda: nb.save(path, array),
        lambda: nb.save(sink, array),
        lambda: nb.dumps(array),
        lambda: nb.savez(sink, np.zeros(3), array),
        lambda: nb.open_memmap(path, "w+", dtype, 3),
    ):
        with pytest.raises(nb.UnsupportedError, match="overlap") as caught:
            call()
        assert caught.value.code == "dtype.unsupported"
    assert path.read_bytes() == b"old"
    assert sink.getvalue() == b""
    assert folder(tmp_path) == ["a.npy"]


# D11: no byte is dropped.


def test_d11_numpy_drops_what_does_not_fit(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(35))
    try:
        assert np.fromfile(path).size == 4
        assert np.fromfile(path, count=100).size == 4
    except (ValueError, EOFError):
        mended("left-over bytes are an error")


def test_d11_a_broken_item_is_an_error(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(35))
    for source in (path, open(path, "rb"), open(path, "rb", buffering=0), io.BytesIO(bytes(35))):
        with pytest.raises(nb.MismatchError, match="35 bytes") as caught:
            nb.fromfile(source)
        assert caught.value.code == "data.length"
        assert caught.value.offset == 32
        if not isinstance(source, pathlib.Path):
            source.close()
    with pytest.raises(ValueError):
        nb.frombuffer(bytes(35))


def test_d11_missing_items_are_an_error(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(32))
    for source in (path, open(path, "rb"), io.BytesIO(bytes(32)), gzip.open(_gzipped(tmp_path))):
        with pytest.raises(nb.TruncatedError) as caught:
            nb.fromfile(source, count=100)
        assert caught.value.code == "data.truncated"
        assert caught.value.offset == 32
        if not isinstance(source, pathlib.Path):
            source.close()
    with pytest.raises(nb.TruncatedError):
        nb.fromfile(path, shape=(3, 2))
    with pytest.raises(ValueError):
        nb.frombuffer(bytes(32), count=100)


def _gzipped(tmp_path):
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(bytes(32))
    return tmp_path / "a.gz"


def test_d11_left_over_bytes_are_an_error(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(40))
    with pytest.raises(nb.MismatchError) as caught:
        nb.fromfile(path, shape=(2, 2))
    assert caught.value.code == "data.trailing"
    assert caught.value.offset == 32
    with pytest.raises(nb.MismatchError):
        nb.frombuffer(bytes(40), shape=(2, 2))
    with pytest.raises(nb.MismatchError):
        nb.loads(nb.dumps(np.zeros(3)) + b"\0")
    assert nb.fromfile(path, count=4).size == 4


# D12: values that the dtype has not.


def message(descr, shape, data):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


BAD_STRING = message("<U1", "(2,)", b"a\0\0\0" + b"\0\0\x11\0")
BAD_BOOL = message("|b1", "(3,)", b"\0\1\2")


def test_d12_numpy_loads_characters_that_break_later():
    loaded = np.load(io.BytesIO(BAD_STRING))
    try:
        with pytest.raises((SystemError, ValueError, UnicodeError)):
            loaded[1]
    except pytest.fail.Exception:
        mended("characters beyond Unicode do no harm")


def everything(tmp_path, data):
    path = tmp_path / "a.npy"
    path.write_bytes(data)
    nbytes = 8 if data is BAD_STRING else 3
    dtype = "<U1" if data is BAD_STRING else "?"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("x.npy", data)
    archive = archive.getvalue()
    yield lambda: nb.loads(data)
    yield lambda: nb.loads(bytearray(data), copy=True)
    yield lambda: nb.load(path)
    yield lambda: nb.load(io.BytesIO(data))
    yield lambda: nb.load(io.BytesIO(archive))["x"]
    yield lambda: nb.frombuffer(data[-nbytes:], dtype)
    yield lambda: nb.fromfile(io.BytesIO(data[-nbytes:]), dtype)
    yield lambda: nb.fromfile(_part(tmp_path, data[-nbytes:]), dtype)
    yield lambda: nb.recv(io.BytesIO(data))


def _part(tmp_path, data):
    (tmp_path / "raw").write_bytes(data)
    return tmp_path / "raw"


@pytest.mark.parametrize("data", [BAD_STRING, BAD_BOOL], ids=["character", "bool"])
def test_d12_impossible_values_are_refused(tmp_path, data):
    for call in everything(tmp_path, data):
        with pytest.raises(nb.FormatError) as caught:
            call()
        assert caught.value.code == "data.invalid"
        assert caught.value.offset is not None


def test_d12_impossible_values_inside_of_structs_are_refused():
    descr = [("a", "<i4"), ("u", "<U1", (2,)), ("b", "|b1")]
    good = b"\0\0\0\0" + b"a\0\0\0b\0\0\0" + b"\1"
    assert nb.loads(message(descr, "(1,)", good))["u"].tolist() == [["a", "b"]]
    for bad in (good[:-1] + b"\3", good[:8] + b"\xff\xff\xff\xff" + good[12:]):
        with pytest.raises(nb.FormatError) as caught:
            nb.loads(message(descr, "(1,)", bad))
        assert caught.value.code == "data.invalid"


def test_d12_a_bool_is_no_length():
    data = message("<f8", "(True, 4)", bytes(32))
    with pytest.raises(nb.FormatError) as caught:
        nb.loads(data)
    assert caught.value.code == "npy.header.shape"
