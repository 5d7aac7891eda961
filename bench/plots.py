"""Draws throughput against size, from 16 B to 1 GiB, into ``docs/plots``.

    python bench/plots.py [--seconds S] [--largest MIB] [--only WORD] [--folder DIR] [--check]

Each point is the median of repetitions in which the ways take turns; answers are checked first.
What one point needs is let go before the next. ``--check`` draws nothing and goes up to 64 KiB.
"""

from __future__ import annotations

import argparse
import gc
import io
import pickle
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot

import drawing
import ndbytes as nb
from drawing import BLUE, GREEN, GREY, ORANGE, PINK
from peers import Exchange, bare_recv, bare_send, tcp_pair
from timing import Way, interleaved

try:
    import safetensors.numpy as safetensors
except ImportError as error:
    raise SystemExit(f"{error}: run `make bench-plots`, which installs the peers") from None

FOLDER = Path(__file__).parent.parent / "docs" / "plots"
SIZES = [16 * 4**i for i in range(14)]
Array = np.ndarray[Any, Any]


@dataclass
class Figure:
    """One figure: a name for its file, what is done, and the ways to do it with an array."""

    name: str
    title: str
    ways: Callable[[Array, Path, ExitStack], tuple[dict[str, Way], Callable[[Any], bool]]]
    shape: Callable[[int], tuple[int, ...]] = lambda count: (count,)


def tobytes(a: Array, _: Path, __: ExitStack) -> Any:
    ways = {"ndbytes": lambda: nb.tobytes(a), "numpy": lambda: a.tobytes()}
    return ways, lambda got: np.array_equal(np.frombuffer(got).reshape(a.shape), a)


def transposed(a: Array, folder: Path, stack: ExitStack) -> Any:
    return tobytes(a.T, folder, stack)


def square(count: int) -> tuple[int, ...]:
    """The shape of so many elements that is nearest to a square, in powers of two."""
    rows = 1 << (count.bit_length() - 1) // 2
    return (rows, count // rows)


def dumps(a: Array, _: Path, __: ExitStack) -> Any:
    def by_numpy() -> bytes:
        file = io.BytesIO()
        np.save(file, a)
        return file.getvalue()

    ways = {
        "ndbytes": lambda: nb.dumps(a),
        "numpy": by_numpy,
        "pickle 5": lambda: pickle.dumps(a, 5),
        "safetensors": lambda: safetensors.save({"a": a}),
    }
    # Each ends with the elements, but for pickle, which has the dtype after them.
    end = a.tobytes()[-16:]
    return ways, lambda got: len(got) >= a.nbytes and end in got[-400:]


def loads(a: Array, _: Path, __: ExitStack) -> Any:
    npy = nb.dumps(a)
    ways = {
        "ndbytes, a view, no copy": lambda: nb.loads(npy),
        "ndbytes": lambda: nb.loads(npy, copy=True),
        "numpy": lambda: np.load(io.BytesIO(npy)),
    }
    # Their bytes have to be held beside ours; the largest array would be there four times.
    if a.nbytes <= 256 << 20:
        pickled, tensors = pickle.dumps(a, 5), safetensors.save({"a": a})
        ways["pickle 5"] = lambda: pickle.loads(pickled)
        ways["safetensors"] = lambda: safetensors.load(tensors)["a"]
    return ways, lambda got: np.array_equal(got, a)


def save(a: Array, folder: Path, _: ExitStack) -> Any:
    def call(name: str, write: Callable[[Path], Any]) -> Way:
        def run() -> Path:
            write(folder / name)
            return folder / name

        return run

    ways = {
        "ndbytes": call("ndbytes", lambda path: nb.save(path.with_suffix(".npy"), a)),
        "numpy": call("numpy", lambda path: np.save(path.with_suffix(".npy"), a)),
        "pickle 5": call("pickle", lambda path: path.write_bytes(pickle.dumps(a, 5))),
        "safetensors": call("safetensors", lambda path: safetensors.save_file({"a": a}, path)),
    }

    def right(path: Path) -> bool:
        npy = path.with_suffix(".npy")
        return np.array_equal(np.load(npy), a) if npy.exists() else path.stat().st_size >= a.nbytes

    return ways, right


def load(a: Array, folder: Path, _: ExitStack) -> Any:
    npy, pickled, tensors = (folder / f"in.{end}" for end in ("npy", "pickle", "safetensors"))
    np.save(npy, a)
    pickled.write_bytes(pickle.dumps(a, 5))
    safetensors.save_file({"a": a}, tensors)
    ways = {
        "ndbytes": lambda: nb.load(npy),
        "numpy": lambda: np.load(npy),
        "pickle 5": lambda: pickle.loads(pickled.read_bytes()),
        "safetensors": lambda: safetensors.load_file(tensors)["a"],
    }
    return ways, lambda got: np.array_equal(got, a)


def exchange(pair: Callable[[], tuple[socket.socket, socket.socket]]) -> Any:
    def ways(a: Array, _: Path, stack: ExitStack) -> Any:
        one, other = (stack.enter_context(sock) for sock in pair())
        thread = stack.enter_context(Exchange())

        def ours() -> Any:
            return thread(lambda: nb.send(one, a), lambda: nb.recv(other))

        def bare() -> Any:
            return thread(lambda: bare_send(one, a), lambda: bare_recv(other, a.shape, a.dtype))

        ways = {"ndbytes": ours, "bare recv_into, sizes known": bare}
        return ways, lambda got: np.array_equal(got, a)

    return ways


FIGURES = [
    Figure("tobytes", "tobytes, C-contiguous float64", tobytes),
    Figure("tobytes-transposed", "tobytes, transposed float64", transposed, square),
    Figure("dumps", "dumps: an array to .npy bytes (peers: their own format)", dumps),
    Figure("loads", "loads: an array from .npy bytes (peers: their own format)", loads),
    Figure("save", "save: an array to a file, not waiting for the disk", save),
    Figure("load", "load: an array from a file in the page cache", load),
    Figure("tcp", "send + recv over loopback TCP, a fresh array each time", exchange(tcp_pair)),
    Figure("unix", "send + recv over a Unix socket pair", exchange(socket.socketpair)),
]


def points(figure: Figure, sizes: list[int], seconds: float) -> Iterator[tuple[int, Any]]:
    """The timings of each size."""
    for size in sizes:
        a = np.arange(size // 8, dtype="f8").reshape(figure.shape(size // 8))
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            ways, right = figure.ways(a, Path(folder), stack)
            for name, way in ways.items():
                if not right(way()):
                    raise SystemExit(f"{figure.title}: {name} gives a wrong answer at {size} B")
            calls = max(1, min(256, (1 << 16) // size))
            repeated = {name: many(way, calls) for name, way in ways.items()}
            timings = interleaved(repeated, 2000, seconds)
            yield size, {name: timing.scaled(1 / calls) for name, timing in timings.items()}
            del ways, right, repeated
        del a
        gc.collect()


def many(way: Way, calls: int) -> Way:
    """The way so many times: of short calls, one alone would show the clock."""

    def run() -> Any:
        for _ in range(calls - 1):
            way()
        return way()

    return run


def draw(figure: Figure, measured: dict[str, list[tuple[int, float, float, float]]]) -> Any:
    """The figure: size across, throughput up, both logarithmic; a band has the middle half."""
    picture, axes = pyplot.subplots(figsize=(7.2, 4.4), layout="constrained")
    for name, rows in measured.items():
        sizes, median, low, high = zip(*rows, strict=True)
        style = STYLES.get(name.partition(",")[0], OTHER)
        dashes = "--" if "view" in name else "-"
        (line,) = axes.plot(sizes, median, dashes, label=name, **style)
        axes.fill_between(sizes, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    # A view costs the same at any size; its line would push the others together.
    axes.set_ylim(top=min(axes.get_ylim()[1], 100))
    axes.set_xlim(SIZES[0] / 1.5, SIZES[-1] * 1.5)
    axes.set_xticks(SIZES[1::2], [size_text(size) for size in SIZES[1::2]])
    axes.set_xticks(SIZES, minor=True, labels=[""] * len(SIZES))
    axes.set_xlabel("size of the array (bytes)")
    axes.set_ylabel("throughput (GB/s)")
    axes.yaxis.set_major_formatter(lambda rate, _: f"{rate:.6f}".rstrip("0").rstrip("."))
    axes.set_title(figure.title, fontsize=11)
    drawing.tidy(axes)
    axes.legend(frameon=False, fontsize=9)
    return picture


def size_text(size: int) -> str:
    """A size as people say it."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} GiB"


# Each peer has one colour in all figures.
STYLES: dict[str, dict[str, Any]] = {
    "ndbytes": {"color": ORANGE, "linewidth": 2.2, "marker": "o", "markersize": 4},
    "numpy": {"color": BLUE, "linewidth": 1.5, "marker": "s", "markersize": 3.5},
    "pickle 5": {"color": GREEN, "linewidth": 1.5, "marker": "^", "markersize": 4},
    "safetensors": {"color": PINK, "linewidth": 1.5, "marker": "D", "markersize": 3.5},
}
OTHER = {"color": GREY, "linewidth": 1.5, "marker": "v", "markersize": 4}


def main() -> None:
    """Draw what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="time for each point, about")
    parser.add_argument("--largest", type=float, default=1024, help="MiB of the largest array")
    parser.add_argument("--only", default="", help="figures whose name has this in it")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where figures go")
    parser.add_argument("--format", default="svg", help="svg or png")
    parser.add_argument("--check", action="store_true", help="up to 64 KiB, once, no figures")
    options = parser.parse_args()
    largest = 1 << 16 if options.check else options.largest * (1 << 20)
    sizes = [size for size in SIZES if size <= largest]
    for figure in FIGURES:
        if options.only not in figure.name:
            continue
        measured: dict[str, list[tuple[int, float, float, float]]] = {}
        for size, timings in points(figure, sizes, 0 if options.check else options.seconds):
            for name, t in timings.items():
                row = (size, *(size / s / 1e9 for s in (t.median, t.upper, t.lower)))
                measured.setdefault(name, []).append(row)
            rates = ", ".join(f"{name} {rows[-1][1]:.3g}" for name, rows in measured.items())
            print(f"{figure.name}, {size_text(size)}: GB/s {rates}", flush=True)
        if not options.check:
            path = options.folder / f"{figure.name}.{options.format}"
            drawing.save(draw(figure, measured), path)


if __name__ == "__main__":
    main()
