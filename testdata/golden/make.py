"""Writes golden files: arrays as NumPy saves them, and MANIFEST, which says what is in them.

    python testdata/golden/make.py testdata/golden/v2

The bytes depend on the NumPy version alone. Files that were written once are never written again:
a new NumPy or a new array gets a new folder.
"""

import io
import sys
import zlib
from pathlib import Path

import ml_dtypes
import numpy as np
from numpy.lib import _format_impl as npy

SCALARS = (
    "|b1 |i1 |u1 <i2 >i2 <u2 >u2 <i4 >i4 <u4 >u4 <i8 >i8 <u8 >u8 "
    "<f2 >f2 <f4 >f4 <f8 >f8 <c8 >c8 <c16 >c16 <f16 <c32 "
    "<M8 <M8[ns] >M8[ns] <M8[25s] <M8[7D] <m8 <m8[as] >m8[3M] "
    "|S0 |S1 |S5 <U0 <U5 >U5 |V0 |V3"
)
STRUCTS = {
    "plain": [("x", "<f4"), ("y", "<i8")],
    "nested": [("a", [("b", "<f8"), ("c", "|b1")]), ("d", "<U3")],
    "subarrays": [("a", "<i2", (2, 3)), ("b", [("c", "|b1"), ("d", ">u2")], (2,))],
    "titles": [(("the title", "a"), "<i4"), (('it\'s "two"', "b"), "|S3")],
    "aligned": np.dtype([("a", "i1"), ("b", "<f8"), ("c", "i1")], align=True),
    "latin1": [("é", "<i4"), ("a'b\"c\n", "|u1")],
    "cjk": [("日本", "<f8")],
    "unnamed": {"names": ["a", ""], "formats": ["u1", "<i4"], "offsets": [0, 1], "itemsize": 5},
    "gap_only": {"names": [], "formats": [], "offsets": [], "itemsize": 8},
    "zero_size": [("nothing", "|S0"), ("zero", "<f8", (0,))],
    "wide": [(f"column_with_a_long_name_{i:04}", "|u1") for i in range(1800)],
}
SHAPES = {
    "zero_d": (),
    "empty": (0,),
    "one": (3,),
    "two": (2, 3),
    "empty_two": (0, 5),
    "ones": (1, 1, 7),
    "three": (2, 3, 4),
    "most": (2, *([1] * 62), 3),
}
LIMIT = 300_000


def values(dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Return values of any dtype that differ from one another; gaps between fields are zero."""
    array = np.zeros(shape, dtype)
    if array.dtype != dtype:
        # `np.zeros` makes `S1` of `S0`, but not within a struct.
        array = np.zeros(shape, [("x", dtype)])["x"]
    fill(array, np.arange(array.size, dtype=np.int64).reshape(shape))
    return array


def fill(array: np.ndarray, numbers: np.ndarray) -> None:
    """Fill an array, in place, with values that depend on these numbers."""
    dtype = array.dtype
    if dtype.names is not None:
        for place, name in enumerate(dtype.names):
            field = array[name]
            extra = field.ndim - numbers.ndim
            wide = numbers.reshape(numbers.shape + (1,) * extra)
            fill(field, np.broadcast_to(wide * 3 + place, field.shape))
    elif dtype.itemsize == 0:
        pass
    elif dtype.kind in "Mm":
        array[...] = (numbers * 86_399 - 5).view(dtype.newbyteorder("="))
    elif dtype.kind == "b":
        array[...] = numbers % 3 == 1
    elif dtype.kind in "SU":
        letters = "a日\U0001f600" if dtype.kind == "U" else "abc"
        text = [letters[n % 3] * (1 + n % 5) for n in numbers.flat]
        array[...] = np.array(text).reshape(numbers.shape).astype(dtype)
    elif dtype.char in "gG" or dtype.type is np.void:
        # As they come: the long double has bytes that no value reaches.
        raw = bytes((i * 7 + 1) % 251 for i in range(array.nbytes))
        array.view("u1").reshape(-1)[:] = np.frombuffer(raw, "u1")
    elif dtype.kind == "c":
        array[...] = numbers * 1.5 - 2 - 0.25j * numbers
    elif dtype.kind in "iu":
        array[...] = (numbers * 37 - (0 if dtype.kind == "u" else 50)).astype(dtype)
    else:
        array[...] = (numbers * 0.5 - 1).astype(dtype)


def saved(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    """Return the bytes of the .npy file."""
    out = io.BytesIO()
    npy.write_array(out, array, version=version, allow_pickle=False)
    return out.getvalue()


def facts(data: bytes) -> list[str]:
    """Return what the manifest says of an .npy file, from its version to its descr."""
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    shape, fortran, dtype = npy._read_array_header(file, version, max_header_size=LIMIT)
    offset = file.tell()
    descr = repr(npy.dtype_to_descr(dtype))
    return [
        str(version[0]),
        "F" if fortran else "C",
        ",".join(map(str, shape)),
        str(offset),
        f"{zlib.crc32(data[offset:]):08x}",
        descr if len(descr) < 1000 else "-",
    ]


def npy_files() -> dict[str, bytes]:
    """Return every .npy file by name."""
    files = {}
    orders = {"<": "le", ">": "be", "|": "no"}
    for text in SCALARS.split():
        dtype = np.dtype(text)
        name = text[1:].replace("[", "_").replace("]", "")
        # Names that differ in more than case, for file systems that do not tell it.
        name = name.replace("M8", "datetime").replace("m8", "timedelta")
        files[f"scalar_{name}_{orders[text[0]]}"] = saved(values(dtype, (2, 3)))
    for name, fields in STRUCTS.items():
        files[f"struct_{name}"] = saved(values(np.dtype(fields), (2,)))
    for name, shape in SHAPES.items():
        files[f"shape_{name}"] = saved(values(np.dtype("<f8"), shape))
    base = values(np.dtype("<i4"), (4, 6))
    files["layout_f"] = saved(np.asfortranarray(base))
    files["layout_transposed"] = saved(values(np.dtype("<i4"), (2, 3, 4)).transpose(2, 1, 0))
    files["layout_strided"] = saved(base[::2, ::-1])
    files["layout_broadcast"] = saved(np.broadcast_to(base[:1], (3, 6)))
    files["version_2"] = saved(values(np.dtype("<f8"), (3,)), (2, 0))
    files["version_3"] = saved(values(np.dtype("<f8"), (3,)), (3, 0))
    files["several_in_one_file"] = b"".join(
        saved(values(np.dtype(text), (2, 2))) for text in ("<f8", "|b1", "<U2")
    )
    for name in ("bfloat16", "float8_e4m3fn", "int4"):
        dtype = np.dtype(getattr(ml_dtypes, name))
        files[f"ml_{name}"] = saved(np.arange(6).reshape(2, 3).astype(dtype))
    return {f"{name}.npy": data for name, data in files.items()}


def npz_files() -> dict[str, tuple[bytes, dict[str, np.ndarray]]]:
    """Return every .npz file by name, with its arrays."""
    arrays = {
        "a": values(np.dtype("<f8"), (3, 4)),
        "folder/é日": values(np.dtype("<i2"), (2, 3)).T,
        "empty": values(np.dtype("<f4"), (0,)),
        "text": values(np.dtype("<U5"), (2,)),
        "zeros": np.zeros((100, 100), "|u1"),
        "big_header": values(np.dtype(STRUCTS["cjk"]), (2,)),
    }
    files = {}
    for name, save in (("stored", np.savez), ("deflate", np.savez_compressed)):
        out = io.BytesIO()
        save(out, **arrays)
        files[f"npz_{name}.npz"] = out.getvalue(), arrays
    out = io.BytesIO()
    np.savez(out)
    files["npz_empty.npz"] = out.getvalue(), {}

    class Pipe(io.RawIOBase):
        """A sink that cannot seek: sizes follow the data."""

        def __init__(self) -> None:
            self.got = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.got += data
            return len(bytes(data))

    pipe = Pipe()
    np.savez_compressed(pipe, **arrays)
    files["npz_streamed.npz"] = bytes(pipe.got), arrays
    return files


def main(folder: Path) -> None:
    """Write the files and the manifest into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"# Written by NumPy {np.__version__} and testdata/golden/make.py; never written again.",
        "# file member file_crc version order shape data_offset data_crc descr",
    ]
    total = 0

    def write(name: str, data: bytes) -> None:
        nonlocal total
        total += len(data)
        with (folder / name).open("xb") as file:
            file.write(data)

    for name, data in npy_files().items():
        write(name, data)
        first = data
        if name == "several_in_one_file.npy":
            first = saved(values(np.dtype("<f8"), (2, 2)))
        lines.append("\t".join([name, "-", f"{zlib.crc32(data):08x}", *facts(first)]))
    for name, (data, arrays) in npz_files().items():
        write(name, data)
        crc = f"{zlib.crc32(data):08x}"
        for key, array in arrays.items():
            lines.append("\t".join([name, key, crc, *facts(saved(array))]))
        if not arrays:
            lines.append("\t".join([name, "-", crc, "0", "-", "", "0", f"{0:08x}", "-"]))
    with (folder / "MANIFEST").open("x", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{len(lines) - 2} arrays, {total} bytes")
    if total > LIMIT:
        sys.exit(f"more than {LIMIT} bytes: golden files stay in the repository for ever")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
