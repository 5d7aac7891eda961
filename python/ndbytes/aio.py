"""The asyncio twins of `send` and `recv`, and of links and listeners."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

import numpy as np

from . import _native
from ._aio_session import Link, Listener, connect, link, listen
from ._errors import EndOfStreamError, TruncatedError, make, os_error
from ._files import MAX_BYTES, MAX_HEADER_SIZE
from ._frame import MAGIC

__all__ = ["Link", "Listener", "connect", "link", "listen", "recv", "send"]

_T = TypeVar("_T")
_PIECE = 1 << 20
# Less than this is done by the loop itself: to have it done by a thread takes longer.
_SMALL = 1 << 16


async def send(
    writer: asyncio.StreamWriter | socket.socket,
    a: Any,
    codec: str | None = None,
    *,
    timeout: float | None = None,
) -> None:
    """Send an array; see `ndbytes.send`.

    Parameters
    ----------
    writer : asyncio.StreamWriter or non-blocking socket
        A stream gets pieces of 1 MiB and is drained between them, so that memory stays flat.
    a : array_like
        Any array but of objects; any layout. It must not change until this returns.
    codec : str, optional
        Send a frame, compressed and checked, as `dumps` makes it. Threads compress some chunks
        while others are sent; the loop goes on meanwhile.
    timeout : float, optional
        Seconds without progress until TimeoutError.
    """
    array = np.asanyarray(a)
    sink = _Sink(writer, timeout)
    if codec is not None:
        await _send_frame(sink, array, codec)
        return
    await sink.put(memoryview(_native.npy_header(array)))
    # A transport may keep what it could not send at once: a copy, of what may change later.
    await sink.put(_outgoing(array), copy=True)


async def recv(
    reader: asyncio.StreamReader | socket.socket,
    out: np.ndarray[Any, Any] | None = None,
    *,
    timeout: float | None = None,
    max_bytes: int | None = MAX_BYTES,
    max_header_size: int = MAX_HEADER_SIZE,
) -> np.ndarray[Any, Any]:
    """Receive an array, an ``.npy`` message or a frame; see `ndbytes.recv`.

    Parameters
    ----------
    reader : asyncio.StreamReader or non-blocking socket
        It is left at the first byte after the array. The elements of an ``.npy`` message go from a
        socket straight into the array; chunks of a frame are decoded by threads.
    out : numpy.ndarray, optional
        Receive into this array, of the same dtype and shape and any layout.
    timeout : float, optional
        Seconds without progress until TimeoutError.
    max_bytes : int, optional
        The most bytes that an array may have; checked before anything is allocated.
    max_header_size : int
        Longest header that is parsed, in bytes.
    """
    source = _Source(reader, timeout)
    head = await source.some(len(MAGIC))
    if head and MAGIC.startswith(head):
        return await _recv_frame(source, head, out, max_bytes, max_header_size)
    if len(head) < len(MAGIC):
        raise source.ended("magic string", len(MAGIC), len(head))
    head += await source.exactly(2 if head[6:7] == b"\x01" else 4, "array header length")
    length = _native.parse_prelude(head, max_header_size)
    head += await source.exactly(length - len(head), "array header")
    shape, fortran, dtype, _ = _native.parse_header(head, max_header_size, max_bytes, out)
    order: Literal["C", "F"] = "F" if fortran else "C"
    array = np.ndarray(shape, dtype, order=order) if out is None else out
    # What lies between the fields of `out` is not the array's to fill.
    direct = out is None or (
        dtype.names is None and (out.flags.f_contiguous if fortran else out.flags.c_contiguous)
    )
    target = array if direct else np.ndarray(shape, dtype, order=order)
    await source.fill(_memory(target), "data")
    _native.validate(target)
    if target is not array:
        array[...] = target
    return array


async def _send_frame(sink: _Sink, array: np.ndarray[Any, Any], codec: str) -> None:
    if array.nbytes <= _SMALL:
        encoder = _native.FrameEncoder(array, codec)
        while piece := encoder.encode():
            await sink.put(memoryview(piece))
        return
    loop = asyncio.get_running_loop()
    encoder = await _aside(_native.FrameEncoder, array, codec)
    coming = loop.run_in_executor(None, encoder.encode)
    try:
        while piece := await asyncio.shield(coming):
            coming = loop.run_in_executor(None, encoder.encode)
            await sink.put(memoryview(piece))
    finally:
        await _ended(coming)


async def _recv_frame(
    source: _Source,
    head: bytes,
    out: np.ndarray[Any, Any] | None,
    max_bytes: int | None,
    max_header_size: int,
) -> np.ndarray[Any, Any]:
    # Where the stream ends early, these are told as much as there is, and say so.
    head += await source.some(16 - len(head))
    length = _native.FrameDecoder.header_len(head, max_header_size)
    head += await source.some(length - len(head))
    decoder = _native.FrameDecoder(head, out, max_header_size, max_bytes)
    small = decoder.chunk_nbytes <= _SMALL
    whole = False
    while not whole:
        record = await source.some(decoder.expect(await source.some(8)))
        whole = decoder.decode(record) if small else await _aside(decoder.decode, record)
    return decoder.array()


class _Sink:
    """Writes pieces, and waits until they are taken."""

    def __init__(self, writer: Any, timeout: float | None) -> None:
        if isinstance(writer, socket.socket):
            _check(writer)
        self._writer = writer
        self._timeout = timeout

    async def put(self, view: memoryview, *, copy: bool = False) -> None:
        for start in range(0, max(len(view), 1), _PIECE):
            piece = view[start : start + _PIECE]
            if isinstance(self._writer, socket.socket):
                sent = asyncio.get_running_loop().sock_sendall(self._writer, piece)
            else:
                self._writer.write(bytes(piece) if copy else piece)
                sent = self._writer.drain()
            await _within(sent, self._timeout)


class _Source:
    """Reads exactly, and tells a clean end from a cut."""

    def __init__(self, reader: Any, timeout: float | None) -> None:
        if isinstance(reader, socket.socket):
            _check(reader)
        self._reader = reader
        self._timeout = timeout
        self._offset = 0

    async def some(self, count: int) -> bytes:
        """Return so many bytes, or fewer where the stream ends; memory grows as they arrive."""
        pieces = []
        while count:
            most = min(count, _PIECE)
            if isinstance(self._reader, socket.socket):
                read = asyncio.get_running_loop().sock_recv(self._reader, most)
            else:
                read = self._reader.read(most)
            piece: bytes = await _within(read, self._timeout)
            if not piece:
                break
            pieces.append(piece)
            count -= len(piece)
            self._offset += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def exactly(self, count: int, what: str) -> bytes:
        data = await self.some(count)
        if len(data) < count:
            raise self.ended(what, count, len(data))
        return data

    async def fill(self, view: memoryview, what: str) -> None:
        have = 0
        while have < len(view):
            got = await _within(self._read_into(view[have:]), self._timeout)
            if got == 0:
                raise self.ended(what, len(view), have)
            have += got
            self._offset += got

    async def _read_into(self, view: memoryview) -> int:
        if isinstance(self._reader, socket.socket):
            return await asyncio.get_running_loop().sock_recv_into(self._reader, view)
        data: bytes = await self._reader.read(min(len(view), _PIECE))
        view[: len(data)] = data
        return len(data)

    def ended(self, what: str, expected: int, got: int) -> Exception:
        if self._offset == 0:
            message = "no data left: the peer ended the stream"
            error = make(EndOfStreamError, "stream.end", message)
        else:
            code = "data.truncated" if what == "data" else "npy.header.truncated"
            message = f"EOF: reading {what}, expected {expected} bytes got {got}"
            error = make(TruncatedError, code, message)
        error.offset = self._offset
        return error


async def _within(what: Awaitable[_T], timeout: float | None) -> _T:
    """Wait that long, and tell of what the system says as the other half of this package does."""
    try:
        return await asyncio.wait_for(what, timeout)
    except TimeoutError as error:
        raise os_error(errno.ETIMEDOUT) from error
    except OSError as error:
        if type(error).__module__ != "builtins":
            # TLS has numbers of its own.
            raise
        # "Connection lost", as a stream says it, has none.
        raise os_error(error.errno or errno.ECONNRESET) from error


async def _aside(call: Callable[..., _T], *args: Any) -> _T:
    """Call in a thread. Also when this is cancelled, it ends when the call has."""
    job = asyncio.get_running_loop().run_in_executor(None, call, *args)
    try:
        return await asyncio.shield(job)
    finally:
        await _ended(job)


async def _ended(job: asyncio.Future[Any]) -> None:
    """Wait for a job, whose result nobody else may want: it works on the caller's array."""
    await asyncio.wait([job])
    if not job.cancelled():
        job.exception()


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
