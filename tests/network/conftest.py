"""Fixtures of the network's tests."""

import hosts as network
import pytest


def signed(place, name, subject):
    """Make the files of a self-signed certificate, and of its key."""
    key, cert = place / "key.pem", place / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={subject}"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(key), "-out", str(cert)]
    network.run(*command)
    return cert, key


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """Give a certificate of the receiving host, and its key."""
    return signed(tmp_path_factory.mktemp("tls"), "receiver", "IP:10.77.0.2")


@pytest.fixture(scope="session")
def own(tmp_path_factory):
    """Give a certificate of this machine, and its key."""
    return signed(tmp_path_factory.mktemp("own"), "localhost", "DNS:localhost,IP:127.0.0.1")


@pytest.fixture(scope="session")
def why_not():
    """Say why there can be no hosts here, or give None."""
    return network.missing()


@pytest.fixture
def hosts(why_not):
    """Give two hosts of network namespaces."""
    if why_not is not None:
        pytest.skip(why_not)
    with network.pair() as pair:
        yield pair
