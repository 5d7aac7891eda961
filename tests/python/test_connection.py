"""Connections: what `send` and `recv` do, read ahead and held together."""

import random
import socket
import ssl
import threading

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPES, clean, layouts, quietly, same
from processes import start
from sockets import WAIT, running, tcp_pair, tls_pair


@pytest.fixture
def linked(pair):
    return nb.Connection(pair[0]), nb.Connection(pair[1])


def mixed(count, seed):
    """Return arrays of many dtypes, layouts and sizes around the edges of the buffers."""
    rng = random.Random(seed)
    sizes = [0, 1, 4, 40, 100, 2000, 8_000, 8_200, 16_000, 33_000, 200_000]
    some = [array for dtype in DTYPES.values() for _, array in layouts(dtype)]
    return [
        rng.choice(some)
        if rng.random() < 0.5
        else np.arange(rng.choice(sizes), dtype=rng.choice(["u1", "<f8", ">i4"]))
        for _ in range(count)
    ]


@pytest.mark.parametrize("more", [False, True, None])
@pytest.mark.parametrize("kind", ["tcp", "unix", "tls"])
def test_arrays_of_every_kind_and_size_arrive_in_order(kind, more, contexts):
    arrays = mixed(300, 1)
    rng = random.Random(2)

    def talk(left, right):
        one, other = nb.Connection(left), nb.Connection(right)

        def send():
            for array in arrays:
                quietly(one.send, array, more=rng.random() < 0.7 if more is None else more)
            one.flush()

        with running(send):
            for array in arrays:
                assert same(quietly(other.recv), clean(array))

    if kind == "tls":
        with tls_pair(contexts) as (left, right):
            talk(left, right)
        return
    left, right = tcp_pair() if kind == "tcp" else socket.socketpair()
    right.settimeout(WAIT)
    with left, right:
        talk(left, right)


def test_either_end_may_be_the_plain_functions(pair):
    left, right = pair
    arrays = mixed(60, 3)
    one = nb.Connection(left)
    with running(lambda: [quietly(nb.send, right, array) for array in arrays]):
        for array in arrays:
            assert same(quietly(one.recv), clean(array))

    def send():
        for array in arrays:
            quietly(one.send, array, more=True)
        one.close()

    with running(send):
        for array in arrays:
            assert same(quietly(nb.recv, right), clean(array))
        with pytest.raises(nb.EndOfStreamError):
            nb.recv(right)


def test_a_peer_with_nothing_but_numpy_reads_what_was_held(pair):
    left, right = pair
    with nb.Connection(left) as one:
        for i in range(5):
            one.send(np.full(3, i), more=True)
    with right.makefile("rb") as source:
        data = source.read()
    assert data == b"".join(nb.dumps(np.full(3, i)) for i in range(5))


def test_what_is_held_leaves_when_it_has_to(linked, pair):
    one, _ = linked
    right = pair[1]
    right.settimeout(0.05)
    message = len(nb.dumps(np.zeros(4)))
    one.send(np.zeros(4), more=True)
    with pytest.raises(TimeoutError):
        right.recv(1)
    one.flush()
    assert len(right.recv(10_000)) == message
    one.send(np.zeros(4), more=True)
    one.send(np.zeros(4))
    assert len(right.recv(10_000)) == 2 * message
    one.send(np.zeros(4), more=True)
    one.send(np.zeros(4000), more=True)
    assert len(right.recv(1 << 20)) >= message
    for _ in range(1000):
        one.send(np.zeros(4), more=True)
    assert right.recv(1 << 20)


def test_iterating_ends_with_the_stream_and_only_cleanly(pair):
    left, right = pair
    message = nb.dumps(np.arange(3))
    left.sendall(message * 3 + message[:-1])
    left.close()
    other = nb.Connection(right)
    assert [next(other).sum() for _ in range(3)] == [3, 3, 3]
    with pytest.raises(nb.TruncatedError):
        next(other)
    left, right = socket.socketpair()
    left.sendall(message * 2)
    left.close()
    with nb.Connection(right) as other:
        assert len(list(other)) == 2


@pytest.mark.parametrize("held", [1, 3])
def test_a_message_cut_at_any_byte_is_truncated(held):
    message = nb.dumps(np.arange(3, dtype="<i2"))
    for cut in range(1, len(message)):
        left, right = socket.socketpair()
        left.sendall(message * (held - 1) + message[:cut])
        left.close()
        with nb.Connection(right, timeout=WAIT) as other:
            for _ in range(held - 1):
                other.recv()
            with pytest.raises(nb.TruncatedError):
                other.recv()


def test_a_message_that_trickles_in_is_put_together(pair):
    left, right = pair
    arrays = [np.arange(3), np.arange(9_000.0), np.zeros((0, 3)), np.array(True)]
    data = b"".join(map(nb.dumps, arrays))
    rng = random.Random(4)

    def trickle():
        at = 0
        while at < len(data):
            step = rng.choice([1, 2, 7, 64, 128, 129, 5000])
            left.sendall(data[at : at + step])
            at += step

    for receive in (nb.Connection(right).recv, lambda: nb.recv(right)):
        with running(trickle):
            for array in arrays:
                assert same(receive(), array)


def test_receiving_into_ones_own(linked):
    one, other = linked
    for size in (3, 5000):
        array = np.arange(2.0 * size).reshape(2, size)
        out = np.zeros((2, 2 * size), order="F")[:, ::2]
        one.send(array)
        assert other.recv(out) is out
        assert np.array_equal(out, array)


@pytest.mark.parametrize("way", ["function", "connection"])
@pytest.mark.parametrize("size", [4, 100_000])
def test_an_unfit_out_costs_the_header_and_nothing_else(pair, way, size):
    left, right = pair
    receive = nb.Connection(right).recv if way == "connection" else lambda out: nb.recv(right, out)
    array = np.arange(size, dtype="<i4")

    def send():
        nb.send(left, array)
        left.shutdown(socket.SHUT_WR)

    with running(send):
        with pytest.raises(nb.MismatchError):
            receive(np.zeros(size, "<f4"))
        rest = b""
        while part := right.recv(1 << 20):
            rest += part
    assert way == "connection" or rest == array.tobytes()


def test_limits_are_kept_before_anything_is_taken(pair):
    left, right = pair
    other = nb.Connection(right, max_bytes=100, max_header_size=200)
    nb.send(left, np.zeros(100))
    with pytest.raises(nb.LimitError):
        other.recv()
    left, right = socket.socketpair()
    with left, right:
        other = nb.Connection(right, max_bytes=100, max_header_size=200)
        nb.send(left, np.zeros(1, [("a" * 300, "i4")]))
        with pytest.raises(nb.LimitError):
            other.recv()


def test_silence_is_a_timeout_in_time(pair):
    left, right = pair
    with pytest.raises(TimeoutError):
        nb.Connection(right, timeout=0.1).recv()
    one = nb.Connection(left, timeout=0.1)
    with pytest.raises(TimeoutError):
        one.send(np.zeros(10_000_000))


def test_what_a_timeout_left_behind_can_be_sent_later(pair):
    left, right = pair
    one, sent = nb.Connection(left, timeout=0.1), 0
    with pytest.raises(TimeoutError):  # noqa: PT012, SIM117
        while True:
            sent += 1
            one.send(np.full(100, sent), more=True)

    def rest():
        one.flush()
        left.shutdown(socket.SHUT_WR)

    with running(rest):
        got = [int(array[0]) for array in nb.Connection(right)]
    assert got == list(range(1, sent + 1))


def test_one_thread_sends_while_another_receives(linked):
    one, other = linked
    arrays = mixed(200, 5)

    def send(connection):
        for array in arrays:
            quietly(connection.send, array, more=True)
        connection.flush()

    def receive(connection):
        for array in arrays:
            assert same(quietly(connection.recv), clean(array))

    with running(send, one), running(send, other), running(receive, one):
        receive(other)


def test_threads_that_send_take_turns(linked):
    one, other = linked
    threads = [
        threading.Thread(target=lambda i=i: [one.send(np.full(3000, i)) for _ in range(50)])
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    got = [other.recv() for _ in range(200)]
    for thread in threads:
        thread.join(WAIT)
    assert all((array == array[0]).all() for array in got)
    assert sorted(int(array[0]) for array in got) == sorted(list(range(4)) * 50)


def test_after_an_error_nothing_held_leaves(pair):
    left, right = pair

    def fail():
        with nb.Connection(left) as one:
            one.send(np.zeros(3), more=True)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert right.recv(10) == b""


def test_closing_reports_what_could_not_be_sent(pair):
    left, right = pair
    one = nb.Connection(left)
    one.send(np.zeros(3), more=True)
    right.close()
    with pytest.raises(BrokenPipeError):
        one.close()
    assert left.fileno() == -1
    one.close()
    with pytest.raises(OSError, match=r"."):
        one.recv()


def test_objects_are_refused_and_nothing_leaves(linked):
    one, other = linked
    with pytest.raises(nb.UnsupportedError):
        one.send(np.array([None]))
    with pytest.raises(nb.UnsupportedError):
        one.send(np.array([None] * 100_000))
    one.send(np.arange(3))
    assert other.recv().tolist() == [0, 1, 2]


def test_only_stream_sockets_make_a_connection():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(ValueError, match="SOCK_STREAM"):
            nb.Connection(datagrams)
    with pytest.raises(TypeError, match="socket"):
        nb.Connection(3)


def test_timeouts_reach_tls(contexts):
    with tls_pair(contexts) as (left, right):
        assert isinstance(left, ssl.SSLSocket)
        with pytest.raises(TimeoutError):
            nb.Connection(left, timeout=0.1).recv()
        assert right.gettimeout() == WAIT


PEER = """
import socket, sys
import numpy as np
import ndbytes as nb
with nb.Connection(socket.create_connection(("127.0.0.1", int(sys.argv[1])))) as link:
    for array in link:
        link.send(array * 2, more=True)
"""


def test_another_process_answers():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT)
        with start(PEER, server.getsockname()[1]) as peer:
            accepted, _ = server.accept()
            accepted.settimeout(WAIT)
            with nb.Connection(accepted) as link:
                for i in range(1000):
                    link.send(np.full(4, i), more=True)
                link.flush()
                accepted.shutdown(socket.SHUT_WR)
                assert [int(array[0]) for array in link] == list(range(0, 2000, 2))
            assert peer.wait(WAIT) == 0


def test_the_socket_is_as_before_after_a_large_array_and_after_an_error():
    left, right = tcp_pair()
    with left, right:
        other = nb.Connection(right, timeout=3)

        def low_water():
            return right.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)

        before = low_water()
        for size in (1 << 20, (1 << 20) + 12_345, 1 << 24):
            with running(nb.send, left, np.zeros(size, "u1")):
                other.recv()
            assert low_water() == before
        # More than the socket may hold: it is read while it is written.
        part = nb.dumps(np.zeros(1 << 20))[:-1]
        with running(left.sendall, part), pytest.raises(TimeoutError):
            other.recv()
        assert low_water() == before
