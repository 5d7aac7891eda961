"""Arrays over sockets, pipes and file objects: `.npy` messages, one after another."""

from __future__ import annotations

import _socket
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _native
from ._files import MAX_BYTES, MAX_HEADER_SIZE

# The number itself: `socket.type` looks an enum up each time.
_KIND = _socket.socket.type.__get__
_KINDS = 0xF


class SocketFile:
    """A socket that is no plain one (TLS, a subclass) as a file object."""

    def __init__(self, sock: Any, timeout: float | None) -> None:
        self._sock = sock
        self._timeout = timeout

    def __enter__(self) -> SocketFile:
        self._before = self._sock.gettimeout()
        if self._timeout is not None:
            self._sock.settimeout(self._timeout)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._timeout is not None:
            self._sock.settimeout(self._before)

    def write(self, data: Any) -> None:
        # Not `sendall`, whose timeout is for all of it.
        view = memoryview(data)
        while len(view):
            view = view[self._sock.send(view) :]

    def read(self, count: int) -> bytes:
        return bytes(self._sock.recv(count))


def send(
    sock: Any,
    a: Any,
    codec: str | None = None,
    *,
    timeout: float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> None:
    """Send an array.

    Without a codec it leaves as an ``.npy`` message, header and elements in one vectored write, the
    elements of a contiguous array without a copy; a peer with nothing but NumPy can read it. With
    one it leaves as a frame, compressed and checked, which `recv` reads as well.

    Parameters
    ----------
    sock : socket, file descriptor or file object
        Anything that bytes can be written to: a socket (also TLS), a pipe's descriptor, an object
        with ``write``.
    a : array_like
        Any array but of objects; any layout.
    codec : str, optional
        As for `dumps`.
    timeout : float, optional
        Seconds without progress until TimeoutError, for sockets and descriptors; the socket's own
        unless given. File objects have their own ways.
    progress : callable, optional
        Called as ``progress(done, total)``, in bytes of the array, some 20 times a second at most
        and when all is done. What it raises ends the work, in the middle of the array.

    Raises
    ------
    NdbytesOSError
        When the connection fails; also a ConnectionResetError, BrokenPipeError or TimeoutError.
    """
    fd, is_socket, timeout = descriptor(sock, timeout)
    if fd is not None:
        _native.send_fd(fd, a, timeout, is_socket, codec, progress)
        return
    with _as_file(sock, timeout) as file:
        if codec is None:
            _native.save_file(file, a, None, progress)
        else:
            _native.save_frame_file(file, a, codec, progress=progress)


def recv(
    sock: Any,
    out: np.ndarray[Any, Any] | None = None,
    *,
    timeout: float | None = None,
    max_bytes: int | None = MAX_BYTES,
    max_header_size: int = MAX_HEADER_SIZE,
    progress: Callable[[int, int], object] | None = None,
) -> np.ndarray[Any, Any]:
    """Receive an array, straight into its final memory.

    Parameters
    ----------
    sock : socket, file descriptor or file object
        Where to read from; it is left at the first byte after the array.
    out : numpy.ndarray, optional
        Receive into this array, of the same dtype and shape and any layout.
    timeout : float, optional
        As for `send`.
    max_bytes : int, optional
        The most bytes that an array may have, 4 GiB unless given; checked before anything is
        allocated.
    max_header_size : int
        Longest header that is parsed, in bytes.
    progress : callable, optional
        As for `send`.

    Returns
    -------
    numpy.ndarray
        Writable and aligned.

    Raises
    ------
    EndOfStreamError
        When the peer ended the stream cleanly, between two arrays; an EOFError.
    TruncatedError
        When it was cut inside of an array.
    LimitError, FormatError
        When the peer announces too much, or sends something else.
    """
    fd, is_socket, timeout = descriptor(sock, timeout)
    if fd is not None:
        return _native.recv_fd(fd, out, timeout, is_socket, max_bytes, max_header_size, progress)
    with _as_file(sock, timeout) as file:
        return _native.load_file(file, b"", out, max_header_size, max_bytes, None, progress)


def descriptor(sock: Any, timeout: float | None) -> tuple[int | None, bool, float | None]:
    """Return the descriptor to work with, if any, whether it is a socket, and the timeout."""
    if isinstance(sock, _socket.socket) and _KIND(sock) & _KINDS != socket.SOCK_STREAM:
        raise ValueError(f"arrays need a stream socket (SOCK_STREAM), not {sock.type!r}")
    if type(sock) is socket.socket:
        return sock.fileno(), True, sock.gettimeout() if timeout is None else timeout
    if isinstance(sock, int) and not isinstance(sock, bool):
        return sock, False, timeout
    return None, False, timeout


def _as_file(sock: Any, timeout: float | None) -> contextlib.AbstractContextManager[Any]:
    if hasattr(sock, "sendall"):
        return SocketFile(sock, timeout)
    return contextlib.nullcontext(sock)
