"""What the package offers: names, signatures, docs and errors."""

import importlib.metadata
import importlib.resources
import inspect
import io
import re

import numpy as np
import pytest

import ndbytes as nb


def test_everything_public_is_there_and_nothing_else():
    for name in nb.__all__:
        assert getattr(nb, name) is not None
    public = {n for n in vars(nb) if not n.startswith("_")}
    assert public <= set(nb.__all__)
    assert sorted(nb.__all__) == nb.__all__
    for module in (nb.format, nb.aio):
        for name in getattr(module, "__all__", ["send", "recv"]):
            assert callable(getattr(module, name))
    assert nb.__version__ == importlib.metadata.version("ndbytes")


def test_it_is_typed():
    files = importlib.resources.files("ndbytes")
    assert (files / "py.typed").is_file()
    assert (files / "_native.pyi").is_file()


def names(function):
    """Return the names of a function's parameters, without its own keywords."""
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (nb.save, np.save),
        (nb.load, np.load),
        (nb.savez, np.savez),
        (nb.savez_compressed, np.savez_compressed),
        (nb.open_memmap, np.lib.format.open_memmap),
        (nb.memmap.__new__, np.memmap.__new__),
        (nb.NpzFile.__init__, np.lib.npyio.NpzFile.__init__),
        (nb.format.write_array, np.lib.format.write_array),
        (nb.format.read_array, np.lib.format.read_array),
        (nb.format.read_magic, np.lib.format.read_magic),
        (nb.format.read_array_header_1_0, np.lib.format.read_array_header_1_0),
        (nb.format.read_array_header_2_0, np.lib.format.read_array_header_2_0),
    ],
    ids=lambda f: f.__qualname__,
)
def test_numpys_parameters_are_there_in_numpys_order(ours, theirs):
    wanted = [n for n in names(theirs) if n not in {"subtype", "cls"}]
    found = [n for n in names(ours) if n not in {"subtype", "cls"}]
    assert found[: len(wanted)] == wanted
    for name, parameter in inspect.signature(theirs).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert name in inspect.signature(ours).parameters


def test_parameters_of_functions_in_c_are_numpys():
    assert names(nb.frombuffer) == ["buffer", "dtype", "count", "offset"]
    assert names(nb.fromfile) == ["file", "dtype", "count", "sep", "offset"]
    assert names(nb.tofile)[1:] == re.findall(r"(\w+)[,=)/]", "file, sep=, format=")
    assert names(nb.tobytes) == ["a", "order"]


def test_what_is_added_is_keyword_only():
    for function, added in (
        (nb.save, {"durable", "codec", "chunks", "threads", "progress"}),
        (nb.load, {"max_header_size", "max_bytes", "out", "threads", "progress"}),
        (nb.frombuffer, {"like", "shape", "order"}),
        (nb.fromfile, {"like", "shape", "order"}),
        (nb.tofile, {"order", "durable"}),
        (nb.send, {"timeout", "progress"}),
        (nb.recv, {"timeout", "max_bytes", "max_header_size", "progress"}),
    ):
        parameters = inspect.signature(function).parameters.values()
        assert {p.name for p in parameters if p.kind is p.KEYWORD_ONLY} == added


def test_pickles_are_off_by_default_everywhere():
    for function in (nb.save, nb.load, nb.savez, nb.savez_compressed, nb.NpzFile):
        assert inspect.signature(function).parameters["allow_pickle"].default is False
    for function in (nb.format.read_array, nb.format.write_array):
        assert inspect.signature(function).parameters["allow_pickle"].default is False


def test_everything_public_is_documented():
    for name in nb.__all__:
        thing = getattr(nb, name)
        if isinstance(thing, str):
            continue
        text = inspect.getdoc(thing)
        assert text, name
        if inspect.isfunction(thing) or inspect.isbuiltin(thing):
            documented = text.partition("Parameters\n----------")[2]
            assert documented, name
            for parameter in inspect.signature(thing).parameters:
                assert re.search(rf"\b{parameter}\b", documented), (name, parameter)
    for function in (nb.aio.send, nb.aio.recv, nb.NpzFile.close, nb.memmap.close, nb.memmap.flush):
        assert inspect.getdoc(function)
    for name in nb.format.__all__:
        assert inspect.getdoc(getattr(nb.format, name)), name


def test_ours_can_stand_in_for_numpys(monkeypatch, tmp_path):
    for name in ("save", "load", "savez", "savez_compressed", "frombuffer", "fromfile", "memmap"):
        monkeypatch.setattr(np, name, getattr(nb, name))
    array = np.arange(6).reshape(2, 3)
    np.save(tmp_path / "a", array, True)
    np.save(file=tmp_path / "b", arr=array, allow_pickle=False)
    assert np.array_equal(np.load(tmp_path / "a.npy", None, False, True, "ASCII"), array)
    assert np.array_equal(np.load(tmp_path / "b.npy", "r"), array)
    np.savez(tmp_path / "a", array, x=array)
    np.savez_compressed(file=tmp_path / "b", x=array)
    with np.load(tmp_path / "a.npz") as archive:
        assert np.array_equal(archive["arr_0"], archive["x"])
    with np.load(tmp_path / "b.npz") as archive:
        assert archive.files == ["x"]
    nb.tofile(array, tmp_path / "raw")
    assert np.fromfile(tmp_path / "raw", array.dtype, -1, "", 8).tolist() == [1, 2, 3, 4, 5]
    assert np.frombuffer(array.tobytes(), array.dtype, 2, 8).tolist() == [1, 2]
    assert np.memmap(tmp_path / "raw", array.dtype, "r", 0, (2, 3), "C").tolist() == array.tolist()
    # What is handed on to NumPy does not come back.
    objects = np.array([None, 1])
    np.save(tmp_path / "o", objects, allow_pickle=True)
    np.savez(tmp_path / "o", x=objects, allow_pickle=True)
    assert np.load(tmp_path / "o.npy", allow_pickle=True).tolist() == [None, 1]
    with np.load(tmp_path / "o.npz", allow_pickle=True) as archive:
        assert archive["x"].tolist() == [None, 1]
    assert np.frombuffer(array.tobytes(), "u1", like=array).size == array.nbytes
    nb.tofile(array, tmp_path / "text", " ")
    assert np.fromfile(tmp_path / "text", sep=" ").tolist() == list(range(6))
    assert np.fromfile(tmp_path / "raw", "u1", like=array).size == array.nbytes
    assert np.array_equal(nb.loads(bytearray(nb.dumps(array))), array)
    assert nb.decompress(nb.compress(array.tobytes())) == array.tobytes()


# Errors.


def test_every_error_is_one_that_numpys_users_catch():
    for cls, bases in (
        (nb.FormatError, [ValueError]),
        (nb.TruncatedError, [ValueError]),
        (nb.MismatchError, [ValueError]),
        (nb.LimitError, [ValueError]),
        (nb.UnsupportedError, [ValueError]),
        (nb.ArgumentError, [ValueError]),
        (nb.EndOfStreamError, [EOFError, ValueError]),
        (nb.NdbytesOSError, [OSError]),
    ):
        assert issubclass(cls, nb.NdbytesError)
        assert all(issubclass(cls, base) for base in bases)
        assert cls.__module__.startswith("ndbytes")
    assert not issubclass(nb.TruncatedError, EOFError)
    assert nb.NdbytesError.code == ""
    assert nb.NdbytesError.offset is None


def announce(shape, descr="<f8", order="False", more=""):
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}{more}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


GOOD = nb.dumps(np.arange(3.0))


@pytest.mark.parametrize(
    ("code", "cls", "offset", "call"),
    [
        ("stream.end", nb.EndOfStreamError, 0, lambda: nb.loads(b"")),
        ("npy.magic", nb.FormatError, 0, lambda: nb.loads(b"no, it is not")),
        ("npy.version", nb.UnsupportedError, 6, lambda: nb.loads(b"\x93NUMPY\x09\x00" + GOOD[8:])),
        ("npy.header.truncated", nb.TruncatedError, ..., lambda: nb.loads(GOOD[:50])),
        ("npy.header.too_large", nb.LimitError, ..., lambda: nb.loads(GOOD, max_header_size=50)),
        ("npy.header.syntax", nb.FormatError, ..., lambda: nb.loads(GOOD[:10] + b"[" + GOOD[11:])),
        (
            "npy.header.keys",
            nb.FormatError,
            ...,
            lambda: nb.loads(announce("(1,)", more=", 'x': 1")),
        ),
        ("npy.header.shape", nb.FormatError, ..., lambda: nb.loads(announce("[1]"))),
        ("npy.header.order", nb.FormatError, ..., lambda: nb.loads(announce("(1,)", order="1"))),
        ("npy.header.descr", nb.FormatError, ..., lambda: nb.loads(announce("(1,)", "<q9"))),
        ("data.truncated", nb.TruncatedError, len(GOOD) - 1, lambda: nb.loads(GOOD[:-1])),
        ("data.trailing", nb.MismatchError, len(GOOD), lambda: nb.loads(GOOD + b"x")),
        ("data.length", nb.MismatchError, 8, lambda: nb.fromfile(io.BytesIO(bytes(9)))),
        ("data.invalid", nb.FormatError, ..., lambda: nb.loads(announce("(1,)", "|b1") + b"\2")),
        (
            "size.overflow",
            nb.LimitError,
            ...,
            lambda: nb.loads(announce("(4294967296, 4294967296)")),
        ),
        ("limit.bytes", nb.LimitError, ..., lambda: nb.recv(io.BytesIO(GOOD), max_bytes=23)),
        ("dtype.object", nb.UnsupportedError, ..., lambda: nb.dumps(np.array([None]))),
        ("array.mismatch", nb.MismatchError, ..., lambda: nb.recv(io.BytesIO(GOOD), np.empty(4))),
        ("argument", nb.ArgumentError, ..., lambda: nb.compress(b"", "none")),
        ("zip.end", nb.FormatError, ..., lambda: nb.load(io.BytesIO(b"PK\x03\x04" + bytes(99)))),
        ("codec.corrupt", nb.FormatError, ..., lambda: nb.decompress(b"not zlib at all")),
        (
            "limit.decompressed",
            nb.LimitError,
            ...,
            lambda: nb.decompress(nb.compress(GOOD), max_bytes=1),
        ),
    ],
)
def test_errors_have_stable_codes_and_places(code, cls, offset, call):
    with pytest.raises(cls) as caught:
        call()
    assert type(caught.value) is cls
    assert caught.value.code == code
    if offset is not ...:
        assert caught.value.offset == offset
    assert str(caught.value)


def test_system_errors_keep_number_name_and_class(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        nb.load(tmp_path / "none.npy")
    error = caught.value
    assert isinstance(error, nb.NdbytesOSError)
    assert type(error).__name__ == "NdbytesFileNotFoundError"
    assert error.errno == 2
    assert error.filename == str(tmp_path / "none.npy")
    assert "No such file" in str(error)
    assert error.code == "io"


def test_errors_of_files_name_the_file(tmp_path):
    path = tmp_path / "broken.npy"
    path.write_bytes(b"junk, and more of it")
    with pytest.raises(nb.FormatError, match=re.escape(str(path))):
        nb.load(path)
