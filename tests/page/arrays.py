"""What the tests look at."""

import subprocess

import numpy as np
from serving import COMMAND


def make(folder):
    """Write arrays into a folder; give them by their names without suffix."""
    rng = np.random.default_rng(20)
    made = {
        "line": rng.normal(size=4000).cumsum(),
        "plane": rng.normal(size=(30, 40)).astype("f4"),
        "small": np.arange(12, dtype=">i2").reshape(3, 4),
        "fortran": np.asfortranarray(rng.integers(0, 1000, (25, 20))),
        "cube": np.arange(4 * 5 * 6).reshape(4, 5, 6),
        "picture": rng.integers(0, 256, (16, 24, 3), "u1"),
        "pictures": rng.integers(0, 256, (3, 16, 24, 4), "u1"),
        "outlier": np.where(np.arange(400) == 0, 1e9, np.arange(400)).reshape(20, 20),
        "holes": holes(rng),
        "struct": struct(rng),
        "complex": np.array([3 + 4j, -1, 1j, 0.5 - 0.25j, np.nan]),
        "dates": np.array(["2024-02-29T12:00", "NaT", "1969-12-31", "2000-01-01"], "M8[s]"),
        "strings": np.array(["ann", "b'c", "dé", ""]),
        "bytes": np.array([b"a\xff", b"", b"xyz"]),
        "void": np.array([b"\x00\x01", b"\xff\xfe"], "V2"),
        "bool": np.array([True, False, True]),
        "int64": np.array([2**63 - 1, 2**63 - 2, -(2**63), 0]),
        "uint64": np.array([2**64 - 1, 2**64 - 2, 2**53 + 1], "u8"),
        "half": np.array([0.1, 65504, -0.0, np.inf], "f2"),
        "scalar": np.float64(np.pi),
        "empty": np.zeros((0, 5)),
        "wide": rng.normal(size=1_200_000).cumsum(),
        "counts": rng.poisson(20, (2000, 1500)).astype("i4"),
    }
    for name, array in made.items():
        np.save(folder / f"{name}.npy", array)
    objects = np.array([{}], object)
    members = {"plane": made["plane"], "strings": made["strings"], "objects": objects}
    np.savez_compressed(folder / "members.npz", **members)
    convert = [COMMAND, "convert", folder / "plane.npy", folder / "plane.ndb", "--codec", "small"]
    subprocess.run(convert, check=True, capture_output=True, timeout=60)
    (folder / "notes.txt").write_text("a note\n")
    inner = folder / "a folder" / "ü #1%"
    inner.mkdir(parents=True)
    np.save(inner / "deep.npy", np.arange(3))
    return made


def sparse(path, descr, shape):
    """Write a header, and a hole for the elements."""
    with open(path, "wb") as file:
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        size = np.dtype(descr).itemsize * int(np.prod(shape, dtype=object))
        file.truncate(file.tell() + size)


def holes(rng):
    array = rng.normal(size=(20, 30))
    array[2:5, 3:9] = np.nan
    array[10, 10] = np.inf
    array[11, 10] = -np.inf
    return array


def struct(rng):
    fields = [
        ("id", "<i4"),
        ("name", "U6"),
        ("at", [("x", "<f8"), ("y", ">f4")]),
        ("rgb", "u1", (3,)),
        ("when", "M8[D]"),
    ]
    array = np.zeros(40, fields)
    array["id"] = np.arange(40)
    array["name"] = [f"n{i}" for i in range(40)]
    array["at"]["x"] = rng.normal(size=40)
    array["at"]["y"] = np.arange(40) / 4
    array["rgb"] = rng.integers(0, 256, (40, 3))
    array["when"] = np.datetime64("2024-01-01") + np.arange(40)
    return array
