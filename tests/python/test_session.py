"""Links and listeners: what arrives, what is told when it does not, and who is let in."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPE_IDS, DTYPES, layouts, quietly, same
from processes import python, start
from sockets import WAIT, running

COMMAND = Path(__file__).parents[2] / "target" / "release" / "ndbytes"
with_command = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")


@contextlib.contextmanager
def pair(address="tcp://127.0.0.1:0", listening=(), connecting=()):
    """Give a link and its peer."""
    listening, connecting = (
        {"timeout": WAIT, **dict(listening)},
        {"timeout": WAIT, **dict(connecting)},
    )
    with nb.listen(address, **listening) as listener:
        found = []
        there = listener.address.replace("127.0.0.1", "localhost")
        with running(lambda: found.append(nb.connect(there, **connecting))):
            peer = listener.accept(WAIT)
        yield found[0], peer


@pytest.mark.parametrize("name", DTYPE_IDS)
def test_arrays_arrive_as_they_were(name):
    with pair() as (link, peer):
        for layout, array in layouts(DTYPES[name]):
            quietly(link.send, array, layout, more=True)
            quietly(link.send, array, codec="fast")
            item = peer.recv_item()
            assert item.name == layout
            assert same(item.array, array), layout
            assert same(peer.recv(), array), layout
        with running(link.close), pytest.raises(nb.EndOfStreamError):
            peer.recv()


def test_names_and_metadata_come_along():
    with pair() as (link, peer):
        link.send([1, 2], "ein Name ☃", {"step": 3, "of": [1.5, None, {"a": True}]})
        item = peer.recv_item()
        assert item.name == "ein Name ☃"
        assert item.meta == {"step": 3, "of": [1.5, None, {"a": True}]}
        assert item.array.tolist() == [1, 2]
        link.send([3])
        assert peer.recv_item()[1:] == (None, None)
        exact = {"seed": 2**64 + 1, "float": 0.1, "tiny": 5e-324}
        link.send([3], meta=exact)
        assert peer.recv_item().meta == exact
        with pytest.raises(nb.NdbytesError, match="too long"):
            link.send([1], "x" * 70_000)
        with pytest.raises(ValueError):
            link.send([1], meta={"nan": float("nan")})
        with pytest.raises(TypeError):
            link.send([1], meta={"set": {1}})
        with pytest.raises(nb.UnsupportedError):
            link.send(np.array([None]))
        # None of these sent anything.
        link.send([4])
        assert peer.recv().tolist() == [4]


def test_an_array_may_be_received_into_another():
    with pair() as (link, peer):
        out = np.zeros((3, 4), order="F")
        link.send(np.arange(12.0).reshape(3, 4))
        assert peer.recv(out) is out
        assert out.tolist() == np.arange(12.0).reshape(3, 4).tolist()
        link.send(np.arange(5))
        with pytest.raises(nb.MismatchError):
            peer.recv(out)
        # What came of the array cannot be told from what follows.
        with pytest.raises(nb.NdbytesError):
            peer.recv()


def test_a_sender_knows_what_has_arrived():
    with pair(connecting={"timeout": 0.3}) as (link, peer):
        link.send([1])
        with pytest.raises(TimeoutError):
            link.sync()
        assert peer.recv().tolist() == [1]
        link.sync()
        # Who does something else after it has come does not hold up who sent it.
        link.send([2])
        peer.recv()
        link.sync()


def test_what_is_done_is_acknowledged_where_that_is_wanted():
    with pair(listening={"ack": False}, connecting={"timeout": 0.4}) as (link, peer):
        link.send([1])
        peer.recv()
        with pytest.raises(TimeoutError):
            link.sync()
        peer.ack()
        link.sync()


def test_many_small_arrays_leave_together():
    with pair() as (link, peer):

        def send_all():
            for i in range(5000):
                link.send(np.full(4, i), str(i), more=True)
            link.close()

        with running(send_all):
            seen = [(int(item.array[0]), item.name) for item in peer.items()]
        assert seen == [(i, str(i)) for i in range(5000)]


def test_both_directions_at_once():
    big = np.arange(1 << 20)
    with pair() as (link, peer):

        def work(own):
            with running(lambda: [own.send(big) for _ in range(8)]):
                for _ in range(8):
                    assert np.array_equal(own.recv(), big)

        with running(work, peer):
            work(link)


def test_a_cut_is_no_end():
    with pair() as (link, peer):
        link.send([1])
        link.abort()
        assert peer.recv().tolist() == [1]
        with pytest.raises(nb.TruncatedError) as caught:
            peer.recv()
        assert caught.value.code == "stream.cut"
    with pair() as (link, peer):
        with contextlib.suppress(KeyError), link:
            raise KeyError
        with pytest.raises(nb.TruncatedError):
            list(peer)


def test_a_sender_that_is_killed_is_told_from_one_that_ends():
    code = """
import sys, time, numpy as np, ndbytes as nb
link = nb.connect(sys.argv[1])
link.send(np.arange(10))
link.sync()
print("sent", flush=True)
time.sleep(60)
"""
    with nb.listen("tcp://127.0.0.1:0", timeout=WAIT) as listener:
        process = start(code, listener.address, stdout=subprocess.PIPE)
        link = listener.accept(WAIT)
        assert link.recv().size == 10
        assert process.stdout.readline() == b"sent\n"
        process.kill()
        process.communicate(timeout=WAIT)
        with pytest.raises(nb.TruncatedError):
            link.recv()


def test_a_receiver_that_is_gone_is_told_to_who_closes():
    with pair() as (link, peer):
        link.send(np.zeros(1 << 12))
        peer.abort()
        with pytest.raises((nb.TruncatedError, ConnectionError)):
            link.close()


NUMPY_PEER = """
import socket
import sys

host, port = sys.argv[1].split("//")[1].rsplit(":", 1)
sock = socket.create_connection((host, int(port)))
for _ in range(3):
    send(sock, 2 * recv(sock))
"""


def numpys_two_lines():
    """Give `send` and `recv` of NumPy and the standard library alone, as the docs show them."""
    text = (Path(__file__).parents[2] / "docs" / "spec" / "stream.md").read_text()
    section = text.split("## A peer with nothing but NumPy")[1]
    lines = section.split("```python\n")[1].split("```")[0]
    assert "ndbytes" not in lines
    return lines


def test_a_peer_with_nothing_but_numpy():
    with nb.listen("tcp://127.0.0.1:0", timeout=WAIT) as listener:
        with start(numpys_two_lines() + NUMPY_PEER, listener.address) as process:
            link = listener.accept(WAIT)
            for shape in [(3, 4), (1,), (0, 2)]:
                link.send(np.asfortranarray(np.ones(shape)))
                assert same(link.recv(), 2 * np.ones(shape))
            with pytest.raises(nb.UnsupportedError, match="arrays alone"):
                link.send([1], "name")
            with pytest.raises(nb.EndOfStreamError):
                link.recv()
            assert process.wait(WAIT) == 0
    # And one that listens.
    with socket.create_server(("127.0.0.1", 0)) as server:
        with nb.connect(f"tcp://127.0.0.1:{server.getsockname()[1]}", plain=True) as link:
            link.send(np.arange(3))
            accepted, _ = server.accept()
            with accepted:
                assert nb.recv(accepted).tolist() == [0, 1, 2]
                nb.send(accepted, np.arange(4))
                assert link.recv().tolist() == [0, 1, 2, 3]


def test_functions_of_sockets_talk_to_listeners():
    with nb.listen("tcp://127.0.0.1:0", timeout=WAIT) as listener:
        host, port = listener.address[6:].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as sock:
            link = listener.accept(WAIT)
            nb.send(sock, np.arange(3))
            nb.send(sock, np.arange(4), "fast")
            assert [a.size for a in (link.recv(), link.recv())] == [3, 4]
            link.send([7])
            assert nb.recv(sock).tolist() == [7]
        assert list(link) == []


@pytest.mark.parametrize("kind", ["unix", "tls", "quic"])
def test_other_transports(kind, certificate, tmp_path):
    address = f"unix://{tmp_path}/socket" if kind == "unix" else f"{kind}://127.0.0.1:0"
    listening, connecting = {"timeout": WAIT}, {"timeout": WAIT}
    if kind != "unix":
        listening |= dict(zip(("cert", "key"), certificate, strict=True))
        connecting |= {"authorities": certificate[0]}
    big = np.random.default_rng(0).random(1 << 20)

    def serve(listener):
        with listener.accept(WAIT) as link:
            for item in link.items():
                link.send(item.array, item.name)

    def refuse(listener):
        with contextlib.suppress(TimeoutError):
            link = listener.accept(1)
            with pytest.raises(OSError):
                link.recv()

    with nb.listen(address, **listening) as listener, running(serve, listener):
        there = listener.address.replace("127.0.0.1", "localhost")
        with nb.connect(there, **connecting) as link:
            for name in ("a", "b"):
                link.send(big, name)
                item = link.recv_item()
                assert item.name == name
                assert np.array_equal(item.array, big)
        if kind != "unix":
            with running(refuse, listener), pytest.raises(PermissionError, match="(?i)certificate"):
                nb.connect(there, timeout=5)


linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is shared on Linux")


def shared_mappings(process):
    """Return the names of the files of which a process shares a MiB or more."""
    names = []
    for line in Path(f"/proc/{process}/maps").read_text().splitlines():
        place, access, _, _, _, *name = line.split(maxsplit=5)
        start, end = (int(address, 16) for address in place.split("-"))
        if access.endswith("s") and end - start >= 1 << 20:
            names += name
    return names


@linux
@pytest.mark.parametrize("name", DTYPE_IDS)
def test_memory_is_handed_over(name, tmp_path):
    with pair(f"unix://{tmp_path}/s") as (link, peer):
        for layout, array in layouts(DTYPES[name]):
            quietly(link.share, array, layout, {"a": 1})
            item = peer.recv_item()
            assert (item.name, item.meta) == (layout, {"a": 1})
            assert same(item.array, array), layout
            assert not item.array.flags.writeable
        link.send([1])
        assert peer.recv().tolist() == [1]
        with running(link.close):
            assert list(peer) == []


@linux
def test_shared_memory_is_the_same_and_lasts(tmp_path):
    with pair(f"unix://{tmp_path}/s") as (link, peer):
        mine = nb.shared_empty((2, 3), "i4", order="F")
        assert mine.flags.f_contiguous
        assert not mine.any()
        link.share(mine, "a")
        mine[1, 2] = 7
        theirs = peer.recv()
        mine[0, 1] = 5
        assert theirs.tolist() == [[0, 5, 0], [0, 0, 7]]
        # Handed on, and back.
        peer.share(theirs)
        again = link.recv()
        mine[0, 0] = 3
        assert again[0, 0] == 3
        # A part is copied.
        link.share(mine[:1])
        mine[0, 0] = 4
        assert peer.recv()[0, 0] == 3
        out = np.zeros((2, 3), "i4")
        link.share(mine)
        assert peer.recv(out) is out
        assert out[0, 0] == 4
        # What came while something else was waited for.
        link.share(mine)
        peer.send([1])
        with running(peer.sync):
            assert link.recv().tolist() == [1]
        assert same(peer.recv(), mine)
        del theirs, again, mine


@linux
def test_no_memory_and_no_descriptor_is_left(tmp_path):
    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    before = descriptors(), len(shared_mappings("self"))
    with pair(f"unix://{tmp_path}/s") as (link, peer):
        for _ in range(20):
            array = nb.shared_empty(4 << 20)
            array[:] = 1
            link.share(array)
            assert peer.recv()[-1] == 1
            del array
    del link, peer
    # Those of tests before may go meanwhile.
    assert descriptors() <= before[0]
    assert len(shared_mappings("self")) <= before[1]


@linux
def test_memory_outlives_who_made_it(tmp_path):
    code = """
import sys, time, ndbytes as nb
with nb.connect(sys.argv[1]) as link:
    array = nb.shared_empty(1 << 28)  # 2 GiB, of which one page is there
    array[-1] = 5
    link.share(array)
    time.sleep(60)
"""
    with nb.listen(f"unix://{tmp_path}/s", timeout=WAIT) as listener:
        process = start(code, listener.address)
        link = listener.accept(WAIT)
        begin = time.monotonic()
        array = link.recv()
        assert time.monotonic() - begin < WAIT
        process.kill()
        process.wait(WAIT)
        assert array.nbytes == 2 << 30
        assert array[-1] == 5
        with pytest.raises(nb.TruncatedError):
            link.recv()
    with pair() as (link, _), pytest.raises(nb.UnsupportedError, match="unix"):
        link.share([1])
    with pytest.raises(nb.UnsupportedError):
        nb.shared_empty(3, object)
    with pytest.raises(ValueError):
        nb.shared_empty((2, -1))


@linux
def test_memory_has_no_name_that_could_outlive_who_holds_it(tmp_path):
    giver = """
import sys, time, ndbytes as nb
with nb.connect(sys.argv[1]) as link:
    array = nb.shared_empty(1 << 25)
    array[:] = 1
    link.share(array)
    link.recv()
"""
    holder = """
import sys, time, ndbytes as nb
with nb.listen(sys.argv[1]) as listener, listener.accept() as link:
    array = link.recv()
    print(int(array.sum()), flush=True)
    time.sleep(60)
"""

    address = f"unix://{tmp_path}/s"
    processes = [start(holder, address, stdout=subprocess.PIPE, text=True)]
    try:
        while not os.path.exists(f"{tmp_path}/s"):
            assert processes[0].poll() is None
            time.sleep(0.01)
        processes.append(start(giver, address))
        assert processes[0].stdout.readline().strip() == str(1 << 25)
        for process in processes:
            # Memory without a name in any file system is gone with the last who holds it.
            names = shared_mappings(process.pid)
            assert names
            assert all(name.startswith("/memfd:") for name in names)
            assert all(name.endswith(" (deleted)") for name in names)
    finally:
        for process in processes:
            process.kill()
            process.communicate(timeout=WAIT)


def test_tokens_are_asked_for(tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("alice read,write 0123456789abcdef\nbob read fedcba9876543210\n")
    with nb.listen("tcp://127.0.0.1:0", tokens=tokens, timeout=WAIT) as listener:
        for token, may in [("0123456789abcdef", True), ("fedcba9876543210", False), (None, False)]:
            link = nb.connect(listener.address, token=token, timeout=WAIT)
            peer = listener.accept(WAIT)
            link.send([1])
            if may:
                assert peer.recv().tolist() == [1]
                continue
            with pytest.raises(PermissionError):
                peer.recv()
            with pytest.raises(PermissionError, match="refuses"):
                link.sync()
    with pytest.raises(nb.ArgumentError, match="insecure"):
        nb.listen("tcp://0.0.0.0:0")
    with pytest.raises(nb.ArgumentError, match="tls://"):
        nb.connect("tcp://192.0.2.1:1", token="0123456789abcdef")
    with pytest.raises(nb.ArgumentError, match="no address"):
        nb.connect("localhost:80")
    with pytest.raises(ConnectionRefusedError):
        nb.connect(listener.address)
    with pytest.raises(nb.ArgumentError, match="certificate"):
        nb.listen("tls://127.0.0.1:0")


def test_limits_are_told_to_both():
    with pair(listening={"max_bytes": 1000}) as (link, peer):
        link.send(np.zeros(126))
        with pytest.raises(nb.LimitError):
            peer.recv()
        with pytest.raises(OSError, match=r"limit\.bytes"):
            link.sync()
    with pair(listening={"max_connections": 1}) as (link, peer):
        link.send([1])
        assert peer.recv().tolist() == [1]


def test_silence_is_an_error():
    with nb.listen("tcp://127.0.0.1:0", timeout=0.2) as listener:
        with pytest.raises(TimeoutError, match="nobody"):
            listener.accept(0.05)
        link = nb.connect(listener.address, timeout=0.2)
        peer = listener.accept(WAIT)
        with pytest.raises(TimeoutError, match=r"0\.2 s"):
            peer.recv()
        with pytest.raises(nb.NdbytesError):
            link.recv()


def test_closing_wakes_who_waits():
    with nb.listen("tcp://127.0.0.1:0") as listener:
        threading.Timer(0.2, listener.close).start()
        with pytest.raises(nb.EndOfStreamError):
            listener.accept()
        with pytest.raises(nb.EndOfStreamError):
            listener.accept(0.1)
        assert list(listener) == []
    with pair() as (link, _):
        threading.Timer(0.2, link.abort).start()
        with pytest.raises(nb.NdbytesError):
            link.recv()


CALLS = {
    "accept": "nb.listen('tcp://127.0.0.1:0').accept()",
    "recv": "nb.connect(ADDRESS, timeout=None).recv()",
    "sync": "link = nb.connect(ADDRESS, timeout=None); link.send([1]); link.sync()",
    "send": "nb.connect(ADDRESS, timeout=None).send(np.zeros(1 << 24))",
    "close": "link = nb.connect(ADDRESS, timeout=None); link.send([1]); link.close()",
}


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_ends_a_wait(call):
    code = f"""
import sys, numpy as np, ndbytes as nb
ADDRESS = sys.argv[1]
print("ready", flush=True)
try:
    {CALLS[call]}
except KeyboardInterrupt:
    print("interrupted")
"""
    with nb.listen("tcp://127.0.0.1:0") as listener:
        process = start(code, listener.address, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        assert process.communicate(timeout=WAIT) == (b"interrupted\n", b"")
        assert time.monotonic() - begin < 5


def test_a_child_process_has_links_of_its_own():
    code = """
import os, sys, threading, ndbytes as nb
with nb.listen("tcp://127.0.0.1:0", timeout=20) as listener:
    def serve():
        for link in listener:
            for array in link:
                link.send(array)
            link.close()
    threading.Thread(target=serve, daemon=True).start()
    def ask():
        with nb.connect(listener.address, timeout=20) as link:
            link.send([1])
            link.sync()
            return link.recv().tolist()
    assert ask() == [1]
    child = os.fork()
    if child == 0:
        os._exit(0 if ask() == [1] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ask() == [1]
"""
    if sys.version_info >= (3, 12):
        code = "import warnings; warnings.simplefilter('ignore')\n" + code
    python(code)


def test_asyncio_has_the_same():
    big = np.arange(1 << 18)

    async def serve(listener):
        async for link in listener:
            asyncio.get_running_loop().create_task(echo(link))

    async def echo(link):
        async with link:
            async for item in link.items():
                await link.send(item.array, item.name, item.meta, "fast")

    async def ask(address, i):
        async with await nb.aio.connect(address, timeout=WAIT) as link:
            await link.send(big + i, f"n{i}", {"i": i})
            item = await link.recv_item()
            assert (item.name, item.meta) == (f"n{i}", {"i": i})
            assert np.array_equal(item.array, big + i)
            await link.sync()
            out = np.empty(3)
            await link.send(np.arange(3.0))
            assert await link.recv(out) is out

    async def main():
        async with await nb.aio.listen("tcp://127.0.0.1:0", timeout=WAIT) as listener:
            server = asyncio.create_task(serve(listener))
            await asyncio.wait_for(
                asyncio.gather(*(ask(listener.address, i) for i in range(20))), WAIT
            )
            # Who is cancelled ends the connection, and nothing else.
            link = await nb.aio.connect(listener.address, timeout=WAIT)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(link.recv(), 0.1)
            with pytest.raises(nb.NdbytesError):
                await link.recv()
            await ask(listener.address, 99)
        await asyncio.wait_for(server, WAIT)

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["tcp", "tls", "quic", "unix"])
def test_asyncio_over_every_transport(tmp_path, certificate, scheme):
    tokens = tmp_path / "tokens"
    tokens.write_text("alice read,write 0123456789abcdef\n")
    cert, key = certificate
    here = f"unix://{tmp_path}/s" if scheme == "unix" else f"{scheme}://127.0.0.1:0"
    secured = {"cert": cert, "key": key} if scheme in {"tls", "quic"} else {}
    trusts = {"authorities": cert} if secured else {}
    big = np.arange(1 << 20)

    async def serve(listener):
        async with await listener.accept() as link:
            async for item in link.items():
                await link.send(item.array, item.name)

    async def use(link):
        await link.send(big)
        await link.sync()

    async def main():
        async with await nb.aio.listen(here, tokens=tokens, timeout=WAIT, **secured) as listener:
            address = listener.address.replace("127.0.0.1", "localhost")
            server = asyncio.create_task(serve(listener))
            options = {"token": "0123456789abcdef", "timeout": WAIT, **trusts}
            async with await nb.aio.connect(address, **options) as link:
                await link.send(big, "big")
                item = await link.recv_item()
                assert item.name == "big"
                assert np.array_equal(item.array, big)
                if scheme == "unix" and sys.platform == "linux":
                    await link.share(big, "shared")
                    assert np.array_equal((await link.recv_item()).array, big)
                await link.sync()
            await asyncio.wait_for(server, WAIT)
            # A wrong token is refused, and says so.
            server = asyncio.create_task(serve(listener))
            link = await nb.aio.connect(address, **{**options, "token": "fedcba9876543210"})
            with pytest.raises(PermissionError):
                await use(link)
            with pytest.raises(nb.NdbytesError):
                await asyncio.wait_for(server, WAIT)

    asyncio.run(main())


def test_asyncio_loses_nobody_who_comes_while_it_is_cancelled():
    async def main():
        async with await nb.aio.listen("tcp://127.0.0.1:0", timeout=WAIT) as listener:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(listener.accept(), 0.05)
            links = [await nb.aio.connect(listener.address, timeout=WAIT) for _ in range(3)]
            for link in links:
                peer = await asyncio.wait_for(listener.accept(), WAIT)
                await link.send([1])
                assert (await peer.recv()).tolist() == [1]
                link.abort()

    asyncio.run(main())


@contextlib.contextmanager
def receiving(folder, *args):
    command = [COMMAND, "recv", "tcp://127.0.0.1:0", "--out", folder, "--timeout", "20", *args]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        yield process, process.stderr.readline().split()[-1]
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


@with_command
def test_links_and_the_command_understand_one_another(tmp_path):
    with receiving(tmp_path / "in") as (process, address):
        with nb.connect(address, timeout=WAIT) as link:
            link.send(np.arange(3), "a")
            link.send(np.arange(4), codec="fast")
        assert process.wait(WAIT) == 0
    assert [nb.load(path).size for path in sorted((tmp_path / "in").iterdir())] == [3, 4]
    nb.save(tmp_path / "b.npy", np.arange(5))
    with nb.listen("tcp://127.0.0.1:0", timeout=WAIT) as listener:
        sender = subprocess.Popen([COMMAND, "send", tmp_path / "b.npy", listener.address])
        with listener.accept(WAIT) as link:
            assert [array.tolist() for array in link] == [[0, 1, 2, 3, 4]]
        assert sender.wait(WAIT) == 0


@with_command
def test_files_of_one_name_are_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        nb.save(tmp_path / name / "x.npy", np.arange(3))
    with receiving(tmp_path / "in") as (_, address):
        command = [COMMAND, "send", tmp_path / "a/x.npy", tmp_path / "b/x.npy", address]
        done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT)
        assert done.returncode == 2
        assert "x.npy" in done.stderr
    assert os.listdir(tmp_path / "in") == []


@with_command
def test_a_full_disk_is_told_to_who_sends(tmp_path, full_disk):
    path = tmp_path / "big.npy"
    nb.save(path, np.zeros(1 << 18))
    with receiving(full_disk) as (receiver, address):
        done = subprocess.run(
            [COMMAND, "send", path, address], capture_output=True, text=True, timeout=WAIT
        )
        assert done.returncode == 2
        assert "No space" in done.stderr
        assert receiver.wait(WAIT) == 2


@with_command
def test_a_file_goes_on_after_either_side_was_killed(tmp_path):
    path, out = tmp_path / "big.npy", tmp_path / "in"
    part = out / ".big.npy.part"
    nb.save(path, np.random.default_rng(0).random(3 << 23))
    total, have = path.stat().st_size, 0

    def send(address):
        command = [COMMAND, "send", path, address, "--timeout", "20"]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    for i in range(6):
        with receiving(out) as (receiver, address):
            sender = send(address)
            while sender.poll() is None:
                if part.exists() and part.stat().st_size > have:
                    break
            (receiver if i % 2 else sender).kill()
            sender.communicate(timeout=WAIT)
            receiver.wait(WAIT)
            assert sender.returncode != 0
            assert receiver.returncode != 0
        assert os.listdir(out) == [part.name]
        assert have < part.stat().st_size < total
        have = part.stat().st_size
    for there in (have, total):
        with receiving(out) as (receiver, address):
            sender = send(address)
            said = sender.communicate(timeout=WAIT)[1]
            assert sender.returncode == 0, said
            assert f"{there} of {total} bytes were there" in said
            assert receiver.wait(WAIT) == 0
        assert os.listdir(out) == ["big.npy"]
        assert (out / "big.npy").read_bytes() == path.read_bytes()


@with_command
def test_a_sender_that_tries_again_gets_there(tmp_path):
    data = np.random.default_rng(0).random(3 << 21)
    path, out = tmp_path / "big.npy", tmp_path / "in"
    nb.save(path, data)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    sender = subprocess.Popen(
        [COMMAND, "send", path, address, "--retries", "20"], stderr=subprocess.PIPE, text=True
    )
    command = [COMMAND, "recv", address, "--out", out, "--keep"]
    for rest in [0.6, 0.7, 0.8, None]:
        receiver = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        if rest is None:
            break
        time.sleep(rest)
        receiver.kill()
        receiver.wait(WAIT)
    try:
        said = sender.communicate(timeout=60)[1]
        assert sender.returncode == 0, said
    finally:
        receiver.send_signal(signal.SIGINT)
        receiver.wait(WAIT)
    assert (out / "big.npy").read_bytes() == path.read_bytes()
    assert os.listdir(out) == ["big.npy"]


@with_command
def test_a_receiver_that_keeps_on_serves_several_at_once(tmp_path):
    out, path = tmp_path / "in", tmp_path / "a.npy"
    nb.save(path, np.arange(5))
    command = [COMMAND, "recv", "tcp://127.0.0.1:0", "--out", out, "--keep", "--timeout", "20"]
    receiver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = receiver.stderr.readline().split()[-1]
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        # One says half a word, and no more.
        with socket.create_connection((host, int(port))) as silent:
            silent.sendall(b"\x93NUM")
            begin = time.monotonic()
            with nb.connect(address) as first, nb.connect(address) as second:
                for i, link in enumerate([first, second, first]):
                    link.send(np.full(3, i))
                    assert link.sync() is None
            subprocess.run([COMMAND, "send", path, address], check=True, timeout=WAIT)
            assert time.monotonic() - begin < 10
    finally:
        receiver.send_signal(signal.SIGINT)
        receiver.communicate(timeout=WAIT)
    assert sorted(os.listdir(out)) == ["00000.npy", "00001.npy", "00002.npy", "a.npy"]
    assert [nb.load(out / f"0000{i}.npy").tolist() for i in range(3)] == [[i] * 3 for i in range(3)]


@with_command
def test_a_receiver_that_is_shut_down_finishes_what_has_begun(tmp_path):
    out = tmp_path / "in"
    command = [COMMAND, "recv", "tcp://127.0.0.1:0", "--out", out, "--keep", "--timeout", "20"]
    receiver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = receiver.stderr.readline().split()[-1]
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        message = nb.dumps(np.arange(10_000))
        with (
            nb.connect(address, timeout=WAIT) as idle,
            socket.create_connection((host, int(port)), WAIT) as busy,
        ):
            idle.send([1, 2])
            idle.sync()
            busy.sendall(message[:5000])
            time.sleep(0.3)
            receiver.send_signal(signal.SIGTERM)
            assert "what has begun is finished" in receiver.stderr.readline()
            with pytest.raises(nb.TruncatedError, match="ends the session") as caught:
                idle.recv()
            assert caught.value.code == "stream.closing"
            idle.abort()
            with pytest.raises(ConnectionRefusedError):
                nb.connect(address)
            assert receiver.poll() is None
            busy.sendall(message[5000:])
            assert busy.recv(1) == b""
        _, text = receiver.communicate(timeout=WAIT)
        assert receiver.returncode == 0, text
    finally:
        receiver.kill()
        receiver.communicate(timeout=WAIT)
    assert [nb.load(out / f"0000{i}.npy").size for i in range(2)] == [2, 10_000]


@with_command
@pytest.mark.parametrize("scheme", ["tcp", "unix"])
def test_what_comes_while_a_receiver_is_shut_down_is_right_or_not_there(tmp_path, scheme):
    out, address = tmp_path / "in", {"tcp": "tcp://127.0.0.1:0", "unix": f"unix://{tmp_path}/s"}
    command = [COMMAND, "recv", address[scheme], "--out", out, "--keep", "--timeout", "20"]
    receiver = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    acknowledged = []

    def produce(number):
        with contextlib.suppress(nb.NdbytesError), nb.connect(at, timeout=WAIT) as link:
            for step in range(100_000):
                link.send(np.full(30_000, 1000 * step + number))
                # The others do not wait.
                if number == 0:
                    link.sync()
                    acknowledged.append(1000 * step)

    try:
        at = receiver.stderr.readline().split()[-1]
        threads = [threading.Thread(target=produce, args=[number]) for number in range(4)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + WAIT
        while len(acknowledged) < 4:
            assert time.monotonic() < end
            time.sleep(0.01)
        receiver.send_signal(signal.SIGTERM)
        _, text = receiver.communicate(timeout=WAIT)
        assert receiver.returncode == 0, text
        for thread in threads:
            thread.join(WAIT)
            assert not thread.is_alive()
    finally:
        receiver.kill()
        receiver.communicate(timeout=WAIT)
    stored = {number: [] for number in range(4)}
    for name in sorted(os.listdir(out)):
        array = nb.load(out / name)
        assert array.size == 30_000
        assert (array == array[0]).all()
        stored[array[0] % 1000].append(array[0] // 1000)
    for steps in stored.values():
        assert sorted(steps) == list(range(len(steps)))
    assert [1000 * step for step in sorted(stored[0])] == acknowledged


@with_command
def test_the_second_signal_ends_a_receiver_at_once(tmp_path):
    command = [COMMAND, "recv", "tcp://127.0.0.1:0", "--out", tmp_path / "in", "--keep"]
    receiver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = receiver.stderr.readline().split()[-1]
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), WAIT) as busy:
            busy.sendall(nb.dumps(np.arange(10_000))[:5000])
            # They hear nothing, and are not waited for.
            idle = [nb.connect(address, timeout=WAIT) for _ in range(12)]
            for link in idle:
                link.send([1])
                link.sync()
            receiver.send_signal(signal.SIGINT)
            assert "again to end at once" in receiver.stderr.readline()
            begin = time.monotonic()
            receiver.send_signal(signal.SIGINT)
            receiver.communicate(timeout=WAIT)
            assert time.monotonic() - begin < 4
            for link in idle:
                link.abort()
        assert receiver.returncode == -signal.SIGINT
    finally:
        receiver.kill()
        receiver.communicate(timeout=WAIT)
    assert len(os.listdir(tmp_path / "in")) == 12


@with_command
@pytest.mark.parametrize("scheme", ["tls", "quic"])
def test_the_command_asks_for_certificates_and_tokens(tmp_path, certificate, scheme):
    (cert, key), tokens, path = certificate, tmp_path / "tokens", tmp_path / "a.npy"
    tokens.write_text(
        "sender write 0123456789abcdef\n"
        "reader read fedcba9876543210\n"
        "late write 0000111122223333 2001-01-01T00:00:00Z\n"
    )
    nb.save(path, np.arange(50_000))
    command = [COMMAND, "recv", f"{scheme}://127.0.0.1:0", "--out", tmp_path / "in", "--keep"]
    command += ["--timeout", "20", "--cert", cert, "--key", key, "--tokens", tokens]
    receiver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = receiver.stderr.readline().split()[-1].replace("127.0.0.1", "localhost")
        lines = []
        listening = threading.Thread(target=lambda: [*map(lines.append, receiver.stderr)])
        listening.start()

        def refused():
            # QUIC has no connection before hands are shaken.
            told = (f"from {scheme}://127.0.0.1:", "a handshake fails")
            return sum(any(text in line for text in told) for line in lines)

        def send(token, *trust):
            command = [COMMAND, "send", path, address, "--timeout", "20", *trust]
            if token is not None:
                (tmp_path / "token").write_text(token)
                command += ["--token", tmp_path / "token"]
            return subprocess.run(command, capture_output=True, text=True, timeout=WAIT)

        trust = ["--ca", cert]
        for token in [None, "0123456789abcdeF", "fedcba9876543210", "0000111122223333"]:
            done = send(token, *trust)
            assert done.returncode == 2, (token, done.stderr)
            assert "token" in done.stderr
        done = send("0123456789abcdef")
        assert done.returncode == 2
        assert "certificate" in done.stderr
        assert os.listdir(tmp_path / "in") == []
        done = send("0123456789abcdef", *trust)
        assert done.returncode == 0, done.stderr
        # A signal ends what is still to be told of.
        end = time.monotonic() + WAIT
        while refused() < 5 and time.monotonic() < end:
            time.sleep(0.01)
    finally:
        receiver.send_signal(signal.SIGINT)
        receiver.wait(WAIT)
        listening.join(WAIT)
        receiver.stdout.close()
        receiver.stderr.close()
    assert (tmp_path / "in" / "a.npy").read_bytes() == path.read_bytes()
    # Who was refused is told apart from the others.
    assert refused() == 5, lines
