"""Arrays in memory that other processes on this machine get without a copy."""

from __future__ import annotations

import mmap
import os
from typing import Any, Literal, SupportsIndex

import numpy as np

from . import _native


class _Memory(mmap.mmap):
    """A map of shared memory that knows its descriptor, and the array that fills it."""

    fd: int = -1
    whole: tuple[Any, ...] = ()

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


def shared_empty(
    shape: SupportsIndex | tuple[SupportsIndex, ...] | list[SupportsIndex],
    dtype: Any = float,
    order: Literal["C", "F"] = "C",
) -> np.ndarray[Any, Any]:
    """Return a new array, all zeros, in memory that `Link.share` hands over without a copy.

    The memory lasts as long as any process has the array, also when others are killed. Its file has
    no name; what it holds is an ``.npy``.

    Parameters
    ----------
    shape : int or tuple of ints
        As for `numpy.empty`.
    dtype : data-type
        Any but objects.
    order : {"C", "F"}
        As for `numpy.empty`.

    Returns
    -------
    numpy.ndarray
        Writable: what is written later, those see who have it.
    """
    sizes = [int(shape)] if isinstance(shape, SupportsIndex) else [int(n) for n in shape]
    if any(size < 0 for size in sizes):
        raise ValueError("negative dimensions are not allowed")
    # `np.zeros` would make `S0` into `S1`.
    one: np.ndarray[Any, Any] = np.ndarray((), dtype)
    fd, offset, total = _native.create_shared(one, sizes, order == "F")
    return _map(fd, total, offset, one.dtype, tuple(sizes), order, mmap.ACCESS_WRITE)


def received(fd: int, total: int) -> np.ndarray[Any, Any]:
    """Return the array in memory that came, read-only."""
    try:
        head = os.pread(fd, 12, 0)
        length = _native.parse_prelude(head[: 10 if head[6:7] == b"\x01" else 12], None)
        head = os.pread(fd, length, 0)
        shape, fortran, dtype, _ = _native.parse_header(head, None, None, None)
    except BaseException:
        os.close(fd)
        raise
    order: Literal["C", "F"] = "F" if fortran else "C"
    return _map(fd, total, length, dtype, tuple(shape), order, mmap.ACCESS_READ)


def _map(
    fd: int,
    total: int,
    offset: int,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    order: Literal["C", "F"],
    access: int,
) -> np.ndarray[Any, Any]:
    try:
        memory = _Memory(fd, total, access=access)
    except BaseException:
        os.close(fd)
        raise
    memory.fd = fd
    strides, step = [0] * len(shape), dtype.itemsize
    axes = range(len(shape)) if order == "F" else reversed(range(len(shape)))
    for axis in axes:
        strides[axis] = step
        step *= max(shape[axis], 1)
    array: np.ndarray[Any, Any] = _native.array_over(
        np.ndarray, memory, dtype, shape, tuple(strides), offset
    )
    memory.whole = _facts(array)
    return array


def shared(a: Any) -> np.ndarray[Any, Any]:
    """Return the array itself if it fills shared memory, else a copy that does."""
    array = np.asarray(a)
    memory = _memory(array)
    if memory is not None and memory.whole == _facts(array):
        return array
    order: Literal["C", "F"] = "F" if array.flags.fnc else "C"
    copy = shared_empty(array.shape, array.dtype, order)
    copy[...] = array
    return copy


def descriptor(array: np.ndarray[Any, Any]) -> int:
    """Return the descriptor of the memory that a shared array fills."""
    memory = _memory(array)
    return -1 if memory is None else memory.fd


def _memory(array: np.ndarray[Any, Any]) -> _Memory | None:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview) and isinstance(base.obj, _Memory):
        return base.obj
    return None


def _facts(array: np.ndarray[Any, Any]) -> tuple[Any, ...]:
    return (array.ctypes.data, array.dtype, array.shape, array.flags.fnc)
