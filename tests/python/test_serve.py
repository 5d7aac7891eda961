"""`ndbytes serve`: another process on a free port of loopback, asked by clients of others."""

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

import numpy as np
import pytest

import ndbytes as nb
from servers import COMMAND, WAIT, serving

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)


def ask(host, target, method="GET", **headers):
    """Return status, headers and body."""
    connection = http.client.HTTPConnection(host, timeout=WAIT)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, headers=named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    with serving(folder) as (host, _):
        yield folder, host


DTYPES = ["?", "i1", "<i2", ">i4", "<u8", "<f2", ">f8", "<c8", ">c16", "<U3", ">U2", "|S4", "V3"]
DTYPES += ["<M8[ns]", "<m8[D]", [("a", "<i4"), ("b", ">f8", (2,))], [("x", "?"), ("y", "<U1")]]
INDICES = ["", "...", "3", "1:6:2", "::-1", "-1, ::3", ":, 2, ::-2", "..., None, 1:1", "0, 0, 0"]


def array(dtype, shape, order):
    """Return an array whose elements differ."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind == "U":
        flat = np.array([chr(97 + i % 26) * (i % 3) for i in range(count)], dtype)
    elif dtype.kind in "SV":
        raw = np.random.default_rng(1).integers(0, 2, count * dtype.itemsize, "u1")
        flat = raw.view(dtype) if dtype.names is None else np.zeros(count, dtype)
        for i, name in enumerate(dtype.names or ()):
            flat[name] = 1 if dtype[name].kind != "U" else "xyz"[i]
    else:
        flat = np.arange(count).astype(dtype)
    return np.asarray(flat.reshape(shape), order=order)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_slices_are_numpys(served, dtype, order):
    folder, host = served
    value = array(dtype, (7, 4, 5), order)
    nb.save(folder / "a.npy", value)
    nb.save(folder / "a.ndb", value, codec="auto", chunks=(2, 4, 3))
    nb.savez(folder / "s.npz", x=value)
    nb.savez_compressed(folder / "d.npz", x=value)
    for index in INDICES:
        # Scalars of NumPy's have a dtype of their own.
        want = np.asarray(eval(f"value[{index}]" if index else "value"), value.dtype)
        for name in ("a.npy", "a.ndb", "s.npz", "d.npz"):
            target = f"/arrays/{name}?slice={urllib.parse.quote(index)}"
            status, headers, body = ask(host, target)
            assert status == 200, body
            got = np.load(io.BytesIO(body), allow_pickle=False)
            assert got.dtype == want.dtype
            assert got.shape == want.shape
            assert got.tobytes() == want.tobytes(), (name, index)
            status, headers, body = ask(host, target, Accept="application/octet-stream")
            assert headers["Ndbytes-Dtype"] is not None
            shape = [int(n) for n in headers["Ndbytes-Shape"].split(",") if n]
            raw = np.ndarray(shape, want.dtype, body, order=headers["Ndbytes-Order"])
            assert raw.tobytes() == want.tobytes(), (name, index)
            status, _, body = ask(host, target + "&format=ndb")
            assert status == 200, body
            assert nb.loads(body).tobytes() == want.tobytes(), (name, index)


def test_files_ranges_and_versions(served):
    folder, host = served
    value = np.arange(100_000.0)
    nb.save(folder / "b.npy", value)
    data = (folder / "b.npy").read_bytes()
    status, headers, body = ask(host, "/files/b.npy")
    assert (status, body == data, headers["Content-Type"]) == (200, True, "application/x-npy")
    etag = headers["ETag"]
    assert ask(host, "/files/b.npy", Range="bytes=128-135")[2] == data[128:136]
    assert ask(host, "/files/b.npy", Range="bytes=-8")[2] == data[-8:]
    assert ask(host, "/files/b.npy", If_None_Match=etag)[0] == 304
    assert ask(host, "/files/b.npy", "HEAD")[1]["Content-Length"] == str(len(data))
    nb.save(folder / "b.npy", value + 1)
    assert ask(host, "/files/b.npy", If_None_Match=etag)[0] == 200
    assert ask(host, "/files/b.npy", Range="bytes=0-9", If_Range=etag)[0] == 200
    assert ask(host, "/files/b.npy", If_Match=etag)[0] == 412


def test_errors_have_codes(served):
    folder, host = served
    (folder / "text.txt").write_text("hello")
    np.save(folder / "object.npy", np.array([{}], object))
    for target, status, code in [
        ("/files/none", 404, "http.not_found"),
        ("/arrays/text.txt", 422, "npy.magic"),
        ("/arrays/object.npy", 422, "dtype.object"),
        ("/files/%2e%2e/x", 400, "http.path"),
        ("/files/a%00", 400, "http.path"),
        ("/files//etc/passwd", 400, "http.path"),
    ]:
        got, headers, body = ask(host, target)
        problem = json.loads(body)
        assert headers["Content-Type"] == "application/problem+json"
        assert (got, problem["code"], problem["status"]) == (status, code, status)


def test_links_do_not_lead_out(served, tmp_path):
    folder, host = served
    (tmp_path / "secret.npy").write_bytes(b"secret")
    (folder / "out").symlink_to(tmp_path)
    (folder / "file.npy").symlink_to(tmp_path / "secret.npy")
    os.mkfifo(folder / "pipe")
    for name in ("out/secret.npy", "out/", "file.npy", "pipe"):
        for service in ("files", "arrays"):
            assert ask(host, f"/{service}/{name}")[0] == 404
    assert b"file.npy" not in ask(host, "/files/")[2]


def test_http2_by_curl(served):
    folder, host = served
    curl = shutil.which("curl")
    if curl is None or b"HTTP2" not in subprocess.check_output([curl, "--version"]):
        pytest.skip("there is no curl that speaks HTTP/2")
    value = np.arange(300_000.0)
    nb.save(folder / "h.npy", value)
    command = [curl, "-sS", "--max-time", str(WAIT), "--http2-prior-knowledge", "-w"]
    command += ["%{stderr}%{http_version}", f"http://{host}/arrays/h.npy?slice=::-1"]
    done = subprocess.run(command, capture_output=True, timeout=2 * WAIT, check=True)
    assert done.stderr == b"2"
    assert np.array_equal(np.load(io.BytesIO(done.stdout)), value[::-1])


def test_tls_and_tokens(tmp_path):
    cert = tmp_path / "cert.pem"
    make_certificate(cert, tmp_path / "key.pem")
    tokens = tmp_path / "tokens"
    tokens.write_text(
        "reader read 0123456789abcdef 2999-01-01T00:00:00Z\n"
        "writer write fedcba9876543210\n"
        "late read 0000111122223333 2001-01-01T00:00:00Z\n"
    )
    folder = tmp_path / "served"
    folder.mkdir()
    np.save(folder / "a.npy", np.arange(5))
    trust = ssl.create_default_context(cafile=str(cert))
    trust.set_alpn_protocols(["http/1.1"])
    options = ["--tokens", tokens, "--cert", cert, "--key", tmp_path / "key.pem"]
    with serving(folder, *options, log="json") as (host, process):
        port = int(host.rsplit(":", 1)[1])

        def get(token, target="/files/a.npy"):
            connection = http.client.HTTPSConnection("localhost", port, timeout=WAIT, context=trust)
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            with contextlib.closing(connection):
                connection.request("GET", target, headers=headers)
                return connection.getresponse().status

        assert get("0123456789abcdef") == 200
        assert get(None) == 401
        assert get("0123456789abcdeF") == 401
        assert get("0000111122223333") == 401
        assert get("fedcba9876543210") == 403
        assert get(None, "/health") == 200
        with pytest.raises(ssl.SSLError):
            http.client.HTTPSConnection(
                "localhost", port, timeout=WAIT, context=ssl.create_default_context()
            ).request("GET", "/health")
        # Plain HTTP is no handshake.
        with pytest.raises((http.client.BadStatusLine, ConnectionError)):
            ask(host, "/health")
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=WAIT)[1]
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert any(line.get("status") == 403 for line in lines)
    messages = [line["message"] for line in lines if line["level"] == "WARN"]
    assert messages.count("a request is denied") == 4
    assert "a token does not allow this" in messages
    assert messages.count("a handshake fails") == 2
    assert "0123456789abcdef" not in log
    assert "fedcba" not in log


def test_ways_out_are_logged_with_who_tried_them(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    nb.save(folder / "a.npy", np.arange(3))
    ways = ["/files/../secret", "/files/%2e%2e/secret", "/files/a%00b", "/files/..%2fsecret"]
    ways += ["/arrays/../secret", "/zarr/../secret", "/files/link"]
    with serving(folder, log="json") as (host, process):
        for path in ways:
            assert ask(host, path)[0] in {400, 404}
        assert ask(host, "/files/none")[0] == 404
        assert ask(host, "/files/a.npy")[0] == 200
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=WAIT)[1]
    lines = [json.loads(line) for line in log.splitlines()]
    tried = [line for line in lines if "leads out" in line.get("message", "")]
    assert [line["path"] for line in tried] == ways
    assert all(line["peer"].startswith("127.0.0.1:") for line in tried)
    assert {line["level"] for line in tried} == {"WARN"}


def test_hands_are_shaken_for_http2_and_not_for_ever(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(cert, key)
    folder = tmp_path / "served"
    folder.mkdir()
    options = ["--cert", cert, "--key", key, "--header-timeout", "1"]
    with serving(folder, *options, log="json") as (host, process):
        place = ("localhost", int(host.rsplit(":", 1)[1]))
        for offered, chosen in [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")]:
            trust = ssl.create_default_context(cafile=str(cert))
            trust.set_alpn_protocols(offered)
            with (
                socket.create_connection(place, WAIT) as plain,
                trust.wrap_socket(plain, server_hostname="localhost") as secured,
            ):
                assert secured.selected_alpn_protocol() == chosen
                if chosen == "h2":
                    settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
                    secured.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
                    # A frame of SETTINGS, which is the first.
                    assert secured.recv(9)[3] == 4
        with socket.create_connection(place, WAIT) as silent:
            assert silent.recv(1) == b""
        process.send_signal(signal.SIGTERM)
        log = process.communicate(timeout=WAIT)[1]
    messages = [json.loads(line)["message"] for line in log.splitlines()]
    assert messages.count("a handshake takes too long") == 1


def test_connections_beyond_the_most_are_told_so_over_tls(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(cert, key)
    folder = tmp_path / "served"
    folder.mkdir()
    trust = ssl.create_default_context(cafile=str(cert))
    options = ["--cert", cert, "--key", key, "--max-connections", "2"]
    with serving(folder, *options) as (host, _), contextlib.ExitStack() as stack:
        place = ("localhost", int(host.rsplit(":", 1)[1]))

        def get(path):
            connection = http.client.HTTPSConnection(*place, timeout=WAIT, context=trust)
            stack.callback(connection.close)
            connection.request("GET", path)
            return connection.getresponse()

        assert [get("/health").status for _ in range(2)] == [200, 200]
        for _ in range(3):
            answer = get("/health")
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert json.loads(answer.read())["code"] == "http.busy"
        # Who does not shake hands holds up nobody.
        for _ in range(30):
            stack.enter_context(socket.create_connection(place, WAIT))
        time.sleep(2.5)
        assert get("/health").status == 503


def make_certificate(cert, key):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=WAIT)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--listen", "0.0.0.0:0"], "--insecure"),
        (["--listen", "nowhere"], "is no address"),
        (["--tokens", "none"], "none"),
        (["--cert", "cert.pem"], "--key"),
        (["--max-connections", "0"], "0"),
    ],
)
def test_what_is_refused_before_it_begins(tmp_path, args, says):
    done = subprocess.run(
        [str(COMMAND), "serve", str(tmp_path), *args],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""


def test_slow_clients_do_not_keep_others_waiting(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(1000))
    with serving(tmp_path, "--header-timeout", "1") as (host, _):
        address = (host.rsplit(":", 1)[0], int(host.rsplit(":", 1)[1]))
        with contextlib.ExitStack() as stack:
            opened = (socket.create_connection(address, WAIT) for _ in range(100))
            slow = [stack.enter_context(connection) for connection in opened]
            for connection in slow:
                connection.sendall(b"GET /files/a.npy HTTP/1.1\r\nHost: localhost\r\nX: ")
            begin = time.monotonic()
            assert ask(host, "/files/a.npy")[0] == 200
            assert time.monotonic() - begin < 5
            for connection in slow:
                connection.settimeout(WAIT)
                said = b""
                while data := connection.recv(1 << 16):
                    said += data
                assert said.startswith(b"HTTP/1.1 408 ")
                assert b"http.timeout" in said
            assert time.monotonic() - begin < 20
        assert b"ndbytes_connections_timed_out_total 100" in ask(host, "/metrics")[2]


def test_200_idle_connections_are_held(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(1000))
    with serving(tmp_path) as (host, _), contextlib.ExitStack() as stack:
        held = []
        for _ in range(200):
            connection = http.client.HTTPConnection(host, timeout=WAIT)
            stack.callback(connection.close)
            held.append(connection)
        for _ in range(2):
            for connection in held:
                connection.request("GET", "/files/a.npy", headers={"Range": "bytes=0-5"})
                assert connection.getresponse().read() == b"\x93NUMPY"
        assert b"ndbytes_connections_open 201" in ask(host, "/metrics")[2]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_after_what_has_begun(tmp_path, how):
    size = 64 << 20
    (tmp_path / "a.bin").write_bytes(bytes(size))
    with serving(tmp_path) as (host, process):
        connection = http.client.HTTPConnection(host, timeout=WAIT)
        with contextlib.closing(connection):
            connection.request("GET", "/files/a.bin")
            answer = connection.getresponse()
            got = len(answer.read(1000))
            process.send_signal(how)
            time.sleep(0.3)
            with pytest.raises(ConnectionError):
                ask(host, "/health")
            got += len(answer.read())
        assert got == size
        assert process.wait(WAIT) == 0


def test_memory_does_not_grow_with_the_slice(tmp_path):
    # 512 MiB that take no room.
    with nb.open_memmap(tmp_path / "big.npy", "w+", "<f8", (2**16, 1024)) as big:
        big[-1, -1] = 1
    with serving(tmp_path) as (host, process):
        rest = {}

        def read(target):
            connection = http.client.HTTPConnection(host, timeout=WAIT)
            with contextlib.closing(connection):
                connection.request("GET", target)
                answer = connection.getresponse()
                total = 0
                while piece := answer.read(1 << 20):
                    total += len(piece)
                rest[target] = total

        slices = [f"/arrays/big.npy?slice={index}" for index in (":30000", "::-3,::7")]
        targets = [*slices, "/files/big.npy"]
        threads = [threading.Thread(target=read, args=[target]) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(4 * WAIT)
        assert rest[targets[0]] == 128 + 8 * 30_000 * 1024
        assert rest[targets[2]] == (tmp_path / "big.npy").stat().st_size
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 150 << 10, peak
