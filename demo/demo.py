"""Show NumPy arrays going to bytes and back in five ways, with NumPy's own ways beside them.

    python demo/demo.py [path of the ndbytes command]

Every answer is checked before it is timed. Exit status: 0 when all of them are right, 1 otherwise.
"""

from __future__ import annotations

import io
import resource
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import ndbytes as nb

ROOT = Path(__file__).resolve().parent.parent
PHOTO = ROOT / "data" / "astronaut.npy"
COMMAND = ROOT / "target" / "release" / "ndbytes"

REPETITIONS = 3
ROW = "{:<33} {:<7} {:>11}  {:<5} {:>9} {:>9} {:>7}"


@dataclass
class Way:
    """One way to bytes and back, by NumPy and by ndbytes."""

    name: str
    array: np.ndarray
    numpy: Callable[[], Any]
    ndbytes: Callable[[], Any]
    check: Callable[[Any, Any], bool]
    """Whether what NumPy gave and what ndbytes gave are both right."""


class Demo:
    """Runs everything and remembers whether something was wrong."""

    def __init__(self, folder: Path, command: Path) -> None:
        self.folder = folder
        self.command = command
        self.wrong: list[str] = []
        self.photo = nb.load(PHOTO)
        # The photo as floats from 0 to 1, and a wall of it: times of small arrays mean little.
        self.floats = self.photo / 255
        self.wall = np.tile(self.floats, (4, 4, 1))
        # Colour planes first, as image libraries want it: a view, contiguous in no order.
        self.planes = self.wall.transpose(2, 0, 1)

    def run(self) -> int:
        """Show all parts; return the exit status."""
        print(f"ndbytes {nb.__version__}, NumPy {np.__version__}, Python {sys.version.split()[0]}")
        print(f"photo: {describe(self.photo)}, from {PHOTO.relative_to(ROOT)}")
        print(f"floats: {describe(self.floats)}, the same from 0 to 1")
        print(f"wall: {describe(self.wall)}; planes: the same elements as {self.planes.shape}")
        print(f"ms: best of {REPETITIONS}, by turns; ratio: NumPy's time by that of ndbytes\n")
        print(ROW.format("way", "array", "bytes", "right", "NumPy ms", "nb ms", "ratio"))
        for name, array in (("wall", self.wall), ("planes", self.planes)):
            for way in (*memory(array), *files(array, self.folder), network(array)):
                self.show(way, name)
        for way in maps(self.wall, self.folder):
            self.show(way, "wall")
        for way in compressed(self.floats, self.folder):
            self.show(way, "floats")
        self.full_disk()
        self.command_line()
        if self.wrong:
            print(f"\nWRONG: {', '.join(self.wrong)}")
            return 1
        print("\nEverything came back equal.")
        return 0

    def show(self, way: Way, array: str) -> None:
        """Check one way, time it, print its row."""
        right = way.check(way.numpy(), way.ndbytes())
        if not right:
            self.wrong.append(f"{way.name} ({array})")
        best = {"numpy": float("inf"), "ndbytes": float("inf")}
        for _ in range(REPETITIONS):
            for side in best:
                begin = time.perf_counter()
                getattr(way, side)()
                best[side] = min(best[side], time.perf_counter() - begin)
        ours, theirs = best["ndbytes"], best["numpy"]
        print(
            ROW.format(
                way.name,
                array,
                f"{way.array.nbytes:,}",
                "yes" if right else "NO",
                f"{theirs * 1e3:.2f}",
                f"{ours * 1e3:.2f}",
                f"{theirs / ours:.1f}",
            ),
            flush=True,
        )

    def full_disk(self) -> None:
        """Show what is said when bytes are lost."""
        print("\nA disk that is full")
        array = np.arange(300.0)
        if Path("/dev/full").exists():
            print("  tofile to /dev/full, a device without room")
            silent = report("NumPy", lambda: array.tofile("/dev/full"))
            loud = report("ndbytes", lambda: nb.tofile(array, "/dev/full"))
            self.expect("full device", silent, loud)
        print("  save over a good file, where files may not grow over 1,000 bytes")
        good = np.arange(5.0)
        outcome = {}
        for name, module in (("NumPy", np), ("ndbytes", nb)):
            path = self.folder / f"{name}.npy"
            np.save(path, good)
            outcome[name] = report(name, lambda m=module, p=path: save_under_quota(m, p, array))
            try:
                kept = np.array_equal(np.load(path), good)
                state = "holds the old array" if kept else "holds another array"
            except ValueError:
                kept, state = False, f"is no array any more: {path.stat().st_size} bytes"
            print(f"    the file of {name} {state}")
        self.expect("full disk", outcome["NumPy"], outcome["ndbytes"] and kept)

    def expect(self, what: str, numpy_raised: bool, right: bool) -> None:
        """Note a wrong answer of ndbytes; NumPy may have been repaired since."""
        if numpy_raised:
            print("    (this NumPy reports it)")
        if not right:
            self.wrong.append(what)

    def command_line(self) -> None:
        """Run the command on the photo."""
        print("\nThe command")
        if not self.command.exists():
            print(f"  not run: there is no {self.command}; `make demo` builds it")
            return
        by_numpy, changed = self.folder / "by-numpy.npy", self.folder / "changed.npy"
        np.save(by_numpy, self.photo)
        other = self.photo.copy()
        other[100, 200, 0] ^= 1
        nb.save(changed, other)
        for status, arguments in (
            (0, ["info", PHOTO]),
            (0, ["verify", PHOTO, by_numpy]),
            (0, ["diff", PHOTO, by_numpy]),
            (1, ["diff", PHOTO, changed]),
        ):
            shown = " ".join(self.short(a) for a in arguments)
            print(f"$ ndbytes {shown}", flush=True)
            ended = subprocess.run([self.command, *arguments], capture_output=True, text=True)
            for line in (ended.stdout + ended.stderr).splitlines():
                print(f"  {self.short(line)}")
            print(f"  exit status {ended.returncode}")
            if ended.returncode != status:
                self.wrong.append(f"ndbytes {shown}")

    def short(self, text: object) -> str:
        """Return a text without the folders that only this run has."""
        return str(text).replace(f"{self.folder}/", "").replace(f"{ROOT}/", "")


def memory(array: np.ndarray) -> Iterator[Way]:
    """Arrays to bytes objects and back."""
    raw, npy = array.tobytes(), saved(array)
    yield Way(
        "memory: tobytes",
        array,
        array.tobytes,
        lambda: nb.tobytes(array),
        lambda theirs, ours: theirs == ours == raw,
    )
    yield Way(
        "memory: save BytesIO / dumps",
        array,
        lambda: saved(array),
        lambda: nb.dumps(array),
        lambda theirs, ours: theirs == ours == npy,
    )
    yield Way(
        "memory: load BytesIO / loads",
        array,
        lambda: np.load(io.BytesIO(npy)),
        lambda: nb.loads(npy, copy=True),
        equal_to(array),
    )


def files(array: np.ndarray, folder: Path) -> Iterator[Way]:
    """Arrays to files and back: raw, .npy, .npz."""
    theirs, ours = folder / "theirs", folder / "ours"
    yield Way(
        "raw file: tofile",
        array,
        lambda: array.tofile(theirs),
        lambda: nb.tofile(array, ours),
        lambda *_: theirs.read_bytes() == ours.read_bytes() == array.tobytes(),
    )
    yield Way(
        "raw file: fromfile",
        array,
        lambda: np.fromfile(theirs, array.dtype).reshape(array.shape),
        lambda: nb.fromfile(ours, array.dtype, shape=array.shape),
        equal_to(array),
    )
    yield from named(array, folder, ".npy", "file", "save", np.save, nb.save, np.load, nb.load)
    yield from named(
        array, folder, ".npz", ".npz", "savez", np.savez, nb.savez, load_npz(np), load_npz(nb)
    )


def named(
    array: np.ndarray,
    folder: Path,
    suffix: str,
    medium: str,
    verb: str,
    their_save: Callable[..., None],
    our_save: Callable[..., None],
    their_load: Callable[[Path], Any],
    our_load: Callable[[Path], Any],
) -> Iterator[Way]:
    """Save to a file and load it, each file also by the other side."""
    theirs, ours = folder / f"theirs{suffix}", folder / f"ours{suffix}"
    same_bytes = suffix == ".npy"

    def check(*_: object) -> bool:
        if same_bytes and theirs.read_bytes() != ours.read_bytes():
            return False
        return equal_to(array)(their_load(ours), our_load(theirs))

    yield Way(
        f"{medium}: {verb}",
        array,
        lambda: their_save(theirs, array),
        lambda: our_save(ours, array),
        check,
    )
    yield Way(
        f"{medium}: load",
        array,
        lambda: their_load(theirs),
        lambda: our_load(ours),
        equal_to(array),
    )


def network(array: np.ndarray) -> Way:
    """Arrays over TCP. NumPy's side knows dtype and shape beforehand; ours is told by the peer."""

    def over_loopback(send: Callable[..., Any], receive: Callable[..., Any]) -> np.ndarray:
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            peer, _ = server.accept()
        with client, peer:
            sender = threading.Thread(target=send, args=(client,))
            sender.start()
            received = receive(peer)
            sender.join()
        return received

    def receive_bytes(peer: socket.socket) -> np.ndarray:
        data = bytearray(array.nbytes)
        rest = memoryview(data)
        while rest and (got := peer.recv_into(rest)):
            rest = rest[got:]
        return np.frombuffer(data, array.dtype).reshape(array.shape)

    return Way(
        "network: TCP send and receive",
        array,
        lambda: over_loopback(lambda sock: sock.sendall(array.tobytes()), receive_bytes),
        lambda: over_loopback(lambda sock: nb.send(sock, array), nb.recv),
        equal_to(array),
    )


def maps(array: np.ndarray, folder: Path) -> Iterator[Way]:
    """One row of a file, without reading the rest."""
    row = len(array) // 2

    def row_of(opened: Any) -> np.ndarray:
        return np.array(opened[row])

    npy, npz = folder / "map.npy", folder / "map.npz"
    nb.save(npy, array)
    nb.savez(npz, a=array)
    yield Way(
        "map: a row of .npy",
        array,
        lambda: row_of(np.load(npy, mmap_mode="r")),
        lambda: row_of(nb.load(npy, mmap_mode="r")),
        equal_to(array[row]),
    )
    yield Way(
        "map: a row of .npz",
        array,
        lambda: row_of(load_npz(np, mmap_mode="r")(npz)),
        lambda: row_of(load_npz(nb, mmap_mode="r")(npz)),
        equal_to(array[row]),
    )


def compressed(array: np.ndarray, folder: Path) -> Iterator[Way]:
    """Arrays to deflate, in an archive and as a stream, and back."""
    yield from named(
        array,
        folder,
        ".npz",
        "compressed .npz",
        "savez_compressed",
        np.savez_compressed,
        nb.savez_compressed,
        load_npz(np),
        load_npz(nb),
    )
    raw = array.tobytes()
    for level in (6, 1):
        yield Way(
            f"compressed stream: level {level}",
            array,
            lambda level=level: zlib.compress(array.tobytes(), level),
            lambda level=level: nb.compress(array, level=level),
            lambda theirs, ours: nb.decompress(theirs) == zlib.decompress(ours) == raw,
        )
    stream = zlib.compress(raw)
    yield Way(
        "compressed stream: back",
        array,
        lambda: zlib.decompress(stream),
        lambda: nb.decompress(stream),
        lambda theirs, ours: theirs == ours == raw,
    )


def load_npz(module: Any, **options: Any) -> Callable[[Path], Any]:
    """Return a function that reads the only array of an archive."""

    def load(path: Path) -> Any:
        with module.load(path, **options) as archive:
            return archive[archive.files[0]]

    return load


def saved(array: np.ndarray) -> bytes:
    """Return what numpy.save writes."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def equal_to(array: np.ndarray) -> Callable[[Any, Any], bool]:
    """Return a check of dtype, shape and values."""
    return lambda *found: all(
        a.dtype == array.dtype and a.shape == array.shape and np.array_equal(a, array)
        for a in found
    )


def describe(array: np.ndarray) -> str:
    """Say what an array is."""
    return f"{array.dtype} {array.shape}, {array.nbytes:,} bytes"


def report(name: str, save: Callable[[], object]) -> bool:
    """Save, print what is said, return whether an error was raised."""
    try:
        save()
    except OSError as error:
        print(f"    {name:<8} {type(error).__name__}: {error.strerror}")
        return True
    print(f"    {name:<8} says nothing")
    return False


def save_under_quota(module: Any, path: Path, array: np.ndarray) -> None:
    """Save while files of this process may not grow over 1,000 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        module.save(path, array)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def main() -> int:
    """Run the demo."""
    command = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else COMMAND
    with TemporaryDirectory() as folder:
        return Demo(Path(folder), command).run()


if __name__ == "__main__":
    sys.exit(main())
