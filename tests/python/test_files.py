"""Every kind of file, what arguments mean, and that a save is whole or not at all."""

import bz2
import errno
import gzip
import io
import lzma
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import types
import zipfile

import numpy as np
import pytest

import ndbytes as nb
from arrays import quietly, same
from processes import start

ARRAY = np.arange(24.0).reshape(2, 3, 4)
BYTES = nb.dumps(ARRAY)
STRIDED = np.arange(48.0).reshape(2, 6, 4)[:, ::2]

as_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")


def folder(path):
    return sorted(p.name for p in path.iterdir())


# Paths.


@pytest.mark.parametrize("kind", [str, pathlib.Path, os.fsencode])
def test_a_path_may_be_str_path_or_bytes(tmp_path, kind):
    path = kind(str(tmp_path / "ä.npy"))
    nb.save(path, ARRAY)
    assert same(nb.load(path), ARRAY)
    assert same(nb.load(path, mmap_mode="r"), ARRAY)
    assert nb.read_header(path).shape == ARRAY.shape
    raw = kind(str(tmp_path / "raw"))
    nb.tofile(ARRAY, raw)
    assert same(nb.fromfile(raw, shape=ARRAY.shape), ARRAY)
    archive = kind(str(tmp_path / "a.npz"))
    nb.savez(archive, x=ARRAY)
    with nb.load(archive) as file:
        assert same(file["x"], ARRAY)
    assert folder(tmp_path) == ["a.npz", "raw", "ä.npy"]


def test_suffixes_are_added_where_numpy_adds_them(tmp_path):
    for save, suffix in ((nb.save, ".npy"), (nb.savez, ".npz"), (nb.savez_compressed, ".npz")):
        for name in ("a", "a.b", f"c{suffix}", "d.NPY"):
            save(tmp_path / name, ARRAY)
            expected = name if name.endswith(suffix) else name + suffix
            assert (tmp_path / expected).is_file()
    assert not (tmp_path / "a").exists()
    nb.tofile(ARRAY, tmp_path / "raw")
    assert (tmp_path / "raw").is_file()


def test_content_and_not_the_name_decides(tmp_path):
    (tmp_path / "a.npz").write_bytes(BYTES)
    assert same(nb.load(tmp_path / "a.npz"), ARRAY)
    archive = io.BytesIO()
    nb.savez(archive, x=ARRAY)
    (tmp_path / "a.npy").write_bytes(archive.getvalue())
    with nb.load(tmp_path / "a.npy") as file:
        assert same(file["x"], ARRAY)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    path = tmp_path / "none.npy"
    for call in (
        lambda: nb.load(path),
        lambda: nb.load(path, mmap_mode="r"),
        lambda: nb.load(path, allow_pickle=True),
        lambda: nb.fromfile(path),
        lambda: nb.read_header(path),
        lambda: nb.memmap(path),
        lambda: nb.open_memmap(path),
        lambda: nb.NpzFile(path),
        lambda: nb.save(tmp_path / "none" / "a.npy", ARRAY),
        lambda: nb.savez(tmp_path / "none" / "a.npz", ARRAY),
        lambda: nb.tofile(ARRAY, tmp_path / "none" / "a"),
        lambda: nb.open_memmap(tmp_path / "none" / "a.npy", "w+", "f8", 3),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            call()
        assert caught.value.errno == errno.ENOENT
        assert "none" in str(caught.value.filename)


def test_a_folder_is_an_is_a_directory_error(tmp_path):
    target = tmp_path / "d.npy"
    target.mkdir()
    for call in (
        lambda: nb.load(target),
        lambda: nb.save(target, ARRAY),
        lambda: nb.tofile(ARRAY, target),
        lambda: nb.fromfile(target, count=1),
        lambda: nb.read_header(target),
        lambda: nb.open_memmap(target, "w+", "f8", 3),
    ):
        with pytest.raises(IsADirectoryError):
            call()
    assert folder(tmp_path) == ["d.npy"]


@as_root
def test_what_may_not_be_read_or_written_is_a_permission_error(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, ARRAY)
    path.chmod(0o400)
    with pytest.raises(PermissionError):
        nb.save(path, ARRAY + 1)
    path.chmod(0)
    for call in (lambda: nb.load(path), lambda: nb.read_header(path)):
        with pytest.raises(PermissionError):
            call()
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            nb.save(tmp_path / "b.npy", ARRAY)
    finally:
        tmp_path.chmod(0o700)


def savers():
    yield "a.npy", lambda p: nb.save(p, ARRAY)
    yield "a.raw", lambda p: nb.tofile(ARRAY, p)
    yield "a.npz", lambda p: nb.savez(p, ARRAY)
    yield "b.npz", lambda p: nb.savez_compressed(p, ARRAY)
    yield "m.npy", lambda p: nb.open_memmap(p, "w+", "f8", (2, 3)).close()
    yield "m.raw", lambda p: nb.memmap(p, "f8", "w+", shape=(2, 3)).close()


@pytest.mark.parametrize(("name", "call"), list(savers()))
def test_mode_bits_are_kept_and_new_files_follow_the_umask(tmp_path, name, call):
    path = tmp_path / name
    old = os.umask(0o027)
    try:
        call(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    for mode in (0o600, 0o664, 0o755):
        path.chmod(mode)
        call(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert folder(tmp_path) == [name]


@pytest.mark.parametrize(("name", "call"), list(savers()))
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path, name, call):
    (tmp_path / "there").mkdir()
    target = tmp_path / "there" / "target"
    target.write_bytes(b"old")
    (tmp_path / name).symlink_to("there/target")
    call(tmp_path / name)
    assert (tmp_path / name).is_symlink()
    assert target.read_bytes() not in (b"old", b"")
    assert folder(tmp_path / "there") == ["target"]


@pytest.mark.parametrize(("name", "call"), list(savers()))
def test_a_reader_of_the_old_file_keeps_it(tmp_path, name, call):
    path = tmp_path / name
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        call(path)
        assert reader.read() == b"old"


def test_a_named_pipe_is_written_in_place(tmp_path):
    path = tmp_path / "fifo.npy"
    os.mkfifo(path)
    for call, want in (
        (lambda: nb.save(path, ARRAY), BYTES),
        (lambda: nb.tofile(STRIDED, path), STRIDED.tobytes()),
    ):
        got = []
        thread = threading.Thread(target=lambda: got.append(path.read_bytes()), daemon=True)
        thread.start()
        call()
        thread.join(30)
        assert got == [want]
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_map_is_created_only_where_a_file_can_be(tmp_path):
    """A device must not be replaced by a file."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    for call in (
        lambda: nb.memmap(path, "f8", "w+", shape=3),
        lambda: nb.open_memmap(path, "w+", "f8", 3),
    ):
        with pytest.raises((OSError, ValueError)):
            call()
        assert stat.S_ISFIFO(path.stat().st_mode)
    assert folder(tmp_path) == ["fifo"]


def test_a_named_pipe_is_read(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    for call in (
        lambda: nb.load(path),
        lambda: nb.fromfile(path, count=3),
    ):
        thread = threading.Thread(target=lambda: path.write_bytes(BYTES), daemon=True)
        thread.start()
        try:
            assert call().dtype == "f8"
        finally:
            thread.join(30)


def test_durable_saves_are_the_same_bytes(tmp_path):
    for durable in (False, True):
        nb.save(tmp_path / f"{durable}.npy", ARRAY, durable=durable)
        nb.tofile(ARRAY, tmp_path / f"{durable}.raw", durable=durable)
        nb.savez(tmp_path / f"{durable}.npz", ARRAY, durable=durable)
    for suffix in ("npy", "raw", "npz"):
        paths = [tmp_path / f"{durable}.{suffix}" for durable in (False, True)]
        assert paths[0].read_bytes() == paths[1].read_bytes()
    with np.load(tmp_path / "True.npz") as archive:
        assert archive.files == ["arr_0"]


def test_a_name_as_long_as_names_can_be(tmp_path):
    path = tmp_path / ("x" * 251 + ".npy")
    nb.save(path, ARRAY)
    assert same(nb.load(path), ARRAY)
    nb.open_memmap(path, "w+", "f8", 3).close()
    assert folder(tmp_path) == [path.name]


# File objects.


class Raw(io.RawIOBase):
    """A raw file that takes and gives at most seven bytes at once."""

    def __init__(self, data=b""):
        self.data = bytearray(data)
        self.at = 0

    def readable(self):
        return True

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data[:7])
        self.data += part
        return len(part)

    def readinto(self, buffer):
        part = self.data[self.at : self.at + min(len(buffer), 7)]
        buffer[: len(part)] = part
        self.at += len(part)
        return len(part)


def opened(tmp_path):
    """Yield a name, a file to write to, and what gives a file to read from."""
    path = tmp_path / "file"

    def reopen(buffering=-1):
        return lambda: open(path, "rb", buffering)

    yield "FileIO", open(path, "wb", 0), reopen(0)
    yield "BufferedWriter", open(path, "wb"), reopen()
    yield "BufferedRandom", open(path, "w+b"), lambda: open(path, "r+b")
    yield "append", open(path, "ab"), reopen()
    yield "tiny buffer", open(path, "wb", 16), reopen(16)
    yield "NamedTemporaryFile", *_temporary()
    memory = io.BytesIO()
    yield "BytesIO", memory, lambda: io.BytesIO(memory.getvalue())
    for module in (gzip, bz2, lzma):
        yield (
            module.__name__,
            module.open(path, "wb"),
            lambda module=module: module.open(path, "rb"),
        )
    yield "codecs", _codec(path, "wb"), lambda: _codec(path, "rb")
    raw = Raw()
    yield "raw in Python", raw, lambda: Raw(raw.data)
    raw2 = Raw()
    yield "buffer over raw", io.BufferedWriter(raw2), lambda: io.BufferedReader(Raw(raw2.data))
    data = bytearray()
    yield (
        "write and read alone",
        types.SimpleNamespace(write=data.extend, close=lambda: None),
        lambda: types.SimpleNamespace(read=io.BytesIO(data).read, close=lambda: None),
    )
    spooled = tempfile.SpooledTemporaryFile(max_size=100)  # noqa: SIM115
    yield "SpooledTemporaryFile", spooled, None
    bundle = zipfile.ZipFile(tmp_path / "bundle.zip", "w")
    member = bundle.open("member", "w")
    yield (
        "zip member",
        types.SimpleNamespace(write=member.write, close=lambda: (member.close(), bundle.close())),
        lambda: _zip_member(tmp_path / "bundle.zip"),
    )


def _temporary():
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115
    return file, None


def _codec(path, mode):
    return open(path, mode, opener=os.open)


def _zip_member(path):
    bundle = zipfile.ZipFile(path)
    member = bundle.open("member")
    return types.SimpleNamespace(read=member.read, close=lambda: (member.close(), bundle.close()))


def test_every_kind_of_file_object_carries_arrays(tmp_path):
    arrays = [ARRAY, STRIDED, np.array(5, "i2"), np.zeros((0, 3)), np.asfortranarray(ARRAY)]
    for name, sink, reopen in opened(tmp_path):
        (tmp_path / "file").write_bytes(b"")
        for array in arrays:
            nb.save(sink, array)
        nb.tofile(STRIDED, sink)
        if reopen is None:
            sink.seek(0)
            source = sink
        else:
            sink.close() if not isinstance(sink, (io.BytesIO, Raw)) else None
            source = reopen()
        for array in arrays:
            loaded = nb.load(source)
            assert same(loaded, array), name
        raw = nb.fromfile(source, shape=STRIDED.shape)
        assert same(raw, STRIDED), name
        with pytest.raises(EOFError):
            nb.load(source)
        source.close()


def test_a_kept_reference_stays_what_it_was():
    """Objects of unknown code may keep what they are given: NumPy's memory must not change it."""
    kept = []
    array = np.zeros(1000)
    nb.save(types.SimpleNamespace(write=kept.append), array)
    nb.tofile(array, types.SimpleNamespace(write=kept.append))
    before = b"".join(map(bytes, kept))
    array[...] = 1
    del array
    assert b"".join(map(bytes, kept)) == before
    assert all(type(part) is bytes for part in kept)


class Keeps(io.BytesIO):
    """A subclass of a trusted class is not trusted."""

    def __init__(self, *args):
        super().__init__(*args)
        self.kept = []

    def write(self, data):
        self.kept.append(data)
        return super().write(data)

    def readinto(self, buffer):
        self.kept.append(buffer)
        return super().readinto(buffer)


def test_a_subclass_that_keeps_buffers_does_no_harm():
    sink = Keeps()
    nb.save(sink, ARRAY)
    assert all(type(part) is bytes for part in sink.kept)
    source = Keeps(BYTES)
    loaded = nb.load(source)
    assert same(loaded, ARRAY)
    assert source.kept == []


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_short_reads_and_short_writes_are_repeated(size):
    source = io.BytesIO(BYTES + BYTES)
    short = types.SimpleNamespace(read=lambda n: source.read(min(n, size)))
    assert same(nb.load(short), ARRAY)
    assert same(nb.load(short), ARRAY)
    sink = io.BytesIO()
    nb.save(types.SimpleNamespace(write=lambda d: sink.write(bytes(d)[:size])), ARRAY)
    assert sink.getvalue() == BYTES


def test_what_a_file_object_raises_comes_through():
    class Own(Exception):
        pass

    def fail(*args):
        raise Own("no")

    for call in (
        lambda: nb.save(types.SimpleNamespace(write=fail), ARRAY),
        lambda: nb.savez(types.SimpleNamespace(write=fail), ARRAY),
        lambda: nb.tofile(ARRAY, types.SimpleNamespace(write=fail)),
        lambda: nb.load(types.SimpleNamespace(read=fail)),
        lambda: nb.fromfile(types.SimpleNamespace(read=fail)),
        lambda: nb.recv(types.SimpleNamespace(read=fail)),
    ):
        with pytest.raises(Own, match="no"):
            call()


def test_an_error_in_the_middle_of_the_data_comes_through():
    for cut in (5, 100, 130, 200):
        left = [cut]

        def read(count, left=left):
            if left[0] == 0:
                raise OSError(errno.EIO, "the disk broke")
            part = BYTES[cut - left[0] :][: min(count, left[0])]
            left[0] -= len(part)
            return part

        with pytest.raises(OSError, match="the disk broke") as caught:
            nb.load(types.SimpleNamespace(read=read))
        assert caught.value.errno == errno.EIO


def test_lies_about_counts_are_errors():
    for answer in (10**9, len(BYTES) + 1):
        with pytest.raises((ValueError, OSError)):
            nb.save(types.SimpleNamespace(write=lambda d: answer), ARRAY)
    with pytest.raises((ValueError, OSError)):
        nb.save(types.SimpleNamespace(write=lambda d: 0), ARRAY)
    with pytest.raises(ValueError):
        nb.load(types.SimpleNamespace(read=lambda n: b"x" * (n + 1)))
    with pytest.raises((TypeError, AttributeError)):
        nb.load(types.SimpleNamespace(read=lambda n: "text"))


def test_text_files_are_refused_with_a_reason(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(BYTES.replace(b"\x93", b"x"))
    with open(path, encoding="latin1") as file, pytest.raises(TypeError, match="binary"):
        nb.load(file)
    with open(path, "w", encoding="latin1") as file, pytest.raises(TypeError):
        nb.save(file, ARRAY)
    with pytest.raises(TypeError):
        nb.save(io.StringIO(), ARRAY)


def test_files_of_the_wrong_direction_are_errors(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, ARRAY)
    with open(path, "rb") as file, pytest.raises((OSError, ValueError)):
        nb.save(file, ARRAY)
    with open(path, "ab") as file, pytest.raises((OSError, ValueError)):
        nb.load(file)
    with open(path, "rb") as file:
        pass
    with pytest.raises(ValueError, match="closed"):
        nb.load(file)


def test_non_blocking_files_are_refused_and_not_misread():
    left, right = socket.socketpair()
    with left, right:
        right.setblocking(False)
        with right.makefile("rb", buffering=0) as file, pytest.raises(OSError):
            nb.load(file)


def test_what_is_no_file_is_a_type_error():
    for wrong in (None, 1.5, object(), [1]):
        for call in (
            lambda wrong=wrong: nb.save(wrong, ARRAY),
            lambda wrong=wrong: nb.load(wrong),
            lambda wrong=wrong: nb.savez(wrong, ARRAY),
            lambda wrong=wrong: nb.tofile(ARRAY, wrong),
            lambda wrong=wrong: nb.fromfile(wrong),
        ):
            with pytest.raises(TypeError):
                call()


def test_a_file_may_be_written_and_read_in_one_handle(tmp_path):
    with open(tmp_path / "a", "w+b") as file:
        file.write(b"before")
        nb.save(file, ARRAY)
        nb.tofile(STRIDED, file)
        file.seek(6)
        assert same(nb.load(file), ARRAY)
        assert same(nb.fromfile(file, count=24), STRIDED.ravel())
        file.seek(6)
        nb.save(file, ARRAY + 1)
        file.seek(6)
        assert same(nb.load(file), ARRAY + 1)


def test_saving_does_not_close_the_file():
    sink = io.BytesIO()
    nb.save(sink, ARRAY)
    nb.savez(sink, ARRAY)
    nb.tofile(ARRAY, sink)
    assert not sink.closed


# Loading into one's own array.


def test_load_fills_an_array_of_any_layout(tmp_path):
    path = tmp_path / "a.npy"
    for array in (ARRAY, np.asfortranarray(ARRAY)):
        nb.save(path, array)
        for source in (lambda: path, lambda: io.BytesIO(nb.dumps(array)), lambda: open(path, "rb")):
            for out in (
                np.empty((2, 3, 4)),
                np.empty((2, 3, 4), order="F"),
                np.empty((4, 6, 8))[::2, ::2, ::2],
                np.empty((2, 3, 4))[:, ::-1],
                np.empty((4, 3, 2)).T,
            ):
                file = source()
                assert nb.load(file, out=out) is out
                assert np.array_equal(out, ARRAY)
                if file is not path:
                    file.close()


def test_load_leaves_the_surroundings_of_out_alone(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, ARRAY)
    base = np.full((4, 6, 8), -1.0)
    nb.load(path, out=base[::2, ::2, ::2])
    assert (base == -1).sum() == base.size - ARRAY.size
    table = np.zeros(5, [("a", "i4"), ("b", "f8"), ("c", "S3")])
    table["c"] = b"abc"
    part = np.ones(5, table.dtype)[["a", "b"]]
    for source in (path, None):
        nb.save(path, part)
        table["a"] = 0
        nb.load(path if source else io.BytesIO(nb.dumps(part)), out=table[["a", "b"]])
        assert table["a"].tolist() == [1] * 5
        assert table["c"].tolist() == [b"abc"] * 5


def test_an_out_that_does_not_fit_is_refused_and_stays(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, ARRAY)
    readonly = np.zeros((2, 3, 4))
    readonly.flags.writeable = False
    for out, kind in (
        (np.zeros((2, 3, 5)), nb.MismatchError),
        (np.zeros(24), nb.MismatchError),
        (np.zeros((2, 3, 4), "f4"), nb.MismatchError),
        (np.zeros((2, 3, 4), ">f8"), nb.MismatchError),
        (readonly, nb.ArgumentError),
    ):
        for source in (path, io.BytesIO(BYTES)):
            with pytest.raises(kind) as caught:
                nb.load(source, out=out)
            assert isinstance(caught.value, ValueError)
        assert not out.any()
    with pytest.raises(ValueError):
        nb.load(path, mmap_mode="r", out=np.zeros((2, 3, 4)))
    nb.savez(tmp_path / "a.npz", ARRAY)
    with pytest.raises(ValueError):
        nb.load(tmp_path / "a.npz", out=np.zeros((2, 3, 4)))
    with pytest.raises(TypeError):
        nb.load(path, out=[0] * 24)


# Headers and limits.


def test_a_header_is_read_without_the_data(tmp_path):
    path = tmp_path / "a.npy"
    for array in (ARRAY, np.asfortranarray(ARRAY), np.zeros(3, [("a", "i4")]), np.array(1)):
        nb.save(path, array)
        header = nb.read_header(path)
        assert header.dtype == array.dtype
        assert header.shape == array.shape
        assert header.fortran_order == array.flags.fnc
        assert header.data_offset == path.stat().st_size - array.nbytes
        assert tuple(header) == (array.dtype, array.shape, header.fortran_order, header[3])
        os.truncate(path, header.data_offset)
        assert nb.read_header(path) == header
        with open(path, "rb") as file:
            assert nb.read_header(file) == header
            assert file.tell() == header.data_offset


def test_headers_over_the_limit_are_refused_unless_pickles_are_trusted(tmp_path):
    array = np.zeros(2, [(f"field_{i:04d}", "f8") for i in range(300)])
    path = tmp_path / "a.npy"
    nb.save(path, array)
    for call in (
        lambda: nb.load(path, max_header_size=1000),
        lambda: nb.load(io.BytesIO(path.read_bytes()), max_header_size=1000),
        lambda: nb.load(path, mmap_mode="r", max_header_size=1000),
        lambda: nb.loads(path.read_bytes(), max_header_size=1000),
        lambda: nb.read_header(path, max_header_size=1000),
        lambda: nb.recv(io.BytesIO(path.read_bytes()), max_header_size=1000),
        lambda: nb.open_memmap(path, max_header_size=1000),
    ):
        with pytest.raises(nb.LimitError, match="max_header_size") as caught:
            call()
        assert caught.value.code == "npy.header.too_large"
    assert same(nb.load(path, allow_pickle=True, max_header_size=1000), array)


def test_arrays_over_the_limit_are_refused(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, ARRAY)
    for source in (lambda: path, lambda: io.BytesIO(BYTES)):
        with pytest.raises(nb.LimitError) as caught:
            nb.load(source(), max_bytes=ARRAY.nbytes - 1)
        assert caught.value.code == "limit.bytes"
        assert same(nb.load(source(), max_bytes=ARRAY.nbytes), ARRAY)
    nb.savez(tmp_path / "a.npz", ARRAY)
    with nb.load(tmp_path / "a.npz", max_bytes=10) as archive, pytest.raises(nb.LimitError):
        archive["arr_0"]


def test_a_file_that_announces_more_than_it_has_is_truncated_before_allocation(tmp_path):
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (72057594037927936,), }\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(100))
    for call in (lambda: nb.load(path), lambda: nb.loads(path.read_bytes())):
        with pytest.raises((nb.TruncatedError, nb.LimitError)):
            call()


@pytest.mark.parametrize("step", [1, 7])
def test_a_file_cut_at_any_byte_is_an_error(tmp_path, step):
    path = tmp_path / "a.npy"
    for cut in range(1, len(BYTES), step):
        path.write_bytes(BYTES[:cut])
        for call in (lambda: nb.load(path), lambda: nb.loads(BYTES[:cut])):
            with pytest.raises(nb.TruncatedError):
                call()
        if step > 1:
            with pytest.raises(nb.TruncatedError):
                nb.load(io.BytesIO(BYTES[:cut]))
            with pytest.raises(nb.TruncatedError):
                nb.load(path, mmap_mode="r")


# Pickles are NumPy's.


def test_pickles_are_refused_unless_they_are_asked_for(tmp_path):
    objects = np.array([{"a": 1}, None, "x"], object)
    path = tmp_path / "a.npy"
    with pytest.raises(nb.UnsupportedError, match="allow_pickle=False"):
        nb.save(path, objects)
    assert not path.exists()
    nb.save(path, objects, allow_pickle=True)
    with pytest.raises(nb.UnsupportedError) as caught:
        nb.load(path)
    assert caught.value.code == "dtype.object"
    for source in (path, open(path, "rb"), io.BytesIO(path.read_bytes())):
        assert nb.load(source, allow_pickle=True).tolist() == objects.tolist()
        if source is not path:
            source.close()
    sink = io.BytesIO()
    nb.save(sink, objects, allow_pickle=True)
    assert np.load(io.BytesIO(sink.getvalue()), allow_pickle=True).tolist() == objects.tolist()
    assert quietly(nb.load, io.BytesIO(b"\x80\x04N."), allow_pickle=True) is None
    with pytest.raises(nb.FormatError):
        nb.load(io.BytesIO(b"\x80\x04N."))


def test_archives_with_pickles_are_numpys_when_asked_for(tmp_path):
    objects = np.array([{"a": 1}, None], object)
    path = tmp_path / "a.npz"
    nb.savez(path, objects, x=ARRAY, allow_pickle=True)
    with nb.load(path) as archive:
        assert same(archive["x"], ARRAY)
        with pytest.raises(nb.UnsupportedError):
            archive["arr_0"]
    for source in (path, io.BytesIO(path.read_bytes())):
        with nb.load(source, allow_pickle=True) as archive:
            assert same(archive["x"], ARRAY)
            assert archive["arr_0"].tolist() == objects.tolist()
            assert same(archive["x"], ARRAY)


def test_a_mapping_keeps_its_names_when_pickles_are_allowed(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez(path, {"x": ARRAY, "o": np.array([None], object)}, allow_pickle=True)
    with nb.load(path, allow_pickle=True) as archive:
        assert sorted(archive.files) == ["o", "x"]
        assert archive["o"].tolist() == [None]


def test_pickles_never_run_without_being_asked_for(tmp_path):
    """The classic attack: a pickle that touches a file."""
    path, touched = tmp_path / "a.npy", tmp_path / "touched"

    class Attack:
        def __reduce__(self):
            return open, (str(touched), "w")

    np.save(path, np.array([Attack()], object), allow_pickle=True)
    data = path.read_bytes()
    np.savez(tmp_path / "a.npz", np.array([Attack()], object))
    for call in (
        lambda: nb.load(path),
        lambda: nb.loads(data),
        lambda: nb.load(io.BytesIO(data)),
        lambda: nb.load(path, mmap_mode="r"),
        lambda: nb.recv(io.BytesIO(data)),
        lambda: nb.load(tmp_path / "a.npz")["arr_0"],
        lambda: nb.format.read_array(io.BytesIO(data)),
        lambda: nb.open_memmap(path),
    ):
        with pytest.raises(nb.UnsupportedError):
            call()
    assert not touched.exists()


# Whole or not at all.

SAVE_FOR_EVER = """
import sys
import numpy as np
import ndbytes as nb
path, kind = sys.argv[1], sys.argv[2]
arrays = [np.full(300_000, i, "f8") for i in range(3)]
save = {"npy": nb.save, "npz": nb.savez, "raw": lambda p, a: nb.tofile(a, p)}[kind]
save(path, arrays[0])
print("ready", flush=True)
while True:
    for array in arrays:
        save(path, array)
"""


def whole(path, kind):
    """Return the values of a file that must be whole."""
    if kind == "npz":
        with np.load(path) as archive:
            array = archive["arr_0"]
    else:
        array = np.load(path) if kind == "npy" else np.fromfile(path)
    assert array.size == 300_000
    values = set(array.tolist())
    assert len(values) == 1
    return values.pop()


@pytest.mark.parametrize("kind", ["npy", "npz", "raw"])
def test_a_killed_save_leaves_a_whole_file(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    for attempt in range(4):
        with start(SAVE_FOR_EVER, path, kind, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            threading.Event().wait(0.005 + attempt * 0.004)
            process.send_signal(signal.SIGKILL)
            assert process.wait(30) == -signal.SIGKILL
        whole(path, kind)


def test_a_reader_always_sees_a_whole_file(tmp_path):
    path = tmp_path / "a.npy"
    with start(SAVE_FOR_EVER, path, "npy", stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            seen = {float(nb.load(path)[i]) for i in range(60)}
            assert all(whole(path, "npy") in (0, 1, 2) for _ in range(20))
        finally:
            process.kill()
    assert seen <= {0.0, 1.0, 2.0}


def test_concurrent_saves_leave_one_whole_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.npy"
    problems = []

    def save(value):
        try:
            for _ in range(10):
                nb.save(path, np.full(300_000, value, "f8"))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=save, args=(i,)) for i in range(6)]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not problems
    assert whole(path, "npy") in range(6)
    assert folder(tmp_path) == ["a.npy"]


def test_an_interrupted_save_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez(path, x=ARRAY)
    before = path.read_bytes()

    class Interrupts:
        def __array__(self, dtype=None, copy=None):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nb.savez(path, x=ARRAY + 1, y=Interrupts())
    assert path.read_bytes() == before
    assert folder(tmp_path) == ["a.npz"]
