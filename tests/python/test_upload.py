"""Files that are written to `ndbytes serve --write`: whole or not at all, by who may."""

import base64
import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time

import numpy as np
import pytest

import ndbytes as nb
from servers import COMMAND, WAIT, serving

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)

WALK = np.random.default_rng(0).normal(size=(300, 200)).cumsum(0)


def put(host, target, body=b"", method="PUT", **headers):
    """Return status, headers and what was answered."""
    connection = http.client.HTTPConnection(host, timeout=WAIT)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body=body, headers=named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def code(answer):
    status, _, body = answer
    return status, json.loads(body)["code"]


def names(folder):
    """Return what is in a folder, also what is hidden."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def written(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder, "--write") as (host, _):
        yield folder, host


@pytest.mark.parametrize("codec", [None, "auto", "raw"])
def test_save_and_load(written, codec):
    folder, host = written
    url = f"http://{host}/files/a.bin"
    for array in (WALK, WALK.T, WALK[::2, ::-1], np.arange(3, dtype=">i2"), np.zeros((0, 4))):
        nb.save(url, array, codec=codec)
        assert np.array_equal(nb.load(url), array)
        assert np.array_equal(nb.load(folder / "a.bin"), array)
    assert names(folder) == ["a.bin"]


@pytest.mark.parametrize(
    ("save", "options"),
    [(nb.savez, {}), (nb.savez_compressed, {}), (nb.savez_compressed, {"level": 1, "threads": 2})],
)
def test_archives(written, save, options):
    folder, host = written
    url = f"http://{host}/files/a.npz"
    arrays = {"walk": WALK, "turned": WALK.T, "none": np.zeros((0, 4)), "x": np.arange(3.0)}
    save(url, **arrays, **options)
    save(folder / "b.npz", **arrays, **options)
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    with np.load(folder / "a.npz") as saved:
        assert {name: saved[name].tolist() for name in saved} == {
            name: array.tolist() for name, array in arrays.items()
        }
    save(nb.Remote(url), WALK + 1, **options)
    assert np.array_equal(nb.load(url)["arr_0"], WALK + 1)
    assert names(folder) == ["a.npz", "b.npz"]


def test_archives_of_noise_and_of_zstd(written):
    folder, host = written
    url = f"http://{host}/files/a.npz"
    noise = np.random.default_rng(1).bytes(9_000_000)
    array = np.frombuffer(noise, np.uint8)
    nb.savez_compressed(url, array, level=0)
    assert np.array_equal(np.load(folder / "a.npz")["arr_0"], array)
    with pytest.warns(UserWarning, match=r"Python 3\.14") as caught:
        nb.savez_compressed(url, WALK, codec="zstd")
    assert caught[0].filename == __file__
    assert np.array_equal(nb.load(url)["arr_0"], WALK)


def test_what_archives_cannot_be(written):
    folder, host = written
    url = f"http://{host}/files/a.npz"
    nb.savez(url, WALK)
    before = (folder / "a.npz").read_bytes()
    with pytest.raises(nb.ArgumentError, match="append needs the path of an archive"):
        nb.savez(url, more=WALK, append=True)
    with pytest.raises(nb.UnsupportedError, match="object"):
        nb.savez(url, np.array([None, 1]), allow_pickle=True)
    with pytest.raises(nb.NdbytesOSError, match="404|409"):
        nb.savez(f"http://{host}/files/no/a.npz", WALK)
    assert (folder / "a.npz").read_bytes() == before
    assert names(folder) == ["a.npz"]


def test_a_new_file_and_another_in_its_place(written):
    folder, host = written
    status, headers, body = put(host, "/files/a.npy", b"one")
    assert (status, body) == (201, b"")
    first = headers["etag"]
    status, headers, _ = put(host, "/files/a.npy", b"two")
    assert status == 204
    assert headers["etag"] != first
    assert (folder / "a.npy").read_bytes() == b"two"
    assert put(host, "/files/a.npy", method="GET")[1]["etag"] == headers["etag"]
    assert put(host, "/files/a%20%C3%A9", b"")[0] == 201
    assert (folder / "a é").read_bytes() == b""


def test_a_body_in_chunks(written):
    folder, host = written
    data = os.urandom(3_000_000)
    pieces = (data[i : i + 70_000] for i in range(0, len(data), 70_000))
    assert put(host, "/files/a", pieces)[0] == 201
    assert (folder / "a").read_bytes() == data


def test_conditions(written):
    folder, host = written
    assert code(put(host, "/files/a", b"x", If_Match="*")) == (412, "http.precondition")
    assert not (folder / "a").exists()
    status, headers, _ = put(host, "/files/a", b"one", If_None_Match="*")
    assert status == 201
    tag = headers["etag"]
    assert code(put(host, "/files/a", b"x", If_None_Match="*")) == (412, "http.precondition")
    assert code(put(host, "/files/a", b"x", If_Match='"other"')) == (412, "http.precondition")
    assert (folder / "a").read_bytes() == b"one"
    assert put(host, "/files/a", b"two", If_Match=tag)[0] == 204
    assert code(put(host, "/files/a", b"x", If_Match=tag)) == (412, "http.precondition")
    assert (folder / "a").read_bytes() == b"two"


def test_of_many_at_once_one_wins(written):
    folder, host = written
    tag = put(host, "/files/a", b"old")[1]["etag"]
    data = [bytes([i]) * 200_000 for i in range(12)]
    answers = []

    def send(i):
        answers.append((put(host, "/files/a", data[i], If_Match=tag)[0], i))

    threads = [threading.Thread(target=send, args=(i,)) for i in range(len(data))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)
    won = [i for status, i in answers if status == 204]
    assert len(won) == 1
    assert {status for status, _ in answers} == {204, 412}
    assert (folder / "a").read_bytes() == data[won[0]]


def test_a_digest_is_checked(written):
    folder, host = written
    data = os.urandom(100_000)
    for name, field in (("sha256", "sha-256"), ("sha512", "sha-512")):
        digest = base64.b64encode(hashlib.new(name, data).digest()).decode()
        for header in ("Repr_Digest", "Content_Digest"):
            assert put(host, "/files/a", data, **{header: f"{field}=:{digest}:"})[0] in (201, 204)
        flipped = data[:-1] + bytes([data[-1] ^ 1])
        answer = put(host, "/files/b", flipped, Repr_Digest=f"{field}=:{digest}:")
        assert code(answer) == (400, "http.digest")
    assert names(folder) == ["a"]


@pytest.mark.parametrize(
    ("target", "want"),
    [
        ("/files/", (405, "http.method")),
        ("/files/a/", (405, "http.method")),
        ("/files/../a", (400, "http.path")),
        ("/files/%2e%2e/a", (400, "http.path")),
        ("/files/a%2Fb", (400, "http.path")),
        ("/files/a%00", (400, "http.path")),
        ("/files/.hidden", (404, "http.not_found")),
        ("/files/no/a", (409, "http.conflict")),
        ("/files/file/a", (409, "http.conflict")),
        ("/files/sub", (409, "http.conflict")),
        ("/files/out/a", (409, "http.conflict")),
        ("/files/link", (409, "http.conflict")),
        ("/files/a?x=1", (400, "http.query")),
        ("/arrays/a", (405, "http.method")),
        ("/zarr/a/zarr.json", (405, "http.method")),
        ("/health", (405, "http.method")),
    ],
)
def test_no_way_out_and_no_other_place(written, target, want):
    folder, host = written
    outside = folder.parent / "outside"
    outside.mkdir()
    (folder / "sub").mkdir()
    (folder / "file").write_bytes(b"file")
    (folder / "out").symlink_to(outside)
    (folder / "link").symlink_to(outside / "new")
    before = names(folder)
    assert code(put(host, target, b"x")) == want
    assert names(folder) == before
    assert names(outside) == []


def test_below_a_folder_and_a_link_within(written):
    folder, host = written
    (folder / "sub").mkdir()
    (folder / "also").symlink_to("sub")
    assert put(host, "/files/sub/a", b"1")[0] == 201
    assert put(host, "/files/also/b", b"2")[0] == 201
    assert (folder / "sub" / "b").read_bytes() == b"2"


def test_what_is_no_file_is_refused(written):
    _, host = written
    assert code(put(host, "/files/a", b"x", Content_Range="bytes 0-0/2")) == (400, "http.body")
    assert code(put(host, "/files/a", b"x", Content_Encoding="gzip")) == (415, "http.body")
    assert code(put(host, "/files/a", b"x", method="POST"))[0] == 405
    assert code(put(host, "/files/a", method="DELETE"))[0] == 405


def test_without_the_option_nothing_is_written(tmp_path):
    with serving(tmp_path) as (host, _):
        answer = put(host, "/files/a", b"x")
        assert code(answer) == (405, "http.method")
        assert answer[1]["allow"] == "GET, HEAD, PROPFIND"
        with pytest.raises(nb.NdbytesOSError, match="405"):
            nb.save(f"http://{host}/files/a.npy", WALK)
    assert names(tmp_path) == []


def test_a_limit_of_bytes(tmp_path):
    with serving(tmp_path, "--write", "--max-upload", "1000") as (host, _):
        assert put(host, "/files/a", bytes(1000))[0] == 201
        assert code(put(host, "/files/b", bytes(1001))) == (413, "http.too_large")
        pieces = [bytes(600), bytes(600)]
        assert code(put(host, "/files/b", iter(pieces))) == (413, "http.too_large")
    assert names(tmp_path) == ["a"]


def begin(host, length, sent):
    """Send the header of a PUT, and so many bytes of its body."""
    name, port = host.split(":")
    peer = socket.create_connection((name, int(port)), timeout=WAIT)
    head = f"PUT /files/a HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n"
    peer.sendall(head.encode() + bytes(sent))
    return peer


@pytest.mark.parametrize("sent", [0, 1, 100_000, 2_999_999])
def test_a_body_that_breaks_off_leaves_nothing(written, sent):
    folder, host = written
    (folder / "a").write_bytes(b"old")
    with begin(host, 3_000_000, sent):
        time.sleep(0.2)
    deadline = time.monotonic() + WAIT
    while names(folder) != ["a"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert names(folder) == ["a"]
    assert (folder / "a").read_bytes() == b"old"
    assert put(host, "/files/b", b"others go on")[0] == 201


def test_who_sends_nothing_is_not_waited_for(tmp_path):
    with serving(tmp_path, "--write", "--write-timeout", "1") as (host, _):
        with begin(host, 1000, 10) as peer:
            answer = peer.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 408")
    assert names(tmp_path) == []


def test_a_server_that_is_killed_leaves_nothing(tmp_path):
    with serving(tmp_path, "--write") as (host, process):
        with begin(host, 3_000_000, 2_000_000):
            time.sleep(0.3)
            process.send_signal(signal.SIGKILL)
            process.wait(WAIT)
    hidden = names(tmp_path)
    # Where files have no name until they are whole, there is not even that.
    assert all(name.startswith(".") for name in hidden)


def test_a_full_disk_is_told(tmp_path):
    limited = ["prlimit", "--fsize=1000000", str(COMMAND)]
    command = [
        *limited,
        "serve",
        str(tmp_path),
        "--listen",
        "127.0.0.1:0",
        "--log",
        "off",
        "--write",
    ]
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    except FileNotFoundError:
        pytest.skip("prlimit is not installed")
    try:
        host = process.stdout.readline().strip().removeprefix("http://").rstrip("/")
        (tmp_path / "a").write_bytes(b"old")
        assert code(put(host, "/files/a", bytes(3_000_000))) == (507, "http.storage")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert names(tmp_path) == ["a"]
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


def test_tokens_of_either_scope(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    tokens = tmp_path / "tokens"
    names_of = {"reader": "read", "writer": "write", "both": "read,write"}
    tokens.write_text("".join(f"{n} {s} {n}-0123456789abcdef\n" for n, s in names_of.items()))
    with serving(folder, "--write", "--tokens", tokens) as (host, _):
        url = f"http://{host}/files/a.npy"

        def remote(name):
            return nb.Remote(url, token=f"{name}-0123456789abcdef", retries=0)

        for name in ("reader", "nobody"):
            with pytest.raises(PermissionError):
                nb.save(remote(name), WALK)
        with pytest.raises(PermissionError):
            nb.save(url, WALK)
        assert names(folder) == []
        nb.save(remote("writer"), WALK)
        with pytest.raises(PermissionError):
            nb.load(remote("writer"))
        assert np.array_equal(nb.load(remote("reader")), WALK)
        nb.save(remote("both"), WALK + 1)
        assert np.array_equal(nb.load(remote("both")), WALK + 1)


def test_progress_and_its_end(written):
    folder, host = written
    url = f"http://{host}/files/a.npy"
    big = np.arange(4_000_000.0)
    told = []
    nb.save(url, big, progress=lambda *args: told.append(args))
    total = (folder / "a.npy").stat().st_size
    assert told[-1] == (total, total)
    assert told == sorted(told)
    told.clear()
    nb.savez(f"http://{host}/files/a.npz", big, progress=lambda *args: told.append(args))
    total = (folder / "a.npz").stat().st_size
    assert told[-1] == (total, total)
    assert told == sorted(told)

    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    with pytest.raises(Enough):
        nb.save(url, big + 1, progress=stop)
    assert np.array_equal(nb.load(url), big)
    with pytest.raises(Enough):
        nb.savez(f"http://{host}/files/a.npz", big + 1, progress=stop)
    assert np.array_equal(nb.load(f"http://{host}/files/a.npz")["arr_0"], big)


def test_who_is_refused_learns_why(tmp_path):
    with serving(tmp_path, "--write") as (host, _):
        # Far more than fits between the two.
        with pytest.raises(nb.NdbytesOSError, match="409"):
            nb.save(nb.Remote(f"http://{host}/files/no/a.npy", retries=0), np.zeros(20_000_000))
        assert code(put(host, "/files/no/a", bytes(900_000))) == (409, "http.conflict")
    assert names(tmp_path) == []


def test_by_curl(written, tmp_path):
    folder, host = written
    nb.save(tmp_path / "a.npy", np.arange(500_000.0))
    command = ["curl", "-fsS", "-T", str(tmp_path / "a.npy"), f"http://{host}/files/"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=WAIT, check=False)
    except FileNotFoundError:
        pytest.skip("curl is not installed")
    assert done.returncode == 0, done.stderr
    assert (folder / "a.npy").read_bytes() == (tmp_path / "a.npy").read_bytes()
