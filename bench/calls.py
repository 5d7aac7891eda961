"""Makes one Python call so many times, to be counted: ``python bench/calls.py CASE CALLS``."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import ndbytes as nb

A = np.arange(4, dtype="i4")
NPY, PICKLED = nb.dumps(A), pickle.dumps(A, 5)

CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "nb.dumps": (nb.dumps, (A,)),
    "nb.loads": (nb.loads, (NPY,)),
    "nb.tobytes": (nb.tobytes, (A,)),
    "pickle.dumps": (pickle.dumps, (A, 5)),
    "pickle.loads": (pickle.loads, (PICKLED,)),
    "a.tobytes": (A.tobytes, ()),
}


def main(name: str, calls: int) -> None:
    """Make the calls."""
    call, arguments = CASES[name]
    for _ in range(calls):
        call(*arguments)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
