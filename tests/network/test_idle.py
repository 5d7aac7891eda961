"""Ten thousand connections that say nothing cost little, and nobody else waits for them."""

import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import ndbytes as nb

COMMAND = Path(__file__).parents[2] / "target" / "release" / "ndbytes"
COUNT = 10_000
DESCRIPTORS = COUNT + 200
WAIT = 30
# Bytes of a server's memory for each connection that waits: 7, 35 and 6 KiB were measured. What
# has asked keeps hyper's buffers of some 8 KiB each; a link reads ahead when there is much to read.
SILENT, ASKED, LINKED = 12 << 10, 48 << 10, 24 << 10

LISTEN = """
import sys, ndbytes as nb
with nb.listen("tcp://127.0.0.1:0", max_connections=12_000, timeout=300) as listener:
    print(listener.address, flush=True)
    idle = []
    for line in sys.stdin:
        for _ in range(int(line)):
            link = listener.accept(60)
            link.send(2 * link.recv())
            idle.append(link)
        print("accepted", flush=True)
"""


@pytest.fixture
def descriptors():
    """Allow as many open files as there are connections, to us and to those we start."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        pytest.skip(f"{hard} files may be open, and {DESCRIPTORS} are needed (ulimit -Hn)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def started(*command):
    """Start a server, and give the process and the first line that it prints."""
    process = subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline().strip()
        assert line, process.stderr.read()
        yield process, line
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


def memory(process):
    """Return the bytes of memory that a process has to itself."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise AssertionError("there is no RssAnon")


def dial(port, number):
    """Connect from one of several addresses: each has ports of its own."""
    source = (f"127.0.0.{2 + number % 4}", 0)
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT, source_address=source)


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_a_server_of_ten_thousand_idle_connections_answers(descriptors, tmp_path):
    array = np.arange(1000.0).reshape(20, 50)
    nb.save(tmp_path / "a.npy", array)
    serve = [COMMAND, "serve", tmp_path, "--listen", "127.0.0.1:0", "--log", "off"]
    # Those that never asked for anything have as long as those that did.
    serve += ["--max-connections", "12000", "--header-timeout", "300", "--idle-timeout", "300"]
    with started(*serve) as (process, url), contextlib.ExitStack() as stack:
        port = int(url.rstrip("/").rsplit(":", 1)[1])

        def ask():
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, WAIT)) as client:
                client.request("GET", "/arrays/a.npy?slice=3:5,::2")
                return client.getresponse().read()

        assert np.array_equal(nb.loads(ask()), array[3:5, ::2])
        before = memory(process)
        idle = [stack.enter_context(dial(port, i)) for i in range(COUNT // 2)]
        # What answers has been in the queue behind them.
        ask()
        silent = memory(process)
        for i in range(COUNT // 2):
            idle.append(stack.enter_context(dial(port, i)))
            idle[-1].sendall(b"GET /arrays/a.npy?slice=3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for sock in idle[COUNT // 2 :]:
            assert sock.recv(1 << 16).startswith(b"HTTP/1.1 200")
        costs = [2 * (silent - before) / COUNT, 2 * (memory(process) - silent) / COUNT]
        times = []
        for _ in range(5):
            begin = time.monotonic()
            assert np.array_equal(nb.loads(ask()), array[3:5, ::2])
            times.append(time.monotonic() - begin)
        # All are still there, and would be answered.
        for sock in idle[:: COUNT // 100]:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while b'{"status":"ok"}' not in (data := sock.recv(1 << 16)):
                assert data
    print(f"\n{COUNT} connections: an answer in {max(times):.4f} s at most; ", end="")
    print(f"{costs[0]:.0f} bytes for one that is silent, {costs[1]:.0f} for one that has asked")
    assert max(times) < 1
    assert costs[0] < SILENT
    assert costs[1] < ASKED


def test_a_listener_of_ten_thousand_idle_links_answers(descriptors):
    small, code = np.arange(4), [sys.executable, "-W", "error", "-c", LISTEN]
    with started(*code) as (process, address), contextlib.ExitStack() as stack:

        def ask():
            link = nb.connect(address, timeout=WAIT)
            stack.callback(link.abort)
            link.send(small)
            assert np.array_equal(link.recv(), 2 * small)

        def accept(count):
            process.stdin.write(f"{count}\n")
            process.stdin.flush()
            for _ in range(count):
                ask()
            assert process.stdout.readline() == "accepted\n"

        accept(1)
        before = memory(process)
        accept(COUNT)
        cost = (memory(process) - before) / COUNT
        begin = time.monotonic()
        accept(1)
        seconds = time.monotonic() - begin
    print(f"\n{COUNT} links: an answer in {seconds:.4f} s, {cost:.0f} bytes for one that waits")
    assert seconds < 1
    assert cost < LINKED
