"""The page of `ndbytes serve` in a headless Chromium.

With NDBYTES_PAGE=DIR the page's files are taken from there, not from those within the command.
"""

import os
import shutil
import urllib.parse
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright
from serving import serving
from view import View

from arrays import make

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--renderer-process-limit=1",
]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {
    "index.html": "text/html; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "app.css": "text/css; charset=utf-8",
}
WAIT = 10_000


@pytest.fixture(scope="session")
def arrays(tmp_path_factory):
    """Files by their names without suffix, as NumPy has them; and the folder with them."""
    folder = tmp_path_factory.mktemp("served")
    return folder, make(folder)


@pytest.fixture(scope="session")
def server(arrays):
    """The URL of a server without tokens."""
    with serving(arrays[0]) as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    chromium = shutil.which("chromium")
    assert chromium, "there is no chromium: tools/page.sh browser installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_view(browser):
    """Make views of a server; afterwards, nothing may have gone wrong in them."""
    views = []

    def open_view(url, **context):
        views.append(view_of(browser, url, **context))
        return views[-1]

    yield open_view
    for view in views:
        view.page.context.close()
    for view in views:
        view.check()


@pytest.fixture(scope="session")
def tab(browser, server):
    return view_of(browser, server)


@pytest.fixture
def view(tab):
    """A view of the server with all arrays: one tab for all tests, since they take time to open."""
    tab.errors.clear()
    tab.requests.clear()
    yield tab
    tab.page.unroute_all(behavior="ignoreErrors")
    tab.page.evaluate("localStorage.clear(), sessionStorage.clear()")
    tab.page.goto("about:blank")
    tab.check()


def view_of(browser, url, **context):
    settings = {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light"}
    context = browser.new_context(accept_downloads=True, **(settings | context))
    context.set_default_timeout(WAIT)
    if folder := os.environ.get("NDBYTES_PAGE"):
        from_disk(context, url, Path(folder))
    return View(context, url)


def from_disk(context, url, folder):
    """Serve the page's files from a folder, under the policy that the server has."""

    def serve(route):
        name = Path(urllib.parse.urlsplit(route.request.url).path).name
        name = name if "/page/" in route.request.url else "index.html"
        headers = {"content-type": TYPES[name], "content-security-policy": POLICY}
        route.fulfill(body=(folder / name).read_bytes(), headers=headers)

    context.route(f"{url}view/**", serve)
    context.route(f"{url}page/**", serve)
