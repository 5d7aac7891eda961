"""A reader of `.ndb` frames, to be read beside frame.md: short and plain, not fast.

    python decode.py FRAME.ndb ARRAY.npy

Needs NumPy; `lz4` and `zstandard` for chunks of these, `pcodec` for the family pco. What breaks the
rules of frame.md is an error: ValueError, SyntaxError, struct.error, or one of those packages. It
takes as much memory as a frame says that it needs: it is no reader for those of strangers.
"""

import ast
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

MAGIC = b"\x89NDB\r\n\x1a\n"
FAMILIES = ["raw", "blosc", "pco"]
CHUNK, INDEX = 0x184D2A5D, 0x184D2A5E


def decode(frame):
    """Return the array in the bytes of a frame."""
    dtype, shape, order, family, chunk_shape, start = header(frame)
    grid = [-(-n // edge) for n, edge in zip(shape, chunk_shape, strict=True)]
    empty = 0 in shape or dtype.itemsize == 0
    places = index(frame, start, 0 if empty else int(np.prod(grid, dtype=object)))
    # Chunks at the edges are filled up: so is the array, until the end.
    filled = shape if empty else [n * edge for n, edge in zip(grid, chunk_shape, strict=True)]
    nbytes = int(np.prod(filled, dtype=object)) * dtype.itemsize
    array = np.ndarray(filled, dtype, bytearray(nbytes), order=order)
    for number, (offset, length) in enumerate(places):
        tag, announced = struct.unpack_from("<II", frame, offset - 8)
        expect(tag == CHUNK and announced == length, f"no record of a chunk before byte {offset}")
        payload = checked(frame[offset : offset + length], f"chunk {number}")
        if family == "raw":
            items = payload
        elif family == "blosc":
            items = blosc(payload)
        else:
            from pcodec import standalone

            items = standalone.simple_decompress(payload).tobytes()
        expect(len(items) == np.prod(chunk_shape, dtype=object) * dtype.itemsize, "a chunk's size")
        chunk = np.ndarray(chunk_shape, dtype, items, order=order)
        # Chunks are counted in C order over the grid.
        corner = np.unravel_index(number, grid) if grid else ()
        ends = zip(corner, chunk_shape, strict=True)
        array[tuple(slice(i * edge, (i + 1) * edge) for i, edge in ends)] = chunk
    return array[(*(slice(n) for n in shape), ...)]


def header(frame):
    """Return dtype, shape, order, family and chunk shape, and where the first record begins."""
    expect(frame[:8] == MAGIC, "this is no frame")
    version, family, ndim, reserved, length = struct.unpack_from("<4BI", frame, 8)
    expect((version, reserved) == (1, 0) and family < len(FAMILIES), "another version of frames")
    end = 16 + length + 8 * ndim
    checked(frame[: end + 4], "the header")
    # A comment, which says more of extended dtypes, is skipped, as NumPy skips it.
    facts = ast.literal_eval(frame[16 : 16 + length].decode().strip())
    dtype = np.lib.format.descr_to_dtype(facts["descr"])
    shape, order = facts["shape"], "F" if facts["fortran_order"] else "C"
    chunk_shape = struct.unpack_from(f"<{ndim}Q", frame, 16 + length)
    expect(len(shape) == ndim, "shape and chunk shape have different lengths")
    for n, edge in zip(shape, chunk_shape, strict=True):
        expect(1 <= edge <= max(n, 1), f"chunks of {edge} along an axis of {n}")
    return dtype, shape, order, FAMILIES[family], chunk_shape, end + 4


def index(frame, start, count):
    """Return offset and length of each chunk; records fill all from `start` to the index."""
    length = 16 * count + 4
    at = len(frame) - length
    expect(at - 8 >= start, "the frame was cut")
    expect(struct.unpack_from("<II", frame, at - 8) == (INDEX, length), "no index at the end")
    numbers = struct.unpack(f"<{2 * count}Q", checked(frame[at:], "the index"))
    places = list(zip(numbers[::2], numbers[1::2], strict=True))
    for offset, length in sorted(places):
        expect(offset == start + 8 and length >= 4, "chunks overlap or leave a gap")
        start = offset + length
    expect(start == at - 8, "chunks overlap or leave a gap")
    return places


def checked(data, what):
    """Return the bytes before a checksum, which must be right."""
    (stored,) = struct.unpack("<I", data[-4:])
    expect(stored == crc32c(data[:-4]), f"the CRC-32C of {what} is wrong")
    return data[:-4]


def crc32c(data):
    """Return the CRC-32C, RFC 3720 B.4: the polynomial 0x1EDC6F41, its bits reversed."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def table_entry(byte):
    """Return the checksum's step for a byte."""
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


TABLE = [table_entry(byte) for byte in range(256)]


def blosc(data):
    """Return what is in a Blosc 1 buffer (README_CHUNK_FORMAT of c-blosc)."""
    version, _, flags, typesize, nbytes, block_size, size = struct.unpack_from("<4B3I", data)
    expect(version == 2 and size == len(data), "not a whole Blosc 1 buffer")
    expect(typesize > 0 and (block_size > 0 or nbytes == 0), "items or blocks of nothing")
    if flags & 2:
        # The bytes follow as they are.
        expect(len(data) == 16 + nbytes, "a stored buffer of another length")
        return data[16:]
    blocks = -(-nbytes // block_size) if nbytes else 0
    starts = struct.unpack_from(f"<{blocks}I", data, 16)
    return b"".join(
        block(data, start, flags, typesize, block_size, min(block_size, nbytes - i * block_size))
        for i, start in enumerate(starts)
    )


def block(data, at, flags, typesize, block_size, length):
    """Return the bytes of one block."""
    # Each byte of an item is a stream by itself, but in a last block that is shorter.
    split = not flags & 16 and typesize <= 16 and block_size // typesize >= 128
    count = typesize if split and length == block_size else 1
    streams = []
    for _ in range(count):
        (size,) = struct.unpack_from("<I", data, at)
        stream, at = data[at + 4 : at + 4 + size], at + 4 + size
        streams.append(inflated(stream, flags >> 5, length // count))
    filtered = b"".join(streams)
    expect(len(filtered) == length, "a block of another length")
    items = length // typesize
    body = np.frombuffer(filtered, "u1", items * typesize)
    if flags & 1:
        # The first bytes of all items, then the second ones.
        body = body.reshape(typesize, items).T
    elif flags & 4 and items % 8 == 0:
        # The first bits of the first bytes of all items, then the second bits.
        bits = np.unpackbits(body.reshape(typesize, 8, -1), axis=2, bitorder="little")
        body = np.packbits(bits.transpose(2, 0, 1), axis=2, bitorder="little")
    # A part of an item stays behind them.
    return body.tobytes() + filtered[items * typesize :]


def inflated(stream, compressor, length):
    """Return a stream's bytes; one that is as long as those is not compressed."""
    if len(stream) == length:
        return stream
    if compressor == 1:
        import lz4.block

        return lz4.block.decompress(stream, uncompressed_size=length)
    if compressor == 3:
        return zlib.decompress(stream)
    if compressor == 4:
        import zstandard

        return zstandard.ZstdDecompressor().decompress(stream, max_output_size=length)
    raise ValueError(f"compressor {compressor}: 0 is BloscLZ, 2 is Snappy; ndbytes writes neither")


def expect(holds, otherwise):
    """Raise unless something holds."""
    if not holds:
        raise ValueError(otherwise)


if __name__ == "__main__":
    np.save(sys.argv[2], decode(Path(sys.argv[1]).read_bytes()))
