"""Other processes for the tests: small programs, limits and peers, all bounded in time."""

import os
import subprocess
import sys

TIMEOUT = 60


def python(code, *args, check=True, **kwargs):
    """Run a program in a Python of its own and return what it printed."""
    kwargs.setdefault("timeout", TIMEOUT)
    command = [sys.executable, "-W", "error", "-c", code, *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **kwargs)
    if check and done.returncode:
        raise AssertionError(f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout if check else done


def start(code, *args, **kwargs):
    """Start a program in a Python of its own."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-W", "error", "-c", code, *map(str, args)]
    return subprocess.Popen(command, env=environment, **kwargs)
