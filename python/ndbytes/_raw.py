"""Elements alone: no header, so dtype, shape and order are the caller's to know."""

from __future__ import annotations

import io
import os
import stat
from typing import Any

import numpy as np

from . import _native, _original
from ._errors import MismatchError, TruncatedError, UnsupportedError, make
from ._files import as_path, is_real, open_pipe, read_all, read_up_to, seek_position
from ._shape import dims_of, product


def frombuffer(
    buffer: Any,
    dtype: Any = float,
    count: int = -1,
    offset: int = 0,
    *,
    like: Any = None,
    shape: Any = None,
    order: str = "C",
) -> np.ndarray[Any, Any]:
    """Interpret a buffer as an array, without a copy.

    Parameters
    ----------
    buffer : bytes-like
        Also arrays of dtypes that have no buffer, such as datetime64.
    dtype : dtype
        The type of the elements.
    count : int
        Number of elements; -1 for all there are, which must fill the buffer exactly.
    offset : int
        Where to begin, in bytes.
    like : array_like, optional
        As for ``numpy.frombuffer``.
    shape : int or tuple of int, optional
        The shape. Without `count`, the elements must fill the buffer exactly.
    order : {'C', 'F'}
        The order of the elements in the buffer.

    Returns
    -------
    numpy.ndarray
        Read-only where the buffer is.

    Raises
    ------
    MismatchError
        When the length of the buffer is not that of the elements.
    FormatError
        When bytes are no values of the dtype: a bool of 2, a character beyond Unicode.
    """
    if like is not None:
        return _original.frombuffer(buffer, dtype, count, offset, like=like)
    descr = np.dtype(dtype)
    if isinstance(buffer, np.ndarray) and buffer.dtype.kind in "Mm":
        buffer = buffer.view(np.int64)
    if shape is not None:
        dims = dims_of(shape)
        wanted = product(dims)
        if count not in (-1, wanted):
            raise make(MismatchError, "data.length", f"shape {dims} is not {count} elements")
        if count == -1:
            available = memoryview(buffer).nbytes - offset
            _expect_exact(available, wanted * descr.itemsize, descr, dims)
        count = wanted
    if count == 0 or descr.itemsize == 0:
        flat = np.ndarray((max(count, 0),), descr)
    else:
        flat = _original.frombuffer(buffer, descr, count, offset)
    _validate(flat)
    return flat if shape is None else flat.reshape(dims, order=_order(order))


def tofile(
    a: Any,
    file: Any,
    sep: str = "",
    format: str = "%s",
    *,
    order: str = "C",
    durable: bool = False,
) -> None:
    """Write the elements of an array, as ``ndarray.tofile``.

    Parameters
    ----------
    a : array_like
        Any array but of objects.
    file : path or file object
        A path is written atomically; a file object needs nothing but ``write``, and is flushed if
        it is a buffered file.
    sep : str
        If not empty, text is written: the elements, separated by it.
    format : str
        Format of each element of the text.
    order : {'C', 'F', 'A'}
        The order of the elements.
    durable : bool
        Wait until file and folder are on the disk.
    """
    path = as_path(file)
    if sep:
        _write_text(a, file, path, sep, format, _order(order) if order != "A" else "A", durable)
        return
    with open_pipe(path, "wb") as pipe:
        if path is None or pipe is not None:
            _native.tofile_file(file if pipe is None else pipe, a, order)
        else:
            _native.tofile_path(path, a, order, durable)


def fromfile(
    file: Any,
    dtype: Any = float,
    count: int = -1,
    sep: str = "",
    offset: int = 0,
    *,
    like: Any = None,
    shape: Any = None,
    order: str = "C",
) -> np.ndarray[Any, Any]:
    """Read elements from a file, as ``numpy.fromfile``, and exactly as many as were asked for.

    Parameters
    ----------
    file : path or file object
        A file object needs nothing but ``read``, and is left after the last element read.
    dtype : dtype
        The type of the elements.
    count : int
        Number of elements; -1 for all to the end, which must be whole ones.
    sep : str
        If not empty, the file is text, with this between the elements.
    offset : int
        Where to begin, in bytes from where the file stands.
    like : array_like, optional
        As for ``numpy.fromfile``.
    shape : int or tuple of int, optional
        The shape. A file by its path must hold these elements and nothing else, unless `count` is
        given as well.
    order : {'C', 'F'}
        The order of the elements in the file.

    Raises
    ------
    MismatchError
        When bytes are left over.
    TruncatedError
        When elements are missing.
    FormatError
        When bytes are no values of the dtype.
    """
    descr = np.dtype(dtype)
    if descr.hasobject:
        raise make(UnsupportedError, "dtype.object", "Cannot read into object array")
    if like is not None:
        return _original.fromfile(file, dtype, count, sep, offset, like=like)
    path = as_path(file)
    if sep:
        if offset:
            raise TypeError("'offset' argument only permitted for binary files")
        return _read_text(file, path, descr, count, sep)
    inner: tuple[int, ...] = ()
    if descr.subdtype is not None:
        descr, inner = descr.subdtype
    dims = None if shape is None else dims_of(shape)
    if dims is not None:
        wanted = product(dims)
        if count not in (-1, wanted):
            raise make(MismatchError, "data.length", f"shape {dims} is not {count} elements")
    else:
        wanted = count
    exact = path is not None and dims is not None and count == -1
    if path is not None:
        with open(path, "rb", buffering=0) as opened:
            flat = _read(opened, descr, wanted, inner, offset, exact)
    else:
        flat = _read(file, descr, wanted, inner, offset, exact)
    if dims is None:
        return flat
    return flat.reshape((*dims, *inner), order=_order(order))


def _read(
    file: Any, descr: np.dtype[Any], count: int, inner: tuple[int, ...], offset: int, exact: bool
) -> np.ndarray[Any, Any]:
    size = descr.itemsize * product(inner)
    position = seek_position(file) if is_real(file) else None
    # Files of the kernel have no length, whatever they hold.
    if position is None or not _has_length(file):
        return _read_stream(file, descr, count, inner, offset, size)
    if hasattr(file, "flush") and file.writable():
        file.flush()
    # A descriptor of our own, which stays open should another thread close the file.
    try:
        fd = os.dup(file.fileno())
        if fd.__index__() > 0x7FFFFFFF:
            raise OverflowError("os.dup returned no descriptor")
    except AttributeError:
        raise TypeError("os.dup returned no descriptor") from None
    except OverflowError as error:
        raise OSError(str(error)) from None
    try:
        end = os.fstat(fd).st_size
        start = position + offset
        if start < 0:
            raise ValueError(f"offset {offset} is before the start of the file")
        if count < 0:
            count = _whole(end - start, size)
        elif exact:
            _expect_exact(end - start, count * size, descr, (count,))
        elif start + count * size > end:
            raise _missing(count, size, max(end - start, 0), start)
        array = _native.fromfile_fd(fd, descr, (count, *inner), "C", start)
    finally:
        os.close(fd)
    file.seek(start + count * size)
    return array


def _has_length(file: Any) -> bool:
    status = os.fstat(file.fileno())
    return stat.S_ISREG(status.st_mode) and status.st_size > 0


def _read_stream(
    file: Any, descr: np.dtype[Any], count: int, inner: tuple[int, ...], offset: int, size: int
) -> np.ndarray[Any, Any]:
    if offset:
        if offset < 0:
            raise ValueError("a negative offset needs a file that can seek")
        left = offset
        while left > 0 and (got := len(read_up_to(file, min(left, 1 << 20)))):
            left -= got
        if left:
            raise _missing(count, size, 0, offset - left)
    if count < 0:
        data = read_all(file)
        count = _whole(len(data), size)
        file = io.BytesIO(data)
    if size == 0:
        return np.ndarray((count, *inner), descr)
    return _native.fromfile_file(file, descr, (count, *inner), "C")


def _whole(available: int, size: int) -> int:
    if available < 0:
        raise make(MismatchError, "data.length", "the offset is beyond the end of the file")
    if size == 0 or available % size:
        left = (
            "the number of items has to be given" if size == 0 else f"{available % size} are left"
        )
        message = f"{available} bytes are no whole number of {size}-byte items: {left}"
        error = make(MismatchError, "data.length", message)
        error.offset = available - (available % size if size else 0)
        raise error
    return available // size


def _expect_exact(
    available: int, wanted: int, descr: np.dtype[Any], shape: tuple[int, ...]
) -> None:
    if available == wanted:
        return
    missing = available < wanted
    error = make(
        TruncatedError if missing else MismatchError,
        "data.truncated" if missing else "data.trailing",
        f"shape {shape} of {descr} needs exactly {wanted} bytes, there are {available}",
    )
    error.offset = min(available, wanted)
    raise error


def _missing(count: int, size: int, available: int, start: int) -> Exception:
    error = make(
        TruncatedError,
        "data.truncated",
        f"{count} items of {size} bytes were asked for, {available} bytes are there",
    )
    error.offset = start + available
    return error


def _validate(array: np.ndarray[Any, Any]) -> None:
    if array.dtype.kind in "bUV":
        _native.validate(array)


def _order(order: str) -> Any:
    if order not in {"C", "F"}:
        raise ValueError(f"order must be 'C' or 'F', not {order!r}")
    return order


def _write_text(
    a: Any, file: Any, path: str | None, sep: str, format: str, order: Any, durable: bool
) -> None:
    array = np.asanyarray(a).ravel(order)
    values = (array.item(i) for i in range(array.size))
    text = sep.join(format % (value,) if format else str(value) for value in values)
    if path is not None:
        _native.tofile_path(path, _original.frombuffer(text.encode(), np.uint8), "C", durable)
        return
    if isinstance(file, io.TextIOBase):
        file.write(text)
        file.flush()
        return
    _native.tofile_file(file, _original.frombuffer(text.encode(), np.uint8), "C")


def _read_text(
    file: Any, path: str | None, descr: np.dtype[Any], count: int, sep: str
) -> np.ndarray[Any, Any]:
    if path is not None or is_real(file) or isinstance(file, io.TextIOBase):
        return _original.fromfile(file if path is None else path, descr, count, sep)
    return _original.fromstring(read_all(file).decode(), descr, count, sep=sep)
