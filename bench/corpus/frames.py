"""Frames, by our presets, and those of python-blosc2: from an array to bytes, and back.

Blosc2 has each codec at levels 1, 5 and 9 with either shuffle, and its default. What it stores as
it is, `raw` is held against.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import blosc2

import ndbytes as nb
from turns import Array, Way

THREADS = 2
PRESETS = [
    "raw",
    "fastest",
    "fast",
    "brisk",
    "quick",
    "auto",
    "fastread",
    "quickread",
    "smallread",
    "light",
    "medium",
    "small",
    "smallestread",
    "smallest",
]
# Not compressed: what "auto" is held against where nothing can be compressed.
PLAIN = "dumps"
DEFAULT = "blosc2"
# Blosc2 says so itself.
DEFAULTS_NAME = "zstd-5-shuffle"
CODECS = ["blosclz", "lz4", "lz4hc", "zlib", "zstd"]
LEVELS = [1, 5, 9]
FILTERS = ["shuffle", "bitshuffle"]
# The codec that we have in its place, and the levels that are nearest to those of Blosc2.
QUICK = {level: [0, 1] for level in LEVELS}
ALIKE: dict[str, tuple[str, dict[int, list[int]]]] = {
    "blosclz": ("lz4", QUICK),
    "lz4": ("lz4", QUICK),
    "lz4hc": ("lz4", {1: [2], 5: [4, 5], 9: [8, 9]}),
    "zlib": ("zlib", {1: [1], 5: [4, 6], 9: [9]}),
    "zstd": ("zstd", {1: [1, 2], 5: [7, 8, 9], 9: [18, 19]}),
}


def ways() -> dict[str, Way]:
    """Return the ways by name; those of Blosc2 are CODEC-LEVEL-FILTER."""
    # For decompression, which takes no option on this way.
    blosc2.set_nthreads(THREADS)
    found = {PLAIN: Way(nb.dumps, unpack)}
    found |= {preset: ours(preset) for preset in PRESETS}
    found[DEFAULT] = theirs()
    for codec in CODECS:
        for level in LEVELS:
            for filter_ in FILTERS:
                options = {"codec": blosc2.Codec[codec.upper()], "clevel": level}
                options |= {"filters": [blosc2.Filter[filter_.upper()]], "filters_meta": [0]}
                found[f"{codec}-{level}-{filter_}"] = theirs(**options)
    return found


def namesakes(points: Iterable[str]) -> dict[str, Way]:
    """Return our pipelines, by their names, that do what these points of Blosc2 do, or nearly."""
    found: dict[str, Way] = {}
    for point in points:
        codec, level, filter_ = (DEFAULTS_NAME if point == DEFAULT else point).split("-")
        own, levels = ALIKE[codec]
        for own_level in levels[int(level)]:
            name = f"{own}-{own_level}-{filter_}"
            found.setdefault(name, ours(name))
    return found


def ours(codec: str) -> Way:
    return Way(lambda array: nb.dumps(array, codec=codec, threads=THREADS), unpack)


def unpack(data: bytes) -> Array:
    return nb.loads(data, copy=True)


def theirs(**options: Any) -> Way:
    options = {"nthreads": THREADS, **options}

    def pack(array: Array) -> bytes:
        return blosc2.asarray(array, cparams=options).to_cframe()

    return Way(pack, lambda data: blosc2.ndarray_from_cframe(data)[()])
