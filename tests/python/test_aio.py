"""The asyncio twins and frames: what the other half sends and receives, and refuses, so do they."""

import asyncio
import contextlib
import errno
import io
import random
import socket
import struct
import time
import warnings

import numpy as np
import pytest

import forge
import ndbytes as nb
from arrays import DTYPES, clean, layouts, quietly, same
from processes import start
from sockets import WAIT, running, tcp_pair

CODECS = ["auto", "fast", "raw", "lz4-9-bitshuffle", "zstd-noshuffle", "zlib", "pco"]
NUMBERS = np.arange(700_000).reshape(700, 1000) // 7


def finish(coroutine):
    """Run it, and see to it that nothing was left that the loop had to complain about."""
    complaints = []

    async def bounded():
        asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
        result = await asyncio.wait_for(coroutine, WAIT)
        await asyncio.sleep(0)
        return result

    result = asyncio.run(bounded())
    assert complaints == []
    return result


def beside(function, coroutine):
    """Run it beside a thread; what is said of warnings is said of both."""
    with running(function):
        finish(coroutine)


def ended(data):
    """Return a stream that holds these bytes and has ended."""
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def fed(data, **kwargs):
    return await nb.aio.recv(ended(data), **kwargs)


def nonblocking(*pair):
    for sock in pair:
        sock.setblocking(False)
    return pair


async def streams():
    """Return the ends of a connection, of which the first writes and the second reads."""
    left, right = tcp_pair()
    _, writer = await asyncio.open_connection(sock=left)
    reader, other = await asyncio.open_connection(sock=right)
    return reader, writer, other


def samples():
    """Return arrays and codecs, among them none, of every dtype and layout."""
    rng = random.Random(9)
    for dtype in DTYPES.values():
        for _, array in rng.sample(list(layouts(dtype)), 4):
            codec = rng.choice([None, *CODECS])
            number = array.dtype.kind in "biufM" and array.dtype.isnative and array.itemsize <= 8
            yield array, "auto" if codec == "pco" and not number else codec
    for codec in CODECS:
        yield NUMBERS, codec
        yield NUMBERS.T[::2], codec


# What passes.


def test_they_send_the_bytes_of_dumps():
    async def main():
        for array, codec in samples():
            left, right = nonblocking(*socket.socketpair())
            with left, right:
                sending = asyncio.create_task(nb.aio.send(left, array, codec, timeout=WAIT))
                wanted = nb.dumps(array, codec)
                got = b""
                while len(got) < len(wanted):
                    got += await asyncio.get_running_loop().sock_recv(right, 1 << 20)
                await sending
                assert got == wanted

    quietly(finish, main())


def test_frames_and_npy_mixed_go_over_sockets():
    async def main():
        left, right = nonblocking(*socket.socketpair())
        with right:
            for array, codec in samples():
                sending = asyncio.create_task(nb.aio.send(left, array, codec, timeout=WAIT))
                received = await nb.aio.recv(right, timeout=WAIT)
                await sending
                assert same(received, clean(array))
                assert received.flags.writeable
                assert received.flags.aligned
            left.close()
            with pytest.raises(nb.EndOfStreamError):
                await nb.aio.recv(right)

    quietly(finish, main())


def test_frames_and_npy_mixed_go_over_streams():
    async def main():
        reader, writer, other = await streams()

        async def send():
            for array, codec in samples():
                await nb.aio.send(writer, array, codec, timeout=WAIT)
            writer.close()

        sending = asyncio.create_task(send())
        for array, _ in samples():
            assert same(await nb.aio.recv(reader, timeout=WAIT), clean(array))
        with pytest.raises(nb.EndOfStreamError):
            await nb.aio.recv(reader)
        await sending
        other.close()

    quietly(finish, main())


@pytest.mark.parametrize("kind", ["socket", "stream"])
def test_the_other_half_receives_what_they_send(kind):
    left, right = tcp_pair()

    def receive():
        with right:
            for array, _ in samples():
                assert same(nb.recv(right), clean(array))
            with pytest.raises(nb.EndOfStreamError):
                nb.recv(right)

    async def main():
        left.setblocking(False)
        writer = left
        if kind == "stream":
            _, writer = await asyncio.open_connection(sock=left)
        for array, codec in samples():
            await nb.aio.send(writer, array, codec, timeout=WAIT)
        writer.close()

    quietly(beside, receive, main())


@pytest.mark.parametrize("kind", ["socket", "stream"])
def test_they_receive_what_the_other_half_sends(kind):
    left, right = tcp_pair()

    def send():
        with left:
            for array, codec in samples():
                nb.send(left, array, codec)

    async def main():
        right.setblocking(False)
        reader = writer = right
        if kind == "stream":
            reader, writer = await asyncio.open_connection(sock=right)
        for array, _ in samples():
            assert same(await nb.aio.recv(reader, timeout=WAIT), clean(array))
        with pytest.raises(nb.EndOfStreamError):
            await nb.aio.recv(reader)
        writer.close()

    with right:
        quietly(beside, send, main())


def test_not_a_byte_more_is_taken():
    async def main():
        frame = nb.dumps(NUMBERS, "zstd")
        left, right = nonblocking(*socket.socketpair())
        with left, right:
            loop = asyncio.get_running_loop()
            sending = asyncio.create_task(loop.sock_sendall(left, frame + b"hello"))
            assert same(await nb.aio.recv(right, timeout=WAIT), NUMBERS)
            await sending
            assert await loop.sock_recv(right, 100) == b"hello"
        reader = ended(frame + b"hello")
        assert same(await nb.aio.recv(reader), NUMBERS)
        assert await reader.read() == b"hello"

    finish(main())


def test_a_frame_is_received_into_ones_own_array():
    table = np.zeros(3, [("a", "i4"), ("b", "i4")])
    table["b"] = 7

    async def main():
        array = np.arange(24.0).reshape(4, 6)
        for source in (array, np.asfortranarray(array)):
            for chunks in ((4, 6), (3, 6), (2, 5)):
                data = nb.dumps(source, "zstd", chunks=chunks)
                for out in (np.empty((4, 6)), np.empty((4, 6), order="F"), np.empty((8, 6))[::-2]):
                    assert await fed(data, out=out) is out
                    assert np.array_equal(out, array)
        source = np.zeros(3, table.dtype)[["a"]]
        source["a"] = [1, 2, 3]
        await fed(nb.dumps(source, "raw"), out=table[["a"]])

    finish(main())
    assert table["a"].tolist() == [1, 2, 3]
    assert table["b"].tolist() == [7, 7, 7]


# What is refused.


def refusal(call):
    """Return how it was refused."""
    with pytest.raises(nb.NdbytesError) as caught:
        call()
    return type(caught.value), caught.value.code, caught.value.offset


async def refusal_of(coroutine):
    with pytest.raises(nb.NdbytesError) as caught:
        await coroutine
    return type(caught.value), caught.value.code, caught.value.offset


def frames():
    """Return small frames of every family."""
    array = np.arange(60, dtype="<u2").reshape(12, 5) // 7
    for codec in ("raw", "lz4", "zstd-1-bitshuffle", "pco"):
        yield nb.dumps(array, codec, chunks=(5, 5))
    yield nb.dumps(np.zeros((0, 3)), "zstd")
    yield nb.dumps(np.float64(5), "lz4")


def test_a_frame_cut_at_any_byte_is_refused_as_by_the_other_half():
    async def main():
        for frame in frames():
            for cut in range(len(frame)):
                told = await refusal_of(fed(frame[:cut]))
                assert told == refusal(lambda: nb.recv(io.BytesIO(frame[:cut]))), cut  # noqa: B023
                wanted = nb.TruncatedError if cut else nb.EndOfStreamError
                assert told[0] is wanted, cut
            assert same(await fed(frame + b"more"), nb.loads(frame))

    finish(main())


def test_any_bit_of_a_frame_that_is_turned_is_refused_as_by_the_other_half():
    async def main():
        for frame in frames():
            bad = bytearray(frame)
            for bit in range(8 * len(frame)):
                bad[bit // 8] ^= 1 << bit % 8
                told = await refusal_of(fed(bytes(bad)))
                # The first byte tells a frame from an .npy message, whose header is read otherwise.
                if bit >= 64:
                    assert told == refusal(lambda: nb.recv(io.BytesIO(bad))), bit  # noqa: B023
                bad[bit // 8] ^= 1 << bit % 8

    finish(main())


def test_damage_on_a_mixed_stream_is_noticed_at_its_place():
    array = np.arange(1000.0)
    parts = [nb.dumps(array, codec) for codec in (None, "auto", "lz4", None, "raw")]
    damaged = bytearray(b"".join(parts))
    damaged[len(b"".join(parts[:4])) + 300] ^= 4

    async def main():
        reader = ended(bytes(damaged))
        for _ in parts[:4]:
            assert same(await nb.aio.recv(reader), array)
        told = await refusal_of(nb.aio.recv(reader))
        assert told[:2] == (nb.FormatError, "frame.checksum")
        reader = ended(b"".join(parts)[:-1])
        for _ in parts[:4]:
            assert same(await nb.aio.recv(reader), array)
        assert (await refusal_of(nb.aio.recv(reader)))[1] == "frame.truncated"

    finish(main())


def test_limits_and_arguments_are_those_of_the_other_half():
    array = np.zeros((3, 1000), "<i2")
    frame = nb.dumps(array, "zstd")
    long = nb.dumps(np.zeros(3, [("x" * 300, "u1")]), "raw")
    readonly = np.zeros((3, 1000), "<i2")
    readonly.flags.writeable = False
    overlapping = np.lib.stride_tricks.as_strided(np.zeros(5000, "<i2"), (3, 1000), (2, 2))
    cases = [
        (frame, {"max_bytes": 5999}),
        (long, {"max_header_size": 100}),
        (b"\x89NDB\r\n\x1a\n\x01\x01\x01\x00\xff\xff\xff\xff", {}),
        (frame, {"out": np.zeros((3, 1000), "<i4")}),
        (frame, {"out": np.zeros((1000, 3), "<i2")}),
        (frame, {"out": readonly}),
        (frame, {"out": overlapping}),
        (frame, {"out": np.ma.zeros((3, 1000), "<i2")}),
        (nb.dumps(array), {"out": overlapping}),
        (nb.dumps(array), {"out": np.ma.zeros((3, 1000), "<i2")}),
    ]

    async def main():
        for data, kwargs in cases:
            told = await refusal_of(fed(data, **kwargs))
            assert told == refusal(lambda: nb.recv(io.BytesIO(data), **kwargs)), kwargs  # noqa: B023
        assert same(await fed(frame, max_bytes=6000), array)
        for bad, codec in (
            (np.array([None]), "auto"),
            (np.ma.masked_array([1], [True]), "auto"),
            (array, "gzip"),
            (array, "zstd-99"),
            (np.zeros(3, "c16"), "pco"),
        ):
            told = await refusal_of(nb.aio.send(None, bad, codec))
            assert told == refusal(lambda: nb.dumps(bad, codec)), codec  # noqa: B023

    finish(main())


def test_silence_is_the_same_timeout():
    frame = nb.dumps(np.arange(1000), "zstd")
    left, right = socket.socketpair()
    with left, right:
        left.sendall(frame[:200])
        told = refusal(lambda: nb.recv(right, timeout=0.1))
    assert told[1] == "io"

    async def main():
        for cut in (0, 5, 12, 50, 200, len(frame) - 1):
            left, right = nonblocking(*socket.socketpair())
            reader = asyncio.StreamReader()
            reader.feed_data(frame[:cut])
            with left, right:
                left.send(frame[:cut])
                for source in (right, reader):
                    begin = time.monotonic()
                    with pytest.raises(TimeoutError) as caught:
                        await nb.aio.recv(source, timeout=0.1)
                    assert 0.05 < time.monotonic() - begin < 5
                    assert (type(caught.value), caught.value.code) == told[:2]
                    assert caught.value.errno == errno.ETIMEDOUT
        # A peer that takes nothing.
        left, right = nonblocking(*socket.socketpair())
        noise = np.frombuffer(np.random.default_rng(1).bytes(4 << 20), "u4")
        with left, right:
            assert (await refusal_of(nb.aio.send(left, noise, "fast", timeout=0.1)))[1] == "io"
        reader, writer, other = await streams()
        noise = np.frombuffer(np.random.default_rng(1).bytes(16 << 20), "u4")
        with pytest.raises(TimeoutError):
            await nb.aio.send(writer, noise, "fast", timeout=0.1)
        writer.transport.abort()
        other.transport.abort()

    finish(main())


def test_a_peer_that_is_gone_is_the_same_error():
    async def main():
        left, right = nonblocking(*socket.socketpair())
        right.close()
        with left:
            told = await refusal_of(nb.aio.send(left, NUMBERS, "fast"))
        left, right = socket.socketpair()
        right.close()
        with left:
            assert told == refusal(lambda: nb.send(left, NUMBERS, "fast"))
        assert issubclass(told[0], BrokenPipeError)
        reader, writer, other = await streams()
        other.transport.abort()
        noise = np.frombuffer(np.random.default_rng(1).bytes(16 << 20), "u4")
        with pytest.raises(ConnectionError) as caught:
            await nb.aio.send(writer, noise, "fast", timeout=WAIT)
        assert isinstance(caught.value, nb.NdbytesError)

    finish(main())


# How it goes on.


def test_the_loop_goes_on_while_threads_compress_and_decode():
    rng = np.random.default_rng(2)
    array = rng.integers(0, 1000, 2_000_000).cumsum()

    async def main():
        beats = 0

        async def beat():
            nonlocal beats
            while True:
                await asyncio.sleep(0.001)
                beats += 1

        left, right = nonblocking(*socket.socketpair())
        heart = asyncio.create_task(beat())
        with left, right:
            sending = asyncio.create_task(nb.aio.send(left, array, "zstd-17", timeout=WAIT))
            assert same(await nb.aio.recv(right, timeout=WAIT), array)
            await sending
        heart.cancel()
        assert beats > 20

    finish(main())


def test_what_is_cancelled_ends_at_once_and_in_order():
    rng = np.random.default_rng(3)
    array = rng.integers(0, 1000, 1_000_000).cumsum()
    frame = nb.dumps(array, "zstd")

    async def main():
        for wait in (0, 0.002, 0.02, 0.1):
            left, right = nonblocking(*socket.socketpair())
            with left, right:
                sending = asyncio.create_task(nb.aio.send(left, array, "zstd"))
                await asyncio.sleep(wait)
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
            reader = asyncio.StreamReader()
            reader.feed_data(frame[: len(frame) * 2 // 3])
            receiving = asyncio.create_task(nb.aio.recv(reader))
            await asyncio.sleep(wait)
            receiving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await receiving
            reader = asyncio.StreamReader()
            reader.feed_data(frame[: len(frame) * 2 // 3])
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(wait):
                    await nb.aio.recv(reader)

    finish(main())


def test_an_array_that_changes_its_shape_meanwhile_is_refused():
    array = np.frombuffer(np.random.default_rng(1).bytes(32 << 20), "u4").copy()

    async def main():
        left, right = nonblocking(*socket.socketpair())
        with left, right:
            sending = asyncio.create_task(nb.aio.send(left, array, "fast", timeout=WAIT))
            await asyncio.sleep(0.05)
            with warnings.catch_warnings(action="ignore"):
                array.shape = (1024, -1)
            loop = asyncio.get_running_loop()
            with contextlib.suppress(OSError):
                while not sending.done():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(loop.sock_recv(right, 1 << 20), 0.2)
            assert (await refusal_of(sending))[1] == "array.mismatch"

    finish(main())


GROWS = """
import asyncio, resource, sys
import numpy as np
import ndbytes as nb

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def fed(data):
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    try:
        await nb.aio.recv(reader)
    except nb.NdbytesError as error:
        return error.code

data = sys.stdin.buffer.read()
asyncio.run(fed(nb.dumps(np.zeros(1000), "zstd")))
before = peak()
code = asyncio.run(fed(data))
print(code, peak() - before)
"""


@pytest.mark.parametrize("family", [forge.RAW, forge.BLOSC, forge.PCO])
def test_memory_grows_as_bytes_arrive_and_not_as_they_are_promised(family):
    # The front of a frame of one chunk of 1 GiB, which promises a record of as many bytes.
    data = forge.header([1 << 30], [1 << 30], family) + struct.pack(
        "<II", forge.CHUNK, (1 << 30) + 4
    )
    child = start(GROWS, stdin=-1, stdout=-1)
    code, grown = child.communicate(data + bytes(1 << 20), timeout=WAIT)[0].split()
    assert code == b"frame.truncated"
    assert int(grown) < 40
