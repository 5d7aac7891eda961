"""``.npz``: ``savez_compressed`` at its default and ``load``, of NumPy and of ndbytes.

Both are given a path, since that is what they are made for: with a file object of Python's, both
would pass through it. The file is on tmpfs where there is one, so that no disk is waited for. Ours
is written beside its name and renamed, as always. NumPy has one thread.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import ndbytes as nb
from turns import Array, Way

MEMORY = Path("/dev/shm")
# A file is loaded by its own writer, and by the other.
OURS, NUMPY, NUMPYS_BY_US, OURS_BY_NUMPY = (
    "ndbytes",
    "numpy",
    "numpy by ndbytes",
    "ndbytes by numpy",
)


def ways(folder: Path) -> dict[str, Way]:
    """Return the ways, which write into the folder."""

    def by_numpy(array: Array) -> Path:
        np.savez_compressed(folder / "numpy.npz", a=array)
        return folder / "numpy.npz"

    def by_us(array: Array) -> Path:
        nb.savez_compressed(folder / "ndbytes.npz", a=array)
        return folder / "ndbytes.npz"

    return {
        NUMPY: Way(by_numpy, load_numpy, bytes_of),
        OURS: Way(by_us, load, bytes_of),
        NUMPYS_BY_US: Way(by_numpy, load, bytes_of, NUMPY),
        OURS_BY_NUMPY: Way(by_us, load_numpy, bytes_of, OURS),
    }


def load(path: Path) -> Array:
    with nb.load(path) as archive:
        return archive["a"]


def load_numpy(path: Path) -> Array:
    with np.load(path) as archive:
        return archive["a"]


def bytes_of(path: Path) -> int:
    return path.stat().st_size
