"""What a reader sees and does."""

import urllib.parse

BUSY = "[aria-busy=true]"
DONE = "[aria-busy=false], table.listing, .failure, .token, #index-wrong:not(:empty)"
LEAST_LEVEL = (68, 1, 84)
MOST_LEVEL = (253, 231, 37)
# Read from a copy, since reading makes a canvas slow, and Chromium says so.
PIXEL = """(canvas, [x, y]) => {
    const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, -x, -y);
    return [...copy.getImageData(0, 0, 1, 1).data];
}"""


class View:
    """A tab with the page of a server."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.url = url
        self.netloc = urllib.parse.urlsplit(url).netloc
        self.errors = []
        self.requests = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", self._asked)

    def _said(self, message):
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    def _asked(self, request):
        self.requests.append(request)

    def check(self):
        """Nothing went wrong, and no other host was asked."""
        assert self.errors == []
        assert {urllib.parse.urlsplit(url).netloc for url in self.requested()} <= {self.netloc}

    def open(self, path="", **query):
        """Go to a file or folder, and wait until it is there."""
        query = urllib.parse.urlencode(query)
        self.page.goto(f"{self.url}view/{urllib.parse.quote(path)}{'?' if query else ''}{query}")
        self.wait()
        return self

    def wait(self):
        self.page.locator(DONE).first.wait_for()
        self.page.locator(BUSY).wait_for(state="detached")

    def index(self, text):
        """Type an index, and wait for what it shows."""
        self.page.fill("#index", text)
        self.page.press("#index", "Enter")
        self.wait()

    def query(self):
        found = urllib.parse.urlsplit(self.page.url).query
        return dict(urllib.parse.parse_qsl(found))

    def requested(self):
        return [r.url for r in self.requests if not r.url.startswith(("data:", "blob:", "about:"))]

    def text(self, selector):
        return self.page.locator(selector).first.inner_text()

    def statistics(self):
        """Names and texts of the statistics."""
        rows = self.page.locator("[data-statistic]").all()
        return {row.get_attribute("data-statistic"): row.inner_text() for row in rows}

    def counts(self):
        """Counts of the histogram."""
        rows = self.page.locator("[data-count]").all()
        return [int(row.get_attribute("data-count")) for row in rows]

    def values(self):
        """Rows of the table of values, without their indices."""
        return self.page.locator("section > section.tall tbody").evaluate(
            "body => [...body.rows].map(row =>"
            " [...row.querySelectorAll('td')].map(cell => cell.textContent))"
        )

    def facts(self):
        return self.page.locator("dl.facts").evaluate(
            "list => Object.fromEntries([...list.querySelectorAll('div')].map(div =>"
            " [div.querySelector('dt').textContent, div.querySelector('dd').textContent]))"
        )

    @property
    def plot(self):
        return self.page.locator(".columns .plot:not(.summary *) canvas")

    def label(self):
        return self.plot.get_attribute("aria-label")

    def read_out(self):
        return self.text(".columns .plot:not(.summary *) output")

    def press(self, keys):
        """Press keys on the plot."""
        for key in keys.split():
            self.plot.press(key)

    def pixel(self, row, column, shape):
        """The colour in the middle of an element: red, green, blue, alpha."""
        x, y = self.place(row, column, shape)
        return tuple(self.plot.evaluate(PIXEL, [int(x), int(y)]))

    def place(self, row, column, shape):
        """Where the middle of an element is on the canvas."""
        box = self.page.locator(".columns canvas[data-box]").get_attribute("data-box")
        left, top, width, height = map(float, box.split())
        return left + (column + 0.5) * width / shape[1], top + (row + 0.5) * height / shape[0]
