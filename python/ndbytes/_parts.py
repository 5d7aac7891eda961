"""Arrays of which parts are read by index."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np


class Parts(ABC):
    """What an array in a file has in common with one in memory: integers and slices index it.

    Attributes
    ----------
    dtype : numpy.dtype
        The type of the elements.
    shape : tuple of int
        The shape.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @abstractmethod
    def read(self) -> np.ndarray[Any, Any]:
        """Read the whole array."""

    @abstractmethod
    def _read(self, start: list[int], step: list[int], count: list[int]) -> Any:
        """Read every `step`-th element from `start` on, `count` of them along each axis."""

    def _rows(self) -> int:
        """Return how many rows are well read at a time: some MiB, where there are no chunks."""
        row = self.nbytes // max(1, len(self))
        return max(1, (4 << 20) // max(1, row))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        size = 1
        for n in self.shape:
            size *= n
        return size

    @property
    def nbytes(self) -> int:
        """Bytes of the elements when they are read."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __getitem__(self, key: Any) -> Any:
        start, step, count, rest = select(key, self.shape)
        return self._read(start, step, count)[rest]

    def __iter__(self) -> Iterator[Any]:
        rows = self._rows()
        for at in range(0, len(self), rows):
            yield from self[at : at + rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        if copy is False:
            raise ValueError("it is decoded into new memory: copy=False cannot be")
        array = self.read()
        return array if dtype is None else array.astype(dtype, copy=False)


def select(
    key: Any, shape: tuple[int, ...]
) -> tuple[list[int], list[int], list[int], tuple[Any, ...]]:
    """Turn an index into starts, steps and counts, and an index into what was read."""
    keys = key if isinstance(key, tuple) else (key,)
    given = sum(k is not None and k is not Ellipsis for k in keys)
    if sum(k is Ellipsis for k in keys) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if given > len(shape):
        raise IndexError(
            f"too many indices for array: array is {len(shape)}-dimensional,"
            f" but {given} were indexed"
        )
    if not any(k is Ellipsis for k in keys):
        # All that is left is taken whole; a scalar stays one.
        keys += (slice(None),) * (len(shape) - given)
    start: list[int] = []
    step: list[int] = []
    count: list[int] = []
    rest: list[Any] = []
    for k in keys:
        if k is None:
            rest.append(k)
        elif k is Ellipsis:
            rest.append(k)
            whole = range(len(start), len(start) + len(shape) - given)
            start += [0 for _ in whole]
            step += [1 for _ in whole]
            count += [shape[axis] for axis in whole]
        elif isinstance(k, slice):
            chosen = range(*k.indices(shape[len(start)]))
            turned = chosen.step < 0
            if turned:
                chosen = chosen[::-1]
            rest.append(slice(None, None, -1) if turned else slice(None))
            start.append(chosen.start if len(chosen) else 0)
            step.append(chosen.step)
            count.append(len(chosen))
        else:
            axis = len(start)
            start.append(_position(k, shape[axis], axis))
            step.append(1)
            count.append(1)
            rest.append(0)
    return start, step, count, tuple(rest)


def _position(k: Any, n: int, axis: int) -> int:
    if isinstance(k, (bool, np.bool_)) or (isinstance(k, np.ndarray) and k.ndim > 0):
        k = None
    try:
        index = operator.index(k)
    except TypeError:
        raise IndexError(
            "parts are given by integers, slices, ellipsis and None;"
            " read all of it, by [...], to index with arrays"
        ) from None
    if not -n <= index < n:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {n}")
    return index % n
