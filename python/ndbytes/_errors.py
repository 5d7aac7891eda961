"""The exceptions: each is also the standard one that a NumPy user already catches."""

from __future__ import annotations

import builtins
import os


class NdbytesError(Exception):
    """Base of all errors that this package raises by itself.

    Attributes
    ----------
    code : str
        Stable name of what was wrong, such as ``"npy.magic"``; see ``docs/spec/errors.md``.
    offset : int or None
        Where in the input it was noticed, in bytes.
    """

    code: str = ""
    offset: int | None = None


class FormatError(NdbytesError, ValueError):
    """The bytes break their format."""


class TruncatedError(NdbytesError, ValueError):
    """The input ended in the middle of an array."""


class EndOfStreamError(NdbytesError, EOFError, ValueError):
    """The input ended cleanly, where another array could have begun."""


class MismatchError(NdbytesError, ValueError):
    """Well-formed, but not what the caller said it would be."""


class LimitError(NdbytesError, ValueError):
    """A limit was reached before anything was allocated."""


class UnsupportedError(NdbytesError, ValueError):
    """Well-formed, but not handled here: objects, unknown dtypes, foreign compression."""


class ArgumentError(NdbytesError, ValueError):
    """The call itself makes no sense."""


class NdbytesOSError(NdbytesError, OSError):
    """The operating system said no; ``errno`` says why.

    For the numbers that Python has a class for, that class is a base as well: a missing file is
    caught by ``except FileNotFoundError``.
    """


_KINDS: dict[str, type[NdbytesError]] = {
    "end_of_stream": EndOfStreamError,
    "limit": LimitError,
    "malformed": FormatError,
    "mismatch": MismatchError,
    "misuse": ArgumentError,
    "truncated": TruncatedError,
    "unsupported": UnsupportedError,
}


_OS_CLASSES: dict[str, type[NdbytesOSError]] = {"OSError": NdbytesOSError}


def _os_class(base: type[OSError]) -> type[NdbytesOSError]:
    name = base.__name__
    if name not in _OS_CLASSES:
        namespace = {"__doc__": base.__doc__}
        _OS_CLASSES[name] = type(f"Ndbytes{name}", (NdbytesOSError, base), namespace)
    return _OS_CLASSES[name]


def os_error(errno: int, path: str | os.PathLike[str] | None = None) -> NdbytesOSError:
    """Return the exception of this errno, of the class that Python would choose."""
    text = os.strerror(errno)
    cls = _os_class(type(OSError(errno, text)))
    error = cls(errno, text) if path is None else cls(errno, text, os.fspath(path))
    error.code = "io"
    return error


def from_native(
    code: str,
    kind: str,
    message: str,
    offset: int | None,
    path: str | os.PathLike[str] | None,
    errno: int | None,
    os_class: str | None,
) -> NdbytesError:
    """Return the exception for an error of the native module, which calls this."""
    if errno is not None:
        error: NdbytesError = os_error(errno, path)
    else:
        text = message if path is None else f"{os.fspath(path)}: {message}"
        text = text if offset is None else f"{text} (at byte {offset})"
        base = NdbytesOSError if os_class is None else _os_class(getattr(builtins, os_class))
        error = _KINDS.get(kind, base)(text)
    error.code = code
    error.offset = offset
    return error


def timed_out(message: str) -> NdbytesOSError:
    """Return what is raised when something has not happened for too long."""
    error = _os_class(TimeoutError)(message)
    error.code = "io"
    return error


def make(cls: type[NdbytesError], code: str, message: str) -> NdbytesError:
    """Return an exception of this class and code."""
    error = cls(message)
    error.code = code
    return error
