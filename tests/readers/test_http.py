"""What `ndbytes serve` shows as Zarr is read over HTTP with no plug-in: by zarr-python, xarray,
Dask, tensorstore, zarrs and obstore."""

import contextlib
import subprocess
import urllib.parse
import warnings
from pathlib import Path

import dask.array
import numpy as np
import obstore.store
import pytest
import tensorstore
import xarray
import zarr
import zarrs
from test_zarr import LAYOUTS, NUMBERS, OTHERS, array, same
from zarr.storage import ObjectStore

import ndbytes as nb

COMMAND = Path(__file__).parents[2] / "target" / "release" / "ndbytes"
WAIT = 60

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="the command is not built; `make cli` builds it"
)


@contextlib.contextmanager
def serving(folder, *args):
    """Serve a folder, and give the URL."""
    command = [str(COMMAND), "serve", str(folder), "--listen", "127.0.0.1:0", "--log", "off", *args]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Give a folder and the URL of its Zarr view."""
    folder = tmp_path_factory.mktemp("served")
    with serving(folder) as url:
        yield folder, urllib.parse.urljoin(url, "zarr/")


@contextlib.contextmanager
def quiet():
    with warnings.catch_warnings():
        # Some data types are not in the core specification, which zarr-python says each time.
        warnings.simplefilter("ignore")
        yield


def by_fsspec(url):
    with quiet():
        return np.asarray(zarr.open_array(url, mode="r")[...])


def by_obstore(url):
    store = obstore.store.HTTPStore.from_url(url, client_options={"allow_http": True})
    with quiet():
        return np.asarray(zarr.open_array(ObjectStore(store, read_only=True), mode="r")[...])


def by_tensorstore(url):
    spec = {"driver": "zarr3", "kvstore": url.rstrip("/") + "/"}
    return tensorstore.open(spec, read=True).result().read().result()


def put(folder, value, chunks):
    """Put an array into every kind of file, and return their places in the view."""
    nb.save(folder / "a.npy", value)
    nb.save(folder / "a.ndb", value, codec="auto", chunks=chunks)
    nb.savez(folder / "s.npz", x=value)
    nb.savez_compressed(folder / "d.npz", **{"deep/x": value})
    return ["a.npy", "a.ndb", "s.npz/x", "d.npz/deep/x"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_numbers(served, dtype, layout):
    folder, url = served
    shape, order, chunks = LAYOUTS[layout]
    value = array(dtype, shape, order)
    for place in put(folder, value, chunks):
        same(by_fsspec(url + place), value)
        same(by_tensorstore(url + place), value)


@pytest.mark.parametrize("dtype", OTHERS)
def test_what_zarr_python_alone_reads(served, dtype):
    folder, url = served
    value = array(dtype, (7, 5), "F")
    for place in put(folder, value, (7, 2)):
        same(by_fsspec(url + place), value)


def test_obstore(served):
    folder, url = served
    value = array("<f4", (70, 50), "C")
    for place in put(folder, value, (7, 50)):
        same(by_obstore(url + place), value)


def test_a_large_array_in_parts(served):
    folder, url = served
    value = np.random.default_rng(2).standard_normal((3000, 700)).cumsum(0).astype("f4")
    for order in "CF":
        for place in put(folder, np.asarray(value, order=order), None):
            part = zarr.open_array(url + place, mode="r")[1234:2345:7, 5:600]
            assert np.array_equal(part, value[1234:2345:7, 5:600]), place
            spec = {"driver": "zarr3", "kvstore": url + place + "/"}
            opened = tensorstore.open(spec, read=True).result()
            assert np.array_equal(opened[2990:, 690:].read().result(), value[2990:, 690:]), place


def test_dask_reads_chunks_side_by_side(served):
    folder, url = served
    value = np.arange(1_200_000.0).reshape(4000, 300)
    nb.save(folder / "d.npy", value)
    nb.save(folder / "d.ndb", value, codec="auto")
    nb.savez_compressed(folder / "d.npz", d=value)
    for place in ["d.npy", "d.ndb", "d.npz/d"]:
        lazy = dask.array.from_zarr(url + place)
        assert lazy.npartitions > 1, place
        means = lazy[::7, 5:90].mean(axis=0).compute(scheduler="threads")
        assert np.allclose(means, value[::7, 5:90].mean(axis=0)), place
    lazy = xarray.open_zarr(url + "d.npz")["d"]
    assert lazy.chunks is not None
    assert np.array_equal(lazy[17:4000:500].compute(), value[17:4000:500])


def test_zarrs_reads_arrays(served):
    folder, url = served
    value = np.arange(30_000, dtype="i4").reshape(300, 100)
    nb.save(folder / "z.npy", value)
    nb.save(folder / "z.ndb", value, codec="zstd")
    for place in ["z.npy", "z.ndb"]:
        # What zarrs cannot do, zarr-python does not do in its place.
        pipeline = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}
        with zarr.config.set(pipeline | {"codec_pipeline.strict": True}):
            opened = zarr.open_array(url + place, mode="r")
            assert isinstance(opened.async_array.codec_pipeline, zarrs.ZarrsCodecPipeline)
            assert np.array_equal(opened[...], value), place
            assert np.array_equal(opened[100:200, 50], value[100:200, 50]), place


def test_groups_of_zarr_and_xarray(served):
    folder, url = served
    value = np.arange(600.0).reshape(20, 30)
    nb.savez(folder / "g.npz", image=value, mask=value > 7, **{"deep/er": value[0]})
    group = zarr.open_group(url + "g.npz", mode="r")
    assert sorted(group.array_keys()) == ["image", "mask"]
    assert np.array_equal(group["deep/er"][...], value[0])
    dataset = xarray.open_zarr(url + "g.npz", chunks=None)
    assert dataset["image"].dims == ("image_0", "image_1")
    assert np.array_equal(dataset["image"][3:5, ::2], value[3:5, ::2])
    assert np.array_equal(dataset["mask"], value > 7)
    (folder / "sub").mkdir()
    nb.save(folder / "sub" / "b.npy", value)
    nb.save(folder / "sub" / "c.ndb", value, codec="auto")
    dataset = xarray.open_zarr(url + "sub", chunks=None)
    assert sorted(dataset) == ["b.npy", "c.ndb"]
    assert np.array_equal(dataset["c.ndb"].mean(), value.mean())
    assert "sub/c.ndb" in zarr.open_group(url, mode="r")
