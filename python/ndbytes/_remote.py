"""Files on HTTP servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import _native
from ._errors import NdbytesError, UnsupportedError, make
from ._files import as_path

WHOLE = 64 << 20


class Remote:
    """A file on an HTTP server, to be given to `open`, `load`, `save` or `savez` in place of a URL.

    These take a URL as it is; this says more about how it is fetched. Nothing is asked for until
    something is needed, and then parts: any server that answers range requests will do. One that
    does not gives the whole file, which is then kept in memory. What fails for a moment is tried
    again, later and later. A file that becomes another one meanwhile is an error. Threads may share
    it.

    Parameters
    ----------
    url : str
        ``http://`` or ``https://``.
    token : str, optional
        A bearer token, sent to no other host that the server may name.
    headers : mapping, optional
        Fields to send with every request.
    authorities : path, optional
        A PEM file of authorities to check certificates against, in the place of the system's.
    timeout : float
        Seconds for which the server may say nothing.
    retries : int
        How often something is tried again before it counts as failed; anew with every byte.
    whole : int, optional
        The most bytes of a file whose server gives no parts; none for any number.

    Attributes
    ----------
    url : str
        The URL.

    Raises
    ------
    FileNotFoundError, PermissionError, TimeoutError, ConnectionError
        As `NdbytesOSError`, when the server says so, or nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        authorities: Any = None,
        timeout: float = 30.0,
        retries: int = 5,
        whole: int | None = WHOLE,
    ) -> None:
        self.url = url
        pem = None if authorities is None else as_path(authorities)
        fields = list((headers or {}).items())
        self._file = _native.RemoteFile(url, fields, token, pem, timeout, retries, whole)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._file.size()

    def __repr__(self) -> str:
        return f"<Remote {self.url!r}: {self.size} bytes>"


def as_remote(file: Any, whole: int | None = WHOLE) -> Remote | None:
    """Return what fetches `file`, if that is a URL or a `Remote`."""
    if isinstance(file, Remote):
        return file
    if isinstance(file, str) and file[:8].lower().startswith(("http://", "https://")):
        return Remote(file, whole=whole)
    return None


def load_array(
    remote: Remote,
    out: np.ndarray[Any, Any] | None,
    max_header_size: int | None,
    max_bytes: int | None,
    threads: int | None,
    progress: Callable[[int, int], object] | None,
) -> np.ndarray[Any, Any]:
    """Load an ``.npy`` file or a frame."""
    limits = (max_header_size, max_bytes)
    return _native.load_remote(remote._file, out, *limits, threads, progress)


def refuse_map(remote: Remote) -> NdbytesError:
    """Return the error of who wants to map it."""
    message = f"{remote.url}: what is on a server cannot be mapped; open it to read parts"
    return make(UnsupportedError, "argument", message)
