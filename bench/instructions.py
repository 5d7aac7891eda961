"""Counts the instructions of small calls by callgrind: figures that do not drift.

    python bench/instructions.py [--write] [--check] [--only WORD]

Each case runs twice, with N and with 2 N calls; the difference divided by N is what one call
takes, and loading, importing and setting up cancel out. The same binary gives the same count on a
busy machine as on an idle one. Instructions are not time: system calls count as none.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import document

CRATE = Path(__file__).parent / "rust"
SCRIPT = Path(__file__).parent / "calls.py"


@dataclass(frozen=True)
class Case:
    """A program that makes so many calls."""

    where: str
    what: str
    command: tuple[str, ...]
    calls: int


# What would differ from run to run: the hashes of strings, and so the paths through dicts; how
# long OpenBLAS's threads wait for one another while NumPy is imported.
STEADY = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
CALLGRIND = ("valgrind", "--tool=callgrind")
RUST = {
    "encode-plain": "`Header::encode`, `<i4` (4,)",
    "encode-fortran": "`Header::encode`, 3-D `<f8` in F order",
    "encode-struct": "`Header::encode`, struct of 4 fields",
    "parse-plain": "`Header::parse`, `<i4` (4,)",
    "parse-fortran": "`Header::parse`, 3-D `<f8` in F order",
    "parse-struct": "`Header::parse`, struct of 4 fields",
    "dumps": "`dumps`",
    "loads": "`loads`, a view",
    "read_npy": "`read_npy`",
    "send": "`send` to memory",
    "recv": "`recv` from memory",
}
PYTHON = {
    "nb.dumps": "`nb.dumps(a)`",
    "nb.loads": "`nb.loads(b)`",
    "nb.tobytes": "`nb.tobytes(a)`",
    "pickle.dumps": "`pickle.dumps(a, 5)`",
    "pickle.loads": "`pickle.loads(b)`",
    "a.tobytes": "`a.tobytes()`",
}


def build() -> str:
    """Build the Rust program and return its path."""
    command = ["cargo", "build", "--release", "--locked", "--bin", "instructions"]
    command += ["--manifest-path", str(CRATE / "Cargo.toml"), "--message-format=json"]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    messages = [json.loads(line) for line in built.stdout.splitlines()]
    return next(m["executable"] for m in messages if m.get("executable"))


def cases(program: str) -> Iterator[Case]:
    """Every case, those of Rust and those of Python."""
    known = subprocess.run([program], capture_output=True, text=True, check=True)
    if set(known.stdout.split()) != set(RUST):
        raise SystemExit("the cases of instructions.rs are not those that are described here")
    for name, what in RUST.items():
        yield Case("Rust", what, (program, name), 10_000)
    for name, what in PYTHON.items():
        yield Case("Python", what, (sys.executable, str(SCRIPT), name), 2_000)


def counted(command: tuple[str, ...], calls: int) -> int:
    """Instructions of the whole program."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [*CALLGRIND, f"--callgrind-out-file={folder}/out", *command, str(calls)],
            env={**os.environ, **STEADY},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    found = re.search(r"Collected *: (\d+)", run.stderr)
    if run.returncode != 0 or found is None:
        raise SystemExit(f"{' '.join(command)} failed under valgrind:\n{run.stderr}")
    return int(found[1])


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--check", action="store_true", help="few calls, and the count is steady")
    parser.add_argument("--only", default="", help="cases whose text has this in it")
    options = parser.parse_args()
    lines = ["| where | call, 4 `int32` | instructions |", "|---|---|---|"]
    print("\n".join(lines))
    for case in cases(build()):
        if options.only not in case.what:
            continue
        calls = 100 if options.check else case.calls
        more, less = counted(case.command, 2 * calls), counted(case.command, calls)
        if options.check and counted(case.command, calls) != less:
            raise SystemExit(f"{case.what}: the same calls were counted twice, and differ")
        if more <= less:
            raise SystemExit(f"{case.what}: {2 * calls} calls took no more than {calls}")
        lines.append(f"| {case.where} | {case.what} | {(more - less) / calls:,.0f} |")
        print(lines[-1], flush=True)
    if options.write and not options.check:
        version = subprocess.run(["valgrind", "--version"], capture_output=True, text=True)
        document.write("instructions", f"{version.stdout.strip()}, callgrind.", lines)


if __name__ == "__main__":
    main()
