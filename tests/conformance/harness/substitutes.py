"""The things that are put in NumPy's place, and the count of which of them a test reached.

The rewritten tests look every replaced function up on one object. That object falls back to NumPy
for what ndbytes does not offer, and remembers each lookup, so that a test that passed without
having called ndbytes at all is not taken for evidence.
"""

from __future__ import annotations

import functools
import mmap
import types
from typing import Any

import numpy as np
from numpy.lib import format as numpy_format

TOP_LEVEL = ("save", "load", "savez", "savez_compressed", "fromfile", "frombuffer", "memmap")
FORMAT = (
    "magic",
    "read_magic",
    "dtype_to_descr",
    "descr_to_dtype",
    "header_data_from_array_1_0",
    "write_array_header_1_0",
    "write_array_header_2_0",
    "read_array_header_1_0",
    "read_array_header_2_0",
    "write_array",
    "read_array",
    "open_memmap",
)
METHODS = ("tofile", "tobytes")


def stock() -> dict[str, Any]:
    """Return NumPy's own objects under the names of the substitutes."""
    found = {name: getattr(np, name) for name in TOP_LEVEL}
    found |= {f"format.{name}": getattr(numpy_format, name) for name in FORMAT}
    found |= {name: getattr(np.ndarray, name) for name in METHODS}
    found["NpzFile"] = np.lib.npyio.NpzFile
    return found


def offered_by(package: types.ModuleType) -> dict[str, Any]:
    """Return what `package` has of the same names; the rest stays NumPy's."""
    found = {}
    for name in stock():
        owner: Any = package
        for part in name.split("."):
            owner = getattr(owner, part, None)
        if owner is not None:
            found[name] = owner
    return found


class Substitutes:
    """What the rewritten test modules see under `__conformance__`."""

    def __init__(self, offered: dict[str, Any]) -> None:
        self._all = stock() | offered
        # Only ever asked for in isinstance; and `load(allow_pickle=True)` may return NumPy's.
        self._all["NpzFile"] = (stock()["NpzFile"], self._all["NpzFile"])
        self._names = sorted(offered)
        self.missing = sorted(set(self._all) - set(offered))
        # One byte per name in shared memory: one of NumPy's tests does its work in a forked child.
        self._touched = mmap.mmap(-1, len(self._names) + 1)

    def get(self, name: str) -> Any:
        """Return the object that stands in for `name`, and note that it was asked for."""
        if name in self._names:
            self._touched[self._names.index(name)] = 1
        return self._all[name]

    def touched(self) -> list[str]:
        """Return the names asked for since the last `forget`, without what is NumPy's own."""
        return [name for place, name in enumerate(self._names) if self._touched[place]]

    def forget(self) -> None:
        """Start anew, for the next test."""
        self._touched[:] = bytes(len(self._touched))

    def method(self, owner: Any, name: str) -> Any:
        """Return `owner.name`, as the substitute's function when `owner` is an array.

        Methods of ndarray cannot be replaced in place, so `x.tofile(f)` reaches here as
        `__conformance__.method(x, "tofile")(f)`. Scalars and memoryviews have methods of the same
        name, which stay theirs.
        """
        if isinstance(owner, np.ndarray):
            return functools.partial(self.get(name), owner)
        return getattr(owner, name)
