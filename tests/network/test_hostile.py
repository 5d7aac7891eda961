"""Peers that announce and do not send, or send too much or nonsense: they cost little memory.

They are told why they are let go of, and hold up nobody.
"""

import contextlib
import os
import socket
import struct
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from test_idle import COMMAND, WAIT, memory, started
from transports import SCHEMES, transport

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

address, timeout, *files = sys.argv[1:]
files = dict(zip(["cert", "key"], files))
with nb.listen(address, timeout=float(timeout), max_connections=600, **files) as listener:
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


def listening(address="tcp://127.0.0.1:0", timeout=120, files=()):
    """Start a listener, by default one that waits long."""
    return started(sys.executable, "-W", "error", "-c", LISTEN, address, timeout, *files)


@pytest.fixture(scope="module")
def listener():
    """Give the process of a listener, and where it listens."""
    with listening() as found:
        yield found


def ask(address, authorities=None):
    """Have an array echoed, and return how long that took."""
    begin = time.monotonic()
    there = address if authorities is None else address.replace("127.0.0.1", "localhost")
    with nb.connect(there, timeout=WAIT, authorities=authorities) as link:
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
    with listening(timeout=1) as (_, address):
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


@pytest.mark.parametrize(
    "data", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", header(HUGE)]
)
def test_who_does_not_shake_hands_costs_little_and_holds_up_nobody(own, data):
    with listening("tls://127.0.0.1:0", 120, own) as (process, address):
        place = ("127.0.0.1", int(address.rsplit(":", 1)[1]))
        ask(address, own[0])
        before = memory(process)
        with contextlib.ExitStack() as stack:
            for _ in range(PEERS):
                peer = stack.enter_context(socket.create_connection(place, WAIT))
                peer.sendall(data)
            assert max(ask(address, own[0]) for _ in range(5)) < 2
            # A buffer of 256 KiB waits for what is encrypted.
            cost = (memory(process) - before) / PEERS
            print(f"\ntls: {cost / 1024:.0f} KiB each")
            assert cost < COST


def test_datagrams_without_a_meaning_cost_little_and_hold_up_nobody(own):
    random = np.random.default_rng(5)
    with listening("quic://127.0.0.1:0", 120, own) as (process, address):
        place = ("127.0.0.1", int(address.rsplit(":", 1)[1]))
        ask(address, own[0])
        before = memory(process)
        with contextlib.ExitStack() as stack:
            for number in range(20 * PEERS):
                peer = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                # Noise, and what begins as a first packet of version 1 does.
                first = b"\xc3\x00\x00\x00\x01\x08" if number % 2 else b""
                peer.sendto(first + random.bytes(1200), place)
            assert max(ask(address, own[0]) for _ in range(5)) < 2
        grown = memory(process) - before
        print(f"\nquic: {grown >> 10} KiB for {20 * PEERS} datagrams")
        assert grown < 32 << 20


HUGE_PUT = b"PUT /files/NAME HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000000\r\n\r\n"
# What is sent to a server of HTTP, which may write.
REQUESTS = {
    "half a header": b"GET /files/a.npy HTTP/1.1\r\nHost: localhost\r\nX: ",
    "announced": HUGE_PUT,
    "begun": HUGE_PUT + bytes(5000),
    "stream": b"POST /stream/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000000\r\n"
    b"Content-Type: application/x-ndbytes-stream\r\n\r\n" + record(65_536, b"NDB1"),
    "takes nothing": b"GET /files/large.npy HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "takes no slice": b"GET /arrays/large.npy?slice=::2 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "garbage": bytes(range(256)) * 40,
}


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
@pytest.mark.parametrize("who", REQUESTS)
def test_a_server_is_held_up_by_none_of_them(tmp_path, who):
    nb.save(tmp_path / "a.npy", np.arange(4))
    nb.save(tmp_path / "large.npy", np.zeros(8 << 20))
    serve = [COMMAND, "serve", tmp_path, "--listen", "127.0.0.1:0", "--log", "off", "--write"]
    with started(*serve) as (process, url), contextlib.ExitStack() as stack:
        place = ("127.0.0.1", int(url.rstrip("/").rsplit(":", 1)[1]))

        def get():
            begin = time.monotonic()
            assert nb.load(f"{url}files/a.npy").tolist() == [0, 1, 2, 3]
            return time.monotonic() - begin

        get()
        before = memory(process)
        for number in range(PEERS):
            peer = stack.enter_context(socket.create_connection(place, WAIT))
            with contextlib.suppress(ConnectionError):
                peer.sendall(REQUESTS[who].replace(b"NAME", b"%d.bin" % number))
        assert max(get() for _ in range(5)) < 4
        cost = (memory(process) - before) / PEERS
        print(f"\n{who}: {cost / 1024:.0f} KiB each")
        # A piece of the answer waits, of a size that depends on how fast others take theirs.
        assert cost < 4 << 20


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_receiver_that_does_not_read_keeps_little(own, tmp_path, scheme):
    """What it does not read waits at the sender, who gives up in time; neither collects it."""
    address, files, trust = transport(scheme, own, tmp_path)
    large = np.zeros(25 << 20, "u1")
    with nb.listen(address, timeout=WAIT, **files) as listener:
        there = listener.address.replace("127.0.0.1", "localhost")
        taken = []

        def take():
            taken.append(listener.accept(WAIT))
            taken[0].recv()

        # Hands are shaken when something is read.
        taker = threading.Thread(target=take, daemon=True)
        taker.start()
        link = nb.connect(there, timeout=1, **trust)
        link.send([1])
        taker.join(WAIT)
        own_memory = SimpleNamespace(pid=os.getpid())
        before = memory(own_memory)

        def send_on():
            for _ in range(8):
                link.send(large)

        with pytest.raises(TimeoutError):
            send_on()
        grown = memory(own_memory) - before
        print(f"\n{scheme}: {grown >> 10} KiB")
        # Windows of QUIC, of both ends.
        assert grown < 80 << 20
        taken[0].abort()
        link.abort()
