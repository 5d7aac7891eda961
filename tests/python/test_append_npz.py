"""Appending to archives: all of it or nothing, and what others wrote stays."""

import io
import os
import random
import signal
import time
import zipfile

import numpy as np
import pytest

import ndbytes as nb
from arrays import NUMPY2, same
from processes import python, start

BASE = {"x": np.arange(1000.0), "y": np.eye(3)}

both = pytest.mark.parametrize("savez", [nb.savez, nb.savez_compressed])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez(path, BASE)
    return path


def read(path, load=nb.load):
    with load(path) as archive:
        return dict(archive)


def equal(ours, theirs):
    return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in ours)


def journal(path):
    return path.with_name(path.name + ".journal")


@both
def test_arrays_are_added_or_replaced(path, savez):
    old = path.read_bytes()
    new = {"y": np.arange(5, dtype=">i2"), "z": np.asfortranarray(np.ones((3, 4), "f4"))}
    savez(path, new, append=True)
    want = {"x": BASE["x"], **new}
    assert equal(read(path), want)
    assert equal(read(path, np.load), want)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["x.npy", "y.npy", "z.npy"]
    assert path.read_bytes().startswith(old[: old.rindex(b"PK\x01\x02") - 51])
    savez(path, x=np.array(1), append=True)
    assert list(read(path)) == ["y", "z", "x"]
    assert not journal(path).exists()


def test_an_archive_that_is_not_there_is_begun(tmp_path):
    nb.savez(tmp_path / "a", BASE, append=True)
    nb.savez(tmp_path / "b", BASE)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_same_appends_give_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        nb.savez(tmp_path / name, BASE)
        nb.savez_compressed(tmp_path / name, y=np.arange(10), append=True, durable=name == "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_stored_arrays_can_be_mapped(path):
    nb.savez(path, z=np.arange(100), append=True)
    with nb.load(path, mmap_mode="r") as archive:
        for key, want in {**BASE, "z": np.arange(100)}.items():
            assert isinstance(archive[key], nb.memmap)
            assert archive[key].offset % 64 == 0
            assert np.array_equal(archive[key], want)


def test_only_a_bool_is_the_option(tmp_path):
    nb.savez(tmp_path / "a.npz", append=np.arange(3))
    nb.savez_compressed(tmp_path / "b.npz", append=1)
    assert list(read(tmp_path / "a.npz")) == list(read(tmp_path / "b.npz")) == ["append"]


@both
def test_what_cannot_be_appended_to_is_refused(tmp_path, savez):
    file = io.BytesIO()
    with pytest.raises(nb.ArgumentError, match="path"):
        savez(file, x=1, append=True)
    with open(tmp_path / "open.npz", "wb") as file, pytest.raises(nb.ArgumentError, match="path"):
        savez(file, x=1, append=True)
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(nb.ArgumentError, match="regular file"):
        savez(tmp_path / "pipe.npz", x=1, append=True)
    (tmp_path / "not.npz").write_bytes(b"\x93NUMPY")
    with pytest.raises(nb.FormatError, match="not an .npz") as caught:
        savez(tmp_path / "not.npz", x=1, append=True)
    assert caught.value.code == "zip.end"
    assert (tmp_path / "not.npz").read_bytes() == b"\x93NUMPY"


@pytest.mark.parametrize("allow_pickle", [False, True])
def test_what_cannot_be_saved_leaves_the_archive_as_it_was(path, allow_pickle):
    old = path.read_bytes()
    with pytest.raises(nb.UnsupportedError) as caught:
        nb.savez(path, a=1, o=np.array([{}]), append=True, allow_pickle=allow_pickle)
    assert caught.value.code == "dtype.object"
    assert ("appended" in str(caught.value)) == allow_pickle
    with pytest.raises(nb.ArgumentError):
        nb.savez(path, {"a\0b": 1}, append=True)
    assert path.read_bytes() == old
    assert os.listdir(path.parent) == ["a.npz"]


def test_what_others_wrote_stays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **BASE)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("notes.txt", (2001, 2, 3, 4, 5, 6))
        info.comment = b"of a member"
        info.external_attr = 0o644 << 16
        archive.writestr(info, b"text", zipfile.ZIP_BZIP2)
        archive.writestr("\xe9.npy", b"no array")
        archive.comment = b"of the archive"

    def facts(name):
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(name)
            keys = ("date_time", "comment", "external_attr", "extra", "flag_bits", "CRC")
            return [getattr(info, key) for key in keys], archive.read(name), archive.comment

    names = ["x.npy", "notes.txt", "\xe9.npy"]
    before = [facts(name) for name in names]
    nb.savez(path, y=np.arange(3), append=True)
    nb.savez_compressed(path, z=np.arange(4), append=True)
    assert [facts(name) for name in names] == before
    with np.load(path) as archive:
        assert same(archive["y"], np.arange(3))
        assert same(archive["z"], np.arange(4))
    with zipfile.ZipFile(path, "a") as archive:
        assert archive.testzip() is None
        archive.writestr("more", b"behind ours")
    nb.savez(path, w=1, append=True)
    assert facts("more")[1] == b"behind ours"


def test_an_open_archive_goes_on_with_what_it_had(path):
    with nb.load(path) as ours, nb.load(path, mmap_mode="r") as maps:
        mapped = maps["x"]
        nb.savez(path, x=np.zeros(5), new=np.ones(100_000), append=True)
        assert equal(dict(ours), BASE)
        assert np.array_equal(mapped, BASE["x"])
        assert np.array_equal(maps["y"], BASE["y"])
    assert list(read(path)) == ["y", "x", "new"]


FULL = """
import resource, sys
import numpy as np, ndbytes as nb
path, limit = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    nb.savez(path, y=np.ones(100), z=np.arange(1_000_000), append=True)
except nb.NdbytesOSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize("room", [0, 100, 1500, 1_000_000])
def test_a_full_disk_leaves_the_archive_as_it_was(path, room):
    old = path.read_bytes()
    assert python(FULL, path, len(old) + room).split() == ["27"]  # EFBIG
    assert path.read_bytes() == old
    assert not journal(path).exists()


APPEND = """
import sys, time
import numpy as np, ndbytes as nb
path, first = sys.argv[1], int(sys.argv[2])
print(flush=True)
for i in range(first, first + 1000):
    savez = nb.savez if i % 2 else nb.savez_compressed
    savez(path, {"same": np.full(20_000, i), f"n{i % 5}": np.full(1000, i)}, append=True)
    print(i, flush=True)
"""


def test_what_was_appended_survives_a_kill(path):
    rng = random.Random(1)
    last = 0
    began = time.monotonic()
    rounds = cut_off = 0
    while rounds < 30 and time.monotonic() - began < 10:
        child = start(APPEND, path, last + 1, stdout=-1)
        child.stdout.readline()
        time.sleep(rng.random() * 0.03)
        child.send_signal(signal.SIGKILL)
        lines = child.communicate()[0].split()
        promised = int(lines[-1]) if lines else last
        cut_off += journal(path).exists()
        arrays = read(path)
        last = int(arrays["same"][0]) if "same" in arrays else 0
        assert promised <= last <= promised + 1
        # All of one append, of each before it what was not replaced, and what was there first.
        if last:
            assert np.array_equal(arrays["same"], np.full(20_000, last))
        for i in range(max(1, last - 4), last + 1):
            assert np.array_equal(arrays[f"n{i % 5}"], np.full(1000, i))
        assert equal({key: arrays[key] for key in BASE}, BASE)
        rounds += 1
    assert rounds >= 3
    nb.savez(path, end=1, append=True)
    assert not journal(path).exists()
    arrays = read(path)
    assert equal(read(path, np.load), arrays)
    assert int(arrays["same"][0]) == last


HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
sys.stdin.read()
"""


def test_one_process_at_a_time_appends(path):
    old = path.read_bytes()
    child = start(HOLD, path, stdin=-1, stdout=-1)
    try:
        child.stdout.readline()
        with pytest.raises(nb.NdbytesOSError, match="another process appends"):
            nb.savez(path, z=1, append=True)
    finally:
        child.communicate()
    assert path.read_bytes() == old
    nb.savez(path, z=1, append=True)


def test_an_interrupt_leaves_the_archive_as_it_was(path):
    old = path.read_bytes()
    some = np.random.default_rng(1).random(100_000)
    many = {str(i): some for i in range(300)}

    def raise_it(*_):
        raise KeyboardInterrupt

    # Seconds of work.
    many = {str(i): np.random.default_rng(i).standard_normal(200_000) for i in range(40)}
    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            nb.savez_compressed(path, many, append=True, level=9)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not journal(path).exists()
    assert path.read_bytes() == old


@pytest.mark.skipif(not NUMPY2, reason="of one NumPy is enough")
def test_many_appends_are_as_one_archive(path):
    want = dict(BASE)
    for i in range(60):
        want[f"k{i}"] = np.full(i, i)
        nb.savez(path, {f"k{i}": want[f"k{i}"]}, append=True)
    assert equal(read(path), want)
    assert equal(read(path, np.load), want)
