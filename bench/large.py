"""Large arrays as one message: to bytes and back, and over a Unix socket pair."""

from __future__ import annotations

import io
import pickle
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import blosc2
import msgpack
import msgpack_numpy
import numpy as np
import safetensors.numpy as safetensors

import ndbytes as nb
from peers import Exchange, bare_recv, bare_send
from tasks import Task


def serialized(size: int) -> Iterator[Task]:
    """`dumps` and `loads(copy=True)` against what else makes bytes of an array."""
    a = np.random.default_rng(5).standard_normal(size // 8)

    def by_numpy() -> bytes:
        file = io.BytesIO()
        np.save(file, a)
        return file.getvalue()

    dumps = {
        "ndbytes": lambda: nb.dumps(a),
        "numpy": by_numpy,
        "pickle 5": lambda: pickle.dumps(a, 5),
        "safetensors": lambda: safetensors.save({"a": a}),
        "msgpack-numpy": lambda: msgpack.packb(a, default=msgpack_numpy.encode),
        "blosc2": lambda: blosc2.pack_tensor(a),
    }
    made = {name: way() for name, way in dumps.items()}
    loads = {
        "ndbytes": lambda: nb.loads(made["ndbytes"], copy=True),
        "numpy": lambda: np.load(io.BytesIO(made["numpy"])),
        "pickle 5": lambda: pickle.loads(made["pickle 5"]),
        "safetensors": lambda: safetensors.load(made["safetensors"])["a"],
        "msgpack-numpy": lambda: msgpack.unpackb(
            made["msgpack-numpy"], object_hook=msgpack_numpy.decode
        ),
        "blosc2": lambda: blosc2.unpack_tensor(made["blosc2"]),
    }
    # What was made is read back by its own library, and so checked.
    right = lambda got: np.array_equal(got, a)  # noqa: E731
    yield Task("loads, copy=True", a.nbytes, loads, right)
    sizes = {len(data) for data in made.values()}
    made.clear()
    yield Task("dumps", a.nbytes, dumps, lambda got: len(got) in sizes)


def unix_sockets(size: int) -> Iterator[Task]:
    """One array over a Unix socket pair, a fresh array on each arrival."""
    a = np.random.default_rng(6).standard_normal(size // 8)
    with ExitStack() as stack:
        one, other = (stack.enter_context(sock) for sock in socket.socketpair())
        exchange = stack.enter_context(Exchange())

        def ours() -> Any:
            return exchange(lambda: nb.send(one, a), lambda: nb.recv(other))

        def bare() -> Any:
            return exchange(lambda: bare_send(one, a), lambda: bare_recv(other, a.shape, a.dtype))

        ways = {"ndbytes": ours, "bare recv_into": bare}
        right = lambda got: np.array_equal(got, a)  # noqa: E731
        yield Task("send + recv over a Unix socket", a.nbytes, ways, right, None, "bare recv_into")
