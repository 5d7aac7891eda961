"""Shapes as Python gives them."""

from __future__ import annotations

from typing import Any


def dims_of(shape: Any) -> tuple[int, ...]:
    """Return the dimensions that an integer or a sequence of integers names."""
    try:
        dims = tuple(n.__index__() for n in shape)
    except TypeError:
        dims = (shape.__index__(),)
    if any(n < 0 for n in dims):
        raise ValueError(f"negative dimensions are not allowed: {dims}")
    return dims


def product(dims: tuple[int, ...]) -> int:
    """Return the number of elements, however large."""
    product = 1
    for n in dims:
        product *= n
    return product
