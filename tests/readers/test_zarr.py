"""Frames are read by zarr-python, tensorstore and zarrs, byte for byte."""

import json
import os
import warnings

import ml_dtypes
import numpy as np
import pytest
import tensorstore
import zarr

import ndbytes as nb

NUMBERS = ["?", "i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8", "u1", "<u2", "<u4", ">u4", "<u8"]
NUMBERS += ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "<c8", ">c8", "<c16", ">c16"]
# zarr-python's own, which it registers as extensions.
OTHERS = ["<M8[s]", "<M8[25ns]", ">M8[D]", "<m8[10us]", "<U3", ">U3", "|S5"]
LAYOUTS = {
    "C": ((7, 5), "C", (3, 5)),
    "F": ((7, 5), "F", (7, 2)),
    "grid": ((7, 5, 4), "C", (2, 3, 4)),
    "grid of F": ((7, 5, 4), "F", (2, 3, 4)),
    "point": ((), "C", None),
    "line": ((1000,), "C", (100,)),
    "empty": ((0, 3), "C", None),
}


def array(dtype, shape, order):
    """Return an array whose elements differ."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind == "U":
        flat = np.array(["añb"[: i % 4] for i in range(count)], dtype)
    elif dtype.kind == "S":
        flat = np.array([b"hello"[: i % 6] for i in range(count)], dtype)
    elif dtype.kind == "V":
        flat = np.frombuffer(np.random.default_rng(1).bytes(count * dtype.itemsize), dtype)
    elif dtype.kind == "b":
        flat = np.arange(count) % 3 == 0
    else:
        flat = (np.arange(count) * 37 % 101).astype(dtype)
        flat = flat + (flat * 1j).astype(dtype) if dtype.kind == "c" else flat
    return np.asarray(flat.astype(dtype).reshape(shape), order=order)


def exported(folder, value, codec, chunks):
    """Return the path of the Zarr array of a frame."""
    frame = folder / "a.ndb"
    nb.save(frame, value, codec=codec, chunks=chunks)
    path = folder / "a.zarr"
    nb.open(frame).to_zarr(path, link=True)
    return path


def by_zarr(path):
    with warnings.catch_warnings():
        # Some of its data types are not in the core specification, which it says each time.
        warnings.simplefilter("ignore")
        return np.asarray(zarr.open_array(path, mode="r")[...])


def by_zarrs(path):
    pipeline = "zarrs.ZarrsCodecPipeline"
    with zarr.config.set({"codec_pipeline.path": pipeline, "codec_pipeline.strict": True}):
        import zarrs  # noqa: F401

        return by_zarr(path)


def by_tensorstore(path, **options):
    store = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}, **options}
    return np.asarray(tensorstore.open(store).result().read().result())


def same(got, value):
    assert got.shape == value.shape
    assert got.astype(value.dtype).tobytes() == value.tobytes()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers(tmp_path, dtype, layout):
    shape, order, chunks = LAYOUTS[layout]
    value = array(dtype, shape, order)
    for i, codec in enumerate(["auto", "raw", "lz4-9-bitshuffle", "zlib-1-noshuffle"]):
        folder = tmp_path / str(i)
        folder.mkdir()
        path = exported(folder, value, codec, chunks)
        same(by_zarr(path), value)
        same(by_tensorstore(path), value)
        # zarrs 0.2 swaps the bytes of a big-endian complex number as if they were one number.
        if np.dtype(dtype).str not in (">c8", ">c16"):
            same(by_zarrs(path), value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", OTHERS)
def test_what_zarr_python_alone_reads(tmp_path, dtype, layout):
    shape, order, chunks = LAYOUTS[layout]
    value = array(dtype, shape, order)
    same(by_zarr(exported(tmp_path, value, "auto", chunks)), value)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["u1", "<i2", "<u4", "<i8", "<f2", "<f4", "<f8", "<M8[s]"])
def test_pco(tmp_path, dtype, layout):
    shape, order, chunks = LAYOUTS[layout]
    value = array(dtype, shape, order)
    path = exported(tmp_path, value, "pco", chunks)
    same(by_zarr(path), value)
    # zarrs 0.2 knows pcodec without a transposition, and for numbers of 2 bytes and more.
    if order == "C" and dtype not in ("u1", "<M8[s]"):
        same(by_zarrs(path), value)


def test_structs_and_voids(tmp_path):
    # zarr-python 3.1 fails to hash the fill value of either inside of a shard.
    struct = np.dtype([("a", "<i4"), ("b", "<f8"), ("c", "?")])
    value = np.array([(i, i / 2, i % 2) for i in range(35)], struct).reshape(7, 5)
    path = exported(tmp_path, value, "zstd", (3, 5))
    for name in struct.names:
        same(by_tensorstore(path, field=name), value[name].copy())
    # Nor does tensorstore 0.1 give the bytes of voids to NumPy.
    (tmp_path / "void").mkdir()
    path = exported(tmp_path / "void", array("V4", (7, 5), "C"), "zstd", (3, 5))
    facts = json.loads((path / "zarr.json").read_text())
    assert facts["data_type"] == {"name": "raw_bytes", "configuration": {"length_bytes": 4}}
    assert facts["fill_value"] == "AAAAAA=="


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "int4"])
def test_types_of_ml_dtypes(tmp_path, name):
    value = np.arange(35).reshape(7, 5) % 7
    value = value.astype(getattr(ml_dtypes, name))
    got = by_tensorstore(exported(tmp_path, value, "zstd", (3, 5)))
    assert got.dtype == value.dtype
    assert got.tobytes() == value.tobytes()


@pytest.mark.parametrize(
    "dtype", ["<f16", "S0", np.dtype([("a", "i1"), ("b", "i4")], align=True), [("a", "i4", 2)]]
)
def test_what_zarr_has_no_name_for_is_refused(tmp_path, dtype):
    value = np.zeros(3, dtype) if dtype != "S0" else np.ndarray(3, "S0")
    with pytest.raises(nb.UnsupportedError, match="Zarr has no name"):
        exported(tmp_path, value, "zstd", None)
    assert os.listdir(tmp_path) == ["a.ndb"]


def test_a_large_array_in_parts(tmp_path):
    value = np.random.default_rng(2).standard_normal((3000, 700)).cumsum(0).astype("f4")
    for codec in ("auto", "fast", "small"):
        folder = tmp_path / codec
        folder.mkdir()
        path = exported(folder, value, codec, None)
        part = zarr.open_array(path, mode="r")[1234:2345:7, 5:600]
        assert np.array_equal(part, value[1234:2345:7, 5:600])
        same(by_tensorstore(path), value)
        same(by_zarrs(path), value)


def test_the_way_back(tmp_path):
    value = array("<f4", (70, 50), "F")
    path = exported(tmp_path, value, "auto", (7, 50))
    assert np.array_equal(nb.load(path), value)
    frame = nb.open(path)
    assert np.array_equal(frame[3:60:5], value[3:60:5])
    good = json.loads((path / "zarr.json").read_text())
    facts = {**good, "shape": [70, 49]}
    (path / "zarr.json").write_text(json.dumps(facts))
    with pytest.raises(nb.FormatError, match="shape") as caught:
        nb.load(path)
    assert caught.value.code == "zarr.metadata"
    for bad in ("", "{", "[]", "{}", "3", "[" * 100_000):
        (path / "zarr.json").write_text(bad)
        with pytest.raises(nb.FormatError):
            nb.open(path)
    (path / "zarr.json").write_text(json.dumps(good))
    for dtype, chunks in (("<f4", (7, 50)), ("u1", (3, 5)), ("<c16", (7, 2))):
        # What zarr-python writes when it adds to the metadata.
        (folder := tmp_path / dtype).mkdir()
        value = array(dtype, (70, 50), "F" if chunks[0] == 7 else "C")
        path = exported(folder, value, "auto", chunks if chunks[1] < 50 else None)
        before = (path / "zarr.json").read_text()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            zarr.open_array(path, mode="r+").attrs["of"] = "zarr-python"
        assert (path / "zarr.json").read_text() != before
        assert np.array_equal(nb.load(path), value)
    foreign = zarr.create_array(tmp_path / "b.zarr", shape=(4, 4), chunks=(2, 2), dtype="f4")
    foreign[...] = 1
    with pytest.raises(nb.UnsupportedError, match="zarr-python"):
        nb.load(tmp_path / "b.zarr")


def test_copies_links_and_names(tmp_path):
    frame = tmp_path / "a.ndb"
    nb.save(frame, np.arange(1000), codec="zstd")
    opened = nb.open(frame, "a")
    opened.to_zarr(tmp_path / "copy.zarr")
    opened.to_zarr(tmp_path / "link.zarr", link=True, durable=True)
    assert (tmp_path / "link.zarr" / "c" / "0").samefile(frame)
    assert not (tmp_path / "copy.zarr" / "c" / "0").samefile(frame)
    with pytest.raises(FileExistsError, match="copy.zarr"):
        opened.to_zarr(tmp_path / "copy.zarr")
    with pytest.raises(FileNotFoundError):
        opened.to_zarr(tmp_path / "none" / "a.zarr")
    opened.append(np.arange(10))
    same(by_zarr(tmp_path / "copy.zarr"), np.arange(1000))
    with pytest.raises(nb.FormatError, match="shape"):
        nb.load(tmp_path / "link.zarr")
    assert sorted(os.listdir(tmp_path)) == ["a.ndb", "copy.zarr", "link.zarr"]
