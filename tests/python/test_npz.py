"""Archives: readable by all, mappable, checked, and the same bytes every time."""

import io
import itertools
import os
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Mapping

import numpy as np
import pytest

import ndbytes as nb
from arrays import NUMPY2, clean, same
from processes import python, start

ARRAYS = {
    "x": np.arange(1000.0),
    "y": np.asfortranarray(np.arange(12, dtype=">i4").reshape(3, 4)),
    "s": np.array([(1, "ä")], [("n", "u1"), ("t", "U3")]),
    "zero": np.zeros((0, 3)),
    "scalar": np.array(2.5, "f4"),
}

both = pytest.mark.parametrize("savez", [nb.savez, nb.savez_compressed])


def saved(savez, *args, **kwargs):
    sink = io.BytesIO()
    savez(sink, *args, **kwargs)
    return sink.getvalue()


@pytest.fixture(params=["stored", "compressed"])
def path(tmp_path, request):
    path = tmp_path / "a.npz"
    (nb.savez if request.param == "stored" else nb.savez_compressed)(path, ARRAYS)
    return path


# The same object as NumPy's.


def test_it_is_numpys_class_with_its_words(path):
    with nb.load(path) as ours, np.load(path) as theirs:
        assert type(ours) is nb.NpzFile
        assert isinstance(ours, np.lib.npyio.NpzFile)
        assert isinstance(ours, Mapping)
        assert ours.files == theirs.files == list(ARRAYS)
        assert list(ours) == list(theirs)
        assert len(ours) == len(theirs) == len(ARRAYS)
        assert list(ours.keys()) == list(theirs.keys())
        assert [same(a, b) for a, b in zip(ours.values(), theirs.values(), strict=True)]
        for key, array in ours.items():
            assert same(array, ARRAYS[key])
            assert same(ours[key + ".npy"], ARRAYS[key])
            assert same(getattr(ours.f, key), ARRAYS[key])
            assert key in ours
            assert key + ".npy" in ours
        assert "none" not in ours
        assert ours.get("none") is None
        assert same(ours.get("x"), ARRAYS["x"])
        assert dir(ours.f) == sorted(ARRAYS)
        assert set(dir(theirs)) - {"_abc_impl"} <= set(dir(ours))
        for key in ("none", None, 3, ""):
            with pytest.raises(KeyError):
                ours[key]
        with pytest.raises(AttributeError):
            ours.f.none  # noqa: B018
        assert "x, y" in repr(ours)
        assert str(path) in repr(ours)


def test_arrays_are_read_when_they_are_asked_for_and_each_time_anew(path):
    with nb.load(path) as archive:
        first, second = archive["x"], archive["x"]
        assert first is not second
        first[...] = 0
        assert same(archive["x"], ARRAYS["x"])
        assert first.flags.writeable
        assert first.flags.aligned
        assert archive["y"].flags.f_contiguous


def test_a_closed_archive_refuses_and_its_arrays_stay(path):
    archive = nb.load(path)
    array = archive["x"]
    archive.close()
    archive.close()
    with pytest.raises(ValueError, match="closed"):
        archive["x"]
    assert same(array, ARRAYS["x"])
    assert archive.zip is None
    assert archive.fid is None
    with nb.load(path) as archive:
        pass
    with pytest.raises(ValueError, match="closed"):
        archive["x"]


def test_an_archive_can_be_written_over_while_it_is_open(path):
    """NumPy then reads the new file by the old directory."""
    with nb.load(path) as archive:
        nb.savez(path, x=np.zeros(3))
        assert same(archive["x"], ARRAYS["x"])
        nb.savez(path, **{k: v + 1 for k, v in archive.items() if k in "xy"})
    with nb.load(path) as archive:
        assert same(archive["x"], ARRAYS["x"] + 1)


def test_an_archive_in_a_file_object_is_read(path):
    with open(path, "rb") as file, nb.load(file) as archive:
        for key, array in ARRAYS.items():
            assert same(archive[key], array)
    with nb.load(io.BytesIO(path.read_bytes())) as archive:
        assert same(archive["x"], ARRAYS["x"])
    with pytest.raises(ValueError, match="path"), open(path, "rb") as file:
        nb.load(file, mmap_mode="r")


# Names.

ODD = [
    "file",
    "level",
    "durable",
    "allow_pickle",
    "args",
    "kwds",
    "like",
    "a/b",
    "/a",
    "../a",
    "a.npy",
    "with space",
    "ä",
    "数",
    "\U0001f600",
    "a\\b",
    "con",
    ".",
    "x" * 500,
    "",
    "new\nline",
    "q\"uo'te",
]


@both
def test_any_name_can_be_a_key(savez):
    table = {name: np.array(i) for i, name in enumerate(ODD)}
    data = saved(savez, table)
    with nb.load(io.BytesIO(data)) as archive:
        for name, array in table.items():
            assert same(archive[name], array), name
    with np.load(io.BytesIO(data)) as archive:
        # NumPy strips a suffix, so that it finds `a.npy` as such alone.
        for name in table:
            if "\\" not in name:
                assert same(archive[name if name else ".npy"], table[name]), name
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(archive.infolist()) == len(ODD)


@both
def test_arrays_called_as_options_are_are_saved(savez):
    names = ["durable", "allow_pickle"] + ["level"] * (savez is nb.savez_compressed)
    table = {name: np.arange(3) + i for i, name in enumerate(names)}
    with nb.load(io.BytesIO(saved(savez, **table))) as archive:
        assert sorted(archive.files) == sorted(names)
        for name, array in table.items():
            assert same(archive[name], array)


@both
def test_positions_keywords_and_mappings_mix(savez):
    data = saved(savez, np.array(0), {"m": np.array(1), "n": [1, 2]}, np.array(2), k=np.array(3))
    with np.load(io.BytesIO(data)) as archive:
        assert sorted(archive.files) == ["arr_0", "arr_2", "k", "m", "n"]
        assert archive.files[0] == "k"
        assert archive["arr_2"] == 2
    assert saved(nb.savez, np.array(0), k=np.array(1))[30:35] == b"k.npy"


@both
def test_names_that_clash_are_refused(savez):
    for args, kwargs in (
        (([1],), {"arr_0": [1]}),
        (({"x": [1]},), {"x": [1]}),
        (({"x": [1]}, {"x": [1]}), {}),
        (({"x\0y": [1]},), {}),
    ):
        with pytest.raises((nb.NdbytesError, ValueError)):
            saved(savez, *args, **kwargs)
    with pytest.raises(TypeError, match="str"):
        saved(savez, {1: [1]})


@both
def test_a_key_that_looks_like_anothers_member_is_found(savez):
    data = saved(savez, {"x": np.array(1), "x.npy": np.array(2)})
    with nb.load(io.BytesIO(data)) as archive:
        assert archive["x"] == 1
        assert archive["x.npy"] == 2
        assert archive["x.npy.npy"] == 2


@both
def test_an_archive_may_be_empty(savez, tmp_path):
    data = saved(savez)
    with nb.load(io.BytesIO(data)) as archive:
        assert archive.files == []
    with np.load(io.BytesIO(data)) as archive:
        assert archive.files == []
    savez(tmp_path / "a")
    assert (tmp_path / "a.npz").read_bytes() == data


# Others' readers.


@both
def test_the_standard_zipfile_reads_every_member(savez):
    data = saved(savez, ARRAYS)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.file_size == len(nb.dumps(ARRAYS[info.filename[:-4]]))
            assert archive.read(info) == nb.dumps(ARRAYS[info.filename[:-4]])
            stored = savez is nb.savez
            assert info.compress_type == (zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)


@both
def test_the_unzip_program_reads_it(savez, tmp_path):
    savez(tmp_path / "a.npz", ARRAYS)
    try:
        subprocess.run(
            ["unzip", "-t", str(tmp_path / "a.npz")], check=True, capture_output=True, timeout=30
        )
    except FileNotFoundError:
        pytest.skip("there is no unzip")


@both
def test_the_bytes_depend_on_names_and_arrays_alone(savez, tmp_path):
    first = saved(savez, ARRAYS)
    savez(tmp_path / "a", ARRAYS)
    assert (tmp_path / "a.npz").read_bytes() == first
    assert saved(savez, {k: np.array(v, order="K") for k, v in ARRAYS.items()}) == first
    code = f"""
import sys, time
import numpy as np
import ndbytes as nb
time.time = lambda: 0
nb.{savez.__name__}(sys.argv[1], x=np.arange(1000.0))
"""
    python(code, tmp_path / "b.npz", env={**os.environ, "TZ": "Asia/Tokyo"})
    assert (tmp_path / "b.npz").read_bytes() == saved(savez, x=np.arange(1000.0))


@pytest.mark.parametrize("level", range(10))
def test_every_level_is_read_by_numpy(level):
    array = np.arange(20_000) // 7
    data = saved(nb.savez_compressed, x=array, level=level)
    with np.load(io.BytesIO(data)) as archive:
        assert archive.files == ["x"]
        assert same(archive["x"], array)
    with nb.load(io.BytesIO(data)) as archive:
        assert same(archive["x"], array)
    if level:
        assert len(data) < array.nbytes / 3


def test_levels_beyond_are_refused():
    for level in (-1, 10, 100):
        with pytest.raises(nb.ArgumentError):
            saved(nb.savez_compressed, x=np.zeros(3), level=level)


# Sinks.


class Unseekable(io.RawIOBase):
    def __init__(self):
        self.data = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.data += data
        return len(data)


@both
def test_sinks_that_cannot_seek_get_a_readable_archive(savez):
    sink = Unseekable()
    savez(sink, ARRAYS)
    with zipfile.ZipFile(io.BytesIO(sink.data)) as archive:
        assert archive.testzip() is None
    for load in (nb.load, np.load):
        with load(io.BytesIO(sink.data)) as archive:
            for key, array in ARRAYS.items():
                assert same(archive[key], array)
    code = f"nb.{savez.__name__}(sys.stdout.buffer, x=np.eye(9))"
    code = f"import sys, numpy as np, ndbytes as nb; {code}"
    with start(code, stdout=subprocess.PIPE) as process:
        data = process.communicate(timeout=30)[0]
    with np.load(io.BytesIO(data)) as archive:
        assert np.array_equal(archive["x"], np.eye(9))


@both
@pytest.mark.parametrize("mode", ["wb", "r+b", "ab", "append by descriptor"])
def test_archives_are_whole_whatever_the_file_held_and_however_it_was_opened(savez, mode, tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\xff" * (100 if "a" in mode else 200))
    if "descriptor" in mode:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb")
    else:
        file = open(path, mode)
    with file:
        if mode == "r+b":
            file.seek(50)
        savez(file, ARRAYS)
        end = file.tell()
        file.truncate(end)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for key, array in ARRAYS.items():
            assert archive.read(f"{key}.npy") == nb.dumps(array)


@both
def test_a_longer_old_file_is_overwritten_in_place(savez):
    sink = io.BytesIO(b"\xff" * 1_000_000)
    savez(sink, ARRAYS)
    data = sink.getvalue()[: sink.tell()]
    with np.load(io.BytesIO(data)) as archive:
        for key, array in ARRAYS.items():
            assert same(archive[key], array)
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None


# Maps.


def test_stored_members_are_aligned_and_mapped(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez(path, ARRAYS)
    for mode in ("r", "r+", "c"):
        with nb.load(path, mmap_mode=mode) as archive:
            for key, array in ARRAYS.items():
                mapped = archive[key]
                assert type(mapped) is nb.memmap
                assert same(np.asarray(mapped), array)
                assert mapped.offset % 64 == 0
                assert mapped.flags.aligned
                assert mapped.mode == mode
                mapped.close()
    with nb.load(path, mmap_mode="r+") as archive:
        mapped = archive["x"]
    mapped[0] = -5
    mapped.close()
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile, match="CRC"):
        archive.read("x.npy")


def test_compressed_members_cannot_be_mapped_and_say_so(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez_compressed(path, ARRAYS)
    with nb.load(path, mmap_mode="r") as archive:
        with pytest.raises(nb.UnsupportedError, match="compressed") as caught:
            archive["x"]
        assert caught.value.code == "zip.unsupported"


def test_numpys_archives_can_be_mapped_too(tmp_path):
    """Members fall at any byte there."""
    path = tmp_path / "a.npz"
    np.savez(path, **ARRAYS)
    with nb.load(path, mmap_mode="r") as archive:
        for key, array in ARRAYS.items():
            with archive[key] as mapped:
                assert same(np.asarray(mapped), array)


def test_maps_outlive_their_archive_and_pickle_by_reference(tmp_path):
    import pickle

    path = tmp_path / "a.npz"
    nb.savez(path, ARRAYS)
    with nb.load(path, mmap_mode="r") as archive:
        mapped = archive["x"]
    assert same(np.asarray(mapped), ARRAYS["x"])
    data = pickle.dumps(mapped[10:20])
    assert len(data) < 1000
    assert pickle.loads(data).tolist() == list(range(10, 20))


# Damage.


@both
def test_every_flipped_byte_of_the_data_is_noticed(savez):
    array = np.arange(64, dtype="i2")
    data = bytearray(saved(savez, x=array))
    info = zipfile.ZipFile(io.BytesIO(data)).infolist()[0]
    start_of_name = info.header_offset + 26
    name, extra = struct.unpack_from("<HH", data, start_of_name)
    begin = info.header_offset + 30 + name + extra
    for at in range(begin, begin + info.compress_size):
        for flip in (1, 0x80, 0xFF):
            data[at] ^= flip
            try:
                with nb.load(io.BytesIO(data)) as archive:
                    got = archive["x"]
                # Two deflate streams may say the same: another distance, bits that only fill.
                assert savez is nb.savez_compressed
                assert same(got, array)
            except nb.NdbytesError:
                pass
            data[at] ^= flip
    with nb.load(io.BytesIO(data)) as archive:
        assert same(archive["x"], array)


@both
def test_a_flipped_byte_anywhere_never_gives_other_data(savez):
    array = np.arange(64, dtype="i2")
    data = bytearray(saved(savez, x=array))
    silent = 0
    for at in range(len(data)):
        data[at] ^= 0xFF
        try:
            with nb.load(io.BytesIO(data)) as archive:
                arrays = {key: archive[key] for key in archive.files}
        except (nb.NdbytesError, EOFError):
            pass
        else:
            # Names, dates and modes are not covered by a checksum; the elements are.
            silent += 1
            assert len(arrays) == 1
            assert all(same(a, array) for a in arrays.values() if isinstance(a, np.ndarray))
        data[at] ^= 0xFF
    assert silent < len(data) / 2


@both
def test_an_archive_cut_at_any_byte_is_an_error(savez, tmp_path):
    data = saved(savez, x=np.arange(20, dtype="i2"), y=np.arange(3))
    path = tmp_path / "a.npz"
    for cut in range(4, len(data)):
        with pytest.raises((nb.NdbytesError, EOFError)):
            nb.load(io.BytesIO(data[:cut]))
        if cut % 16 == 0:
            path.write_bytes(data[:cut])
            with pytest.raises((nb.NdbytesError, EOFError)):
                nb.load(path)


def test_errors_have_codes_and_name_the_member(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez(path, good=np.zeros(3), broken=np.zeros(3))
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        offset = archive.getinfo("broken.npy").header_offset
    data[data.index(b"NUMPY", offset) + 150] ^= 1
    path.write_bytes(data)
    with nb.load(path) as archive:
        assert same(archive["good"], np.zeros(3))
        with pytest.raises(nb.FormatError, match="broken") as caught:
            archive["broken"]
        assert caught.value.code == "zip.crc"


# Foreign archives.


def foreign(tmp_path, members, **kwargs):
    path = tmp_path / "foreign.npz"
    with zipfile.ZipFile(path, "w", **kwargs) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def test_archives_of_zipfile_are_read(tmp_path):
    array = np.arange(5000)
    npy = nb.dumps(array)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        members = [("x.npy", npy), ("dir/", b""), ("dir/y.npy", npy), ("z", npy), ("t.txt", b"hi")]
        path = foreign(tmp_path, members, compression=method)
        with nb.load(path) as archive, np.load(path) as theirs:
            assert archive.files == theirs.files
            for key in ("x", "dir/y", "z", "dir/y.npy"):
                assert same(archive[key], array)
            assert archive["t.txt"] == b"hi" == theirs["t.txt"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_are_not_handled_are_clear_errors(tmp_path, method):
    path = foreign(tmp_path, [("x.npy", nb.dumps(np.arange(100)))], compression=method)
    with nb.load(path) as archive, pytest.raises(nb.UnsupportedError) as caught:
        archive["x"]
    assert caught.value.code == "zip.unsupported"
    assert ("bzip2" if method == zipfile.ZIP_BZIP2 else "lzma") in str(caught.value).lower()


def test_of_two_members_of_one_name_the_last_is_read(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        path = foreign(
            tmp_path, [("x.npy", nb.dumps(np.array(1))), ("x.npy", nb.dumps(np.array(2)))]
        )
    with nb.load(path) as ours, np.load(path) as theirs:
        assert ours["x"] == theirs["x"] == 2


def test_a_member_with_bytes_after_its_array_is_refused(tmp_path):
    path = foreign(tmp_path, [("x.npy", nb.dumps(np.arange(3)) + b"more")])
    with nb.load(path) as archive, pytest.raises(nb.NdbytesError):
        archive["x"]


def test_a_member_cut_short_is_refused(tmp_path):
    for cut in (5, 50, 130):
        path = foreign(tmp_path, [("x.npy", nb.dumps(np.arange(3))[:cut])])
        with nb.load(path) as archive:
            if cut == 5:
                assert archive["x"] == b"\x93NUMP"
                continue
            with pytest.raises(nb.TruncatedError):
                archive["x"]


def test_a_member_that_announces_too_much_is_refused(tmp_path):
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1152921504606846976,), }\n"
    npy = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = foreign(tmp_path, [("x.npy", npy)], compression=method)
        with nb.load(path) as archive, pytest.raises((nb.TruncatedError, nb.LimitError)):
            archive["x"]


def test_a_bomb_is_stopped_by_the_limit(tmp_path):
    path = tmp_path / "a.npz"
    nb.savez_compressed(path, x=np.zeros(10_000_000, "u1"))
    assert path.stat().st_size < 100_000
    with nb.load(path, max_bytes=1_000_000) as archive, pytest.raises(nb.LimitError):
        archive["x"]


@pytest.mark.skipif(sys.platform == "win32", reason="sparse files")
def test_sizes_over_four_gib_are_in_the_zip64_fields(tmp_path):
    """The header of a member has room for them from the start, as in NumPy's archives."""
    data = saved(nb.savez, x=np.zeros(3))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.infolist()[0]
    version, flags = struct.unpack_from("<HH", data, 4)
    assert version == 45
    assert flags == 0
    sizes = struct.unpack_from("<II", data, 18)
    assert sizes == (0xFFFFFFFF, 0xFFFFFFFF)
    name, extra = struct.unpack_from("<HH", data, 26)
    fields = data[30 + name : 30 + name + extra]
    tag, size, whole, packed = struct.unpack_from("<HHQQ", fields)
    assert (tag, size, whole, packed) == (1, 16, info.file_size, info.compress_size)
    assert (30 + name + extra) % 64 == 0


# Many at once.


@pytest.mark.parametrize("source", ["path", "file"])
def test_threads_share_an_archive(path, source):
    problems = []
    file = open(path, "rb") if source == "file" else None
    try:
        with nb.load(file or path) as archive:
            barrier = threading.Barrier(8)

            def read(number):
                try:
                    barrier.wait(30)
                    for key in itertools.islice(itertools.cycle(ARRAYS), number, number + 60):
                        assert same(archive[key], ARRAYS[key])
                except BaseException as error:
                    problems.append(error)

            threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
            [thread.start() for thread in threads]
            [thread.join(60) for thread in threads]
    finally:
        if file is not None:
            file.close()
    assert not problems


def test_forked_processes_share_an_archive(tmp_path):
    """They share the file's position, which NumPy depends on."""
    path = tmp_path / "a.npz"
    arrays = {f"x{i}": np.full(50_000, i) for i in range(8)}
    nb.savez_compressed(path, arrays)
    code = """
import os, sys
import numpy as np
import ndbytes as nb
archive = nb.load(sys.argv[1])
children = []
for child in range(4):
    pid = os.fork()
    if pid == 0:
        for n in range(24):
            i = (n + child) % 8
            if not (archive[f"x{i}"] == i).all():
                os._exit(1)
        os._exit(0)
    children.append(pid)
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
"""
    assert python(code, path).strip() == "[0, 0, 0, 0]"


@pytest.mark.skipif(not NUMPY2, reason="the argument came with NumPy 2")
def test_allow_pickle_is_an_option_as_in_numpy():
    assert saved(nb.savez, np.arange(3), allow_pickle=True) == saved(nb.savez, np.arange(3))
    with pytest.raises(nb.UnsupportedError):
        saved(nb.savez, np.array([None]), allow_pickle=False)


# Deflate in blocks.


def in_blocks():
    """Return arrays that take more than one block, some not cut at whole items of 512 KiB."""
    rng = np.random.default_rng(6)
    walk = rng.standard_normal(300_000).cumsum().round(2)
    return {
        "walk": walk,
        "fortran": np.asfortranarray(walk.reshape(500, 600)),
        "strided": walk[::-2],
        "twelve": np.zeros(100_000, [("a", "i4"), ("b", "f8")]),
        "pixels": rng.integers(0, 9, (700, 800, 3), "u1"),
        "noise": np.frombuffer(rng.bytes(2_000_000), "u1"),
        "bools": rng.integers(0, 2, 1_500_000).astype("?"),
        "huge_items": np.zeros(3, "V700000"),
    }


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_numpy_and_zipfile_read_blocks(tmp_path, level):
    arrays = in_blocks()
    nb.savez_compressed(tmp_path / "a.npz", **arrays, level=level)
    with np.load(tmp_path / "a.npz") as theirs, nb.load(tmp_path / "a.npz") as ours:
        for name, array in arrays.items():
            assert same(theirs[name], clean(array))
            assert same(ours[name], clean(array))
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert archive.testzip() is None


def test_blocks_leave_for_sinks_that_cannot_seek(tmp_path):
    arrays = in_blocks()

    class Sink:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))

    sink = Sink()
    nb.savez_compressed(sink, **arrays)
    data = b"".join(sink.parts)
    with nb.load(io.BytesIO(data)) as ours, np.load(io.BytesIO(data)) as theirs:
        for name, array in arrays.items():
            assert same(ours[name], clean(array))
            assert same(theirs[name], clean(array))


def test_damage_inside_of_any_block_is_noticed():
    arrays = {"noise": in_blocks()["noise"], "walk": in_blocks()["walk"]}
    data = bytearray(saved(nb.savez_compressed, **arrays))
    infos = zipfile.ZipFile(io.BytesIO(data)).infolist()
    for info in infos:
        for part in (0.1, 0.4, 0.7, 0.95):
            at = info.header_offset + 100 + int(info.compress_size * part)
            data[at] ^= 0x55
            with pytest.raises(nb.NdbytesError), nb.load(io.BytesIO(data)) as archive:
                archive[info.filename]
            data[at] ^= 0x55


def test_an_index_of_blocks_that_lies_never_changes_the_data():
    array = in_blocks()["walk"]
    data = saved(nb.savez_compressed, x=array)
    at = data.rindex(b"NB") + 4
    count = (struct.unpack_from("<H", data, at - 2)[0] - 8) // 4
    assert count > 3
    rng = np.random.default_rng(7)
    for _ in range(200):
        bad = bytearray(data)
        place = at + 4 * int(rng.integers(0, count + 2))
        value = struct.unpack_from("<I", bad, place)[0]
        struct.pack_into("<I", bad, place, (value + int(rng.integers(-9, 9))) % (1 << 32))
        try:
            with nb.load(io.BytesIO(bad)) as archive:
                assert same(archive["x"], array)
        except nb.NdbytesError:
            pass
