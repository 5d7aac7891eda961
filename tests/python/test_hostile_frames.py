"""Frames that mean harm: little that promises much is refused, in little time and little memory."""

import struct
import sys

import numpy as np
import pytest

import forge
import ndbytes as nb
from processes import python

GIB = 1 << 30

READ = """
import io, os, resource, sys, time
from pathlib import Path
import numpy as np
import ndbytes as nb

folder, kind, room = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if kind == "stream":
    ways = [
        lambda path, data: nb.load(io.BytesIO(data)),
        lambda path, data: nb.recv(io.BytesIO(data)),
    ]
else:
    ways = [
        lambda path, data: nb.load(path),
        lambda path, data: nb.loads(data),
        lambda path, data: nb.loads(bytearray(data)),
        lambda path, data: nb.open(path)[...],
        lambda path, data: nb.open(path)[1:2],
        lambda path, data: nb.open(io.BytesIO(data)).read(),
    ]

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

nb.loads(nb.dumps(np.zeros(300_000), "zstd", chunks=(1000,)))
if room:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + room, size + room))
before = peak()
for path in sorted(folder.iterdir()):
    data = path.read_bytes()
    told = []
    begin = time.monotonic()
    for way in ways:
        try:
            told.append("array of %d" % way(path, data).nbytes)
        except nb.NdbytesError as error:
            told.append(error.code)
        except MemoryError:
            told.append("memory")
    print(path.name, *told, sep="\\t", flush=True)
    assert time.monotonic() - begin < 30, path.name
    assert peak() - before < 150, (path.name, peak() - before)
"""


def read(folder, kind, room=0):
    """Return what became of the files in a folder, in a process of little memory."""
    out = python(READ, folder, kind, room)
    return {name: told for name, *told in (line.split("\t") for line in out.splitlines())}


def hostile():
    """Yield names, frames and how they are refused."""
    stored = struct.pack("<4B3I", 2, 1, 0x93, 1, GIB, GIB, GIB + 16)
    for name, family, payload in (
        ("raw", forge.RAW, bytes(50)),
        ("blosc, stored", forge.BLOSC, stored),
        ("blosc", forge.BLOSC, bytes(200)),
        ("pco", forge.PCO, b"pco!" + bytes(60)),
    ):
        tib = forge.header([1024 * GIB], [GIB], family)
        yield f"{name} of a TiB", forge.frame(tib, [payload] * 1024), {"frame.record"}
        gib = forge.header([GIB], [GIB], family)
        yield f"{name} of a GiB", forge.frame(gib, [payload]), {"frame.record"}
    for shape, chunk, codes in (
        ([GIB * GIB], [GIB], {"limit.bytes"}),
        ([1 << 63], [1], {"size.overflow"}),
        ([1 << 64], [1], {"npy.header.shape", "npy.header.syntax"}),
        ([1 << 40, 1 << 40], [1, 1], {"size.overflow"}),
        ([(1 << 28) - 1], [1], {"frame.truncated", "frame.record"}),
        ([1 << 28], [1], {"limit.bytes"}),
        ([GIB], [1 << 63], {"frame.header"}),
        ([1] * 255, [1] * 255, {"limit.ndim"}),
    ):
        frame = forge.frame(forge.header(shape, chunk), [])
        yield f"shape {str(shape)[:30]}, chunks {str(chunk)[:30]}", frame, codes
    head = forge.header([3], [3], forge.BLOSC)
    for length in ((1 << 16) + 1, 1 << 31, (1 << 32) - 1):
        bad = head[:12] + struct.pack("<I", length) + head[16:]
        yield f"a header of {length}", bad, {"npy.header.too_large"}
    # pco: more numbers than the chunk has; a dictionary, and a window, as large as can be said.
    for name, count, meta in (
        ("numbers", 1 << 24, 0),
        ("a dictionary", 300, 4 | 0x1FFFFFF << 4),
        ("a window", 300, 2 << 4 | 23 << 8),
        ("a window behind a mode", 300, 3 | 2 << 12 | 23 << 16),
    ):
        chunk = struct.pack("<BI", 2, count - 1)[:4] + struct.pack("<Q", meta) + bytes(40)
        pco = b"pco!\x03\x02\x00\x00\x04\x01" + chunk
        frame = forge.frame(forge.header([300], [300], forge.PCO, "'<u8'"), [pco])
        yield f"pco with {name}", frame, {"codec.corrupt", "codec.truncated", "array.mismatch"}
    # Blosc: blocks and streams that are said to be larger than all that there is.
    for name, size, block, stream in (
        ("a block", 1000, 1 << 31, 20),
        ("a stream", 1000, 1000, 1 << 31),
        ("a buffer", (1 << 31) - 17, (1 << 31) - 17, 20),
        ("blocks of nothing", 1000, 0, 20),
    ):
        buffer = struct.pack("<4B6I", 2, 1, 0x90, 1, size, block, 128, 20, stream, 0)
        head = forge.header([1000], [1000], forge.BLOSC)
        frame = forge.frame(head, [buffer + bytes(100)])
        yield f"blosc with {name}", frame, {"blosc.header", "array.mismatch"}


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited by Linux")
@pytest.mark.parametrize("kind", ["position", "stream"])
def test_what_promises_much_is_refused_in_little_memory(tmp_path, kind):
    expected = {}
    for name, frame, codes in hostile():
        (tmp_path / name).write_bytes(frame)
        expected[name] = codes
    # A stream has an array's memory reserved as the header announces it, and takes it as it comes.
    told = read(tmp_path, kind, 256 << 20 if kind == "position" else 0)
    assert told.keys() == expected.keys()
    for name, codes in expected.items():
        if kind == "stream" and "of a TiB" in name:
            codes = codes | {"limit.bytes", "memory"}
        assert set(told[name]) <= codes, name


def zeros_by_zstd(nbytes):
    """Return a Blosc buffer of zeros, as small as it can be: one to 32768."""
    edge = 1 << 17
    body = b""
    for at in range(0, nbytes, edge):
        last = at + edge >= nbytes
        body += struct.pack("<I", last | 2 | min(edge, nbytes - at) << 3)[:3] + b"\0"
    stream = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", nbytes) + body
    front = struct.pack("<4B3I", 2, 1, 0x90, 1, nbytes, nbytes, 24 + len(stream))
    return front + struct.pack("<II", 20, len(stream)) + stream


def test_what_decompresses_to_much_honestly_needs_leave(tmp_path):
    size = 1 << 26
    frame = forge.frame(forge.header([4 * size], [size], forge.BLOSC), [zeros_by_zstd(size)] * 4)
    assert len(frame) < 10_000
    (tmp_path / "zeros").write_bytes(frame)
    # Not as much memory as that: it is said so.
    assert "memory" in read(tmp_path, "position", 200 << 20)["zeros"]
    for limited in (
        lambda: nb.load(tmp_path / "zeros", max_bytes=4 * size - 1),
        lambda: nb.open(tmp_path / "zeros", max_bytes=4 * size - 1),
    ):
        with pytest.raises(nb.LimitError):
            limited()
    small = forge.frame(forge.header([1 << 20], [1 << 20], forge.BLOSC), [zeros_by_zstd(1 << 20)])
    assert np.array_equal(nb.loads(small), np.zeros(1 << 20, "u1"))


NOTHING = """
import sys, time
from pathlib import Path
import ndbytes as nb

begin = time.monotonic()
for path in sorted(Path(sys.argv[1]).iterdir()):
    frame = nb.open(path)
    assert frame[1:].size == frame[::2, ...].nbytes == 0 or frame.dtype.itemsize == 0
    assert frame[..., 1:].nbytes == 0
    frame.read()
    nb.load(path)
print(time.monotonic() - begin < 20)
"""


def test_parts_of_a_huge_array_of_nothing_are_there_at_once(tmp_path):
    for i, (descr, shape, chunk) in enumerate(
        (
            ("'|S0'", [1 << 60], [1]),
            ("'<U0'", [3, 1 << 50], [1, 1]),
            ("'|u1'", [0, 1 << 50], [1, 1]),
        )
    ):
        head = forge.header(shape, chunk, forge.BLOSC, descr)
        (tmp_path / str(i)).write_bytes(forge.frame(head, []))
    assert python(NOTHING, tmp_path).strip() == "True"
