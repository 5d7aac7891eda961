"""Arrays mapped into memory: what they may do to files, and how they end."""

import errno
import io
import mmap
import os
import pathlib
import pickle
import stat
import tempfile

import numpy as np
import pytest

import ndbytes as nb
from arrays import DTYPE_IDS, DTYPES, clean, filled, layouts, numpy_bytes, quietly, same
from processes import python

ARRAY = np.arange(24.0).reshape(2, 3, 4)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, ARRAY)
    return path


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw"
    nb.tofile(ARRAY, path)
    return path


def test_it_is_numpys_class_and_has_its_attributes(path, raw):
    for ours, theirs in (
        (nb.open_memmap(path), np.lib.format.open_memmap(path)),
        (nb.memmap(raw, "f8", "r", 16, (2, 3)), np.memmap(raw, "f8", "r", 16, (2, 3))),
        (nb.memmap(str(raw), mode="c"), np.memmap(str(raw), mode="c")),
    ):
        assert isinstance(ours, np.memmap)
        assert (ours.filename, ours.offset, ours.mode) == (
            theirs.filename,
            theirs.offset,
            theirs.mode,
        )
        assert same(ours, theirs)
        assert ours.flags.writeable == theirs.flags.writeable
        ours.close()


@pytest.mark.parametrize("name", DTYPE_IDS)
def test_every_dtype_can_be_mapped(name, tmp_path):
    for label, array in layouts(DTYPES[name], [(), (3,), (0,), (2, 3)]):
        quietly(nb.save, tmp_path / "a.npy", array)
        with quietly(nb.load, tmp_path / "a.npy", "r") as mapped:
            assert type(mapped) is nb.memmap
            assert same(np.asarray(mapped), array), label
            assert not mapped.flags.writeable
            del mapped
        if array.dtype.itemsize:
            nb.tofile(array, tmp_path / "raw")
            with nb.memmap(tmp_path / "raw", array.dtype, "r", shape=array.shape) as mapped:
                assert same(np.asarray(mapped), array), label


@pytest.mark.parametrize("name", DTYPE_IDS)
def test_created_maps_have_the_bytes_of_a_save(name, tmp_path):
    path = tmp_path / "a.npy"
    for label, array in layouts(DTYPES[name], [(), (3,), (0,), (2, 3)]):
        array = clean(array)
        create = dict(mode="w+", dtype=array.dtype, shape=array.shape)
        with quietly(nb.open_memmap, path, **create, fortran_order=bool(array.flags.fnc)) as mapped:
            if array.dtype.itemsize:
                mapped[...] = array
        assert path.read_bytes() == numpy_bytes(array), label


# Modes.


def test_mode_r_cannot_change_the_file(path):
    before = path.read_bytes()
    with nb.load(path, mmap_mode="r") as mapped:
        assert same(np.asarray(mapped), ARRAY)
        with pytest.raises(ValueError, match="read-only"):
            mapped[0] = 1
        with pytest.raises(ValueError):
            mapped.flags.writeable = True
    assert path.read_bytes() == before


def test_mode_c_changes_memory_alone(path):
    before = path.read_bytes()
    with nb.load(path, mmap_mode="c") as mapped:
        mapped[...] = -1
        assert (mapped == -1).all()
        mapped.flush()
    assert path.read_bytes() == before


def test_mode_r_plus_changes_the_file(path):
    with nb.load(path, mmap_mode="r+") as mapped:
        mapped[0] = -1
        mapped.flush()
        assert (np.load(path)[0] == -1).all()
    expected = ARRAY.copy()
    expected[0] = -1
    assert path.read_bytes() == nb.dumps(expected)


def test_long_names_of_modes_work_as_in_numpy(raw):
    for mode, short in (("readonly", "r"), ("copyonwrite", "c"), ("readwrite", "r+")):
        assert nb.memmap(raw, mode=mode).mode == short
        assert nb.open_memmap
    with pytest.raises(ValueError, match="mode"):
        nb.memmap(raw, mode="x")
    with pytest.raises(ValueError, match="shape"):
        nb.memmap(raw, mode="w+")


def test_w_plus_replaces_the_file_whole(tmp_path, raw):
    """Those who have mapped the old file keep it."""
    with nb.memmap(raw, "f8", "r") as old:
        with nb.memmap(raw, "f8", "w+", shape=(2, 2), offset=8) as new:
            assert (new == 0).all()
            new[...] = 5
        assert same(np.asarray(old), ARRAY.ravel())
    assert raw.read_bytes() == bytes(8) + np.full(4, 5.0).tobytes()
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def test_w_plus_that_fails_leaves_the_old_file(tmp_path, raw):
    before = raw.read_bytes()
    # More than any file can have.
    for call in (
        lambda: nb.memmap(raw, "u1", "w+", shape=1 << 62),
        lambda: nb.open_memmap(raw, "w+", "u1", 1 << 62),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno in {errno.EFBIG, errno.ENOSPC}
    for call in (
        lambda: nb.memmap(raw, "u1", "w+", shape=(1 << 62, 1 << 62)),
        lambda: nb.open_memmap(raw, "w+", "u1", (1 << 62, 1 << 62)),
        lambda: nb.memmap(raw, "u1", "w+", shape=-1),
        lambda: nb.memmap(raw, "u1", "w+", shape=(2, -3)),
        lambda: nb.memmap(raw, "u1", "w+", shape=3, offset=-1),
        lambda: nb.memmap(raw, "u1", "w+", shape=3, order="X"),
        lambda: nb.open_memmap(raw, "w+", "u1", 3, version=(9, 0)),
        lambda: nb.memmap(raw, "O", "w+", shape=3),
    ):
        with pytest.raises((ValueError, OverflowError, OSError)):
            call()
    assert raw.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def test_w_plus_takes_its_blocks_at_once(tmp_path):
    """So that a full disk is an error here, and not SIGBUS later."""
    path = tmp_path / "a"
    with nb.memmap(path, "u1", "w+", shape=1 << 20):
        if path.stat().st_blocks == 0:
            pytest.skip("this file system does not reserve")
        assert path.stat().st_blocks * 512 >= 1 << 20


# Never grows, never truncates.


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_map_never_changes_the_length_of_a_file(raw, mode):
    size = raw.stat().st_size
    for shape, offset in (((2, 3, 4), 0), ((3,), 5), (None, 0), (None, 64)):
        with nb.memmap(raw, "f8" if offset != 5 else "u1", mode, offset, shape):
            pass
        assert raw.stat().st_size == size
    for shape, offset in (((25,), 0), ((24,), 1), ((2, 3, 5), 0)):
        with pytest.raises(nb.TruncatedError):
            nb.memmap(raw, "f8", mode, offset, shape)
        assert raw.stat().st_size == size
    with pytest.raises(nb.MismatchError):
        nb.memmap(raw, "f8", mode, 1)
    with pytest.raises(nb.MismatchError):
        nb.memmap(raw, "f8", mode, size + 8)


def test_numpy_extends_a_short_file(raw):
    size = raw.stat().st_size
    mapped = np.memmap(raw, "f8", shape=1000)
    assert mapped.shape == (1000,)
    if raw.stat().st_size == size:
        pytest.skip("this NumPy has mended it")


def test_offsets_need_no_alignment(tmp_path):
    path = tmp_path / "a"
    page = mmap.ALLOCATIONGRANULARITY
    data = np.random.default_rng(0).bytes(3 * page + 100)
    path.write_bytes(data)
    for offset in (0, 1, 7, 63, 64, page - 1, page, page + 1, 2 * page + 13):
        for count in (1, 10, page // 8):
            with nb.memmap(path, ">i8", "r", offset, count) as mapped:
                assert same(np.asarray(mapped), np.frombuffer(data, ">i8", count, offset))
                assert mapped.offset == offset
        with nb.memmap(path, "u1", "r+", offset) as mapped:
            assert mapped.tobytes() == data[offset:]


def test_orders(raw):
    with nb.memmap(raw, "f8", "r", shape=(4, 6), order="F") as mapped:
        assert mapped.flags.f_contiguous
        assert np.array_equal(mapped, ARRAY.reshape(6, 4).T)
    with pytest.raises(ValueError, match="order"):
        nb.memmap(raw, "f8", "r", shape=(4, 6), order="K")


def test_nothing_can_be_mapped(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, np.zeros((0, 5)))
    for mode in ("r", "r+", "c"):
        with nb.load(path, mmap_mode=mode) as mapped:
            assert mapped.shape == (0, 5)
            assert mapped.mode == mode
            mapped.flush()
    empty = tmp_path / "empty"
    empty.touch()
    for mode in ("r", "r+", "c"):
        with nb.memmap(empty, "f8", mode) as mapped:
            assert mapped.shape == (0,)
        assert empty.stat().st_size == 0
    with nb.memmap(empty, "f8", "w+", shape=(0, 3)) as mapped:
        assert mapped.shape == (0, 3)


# File objects.


def test_file_objects_can_be_mapped(tmp_path, raw):
    with open(raw, "r+b") as file:
        mapped = nb.memmap(file, "f8", "r+", shape=(2, 3, 4))
        assert mapped.filename == str(raw)
    mapped[0, 0, 0] = -1
    mapped.close()
    assert np.fromfile(raw)[0] == -1
    with tempfile.TemporaryFile(dir=tmp_path) as file:
        mapped = nb.memmap(file, "f8", "w+", shape=(2, 3))
        mapped[...] = 3
        mapped.flush()
        file.seek(0)
        assert file.read() == np.full(6, 3.0).tobytes()
        assert mapped.filename is None
        mapped.close()
    with pytest.raises((OSError, ValueError, AttributeError)):
        nb.memmap(io.BytesIO(b"12345678"), "f8", "r")


def test_what_a_handle_still_buffers_is_seen(tmp_path):
    with open(tmp_path / "a", "w+b") as file:
        file.write(bytes(range(16)))
        with nb.memmap(file, "u1", "r") as mapped:
            assert mapped.tolist() == list(range(16))


# How it ends.


def test_close_writes_and_gives_the_map_back(path):
    mapped = nb.open_memmap(path, "r+")
    mapped[...] = 7
    assert not mapped.closed
    mapped.close()
    assert mapped.closed
    assert (np.load(path) == 7).all()
    mapped.close()
    assert str(path) in repr(mapped)
    assert path in maps()
    del mapped
    assert path not in maps()


def maps():
    """Return the files that this process has mapped."""
    try:
        with open("/proc/self/maps") as file:
            return {pathlib.Path(line.split()[-1]) for line in file}
    except FileNotFoundError:
        pytest.skip("there is no /proc/self/maps")


def test_with_closes(path):
    with nb.load(path, mmap_mode="r") as mapped:
        assert float(mapped.sum()) == ARRAY.sum()
    assert mapped.closed
    with pytest.raises(RuntimeError), nb.load(path, mmap_mode="r") as mapped:
        raise RuntimeError
    assert mapped.closed


@pytest.mark.parametrize(
    "use",
    [
        lambda a: a[0],
        lambda a: a.__setitem__(0, 1),
        len,
        iter,
        list,
        lambda a: a + 1,
        lambda a: 1 + a,
        lambda a: a == a,
        lambda a: a.sum(),
        lambda a: a.mean(),
        lambda a: a.tolist(),
        lambda a: a.tobytes(),
        lambda a: a.flush(),
        lambda a: a.copy(),
        np.sum,
        np.sin,
        np.concatenate,
        lambda a: np.concatenate([a, a]),
        pickle.dumps,
    ],
)
def test_a_closed_map_refuses_to_be_used(path, use):
    for given in (path, None):
        mapped = nb.memmap(path, "u1", "r") if given is None else nb.open_memmap(path, "r")
        mapped.close()
        with pytest.raises(ValueError, match="closed"):
            use(mapped)


def test_closing_while_others_use_the_map_harms_nothing(path):
    """The map goes with the last array that uses its memory."""
    for keep in (lambda a: a[1], lambda a: np.asarray(a)[1], lambda a: a.view(np.ndarray)[1]):
        mapped = nb.open_memmap(path, "r")
        row = keep(mapped)
        mapped.close()
        with pytest.raises(ValueError, match="closed"):
            mapped[0]
        del mapped
        assert np.array_equal(row, ARRAY[1])
        del row
        assert path not in maps()


def test_a_view_outlives_its_map(path):
    row = nb.open_memmap(path, "r")[1]
    assert np.array_equal(row, ARRAY[1])
    flat = np.frombuffer(memoryview(nb.open_memmap(path, "r")))
    assert np.array_equal(flat, ARRAY.ravel())


def test_errors_of_flush_are_reported(path, monkeypatch):
    class Broken(mmap.mmap):
        def flush(self, *args):
            raise OSError(errno.EIO, "the disk broke")

    monkeypatch.setattr(mmap, "mmap", Broken)
    mapped = nb.open_memmap(path, "r+")
    for call in (mapped.flush, mapped.close):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == errno.EIO
    assert not mapped.closed
    assert np.array_equal(mapped, ARRAY)


def test_results_are_plain_arrays_and_slices_are_maps(path):
    mapped = nb.open_memmap(path, "r")
    assert type(mapped[0]) is nb.memmap
    assert type(mapped[0, 0, 0]) is np.float64
    assert type(mapped[[0, 1]]) is np.ndarray
    assert type(mapped + 1) is np.ndarray
    assert type(mapped.sum(axis=0)) is np.ndarray
    assert type(mapped.sum()) is np.float64
    assert type(np.asarray(mapped)) is np.ndarray
    assert mapped.T.filename == mapped.filename


# Pickles refer to the file.


def again(array):
    return pickle.loads(pickle.dumps(array))


def test_a_pickle_is_small_and_refers_to_the_file(tmp_path):
    path = tmp_path / "a.npy"
    nb.save(path, np.arange(1_000_000))
    mapped = nb.load(path, mmap_mode="r")
    data = pickle.dumps(mapped)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert type(copy) is nb.memmap
    assert copy.mode == "r"
    assert copy.filename == str(path)
    assert same(np.asarray(copy), np.arange(1_000_000))
    assert len(pickle.dumps(np.load(path, mmap_mode="r"))) > 1_000_000


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a,
        lambda a: a[1],
        lambda a: a[:, 1:],
        lambda a: a[::-1],
        lambda a: a[:, ::-1, ::2],
        lambda a: a.T,
        lambda a: a[0, 2, 1:3],
        lambda a: a[:0],
        lambda a: a.reshape(6, 4),
        lambda a: a.transpose(1, 0, 2)[1:],
        lambda a: a.view("u1"),
    ],
)
def test_views_are_pickled_by_reference_too(path, view):
    for array in (ARRAY, np.asfortranarray(ARRAY)):
        nb.save(path, array)
        mapped = nb.load(path, mmap_mode="r+")
        try:
            part = view(mapped)
        except ValueError:
            continue
        copy = again(part)
        assert same(np.asarray(copy), np.asarray(part))
        if getattr(part, "_mmap", None) is not None and part.size:
            assert copy.strides == part.strides
            # It is the same memory of the same file.
            part[...] = 77 if part.dtype == "u1" else -1
            assert same(np.asarray(copy), np.asarray(part))


def test_far_into_a_file(tmp_path):
    path = tmp_path / "a"
    array = filled((5, 5000), np.dtype(">f8"))
    nb.tofile(array, path)
    mapped = nb.memmap(path, ">f8", "r", shape=(5, 5000))
    for part in (mapped[3:, 100:], mapped[::-1, ::-7], mapped[4]):
        copy = again(part)
        assert same(np.asarray(copy), np.asarray(part))


def test_copy_on_write_is_pickled_by_value(path):
    mapped = nb.load(path, mmap_mode="c")
    mapped[0] = -1
    copy = again(mapped)
    assert type(copy) is np.ndarray
    assert same(copy, np.asarray(mapped))
    path.unlink()
    assert same(again(mapped), np.asarray(mapped))


def test_a_created_map_is_reopened_and_not_created_again(tmp_path):
    mapped = nb.open_memmap(tmp_path / "a.npy", "w+", "f8", 10)
    mapped[...] = np.arange(10)
    copy = again(mapped)
    assert copy.tolist() == list(range(10))
    assert copy.mode == "r+"
    copy[0] = 5
    assert mapped[0] == 5


def test_a_pickle_whose_file_became_shorter_or_went_is_an_error(path):
    data = pickle.dumps(nb.load(path, mmap_mode="r"))
    os.truncate(path, 200)
    with pytest.raises(nb.TruncatedError, match="shorter"):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(data)


def test_another_process_opens_the_pickle(path):
    mapped = nb.load(path, mmap_mode="r+")
    data = pickle.dumps(mapped[1, ::2])
    code = f"""
import pickle
array = pickle.loads({data!r})
print(array.tolist())
array[...] = 3
array.close()
"""
    expected = ARRAY[1, ::2].tolist()
    assert python(code).strip() == str(expected)
    assert (mapped[1, ::2] == 3).all()


# open_memmap.


def test_open_memmap_has_numpys_parameters(tmp_path):
    path = tmp_path / "a.npy"
    for args in (
        ("w+", "i4", (2, 3)),
        ("w+", "i4", (2, 3), True),
        ("w+", "i4", (2, 3), False, (2, 0)),
        ("w+", "i4", ()),
        ("w+", [("a", "i4"), ("b", "f8")], 3),
    ):
        ours = nb.open_memmap(path, *args)
        ours.close()
        mine = path.read_bytes()
        shape = args[2] if isinstance(args[2], tuple) else (args[2],)
        theirs = np.lib.format.open_memmap(path, *args[:2], shape, *args[3:])
        theirs.flush()
        del theirs
        assert mine == path.read_bytes()
    with pytest.raises(ValueError, match="file handles"):
        nb.open_memmap(io.BytesIO(), "r")
    with pytest.raises(nb.UnsupportedError):
        nb.open_memmap(path, "w+", "O", 3)
    assert stat.S_ISREG(path.stat().st_mode)


def test_a_file_object_cannot_be_mapped_by_load(path):
    with open(path, "rb") as file, pytest.raises(ValueError, match="path"):
        nb.load(file, mmap_mode="r")
