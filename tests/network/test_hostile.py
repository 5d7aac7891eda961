"""Peers that announce and do not send, or send too much or nonsense: they cost little memory.

They are told why they are let go of, and hold up nobody.
"""

import contextlib
import socket
import struct
import sys
import time

import numpy as np
import pytest
from test_idle import WAIT, memory, started

import ndbytes as nb

LISTEN = """
import sys, threading, ndbytes as nb

def serve(link):
    try:
        with link:
            for array in link:
                link.send(array)
    except nb.NdbytesError:
        pass

with nb.listen("tcp://127.0.0.1:0", timeout=float(sys.argv[1]), max_connections=600) as listener:
    print(listener.address, flush=True)
    for link in listener:
        threading.Thread(target=serve, args=[link], daemon=True).start()
"""
PEERS = 150
# What a peer may cost: a thread, and what it has sent.
COST = 512 << 10
HUGE = 3 << 30


def header(nbytes):
    """Give the header of an array of so many bytes."""
    return (
        nb.dumps(np.zeros(0, "u1"))
        .replace(b"(0,), }" + b" " * 10, f"({nbytes},), }}".encode())[:128]
        .ljust(127)
        + b"\n"
    )


def record(length, body=b""):
    """Give the beginning of a record."""
    return b"\x5e\x2a\x4d\x18" + struct.pack("<I", length) + body


# What each sends, and whether it is told something at once: the others have said nothing wrong yet.
PEOPLE = {
    "announced": (header(HUGE), False),
    "begun": (header(HUGE) + bytes(5000), False),
    "half a header": (header(HUGE)[:60], False),
    "half a record": (record(65_536, b"NDB1" + b" " * 1000), False),
    "half a frame": (nb.dumps(np.zeros(1 << 20), codec="fast")[:100], False),
    "half of Zstandard": (nb.compress(bytes(1 << 20), "zstd")[:20], False),
    "oversized": (header(5 << 30), True),
    "a bomb": (nb.compress(header(5 << 30) + bytes(50 << 20), "zstd"), True),
    "a short bomb": (nb.compress(header(HUGE) + bytes(1 << 20), "zstd"), True),
    "an endless header": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31), True),
    "an endless record": (record(1 << 31), True),
    "garbage": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", True),
    "zeros": (bytes(100_000), True),
}


@pytest.fixture(scope="module")
def listener():
    """Give the process of a listener that waits long, and where it listens."""
    code = [sys.executable, "-W", "error", "-c", LISTEN, "120"]
    with started(*code) as (process, address):
        yield process, address


def ask(address):
    """Have an array echoed, and return how long that took."""
    begin = time.monotonic()
    with nb.connect(address, timeout=WAIT) as link:
        link.send(np.arange(4))
        assert link.recv().tolist() == [0, 1, 2, 3]
    return time.monotonic() - begin


@pytest.mark.parametrize("who", PEOPLE)
def test_they_cost_little_and_hold_up_nobody(listener, who):
    process, address = listener
    place = ("127.0.0.1", int(address.rsplit(":", 1)[1]))
    data, is_told = PEOPLE[who]
    ask(address)
    before = memory(process)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(socket.create_connection(place, WAIT)) for _ in range(PEERS)]
        for peer in peers:
            # One that is let go of already takes no more.
            with contextlib.suppress(ConnectionError):
                peer.sendall(data)
        assert max(ask(address) for _ in range(5)) < 2
        time.sleep(0.3)
        cost = (memory(process) - before) / PEERS
        print(f"\n{who}: {cost / 1024:.0f} KiB each")
        assert cost < COST + len(data)
        for peer in peers:
            if is_told:
                # Closed, after the reason where there was a session to hear it.
                peer.settimeout(WAIT)
                with contextlib.suppress(ConnectionResetError):
                    while peer.recv(1 << 16):
                        pass
            else:
                peer.setblocking(False)
                with pytest.raises(BlockingIOError):
                    peer.recv(1)
    assert ask(address) < 2


def test_who_has_said_hello_is_told_why():
    code = [sys.executable, "-W", "error", "-c", LISTEN, "1"]
    with started(*code) as (_, address):
        place = ("127.0.0.1", int(address.rsplit(":", 1)[1]))
        with nb.connect(address, timeout=WAIT) as link:
            link.send([1])
            assert link.recv().tolist() == [1]
        hello = first_words(address)
        for who, (data, _) in PEOPLE.items():
            with socket.create_connection(place, WAIT) as peer:
                peer.sendall(hello + data)
                said = b""
                begin = time.monotonic()
                while b'"kind":"error"' not in said:
                    more = peer.recv(1 << 16)
                    assert more, f"{who}: closed after {said}"
                    said += more
                assert time.monotonic() - begin < 10, who


def first_words(address):
    """Give the record that a session begins with."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = nb.connect(f"tcp://127.0.0.1:{server.getsockname()[1]}", timeout=WAIT)
        peer, _ = server.accept()
        with peer:
            hello = peer.recv(1 << 12)
        link.abort()
    assert b'"hello"' in hello, address
    return hello
