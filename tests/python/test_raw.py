"""Elements alone: `tobytes`, `frombuffer`, `tofile`, `fromfile`, binary and text."""

import array as stdlib
import io
import mmap

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPES, clean, filled, layouts, same

A = np.arange(24, dtype="i4").reshape(2, 3, 4)


# tobytes.


@pytest.mark.parametrize("dtype", [d for n, d in DTYPES.items() if n not in {"S0", "U0"}], ids=str)
def test_numbers_leave_in_the_byte_order_that_is_asked_for(dtype):
    for sign, name in (("<", "little"), (">", "big"), ("=", "native")):
        for _, array in layouts(dtype):
            # NumPy does not turn times without a unit.
            plain = array.view(array.dtype.byteorder + "i8") if dtype.kind in "mM" else array
            turned = clean(plain.astype(plain.dtype.newbyteorder(sign)), "C")
            assert nb.tobytes(array, byteorder=name) == turned.tobytes()
            assert nb.tobytes(array, "F", byteorder=sign) == clean(turned, "F").tobytes("F")


def test_large_arrays_turn_around_in_pieces():
    base = np.arange(3_000_001, dtype="<u4")
    grid = base[:3_000_000].reshape(1000, 3000)
    for array in (base, base[::2], base[::-1], grid.T, grid[:, ::2]):
        assert nb.tobytes(array, byteorder="big") == array.astype(">u4").tobytes()
    assert nb.tobytes(base.astype(">u4"), byteorder="big") == base.astype(">u4").tobytes()
    struct = np.zeros(500_000, np.dtype([("a", "u1"), ("b", "<f8"), ("c", ">i2")], align=True))
    struct["b"] = np.arange(500_000)
    struct["c"] = 258
    assert (
        nb.tobytes(struct, byteorder="big")
        == clean(struct.astype(struct.dtype.newbyteorder(">")), "C").tobytes()
    )


def test_a_byte_order_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="byteorder must be one of"):
        nb.tobytes(A, byteorder="middle")
    overlapping = np.dtype({"names": ["a", "b"], "formats": ["<i4", "<i2"], "offsets": [0, 2]})
    with pytest.raises(nb.UnsupportedError, match="overlap at byte 2"):
        nb.tobytes(np.zeros(2, overlapping), byteorder="big")


# frombuffer.


def test_frombuffer_is_numpys():
    data = A.tobytes()
    for args in (
        (data, "i4"),
        (data, "<i2"),
        (data, ">i4", 5),
        (data, "i4", 5, 8),
        (data, "u1", -1, 3),
        (data, "f8", 0),
        (data, [("a", "i4"), ("b", "f8")]),
        (bytearray(data), "i4"),
        (memoryview(data)[4:], "i4"),
        (stdlib.array("d", [1, 2, 3]),),
        (A, "i4"),
        (data, "S3"),
        (data, "M8[s]"),
    ):
        ours, theirs = nb.frombuffer(*args), np.frombuffer(*args)
        assert same(ours, theirs)
        if ours.size:
            assert ours.flags.writeable == theirs.flags.writeable
            assert np.shares_memory(ours, theirs)


def test_frombuffer_refuses_what_numpy_refuses():
    for args in (
        (b"1234567", "i4"),
        (b"12345678", "i4", 3),
        (b"12345678", "i4", -1, 9),
        (b"12345678", "i4", -1, -1),
        (b"12345678", "O"),
    ):
        with pytest.raises(ValueError):
            np.frombuffer(*args)
        with pytest.raises(ValueError):
            nb.frombuffer(*args)
    for wrong in (None, 5, "text", object()):
        with pytest.raises((TypeError, ValueError, AttributeError)):
            nb.frombuffer(wrong)


def test_frombuffer_shapes_and_orders():
    for order in "CF":
        data = A.tobytes(order)
        again = nb.frombuffer(data, "i4", shape=(2, 3, 4), order=order)
        assert same(again, A)
        assert again.flags.f_contiguous == (order == "F")
        assert not again.flags.writeable
    assert nb.frombuffer(A.tobytes(), "i4", shape=24).shape == (24,)
    assert nb.frombuffer(b"", "i4", shape=(0, 3)).shape == (0, 3)
    assert nb.frombuffer(b"1234", "i4", shape=()).shape == ()
    assert nb.frombuffer(A.tobytes(), "i4", 6, 4, shape=(2, 3)).tolist() == [[1, 2, 3], [4, 5, 6]]
    for shape in ((2, 3, 5), (2, 3, 3), (25,), ()):
        with pytest.raises((nb.MismatchError, nb.TruncatedError)) as caught:
            nb.frombuffer(A.tobytes(), "i4", shape=shape)
        assert caught.value.code in {"data.trailing", "data.truncated"}
    with pytest.raises(nb.MismatchError):
        nb.frombuffer(A.tobytes(), "i4", 5, shape=(2, 3))
    for shape in ((-1, 3), -1):
        with pytest.raises(ValueError):
            nb.frombuffer(A.tobytes(), "i4", shape=shape)
    with pytest.raises(ValueError, match="order"):
        nb.frombuffer(A.tobytes(), "i4", shape=(2, 3, 4), order="X")


def test_times_have_a_buffer_here():
    times = np.array(["2024-01-01", "NaT"], "M8[s]")
    with pytest.raises(ValueError, match="buffer"):
        memoryview(times)
    again = nb.frombuffer(times, "M8[s]")
    assert same(again, times)
    assert np.shares_memory(again, times)
    assert same(nb.frombuffer(times.view("m8[s]"), "i8"), times.view("i8"))


def test_frombuffer_of_a_map_is_no_copy(tmp_path):
    (tmp_path / "a").write_bytes(A.tobytes())
    with open(tmp_path / "a", "r+b") as file:
        memory = mmap.mmap(file.fileno(), 0)
    again = nb.frombuffer(memory, "i4", shape=A.shape)
    assert same(again, A)
    again[0, 0, 0] = 99
    assert memory[:4] == np.array(99, "i4").tobytes()
    del again
    memory.close()


def test_sub_array_dtypes():
    dtype = np.dtype(("f4", (2, 3)))
    data = np.arange(24, dtype="f4").tobytes()
    expected = np.arange(24, dtype="f4").reshape(4, 2, 3)
    source = io.BytesIO(data)
    assert same(nb.fromfile(source, dtype), expected)
    assert same(nb.fromfile(io.BytesIO(data), dtype, 3), expected[:3])
    assert same(nb.fromfile(io.BytesIO(data), dtype, shape=(2, 2)), expected.reshape(2, 2, 2, 3))
    fortran = nb.fromfile(io.BytesIO(data), dtype, shape=(2, 2), order="F")
    assert same(fortran, expected.reshape(2, 2, 2, 3).swapaxes(0, 1))


# tobytes.


def test_tobytes_knows_numpys_orders():
    for array in (A, np.asfortranarray(A), A[:, ::2], A.T[::-1], np.array(5), A[:0]):
        for order in ("C", "F", "A", None):
            assert nb.tobytes(array, order) == array.tobytes(order)
        assert nb.tobytes(array) == array.tobytes()
        assert nb.tobytes(array, order="F") == array.tobytes(order="F")
    with pytest.raises(ValueError, match="order"):
        nb.tobytes(A, "X")
    with pytest.raises(nb.UnsupportedError):
        nb.tobytes(np.array([None]))


def test_large_arrays_of_any_layout():
    base = filled((130, 70, 90), np.dtype("f4"))
    for array in (
        base,
        base.T,
        base[::2, ::-1],
        base.transpose(1, 0, 2),
        base.transpose(2, 0, 1)[:, 5:],
        np.asfortranarray(base)[:, ::3],
        np.broadcast_to(base[:, :1], base.shape),
        base.view(">f4")[:, :, ::2],
    ):
        for order in "CFA":
            assert nb.tobytes(array, order) == array.tobytes(order)


# tofile and fromfile.


@pytest.mark.parametrize("kind", ["path", "file", "raw", "memory"])
def test_fromfile_is_numpys(tmp_path, kind):
    path = tmp_path / "a"
    nb.tofile(A, path)
    assert path.read_bytes() == A.tobytes()

    def source():
        if kind == "path":
            return path
        if kind == "memory":
            return io.BytesIO(path.read_bytes())
        return open(path, "rb", 0 if kind == "raw" else -1)

    for args in (
        ("i4",),
        ("<i2",),
        ("i4", 5),
        ("i4", 5, "", 8),
        ("u1", -1, "", 3),
        ("i4", 0),
        ([("a", "i4"), ("b", "f8")],),
        ("S4",),
        ("M8[s]", 2),
        ("u1", -1, "", 96),
    ):
        file = source()
        ours = nb.fromfile(file, *args)
        theirs = np.fromfile(path, *args)
        assert same(ours, theirs)
        assert ours.flags.writeable
        assert ours.flags.owndata
        if kind != "path":
            offset = args[3] if len(args) > 3 else 0
            assert file.tell() == offset + theirs.nbytes
            file.close()


def test_reading_goes_on_where_it_stopped(tmp_path):
    path = tmp_path / "a"
    nb.tofile(A, path)
    for opened in (open(path, "rb"), open(path, "r+b"), open(path, "rb", 0), _memory(path)):
        with opened as file:
            assert nb.fromfile(file, "i4", 3).tolist() == [0, 1, 2]
            assert file.read(4) == A.tobytes()[12:16]
            assert nb.fromfile(file, "i4", 2, offset=4).tolist() == [5, 6]
            assert nb.fromfile(file, "i4", shape=(2, 2)).tolist() == [[7, 8], [9, 10]]
            if file.seekable():
                assert nb.fromfile(file, "u1", 1, offset=0).size == 1
                file.seek(0)
            assert nb.fromfile(file, "i4").size == 24
            assert nb.fromfile(file, "i4").size == 0


def _memory(path):
    return io.BytesIO(path.read_bytes())


def test_a_negative_offset_goes_back_where_the_file_can(tmp_path):
    path = tmp_path / "a"
    nb.tofile(A, path)
    with open(path, "rb") as file:
        file.seek(0, 2)
        assert nb.fromfile(file, "i4", 1, offset=-4).tolist() == [23]
        file.seek(0)
        with pytest.raises(ValueError):
            nb.fromfile(file, "i4", 1, offset=-4)


@pytest.mark.parametrize("order", ["C", "F", "A"])
def test_tofile_has_an_order(tmp_path, order):
    path = tmp_path / "a"
    for array in (A, np.asfortranarray(A), A[:, ::2], A.T):
        nb.tofile(array, path, order=order)
        assert path.read_bytes() == array.tobytes(order)
        sink = io.BytesIO()
        nb.tofile(array, sink, order=order)
        assert sink.getvalue() == array.tobytes(order)
        if order != "A":
            again = nb.fromfile(path, array.dtype, shape=array.shape, order=order)
            assert np.array_equal(again, array)


def test_tofile_writes_at_the_files_position(tmp_path):
    for mode in ("wb", "w+b", "ab"):
        path = tmp_path / mode.replace("+", "p")
        with open(path, mode) as file:
            file.write(b"head")
            nb.tofile(A, file)
            file.write(b"tail")
        assert path.read_bytes() == b"head" + A.tobytes() + b"tail"


# Text.

TEXTS = [
    np.array([1.5, -2.25, 1e300, 0.1, np.inf, -np.inf, np.nan]),
    np.array([1.5, 0.1], "f4"),
    np.arange(5),
    np.array([250, 1], "u1"),
    np.array([True, False]),
    np.arange(6).reshape(2, 3).T,
    np.array(7),
    np.array([1 + 2j]),
    np.zeros(0),
]


@pytest.mark.parametrize("sep", [" ", ",", ", ", "\n", ";"])
@pytest.mark.parametrize("form", [None, "%s", "%.3f", "%g", "%d", ""])
def test_text_is_written_as_numpy_writes_it(tmp_path, sep, form):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for array in TEXTS:
        args = (sep,) if form is None else (sep, form)
        try:
            array.tofile(theirs, *args)
        except (TypeError, ValueError, OverflowError) as error:
            with pytest.raises(type(error)):
                nb.tofile(array, ours, *args)
            continue
        nb.tofile(array, ours, *args)
        assert ours.read_bytes() == theirs.read_bytes(), array
        sink = io.BytesIO()
        nb.tofile(array, sink, *args)
        assert sink.getvalue() == theirs.read_bytes()


@pytest.mark.parametrize("sep", [" ", ",", ", "])
def test_text_is_read_as_numpy_reads_it(tmp_path, sep):
    path = tmp_path / "a"
    for array in TEXTS[:4]:
        nb.tofile(array, path, sep)
        for count in (-1, 2):
            ours = nb.fromfile(path, array.dtype, count, sep)
            assert same(ours, np.fromfile(path, array.dtype, count, sep))
            with open(path, "rb") as file:
                assert same(nb.fromfile(file, array.dtype, count, sep), ours)
            memory = io.BytesIO(path.read_bytes())
            assert same(nb.fromfile(memory, array.dtype, count, sep), ours)
    with pytest.raises(TypeError, match="offset"):
        nb.fromfile(path, "f8", -1, sep, 3)


def test_what_has_no_fixed_size_is_refused(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(bytes(16))
    for dtype in ("O", [("a", "O")]):
        with pytest.raises(nb.UnsupportedError):
            nb.fromfile(path, dtype)
    for dtype in ("S0", "V0", "U0"):
        with pytest.raises(ValueError):
            nb.fromfile(path, np.dtype(dtype))


def test_like_is_numpys(tmp_path):
    path = tmp_path / "a"
    nb.tofile(A, path)
    assert same(nb.fromfile(path, "i4", like=A), A.ravel())
    assert same(nb.frombuffer(A.tobytes(), "i4", like=A), A.ravel())
