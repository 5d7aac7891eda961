"""`ndbytes serve` in a process of its own."""

import contextlib
import subprocess
from pathlib import Path

COMMAND = Path(__file__).parents[2] / "target" / "release" / "ndbytes"
WAIT = 30


@contextlib.contextmanager
def serving(folder, *args):
    """Serve a folder, and give the URL."""
    command = [str(COMMAND), "serve", str(folder), "--listen", "127.0.0.1:0", "--log", "off"]
    process = subprocess.Popen([*command, *map(str, args)], stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=WAIT)
