"""Sessions: arrays over TCP, TLS, QUIC, Unix sockets and HTTP, named and acknowledged."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from . import _native, _shared, _stream
from ._errors import EndOfStreamError, make, timed_out
from ._files import MAX_BYTES, MAX_HEADER_SIZE, as_path

TIMEOUT = 60.0


# An array, or the descriptor and the length of shared memory; its name and metadata.
_Found = tuple[np.ndarray[Any, Any] | tuple[int, int], str | None, str | None]


class Item(NamedTuple):
    """An array that came over a session, and what came with it."""

    array: np.ndarray[Any, Any]
    name: str | None
    meta: dict[str, Any] | None


class Link:
    """A session with one peer: arrays both ways. `connect` and `Listener.accept` make it.

    An array is on its way when `send` returns, and has arrived when `sync` or `close` return;
    leaving ``with`` closes. A connection that ends without that is told from an end: the other side
    gets TruncatedError, not EndOfStreamError. One thread may send while another receives.

    Examples
    --------
    >>> import threading
    >>> import numpy as np
    >>> import ndbytes as nb
    >>> def work():
    ...     with nb.connect(listener.address) as link:
    ...         link.send(np.arange(3), "a", {"step": 1})
    >>> with nb.listen("tcp://127.0.0.1:0") as listener:
    ...     thread = threading.Thread(target=work)
    ...     thread.start()
    ...     with listener.accept() as link:
    ...         for item in link.items():
    ...             print(item.name, item.array, item.meta)
    a [0 1 2] {'step': 1}
    >>> thread.join()
    """

    __slots__ = ("_link",)

    def __init__(self, link: _native.Link) -> None:
        self._link = link

    @property
    def peer(self) -> str:
        """Who is at the other end, as an address."""
        return self._link.peer()

    def send(
        self,
        a: Any,
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
        codec: str | None = None,
        *,
        more: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        """Send an array.

        Parameters
        ----------
        a : array_like
            Any array but of objects; any layout.
        name : str, optional
            What the receiver gets with it.
        meta : mapping, optional
            What else it gets with it: anything that JSON has, 64 KiB with the name.
        codec : str, optional
            Send a frame, compressed and checked, as `dumps` makes it; with ``"adaptive"`` where
            that is faster, by what the connection has taken lately and a sample of the array.
        more : bool
            More will follow: a small array may be held back, until 64 KiB are together, until one
            is sent without `more`, or until `flush`, `sync` or `close`.
        progress : callable, optional
            As for `ndbytes.send`.

        Raises
        ------
        UnsupportedError
            For a name or metadata to a peer that knows arrays alone.
        NdbytesOSError
            When the connection fails, or the peer reports an error; PermissionError when it
            refuses.
        """
        self._link.send(a, name, _text(meta), codec, more, progress)

    def share(self, a: Any, name: str | None = None, meta: Mapping[str, Any] | None = None) -> None:
        """Hand an array to a peer on this machine without a copy, however large it is.

        The peer gets a read-only array in the same memory, which lasts as long as anybody has it.
        What is written to it later, both see.

        Parameters
        ----------
        a : array_like
            An array of `shared_empty`, or one that was received so; any other is copied, once.
        name, meta
            As for `send`.

        Raises
        ------
        UnsupportedError
            Over any address but ``unix://``.
        """
        array = _shared.shared(a)
        self._link.send_shared(_shared.descriptor(array), name, _text(meta))

    def flush(self) -> None:
        """Send what is held back."""
        self._link.flush()

    def sync(self) -> None:
        """Wait until the peer has all that was sent. Arrays that come meanwhile are kept.

        Raises
        ------
        TruncatedError
            When the peer is gone before that.
        UnsupportedError
            When it knows arrays alone.
        """
        self._link.sync()

    def recv(
        self,
        out: np.ndarray[Any, Any] | None = None,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> np.ndarray[Any, Any]:
        """Receive an array; see `ndbytes.recv`.

        Raises
        ------
        EndOfStreamError
            When the peer has ended, and all has arrived; an EOFError.
        TruncatedError
            When the connection was cut.
        FormatError
            When what came is damaged.
        """
        return _array(self._next(out, progress)[0])

    def recv_item(
        self,
        out: np.ndarray[Any, Any] | None = None,
        *,
        progress: Callable[[int, int], object] | None = None,
    ) -> Item:
        """Receive an array with its name and metadata."""
        return _item(self._next(out, progress))

    def _next(self, out: Any, progress: Any) -> _Found:
        found = self._link.recv(out, progress)
        if found is None:
            raise make(EndOfStreamError, "stream.end", "no data left: the peer ended the stream")
        return found

    def ack(self) -> None:
        """Say that what has come is done with, where ``ack=False`` was given."""
        self._link.ack()

    def items(self) -> Iterator[Item]:
        """Iterate over what arrives, until the peer has ended."""
        while (found := self._link.recv(None, None)) is not None:
            yield _item(found)

    def __iter__(self) -> Iterator[np.ndarray[Any, Any]]:
        """Iterate over the arrays that arrive, until the peer has ended."""
        while (found := self._link.recv(None, None)) is not None:
            yield _array(found[0])

    def close(self) -> None:
        """Say that nothing more comes, wait until the peer has all, and end the connection.

        Raises
        ------
        TruncatedError
            When the peer is gone before it has all.
        TimeoutError
            When it is silent for so long.
        """
        self._link.close()

    def abort(self) -> None:
        """End the connection at once: to the peer, it is cut. Threads that wait get an error."""
        self._link.abort()

    def __enter__(self) -> Self:
        """Return the link itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """Close; after an error, abort."""
        if kind is None:
            self.close()
        else:
            self.abort()

    def __repr__(self) -> str:
        """Say who is at the other end."""
        return f"<Link with {self.peer}>"


class Listener:
    """Waits for peers; `listen` makes it.

    Attributes
    ----------
    closed : bool
        Whether it listens no longer.
    """

    __slots__ = ("_listener", "closed")

    def __init__(self, listener: _native.Listener) -> None:
        self._listener = listener
        self.closed = False

    @property
    def address(self) -> str:
        """Where it listens: with the port that the system chose, if it did."""
        return self._listener.address()

    def accept(self, timeout: float | None = None) -> Link:
        """Wait for a peer.

        What it has to say first, a handshake or a token, is waited for by what is done with the
        link, so that a slow one holds up nobody.

        Parameters
        ----------
        timeout : float, optional
            Seconds to wait; any time unless given.

        Raises
        ------
        TimeoutError
            When nobody came.
        EndOfStreamError
            When it was closed, also by another thread.
        """
        link = self._listener.accept(timeout)
        if link is None:
            if timeout is None or self.closed:
                raise make(EndOfStreamError, "stream.end", "it listens no longer")
            raise timed_out(f"{self.address}: nobody connected for {timeout} s")
        return Link(link)

    def __iter__(self) -> Iterator[Link]:
        """Iterate over the peers that come, until it is closed."""
        while (link := self._listener.accept(None)) is not None:
            yield Link(link)

    def close(self) -> None:
        """Listen no longer. Links go on."""
        self.closed = True
        self._listener.close()

    def __enter__(self) -> Self:
        """Return the listener itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self.close()

    def __repr__(self) -> str:
        """Say where it listens."""
        return f"<Listener at {self.address}>"


def connect(
    address: str,
    *,
    timeout: float | None = TIMEOUT,
    max_bytes: int | None = MAX_BYTES,
    max_header_size: int = MAX_HEADER_SIZE,
    plain: bool = False,
    token: str | None = None,
    authorities: Any = None,
    insecure: bool = False,
    ack: bool = True,
) -> Link:
    """Connect to who listens at an address.

    Parameters
    ----------
    address : str
        ``tcp://HOST:PORT``, not encrypted; ``tls://HOST:PORT``; ``quic://HOST:PORT``, over UDP and
        encrypted; ``unix:///PATH``; or ``http://HOST/stream/PATH``, also ``https``, of ``ndbytes
        serve``: such a link goes one way, whichever is wanted first. Sent arrays become files of
        the folder PATH, received are those of the file PATH.
    timeout : float, optional
        Seconds for which nothing may move; None for any time.
    max_bytes : int, optional
        The most bytes that a received array may have, 4 GiB unless given; checked before anything
        is allocated.
    max_header_size : int
        Longest header that is parsed, in bytes.
    plain : bool
        Send arrays alone, for a peer with nothing but NumPy: no names, no acknowledgements.
    token : str, optional
        A bearer token to show. It is shown without encryption to this machine alone, unless
        `insecure`.
    authorities : path, optional
        A PEM file of authorities to check certificates against, in the place of the system's.
    insecure : bool
        Show a token also where it could be read on the way.
    ack : bool
        Acknowledge what has arrived; else what `Link.ack` says.

    Raises
    ------
    ConnectionError, TimeoutError, PermissionError
        As `NdbytesOSError`.
    """
    pem = None if authorities is None else as_path(authorities)
    limits = (max_bytes, max_header_size)
    return Link(_native.connect(address, timeout, *limits, plain, token, pem, insecure, ack))


def link(
    read: Any = None,
    write: Any = None,
    *,
    timeout: float | None = TIMEOUT,
    max_bytes: int | None = MAX_BYTES,
    max_header_size: int = MAX_HEADER_SIZE,
    plain: bool = False,
    ack: bool = True,
) -> Link:
    """Make a link over pipes, files or sockets that are there already.

    With both, arrays go both ways, and `Link.sync` and `Link.close` wait until the peer has them.
    With one, they go one way: nothing is acknowledged, but whoever receives is told names,
    checksums, and whether all has come. `ndbytes send FILE -` and `ndbytes recv -` are such peers.

    Parameters
    ----------
    read, write : file object, socket or file descriptor, optional
        Where from and where to, one at least. They stay the caller's to close, also after `abort`:
        a peer is cut when the caller and the link have let go of them. What a file object has read
        ahead is not seen, and what it holds back is written first. Nothing is read that follows
        the end of a session.
    timeout, max_bytes, max_header_size, plain, ack
        As for `connect`.

    Raises
    ------
    ArgumentError
        Without any.

    Examples
    --------
    >>> import os
    >>> import numpy as np
    >>> import ndbytes as nb
    >>> read, write = os.pipe()
    >>> with nb.link(write=write) as link:
    ...     link.send(np.arange(3), "a")
    >>> with nb.link(read) as link:
    ...     for item in link.items():
    ...         print(item.name, item.array)
    a [0 1 2]
    >>> os.close(read)
    >>> os.close(write)
    """
    ends = (_descriptor(read), _descriptor(write))
    if hasattr(write, "flush"):
        write.flush()
    return Link(_native.link(*ends, timeout, max_bytes, max_header_size, plain, ack))


def _descriptor(file: Any) -> int | None:
    if file is None:
        return None
    fd, _, _ = _stream.descriptor(file, None)
    if fd is None:
        if isinstance(file, socket.socket):
            message = f"{type(file).__name__} is no plain socket: tls:// addresses have links"
            raise TypeError(message)
        return int(file.fileno())
    return fd


def listen(
    address: str,
    *,
    timeout: float | None = TIMEOUT,
    max_bytes: int | None = MAX_BYTES,
    max_header_size: int = MAX_HEADER_SIZE,
    tokens: Any = None,
    cert: Any = None,
    key: Any = None,
    insecure: bool = False,
    ack: bool = True,
    max_connections: int = 1024,
) -> Listener:
    """Listen at an address.

    Peers may be links, `ndbytes.send`, or nothing but NumPy: their first bytes tell.

    Parameters
    ----------
    address : str
        As for `connect`; with port 0 the system chooses one, which `Listener.address` has.
    timeout, max_bytes, max_header_size, ack
        As for `connect`, for each link.
    tokens : path, optional
        A file of tokens, as ``ndbytes serve`` has it: who connects must show one.
    cert, key : path, optional
        PEM files of the chain of certificates and its key, for ``tls://`` and ``quic://``.
    insecure : bool
        Let other machines in without tokens, or without encryption.
    max_connections : int
        Most links at once; others are refused.

    Raises
    ------
    ArgumentError
        For an address that other machines can reach, without encryption or tokens.
    """
    known, chain, secret = (None if path is None else as_path(path) for path in (tokens, cert, key))
    limits = (max_bytes, max_header_size)
    files = (known, chain, secret)
    listener = _native.Listener(address, timeout, *limits, *files, insecure, ack, max_connections)
    return Listener(listener)


def _text(meta: Mapping[str, Any] | None) -> str | None:
    return None if meta is None else json.dumps(dict(meta), allow_nan=False)


def _array(found: np.ndarray[Any, Any] | tuple[int, int]) -> np.ndarray[Any, Any]:
    return _shared.received(*found) if isinstance(found, tuple) else found


def _item(found: _Found) -> Item:
    array, name, meta = found
    return Item(_array(array), name, None if meta is None else json.loads(meta))
