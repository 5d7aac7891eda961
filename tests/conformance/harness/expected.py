"""The list of tests that are expected not to pass: `expected.toml`.

[[test]]
name = "test_format.py::test_x[r]"  # without "[...]": every parameter set
numpy = ["1.26"]                    # optional: the series it holds for; "2" is all of 2.x
pickle = true                       # optional: it fails because pickle is refused
reason = "Why ndbytes differs here."
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from .names import without_parameters

KEYS = {"name", "numpy", "pickle", "reason"}


class BadList(Exception):
    """`expected.toml` says something that has no meaning."""


@dataclass(frozen=True)
class Entry:
    """One test, or all parameter sets of one, that is expected to fail."""

    name: str
    reason: str
    numpy: tuple[str, ...] = ()
    pickle: bool = False

    def holds_for(self, version: str) -> bool:
        """Whether the entry speaks of this NumPy version."""
        return not self.numpy or any(f"{version}.".startswith(f"{s}.") for s in self.numpy)

    def covers(self, test: str) -> bool:
        """Whether the entry speaks of this test."""
        return self.name in (test, without_parameters(test))


def read(path: Path) -> list[Entry]:
    """Read the list, and refuse what would be silently ignored."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if extra := set(document) - {"test"}:
        raise BadList(f"{path}: unknown keys {sorted(extra)}")
    return [_entry(fields, path) for fields in document.get("test", [])]


def _entry(fields: dict, path: Path) -> Entry:
    what = f"{path}: {fields}"
    if extra := set(fields) - KEYS:
        raise BadList(f"{what}: unknown keys {sorted(extra)}")
    series = fields.get("numpy", [])
    if not all(isinstance(fields.get(key), str) and fields[key] for key in ("name", "reason")):
        raise BadList(f"{what}: name and reason must be given")
    if not isinstance(series, list) or not all(isinstance(one, str) for one in series):
        raise BadList(f'{what}: numpy must be a list such as ["1.26", "2"]')
    if not isinstance(fields.get("pickle", False), bool):
        raise BadList(f"{what}: pickle must be true or false")
    return Entry(fields["name"], fields["reason"], tuple(series), fields.get("pickle", False))
