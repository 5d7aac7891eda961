"""NumPy arrays to bytes and back.

The words are NumPy's where the meaning is NumPy's: ``np.save = ndbytes.save`` works. What is
different: nothing is lost in silence, nothing is ever unpickled unless you ask NumPy to, and a
file is written whole or not at all.
"""

from . import aio, format
from ._compress import compress, decompress
from ._connection import Connection
from ._errors import (
    ArgumentError,
    EndOfStreamError,
    FormatError,
    LimitError,
    MismatchError,
    NdbytesError,
    NdbytesOSError,
    TruncatedError,
    UnsupportedError,
)
from ._explain import Choice, Explanation, explain
from ._frame import Chunk, Frame, open
from ._memmap import memmap, open_memmap
from ._native import __version__, dumps, loads, tobytes
from ._npy import Header, load, read_header, save
from ._npy_file import NpyFile
from ._npz import NpzFile, savez, savez_compressed
from ._raw import frombuffer, fromfile, tofile
from ._remote import Remote
from ._session import Item, Link, Listener, connect, link, listen
from ._shared import shared_empty
from ._stream import recv, send

__all__ = [
    "ArgumentError",
    "Choice",
    "Chunk",
    "Connection",
    "EndOfStreamError",
    "Explanation",
    "FormatError",
    "Frame",
    "Header",
    "Item",
    "LimitError",
    "Link",
    "Listener",
    "MismatchError",
    "NdbytesError",
    "NdbytesOSError",
    "NpyFile",
    "NpzFile",
    "Remote",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
    "aio",
    "compress",
    "connect",
    "decompress",
    "dumps",
    "explain",
    "format",
    "frombuffer",
    "fromfile",
    "link",
    "listen",
    "load",
    "loads",
    "memmap",
    "open",
    "open_memmap",
    "read_header",
    "recv",
    "save",
    "savez",
    "savez_compressed",
    "send",
    "shared_empty",
    "tobytes",
    "tofile",
]
