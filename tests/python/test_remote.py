"""Files on HTTP servers: what is needed is fetched, whatever servers do."""

import contextlib
import functools
import http.server
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import ndbytes as nb
from processes import TIMEOUT, start
from servers import COMMAND
from servers import serving as serving_files

WALK = np.random.default_rng(0).normal(size=(1000, 500)).cumsum(0)


class Server(http.server.ThreadingHTTPServer):
    """Serves bytes by name; `faults` are called with the handler before it answers."""

    daemon_threads = True

    def __init__(self, **options):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.faults = []
        self.requests = []
        self.sent = 0
        self.ranges = True
        self.tags = True
        self.lock = threading.Lock()
        for name, value in options.items():
            setattr(self, name, value)

    def url(self, name, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request, client_address):
        """Say nothing: clients that break off are the point."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        with server.lock:
            server.requests.append((self.path, dict(self.headers.items())))
            fault = server.faults.pop(0) if server.faults else None
        if fault is not None and fault(self):
            return
        data = server.files.get(self.path.strip("/"))
        if data is None:
            self.answer(404, b"no such file")
            return
        tag = f'"{hash(data) & 0xFFFFFFFF:x}"'
        if server.tags and self.headers.get("if-match", tag) != tag:
            self.answer(412)
            return
        fields = {"ETag": tag} if server.tags else {}
        if server.ranges and (wanted := self.headers.get("range")):
            first, last = wanted.removeprefix("bytes=").split("-")
            first, last = int(first), min(int(last), len(data) - 1)
            if first >= len(data):
                self.answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
                return
            fields["Content-Range"] = f"bytes {first}-{last}/{len(data)}"
            self.answer(206, data[first : last + 1], fields)
            return
        self.answer(200, data, fields)

    def answer(self, status, body=b"", fields=None):
        self.send_response(status)
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        with self.server.lock:
            self.server.sent += len(body)


def archive(array, compressed):
    import io

    file = io.BytesIO()
    (nb.savez_compressed if compressed else nb.savez)(file, walk=array, other=np.arange(10))
    return file.getvalue()


@pytest.fixture
def server():
    with serving() as server:
        server.files = {
            "a.npy": nb.dumps(WALK),
            "f.npy": nb.dumps(np.asfortranarray(WALK)),
            "a.ndb": nb.dumps(WALK, "zstd", chunks=(100, 500)),
            "a.npz": archive(WALK, False),
            "c.npz": archive(WALK, True),
            "small.npy": nb.dumps(np.arange(5)),
            "none": b"",
        }
        yield server


@contextlib.contextmanager
def serving(**options):
    server = Server(**options)
    thread = threading.Thread(target=functools.partial(server.serve_forever, 0.02))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


QUICK = {"retries": 3, "timeout": 5.0}


@pytest.mark.parametrize("name", ["a.npy", "f.npy", "a.ndb", "small.npy"])
def test_load(server, name):
    want = nb.loads(server.files[name])
    got = nb.load(server.url(name))
    assert np.array_equal(got, want)
    assert got.dtype == want.dtype
    assert got.flags.f_contiguous == want.flags.f_contiguous
    out = np.empty_like(want[..., ::-1])[..., ::-1]
    assert nb.load(server.url(name), out=out) is out
    assert np.array_equal(out, want)


@pytest.mark.parametrize("name", ["a.npz", "c.npz"])
def test_load_archive(server, name):
    with nb.load(server.url(name)) as loaded:
        assert loaded.files == ["walk", "other"]
        assert np.array_equal(loaded["walk"], WALK)
        assert np.array_equal(loaded["other"], np.arange(10))
        assert name in repr(loaded)
        assert np.array_equal(loaded.open("walk")[500:502], WALK[500:502])


@pytest.mark.parametrize("name", ["a.npy", "f.npy", "a.ndb"])
def test_parts_fetch_little(server, name):
    with nb.open(server.url(name)) as opened:
        assert (opened.shape, opened.dtype) == (WALK.shape, WALK.dtype)
        before = server.sent
        index = (slice(None), 7) if name == "f.npy" else slice(600, 602)
        assert np.array_equal(opened[index], WALK[index])
        assert server.sent - before < 700_000
        for index in [..., 3, (3, 4), (slice(None, None, -3), slice(1, 400, 7)), (0, 0, None)]:
            assert np.array_equal(opened[index], WALK[index]), index
        assert server.url(name) in repr(opened)
    with pytest.raises(nb.ArgumentError, match="closed"):
        opened.read()


def test_header_alone(server):
    header = nb.read_header(server.url("a.npy"))
    assert (header.shape, header.dtype, header.fortran_order) == ((1000, 500), WALK.dtype, False)
    assert server.sent <= 256 << 10


def test_a_column_is_few_requests(server):
    opened = nb.open(server.url("a.npy"))
    before = len(server.requests)
    assert np.array_equal(opened[:, 3], WALK[:, 3])
    assert len(server.requests) - before < 20


def test_servers_without_ranges_give_the_whole_file(server):
    server.ranges = False
    assert np.array_equal(nb.load(server.url("a.npy")), WALK)
    before = len(server.requests)
    opened = nb.open(server.url("a.ndb"))
    assert np.array_equal(opened[5:7], WALK[5:7])
    assert len(server.requests) == before + 1
    with pytest.raises(nb.UnsupportedError, match="no parts") as raised:
        nb.open(nb.Remote(server.url("a.npy"), whole=1000))
    assert raised.value.code == "http.range"


def test_what_is_no_array_is_named(server):
    with pytest.raises(nb.EndOfStreamError):
        nb.load(server.url("none"))
    server.files["page"] = b"<!DOCTYPE html><html></html>"
    with pytest.raises(nb.FormatError, match="HTML") as raised:
        nb.load(server.url("page"))
    assert server.url("page") in str(raised.value)
    server.files["cut"] = server.files["a.npy"][:-1]
    with pytest.raises(nb.TruncatedError):
        nb.load(server.url("cut"))


# Servers that misbehave.


def status(code, fields=None, body=b""):
    def fault(handler):
        handler.answer(code, body, fields)
        return True

    return fault


def cut_after(count):
    """Answer, and break off after so many bytes of the answer."""

    def fault(handler):
        whole = handler.wfile

        class Cut:
            left = count

            def write(self, data):
                whole.write(data[: self.left])
                self.left -= len(data)
                if self.left <= 0:
                    whole.flush()
                    handler.connection.close()
                    raise ConnectionResetError

            def __getattr__(self, name):
                return getattr(whole, name)

        handler.wfile = Cut()

    return fault


def test_what_fails_for_a_moment_is_tried_again(server):
    server.faults = [status(503), status(429, {"Retry-After": "0"}), status(500)]
    assert np.array_equal(nb.load(server.url("small.npy")), np.arange(5))
    assert len(server.requests) == 4


def test_a_long_wait_is_not_waited_for(server):
    server.faults = [status(503, {"Retry-After": "3600"}, b"closed until tomorrow")]
    with pytest.raises(nb.NdbytesOSError, match="503.*closed until tomorrow") as raised:
        nb.load(server.url("a.npy"))
    assert raised.value.code == "http.status"


def test_an_end_of_patience(server):
    server.faults = [status(503)] * 10
    with pytest.raises(nb.NdbytesOSError, match="503"):
        nb.load(nb.Remote(server.url("a.npy"), retries=1))
    assert len(server.requests) == 2


@pytest.mark.parametrize("count", [0, 1, 100, 300, 5000, 100_000, 1_000_000])
def test_a_connection_that_breaks_goes_on_where_it_was(server, count):
    server.faults = [lambda handler: None, *[cut_after(count)] * 3]
    remote = nb.Remote(server.url("a.npy"), **QUICK)
    assert np.array_equal(nb.load(remote), WALK)


def test_a_connection_that_always_breaks_still_gets_there(server):
    server.faults = [lambda handler: None, *[cut_after(200_000)] * 50]
    assert np.array_equal(nb.load(nb.Remote(server.url("a.npy"), **QUICK)), WALK)


@pytest.mark.parametrize("tags", [True, False])
def test_a_file_that_changes_is_no_mixture(server, tags):
    server.tags = tags
    opened = nb.open(server.url("a.npy"))
    server.files["a.npy"] = nb.dumps(WALK[:-1] if not tags else WALK + 1)
    with pytest.raises(nb.MismatchError, match="another one") as raised:
        opened.read()
    assert raised.value.code == "http.changed"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (404, FileNotFoundError),
        (410, FileNotFoundError),
        (401, PermissionError),
        (403, PermissionError),
        (400, nb.NdbytesOSError),
        (418, nb.NdbytesOSError),
        (304, nb.NdbytesOSError),
    ],
)
def test_errors_are_those_of_files(server, code, error):
    server.faults = [status(code)]
    with pytest.raises(error, match=str(code)) as raised:
        nb.open(server.url("a.npy"))
    assert isinstance(raised.value, nb.NdbytesOSError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Content-Range": "bytes 1-100/1000"},
        {"Content-Range": "bytes 0-99999999/100000000"},
        {"Content-Range": "bytes 0-99/*"},
        {"Content-Range": "bytes 0-99/50"},
        {"Content-Range": "lines 0-99/100"},
    ],
)
def test_a_range_that_was_not_asked_for_is_refused(server, fields):
    server.faults = [status(206, fields, bytes(100))]
    with pytest.raises(nb.UnsupportedError) as raised:
        nb.open(server.url("a.npy"))
    assert raised.value.code == "http.range"


def test_a_part_that_ends_early_is_asked_for_again(server):
    short = {"Content-Range": "bytes 0-99/1000"}
    server.faults = [status(206, short, bytes(50))] * 2
    with pytest.raises(OSError):
        nb.open(nb.Remote(server.url("a.npy"), retries=1))


def test_what_is_compressed_again_is_refused(server):
    server.faults = [status(200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")]
    with pytest.raises(nb.UnsupportedError, match="compresses"):
        nb.open(server.url("a.npy"))
    assert server.requests[0][1]["accept-encoding"] == "identity"


def test_a_huge_announcement_takes_no_memory(server):
    size = 1 << 60
    fields = {"Content-Range": f"bytes 0-99/{size}"}
    server.faults = [status(206, fields, nb.dumps(np.zeros(1))[:100])] * 4
    with pytest.raises((OSError, ValueError)):
        nb.load(nb.Remote(server.url("a.npy"), retries=0))


def test_a_server_that_says_nothing_is_given_up(server):
    def silent(handler):
        time.sleep(3)
        return True

    server.faults = [silent] * 3
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        nb.open(nb.Remote(server.url("a.npy"), timeout=0.3, retries=1))
    assert time.monotonic() - begin < 3


def test_nobody_there():
    with serving() as server:
        url = server.url("a.npy")
    with pytest.raises(ConnectionError):
        nb.open(nb.Remote(url, retries=0))


@pytest.mark.parametrize("url", ["http://", "http://[", "https:///a", "http://a b/c"])
def test_urls_that_are_none(url):
    with pytest.raises((nb.ArgumentError, nb.NdbytesOSError)):
        nb.open(nb.Remote(url, retries=0))


def test_other_names_are_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        nb.load("ftp://a/b.npy")
    with pytest.raises(nb.ArgumentError, match="no http"):
        nb.Remote("ftp://a/b.npy")


def test_options_are_checked(server):
    for timeout in (0, -1, float("nan"), float("inf")):
        with pytest.raises(nb.ArgumentError, match="timeout"):
            nb.Remote(server.url("a.npy"), timeout=timeout)
    with pytest.raises(nb.UnsupportedError, match="mapped"):
        nb.load(server.url("a.npy"), mmap_mode="r")
    with pytest.raises(nb.UnsupportedError, match="mapped"):
        nb.NpzFile(server.url("a.npz"), mmap_mode="r")


def test_tokens_and_fields_are_sent(server):
    nb.load(nb.Remote(server.url("a.npy"), token="secret", headers={"X-Who": "me"}))
    for _, fields in server.requests:
        assert fields["authorization"] == "Bearer secret"
        assert fields["x-who"] == "me"


def test_a_token_goes_to_no_other_server(server):
    with serving() as other:
        other.files["a.npy"] = server.files["a.npy"]
        server.faults = [status(302, {"Location": other.url("a.npy")})] * 9
        remote = nb.Remote(server.url("a.npy"), token="secret")
        assert np.array_equal(nb.load(remote), WALK)
        assert other.requests
        assert not any("authorization" in fields for _, fields in other.requests)


def test_progress_and_its_end(server):
    told = []
    nb.load(server.url("a.npy"), progress=lambda *args: told.append(args))
    assert told[-1] == (WALK.nbytes, WALK.nbytes)

    class Enough(Exception):
        pass

    def stop(done, total):
        raise Enough

    for name in ("a.npy", "a.ndb"):
        with pytest.raises(Enough):
            nb.load(server.url(name), progress=stop)


def test_threads_share_one(server):
    opened = nb.open(server.url("a.ndb"))
    results = {}

    def read(i):
        results[i] = np.array_equal(opened[100 * i : 100 * i + 150], WALK[100 * i : 100 * i + 150])

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == dict.fromkeys(range(8), True)


def test_file_objects_have_parts_as_well(tmp_path):
    nb.save(tmp_path / "a.npy", WALK)
    with open(tmp_path / "a.npy", "rb") as file, nb.open(file) as opened:
        assert isinstance(opened, nb.NpyFile)
        assert np.array_equal(opened[10:20, ::3], WALK[10:20, ::3])
        assert np.array_equal(opened.read(), WALK)
        assert np.array_equal(np.concatenate([row[None] for row in opened]), WALK)


def test_certificates_are_checked(server, certificate, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    url = server.url("a.npy", "https")
    remote = nb.Remote(url, authorities=certificate[0])
    assert np.array_equal(nb.load(remote), WALK)
    with pytest.raises(OSError, match="(?i)certificate|authorities"):
        nb.open(nb.Remote(url, retries=0))
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(nb.ArgumentError, match="authorities"):
        nb.open(nb.Remote(url, authorities=empty))
    with pytest.raises(FileNotFoundError):
        nb.open(nb.Remote(url, authorities=tmp_path / "missing.pem"))


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
@pytest.mark.parametrize("name", ["a.npy", "a.ndb", "a.npz"])
def test_the_command_reads_urls(server, tmp_path, name):
    def run(*args):
        command = [COMMAND, args[0], server.url(name), *args[1:]]
        return subprocess.run(command, cwd=tmp_path, timeout=120, check=True, capture_output=True)

    member = ["--member", "walk"] if name == "a.npz" else []
    assert b"1000, 500" in run("info").stdout or b"(1000,500)" in run("info").stdout
    run("convert", "copy.npy", *member)
    assert np.array_equal(np.load(tmp_path / "copy.npy"), WALK)
    run("verify")
    if name == "a.ndb":
        run("convert", "copy.zarr")
        assert np.array_equal(nb.load(tmp_path / "copy.zarr"), WALK)
    failed = subprocess.run([COMMAND, "info", server.url("gone")], capture_output=True, timeout=120)
    assert failed.returncode == 2
    assert b"404" in failed.stderr


@pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built")
def test_our_own_server(tmp_path):
    nb.save(tmp_path / "a.npy", WALK)
    nb.savez_compressed(tmp_path / "a.npz", walk=WALK)
    nb.save(tmp_path / "a.ndb", WALK, codec="auto")
    with serving_files(tmp_path) as (host, _):
        files = f"http://{host}/files/"
        assert np.array_equal(nb.load(files + "a.npy"), WALK)
        assert np.array_equal(nb.load(files + "a.ndb"), WALK)
        assert np.array_equal(nb.load(files + "a.npz")["walk"], WALK)
        assert np.array_equal(nb.open(files + "a.npz").open("walk")[7:9], WALK[7:9])
        nb.save(tmp_path / "b.npy", WALK)
        opened = nb.open(files + "b.npy")
        nb.save(tmp_path / "b.npy", WALK + 1)
        with pytest.raises(nb.MismatchError, match="another one"):
            opened.read()


def test_a_forked_process_reads_on(server):
    # What a child inherits are connections; each process must end up with answers of its own.
    code = """
import os, sys
import numpy as np
import ndbytes as nb

opened = nb.open(sys.argv[1])
want = opened.read()
child = os.fork()
ok = all(np.array_equal(opened[i : i + 100], want[i : i + 100]) for i in range(0, 1000, 100))
if child == 0:
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
sys.exit(0 if ok and status == 0 else 1)
"""
    done = subprocess.run([sys.executable, "-c", code, server.url("a.npy")], timeout=120)
    assert done.returncode == 0


@contextlib.contextmanager
def kept(process):
    """Keep a process no longer than the block."""
    try:
        yield process
    finally:
        process.kill()
        process.wait(TIMEOUT)


@pytest.mark.parametrize(
    "call", ["load(url)", "open(url)", "save(url, [1, 2])", "savez(url.replace('npy', 'npz'), [1])"]
)
def test_ctrl_c_ends_a_wait_for_a_server_that_says_nothing(call):
    code = f"""
import sys, ndbytes as nb
url = sys.argv[1]
try:
    nb.{call}
except KeyboardInterrupt:
    print("interrupted")
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.npy"
        process = start(code, url, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        server.settimeout(TIMEOUT)
        with kept(process), server.accept()[0] as asked:
            asked.settimeout(TIMEOUT)
            assert asked.recv(3) in (b"GET", b"PUT")
            process.send_signal(signal.SIGINT)
            begin = time.monotonic()
            assert process.communicate(timeout=TIMEOUT) == (b"interrupted\n", b"")
            assert time.monotonic() - begin < 10


def test_ctrl_c_ends_an_upload_over_tls_that_stalls(certificate, contexts):
    # TLS forgets errors of a write: the next one must not go on in the middle of a record.
    code = """
import sys, numpy as np, ndbytes as nb
try:
    nb.save(nb.Remote(sys.argv[1], authorities=sys.argv[2]), np.zeros(1 << 23))
except KeyboardInterrupt:
    print("interrupted")
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/a.npy"
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = start(code, url, certificate[0], **pipes)
        server.settimeout(TIMEOUT)
        with kept(process):
            plain = server.accept()[0]
            plain.settimeout(TIMEOUT)
            with contexts[0].wrap_socket(plain, server_side=True) as asked:
                assert asked.recv(3) == b"PUT"
                asked.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                # Until nothing more fits on the way.
                time.sleep(1)
                process.send_signal(signal.SIGINT)
                begin = time.monotonic()
                assert process.communicate(timeout=TIMEOUT) == (b"interrupted\n", b"")
                assert time.monotonic() - begin < 10
