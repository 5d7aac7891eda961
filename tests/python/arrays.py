"""The table of arrays that the tests share: every dtype by every shape by every layout."""

import io
import warnings

import numpy as np

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

NUMPY2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"
MAX_NDIM = 64 if NUMPY2 else 32

SHAPES = [(), (3,), (0,), (2, 3), (0, 5), (2, 3, 4)]

_NUMBERS = ["i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "g", "c8", "c16", "G"]
_TIMES = ["M8", "M8[ns]", "M8[D]", "M8[25s]", "M8[7D]", "m8", "m8[ns]", "m8[Y]", "m8[10us]"]

STRUCTS = {
    "flat": np.dtype([("a", "<i4"), ("b", ">f8"), ("c", "?")]),
    "nested": np.dtype([("p", [("x", "f4"), ("q", [("y", ">u2"), ("z", "S3")])]), ("n", "u2")]),
    "subarray": np.dtype([("m", "f4", (2, 3)), ("s", "U2")]),
    "nested_subarray": np.dtype([("c", ("<f8", (5,)), (2,)), ("d", [("e", "i2", (3,))], (2, 2))]),
    "titles": np.dtype([(("the title", "a"), "i4"), (("other", "b"), "f8", (2,)), ("c", "u1")]),
    "aligned": np.dtype([("a", "u1"), ("b", "f8"), ("c", "u2")], align=True),
    "aligned_nested": np.dtype(
        [("a", "u1"), ("n", np.dtype([("x", "u1"), ("y", "i4")], align=True)), ("b", "u1")],
        align=True,
    ),
    "padded": np.dtype(
        {"names": ["a", "b"], "formats": ["i2", "f4"], "offsets": [3, 11], "itemsize": 20}
    ),
    "latin1": np.dtype([("größe", "f8"), ("é", "i1")]),
    "unicode": np.dtype([("数", "i4"), ("☃", "U1")]),
    "odd_names": np.dtype([("a'b\"c\n", "i4"), (" ", "i2"), ("\\x", "u1"), ("#,)}", "f4")]),
    "times": np.dtype([("t", "M8[ms]"), ("d", ">m8[3h]")]),
    "zero_sized": np.dtype([("z", "S0"), ("a", "i4"), ("v", "V0")]),
    "long": np.dtype([("g", "g"), ("G", ">G")]),
    "no_field": np.dtype([]),
    "all_padding": np.dtype({"names": [], "formats": [], "offsets": [], "itemsize": 8}),
}


def _table():
    table = {name: np.dtype(name) for name in ["?", "i1", "u1"]}
    table |= {o + n: np.dtype(o + n) for n in _NUMBERS + _TIMES for o in "<>"}
    table |= {n: np.dtype(n) for n in ["S5", "<U3", ">U3", "V7", "S0", "U0", "V0"]}
    return table | STRUCTS


DTYPES = _table()
DTYPE_IDS = list(DTYPES)

EXTENDED = {}
if ml_dtypes is not None:
    _NAMES = ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4", "uint4", "float4_e2m1fn"]
    EXTENDED = {n: np.dtype(getattr(ml_dtypes, n)) for n in _NAMES if hasattr(ml_dtypes, n)}


def new(shape, dtype, order="C"):
    """Return an array of zero bytes; `np.zeros` would make `S0` into `S1`."""
    dtype = np.dtype(dtype)
    if dtype.itemsize == 0 or dtype.names is not None:
        array = np.ndarray(shape, dtype, order=order)
        flat = array.reshape(-1, order="A")
        if array.nbytes:
            flat.view("u1")[...] = 0
        return array
    return np.zeros(shape, dtype, order=order)


def copy_values(source, target):
    """Copy field by field, so that padding stays as it is in `target`."""
    if source.dtype.names is not None:
        for name in source.dtype.names:
            copy_values(source[name], target[name])
    elif source.dtype.itemsize and source.size:
        target[...] = source


def clean(array, order=None):
    """Return a contiguous copy whose padding is zero, in the order in which it would be saved."""
    if order is None:
        order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    result = new(array.shape, array.dtype, order)
    copy_values(array, result)
    return result


def filled(shape, dtype, seed=0):
    """Return a C-contiguous array of random valid values, padding zero."""
    array = new(shape, dtype)
    _fill(array, np.random.default_rng([seed, len(shape), array.size]))
    return array


def _fill(array, rng):
    dtype = array.dtype
    if array.size == 0 or dtype.itemsize == 0:
        return
    if dtype.names is not None:
        for name in dtype.names:
            _fill(array[name], rng)
    elif dtype.kind == "b":
        array[...] = rng.integers(0, 2, array.shape) != 0
    elif dtype.kind == "U":
        width = dtype.itemsize // 4
        points = rng.integers(0x20, 0xD7FF, (array.size, width))
        text = ["".join(map(chr, row)) for row in points]
        array[...] = np.array(text, f"U{width}").reshape(array.shape)
    elif dtype.char in "gG":
        array[...] = _long_doubles(array.size, dtype, rng).reshape(array.shape)
    else:
        raw = rng.integers(0, 256, (array.size, dtype.itemsize), np.uint8)
        array[...] = np.frombuffer(raw.tobytes(), dtype).reshape(array.shape)


def _long_doubles(count, dtype, rng):
    """Return random values; the six bytes that an 80-bit float does not use are zero."""
    width = np.dtype("g").itemsize
    parts = dtype.itemsize // width
    values = rng.standard_normal(count * parts).astype("g")
    raw = values.view("u1").reshape(-1, width)
    if np.finfo("g").nmant == 63:
        raw[:, 10:] = 0
    if not dtype.isnative:
        raw = raw[:, ::-1]
    return np.frombuffer(raw.tobytes(), dtype)


def _inner_ndim(dtype):
    """Return how many dimensions a field's array has more than the array it is in."""
    if dtype.names is not None:
        return max((_inner_ndim(dtype[name]) for name in dtype.names), default=0)
    if dtype.subdtype is None:
        return 0
    return len(dtype.shape) + _inner_ndim(dtype.base)


def layouts(dtype, shapes=None):
    """Yield `(name, array)` for every shape in every layout that it has."""
    if shapes is None:
        shapes = [*SHAPES, (1,) * (MAX_NDIM - 1 - _inner_ndim(dtype)) + (2,)]
    for shape in shapes:
        label = f"{len(shape)} dims" if len(shape) > 5 else repr(shape)
        base = filled(shape, dtype)
        yield f"{label} C", base
        if len(shape) > 1 and dtype.itemsize:
            yield f"{label} F", clean(base, "F")
        if shape and len(shape) <= 3:
            double = filled((shape[0] * 2, *shape[1:]), dtype, seed=1)
            yield f"{label} [::2]", double[::2]
            yield f"{label} [::-1]", base[::-1]
            yield f"{label} broadcast", np.broadcast_to(base, (2, *shape))
        if len(shape) == 2:
            yield f"{label} last axis [::-2]", filled((shape[0], shape[1] * 2), dtype)[:, ::-2]
        if len(shape) == 3:
            yield f"{label} transposed", base.transpose(1, 2, 0)
            yield f"{label} swapped", clean(base, "F").swapaxes(0, 1)


def same(a, b):
    """Say whether dtype, shape and every value's bytes agree; padding has no value."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.names is not None:
        return all(same(a[name], b[name]) for name in a.dtype.names)
    if a.dtype.itemsize == 0:
        return True
    return a.tobytes() == b.tobytes()


def quietly(function, *args, **kwargs):
    """Call without the warnings that headers of version 2 and 3 bring."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args, **kwargs)


def numpy_bytes(array):
    """Return what `numpy.save` writes, with zero in padding."""
    if array.dtype.names is not None:
        array = clean(array)
    sink = io.BytesIO()
    quietly(np.save, sink, array, allow_pickle=False)
    return sink.getvalue()
