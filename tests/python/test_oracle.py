"""NumPy is the specification: the same bytes, and each reads what the other wrote."""

import io
import itertools
import zipfile

import numpy as np
import pytest

import ndbytes as nb
from arrays import (
    DTYPE_IDS,
    DTYPES,
    EXTENDED,
    MAX_NDIM,
    NUMPY2,
    clean,
    filled,
    layouts,
    numpy_bytes,
    quietly,
    same,
)

every_dtype = pytest.mark.parametrize("name", DTYPE_IDS)


@every_dtype
def test_dumps_is_byte_identical_to_numpy_save(name):
    for label, array in layouts(DTYPES[name]):
        assert quietly(nb.dumps, array) == numpy_bytes(array), label


@every_dtype
def test_loads_reads_what_numpy_saved(name):
    for label, array in layouts(DTYPES[name]):
        saved = numpy_bytes(array)
        for copy in (False, True):
            loaded = nb.loads(saved, copy=copy)
            assert type(loaded) is np.ndarray
            assert same(loaded, array), label
            assert loaded.flags.writeable == copy
        assert same(nb.loads(bytearray(saved)), array), label


@every_dtype
def test_numpy_reads_what_dumps_wrote(name):
    for label, array in layouts(DTYPES[name]):
        loaded = quietly(np.load, io.BytesIO(quietly(nb.dumps, array)), max_header_size=65536)
        assert same(loaded, array), label


@every_dtype
def test_tobytes_equals_ndarray_tobytes(name):
    for label, array in layouts(DTYPES[name]):
        for order in "CFA":
            stored = "F" if array.flags.fnc else "C"
            # NumPy leaves what was in memory in padding: it is copied in the order it has.
            plain = clean(array, stored if order == "A" else order)
            assert nb.tobytes(array, order) == plain.tobytes(order), (label, order)
            if array.dtype.names is None:
                assert nb.tobytes(array, order) == array.tobytes(order), (label, order)


@every_dtype
def test_frombuffer_gives_back_what_tobytes_gave(name):
    for label, array in layouts(DTYPES[name]):
        for order in "CF":
            raw = nb.tobytes(array, order)
            again = nb.frombuffer(raw, array.dtype, shape=array.shape, order=order)
            assert same(again, array), (label, order)


@every_dtype
def test_paths_carry_arrays_both_ways(name, tmp_path):
    ours, theirs = tmp_path / "ours.npy", tmp_path / "theirs.npy"
    for label, array in layouts(DTYPES[name], [(), (0,), (2, 3)]):
        quietly(nb.save, ours, array)
        theirs.write_bytes(numpy_bytes(array))
        assert ours.read_bytes() == theirs.read_bytes(), label
        assert same(quietly(nb.load, theirs), array), label
        assert same(quietly(np.load, ours, max_header_size=65536), array), label


@every_dtype
def test_archives_carry_arrays_both_ways(name):
    table = dict(layouts(DTYPES[name], [(), (0, 5), (2, 3)]))
    for ours, theirs in ((nb.savez, np.savez), (nb.savez_compressed, np.savez_compressed)):
        sink = io.BytesIO()
        quietly(ours, sink, table)
        with np.load(io.BytesIO(sink.getvalue()), max_header_size=65536) as archive:
            assert archive.files == list(table)
            for label, array in table.items():
                assert same(archive[label], array), label
        with zipfile.ZipFile(sink) as archive:
            assert archive.testzip() is None
            for label, array in table.items():
                assert archive.read(f"{label}.npy") == numpy_bytes(array), label
        sink = io.BytesIO()
        quietly(theirs, sink, **table)
        sink.seek(0)
        with nb.load(sink) as archive:
            assert archive.files == list(table)
            for label, array in table.items():
                assert same(archive[label], array), label


def test_the_file_position_is_exact_and_arrays_follow_one_another(tmp_path):
    arrays = [array for name in DTYPE_IDS for _, array in layouts(DTYPES[name], [(2, 3), (0,)])]
    path = tmp_path / "many"
    with open(path, "wb") as file:
        for i, array in enumerate(arrays):
            quietly(nb.save if i % 2 else np.save, file, clean(array))
        end = file.tell()
    assert end == path.stat().st_size
    for opener in (open, lambda p, m: open(p, m, buffering=0), lambda p, m: _memory(p)):
        with opener(path, "rb") as file:
            for i, array in enumerate(arrays):
                load = nb.load if (i // 2) % 2 else np.load
                assert same(quietly(load, file), array)
            assert file.tell() == end
            with pytest.raises(EOFError):
                nb.load(file)


def _memory(path):
    return io.BytesIO(path.read_bytes())


def test_numpy_loads_until_eof_what_ours_wrote_and_the_other_way():
    for save, load in itertools.product((np.save, nb.save), (np.load, nb.load)):
        stream = io.BytesIO()
        for n in range(5):
            save(stream, np.arange(n))
        stream.seek(0)
        for n in range(5):
            assert load(stream).tolist() == list(range(n))
        with pytest.raises(EOFError):
            load(stream)


def wide(count):
    return np.dtype([(f"{i:05d}" * 4, "<f8") for i in range(count)])


def test_a_long_header_becomes_version_two_with_numpys_warning():
    array = np.zeros(2, wide(2000))
    with pytest.warns(UserWarning, match="format 2.0"):
        ours = nb.dumps(array)
    assert ours == numpy_bytes(array)
    assert ours[6:8] == b"\x02\x00"
    assert same(nb.loads(ours, max_header_size=1 << 20), array)
    assert same(np.load(io.BytesIO(ours), max_header_size=1 << 20), array)
    with pytest.raises(nb.LimitError) as caught:
        nb.loads(ours)
    assert caught.value.code == "npy.header.too_large"


def test_a_wide_table_loads_without_asking_for_it():
    """NumPy's limit is 10,000 characters, less than a table of 400 columns takes."""
    array = np.zeros(2, wide(400))
    data = nb.dumps(array)
    with pytest.raises(ValueError, match="max_header_size"):
        np.load(io.BytesIO(data))
    assert same(nb.loads(data), array)
    assert same(nb.load(io.BytesIO(data)), array)


def test_names_beyond_latin1_become_version_three_with_numpys_warning(tmp_path):
    array = np.zeros(3, [("数", "i4"), ("é", "f8")])
    for function in (nb.dumps, lambda a: nb.save(tmp_path / "a", a)):
        with pytest.warns(UserWarning, match="format 3.0"):
            function(array)
    ours = (tmp_path / "a.npy").read_bytes()
    assert ours[6:8] == b"\x03\x00"
    assert ours == numpy_bytes(array)
    assert same(np.load(tmp_path / "a.npy"), array)


def test_latin1_names_stay_in_version_one():
    data = nb.dumps(np.zeros(1, [("é", "i4")]))
    assert data[6:8] == b"\x01\x00"
    assert b"\xe9" in data


def test_the_header_grows_as_numpys_does():
    for order, digits in itertools.product("CF", range(12)):
        shape = (0, 10**digits) if order == "F" else (10**digits, 0)
        for n in range(18, 28):
            array = np.ndarray(shape, [(" " * n, "<i8")], order=order)
            assert nb.dumps(array) == numpy_bytes(array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0), None])
def test_every_version_can_be_written_and_is_numpys(version):
    array = filled((2, 3), np.dtype([("a", "<i4"), ("b", "<f8")]))
    ours, theirs = io.BytesIO(), io.BytesIO()
    nb.format.write_array(ours, array, version)
    np.lib.format.write_array(theirs, array, version)
    assert ours.getvalue() == theirs.getvalue()
    assert same(nb.loads(ours.getvalue()), array)
    ours.seek(0)
    assert nb.format.read_magic(ours) == (version or (1, 0))


@pytest.mark.parametrize("name", list(EXTENDED))
def test_ml_dtypes_come_back_as_themselves(name, tmp_path):
    """NumPy reads them back as void."""
    dtype = EXTENDED[name]
    for label, array in layouts(np.dtype("u1"), [(), (3,), (2, 3), (2, 3, 4)]):
        array = (array % 2).astype(dtype)
        loaded = nb.loads(nb.dumps(array))
        assert loaded.dtype == dtype, label
        assert same(loaded, array), label
        nb.save(tmp_path / "a.npy", array)
        assert same(nb.load(tmp_path / "a.npy"), array), label
        assert nb.load(tmp_path / "a.npy").tobytes() == array.tobytes(), label
        plain = np.load(tmp_path / "a.npy")
        assert plain.tobytes() == array.tobytes(), label
    table = np.zeros(4, [("x", dtype), ("n", "i4")])
    assert same(nb.loads(nb.dumps(table)), table)


def test_more_dimensions_than_numpy_has_are_refused():
    head = bytearray(nb.dumps(np.zeros((1,) * MAX_NDIM, "u1")))
    assert nb.loads(bytes(head)).ndim == MAX_NDIM
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'1, ' * 65})}}".encode()
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0"
    with pytest.raises(nb.LimitError) as caught:
        nb.loads(data)
    assert caught.value.code == "limit.ndim"


@pytest.mark.skipif(NUMPY2, reason="NumPy 2 has 64 dimensions")
def test_an_array_of_64_dimensions_is_an_error_in_numpy_1():
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({'1, ' * 64})}}".encode()
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0"
    with pytest.raises(ValueError):
        nb.loads(data)


def test_headers_that_numpy_reads_are_read():
    def message(text):
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(range(24))

    for text in (
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}",
        b"{'shape': (3,), 'descr': '<i8', 'fortran_order': False}\n",
        b"{\n'descr': '<i8',\n'fortran_order': False,\n'shape': (3,), }",
        b'{"descr": "<i8", "fortran_order": False, "shape": (3,)}',
        b"{'descr': u'<i8', 'fortran_order': False, 'shape': (0x3,)}",
        b"{'descr': '=i8', 'fortran_order': True, 'shape': (3,)}",
        b"{'descr': 'int64', 'fortran_order': False, 'shape': (3,)}  # comment",
    ):
        data = message(text)
        assert same(nb.loads(data), np.load(io.BytesIO(data))), text


@pytest.mark.parametrize(
    "text",
    [
        b"{'descr': '<i8', 'fortran_order': False, 'shape': [3]}",
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (-3,)}",
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (2+1,)}",
        b"{'descr': '<i8', 'fortran_order': 0, 'shape': (3,)}",
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (3,), 'x': 1}",
        b"{'descr': '<i8', 'fortran_order': False}",
        b"{'descr': None, 'fortran_order': False, 'shape': (3,)}",
        b"{'descr': {'a': 1}, 'fortran_order': False, 'shape': (3,)}",
        b"{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}\0\0",
        b"",
    ],
)
def test_headers_that_numpy_refuses_are_refused(text):
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(24)
    with pytest.raises(ValueError):
        np.load(io.BytesIO(data))
    with pytest.raises(nb.FormatError) as caught:
        nb.loads(data)
    assert caught.value.code.startswith("npy.header.")


def test_array_likes_are_saved_as_numpy_would():
    for value in (3, 2.5, True, [1, 2], ["a", "bcd"], [[1.5], [2]], range(4), np.float32(3), b"x"):
        assert nb.dumps(value) == numpy_bytes(np.asanyarray(value))
        assert nb.tobytes(value) == np.asanyarray(value).tobytes()


def test_subclasses_are_saved_as_their_arrays():
    class Sub(np.ndarray):
        pass

    for array in (np.arange(6).view(Sub), np.rec.fromrecords([(1, 2.5)]), np.char.array(["a"])):
        assert nb.dumps(array) == numpy_bytes(np.asarray(array))
