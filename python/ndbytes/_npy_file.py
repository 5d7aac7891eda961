"""``.npy`` of which parts are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import _native
from ._files import MAX_HEADER_SIZE
from ._parts import Parts
from ._remote import as_remote


class NpyFile(Parts):
    """An array in an ``.npy`` file that cannot be mapped, of which parts are read.

    ``file[...]`` takes what slices and integers can say, and reads the bytes that hold it: of a
    file on a server, no others but those in short gaps. Threads may share it.

    Parameters
    ----------
    file : str, Remote or file object
        A URL, or an object with ``seek`` and ``read``.
    max_header_size : int
        Longest header that is parsed, in bytes.
    max_bytes : int, optional
        The most bytes that the whole array may have.

    Attributes
    ----------
    dtype : numpy.dtype
        The type of the elements.
    shape : tuple of int
        The shape.
    fortran_order : bool
        Whether the first axis is the fastest.
    """

    def __init__(
        self,
        file: Any,
        *,
        max_header_size: int = MAX_HEADER_SIZE,
        max_bytes: int | None = None,
    ) -> None:
        remote = as_remote(file)
        limits = (max_header_size, max_bytes)
        if remote is None:
            self._name = getattr(file, "name", "object")
            self._reader = _native.NpyReader.from_file(file, *limits)
        else:
            self._name = remote.url
            self._reader = _native.NpyReader.from_remote(remote._file, *limits)
        self.shape, self.fortran_order, self.dtype, _ = self._reader.facts()

    def read(
        self,
        out: np.ndarray[Any, Any] | None = None,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> np.ndarray[Any, Any]:
        """Read the whole array, into `out` if given; `progress` as for `load`."""
        return self._reader.read(out, progress)

    def close(self) -> None:
        """Let the file go; arrays that were read stay."""
        self._reader.close()

    def __enter__(self) -> NpyFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _read(self, start: list[int], step: list[int], count: list[int]) -> Any:
        return self._reader.read_slice(start, step, count)

    def __repr__(self) -> str:
        return f"<NpyFile {self._name!r}: {self.dtype}, shape {self.shape}>"
