"""A server that asks for a token."""

import numpy as np
import pytest
from serving import serving

TOKEN = "6f0d7c8e2b1a4f5e9d3c"


@pytest.fixture(scope="module")
def guarded(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "tokens"
    path.write_text(f"alice read {TOKEN}\n")
    path.chmod(0o600)
    with serving(arrays[0], "--tokens", path) as url:
        yield url


def test_a_token_is_asked_for_kept_and_never_in_a_url(guarded, open_view, arrays, tmp_path):
    view = open_view(guarded)
    view.open("plane.npy")
    field = view.page.get_by_label("Token", exact=True)
    assert field.evaluate("field => field === document.activeElement")
    field.fill("wrong-wrong-wrong-wrong")
    field.press("Enter")
    view.page.locator(".token .wrong").wait_for()
    view.page.locator("#token").wait_for()
    view.page.fill("#token", TOKEN)
    view.page.click("text=Go on")
    view.page.locator("dl.facts").wait_for()
    view.wait()
    array = arrays[1]["plane"]
    assert view.values()[0][0] == str(array[0, 0])

    view.open("")
    assert view.page.locator("tbody .name").count() > 10
    view.open("plane.npy", slice="::2")
    with view.page.expect_download() as waiting:
        view.page.click(".downloads >> text=.npy")
    waiting.value.save_as(tmp_path / "part.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "part.npy"), array[::2])

    assert not [url for url in view.requested() if TOKEN in url or "wrong-wrong" in url]
    kept = view.page.evaluate("[JSON.stringify(localStorage), document.cookie, location.href]")
    assert TOKEN not in "".join(kept)
    # The browser logs each 401 that was asked for.
    view.errors[:] = [error for error in view.errors if "401" not in error]


def test_the_page_itself_needs_no_token(guarded, open_view):
    view = open_view(guarded)
    view.open("")
    assert "asks for a token" in view.text(".token")
    view.errors[:] = [error for error in view.errors if "401" not in error]
