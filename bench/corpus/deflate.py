"""Compares our encoder of deflate with ``np.savez_compressed`` on the corpus, at any level.

`make bench-corpus` has all of ``savez_compressed``, at its default; this is the codec alone.

    make corpus
    cargo build --release -p ndbytes-codec --example deflate_corpus
    .venv-corpus/bin/python bench/corpus/deflate.py [--levels 1,6,9] [--repeat 3] [--only WORD]

NumPy has one thread and zlib at level 6; ours has two threads. Both are timed in turns, and the
best time of each counts. ``--cpu`` is for machines that have other work: it takes processor time,
and half of ours, as if both threads had a core to themselves. Ratios above 1 are in our favour.
What comes out is inflated and compared.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent.parent
DATA = Path(__file__).parent / "data"
ENCODER = ROOT / "target" / "release" / "examples" / "deflate_corpus"
LARGE = 8 << 20


class Encoder:
    """The Rust half, which stays for all arrays."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [ENCODER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, level: int, threads: int, period: int, path: Path) -> tuple[int, float, float]:
        """Return the bytes that came out, the seconds, and those of the processor."""
        assert self._process.stdin
        assert self._process.stdout
        print(level, threads, period, path, file=self._process.stdin, flush=True)
        size, wall, cpu = map(int, self._process.stdout.readline().split())
        return size, wall / 1e9, cpu / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", default="6", help="as 1,6,9")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="", help="arrays whose names hold this")
    parser.add_argument("--cpu", action="store_true", help="processor time; ours is halved")
    args = parser.parse_args()
    levels = [int(level) for level in args.levels.split(",")]
    encoder = Encoder()

    print(
        "| array | MiB | NumPy ratio | MB/s |"
        + "".join(f" {level}: ratio | MB/s | ratio x | speed x |" for level in levels)
    )
    print("|---|" + "---:|" * (3 + 4 * len(levels)))
    factors: dict[int, list[tuple[float, float]]] = {level: [] for level in levels}
    for entry in json.loads((DATA / "corpus.json").read_text()):
        if args.only not in entry["name"]:
            continue
        path = DATA / f"{entry['name']}.npy"
        array = np.load(path)
        if args.cpu and array.nbytes < 1 << 20:
            continue  # too short for the clock of the scheduler
        period = period_of(array)
        numpy_size, numpy_time = 0, math.inf
        ours = dict.fromkeys(levels, (0, math.inf))
        for _ in range(args.repeat):
            size, seconds = savez(array, time.process_time if args.cpu else time.perf_counter)
            numpy_size, numpy_time = size, min(seconds, numpy_time)
            for level in levels:
                size, seconds, cpu = encoder.run(level, 2, period, path)
                seconds = cpu / 2 if args.cpu else seconds
                ours[level] = (size, min(seconds, ours[level][1]))
        row = f"| {entry['name']} | {array.nbytes / 2**20:.2f}"
        row += f" | {array.nbytes / numpy_size:.3f} | {array.nbytes / numpy_time / 1e6:.1f} |"
        for level, (size, seconds) in ours.items():
            ratio, speed = numpy_size / size, numpy_time / seconds
            row += f" {array.nbytes / size:.3f} | {array.nbytes / seconds / 1e6:.0f} |"
            row += f" {ratio:.3f} | {speed:.1f} |"
            if array.nbytes >= LARGE:
                factors[level].append((ratio, speed))
        print(row, flush=True)
    print("\nArrays of 8 MiB or more, against NumPy:\n")
    print("| level | ratio: geometric mean | least | speed: geometric mean | least |")
    print("|---:|---:|---:|---:|---:|")
    for level, pairs in factors.items():
        if pairs:
            ratios, speeds = zip(*pairs, strict=True)
            print(
                f"| {level} | {mean(ratios):.3f} | {min(ratios):.3f}"
                f" | {mean(speeds):.1f} | {min(speeds):.1f} |"
            )


def savez(array: np.ndarray, clock: Callable[[], float]) -> tuple[int, float]:
    """Return the size of the member, and the seconds."""
    sink = io.BytesIO()
    start = clock()
    np.savez_compressed(sink, a=array)
    seconds = clock() - start
    return zipfile.ZipFile(sink).infolist()[0].compress_size, seconds


def period_of(array: np.ndarray) -> int:
    """As ``ndbytes_codec::deflate::period``: a short axis that lies together is a record."""
    fortran = array.flags.f_contiguous and not array.flags.c_contiguous
    axis = (array.shape[0] if fortran else array.shape[-1]) if array.ndim else 1
    record = array.itemsize * axis
    return record if 0 < record <= 16 else array.itemsize


def mean(values: tuple[float, ...]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


if __name__ == "__main__":
    main()
