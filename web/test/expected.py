"""What NumPy and ml_dtypes say of elements and indices: writes expected.json beside this.

.venv-page/bin/python web/test/expected.py
"""

import json
import math
from pathlib import Path

import ml_dtypes
import numpy as np

HARD = [0.0, -0.0, 1.0, -1.5, 0.1, 1 / 3, 1e-7, 65504.0, 5e-324, 1e300, np.nan, np.inf, -np.inf]
SMALL_FLOATS = [
    "bfloat16",
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
]
UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
TICKS = [0, 1, -1, 59, 1000, -1001, 19782, 1_700_000_000, -(2**40), 2**57]
INDICES = [
    "...",
    "",
    "0",
    "-1",
    "1, 2",
    "1,",
    "0:2",
    "::2",
    "::-1",
    "-1:0:-2",
    "5:2",
    "10:",
    ":-1, ::-3",
    "..., 0",
    "0, ...",
    "..., 1:3",
    "None, 0",
    "0, None, ...",
    "..., None",
    ":, newaxis, 1",
    "+1",
    " 1 : 3 , : ",
    "2:1:-1, 0:4:3",
    "-100:100:7",
    "99:-99:-1",
    "0:0, 1",
    "1, 1, 1",
    "0, 0, 0, 0",
    "7",
    "::0",
    "..., ...",
    "1:2:3:4",
    "a",
    "1.5",
    "1, , 2",
    "[0, 1]",
]


def number(value):
    """Give a double as JSON has it; what it has not, as text."""
    value = float(value)
    return value if math.isfinite(value) and value != 0 else repr(value)


def elements(dtype, array):
    """Bytes and values of an array of real numbers, and its values in few digits."""
    flat = array.reshape(-1)
    native = flat.astype(flat.dtype.newbyteorder("="))
    wide = [np.float64(x) for x in native]
    short = None
    if native.dtype.kind == "f":
        short = [np.format_float_scientific(x, unique=True, trim="-") for x in native]
    return {
        "dtype": dtype,
        "bytes": array.tobytes().hex(),
        "values": [number(x) for x in wide],
        "texts": short or [str(x) for x in native],
    }


def scalars():
    """Elements of every dtype of numbers."""
    for code in ["f2", "f4", "f8", "f16"]:
        for order in "<>":
            with np.errstate(all="ignore"):
                array = np.array(HARD, np.longdouble).astype(order + code)
            yield elements(order + code, array)
    one, ten = np.longdouble(1), np.longdouble(10)
    long = [one / 10, ten**4000, ten**-4940, np.arccos(-one), one, np.nextafter(one, ten), -one / 3]
    yield elements("<f16", np.array(long))
    for bits in (8, 16, 32, 64):
        for kind in "iu":
            info = np.iinfo(f"{kind}{bits // 8}")
            for order in "<>" if bits > 8 else "|":
                text = f"{order}{kind}{bits // 8}"
                yield elements(text, np.array([info.min, info.max, 0, 1, info.max - 1], text))
    yield elements("|b1", np.array([True, False]))
    for name in SMALL_FLOATS:
        dtype = np.dtype(getattr(ml_dtypes, name))
        patterns = np.arange(2 ** (8 * dtype.itemsize), dtype=f"u{dtype.itemsize}")
        if dtype.itemsize == 2:
            patterns = patterns[::257]
        if name.startswith("float4"):
            patterns = patterns[:16]
        if name.startswith("float6"):
            patterns = patterns[:64]
        values = patterns.view(dtype).astype("f8")
        yield {
            "dtype": name,
            "bytes": patterns.tobytes().hex(),
            "values": [number(x) for x in values],
            "texts": None,
        }
    for name in ["int2", "int4", "uint2", "uint4"]:
        dtype = np.dtype(getattr(ml_dtypes, name))
        info = ml_dtypes.iinfo(dtype)
        array = np.arange(int(info.min), int(info.max) + 1).astype(dtype)
        yield {
            "dtype": name,
            "bytes": array.tobytes().hex(),
            "values": [number(x) for x in array.astype("f8")],
            "texts": [str(int(x)) for x in array],
        }


def dates():
    """Dates of every unit."""
    for unit in UNITS:
        for count in ("", "25"):
            dtype = f"<M8[{count}{unit}]"
            ticks = [t for t in TICKS if abs(t) < 2**20 or unit not in "YMWDhm"]
            array = np.array(ticks, "<i8").view(dtype)
            yield {
                "dtype": dtype,
                "ticks": [str(t) for t in ticks],
                "texts": [str(x) for x in array],
            }


def complexes():
    """Parts of complex numbers."""
    for dtype in ["<c8", ">c16", "<c32"]:
        array = np.array([3 + 4j, -1, 1j, 0.5 - 0.25j], dtype)
        yield {
            "dtype": dtype,
            "bytes": array.tobytes().hex(),
            "abs": [float(x) for x in np.abs(array)],
            "real": [float(x) for x in array.real],
            "imag": [float(x) for x in array.imag],
            "phase": [float(x) for x in np.angle(array)],
        }


def indices():
    """Try indices on small arrays."""
    for shape in [(), (5,), (3, 4), (2, 3, 4), (0, 3)]:
        array = np.arange(math.prod(shape)).reshape(shape)
        for text in INDICES:
            bare = text.strip() or "..."
            names = {"newaxis": None, "__builtins__": {}}
            try:
                if text.startswith("["):
                    raise IndexError("no basic index")
                taken = array[eval(f"_[{bare}]", names | {"_": Items()})]
            except (IndexError, ValueError, SyntaxError, NameError, TypeError):
                yield {"shape": shape, "index": text, "result": None}
                continue
            taken = np.asarray(taken)
            yield {
                "shape": shape,
                "index": text,
                "result": taken.shape,
                "elements": taken.reshape(-1).tolist(),
            }


class Items:
    """Gives the index that it is asked for."""

    def __getitem__(self, index):
        return index


def main():
    """Write what is expected."""
    expected = {
        "scalars": list(scalars()),
        "dates": list(dates()),
        "complexes": list(complexes()),
        "indices": list(indices()),
    }
    path = Path(__file__).with_name("expected.json")
    path.write_text(json.dumps(expected, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
