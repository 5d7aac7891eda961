"""One side of a link on which arrays go to and fro.

python peer.py receive|send ADDRESS CERT KEY COUNT
"""

import sys
import threading

import numpy as np

import ndbytes as nb

WAIT = 60
DTYPES = ["u1", "<i4", ">i4", "<f8", ">f2", "c16", "U5", "M8[ns]", [("a", "u1"), ("b", "<f4")]]


def arrays(count):
    """Make the same arrays on both sides: of every kind, from no element to some 100 KiB."""
    random = np.random.default_rng(7)
    for number in range(count):
        dtype = np.dtype(DTYPES[number % len(DTYPES)])
        rows, columns = (int(random.integers(0, 2 ** random.integers(1, 9))) for _ in range(2))
        shape = (rows, columns) if rows * columns * dtype.itemsize < 200_000 else (rows,)
        if dtype.kind == "U":
            array = random.integers(0, 10_000, shape).astype(dtype)
        else:
            size = int(np.prod(shape)) * dtype.itemsize
            array = np.frombuffer(random.bytes(size), dtype).reshape(shape)
        yield array if number % 2 else np.asfortranarray(array)


def same(one, other):
    """Compare all that there is of two arrays; NaNs are bytes as any."""
    assert (one.dtype, one.shape) == (other.dtype, other.shape), (one.dtype, one.shape)
    assert one.tobytes() == other.tobytes()


def receive(link, count):
    """Compare what comes, and send it back."""
    for number, array in enumerate(arrays(count)):
        item = link.recv_item()
        assert (item.name, item.meta) == (f"array {number}", {"number": number})
        same(item.array, array)
        link.send(item.array, codec="fast" if number % 3 == 0 else None)
    assert list(link) == []


def send(link, count):
    """Send, and compare what comes back."""

    def send_all():
        for number, array in enumerate(arrays(count)):
            codec = "fast" if number % 5 == 0 else None
            link.send(array, f"array {number}", {"number": number}, codec)

    sender = threading.Thread(target=send_all, daemon=True)
    sender.start()
    for array in arrays(count):
        same(link.recv(), array)
    sender.join(WAIT)


def main(side, address, cert, key, count):
    """Do one side's part."""
    count, secure = int(count), not address.startswith("tcp")
    if side == "receive":
        files = {"cert": cert, "key": key} if secure else {}
        with nb.listen(address, insecure=True, timeout=WAIT, **files) as listener:
            print(listener.address, flush=True)
            with listener.accept(WAIT) as link:
                receive(link, count)
    else:
        with nb.connect(address, timeout=WAIT, authorities=cert if secure else None) as link:
            send(link, count)
    print(f"{count} arrays")


if __name__ == "__main__":
    main(*sys.argv[1:])
