"""Runs the Rust benchmark and keeps its table.

    python bench/rust_peers.py [--size MIB] [--only WORD] [--seconds S] [--write] [--check]

The options mean what they mean to ``bench/run.py``, of which this is the Rust half.
"""

from __future__ import annotations

import argparse
import subprocess
import tomllib
from pathlib import Path

import document

CRATE = Path(__file__).parent / "rust"


def versions() -> str:
    """The versions that were measured, from the lock file."""
    packages = tomllib.loads((CRATE / "Cargo.lock").read_text())["package"]
    of = {package["name"]: package["version"] for package in packages}
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    names = ("ndbytes", "npyz", "ndarray-npy", "criterion")
    return ", ".join([" ".join(rustc.stdout.split()[:2]), *(f"{n} {of[n]}" for n in names)])


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=256, help="MiB of the big arrays")
    parser.add_argument("--only", default="", help="tasks whose name has this in it")
    parser.add_argument("--seconds", type=float, default=8, help="time for each task, about")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--check", action="store_true", help="tiny sizes, once")
    options = parser.parse_args()
    command = ["cargo", "bench", "--locked", "--manifest-path", str(CRATE / "Cargo.toml"), "--"]
    command += ["--size", str(max(1, round(options.size))), "--only", options.only]
    command += ["--seconds", str(max(1, round(options.seconds)))]
    command += ["--check"] * options.check
    table = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith("|"):
                table.append(line.rstrip())
    if process.returncode != 0:
        raise SystemExit(f"cargo bench ended with {process.returncode}")
    if options.write and not options.check:
        facts = f"{versions()}; arrays of {options.size:g} MiB unless the task says otherwise."
        document.write("rust", facts, table)


if __name__ == "__main__":
    main()
