"""nginx stands before `ndbytes serve`, and nobody notices, whoever reads or writes through it."""

import contextlib
import email
import http.client
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.parse

import numpy as np
import pytest
import zarr
from daemons import free_port, listening, nginx, program
from test_http import COMMAND, WAIT, by_fsspec, serving

import ndbytes as nb

NGINX = program("nginx")

pytestmark = [
    pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built"),
    pytest.mark.skipif(NGINX is None, reason="there is no nginx; tools/network.sh installs it"),
]

# As docs/guide/serve.md has it.
LOCATION = """
        location / {
            proxy_pass http://BACKEND;
            proxy_http_version 1.1;
            proxy_set_header Connection "";

            # What is sent goes on at once, in both directions, and is not kept in files.
            proxy_buffering off;
            proxy_request_buffering off;

            # `--max-upload` says how large files may be.
            client_max_body_size 0;
        }
"""
BUFFERED = LOCATION.replace("buffering off", "buffering on")

CONFIGURATION = """
http {
    access_log off;
    client_body_temp_path PLACE/body;
    proxy_temp_path PLACE/proxy;
    fastcgi_temp_path PLACE/fastcgi;
    uwsgi_temp_path PLACE/uwsgi;
    scgi_temp_path PLACE/scgi;
    server {
        listen 127.0.0.1:PORT LISTEN;
LOCATION
    }
}
"""

WALK = np.random.default_rng(0).normal(size=(1000, 500)).cumsum(0)


@contextlib.contextmanager
def proxying(place, url, location=LOCATION, listen=""):
    """Stand before a server; give host and port."""
    place.mkdir()
    port = free_port()
    values = {
        "PLACE": str(place),
        "PORT": str(port),
        "LISTEN": listen,
        "LOCATION": location,
        "BACKEND": urllib.parse.urlsplit(url).netloc,
    }
    text = CONFIGURATION
    for name, value in values.items():
        text = text.replace(name, value)
    with listening(nginx(place, text), port):
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["unbuffered", "buffered"])
def proxied(request, tmp_path):
    """Give a folder that is served and may be written, and where nginx is."""
    folder = tmp_path / "served"
    folder.mkdir()
    nb.save(folder / "a.npy", WALK)
    location = LOCATION if request.param == "unbuffered" else BUFFERED
    with (
        serving(folder, "--write", "--delete") as url,
        proxying(tmp_path / "nginx", url, location) as host,
    ):
        yield folder, host


def ask(host, method, target, body=None, context=None, **headers):
    """Return status, headers and what was answered."""
    if context is None:
        client = http.client.HTTPConnection(host, timeout=WAIT)
    else:
        client = http.client.HTTPSConnection(host, timeout=WAIT, context=context)
    with contextlib.closing(client):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, target, body, named)
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()


def problem(answer):
    """Return status and code of an error that is the server's own."""
    status, headers, body = answer
    assert headers["Content-Type"] == "application/problem+json"
    assert json.loads(body)["status"] == status
    return status, json.loads(body)["code"]


def test_ranges(proxied):
    folder, host = proxied
    data = (folder / "a.npy").read_bytes()
    status, headers, body = ask(host, "GET", "/files/a.npy")
    assert (status, body) == (200, data)
    assert headers["Accept-Ranges"] == "bytes"
    for part, want in [
        ("1-5", data[1:6]),
        ("-7", data[-7:]),
        (f"{len(data) - 3}-", data[-3:]),
        ("128-2000000", data[128:2000001]),
    ]:
        status, headers, body = ask(host, "GET", "/files/a.npy", Range=f"bytes={part}")
        assert (status, body) == (206, want), part
        assert headers["Content-Range"].endswith(f"/{len(data)}")
    status, headers, body = ask(host, "GET", "/files/a.npy", Range="bytes=0-5,100-199")
    assert status == 206
    kind = headers["Content-Type"]
    parts = email.message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
    assert [part.get_payload(decode=True) for part in parts.get_payload()] == [
        data[:6],
        data[100:200],
    ]
    assert problem(ask(host, "GET", "/files/a.npy", Range="bytes=9999999-")) == (416, "http.range")
    status, headers, body = ask(host, "HEAD", "/files/a.npy")
    assert (status, headers["Content-Length"], body) == (200, str(len(data)), b"")


def test_slices(proxied):
    _, host = proxied
    for index, want in [
        ("", WALK),
        ("?slice=10:900:7,::-2", WALK[10:900:7, ::-2]),
        ("?slice=...,3", WALK[..., 3]),
    ]:
        target = f"/arrays/a.npy{index or '?slice='}"
        status, headers, body = ask(host, "GET", target)
        assert status == 200
        assert headers["Ndbytes-Dtype"] == "<f8"
        assert np.array_equal(nb.loads(body), want)
        _, _, body = ask(host, "GET", target + "&format=ndb")
        assert np.array_equal(nb.loads(body), want)
    assert json.loads(ask(host, "GET", "/arrays/a.npy")[2])["shape"] == [1000, 500]


def test_versions(proxied):
    folder, host = proxied
    targets = ["/files/a.npy", "/arrays/a.npy?slice=3", "/zarr/a.npy/zarr.json"]
    for number, target in enumerate(targets):
        status, headers, _ = ask(host, "GET", target)
        assert (status, headers["Cache-Control"]) == (200, "no-cache")
        # A weak one would be a proxy that changed the bytes.
        tag = headers["ETag"]
        assert tag.startswith('"')
        status, headers, body = ask(host, "GET", target, If_None_Match=tag, Accept_Encoding="gzip")
        assert (status, headers["ETag"], body) == (304, tag, b"")
        nb.save(folder / "a.npy", np.zeros((4, number)))
        answer = ask(host, "GET", target, If_Match=tag)
        assert problem(answer) == (412, "http.precondition")
        status, headers, _ = ask(host, "GET", target, If_None_Match=tag)
        assert status == 200
        assert headers["ETag"] != tag


def test_errors_and_redirections_are_the_servers(proxied):
    folder, host = proxied
    (folder / "sub").mkdir()
    assert problem(ask(host, "GET", "/files/none")) == (404, "http.not_found")
    assert problem(ask(host, "GET", "/files/a.npy?what=1")) == (400, "http.query")
    assert problem(ask(host, "GET", "/files/a%2fb")) == (400, "http.path")
    assert problem(ask(host, "GET", "/arrays/a.npy?slice=9999"))[0] == 400
    status, headers, _ = ask(host, "GET", "/files/sub")
    assert status == 308
    # It leads to nginx, and not past it.
    to = urllib.parse.urljoin(f"http://{host}/files/sub", headers["Location"])
    assert to == f"http://{host}/files/sub/"
    assert json.loads(ask(host, "GET", "/files/sub/")[2])["entries"] == []


def test_what_is_written_is_whole(proxied):
    folder, host = proxied
    data = np.random.default_rng(1).bytes(5 << 20)
    status, headers, _ = ask(host, "PUT", "/files/b", data)
    assert status == 201
    tag = headers["ETag"]
    assert (folder / "b").read_bytes() == data
    # In chunks, of a length that nobody knows before.
    pieces = (data[at : at + 70_000] for at in range(1, len(data), 70_000))
    status, _, _ = ask(host, "PUT", "/files/b", pieces)
    assert (status, (folder / "b").read_bytes()) == (204, data[1:])
    wrong = "sha-256=:" + "A" * 43 + "=:"
    assert problem(ask(host, "PUT", "/files/b", data, Repr_Digest=wrong)) == (400, "http.digest")
    # What is refused before it is read: why is heard all the same.
    assert problem(ask(host, "PUT", "/files/b", data, If_Match=tag)) == (412, "http.precondition")
    assert problem(ask(host, "PUT", "/files/b", data, If_None_Match="*"))[0] == 412
    assert problem(ask(host, "PUT", "/files/none/b", data)) == (409, "http.conflict")
    assert (folder / "b").read_bytes() == data[1:]
    # Who breaks off has changed nothing.
    with socket.create_connection(host.split(":"), timeout=WAIT) as sock:
        head = f"PUT /files/b HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
        sock.sendall(head.encode() + data[: 2 << 20])
    assert ask(host, "GET", "/files/b")[2] == data[1:]
    assert ask(host, "DELETE", "/files/b")[0] == 204
    end = time.monotonic() + WAIT
    while left := sorted(path.name for path in folder.iterdir() if path.name != "a.npy"):
        assert time.monotonic() < end, left
        time.sleep(0.02)


def test_a_body_waits_until_it_is_asked_for(proxied):
    folder, host = proxied
    data = np.random.default_rng(2).bytes(3 << 20)
    for length in (f"Content-Length: {len(data)}", "Transfer-Encoding: chunked"):
        with socket.create_connection(host.split(":"), timeout=WAIT) as sock:
            head = (
                f"PUT /files/b HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\n{length}\r\n\r\n"
            )
            sock.sendall(head.encode())
            assert sock.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
            if "chunked" in length:
                for at in range(0, len(data), 1 << 16):
                    piece = data[at : at + (1 << 16)]
                    sock.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                sock.sendall(b"0\r\n\r\n")
            else:
                sock.sendall(data)
            status = sock.recv(1 << 16).split(b" ", 2)[1]
        assert status in {b"201", b"204"}
        assert (folder / "b").read_bytes() == data
        (folder / "b").unlink()


def test_arrays_are_loaded_opened_and_saved(proxied):
    folder, host = proxied
    site = f"http://{host}/files/"
    nb.save(folder / "a", WALK, codec="auto")
    nb.savez_compressed(folder / "a.npz", a=WALK)
    assert np.array_equal(nb.load(site + "a.npy"), WALK)
    assert np.array_equal(nb.load(site + "a.npz")["a"], WALK)
    for name in ("a.npy", "a.ndb"):
        opened = nb.open(site + name)
        assert opened.shape == WALK.shape
        assert np.array_equal(opened[500:502, ::10], WALK[500:502, ::10])
    big = np.arange(1 << 20)
    nb.save(site + "big.npy", big)
    assert np.array_equal(nb.load(folder / "big.npy"), big)
    # Larger than one request asks for.
    assert np.array_equal(nb.load(site + "big.npy"), big)
    opened = nb.open(site + "big.npy")
    nb.save(folder / "big.npy", big + 1)
    with pytest.raises(nb.MismatchError) as caught:
        opened.read()
    assert caught.value.code == "http.changed"


def test_zarr(proxied):
    folder, host = proxied
    nb.save(folder / "c", WALK, codec="auto", chunks=(100, 100))
    nb.savez(folder / "g.npz", image=WALK)
    site = f"http://{host}/zarr/"
    for name in ("a.npy", "c.ndb", "g.npz/image"):
        assert np.array_equal(by_fsspec(site + name), WALK)
        assert np.array_equal(zarr.open_array(site + name, mode="r")[7:900:9, 3], WALK[7:900:9, 3])
    assert sorted(zarr.open_group(site + "g.npz", mode="r").array_keys()) == ["image"]


def test_what_nginx_itself_refuses_is_an_error_as_well(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    location = LOCATION.replace("client_max_body_size 0", "client_max_body_size 1m")
    with serving(folder, "--write") as url, proxying(tmp_path / "nginx", url, location) as host:
        # More than nginx reads before it closes.
        for size in (2 << 20, 64 << 20):
            with pytest.raises(OSError, match="413") as caught:
                nb.save(f"http://{host}/files/a.npy", np.zeros(size, "u1"))
            assert isinstance(caught.value, nb.NdbytesError)
        nb.save(f"http://{host}/files/b.npy", np.zeros(1000))
        assert os.listdir(folder) == ["b.npy"]
    with proxying(tmp_path / "other", url) as host:
        # There is nobody behind it.
        remote = nb.Remote(f"http://{host}/files/b.npy", retries=0)
        with pytest.raises(OSError, match="502"):
            nb.load(remote)


def test_nginx_ends_tls(tmp_path):
    folder, key, cert = tmp_path / "served", tmp_path / "key.pem", tmp_path / "cert.pem"
    folder.mkdir()
    nb.save(folder / "a.npy", WALK)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=WAIT)
    tokens, token = tmp_path / "tokens", "0123456789abcdef"
    tokens.write_text(f"alice read,write {token}\n")
    tokens.chmod(0o600)
    listen = f"ssl;\n        ssl_certificate {cert};\n        ssl_certificate_key {key}"
    # The name by which nginx was asked for, as many configurations have it.
    location = LOCATION.replace(
        'Connection "";', 'Connection "";\n            proxy_set_header Host example.org;'
    )
    context = ssl.create_default_context(cafile=cert)
    with (
        serving(folder, "--write", "--tokens", str(tokens)) as url,
        proxying(tmp_path / "nginx", url, location, listen) as host,
    ):
        answer = ask(host, "GET", "/files/a.npy", context=context)
        assert problem(answer) == (401, "http.unauthorized")
        remote = nb.Remote(f"https://{host}/files/a.npy", token=token, authorities=cert)
        assert np.array_equal(nb.load(remote), WALK)
        assert np.array_equal(nb.open(remote)[3:5], WALK[3:5])
        remote = nb.Remote(f"https://{host}/files/b.npy", token=token, authorities=cert)
        nb.save(remote, WALK[::2])
        assert np.array_equal(nb.load(folder / "b.npy"), WALK[::2])
