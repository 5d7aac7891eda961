"""Frames that grow: whatever ends the append, the frame is as before it or after it."""

import errno
import os

import numpy as np
import pytest

import ndbytes as nb
from processes import python

KILLED = """
import os, random, signal, sys, time
import numpy as np
import ndbytes as nb

path, order, codec, durable, seed = sys.argv[1:4] + [sys.argv[4] == "durable", int(sys.argv[5])]
rng = random.Random(seed)

def rows(begin, end):
    array = np.arange(begin * 3, end * 3, dtype="<i8").reshape(-1, 3) // 5
    return array.T.copy(order="F") if order == "F" else array

def length(array):
    return array.shape[1 if order == "F" else 0]

def grow(out):
    with nb.open(path, "a") as frame:
        n = length(frame)
        os.write(out, b"%d\\n" % n)
        while True:
            more = rng.choice([1, 7, 40, 200, 3000])
            frame.append(rows(n, n + more), durable=durable)
            n += more
            os.write(out, b"%d\\n" % n)

nb.save(path, rows(0, 50), codec=codec, chunks=(3, 40) if order == "F" else (40, 3))
cut_off = 0
for kill in range(50):
    rng.random()
    told, out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            grow(out)
        finally:
            os._exit(9)
    os.close(out)
    begun = os.read(told, 100)
    time.sleep(rng.random() ** 2 * 0.02)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it ended by itself"
    lines = (begun + os.read(told, 1 << 20)).split()
    os.close(told)
    promised = int(lines[-1])
    cut_off += os.path.exists(path + ".journal")
    before = open(path, "rb").read()
    array = nb.load(path)
    assert length(array) >= promised, (kill, length(array), promised)
    assert np.array_equal(array, rows(0, length(array))), kill
    # A reader repairs nothing.
    assert open(path, "rb").read() == before
with nb.open(path, "a") as frame:
    n = length(frame)
    frame.append(rows(n, n + 5))
    assert np.array_equal(frame.read(), rows(0, n + 5))
with open(path, "rb") as file:
    assert np.array_equal(nb.load(file), rows(0, n + 5))
print(cut_off, sorted(os.listdir(os.path.dirname(path))))
"""


@pytest.mark.parametrize(
    ("codec", "order", "durable"),
    [("raw", "C", "durable"), ("raw", "F", ""), ("zstd", "C", ""), ("pco", "F", "durable")],
)
def test_fifty_appends_that_are_killed_lose_nothing(tmp_path, codec, order, durable):
    cut_off, names = python(KILLED, tmp_path / "a.ndb", order, codec, durable, 1).split(" ", 1)
    assert 0 < int(cut_off) < 50
    assert names.strip() == "['a.ndb']"


NOISE = np.frombuffer(np.random.default_rng(1).bytes(400_000), "<i4")


@pytest.fixture
def path(full_disk):
    """Give a frame of 300 KB on a disk of 1 MiB."""
    path = full_disk / "a.ndb"
    nb.save(path, NOISE[:75_000], codec="raw", chunks=(20_000,))
    return path


def room(folder):
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("free", [0, 4096, 40_960, 65_536, 69_632, 81_920, 200_704, 400_000])
def test_a_full_disk_keeps_the_frame(path, free, durable):
    before = path.read_bytes()
    filler = path.with_name("filler")
    filler.write_bytes(bytes(room(path.parent) - free))
    with nb.open(path, "a") as frame:
        with pytest.raises(OSError, match="space") as caught:
            frame.append(np.tile(NOISE, 2), durable=durable)
        assert caught.value.errno == errno.ENOSPC
        assert isinstance(caught.value, nb.NdbytesError)
        assert np.array_equal(frame.read(), NOISE[:75_000])
    assert path.read_bytes() == before
    assert sorted(os.listdir(path.parent)) == ["a.ndb", "filler"]
    filler.unlink()
    with nb.open(path, "a") as frame:
        frame.append(NOISE[75_000:])
    assert np.array_equal(nb.load(path), NOISE)


QUOTA = """
import resource, signal, sys
import numpy as np
import ndbytes as nb
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frame = nb.open(sys.argv[1], "a")
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    frame.append(np.arange(50_000, dtype="<i4"))
    print("no error")
except OSError as error:
    print(error.errno, np.array_equal(nb.load(sys.argv[1]), np.arange(70_000)))
"""


def test_a_frame_that_cannot_even_be_put_back_is_read_as_it_was(tmp_path):
    path = tmp_path / "a.ndb"
    array = np.arange(70_000, dtype="<i4")
    nb.save(path, array, codec="raw", chunks=(20_000,))
    # Less than it has: what was cut off has no room any more.
    told = python(QUOTA, path, path.stat().st_size - 10)
    assert told.split() == [str(errno.EFBIG), "True"]
    assert path.with_name("a.ndb.journal").exists()
    assert np.array_equal(nb.load(path), array)
    assert np.array_equal(nb.open(path)[60_000:], array[60_000:])
    with nb.open(path, "a") as frame:
        frame.append(array[:9])
        assert np.array_equal(frame.read(), np.concatenate([array, array[:9]]))
    assert os.listdir(tmp_path) == ["a.ndb"]


def test_a_journal_is_for_those_who_may_read_the_frame(tmp_path):
    path = tmp_path / "a.ndb"
    nb.save(path, np.arange(70_000, dtype="<i4"), codec="raw", chunks=(20_000,))
    path.chmod(0o600)
    python(QUOTA, path, path.stat().st_size - 10)
    assert path.with_name("a.ndb.journal").stat().st_mode & 0o777 == 0o600


def test_a_link_in_a_journals_place_is_not_followed(tmp_path):
    path = tmp_path / "a.ndb"
    nb.save(path, np.arange(10), codec="zstd")
    before = path.read_bytes()
    new = path.with_name("a.ndb.journal.new")
    new.symlink_to(tmp_path / "victim")
    with nb.open(path, "a") as frame:
        frame.append(np.arange(0))
        frame.append(np.arange(1))
    assert sorted(os.listdir(tmp_path)) == ["a.ndb"]
    path.write_bytes(before)
    path.with_name("a.ndb.journal").symlink_to(tmp_path / "victim")
    with nb.open(path, "a") as frame, pytest.raises(nb.FormatError, match=r"a\.ndb\.journal"):
        frame.append(np.arange(3))
    assert np.array_equal(nb.load(path), np.arange(10))
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.ndb", "a.ndb.journal"]
