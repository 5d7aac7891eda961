"""`ndbytes serve` in a process of its own."""

import contextlib
import subprocess
import urllib.parse
from pathlib import Path

COMMAND = Path(__file__).parents[2] / "target" / "release" / "ndbytes"
WAIT = 30


@contextlib.contextmanager
def serving(folder, *args, log="off"):
    """Serve a folder; give the host and port, and the process."""
    command = [str(COMMAND), "serve", str(folder), "--listen", "127.0.0.1:0", "--log", log]
    process = subprocess.Popen(
        [*command, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        url = process.stdout.readline().strip()
        assert url, process.stderr.read()
        yield urllib.parse.urlsplit(url).netloc, process
    finally:
        process.kill()
        process.communicate(timeout=WAIT)
