"""Servers of others in processes of their own."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

WAIT = 30

NGINX = """
daemon off;
USER
pid PLACE/pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 512; }
"""


def program(name):
    """Find a program: Debian keeps servers where only root looks for them."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def free_port():
    """Give a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def nginx(place, http):
    """Configure nginx with what `http` says; give the command that runs it."""
    # It would give up root's rights, without which nobody may go through folders of tests.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = place / "nginx.conf"
    configuration.write_text(NGINX.replace("PLACE", str(place)).replace("USER", user) + http)
    return [program("nginx"), "-e", "stderr", "-p", str(place), "-c", str(configuration)]


@contextlib.contextmanager
def listening(command, port):
    """Start a server, wait until it listens, and end it with its workers."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + WAIT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), WAIT):
                break
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end, f"{command[0]} does not listen"
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=WAIT)
