"""Lines, heat maps and pictures, and the index that they are of."""

import numpy as np
import pytest
from view import LEAST_LEVEL, MOST_LEVEL


def test_a_line_reads_out_the_values_of_numpy(view, arrays):
    line = arrays[1]["line"]
    view.open("line.npy")
    assert view.label().startswith("Line plot of 4,000 elements, values from")
    view.press("End ArrowLeft")
    assert view.read_out() == f"[3998] = {line[3998]}"
    view.press("Home ArrowRight ArrowRight")
    assert view.read_out() == f"[2] = {line[2]}"


def test_a_line_that_goes_back_is_drawn_over_its_indices(view, arrays):
    line = arrays[1]["line"]
    view.open("line.npy", slice="100:0:-7")
    view.press("Home")
    assert view.read_out() == f"[100] = {line[100]}"
    view.press("End")
    assert view.read_out() == f"[2] = {line[2]}"


def test_dragging_over_a_line_shows_what_is_between(view):
    view.open("line.npy")
    box = view.plot.bounding_box()
    middle = box["y"] + box["height"] / 2
    view.page.mouse.move(box["x"] + 200, middle)
    view.page.mouse.down()
    view.page.mouse.move(box["x"] + 400, middle, steps=3)
    view.page.mouse.up()
    view.page.wait_for_url("**slice=**")
    view.wait()
    start, stop = map(int, view.query()["slice"].split(":"))
    assert 0 < start < stop < 4000
    assert f"{stop - start:,} elements" in view.label()


def test_a_heat_map_has_the_colours_of_its_values(view, arrays):
    small = arrays[1]["small"]
    view.open("small.npy")
    assert "3 rows and 4 columns, values from 0 to 11" in view.label()
    assert view.pixel(0, 0, small.shape) == (*LEAST_LEVEL, 255)
    assert view.pixel(2, 3, small.shape) == (*MOST_LEVEL, 255)
    view.press("ArrowRight ArrowRight ArrowRight ArrowDown")
    assert view.read_out() == f"[1, 2] = {small[1, 2]}"


def test_a_heat_map_is_upright_in_fortran_order(view, arrays):
    array = arrays[1]["fortran"]
    view.open("fortran.npy")
    assert view.facts()["order"] == "F"
    least = np.unravel_index(array.argmin(), array.shape)
    most = np.unravel_index(array.argmax(), array.shape)
    assert view.pixel(*least, array.shape) == (*LEAST_LEVEL, 255)
    assert view.pixel(*most, array.shape) == (*MOST_LEVEL, 255)
    assert view.values() == [[str(x) for x in row] for row in array]


def test_what_is_not_finite_has_no_colour(view, arrays):
    array = arrays[1]["holes"]
    view.open("holes.npy")
    assert view.pixel(3, 5, array.shape)[3] == 0
    assert view.pixel(10, 10, array.shape)[3] == 0
    least = np.unravel_index(np.where(np.isfinite(array), array, 9).argmin(), array.shape)
    assert view.pixel(*least, array.shape) == (*LEAST_LEVEL, 255)
    x, y = view.place(3, 5, array.shape)
    view.plot.hover(position={"x": x, "y": y})
    assert view.read_out() == "[3, 5] = nan"


def test_dragging_over_a_heat_map_shows_what_is_between(view, arrays):
    array = arrays[1]["plane"]
    view.open("plane.npy")
    box = view.plot.bounding_box()
    for (row, column), act in [((5, 10), "down"), ((14, 29), "up")]:
        x, y = view.place(row, column, array.shape)
        view.page.mouse.move(box["x"] + x, box["y"] + y, steps=3)
        getattr(view.page.mouse, act)()
    view.page.wait_for_url("**slice=**")
    view.wait()
    assert view.query()["slice"] == "5:15, 10:30"
    assert view.values() == [[str(x) for x in row] for row in array[5:15, 10:30]]
    view.press("-")
    view.page.wait_for_url("**slice=:,+:")


def test_colours_may_leave_out_what_lies_far_away(view, arrays):
    array = arrays[1]["outlier"]
    view.open("outlier.npy")
    assert view.pixel(3, 3, array.shape) == (*LEAST_LEVEL, 255)
    assert "values from 1 to 1e+9" in view.label()
    view.page.check(".check input")
    assert "most values from 5 to 396" in view.label()
    assert view.pixel(10, 10, array.shape) != (*LEAST_LEVEL, 255)
    assert view.pixel(19, 19, array.shape) == (*MOST_LEVEL, 255)


def test_a_frame_says_its_chunks(view, arrays):
    array = arrays[1]["plane"]
    view.open("plane.ndb")
    facts = view.facts()
    assert facts["chunks"] == "1 of (30, 40)"
    assert facts["codec"]
    assert facts["stored"].endswith("KiB")
    assert view.values()[29][19] == str(array[29, 19])


@pytest.mark.parametrize("name", ["picture", "pictures"])
def test_a_picture_has_its_own_colours(view, arrays, name):
    array = arrays[1][name]
    view.open(f"{name}.npy")
    image = array if array.ndim == 3 else array[0]
    assert view.label().startswith("Picture of 16 rows and 24 columns")
    if image.shape[-1] == 3:
        assert view.pixel(7, 11, image.shape) == (*image[7, 11], 255)
    view.press("ArrowRight ArrowRight ArrowDown")
    index = "[1, 1]" if array.ndim == 3 else "[0, 1, 1]"
    assert view.read_out() == f"{index} = {image[1, 1].tolist()}"
    assert view.values()[2][3] == str(image[2, 3].tolist())


def test_more_dimensions_start_with_a_plane_and_sliders_step(view, arrays):
    cube = arrays[1]["cube"]
    view.open("cube.npy")
    assert view.values() == [[str(x) for x in row] for row in cube[0]]
    view.page.focus("#axis-0")
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("ArrowRight")
    view.page.wait_for_url("**slice=2,+:,+:")
    view.wait()
    assert view.values() == [[str(x) for x in row] for row in cube[2]]
    view.page.get_by_label("Index of axis 0").fill("3")
    view.page.wait_for_url("**slice=3,+:,+:")
    view.wait()
    assert view.values() == [[str(x) for x in row] for row in cube[3]]


def test_three_dimensions_ask_to_fix_one(view, arrays):
    cube = arrays[1]["cube"]
    view.open("cube.npy", slice="1:, ...")
    assert "3 dimensions, (3, 5, 6)" in view.text(".note")
    assert view.statistics()["max"] == str(cube.max())
    view.page.click(".note button")
    view.wait()
    assert view.query()["slice"] == "1, :, :"
    assert view.values() == [[str(x) for x in row] for row in cube[1]]


def test_an_index_is_a_step_of_the_history(view, arrays):
    line = arrays[1]["line"]
    view.open("line.npy")
    view.index("3:6")
    view.index("7")
    assert view.text(".scalar") == str(line[7])
    view.page.go_back()
    view.page.locator("canvas").first.wait_for()
    view.wait()
    assert view.values() == [[str(x)] for x in line[3:6]]
    assert view.page.input_value("#index") == "3:6"
    view.page.go_back()
    view.page.locator("text=all 4,000 elements").first.wait_for()


def test_a_wrong_index_is_told_beside_it(view):
    view.open("small.npy")
    view.index("5")
    assert view.text("#index-wrong") == "index 5 is out of bounds for axis 0 with size 3"
    assert view.page.get_attribute("#index", "aria-invalid") == "true"
    view.index("x")
    assert "`x` is no index" in view.text("#index-wrong")
    view.index("1")
    assert view.text("#index-wrong") == ""
    assert view.values() == [["4"], ["5"], ["6"], ["7"]]


def test_a_request_that_is_not_wanted_any_more_is_given_up(view):
    given_up = []
    view.page.on("requestfailed", lambda request: given_up.append(request.url))
    view.page.route("**/arrays/line.npy?slice=0%3A5&**", lambda route: None)
    view.open("line.npy")
    view.page.fill("#index", "0:5")
    view.page.press("#index", "Enter")
    view.page.locator("[aria-busy=true]").wait_for()
    view.index("0:6")
    assert len(view.values()) == 6
    assert [url for url in given_up if "slice=0%3A5&" in url]
