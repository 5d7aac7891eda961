"""Arrays that are made, each by its own seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Rng = np.random.Generator


def walk_f8(rng: Rng) -> np.ndarray:
    """A random walk, every bit of its mantissas in use."""
    return np.cumsum(rng.standard_normal(2 << 20))


def noise_f8(rng: Rng) -> np.ndarray:
    """Normal noise: nothing to find but exponents."""
    return rng.standard_normal((1024, 2048))


def sensor_f4(rng: Rng) -> np.ndarray:
    """A thermometer with two decimals, eight channels, a daily swing and drift."""
    t = np.arange(512 << 10)[:, None]
    swing = 8 * np.sin(2 * np.pi * t / 86_400 + np.arange(8))
    drift = np.cumsum(rng.normal(0, 0.01, (t.size, 8)), axis=0)
    return np.round(20 + swing + drift + rng.normal(0, 0.05, drift.shape), 2).astype("f4")


def smooth_f4(rng: Rng) -> np.ndarray:
    """A smooth field: waves on a plane."""
    y, x = np.mgrid[0:2048, 0:2048] / 2048
    field = sum(
        a * np.sin(2 * np.pi * (f * x + g * y) + p)
        for a, f, g, p in zip(*(rng.uniform(0.5, 6, 12) for _ in range(4)), strict=True)
    )
    return np.asarray(field, "f4")


def decimals_f8(rng: Rng) -> np.ndarray:
    """Prices: a walk in steps of 0.01."""
    return np.round(100 + np.cumsum(rng.integers(-5, 6, 2 << 20)) * 0.01, 2)


def timestamps_i8(rng: Rng) -> np.ndarray:
    """Nanoseconds of a clock that ticks each 10 ms, with jitter."""
    jitter = rng.normal(0, 20_000, 2 << 20).astype("i8")
    return 1_700_000_000_000_000_000 + np.arange(2 << 20) * 10_000_000 + jitter


def counters_i4(rng: Rng) -> np.ndarray:
    """Event counts up to a thousand."""
    return rng.poisson(rng.gamma(2, 40, 4 << 20)).astype("i4")


def labels_i4(rng: Rng) -> np.ndarray:
    """Class labels in runs, as of a segmented volume."""
    lengths = rng.geometric(0.01, 60_000)
    return np.repeat(rng.integers(0, 200, lengths.size), lengths).astype("i4")[: 4 << 20]


def indices_i8(rng: Rng) -> np.ndarray:
    """Sorted row numbers with gaps, as in a sparse matrix."""
    return np.cumsum(rng.geometric(0.05, 1 << 20)).astype("i8")


def bits_bool(rng: Rng) -> np.ndarray:
    """A mask of independent bools, one in twenty true."""
    return rng.random((4096, 4096)) < 0.05


def noisy_image_u2(rng: Rng) -> np.ndarray:
    """A 12-bit detector image: blobs, a background, and shot noise."""
    y, x = np.mgrid[0:2048, 0:2048]
    image = np.full(x.shape, 200.0)
    for cy, cx, a, s in zip(
        *rng.uniform([[0], [0], [200], [5]], [[2048], [2048], [3000], [60]], (4, 60)), strict=True
    ):
        image += a * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * s * s))
    return np.clip(rng.poisson(image), 0, 4095).astype("u2")


def sparse_f4(rng: Rng) -> np.ndarray:
    """Zeros, one in a hundred not."""
    out = np.zeros(4 << 20, "f4")
    at = rng.integers(0, out.size, out.size // 100)
    out[at] = rng.standard_normal(at.size)
    return out


def constant_f8(rng: Rng) -> np.ndarray:
    """One number."""
    return np.full((1024, 1024), 1.1)


def random_u1(rng: Rng) -> np.ndarray:
    """Random bytes, as of an encrypted or compressed file."""
    return rng.integers(0, 256, 8 << 20, dtype="u1")


def complex_c8(rng: Rng) -> np.ndarray:
    """A spectrum, small."""
    signal = np.sin(np.arange(1 << 16) * 0.1) + rng.normal(0, 0.1, 1 << 16)
    return np.fft.fft(signal).astype("c8")


def table(rng: Rng) -> np.ndarray:
    """Records of mixed fields, small."""
    out = np.zeros(40_000, [("id", "i4"), ("x", "f8"), ("flag", "?"), ("name", "S6")])
    out["id"] = np.arange(out.size)
    out["x"] = np.round(rng.normal(50, 10, out.size), 1)
    out["flag"] = rng.random(out.size) < 0.3
    out["name"] = rng.choice([b"north", b"south", b"east", b"west"], out.size)
    return out


MAKERS: list[Callable[[Rng], np.ndarray]] = [
    walk_f8,
    noise_f8,
    sensor_f4,
    smooth_f4,
    decimals_f8,
    timestamps_i8,
    counters_i4,
    labels_i4,
    indices_i8,
    bits_bool,
    noisy_image_u2,
    sparse_f4,
    constant_f8,
    random_u1,
    complex_c8,
    table,
]
