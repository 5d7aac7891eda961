"""Fixtures that several files use."""

import shutil
import socket
import ssl
import subprocess

import pytest

from sockets import WAIT


@pytest.fixture
def pair():
    left, right = socket.socketpair()
    left.settimeout(WAIT)
    right.settimeout(WAIT)
    with left, right:
        yield left, right


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Give the files of a self-signed certificate, which is made now, and of its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    place = tmp_path_factory.mktemp("tls")
    key, cert = place / "key.pem", place / "cert.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=WAIT)
    return str(cert), str(key)


@pytest.fixture(scope="session")
def contexts(certificate):
    """Give the two contexts of the certificate."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(*certificate)
    return server, ssl.create_default_context(cafile=certificate[0])


@pytest.fixture
def full_disk(tmp_path):
    """Give a folder on a file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, timeout=20, check=False)
    except OSError as error:
        pytest.skip(f"there is no mount: {error}")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], timeout=20, check=True)
