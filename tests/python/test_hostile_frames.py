"""Frames that mean harm: little that promises much is refused, in little time and little memory."""

import os
import struct

import numpy as np
import pytest

import forge
import ndbytes as nb
from processes import TIMEOUT, start

GIB = 1 << 30

READ = """
import io, os, resource, socket, sys, threading, time
import numpy as np
import ndbytes as nb

path = sys.argv[1]
ways = {
    "load": lambda: nb.load(path),
    "loads": lambda: nb.loads(open(path, "rb").read()),
    "open": lambda: nb.open(path)[...],
    "row": lambda: nb.open(path)[1:2],
    "stream": lambda: nb.load(io.BytesIO(open(path, "rb").read())),
}

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

nb.loads(nb.dumps(np.zeros(300_000), "zstd", chunks=(1000,)))
size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
if sys.argv[3]:
    # Threads have stacks and heaps of their own, which are not used.
    limit = size + int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
before, begin = peak(), time.monotonic()
try:
    array = ways[sys.argv[2]]()
    code = "array"
except nb.NdbytesError as error:
    code = error.code
except MemoryError:
    code = "memory"
print(code, peak() - before, time.monotonic() - begin)
"""


def told(path, way, room=""):
    """Return what became of reading a file in a process of little memory."""
    child = start(READ, path, way, room, stdout=-1)
    out = child.communicate(timeout=TIMEOUT)[0].split()
    assert child.returncode == 0, "it crashed"
    code, grown, seconds = out
    assert int(grown) < 100, f"{grown.decode()} MiB"
    assert float(seconds) < 20
    return code.decode()


def stored(nbytes):
    """Return the front of a Blosc buffer that says it holds so many bytes."""
    return struct.pack("<4B3I", 2, 1, 0x93, 1, nbytes, nbytes, nbytes + 16)


def zeros_by_zstd(nbytes):
    """Return a Blosc buffer of one block of zeros, as small as it can be."""
    blocks = [min(1 << 17, nbytes - at) for at in range(0, nbytes, 1 << 17)]
    last = len(blocks) - 1
    body = b"".join(
        struct.pack("<I", (i == last) | 2 | size << 3)[:3] + b"\0" for i, size in enumerate(blocks)
    )
    stream = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", nbytes) + body
    front = struct.pack("<4B3I", 2, 1, 0x90, 1, nbytes, nbytes, 24 + len(stream))
    return front + struct.pack("<II", 20, len(stream)) + stream


def hostile():
    """Yield names, frames and how they are refused."""
    chunks = [GIB], 1024
    for family, payload in (
        (forge.RAW, bytes(50)),
        (forge.BLOSC, stored(GIB)),
        (forge.BLOSC, bytes(200)),
        (forge.PCO, b"pco!" + bytes(60)),
    ):
        head = forge.header([1024 * GIB], chunks[0], family)
        yield f"{family} of a TiB", forge.frame(head, [payload] * chunks[1]), "frame.record"
        head = forge.header([GIB], [GIB], family)
        yield f"{family} of a GiB", forge.frame(head, [payload]), "frame.record"
    for shape, chunk, code in (
        ([GIB * GIB], [GIB], "limit.bytes"),
        ([1 << 63], [1], "npy.header.shape size.overflow"),
        ([1 << 40, 1 << 40], [1, 1], "size.overflow"),
        ([(1 << 28) - 1], [1], "frame.truncated frame.record"),
        ([1] * 255, [1] * 255, "limit.ndim"),
    ):
        yield f"{str(shape)[:30]}", forge.frame(forge.header(shape, chunk), []), code
    head = forge.header([3], [3], forge.BLOSC)
    for length in (1 << 17, 1 << 31, (1 << 32) - 1):
        bad = head[:12] + struct.pack("<I", length) + head[16:]
        yield f"a header of {length}", bad, "npy.header.too_large"
    # pco of more numbers than any chunk has; of a dictionary, and of a window, as large as can be.
    number, last = struct.pack("<B", 5), bytes(40)
    for name, meta in (
        ("numbers", bytes([0]) + last),
        ("dictionary", struct.pack("<I", 4 | 0x1FFFFFF << 4) + last),
        ("window", struct.pack("<I", 0 | 2 << 4 | 23 << 8) + last),
    ):
        pco = b"pco!\x03\x05\x00\x04" + number + b"\xff\xff\xff" + meta
        frame = forge.frame(forge.header([300], [300], forge.PCO), [pco])
        yield f"pco, {name}", frame, "codec.corrupt codec.truncated array.mismatch"


@pytest.mark.parametrize("name", [name for name, *_ in hostile()])
def test_what_promises_much_is_refused_in_little_memory(tmp_path, name):
    (_, frame, codes), *_ = [case for case in hostile() if case[0] == name]
    path = tmp_path / "a.ndb"
    path.write_bytes(frame)
    for way in ("load", "loads", "open", "row", "stream"):
        code = told(path, way, 600 << 20)
        assert code in codes.split() or (code == "memory" and "TiB" in name and way == "stream"), way
