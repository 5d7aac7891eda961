"""Measures the most memory that each path takes beside the array, and what the disk costs.

    python bench/memory.py [--size MIB] [--write] [--check] [--only WORD]

Each case is a process of its own, which makes its array, does a small one of the same kind first
(so that what is loaded on first use is not counted), and then the large one. Two counters tell the
peak: ``ru_maxrss``, less that of a process that does all but the large one; and ``VmHWM``, set back
before, less what was resident then. A result counts as given; the rest must stay below a limit.
``--check`` looks at the second counter alone, which takes half the time, and leaves out the disk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import document
import ndbytes as nb

Array = np.ndarray[Any, Any]
MIB = 1 << 20
# What saving any layout may take, and what of a measurement may be noise.
GATHER, NOISE = 64 * MIB, 8 * MIB


@dataclass(frozen=True)
class Case:
    """A call, the array that is there before it, and what it may take beside its result."""

    name: str
    layout: str
    act: Callable[[Path, Array | None], Any]
    given: bool
    returns: bool
    limit: int


def make(layout: str, nbytes: int) -> Array:
    """An array of about so many bytes in this layout, made without a temporary one."""
    if layout == "big-endian":
        a = np.zeros(nbytes // 8, ">f8")
        for start in range(0, a.size, 1 << 16):
            part = a[start : start + (1 << 16)]
            part[:] = np.arange(start, start + part.size)
        return a
    count = nbytes // 8 * (2 if layout == "[:, ::2]" else 1)
    flat = np.arange(count // 4096 * 4096, dtype="<f8")
    if layout == "C":
        return flat
    if layout == "F":
        return flat.reshape(64, -1).T
    if layout == "[:, ::2]":
        return flat.reshape(64, -1)[:, ::2]
    return flat.reshape(16, 64, -1).transpose(2, 0, 1)


def save(path: Path, a: Array | None) -> None:
    nb.save(path / "a.npy", a)


def savez(path: Path, a: Array | None) -> None:
    nb.savez(path / "a.npz", a=a)


def load(path: Path, _: Array | None) -> Array:
    loaded: Array = nb.load(path / "a.npy")
    return loaded


def load_npz(path: Path, _: Array | None) -> Array:
    with nb.load(path / "a.npz") as archive:
        loaded: Array = archive["a"]
    return loaded


def fromfile(path: Path, _: Array | None) -> Array:
    return nb.fromfile(path / "a.raw")


def recv(path: Path, _: Array | None) -> Array:
    """From a process that makes the array and sends it."""
    ours, theirs = socket.socketpair()
    size = int((path / "size").read_text())
    command = [sys.executable, __file__, "--send", str(theirs.fileno()), "--bytes", str(size)]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]), ours:
        theirs.close()
        return nb.recv(ours)


def send(path: Path, a: Array | None) -> None:
    """To a process that reads and forgets."""
    drain = "import os\nwhile os.read(0, 1 << 20): pass"
    with subprocess.Popen([sys.executable, "-c", drain], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        with process.stdin:
            nb.send(process.stdin.fileno(), a)


LAYOUTS = ("C", "F", "[:, ::2]", "3-D transposed", "big-endian")
CASES = [
    *(Case("save", layout, save, True, False, GATHER) for layout in LAYOUTS),
    *(Case("savez", layout, savez, True, False, GATHER) for layout in ("C", "3-D transposed")),
    *(Case("send", layout, send, True, False, GATHER) for layout in ("C", "3-D transposed")),
    Case("load", "C", load, False, True, 0),
    Case("load", "F", load, False, True, 0),
    Case("load, stored .npz", "C", load_npz, False, True, 0),
    Case("fromfile", "C", fromfile, False, True, 0),
    Case("recv", "C", recv, False, True, 0),
    Case("tobytes", "3-D transposed", lambda _, a: nb.tobytes(a), True, True, 0),
    Case("dumps", "3-D transposed", lambda _, a: nb.dumps(a), True, True, 0),
    Case("loads, a file read whole", "C", lambda p, _: nb.loads(read(p)), False, True, 0),
]


def read(path: Path) -> bytes:
    return (path / "a.npy").read_bytes()


def right(case: Case, path: Path, a: Array, got: Any) -> bool:
    """Whether the call did what it says."""
    if case.name == "save":
        return np.array_equal(np.load(path / "a.npy", mmap_mode="r"), a)
    if case.name == "savez":
        return np.array_equal(nb.load(path / "a.npz", mmap_mode="r")["a"], a)
    if case.name == "send":
        return got is None
    if case.name == "tobytes":
        return np.array_equal(np.frombuffer(got).reshape(a.shape), a)
    if case.name == "dumps":
        return np.array_equal(nb.loads(got), a)
    return got.dtype == a.dtype and np.array_equal(got, a)


def status(key: str) -> int:
    """A size of this process, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def child(case: Case, nbytes: int, path: Path, baseline: bool) -> None:
    """Run one case, or all of it but the large call, and print what was counted."""
    prepare(case, 1 << 20, path)
    small = make(case.layout, 1 << 20)
    if not right(case, path, small, case.act(path, small)):
        raise SystemExit(f"{case.name} {case.layout}: a wrong answer; nothing was measured")
    prepare(case, nbytes, path)
    a = make(case.layout, nbytes) if case.given else None
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    got = None if baseline else case.act(path, a)
    high, most = status("VmHWM"), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if not baseline and not right(case, path, make(case.layout, nbytes), got):
        raise SystemExit(f"{case.name} {case.layout}: a wrong answer")
    print(json.dumps({"high": high - before, "most": most}))


def prepare(case: Case, nbytes: int, path: Path) -> None:
    """Leave the files that a case reads, written by another process so that nothing is counted."""
    (path / "size").write_text(str(nbytes))
    if case.returns and not case.given and case.name != "recv":
        command = [sys.executable, __file__, "--prepare", case.layout, "--bytes", str(nbytes)]
        subprocess.run([*command, "--folder", str(path)], check=True)


def files(layout: str, nbytes: int, path: Path) -> None:
    """Make the files that cases read."""
    a = make(layout, nbytes)
    np.save(path / "a.npy", a)
    np.savez(path / "a.npz", a=a)
    a.tofile(path / "a.raw")


def run(number: int, nbytes: int, baseline: bool) -> dict[str, int]:
    """Run a case in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--case", str(number), "--bytes", str(nbytes)]
        command += ["--folder", folder] + ["--baseline"] * baseline
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    counted: dict[str, int] = json.loads(done.stdout)
    return counted


def peaks(nbytes: int, only: str, check: bool) -> list[str]:
    """Measure every case."""
    lines = [
        "| call | layout | result | beside it, by ru_maxrss | by VmHWM | at most |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for number, case in enumerate(CASES):
        if only not in case.name:
            continue
        result = nbytes if case.returns else 0
        counted = run(number, nbytes, False)
        by_status = counted["high"] - result
        if check:
            verify(case, by_status)
            print(f"| {case.name} | {case.layout} | checked |", flush=True)
            continue
        by_rusage = counted["most"] - run(number, nbytes, True)["most"] - result
        line = f"| {case.name} | {case.layout} | {result / MIB:.0f} MiB"
        line += f" | {max(by_rusage, 0) / MIB:.1f} MiB | {max(by_status, 0) / MIB:.1f} MiB"
        lines.append(f"{line} | {case.limit / MIB:.0f} MiB |")
        print(lines[-1], flush=True)
        verify(case, max(by_rusage, by_status))
    return lines


def verify(case: Case, beside: int) -> None:
    """Stop when a call took more than it may, or so little that it cannot have been counted."""
    if beside > case.limit + NOISE:
        raise SystemExit(f"{case.name} {case.layout}: {beside / MIB:.1f} MiB beside its result")
    if beside < -NOISE:
        raise SystemExit(f"{case.name} {case.layout}: its result was not counted")


def disk(nbytes: int) -> list[str]:
    """What waiting for the disk costs, and what the page cache saves."""
    a = make("C", nbytes)
    taken: dict[str, list[float]] = {}

    def clock(name: str, call: Callable[[], Any]) -> None:
        begin = time.perf_counter()
        result = call()
        taken.setdefault(name, []).append(time.perf_counter() - begin)
        del result

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npy"
        nb.save(path, a, durable=True)
        for _ in range(5):
            clock("`save`", lambda: nb.save(path, a))
            # What the last one left to be written is not this one's cost.
            os.sync()
            clock("`save(durable=True)`", lambda: nb.save(path, a, durable=True))
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            clock("`load`, nothing in the page cache", lambda: nb.load(path))
            clock("`load`, all of it in the page cache", lambda: nb.load(path))
        if not np.array_equal(nb.load(path), a):
            raise SystemExit("load: a wrong answer")
    lines = [f"| call, {nbytes / MIB:.0f} MiB | median (range) | GB/s |", "|---|---|---|"]
    for name, times in taken.items():
        middle = statistics.median(times)
        text = f"{middle * 1e3:.0f} ms ({min(times) * 1e3:.0f}-{max(times) * 1e3:.0f})"
        lines.append(f"| {name} | {text} | {nbytes / middle / 1e9:.2f} |")
    print("\n".join(lines))
    return lines


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=512, help="MiB of the arrays")
    parser.add_argument("--only", default="", help="calls whose name has this in it")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--check", action="store_true", help="the limits alone")
    # How a case is told to its process.
    for name in ("--case", "--bytes", "--send"):
        parser.add_argument(name, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--baseline", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case is not None:
        child(CASES[options.case], options.bytes, options.folder, options.baseline)
    elif options.send is not None:
        with socket.socket(fileno=options.send) as sock:
            nb.send(sock, make("C", options.bytes))
    elif options.prepare is not None:
        files(options.prepare, options.bytes, options.folder)
    else:
        nbytes = int(options.size * MIB) // MIB * MIB
        lines = peaks(nbytes, options.only, options.check)
        if not options.check:
            lines += ["", *disk(nbytes)]
        if options.write and not options.check:
            versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
            document.write("memory", f"{versions}; arrays of {nbytes / MIB:g} MiB.", lines)


if __name__ == "__main__":
    main()
