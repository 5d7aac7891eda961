"""Frames whose checksums are right, whatever else they say."""

import struct

RAW, BLOSC, PCO = 0, 1, 2
CHUNK, INDEX = 0x184D2A5D, 0x184D2A5E


def _entry(byte):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = [_entry(byte) for byte in range(256)]


def crc32c(data):
    """Return the CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def sealed(data):
    """Return bytes and their checksum."""
    return data + struct.pack("<I", crc32c(data))


def header(shape, chunk_shape, family=RAW, descr="'|u1'", text=None):
    """Return the header of a frame."""
    if text is None:
        text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {tuple(shape)}, }}"
    text = text.encode()
    front = b"\x89NDB\r\n\x1a\n" + struct.pack("<4BI", 1, family, len(chunk_shape), 0, len(text))
    return sealed(front + text + struct.pack(f"<{len(chunk_shape)}Q", *chunk_shape))


def record(payload, tag=CHUNK):
    """Return a record."""
    return struct.pack("<II", tag, len(payload) + 4) + sealed(payload)


def frame(head, payloads, places=None):
    """Return a frame of a header and the payloads of chunks; the index says where they are."""
    body = b"".join(map(record, payloads))
    if places is None:
        places, at = [], len(head)
        for payload in payloads:
            places.append((at + 8, len(payload) + 4))
            at += 12 + len(payload)
    index = b"".join(struct.pack("<QQ", *place) for place in places)
    return head + body + record(index, INDEX)
