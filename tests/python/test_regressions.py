"""What was once wrong, one test each, named for what must hold."""

import io
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile

import numpy as np
import pytest

import ndbytes as nb


def test_an_archive_maps_the_file_that_it_was_opened_from(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez(path, x=np.arange(5), y=np.zeros(1000))
    with nb.load(path, mmap_mode="r") as archive:
        nb.savez(path, z=np.ones(77), x=np.full(5, 9.0))
        assert archive["x"].tolist() == [0, 1, 2, 3, 4]
    with nb.load(path, mmap_mode="r+") as archive:
        nb.savez(path, x=np.zeros(5))
        with pytest.raises(nb.MismatchError, match="another file"):
            archive["x"]


def test_a_pickled_map_refuses_another_file_of_its_name(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, np.arange(100.0))
    data = pickle.dumps(nb.load(path, mmap_mode="r"))
    assert pickle.loads(data)[7] == 7
    # Kept open, so that its number is not given to the new file.
    with open(path, "rb"):
        nb.save(path, np.zeros(100))
        with pytest.raises(nb.MismatchError, match="another file"):
            pickle.loads(data)


def test_an_offset_of_a_new_map_takes_no_memory(tmp_path):
    path = tmp_path / "a.raw"
    with nb.memmap(path, "u1", "w+", offset=1 << 20, shape=4) as a:
        a[:] = 7
    assert path.read_bytes() == bytes(1 << 20) + b"\7\7\7\7"


def test_a_closed_map_changes_nothing_any_more(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, np.arange(3))
    a = nb.load(path, mmap_mode="r+")
    a.close()
    with pytest.raises(ValueError):
        a.fill(9)
    assert nb.load(path).tolist() == [0, 1, 2]


def test_a_field_of_no_bytes_is_saved(tmp_path):
    a = np.zeros(3, [("a", "i4"), ("b", "S0")])["b"]
    nb.save(tmp_path / "a.npy", a)
    assert nb.load(tmp_path / "a.npy").shape == (3,)
    nb.save(io.BytesIO(), np.zeros(3, [("a", "i4"), ("b", [])])["b"])


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_an_open_file_without_a_name_is_written_in_place():
    with tempfile.TemporaryFile() as file:
        nb.tofile(np.arange(3, dtype="u1"), f"/proc/self/fd/{file.fileno()}")
        file.seek(0)
        assert file.read() == b"\0\1\2"


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/stdout leads to /proc on Linux")
def test_standard_output_by_its_path_keeps_what_was_written(tmp_path):
    code = (
        "import numpy as np, ndbytes as nb\n"
        "print('1', flush=True)\n"
        "nb.tofile(np.frombuffer(b'AA', 'u1'), '/dev/stdout')\n"
        "nb.tofile(np.frombuffer(b'BB', 'u1'), '/dev/stdout')\n"
    )
    with open(tmp_path / "out", "ab") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_bytes() == b"1\nAABB"


def test_a_save_to_a_pipe_lets_its_reader_run(tmp_path):
    path = tmp_path / "a.npz"
    os.mkfifo(path)
    got = []

    def read():
        got.append(path.read_bytes())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    nb.savez(path, x=np.arange(3))
    thread.join(30)
    assert nb.load(io.BytesIO(got[0]))["x"].tolist() == [0, 1, 2]


def test_a_replaced_file_is_never_more_open_than_it_was(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, np.arange(3))
    os.chmod(path, 0o600)
    nb.save(path, np.arange(4))
    assert os.stat(path).st_mode & 0o777 == 0o600
    nb.open_memmap(path, "w+", "u1", (3,)).close()
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_deep_dtypes_are_refused_and_do_not_end_the_process():
    dtype = np.dtype("u1")
    for _ in range(200):
        dtype = np.dtype([("a", dtype)])
    with pytest.raises(nb.UnsupportedError, match="nested"):
        nb.dumps(np.zeros(2, dtype))


def test_the_deepest_dtype_that_is_saved_is_loaded():
    dtype = np.dtype("u1")
    refused = None
    for depth in range(100):
        dtype = np.dtype([("a", dtype)])
        a = np.zeros(2, dtype)
        try:
            data = nb.dumps(a)
        except nb.UnsupportedError:
            refused = depth
            break
        assert nb.loads(data).dtype == a.dtype
    assert refused is not None
    assert refused >= 16


def test_an_endless_timeout_is_one():
    here, there = socket.socketpair()
    with here, there:
        nb.send(here, np.arange(3))
        assert nb.recv(there, timeout=1e19).tolist() == [0, 1, 2]


def test_datagrams_are_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(ValueError, match="stream"):
            nb.recv(sock)
        with pytest.raises(ValueError, match="stream"):
            nb.send(sock, np.arange(3))


def test_members_that_are_no_arrays_obey_max_bytes():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.txt", bytes(1_000_000))
    archive = nb.load(file_at_start(file), max_bytes=1000)
    with pytest.raises(nb.LimitError):
        archive["x.txt"]


@pytest.mark.parametrize("answer", [-1, 2.0, "x", 1 << 40])
def test_a_write_that_tells_no_count_is_an_error(answer):
    class Odd:
        def write(self, data):
            return answer

    with pytest.raises(ValueError, match="write returned"):
        nb.save(Odd(), np.arange(3))


def test_readers_that_keep_their_buffer_get_their_own():
    kept = []

    class Keeps(socket.socket):
        def recv_into(self, buffer, *args):
            kept.append(memoryview(buffer))
            return super().recv_into(buffer, *args)

    here, there = socket.socketpair()
    with here, Keeps(fileno=there.detach()) as keeps:
        keeps.settimeout(30)
        with keeps.makefile("rb", buffering=0) as file:
            nb.send(here, np.arange(1000))
            a = nb.load(file)
        assert a[999] == 999
        # None of them is the array's memory.
        assert not any(np.shares_memory(np.frombuffer(view, "u1"), a) for view in kept)


def test_a_text_file_takes_order_and_durable(tmp_path):
    a = np.arange(6).reshape(2, 3)
    nb.tofile(a, tmp_path / "a.txt", sep=",", order="F", durable=True)
    assert (tmp_path / "a.txt").read_text() == "0,3,1,4,2,5"


def test_devices_are_read_as_streams():
    assert nb.fromfile("/dev/zero", "u1", 16).tolist() == [0] * 16


def test_large_archives_of_several_members_are_read_by_both(tmp_path):
    arrays = {name: np.full(300_000, i, "f8") for i, name in enumerate("abc")}
    nb.savez(tmp_path / "a.npz", **arrays)
    with np.load(tmp_path / "a.npz") as theirs, nb.load(tmp_path / "a.npz") as ours:
        for name, array in arrays.items():
            assert np.array_equal(theirs[name], array)
            assert np.array_equal(ours[name], array)


def file_at_start(file):
    file.seek(0)
    return file


def test_a_pair_of_buffers_is_flushed():
    here, there = socket.socketpair()
    with here, there, here.makefile("rwb") as file:
        there.settimeout(30)
        nb.send(file, np.arange(3))
        assert nb.recv(there).tolist() == [0, 1, 2]
        nb.tofile(np.arange(3, dtype="u1"), file)
        assert there.recv(3) == b"\0\1\2"


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/stdout leads to /proc on Linux")
def test_standard_output_by_its_path_shares_its_place(tmp_path):
    code = (
        "import numpy as np, ndbytes as nb\n"
        "print('before', flush=True)\n"
        "nb.tofile(np.frombuffer(b'ARRAY', 'u1'), '/dev/stdout')\n"
        "print('after', flush=True)\n"
    )
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_bytes() == b"before\nARRAYafter\n"


def test_out_with_a_mask_or_shared_elements_is_refused():
    data = nb.dumps(np.arange(6).reshape(2, 3))
    with pytest.raises(nb.UnsupportedError, match="mask"):
        nb.load(io.BytesIO(data), out=np.ma.zeros((2, 3), dtype=np.int64))
    shared = np.lib.stride_tricks.as_strided(np.zeros(4, np.int64), (2, 3), (8, 8))
    with pytest.raises(nb.ArgumentError, match="overlap"):
        nb.load(io.BytesIO(data), out=shared)
    for out in (np.zeros((3, 2), np.int64).T, np.zeros((4, 6), np.int64)[::-2, ::2]):
        assert nb.load(io.BytesIO(data), out=out).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_closed_map_is_refused_by_our_own_functions(tmp_path):
    nb.save(tmp_path / "a.npy", np.arange(3))
    a = nb.load(tmp_path / "a.npy", mmap_mode="r")
    a.close()
    for use in (nb.dumps, nb.tobytes, nb.compress, lambda a: nb.save(tmp_path / "b.npy", a)):
        with pytest.raises(ValueError, match="closed"):
            use(a)


def test_pipes_are_not_mapped_and_paths_have_no_nul(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe"):
        nb.load(tmp_path / "pipe", mmap_mode="r")
    with pytest.raises(ValueError, match="NUL"):
        nb.save("a\0b", np.arange(3))


def test_text_files_are_named_as_such(tmp_path):
    nb.save(tmp_path / "a.npy", np.arange(3))
    with open(tmp_path / "a.npy") as file, pytest.raises(TypeError, match="binary"):
        nb.load(file)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_files_of_the_kernel_are_read():
    assert nb.fromfile("/proc/self/auxv", "u8", 2).shape == (2,)
    assert nb.fromfile("/proc/self/auxv", "u8").size > 2


def test_asyncio_wants_sockets_that_do_not_block():
    import asyncio

    here, there = socket.socketpair()
    with here, there:
        with pytest.raises(ValueError, match="block"):
            asyncio.run(nb.aio.recv(there))
        with pytest.raises(ValueError, match="block"):
            asyncio.run(nb.aio.send(here, np.arange(3)))


def test_savez_looks_at_each_array_once(tmp_path):
    class Counted:
        calls = 0

        def __array__(self, dtype=None, copy=None):
            Counted.calls += 1
            return np.arange(3)

    nb.savez(tmp_path / "a.npz", x=Counted())
    assert Counted.calls == 1
    with pytest.warns(UserWarning, match="metadata") as warned:
        nb.savez(tmp_path / "a.npz", x=np.zeros(2, np.dtype("f8", metadata={"unit": "m"})))
    assert len(warned) == 1
