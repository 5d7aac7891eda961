"""Promises for arrays that nobody thought of."""

import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ndbytes as nb
from arrays import clean, numpy_bytes, quietly, same

settings.register_profile(
    "ndbytes",
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ndbytes")

SCALARS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.datetime64_dtypes(endianness="?"),
    hnp.timedelta64_dtypes(endianness="?"),
    hnp.byte_string_dtypes(endianness="?", min_len=1),
    hnp.unicode_string_dtypes(endianness="?", min_len=1),
)
NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=5)


@st.composite
def structs(draw, depth=2):
    inner = SCALARS if depth == 0 else st.one_of(SCALARS, structs(depth=depth - 1))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    # NumPy takes a lone `fN` for a name that was not given.
    fields = [(name, draw(inner), draw(st.sampled_from([(), (2,), (1, 3)]))) for name in names]
    return np.dtype(fields, align=draw(st.booleans()))


@st.composite
def arrays(draw, dtypes=st.one_of(SCALARS, structs())):
    """Return an array of random bytes that are values, in a random layout."""
    dtype = draw(dtypes)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    array = np.zeros(shape, dtype)
    _fill(array, rng)
    if array.ndim:
        array = array.transpose(draw(st.permutations(range(array.ndim))))
        index = [
            slice(None, None, draw(st.sampled_from([1, 1, 2, -1, -2]))) for _ in range(array.ndim)
        ]
        array = array[tuple(index)]
    return array


def _fill(array, rng):
    if array.dtype.names is not None:
        for name in array.dtype.names:
            _fill(array[name], rng)
    elif array.dtype.kind == "b":
        array[...] = rng.integers(0, 2, array.shape)
    elif array.dtype.kind == "U":
        array[...] = "aé☃\U0001f600"[rng.integers(0, 4)]
    elif array.size:
        raw = rng.bytes(array.size * array.dtype.itemsize)
        array[...] = np.frombuffer(raw, array.dtype).reshape(array.shape)


@given(arrays())
def test_dumps_is_numpys_and_loads_gives_it_back(array):
    data = quietly(nb.dumps, array)
    assert data == numpy_bytes(array)
    assert same(nb.loads(data), array)
    assert same(quietly(np.load, io.BytesIO(data), max_header_size=1 << 16), array)
    assert same(quietly(nb.load, io.BytesIO(data)), array)


@given(arrays(), st.sampled_from("CF"))
def test_tobytes_and_frombuffer_are_inverse(array, order):
    data = nb.tobytes(array, order)
    assert data == clean(array, order).tobytes(order)
    assert same(nb.frombuffer(data, array.dtype, shape=array.shape, order=order), array)
    assert same(nb.fromfile(io.BytesIO(data), array.dtype, shape=array.shape, order=order), array)


@given(arrays(), st.data())
def test_any_prefix_is_an_error(array, data):
    message = quietly(nb.dumps, array)
    cut = data.draw(st.integers(0, len(message) - 1))
    for call in (nb.loads, lambda m: nb.load(io.BytesIO(m)), lambda m: nb.recv(io.BytesIO(m))):
        with pytest.raises(nb.NdbytesError) as caught:
            call(message[:cut])
        assert isinstance(caught.value, EOFError) == (cut == 0)


@given(arrays(), arrays())
def test_messages_follow_one_another(first, second):
    stream = io.BytesIO(quietly(nb.dumps, first) + quietly(nb.dumps, second))
    assert same(quietly(nb.recv, stream), first)
    assert same(quietly(nb.load, stream), second)
    assert stream.read() == b""


@given(st.dictionaries(NAMES.filter(lambda n: "\0" not in n), arrays(), max_size=3), st.booleans())
def test_archives_give_back_what_was_saved(table, compressed):
    sink = io.BytesIO()
    quietly(nb.savez_compressed if compressed else nb.savez, sink, table)
    sink.seek(0)
    with quietly(nb.load, sink) as archive:
        assert archive.files == list(table)
        for key, array in table.items():
            assert same(quietly(archive.__getitem__, key), array)


@given(arrays(SCALARS), st.booleans(), st.data())
def test_a_damaged_archive_never_gives_other_elements(array, compressed, data):
    sink = io.BytesIO()
    (nb.savez_compressed if compressed else nb.savez)(sink, x=array)
    damaged = bytearray(sink.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        with nb.load(io.BytesIO(damaged)) as archive:
            found = [archive[key] for key in archive.files]
    except (nb.NdbytesError, EOFError):
        return
    assert all(same(a, array) for a in found if isinstance(a, np.ndarray))


@given(st.binary(max_size=300))
def test_random_bytes_never_load(junk):
    for prefix in (b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"PK\x05\x06"):
        for call in (nb.loads, lambda d: nb.load(io.BytesIO(d))):
            try:
                call(prefix + junk)
            except (nb.NdbytesError, EOFError):
                continue
            assert prefix == b"PK\x05\x06"


@given(arrays(), st.data())
def test_a_damaged_header_is_an_error_or_an_array(array, data):
    message = bytearray(quietly(nb.dumps, array))
    head = len(message) - array.nbytes
    at = data.draw(st.integers(0, head - 1))
    message[at] = data.draw(st.integers(0, 255))
    try:
        loaded = quietly(nb.loads, bytes(message))
    except ValueError:
        # Also NumPy's own: it has the last word on a dtype.
        return
    assert loaded.nbytes <= len(message)


@given(st.binary(max_size=2000), st.sampled_from(["zlib", "gzip", "deflate"]), st.integers(0, 9))
def test_compressed_bytes_come_back(data, codec, level):
    assert nb.decompress(nb.compress(data, codec, level), codec) == data
