"""Statistics and histograms are NumPy's, of as much as they say."""

import numpy as np
import pytest


def assert_moments(found, array):
    """Compare what is shown with NumPy's."""
    finite = array[np.isfinite(array)]
    assert int(found["count"].replace(",", "")) == array.size
    assert finite.dtype.type(float(found["min"])) == finite.min()
    assert finite.dtype.type(float(found["max"])) == finite.max()
    finite = finite.astype("f8")
    assert float(found["mean"]) == pytest.approx(finite.mean(), rel=1e-12, abs=1e-12)
    assert float(found["std"]) == pytest.approx(finite.std(), rel=1e-12)
    assert int(found["zeros"].replace(",", "")) == (array == 0).sum()


@pytest.mark.parametrize("name", ["line", "plane", "small", "fortran", "holes", "picture", "bool"])
def test_statistics_are_those_of_numpy(view, arrays, name):
    array = arrays[1][name]
    view.open(f"{name}.npy")
    assert_moments(view.statistics(), array)
    assert sum(view.counts()) == np.isfinite(array).sum()


def test_32_bit_floats_show_their_own_digits(view, arrays):
    view.open("plane.npy")
    assert view.statistics()["max"] == str(arrays[1]["plane"].max())


def test_counts_of_nan_and_infinities(view):
    view.open("holes.npy")
    found = view.statistics()
    assert (found["NaN"], found["infinite"]) == ("18", "2")
    assert "580 finite values" in view.text(".summary")


def test_extremes_of_64_bits_are_exact(view):
    view.open("int64.npy")
    found = view.statistics()
    assert (found["min"], found["max"]) == (str(-(2**63)), str(2**63 - 1))
    view.open("uint64.npy")
    found = view.statistics()
    assert (found["min"], found["max"]) == (str(2**53 + 1), str(2**64 - 1))


def test_bins_are_numpys(view, arrays):
    array = arrays[1]["line"]
    view.open("line.npy")
    counts, _ = np.histogram(array, bins=64)
    # A value at an edge may be rounded to either side.
    assert np.abs(np.array(view.counts()) - counts).sum() <= 2


def test_a_sample_says_so_and_all_can_be_read(view, arrays):
    array = arrays[1]["wide"]
    view.open("wide.npy")
    step = -(-array.size // 16384)
    assert f"of 1,200,000 elements (every {step}th)" in view.text(".status")
    assert_moments(view.statistics(), array[::step])
    view.page.click("text=Read all")
    view.page.locator(".summary >> text=all 1,200,000 elements").wait_for()
    assert_moments(view.statistics(), array)
    assert sum(view.counts()) == array.size


def test_all_of_a_plane_can_be_read(view, arrays):
    array = arrays[1]["counts"]
    view.open("counts.npy")
    assert "(every 4th row, every 3rd column)" in view.text(".status")
    view.page.click("text=Read all")
    view.page.locator(".summary >> text=all 3,000,000 elements").wait_for()
    assert_moments(view.statistics(), array)
    assert sum(view.counts()) == array.size


def test_reading_all_can_be_cancelled(view):
    view.open("wide.npy")
    view.page.route("**/arrays/wide.npy?slice=%3A&format=raw", lambda route: None)
    view.page.click("text=Read all")
    view.page.click("text=Cancel")
    view.page.locator("text=Read all").wait_for()
    assert "16,2" in view.text(".summary")
