"""Of a file of 100 GB, what is drawn is read."""

import shutil
import time

import pytest
from serving import serving

from arrays import sparse

MIB = 1 << 20
SHAPES = {
    "<f8": (12_500_000_000,),
    "<f4": (250_000, 100_000),
}


@pytest.fixture
def large(tmp_path):
    """A folder with holes of 100 GB."""
    if shutil.disk_usage(tmp_path).free < 64 * MIB:
        pytest.skip("no room")
    for descr, shape in SHAPES.items():
        sparse(tmp_path / f"{descr[1:]}.npy", descr, shape)
    with serving(tmp_path) as url:
        yield url


@pytest.mark.parametrize("descr", SHAPES)
def test_a_hundred_gigabytes_are_drawn_from_less_than_one_mebibyte(large, open_view, descr):
    view = open_view(large)
    began = time.monotonic()
    view.open(f"{descr[1:]}.npy")
    assert time.monotonic() - began < 10
    assert view.facts()["size"] == "93 GiB"
    assert "elements (every" in view.text(".status")
    assert view.plot.is_visible()
    sizes = [r.sizes()["responseBodySize"] for r in view.requests if "/arrays/" in r.url]
    assert len(sizes) == 3  # facts, what is drawn, and the table
    assert sum(sizes) < MIB
    assert view.page.locator("text=Read all").count() == 0


def test_looking_closer_at_a_hundred_gigabytes_reads_it_finer(large, open_view):
    view = open_view(large).open("f8.npy")
    view.press("Home +")
    view.page.wait_for_url("**slice=**")
    view.wait()
    assert "of 3,125,765,180 elements (every 190,782nd)" in view.text(".status")
    view.index("12_499_999_990:")
    assert len(view.values()) == 10
