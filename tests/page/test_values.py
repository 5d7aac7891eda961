"""Elements of every dtype as text, and which of their numbers are drawn."""

import numpy as np
import pytest


@pytest.mark.parametrize("name", ["int64", "uint64", "bool", "small", "plane", "line"])
def test_values_are_exact(view, arrays, name):
    array = arrays[1][name]
    view.open(f"{name}.npy")
    shown = array[:100].reshape(min(len(array), 100), -1)[:, :20]
    assert view.values() == [[str(x) for x in row] for row in shown]


def test_values_of_strings_are_quoted(view):
    view.open("strings.npy")
    assert view.values() == [["'ann'"], ["'b\\'c'"], ["'dé'"], ["''"]]
    assert "no number to draw" in view.text(".note")
    view.open("bytes.npy")
    assert view.values() == [["b'a\\xff'"], ["b''"], ["b'xyz'"]]
    view.open("void.npy")
    assert view.values() == [["0001"], ["fffe"]]


def test_dates_are_iso(view, arrays):
    view.open("dates.npy")
    assert view.values() == [[str(x)] for x in arrays[1]["dates"]]
    found = view.statistics()
    assert (found["count"], found["NaT"]) == ("4", "1")
    assert found["min"] == "1969-12-31T00:00:00"
    assert found["max"] == "2024-02-29T12:00:00"
    assert "from 1969-12-31T00:00 to 2024-02-29T12:00" in view.label()


def test_a_field_is_chosen_and_drawn(view, arrays):
    array = arrays[1]["struct"]
    view.open("struct.npy")
    options = view.page.locator("#field option").all_inner_texts()
    assert options == ["id", "at.x", "at.y", "rgb[0]", "rgb[1]", "rgb[2]", "when"]
    view.page.select_option("#field", "at.y")
    assert view.query() == {"field": "at.y"}
    view.press("End")
    assert view.read_out() == "[39] = 9.75"
    assert view.statistics()["max"] == "9.75"
    view.page.select_option("#field", "rgb[1]")
    assert view.statistics()["max"] == str(array["rgb"][:, 1].max())
    heads = view.page.locator("section.tall thead th").all_inner_texts()
    assert heads[1:] == ["id", "name", "at", "rgb", "when"]
    first = array[0]
    assert view.values()[0] == [
        "0",
        "'n0'",
        f"({first['at']['x']}, 0.0)",
        str(first["rgb"].tolist()),
        "2024-01-01",
    ]


def test_parts_of_complex_numbers(view, arrays):
    view.open("complex.npy")
    assert view.values()[:2] == [["3.0+4.0j"], ["-1.0+0.0j"]]
    assert view.statistics()["max"] == "5.0"
    assert view.statistics()["NaN"] == "1"
    for part, function in [("real", np.real), ("imag", np.imag), ("phase", np.angle)]:
        view.page.select_option("#part", part)
        most = np.nanmax(function(arrays[1]["complex"]))
        assert float(view.statistics()["max"]) == pytest.approx(most, rel=1e-15)
        assert view.query()["part"] == part


def test_half_floats_are_in_their_own_digits(view):
    view.open("half.npy")
    # 65504 in the digits that a half float has.
    assert view.values() == [["0.1"], ["65500.0"], ["-0.0"], ["inf"]]
    assert view.statistics()["infinite"] == "1"


def test_no_dimension_is_a_value(view):
    view.open("scalar.npy")
    assert view.text(".scalar") == "3.141592653589793"


def test_no_elements_are_said(view):
    view.open("empty.npy")
    assert "There are no elements." in view.text(".status")
    view.open("line.npy", slice="5:2")
    assert "There are no elements." in view.text(".status")
