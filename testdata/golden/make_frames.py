"""Makes the golden frames, each beside the array that it holds. Files that are there stay."""

from pathlib import Path

import numpy as np

import ndbytes as nb

FOLDER = Path(__file__).parent / "frame1"


def frames():
    """Yield name, array, codec and chunk shape."""
    rng = np.random.default_rng(1)
    walk = rng.standard_normal(700).cumsum()
    struct = np.zeros((5, 4), [("a", "u1"), ("b", ">f4"), ("c", "<U3")])
    struct["b"] = rng.random((5, 4))
    struct["c"] = "né"
    yield "auto-f8", walk, "auto", (300,)
    yield (
        "fast-i4-fortran",
        np.asfortranarray(np.arange(99, dtype="<i4").reshape(9, 11)),
        "fast",
        (4, 4),
    )
    yield "zlib-struct", struct, "zlib-9-shuffle", (2, 3)
    yield "zstd-bits-u2", (np.arange(800) // 3).astype("<u2"), "zstd-3-bitshuffle", (500,)
    yield "pco-f4", walk.astype("<f4"), "pco-4", (256,)
    yield "raw-bool", walk.reshape(7, 100) > 0, "raw", (7, 30)
    yield "raw-scalar", np.array(7.5), "raw", ()
    yield "auto-empty", np.zeros((0, 3), "<c16"), "auto", (1, 3)


for name, array, codec, chunks in frames():
    path = FOLDER / f"{name}.ndb"
    if not path.exists():
        nb.save(path, array, codec=codec, chunks=chunks)
        nb.save(path.with_suffix(".npy"), array)
