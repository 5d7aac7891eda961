"""What a slice is saved as."""

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        ("plane.npy", {"slice": "5:9, ::-3"}, lambda a: a["plane"][5:9, ::-3]),
        ("fortran.npy", {"slice": "3:"}, lambda a: a["fortran"][3:]),
        ("members.npz", {"member": "strings", "slice": "1:3"}, lambda a: a["strings"][1:3]),
        ("struct.npy", {"slice": "-1", "field": "id"}, lambda a: a["struct"][-1]),
    ],
)
def test_a_slice_is_saved_as_numpy_reads_it(view, arrays, tmp_path, path, query, wanted):
    view.open(path, **query)
    file = save(view, ".downloads >> text=.npy", tmp_path)
    array = wanted(arrays[1])
    found = np.load(file)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_raw_bytes_are_saved(view, arrays, tmp_path):
    view.open("small.npy", slice="1")
    file = save(view, ".downloads >> text=raw", tmp_path)
    assert file.read_bytes() == arrays[1]["small"][1].tobytes()
    assert file.name == "small.bin"


def test_a_file_that_is_no_array_is_saved_whole(view, arrays, tmp_path):
    view.open()
    file = save(view, "text=notes.txt", tmp_path)
    assert file.name == "notes.txt"
    assert file.read_text() == "a note\n"


def save(view, link, folder):
    """Follow a link, and keep what it gives."""
    with view.page.expect_download() as waiting:
        view.page.click(link)
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path
