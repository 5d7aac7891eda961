"""All without a pointer."""


def test_a_walk_from_the_folder_to_a_value_and_back(view, arrays):
    line = arrays[1]["line"]
    view.open()
    keys = view.page.keyboard
    keys.press("/")
    assert focused(view)["id"] == "filter"
    keys.type("line")
    walk(view, "line.npy")
    keys.press("Enter")
    view.page.wait_for_url("**/line.npy")
    view.wait()
    keys.press("/")
    assert focused(view)["id"] == "index"
    keys.type("10:20")
    keys.press("Enter")
    view.page.wait_for_url("**slice=10:20")
    view.wait()
    walk(view, "Line plot")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert view.read_out() == f"[11] = {line[11]}"
    walk(view, "Counts")
    keys.press("Enter")
    assert view.page.locator("[data-count]").first.is_visible()
    view.page.go_back()
    view.page.locator("text=all 4,000 elements").first.wait_for()


def test_the_first_stop_skips_to_the_content(view):
    view.open()
    keys = view.page.keyboard
    keys.press("Tab")
    assert focused(view)["text"] == "Skip to the content"
    assert view.page.locator(".skip").bounding_box()["x"] >= 0
    keys.press("Enter")
    keys.press("Tab")
    assert focused(view)["id"] == "filter"


def test_what_has_the_focus_is_seen(view):
    view.open("cube.npy")
    stops = 0
    for _ in range(30):
        view.page.keyboard.press("Tab")
        now = focused(view)
        if now["tag"] == "BODY":
            break
        stops += 1
        assert now["outline"] >= 1, now
    assert stops >= 10


def test_the_colours_are_changed_by_key_and_kept(view):
    view.open()
    walk(view, "Change to dark colours")
    view.page.keyboard.press("Enter")
    assert view.page.locator("html").get_attribute("data-theme") == "dark"
    view.open("line.npy")
    assert view.page.locator("html").get_attribute("data-theme") == "dark"


def walk(view, name):
    """Press Tab until what has the focus is called so."""
    for _ in range(40):
        view.page.keyboard.press("Tab")
        if focused(view)["text"].startswith(name):
            return
    raise AssertionError(f"no stop is called {name}")


def focused(view):
    """What has the focus."""
    return view.page.evaluate(
        """() => {
            const element = document.activeElement;
            const style = getComputedStyle(element);
            return {
                id: element.id,
                tag: element.tagName,
                text: element.getAttribute("aria-label") ?? element.textContent,
                outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
            };
        }"""
    )
