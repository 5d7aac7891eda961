"""Dark and light, wide and narrow."""

import pytest

PAGES = ["", "line.npy", "plane.npy", "picture.npy", "struct.npy", "members.npz", "cube.npy"]
# Contrasts of all texts with what is behind them, worst first.
CONTRASTS = """() => {
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map(c => c / 255)
        .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = parse(getComputedStyle(e).backgroundColor);
            if (colour[3] !== 0) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const element of document.body.querySelectorAll("*")) {
        const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
        if (!own || !element.checkVisibility()) continue;
        const a = light(parse(getComputedStyle(element).color));
        const b = light(behind(element));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        found.push([ratio, element.textContent.slice(0, 40)]);
    }
    return found.sort((a, b) => a[0] - b[0]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_told_from_its_ground(open_view, server, scheme):
    view = open_view(server, color_scheme=scheme)
    for path in [*PAGES, "no.npy"]:
        view.open(path)
        ratio, text = view.page.evaluate(CONTRASTS)[0]
        assert ratio >= 4.5, (path, text)
    view.open("small.npy", slice="x")
    ratio, text = view.page.evaluate(CONTRASTS)[0]
    assert ratio >= 4.5, text
    view.errors[:] = [error for error in view.errors if "404" not in error]


def test_dark_and_light_are_the_systems_until_the_reader_says(open_view, server):
    grounds = {}
    for scheme in ("light", "dark"):
        view = open_view(server, color_scheme=scheme).open("line.npy")
        grounds[scheme] = ground(view)
    assert grounds["light"] != grounds["dark"]
    view.page.click(".theme")
    assert ground(view) == grounds["light"]
    view.page.reload()
    view.wait()
    assert ground(view) == grounds["light"]


def ground(view):
    return view.page.evaluate("getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("width", [360, 800])
def test_a_narrow_page_does_not_scroll_sideways(open_view, server, width):
    view = open_view(server, viewport={"width": width, "height": 740})
    for path in PAGES:
        view.open(path)
        assert view.page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_plots_say_in_words_what_they_show(view):
    for path in PAGES[1:4]:
        view.open(path)
        for canvas in view.page.locator("canvas").all():
            assert canvas.get_attribute("role") == "img"
            assert len(canvas.get_attribute("aria-label")) > 20


def test_a_page_runs_nothing_but_its_own_script(view):
    view.open()
    answer = view.page.request.get(view.url + "view/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert view.page.locator("script:not([src])").count() == 0
    assert view.page.locator("style").count() == 0
