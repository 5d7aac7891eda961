"""Any server of files will do that answers ranges: nginx and Apache are asked for parts alone."""

import contextlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from daemons import free_port, listening, nginx, program

import ndbytes as nb

PROGRAMS = {name: program(name) for name in ("nginx", "apache2")}
MODULES = Path("/usr/lib/apache2/modules")

WALK = np.random.default_rng(0).normal(size=(4000, 500)).cumsum(0)

NGINX = """
http {
    log_format asked '$request_method $body_bytes_sent';
    access_log PLACE/asked asked;
    server {
        listen 127.0.0.1:PORT;
        location / { root FOLDER; }
    }
}
"""
APACHE = """
ServerRoot PLACE
ServerName localhost
PidFile PLACE/pid
Listen 127.0.0.1:PORT
USER
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authz_core_module MODULES/mod_authz_core.so
ErrorLog PLACE/errors
LogFormat "%m %B" asked
CustomLog PLACE/asked asked
DocumentRoot FOLDER
<Directory FOLDER>
    Require all granted
</Directory>
"""


def apache(place, text):
    """Configure Apache; give the command that runs it."""
    (place / "conf").write_text(text)
    return [PROGRAMS["apache2"], "-D", "FOREGROUND", "-f", str(place / "conf")]


KINDS = {"nginx": (NGINX, nginx), "apache2": (APACHE, apache)}


@contextlib.contextmanager
def serving(kind, place, folder):
    """Serve a folder; give the URL, and a function that tells how many bytes were sent since."""
    text, configured = KINDS[kind]
    port = free_port()
    values = {
        # Of root, Apache wants to become somebody else.
        "USER": 'User "#65534"' if os.geteuid() == 0 else "",
        "PLACE": str(place),
        "PORT": str(port),
        "FOLDER": str(folder),
        "MODULES": str(MODULES),
    }
    for name, value in values.items():
        text = text.replace(name, value)
    asked, seen = place / "asked", 0

    def sent():
        nonlocal seen
        # It is written when the answer has been.
        time.sleep(0.2)
        lines = asked.read_text().splitlines()
        new, seen = lines[seen:], len(lines)
        return sum(int(line.split()[1]) for line in new)

    with listening(configured(place, text), port):
        yield f"http://127.0.0.1:{port}", sent


@pytest.fixture(params=KINDS)
def served(request, tmp_path):
    """Give a folder, the URL of a server of it, and what tells how much it has sent."""
    if PROGRAMS[request.param] is None:
        pytest.skip(f"there is no {request.param}; tools/network.sh installs it")
    # Folders of tests are root's alone, which Apache is not.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        with serving(request.param, tmp_path, folder) as (url, sent):
            yield folder, url, sent


def test_parts_are_fetched_and_no_more(served):
    folder, url, sent = served
    nb.save(folder / "a.npy", WALK)
    nb.save(folder / "a.ndb", WALK, codec="fast", chunks=(100, 500))
    nb.savez(folder / "a.npz", x=WALK, y=np.arange(5))
    nb.savez_compressed(folder / "c.npz", x=WALK)
    for name in ["a.npy", "a.ndb"]:
        with nb.open(f"{url}/{name}") as array:
            sent()
            assert np.array_equal(array[1000:1010, ::7], WALK[1000:1010, ::7])
            assert 0 < sent() < WALK.nbytes / 8, name
        assert np.array_equal(nb.load(f"{url}/{name}"), WALK)
    for name in ["a.npz", "c.npz"]:
        with nb.load(f"{url}/{name}") as archive:
            assert np.array_equal(archive["x"], WALK)
    with nb.load(f"{url}/a.npz") as archive:
        sent()
        assert archive["y"].tolist() == [0, 1, 2, 3, 4]
        assert sent() < WALK.nbytes / 8


def test_a_file_that_changes_is_not_mixed_with_what_it_was(served):
    folder, url, _ = served
    nb.save(folder / "a.npy", WALK)
    with nb.open(f"{url}/a.npy") as array:
        assert array[0, 0] == WALK[0, 0]
        # Servers tell versions apart by size and time, to the second or finer.
        nb.save(folder / "a.npy", np.vstack([WALK, WALK])[: len(WALK) + 1] + 1)
        with pytest.raises(nb.MismatchError, match="became another"):
            array[3000:, :]
    assert nb.load(f"{url}/a.npy").shape == (len(WALK) + 1, WALK.shape[1])


def test_what_they_refuse_is_an_error(served):
    folder, url, _ = served
    nb.save(folder / "a.npy", WALK)
    with pytest.raises(FileNotFoundError):
        nb.load(f"{url}/b.npy")
    with pytest.raises(OSError, match="405"):
        nb.save(f"{url}/a.npy", [1, 2])
    assert np.array_equal(nb.load(folder / "a.npy"), WALK)
