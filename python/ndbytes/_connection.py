"""Arrays both ways over one connection."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from . import _native
from ._errors import EndOfStreamError
from ._files import MAX_BYTES, MAX_HEADER_SIZE
from ._stream import SocketFile, descriptor


class Connection:
    """Arrays both ways over one connected stream socket.

    What passes is what `send` and `recv` pass, so that the peer may use those, or nothing but
    NumPy. The difference is for many small arrays: what has arrived is read ahead, and what is sent
    with ``more=True`` leaves together. From here on the socket is the connection's: reading from
    it elsewhere would miss what was read ahead.

    One thread may send while another receives.

    Parameters
    ----------
    sock : socket
        A connected stream socket, also TLS. `close` closes it.
    timeout : float, optional
        Seconds without progress until TimeoutError; the socket's own unless given.
    max_bytes : int, optional
        The most bytes that a received array may have, 4 GiB unless given; checked before anything
        is allocated.
    max_header_size : int
        Longest header that is parsed, in bytes.

    Examples
    --------
    >>> import socket
    >>> import numpy as np
    >>> import ndbytes as nb
    >>> one, other = map(nb.Connection, socket.socketpair())
    >>> with one:
    ...     for i in range(3):
    ...         one.send(np.full(2, i), more=True)
    >>> with other:
    ...     print(sum(other))
    [3 3]
    """

    __slots__ = ("_socket", "_wire")

    def __init__(
        self,
        sock: Any,
        *,
        timeout: float | None = None,
        max_bytes: int | None = MAX_BYTES,
        max_header_size: int = MAX_HEADER_SIZE,
    ) -> None:
        _, is_socket, wait = descriptor(sock, timeout)
        if not hasattr(sock, "sendall"):
            raise TypeError(f"a connection needs a socket, not {type(sock).__name__}")
        if not is_socket and timeout is not None:
            sock.settimeout(timeout)
        carrier = None if is_socket else SocketFile(sock, None)
        self._socket = sock
        self._wire = _native.Wire(carrier, wait, max_bytes, max_header_size)

    @property
    def socket(self) -> Any:
        """The socket, for its options and addresses."""
        return self._socket

    def send(self, a: Any, *, more: bool = False) -> None:
        """Send an array, after those that are held back.

        Parameters
        ----------
        a : array_like
            Any array but of objects; any layout.
        more : bool
            More will follow: a small array may be held back, until 64 KiB are together, until one
            is sent without `more`, or until `flush` or `close`.

        Raises
        ------
        NdbytesOSError
            When the connection fails; also a ConnectionResetError, BrokenPipeError or TimeoutError.
        """
        self._wire.send(self._socket.fileno(), a, more)

    def flush(self) -> None:
        """Send what is held back."""
        self._wire.flush(self._socket.fileno())

    def recv(self, out: np.ndarray[Any, Any] | None = None) -> np.ndarray[Any, Any]:
        """Receive an array; see `ndbytes.recv`.

        Parameters
        ----------
        out : numpy.ndarray, optional
            Receive into this array, of the same dtype and shape and any layout.

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
        return self._wire.recv(self._socket.fileno(), out)

    def __iter__(self) -> Self:
        """Iterate over the arrays that arrive, until the peer ends the stream."""
        return self

    def __next__(self) -> np.ndarray[Any, Any]:
        """Receive an array."""
        try:
            return self._wire.recv(self._socket.fileno(), None)
        except EndOfStreamError:
            raise StopIteration from None

    def close(self) -> None:
        """Send what is held back, and close the socket, whether or not that worked."""
        try:
            if self._socket.fileno() >= 0:
                self.flush()
        finally:
            self._socket.close()

    def __enter__(self) -> Self:
        """Return the connection itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """Close; after an error what is held back is dropped."""
        if kind is None:
            self.close()
        else:
            self._socket.close()
