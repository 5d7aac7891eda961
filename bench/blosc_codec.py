"""Time Blosc buffers written and read in Rust against C-Blosc2, taking turns in one run.

    cargo build --release -p ndbytes-codec --example blosc_speed
    .venv-bench/bin/python bench/blosc_codec.py [ROUNDS]

Each side compresses 64 MiB to fresh memory and decompresses into an array that is there already.
The ratio of the best times is what counts. One thread is timed by the processor, two by the wall.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import blosc2
import numpy as np

PROGRAM = Path(__file__).parent.parent / "target/release/examples/blosc_speed"
FILTERS = {"shuffle": blosc2.Filter.SHUFFLE, "bitshuffle": blosc2.Filter.BITSHUFFLE}
CODECS = {"lz4": blosc2.Codec.LZ4, "zstd": blosc2.Codec.ZSTD, "zlib": blosc2.Codec.ZLIB}
# Our codec and level, the level of Blosc2 that means the same (zstd: 2 level - 1), filter.
ROWS = [
    ("lz4", 1, 5, "shuffle"),
    ("lz4", 1, 5, "bitshuffle"),
    ("zstd", 1, 1, "shuffle"),
    ("zstd", 1, 1, "bitshuffle"),
    ("zstd", 3, 2, "shuffle"),
]


def data_sets() -> dict[str, np.ndarray]:
    """Return 64 MiB each of numbers that compress a little, and well."""
    rng = np.random.default_rng(1)
    walk = rng.standard_normal(1 << 23).cumsum()
    steps = rng.integers(0, 1000, 1 << 23).cumsum() + 1_700_000_000_000_000
    sensor = np.round(rng.standard_normal(1 << 24).cumsum() / 10 + 20, 2).astype("f4")
    return {"random walk f8": walk, "timestamps i8": steps, "rounded f4": sensor}


def main(rounds: int) -> None:
    """Print a row per data set, codec, filter and number of threads."""
    print(
        "data             codec    filter     threads | ratio ours/blosc2 | ours enc dec MB/s",
        end="",
    )
    print(" | blosc2 enc dec MB/s | faster enc dec")
    for name, array in data_sets().items():
        raw = array.tobytes()
        with tempfile.NamedTemporaryFile() as file:
            file.write(raw)
            file.flush()
            command = [os.fspath(PROGRAM), "--serve", file.name]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            with subprocess.Popen(command, text=True, bufsize=1, **pipes) as ours:
                for row in ROWS:
                    for threads in (1, 2):
                        compare(name, array, raw, ours, row, threads, rounds)
                ours.stdin.close()


def compare(name, array, raw, ours, row, threads, rounds):
    """Take turns and print the best of both."""
    codec, level, clevel, filter_ = row
    size = array.itemsize
    blosc2.set_nthreads(threads)
    options = {"typesize": size, "clevel": clevel, "codec": CODECS[codec], "nthreads": threads}
    options |= {"filters": [FILTERS[filter_]], "filters_meta": [0]}
    out = bytearray(len(raw))
    best = [float("inf")] * 4
    for _ in range(rounds):
        print(codec, level, filter_, size, threads, file=ours.stdin)
        our_size, encode, decode = map(float, ours.stdout.readline().split())
        clock = time.process_time if threads == 1 else time.perf_counter
        begin = clock()
        packed = blosc2.compress2(raw, **options)
        middle = clock()
        blosc2.decompress2(packed, dst=out, nthreads=threads)
        end = clock()
        times = [encode, decode, middle - begin, end - middle]
        best = [min(pair) for pair in zip(best, times, strict=True)]
    assert out == raw
    speed = [len(raw) / seconds / 1e6 for seconds in best]
    print(
        f"{name:16} {codec}-{level:<4} {filter_:10} {threads:7} |"
        f" {len(raw) / our_size:8.3f} {len(raw) / len(packed):8.3f} |"
        f" {speed[0]:8.0f} {speed[1]:8.0f} | {speed[2]:8.0f} {speed[3]:8.0f} |"
        f" {speed[0] / speed[2]:6.2f} {speed[1] / speed[3]:6.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
