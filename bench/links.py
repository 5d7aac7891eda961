"""Links: one large array by each transport, and round trips of a small one."""

from __future__ import annotations

import functools
import itertools
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import zmq

import ndbytes as nb
from peers import Exchange, bare_recv, bare_send, tcp_pair
from tasks import Task
from timing import Timing, Way

CALLS = 2000
# Python's socket module does not name it; bytes a second.
SO_MAX_PACING_RATE = 47
CRATE = Path(__file__).parent / "rust"
PROGRAM = "ndbytes-bench-quic"

ECHO_BARE = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    sock, _ = server.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := sock.recv(64):
        sock.sendall(data)
"""

ECHO_ZMQ = """
import zmq
sock = zmq.Context().socket(zmq.PAIR)
print(sock.bind_to_random_port("tcp://127.0.0.1"), flush=True)
while len(data := sock.recv()) > 1:
    sock.send(data)
"""

ECHO_LINK = """
import sys, ndbytes as nb
with nb.listen(sys.argv[1]) as listener:
    print(listener.address, flush=True)
    with listener.accept() as link:
        for array in link:
            link.send(array)
"""


def _started(stack: ExitStack, code: str, *args: str) -> str:
    """A server in a process of its own, which ends with the stack, and the first line it says."""
    command = [sys.executable, "-c", code, *args]
    process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    stack.callback(process.kill)
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _pair(stack: ExitStack, address: str, files: tuple[str, str]) -> tuple[nb.Link, nb.Link]:
    """Two ends of a link, in this process."""
    secure = address.startswith(("tls", "quic"))
    listening = dict(zip(("cert", "key"), files, strict=True)) if secure else {}
    connecting = {"authorities": files[0]} if secure else {}
    exchange = stack.enter_context(Exchange())
    listener = stack.enter_context(nb.listen(address, **listening))
    there = listener.address.replace("127.0.0.1", "localhost")
    connected: list[nb.Link] = []

    # The first word of each side is said, hands are shaken.
    def first() -> None:
        connected.append(nb.connect(there, **connecting))
        connected[0].send([1])

    def second() -> nb.Link:
        link = listener.accept()
        link.recv()
        return link

    other = exchange(first, second)
    one = connected[0]
    for link in (one, other):
        stack.callback(link.abort)
    return one, other


def _certificate(folder: Path) -> tuple[str, str]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext"]
    command += ["subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return str(cert), str(key)


def _encrypted(stack: ExitStack, files: tuple[str, str]) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Two ends of a TLS connection of the standard library."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    server.load_cert_chain(*files)
    client.load_verify_locations(files[0])
    one, other = tcp_pair()
    exchange = stack.enter_context(Exchange())
    ends: list[ssl.SSLSocket] = []
    wrapped = exchange(
        lambda: ends.append(server.wrap_socket(other, server_side=True)),
        lambda: client.wrap_socket(one, server_hostname="localhost"),
    )
    return stack.enter_context(wrapped), stack.enter_context(ends[0])


def _quinn(stack: ExitStack, files: tuple[str, str], settings: str, size: int) -> Way:
    """A program of quinn alone: both ends in one process, as those of the link are."""
    manifest = ["--manifest-path", str(CRATE / "Cargo.toml")]
    build = ["cargo", "build", "--quiet", "--release", "--locked", *manifest]
    subprocess.run([*build, "--package", PROGRAM], check=True)
    command = [str(CRATE / "target" / "release" / PROGRAM), *files, settings, str(size)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stack.enter_context(process)
    stack.callback(process.kill)
    told, heard = process.stdin, process.stdout
    assert told is not None
    assert heard is not None
    assert heard.readline() == "ready\n"
    words = itertools.chain(["check"], itertools.repeat("again"))

    def call() -> int:
        told.write(f"{next(words)}\n")
        told.flush()
        return int(heard.readline())

    return call


def large(size: int) -> Iterator[Task]:
    """One large array by each transport, a fresh array on each arrival."""
    a = np.random.default_rng(7).standard_normal(size // 8)

    def right(got: Any) -> bool:
        # Other processes compare for themselves, and say how much it was.
        return got == a.nbytes if isinstance(got, int) else np.array_equal(got, a)

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = _certificate(folder)
        exchange = stack.enter_context(Exchange())

        def by_link(address: str) -> Way:
            one, other = _pair(stack, address, files)
            return lambda: exchange(lambda: one.send(a), other.recv)

        def bare(one: Any, other: Any) -> Way:
            receive = lambda: bare_recv(other, a.shape, a.dtype)  # noqa: E731
            return lambda: exchange(lambda: bare_send(one, a), receive)

        context = stack.enter_context(zmq.Context())
        sender, receiver = context.socket(zmq.PAIR), context.socket(zmq.PAIR)
        stack.callback(receiver.close, 0)
        stack.callback(sender.close, 0)
        port = receiver.bind_to_random_port("tcp://127.0.0.1")
        sender.connect(f"tcp://127.0.0.1:{port}")

        def by_zmq() -> Any:
            return exchange(
                lambda: sender.send(a, copy=False),
                lambda: np.frombuffer(receiver.recv(copy=False).buffer).copy(),
            )

        tcp = by_link("tcp://127.0.0.1:0")
        plain = bare(*(stack.enter_context(sock) for sock in tcp_pair()))
        ways = {"ndbytes": tcp, "bare recv_into": plain}
        yield Task("link, tcp", a.nbytes, ways, right, 0.9, "bare recv_into")
        ways = {"ndbytes": tcp, "pyzmq": by_zmq}
        yield Task("link, tcp", a.nbytes, ways, right, 3, "pyzmq")
        yield from _adaptive(stack, exchange, size)
        ways = {"ndbytes": by_link(f"unix://{folder}/s"), "link, tcp": tcp}
        yield Task("link, unix", a.nbytes, ways, right, 1, "link, tcp")
        ways = {"ndbytes": by_link("tls://127.0.0.1:0"), "ssl": bare(*_encrypted(stack, files))}
        yield Task("link, tls", a.nbytes, ways, right, 0.8, "ssl")
        ways = {"ndbytes": by_link("quic://127.0.0.1:0"), "ssl": ways["ssl"]}
        for name, settings in (
            ("quinn, its defaults", "defaults"),
            ("quinn, our settings", "ndbytes"),
        ):
            ways[name] = _quinn(stack, files, settings, a.nbytes)
        yield Task("link, quic", a.nbytes, ways, right, None, "quinn, our settings")
        yield from _shared(stack, exchange, size, folder)


def _adaptive(stack: ExitStack, exchange: Exchange, size: int) -> Iterator[Task]:
    """What becomes a third, where that pays and where it does not."""
    walk = np.random.default_rng(8).standard_normal(size // 16).cumsum()
    a = np.repeat(np.round(walk, 2), 2)
    for name, rate, goal in [("as fast as it is", None, 0.9), ("100 MB/s", 100_000_000, 1.0)]:
        one, other = (stack.enter_context(sock) for sock in tcp_pair())
        if rate is not None:
            one.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        here, there = nb.link(one, one), nb.link(other, other)
        for link in (here, there):
            stack.callback(link.abort)

        def by(codec: str | None, here: nb.Link = here, there: nb.Link = there) -> Way:
            return lambda: exchange(lambda: here.send(a, codec=codec), there.recv)

        ways = {"ndbytes": by("adaptive"), "uncompressed": by(None)}
        right = lambda got: np.array_equal(got, a)  # noqa: E731
        yield Task(f"link, adaptive, {name}", a.nbytes, ways, right, goal, "uncompressed")


def _shared(stack: ExitStack, exchange: Exchange, size: int, folder: Path) -> Iterator[Task]:
    """The same time for any size, and a copy for comparison."""
    one, other = _pair(stack, f"unix://{folder}/m", ("", ""))
    arrays = [nb.shared_empty(count) for count in (size // 8, size // 256)]
    for array in arrays:
        array[:] = 3

    def handed(array: np.ndarray[Any, Any]) -> Way:
        return lambda: exchange(lambda: one.share(array), other.recv)

    ways = {
        "ndbytes": handed(arrays[0]),
        "1/32 of the size": handed(arrays[1]),
        "numpy copy": lambda: arrays[0].copy(),
    }
    yield Task("share", size, ways, lambda got: got[-1] == 3, None, "numpy copy")


def round_trips() -> Iterator[Task]:
    """Four float64 to another process and back: half of the trips take no longer than p50, and 99
    of 100 no longer than p99."""
    a = np.arange(4.0)
    with ExitStack() as stack:
        port = int(_started(stack, ECHO_BARE))
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        context = stack.enter_context(zmq.Context())
        pair = context.socket(zmq.PAIR)
        stack.callback(pair.close, 0)
        pair.connect(f"tcp://127.0.0.1:{_started(stack, ECHO_ZMQ)}")
        out = np.empty(4)

        def by_bare() -> Any:
            sock.sendall(a)
            sock.recv_into(out)
            return out

        def by_zmq() -> Any:
            pair.send(a)
            return np.frombuffer(pair.recv())

        def by_link(address: str) -> Way:
            link = nb.connect(_started(stack, ECHO_LINK, address))
            stack.callback(link.close)

            def call() -> Any:
                link.send(a)
                return link.recv()

            return call

        tcp = by_link("tcp://127.0.0.1:0")
        ways = {"ndbytes": tcp, "bare sockets, elements alone": by_bare, "pyzmq": by_zmq}
        yield from _trips("round trip, tcp", ways, a, "pyzmq")
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        ways = {"ndbytes": by_link(f"unix://{folder}/s"), "link, tcp": tcp}
        yield from _trips("round trip, unix", ways, a, "link, tcp")


def _trips(
    name: str, ways: dict[str, Way], a: np.ndarray[Any, Any], against: str
) -> Iterator[Task]:
    """Two tasks of one measurement."""
    right = lambda got: np.array_equal(got, a)  # noqa: E731
    found: dict[str, np.ndarray[Any, Any]] = {}

    def measure(share: float, seconds: float) -> dict[str, Timing]:
        if not found:
            found.update(_rounds(ways, seconds))
        # Of each round, then of all of them; as long as all calls of a round would take.
        quantiles = {way: np.quantile(trips, share, axis=1) for way, trips in found.items()}
        return {way: Timing.of(list(CALLS * q)) for way, q in quantiles.items()}

    for label, share in (("p50", 0.5), ("p99", 0.99)):
        task = Task(f"{name}, {label}", a.nbytes, ways, right, None, against, calls=CALLS)
        task.measure = functools.partial(measure, share)
        yield task


def _rounds(ways: dict[str, Way], seconds: float) -> dict[str, np.ndarray[Any, Any]]:
    """Seconds of each trip, by rounds in which the ways take turns."""
    taken: dict[str, list[list[float]]] = {name: [] for name in ways}
    clock, begin = time.perf_counter, time.perf_counter()
    for number in range(15):
        names = list(ways)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            way, trips = ways[name], []
            for _ in range(CALLS):
                start = clock()
                way()
                trips.append(clock() - start)
            taken[name].append(trips)
        if number >= 2 and clock() - begin > seconds:
            break
    return {name: np.array(trips) for name, trips in taken.items()}
