"""Writes golden Blosc 1 buffers: data.bin, and buffers.bin, one after another as c-blosc made them.

    python testdata/golden/make_blosc.py testdata/golden/blosc1

Each buffer says its own length, and holds as many bytes from the start of data.bin as it says.
Needs `numcodecs`. Files that were written once are never written again: a new buffer gets a new
folder.
"""

import sys
from pathlib import Path

import numpy as np
from numcodecs import blosc as numcodecs_blosc

BLOCK = 2000
SIZES = (0, 100, 128, 1999, 6000, 8192, 9001)


def main(folder: Path) -> None:
    """Write the folder, which must not exist."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    steps = rng.integers(0, 50, 9008 // 8).cumsum() // 16
    data = bytearray(steps.astype("<i8").tobytes())
    data[4000:4300] = rng.bytes(300)
    (folder / "data.bin").write_bytes(data)
    buffers = []
    names = numcodecs_blosc.list_compressors()
    for number, (name, shuffle, typesize) in enumerate(
        (name, shuffle, typesize)
        for name in sorted(names)
        for shuffle in (0, 1, 2)
        for typesize in (1, 2, 3, 4, 8, 16, 17, 255)
    ):
        size = SIZES[number % len(SIZES)]
        level = (0, 1, 5, 9)[number % 4] if number % 5 else 5
        size -= size % typesize
        items = np.frombuffer(bytes(data[:size]), f"V{typesize}" if size else "u1")
        block = BLOCK if number % 2 else 0
        buffers.append(numcodecs_blosc.compress(items, name.encode(), level, shuffle, block))
    (folder / "buffers.bin").write_bytes(b"".join(buffers))
    print(f"{len(buffers)} buffers of {', '.join(sorted(names))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
