"""The tasks: what is done, by ndbytes and by each peer, and how to know that it was done right."""

from __future__ import annotations

import io
import os
import pickle
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import ndbytes as nb
from timing import Timing, Way, interleaved

try:
    import blosc2
    import joblib
    import msgpack
    import msgpack_numpy
    import safetensors.numpy as safetensors
    import zmq
except ImportError as error:
    raise SystemExit(f"{error}: run `make bench`, which installs the peers") from None


@dataclass
class Task:
    """One row group: our way first, then the peers'."""

    name: str
    nbytes: int
    ways: dict[str, Way]
    check: Callable[[Any], bool]
    goal: float | None = None
    against: str = "numpy"
    calls: int = 1
    extra: dict[str, float] = field(default_factory=dict)
    # Where how long all calls take is not what counts: gives it after so many seconds.
    measure: Callable[[float], dict[str, Timing]] | None = None

    def timings(self, seconds: float) -> dict[str, Timing]:
        """What each way takes."""
        if self.measure is not None:
            return self.measure(seconds)
        return interleaved(self.ways, 15, seconds)

    def verify(self) -> None:
        """Run each way once and check its answer."""
        for name, way in self.ways.items():
            if not self.check(way()):
                raise SystemExit(f"{self.name}: {name} gives a wrong answer; nothing was timed")


def memory(size: int) -> Iterator[Task]:
    """`tobytes` in every layout."""
    rng = np.random.default_rng(1)
    flat = rng.standard_normal(size // 8)

    def task(name: str, a: np.ndarray[Any, Any], goal: float) -> Task:
        want = a.tobytes()
        ways = {"ndbytes": lambda: nb.tobytes(a), "numpy": lambda: a.tobytes()}
        return Task(f"tobytes {name}", a.nbytes, ways, lambda got: got == want, goal)

    rows = flat[: flat.size // 4096 * 4096].reshape(-1, 4096)
    yield task("C-contiguous f8", flat, 6)
    yield task("transposed f8", rows.T, 7)
    yield task("transposed f4", rows.astype("f4").T, 10)
    side = int(size**0.5)
    yield task("transposed u1", rng.integers(0, 255, (side, side), "u1").T, 25)
    yield task("[::2] f8", flat[::2], 2.5)
    yield task("[::-1] f8", flat[::-1], 2.5)
    turned = flat.astype(">f8").tobytes()
    ways = {
        "ndbytes": lambda: nb.tobytes(flat, byteorder="big"),
        "numpy": lambda: flat.astype(">f8").tobytes(),
    }
    yield Task("tobytes big-endian f8", flat.nbytes, ways, lambda got: got == turned, 6)


def files(size: int, folder: Path) -> Iterator[Task]:
    """Raw, `.npy` and `.npz` files in the page cache."""
    a = np.random.default_rng(2).standard_normal(size // 8)
    raw, npy, npz = folder / "a.raw", folder / "a.npy", folder / "a.npz"
    a.tofile(raw)
    np.save(npy, a)
    nb.savez(npz, a=a)
    theirs = folder / "theirs.npz"
    np.savez(theirs, a=a)
    tensors, dumped, frame = folder / "a.safetensors", folder / "a.joblib", folder / "a.b2nd"
    safetensors.save_file({"a": a}, tensors)
    joblib.dump(a, dumped)
    pickled = folder / "a.pickle"
    pickled.write_bytes(pickle.dumps(a, 5))
    blosc2.save_array(a[: 1 << 20], str(frame), mode="w")

    def equal(got: Any) -> bool:
        return np.array_equal(np.asarray(got), a)

    yield Task(
        "fromfile",
        a.nbytes,
        {"ndbytes": lambda: nb.fromfile(raw), "numpy": lambda: np.fromfile(raw)},
        equal,
        4,
    )
    yield Task(
        "load .npy",
        a.nbytes,
        {
            "ndbytes": lambda: nb.load(npy),
            "numpy": lambda: np.load(npy),
            "safetensors": lambda: safetensors.load_file(tensors)["a"],
            "joblib": lambda: joblib.load(dumped),
            "pickle 5": lambda: pickle.loads(pickled.read_bytes()),
        },
        equal,
        1.3,
    )
    yield Task(
        "load stored .npz",
        a.nbytes,
        {"ndbytes": lambda: nb.load(npz)["a"], "numpy": lambda: np.load(theirs)["a"]},
        equal,
        3,
    )

    def saving(
        name: str, array: np.ndarray[Any, Any], goal: float | None, peers: dict[str, Any]
    ) -> Task:
        out = {way: folder / f"out-{way.replace(' ', '')}.npy" for way in ("ndbytes", *peers)}

        def run(way: str, save: Callable[[Any, Any], Any]) -> Way:
            def call() -> Path:
                save(out[way], array)
                return out[way]

            return call

        ways = {way: run(way, save) for way, save in {"ndbytes": nb.save, **peers}.items()}
        # Formats of others are not ours to read here; their sizes say that they did the work.
        check = lambda path: (  # noqa: E731
            np.array_equal(np.load(path), array)
            if path.name in {"out-ndbytes.npy", "out-numpy.npy"}
            else path.stat().st_size >= array.nbytes
        )
        return Task(f"save {name}", array.nbytes, ways, check, goal)

    peers = {
        "safetensors": lambda path, array: safetensors.save_file({"a": array}, path),
        "joblib": lambda path, array: joblib.dump(array, path),
        "pickle 5": lambda path, array: path.write_bytes(pickle.dumps(array, 5)),
    }
    # On their own: between the others' turns the memory of a file that was replaced goes cold.
    yield saving("contiguous", a, 1.0, {"numpy": np.save})
    yield saving("contiguous, other formats", a, None, peers)
    yield saving("[:, ::2]", a.reshape(-1, 4096)[:, ::2], 4, {"numpy": np.save})
    side = round((size / 8 / 2) ** (1 / 3)) // 16 * 16
    cube = a[: side**3].reshape(side, side, side).transpose(2, 0, 1)
    yield saving("3-D transposed", cube, 4, {"numpy": np.save})

    def archive(save: Any, path: Path) -> Way:
        def call() -> Path:
            save(path, a=a)
            return path

        return call

    yield Task(
        "savez",
        a.nbytes,
        {
            "ndbytes": archive(nb.savez, folder / "o.npz"),
            "numpy": archive(np.savez, folder / "n.npz"),
        },
        lambda path: equal(np.load(path)["a"]),
        3,
    )


def small() -> Iterator[Task]:
    """Four int32, many times."""
    a = np.arange(4, dtype="i4")
    calls = 20_000
    data, pickled = nb.dumps(a), pickle.dumps(a, 5)
    packed = msgpack.packb(a, default=msgpack_numpy.encode)

    def numpy_dumps() -> bytes:
        file = io.BytesIO()
        np.save(file, a)
        return file.getvalue()

    def many(call: Callable[[], Any], calls: int = calls) -> Way:
        def run() -> Any:
            for _ in range(calls - 1):
                call()
            return call()

        return run

    dumps = {
        "ndbytes": many(lambda: nb.dumps(a)),
        "numpy": many(numpy_dumps),
        "pickle 5": many(lambda: pickle.dumps(a, 5)),
        "msgpack-numpy": many(lambda: msgpack.packb(a, default=msgpack_numpy.encode)),
        "safetensors": many(lambda: safetensors.save({"a": a})),
    }
    known = {data, pickled, packed, safetensors.save({"a": a})}
    yield Task("dumps 4 int32", 16, dumps, lambda got: got in known, 15, calls=calls)
    tensors = safetensors.save({"a": a})
    loads = {
        "ndbytes": many(lambda: nb.loads(data)),
        "numpy": many(lambda: np.load(io.BytesIO(data))),
        "pickle 5": many(lambda: pickle.loads(pickled)),
        "msgpack-numpy": many(lambda: msgpack.unpackb(packed, object_hook=msgpack_numpy.decode)),
        "safetensors": many(lambda: safetensors.load(tensors)["a"]),
    }
    yield Task("loads 4 int32", 16, loads, lambda got: np.array_equal(got, a), 30, calls=calls)

    # Some hundred times slower than the others, so called less often.
    few, frame = 200, blosc2.pack_tensor(a)
    dumps = {
        "ndbytes": many(lambda: nb.dumps(a), few),
        "blosc2": many(lambda: blosc2.pack_tensor(a), few),
    }
    yield Task("dumps 4 int32", 16, dumps, lambda got: got in {data, frame}, calls=few)
    loads = {
        "ndbytes": many(lambda: nb.loads(data), few),
        "blosc2": many(lambda: blosc2.unpack_tensor(frame), few),
    }
    yield Task("loads 4 int32", 16, loads, lambda got: np.array_equal(got, a), calls=few)


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname(), timeout=60)
        other, _ = server.accept()
        other.settimeout(60)
    for sock in (one, other):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, other


def _exchange(send: Callable[[], Any], receive: Callable[[], Any]) -> Any:
    thread = threading.Thread(target=send)
    thread.start()
    try:
        return receive()
    finally:
        thread.join()


def sockets(size: int) -> Iterator[Task]:
    """One big array over loopback TCP, a fresh array on each arrival; many small ones."""
    a = np.random.default_rng(3).standard_normal(size // 8)
    one, other = _pair()

    def bare() -> np.ndarray[Any, Any]:
        def receive() -> np.ndarray[Any, Any]:
            out = np.empty(a.shape)
            view, have = memoryview(out).cast("B"), 0
            while have < len(view):
                have += other.recv_into(view[have:])
            return out

        return _exchange(lambda: one.sendall(memoryview(a).cast("B")), receive)

    def recipe() -> np.ndarray[Any, Any]:
        def receive() -> np.ndarray[Any, Any]:
            data = b""
            parts = []
            have = 0
            while have < a.nbytes:
                data = other.recv(1 << 16)
                parts.append(data)
                have += len(data)
            return np.frombuffer(b"".join(parts))

        return _exchange(lambda: one.sendall(a.tobytes()), receive)

    context = zmq.Context()
    sender, receiver = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
    port = receiver.bind_to_random_port("tcp://127.0.0.1")
    sender.connect(f"tcp://127.0.0.1:{port}")

    def by_zmq() -> np.ndarray[Any, Any]:
        def receive() -> np.ndarray[Any, Any]:
            return np.frombuffer(receiver.recv(copy=False).buffer)

        return _exchange(lambda: sender.send(a, copy=False), receive)

    yield Task(
        "send + recv over TCP",
        a.nbytes,
        {
            "ndbytes": lambda: _exchange(lambda: nb.send(one, a), lambda: nb.recv(other)),
            "bare recv_into": bare,
            "sendall(tobytes())": recipe,
            "pyzmq": by_zmq,
        },
        lambda got: np.array_equal(got, a),
        0.9,
        "bare recv_into",
    )

    small_array = np.arange(4, dtype="i4")
    count = 100_000

    def many_ours() -> Any:
        def send() -> None:
            for _ in range(count):
                nb.send(one, small_array)

        def receive() -> Any:
            for _ in range(count - 1):
                nb.recv(other)
            return nb.recv(other)

        return _exchange(send, receive)

    def many_connected() -> Any:
        outward, inward = nb.Connection(one), nb.Connection(other)

        def send() -> None:
            for _ in range(count):
                outward.send(small_array, more=True)
            outward.flush()

        def receive() -> Any:
            for _ in range(count - 1):
                inward.recv()
            return inward.recv()

        return _exchange(send, receive)

    def many_pickles() -> Any:
        def send() -> None:
            for _ in range(count):
                data = pickle.dumps(small_array, 5)
                one.sendall(len(data).to_bytes(8, "little") + data)

        def exactly(n: int) -> bytes:
            data = b""
            while len(data) < n:
                data += other.recv(n - len(data))
            return data

        def receive() -> Any:
            for _ in range(count):
                last = pickle.loads(exactly(int.from_bytes(exactly(8), "little")))
            return last

        return _exchange(send, receive)

    for name, ours, goal in (
        ("many 4 int32 over one connection", many_connected, 5),
        ("many 4 int32 by send and recv", many_ours, None),
    ):
        yield Task(
            name,
            16,
            {"ndbytes": ours, "pickle by length": many_pickles},
            lambda got: np.array_equal(got, small_array),
            goal,
            "pickle by length",
            calls=count,
        )
    for sock in (one, other):
        sock.close()
    sender.close(0)
    receiver.close(0)
    context.term()


def streams(name: str, data: bytes, folder: Path) -> Iterator[Task]:
    """Streams of zlib in memory, and of gzip from file to file. Beside a peer: the size of its
    stream, in ours."""
    import gzip
    import shutil
    import subprocess
    import zlib

    for level in (1, 6, 9):
        ours = len(nb.compress(data, "zlib", level))
        theirs = len(zlib.compress(data, level)) / ours
        yield Task(
            f"compress zlib -{level}, {name}",
            len(data),
            {
                "ndbytes": lambda level=level: nb.compress(data, "zlib", level),
                f"zlib, size x{theirs:.2f}": lambda level=level: zlib.compress(data, level),
            },
            lambda got: zlib.decompress(got) == data,
        )
    source, target = folder / "source", folder / "target"
    source.write_bytes(data)

    def pack() -> Path:
        target.write_bytes(nb.compress(source.read_bytes(), "gzip"))
        return target

    def by(command: list[str]) -> Way:
        def call() -> Path:
            with open(target, "wb") as file:
                subprocess.run([*command, "-c", source], stdout=file, check=True)
            return target

        return call

    ways: dict[str, Way] = {"ndbytes": pack}
    size = pack().stat().st_size
    for command in (["gzip"], ["pigz", "-p2"]):
        if shutil.which(command[0]):
            way = by(command)
            ways[f"{' '.join(command)}, size x{way().stat().st_size / size:.2f}"] = way
    right = lambda path: gzip.decompress(path.read_bytes()) == data  # noqa: E731
    if len(ways) > 1:
        yield Task(f"compress a file by gzip, {name}", len(data), ways, right)


def compression(size: int) -> Iterator[Task]:
    """Compressed archives and streams."""
    import zlib

    walk = np.random.default_rng(4).standard_normal(size // 8).cumsum().round(2)
    folder = Path(tempfile.mkdtemp())
    try:

        def archive(save: Any, name: str) -> Way:
            def call() -> Path:
                save(folder / name, a=walk)
                return folder / name

            return call

        yield Task(
            "savez_compressed",
            walk.nbytes,
            {
                "ndbytes": archive(nb.savez_compressed, "o.npz"),
                "numpy": archive(np.savez_compressed, "n.npz"),
            },
            lambda path: np.array_equal(np.load(path)["a"], walk),
        )
        raw = walk.tobytes()
        sources = sorted(Path(os.__file__).parent.glob("**/*.py"))
        text = b"".join(path.read_bytes() for path in sources)[: max(size // 4, 1 << 20)]
        for name, data in (("numbers", raw), ("text", text)):
            yield from streams(name, data, folder)
        for name, stream in (("zlib's", zlib.compress(raw)), ("our", nb.compress(raw))):
            yield Task(
                f"decompress {name} zlib stream",
                walk.nbytes,
                {
                    "ndbytes": lambda stream=stream: nb.decompress(stream),
                    "zlib": lambda stream=stream: zlib.decompress(stream),
                },
                lambda got: got == raw,
                None,
                "zlib",
            )
    finally:
        for path in folder.iterdir():
            os.unlink(path)
        folder.rmdir()
