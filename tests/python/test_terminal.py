"""The command on a terminal: a bar for work that takes longer than a moment, and for no other."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import ndbytes as nb

COMMAND = Path(__file__).parents[2] / "target" / "release" / "ndbytes"

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)

NOISE = np.random.default_rng(0).integers(0, 1000, 1 << 18).astype("f8")
NPY = nb.dumps(NOISE)
CLEARED = re.compile(rb"\r\x1b\[(?:2K|K|1K)|\x1b\[2K")


class Terminal:
    """A command whose stderr, and stdout if asked, is a terminal, and what it writes there."""

    def __init__(self, folder, *args, out=False, **environment):
        self._own, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 100))
        self.before = termios.tcgetattr(theirs)
        self.shown = b""
        env = {**os.environ, "TERM": "xterm", **environment}
        self.process = subprocess.Popen(
            [COMMAND, *map(str, args)],
            cwd=folder,
            env={name: value for name, value in env.items() if value is not None},
            stdin=subprocess.PIPE,
            stdout=theirs if out else subprocess.DEVNULL,
            stderr=theirs,
            start_new_session=True,
        )
        self._theirs = theirs
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._stop = threading.Event()
        self._reader.start()

    def _read(self):
        while not self._stop.is_set() or select.select([self._own], [], [], 0)[0]:
            if select.select([self._own], [], [], 0.02)[0]:
                self.shown += os.read(self._own, 1 << 16)

    def feed(self, data, seconds=1.2, steps=12):
        """Write to its stdin slowly, and close it."""
        for part in np.array_split(np.frombuffer(data, "u1"), steps):
            try:
                self.process.stdin.write(part.tobytes())
                self.process.stdin.flush()
            except BrokenPipeError:
                break
            time.sleep(seconds / steps)
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass

    def wait(self):
        """Return the exit status."""
        status = self.process.wait(60)
        self._stop.set()
        self._reader.join(60)
        self.after = termios.tcgetattr(self._theirs)
        self.process.stdin.close()
        os.close(self._own)
        os.close(self._theirs)
        return status

    def has_bar(self):
        return b"iB/s" in self.shown

    def left(self):
        """Return what a terminal shows in the end: lines, each from what it was last cleared."""
        lines = []
        for line in self.shown.replace(b"\r\n", b"\n").split(b"\n"):
            lines.append(re.split(rb"\r|\x1b\[2K|\x1b\[K", line)[-1])
        return b"\n".join(lines)


@pytest.fixture
def place(tmp_path):
    nb.save(tmp_path / "a.npy", NOISE)
    (tmp_path / "a.npy.gz").write_bytes(nb.compress(NPY, "gzip", 1))
    return tmp_path


def slow_file(place, data, seconds=1.2):
    """Give a named pipe that yields the data slowly."""
    path = place / "slow"
    os.mkfifo(path)

    def write():
        with open(path, "wb", buffering=0) as file:
            for part in np.array_split(np.frombuffer(data, "u1"), 12):
                file.write(part.tobytes())
                time.sleep(seconds / 12)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


FED = {
    "compress": (["compress", "-", "new.gz"], NPY),
    "decompress": (["decompress", "-", "new.npy"], nb.compress(NPY, "gzip", 1)),
    "verify": (["verify", "-"], NPY),
    "diff": (["diff", "-", "a.npy"], NPY),
    "cat": (["cat", "-", "--format", "raw"], NPY),
    "convert": (["convert", "-", "new.raw"], NPY),
    "send": (["send", "-", "-"], NPY),
    "recv": (["recv", "-", "--out", "new"], NPY),
}


@pytest.mark.parametrize("name", FED)
def test_slow_work_has_a_bar_that_goes_away(place, name):
    args, data = FED[name]
    terminal = Terminal(place, *args)
    terminal.feed(data)
    assert terminal.wait() == 0
    assert terminal.has_bar(), terminal.shown
    assert b"iB/s" not in terminal.left()
    assert terminal.after == terminal.before
    # The cursor was never hidden, or is shown again.
    assert terminal.shown.count(b"\x1b[?25l") <= terminal.shown.count(b"\x1b[?25h")


def test_a_bar_says_how_much_how_fast_and_how_long(place):
    # Long work for that level.
    rows = np.random.default_rng(0).integers(0, 1000, 3 << 21).astype("f8")
    nb.save(place / "big.npy", rows)
    bar = re.compile(
        rb"writing new\.ndb \[=*>? *\] +\d+% [\d.]+ [KM]iB/48.00 MiB [\d.]+ [KM]iB/s \d+[smh]"
    )
    terminal = Terminal(place, "convert", "big.npy", "new.ndb", "--codec", "zstd-19")
    deadline = time.monotonic() + 30
    while not bar.search(terminal.shown) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert bar.search(terminal.shown), terminal.shown
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.wait() == -signal.SIGINT
    assert b"iB/s" not in terminal.left()
    assert sorted(os.listdir(place)) == ["a.npy", "a.npy.gz", "big.npy"]


@pytest.mark.parametrize("name", FED)
def test_work_of_a_moment_has_none(place, name):
    args, data = FED[name]
    terminal = Terminal(place, *args)
    terminal.feed(data, 0, 1)
    assert terminal.wait() == 0
    assert not terminal.has_bar()
    assert b"\x1b" not in terminal.shown


@pytest.mark.parametrize(
    ("more", "environment"),
    [
        (["--no-progress"], {}),
        ([], {"TERM": "dumb"}),
        ([], {"TERM": None}),
        (["--format", "json"], {}),
    ],
)
def test_none_is_shown_where_none_is_wanted(place, more, environment):
    terminal = Terminal(place, "verify", "-", *more, **environment)
    terminal.feed(NPY)
    assert terminal.wait() == 0
    assert terminal.shown == b""


def test_there_is_no_colour(place):
    for environment in ({}, {"NO_COLOR": "1"}):
        terminal = Terminal(place, "verify", "-", **environment)
        terminal.feed(NPY)
        assert terminal.wait() == 0
        assert terminal.has_bar()
        assert not re.search(rb"\x1b\[[\d;]*m", terminal.shown)


@pytest.mark.parametrize("name", FED)
def test_none_is_shown_without_a_terminal(place, name):
    args, data = FED[name]
    process = subprocess.Popen(
        [COMMAND, *args],
        cwd=place,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    for part in np.array_split(np.frombuffer(data, "u1"), 8):
        process.stdin.write(part.tobytes())
        process.stdin.flush()
        time.sleep(0.1)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"iB/s" not in shown
    assert b"\x1b" not in shown
    assert b"\r" not in shown


@pytest.mark.parametrize("args", [["cat", "-", "--all"], ["convert", "-", "-"], ["send", "-", "-"]])
def test_a_terminal_that_gets_the_data_has_no_bar(place, args):
    terminal = Terminal(place, *args, out=True)
    terminal.feed(nb.dumps(NOISE[:1000]))
    assert terminal.wait() == 0
    assert not terminal.has_bar()


def test_lines_and_bars_do_not_mix(place):
    """Both go to one terminal: each line is whole, and the bar is gone in the end."""
    thread = slow_file(place, NPY)
    terminal = Terminal(place, "verify", "a.npy", "slow", "missing", "a.npy", out=True)
    status = terminal.wait()
    thread.join(60)
    assert status == 2
    assert terminal.has_bar()
    lines = terminal.left().decode().splitlines()
    assert lines[0] == "a.npy: OK (npy of <f8 (262144,))"
    assert lines[1] == "slow: OK (npy of <f8 (262144,))"
    assert lines[2].startswith("ndbytes: missing: no such file")
    assert lines[3] == lines[0]
    assert "".join(lines[4:]) == ""


def test_recv_over_a_socket_says_how_much_is_to_come(place):
    terminal = Terminal(place, "recv", f"unix://{place}/socket", "--out", "new")
    deadline = time.monotonic() + 30
    while not (place / "socket").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with socket.socket(socket.AF_UNIX) as peer:
        # The name is there a moment before anybody listens.
        while peer.connect_ex(str(place / "socket")) != 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        for part in np.array_split(np.frombuffer(NPY, "u1"), 12):
            peer.sendall(part.tobytes())
            time.sleep(0.1)
    assert terminal.wait() == 0
    assert re.search(rb"receiving array 0 \[=*>? *\] +\d+% [\d.]+ \wiB/2.00 MiB", terminal.shown)
    assert terminal.left().endswith(b"received 1 array\n")


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["compress", "decompress", "verify", "recv", "cat"])
def test_a_signal_takes_the_bar_away(place, name, kill):
    args, data = FED[name]
    names = sorted(os.listdir(place))
    terminal = Terminal(place, *args)
    process = terminal.process
    for part in np.array_split(np.frombuffer(data[: len(data) // 2], "u1"), 10):
        process.stdin.write(part.tobytes())
        process.stdin.flush()
        time.sleep(0.1)
    process.send_signal(kill)
    assert terminal.wait() == -kill
    assert terminal.has_bar()
    assert b"iB/s" not in terminal.left()
    assert terminal.after == terminal.before
    assert terminal.shown.count(b"\x1b[?25l") <= terminal.shown.count(b"\x1b[?25h")
    # recv has made its folder.
    assert [n for n in sorted(os.listdir(place)) if n != "new"] == names
