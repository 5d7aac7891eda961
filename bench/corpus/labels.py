"""Labels beside their marks, where they cover least."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Label:
    """A text of one line."""

    text: str
    colour: str

    def box(self, x: float, y: float, far: float, angle: float) -> Box:
        """Return left, bottom, right and top, in pixels, so far from the middle of a mark."""
        width, height = WIDTH * len(self.text) * SCALE, HEIGHT * SCALE
        x += math.cos(angle) * (far + width / 2)
        y += math.sin(angle) * far
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def place_labels(
    axes: Any,
    marks: dict[str, tuple[float, float, float]],
    lines: list[list[tuple[float, float]]],
    labels: dict[str, Label],
) -> None:
    """Write each label near the mark of its name; marks are x, y and size.

    Neither marks nor lines, whose parts are level or upright, shall be covered. The axes must have
    their final limits and place. What is far from its mark gets a line to it.
    """
    pixels = axes.transData.transform
    at = {name: pixels((x, y)) for name, (x, y, _) in marks.items()}
    taken = [around(*at[name], *at[name], size * SCALE / 2) for name, (_, _, size) in marks.items()]
    for line in lines:
        taken += [around(*pixels(one), *pixels(other), 0) for one, other in pairwise(line)]
    for name, label in labels.items():
        options = [(far, label.box(*at[name], far, angle)) for far in DISTANCES for angle in ANGLES]
        costs = [
            far * FAR + outside(box, axes.bbox.extents) + sum(shared(box, other) for other in taken)
            for far, box in options
        ]
        far, box = options[costs.index(min(costs))]
        taken.append(box)
        line = {"arrowstyle": "-", "color": label.colour, "linewidth": 0.5, "shrinkB": 3}
        axes.annotate(
            label.text,
            marks[name][:2],
            axes.transData.inverted().transform(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)),
            arrowprops=line | {"shrinkA": 0} if far > DISTANCES[1] else None,
            fontsize=8,
            color=label.colour,
            ha="center",
            va="center",
        )


def around(x: float, y: float, to_x: float, to_y: float, far: float) -> Box:
    """Return the box around two corners, so far from them and a pixel more."""
    far += 1
    return min(x, to_x) - far, min(y, to_y) - far, max(x, to_x) + far, max(y, to_y) + far


def shared(one: Box, other: Box) -> float:
    """Return the area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def outside(box: Box, frame: Box) -> float:
    """Return the area of a box that lies outside another, doubled: there it may be cut off."""
    return 2 * ((box[2] - box[0]) * (box[3] - box[1]) - shared(box, frame))


# Pixels for each point of type, at the resolution that figures are laid out in.
SCALE = 100 / 72
# Of a letter and of a line, in points.
WIDTH, HEIGHT = 4.3, 9
# Of a label from the middle of its mark, in pixels; where around it; and what a pixel more costs.
DISTANCES = (9, 14, 20, 28, 38, 50)
ANGLES = [math.tau * i / 16 for i in range(16)]
FAR = 3
