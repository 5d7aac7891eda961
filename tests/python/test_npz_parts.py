"""Archives: parts of members, several at a time, zstd, threads."""

import io
import warnings
import zipfile

import numpy as np
import pytest

import ndbytes as nb

WALK = np.random.default_rng(3).standard_normal((700, 300)).cumsum(axis=0)


def stored(path, array):
    nb.savez(path, a=array)


def deflated(path, array):
    nb.savez_compressed(path, a=array)


def of_numpy(path, array):
    np.savez_compressed(path, a=array)


def zstd(path, array):
    with pytest.warns(UserWarning, match=r"3\.14"):
        nb.savez_compressed(path, a=array, codec="zstd")


KINDS = [stored, deflated, of_numpy, zstd]
INDEXES = [
    np.s_[0],
    np.s_[-1, 5],
    np.s_[3:5],
    np.s_[::-1],
    np.s_[100:600:7, ::-3],
    np.s_[..., 2],
    np.s_[5:5],
    np.s_[:, None, 299],
    np.s_[...],
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("order", "CF")
def test_any_part_of_a_member_is_that_of_the_array(path, kind, order):
    array = np.asarray(WALK, order=order)
    kind(path, array)
    with nb.open(path) as archive:
        member = archive.open("a")
        assert (member.shape, member.dtype, member.nbytes) == (
            array.shape,
            array.dtype,
            array.nbytes,
        )
        assert member.fortran_order == (order == "F")
        for index in INDEXES:
            assert np.array_equal(member[index], array[index])
        assert np.array_equal(member.read(), array)
        assert np.array_equal(np.asarray(member), array)
        assert np.array_equal(list(member)[17], array[17])
        with pytest.raises(IndexError):
            member[700]
        with pytest.raises(IndexError):
            member[0, 0, 0]


@pytest.mark.parametrize(
    "array",
    [
        np.array(7.5),
        np.zeros((0, 3)),
        np.array(["é", "abc"]),
        np.array([(1, 2.5)], dtype="i4,f8"),
        np.arange(5, dtype=">i2"),
        np.array([True, False]),
    ],
    ids=str,
)
def test_any_dtype_has_parts(path, array):
    for kind in (stored, deflated, of_numpy):
        kind(path, array)
        with nb.open(path) as archive:
            part = archive.open("a")[...]
            assert part.dtype == array.dtype
            assert np.array_equal(part, array)


class Counting(io.BytesIO):
    """Counts the bytes that are read."""

    def __init__(self, data):
        super().__init__(data)
        self.count = 0

    def read(self, n=-1):
        data = super().read(n)
        self.count += len(data)
        return data

    def readinto(self, buffer):
        n = super().readinto(buffer)
        self.count += n
        return n


def test_a_part_of_a_large_member_reads_little(path):
    array = np.random.default_rng(1).standard_normal(4 << 20)
    for save in (stored, deflated):
        save(path, array)
        file = Counting(path.read_bytes())
        with nb.load(file) as archive:
            member = archive.open("a")
            file.count = 0
            assert member[3_000_000] == array[3_000_000]
        assert file.count < 2 << 20, save.__name__


def test_a_part_of_a_damaged_block_is_refused_and_others_are_read(path):
    nb.savez_compressed(path, a=np.arange(1 << 20))
    data = bytearray(path.read_bytes())
    # In the middle of the file, which none of the first block is.
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)
    with nb.load(path) as archive:
        assert np.array_equal(archive.open("a")[:100], np.arange(100))
        with pytest.raises(nb.NdbytesError):
            archive["a"]


def test_several_members_are_read_at_once(path):
    arrays = {f"x{i}": np.arange(i * 1000) % 7 for i in range(20)}
    for save in (np.savez_compressed, np.savez, nb.savez_compressed, nb.savez):
        save(path, **arrays)
        for threads in (None, 1, 3):
            with nb.NpzFile(path, threads=threads) as archive:
                read = archive.read()
                assert list(read) == list(arrays)
                assert all(np.array_equal(read[name], arrays[name]) for name in arrays)
                assert list(archive.read("x3", "x1")) == ["x3", "x1"]
                with pytest.raises(KeyError):
                    archive.read("y")


def test_a_damaged_member_among_several_is_reported(path):
    np.savez(path, a=np.arange(1000), b=np.arange(1000))
    data = bytearray(path.read_bytes())
    data[4000] ^= 1
    path.write_bytes(data)
    with nb.load(path) as archive, pytest.raises(nb.FormatError) as caught:
        archive.read()
    assert caught.value.code == "zip.crc"


def test_what_is_no_array_is_read_as_bytes_among_several(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("note.txt", "hello")
        archive.writestr("a.npy", nb.dumps(np.arange(3)))
    with nb.load(path) as archive:
        read = archive.read()
    assert read["note.txt"] == b"hello"
    assert np.array_equal(read["a"], [0, 1, 2])


@pytest.mark.parametrize("codec", ["deflate", "zstd"])
def test_bytes_do_not_depend_on_threads(tmp_path, codec):
    array = np.random.default_rng(1).standard_normal(1 << 20).round(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for threads in (1, 2, 3, 8):
            path = tmp_path / f"{threads}.npz"
            nb.savez_compressed(path, array, codec=codec, threads=threads)
            assert path.read_bytes() == (tmp_path / "1.npz").read_bytes()


def test_levels_of_zstd_are_those_of_zstd(path):
    sizes = []
    for level in (1, None, 19):
        with pytest.warns(UserWarning, match="zstd"):
            nb.savez_compressed(path, WALK.round(1), codec="zstd", level=level)
        sizes.append(path.stat().st_size)
    assert sizes[2] < min(sizes[:2])
    with zipfile.ZipFile(path) as archive:
        assert archive.infolist()[0].compress_type == 93
        assert archive.infolist()[0].extract_version == 63
    for wrong in ({"codec": "zstd", "level": 20}, {"codec": "bzip2"}, {"threads": 0}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(nb.ArgumentError):
                nb.savez_compressed(path, WALK, **wrong)


def test_arrays_may_be_called_as_options_are(path):
    arrays = {"threads": np.arange(3), "codec": np.arange(2), "level": np.arange(4)}
    nb.savez_compressed(path, **arrays)
    with np.load(path) as archive:
        assert sorted(archive.files) == ["codec", "level", "threads"]


def test_python_3_14_reads_members_of_zstd(path, monkeypatch):
    backport = pytest.importorskip("backports.zstd.zipfile")
    zstd(path, WALK)
    monkeypatch.setattr("zipfile.ZipFile", backport.ZipFile)
    with np.load(path) as archive:
        assert np.array_equal(archive["a"], WALK)
    backport_path = path.with_name("b.npz")
    with backport.ZipFile(backport_path, "w", backport.ZIP_ZSTANDARD) as archive:
        archive.writestr("a.npy", nb.dumps(WALK))
    assert np.array_equal(nb.load(backport_path)["a"], WALK)


def test_every_cut_and_many_flips_of_zstd_members_are_reported(path):
    array = np.arange(60).reshape(6, 10)
    zstd(path, array)
    data = path.read_bytes()
    for end in range(len(data)):
        with pytest.raises(nb.NdbytesError):
            nb.load(io.BytesIO(data[:end]))["a"]
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            read = nb.load(io.BytesIO(bad))["a"]
        except (nb.NdbytesError, KeyError):
            continue
        assert read.dtype == array.dtype
        assert np.array_equal(read, array)
