"""`ndbytes serve` against nginx: a large file, small files, and slices for many at once.

Not called `http.py`: the standard library's would be hidden by it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import ndbytes as nb
from tasks import Task
from timing import Way

COMMAND = Path(__file__).parent.parent / "target" / "release" / "ndbytes"
# Debian keeps nginx where only root looks for programs.
PLACES = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

CONFIGURATION = """
daemon off;
USER
pid PLACE/pid;
error_log stderr warn;
worker_processes auto;
events { worker_connections 4096; }
http {
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path PLACE/body;
    proxy_temp_path PLACE/proxy;
    fastcgi_temp_path PLACE/fastcgi;
    uwsgi_temp_path PLACE/uwsgi;
    scgi_temp_path PLACE/scgi;
    server {
        listen 127.0.0.1:PORT;
        location /files/ { alias FOLDER/; }
    }
}
"""


def _program(name: str) -> str:
    found = shutil.which(name, path=PLACES)
    if found is None:
        raise SystemExit(f"there is no {name}: tools/network.sh nginx wrk installs it")
    return found


@dataclass
class Server:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def url(self, target: str) -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def memory(self) -> float:
        """MiB that the process has to itself."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


def _started(stack: ExitStack, command: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    stack.enter_context(process)
    # nginx ends its workers when it is told to end, and not when it is killed.
    stack.callback(process.terminate)
    return process


def _ndbytes(stack: ExitStack, folder: Path) -> Server:
    command = [str(COMMAND), "serve", str(folder), "--listen", "127.0.0.1:0", "--log", "off"]
    # Those of one measurement may not be gone when those of the next come.
    command += ["--max-connections", "4096"]
    process = _started(stack, command)
    assert process.stdout is not None
    return Server(process, int(process.stdout.readline().strip().strip("/").rsplit(":", 1)[1]))


def _nginx(stack: ExitStack, folder: Path) -> Server:
    place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = CONFIGURATION
    # nginx would give up root's rights, and not see folders that are root's alone.
    user = "user root;" if os.geteuid() == 0 else ""
    for name, value in (("USER", user), ("PLACE", place), ("PORT", port), ("FOLDER", folder)):
        text = text.replace(name, str(value))
    (place / "nginx.conf").write_text(text)
    command = [_program("nginx"), "-e", "stderr", "-p", str(place), "-c", str(place / "nginx.conf")]
    process = _started(stack, command)
    for _ in range(500):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10):
            return Server(process, port)
        time.sleep(0.01)
    raise SystemExit("nginx does not listen")


def _getter(stack: ExitStack, server: Server, target: str, into: np.ndarray[Any, Any]) -> Way:
    """GET over a connection that stays, by a loop of `recv_into`."""
    sock = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    stack.enter_context(sock)
    request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    view = memoryview(into)

    def call() -> np.ndarray[Any, Any]:
        sock.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(4096)
        head, _, rest = head.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200")
        assert length is not None
        assert int(length[1]) == len(view)
        view[: len(rest)] = rest
        have = len(rest)
        while have < len(view):
            got = sock.recv_into(view[have:])
            assert got > 0
            have += got
        return into

    return call


def large(size: int, folder: Path) -> Iterator[Task]:
    """A large `.npy` in the page cache, over loopback into memory that is there."""
    a = np.random.default_rng(8).standard_normal(size // 8)
    nb.save(folder / "large.npy", a)
    data = np.fromfile(folder / "large.npy", "u1")
    del a
    into = np.zeros(data.size, "u1")

    def right(got: np.ndarray[Any, Any]) -> bool:
        same = np.array_equal(got, data)
        # What was there is not mistaken for what comes next.
        got[:] = 0
        return same

    with ExitStack() as stack:
        servers = {"ndbytes": _ndbytes(stack, folder), "nginx, sendfile": _nginx(stack, folder)}
        ways = {
            name: _getter(stack, server, "/files/large.npy", into)
            for name, server in servers.items()
        }
        name = f"GET .npy of {size >> 20} MiB"
        yield Task(name, data.nbytes, ways, right, 0.9, "nginx, sendfile")
        yield _link(servers["ndbytes"], ways["ndbytes"], data, size)
    (folder / "large.npy").unlink()


def _link(server: Server, file: Way, data: np.ndarray[Any, Any], size: int) -> Task:
    """The same array as a session, checked and with an end, and the file's bytes as they are."""
    elements = np.zeros(size // 8)

    def by_link() -> np.ndarray[Any, Any]:
        with nb.connect(server.url("/stream/large.npy")) as link:
            return link.recv(elements)

    def right(got: np.ndarray[Any, Any]) -> bool:
        same = np.array_equal(got.view("u1")[-size:], data[-size:])
        got[:] = 0
        return same

    ways = {"ndbytes": by_link, "GET of the file": file}
    return Task(f"link, http, {size >> 20} MiB", data.nbytes, ways, right, None, "GET of the file")


@dataclass
class Load:
    """What wrk said."""

    rate: float
    p50: str
    p99: str


def _load(url: str, connections: int, seconds: int) -> Load:
    """So many connections that ask again and again; any error ends the measurement."""
    command = [_program("wrk"), "--latency", "-t2", f"-c{connections}", f"-d{seconds}s", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    p50, p99 = (re.search(rf"{share}%\s+([\d.]+\w+)", said) for share in (50, 99))
    if rate is None or p50 is None or p99 is None or "errors" in said or "Non-2xx" in said:
        raise SystemExit(f"{url} under {connections} connections:\n{said}")
    return Load(float(rate[1]), p50[1], p99[1])


def _check(server: Server, target: str, want: bytes, folder: Path) -> None:
    body = folder / "body"
    subprocess.run(["curl", "-fsS", "-o", body, server.url(target)], check=True, timeout=60)
    if body.read_bytes() != want:
        raise SystemExit(f"{server.url(target)}: a wrong answer; nothing was timed")
    body.unlink()


def _rates(loads: list[Load]) -> str:
    rates = [load.rate for load in loads]
    return f"{statistics.median(rates):.0f}/s ({min(rates):.0f}-{max(rates):.0f})"


def loads(seconds: float, check: bool, only: str) -> Iterator[str]:
    """Rows of what is asked for many times a second."""
    rounds, span = (1, 1) if check else (3, max(1, round(seconds / 3)))
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        small = np.random.default_rng(9).standard_normal(496)
        nb.save(folder / "small.npy", small)
        a = np.random.default_rng(10).standard_normal((100_000, 64))
        nb.save(folder / "a.npy", a)
        ours, theirs = _ndbytes(stack, folder), _nginx(stack, folder)
        data = (folder / "small.npy").read_bytes()
        title = f"GET .npy of {len(data)} bytes, 64 connections"
        if only in title:
            got: dict[str, list[Load]] = {"ndbytes": [], "nginx": []}
            for server in (ours, theirs):
                _check(server, "/files/small.npy", data, folder)
                _load(server.url("/files/small.npy"), 64, 1)
            for _ in range(rounds):
                for who, server in (("ndbytes", ours), ("nginx", theirs)):
                    got[who].append(_load(server.url("/files/small.npy"), 64, span))
            medians = [statistics.median(load.rate for load in got[who]) for who in got]
            ratio = medians[0] / medians[1]
            yield (
                f"| {title} | nginx, sendfile | {_rates(got['ndbytes'])} | {_rates(got['nginx'])} "
                f"| **{ratio:.2f}** |  |"
            )
        if only in "slices of 4 KiB, 1000 connections":
            yield _slices(ours, a, folder, rounds, span)


def _slices(server: Server, a: np.ndarray[Any, Any], folder: Path, rounds: int, span: int) -> str:
    """The row of slices, for which there is no peer; beside it the memory of the server."""
    target, want = "/arrays/a.npy?slice=5000:5008", nb.dumps(a[5000:5008])
    _check(server, target, want, folder)
    # Memory grows until there has been every mixture of what connections need at once.
    _load(server.url(target), 1000, 6 * span)
    before, during, stop = server.memory(), [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            during.append(server.memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        got = [_load(server.url(target), 1000, span) for _ in range(rounds)]
    finally:
        stop.set()
        watcher.join()
    time.sleep(1)
    _check(server, target, want, folder)
    memory = f"{before:.0f} MiB before, {max(during):.0f} during, {server.memory():.0f} after"
    worst = max(got, key=lambda load: load.rate)
    return (
        f"| slices of 4 KiB, 1000 connections | none; memory {memory}; p50 {worst.p50}, "
        f"p99 {worst.p99}; no error | {_rates(got)} |  |  |  |"
    )
