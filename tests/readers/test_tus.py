"""tuspy, a client of tus, uploads to `ndbytes serve` in parts, and goes on where it was cut."""

import asyncio
import contextlib

import numpy as np
import pytest
from test_http import COMMAND, serving
from tusclient import client, exceptions

import ndbytes as nb

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)

CHUNK = 1 << 16
WALK = np.random.default_rng(0).normal(size=(300, 200)).cumsum(0)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "walk.npy"
    nb.save(path, WALK)
    return path


@pytest.fixture
def uploader():
    """Give what makes uploads, whose files are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(root, source, name="a.npy", headers=None, kind="uploader", **options):
            tus = client.TusClient(f"{root}uploads/", headers=headers)
            stream = stack.enter_context(source.open("rb"))
            options = {"chunk_size": CHUNK, "metadata": {"filename": name}} | options
            return getattr(tus, kind)(file_stream=stream, **options)

        yield make


def test_a_file_in_parts(tmp_path, source, uploader):
    folder = tmp_path / "served"
    (folder / "deep").mkdir(parents=True)
    with serving(folder, "--write") as url:
        upload = uploader(url, source, "deep/a b.npy", upload_checksum=True)
        upload.upload()
        assert upload.offset == source.stat().st_size
        np.testing.assert_array_equal(nb.load(folder / "deep" / "a b.npy"), WALK)
        # An empty file is one as well.
        (tmp_path / "empty").touch()
        uploader(url, tmp_path / "empty", "empty").upload()
        assert (folder / "empty").read_bytes() == b""
        with pytest.raises(exceptions.TusCommunicationError):
            uploader(url, source, "no/such/folder.npy").upload()
    assert sorted(path.name for path in folder.iterdir() if path.name[0] != ".") == [
        "deep",
        "empty",
    ]


def test_it_goes_on_where_it_was_cut(tmp_path, source, uploader):
    folder = tmp_path / "served"
    folder.mkdir()
    with serving(folder, "--write") as url:
        upload = uploader(url, source)
        upload.upload(stop_at=2 * CHUNK)
        where = upload.url.removeprefix(url)
    # The server has ended; another one has another port, and what had come.
    with serving(folder, "--write") as url:
        assert not (folder / "a.npy").exists()
        again = uploader(url, source, url=url + where)
        assert again.offset == 2 * CHUNK
        again.upload()
        np.testing.assert_array_equal(nb.load(f"{url}files/a.npy"), WALK)
        # It is known to be whole.
        assert uploader(url, source, url=url + where).offset == source.stat().st_size


def test_with_a_token_and_with_asyncio(tmp_path, source, uploader):
    folder = tmp_path / "served"
    folder.mkdir()
    tokens = tmp_path / "tokens"
    tokens.write_text("robot write 0123456789abcdef0123\n")
    with serving(folder, "--write", "--tokens", tokens) as url:
        with pytest.raises(exceptions.TusCommunicationError) as refused:
            uploader(url, source).upload()
        assert refused.value.status_code == 401
        headers = {"Authorization": "Bearer 0123456789abcdef0123"}
        upload = uploader(url, source, headers=headers, kind="async_uploader", upload_checksum=True)
        asyncio.run(upload.upload())
        np.testing.assert_array_equal(nb.load(folder / "a.npy"), WALK)


def test_a_server_that_is_killed_has_what_it_said(tmp_path, source, uploader):
    folder = tmp_path / "served"
    folder.mkdir()
    offset = 0
    where = None
    while offset < source.stat().st_size:
        with serving(folder, "--write") as url:
            upload = uploader(url, source, url=url + where if where else None)
            assert upload.offset == offset
            upload.upload(stop_at=min(offset + 100_000, source.stat().st_size))
            offset, where = upload.offset, upload.url.removeprefix(url)
        # `serving` has ended it by SIGKILL.
    np.testing.assert_array_equal(nb.load(folder / "a.npy"), WALK)
