"""Which of NumPy's tests are run, what is replaced in each file, and what is left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from .substitutes import FORMAT, METHODS

_FILES = {f"np.{name}": name for name in ("save", "load", "savez", "savez_compressed")}
_RAW = {f"np.{name}": name for name in ("fromfile", "frombuffer")}
_MAP = {"memmap": "memmap", "np.memmap": "memmap"}
_NPZ = {"np.lib.npyio.NpzFile": "NpzFile"}


@dataclass(frozen=True)
class Source:
    """One test file of NumPy: where it lies, what runs, what is replaced in it."""

    places: tuple[str, ...]
    runs: tuple[str, ...]
    replaces: Mapping[str, str]
    methods: tuple[str, ...] = ()
    leaves_out: Mapping[str, str] = field(default_factory=dict)

    def find(self) -> Path:
        """Return where the file lies; NumPy 2 moved `core` to `_core`."""
        root = Path(np.__file__).resolve().parent
        for place in self.places:
            if (root / place).is_file():
                return root / place
        raise FileNotFoundError(f"numpy {np.__version__} in {root} ships none of {self.places}")

    def wants(self, test: str) -> bool:
        """Whether `Class::function` belongs to what is tried here at all."""
        return any(fnmatchcase(test, pattern) for pattern in self.runs)


SOURCES = (
    Source(
        places=("lib/tests/test_format.py",),
        runs=("*",),
        replaces=_FILES | {f"format.{name}": f"format.{name}" for name in FORMAT},
    ),
    Source(
        places=("lib/tests/test_io.py",),
        runs=(
            "TestSaveLoad::*",
            "TestSavezLoad::*",
            "TestSaveTxt::test_multifield_view",
            "TestSaveTxt::test_large_zip",
            "TestPathUsage::test_save_load*",
            "TestPathUsage::test_savez*",
            "test_gzip_load",
            "test_ducktyping",
            "test_npzfile_dict",
            "test_load_refcount",
            "test_load_multiple_arrays_until_eof",
            "test_savez_nopickle",
        ),
        replaces=_FILES | _NPZ,
    ),
    Source(
        places=("_core/tests/test_memmap.py", "core/tests/test_memmap.py"),
        runs=("*",),
        replaces=_MAP,
    ),
    Source(
        places=("_core/tests/test_multiarray.py", "core/tests/test_multiarray.py"),
        runs=("TestIO::*", "TestFromBuffer::*", "*::test_tobytes_no_copy_fastpath"),
        replaces=_FILES | _RAW,
        methods=METHODS,
    ),
)


def sources_by_path() -> dict[Path, Source]:
    """Return the sources under the paths that they have in the installed NumPy."""
    return {source.find(): source for source in SOURCES}
