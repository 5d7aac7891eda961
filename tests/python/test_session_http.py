"""Links over HTTP: what is sent to a folder of `ndbytes serve`, and what its files give."""

import asyncio
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPE_IDS, DTYPES, layouts, quietly, same
from servers import COMMAND, serving
from sockets import WAIT

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")


@pytest.fixture
def served(tmp_path):
    """Give a folder that can be written to, and the URL of its streams."""
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder, "--write") as (netloc, _):
        yield folder, f"http://{netloc}/stream/"


def connect(url, **options):
    return nb.connect(url, timeout=WAIT, **options)


def send(link, *items):
    """Send arrays, and hear that they have arrived; whichever call does may be told why not."""
    for item in items:
        link.send(*item)
    link.close()


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPE_IDS)
def test_every_dtype_there_and_back(served, dtype):
    folder, url = served
    sent = {f"{name} {i}": a for i, (name, a) in enumerate(layouts(dtype))}
    with connect(url) as link:
        for name, array in sent.items():
            quietly(link.send, array, name)
    quietly(nb.savez, folder / "all.npz", **sent)
    with connect(url + "all.npz") as link:
        received = {item.name: item.array for item in link.items()}
    assert list(received) == list(sent)
    for name, array in sent.items():
        assert same(quietly(nb.load, folder / f"{name}.npy"), array)
        assert same(received[name], array)


def test_numpy_reads_what_was_sent(served):
    folder, url = served
    arrays = [np.arange(12.0).reshape(3, 4).T, np.array("2026-01-01", "M8[D]"), np.zeros((0, 2))]
    with connect(url) as link:
        for i, array in enumerate(arrays):
            link.send(array, f"a{i}", codec=[None, "fast", "adaptive"][i])
    for i, array in enumerate(arrays):
        assert same(np.load(folder / f"a{i}.npy"), array)


def test_what_is_synchronized_is_there(served):
    folder, url = served
    with connect(url) as link:
        for i in range(3):
            link.send(np.full(1000, i), f"step {i}")
            link.sync()
            assert np.load(folder / f"step {i}.npy")[0] == i
        link.send(np.zeros(3), "last", more=True)
        link.flush()
    assert (folder / "last.npy").exists()


def test_a_link_goes_one_way(served):
    folder, url = served
    nb.save(folder / "a.npy", np.arange(5))
    link = connect(url + "a.npy")
    assert link.recv().tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(nb.UnsupportedError, match="one way"):
        link.send(np.zeros(3), "x")
    with pytest.raises(EOFError):
        link.recv()
    link.close()
    # One that nothing was asked of asks nothing.
    with connect(url + "nothing.npy"):
        pass
    out = np.empty(5, int)
    with connect(url + "a.npy") as link:
        assert link.recv(out) is out
    assert out[4] == 4


def test_one_that_is_left_early_is_no_error(served):
    folder, url = served
    nb.savez(folder / "a.npz", x=np.zeros(1 << 20), y=np.zeros(1 << 20))
    with connect(url + "a.npz") as link:
        assert link.recv_item().name == "x"


@pytest.mark.parametrize(
    ("where", "name", "error", "said"),
    [
        ("no/", "a", FileNotFoundError, "404"),
        ("", "a/b", OSError, "no name that a file may have"),
        ("", None, OSError, "without a name"),
        ("", "twice", OSError, "came before"),
    ],
)
def test_what_is_refused_is_told(served, where, name, error, said):
    folder, url = served
    link = connect(url + where)
    with pytest.raises(error, match=said):
        send(link, (np.zeros(3), name), (np.zeros(3), name))
    files = {path.name for path in folder.iterdir()}
    assert files == ({"twice.npy"} if name == "twice" else set())


def test_metadata_is_not_lost_without_a_word(served):
    folder, url = served
    link = connect(url)
    with pytest.raises(OSError, match="metadata has no place"):
        send(link, (np.zeros(3), "a", {"step": 1}))
    assert list(folder.iterdir()) == []


def test_without_write_nothing_is_written(tmp_path):
    with serving(tmp_path) as (netloc, _):
        link = connect(f"http://{netloc}/stream/")
        with pytest.raises(OSError, match="405"):
            send(link, (np.zeros(3), "a"))
    assert list(tmp_path.iterdir()) == []


def test_urls_are_looked_at_before_anything_is_asked():
    for url in ("http://", "http://a b/", "http://a:b/", "http://a/\r\nX: y", "http://u@a/"):
        with pytest.raises(nb.ArgumentError):
            nb.connect(url)
    with pytest.raises(nb.ArgumentError, match="ndbytes serve"):
        nb.listen("http://127.0.0.1:0/")
    with pytest.raises(nb.ArgumentError, match="not encrypted"):
        nb.connect("http://192.0.2.1/", token="x" * 16, timeout=1)
    with pytest.raises(ConnectionError):
        nb.connect("http://127.0.0.1:9/").recv()
    with pytest.raises(ConnectionError):
        nb.connect("http://127.0.0.1:9/").send(np.zeros(3), "a")


def test_a_server_that_is_killed_is_a_cut(tmp_path):
    a = np.random.default_rng(0).random(1 << 22)
    nb.save(tmp_path / "a.npy", a)
    with serving(tmp_path, "--write") as (netloc, process):
        url = f"http://{netloc}/stream/"
        link = connect(url + "a.npy")
        sender = connect(url)
        sender.send(np.zeros(3), "there")
        sender.sync()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises((nb.TruncatedError, ConnectionError)):
            link.recv()
        with pytest.raises((nb.TruncatedError, ConnectionError)):
            send(sender, (a, "b"))
    assert {path.name for path in tmp_path.iterdir()} == {"a.npy", "there.npy"}


def test_a_sender_that_is_killed_leaves_what_was_whole(served, tmp_path):
    folder, url = served
    script = tmp_path / "send.py"
    script.write_text(
        "import sys, time, numpy as np, ndbytes as nb\n"
        "link = nb.connect(sys.argv[1])\n"
        "link.send(np.arange(10), 'whole')\n"
        "link.sync()\n"
        "print('there', flush=True)\n"
        "link.send(np.zeros(1 << 27), 'large')\n"
    )
    process = subprocess.Popen([sys.executable, script, url], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"there\n"
    time.sleep(0.02)
    process.kill()
    process.communicate(timeout=WAIT)
    deadline = time.monotonic() + WAIT
    while {path.name for path in folder.iterdir() if path.name[0] == "."}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert np.load(folder / "whole.npy").tolist() == list(range(10))
    large = folder / "large.npy"
    assert not large.exists() or np.load(large).shape == (1 << 27,)


def test_asyncio(served):
    folder, url = served

    async def main():
        async with await nb.aio.connect(url) as link:
            await link.send(np.arange(4), "a")
        async with await nb.aio.connect(url + "a.npy") as link:
            return [array.tolist() async for array in link]

    assert asyncio.run(main()) == [[0, 1, 2, 3]]
    assert (folder / "a.npy").exists()


def run(*args):
    return subprocess.run(
        [COMMAND, *args], capture_output=True, text=True, timeout=WAIT, check=False
    )


def test_the_command_sends_and_receives(served, tmp_path):
    folder, url = served
    a, b = np.arange(6).reshape(2, 3), np.zeros(4, "u1")
    nb.save(tmp_path / "one.npy", a)
    nb.savez(tmp_path / "two.npz", x=a, y=b)
    nb.save(tmp_path / "three.ndb", b, codec="fast")
    (tmp_path / "many.npy").write_bytes(nb.dumps(a) + nb.dumps(b))
    nb.save(tmp_path / "many_1.npy", a)
    names = ("one.npy", "two.npz", "three.ndb", "many.npy", "many_1.npy")
    files = [tmp_path / name for name in names]
    done = run("send", *files, url)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in folder.iterdir()}
    assert names == {f"{n}.npy" for n in ("one", "x", "y", "three", "many", "many_1", "many_1_1")}
    assert same(np.load(folder / "many_1.npy"), b)

    nb.savez(folder / "two.npz", x=a, y=b)
    done = run("recv", url + "two.npz", "--out", tmp_path / "back.npz")
    assert done.returncode == 0, done.stderr
    back = np.load(tmp_path / "back.npz")
    assert same(back["x"], a)
    assert same(back["y"], b)
    done = run("recv", url + "no.npz", "--out", tmp_path / "no.npz")
    assert done.returncode == 2
    assert "404" in done.stderr
    assert not (tmp_path / "no.npz").exists()
    nb.savez(tmp_path / "deep.npz", **{"a": a, "b/c": a})
    done = run("send", tmp_path / "deep.npz", url)
    assert done.returncode == 2
    assert "b/c" in done.stderr
    assert not (folder / "a.npy").exists()
    nb.savez(tmp_path / "empty.npz")
    assert run("send", tmp_path / "empty.npz", url).returncode == 0
    assert run("send", tmp_path / "empty.npz", url + "no/").returncode == 2
    assert run("send", tmp_path / "empty.npz", "http://127.0.0.1:9/").returncode == 2
    done = run("send", tmp_path / "one.npy", url + "no/")
    assert done.returncode == 2
    assert "404" in done.stderr


@pytest.mark.parametrize("token", [None, "reader-0123456789", "writer-0123456789"])
def test_tokens_and_certificates(tmp_path, certificate, token):
    tokens = tmp_path / "tokens"
    tokens.write_text("a read reader-0123456789\nb write writer-0123456789\n")
    folder = tmp_path / "served"
    folder.mkdir()
    cert, key = certificate
    args = ["--write", "--tokens", tokens, "--cert", cert, "--key", key]
    with serving(folder, *args) as (netloc, _):
        url = f"https://{netloc.replace('127.0.0.1', 'localhost')}/stream/"
        with pytest.raises(PermissionError, match="(?i)certificate"):
            send(connect(url, token=token), (np.zeros(3), "a"))
        link = connect(url, token=token, authorities=cert)
        if token == "writer-0123456789":
            link.send(np.arange(3), "a")
            link.close()
            assert np.load(folder / "a.npy").tolist() == [0, 1, 2]
            return
        with pytest.raises(PermissionError):
            send(link, (np.zeros(3), "a"))
        assert list(folder.iterdir()) == []
        nb.save(folder / "a.npy", np.arange(3))
        link = connect(url + "a.npy", token=token, authorities=cert)
        if token:
            assert link.recv().tolist() == [0, 1, 2]
        else:
            with pytest.raises(PermissionError, match="401"):
                link.recv()
