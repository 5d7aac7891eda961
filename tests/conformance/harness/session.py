"""Run pytest in a process of its own and read back what it recorded.

Its own process, so that a crash or a hang in native code ends as a failed test here; its own empty
folder and settings, so that neither the checkout's configuration nor its files take part.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import comma_locale
from .judgement import Outcome
from .selection import SOURCES

HERE = Path(__file__).resolve().parent.parent
SECONDS_BEFORE_TRACE = 120
TRACE_LINES = 20


class DidNotRun(Exception):
    """Pytest ended before it had selected any test."""


@dataclass
class Record:
    """All that one run of pytest wrote down."""

    outcomes: list[Outcome] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def run(package: str, only: str | None, timeout: float, verbose: bool) -> Record:
    """Run the selected tests with `package` in NumPy's place."""
    prefix = "ndbytes-conformance-"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        record, printed = folder / "record.jsonl", folder / "printed.txt"
        record.touch()
        (folder / "pytest.ini").write_text("[pytest]\n")
        command = [
            *(sys.executable, "-m", "pytest"),
            *(str(source.find()) for source in SOURCES),
            *("-p", "harness.plugin", "--noconftest", "-p", "no:cacheprovider"),
            *("-c", str(folder / "pytest.ini"), f"--rootdir={Path(np.__file__).parent.parent}"),
            *("-o", "tmp_path_retention_policy=none", f"--basetemp={folder / 'tests'}"),
            *("-o", f"faulthandler_timeout={SECONDS_BEFORE_TRACE}"),
            # As in NumPy's own CI: whoever warns where NumPy does not, or leaks a file, fails.
            *("-W", "error", "-W", "ignore::pytest.PytestDeprecationWarning"),
            *(f"--conformance-package={package}", f"--conformance-record={record}"),
            *(("-k", only) if only else ()),
            *(("-v", "-rA") if verbose else ("-q",)),
        ]
        with printed.open("wb") as file:
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=_environment(folder),
                    stdout=None if verbose else file,
                    stderr=None if verbose else subprocess.STDOUT,
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                end = f"pytest was stopped after {timeout:g} s"
            else:
                end = f"pytest ended with status {done.returncode}"
        return _read(record, end, printed.read_text(encoding="utf-8", errors="replace"))


def _environment(folder: Path) -> dict[str, str]:
    path = filter(None, (str(HERE), os.environ.get("PYTHONPATH")))
    changes = {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder),
    }
    return os.environ | changes | comma_locale.environment(folder / "locale")


def _read(path: Path, end: str, printed: str) -> Record:
    record, last = Record(), None
    selected: dict[str, Outcome | None] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        fact = json.loads(line)
        match fact.pop("event"):
            case "selected":
                selected[fact["test"]] = None
            case "left out":
                record.left_out.append((fact["test"], fact["reason"]))
            case "offered":
                record.missing = fact["missing"]
            case "started":
                last = fact["test"]
            case "finished":
                selected[fact["test"]] = Outcome(**fact)
    if not selected:
        raise DidNotRun(f"{end} without having selected a test\n{printed}".rstrip())
    for test, outcome in selected.items():
        detail = (
            f"{end} in this test\n{_trace(printed)}" if test == last else f"{end} before this test"
        )
        record.outcomes.append(outcome or Outcome(test, "failed", detail))
    return record


def _trace(printed: str) -> str:
    """Return the place where native code crashed or hung, if faulthandler printed one."""
    for mark in ("Fatal Python error", "Timeout ("):
        if (place := printed.rfind(mark)) >= 0:
            printed = printed[place:]
            return "\n".join(printed.splitlines()[:TRACE_LINES])
    return "\n".join(printed.splitlines()[-TRACE_LINES:])
