"""Compares frames with python-blosc2 on the corpus.

    make bench-corpus

Every codec of Blosc2 at levels 1, 5 and 9, with shuffle and bitshuffle, its default, and our
presets take turns, with two threads each: from an array to the bytes of a frame and back to an
array. The best time of each counts, and what comes back is compared first. A point of Blosc2 is
beaten when one of our presets has a ratio as good at no lower speed, both ways.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import blosc2
import numpy as np

import ndbytes as nb

DATA = Path(__file__).parent / "data"
THREADS = 2
OURS = ["fast", "quick", "auto", "small", "smallest"]
DEFAULT = "blosc2"


@dataclass
class Point:
    """What a way made of an array: the ratio, and MB/s to compress and to decompress."""

    ratio: float
    encode: float
    decode: float

    def beats(self, other: Point) -> bool:
        return (
            self.ratio >= other.ratio
            and self.encode >= other.encode
            and self.decode >= other.decode
        )

    def worst_against(self, other: Point) -> float:
        """Return the smallest of the three proportions."""
        return min(self.ratio / other.ratio, self.encode / other.encode, self.decode / other.decode)


@dataclass(frozen=True)
class Way:
    """An array to bytes, and back."""

    pack: Callable[[np.ndarray], bytes]
    unpack: Callable[[bytes], np.ndarray]


def ours(codec: str) -> Way:
    return Way(lambda array: nb.dumps(array, codec=codec), lambda data: nb.loads(data, copy=True))


def theirs(**options) -> Way:
    options = {"nthreads": THREADS, **options}

    def pack(array: np.ndarray) -> bytes:
        return blosc2.asarray(array, cparams=options).to_cframe()

    def unpack(data: bytes) -> np.ndarray:
        return blosc2.ndarray_from_cframe(data)[()]

    return Way(pack, unpack)


def points() -> Iterator[tuple[str, Way]]:
    """Yield the ways of Blosc2."""
    yield DEFAULT, theirs()
    for codec in ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]:
        for level in [1, 5, 9]:
            for filter_ in ["shuffle", "bitshuffle"]:
                options = {"codec": blosc2.Codec[codec.upper()], "clevel": level}
                options |= {"filters": [blosc2.Filter[filter_.upper()]], "filters_meta": [0]}
                yield f"{codec}-{level}-{filter_}", theirs(**options)


def measure(array: np.ndarray, ways: dict[str, Way], seconds: float) -> dict[str, Point]:
    """Time the ways in turn until each had three turns, or `seconds` in all, and one at least."""
    sizes = {}
    best = {name: [math.inf, math.inf] for name in ways}
    for name, way in ways.items():
        data = way.pack(array)
        again = way.unpack(data)
        if again.dtype != array.dtype or again.tobytes() != array.tobytes():
            raise SystemExit(f"{name} gives something else back")
        sizes[name] = len(data)
    spent = dict.fromkeys(ways, 0.0)
    # A small array takes no time to speak of.
    calls = max(1, (1 << 20) // max(array.nbytes, 1))
    for turn in range(TURNS):
        for name, way in ways.items():
            if turn > 0 and spent[name] > seconds:
                continue
            # The first call of a quick way makes the memory warm.
            for _ in range(2 if turn == 0 or spent[name] < seconds / 4 else 1):
                begin = time.perf_counter()
                for _ in range(calls):
                    data = way.pack(array)
                middle = time.perf_counter()
                for _ in range(calls):
                    again = way.unpack(data)
                end = time.perf_counter()
                del again
                taken = [(middle - begin) / calls, (end - middle) / calls]
                best[name] = [min(pair) for pair in zip(best[name], taken, strict=True)]
                spent[name] += end - begin
                if end - begin > seconds / 2:
                    break
    return {
        name: Point(
            array.nbytes / sizes[name], *(array.nbytes / taken / 1e6 for taken in best[name])
        )
        for name in ways
    }


TURNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="arrays whose names hold one of these (a,b)")
    parser.add_argument("--ours", default=",".join(OURS), help="our ways")
    parser.add_argument("--theirs", help="a file of points measured before")
    parser.add_argument("--seconds", type=float, default=1.5, help="for each way and array")
    parser.add_argument("--json", type=Path, default=DATA / "frames.json")
    args = parser.parse_args()
    blosc2.set_nthreads(THREADS)
    results = {}
    before = json.loads(Path(args.theirs).read_text()) if args.theirs else {}
    for entry in json.loads((DATA / "corpus.json").read_text()):
        name = entry["name"]
        if not any(word in name for word in args.only.split(",")):
            continue
        array = np.load(DATA / f"{name}.npy")
        ways = {codec: ours(codec) for codec in args.ours.split(",") if codec}
        if not before:
            ways |= dict(points())
        measured = measure(array, ways, args.seconds)
        measured |= {k: Point(**v) for k, v in before.get(name, {}).items() if k not in measured}
        results[name] = measured
        report(name, array, measured, args.ours.split(","))
        args.json.write_text(
            json.dumps({n: {k: asdict(p) for k, p in m.items()} for n, m in results.items()})
        )


def report(name, array, measured, names):
    print(f"{name} {array.dtype} {array.shape}", flush=True)
    own = {k: p for k, p in measured.items() if k in names}
    for k, p in {**own, DEFAULT: measured.get(DEFAULT)}.items():
        if p:
            print(f"   {k:24} {p.ratio:9.3f} {p.encode:8.0f} {p.decode:8.0f}")
    for k, p in measured.items():
        if k in own or any(o.beats(p) for o in own.values()):
            continue
        near = max(own, key=lambda name: own[name].worst_against(p))
        o = own[near]
        print(
            f"   !! {k:21} {p.ratio:9.3f} {p.encode:8.0f} {p.decode:8.0f}  near {near}:"
            f" {o.ratio / p.ratio:.3f} {o.encode / p.encode:.2f} {o.decode / p.decode:.2f}"
        )


if __name__ == "__main__":
    main()
