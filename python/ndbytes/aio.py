"""The asyncio twins of `send` and `recv`."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Literal

import numpy as np

from . import _native
from ._errors import ArgumentError, EndOfStreamError, MismatchError, TruncatedError, make
from ._files import MAX_BYTES, MAX_HEADER_SIZE

_PIECE = 1 << 20


async def send(
    writer: asyncio.StreamWriter | socket.socket, a: Any, *, timeout: float | None = None
) -> None:
    """Send an array as an ``.npy`` message.

    Parameters
    ----------
    writer : asyncio.StreamWriter or non-blocking socket
        A stream gets pieces of 1 MiB and is drained between them, so that memory stays flat.
    a : array_like
        Any array but of objects; any layout. It must not change until this returns.
    timeout : float, optional
        Seconds without progress until TimeoutError.
    """
    array = np.asanyarray(a)
    header = _native.npy_header(array)
    flat = _outgoing(array)
    if isinstance(writer, socket.socket):
        _check(writer)
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_sendall(writer, header), timeout)
        for start in range(0, len(flat), _PIECE):
            await asyncio.wait_for(loop.sock_sendall(writer, flat[start : start + _PIECE]), timeout)
        return
    writer.write(header)
    for start in range(0, len(flat), _PIECE):
        # A copy: a transport may keep what it could not send at once.
        writer.write(bytes(flat[start : start + _PIECE]))
        await asyncio.wait_for(writer.drain(), timeout)
    await asyncio.wait_for(writer.drain(), timeout)


async def recv(
    reader: asyncio.StreamReader | socket.socket,
    out: np.ndarray[Any, Any] | None = None,
    *,
    timeout: float | None = None,
    max_bytes: int | None = MAX_BYTES,
    max_header_size: int = MAX_HEADER_SIZE,
) -> np.ndarray[Any, Any]:
    """Receive an array; see `ndbytes.recv`.

    Parameters
    ----------
    reader : asyncio.StreamReader or non-blocking socket
        A socket's bytes go straight into the array.
    out : numpy.ndarray, optional
        Receive into this array, of the same dtype and shape; without a copy where it is contiguous
        in the order in which the array is sent.
    timeout : float, optional
        Seconds without progress until TimeoutError.
    max_bytes : int, optional
        The most bytes that an array may have; checked before anything is allocated.
    max_header_size : int
        Longest header that is parsed, in bytes.
    """
    source = _Source(reader, timeout)
    head = await source.exactly(8, "magic string", first=True)
    head += await source.exactly(2 if head[6:7] == b"\x01" else 4, "array header length")
    length = _native.parse_prelude(head, max_header_size)
    head += await source.exactly(length - len(head), "array header")
    shape, fortran, dtype, _ = _native.parse_header(head, max_header_size, max_bytes)
    order: Literal["C", "F"] = "F" if fortran else "C"
    if out is None:
        array = np.ndarray(shape, dtype, order=order)
    elif out.dtype != dtype or out.shape != shape:
        message = f"`out` is {out.dtype} of shape {out.shape}, the array is {dtype} of {shape}"
        raise make(MismatchError, "array.mismatch", message)
    elif not out.flags.writeable:
        raise make(ArgumentError, "argument", "`out` is read-only")
    else:
        array = out
    # What lies between the fields of `out` is not the array's to fill.
    direct = out is None or (
        dtype.names is None and (out.flags.f_contiguous if fortran else out.flags.c_contiguous)
    )
    target = array if direct else np.ndarray(shape, dtype, order=order)
    await source.fill(_memory(target))
    _native.validate(target)
    if target is not array:
        array[...] = target
    return array


class _Source:
    """Reads exactly, and tells a clean end from a cut."""

    def __init__(self, reader: Any, timeout: float | None) -> None:
        if isinstance(reader, socket.socket):
            _check(reader)
        self._reader = reader
        self._timeout = timeout
        self._offset = 0

    async def exactly(self, count: int, what: str, *, first: bool = False) -> bytes:
        data = bytearray(count)
        await self.fill(memoryview(data), what, first=first)
        return bytes(data)

    async def fill(self, view: memoryview, what: str = "data", *, first: bool = False) -> None:
        have = 0
        while have < len(view):
            got = await asyncio.wait_for(self._read(view[have:]), self._timeout)
            if got == 0:
                raise self._end(what, len(view), have, first)
            have += got
            self._offset += got

    async def _read(self, view: memoryview) -> int:
        if isinstance(self._reader, socket.socket):
            return await asyncio.get_running_loop().sock_recv_into(self._reader, view)
        data: bytes = await self._reader.read(min(len(view), _PIECE))
        view[: len(data)] = data
        return len(data)

    def _end(self, what: str, expected: int, got: int, first: bool) -> Exception:
        if first and got == 0:
            return make(EndOfStreamError, "stream.end", "no data left: the peer ended the stream")
        code = "data.truncated" if what == "data" else "npy.header.truncated"
        message = f"EOF: reading {what}, expected {expected} bytes got {got}"
        error = make(TruncatedError, code, message)
        error.offset = self._offset
        return error


def _outgoing(array: np.ndarray[Any, Any]) -> memoryview:
    """Return the bytes in storage order: the array's own memory where it holds nothing else."""
    plain = np.asarray(array)
    if plain.dtype.names is None and plain.flags.forc and plain.nbytes:
        return _memory(plain)
    # Strides are gathered; padding and fields that are not selected become zero.
    return memoryview(_native.tobytes(plain, "A"))


def _memory(array: np.ndarray[Any, Any]) -> memoryview:
    """Return the memory of a contiguous array."""
    if array.nbytes == 0:
        return memoryview(bytearray())
    flat = array.reshape(-1) if array.flags.c_contiguous else array.T.reshape(-1)
    return flat.view(np.uint8).data


def _check(sock: socket.socket) -> None:
    if sock.getblocking():
        raise ValueError("the socket blocks, and would hold up the loop: sock.setblocking(False)")
