"""Long work says how far it is, and whoever has had enough ends it: nothing is left behind."""

import contextlib
import io
import os
import signal
import socket
import subprocess
import threading
import time

import numpy as np
import pytest

import ndbytes as nb
from processes import python, start

NBYTES = 48 << 20


class Heard(list):
    """What `progress` was told, by which thread and when."""

    def __call__(self, done, total):
        self.append((done, total))
        self.threads = getattr(self, "threads", set()) | {threading.get_ident()}
        self.times = [*getattr(self, "times", []), time.monotonic()]

    def check(self, total=NBYTES):
        assert self, "nothing was told"
        assert self == sorted(self)
        assert self[-1] == (total, total)
        assert self.count(self[-1]) == 1
        assert {told for _, told in self} == {total}
        assert self.threads == {threading.get_ident()}
        gaps = np.diff(self.times[:-1])
        assert (gaps >= 0.045).all(), gaps


@pytest.fixture(scope="module")
def array():
    """Give noise, which takes codecs their time."""
    return np.random.default_rng(0).random(NBYTES // 8).reshape(-1, 1024)


@pytest.fixture(scope="module")
def files(array, tmp_path_factory):
    """Give a folder with the array as .npy, as a frame, and as one that decodes slowly."""
    place = tmp_path_factory.mktemp("files")
    nb.save(place / "a.npy", array)
    nb.save(place / "a", array, codec="lz4")
    nibbles = np.random.default_rng(0).integers(0, 16, 3 * NBYTES, dtype="u1")
    nb.save(place / "z", nibbles, codec="zlib-1", chunks=(1 << 19,))
    archives(place, array)
    return place


def exchange(array, codec, progress):
    """Send over a socket to a thread, which says how far it is itself."""
    left, right = socket.socketpair()
    heard = []
    with left, right:
        receive = threading.Thread(
            target=lambda: nb.recv(right, progress=lambda *told: heard.append(told))
        )
        receive.start()
        nb.send(left, array, codec, progress=progress)
        receive.join(60)
    assert heard[-1] == (array.nbytes, array.nbytes)
    assert heard == sorted(heard)


def received(data, progress):
    """Receive what another thread sends."""
    left, right = socket.socketpair()
    with left, right:
        send = threading.Thread(target=left.sendall, args=(data,))
        send.start()
        array = nb.recv(right, progress=progress)
        send.join(60)
    return array


def zstd_archive(folder, array, progress):
    with pytest.warns(UserWarning, match="zstd"):
        nb.savez_compressed(folder / "new", array, codec="zstd", progress=progress)


WORKS = {
    "save": lambda f, a, p: nb.save(f / "new", a, progress=p),
    "save a frame": lambda f, a, p: nb.save(f / "new", a, codec="zstd", progress=p),
    "save to a file": lambda f, a, p: nb.save(io.BytesIO(), a, progress=p),
    "save a frame to a file": lambda f, a, p: nb.save(io.BytesIO(), a, codec="fast", progress=p),
    "save strides": lambda f, a, p: nb.save(f / "new", a[:, ::-1], progress=p),
    "dumps": lambda f, a, p: nb.dumps(a, progress=p),
    "dumps a transposition": lambda f, a, p: nb.dumps(a[::-1].T, progress=p),
    "dumps a frame": lambda f, a, p: nb.dumps(a, "zstd", progress=p),
    "load": lambda f, a, p: nb.load(f / "a.npy", progress=p),
    "load into": lambda f, a, p: nb.load(f / "a.npy", out=np.empty_like(a.T).T, progress=p),
    "load a frame": lambda f, a, p: nb.load(f / "a.ndb", progress=p),
    "load from a file": lambda f, a, p: nb.load(io.BytesIO((f / "a.npy").read_bytes()), progress=p),
    "loads": lambda f, a, p: nb.loads((f / "a.npy").read_bytes(), progress=p),
    "loads a copy": lambda f, a, p: nb.loads((f / "a.npy").read_bytes(), copy=True, progress=p),
    "loads a buffer": lambda f, a, p: nb.loads(bytearray((f / "a.npy").read_bytes()), progress=p),
    "loads a frame": lambda f, a, p: nb.loads((f / "a.ndb").read_bytes(), progress=p),
    "read": lambda f, a, p: nb.open(f / "a.ndb").read(progress=p),
    "read into": lambda f, a, p: nb.open(f / "a.ndb").read(np.empty_like(a.T).T, progress=p),
    "send": lambda f, a, p: exchange(a, None, p),
    "send a frame": lambda f, a, p: exchange(a, "fast", p),
    "recv": lambda f, a, p: received((f / "a.npy").read_bytes(), p),
    "recv a frame": lambda f, a, p: received((f / "a.ndb").read_bytes(), p),
    "savez": lambda f, a, p: nb.savez(f / "new", a, progress=p),
    "savez several": lambda f, a, p: nb.savez(f / "new", a[:1], b=a[1:].T, progress=p),
    "savez to a file": lambda f, a, p: nb.savez(io.BytesIO(), a, progress=p),
    "savez_compressed": lambda f, a, p: nb.savez_compressed(f / "new", a, level=1, progress=p),
    "savez zstd": zstd_archive,
    "append": lambda f, a, p: nb.savez(f / "a.npz", new=a, append=True, progress=p),
    "append to nothing": lambda f, a, p: nb.savez(f / "no.npz", a, append=True, progress=p),
    "member": lambda f, a, p: nb.load(f / "a.npz").open("stored").read(progress=p),
    "deflated member": lambda f, a, p: nb.load(f / "a.npz").open("deflated").read(progress=p),
    "deflated by others": lambda f, a, p: nb.load(f / "np.npz").open("a").read(progress=p),
    "some members": lambda f, a, p: nb.load(f / "a.npz").read("deflated", progress=p),
    "members": lambda f, a, p: nb.load(f / "two.npz").read(progress=p),
    "members by others": lambda f, a, p: nb.load(f / "np two.npz").read(progress=p),
}


def archives(place, array):
    """Save archives of it, whole and in two halves, by ndbytes and by NumPy."""
    nb.savez(place / "a", stored=array)
    nb.savez_compressed(place / "a", deflated=array, level=1, append=True)
    quick = np.zeros_like(array)
    np.savez_compressed(place / "np", a=quick)
    halves = {"b": array[: len(array) // 2], "c": array[len(array) // 2 :]}
    nb.savez_compressed(place / "two", **halves, level=1)
    np.savez_compressed(place / "np two", **{name: half * 0 for name, half in halves.items()})


@pytest.mark.parametrize("name", WORKS)
def test_what_is_told_grows_to_all_of_it(files, array, name):
    heard = Heard()
    WORKS[name](files, array, heard)
    heard.check()


@pytest.mark.parametrize("name", WORKS)
def test_small_arrays_are_told_of_once(tmp_path, name):
    array = np.arange(12.0).reshape(3, 4)
    nb.save(tmp_path / "a.npy", array)
    nb.save(tmp_path / "a", array, codec="lz4")
    archives(tmp_path, array)
    heard = Heard()
    WORKS[name](tmp_path, array, heard)
    assert heard == [(96, 96)]


def test_an_append_tells_of_what_is_appended(tmp_path, array):
    path = tmp_path / "a.ndb"
    nb.save(path, array[:1000], codec="lz4", chunks=(700, 1024))
    heard = Heard()
    with nb.open(path, "a") as frame:
        frame.append(array[1000:], progress=heard)
        heard.check(array[1000:].nbytes)
        assert np.array_equal(frame.read(), array)


def test_a_copy_to_zarr_tells_of_the_frame(tmp_path, files):
    heard = Heard()
    nb.open(files / "a.ndb").to_zarr(tmp_path / "a.zarr", progress=heard)
    heard.check((files / "a.ndb").stat().st_size)
    assert nb.load(tmp_path / "a.zarr").nbytes == NBYTES


# What it raises.


def raises(error, at=0):
    def progress(done, total):
        if done >= at:
            raise error

    return progress


ERRORS = [ZeroDivisionError("mine"), InterruptedError("mine"), BlockingIOError(11, "mine")]


@pytest.mark.parametrize("at", [0, NBYTES])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_what_it_raises_comes_out_and_a_file_is_as_it_was(tmp_path, files, array, error, at):
    nb.save(tmp_path / "new.npy", np.arange(3))
    nb.save(tmp_path / "new", np.arange(3), codec="fast")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for name, work in WORKS.items():
        if name.startswith(("send", "recv")):
            continue
        place = tmp_path if name.startswith("save") else files
        with pytest.raises(type(error)) as caught:
            work(place, array, raises(error, at))
        assert caught.value is error, name
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("at", [0, 1, 8000 * 64])
def test_an_append_that_is_ended_never_was(tmp_path, array, at):
    path = tmp_path / "a.ndb"
    nb.save(path, np.arange(5000.0), codec="lz4", chunks=(700,))
    before = path.read_bytes()
    with nb.open(path, "a") as frame, pytest.raises(ZeroDivisionError):
        frame.append(np.zeros(64_000), progress=raises(ZeroDivisionError(), at))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.ndb"]
    with pytest.raises(ZeroDivisionError):
        nb.open(path).to_zarr(tmp_path / "a.zarr", progress=raises(ZeroDivisionError()))
    assert os.listdir(tmp_path) == ["a.ndb"]


def test_what_cannot_be_called_is_refused(tmp_path):
    with pytest.raises(TypeError, match="progress must be callable, not <class 'int'>"):
        nb.save(tmp_path / "a.npy", np.arange(3), progress=3)
    with pytest.raises(TypeError, match="progress"):
        nb.dumps(np.arange(3), progress="bar")
    assert os.listdir(tmp_path) == []


def test_a_callback_may_use_the_library_itself(tmp_path, array):
    seen = []

    def progress(done, total):
        seen.append(nb.loads(nb.dumps(np.array([done, total]), "zstd")).tolist())

    nb.save(tmp_path / "a", array, codec="zstd", progress=progress)
    assert seen[-1] == [NBYTES, NBYTES]


# Ctrl-C.


def interrupt(*args):
    raise KeyboardInterrupt


class Interrupts(Heard):
    """Sends this process a signal as soon as work goes on, and remembers when."""

    at = None

    def __call__(self, done, total):
        super().__call__(done, total)
        if self.at is None:
            self.at = time.monotonic()
            # By another thread: this one only finds out when it looks.
            send = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR1))
            send.start()
            send.join(30)


@contextlib.contextmanager
def handled():
    old = signal.signal(signal.SIGUSR1, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, old)


SLOW = {
    "save a frame": lambda f, a, p: nb.save(
        f / "new", a, codec="zstd-12", chunks=(64, 1024), progress=p
    ),
    "dumps a frame": lambda f, a, p: nb.dumps(a, "zstd-12", chunks=(64, 1024), progress=p),
    "load a frame": lambda f, a, p: nb.load(f / "z.ndb", progress=p),
    "loads a frame": lambda f, a, p: nb.loads((f / "z.ndb").read_bytes(), progress=p),
    "read": lambda f, a, p: nb.open(f / "z.ndb").read(progress=p),
}


def soon(attempt):
    """Make attempts that return how long it took: others may keep the machine busy."""
    took = [attempt()]
    while took[-1] >= 0.5 and len(took) < 5:
        took.append(attempt())
    assert took[-1] < 0.5, took


@pytest.mark.parametrize("name", SLOW)
def test_long_work_is_ended_at_once_and_in_the_middle(files, array, name):
    names = sorted(os.listdir(files))

    def attempt():
        progress = Interrupts()
        with handled(), pytest.raises(KeyboardInterrupt):
            SLOW[name](files, array, progress)
        took = time.monotonic() - progress.at
        assert progress[-1][0] < progress[-1][1]
        assert sorted(os.listdir(files)) == names
        return took

    soon(attempt)


# A terminal sends SIGINT to the process; the call alone keeps it busy.
LONG = """
import os, sys, threading, time
import numpy as np
import ndbytes as nb

os.chdir(sys.argv[1])
noise = np.random.default_rng(0).random(8 << 20)
huge = np.broadcast_to(np.float64(1), (1 << 28,))
WORKS = {
    "save": lambda: nb.save("a.npy", huge),
    "frame": lambda: nb.save("a.ndb", noise, codec="zstd-15", chunks=(1 << 14,)),
    "dumps": lambda: nb.dumps(huge),
    "dumps a frame": lambda: nb.dumps(noise, "zstd-15", chunks=(1 << 14,)),
    "tobytes": lambda: nb.tobytes(huge),
    "savez": lambda: nb.savez("a.npz", huge),
    "savez_compressed": lambda: nb.savez_compressed("a.npz", noise, level=9),
    "append": lambda: nb.open("b.ndb", "a").append(noise, codec="zstd-15"),
    "append to an archive": lambda: nb.savez_compressed("b.npz", noise, level=9, append=True),
    "load an archive": lambda: nb.load("b.npz").read(),
}
nb.save("b.ndb", np.arange(1 << 15, dtype="f8"), codec="zstd", chunks=(1 << 14,))
size = 1 << 26 if sys.argv[2] == "load an archive" else 10
nb.savez_compressed("b.npz", np.random.default_rng(0).integers(0, 1000, size), level=1)
print("ready", flush=True)
input()
begin = time.monotonic()
try:
    WORKS[sys.argv[2]]()
except KeyboardInterrupt:
    print("interrupted", flush=True)
else:
    print("done after", time.monotonic() - begin, flush=True)
"""

NAMES = [
    "save",
    "frame",
    "dumps",
    "dumps a frame",
    "tobytes",
    "savez",
    "savez_compressed",
    "append",
    "append to an archive",
    "load an archive",
]


def begun(tmp_path, name):
    """Start such a process, and return it when it is at work, with the files that were there."""
    process = start(LONG, tmp_path, name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    process.stdin.write("\n")
    process.stdin.flush()
    time.sleep(0.15)
    return process, before


@pytest.mark.parametrize("name", NAMES)
def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path, name):
    for end in ("npy", "ndb", "npz"):
        (tmp_path / f"a.{end}").write_bytes(b"old")

    def attempt():
        process, before = begun(tmp_path, name)
        with process:
            process.send_signal(signal.SIGINT)
            begin = time.monotonic()
            assert process.stdout.readline() == "interrupted\n"
            took = time.monotonic() - begin
            assert process.wait(30) == 0
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        return took

    soon(attempt)


def has_unnamed_files(folder):
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
    except (OSError, AttributeError):
        return False
    return True


@pytest.mark.parametrize("kill", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("name", ["save", "frame", "savez", "savez_compressed"])
def test_a_process_that_is_killed_leaves_nothing(tmp_path, name, kill):
    if not has_unnamed_files(tmp_path):
        pytest.skip("this file system has no files without a name")
    (tmp_path / "a.npy").write_bytes(b"old")
    process, before = begun(tmp_path, name)
    with process:
        process.send_signal(kill)
        assert process.stdout.read() == ""
        assert process.wait(30) == -kill
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_signals_are_left_to_the_main_thread(tmp_path):
    """A thread that is not told anything does not ask for the interpreter either."""
    code = """
import signal, sys, threading, time
import numpy as np
import ndbytes as nb

def handler(*args):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, handler)
noise = np.random.default_rng(0).random(2 << 20)
result = []
work = lambda: result.append(len(nb.dumps(noise, "zstd-12", chunks=(1 << 14,))))
thread = threading.Thread(target=work)
thread.start()
signal.setitimer(signal.ITIMER_REAL, 0.1)
try:
    time.sleep(30)
except KeyboardInterrupt:
    print("main", thread.is_alive())
thread.join()
print(len(result))
"""
    assert python(code).split() == ["main", "True", "1"]
