"""Files in memory as arrays: `memmap` that closes, pickles by reference and never grows a file."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from . import _native, _original
from ._errors import MismatchError, TruncatedError, UnsupportedError, make, os_error
from ._files import MAX_HEADER_SIZE
from ._shape import dims_of, product

MODES = {"readonly": "r", "copyonwrite": "c", "readwrite": "r+", "write": "w+"}


class memmap(np.memmap[Any, Any]):
    """An array whose memory is a part of a file.

    As ``numpy.memmap``, and it has `close`, works in ``with``, reports errors of `flush`, pickles
    by reference, and leaves the length of every file alone that it was not told to create.

    Parameters
    ----------
    filename : path or file object
        A file object needs ``fileno``.
    dtype : dtype
        The type of the elements.
    mode : {'r+', 'r', 'w+', 'c'}
        'w+' creates the file with zeros, replacing another; its blocks are reserved, so that a full
        disk is an error here and not a signal later. The others open an existing one: if it is too
        short, that is an error.
    offset : int
        Where the array begins in the file, in bytes.
    shape : int or tuple of int
        Without it, the rest of the file as one dimension.
    order : {'C', 'F'}
        The order of the elements.

    Attributes
    ----------
    filename : pathlib.Path, str or None
        The path, or a file object's name.
    offset : int
        Where the array begins in the file.
    mode : str
        As above.

    Notes
    -----
    A map is as safe as those who write to the file: when somebody shortens it, touching what is
    gone ends the process (SIGBUS). Use `load` without `mmap_mode` for files that change.
    """

    filename: Any
    offset: int
    mode: str
    _mmap: mmap.mmap | None
    _start: int | None
    _inode: int | None

    def __new__(
        cls,
        filename: Any,
        dtype: Any = np.uint8,
        mode: str = "r+",
        offset: int = 0,
        shape: Any = None,
        order: str = "C",
    ) -> memmap:
        mode = MODES.get(mode, mode)
        if mode not in {"r", "c", "r+", "w+"}:
            raise ValueError(f"mode must be one of 'r', 'c', 'r+', 'w+', not {mode!r}")
        if mode == "w+" and shape is None:
            raise ValueError("shape must be given if mode == 'w+'")
        descr = np.dtype(dtype)
        if descr.hasobject:
            raise make(UnsupportedError, "dtype.object", "objects cannot be memory-mapped")
        if order not in {"C", "F"}:
            raise ValueError(f"order must be 'C' or 'F', not {order!r}")
        if offset < 0:
            raise ValueError(f"offset must not be negative, not {offset}")
        dims = None if shape is None else dims_of(shape)
        if hasattr(filename, "read"):
            if hasattr(filename, "flush"):
                filename.flush()
            return cls._open(filename.fileno(), filename, descr, mode, offset, dims, order)
        if mode == "w+":
            assert dims is not None
            create(filename, b"", offset + product(dims) * descr.itemsize)
        with open(filename, "rb" if mode in {"r", "c"} else "r+b", buffering=0) as file:
            return cls._open(file.fileno(), filename, descr, mode, offset, dims, order)

    @classmethod
    def _open(
        cls,
        fd: int,
        file: Any,
        descr: np.dtype[Any],
        mode: str,
        offset: int,
        shape: tuple[int, ...] | None,
        order: str,
    ) -> memmap:
        size = os.fstat(fd).st_size
        if shape is None:
            shape = (_count(size, offset, descr.itemsize),)
        need = offset + product(shape) * descr.itemsize
        # A file object that is to be created, or is still empty, is the caller's to be filled.
        own = hasattr(file, "read") and (mode == "w+" or (mode == "r+" and size == 0))
        if size < need and own:
            _reserve(fd, need)
        elif size < need:
            error = make(
                TruncatedError,
                "data.truncated",
                f"{file}: the map needs {need} bytes (shape {shape} of {descr} from byte {offset}),"
                f" the file has {size}; it is left as it is",
            )
            error.offset = size
            raise error
        strides = _strides(shape, descr.itemsize, order)
        return cls._map(fd, file, descr, mode, offset, shape, strides)

    @classmethod
    def _map(
        cls,
        fd: int,
        file: Any,
        descr: np.dtype[Any],
        mode: str,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> memmap:
        """Map what the elements take; the first of them is at `offset` of the file."""
        access = {"r": mmap.ACCESS_READ, "c": mmap.ACCESS_COPY}.get(mode, mmap.ACCESS_WRITE)
        before, beyond = _extent(shape, strides, descr.itemsize)
        if before + beyond == 0:
            # Nothing cannot be mapped; one byte of no file stands for it.
            memory, start = mmap.mmap(-1, 1, access=access), offset
        else:
            low = offset - before
            start = low - low % mmap.ALLOCATIONGRANULARITY
            memory = mmap.mmap(fd, offset + beyond - start, access=access, offset=start)
        array: memmap = _native.array_over(cls, memory, descr, shape, strides, offset - start)
        array._mmap = memory
        array._start = start
        array._inode = os.fstat(fd).st_ino
        array.offset = offset
        array.mode = mode
        array.filename = _name(file)
        return array

    def __array_finalize__(self, obj: Any) -> None:
        super().__array_finalize__(obj)
        mapped = self._mmap is not None
        self._start = getattr(obj, "_start", None) if mapped else None
        self._inode = getattr(obj, "_inode", None) if mapped else None

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        # numpy.memmap does this for its own class alone: results of ufuncs are plain arrays.
        result = np.ndarray.__array_wrap__(self, array, context)
        if self is result or type(self) is not memmap:
            return result
        return result[()] if return_scalar or result.ndim == 0 else result.view(np.ndarray)

    def __getitem__(self, index: Any) -> Any:
        result = np.ndarray.__getitem__(self, index)
        if type(result) is memmap and result._mmap is None:
            return result.view(np.ndarray)
        return result

    def flush(self) -> None:
        """Write changes to the disk and wait for it.

        Raises
        ------
        OSError
            When the operating system could not.
        """
        memory = self._mmap
        if memory is not None and self.mode in {"r+", "w+"}:
            memory.flush()

    def close(self) -> None:
        """Flush, and refuse indexing, arithmetic, NumPy's functions and every change from now on.

        The map itself goes with the last array that uses its memory: slices that were taken
        before stay valid, and other libraries that still point into the map do no harm.

        Raises
        ------
        OSError
            When flushing failed; the array is then still open.
        """
        self.flush()
        self._mmap = None
        # Methods that change an array in place cannot be refused one by one.
        self.setflags(write=False)
        self.__class__ = _closed_class(type(self))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return False

    def __enter__(self) -> memmap:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        """Pickle the place in the file, not its bytes, where there is one to come back to."""
        memory = self._mmap
        if memory is None or self.mode == "c" or self.filename is None or self._start is None:
            return np.array(self, subok=False).__reduce__()
        address = self.__array_interface__["data"][0]
        base = _original.frombuffer(memory, np.uint8).__array_interface__["data"][0]
        mode = "r+" if self.mode == "w+" else self.mode
        position = self._start + address - base if self.size else self.offset
        place = (position, self.shape, self.strides, self._inode)
        return _reopen, (type(self), os.fspath(self.filename), self.dtype, mode, *place)


class _Closed(memmap):
    """A map that was given back."""

    @property
    def closed(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing: it is closed."""

    def _refuse(self, *args: object, **kwargs: object) -> Any:
        raise ValueError("this memmap is closed")

    __getitem__ = __setitem__ = __iter__ = __array_ufunc__ = __array_function__ = _refuse
    __len__ = __array_wrap__ = __reduce__ = flush = tolist = tobytes = tofile = _refuse

    def __repr__(self) -> str:
        return f"<closed memmap of {self.filename}>"

    __str__ = __repr__


def _closed_class(cls: type[memmap]) -> type[memmap]:
    return type(cls.__name__, (_Closed, cls) if cls is not memmap else (_Closed,), {})


def open_memmap(
    filename: Any,
    mode: str = "r+",
    dtype: Any = None,
    shape: Any = None,
    fortran_order: bool = False,
    version: tuple[int, int] | None = None,
    *,
    max_header_size: int | None = MAX_HEADER_SIZE,
) -> memmap:
    """Map an ``.npy`` file.

    Parameters
    ----------
    filename : path
        No file object, as in NumPy.
    mode : {'r+', 'r', 'c', 'w+'}
        'w+' creates the file, with zeros; it takes its name when its blocks are reserved.
    dtype, shape, fortran_order, version
        Of the file to create; the others are read from its header.
    max_header_size : int
        Longest header that is parsed, in bytes.

    Returns
    -------
    memmap
    """
    if hasattr(filename, "read") or hasattr(filename, "write"):
        raise ValueError(
            "Filename must be a string or a path-like object."
            " Memmap cannot use existing file handles."
        )
    mode = MODES.get(mode, mode)
    if mode == "w+":
        descr = np.dtype(dtype)
        dims = dims_of(() if shape is None else shape)
        head = _native.encode_header(descr, fortran_order, dims, version)
        create(filename, head, product(dims) * descr.itemsize)
    # One open file for header and data: between two, another might take its name.
    with open(filename, "rb" if mode in {"r", "c"} else "r+b", buffering=0) as file:
        if mode == "w+":
            offset = len(head)
        else:
            dims, fortran_order, descr, offset = _native.read_header(file, b"", max_header_size)
        order = "F" if fortran_order else "C"
        return memmap._open(file.fileno(), filename, descr, mode, offset, dims, order)


def _reopen(
    cls: type[memmap],
    path: str,
    dtype: np.dtype[Any],
    mode: str,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    inode: int,
) -> memmap:
    """Map again what a pickle refers to."""
    _, beyond = _extent(shape, strides, dtype.itemsize)
    with open(path, "rb" if mode == "r" else "r+b", buffering=0) as file:
        if os.fstat(file.fileno()).st_ino != inode:
            message = f"{path}: another file has taken this name since the map was pickled"
            raise make(MismatchError, "array.mismatch", message)
        if os.fstat(file.fileno()).st_size < offset + beyond:
            message = f"{path}: the file became shorter since the map was pickled"
            raise make(TruncatedError, "data.truncated", message)
        return cls._map(file.fileno(), path, dtype, mode, offset, shape, strides)


def create(path: Any, head: bytes, nbytes: int) -> None:
    """Make a file of this head and zeros; it takes its name when all its blocks are there."""
    target = Path(os.path.realpath(os.fsdecode(path)))
    if target.exists() and not target.is_file() and not target.is_dir():
        # A device or a pipe must not be replaced by a file.
        raise os_error(errno.ENODEV, target)
    mode = 0o666
    with contextlib.suppress(FileNotFoundError):
        # What may not be written is not replaced either, although the folder allows it.
        os.close(os.open(target, os.O_WRONLY | os.O_CLOEXEC))
        mode = os.stat(target).st_mode & 0o777
    fd, temporary = _beside(target, mode & 0o666)
    try:
        try:
            if target.exists():
                os.fchmod(fd, mode)
            with open(fd, "wb", buffering=0, closefd=False) as file:
                written = 0
                while written < len(head):
                    written += file.write(head[written:])
            _reserve(fd, len(head) + nbytes)
        finally:
            os.close(fd)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _beside(target: Path, mode: int) -> tuple[int, Path]:
    """Open a new file in the target's folder, of this mode less the umask."""
    while True:
        name = target.parent / f".{target.name[:40]}.{secrets.token_hex(4)}.tmp"
        with contextlib.suppress(FileExistsError):
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), name


def _reserve(fd: int, size: int) -> None:
    """Make the file this long, its blocks taken now: a full disk must not kill us later."""
    if size == 0:
        return
    try:
        os.posix_fallocate(fd, 0, size)
    except (AttributeError, OSError) as error:
        # File systems that cannot reserve, and systems without the call.
        if getattr(error, "errno", None) not in {None, errno.EOPNOTSUPP, errno.EINVAL}:
            raise os_error(error.errno or errno.EIO) from None  # type: ignore[union-attr]
        os.ftruncate(fd, size)


def _strides(shape: tuple[int, ...], itemsize: int, order: str) -> tuple[int, ...]:
    strides = []
    step = itemsize
    for n in reversed(shape) if order == "C" else shape:
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides) if order == "C" else strides)


def _extent(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> tuple[int, int]:
    """Bytes that elements take before and from the start of the first."""
    if 0 in shape:
        return 0, 0
    reach = [stride * (n - 1) for n, stride in zip(shape, strides, strict=True)]
    before = -sum(r for r in reach if r < 0)
    return before, sum(r for r in reach if r > 0) + itemsize


def _count(size: int, offset: int, itemsize: int) -> int:
    left = size - offset
    if left < 0:
        raise make(
            MismatchError, "data.length", f"offset {offset} is beyond the file's {size} bytes"
        )
    if itemsize == 0 or left % itemsize:
        raise make(
            MismatchError,
            "data.length",
            f"Size of the available data is not a multiple of the data-type size: {left} bytes, "
            f"items of {itemsize}",
        )
    return left // itemsize


def _name(file: Any) -> Any:
    if isinstance(file, os.PathLike):
        return Path(file).resolve()
    name = getattr(file, "name", None) if hasattr(file, "read") else os.fsdecode(file)
    # The name of a temporary file may be a number.
    return os.path.abspath(name) if isinstance(name, str) else None
