"""What all figures have in common: their look, and how they become files."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

# Colours that the colour-blind tell apart (Okabe and Ito). The first is ours in all figures.
ORANGE, BLUE, GREEN, PINK = "#d55e00", "#0072b2", "#009e73", "#cc79a7"
YELLOW, SKY, GREY = "#e69f00", "#56b4e9", "#444444"


def tidy(axes: Any) -> None:
    """Draw a light grid behind, and no box around."""
    axes.grid(which="major", color="#dddddd", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(picture: Any, path: Path) -> None:
    """Write the figure, in the format of the path's suffix. Equal data gives an equal file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".svg":
        text = io.StringIO()
        with matplotlib.rc_context(TEXT):
            picture.savefig(text, format="svg")
        path.write_text(compact(text.getvalue()))
    else:
        picture.savefig(path, dpi=110)
    pyplot.close(picture)


def compact(svg: str) -> str:
    """Take out what nobody sees: the date, groups, their names, digits beyond a hundredth."""
    for pattern, by in INVISIBLE:
        svg = re.sub(pattern, by, svg, flags=re.S)
    return svg.replace("*{", f"text{{font-family: {FAMILY}}}\n*{{", 1)


FONTS = ["DejaVu Sans", "Verdana", "Arial"]
FAMILY = ", ".join(f"'{font}'" for font in FONTS) + ", sans-serif"
# Letters stay letters. Where the first font is missing, the next are as wide or narrower.
TEXT = {"svg.hashsalt": "ndbytes", "svg.fonttype": "none", "font.sans-serif": FONTS}
INVISIBLE = [
    (r"<!--.*?-->|<metadata>.*?</metadata>", ""),
    (r'<g id="[^"]*">', "<g>"),
    (r' transform="rotate\(-0 [^"]*"', ""),
    (f" font-family: {FAMILY};", ""),
    # Only within tags: between them stand labels.
    (r"(\.\d\d)\d+(?=[^<>]*>)", r"\1"),
    (r"\n(?=[A-Zz])", ""),
    (r"\s*\n\s*", "\n"),
    (r'\n" ', '" '),
    *[(r"<g>\n(<(use|path|text)[^<]*(</text>)?)\n</g>", r"\1")] * 3,
]
