"""The interpreter is released, threads share what they may, and nothing leaks."""

import gc
import io
import os
import socket
import sys
import threading
import time
import tracemalloc

import numpy as np
import pytest

import ndbytes as nb
from processes import python

BIG = 64 << 20


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Give a folder with a large array in every kind of file."""
    place = tmp_path_factory.mktemp("big")
    array = np.random.default_rng(0).integers(0, 99, (BIG // 8 // 1000, 1000))
    nb.save(place / "a.npy", array)
    nb.savez(place / "a.npz", x=array)
    nb.savez_compressed(place / "c.npz", x=array[: BIG // 64 // 1000], level=1)
    nb.tofile(array, place / "raw")
    return place, array


def longest_pause(call):
    """Return how long a call takes, and the longest that another thread then stood still."""
    stop, ready = threading.Event(), threading.Event()
    pauses = []

    def watch():
        last = time.perf_counter()
        ready.set()
        while not stop.is_set():
            time.sleep(0.0005)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    thread = threading.Thread(target=watch)
    thread.start()
    ready.wait(30)
    begin = time.perf_counter()
    try:
        call()
    finally:
        took = time.perf_counter() - begin
        stop.set()
        thread.join(30)
    return took, max(pauses, default=took), len(pauses)


@pytest.mark.parametrize(
    "call",
    [
        lambda p, a: nb.dumps(a[:, ::-1]),
        lambda p, a: nb.tobytes(a, "F"),
        lambda p, a: nb.save(p / "new.npy", a.T[::-1]),
        lambda p, a: nb.save(p / "new.npy", a, durable=True),
        lambda p, a: nb.load(p / "a.npy"),
        lambda p, a: nb.load(p / "a.npz")["x"],
        lambda p, a: nb.load(p / "c.npz")["x"],
        lambda p, a: nb.savez(p / "new.npz", a),
        lambda p, a: nb.savez_compressed(p / "new.npz", a[:1000], level=1),
        lambda p, a: nb.fromfile(p / "raw", "i8"),
        lambda p, a: nb.compress(a[:1000], level=1),
    ],
)
def test_other_threads_run_during_large_operations(place, call):
    """With the interpreter held, the other thread would stand still for as long as it takes."""
    for attempt in range(5):
        took, pause, steps = longest_pause(lambda: call(*place))
        if steps >= 3 and (took < 0.01 or pause < 0.7 * took):
            return
    pytest.fail(f"another thread stood still for {pause:.3f} of {took:.3f} s ({steps} steps)")


def run_all(functions):
    problems = []
    barrier = threading.Barrier(len(functions))

    def run(function):
        try:
            barrier.wait(30)
            function()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(f,)) for f in functions]
    [thread.start() for thread in threads]
    [thread.join(60) for thread in threads]
    assert not any(thread.is_alive() for thread in threads)
    assert not problems


def test_many_threads_do_everything_at_once(tmp_path):
    arrays = [np.full((300, 40), i, "f8")[:, ::2] for i in range(6)]
    nb.savez_compressed(tmp_path / "shared", *arrays)
    archive = nb.load(tmp_path / "shared.npz")

    def work(number):
        array = arrays[number]
        path = tmp_path / f"{number}.npy"
        for n in range(15):
            nb.save(path, array)
            assert np.array_equal(nb.load(path), array)
            assert np.array_equal(nb.loads(nb.dumps(array)), array)
            assert np.array_equal(archive[f"arr_{(number + n) % 6}"], arrays[(number + n) % 6])
            assert nb.decompress(nb.compress(array)) == array.tobytes()
            with nb.load(path, mmap_mode="r") as mapped:
                assert mapped[0, 0] == number

    run_all([lambda i=i: work(i) for i in range(6)])
    archive.close()


def test_closing_an_archive_under_readers_is_an_error_and_no_crash(tmp_path):
    nb.savez_compressed(tmp_path / "a", x=np.arange(50_000))
    for _ in range(5):
        archive = nb.load(tmp_path / "a.npz")

        def read(archive=archive):
            while True:
                try:
                    assert archive["x"][-1] == 49_999
                except nb.ArgumentError:
                    return

        def close(archive=archive):
            archive["x"]
            archive.close()

        run_all([read, read, close])


def test_an_array_that_is_written_to_meanwhile_does_no_harm(tmp_path):
    array = np.zeros(3_000_000)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            array[::1000] += 1

    def save():
        try:
            for _ in range(5):
                nb.save(tmp_path / "a.npy", array)
                assert nb.load(tmp_path / "a.npy").shape == array.shape
        finally:
            stop.set()

    run_all([write, save])


# Leaks.


def calls(tmp_path, left, right):
    array = np.arange(300.0).reshape(10, 30)
    struct = np.zeros(9, [("a", "i4"), ("b", "S3", (2,))])
    data = nb.dumps(array)
    nb.save(tmp_path / "a.npy", array)
    nb.savez(tmp_path / "a.npz", x=array, s=struct)

    def fails(call):
        try:
            call()
        except (ValueError, OSError):
            return
        raise AssertionError("it did not fail")

    def exchange():
        nb.send(left, array)
        nb.recv(right, timeout=30)

    def archive():
        with nb.load(tmp_path / "a.npz") as file:
            assert len(file["x"]) == 10
            assert len(file["s"]) == 9

    def mapped():
        with nb.load(tmp_path / "a.npy", mmap_mode="r") as memory:
            assert memory[0, 0] == 0

    out = np.empty_like(array)
    return array, {
        "dumps": lambda: nb.dumps(array),
        "dumps struct": lambda: nb.loads(nb.dumps(struct)),
        "loads": lambda: nb.loads(data),
        "loads copy": lambda: nb.loads(bytearray(data), copy=True),
        "tobytes": lambda: nb.tobytes(array.T),
        "frombuffer": lambda: nb.frombuffer(data, "u1"),
        "save": lambda: nb.save(tmp_path / "b.npy", array),
        "load": lambda: nb.load(tmp_path / "a.npy"),
        "out": lambda: nb.load(tmp_path / "a.npy", out=out),
        "memory": lambda: nb.load(io.BytesIO(data)),
        "file": lambda: nb.save(io.BytesIO(), array),
        "savez": lambda: nb.savez(io.BytesIO(), array, s=struct),
        "archive": archive,
        "mapped": mapped,
        "compress": lambda: nb.decompress(nb.compress(array)),
        "exchange": exchange,
        "errors": lambda: fails(lambda: nb.loads(data[:-1])),
        "io errors": lambda: fails(lambda: nb.load(tmp_path / "none")),
        "objects": lambda: fails(lambda: nb.dumps(np.array([None]))),
    }


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    with left, right:
        yield left, right


def test_a_thousand_calls_leak_nothing(tmp_path, pair):
    array, table = calls(tmp_path, *pair)
    for name, call in table.items():
        repeat = 1000
        for _ in range(20):
            call()
        gc.collect()
        references = sys.getrefcount(array), sys.getrefcount(array.dtype), sys.getrefcount(None)
        handles = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(repeat):
            call()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        # What is held back for a while, whatever the number of calls; a leak is more.
        assert grown < 100_000, name
        assert sys.getrefcount(array) == references[0], name
        assert abs(sys.getrefcount(array.dtype) - references[1]) < repeat / 10, name
        assert abs(sys.getrefcount(None) - references[2]) < repeat / 2, name
        if handles:
            assert len(os.listdir("/proc/self/fd")) == handles, name


def test_results_keep_what_they_look_at_alive():
    array = nb.loads(nb.dumps(np.arange(100_000)))
    view = nb.loads(bytearray(nb.dumps(np.arange(100_000))))
    raw = nb.frombuffer(nb.tobytes(np.arange(100_000)), "i8")
    gc.collect()
    filler = [bytes([i % 256]) * 800_000 for i in range(5)]
    for result in (array, view, raw):
        assert np.array_equal(result, np.arange(100_000))
    del filler


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux does")
def test_threads_that_wait_to_help_end_before_a_fork():
    """Python from 3.12 on warns of a fork where there are threads."""
    code = """
import os
import time
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy as np
import ndbytes as nb

threads = lambda: set(os.listdir("/proc/self/task"))
own = threads()
array = np.arange(1 << 20)
frame = nb.dumps(array, codec="fast", threads=2)
helpers = threads() - own
assert helpers
pid = os.fork()
if pid == 0:
    # What is in the copy begins threads of its own.
    for _ in range(3):
        if not (nb.loads(nb.dumps(array, codec="fast", threads=2)) == array).all():
            os._exit(1)
    os._exit(0)
deadline = time.monotonic() + 10
while helpers & threads():  # the kernel forgets them a little later
    assert time.monotonic() < deadline
    time.sleep(0.001)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert (nb.loads(frame) == array).all()
"""
    python(code)
