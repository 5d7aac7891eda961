"""Sockets as people write them by hand, and a thread to send from."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from typing import Any

import numpy as np


class Exchange:
    """Calls a sender on a thread that stays, so that starting one is not measured."""

    def __init__(self) -> None:
        self.work: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        # A daemon: a receiver that failed must not leave the process waiting for its sender.
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self) -> Exchange:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.work.put(None)

    def __call__(self, send: Callable[[], Any], receive: Callable[[], Any]) -> Any:
        """Send there and receive here; the answer is that of `receive`."""
        self.work.put(send)
        got = receive()
        error = self.done.get()
        if error is not None:
            raise error
        return got

    def run(self) -> None:
        while (send := self.work.get()) is not None:
            try:
                send()
                self.done.put(None)
            except BaseException as error:
                self.done.put(error)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets over loopback that send at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname(), timeout=60)
        other, _ = server.accept()
        other.settimeout(60)
    for sock in (one, other):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one, other


def bare_send(sock: socket.socket, a: np.ndarray[Any, Any]) -> None:
    """The elements alone."""
    sock.sendall(memoryview(a).cast("B"))


def bare_recv(sock: socket.socket, shape: Any, dtype: Any) -> np.ndarray[Any, Any]:
    """Elements of a shape and dtype that are known, into a fresh array."""
    out = np.empty(shape, dtype)
    view, have = memoryview(out).cast("B"), 0
    while have < len(view):
        got = sock.recv_into(view[have:])
        if got == 0:
            raise ConnectionError("the stream ended within an array")
        have += got
    return out
