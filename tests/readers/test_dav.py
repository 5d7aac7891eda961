"""Clients of WebDAV list, write, read and remove what `ndbytes serve` has: obstore and rclone."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import obstore
import obstore.store
import pytest
from test_http import COMMAND, WAIT, serving

import ndbytes as nb

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)


@pytest.fixture
def served(tmp_path):
    folder = tmp_path / "served"
    (folder / "sub").mkdir(parents=True)
    nb.save(folder / "sub" / "a b.npy", np.arange(6.0))
    with serving(folder, "--write", "--delete") as url:
        yield folder, url


def test_obstore(served):
    folder, url = served
    options = {"allow_http": True}
    store = obstore.store.HTTPStore.from_url(url, client_options=options)
    data = nb.dumps(np.arange(5))
    obstore.put(store, "files/new/deeper/c.npy", data, use_multipart=False)
    assert (folder / "new" / "deeper" / "c.npy").read_bytes() == data
    assert bytes(obstore.get(store, "files/new/deeper/c.npy").bytes()) == data
    assert bytes(obstore.get_range(store, "files/new/deeper/c.npy", start=1, length=5)) == b"NUMPY"
    found = {item["path"]: item["size"] for batch in obstore.list(store, "files") for item in batch}
    assert found == {"files/sub/a b.npy": 176, "files/new/deeper/c.npy": len(data)}
    assert obstore.head(store, "files/sub/a b.npy")["size"] == 176
    assert [
        item["path"] for item in obstore.list_with_delimiter(store, "files/sub")["objects"]
    ] == ["files/sub/a b.npy"]
    obstore.delete(store, "files/sub/a b.npy")
    assert not (folder / "sub" / "a b.npy").exists()
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "files/sub/a b.npy")


def test_rclone(served, tmp_path):
    folder, url = served
    rclone = Path(sys.executable).parent / "rclone"
    local = tmp_path / "local"
    (local / "deep" / "er").mkdir(parents=True)
    for i in range(5):
        nb.save(local / "deep" / "er" / f"{i}.npy", np.arange(i))
    environment = {**os.environ, "RCLONE_CONFIG": str(tmp_path / "none")}

    def run(*args):
        remote = f":webdav,url='{url}files':"
        command = [rclone, *(arg.replace("REMOTE:", remote) for arg in args), "--retries", "1"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=WAIT, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("copy", str(local), "REMOTE:copied")
    for i in range(5):
        assert nb.load(folder / "copied" / "deep" / "er" / f"{i}.npy").size == i
    assert "sub/a b.npy" in run("lsf", "-R", "REMOTE:")
    run("check", str(local), "REMOTE:copied", "--download")
    nb.save(local / "deep" / "er" / "0.npy", np.arange(100))
    run("sync", str(local), "REMOTE:copied", "--ignore-times")
    assert nb.load(folder / "copied" / "deep" / "er" / "0.npy").size == 100
    run("copyto", "REMOTE:sub/a b.npy", str(tmp_path / "back.npy"))
    assert nb.load(tmp_path / "back.npy").tolist() == list(range(6))
    run("delete", "REMOTE:copied")
    run("rmdirs", "REMOTE:copied")
    assert not (folder / "copied").exists()
