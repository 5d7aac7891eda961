"""aioquic, which shares no code with us, sends arrays over `quic://` and gets some."""

import asyncio
import io
import shutil
import subprocess
import threading

import numpy as np
import pytest
from aioquic.asyncio.client import connect
from aioquic.quic.configuration import QuicConfiguration

import ndbytes as nb

WAIT = 60


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    place = tmp_path_factory.mktemp("quic")
    key, cert = place / "key.pem", place / "cert.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True, timeout=WAIT)
    return str(cert), str(key)


def npy(array):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=False)
    return file.getvalue()


@pytest.mark.parametrize("protocols", [["ndbytes/1"], ["other"]])
def test_arrays_both_ways(certificate, protocols):
    cert, key = certificate
    arrays = [np.arange(10), np.asfortranarray(np.ones((300, 500))), np.zeros((0, 3))]

    async def talk(port):
        configuration = QuicConfiguration(is_client=True, alpn_protocols=protocols)
        configuration.load_verify_locations(cert)
        configuration.server_name = "localhost"
        async with connect("127.0.0.1", port, configuration=configuration) as client:
            reader, writer = await client.create_stream()
            for array in arrays:
                writer.write(npy(array))
            writer.write_eof()
            data = await asyncio.wait_for(reader.read(), WAIT)
        file = io.BytesIO(data)
        return [np.lib.format.read_array(file, allow_pickle=False) for _ in arrays]

    with nb.listen("quic://127.0.0.1:0", cert=cert, key=key, timeout=WAIT) as listener:

        def serve():
            with listener.accept(WAIT) as link:
                for array in link:
                    link.send(array * 2)

        port = int(listener.address.rsplit(":", 1)[1])
        if protocols == ["other"]:
            with pytest.raises((ConnectionError, asyncio.TimeoutError)):
                asyncio.run(asyncio.wait_for(talk(port), 10))
            return
        server = threading.Thread(target=serve, daemon=True)
        server.start()
        back = asyncio.run(talk(port))
        server.join(WAIT)
        assert not server.is_alive()
    for sent, got in zip(arrays, back, strict=True):
        assert got.dtype == sent.dtype
        assert np.array_equal(got, 2 * sent)
