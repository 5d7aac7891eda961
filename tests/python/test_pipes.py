"""Links over pipes, files and sockets that are there already: both ways, and one way."""

import asyncio
import contextlib
import io
import os
import socket
import ssl
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPE_IDS, DTYPES, layouts, quietly, same
from processes import python, start
from sockets import WAIT, running

# Answers every array with itself.
ECHO = """
import sys

import ndbytes as nb

with nb.link(sys.stdin.buffer, sys.stdout.buffer) as link:
    for item in link.items():
        link.send(item.array, item.name, item.meta)
"""


@contextlib.contextmanager
def pipe():
    """Give both ends of a pipe."""
    read, write = os.pipe()
    with open(read, "rb") as reader, open(write, "wb") as writer:
        yield reader, writer


def stream(tmp_path, *arrays):
    """Give the bytes of a session that sends these."""
    path = tmp_path / "stream"
    with open(path, "wb") as file, nb.link(write=file) as link:
        for number, array in enumerate(arrays):
            link.send(array, f"n{number}", {"number": number})
    return path.read_bytes()


def received(tmp_path, data):
    """Give what comes of such bytes."""
    path = tmp_path / "received"
    path.write_bytes(data)
    with open(path, "rb") as file, nb.link(file) as link:
        return list(link.items())


@pytest.mark.parametrize("name", DTYPE_IDS)
def test_every_dtype_comes_through_a_file(tmp_path, name):
    cases = list(layouts(DTYPES[name]))
    data = quietly(stream, tmp_path, *[array for _, array in cases])
    items = received(tmp_path, data)
    assert len(items) == len(cases)
    for number, ((layout, array), item) in enumerate(zip(cases, items, strict=True)):
        assert same(item.array, array), layout
        assert (item.name, item.meta) == (f"n{number}", {"number": number})


def test_whatever_is_cut_is_told(tmp_path):
    data = stream(tmp_path, np.arange(5), np.zeros((2, 0)))
    assert len(received(tmp_path, data)) == 2
    # Nothing at all is a stream of arrays alone that has none.
    assert received(tmp_path, b"") == []
    for end in range(1, len(data)):
        with pytest.raises(nb.TruncatedError):
            received(tmp_path, data[:end])


def test_whatever_is_damaged_is_told(tmp_path):
    data = stream(tmp_path, np.arange(5))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(nb.NdbytesError):
            received(tmp_path, damaged)


def test_one_way_has_no_other(tmp_path):
    with pipe() as (reader, writer):
        link = nb.link(write=writer)
        with pytest.raises(nb.UnsupportedError, match="acknowledgement"):
            link.sync()
        with pytest.raises(nb.ArgumentError, match="nothing to read from"):
            link.recv()
        link.close()
        with pytest.raises(nb.ArgumentError, match="was closed"):
            link.send([1])
        link = nb.link(reader)
        with pytest.raises(nb.ArgumentError, match="nothing to write to"):
            link.send([1])
        with pytest.raises(nb.EndOfStreamError):
            link.recv()
        link.close()
    with pytest.raises(nb.ArgumentError, match="needs something"):
        nb.link()


def test_a_sender_that_dies_between_two_arrays_is_noticed():
    code = """
import os, sys

import ndbytes as nb

link = nb.link(write=sys.stdout)
link.send([1, 2, 3])
link.flush()
os._exit(0)
"""
    with start(code, stdout=subprocess.PIPE) as process, nb.link(process.stdout) as link:
        assert link.recv().tolist() == [1, 2, 3]
        with pytest.raises(nb.TruncatedError, match="cut"):
            link.recv()
        link.abort()


def test_a_worker_answers():
    with (
        start(ECHO, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        nb.link(process.stdout, process.stdin, timeout=WAIT) as link,
    ):
        large = np.random.default_rng(3).random((1000, 500))
        for array in [np.arange(5), large, large[::-2, ::3].T, np.array("text")]:
            link.send(array, "name", {"ndim": array.ndim})
            item = link.recv_item()
            assert same(item.array, array)
            assert (item.name, item.meta) == ("name", {"ndim": array.ndim})
        link.sync()

        def send():
            for _ in range(100):
                link.send(large[:10])

        # They come back while they still leave.
        with running(send):
            assert all(same(link.recv(), large[:10]) for _ in range(100))
        link.close()
        assert process.wait(WAIT) == 0


def test_a_worker_that_is_killed_is_noticed():
    with start(ECHO, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        link = nb.link(process.stdout, process.stdin, timeout=WAIT)
        link.send([1])
        assert link.recv().tolist() == [1]
        process.kill()
        with pytest.raises((nb.TruncatedError, BrokenPipeError)):
            link.recv()
        with pytest.raises(nb.NdbytesError):
            link.send([1])
        link.abort()


def test_links_and_arrays_alone_understand_each_other():
    with pipe() as (reader, writer):
        with nb.link(write=writer, plain=True) as link:
            link.send(np.arange(3))
            with pytest.raises(nb.UnsupportedError, match="arrays alone"):
                link.send([1], "name")
        writer.close()
        assert np.load(io.BytesIO(reader.read())).tolist() == [0, 1, 2]
    with pipe() as (reader, writer):
        nb.send(writer.fileno(), np.arange(3))
        nb.send(writer.fileno(), np.arange(4), codec="fast")
        writer.close()
        with nb.link(reader) as link:
            assert [array.size for array in link] == [3, 4]


def test_descriptors_stay_their_owners():
    here, there = socket.socketpair()
    with here, there:
        nb.link(write=here).close()
        with nb.link(there) as link:
            assert list(link) == []
        here.sendall(b"and so on")
        assert there.recv(100) == b"and so on"
        # What a file object holds back comes first.
        with here.makefile("wb") as file:
            file.write(b"before")
            nb.link(write=file).close()
        assert there.recv(6) == b"before"
    with pytest.raises(ValueError, match="closed"):
        nb.link(here)


def test_what_follows_a_session_is_left_to_others(tmp_path):
    path = tmp_path / "log"
    for run in range(3):
        with open(path, "ab") as file, nb.link(write=file) as link:
            for step in range(run + 1):
                link.send([run, step], "state", more=True)
    with open(path, "ab") as file:
        file.write(b"and so on")
    with open(path, "rb", buffering=0) as file:
        for run in range(3):
            with nb.link(file) as link:
                assert [array.tolist() for array in link] == [[run, i] for i in range(run + 1)]
        assert file.read() == b"and so on"


def test_a_sender_that_dies_before_its_first_array_is_noticed():
    with pipe() as (reader, writer):
        link = nb.link(write=writer)
        link.abort()
        writer.close()
        with nb.link(reader) as link, pytest.raises(nb.TruncatedError):
            link.recv()


def test_ends_that_are_mixed_up_are_refused_at_once():
    with pipe() as (reader, writer):
        with pytest.raises(OSError, match="cannot be read from"):
            nb.link(writer)
        with pytest.raises(OSError, match="cannot be written to"):
            nb.link(write=reader)


def test_what_is_no_plain_stream_is_refused():
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(ValueError, match="stream"):
        nb.link(sock)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    here, there = socket.socketpair()
    with (
        there,
        context.wrap_socket(here, server_hostname="a", do_handshake_on_connect=False) as sock,
        pytest.raises(TypeError, match="SSLSocket"),
    ):
        nb.link(sock)
    with pytest.raises(AttributeError):
        nb.link("path")
    with pytest.raises(OSError, match="descriptor"):
        nb.link(1 << 20)


@pytest.mark.parametrize("timeout", [0.2, None])
def test_waits_end(timeout):
    with pipe() as (reader, writer):
        reading, writing = nb.link(reader, timeout=timeout), nb.link(write=writer, timeout=timeout)
        if timeout is not None:
            with pytest.raises(TimeoutError, match="sent nothing for 0.2 s"):
                reading.recv()
            with pytest.raises(TimeoutError, match="took nothing for 0.2 s"):
                writing.send(np.zeros(1_000_000))
            return
        # Another thread ends them.
        for link, call in [
            (reading, reading.recv),
            (writing, lambda: writing.send(np.zeros(10**6))),
        ]:
            timer = threading.Timer(0.2, link.abort)
            timer.start()
            start = time.monotonic()
            with pytest.raises((nb.ArgumentError, ConnectionError), match="closed|broken pipe"):
                call()
            assert time.monotonic() - start < WAIT
            timer.join()


def test_control_c_ends_a_wait():
    code = """
import os, signal, threading

import ndbytes as nb

read, write = os.pipe()
link = nb.link(read, timeout=None)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    link.recv()
except KeyboardInterrupt:
    print("interrupted")
"""
    assert python(code).strip() == "interrupted"


def test_asyncio():
    async def main():
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-c", ECHO],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with process:
            async with await nb.aio.link(process.stdout, process.stdin, timeout=WAIT) as link:
                await link.send(np.arange(4), "a")
                item = await link.recv_item()
                assert (item.name, item.array.tolist()) == ("a", [0, 1, 2, 3])
            process.stdin.close()
            assert await asyncio.to_thread(process.wait, WAIT) == 0

    asyncio.run(main())
