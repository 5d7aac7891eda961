"""The pytest side: install the rewriting importer, choose the tests, write down what happened.

Outcomes go to a file, one JSON object a line as they come, and not through pytest's report: when
native code takes the interpreter down, the lines written before tell which test did it.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from .names import short_name, without_parameters
from .rewrite import Finder
from .selection import sources_by_path
from .substitutes import Substitutes, offered_by, stock

MARKS = ("slow", "slow_pypy", "thread_unsafe", "leaks_references", "valgrind_error")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the two settings that `run.py` passes on."""
    group = parser.getgroup("conformance")
    group.addoption("--conformance-package", help="package to put in NumPy's place, or 'numpy'")
    group.addoption("--conformance-record", type=Path, help="file to write the outcomes to")


def pytest_configure(config: pytest.Config) -> None:
    """Put the importer in front of pytest's own, and know NumPy's marks."""
    for mark in MARKS:
        config.addinivalue_line("markers", f"{mark}: NumPy's")
    package = config.getoption("conformance_package")
    offered = stock() if package == "numpy" else offered_by(importlib.import_module(package))
    substitutes = Substitutes(offered)
    sys.meta_path.insert(0, Finder(sources_by_path(), substitutes))
    config.pluginmanager.register(Recorder(config, substitutes), "conformance-recorder")


class Recorder:
    """Select at collection, then record one line per test."""

    def __init__(self, config: pytest.Config, substitutes: Substitutes) -> None:
        self._path: Path = config.getoption("conformance_record")
        self._substitutes = substitutes
        self._sources = sources_by_path()
        self._outcome: dict[str, Any] = {}

    def _write(self, event: str, **facts: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event} | facts) + "\n")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Keep the selected tests; what is left out by name is recorded with its reason."""
        kept, dropped = [], []
        for item in items:
            name = short_name(item.nodeid)
            source = self._sources[item.path.resolve()]
            test = without_parameters(name.partition("::")[2])
            if not source.wants(test):
                dropped.append(item)
            elif test in source.leaves_out:
                dropped.append(item)
                self._write("left out", test=name, reason=source.leaves_out[test])
            else:
                kept.append(item)
                self._write("selected", test=name)
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept
        self._write("offered", missing=self._substitutes.missing)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Forget what the test before touched."""
        self._substitutes.forget()
        self._outcome = {"outcome": "passed", "detail": "", "seconds": 0.0}
        self._write("started", test=short_name(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Fold set-up, call and tear-down into one outcome; the worst of them counts."""
        self._outcome["seconds"] += report.duration
        if report.skipped and self._outcome["outcome"] == "passed":
            self._outcome |= {"outcome": "skipped", "detail": _why_skipped(report)}
        elif report.failed:
            self._outcome |= {"outcome": "failed", "detail": report.longreprtext}

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Write the line."""
        touched = self._substitutes.touched()
        self._write("finished", test=short_name(nodeid), touched=touched, **self._outcome)


def _why_skipped(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return f"NumPy marks it xfail: {report.wasxfail}"
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else "skipped"
