"""The table of expected failures in the specification, made from the list and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .expected import Entry

BEGIN = "<!-- conformance:begin -->"
END = "<!-- conformance:end -->"


class NoPlace(Exception):
    """The document, or the place for the table in it, is missing."""


def table(entries: Iterable[Entry]) -> str:
    """Return the Markdown table."""
    rows = [
        "| NumPy's test | NumPy | pickle | why it does not pass |",
        "|---|---|---|---|",
    ]
    for entry in sorted(entries, key=lambda e: (e.name, e.numpy)):
        series = ", ".join(entry.numpy) or "all"
        pickle = "yes" if entry.pickle else ""
        rows.append(f"| `{_cell(entry.name)}` | {series} | {pickle} | {_cell(entry.reason)} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def with_table(path: Path, entries: Iterable[Entry]) -> tuple[str, str]:
    """Return the document as it is and as it should be."""
    if not path.is_file():
        raise NoPlace(f"{path} does not exist; write it first, with the two lines {BEGIN} {END}")
    text = path.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise NoPlace(f"{path} must have one {BEGIN} and, after it, one {END}")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return text, f"{before}{BEGIN}\n{table(entries)}\n{END}{after}"
