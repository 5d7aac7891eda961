"""What is chosen for the chunks of a frame, and why."""

from __future__ import annotations

from typing import Any, NamedTuple

from . import _native


class Choice(NamedTuple):
    """What is chosen for a chunk."""

    start: tuple[int, ...]
    """The index of its first element."""
    shape: tuple[int, ...]
    """Its shape, without what the array's edges cut off."""
    codec: str
    """What is done to it, such as ``'zstd-1-shuffle'``."""
    sample: int
    """Bytes of it that were tried; 0 where the codec was named."""
    tried: dict[str, int]
    """The bytes that each codec made of them; if it is done as the first, what showed that."""
    as_first: bool
    """Whether it is done as the first chunk is, since that leaves as much of it, or nearly."""


class Explanation(NamedTuple):
    """What `dumps` chooses for an array, and why."""

    family: str
    """How the chunks are stored: ``'blosc'``, ``'pco'`` or ``'raw'``."""
    chunks: tuple[int, ...]
    """The shape of the chunks."""
    sample: int
    """Bytes of the array that were tried to choose between Blosc and pco; 0 where they were not."""
    tried: dict[str, int]
    """What pco made of them, and Blosc: by ``'quick'``, or by the codec itself where that is close,
    or where there are few bytes."""
    choices: list[Choice]
    """What is chosen for each chunk."""

    def __str__(self) -> str:
        lines = [f"{self.family}, chunks of shape {self.chunks}{_told(self.sample, self.tried)}"]
        lines += [
            f"  from {choice.start}: {choice.codec}{', as the first' if choice.as_first else ''}"
            f"{_told(choice.sample, choice.tried)}"
            for choice in self.choices
        ]
        return "\n".join(lines)


def explain(a: Any, codec: str = "auto", *, chunks: tuple[int, ...] | None = None) -> Explanation:
    """Tell what `dumps` chooses for an array, and why.

    Parameters
    ----------
    a : array_like
        Any array but of objects; any layout.
    codec, chunks
        As for `dumps`.

    Returns
    -------
    Explanation
        Printed, it is a table: a line for the family, and one for each chunk.
    """
    family, shape, families, choices = _native.explain_frame(a, codec, chunks)
    sample, tried = families or (0, [])
    return Explanation(
        family,
        shape,
        sample,
        dict(tried),
        [
            Choice(start, part, pipeline, *((of[0], dict(of[1])) if of else (0, {})), as_first)
            for start, part, pipeline, of, as_first in choices
        ],
    )


def _told(sample: int, tried: dict[str, int]) -> str:
    if not tried:
        return ""
    sizes = ", ".join(f"{codec} {size}" for codec, size in tried.items())
    return f" (of {sample} bytes: {sizes})"
