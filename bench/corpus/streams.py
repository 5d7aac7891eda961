"""Compares our zlib streams with zlib's, on the corpus and on text, as tables in Markdown.

    make corpus venv-bench
    .venv-bench/bin/python bench/corpus/streams.py [--levels 1,6,9] [--mib 2] [--only WORD]

Both have one thread, and take turns; the best time of each counts, in seconds of the processor,
which others that run lengthen little. Ratios above 1 are in our favour: of sizes, and of speeds.
The text is this Python's own library, and a shared object of it stands for programs. What comes
out is inflated and compared.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import sysconfig
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ndbytes as nb

DATA = Path(__file__).parent / "data"


def inputs(most: int) -> Iterator[tuple[str, str, Any]]:
    """Yield kind, name and what is compressed: arrays and bytes of at most so many bytes."""
    library = sorted(Path(os.__file__).parent.glob("**/*.py"))
    yield "text", "python", b"".join(path.read_bytes() for path in library)[:most]
    rng = np.random.default_rng(1)
    table = (",".join(f"{x:.6f}" for x in row) for row in rng.standard_normal((20_000, 8)))
    yield "text", "csv", "\n".join(table).encode()[:most]
    records = ({"id": i, "value": round(x, 4)} for i, x in enumerate(rng.standard_normal(50_000)))
    yield "text", "json", "\n".join(map(json.dumps, records)).encode()[:most]
    shared = Path(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDLIBRARY"))
    program = shared if shared.is_file() else Path(os.path.realpath(sys.executable))
    yield "program", program.name, program.read_bytes()[:most]
    if (DATA / "corpus.json").exists():
        for entry in json.loads((DATA / "corpus.json").read_text()):
            array = np.load(DATA / f"{entry['name']}.npy").reshape(-1)
            yield "array", entry["name"], array[: most // array.itemsize]


def seconds(call: Callable[[], bytes]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--levels", default="1,3,6,9")
    parser.add_argument("--mib", type=float, default=2, help="of each input")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--only", default="", help="inputs whose kind or name hold this")
    args = parser.parse_args()
    factors: dict[tuple[str, int], list[tuple[float, float]]] = {}
    print("| kind | input | level | our ratio | MB/s | zlib's ratio | MB/s | size x | speed x |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|")
    for kind, name, data in inputs(int(args.mib * (1 << 20))):
        raw = memoryview(data).cast("B") if isinstance(data, bytes) else data.tobytes()
        if args.only not in f"{kind} {name}" or len(raw) < 1 << 18:
            continue
        for level in map(int, args.levels.split(",")):
            ways = (
                lambda level=level, data=data: nb.compress(data, "zlib", level, threads=1),
                lambda level=level, raw=raw: zlib.compress(raw, level),
            )
            mine, stock = (way() for way in ways)
            if zlib.decompress(mine) != raw:
                raise SystemExit(f"{name}: level {level} does not come back")
            times = [[seconds(way) for way in ways] for _ in range(args.repeat)]
            fast, slow = (min(column) for column in zip(*times, strict=True))
            size, speed = len(stock) / len(mine), slow / fast
            factors.setdefault((kind, level), []).append((size, speed))
            print(
                f"| {kind} | {name} | {level} | {len(raw) / len(mine):.3f} | "
                f"{len(raw) / fast / 1e6:.0f} | {len(raw) / len(stock):.3f} | "
                f"{len(raw) / slow / 1e6:.0f} | {size:.3f} | {speed:.2f} |",
                flush=True,
            )
    print("\n| kind | level | inputs | size x, mean | least | speed x, mean | least |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for (kind, level), pairs in sorted(factors.items()):
        sizes, speeds = zip(*pairs, strict=True)
        print(
            f"| {kind} | {level} | {len(pairs)} | {mean(sizes):.3f} | {min(sizes):.3f} | "
            f"{mean(speeds):.2f} | {min(speeds):.2f} |"
        )


def mean(values: tuple[float, ...]) -> float:
    """The geometric one."""
    return math.exp(sum(map(math.log, values)) / len(values))


if __name__ == "__main__":
    main()
