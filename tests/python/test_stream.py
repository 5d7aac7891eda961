"""Arrays over sockets, pipes and file objects, with peers that know only NumPy."""

import asyncio
import contextlib
import io
import os
import random
import signal
import socket
import struct
import threading
import time
import tracemalloc
import types

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPES, clean, filled, layouts, quietly, same
from processes import python, start
from sockets import WAIT, running, tcp_pair, tls_pair


def table():
    """Return arrays of every dtype, two of each, in some layout."""
    rng = random.Random(1)
    arrays = []
    for dtype in DTYPES.values():
        arrays += rng.sample([array for _, array in layouts(dtype)], 2)
    return arrays


def send_all(sink, arrays, close=None):
    for array in arrays:
        quietly(nb.send, sink, array)
    if close is not None:
        close()


@pytest.mark.parametrize("kind", ["socketpair", "tcp"])
def test_every_dtype_goes_over_a_socket(kind):
    left, right = socket.socketpair() if kind == "socketpair" else tcp_pair()
    arrays = table()
    with left, right, running(send_all, left, arrays, left.close):
        right.settimeout(WAIT)
        for array in arrays:
            received = quietly(nb.recv, right)
            assert same(received, array)
            assert received.flags.writeable
            assert received.flags.aligned
        with pytest.raises(EOFError) as caught:
            nb.recv(right)
        assert type(caught.value) is nb.EndOfStreamError
        assert caught.value.code == "stream.end"


def test_every_dtype_goes_through_a_pipe():
    arrays = table()
    read, write = os.pipe()
    with running(send_all, write, arrays, lambda: os.close(write)):
        for array in arrays:
            assert same(quietly(nb.recv, read, timeout=WAIT), array)
        with pytest.raises(nb.EndOfStreamError):
            nb.recv(read)
    os.close(read)


def test_every_dtype_goes_through_file_objects(pair):
    arrays = table()
    left, right = pair
    with left.makefile("wb") as sink, right.makefile("rb") as source:
        with running(send_all, sink, arrays, lambda: left.shutdown(socket.SHUT_WR)):
            for array in arrays:
                assert same(quietly(nb.recv, source), array)
            with pytest.raises(nb.EndOfStreamError):
                nb.recv(source)


def test_what_is_sent_are_the_bytes_of_numpy_save(pair):
    left, right = pair
    for array in (np.arange(6).reshape(2, 3)[:, ::2], np.asfortranarray(np.eye(3)), np.array(1)):
        nb.send(left, array)
        data = nb.dumps(array)
        assert right.recv(len(data), socket.MSG_WAITALL) == data


def test_large_arrays_of_any_layout_arrive(pair):
    left, right = pair
    base = np.arange(600_000.0).reshape(100, 60, 100)
    for array in (base, base[:, ::2], base.transpose(2, 0, 1), base[::-1], np.asfortranarray(base)):
        with running(nb.send, left, array):
            assert same(nb.recv(right), clean(array))


# A peer with the standard library and NumPy alone.

PEER = """
import socket, sys, types
import numpy as np
assert "ndbytes" not in sys.modules
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30) as s:
    f = s.makefile("rb", buffering=0)
    sink = types.SimpleNamespace(write=s.sendall)
    for _ in range(int(sys.argv[2])):
        a = np.lib.format.read_array(f, allow_pickle=False)
        np.lib.format.write_array(sink, a, allow_pickle=False)
    f.close()
"""


def test_a_thousand_arrays_go_to_a_numpy_peer_and_come_back():
    rng = random.Random(2)
    choices = [array for dtype in DTYPES.values() for _, array in layouts(dtype)]
    arrays = rng.choices(choices, k=1000)
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT)
        command = "import warnings; warnings.simplefilter('ignore')\n" + PEER
        with start(command, server.getsockname()[1], len(arrays)) as peer:
            try:
                sock, _ = server.accept()
                with sock, running(send_all, sock, arrays):
                    sock.settimeout(WAIT)
                    for array in arrays:
                        assert same(quietly(nb.recv, sock), array)
                    with pytest.raises(nb.EndOfStreamError):
                        nb.recv(sock)
                assert peer.wait(WAIT) == 0
            finally:
                peer.kill()


# How a stream ends.

SMALL = np.array([1, 2, 3], "<i2")
MESSAGE = nb.dumps(SMALL)


def cut_socket(data):
    left, right = socket.socketpair()
    with right:
        with left:
            left.sendall(data)
        return nb.recv(right, timeout=WAIT)


def cut_pipe(data):
    read, write = os.pipe()
    try:
        os.write(write, data)
        os.close(write)
        return nb.recv(read)
    finally:
        os.close(read)


def cut_file(data):
    return nb.recv(io.BytesIO(data))


@pytest.mark.parametrize("receive", [cut_socket, cut_pipe, cut_file])
def test_a_message_cut_at_any_byte_is_truncated_and_not_ended(receive):
    assert same(receive(MESSAGE), SMALL)
    for cut in range(1, len(MESSAGE)):
        with pytest.raises(nb.TruncatedError) as caught:
            receive(MESSAGE[:cut])
        assert not isinstance(caught.value, EOFError)
        assert caught.value.code in {"npy.header.truncated", "data.truncated"}
        assert caught.value.offset in (None, cut)
    with pytest.raises(nb.EndOfStreamError):
        receive(b"")


def test_a_reset_connection_is_a_connection_reset_error():
    left, right = tcp_pair()
    with right:
        with left:
            left.sendall(MESSAGE[:100])
            # Closing without lingering sends a reset.
            left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with pytest.raises(ConnectionResetError) as caught:
            nb.recv(right)
        assert isinstance(caught.value, nb.NdbytesOSError)
        assert caught.value.code == "io"


def test_sending_to_a_closed_peer_is_a_broken_pipe(pair):
    left, right = pair
    right.close()
    with pytest.raises((BrokenPipeError, ConnectionResetError)) as caught:
        nb.send(left, np.zeros(1_000_000))
    assert isinstance(caught.value, nb.NdbytesOSError)
    read, write = os.pipe()
    os.close(read)
    with pytest.raises(BrokenPipeError):
        nb.send(write, np.zeros(1_000_000))
    os.close(write)


def test_closed_and_invalid_descriptors_are_errors():
    left, right = socket.socketpair()
    left.close()
    right.close()
    for call in (
        lambda: nb.send(left, 1),
        lambda: nb.recv(right),
        lambda: nb.recv(-1),
        lambda: nb.send(1 << 20, 1),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == 9


def seconds(call):
    begin = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        call()
    return time.monotonic() - begin, caught.value


@pytest.mark.parametrize("sent", [0, 5, 50, 130])
def test_a_silent_peer_is_a_timeout_in_time(pair, sent):
    left, right = pair
    left.sendall(MESSAGE[:sent])
    took, error = seconds(lambda: nb.recv(right, timeout=0.2))
    assert 0.15 < took < 5
    assert isinstance(error, nb.NdbytesOSError)


def test_the_sockets_own_timeout_is_kept(pair):
    left, right = pair
    right.settimeout(0.2)
    assert 0.15 < seconds(lambda: nb.recv(right))[0] < 5
    assert right.gettimeout() == 0.2
    # Ours goes before the socket's.
    left.sendall(MESSAGE)
    assert same(nb.recv(right, timeout=WAIT), SMALL)
    with pytest.raises(ValueError, match="timeout"):
        nb.recv(right, timeout=-1)


@pytest.mark.parametrize("kind", ["socket", "pipe"])
def test_a_peer_that_does_not_read_is_a_timeout_in_time(pair, kind):
    array = np.zeros(4_000_000)
    if kind == "socket":
        took, _ = seconds(lambda: nb.send(pair[0], array, timeout=0.2))
    else:
        read, write = os.pipe()
        took, _ = seconds(lambda: nb.send(write, array, timeout=0.2))
        os.close(read)
        os.close(write)
    assert 0.15 < took < 5


def test_a_silent_pipe_is_a_timeout_in_time():
    read, write = os.pipe()
    os.write(write, MESSAGE[:20])
    assert 0.15 < seconds(lambda: nb.recv(read, timeout=0.2))[0] < 5
    os.close(read)
    os.close(write)


def test_a_slow_peer_is_no_timeout_while_something_moves(pair):
    left, right = pair
    gate = threading.Event()

    def trickle():
        for i in range(0, len(MESSAGE), 20):
            gate.wait(0.05)
            left.sendall(MESSAGE[i : i + 20])

    with running(trickle):
        assert same(nb.recv(right, timeout=5), SMALL)


# What a stranger may send.


def announce(shape, descr="<f8"):
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("shape", ["(1152921504606846976,)", "(1073741824,)", "(65536, 65536)"])
def test_an_announcement_over_the_limit_is_refused_before_anything_is_allocated(pair, shape):
    left, right = pair
    left.sendall(announce(shape))
    tracemalloc.start()
    try:
        with pytest.raises(nb.LimitError) as caught:
            nb.recv(right)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.code in {"limit.bytes", "size.overflow"}


def test_the_limit_is_the_callers(pair):
    left, right = pair
    nb.send(left, np.zeros(100))
    with pytest.raises(nb.LimitError):
        nb.recv(right, max_bytes=799)
    left, right = socket.socketpair()
    with left, right:
        nb.send(left, np.zeros(100))
        assert nb.recv(right, max_bytes=800).size == 100
        left.sendall(announce("(576460752303423488,)", "|u1"))
        with pytest.raises(MemoryError):
            nb.recv(right, max_bytes=None)


def test_objects_are_refused_on_both_sides(pair):
    left, right = pair
    with pytest.raises(nb.UnsupportedError) as caught:
        nb.send(left, np.array([None]))
    assert caught.value.code == "dtype.object"
    left.sendall(announce("(1,)", "|O") + b"\x80\x04N.")
    with pytest.raises(nb.UnsupportedError) as caught:
        nb.recv(right)
    assert caught.value.code == "dtype.object"


def test_garbage_is_called_what_it_is(pair):
    left, right = pair
    left.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(nb.FormatError, match="HTTP") as caught:
        nb.recv(right)
    assert caught.value.code == "npy.magic"


def test_random_bytes_are_errors_and_never_arrays():
    rng = random.Random(3)
    for length in (1, 7, 8, 100, 5000):
        for prefix in (b"", b"\x93NUMPY\x01\x00", MESSAGE[:10], MESSAGE[:60]):
            with pytest.raises(nb.NdbytesError):
                cut_file(prefix + rng.randbytes(length).replace(b"\n", b"x"))


def test_headers_of_any_length_are_limited(pair):
    left, right = pair
    left.sendall(b"\x93NUMPY\x02\x00" + (1 << 31).to_bytes(4, "little"))
    with pytest.raises(nb.LimitError) as caught:
        nb.recv(right)
    assert caught.value.code == "npy.header.too_large"


# Into one's own array.


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_received_into_ones_own(pair, order):
    left, right = pair
    array = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)
    for out in (
        np.empty((2, 3, 4)),
        np.empty((2, 3, 4), order="F"),
        np.empty((4, 3, 8))[::2, :, ::2],
        np.empty((2, 3, 4))[::-1],
    ):
        nb.send(left, array)
        assert nb.recv(right, out) is out
        assert np.array_equal(out, array)


def test_an_unfit_array_is_refused():
    array = np.arange(6.0).reshape(2, 3)
    readonly = np.empty((2, 3))
    readonly.flags.writeable = False
    for out, kind in (
        (np.empty((3, 2)), nb.MismatchError),
        (np.empty(6), nb.MismatchError),
        (np.empty((2, 3), "f4"), nb.MismatchError),
        (np.empty((2, 3), ">f8"), nb.MismatchError),
        (readonly, nb.ArgumentError),
    ):
        with pytest.raises(kind):
            nb.recv(io.BytesIO(nb.dumps(array)), out)


def test_receiving_into_selected_fields_leaves_the_others():
    table = np.zeros(3, [("a", "i4"), ("b", "i4")])
    table["b"] = 7
    source = np.zeros(3, [("a", "i4"), ("b", "i4")])[["a"]]
    source["a"] = [1, 2, 3]
    for receive in (
        lambda out: nb.recv(io.BytesIO(nb.dumps(source)), out),
        lambda out: nb.load(io.BytesIO(nb.dumps(source)), out=out),
        lambda out: asyncio.run(fed(nb.dumps(source), out=out)),
    ):
        table["a"] = 0
        receive(table[["a"]])
        assert table["a"].tolist() == [1, 2, 3]
        assert table["b"].tolist() == [7, 7, 7]


# Signals.


@contextlib.contextmanager
def signalled(handler, after):
    """Send this thread a signal when `after` seconds have gone."""
    old = signal.signal(signal.SIGUSR1, handler)
    send = lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)  # noqa: E731
    timer = threading.Timer(after, send)
    timer.start()
    try:
        yield
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, old)


def interrupt(*args):
    raise KeyboardInterrupt


@pytest.mark.parametrize("kind", ["socket", "pipe", "socket without timeout"])
def test_receiving_can_be_interrupted(pair, kind):
    left, right = pair
    if "without" in kind:
        right.settimeout(None)
    read, write = os.pipe()
    with signalled(interrupt, 0.2), pytest.raises(KeyboardInterrupt):
        nb.recv(read if kind == "pipe" else right)
    os.close(read)
    os.close(write)


def test_sending_can_be_interrupted(pair):
    with signalled(interrupt, 0.2), pytest.raises(KeyboardInterrupt):
        nb.send(pair[0], np.zeros(4_000_000))


def test_a_signal_that_is_handled_changes_nothing(pair):
    left, right = pair
    seen = []

    def handler(*args):
        seen.append(1)
        left.sendall(MESSAGE)

    with signalled(handler, 0.2):
        assert same(nb.recv(right), SMALL)
    assert seen


# TLS.


def test_arrays_go_over_tls(contexts):
    arrays = [*table()[::3], np.arange(300_000.0).reshape(300, 1000)[:, ::2]]
    with tls_pair(contexts) as (left, right):
        with running(send_all, left, arrays):
            for array in arrays:
                assert same(quietly(nb.recv, right), array)
        out = np.empty((3, 2), order="F")
        nb.send(right, np.arange(6.0).reshape(3, 2))
        assert nb.recv(left, out) is out
        assert np.array_equal(out, np.arange(6.0).reshape(3, 2))
        with pytest.raises(TimeoutError):
            nb.recv(left, timeout=0.2)
        assert left.gettimeout() == WAIT


def test_a_clean_end_and_a_cut_over_tls(contexts):
    for cut in (0, 1, 60, len(MESSAGE) - 1):
        with tls_pair(contexts) as (left, right):
            left.sendall(MESSAGE[:cut])
            left.close()
            with pytest.raises(nb.TruncatedError if cut else nb.EndOfStreamError):
                nb.recv(right)


# Duck types.


def test_anything_with_write_or_read_will_do():
    data = bytearray()
    nb.send(types.SimpleNamespace(write=data.extend), SMALL)
    assert data == MESSAGE
    source = io.BytesIO(data)
    assert same(nb.recv(types.SimpleNamespace(read=lambda n: source.read(min(n, 3)))), SMALL)
    for wrong in (object(), None, "text", 1.5):
        with pytest.raises((TypeError, AttributeError)):
            nb.recv(wrong)
        with pytest.raises((TypeError, AttributeError)):
            nb.send(wrong, SMALL)


def test_many_processes_can_talk_at_once():
    code = """
import socket, threading
import numpy as np
import ndbytes as nb
def echo(sock):
    with sock:
        while True:
            try:
                nb.send(sock, nb.recv(sock, timeout=30) + 1)
            except EOFError:
                return
pairs = [socket.socketpair() for _ in range(8)]
threads = [threading.Thread(target=echo, args=(right,)) for _, right in pairs]
[t.start() for t in threads]
for n in range(20):
    for left, _ in pairs:
        nb.send(left, np.full((50, n), n))
    for left, _ in pairs:
        assert (nb.recv(left, timeout=30) == n + 1).all()
[left.close() for left, _ in pairs]
[t.join(30) for t in threads]
print("done")
"""
    assert python(code) == "done\n"


# The asyncio twins.


def finish(coroutine):
    async def bounded():
        return await asyncio.wait_for(coroutine, WAIT)

    return asyncio.run(bounded())


async def fed(data, **kwargs):
    """Receive from a stream that holds these bytes and has ended."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await nb.aio.recv(reader, **kwargs)


@contextlib.asynccontextmanager
async def served(handler):
    """Give the port of a server on the loopback."""
    problems = []

    async def handle(reader, writer):
        try:
            await handler(reader, writer)
        except Exception as error:
            problems.append(error)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    if problems:
        raise problems[0]


async def echo(reader, writer):
    while True:
        try:
            array = await nb.aio.recv(reader)
        except EOFError:
            return
        await nb.aio.send(writer, array, timeout=WAIT)


def test_every_dtype_goes_over_asyncio_streams():
    arrays = [*table(), np.arange(500_000.0).reshape(500, 1000)[:, ::2]]

    async def main():
        async with served(echo) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for array in arrays:
                await nb.aio.send(writer, array)
                received = await nb.aio.recv(reader, timeout=WAIT)
                assert same(received, array)
                assert received.flags.writeable
            writer.write_eof()
            with pytest.raises(nb.EndOfStreamError):
                await nb.aio.recv(reader)
            writer.close()
            await writer.wait_closed()

    quietly(finish, main())


def test_every_dtype_goes_over_asyncio_sockets(pair):
    left, right = pair
    left.setblocking(False)
    right.setblocking(False)
    arrays = [*table(), np.arange(500_000.0).reshape(500, 1000).T]

    async def main():
        for array in arrays:
            sending = asyncio.create_task(nb.aio.send(left, array, timeout=WAIT))
            assert same(await nb.aio.recv(right, timeout=WAIT), array)
            await sending
        left.close()
        with pytest.raises(nb.EndOfStreamError):
            await nb.aio.recv(right)

    quietly(finish, main())


def test_the_twins_send_the_same_bytes():
    table = np.full(4, 0xA5A5, "u2").view([("a", "u1"), ("b", "u1")])

    async def collect(array):
        left, right = socket.socketpair()
        with left, right:
            left.setblocking(False)
            await nb.aio.send(left, array)
            left.close()
            with right.makefile("rb") as file:
                return file.read()

    for array in (SMALL, np.eye(3).T, np.arange(9)[::2], np.array(2), table[["a"]], table, "text"):
        data = finish(collect(array))
        assert data == nb.dumps(array)


def test_a_message_cut_at_any_byte_is_truncated_over_asyncio():
    async def main():
        for cut in range(1, len(MESSAGE)):
            with pytest.raises(nb.TruncatedError) as caught:
                await fed(MESSAGE[:cut])
            assert not isinstance(caught.value, EOFError)
        with pytest.raises(nb.EndOfStreamError):
            await fed(b"")
        assert same(await fed(MESSAGE), SMALL)

    finish(main())


def test_asyncio_has_the_same_limits_and_errors():
    async def main():
        for data, error in (
            (announce("(1152921504606846976,)"), nb.LimitError),
            (announce("(1,)", "|O") + b"N.", nb.UnsupportedError),
            (b"HTTP/1.1 404 Not Found\r\n\r\n", nb.FormatError),
            (b"\x93NUMPY\x02\x00" + (1 << 31).to_bytes(4, "little"), nb.LimitError),
            (announce("(2,)", "|b1") + b"\1\2", nb.FormatError),
        ):
            with pytest.raises(error):
                await fed(data)
        with pytest.raises(nb.LimitError):
            await fed(MESSAGE, max_bytes=5)
        with pytest.raises(nb.UnsupportedError):
            await nb.aio.send(None, np.array([None]))
        with pytest.raises(nb.UnsupportedError):
            await nb.aio.send(None, np.ma.masked_array([1], [True]))
        for out in (np.empty(3, "i4"), np.empty(4, "i2")):
            with pytest.raises(nb.MismatchError):
                await fed(MESSAGE, out=out)
        readonly = np.zeros(3, "<i2")
        readonly.flags.writeable = False
        with pytest.raises(nb.ArgumentError):
            await fed(MESSAGE, out=readonly)

    finish(main())


def test_asyncio_receives_into_ones_own_array():
    array = filled((4, 6), np.dtype("f8"))

    async def main():
        for source in (array, np.asfortranarray(array)):
            for out in (np.empty((4, 6)), np.empty((4, 6), order="F"), np.empty((8, 6))[::-2]):
                assert await fed(nb.dumps(source), out=out) is out
                assert same(clean(out, "C"), array)

    finish(main())


def test_asyncio_silence_is_a_timeout_in_time(pair):
    left, right = pair
    left.setblocking(False)
    right.setblocking(False)

    async def main():
        reader = asyncio.StreamReader()
        reader.feed_data(MESSAGE[:30])
        for call in (
            lambda: nb.aio.recv(reader, timeout=0.2),
            lambda: nb.aio.recv(right, timeout=0.2),
            lambda: nb.aio.send(left, np.zeros(4_000_000), timeout=0.2),
        ):
            begin = time.monotonic()
            with pytest.raises(TimeoutError):
                await call()
            assert 0.15 < time.monotonic() - begin < 5

    finish(main())


def test_asyncio_talks_to_a_numpy_peer():
    arrays = table()[:40]

    async def main():
        done = asyncio.get_running_loop().create_future()

        async def handler(reader, writer):
            for array in arrays:
                await nb.aio.send(writer, array)
                assert same(await nb.aio.recv(reader, timeout=WAIT), array)
            with pytest.raises(nb.EndOfStreamError):
                await nb.aio.recv(reader)
            done.set_result(None)

        async with served(handler) as port:
            with start(PEER, port, len(arrays)) as peer:
                try:
                    await asyncio.wait_for(done, WAIT)
                    assert await asyncio.to_thread(peer.wait, WAIT) == 0
                finally:
                    peer.kill()

    quietly(finish, main())


def test_a_slow_peer_of_a_large_array_is_no_timeout_and_the_socket_stays_as_it_was():
    left, right = tcp_pair()
    data = nb.dumps(np.arange(200_000))
    before = right.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)

    def trickle():
        for at in range(0, len(data), 200_000):
            left.sendall(data[at : at + 200_000])
            time.sleep(0.1)

    with left, right:
        with running(trickle):
            assert np.array_equal(nb.recv(right, timeout=0.5), np.arange(200_000))
        assert right.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == before
        left.sendall(data[:-1])
        with pytest.raises(TimeoutError):
            nb.recv(right, timeout=0.2)
        assert right.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == before
