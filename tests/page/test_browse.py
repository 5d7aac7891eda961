"""Folders, archives and what is not there."""

import numpy as np


def test_a_folder_lists_what_is_in_it(view, arrays):
    folder, _ = arrays
    view.open()
    names = view.page.locator("tbody .name").all_inner_texts()
    assert names == sorted(p.name + "/" * p.is_dir() for p in folder.iterdir())
    row = view.page.locator("tr", has_text="line.npy").locator("td")
    assert row.nth(1).inner_text() == "array"
    assert row.nth(2).inner_text() == "31 KiB"
    assert row.nth(2).get_attribute("title") == "32,128 bytes"


def test_links_lead_down_and_crumbs_up(view):
    view.open()
    view.page.click("text=a folder/")
    view.page.click("text=ü #1%/")
    view.page.click("text=deep.npy")
    view.wait()
    assert view.facts()["shape"] == "(3,)"
    assert view.page.locator(".crumbs li").all_inner_texts() == [
        "ndbytes",
        "a folder",
        "ü #1%",
        "deep.npy",
    ]
    view.page.click(".crumbs >> text=a folder")
    view.page.locator("text=ü #1%/").wait_for()
    view.page.go_back()
    view.wait()
    assert view.values() == [["0"], ["1"], ["2"]]


def test_a_folder_without_its_slash_is_found(view):
    view.open("a folder")
    view.page.locator("text=ü #1%/").wait_for()
    assert view.page.url.endswith("/view/a%20folder/")
    # The facts of a folder were asked for first.
    view.errors.clear()


def test_the_filter_leaves_out_other_names(view):
    view.open()
    view.page.fill("#filter", "PICTURE")
    assert view.page.locator("tbody .name").all_inner_texts() == ["picture.npy", "pictures.npy"]
    assert "2 of" in view.text("[role=status]")


def test_long_folders_come_in_pages(open_view, server):
    view = open_view(server)

    def short(route):
        query = "?limit=10" if "after" not in route.request.url else ""
        route.continue_(url=route.request.url + query)

    view.page.route("**/files/**", short)
    view.open()
    assert view.page.locator("tbody .name").count() == 10
    view.page.get_by_role("button", name="More").click()
    names = view.page.locator("tbody .name")
    names.nth(19).wait_for()
    found = names.all_inner_texts()
    assert found == sorted(set(found))


def test_an_archive_lists_its_members(view, arrays):
    view.open("members.npz")
    rows = view.page.locator("tbody tr").all_inner_texts()
    assert [row.split() for row in rows[:2]] == [
        ["plane", "<f4", "(30,", "40)", "4.7", "KiB", "deflate"],
        ["strings", "<U3", "(4,)", "48", "B", "deflate"],
    ]
    assert "dtype.object" in rows[2]
    assert view.page.locator("tbody a").all_inner_texts() == ["plane", "strings"]
    view.page.click("text=plane")
    view.wait()
    assert view.query() == {"member": "plane"}
    assert view.values()[0][0] == str(arrays[1]["plane"][0, 0])
    view.page.click("text=all members of members.npz")
    view.page.locator("text=deflate").first.wait_for()


def test_what_is_not_there_is_said(view):
    view.open("no.npy")
    assert "no such file" in view.text(".failure")
    assert "http.not_found" in view.text(".failure")
    view.errors.clear()


def test_a_damaged_file_is_told_with_its_code(view, arrays):
    folder, _ = arrays
    whole = (folder / "line.npy").read_bytes()
    try:
        (folder / "cut.npy").write_bytes(whole[:1000])
        view.open("cut.npy")
        assert "data.truncated" in view.text(".failure")
        assert "at byte 1000" in view.text(".failure")
    finally:
        (folder / "cut.npy").unlink()
    view.errors.clear()


def test_a_file_that_changes_is_read_anew(view, arrays):
    folder, _ = arrays
    try:
        np.save(folder / "changing.npy", np.arange(5))
        view.open("changing.npy")
        assert view.facts()["dtype"] == "<i8"
        np.save(folder / "other.tmp.npy", np.arange(7.0))
        (folder / "other.tmp.npy").replace(folder / "changing.npy")
        view.page.fill("#index", "1:4")
        view.page.press("#index", "Enter")
        view.page.locator("text=The file has changed").wait_for()
        view.page.locator("dd", has_text="<f8").wait_for()
        view.wait()
        assert view.values() == [["1.0"], ["2.0"], ["3.0"]]
    finally:
        (folder / "changing.npy").unlink()
