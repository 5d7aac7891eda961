"""The asyncio twins of links and listeners: threads wait, and the loop goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import numpy as np

from . import _session
from ._errors import EndOfStreamError
from ._session import Item

_T = TypeVar("_T")
# How often a listener looks whether anybody still waits for it.
_PATIENCE = 0.2


class Link:
    """A session with one peer; see `ndbytes.Link`.

    One thread of its own sends and one receives, each when it is needed, so that a task may send
    while another receives. A call that is cancelled ends the connection: what it was at cannot go
    on.
    """

    def __init__(self, link: _session.Link) -> None:
        self._link = link
        self._closed = False
        self._sender = ThreadPoolExecutor(1, "ndbytes-send")
        self._receiver = ThreadPoolExecutor(1, "ndbytes-recv")

    @property
    def peer(self) -> str:
        """Who is at the other end, as an address."""
        return self._link.peer

    async def send(
        self,
        a: Any,
        name: str | None = None,
        meta: Mapping[str, Any] | None = None,
        codec: str | None = None,
        *,
        more: bool = False,
    ) -> None:
        """Send an array, which must not change until this returns; see `ndbytes.Link.send`."""
        await self._run(self._sender, lambda: self._link.send(a, name, meta, codec, more=more))

    async def share(
        self, a: Any, name: str | None = None, meta: Mapping[str, Any] | None = None
    ) -> None:
        """Hand an array to a peer on this machine without a copy; see `ndbytes.Link.share`."""
        await self._run(self._sender, lambda: self._link.share(a, name, meta))

    async def flush(self) -> None:
        """Send what is held back."""
        await self._run(self._sender, self._link.flush)

    async def sync(self) -> None:
        """Wait until the peer has all that was sent; see `ndbytes.Link.sync`."""
        await self._run(self._sender, self._link.sync)

    async def recv(self, out: np.ndarray[Any, Any] | None = None) -> np.ndarray[Any, Any]:
        """Receive an array; see `ndbytes.Link.recv`."""
        return await self._run(self._receiver, lambda: self._link.recv(out))

    async def recv_item(self, out: np.ndarray[Any, Any] | None = None) -> Item:
        """Receive an array with its name and metadata."""
        return await self._run(self._receiver, lambda: self._link.recv_item(out))

    async def ack(self) -> None:
        """Say that what has come is done with, where ``ack=False`` was given."""
        await self._run(self._sender, self._link.ack)

    async def items(self) -> AsyncIterator[Item]:
        """Iterate over what arrives, until the peer has ended."""
        while True:
            try:
                item = await self.recv_item()
            except EndOfStreamError:
                return
            yield item

    async def __aiter__(self) -> AsyncIterator[np.ndarray[Any, Any]]:
        """Iterate over the arrays that arrive, until the peer has ended."""
        async for item in self.items():
            yield item.array

    async def close(self) -> None:
        """Say that nothing more comes, wait until the peer has all, and end the connection."""
        if self._closed:
            return
        try:
            await self._run(self._sender, self._link.close)
        finally:
            self.abort()

    def abort(self) -> None:
        """End the connection at once: to the peer, it is cut."""
        self._closed = True
        self._link.abort()
        self._sender.shutdown(wait=False)
        self._receiver.shutdown(wait=False)

    async def __aenter__(self) -> Self:
        """Return the link itself."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        """Close; after an error, abort."""
        if kind is None:
            await self.close()
        else:
            self.abort()

    async def _run(self, threads: ThreadPoolExecutor, call: Callable[[], _T]) -> _T:
        job = asyncio.get_running_loop().run_in_executor(threads, call)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            self._link.abort()
            # It works on the caller's array.
            await asyncio.wait([job])
            if not job.cancelled():
                job.exception()
            raise

    def __repr__(self) -> str:
        """Say who is at the other end."""
        return f"<aio.Link with {self.peer}>"


class Listener:
    """Waits for peers; see `ndbytes.Listener`."""

    def __init__(self, listener: _session.Listener) -> None:
        self._listener = listener
        self._thread = ThreadPoolExecutor(1, "ndbytes-listen")
        self._found: deque[_session.Link] = deque()

    @property
    def address(self) -> str:
        """Where it listens: with the port that the system chose, if it did."""
        return self._listener.address

    async def accept(self) -> Link:
        """Wait for a peer.

        Raises
        ------
        EndOfStreamError
            When it was closed.
        """
        loop = asyncio.get_running_loop()
        while not self._found:
            # Who cancels loses nobody: whoever comes meanwhile is found by the next.
            await asyncio.shield(loop.run_in_executor(self._thread, self._look))
        return Link(self._found.popleft())

    def _look(self) -> None:
        link = self._listener._listener.accept(_PATIENCE)
        if link is not None:
            self._found.append(_session.Link(link))
        elif self._listener.closed:
            # Says that it is closed.
            self._listener.accept()

    async def __aiter__(self) -> AsyncIterator[Link]:
        """Iterate over the peers that come, until it is closed."""
        while True:
            try:
                link = await self.accept()
            except EndOfStreamError:
                return
            yield link

    async def close(self) -> None:
        """Listen no longer. Links go on."""
        self._listener.close()

    async def __aenter__(self) -> Self:
        """Return the listener itself."""
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        await self.close()

    def __repr__(self) -> str:
        """Say where it listens."""
        return f"<aio.Listener at {self.address}>"


async def connect(address: str, **options: Any) -> Link:
    """Connect to who listens at an address; the arguments of `ndbytes.connect`."""
    loop = asyncio.get_running_loop()
    job = loop.run_in_executor(None, lambda: _session.connect(address, **options))
    return Link(await job)


async def link(read: Any = None, write: Any = None, **options: Any) -> Link:
    """Make a link over pipes, files or sockets; the arguments of `ndbytes.link`."""
    loop = asyncio.get_running_loop()
    job = loop.run_in_executor(None, lambda: _session.link(read, write, **options))
    return Link(await job)


async def listen(address: str, **options: Any) -> Listener:
    """Listen at an address; the arguments of `ndbytes.listen`."""
    return Listener(_session.listen(address, **options))
